//! Chains: every outcome of every member, alone and with others.

use signet_identity::{ClientIdentifierBinding, DeviceName, KeyedPeer, NamedPeer, NoIdentity, Peer, Template};
use signet_mqtt::{ClientIdentifier, Connect, ConnectProperties, Password, ProtocolVersion, QoS, TopicName};

use super::*;
use crate::admission::AdmissionRules;
use crate::answers::Known;
use crate::client::Client;
use crate::decide::{Published, authorize_connect, authorize_publish, identify, vouched};
use crate::grant::{Credential, Origin};
use crate::name_pattern::NamePattern;
use crate::pattern::TopicPattern;
use crate::rule::Rule;
use crate::ruleset::{AccessSource, Ruleset};

fn connect(username: Option<&str>, password: Option<&str>) -> Connect {
    Connect {
        version: ProtocolVersion::V5,
        is_bridge: false,
        clean_start: true,
        keep_alive: 0,
        client_identifier: ClientIdentifier::new("c"),
        will: None,
        username: username.map(|text| text.to_owned().into()),
        password: password.map(|text| Password::new(text.as_bytes().to_vec())),
        properties: ConnectProperties::default(),
    }
}

fn applicant(username: Option<&str>, password: Option<&str>) -> Applicant {
    let origin = Origin { address: Some("10.0.0.7".parse().unwrap()), listener: "lan".into() };
    let peer = Peer::Anonymous(NoIdentity::PlainTransport);
    identify(&AdmissionRules::default(), &peer, &connect(username, password), origin, 7, || unreachable!()).unwrap()
}

fn member(name: &str) -> Member {
    let proof = match name.split_once(':') {
        Some(("certificate", profile)) => Proof::Certificate { profile: Some(profile.into()) },
        _ if name == "certificate" => Proof::Certificate { profile: None },
        _ if name == "psk" => Proof::PresharedKey,
        _ if name == "anonymous" => Proof::Anonymous,
        _ if name == "everyone" => Proof::Everyone,
        _ if name == "no_username" => Proof::NoUsername,
        _ if name == "nobody" => Proof::Nobody,
        _ => Proof::Authenticator,
    };
    Member { name: name.into(), proof, when: None, on_deny: Otherwise::Deny, on_unknown: Otherwise::Continue, on_failure: Otherwise::Deny }
}

/// `a and b` is one alternative.
fn chain(alternatives: &[&str]) -> Chain {
    let members = |text: &&str| text.split(" and ").map(member).collect();
    Chain { alternatives: alternatives.iter().map(members).collect() }
}

/// Goes through a chain; what each authenticator says is the letter of its name: `a…` allows, `d…` denies, `u…` does not know, `f…` fails.
fn walk(chain: Chain, applicant: &Applicant) -> (Result<Passed, Denied>, Vec<String>) {
    let mut walk = Walk::new(Arc::new(chain));
    let mut asked = Vec::new();
    loop {
        let name = match walk.next(applicant) {
            Next::Done(decided) => return (decided, asked),
            Next::Ask(name) => name,
        };
        asked.push(name.to_string());
        let proven = ProvenNames { username: name.contains("-name"), client_identifier: name.contains("-identifier") };
        let expires_at = (&*name == "allow-until").then_some(99);
        let grant = Grant { groups: [Arc::clone(&name)].into(), expires_at, proven, ..Grant::default() };
        let outcome = match name.chars().next().unwrap() {
            'a' => Outcome::Allow(Box::new(grant)),
            'd' => Outcome::Deny("wrong password".to_owned()),
            'u' => Outcome::Unknown("not there".to_owned()),
            _ => Outcome::Failed("unreachable".to_owned()),
        };
        if let Err(denied) = walk.answer(outcome) {
            return (Err(denied), asked);
        }
    }
}

#[test]
fn a_pre_shared_key_is_no_certificate() {
    let by = |peer: &Peer| {
        let origin = Origin { address: None, listener: "keys".into() };
        identify(&AdmissionRules::default(), peer, &connect(None, None), origin, 7, || unreachable!()).unwrap()
    };
    let name = || DeviceName::new("pump-7").unwrap();
    let keyed = by(&Peer::Keyed(KeyedPeer::assertion(name(), None)));
    let named = by(&Peer::Named(NamedPeer::assertion(name())));
    let passes = |alternative: &str, applicant| walk(chain(&[alternative]), applicant).0.is_ok();
    assert!(passes("psk", &keyed) && passes("psk and allow", &keyed));
    assert!(!passes("certificate", &keyed) && !passes("certificate:factory", &keyed) && !passes("anonymous", &keyed));
    assert!(passes("certificate", &named) && !passes("psk", &named));
    assert!(!passes("psk", &applicant(None, None)));
    // Without a chain either is enough.
    assert!(Passed::without_chain(&keyed, false).is_ok());
}

#[test]
fn the_first_alternative_in_which_all_agree_decides() {
    use ReasonCode::{NotAuthorized, ServerUnavailable};
    let somebody = applicant(Some("ann"), Some("secret"));
    for (alternatives, expected, asked) in [
        (&["allow"][..], Ok(()), "allow"),
        (&["allow and also"], Ok(()), "allow also"),
        (&["unknown", "allow"], Ok(()), "unknown allow"),
        (&["allow and unknown", "also"], Ok(()), "allow unknown also"),
        (&["unknown and never", "allow"], Ok(()), "unknown allow"),
        (&["certificate and never", "allow"], Ok(()), "allow"),
        (&["anonymous", "allow"], Ok(()), "allow"),
        // A denial is final, whatever comes behind it.
        (&["deny", "allow"], Err(NotAuthorized), "deny"),
        (&["allow and deny", "also"], Err(NotAuthorized), "allow deny"),
        // So is a failure; it may be better in a minute.
        (&["fails", "allow"], Err(ServerUnavailable), "fails"),
        (&["allow and fails", "also"], Err(ServerUnavailable), "allow fails"),
        // The end of the chain denies.
        (&["unknown"], Err(NotAuthorized), "unknown"),
        (&["certificate"], Err(NotAuthorized), ""),
        (&["certificate:factory", "anonymous"], Err(NotAuthorized), ""),
        (&[], Err(NotAuthorized), ""),
    ] {
        let (decided, found) = walk(chain(alternatives), &somebody);
        assert_eq!(decided.map(drop).map_err(|denied| denied.reason_code), expected, "{alternatives:?}");
        assert_eq!(found.join(" "), asked, "{alternatives:?}");
    }
    // An alternative without members is no way in.
    let empty = Chain { alternatives: vec![Vec::new()] };
    assert!(walk(empty, &somebody).0.is_err());
}

#[test]
fn the_operator_can_have_the_chain_go_on() {
    let somebody = applicant(Some("ann"), Some("secret"));
    let with = |name: &str, change: fn(&mut Member)| {
        let mut chain = chain(&[name, "allow"]);
        change(&mut chain.alternatives[0][0]);
        walk(chain, &somebody).0
    };
    assert!(with("deny", |member| member.on_deny = Otherwise::Continue).is_ok());
    assert!(with("fails", |member| member.on_failure = Otherwise::Continue).is_ok());
    assert!(with("unknown", |member| member.on_unknown = Otherwise::Deny).is_err());
    // Whoever is asked about nobody in the client's place says that it does not know it.
    assert!(with("deny", |member| member.when = Some(Who::Devices)).is_ok());
    assert!(with("deny", |member| member.when = Some(Who::Everyone)).is_err());
    // A failure that was passed over is still why nobody was let in.
    let mut chain = chain(&["fails", "unknown"]);
    chain.alternatives[0][0].on_failure = Otherwise::Continue;
    assert_eq!(walk(chain, &somebody).0.unwrap_err().reason_code, ReasonCode::ServerUnavailable);
}

#[test]
fn what_is_granted_is_that_of_the_alternative_that_lets_in() {
    let somebody = applicant(Some("ann"), Some("secret"));
    let (passed, _) = walk(chain(&["above and unknown", "allow and allow-until"]), &somebody);
    let passed = passed.unwrap();
    let groups: Vec<&str> = passed.grant().groups.iter().map(|group| &**group).collect();
    assert_eq!((groups, passed.grant().expires_at), (vec!["allow", "allow-until"], Some(99)));
    let said: Vec<String> = passed.verdicts().iter().map(Verdict::to_string).collect();
    assert_eq!(said, ["above: allow", "unknown: continue (not there)", "allow: allow", "allow-until: allow"]);
}

#[test]
fn a_name_is_proven_only_by_somebody_who_answers_for_it() {
    let principal = |applicant: Applicant, alternatives: &[&str]| {
        let (passed, _) = walk(chain(alternatives), &applicant);
        authorize_connect(applicant, passed.unwrap()).client().principal().clone()
    };
    let ann = || applicant(Some("ann"), Some("secret"));
    assert_eq!(principal(ann(), &["allow-name"]), Principal::User("ann".into()));
    assert_eq!(principal(ann(), &["allow and also-name"]), Principal::User("ann".into()), "one of them is enough");
    assert_eq!(principal(ann(), &["allow-identifier"]), Principal::User("c".into()), "by its Client Identifier");
    assert_eq!(principal(applicant(None, Some("secret")), &["allow-name-identifier"]), Principal::User("c".into()));
    // Somebody is let in, and nobody says who it is: it owns nothing that others have under that name.
    assert_eq!(principal(ann(), &["allow"]), Principal::Unnamed);
    assert_eq!(principal(applicant(None, Some("secret")), &["allow-name"]), Principal::Unnamed);
    assert_eq!(principal(applicant(None, None), &["anonymous"]), Principal::Anonymous);
    // What was said in an alternative that did not hold proves nothing.
    assert_eq!(principal(applicant(None, None), &["allow-name and unknown", "anonymous"]), Principal::Anonymous);
    assert_eq!(principal(ann(), &["allow-name and unknown", "allow"]), Principal::Unnamed);
    assert!(walk(chain(&["anonymous"]), &applicant(Some("ann"), None)).0.is_err());
    assert!(walk(chain(&["anonymous"]), &applicant(None, Some("secret"))).0.is_err());
}

#[test]
fn nobody_is_asked_where_everyone_is_let_in_or_nobody_or_who_has_no_user_name() {
    let claims = [(None, None), (Some("ann"), None), (Some("ann"), Some("secret")), (None, Some("secret"))];
    for (alternatives, expected) in [
        (&["everyone"][..], [true, true, true, true]),
        (&["nobody"], [false; 4]),
        (&["no_username"], [true, false, false, true]),
        (&["nobody", "no_username"], [true, false, false, true]),
        (&["unknown", "no_username"], [true, false, false, true]),
        (&["deny", "everyone"], [false; 4]),
    ] {
        for ((username, password), expected) in claims.into_iter().zip(expected) {
            let applicant = applicant(username, password);
            let (decided, _) = walk(chain(alternatives), &applicant);
            assert_eq!(decided.is_ok(), expected, "{alternatives:?} {username:?} {password:?}");
            if let Ok(passed) = decided {
                // Nobody has proven the name, and nobody was to: it is the client's own word that rules see.
                let permit = authorize_connect(applicant, passed);
                assert_eq!((permit.client().principal(), permit.client().username()), (&Principal::Anonymous, username));
            }
        }
    }
    let named = Applicant { client: Client { username: Some("made".into()), ..applicant(None, None).client }, ..applicant(None, None) };
    assert!(walk(chain(&["no_username"]), &named).0.is_err(), "a name that a template has made is one");
}

#[test]
fn a_user_name_that_is_a_secret_is_nobodys_name() {
    let client = |applicant: Applicant| {
        let mut walk = Walk::new(Arc::new(chain(&["one"])));
        let Next::Ask(_) = walk.next(&applicant) else { panic!() };
        walk.answer(Outcome::Allow(Box::new(Grant { has_secret_username: true, ..Grant::default() }))).unwrap();
        let Next::Done(Ok(passed)) = walk.next(&applicant) else { panic!() };
        authorize_connect(applicant, passed).client().clone()
    };
    let let_in = client(applicant(Some("e30.e30.c2ln"), None));
    assert_eq!((let_in.username(), let_in.principal()), (None, &Principal::Unnamed));
    // One that the listener has made is a name.
    let mapped = Applicant { claimed_username: Some("e30.e30.c2ln".into()), ..applicant(Some("ann"), None) };
    assert_eq!(client(mapped).username(), Some("ann"));
}

#[test]
fn the_client_learns_nothing_of_what_was_said() {
    let (decided, _) = walk(chain(&["unknown", "deny"]), &applicant(Some("ann"), Some("secret")));
    let denied = decided.unwrap_err();
    assert_eq!(denied.to_string(), "refused by authenticator `deny`: unknown: continue (not there); deny: deny (wrong password)");
    assert_eq!(denied.reason.for_client(), "not authorized");
    assert!(!format!("{:?}", applicant(Some("ann"), Some("secret"))).contains("secret"));
}

#[test]
fn a_name_that_a_method_proves_is_the_clients_unless_it_has_one() {
    let passed = |applicant: &Applicant| {
        let mut walk = Walk::new(Arc::new(chain(&["one and two"])));
        for (name, version) in [("alice", 1), ("bob", 2)] {
            let Next::Ask(_) = walk.next(applicant) else { panic!() };
            let credentials = vec![Credential { name: format!("users/{name}").into(), version }];
            walk.answer(Outcome::Allow(Box::new(Grant { username: Some(name.into()), credentials, ..Grant::default() }))).unwrap();
        }
        let Next::Done(Ok(passed)) = walk.next(applicant) else { panic!() };
        passed
    };
    for (claimed, expected) in [(None, "alice"), (Some("carol"), "carol")] {
        let applicant = applicant(claimed, None);
        let passed = passed(&applicant);
        assert_eq!(vouched(&applicant, &passed).username(), Some(expected), "rules that are fetched see it too");
        let permit = authorize_connect(applicant, passed);
        assert_eq!(permit.client().username(), Some(expected));
        let is_proven = claimed.is_none();
        assert_eq!(permit.client().proven(), ProvenNames { username: is_proven, client_identifier: false }, "carol is not alice");
        let expected = if is_proven { Principal::User(expected.into()) } else { Principal::Unnamed };
        assert_eq!(*permit.client().principal(), expected);
        // Both of them have to go on to hold.
        let held: Vec<&str> = permit.client().grant().unwrap().credentials.iter().map(|held| &*held.name).collect();
        assert_eq!(held, ["users/alice", "users/bob"]);
    }
}

/// What is different about an applicant.
type Change = fn(&mut Applicant);

/// Everything by which rules could take somebody for another one.
#[test]
fn rules_do_not_take_a_client_at_its_word() {
    let pattern = |text: &str| vec![TopicPattern::parse(text).unwrap()];
    let allow = |who, text| Rule::allow("rule", who, pattern(text), Vec::new());
    let named = || Who::Username(NamePattern::exact("ann"));
    let identified = || Who::ClientIdentifier(NamePattern::exact("c"));
    let of_users = AccessSource::Rules {
        name: "file".into(),
        of_users: [(
            "ann".to_owned(),
            vec![allow(Who::Everyone, "file/x"), Rule::deny("no", Who::Everyone, pattern("lobby/no"), Vec::new())],
        )]
        .into(),
        rules: vec![allow(Who::Everyone, "lobby/#")],
        grants_subscribe: false,
    };
    let rules = Ruleset::compile(vec![
        Rule::deny("denies", named(), pattern("name/no"), Vec::new()),
        allow(named(), "name/#"),
        allow(Who::Not(Box::new(named())), "not/#"),
        allow(identified(), "identifier/#"),
        allow(Who::Everyone, "of/${username}"),
        allow(Who::Everyone, "by/${client_identifier}"),
        allow(Who::Users, "users/x"),
    ])
    .with_sources(vec![of_users]);
    let topics = ["name/x", "name/no", "not/x", "of/ann", "file/x", "identifier/x", "by/c", "users/x", "lobby/x", "lobby/no"];
    let may = |client: &Client| {
        let may = |topic: &&str| {
            let message = Published { qos: QoS::AtMostOnce, retain: false, will: false };
            authorize_publish(&rules, client, &TopicName::new(topic.to_string()).unwrap(), message, Known::NOTHING).is_ok()
        };
        topics.into_iter().filter(|topic| may(topic)).collect::<Vec<_>>().join(" ")
    };
    let client = |alternative: &str, change: Change| {
        let mut applicant = applicant(Some("ann"), Some("secret"));
        change(&mut applicant);
        let passed = walk(chain(&[alternative]), &applicant).0.unwrap();
        authorize_connect(applicant, passed).client().clone()
    };
    let nothing = |_: &mut Applicant| {};
    let of_name = "name/x of/ann file/x users/x lobby/x";
    let cases: [(&str, Change, &str); 9] = [
        ("allow", nothing, "users/x lobby/x"),
        ("allow-name", nothing, of_name),
        ("allow-identifier", nothing, "identifier/x by/c users/x lobby/x"),
        ("allow and also-name-identifier", nothing, "name/x of/ann file/x identifier/x by/c users/x lobby/x"),
        // Nobody has to prove anything there.
        ("everyone", nothing, "name/x of/ann file/x identifier/x by/c lobby/x"),
        // The operator believes it.
        ("allow", |applicant| applicant.names.believed = ProvenNames::USERNAME, of_name),
        ("allow", |applicant| applicant.names.believed = ProvenNames::CLIENT_IDENTIFIER, "identifier/x by/c users/x lobby/x"),
        // The listener makes the Client Identifier of the user name.
        (
            "allow-name",
            |applicant| applicant.names.is_identifier_of_username = true,
            "name/x of/ann file/x identifier/x by/c users/x lobby/x",
        ),
        ("allow", |applicant| applicant.names.is_identifier_of_username = true, "users/x lobby/x"),
    ];
    for (alternative, change, expected) in cases {
        assert_eq!(may(&client(alternative, change)), expected, "{alternative}");
    }
    let refused = client("allow", nothing);
    let message = Published { qos: QoS::AtMostOnce, retain: false, will: false };
    let denied = authorize_publish(&rules, &refused, &TopicName::new("name/x".to_owned()).unwrap(), message, Known::NOTHING).unwrap_err();
    let words = denied.or_denied(&refused).to_string();
    assert!(words.contains("under the user name `ann`, which nobody has proven"), "{words}");
    // What sources are asked about a client is what is proven of it.
    assert_eq!((refused.facts().username, refused.facts().client_identifier), (None, None));
    assert_eq!(refused.username(), Some("ann"), "it is shown as it calls itself");
}

#[test]
fn a_listener_says_which_names_are_made_and_not_claimed() {
    let template = |text: &str| Some(Template::parse(text).unwrap());
    let device = || Peer::Keyed(KeyedPeer::assertion(DeviceName::new("pump-7").unwrap(), None));
    let names = |rules: &AdmissionRules, peer: &Peer| {
        let origin = Origin { address: None, listener: "lan".into() };
        let connect = Connect { client_identifier: ClientIdentifier::new("pump-7"), ..connect(Some("ann"), None) };
        let names = identify(rules, peer, &connect, origin, 7, || unreachable!()).unwrap().names;
        (names.proven.username, names.proven.client_identifier, names.is_identifier_of_username)
    };
    let rules = AdmissionRules::default;
    let bound = |text: &str| ClientIdentifierBinding::Equals(Template::parse(text).unwrap());
    for (rules, expected) in [
        (rules(), (false, false, false)),
        (AdmissionRules { username: template("${device}"), ..rules() }, (true, false, false)),
        (AdmissionRules { username: template("${device | username}"), ..rules() }, (true, false, false)),
        (AdmissionRules { username: template("x-${username}"), ..rules() }, (false, false, false)),
        (AdmissionRules { client_identifier: template("${device}"), ..rules() }, (false, true, false)),
        (AdmissionRules { client_identifier: template("${username}"), ..rules() }, (false, false, true)),
        (AdmissionRules { client_identifier: template("${device}-${client_identifier}"), ..rules() }, (false, false, false)),
        (AdmissionRules { binding: bound("${device}"), ..rules() }, (false, true, false)),
    ] {
        assert_eq!(names(&rules, &device()), expected, "{rules:?}");
    }
    let stranger = Peer::Anonymous(NoIdentity::PlainTransport);
    for (rules, expected) in [
        (AdmissionRules { username: template("${device | username}"), ..rules() }, (false, false, false)),
        (AdmissionRules { binding: bound("pump-7"), ..rules() }, (false, false, false)),
    ] {
        assert_eq!(names(&rules, &stranger), expected, "{rules:?}");
    }
}
