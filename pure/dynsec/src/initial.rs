//! What stands in a file that is made because there is none, as Mosquitto 2.1 makes it.

use crate::json::Json;

/// The client that may use all topics, made with the administrator `admin` where passwords are made up for both.
pub const DEMO_CLIENT: &str = "democlient";

/// Every role that is there from the beginning: its name, what it is for, the topic, and the kinds of its rules about that.
const ROLES: [(&str, &str, &str, &[&str]); 7] = [
    ("client", "Read/write access to the full application topic hierarchy.", "#", FULL),
    ("broker-admin", "Grants access to administer general broker configuration.", "$CONTROL/broker/#", FULL),
    ("dynsec-admin", "Grants access to administer clients/groups/roles.", "$CONTROL/dynamic-security/#", FULL),
    ("super-admin", "Grants access to administer all kind of broker controls", "$CONTROL/#", FULL),
    ("sys-notify", "Allow bridges to publish connection state messages.", "$SYS/broker/connection/%c/state", &["publishClientSend"]),
    ("sys-observe", "Observe the $SYS topic hierarchy.", "$SYS/#", &["publishClientReceive", "subscribePattern"]),
    (
        "topic-observe",
        "Read only access to the full application topic hierarchy.",
        "#",
        &["publishClientReceive", "subscribePattern", "unsubscribePattern"],
    ),
];

const FULL: &[&str] = &["publishClientSend", "publishClientReceive", "subscribePattern", "unsubscribePattern"];

/// The text of the file: the administrator `admin` with this password, hashed, and [`DEMO_CLIENT`] with the other one, if there is to be one.
#[must_use]
pub fn initial_document(admin: &str, demo: Option<&str>) -> String {
    let access = [("publishClientSend", false), ("publishClientReceive", true), ("subscribe", false), ("unsubscribe", true)];
    let access = Json::object(access.map(|(kind, allow)| (kind, Json::Bool(allow))));
    let mut clients = vec![client("admin", "Admin user", admin, &["super-admin", "sys-observe", "topic-observe"])];
    let demo_text = "Demonstration client with full read/write access to the '#' topic hierarchy.";
    clients.extend(demo.map(|password| client(DEMO_CLIENT, demo_text, password, &["client"])));
    let group = Json::object([
        ("groupname", Json::text("unauthenticated")),
        ("textname", Json::text("Unauthenticated group")),
        (
            "textdescription",
            Json::text(
                "If unauthenticated access is allowed, this group can be used to define roles for clients that connect without a password.",
            ),
        ),
        ("roles", Json::List(Vec::new())),
    ]);
    let document = Json::object([
        ("defaultACLAccess", access),
        ("clients", Json::List(clients)),
        ("groups", Json::List(vec![group])),
        ("roles", Json::List(ROLES.iter().map(role).collect())),
        ("anonymousGroup", Json::text("unauthenticated")),
    ]);
    document.to_file()
}

fn client(username: &str, about: &str, password: &str, roles: &[&str]) -> Json {
    let roles = roles.iter().map(|role| Json::object([("rolename", Json::text(role))]));
    Json::object([
        ("encoded_password", Json::text(password)),
        ("username", Json::text(username)),
        ("textname", Json::text(about)),
        ("roles", Json::List(roles.collect())),
    ])
}

fn role((name, about, topic, kinds): &(&str, &str, &str, &[&str])) -> Json {
    let acl = |kind: &&str| {
        Json::object([("acltype", Json::text(kind)), ("topic", Json::text(topic)), ("priority", Json::Int(0)), ("allow", Json::Bool(true))])
    };
    let acls = Json::List(kinds.iter().map(acl).collect());
    Json::object([("rolename", Json::text(name)), ("textdescription", Json::text(about)), ("acls", acls)])
}
