//! Tokens that others have signed: Python's hmac, and openssl. Sets of keys come from a real service in a process of its own.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test reports by panicking")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use serde_json::{Value, json};
use signet_auth::{
    Audience, Authenticator, Backend, BackendConfig, ClaimRules, EndpointConfig, EndpointTls, JwksAddress, JwksConfig, JwksPlace,
    JwtAlgorithm, JwtAuthenticator, JwtConfig, JwtKeys, TokenPlace,
};
use signet_identity::{DeviceIdentity, DeviceName, KeyDigest, Leaf, PlaceholderStyle, Template};
use signet_mqtt::{ClientIdentifier, Password};
use signet_policy::{Applicant, Client, Grant, Outcome, Principal, ProvenNames};
use signet_testkit::{HttpService, Pki, ServiceTls};

/// A Monday in 2026.
const NOW: i64 = 1_780_000_000;
const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

fn output(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", BASE64URL.encode(header.to_string()), BASE64URL.encode(claims.to_string()))
}

/// A token by Python: HMAC over the message with the hash function of the algorithm.
fn hmac(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let message = message(header, claims);
    let bits = header["alg"].as_str().unwrap().trim_start_matches("HS");
    let program = "import sys, hmac\nkey = bytes.fromhex(sys.argv[1])\nsys.stdout.buffer.write(hmac.new(key, sys.stdin.buffer.read(), 'sha' + sys.argv[2]).digest())";
    let key: String = secret.iter().map(|octet| format!("{octet:02x}")).collect();
    let signature = output(Command::new("python3").args(["-c", program, &key, bits]), message.as_bytes());
    format!("{message}.{}", BASE64URL.encode(signature))
}

fn hs256(claims: Value) -> String {
    hmac(&json!({"alg": "HS256", "typ": "JWT"}), &claims, SECRET.as_bytes())
}

/// A key of openssl, in a directory.
struct Signer {
    private: PathBuf,
    public: Vec<u8>,
    algorithm: &'static str,
    _directory: tempfile::TempDir,
}

impl Signer {
    fn new(algorithm: &'static str) -> Self {
        let kind: &[&str] = match algorithm {
            "ES256" => &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            "ES384" => &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
            "EdDSA" => &["ED25519"],
            _ => &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        };
        let directory = tempfile::tempdir().unwrap();
        let private = directory.path().join("key.pem");
        output(Command::new("openssl").args(["genpkey", "-algorithm"]).args(kind).arg("-out").arg(&private), b"");
        let public = output(Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&private), b"");
        Self { private, public, algorithm, _directory: directory }
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let file = self.private.with_extension("message");
        fs::write(&file, &message).unwrap();
        let mut command = Command::new("openssl");
        let hash = format!("-sha{}", self.algorithm.trim_start_matches(|letter: char| letter.is_ascii_alphabetic()));
        match self.algorithm {
            "EdDSA" => command.args(["pkeyutl", "-sign", "-rawin", "-inkey"]).arg(&self.private).arg("-in").arg(&file),
            algorithm => {
                command.args(["dgst", &hash]);
                if algorithm.starts_with("PS") {
                    command.args(["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]);
                }
                command.arg("-sign").arg(&self.private).arg(&file)
            }
        };
        let signature = output(&mut command, b"");
        let signature = match self.algorithm {
            "ES256" => fixed(&signature, 32),
            "ES384" => fixed(&signature, 48),
            _ => signature,
        };
        format!("{message}.{}", BASE64URL.encode(signature))
    }

    fn simple(&self, key_id: Option<&str>, claims: &Value) -> String {
        let mut header = json!({"alg": self.algorithm, "typ": "JWT"});
        if let Some(key_id) = key_id {
            header["kid"] = key_id.into();
        }
        self.token(&header, claims)
    }

    fn keys(&self) -> JwtKeys {
        JwtKeys::PublicKeys(vec![("key.pem".to_owned(), self.public.clone())])
    }

    fn jwk(&self, key_id: Option<&str>) -> Value {
        let der = output(Command::new("openssl").args(["pkey", "-pubout", "-outform", "DER", "-in"]).arg(&self.private), b"");
        let part = |from_end: usize, size: usize| BASE64URL.encode(&der[der.len() - from_end..der.len() - from_end + size]);
        let mut key = match self.algorithm {
            "ES256" => json!({"kty": "EC", "crv": "P-256", "x": part(64, 32), "y": part(32, 32)}),
            "ES384" => json!({"kty": "EC", "crv": "P-384", "x": part(96, 48), "y": part(48, 48)}),
            "EdDSA" => json!({"kty": "OKP", "crv": "Ed25519", "x": part(32, 32)}),
            _ => {
                let said = output(Command::new("openssl").args(["rsa", "-noout", "-modulus", "-in"]).arg(&self.private), b"");
                let text = String::from_utf8(said).unwrap().trim().trim_start_matches("Modulus=").to_owned();
                let modulus: Vec<u8> = (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect();
                json!({"kty": "RSA", "n": BASE64URL.encode(modulus), "e": "AQAB"})
            }
        };
        if let Some(key_id) = key_id {
            key["kid"] = key_id.into();
        }
        key
    }
}

/// Two INTEGERs of DER as two numbers of a fixed size (RFC 7518 §3.4).
fn fixed(der: &[u8], size: usize) -> Vec<u8> {
    let mut at = if der[1] & 0x80 == 0 { 2 } else { 3 };
    let mut whole = Vec::new();
    for _ in 0..2 {
        assert_eq!(der[at], 2);
        let length = usize::from(der[at + 1]);
        let number = &der[at + 2..at + 2 + length];
        let number = &number[number.len().saturating_sub(size)..];
        whole.extend(std::iter::repeat_n(0, size - number.len()));
        whole.extend_from_slice(number);
        at += 2 + length;
    }
    whole
}

fn applicant(token: &str) -> Applicant {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "pump-7");
    let leaf = Leaf::parse(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der()).unwrap();
    let identity = Arc::new(DeviceIdentity::new(DeviceName::new("pump-7").unwrap(), leaf, KeyDigest::of(b"key"), []));
    let principal = Principal::Device(identity.name().clone().into());
    Applicant {
        client: Client::restored(principal, Some("ann".into()), ClientIdentifier::new("c1"), Some(identity)),
        is_assigned: false,
        names: signet_policy::NameOrigins::default(),
        claimed_username: Some("ann".into()),
        password: Some(Password::new(token.as_bytes().to_vec())),
        method: None,
        method_data: None,
        without_identity: None,
        now: NOW,
    }
}

fn config(algorithms: &[&str], keys: JwtKeys) -> JwtConfig {
    JwtConfig {
        name: "token".into(),
        from: TokenPlace::Password,
        algorithms: algorithms.iter().map(|name| name.parse::<JwtAlgorithm>().unwrap()).collect(),
        keys,
        token_maximum: 16 * 1024,
        claims: ClaimRules { leeway: Duration::ZERO, ..ClaimRules::default() },
    }
}

fn with_secret() -> JwtConfig {
    config(&["HS256"], JwtKeys::Secret(SECRET.as_bytes().to_vec().into()))
}

fn backend() -> Arc<Backend> {
    Backend::new(BackendConfig { timeout: Duration::from_secs(20), breaker_failures: 0, ..BackendConfig::new("token", "jwt") })
}

fn authenticator(config: &JwtConfig) -> JwtAuthenticator {
    JwtAuthenticator::new(config, backend()).unwrap()
}

/// `allow`, `deny: why`, `unknown: why` or `failed: why`.
async fn verdict(authenticator: &JwtAuthenticator, applicant: &Applicant) -> String {
    match authenticator.authenticate(applicant).await {
        Ok(Outcome::Allow(_)) => "allow".to_owned(),
        Ok(Outcome::Deny(why)) => format!("deny: {why}"),
        Ok(Outcome::Unknown(why)) => format!("unknown: {why}"),
        Ok(Outcome::Failed(why)) => format!("failed: {why}"),
        Err(failure) => format!("failed: {failure}"),
    }
}

fn says(config: &JwtConfig, token: &str) -> String {
    run(verdict(&authenticator(config), &applicant(token)))
}

fn grant(config: &JwtConfig, token: &str) -> Grant {
    match run(authenticator(config).authenticate(&applicant(token))).unwrap() {
        Outcome::Allow(grant) => *grant,
        other => panic!("{other:?}"),
    }
}

/// A name is the client's if the token has to hold it.
#[test]
fn a_token_proves_the_names_that_its_claims_have_to_be_equal_to() {
    let token = hs256(json!({"exp": NOW + 60, "sub": "ann", "azp": "c1", "device": "pump-7"}));
    let nothing = ProvenNames::default();
    assert_eq!(grant(&with_secret(), &token).proven, nothing);
    for (claim, template, expected) in [
        ("sub", "${username}", ProvenNames::USERNAME),
        ("azp", "${client_identifier}", ProvenNames::CLIENT_IDENTIFIER),
        ("device", "${cert.cn}", nothing),
        ("device", "${cert.cn | username}", nothing),
    ] {
        let mut config = with_secret();
        config.claims.verify = vec![(claim.to_owned(), Template::parse(template).unwrap())];
        assert_eq!(grant(&config, &token).proven, expected, "{claim} {template}");
    }
}

fn good() -> Value {
    json!({"exp": NOW + 60})
}

#[test]
fn every_algorithm_is_verified_as_others_sign() {
    for bits in ["256", "384", "512"] {
        let name = format!("HS{bits}");
        let config = config(&[&name], JwtKeys::Secret(SECRET.as_bytes().to_vec().into()));
        let token = hmac(&json!({"alg": name}), &good(), SECRET.as_bytes());
        assert_eq!(says(&config, &token), "allow", "{name}");
        let other = hmac(&json!({"alg": name}), &good(), b"another secret");
        assert_eq!(says(&config, &other), "deny: its token's signature is wrong", "{name}");
    }
    for algorithm in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"] {
        let (signer, other) = (Signer::new(algorithm), Signer::new(algorithm));
        let config = config(&[algorithm], signer.keys());
        assert_eq!(says(&config, &signer.simple(None, &good())), "allow", "{algorithm}");
        assert_eq!(says(&config, &signer.simple(Some("any"), &good())), "allow", "{algorithm}");
        assert_eq!(says(&config, &other.simple(None, &good())), "deny: its token's signature is wrong", "{algorithm}");
        let token = signer.simple(None, &good());
        let changed = token.replace(&BASE64URL.encode(good().to_string()), &BASE64URL.encode(json!({"exp": NOW + 61}).to_string()));
        assert_ne!(changed, token);
        assert_eq!(says(&config, &changed), "deny: its token's signature is wrong", "{algorithm}");
    }
}

#[test]
fn a_secret_in_base64_and_a_short_one_are_secrets_too() {
    let short = config(&["HS256"], JwtKeys::Secret(b"emqxsecret".to_vec().into()));
    assert_eq!(says(&short, &hmac(&json!({"alg": "HS256"}), &good(), b"emqxsecret")), "allow");
    let coded = config(&["HS256"], JwtKeys::base64_secret("ZW1xeHNlY3JldA==\n").unwrap());
    assert_eq!(says(&coded, &hmac(&json!({"alg": "HS256"}), &good(), b"emqxsecret")), "allow");
}

#[test]
fn a_token_does_not_choose_how_it_is_verified() {
    let rsa = Signer::new("RS256");
    let ec = Signer::new("ES256");
    let wrong_curve = Signer::new("ES384");
    let rs = config(&["RS256"], rsa.keys());
    let both =
        config(&["RS256", "ES256"], JwtKeys::PublicKeys(vec![("r".to_owned(), rsa.public.clone()), ("e".to_owned(), ec.public.clone())]));
    let unsigned = |header: Value| format!("{}.", message(&header, &good()));
    for (config, token, expected) in [
        (&rs, unsigned(json!({"alg": "none"})), "deny: its token is signed by `none`, which is no algorithm here"),
        (&rs, unsigned(json!({"alg": "NONE"})), "deny: its token is signed by `NONE`, which is no algorithm here"),
        (&rs, unsigned(json!({"alg": "RS256"})), "deny: its token's signature is wrong"),
        // The public key, which everybody may have, as the secret of an HMAC.
        (&rs, hmac(&json!({"alg": "HS256"}), &good(), &rsa.public), "deny: its token is signed by HS256, which `algorithms` does not name"),
        (
            &both,
            hmac(&json!({"alg": "HS256"}), &good(), &rsa.public),
            "deny: its token is signed by HS256, which `algorithms` does not name",
        ),
        (&both, wrong_curve.token(&json!({"alg": "ES256"}), &good()), "deny: its token's signature is wrong"),
        (
            &both,
            wrong_curve.token(&json!({"alg": "ES384"}), &good()),
            "deny: its token is signed by ES384, which `algorithms` does not name",
        ),
        (&both, ec.token(&json!({"alg": "RS256"}), &good()), "deny: its token's signature is wrong"),
        (&both, rsa.token(&json!({"alg": "ES256"}), &good()), "deny: its token's signature is wrong"),
        (&both, rsa.token(&json!({"alg": "PS256"}), &good()), "deny: its token is signed by PS256, which `algorithms` does not name"),
        (&both, ec.token(&json!({"alg": "ES256"}), &good()), "allow"),
        // What stands in the header is nothing to verify with.
        (&both, wrong_curve.token(&json!({"alg": "ES256", "jwk": wrong_curve.jwk(None)}), &good()), "deny: its token's signature is wrong"),
        (&both, ec.token(&json!({"alg": "ES256", "crit": ["exp"]}), &good()), "deny: its token says that something has to be understood"),
    ] {
        let said = says(config, &token);
        assert!(said.starts_with(expected), "{token}: {said}");
    }
    let secret = with_secret();
    let signed = hs256(good());
    let (message, signature) = signed.rsplit_once('.').unwrap();
    let empty = format!("{message}.");
    let padded = format!("{signed}=");
    let longer = format!("{message}.{signature}AAAA");
    assert_eq!(says(&secret, &empty), "deny: its token's signature is wrong");
    assert_eq!(says(&secret, &longer), "deny: its token's signature is wrong");
    assert!(says(&secret, &padded).starts_with("unknown: "));
}

#[test]
fn what_is_no_token_is_unknown_and_what_is_too_large_is_denied() {
    let secret = with_secret();
    for other in ["secret", "a.b.c", "", "1.2.3.4", "x.y.z!"] {
        assert_eq!(says(&secret, other), "unknown: what it sends does not look like a token", "{other}");
    }
    let mut none = applicant("");
    none.password = None;
    assert_eq!(run(verdict(&authenticator(&secret), &none)), "unknown: it sends no password");
    let large = hs256(json!({"exp": NOW + 60, "x": "x".repeat(20_000)}));
    assert!(says(&secret, &large).starts_with("deny: its token has "));
    let roomy = JwtConfig { token_maximum: 64 * 1024, ..with_secret() };
    assert_eq!(says(&roomy, &large), "allow");
}

#[test]
fn a_token_can_be_the_user_name() {
    let config = JwtConfig { from: TokenPlace::Username, ..with_secret() };
    let mut who = applicant("secret");
    who.claimed_username = Some(hs256(good()).into());
    let Ok(Outcome::Allow(grant)) = run(authenticator(&config).authenticate(&who)) else { panic!() };
    assert!(grant.has_secret_username, "it is no name to be logged and shown");
    who.claimed_username = None;
    assert_eq!(run(verdict(&authenticator(&config), &who)), "unknown: it sends no user name");
}

#[test]
fn times_are_kept() {
    let strict = with_secret();
    let mut lenient = with_secret();
    lenient.claims.leeway = Duration::from_secs(30);
    let mut endless = with_secret();
    endless.claims.expiry_required = false;
    for (claims, in_strict, in_lenient, in_endless) in [
        (json!({"exp": NOW + 1}), "allow", "allow", "allow"),
        (json!({"exp": NOW}), "deny: its token is over (`exp`)", "allow", "deny: its token is over (`exp`)"),
        (json!({"exp": NOW - 30}), "deny: its token is over (`exp`)", "deny: its token is over (`exp`)", "deny: its token is over (`exp`)"),
        (json!({}), "deny: its token has no end (`exp`)", "deny: its token has no end (`exp`)", "allow"),
        (json!({"exp": 1_780_000_000.5}), "deny: its token is over (`exp`)", "allow", "deny: its token is over (`exp`)"),
        (json!({"exp": 1_780_000_001.5}), "allow", "allow", "allow"),
        (
            json!({"exp": "1780000060"}),
            "deny: its token's `exp` is no time",
            "deny: its token's `exp` is no time",
            "deny: its token's `exp` is no time",
        ),
        (
            json!({"exp": null}),
            "deny: its token's `exp` is no time",
            "deny: its token's `exp` is no time",
            "deny: its token's `exp` is no time",
        ),
        (
            json!({"exp": 1e300}),
            "deny: its token's `exp` is no time",
            "deny: its token's `exp` is no time",
            "deny: its token's `exp` is no time",
        ),
        (json!({"exp": i64::MAX}), "allow", "allow", "allow"),
        (json!({"exp": NOW + 60, "nbf": NOW}), "allow", "allow", "allow"),
        (
            json!({"exp": NOW + 60, "nbf": NOW + 30}),
            "deny: its token does not count yet (`nbf`)",
            "allow",
            "deny: its token does not count yet (`nbf`)",
        ),
        (
            json!({"exp": NOW + 60, "iat": NOW + 30}),
            "deny: its token was made in the future (`iat`)",
            "allow",
            "deny: its token was made in the future (`iat`)",
        ),
        (
            json!({"exp": NOW + 60, "iat": true}),
            "deny: its token's `iat` is no time",
            "deny: its token's `iat` is no time",
            "deny: its token's `iat` is no time",
        ),
    ] {
        let token = hs256(claims.clone());
        for (config, expected) in [(&strict, in_strict), (&lenient, in_lenient), (&endless, in_endless)] {
            assert_eq!(says(config, &token), expected, "{claims} with {:?}", config.claims.leeway);
        }
    }
    assert_eq!(grant(&strict, &hs256(json!({"exp": NOW + 60}))).expires_at, Some(NOW + 60));
    assert_eq!(grant(&lenient, &hs256(json!({"exp": NOW + 60}))).expires_at, Some(NOW + 90));
    assert_eq!(grant(&endless, &hs256(json!({}))).expires_at, None);
}

#[test]
fn a_token_is_by_whom_and_for_whom_it_has_to_be() {
    let mut rules = with_secret();
    rules.claims.issuers = vec!["https://a.example.com".to_owned(), "b".to_owned()];
    rules.claims.audience = Audience::OneOf(vec!["broker".to_owned(), "mqtt".to_owned()]);
    let mut any = with_secret();
    any.claims.audience = Audience::Any;
    let nobody = with_secret();
    for (claims, in_rules, in_any, in_nobody) in [
        (json!({"iss": "b", "aud": "mqtt"}), true, true, false),
        (json!({"iss": "https://a.example.com", "aud": ["x", "broker"]}), true, true, false),
        (json!({"iss": "c", "aud": "mqtt"}), false, true, false),
        (json!({"iss": ["b"], "aud": "mqtt"}), false, true, false),
        (json!({"aud": "mqtt"}), false, true, false),
        (json!({"iss": "b", "aud": "other"}), false, true, false),
        (json!({"iss": "b", "aud": []}), false, true, true),
        (json!({"iss": "b"}), false, true, true),
        (json!({"iss": "b", "aud": {"a": 1}}), false, false, false),
    ] {
        let mut whole = claims.clone();
        whole["exp"] = json!(NOW + 60);
        let token = hs256(whole);
        for (config, expected) in [(&rules, in_rules), (&any, in_any), (&nobody, in_nobody)] {
            let said = says(config, &token);
            assert_eq!(said == "allow", expected, "{claims}: {said}");
            assert!(expected || said.starts_with("deny: "), "{said}");
        }
    }
}

#[test]
fn claims_are_held_against_the_certificate_and_the_connection() {
    let mut bound = with_secret();
    bound.claims.verify = [("sub", "${cert.cn}"), ("azp", "${client_identifier}"), ("/in/user", "u-${username}")]
        .map(|(claim, template)| (claim.to_owned(), Template::parse(template).unwrap()))
        .to_vec();
    let right = json!({"sub": "pump-7", "azp": "c1", "in": {"user": "u-ann"}});
    let changed = |claim: &str, value: Value| {
        let mut claims = right.clone();
        claims[claim] = value;
        claims
    };
    for (claims, expected) in [
        (right.clone(), "allow"),
        (changed("sub", json!(["pump-8", "pump-7"])), "allow"),
        (changed("sub", json!("pump-8")), "deny: its token's `sub` is not `pump-7`"),
        (changed("sub", json!("PUMP-7")), "deny: its token's `sub` is not `pump-7`"),
        (changed("sub", json!("pump-7 ")), "deny: its token's `sub` is not `pump-7`"),
        (changed("sub", json!(null)), "deny: its token's `sub` is not `pump-7`"),
        (changed("sub", json!("${cert.cn}")), "deny: its token's `sub` is not `pump-7`"),
        (changed("sub", json!({"a": "pump-7"})), "deny: its token's `sub` is nothing that can be compared"),
        (changed("azp", json!("c2")), "deny: its token's `azp` is not `c1`"),
        (changed("in", json!({})), "deny: its token's `/in/user` is not `u-ann`"),
        (changed("in", json!("u-ann")), "deny: its token's `/in/user` is not `u-ann`"),
    ] {
        let mut whole = claims.clone();
        whole["exp"] = json!(NOW + 60);
        assert_eq!(says(&bound, &hs256(whole)), expected, "{claims}");
    }
    // Without a certificate nothing is equal to what it says, not even nothing.
    let mut claims = right;
    claims["exp"] = json!(NOW + 60);
    let mut who = applicant(&hs256(claims));
    who.client = Client::restored(Principal::Anonymous, Some("ann".into()), ClientIdentifier::new("c1"), None);
    let said = run(verdict(&authenticator(&bound), &who));
    assert!(said.starts_with("deny: its token's `sub` cannot be checked: `${cert.cn}` has no value"), "{said}");
    who = applicant(&hs256(json!({"exp": NOW + 60, "sub": ""})));
    who.client = Client::restored(Principal::Anonymous, Some("ann".into()), ClientIdentifier::new("c1"), None);
    assert!(run(verdict(&authenticator(&bound), &who)).starts_with("deny: "));
    let mut emqx = with_secret();
    emqx.claims.verify =
        vec![("sub".to_owned(), Template::parse_with_placeholders(PlaceholderStyle::Emqx5, "${cert_common_name}").unwrap())];
    assert_eq!(says(&emqx, &hs256(json!({"exp": NOW + 60, "sub": "pump-7"}))), "allow");
}

#[test]
fn a_token_gives_what_its_claims_say_or_nothing() {
    let mut config = with_secret();
    config.claims.groups = "/realm/roles".to_owned();
    config.claims.superuser = "admin".to_owned();
    let claims = json!({
        "exp": NOW + 60, "admin": "true", "client_attrs": {"hall": "3"}, "realm": {"roles": ["b", "a"]},
        "acl": [{"permission": "allow", "action": "publish", "topic": "a/#"}, {"permission": "deny", "action": "all", "topic": "#"}],
    });
    let given = grant(&config, &hs256(claims));
    assert!(given.superuser);
    assert_eq!(given.groups.iter().map(|name| &**name).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(given.attributes.get("hall").map(|value| &**value), Some("3"));
    assert_eq!((&*given.rules[0].source, given.rules[0].rules.len(), given.rules[0].is_complete), ("token", 2, false));
    let plain = grant(&config, &hs256(good()));
    assert!(!plain.superuser && plain.groups.is_empty() && plain.attributes.is_empty() && plain.rules.is_empty());
    let old = grant(&config, &hs256(json!({"exp": NOW + 60, "acl": {"pub": ["a"]}})));
    assert!(old.rules[0].is_complete);
    for (claims, expected) in [
        (json!({"admin": ["yes"]}), "deny: its token's `admin`: "),
        (json!({"client_attrs": "x"}), "deny: its token's `client_attrs`: "),
        (json!({"realm": {"roles": 7}}), "deny: its token's `/realm/roles`: "),
        (json!({"acl": [{"permission": "allow"}]}), "deny: its token's `acl`: "),
        (json!({"acl": "all"}), "deny: its token's `acl`: "),
    ] {
        let mut whole = claims.clone();
        whole["exp"] = json!(NOW + 60);
        let said = says(&config, &hs256(whole));
        assert!(said.starts_with(expected), "{claims}: {said}");
    }
    let no_object = format!("{}.{}", BASE64URL.encode(json!({"alg": "HS256"}).to_string()), BASE64URL.encode("[]"));
    let program = "import sys, hmac\nsys.stdout.buffer.write(hmac.new(sys.argv[1].encode(), sys.stdin.buffer.read(), 'sha256').digest())";
    let signature = output(Command::new("python3").args(["-c", program, SECRET]), no_object.as_bytes());
    let token = format!("{no_object}.{}", BASE64URL.encode(signature));
    assert_eq!(says(&config, &token), "deny: its token's claims are no object of JSON");
}

#[test]
fn keys_and_algorithms_that_do_not_fit_are_refused_when_they_are_configured() {
    let ec = Signer::new("ES256");
    let jwks = || JwtKeys::Jwks(JwksConfig::new(JwksPlace::File("keys.json".into())));
    for (config, expected) in [
        (config(&[], jwks()), "name at least one"),
        (config(&["RS256"], ec.keys()), "public_key: `key.pem`: it is for [ES256], and `algorithms` names none of them"),
        (config(&["ES256", "ES384"], ec.keys()), "there is no key for ES384"),
        (config(&["HS256"], ec.keys()), "`algorithms` names none of them"),
        (config(&["HS256", "ES256"], JwtKeys::Secret(b"x".to_vec().into())), "there is no key for ES256"),
        (config(&["HS256"], JwtKeys::Secret(Vec::new().into())), "secret: the secret is empty"),
        (config(&["ES256", "HS256"], jwks()), "HS256 takes a secret, which no set of keys may hold"),
    ] {
        let error = JwtAuthenticator::new(&config, backend()).unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let printed = format!("{:?} {:?}", with_secret().keys, authenticator(&with_secret()));
    assert!(!printed.contains(SECRET), "{printed}");
}

fn set(keys: &[Value]) -> String {
    json!([{"path": "/keys", "type": "application/json", "body": json!({"keys": keys}).to_string()}]).to_string()
}

fn fetched(service: &HttpService, algorithms: &[&str], minimum: Duration) -> JwtConfig {
    let place = JwksPlace::Url(Box::new(JwksAddress {
        url: service.url("/keys").parse().unwrap(),
        headers: vec![("X-Key".to_owned(), "s3cret".to_owned())],
        endpoint: EndpointConfig::default(),
    }));
    config(algorithms, JwtKeys::Jwks(JwksConfig { refresh_minimum: minimum, ..JwksConfig::new(place) }))
}

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn a_set_of_keys_is_fetched_once_and_serves_every_algorithm_it_has_keys_for() {
    let signers = ["RS256", "ES256", "ES384", "EdDSA"].map(Signer::new);
    let keys: Vec<Value> = signers.iter().map(|signer| signer.jwk(Some(signer.algorithm))).collect();
    let service = HttpService::start(ServiceTls::None, &set(&keys));
    let authenticator = authenticator(&fetched(&service, &["RS256", "ES256", "ES384", "EdDSA"], LONG));
    assert_eq!(service.requests().len(), 0);
    run(async {
        for signer in &signers {
            assert_eq!(verdict(&authenticator, &applicant(&signer.simple(Some(signer.algorithm), &good()))).await, "allow");
            // Without a name every key is tried that may be meant.
            assert_eq!(verdict(&authenticator, &applicant(&signer.simple(None, &good()))).await, "allow");
        }
        // The name of another key is no way around.
        let said = verdict(&authenticator, &applicant(&signers[1].simple(Some("RS256"), &good()))).await;
        assert_eq!(said, "deny: its token is signed with a key that nobody knows");
    });
    assert_eq!(service.requests().len(), 1);
    assert!(service.requests()[0].contains("s3cret") && !format!("{authenticator:?}").contains("s3cret"));
}

#[test]
fn a_new_key_is_found_when_its_first_token_comes_and_an_old_one_is_gone_then() {
    let (old, new) = (Signer::new("ES256"), Signer::new("ES256"));
    let mut service = HttpService::start(ServiceTls::None, &set(&[old.jwk(Some("old"))]));
    let authenticator = authenticator(&fetched(&service, &["ES256"], Duration::ZERO));
    run(async {
        assert_eq!(verdict(&authenticator, &applicant(&old.simple(Some("old"), &good()))).await, "allow");
        service.stop();
        // What is known counts while the service is away, and what is not known nobody can say.
        assert_eq!(verdict(&authenticator, &applicant(&old.simple(Some("old"), &good()))).await, "allow");
        let said = verdict(&authenticator, &applicant(&new.simple(Some("new"), &good()))).await;
        assert!(said.starts_with("failed: ") && said.contains("connection refused"), "{said}");
        service.answer(&set(&[new.jwk(Some("new"))]));
        service.restart();
        assert_eq!(verdict(&authenticator, &applicant(&new.simple(Some("new"), &good()))).await, "allow");
        let said = verdict(&authenticator, &applicant(&old.simple(Some("old"), &good()))).await;
        assert_eq!(said, "deny: its token is signed with a key that nobody knows");
        // The same name with another key behind it, as some do.
        let third = Signer::new("ES256");
        service.answer(&set(&[third.jwk(None)]));
        assert_eq!(verdict(&authenticator, &applicant(&third.simple(Some("third"), &good()))).await, "allow");
    });
}

#[test]
fn tokens_with_unknown_keys_cannot_make_it_fetch_without_end() {
    let (known, foreign) = (Signer::new("ES256"), Signer::new("ES256"));
    let service = HttpService::start(ServiceTls::None, &set(&[known.jwk(Some("known"))]));
    let authenticator = Arc::new(authenticator(&fetched(&service, &["ES256"], LONG)));
    let token = foreign.simple(Some("foreign"), &good());
    let right = known.simple(Some("known"), &good());
    run(async {
        let mut asking = tokio::task::JoinSet::new();
        for number in 0..1000 {
            let (authenticator, is_foreign) = (Arc::clone(&authenticator), number % 2 == 0);
            let who = applicant(if is_foreign { &token } else { &right });
            asking.spawn(async move { (is_foreign, verdict(&authenticator, &who).await) });
        }
        for (is_foreign, said) in asking.join_all().await {
            assert_eq!(said, if is_foreign { "deny: its token is signed with a key that nobody knows" } else { "allow" });
        }
    });
    assert_eq!(service.requests().len(), 1);
}

#[test]
fn keys_that_cannot_be_had_are_a_failure_and_the_last_good_ones_count_for_a_while() {
    let signer = Signer::new("ES256");
    let token = signer.simple(Some("k"), &good());
    let service = HttpService::start(ServiceTls::None, "[]");
    let eager = authenticator(&fetched(&service, &["ES256"], Duration::ZERO));
    run(async {
        for (answers, expected) in [
            (r#"[{"status": 500}]"#, "the server answers 500"),
            (r#"[{"status": 302, "headers": [["Location", "/keys"]]}]"#, "the server answers 302"),
            (r#"[{"body": "<html>"}]"#, "the key set is no JSON"),
            (r#"[{"body": "{\"keys\": []}"}]"#, "none of the 0 keys"),
            (r#"[{"size": 70000}]"#, "more than the limit"),
            (r#"[{"endless": true}]"#, "more than the limit"),
            (r#"[{"raw": "garbage\r\n\r\n"}]"#, "failed: "),
        ] {
            service.answer(answers);
            let said = verdict(&eager, &applicant(&token)).await;
            assert!(said.starts_with("failed: ") && said.contains(expected), "{answers}: {said}");
        }
        service.answer(&set(&[signer.jwk(Some("k"))]));
        assert_eq!(verdict(&eager, &applicant(&token)).await, "allow");
        service.answer(r#"[{"status": 500}]"#);
        assert!(verdict(&eager, &applicant(&signer.simple(Some("other"), &good()))).await.starts_with("failed: "));
        assert_eq!(verdict(&eager, &applicant(&token)).await, "allow");
        let report = eager.backend().unwrap().report();
        assert!(report.failed >= 8 && report.last_failure.unwrap().contains("500"));
    });
    // Keys that count for no time at all are fetched for each token.
    service.answer(&set(&[signer.jwk(Some("k"))]));
    let mut config = fetched(&service, &["ES256"], Duration::ZERO);
    if let JwtKeys::Jwks(jwks) = &mut config.keys {
        jwks.keep = Duration::ZERO;
    }
    let forgetful = authenticator(&config);
    run(async {
        assert_eq!(verdict(&forgetful, &applicant(&token)).await, "allow");
        service.answer(r#"[{"status": 500}]"#);
        assert!(verdict(&forgetful, &applicant(&token)).await.starts_with("failed: "));
    });
}

#[test]
fn a_set_is_fetched_again_by_itself() {
    let (old, new) = (Signer::new("EdDSA"), Signer::new("EdDSA"));
    let service = HttpService::start(ServiceTls::None, &set(&[old.jwk(Some("k"))]));
    let mut config = fetched(&service, &["EdDSA"], Duration::ZERO);
    if let JwtKeys::Jwks(jwks) = &mut config.keys {
        jwks.refresh_interval = Duration::from_secs(1);
    }
    let authenticator = authenticator(&config);
    let (before, after) = (old.simple(Some("k"), &good()), new.simple(Some("k"), &good()));
    run(async {
        assert_eq!(verdict(&authenticator, &applicant(&before)).await, "allow");
        assert_eq!(verdict(&authenticator, &applicant(&after)).await, "deny: its token's signature is wrong");
        service.answer(&set(&[new.jwk(Some("k"))]));
        while verdict(&authenticator, &applicant(&after)).await != "allow" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(verdict(&authenticator, &applicant(&before)).await, "deny: its token's signature is wrong");
    });
}

#[test]
fn a_set_can_be_a_file() {
    let (old, new) = (Signer::new("ES256"), Signer::new("ES256"));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys.json");
    let write = |path: &Path, signer: &Signer, name| fs::write(path, json!({"keys": [signer.jwk(Some(name))]}).to_string()).unwrap();
    let jwks = JwksConfig { refresh_minimum: Duration::ZERO, ..JwksConfig::new(JwksPlace::File(file.clone())) };
    let authenticator = authenticator(&config(&["ES256"], JwtKeys::Jwks(jwks)));
    run(async {
        let said = verdict(&authenticator, &applicant(&old.simple(Some("old"), &good()))).await;
        assert!(said.starts_with("failed: ") && said.contains("keys.json"), "{said}");
        write(&file, &old, "old");
        assert_eq!(verdict(&authenticator, &applicant(&old.simple(Some("old"), &good()))).await, "allow");
        write(&file, &new, "new");
        assert_eq!(verdict(&authenticator, &applicant(&new.simple(Some("new"), &good()))).await, "allow");
    });
}

#[test]
fn keys_come_over_tls_from_whom_they_should() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let ours = pki.device("broker");
    let signer = Signer::new("ES256");
    let service = HttpService::start(ServiceTls::Mutual(&pki), &set(&[signer.jwk(None)]));
    let ask = |ca: PathBuf| {
        let tls = EndpointTls {
            ca_files: vec![ca],
            certificate: Some(ours.certificate.clone()),
            key: Some(ours.key.clone()),
            server_name: Some("localhost".to_owned()),
        };
        let endpoint = EndpointConfig { tls, ..EndpointConfig::default() };
        let place = JwksPlace::Url(Box::new(JwksAddress { url: service.url("/keys").parse().unwrap(), headers: Vec::new(), endpoint }));
        says(&config(&["ES256"], JwtKeys::Jwks(JwksConfig::new(place))), &signer.simple(None, &good()))
    };
    assert_eq!(ask(pki.ca_file()), "allow");
    let said = ask(pki.foreign_ca_file());
    assert!(said.starts_with("failed: ") && said.contains("name the file of its CA"), "{said}");
}
