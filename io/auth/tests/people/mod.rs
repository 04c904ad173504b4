//! Clients that want to be let in, for the tests of sources.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use signet_auth::{Authenticator, Backend, BackendConfig};
use signet_identity::{DeviceIdentity, DeviceName, KeyDigest, Leaf};
use signet_mqtt::{ClientIdentifier, Password};
use signet_policy::{Applicant, Client, Grant, Outcome, Principal};

/// Somebody with this user name and password.
pub(crate) fn user(username: &str, password: &str) -> Applicant {
    somebody(Some(username), "c1", Some(password), None)
}

/// Somebody; `common_name` is in a certificate.
pub(crate) fn somebody(username: Option<&str>, identifier: &str, password: Option<&str>, common_name: Option<&str>) -> Applicant {
    let identity = common_name.map(|name| {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let leaf = Leaf::parse(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der()).unwrap();
        Arc::new(DeviceIdentity::new(DeviceName::new("device").unwrap(), leaf, KeyDigest::of(b"key"), []))
    });
    let principal = match &identity {
        Some(_) => Principal::Device(DeviceName::new("device").unwrap().into()),
        None => Principal::Anonymous,
    };
    Applicant {
        client: Client::restored(principal, username.map(Into::into), ClientIdentifier::new(identifier.to_owned()), identity),
        is_assigned: false,
        names: signet_policy::NameOrigins::default(),
        claimed_username: username.map(Into::into),
        password: password.map(|password| Password::new(password.to_owned())),
        method: None,
        method_data: None,
        without_identity: None,
        now: 1_700_000_000,
    }
}

/// A backend that is patient, remembers nothing for long and is never given up.
pub(crate) fn patient(kind: &'static str) -> BackendConfig {
    BackendConfig { timeout: Duration::from_secs(60), cache_ttl: Duration::ZERO, breaker_failures: 0, ..BackendConfig::new("people", kind) }
}

/// What an authenticator says, in a word and with its reason.
pub(crate) async fn says(authenticator: &dyn Authenticator, applicant: &Applicant) -> String {
    match authenticator.authenticate(applicant).await {
        Ok(Outcome::Allow(grant)) if grant.superuser => "superuser".to_owned(),
        Ok(Outcome::Allow(_)) => "allow".to_owned(),
        Ok(Outcome::Deny(why)) => format!("deny: {why}"),
        Ok(Outcome::Unknown(why)) => format!("unknown: {why}"),
        Ok(Outcome::Failed(why)) => format!("failed: {why}"),
        Err(failure) => format!("failed: {failure}"),
    }
}

/// What it gives.
pub(crate) async fn grants(authenticator: &dyn Authenticator, applicant: &Applicant) -> Grant {
    match authenticator.authenticate(applicant).await {
        Ok(Outcome::Allow(grant)) => *grant,
        other => panic!("expected a grant, got {other:?}"),
    }
}

/// The number of failures of a backend.
pub(crate) fn failed(backend: &Arc<Backend>) -> u64 {
    backend.report().failed
}

/// What nobody is called who means well. With characters that are in no name too: those must be refused before anybody is asked.
pub(crate) const INJECTIONS: [&str; 22] = [
    "' OR 1=1 --",
    "' OR '1'='1",
    "\" OR \"\"=\"",
    "ann' --",
    "ann'; DROP TABLE mqtt_user; --",
    "ann\\",
    "\\' OR 1=1 -- ",
    "ann' UNION SELECT 'x', 'x', true, null, null, null --",
    "$1",
    "?",
    "%",
    "_nn",
    "${username}",
    "%u",
    "*",
    "*)(uid=*",
    "ann)(|(uid=*",
    "ann,ou=devices",
    "ann\0",
    "ann\n",
    "änn 泵 🦀",
    "ａｎｎ",
];

/// Asks until somebody is let in, for at most a minute: what he is told before that are failures.
pub(crate) async fn until_allowed(authenticator: &dyn Authenticator, applicant: &Applicant) {
    for _ in 0..3000 {
        let said = says(authenticator, applicant).await;
        if said == "allow" {
            return;
        }
        assert!(said.starts_with("failed: "), "{said}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nobody is let in");
}
