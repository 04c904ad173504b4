//! The exchange of RFC 7677, one that Python's scramp made, and clients that do it wrong.

use bytestring::ByteString;
use signet_mqtt::ClientIdentifier;
use signet_policy::{Client, Principal};

use super::*;

/// One user.
#[derive(Debug)]
struct One {
    name: &'static str,
    keys: Option<ScramKeys>,
    is_disabled: bool,
}

impl ScramSource for One {
    fn find<'a>(
        &'a self,
        _applicant: &'a Applicant,
        name: &'a str,
        mechanism: ScramMechanism,
    ) -> BoxFuture<'a, Result<Option<ScramUser>, Failure>> {
        let found = (name == self.name).then(|| ScramUser {
            keys: self.keys.clone().filter(|keys| keys.mechanism == mechanism),
            is_disabled: self.is_disabled,
            grant: Grant { superuser: true, ..Grant::default() },
        });
        Box::pin(std::future::ready(Ok(found)))
    }
}

fn applicant(username: Option<&str>) -> Applicant {
    let username = username.map(|name| ByteString::from(name.to_owned()));
    Applicant {
        client: Client::restored(Principal::Anonymous, username.clone(), ClientIdentifier::new("c"), None),
        is_assigned: false,
        names: signet_policy::NameOrigins::default(),
        claimed_username: username,
        password: None,
        method: None,
        method_data: None,
        without_identity: None,
        now: 0,
    }
}

fn user(mechanism: ScramMechanism, name: &'static str, salt: &str) -> Arc<One> {
    let salt = STANDARD.decode(salt).unwrap();
    let keys = Some(ScramKeys::of(mechanism, "pencil", salt, 4096).unwrap());
    Arc::new(One { name, keys, is_disabled: false })
}

fn rfc_user() -> Arc<One> {
    user(ScramMechanism::Sha256, "user", "W22ZaJ0SNY7soEsUEjb6gQ==")
}

fn exchange(source: &Arc<One>, mechanism: ScramMechanism, nonce: &str) -> ScramExchange {
    let decoy = Decoy { key: hmac::Key::new(hmac::HMAC_SHA256, b"secret"), iterations: 4096 };
    ScramExchange { source: source.clone(), mechanism, decoy, nonce: Some(nonce.to_owned()), stage: Stage::Begin }
}

const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const CHALLENGE: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const LAST: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SIGNATURE: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

async fn step(exchange: &mut ScramExchange, applicant: &Applicant, data: &str) -> Progress {
    exchange.step(applicant, Bytes::copy_from_slice(data.as_bytes())).await.unwrap()
}

fn challenge(progress: Progress) -> String {
    match progress {
        Progress::Challenge(data) => String::from_utf8(data.to_vec()).unwrap(),
        Progress::Over(outcome, _) => panic!("{outcome:?}"),
    }
}

/// What is said against the client, and what it is told: nothing.
fn refusal(progress: Progress) -> String {
    match progress {
        Progress::Over(Outcome::Deny(why) | Outcome::Unknown(why), last) if last.is_empty() => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_exchange_of_rfc_7677() {
    for username in [None, Some("user")] {
        let applicant = applicant(username);
        let mut exchange = exchange(&rfc_user(), ScramMechanism::Sha256, SERVER_NONCE);
        assert_eq!(challenge(step(&mut exchange, &applicant, FIRST).await), CHALLENGE);
        let Progress::Over(Outcome::Allow(grant), last) = step(&mut exchange, &applicant, LAST).await else { panic!() };
        assert_eq!(last, SIGNATURE.as_bytes());
        assert_eq!((grant.username.as_deref(), grant.superuser), (Some("user"), true));
        // It cannot be used twice.
        assert!(refusal(step(&mut exchange, &applicant, LAST).await).contains("over"));
    }
}

#[tokio::test]
async fn an_exchange_of_sha_512_as_scramp_does_it() {
    let source = user(ScramMechanism::Sha512, "us,e=r", "Yzg1YmVlNmFmMDk0");
    let mut exchange = exchange(&source, ScramMechanism::Sha512, "0123456789abcdef");
    let challenged = challenge(step(&mut exchange, &applicant(None), "n,,n=us=2Ce=3Dr,r=fyko+d2lbbFgONRv9qkxdawL").await);
    assert_eq!(challenged, "r=fyko+d2lbbFgONRv9qkxdawL0123456789abcdef,s=Yzg1YmVlNmFmMDk0,i=4096");
    let last = "c=biws,r=fyko+d2lbbFgONRv9qkxdawL0123456789abcdef,p=m9GwpusWnFwPbSEAA7VJWioyIhNfQ3dbbzAWFehZOJRwI9XFjtEr42KPEsNIcnBeNR9Ut+unJvITiRP3hYyPng==";
    let Progress::Over(Outcome::Allow(_), told) = step(&mut exchange, &applicant(None), last).await else { panic!() };
    assert_eq!(told, "v=L9XNpkXF9spFEZo8oHy+Bk3ofCNXRXMnX5lbvCbQPiIeumdxtWNPvin/xQ+y9/zOvNN71vn+hHYob3r8TMg82A==".as_bytes());
}

#[tokio::test]
async fn first_messages_that_are_refused() {
    for (message, says) in [
        ("p=tls-unique,,n=user,r=abc", "channel-bindings-not-supported"),
        ("n,a=other,n=user,r=abc", "authzid"),
        ("n,,m=x,n=user,r=abc", "extensions-not-supported"),
        ("n,,n=us=er,r=abc", "invalid-username-encoding"),
        ("n,,n=us\0er,r=abc", "U+0000"),
        ("n,,n=,r=abc", "SASLprep"),
        ("n,,n=us\u{7}er,r=abc", "SASLprep"),
        ("n,,r=abc,n=user", "no user name"),
        ("n,,n=user", "no nonce"),
        ("n,,n=user,r=", "nonce"),
        ("n,,n=user,r=a b", "nonce"),
        ("x,,n=user,r=abc", "no SCRAM"),
        ("n", "no SCRAM"),
        ("", "no SCRAM"),
    ] {
        let mut exchange = exchange(&rfc_user(), ScramMechanism::Sha256, SERVER_NONCE);
        let why = refusal(step(&mut exchange, &applicant(None), message).await);
        assert!(why.contains(says), "{message}: {why}");
        // A refused exchange does not go on.
        refusal(step(&mut exchange, &applicant(None), FIRST).await);
    }
    let mut long = exchange(&rfc_user(), ScramMechanism::Sha256, SERVER_NONCE);
    refusal(step(&mut long, &applicant(None), &format!("n,,n=user,r={}", "a".repeat(5000))).await);
    let mut binary = exchange(&rfc_user(), ScramMechanism::Sha256, SERVER_NONCE);
    refusal(binary.step(&applicant(None), Bytes::from_static(b"n,,n=\xff,r=abc")).await.unwrap());
}

#[tokio::test]
async fn the_user_of_the_exchange_is_the_one_of_connect() {
    for claimed in ["User", "root", ""] {
        let mut exchange = exchange(&rfc_user(), ScramMechanism::Sha256, SERVER_NONCE);
        assert!(refusal(step(&mut exchange, &applicant(Some(claimed)), FIRST).await).contains("CONNECT"));
    }
}

#[tokio::test]
async fn last_messages_that_are_refused() {
    let nonce = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let proof = "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    for (message, says) in [
        (format!("c=biws,{nonce},p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), "wrong password"),
        (format!("c=biws,{nonce},p="), "wrong password"),
        (format!("c=biws,{nonce},p=eHzb"), "wrong password"),
        // `y,,` instead of `n,,`: somebody on the way has changed what the client can do.
        (format!("c=eSws,{nonce},{proof}"), "channel binding"),
        (format!("c=biws,r=rOprNGfwEbeRWgbNEkqO,{proof}"), "nonce"),
        (format!("c=biws,{nonce},x=1,{proof}"), "wrong password"),
        (format!("c=biws,{nonce}"), "no SCRAM"),
        (format!("c=biws,{nonce},p=*"), "no SCRAM"),
        ("".to_owned(), "no SCRAM"),
    ] {
        let mut exchange = exchange(&rfc_user(), ScramMechanism::Sha256, SERVER_NONCE);
        challenge(step(&mut exchange, &applicant(None), FIRST).await);
        let why = refusal(step(&mut exchange, &applicant(None), &message).await);
        assert!(why.contains(says), "{message}: {why}");
        // There is no second try.
        refusal(step(&mut exchange, &applicant(None), LAST).await);
    }
}

#[tokio::test]
async fn a_client_that_could_bind_channels_is_let_in_without() {
    let source = rfc_user();
    let mut exchange = exchange(&source, ScramMechanism::Sha256, SERVER_NONCE);
    challenge(step(&mut exchange, &applicant(None), "y,,n=user,r=abc").await);
    let without_proof = format!("c=eSws,r=abc{SERVER_NONCE}");
    let authenticated = format!("n=user,r=abc,r=abc{SERVER_NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,{without_proof}");
    let salted = crate::password::pbkdf2(crate::Mac::Sha256, 4096, 32, b"pencil", &source.keys.as_ref().unwrap().salt).unwrap();
    let sign = |key: &[u8], data: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec();
    let client_key = sign(&salted, b"Client Key");
    let signature = sign(&source.keys.as_ref().unwrap().stored_key, authenticated.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(one, other)| one ^ other).collect();
    let last = format!("{without_proof},p={}", STANDARD.encode(proof));
    assert!(matches!(step(&mut exchange, &applicant(None), &last).await, Progress::Over(Outcome::Allow(_), _)));
}

#[tokio::test]
async fn who_is_not_there_cannot_be_told_from_who_is() {
    let begun = async |source: &Arc<One>, name: &str, nonce: &str| {
        let mut exchange = exchange(source, ScramMechanism::Sha256, nonce);
        let challenged = challenge(step(&mut exchange, &applicant(None), &format!("n,,n={name},r=abc")).await);
        (exchange, challenged)
    };
    let salt = |challenge: &str| challenge.split(',').nth(1).unwrap().to_owned();
    let (mut one, first) = begun(&rfc_user(), "nobody", "one").await;
    let (_, again) = begun(&rfc_user(), "nobody", "two").await;
    let (_, other) = begun(&rfc_user(), "somebody", "two").await;
    assert_eq!(salt(&first), salt(&again), "a user has one salt");
    assert_ne!(salt(&again), salt(&other));
    assert_eq!(salt(&first).len(), salt(CHALLENGE).len());
    assert!(first.ends_with(",i=4096"), "{first}");
    let last = format!("c=biws,r=abcone,p={}", STANDARD.encode([0; 32]));
    let Progress::Over(Outcome::Unknown(_), told) = step(&mut one, &applicant(None), &last).await else { panic!() };
    assert!(told.is_empty());
    // There, and without keys, or disabled: the same until the end, and no proof helps.
    for source in [One { name: "user", keys: None, is_disabled: false }, One { is_disabled: true, ..Arc::into_inner(rfc_user()).unwrap() }]
    {
        let (mut exchange, challenged) = begun(&Arc::new(source), "user", SERVER_NONCE).await;
        assert_eq!(challenged.len(), CHALLENGE.len() - "rOprNGfwEbeRWgbNEkqO".len() + 3);
        refusal(step(&mut exchange, &applicant(None), &format!("c=biws,r=abc{SERVER_NONCE},p={}", STANDARD.encode([0; 32]))).await);
    }
    let disabled = Arc::new(One { is_disabled: true, ..Arc::into_inner(rfc_user()).unwrap() });
    let mut right = exchange(&disabled, ScramMechanism::Sha256, SERVER_NONCE);
    challenge(step(&mut right, &applicant(None), FIRST).await);
    assert!(refusal(step(&mut right, &applicant(None), LAST).await).contains("disabled"));
}

#[tokio::test]
async fn every_exchange_has_a_nonce_of_its_own() {
    let authenticator = ScramAuthenticator::new(rfc_user(), vec![ScramMechanism::Sha256], 4096).unwrap();
    let mut nonces = std::collections::BTreeSet::new();
    for _ in 0..8 {
        let mut exchange = authenticator.exchange("SCRAM-SHA-256").unwrap();
        let progress = exchange.step(&applicant(None), Bytes::from_static(FIRST.as_bytes())).await.unwrap();
        nonces.insert(challenge(progress).split(',').next().unwrap().to_owned());
    }
    assert_eq!(nonces.len(), 8);
    assert!(nonces.iter().all(|nonce| nonce.starts_with("r=rOprNGfwEbeRWgbNEkqO") && nonce.len() >= 22 + 24));
    for method in ["SCRAM-SHA-512", "scram-sha-256", "SCRAM-SHA-256-PLUS", "PLAIN", ""] {
        assert!(authenticator.exchange(method).is_none(), "{method}");
    }
    assert!(matches!(authenticator.authenticate(&applicant(None)).await, Ok(Outcome::Unknown(_))));
}

#[test]
fn names_and_passwords_are_prepared() {
    // RFC 4013 §3.
    assert_eq!(prepared("I\u{AD}X").unwrap(), "IX");
    assert_eq!(prepared("\u{AA}").unwrap(), "a");
    assert_eq!(prepared("\u{2168}").unwrap(), "IX");
    prepared("\u{7}").unwrap_err();
    prepared("\u{627}1").unwrap_err();
    prepared("").unwrap_err();
    prepared("\u{AD}").unwrap_err();
    let keys = |password| ScramKeys::of(ScramMechanism::Sha256, password, vec![1], 4096).unwrap();
    assert_eq!(keys("\u{2168}"), keys("IX"));
    assert!(keys("ix") != keys("IX"));
    ScramKeys::make(ScramMechanism::Sha256, "pencil", 4095).unwrap_err();
    ScramKeys::make(ScramMechanism::Sha256, "pencil", 10_000_001).unwrap_err();
    assert!(!format!("{:?}", keys("IX")).contains("salt"));
}
