//! Requests and their answers, word for word, and what follows from them.

use super::*;
use crate::state::Client;

struct Plain;

impl Passwords for Plain {
    fn hash(&mut self, password: &str) -> Option<String> {
        (password != "unlucky").then(|| format!("$7$1$salt${password}"))
    }
}

struct Somewhere;

impl Connections for Somewhere {
    fn addresses(&self, username: &str, client_identifier: Option<&str>) -> Vec<String> {
        if username == "anna" { vec![client_identifier.unwrap_or("127.0.0.1").to_owned()] } else { Vec::new() }
    }
}

fn run(state: &State, request: &str, bounds: &Bounds) -> Executed {
    let administrator = Administrator { client_identifier: "ctrl", username: Some("admin") };
    let surroundings = Surroundings { passwords: &mut Plain, connections: &Somewhere, administrator, bounds };
    execute(state, request.as_bytes(), surroundings)
}

/// `anna` in `g` (3) with the role `r` (5), `bert` in nothing; `g` has `r` too; `nobody` is the anonymous group, with the role `open`.
fn world() -> State {
    let text = r#"{"changeIndex":1,
        "roles":[{"rolename":"r","textname":"R","acls":[{"acltype":"publishClientSend","topic":"t","priority":1,"allow":true}]},{"rolename":"open"}],
        "clients":[{"username":"anna","textname":"Anna","roles":[{"rolename":"r","priority":5}]},{"username":"bert"}],
        "groups":[{"groupname":"g","roles":[{"rolename":"r"}],"clients":[{"username":"anna","priority":3}]},{"groupname":"nobody","roles":[{"rolename":"open"}]}],
        "anonymousGroup":"nobody"}"#;
    State::read(text.as_bytes(), &Bounds::default()).unwrap()
}

/// The one response to one command, without the list around it.
fn answer(state: &State, command: &str) -> (String, Executed) {
    let executed = run(state, &format!("{{\"commands\":[{command}]}}"), &Bounds::default());
    let response = executed.response.strip_prefix(r#"{"responses":["#).and_then(|rest| rest.strip_suffix("]}")).unwrap();
    (response.to_owned(), executed)
}

/// A command, its fields, what is wrong with them.
const ERRORS: [(&str, &str, &str); 67] = [
    ("setDefaultACLAccess", r#""acls":1"#, "Missing/invalid actions array"),
    ("createClient", r#""x":1"#, "Invalid/missing username"),
    ("createClient", r#""username":"""#, "Empty username"),
    ("createClient", r#""username":"a\nb""#, "Username not valid UTF-8"),
    ("createClient", r#""username":"c","password":1"#, "Invalid/missing password"),
    ("createClient", r#""username":"c","clientid":1"#, "Invalid/missing client id"),
    ("createClient", r#""username":"c","clientid":"a\nb""#, "Client ID not valid UTF-8"),
    ("createClient", r#""username":"c","textname":1"#, "Invalid/missing textname"),
    ("createClient", r#""username":"c","textdescription":1"#, "Invalid/missing textdescription"),
    ("createClient", r#""username":"anna""#, "Client already exists"),
    ("createClient", r#""username":"c","roles":1"#, ROLES_INVALID),
    ("createClient", r#""username":"c","roles":[{}]"#, ROLES_INVALID),
    ("createClient", r#""username":"c","roles":[{"rolename":"x"}]"#, "Role not found"),
    ("createClient", r#""username":"c","groups":[{"groupname":"x"}]"#, "Group not found"),
    ("createClient", r#""username":"c","password":"unlucky""#, "Internal error"),
    ("deleteClient", r#""x":1"#, "Invalid/missing username"),
    ("deleteClient", r#""username":"x""#, "Client not found"),
    ("getClient", r#""username":"x""#, "Client not found"),
    ("modifyClient", r#""username":"x""#, "Client not found"),
    ("modifyClient", r#""username":"anna","groups":[{}]"#, "'groups' contains an object with an invalid 'groupname'"),
    (
        "modifyClient",
        r#""username":"anna","groups":[{"groupname":"x"}]"#,
        "'groups' contains an object with a 'groupname' that does not exist",
    ),
    ("setClientPassword", r#""username":"anna""#, "Invalid/missing password"),
    ("setClientPassword", r#""username":"anna","password":"""#, "Empty password is not allowed"),
    ("setClientPassword", r#""username":"x","password":"p""#, "Client not found"),
    ("setClientId", r#""username":"anna","clientid":1"#, "Invalid/missing client ID"),
    ("setClientId", r#""username":"x""#, "Client not found"),
    ("addClientRole", r#""username":"anna""#, "Invalid/missing rolename"),
    ("addClientRole", r#""username":"anna","rolename":"a\nb""#, "Role name not valid UTF-8"),
    ("addClientRole", r#""username":"anna","rolename":"x""#, "Role not found"),
    ("addClientRole", r#""username":"anna","rolename":"r""#, "Internal error"),
    ("removeClientRole", r#""username":"x","rolename":"r""#, "Client not found"),
    ("enableClient", r#""username":"x""#, "Client not found"),
    ("disableClient", r#""username":"x""#, "Client not found"),
    ("createGroup", r#""groupname":"""#, "Empty groupname"),
    ("createGroup", r#""groupname":"g""#, "Group already exists"),
    ("createGroup", r#""groupname":"h","roles":1"#, "Internal error"),
    ("createGroup", r#""groupname":"h","roles":[{"rolename":"x"}]"#, "Role not found"),
    ("deleteGroup", r#""x":1"#, "Invalid/missing groupname"),
    ("deleteGroup", r#""groupname":"a\nb""#, "Group name not valid UTF-8"),
    ("deleteGroup", r#""groupname":"x""#, "Group not found"),
    ("deleteGroup", r#""groupname":"nobody""#, "Deleting the anonymous group is forbidden"),
    ("getGroup", r#""groupname":"x""#, "Group not found"),
    ("modifyGroup", r#""groupname":"g","clients":[{}]"#, "'clients' contains an object with an invalid 'username'"),
    (
        "modifyGroup",
        r#""groupname":"g","clients":[{"username":"x"}]"#,
        "'clients' contains an object with a 'username' that does not exist",
    ),
    ("modifyGroup", r#""groupname":"g","roles":1"#, ROLES_INVALID),
    ("addGroupClient", r#""groupname":"g","username":"anna""#, "Client is already in this group"),
    ("addGroupClient", r#""groupname":"g","username":"x""#, "Client not found"),
    ("addGroupClient", r#""groupname":"x","username":"anna""#, "Group not found"),
    ("removeGroupClient", r#""groupname":"x","username":"anna""#, "Group not found"),
    ("addGroupRole", r#""groupname":"g","rolename":"r""#, "Group is already in this role"),
    ("addGroupRole", r#""groupname":"g","rolename":"x""#, "Role not found"),
    ("removeGroupRole", r#""groupname":"x","rolename":"r""#, "Group not found"),
    ("setAnonymousGroup", r#""groupname":"x""#, "Group not found"),
    ("createRole", r#""rolename":"""#, "Empty rolename"),
    ("createRole", r#""rolename":"r""#, "Role already exists"),
    ("createRole", r#""rolename":"s","allowwildcardsubs":1"#, "Invalid allowwildcardsubs"),
    ("getRole", r#""rolename":"x""#, "Role not found"),
    ("modifyRole", r#""rolename":"x""#, "Role does not exist"),
    ("deleteRole", r#""rolename":"x""#, "Role not found"),
    ("addRoleACL", r#""rolename":"r""#, "Invalid/missing acltype"),
    ("addRoleACL", r#""rolename":"r","acltype":"x""#, "Unknown acltype"),
    ("addRoleACL", r#""rolename":"r","acltype":"subscribeLiteral""#, "Invalid/missing topic"),
    ("addRoleACL", r##""rolename":"r","acltype":"subscribeLiteral","topic":"a#""##, "Invalid ACL topic"),
    ("addRoleACL", r#""rolename":"r","acltype":"subscribeLiteral","topic":"a\nb""#, "Topic not valid UTF-8"),
    ("addRoleACL", r#""rolename":"r","acltype":"PUBLISHCLIENTSEND","topic":"t""#, "ACL with this topic already exists"),
    ("removeRoleACL", r#""rolename":"r","acltype":"subscribeLiteral","topic":"t""#, "ACL not found"),
    ("tellMeAll", r#""x":1"#, "Unknown command"),
];

#[test]
fn errors_word_for_word() {
    for (command, fields, error) in ERRORS {
        let (response, executed) = answer(&world(), &format!(r#"{{"command":"{command}",{fields},"correlationData":"7"}}"#));
        assert_eq!(response, format!(r#"{{"command":"{command}","error":"{error}","correlationData":"7"}}"#), "{command} {fields}");
        assert!(!executed.is_changed, "{command} {fields}");
        assert_eq!(executed.state.write(), world().write(), "{command} {fields}");
    }
}

#[test]
fn who_is_kicked_and_what_is_changed() {
    let client = |name: &str| Kick::Client(name.to_owned());
    for (command, kicks) in [
        (r#"{"command":"setDefaultACLAccess","acls":[{"acltype":"SUBSCRIBE","allow":true},{"acltype":"x","allow":true},{}]}"#, vec![]),
        (
            r#"{"command":"createClient","username":"c","password":"p","groups":[{"groupname":"g","priority":2},{}],"roles":[{"rolename":"r"}]}"#,
            vec![],
        ),
        (r#"{"command":"deleteClient","username":"anna"}"#, vec![client("anna")]),
        (r#"{"command":"disableClient","username":"anna"}"#, vec![client("anna")]),
        (r#"{"command":"enableClient","username":"anna"}"#, vec![]),
        (r#"{"command":"setClientId","username":"anna","clientid":"c-1"}"#, vec![client("anna")]),
        (r#"{"command":"setClientPassword","username":"anna","password":"p"}"#, vec![client("anna")]),
        (
            r#"{"command":"modifyClient","username":"anna","textname":"A","groups":[],"roles":[],"password":"p","clientid":""}"#,
            vec![client("anna")],
        ),
        (r#"{"command":"addClientRole","username":"bert","rolename":"r","priority":9}"#, vec![client("bert")]),
        (r#"{"command":"removeClientRole","username":"anna","rolename":"r"}"#, vec![client("anna")]),
        (r#"{"command":"createGroup","groupname":"h","roles":[{"rolename":"r"}]}"#, vec![]),
        (r#"{"command":"deleteGroup","groupname":"g"}"#, vec![client("anna")]),
        (r#"{"command":"modifyGroup","groupname":"g","clients":[{"username":"bert"}]}"#, vec![client("anna"), client("bert")]),
        (r#"{"command":"addGroupClient","groupname":"g","username":"bert"}"#, vec![client("bert")]),
        (r#"{"command":"removeGroupClient","groupname":"g","username":"anna"}"#, vec![client("anna")]),
        (r#"{"command":"addGroupRole","groupname":"g","rolename":"open"}"#, vec![client("anna")]),
        (r#"{"command":"removeGroupRole","groupname":"g","rolename":"r"}"#, vec![client("anna")]),
        (r#"{"command":"removeGroupRole","groupname":"nobody","rolename":"open"}"#, vec![Kick::Anonymous]),
        (r#"{"command":"setAnonymousGroup","groupname":"g"}"#, vec![Kick::Anonymous]),
        (r#"{"command":"createRole","rolename":"s","acls":[{"acltype":"subscribeLiteral","topic":"x"}]}"#, vec![]),
        (r#"{"command":"modifyRole","rolename":"r","textname":"x"}"#, vec![]),
        (r#"{"command":"modifyRole","rolename":"r","allowwildcardsubs":true,"acls":[]}"#, vec![client("anna")]),
        (r#"{"command":"modifyRole","rolename":"open","allowwildcardsubs":false}"#, vec![Kick::Anonymous]),
        (r#"{"command":"deleteRole","rolename":"r"}"#, vec![client("anna")]),
        (r#"{"command":"addRoleACL","rolename":"open","acltype":"subscribeLiteral","topic":"x"}"#, vec![Kick::Anonymous]),
        (r#"{"command":"removeRoleACL","rolename":"r","acltype":"publishClientSend","topic":"t"}"#, vec![client("anna")]),
    ] {
        let (response, executed) = answer(&world(), command);
        assert!(!response.contains("error"), "{command}: {response}");
        assert!(executed.is_changed && executed.state.write() != world().write(), "{command}");
        assert_eq!(executed.state.change_index, 2, "{command}");
        assert_eq!(executed.kicks, kicks, "{command}");
        for kick in &executed.kicks {
            let Kick::Client(name) = kick else { continue };
            let version = |state: &State| state.client(name).map(Client::version);
            assert_ne!(version(&executed.state), version(&world()), "{command}: what let {name} in goes on to hold");
        }
        // What was written is what there is.
        let again = State::read(executed.state.write().as_bytes(), &Bounds::default()).unwrap();
        assert_eq!(again.write(), executed.state.write(), "{command}");
        assert_eq!(executed.log.len(), if command.contains("setDefault") { 2 } else { 1 }, "{command}");
    }
}

#[test]
fn what_is_shown() {
    let role = r#"{"rolename":"r","textname":"R","allowwildcardsubs":true,"acls":[{"acltype":"publishClientSend","topic":"t","priority":1,"allow":true}]}"#;
    let group = r#"{"groupname":"g","clients":[{"username":"anna"}],"roles":[{"rolename":"r"}]}"#;
    let client = r#"{"username":"anna","textname":"Anna","roles":[{"rolename":"r","priority":5}],"groups":[{"groupname":"g","priority":3}],"connections":[{"address":"127.0.0.1"}]}"#;
    for (command, data) in [
        (r#"{"command":"GETclient","username":"anna"}"#, format!(r#"{{"command":"getClient","data":{{"client":{client}}}}}"#)),
        (r#"{"command":"getGroup","groupname":"g"}"#, format!(r#"{{"command":"getGroup","data":{{"group":{group}}}}}"#)),
        (r#"{"command":"getRole","rolename":"r"}"#, format!(r#"{{"command":"getRole","data":{{"role":{role}}}}}"#)),
        (r#"{"command":"listClients"}"#, r#"{"command":"listClients","data":{"totalCount":2,"clients":["anna","bert"]}}"#.to_owned()),
        (r#"{"command":"listClients","count":1,"offset":1}"#, r#"{"command":"listClients","data":{"totalCount":2,"clients":["bert"]}}"#.to_owned()),
        (r#"{"command":"listClients","count":0}"#, r#"{"command":"listClients","data":{"totalCount":2,"clients":["anna"]}}"#.to_owned()),
        (
            r#"{"command":"listClients","count":1,"verbose":true}"#,
            format!(r#"{{"command":"listClients","data":{{"totalCount":2,"clients":[{client}]}}}}"#),
        ),
        (
            r#"{"command":"listGroups","count":1,"verbose":true}"#,
            format!(r#"{{"command":"listGroups","data":{{"totalCount":2,"groups":[{group}]}}}}"#),
        ),
        (r#"{"command":"listRoles","offset":1,"verbose":true}"#, format!(r#"{{"command":"listRoles","data":{{"totalCount":2,"roles":[{role}]}}}}"#)),
        (r#"{"command":"listRoles","offset":9}"#, r#"{"command":"listRoles","data":{"totalCount":2,"roles":[]}}"#.to_owned()),
        (r#"{"command":"getAnonymousGroup"}"#, r#"{"command":"getAnonymousGroup","data":{"group":{"groupname":"nobody"}}}"#.to_owned()),
        (
            r#"{"command":"getDetails"}"#,
            r#"{"command":"getDetails","data":{"clientCount":2,"groupCount":2,"roleCount":2,"changeIndex":1}}"#.to_owned(),
        ),
        (
            r#"{"command":"getDefaultACLAccess"}"#,
            r#"{"command":"getDefaultACLAccess","data":{"acls":[{"acltype":"publishClientSend","allow":false},{"acltype":"publishClientReceive","allow":false},{"acltype":"subscribe","allow":false},{"acltype":"unsubscribe","allow":false}]}}"#
                .to_owned(),
        ),
    ] {
        let (response, executed) = answer(&world(), command);
        assert_eq!(response, data, "{command}");
        assert!(!executed.is_changed && executed.kicks.is_empty());
    }
}

#[test]
fn a_request_that_is_none_and_one_that_breaks_off() {
    let error = |command: &str, error: &str| format!(r#"{{"responses":[{{"command":"{command}","error":"{error}"}}]}}"#);
    for (request, expected) in [
        ("", error("Unknown command", "Payload not valid JSON")),
        ("{", error("Unknown command", "Payload not valid JSON")),
        ("[]", error("Unknown command", "Invalid/missing commands")),
        (r#"{"commands":{}}"#, error("Unknown command", "Invalid/missing commands")),
        (r#"{"commands":[1,{"command":"getDetails"}]}"#, error("Unknown command", "Command not an object")),
        (r#"{"commands":[{"x":1}]}"#, error("Unknown command", "Missing command")),
        (
            r#"{"commands":[{"command":"enableClient","correlationData":1},{}]}"#,
            error("enableClient", "Invalid correlationData data type."),
        ),
        (r#"{"commands":[]} and more"#, r#"{"responses":[]}"#.to_owned()),
    ] {
        assert_eq!(run(&world(), request, &Bounds::default()).response, expected, "{request}");
    }
}

#[test]
fn one_that_fails_does_not_keep_the_next_from_being_tried() {
    let request = r#"{"commands":[{"command":"deleteClient","username":"x"},{"command":"deleteClient","username":"anna"},{"command":"getClient","username":"anna"}]}"#;
    let executed = run(&world(), request, &Bounds::default());
    let expected = r#"{"responses":[{"command":"deleteClient","error":"Client not found"},{"command":"deleteClient"},{"command":"getClient","error":"Client not found"}]}"#;
    assert_eq!(executed.response, expected);
    assert!(executed.is_changed && executed.state.client("anna").is_none());
    assert!(executed.state.groups.get("g").unwrap().clients.is_empty());
}

#[test]
fn every_bound_holds() {
    let bounds = Bounds {
        request_bytes: 300,
        commands: 2,
        response_bytes: 60,
        clients: 2,
        groups: 2,
        roles: 2,
        acls: 1,
        memberships: 1,
        text_bytes: 9,
        ..Bounds::default()
    };
    for (request, error) in [
        (" ".repeat(301), "Request too large"),
        (r#"{"commands":[1,2,3]}"#.to_owned(), "Too many commands"),
        (r#"{"commands":[{"command":"createClient","username":"c"}]}"#.to_owned(), "Too many clients"),
        (r#"{"commands":[{"command":"createGroup","groupname":"c"}]}"#.to_owned(), "Too many groups"),
        (r#"{"commands":[{"command":"createRole","rolename":"c"}]}"#.to_owned(), "Too many roles"),
        (r#"{"commands":[{"command":"addRoleACL","rolename":"r","acltype":"subscribeLiteral","topic":"x"}]}"#.to_owned(), "Too many ACLs"),
        (r#"{"commands":[{"command":"modifyRole","rolename":"r","acls":[{},{}]}]}"#.to_owned(), "Too many ACLs"),
        (r#"{"commands":[{"command":"addClientRole","username":"anna","rolename":"open"}]}"#.to_owned(), TOO_MANY_MEMBERSHIPS),
        (r#"{"commands":[{"command":"addGroupClient","username":"anna","groupname":"nobody"}]}"#.to_owned(), TOO_MANY_MEMBERSHIPS),
        (
            r#"{"commands":[{"command":"modifyClient","username":"bert","roles":[{"rolename":"r"},{"rolename":"open"}]}]}"#.to_owned(),
            TOO_MANY_MEMBERSHIPS,
        ),
        (r#"{"commands":[{"command":"modifyClient","username":"bert","textname":"0123456789"}]}"#.to_owned(), "Text too long"),
        (r#"{"commands":[{"command":"listRoles","verbose":true},{"command":"listClients"}]}"#.to_owned(), "Response too large"),
    ] {
        let executed = run(&world(), &request, &bounds);
        assert!(executed.response.contains(&format!(r#""error":"{error}""#)), "{request}: {}", executed.response);
        assert!(!executed.is_changed);
    }
}

#[test]
fn the_log_names_who_did_what_and_no_secret() {
    let (_, executed) = answer(&world(), r#"{"command":"createClient","username":"c","password":"secret"}"#);
    assert_eq!(executed.log, ["dynsec: ctrl/admin | createClient | username=c | password=*****"]);
    let (_, executed) = answer(&world(), r#"{"command":"setClientPassword","username":"anna","password":"secret"}"#);
    assert_eq!(executed.log, ["dynsec: ctrl/admin | setClientPassword | username=anna | password=******"]);
}
