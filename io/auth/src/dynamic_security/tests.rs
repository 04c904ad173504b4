//! Who is let in, under which name roles are asked for, and what counts when the disk fails.

use std::sync::atomic::{AtomicBool, Ordering};

use signet_identity::DeviceName;
use signet_mqtt::ClientIdentifier;

use super::*;

struct Nobody;

impl Connections for Nobody {
    fn addresses(&self, _username: &str, _client_identifier: Option<&str>) -> Vec<String> {
        Vec::new()
    }
}

const TEXT: &str = r##"{"defaultACLAccess":{"publishClientSend":true},
    "roles":[{"rolename":"all","acls":[{"acltype":"subscribePattern","topic":"#","allow":true}]}],
    "clients":[{"username":"anna","roles":[{"rolename":"all"}]},{"username":"bound","clientid":"c-1"},{"username":"pump-7","roles":[{"rolename":"all"}]}],
    "groups":[{"groupname":"nobody","roles":[{"rolename":"all"}]}],"anonymousGroup":"nobody"}"##;

fn store(fails: &Arc<AtomicBool>) -> Arc<DynamicSecurity> {
    let state = State::read(TEXT.as_bytes(), &Bounds::default()).unwrap();
    let fails = Arc::clone(fails);
    let keep = Box::new(move |_: &str| if fails.load(Ordering::Relaxed) { Err("the disk is full".to_owned()) } else { Ok(()) });
    Arc::new(DynamicSecurity::new(state, Bounds::default(), keep))
}

fn run(store: &DynamicSecurity, command: &str) -> Controlled {
    let administrator = Administrator { client_identifier: "ctrl", username: Some("admin") };
    store.control(format!(r#"{{"commands":[{command}]}}"#).as_bytes(), administrator, &Nobody)
}

fn applicant(principal: Principal, username: Option<&str>, is_username_proven: bool, password: Option<&str>) -> Applicant {
    Applicant {
        client: Client::restored(principal, username.map(Into::into), ClientIdentifier::new("c-9"), None),
        is_assigned: false,
        names: signet_policy::NameOrigins {
            proven: ProvenNames { username: is_username_proven, ..ProvenNames::default() },
            ..signet_policy::NameOrigins::default()
        },
        claimed_username: username.map(Into::into),
        password: password.map(|text| Password::new(text.as_bytes().to_vec())),
        method: None,
        method_data: None,
        without_identity: None,
        now: 0,
    }
}

fn device() -> Principal {
    Principal::Device(DeviceName::new("pump-7").unwrap().into())
}

/// `allow`, `deny` or `unknown`, and the credential.
async fn ask(store: &Arc<DynamicSecurity>, applicant: &Applicant) -> (&'static str, Option<Credential>) {
    let authenticator = DynamicSecurityAuthenticator::new(Arc::clone(store), HashingPool::new(1));
    match authenticator.authenticate(applicant).await.unwrap() {
        Outcome::Allow(grant) => ("allow", grant.credentials.first().cloned()),
        Outcome::Deny(_) => ("deny", None),
        Outcome::Unknown(_) => ("unknown", None),
        Outcome::Failed(_) => ("failed", None),
    }
}

#[tokio::test]
async fn who_is_let_in() {
    let store = store(&Arc::default());
    run(
        &store,
        r#"{"command":"setClientPassword","username":"anna","password":"secret"},{"command":"setClientPassword","username":"bound","password":"secret"}"#,
    );
    let anonymous = || Principal::Anonymous;
    for (principal, username, is_proven, password, expected) in [
        (anonymous(), Some("anna"), false, Some("secret"), "allow"),
        (anonymous(), Some("anna"), false, Some("wrong"), "deny"),
        (anonymous(), Some("anna"), false, None, "unknown"),
        (anonymous(), Some("nobody"), false, Some("secret"), "unknown"),
        (anonymous(), None, false, Some("secret"), "unknown"),
        // A client without a password.
        (anonymous(), Some("pump-7"), false, Some(""), "deny"),
        // The right password, and another Client Identifier than it has to use.
        (anonymous(), Some("bound"), false, Some("secret"), "deny"),
        // Proven by a certificate: under its own name, or under the one that is made from it. What it claims does not count.
        (device(), None, false, None, "allow"),
        (device(), Some("anna"), true, None, "allow"),
        (device(), Some("anna"), true, Some("wrong"), "allow"),
        (device(), Some("anna"), false, None, "allow"),
        (device(), Some("anna"), false, Some("wrong"), "deny"),
        (device(), Some("stranger"), true, None, "unknown"),
        (device(), Some("bound"), true, None, "deny"),
    ] {
        let applicant = applicant(principal, username, is_proven, password);
        assert_eq!(ask(&store, &applicant).await.0, expected, "{username:?} {is_proven} {password:?}");
    }
    // The claim of a name gives no role of that name.
    let (_, credential) = ask(&store, &applicant(device(), Some("anna"), false, None)).await;
    assert_eq!(&*credential.unwrap().name, "dynamic_security/pump-7");
}

#[tokio::test]
async fn who_is_disabled_or_deleted_is_kept_out_and_its_credential_holds_no_more() {
    for (command, again) in [
        (r#"{"command":"disableClient","username":"pump-7"}"#, "deny"),
        (r#"{"command":"deleteClient","username":"pump-7"}"#, "unknown"),
        (
            r#"{"command":"addClientRole","username":"pump-7","rolename":"all"},{"command":"removeClientRole","username":"pump-7","rolename":"all"}"#,
            "allow",
        ),
        (r#"{"command":"deleteClient","username":"pump-7"},{"command":"createClient","username":"pump-7"}"#, "allow"),
    ] {
        let store = store(&Arc::default());
        let (_, credential) = ask(&store, &applicant(device(), None, false, None)).await;
        let credential = credential.unwrap();
        assert_eq!(store.holds(&credential), Some(true));
        let controlled = run(&store, command);
        assert_eq!(controlled.kicks, [Kick::Client("pump-7".to_owned())], "{command}");
        assert_eq!(store.holds(&credential), Some(false), "{command}");
        assert_eq!(ask(&store, &applicant(device(), None, false, None)).await.0, again, "{command}");
    }
    assert_eq!(store(&Arc::default()).holds(&Credential { name: "users/pump-7".into(), version: 1 }), None);
}

#[test]
fn roles_are_those_of_a_proven_name() {
    let store = store(&Arc::default());
    let credential = |name: &str| Grant { credentials: vec![Credential { name: name.into(), version: 1 }], ..Grant::default() };
    for (principal, username, grant, expected) in [
        (Principal::Anonymous, None, Grant::default(), Some(true)),
        (Principal::Anonymous, Some("anna"), Grant::default(), None),
        (Principal::User("anna".into()), Some("anna"), Grant::default(), Some(true)),
        (Principal::User("stranger".into()), Some("stranger"), Grant::default(), None),
        (Principal::User("anna".into()), None, Grant::default(), None),
        (device(), Some("anna"), Grant::default(), None),
        (device(), None, credential("dynamic_security/pump-7"), Some(true)),
        (device(), Some("bound"), credential("dynamic_security/anna"), Some(true)),
        (device(), Some("anna"), credential("users/anna"), None),
    ] {
        let client =
            Client::restored(principal.clone(), username.map(Into::into), ClientIdentifier::new("c"), None).regranted(Arc::new(grant));
        assert_eq!(store.judge(&client, signet_policy::Wish::Subscribe, "#"), expected, "{principal} {username:?}");
    }
}

#[test]
fn what_cannot_be_made_durable_does_not_count() {
    let fails = Arc::new(AtomicBool::new(true));
    let store = store(&fails);
    let controlled = run(&store, r#"{"command":"deleteClient","username":"anna"}"#);
    assert!(controlled.response.contains("Internal error") && controlled.kicks.is_empty(), "{controlled:?}");
    assert!(store.state().client("anna").is_some());
    // A question changes nothing, and needs no disk.
    assert!(run(&store, r#"{"command":"listClients"}"#).response.contains("anna"));
    fails.store(false, Ordering::Relaxed);
    assert_eq!(run(&store, r#"{"command":"deleteClient","username":"anna"}"#).response, r#"{"responses":[{"command":"deleteClient"}]}"#);
    assert!(store.state().client("anna").is_none());
}
