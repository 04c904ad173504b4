//! Users in memory: whom they vouch for, what is given, and how long what a client holds lasts.

use bytestring::ByteString;
use signet_mqtt::{ClientIdentifier, Password};
use signet_policy::{Client, Principal};

use super::*;
use crate::users::{BuiltInUser, UserStore};

fn applicant(username: Option<&str>, client_identifier: &str, password: Option<&str>) -> Applicant {
    let username = username.map(|name| ByteString::from(name.to_owned()));
    Applicant {
        client: Client::restored(Principal::Anonymous, username.clone(), ClientIdentifier::new(client_identifier), None),
        is_assigned: false,
        names: signet_policy::NameOrigins::default(),
        claimed_username: username,
        password: password.map(|password| Password::new(password.as_bytes().to_vec())),
        method: None,
        method_data: None,
        without_identity: None,
        now: 0,
    }
}

fn user() -> BuiltInUser {
    BuiltInUser {
        password: Some(("salt,md5".parse().unwrap(), "08a0911a64c4e92e61a00f38be77a946".to_owned(), Some("slat_foo123".to_owned()))),
        groups: ["plant".into()].into(),
        ..BuiltInUser::default()
    }
}

fn said(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Allow(_) => "allow",
        Outcome::Deny(_) => "deny",
        Outcome::Unknown(_) => "unknown",
        Outcome::Failed(_) => "failed",
    }
}

async fn ask(store: &Arc<UserStore>, key: UserKey, applicant: &Applicant) -> Outcome {
    let users: Arc<dyn LocalUsers> = store.clone();
    let authenticator = LocalAuthenticator::new(users, key, &"md5".parse().unwrap(), HashingPool::new(1));
    authenticator.authenticate(applicant).await.unwrap()
}

#[tokio::test]
async fn an_empty_stored_password_is_none() {
    let store = Arc::new(UserStore::new());
    store.put("alice", BuiltInUser { password: Some((PasswordHash::Plain, String::new(), None)), ..user() }, false);
    for password in ["", "public"] {
        let outcome = ask(&store, UserKey::Username, &applicant(Some("alice"), "c", Some(password))).await;
        assert!(matches!(&outcome, Outcome::Deny(why) if why.contains("no password")), "{outcome:?}");
    }
}

#[tokio::test]
async fn by_user_name_or_client_identifier() {
    let store = Arc::new(UserStore::new());
    store.put("alice", user(), false);
    for (key, username, client_identifier, password, expected) in [
        (UserKey::Username, Some("alice"), "c", Some("public"), "allow"),
        (UserKey::Username, Some("alice"), "c", Some("private"), "deny"),
        (UserKey::Username, Some("alice"), "c", Some(""), "deny"),
        (UserKey::Username, Some("alice"), "c", None, "unknown"),
        (UserKey::Username, Some("Alice"), "c", Some("public"), "unknown"),
        (UserKey::Username, None, "alice", Some("public"), "unknown"),
        (UserKey::ClientIdentifier, None, "alice", Some("public"), "allow"),
        (UserKey::ClientIdentifier, Some("alice"), "c", Some("public"), "unknown"),
    ] {
        let outcome = ask(&store, key, &applicant(username, client_identifier, password)).await;
        assert_eq!(said(&outcome), expected, "{key:?} {username:?} {client_identifier} {password:?}");
        if let Outcome::Allow(grant) = outcome {
            assert_eq!(grant.proven, key.proves(), "{key:?}: the name by which it was looked up, and no other");
        }
    }
}

#[tokio::test]
async fn what_the_user_is_given() {
    let store = Arc::new(UserStore::new());
    store.put("alice", BuiltInUser { superuser: true, attributes: [("site".into(), "north".into())].into(), ..user() }, false);
    let Outcome::Allow(grant) = ask(&store, UserKey::Username, &applicant(Some("alice"), "c", Some("public"))).await else { panic!() };
    assert!(grant.superuser && grant.groups.contains("plant") && &*grant.attributes["site"] == "north");
    assert_eq!(grant.username, None, "the client's own is proven");
    assert_eq!(&*grant.credentials[0].name, "users/alice");
    assert_eq!(LocalUsers::holds(&*store, &grant.credentials[0]), Some(true));
}

#[tokio::test]
async fn a_disabled_user_and_one_without_a_password_are_turned_away() {
    let store = Arc::new(UserStore::new());
    store.put("alice", BuiltInUser { is_disabled: true, ..user() }, false);
    store.put("bob", BuiltInUser::default(), false);
    for name in ["alice", "bob"] {
        assert_eq!(said(&ask(&store, UserKey::Username, &applicant(Some(name), "c", Some("public"))).await), "deny");
    }
    store.put("alice", user(), false);
    assert_eq!(said(&ask(&store, UserKey::Username, &applicant(Some("alice"), "c", Some("public"))).await), "allow");
    store.remove("alice");
    assert_eq!(said(&ask(&store, UserKey::Username, &applicant(Some("alice"), "c", Some("public"))).await), "unknown");
}

#[test]
fn what_is_held_ends_with_every_change_unless_it_is_to_go_on() {
    let store = UserStore::new();
    let held = |store: &UserStore| LocalUsers::find(store, "alice").unwrap().credential;
    let holds = |store: &UserStore, credential: &Credential| LocalUsers::holds(store, credential);
    store.put("alice", user(), false);
    let first = held(&store);
    store.put("alice", user(), true);
    assert_eq!(holds(&store, &first), Some(true));
    store.put("alice", user(), false);
    assert_eq!(holds(&store, &first), Some(false));
    let second = held(&store);
    store.put("alice", BuiltInUser { is_disabled: true, ..user() }, true);
    assert_eq!((holds(&store, &second), store.current("alice")), (Some(false), None));
    store.remove("alice");
    store.put("alice", user(), true);
    assert_eq!((holds(&store, &first), holds(&store, &second)), (Some(false), Some(false)), "who comes back is somebody else");
    store.load([("bob".into(), user())]);
    assert_eq!((store.len(), holds(&store, &held_by("alice", 1))), (1, Some(false)));
    assert_eq!(holds(&store, &Credential { name: "password_file:x/bob".into(), version: 1 }), None);
}

fn held_by(name: &str, version: u64) -> Credential {
    Credential { name: UserStore::credential(name).into(), version }
}

#[tokio::test]
async fn who_is_not_there_is_answered_after_the_work_for_one_who_is() {
    let store = Arc::new(UserStore::new());
    store.put("disabled", BuiltInUser { is_disabled: true, ..user() }, false);
    store.put("without", BuiltInUser::default(), false);
    let pool = HashingPool::new(1);
    let authenticator = Arc::new(LocalAuthenticator::new(store, UserKey::Username, &PasswordHash::Argon2, pool.clone()));
    for name in ["nobody", "disabled", "without"] {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (begin, begun) = tokio::sync::oneshot::channel();
        let work = move || {
            begin.send(()).unwrap();
            let _ = released.recv();
        };
        let (held, asked) = (pool.clone(), Arc::clone(&authenticator));
        let holding = tokio::spawn(async move { held.run(work).await });
        begun.await.unwrap();
        // Without a password there is nothing to do, and nobody waits.
        assert_eq!(said(&authenticator.authenticate(&applicant(Some(name), "c", None)).await.unwrap()), "unknown");
        let mut asking = tokio::spawn(async move { asked.authenticate(&applicant(Some(name), "c", Some("x"))).await });
        // The only place is taken: whoever answers now has computed nothing.
        let answered = tokio::time::timeout(std::time::Duration::from_millis(50), &mut asking).await;
        assert!(answered.is_err(), "{name}: {answered:?}");
        release.send(()).unwrap();
        holding.await.unwrap().unwrap();
        assert_eq!(said(&asking.await.unwrap().unwrap()), if name == "nobody" { "unknown" } else { "deny" });
    }
}
