//! Hashes that other programs made of the password `public`: Python's hashlib, bcrypt, argon2-cffi and passlib, OpenSSL, mosquitto_passwd and slappasswd.

use super::*;

const SALT: &[u8] = b"slat_foo123";

fn check(name: &str, stored: &str, salt: Option<&[u8]>) {
    let hash: PasswordHash = name.parse().unwrap();
    hash.check(stored.as_bytes()).unwrap_or_else(|error| panic!("{name} {stored}: {error}"));
    assert_eq!(hash.verify(b"public", stored.as_bytes(), salt), Ok(true), "{name} {stored}");
    assert_eq!(hash.verify(b"Public", stored.as_bytes(), salt), Ok(false), "{name} {stored}");
    assert_eq!(hash.verify(b"", stored.as_bytes(), salt), Ok(false), "{name} {stored}");
}

#[test]
fn digests_with_the_salt_before_behind_and_without() {
    for (name, stored) in [
        ("md5", "4c9184f37cff01bcdc32dc486ec36961"),
        ("sha1", "61c9b2b17db77a27841bbeeabff923448b0f6388"),
        ("sha256", "efa1f375d76194fa51a3556a97e641e61685f914d446979da50a551a4333ffd7"),
        (
            "sha512",
            "d32997e9747b65a3ecf65b82533a4c843c4e16dd30cf371e8c81ab60a341de00051da422d41ff29c55695f233a1e06fac8b79aeb0a4d91ae5d3d18c8e09b8c73",
        ),
        ("md5", "TJGE83z/AbzcMtxIbsNpYQ=="),
        ("sha", "YcmysX23eieEG77qv/kjRIsPY4g="),
        ("sha256", "76HzdddhlPpRo1Vql+ZB5haF+RTURpedpQpVGkMz/9c="),
        ("sha512", "0ymX6XR7ZaPs9luCUzpMhDxOFt0wzzcejIGrYKNB3gAFHaQi1B/ynFVpXyM6Hgb6yLea6wpNka5dPRjI4JuMcw"),
    ] {
        check(name, stored, None);
        check(name, stored, Some(b""));
    }
    for (name, stored) in [
        ("salt,md5", "08a0911a64c4e92e61a00f38be77a946"),
        ("md5,salt", "92ad7288c2e00635014fad86e7a1c68d"),
        ("salt,sha", "c368438705e08225637da163a5e630b7c48c5b03"),
        ("sha1,salt", "49753b1627324ac08539bd4cf62ab3657cb84ba6"),
        ("salt,sha256", "ae45b69fb70eaf222721b8b748eab19255d37b246eff0906eea8a7fed51b3000"),
        ("sha256", "ae45b69fb70eaf222721b8b748eab19255d37b246eff0906eea8a7fed51b3000"),
        ("salt, sha256", "AE45B69FB70EAF222721B8B748EAB19255D37B246EFF0906EEA8A7FED51B3000"),
        ("sha256,salt", "44edc2d57cde8d79c98145003e105b90a14f1460b79186ea9cfe83942fc5abb5"),
        (
            "salt,sha512",
            "eb5319143b7ae42dce0ffd75f0b1c6466bb258f8c6f819cf8509034ef7d206f5c0c116e958a37e8129ae433615e06b7dd88b272fcd4a6e1299fbb593888ffeef",
        ),
        (
            "sha512,salt",
            "e907445054ea0ce6ffb211834a89f0810252c871f82dea2656ea07c3ffb86de1bbce83c5fe698a27b90b8dda9f372fd0dc39693543e80154404a774e2d42e174",
        ),
    ] {
        check(name, stored, Some(SALT));
        let hash: PasswordHash = name.parse().unwrap();
        assert_eq!(hash.verify(b"public", stored.as_bytes(), Some(b"other")), Ok(false), "{name}");
        assert_eq!(hash.verify(b"public", stored.as_bytes(), None), Ok(false), "{name}");
    }
}

#[test]
fn a_salt_is_not_looked_at_where_it_is_disabled() {
    let hash = PasswordHash::configured("md5", HashOptions { salt_position: Some("disable"), ..HashOptions::default() }).unwrap();
    assert_eq!(hash.verify(b"public", b"4c9184f37cff01bcdc32dc486ec36961", Some(SALT)), Ok(true));
}

#[test]
fn plain_passwords_are_compared_as_they_are() {
    check("plain", "public", None);
    check("plain", "public", Some(SALT));
    assert_eq!(PasswordHash::Plain.verify(b"public", b"public ", None), Ok(false));
}

#[test]
fn pbkdf2_with_every_hash_function() {
    for (name, stored) in [
        ("pbkdf2,sha,1000,20", "392972ddd8fe62faeac34bf94331b2611e60f2ea"),
        ("pbkdf2,sha224,1000,28", "d8d0cd9c372f9520f374838b20e36801e805fa6f793a32e3447d95be"),
        ("pbkdf2,sha256,1000,20", "9c76391a681e1d939dd9eda0c754d41dbc0d3b4c"),
        ("pbkdf2,sha256,1000,32", "9C76391a681e1d939dd9eda0c754d41dbc0d3b4cbd02d73976f45f9790b4ed71"),
        ("pbkdf2,sha384,1000,48", "586bdac9415697eb1922b210024ea5c178305ec085aca843abeb9054c350d0d1e8749dcb558f0e86fa9c4de68f6e46d3"),
        (
            "pbkdf2,sha512,1000,64",
            "36542dafc4ee343d5d5602d8bc83793749b8a13b2bd48d687b0c9ac1a07d563921a580496d6b32d1999cfe5def53e193c248f97e4e558bedc2f145e65ac9c2a5",
        ),
    ] {
        check(name, stored, Some(SALT));
    }
    let options = HashOptions { mac: Some("sha256"), iterations: Some(1000), ..HashOptions::default() };
    let hash = PasswordHash::configured("pbkdf2", options).unwrap();
    assert_eq!(hash, PasswordHash::Pbkdf2 { mac: Mac::Sha256, iterations: 1000, length: 32 });
}

#[test]
fn hashes_that_describe_themselves() {
    let described = [
        "$2a$05$pqo2gezVt5f2aNljJk4POeZNjHBEESITtUs3sRNYliamXCP0UtDfu",
        "$2b$05$UJ6ED7VxsCsZHpTFj/jPgOHDEXXjexDyPuMRig42W2J.4ZhLtC1Eq",
        "$2y$05$UJ6ED7VxsCsZHpTFj/jPgOHDEXXjexDyPuMRig42W2J.4ZhLtC1Eq",
        "$argon2id$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$X7U4sOVKpm8gqtmNAh7mW26T+KEnI7WWHdy1xloPIOE",
        "$argon2i$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$zWk9BO9Bezz2/8e7DWEOrtDTxtw0a63rt8nGBNuyg50",
        "$argon2d$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$M6BjLbGmUI138JK0b51FwNbVv66RpVfXs712tLJ7H5Q",
        "$argon2id$v=19$m=64,t=2,p=2$MDEyMzQ1Njc4OWFiY2RlZg$Mr07dgDLIZqHkhp46PHIYLtx+CVPUXm3Nq7Fl2lq9BQ",
        // Salt and hash of 64 bytes, as Mosquitto 2.1 makes them.
        "$argon2id$v=19$m=128,t=1,p=1$eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eA$w5loLz45CCkdjN3pHQbODc5YD6nPi114IcToGs1ywXuClTyvrSZ4+J989Qz3XiwY/sQsuEeKKFJgG+N/0u/aqg",
        "$scrypt$ln=8,r=8,p=1$LEUoRWgNAUAoJYQwphRirA$fK1Aii/K1OAIHvma9iTQSgMji3KPTtbOdfbQOjA2rrs",
        "$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$DE4hRjVh9JjigIdWck/UQXYu/mdE1ABzWobeoYmpdhY",
        "$pbkdf2-sha256$1000$ndM6pxSC8L7X.j8HwNhbyw$G4nEksSCE6.Hw1XO0ESKSSNwj8.kATqMmWofx6MTxno",
        "$pbkdf2-sha512$1000$nDNmLIWQ0tr73xtDSCllLA$S1BoHzh7M2gadcXxECO/SJKhKDEitsgDJvNtONHzSSEr5wXACLXtNQUOgVSTr4qN/BIbtCdlc6qxoagWPomYpA",
        "$pbkdf2$1000$LQXAmDNmTEkppZRSqjVmzA$mMsBrLlFo.e6uibAD36MH8Uo4GY",
        "pbkdf2_sha256$1000$DMGzQY0ueegJ$YztTMKT3lqv4bXYwUzx9hx2dliFLYIzyhZYZRyE3D8M=",
        "pbkdf2_sha1$1000$IhCxUaNYPkgj$He3BWGwJ5WRvtQS7EP25EF6XNuw=",
        "$7$101$GYCxSph6LOCRp3g3$NdYz6ZlwK6An0D5zk5rBJtZglWkTGWG9Agpd+STt6uF0oRt7hguYOHBwyVGBFdNXlkmYCjAXOrNGmmaldKGyww==",
        "$6$OlfHS5rbFwQV4RY3$vRYQWRcoqzT2hxMcbPpvS3Z+OoKqx07tMzKz6MHH6UAbJhe6waeCHvbfK3ywqAMns6RY8vvJrfMyqjwJOobHgw==",
        "{SHA}YcmysX23eieEG77qv/kjRIsPY4g=",
        "{SSHA}agTRv1LT/RKjEx6UjZm+gwyePx6y9r4X",
        "{ssha}JbmzUsk2vsN6lonewuU6e8aUk8ILZNDz",
        "{MD5}TJGE83z/AbzcMtxIbsNpYQ==",
        "{SMD5}7DjLo9Y87cZSDBAKjZ2KinvvfS8=",
        "{SMD5}6J3fcoK1RPdGo0QlluiNK0ziggU=",
        "{SHA256}76HzdddhlPpRo1Vql+ZB5haF+RTURpedpQpVGkMz/9c=",
        "{SSHA256}x+Glf5ndKuzqQiEU1YQsGBsLQiBwxKzu2NxlEsu4I7xFaM15z/mfsw==",
        "{SHA512}0ymX6XR7ZaPs9luCUzpMhDxOFt0wzzcejIGrYKNB3gAFHaQi1B/ynFVpXyM6Hgb6yLea6wpNka5dPRjI4JuMcw==",
        "{SSHA512}CKqOe5oBs8eytEoCr7ceP/kzOfQShnrwf7kZkYVhIbh+J5z5zgu8c/wwlF3SNhsJD5h/aciUc3DchiPMtaX1Xr43JgQgZOyd",
        "{PBKDF2-SHA256}29000$DuGcEyJk7H2vlZKSck4pRQ$C.qXXot7qAeuG6Lrf46yYf8ElfKuTxSJQealpt2J7nM",
        "{CRYPT}$2b$05$UJ6ED7VxsCsZHpTFj/jPgOHDEXXjexDyPuMRig42W2J.4ZhLtC1Eq",
        "{ARGON2}$argon2id$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$X7U4sOVKpm8gqtmNAh7mW26T+KEnI7WWHdy1xloPIOE",
    ];
    for stored in described {
        check("auto", stored, None);
    }
    check("bcrypt", described[0], None);
    check("salt,bcrypt", described[0], Some(b"$2a$05$pqo2gezVt5f2aNljJk4POe"));
    check("argon2", described[3], None);
    check("scrypt", described[8], None);
}

#[test]
fn what_describes_nothing_is_no_password() {
    for stored in [
        "public",
        "",
        "$",
        "{}public",
        "{CLEARTEXT}public",
        "4c9184f37cff01bcdc32dc486ec36961",
        "$5$x$y",
        "$apr1$WJKcYb/4$K2t0K4xrKI4IZJyhCnn6//",
    ] {
        PasswordHash::Auto.verify(stored.as_bytes(), stored.as_bytes(), None).unwrap_err();
        PasswordHash::Auto.check(stored.as_bytes()).unwrap_err();
    }
    let crypt = "$6$rounds=1000$LsGIr2BGntXmtVoE$bYPwoE3kP02WlrChsJfrco2OGcAjYjuhyBWT.H0XZCjlRK.vICOtCrsrTkAB66w9bAR6ZSlJ/ImR65wX8Zuws0";
    let error = PasswordHash::Auto.check(crypt.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("crypt(3)"), "{error}");
}

#[test]
fn damaged_hashes_are_errors_and_never_match() {
    for stored in [
        "$2b$05$UJ6ED7VxsCsZHpTFj/jPgOHDEXXjexDyPuMRig42W2J.4ZhLtC1E",
        "$2b$5$UJ6ED7VxsCsZHpTFj/jPgOHDEXXjexDyPuMRig42W2J.4ZhLtC1Eq",
        "$2x$05$UJ6ED7VxsCsZHpTFj/jPgOHDEXXjexDyPuMRig42W2J.4ZhLtC1Eq",
        "$argon2id$v=19$m=64,t=2$MDEyMzQ1Njc4OWFiY2RlZg$X7U4sOVKpm8gqtmNAh7mW26T+KEnI7WWHdy1xloPIOE",
        "$argon2id$v=20$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$X7U4sOVKpm8gqtmNAh7mW26T+KEnI7WWHdy1xloPIOE",
        // Nothing to compare with: every password would fit.
        "$argon2id$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$",
        "$scrypt$ln=8,r=8,p=1$LEUoRWgNAUAoJYQwphRirA$",
        "$pbkdf2-sha256$1000$ndM6pxSC8L7X.j8HwNhbyw$",
        "$pbkdf2-sha3$1000$ndM6pxSC8L7X.j8HwNhbyw$G4nEksSCE6.Hw1XO0ESKSSNwj8.kATqMmWofx6MTxno",
        "$7$101$GYCxSph6LOCRp3g3$",
        "$6$OlfHS5rbFwQV4RY3$",
        "{SSHA}",
        "{SHA}YcmysX23eieEG77qv/kjRIsP",
        "{SSHA}agTR*1LT/RKjEx6UjZm+gwyePx6y9r4X",
    ] {
        PasswordHash::Auto.check(stored.as_bytes()).expect_err(stored);
        PasswordHash::Auto.verify(b"", stored.as_bytes(), None).expect_err(stored);
    }
    for name in ["md5", "sha1", "sha256", "sha512", "pbkdf2,sha256,1000,20"] {
        for stored in ["", "00", "zz91f", "public"] {
            let hash: PasswordHash = name.parse().unwrap();
            hash.check(stored.as_bytes()).expect_err(name);
            hash.verify(b"", stored.as_bytes(), None).expect_err(name);
        }
    }
}

#[test]
fn one_log_in_does_not_cost_what_the_stored_hash_likes() {
    for (stored, says) in [
        ("$2b$31$UJ6ED7VxsCsZHpTFj/jPgOHDEXXjexDyPuMRig42W2J.4ZhLtC1Eq", "cost 31"),
        ("$argon2id$v=19$m=4194304,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$X7U4sOVKpm8gqtmNAh7mW26T+KEnI7WWHdy1xloPIOE", "4194304 KiB"),
        ("$argon2id$v=19$m=65536,t=4000,p=1$MDEyMzQ1Njc4OWFiY2RlZg$X7U4sOVKpm8gqtmNAh7mW26T+KEnI7WWHdy1xloPIOE", "4000 times"),
        ("$argon2id$v=19$m=8192,t=1,p=1000$MDEyMzQ1Njc4OWFiY2RlZg$X7U4sOVKpm8gqtmNAh7mW26T+KEnI7WWHdy1xloPIOE", "1000 lanes"),
        ("$scrypt$ln=25,r=8,p=1$LEUoRWgNAUAoJYQwphRirA$fK1Aii/K1OAIHvma9iTQSgMji3KPTtbOdfbQOjA2rrs", "KiB"),
        ("$scrypt$ln=64,r=8,p=1$LEUoRWgNAUAoJYQwphRirA$fK1Aii/K1OAIHvma9iTQSgMji3KPTtbOdfbQOjA2rrs", "KiB"),
        (
            "$7$4000000000$GYCxSph6LOCRp3g3$NdYz6ZlwK6An0D5zk5rBJtZglWkTGWG9Agpd+STt6uF0oRt7hguYOHBwyVGBFdNXlkmYCjAXOrNGmmaldKGyww==",
            "4000000000",
        ),
        ("$7$0$GYCxSph6LOCRp3g3$NdYz6ZlwK6An0D5zk5rBJtZglWkTGWG9Agpd+STt6uF0oRt7hguYOHBwyVGBFdNXlkmYCjAXOrNGmmaldKGyww==", "0 iterations"),
    ] {
        let error = PasswordHash::Auto.verify(b"public", stored.as_bytes(), None).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        PasswordHash::Auto.check(stored.as_bytes()).unwrap_err();
    }
    PasswordHash::Auto.verify(b"", &vec![b'$'; 100_000], None).unwrap_err();
    for name in ["pbkdf2,sha256,0,20", "pbkdf2,sha256,20000000,20", "pbkdf2,sha256,1000,0", "pbkdf2,sha256,1000,100000"] {
        name.parse::<PasswordHash>().expect_err(name);
    }
}

#[test]
fn names_that_nothing_has_are_errors() {
    for name in ["", "sha3", "Plain", "salt,plain", "salt", "pbkdf2", "pbkdf2,md4,1000,20", "pbkdf2,sha256,x,20", "salt,sha256,salt"] {
        name.parse::<PasswordHash>().expect_err(name);
    }
    let beside = HashOptions { salt_position: Some("prefix"), ..HashOptions::default() };
    PasswordHash::configured("salt,sha256", beside).unwrap_err();
    PasswordHash::configured("bcrypt", beside).unwrap_err();
    PasswordHash::configured("plain", HashOptions { salt_position: Some("disable"), ..HashOptions::default() }).unwrap();
    PasswordHash::configured("sha256", HashOptions { iterations: Some(5), ..HashOptions::default() }).unwrap_err();
    PasswordHash::configured("sha256", HashOptions { salt_position: Some("middle"), ..HashOptions::default() }).unwrap_err();
}

#[test]
fn new_hashes_fit_their_password_only_and_differ() {
    for kind in [NewHash::Argon2id, NewHash::MosquittoSha512, NewHash::MosquittoPbkdf2 { iterations: 101 }] {
        let (one, other) = (kind.make(b"public").unwrap(), kind.make(b"public").unwrap());
        assert_ne!(one, other);
        check("auto", &one, None);
    }
    assert!(NewHash::Argon2id.make(b"x").unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    NewHash::MosquittoPbkdf2 { iterations: 0 }.make(b"x").unwrap_err();
}

#[test]
fn decoys_can_be_verified_and_fit_nothing() {
    for name in ["auto", "plain", "md5", "salt,sha1", "sha256,salt", "sha512", "bcrypt", "scrypt", "argon2", "pbkdf2,sha512,1000,20"] {
        let hash: PasswordHash = name.parse().unwrap();
        let (stored, salt) = hash.decoy();
        assert_eq!(hash.verify(b"public", &stored, salt.as_deref()), Ok(false), "{name}");
    }
}
