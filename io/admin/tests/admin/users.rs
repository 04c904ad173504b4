//! Users over the socket: what is stored, what is in force, and whose sessions end.

use signet_admin::api::{AddUser, ChangeUser, ImportUsers, NewScram, NewSecret, ProblemKind, RemoveUser, SecretText};
use signet_auth::{LocalUsers as _, UserStore};
use signet_net::{Credential, KickCause, LinkId};

use crate::live::{Plant, leaf};
use crate::socket::refused;

fn password(text: &str) -> Option<NewSecret> {
    Some(NewSecret::Password(SecretText::new(text.to_owned())))
}

fn hash(kind: &str, hash: &str, salt: Option<&str>) -> Option<NewSecret> {
    let secret = |text: &str| SecretText::new(text.to_owned());
    Some(NewSecret::Hash { kind: kind.to_owned(), hash: secret(hash), salt: salt.map(secret) })
}

fn add(name: &str) -> AddUser {
    AddUser { name: name.to_owned(), secret: password("wonderland"), ..AddUser::default() }
}

fn change(name: &str) -> ChangeUser {
    ChangeUser { name: name.to_owned(), ..ChangeUser::default() }
}

fn remove(name: &str) -> RemoveUser {
    RemoveUser { name: name.to_owned(), keep_sessions: false }
}

/// Whether those who vouch let somebody in with this password now.
fn fits(store: &UserStore, name: &str, password: &str) -> bool {
    let Some(user) = store.find(name).filter(|user| !user.is_disabled) else { return false };
    let Some(stored) = user.record.password_hash.as_deref() else { return false };
    user.hash.verify(password.as_bytes(), stored, user.record.salt.as_deref()).unwrap()
}

/// A connection that this user was let in with.
async fn connect(plant: &Plant, store: &UserStore, name: &str) -> LinkId {
    let leaf = leaf(&plant.rig.add("pump-7").await.chain_pem);
    let link = plant.connect(&leaf, "pump-7", None, "mqtts");
    let held = store.find(name).unwrap().credential;
    plant.rig.registry.hold(link, [Credential { name: held.name, version: held.version }].into());
    link
}

#[tokio::test]
async fn a_user_from_the_first_password_to_its_removal() {
    let plant = Plant::start();
    let (client, store) = (&plant.rig.client, plant.rig.administration.user_store());
    let added = client.add_user(&AddUser { groups: ["plant".to_owned()].into(), ..add("alice") }).await.unwrap();
    assert_eq!((added.user.status.as_str(), added.user.password.as_deref(), added.sessions), ("enabled", Some("argon2id"), None));
    assert!(
        fits(&store, "alice", "wonderland") && !fits(&store, "alice", "x") && store.find("alice").unwrap().record.groups.contains("plant")
    );
    let record = plant.last().await;
    assert_eq!((record.action.as_str(), record.subject.as_str()), ("user.add", "alice"));

    let link = connect(&plant, &store, "alice").await;
    let changed = client.change_user(&ChangeUser { secret: password("looking-glass"), ..change("alice") }).await.unwrap();
    assert_eq!(changed.sessions.unwrap().closed, 1);
    assert_eq!(plant.ended(), [(link, KickCause::CredentialRevoked("alice".into()))]);
    assert!(fits(&store, "alice", "looking-glass") && !fits(&store, "alice", "wonderland"));
    let record = plant.last().await;
    assert_eq!((record.action.as_str(), record.sessions_closed), ("user.change", Some(1)));
    assert_eq!(record.details["changed"][0], "password");
    assert!(!record.details.to_string().contains("looking-glass"));

    let link = connect(&plant, &store, "alice").await;
    let disabled = client.change_user(&ChangeUser { disabled: Some(true), keep_sessions: true, ..change("alice") }).await.unwrap();
    assert_eq!((disabled.user.status.as_str(), disabled.sessions.unwrap().closed), ("disabled", 1));
    assert_eq!(plant.ended().len(), 1, "{link:?}");
    assert!(!fits(&store, "alice", "looking-glass"));
    client.change_user(&ChangeUser { disabled: Some(false), ..change("alice") }).await.unwrap();
    assert!(fits(&store, "alice", "looking-glass"));

    connect(&plant, &store, "alice").await;
    client.change_user(&ChangeUser { superuser: Some(true), keep_sessions: true, ..change("alice") }).await.unwrap();
    assert!(plant.ended().is_empty() && store.find("alice").unwrap().record.superuser);
    let removed = client.remove_user(&remove("alice")).await.unwrap();
    assert_eq!((removed.user.superuser, removed.sessions.unwrap().closed), (true, 1));
    assert!(store.find("alice").is_none() && client.users().await.unwrap().is_empty());
    assert_eq!(plant.last().await.action, "user.remove");
}

#[tokio::test]
async fn only_sessions_of_that_user_end() {
    let plant = Plant::start();
    let (client, store) = (&plant.rig.client, plant.rig.administration.user_store());
    for name in ["alice", "bob", "pump-7"] {
        client.add_user(&add(name)).await.unwrap();
    }
    let (alice, bob) = (connect(&plant, &store, "alice").await, connect(&plant, &store, "bob").await);
    // Both are called `pump-7` too, by certificate and Client Identifier, which is somebody else.
    client.remove_user(&remove("pump-7")).await.unwrap();
    assert!(plant.ended().is_empty());
    client.remove_user(&RemoveUser { keep_sessions: true, ..remove("bob") }).await.unwrap();
    assert!(plant.ended().is_empty());
    client.remove_user(&remove("alice")).await.unwrap();
    assert_eq!(plant.ended().iter().map(|(link, _)| *link).collect::<Vec<_>>(), [alice], "{bob:?} stays");
}

#[tokio::test]
async fn scram_keys_follow_the_password() {
    let plant = Plant::start();
    let client = &plant.rig.client;
    let scram = |names: &[&str]| Some(NewScram { mechanisms: names.iter().map(ToString::to_string).collect(), iterations: Some(4096) });
    let added = client.add_user(&AddUser { scram: scram(&["SCRAM-SHA-256", "SCRAM-SHA-512"]), ..add("alice") }).await.unwrap();
    assert_eq!(added.user.scram, ["SCRAM-SHA-256", "SCRAM-SHA-512"]);
    let changed = client.change_user(&ChangeUser { secret: password("other"), ..change("alice") }).await.unwrap();
    assert_eq!(changed.user.scram, ["SCRAM-SHA-256", "SCRAM-SHA-512"], "with new keys");
    let fewer = ChangeUser { secret: password("other"), scram: scram(&["SCRAM-SHA-512"]), ..change("alice") };
    assert_eq!(client.change_user(&fewer).await.unwrap().user.scram, ["SCRAM-SHA-512"]);
    let md5 = hash("md5", "4c9184f37cff01bcdc32dc486ec36961", None);
    assert!(client.change_user(&ChangeUser { secret: md5.clone(), ..change("alice") }).await.unwrap().user.scram.is_empty());
    for impossible in [
        AddUser { scram: scram(&["SCRAM-SHA-1"]), ..add("bob") },
        AddUser { scram: scram(&["SCRAM-SHA-256"]), secret: None, ..add("bob") },
        AddUser { scram: scram(&["SCRAM-SHA-256"]), secret: md5, ..add("bob") },
        AddUser { scram: Some(NewScram { mechanisms: vec!["SCRAM-SHA-256".to_owned()], iterations: Some(10) }), ..add("bob") },
    ] {
        assert_eq!(refused(client.add_user(&impossible).await.unwrap_err()).kind, ProblemKind::Invalid);
    }
    assert_eq!(client.users().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_makes_no_sense_changes_nothing() {
    let plant = Plant::start();
    let client = &plant.rig.client;
    client.add_user(&add("alice")).await.unwrap();
    let twice = refused(client.add_user(&add("alice")).await.unwrap_err());
    assert!(twice.message.contains("already") && twice.hint.unwrap().contains("signet user password alice"));
    for wrong in [
        add(""),
        add(&"x".repeat(257)),
        add("a\nb"),
        AddUser { secret: password(""), ..add("bob") },
        AddUser { secret: password(&"x".repeat(1025)), ..add("bob") },
        AddUser { secret: hash("plain", "x", None), ..add("bob") },
        AddUser { secret: hash("auto", "x", None), ..add("bob") },
        AddUser { secret: hash("sha3", "x", None), ..add("bob") },
        AddUser { groups: ["".to_owned()].into(), ..add("bob") },
        AddUser { attributes: [("a".to_owned(), "x".repeat(257))].into(), ..add("bob") },
        AddUser { groups: (0..65).map(|number| number.to_string()).collect(), ..add("bob") },
    ] {
        let problem = refused(client.add_user(&wrong).await.unwrap_err());
        assert_eq!(problem.kind, ProblemKind::Invalid, "{problem}");
    }
    for missing in ["alcie", "nobody at all"] {
        let problem = refused(client.change_user(&ChangeUser { superuser: Some(true), ..change(missing) }).await.unwrap_err());
        assert_eq!(problem.kind, ProblemKind::NotFound);
        assert_eq!(problem.hint.unwrap().contains("`alice`"), missing == "alcie");
        assert_eq!(refused(client.remove_user(&remove(missing)).await.unwrap_err()).kind, ProblemKind::NotFound);
        assert_eq!(refused(client.user(missing).await.unwrap_err()).kind, ProblemKind::NotFound);
    }
    assert_eq!(client.users().await.unwrap().len(), 1);
    assert_eq!(plant.last().await.action, "user.add");
}

#[tokio::test]
async fn many_users_at_once_all_or_none() {
    let plant = Plant::start();
    let (client, store) = (&plant.rig.client, plant.rig.administration.user_store());
    client.add_user(&add("alice")).await.unwrap();
    let user = |name: &str| AddUser { secret: hash("salt,md5", "08a0911a64c4e92e61a00f38be77a946", Some("slat_foo123")), ..add(name) };
    let import = |names: &[&str], replace| ImportUsers { users: names.iter().map(|name| user(name)).collect(), replace };
    let problem = refused(client.import_users(&import(&["bob", "alice"], false)).await.unwrap_err());
    assert!(problem.message.contains("`alice` already") && store.find("bob").is_none(), "{problem}");
    refused(client.import_users(&import(&["bob", "bob"], true)).await.unwrap_err());
    let many: Vec<String> = (0..501).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    refused(client.import_users(&import(&many, false)).await.unwrap_err());
    connect(&plant, &store, "alice").await;
    let report = client.import_users(&import(&["bob", "alice"], true)).await.unwrap();
    assert_eq!((report.added, report.replaced, report.sessions.unwrap().closed), (1, 1, 1));
    assert_eq!(plant.ended().len(), 1);
    assert!(fits(&store, "alice", "public") && fits(&store, "bob", "public") && !fits(&store, "alice", "wonderland"));
    assert_eq!(client.user("bob").await.unwrap().password.as_deref(), Some("salt,md5"));
    assert_eq!(plant.last().await.action, "user.import");
    // What is there is in force after a restart too.
    let before = store.find("alice").unwrap().credential;
    plant.rig.administration.load_users().unwrap();
    assert!(fits(&store, "alice", "public") && store.len() == 2);
    assert_eq!(store.holds(&before), Some(false));
}

#[test]
fn requests_do_not_print_what_is_secret() {
    let printed = format!("{:?}", AddUser { secret: hash("auto", "$2b$05$secret", Some("salty")), ..add("alice") });
    assert!(!printed.contains("secret)") && !printed.contains("salty") && !printed.contains("$2b"), "{printed}");
    assert!(!format!("{:?}", add("alice")).contains("wonderland"));
}
