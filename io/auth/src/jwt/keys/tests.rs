//! Keys as openssl writes them, and those that are none.

use std::process::Command;

use super::*;

fn openssl(words: &[&str], input: Option<&[u8]>) -> Vec<u8> {
    use std::io::Write as _;
    use std::process::Stdio;
    let mut child =
        Command::new("openssl").args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.unwrap_or_default()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn private(kind: &[&str]) -> Vec<u8> {
    openssl(&[&["genpkey", "-algorithm"], kind].concat(), None)
}

fn public(private: &[u8]) -> Vec<u8> {
    openssl(&["pkey", "-pubout"], Some(private))
}

const ALL: [Algorithm; 6] = [Algorithm::HS256, Algorithm::RS256, Algorithm::PS384, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA];

#[test]
fn a_key_is_for_the_algorithms_of_its_kind_and_curve() {
    let ec = |curve: &str| private(&["EC", "-pkeyopt", &format!("ec_paramgen_curve:{curve}")]);
    let rsa = |bits: &str| private(&["RSA", "-pkeyopt", &format!("rsa_keygen_bits:{bits}")]);
    let read = |pem: &[u8]| Key::from_pem(pem, &ALL).map(|key| key.algorithms);
    assert_eq!(read(&public(&rsa("2048"))), Ok(vec![Algorithm::RS256, Algorithm::PS384]));
    let old = openssl(&["rsa", "-RSAPublicKey_out"], Some(&rsa("2048")));
    assert!(old.starts_with(b"-----BEGIN RSA PUBLIC KEY-----"));
    assert_eq!(read(&old), Ok(vec![Algorithm::RS256, Algorithm::PS384]));
    assert_eq!(read(&public(&ec("P-256"))), Ok(vec![Algorithm::ES256]));
    assert_eq!(read(&public(&ec("P-384"))), Ok(vec![Algorithm::ES384]));
    assert_eq!(read(&public(&private(&["ED25519"]))), Ok(vec![Algorithm::EdDSA]));
    for (pem, expected) in [
        (public(&rsa("1024")), "2048 to 8192 bits"),
        (public(&ec("P-521")), "P-256 or P-384"),
        (public(&ec("secp256k1")), "P-256 or P-384"),
        (public(&private(&["ED448"])), "no public key"),
        (public(&private(&["X25519"])), "no public key"),
        (rsa("2048"), "expected one public key"),
        (ec("P-256"), "expected one public key"),
        ([public(&ec("P-256")), public(&ec("P-256"))].concat(), "expected one public key"),
        (b"secret".to_vec(), "expected one public key"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_vec(), "no public key"),
    ] {
        let error = read(&pem).unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let error = Key::from_pem(&public(&ec("P-256")), &[Algorithm::RS256, Algorithm::ES384]).unwrap_err();
    assert_eq!(error, "it is for [ES256], and `algorithms` names none of them");
    assert!(Key::secret(b"", &ALL).is_err());
}

#[test]
fn of_a_set_counts_what_can_be_used_and_nothing_else() {
    let key = |text: &str| format!(r#"{{"keys": [{text}]}}"#);
    // The key of RFC 7515 §A.3, and the one of RFC 8037 §A.2.
    let ec = r#""kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;
    let ed = r#""kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;
    let read = |text: &str| {
        KeySet::from_jwks(text.as_bytes(), &ALL).map(|set| set.keys.iter().map(|key| key.algorithms.clone()).collect::<Vec<_>>())
    };
    assert_eq!(read(&key(&format!("{{{ec}}}, {{{ed}}}"))), Ok(vec![vec![Algorithm::ES256], vec![Algorithm::EdDSA]]));
    assert_eq!(read(&key(&format!(r#"{{{ec}, "use": "sig", "alg": "ES256", "key_ops": ["verify"]}}"#))), Ok(vec![vec![Algorithm::ES256]]));
    let none = "for one of the algorithms";
    for (text, expected) in [
        (key(&format!(r#"{{{ec}, "use": "enc"}}"#)), none),
        (key(&format!(r#"{{{ec}, "key_ops": ["sign"]}}"#)), none),
        (key(&format!(r#"{{{ec}, "alg": "ES384"}}"#)), none),
        (key(&format!(r#"{{{ec}, "alg": "ECDH-ES"}}"#)), none),
        // The point of another curve.
        (key(&ec.replace("P-256", "P-384").replace("\"kty\"", "{\"kty\"").replace("5a0\"", "5a0\"}")), none),
        (key(&format!("{{{}}}", ec.replace("x_FE", "x_FF"))), none),
        (key(r#"{"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}"#), none),
        (key(r#"{"kty": "RSA", "n": "AQAB", "e": "AQAB"}"#), none),
        (key(r#"{"kty": "new"}, 7, null, "x""#), none),
        (key(""), none),
        ("[]".to_owned(), "has no list `keys`"),
        (r#"{"keys": {}}"#.to_owned(), "has no list `keys`"),
        ("<html>".to_owned(), "is no JSON"),
        (key(&vec![format!("{{{ec}}}"); 65].join(",")), "has 65 keys"),
    ] {
        let found = read(&text);
        assert!(found.as_ref().is_err_and(|error| error.contains(expected)), "{text}: {found:?}");
    }
    let only = KeySet::from_jwks(key(&format!("{{{ec}}}, {{{ed}}}")).as_bytes(), &[Algorithm::EdDSA]).unwrap();
    assert_eq!(only.keys.len(), 1);
}

#[test]
fn a_secret_is_read_in_any_base64() {
    for text in ["+/8=", "-_8=", "-_8", "+/8\n"] {
        assert_eq!(decode_secret(text), Ok(vec![0xfb, 0xff]), "{text}");
    }
    assert!(decode_secret("not base64!").is_err());
}
