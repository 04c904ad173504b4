//! Files, read and written.

use super::*;
use crate::initial::initial_document;

/// As Mosquitto 2.0.11 writes it.
const WRITTEN: &str = "{\n\t\"defaultACLAccess\":\t{\n\t\t\"publishClientSend\":\tfalse,\n\t\t\"publishClientReceive\":\ttrue,\n\t\t\"subscribe\":\tfalse,\n\t\t\"unsubscribe\":\ttrue\n\t},\n\t\"clients\":\t[{\n\t\t\t\"username\":\t\"anna\",\n\t\t\t\"clientid\":\t\"c-1\",\n\t\t\t\"textname\":\t\"Anna\",\n\t\t\t\"textdescription\":\t\"of accounting\",\n\t\t\t\"disabled\":\ttrue,\n\t\t\t\"roles\":\t[{\n\t\t\t\t\t\"rolename\":\t\"b\",\n\t\t\t\t\t\"priority\":\t7\n\t\t\t\t}, {\n\t\t\t\t\t\"rolename\":\t\"a\"\n\t\t\t\t}],\n\t\t\t\"password\":\t\"aGFzaA==\",\n\t\t\t\"salt\":\t\"c2FsdA==\",\n\t\t\t\"iterations\":\t101\n\t\t}],\n\t\"groups\":\t[{\n\t\t\t\"groupname\":\t\"g\",\n\t\t\t\"roles\":\t[],\n\t\t\t\"clients\":\t[{\n\t\t\t\t\t\"username\":\t\"anna\",\n\t\t\t\t\t\"priority\":\t3\n\t\t\t\t}]\n\t\t}],\n\t\"anonymousGroup\":\t\"g\",\n\t\"roles\":\t[{\n\t\t\t\"rolename\":\t\"a\",\n\t\t\t\"acls\":\t[{\n\t\t\t\t\t\"acltype\":\t\"publishClientSend\",\n\t\t\t\t\t\"topic\":\t\"t\",\n\t\t\t\t\t\"priority\":\t1,\n\t\t\t\t\t\"allow\":\ttrue\n\t\t\t\t}]\n\t\t}, {\n\t\t\t\"rolename\":\t\"b\",\n\t\t\t\"acls\":\t[]\n\t\t}]\n}";

fn read(text: &str) -> Result<State, DocumentError> {
    State::read(text.as_bytes(), &Bounds::default())
}

#[test]
fn a_file_of_mosquitto_comes_out_as_it_went_in() {
    let state = read(WRITTEN).unwrap();
    let client = state.client("anna").unwrap();
    assert_eq!(client.password().map(|password| &**password), Some("$7$101$c2FsdA==$aGFzaA=="));
    assert_eq!((client.client_identifier(), client.is_disabled()), (Some("c-1"), true));
    // What 2.1 has more than 2.0.
    let expected = WRITTEN.replacen("{\n", "{\n\t\"changeIndex\":\t0,\n", 1);
    let expected = expected.replace("\"a\",\n\t\t\t\"acls\"", "\"a\",\n\t\t\t\"allowwildcardsubs\":\ttrue,\n\t\t\t\"acls\"");
    let expected = expected.replace("\"b\",\n\t\t\t\"acls\"", "\"b\",\n\t\t\t\"allowwildcardsubs\":\ttrue,\n\t\t\t\"acls\"");
    assert_eq!(state.write(), expected);
    assert_eq!(read(&state.write()).unwrap().write(), expected);
}

#[test]
fn what_names_nobody_is_left_out() {
    let state = read(
        r#"{"changeIndex":9,"unknown":1,"clients":[1,{},{"username":""},{"username":"a","encoded_password":"$argon2id$x"},{"username":"a","disabled":true},
        {"username":"b","password":"x","salt":"y"}],"groups":[{"groupname":"g","clients":[{"username":"nobody"},{"username":"a"}],"roles":[{"rolename":"none"}]}],
        "anonymousGroup":"none"}"#,
    )
    .unwrap();
    assert_eq!(state.client_count(), 2);
    assert!(!state.client("a").unwrap().is_disabled());
    assert_eq!((state.client("b").unwrap().password(), state.anonymous_group.as_ref(), state.change_index), (None, None, 9));
    assert!(state.write().contains("\"encoded_password\":\t\"$argon2id$x\""));
    assert_eq!(state.groups.get("g").unwrap().clients.keys().map(|name| &**name).collect::<Vec<_>>(), ["a"]);
}

#[test]
fn files_that_make_no_sense() {
    for (text, expected) in [
        ("{", DocumentError::NoJson),
        ("[]", DocumentError::NoObject),
        (r#"{"clients":{}}"#, DocumentError::NoList("clients")),
        (r#"{"groups":1}"#, DocumentError::NoList("groups")),
        (r#"{"roles":"x"}"#, DocumentError::NoList("roles")),
    ] {
        assert_eq!(read(text).err(), Some(expected), "{text}");
    }
    assert_eq!(read("").unwrap().client_count(), 0);
}

#[test]
fn every_bound_holds() {
    let bounds = Bounds { document_bytes: 1_000, clients: 1, groups: 1, roles: 2, acls: 1, memberships: 1, ..Bounds::default() };
    for (text, what) in [
        (" ".repeat(1_001), "bytes"),
        (r#"{"clients":[{"username":"a"},{"username":"b"}]}"#.to_owned(), "clients"),
        (r#"{"groups":[{"groupname":"a"},{"groupname":"b"}]}"#.to_owned(), "groups"),
        (r#"{"roles":[{"rolename":"a"},{"rolename":"b"},{"rolename":"c"}]}"#.to_owned(), "roles"),
        (r#"{"roles":[{"rolename":"a","acls":[{},{}]}]}"#.to_owned(), "access rules in one role"),
        (
            r#"{"roles":[{"rolename":"a"},{"rolename":"b"}],"clients":[{"username":"a","roles":[{"rolename":"a"},{"rolename":"b"}]}]}"#
                .to_owned(),
            "roles of one client or group",
        ),
    ] {
        match State::read(text.as_bytes(), &bounds) {
            Err(DocumentError::TooMany { what: found, .. }) => assert_eq!(found, what),
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn priorities_end_where_mosquittos_do() {
    let state = read(
        r#"{"roles":[{"rolename":"a","acls":[{"acltype":"SUBSCRIBELITERAL","topic":"t","priority":1e9},{"acltype":"x","topic":"t"}]}]}"#,
    )
    .unwrap();
    let acls = &state.roles.get("a").unwrap().acls;
    assert_eq!(acls.of(AclKind::SubscribeLiteral).map(|acl| acl.priority).collect::<Vec<_>>(), [100_000]);
    assert_eq!(acls.len(), 1);
}

#[test]
fn the_first_file_has_an_administrator() {
    let state = read(&initial_document("$7$1$a$b", Some("$7$1$c$d"))).unwrap();
    assert_eq!(state.client("admin").unwrap().password().map(|password| &**password), Some("$7$1$a$b"));
    assert_eq!(state.client("democlient").unwrap().password().map(|password| &**password), Some("$7$1$c$d"));
    assert_eq!(state.roles.len(), 7);
    assert_eq!(state.anonymous_group.as_deref(), Some("unauthenticated"));
    assert!(read(&initial_document("$7$1$a$b", None)).unwrap().client("democlient").is_none());
}
