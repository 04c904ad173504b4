//! The keys of tokens as they are written.

use super::super::testing;
use super::*;
use crate::config::Config;

fn read(keys: &str) -> (Config, Vec<String>) {
    testing::read(&format!("[[authenticator]]\ntype = \"jwt\"\n{keys}"))
}

fn token(text: &str) -> Token {
    let problems = Problems::new(Path::new("/etc/signet/signet.toml"), text);
    let file = toml::de::DeTable::parse(text).unwrap();
    let section = Section::new("[[authenticator]]", file.get_ref(), 0..0, &problems);
    let keys = keys(&section, Path::new("/etc/signet"), &problems).unwrap();
    let claims = claims(&section, &problems).unwrap();
    Token { from: TokenPlace::Password, algorithms: Vec::new(), keys, token_maximum: 0, claims }
}

#[test]
fn keys_come_from_one_of_four_places() {
    for (text, files) in [
        ("secret_file = \"s\"\nsecret_encoding = \"base64\"", vec!["/etc/signet/s"]),
        ("public_keys = [\"a.pem\", \"/b.pem\"]", vec!["/etc/signet/a.pem", "/b.pem"]),
        ("jwks_file = \"keys.json\"", vec![]),
        ("jwks_url = \"https://h/keys\"\ntrust = \"ca.pem\"\nheader_files = { A = \"a\" }", vec!["/etc/signet/ca.pem", "/etc/signet/a"]),
    ] {
        let found: Vec<String> = token(text).files().iter().map(|file| file.display().to_string()).collect();
        assert_eq!(found, files, "{text}");
    }
    let set = token("jwks_url = \"https://h/keys\"\njwks_refresh = \"1m\"\njwks_refresh_minimum = \"1s\"\njwks_keep = \"2h\"");
    let Keys::Set(set) = set.keys else { panic!("no set") };
    assert_eq!((set.refresh_interval.as_secs(), set.refresh_minimum.as_secs(), set.keep.as_secs()), (60, 1, 7200));
}

#[test]
fn claims_become_what_they_say() {
    let plain = token("jwks_file = \"k\"").claims;
    assert_eq!(plain, ClaimRules::default());
    let text = "jwks_file = \"k\"\nexpiry_required = false\nleeway = \"0s\"\nissuers = \"i\"\naudience = [\"a\", \"b\"]\n\
                verify_claims = { sub = \"${cert.cn}\", azp = \"${clientid}\" }\nsuperuser_claim = \"s\"\nattributes_claim = \"t\"\n\
                groups_claim = \"/g/h\"\nacl_claim = \"r\"";
    let claims = token(text).claims;
    assert!(!claims.expiry_required && claims.leeway.is_zero());
    assert_eq!((claims.issuers, claims.audience), (vec!["i".to_owned()], Audience::OneOf(vec!["a".to_owned(), "b".to_owned()])));
    let verified: Vec<(&str, &str)> = claims.verify.iter().map(|(claim, template)| (&**claim, template.as_str())).collect();
    assert_eq!(verified, [("azp", "${client_identifier}"), ("sub", "${cert.cn}")]);
    assert_eq!([claims.superuser, claims.attributes, claims.groups, claims.rules], ["s", "t", "/g/h", "r"]);
    assert_eq!(token("jwks_file = \"k\"\nany_audience = true").claims.audience, Audience::Any);
    let old = token("jwks_file = \"k\"\nplaceholders = \"emqx4\"\nverify_claims = { sub = \"%C\" }").claims;
    assert_eq!(old.verify[0].1.as_str(), "${cert.cn}");
}

#[test]
fn what_makes_no_sense_is_said_where_it_stands() {
    for (keys, expected) in [
        ("jwks_file = \"k\"", "names no `algorithms`"),
        ("algorithms = []\njwks_file = \"k\"", "names no `algorithms`"),
        ("algorithms = [\"none\"]\njwks_file = \"k\"", "`none` is no algorithm here"),
        ("algorithms = \"ES256\"", "has no keys"),
        ("algorithms = \"ES256\"\njwks_file = \"k\"\npublic_keys = \"p\"", "has its keys from one place"),
        ("algorithms = \"ES256\"\njwks_url = \"ldap://h\"", "scheme `ldap`"),
        ("algorithms = \"ES256\"\npublic_keys = \"p\"\nsecret_encoding = \"base64\"", "`secret_encoding` has no meaning"),
        ("algorithms = \"ES256\"\njwks_file = \"k\"\nverify_claims = { sub = \"${cert.xy}\" }", "cert.xy"),
        ("algorithms = \"ES256\"\njwks_file = \"k\"\naudience = \"a\"\nany_audience = true", "`any_audience` has no meaning"),
        ("algorithms = \"ES256\"\njwks_file = \"k\"\nfrom = \"token\"", "`token` is not a value of `from`"),
        ("algorithms = \"ES256\"\njwks_file = \"k\"\nurl = \"x\"", "unknown key `url`"),
    ] {
        let (_, problems) = read(keys);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{keys}: {problems:?}");
    }
    let (config, problems) = read("algorithms = \"HS256\"\nsecret_file = \"/nowhere/secret\"");
    assert_eq!(problems, Vec::<String>::new());
    let error = config.authentication.authenticators[0].kind.check().unwrap_err();
    assert!(error.contains("cannot read `/nowhere/secret`"), "{error}");
}
