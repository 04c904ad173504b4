//! Whose rules decide, in which order.

use super::*;
use crate::bounds::Bounds;

fn state(text: &str) -> State {
    State::read(text.as_bytes(), &Bounds::default()).unwrap()
}

fn acl(kind: &str, topic: &str, priority: i32, allow: bool) -> String {
    format!(r#"{{"acltype":"{kind}","topic":"{topic}","priority":{priority},"allow":{allow}}}"#)
}

/// `anna` has the roles `own-low` (1) and `own-high` (2), and is in `g-low` (1) and `g-high` (2) with a role each.
fn world(acls: &[(&str, String)], more: &str) -> State {
    let role = |name: &str| {
        let of = acls.iter().filter(|(role, _)| *role == name).map(|(_, acl)| acl.clone()).collect::<Vec<_>>().join(",");
        format!(r#"{{"rolename":"{name}","acls":[{of}]}}"#)
    };
    let roles = ["own-low", "own-high", "of-g-low", "of-g-high", "of-nobody"].map(role).join(",");
    let group = |name: &str, priority: i32| {
        format!(r#"{{"groupname":"{name}","roles":[{{"rolename":"of-{name}"}}],"clients":[{{"username":"anna","priority":{priority}}}]}}"#)
    };
    state(&format!(
        r#"{{"roles":[{roles}],
        "clients":[{{"username":"anna","roles":[{{"rolename":"own-low","priority":1}},{{"rolename":"own-high","priority":2}}]}},{{"username":"off","disabled":true}}],
        "groups":[{},{},{{"groupname":"nobody","roles":[{{"rolename":"of-nobody"}}]}}],"anonymousGroup":"nobody"{more}}}"#,
        group("g-low", 1),
        group("g-high", 2)
    ))
}

const ANNA: Names<'static> = Names { username: Some("anna"), client_identifier: "c-1" };
const NOBODY: Names<'static> = Names { username: None, client_identifier: "c-2" };

#[test]
fn the_first_that_covers_it_decides() {
    let send = |topic: &str, priority, allow| acl("publishClientSend", topic, priority, allow);
    let order = ["own-high", "own-low", "of-g-high", "of-g-low"];
    for (first, _) in order.iter().enumerate() {
        // From here on all allow, and those before have nothing to say: then the first denies, and the others do not count.
        let acls: Vec<_> = order.iter().enumerate().skip(first).map(|(index, role)| (*role, send("t", 0, index != first))).collect();
        assert_eq!(world(&acls, "").judge(ANNA, Wish::Publish, "t"), Some(false), "{first}");
    }
    // In one role by priority, and of the same priority the earlier.
    for (acls, expected) in [
        (vec![send("t", 0, false), send("#", 1, true)], true),
        (vec![send("#", 1, true), send("t", 2, false)], false),
        (vec![send("t", 1, false), send("#", 1, true)], false),
        (vec![send("#", 1, true), send("t", 1, false)], true),
    ] {
        let acls: Vec<_> = acls.into_iter().map(|acl| ("own-low", acl)).collect();
        assert_eq!(world(&acls, "").judge(ANNA, Wish::Publish, "t"), Some(expected));
    }
}

#[test]
fn every_kind_is_about_its_own_wish() {
    let wishes = [
        ("publishClientSend", "t", Wish::Publish),
        ("publishClientReceive", "t", Wish::Receive),
        ("subscribeLiteral", "t/+", Wish::Subscribe),
        ("subscribePattern", "t/+", Wish::Subscribe),
        ("unsubscribeLiteral", "t/+", Wish::Unsubscribe),
        ("unsubscribePattern", "t/+", Wish::Unsubscribe),
    ];
    for (kind, topic, wish) in wishes {
        let world = world(&[("own-low", acl(kind, topic, 0, true))], "");
        for other in [Wish::Publish, Wish::Receive, Wish::Subscribe, Wish::Unsubscribe] {
            assert_eq!(world.judge(ANNA, other, topic), (other == wish).then_some(true), "{kind} {other:?}");
        }
        assert_eq!(world.judge(NOBODY, wish, topic), None);
    }
    // A literal rule is for the filter itself.
    let world = world(&[("own-low", acl("subscribeLiteral", "t/#", 0, true)), ("own-high", acl("subscribePattern", "p/#", 0, true))], "");
    for (filter, expected) in [("t/#", Some(true)), ("t/a", None), ("p/#", Some(true)), ("p/a/+", Some(true)), ("#", None)] {
        assert_eq!(world.judge(ANNA, Wish::Subscribe, filter), expected, "{filter}");
    }
}

#[test]
fn a_literal_rule_goes_before_the_patterns_of_its_role() {
    let acls = [("own-low", acl("subscribePattern", "#", 100, true)), ("own-low", acl("subscribeLiteral", "secret", 0, false))];
    assert_eq!(world(&acls, "").judge(ANNA, Wish::Subscribe, "secret"), Some(false));
}

#[test]
fn default_access_is_for_those_who_are_known_and_never_for_control() {
    let more = r#","defaultACLAccess":{"publishClientSend":true,"publishClientReceive":true,"subscribe":true,"unsubscribe":true}"#;
    let open = world(&[], more);
    let closed = world(&[], "");
    for wish in [Wish::Publish, Wish::Receive, Wish::Subscribe, Wish::Unsubscribe] {
        assert_eq!((open.judge(ANNA, wish, "t"), open.judge(NOBODY, wish, "t")), (Some(true), Some(true)));
        assert_eq!(open.judge(ANNA, wish, "$CONTROL/dynamic-security/v1"), None);
        assert_eq!(open.judge(Names { username: Some("stranger"), ..ANNA }, wish, "t"), None);
        assert_eq!(open.judge(Names { username: Some("off"), ..ANNA }, wish, "t"), Some(false));
        assert_eq!(closed.judge(ANNA, wish, "t"), None);
    }
}

#[test]
fn clients_that_are_nobody_have_the_roles_of_their_group() {
    let acls = [("of-nobody", acl("publishClientSend", "open/#", 0, true))];
    let world = world(&acls, "");
    assert_eq!((world.judge(NOBODY, Wish::Publish, "open/x"), world.judge(NOBODY, Wish::Publish, "x")), (Some(true), None));
    assert_eq!(world.judge(ANNA, Wish::Publish, "open/x"), None);
}

#[test]
fn no_rule_opens_what_is_the_servers_own() {
    let acls = ["$SYS/#", "$share/#"].map(|topic| ("own-low", acl("publishClientSend", topic, 0, true)));
    let world = world(&acls, "");
    for (topic, expected) in [
        ("$SYS/broker/uptime", Some(false)),
        ("$SYS/broker/connection/b/state", Some(true)),
        ("$SYS/broker/connection/a/b/state", Some(false)),
        ("$share/g/t", Some(false)),
    ] {
        assert_eq!(world.judge(ANNA, Wish::Publish, topic), expected, "{topic}");
    }
}

#[test]
fn a_role_may_forbid_wildcards_at_all() {
    let text = r#"{"roles":[{"rolename":"plain","allowwildcardsubs":false,"acls":[{"acltype":"subscribePattern","topic":"t/#","allow":true}]}],
        "clients":[{"username":"anna","roles":[{"rolename":"plain"}]}]}"#;
    let state = state(text);
    for (filter, expected) in [("t/a", Some(true)), ("t/+", Some(false)), ("t/#", Some(false)), ("x", None)] {
        assert_eq!(state.judge(ANNA, Wish::Subscribe, filter), expected, "{filter}");
    }
    assert_eq!(state.judge(ANNA, Wish::Unsubscribe, "t/#"), None);
}

#[test]
fn a_rule_with_a_wrong_topic_denies_where_that_shows() {
    let acls = [("own-high", acl("publishClientSend", "foo#", 0, true)), ("own-low", acl("publishClientSend", "#", 0, true))];
    let world = world(&acls, "");
    assert_eq!((world.judge(ANNA, Wish::Publish, "foox"), world.judge(ANNA, Wish::Publish, "bar")), (Some(false), Some(true)));
}
