//! The decisions, from CONNECT and certificate to permit or denial.

use std::sync::LazyLock;

use signet_identity::{ClientIdentifierBinding, DeviceIdentity, DeviceName, KeyDigest, Leaf, NoIdentity, Template, VerifiedPeer};
use signet_mqtt::{ConnectProperties, ProtocolVersion};

use super::*;
use crate::bridge::{BridgeClient, BridgeRights};
use crate::name_pattern::NamePattern;
use crate::pattern::TopicPattern;
use crate::rule::Rule;
use crate::who::Who;

fn device(name: &str) -> Peer {
    static LEAF: LazyLock<Leaf> = LazyLock::new(|| {
        let certificate = rcgen::generate_simple_self_signed(vec!["device.test".to_owned()]).unwrap();
        Leaf::parse(certificate.cert.der()).unwrap()
    });
    Peer::Device(VerifiedPeer::assertion(
        Arc::new(DeviceIdentity::new(DeviceName::new(name).unwrap(), LEAF.clone(), KeyDigest::of(b"issuer"), [])),
        false,
    ))
}

fn publish(rules: &Ruleset, client: &Client, topic: &TopicName, qos: QoS, retain: bool) -> Result<PublishPermit, Denied> {
    let message = Published { qos, retain, will: false };
    authorize_publish(rules, client, topic, message, Known::NOTHING).map_err(|no| no.or_denied(client))
}

fn subscribe(rules: &Ruleset, client: &Client, filter: &TopicFilter, qos: QoS) -> Result<SubscribePermit, Denied> {
    authorize_subscribe(rules, client, filter, qos, Known::NOTHING).map_err(|no| no.or_denied(client))
}

fn receives_now(rules: &Ruleset, client: &Client, topic: &TopicName) -> bool {
    may_receive(rules, client, topic, QoS::AtMostOnce, Known::NOTHING)
}

fn connect(client_identifier: &str, username: Option<&str>) -> Connect {
    Connect {
        version: ProtocolVersion::V5,
        is_bridge: false,
        clean_start: true,
        keep_alive: 0,
        client_identifier: ClientIdentifier::new(client_identifier.to_owned()),
        will: None,
        username: username.map(|text| text.to_owned().into()),
        password: None,
        properties: ConnectProperties::default(),
    }
}

fn decide(rules: &AdmissionRules, peer: &Peer, connect: &Connect) -> Result<ConnectPermit, Denied> {
    connecting(rules, peer, connect, || ClientIdentifier::new("assigned"))
}

fn origin() -> Origin {
    Origin { address: None, listener: "here".into() }
}

fn connecting(
    rules: &AdmissionRules,
    peer: &Peer,
    connect: &Connect,
    assigned: impl FnOnce() -> ClientIdentifier,
) -> Result<ConnectPermit, Denied> {
    let applicant = identify(rules, peer, connect, origin(), 0, assigned)?;
    let passed = Passed::without_chain(&applicant, rules.anonymous)?;
    Ok(authorize_connect(applicant, passed))
}

fn template(text: &str) -> Template {
    Template::parse(text).unwrap()
}

fn topic(text: &str) -> TopicName {
    TopicName::new(text.to_owned()).unwrap()
}

fn filter(text: &str) -> TopicFilter {
    TopicFilter::new(text.to_owned()).unwrap()
}

fn rule(who: Who, publish: &str, subscribe: &str) -> Rule {
    Rule {
        name: "rule".to_owned(),
        who,
        publish: vec![TopicPattern::parse(publish).unwrap()],
        subscribe: vec![TopicPattern::parse(subscribe).unwrap()],
        ..Rule::default()
    }
}

fn client(peer: &Peer) -> Arc<Client> {
    let rules = AdmissionRules { anonymous: true, ..AdmissionRules::default() };
    Arc::clone(decide(&rules, peer, &connect("c", Some("ann"))).unwrap().client())
}

#[test]
fn by_default_only_verified_devices_connect() {
    let rules = AdmissionRules::default();
    let denied = decide(&rules, &Peer::Anonymous(NoIdentity::NotPresented), &connect("c", None)).unwrap_err();
    assert_eq!((denied.reason_code, denied.rule.as_str()), (ReasonCode::NotAuthorized, "listener: anonymous = false"));
    assert!(denied.to_string().contains("the client presented none"), "{denied}");
    let permit = decide(&rules, &device("pump-7"), &connect("c", None)).unwrap();
    assert_eq!(permit.client().principal().to_string(), "device `pump-7`");
    assert!(permit.client().identity().is_some());
}

#[test]
fn names_are_taken_from_the_certificate_whatever_the_client_claims() {
    let rules = AdmissionRules {
        username: Some(template("u-${device}")),
        client_identifier: Some(template("${device}")),
        ..AdmissionRules::default()
    };
    let permit = decide(&rules, &device("pump-7"), &connect("admin", Some("root"))).unwrap();
    assert_eq!((permit.client().username(), permit.client().client_identifier().as_str()), (Some("u-pump-7"), "pump-7"));
    assert!(!permit.is_assigned());
}

#[test]
fn a_missing_field_is_refused_and_never_replaced_by_a_claim() {
    let rules = AdmissionRules { username: Some(template("${cert.san.uri}")), ..AdmissionRules::default() };
    let denied = decide(&rules, &device("pump-7"), &connect("c", Some("root"))).unwrap_err();
    assert!(matches!(denied.reason, DenialReason::Mapping { what: "user name", .. }));
    assert_eq!(denied.reason_code, ReasonCode::BadUserNameOrPassword);
    let rules = AdmissionRules { anonymous: true, client_identifier: Some(template("${device}")), ..AdmissionRules::default() };
    let denied = decide(&rules, &Peer::Anonymous(NoIdentity::NotPresented), &connect("pump-7", None)).unwrap_err();
    assert_eq!(denied.reason_code, ReasonCode::ClientIdentifierNotValid);
}

#[test]
fn a_user_name_can_be_the_client_identifier() {
    let own = AdmissionRules { anonymous: true, client_identifier: Some(template("${username}")), ..AdmissionRules::default() };
    let nobody = Peer::Anonymous(NoIdentity::NotPresented);
    let permit = decide(&own, &nobody, &connect("c", Some("ann"))).unwrap();
    assert_eq!(permit.client().client_identifier().as_str(), "ann");
    assert_eq!(decide(&own, &nobody, &connect("c", None)).unwrap_err().reason_code, ReasonCode::NotAuthorized);
    let mapped = AdmissionRules { username: Some(template("${cert.cn}")), ..own };
    let permit = decide(&mapped, &device("pump-7"), &connect("c", Some("ann"))).unwrap();
    assert_eq!(
        permit.client().client_identifier().as_str(),
        permit.client().username().unwrap(),
        "what the template made, not what was claimed"
    );
    assert_ne!(permit.client().client_identifier().as_str(), "ann");
}

#[test]
fn a_bound_identifier_has_to_belong_to_the_certificate() {
    let equals = AdmissionRules { binding: ClientIdentifierBinding::Equals(template("${device}")), ..AdmissionRules::default() };
    let prefix = AdmissionRules { binding: ClientIdentifierBinding::Prefix(template("${device}")), ..AdmissionRules::default() };
    for (rules, claimed, expected) in [
        (&equals, "pump-7", true),
        (&equals, "pump-7-x", false),
        (&equals, "", false),
        (&prefix, "pump-7-x", true),
        (&prefix, "pump-70", false),
    ] {
        let decided = decide(rules, &device("pump-7"), &connect(claimed, None));
        assert_eq!(decided.is_ok(), expected, "`{claimed}`");
        if let Err(denied) = decided {
            assert_eq!(denied.reason_code, ReasonCode::ClientIdentifierNotValid);
        }
    }
}

#[test]
fn an_empty_identifier_is_assigned() {
    let permit = decide(&AdmissionRules::default(), &device("pump-7"), &connect("", None)).unwrap();
    assert_eq!((permit.client().client_identifier().as_str(), permit.is_assigned()), ("assigned", true));
}

#[test]
fn what_no_rule_allows_is_denied() {
    let pump = client(&device("pump-7"));
    let rules = Ruleset::compile(vec![rule(Who::Devices, "${device}/#", "${device}/#")]);
    let permit = publish(&rules, &pump, &topic("pump-7/x"), QoS::AtMostOnce, false).unwrap();
    assert_eq!(permit.topic().as_str(), "pump-7/x");
    let denied = publish(&rules, &pump, &topic("pump-8/x"), QoS::AtMostOnce, false).unwrap_err();
    assert_eq!(denied.reason_code, ReasonCode::NotAuthorized);
    assert!(denied.to_string().contains("device `pump-7`"), "{denied}");
    assert!(subscribe(&rules, &pump, &filter("pump-7/#"), QoS::AtMostOnce).is_ok());
    assert!(subscribe(&rules, &pump, &filter("#"), QoS::AtMostOnce).is_err());
    assert!(subscribe(&rules, &pump, &filter("$share/g/pump-7/#"), QoS::AtMostOnce).is_ok());
    assert!(subscribe(&rules, &pump, &filter("$share/pump-7/pump-8/#"), QoS::AtMostOnce).is_err());
    assert!(publish(&Ruleset::compile(Vec::new()), &pump, &topic("x"), QoS::AtMostOnce, false).is_err());
}

#[test]
fn without_rules_everything_is_allowed_but_the_topics_of_the_server() {
    let pump = client(&device("pump-7"));
    let rules = Ruleset::allow_all();
    assert!(publish(&rules, &pump, &topic("x"), QoS::AtMostOnce, true).is_ok());
    assert!(publish(&rules, &pump, &topic("$SYS/x"), QoS::AtMostOnce, true).is_err());
    assert!(subscribe(&rules, &pump, &filter("$SYS/#"), QoS::AtMostOnce).is_ok());
}

#[test]
fn rules_apply_to_those_they_name() {
    let (pump, nobody) = (client(&device("pump-7")), client(&Peer::Anonymous(NoIdentity::PlainTransport)));
    for (who, for_pump, for_nobody) in [
        (Who::Everyone, true, true),
        (Who::Devices, true, false),
        (Who::Anonymous, false, true),
        (Who::Device(NamePattern::new("pump-*")), true, false),
        (Who::Device(NamePattern::new("valve-*")), false, false),
        (Who::Username(NamePattern::exact("ann")), true, true),
        (Who::Username(NamePattern::exact("bob")), false, false),
    ] {
        let rules = Ruleset::compile(vec![rule(who.clone(), "t", "t")]).with_version(3);
        assert_eq!(rules.version(), 3);
        for (client, expected) in [(&pump, for_pump), (&nobody, for_nobody)] {
            assert_eq!(publish(&rules, client, &topic("t"), QoS::AtMostOnce, false).is_ok(), expected, "{who:?}");
        }
    }
}

#[test]
fn a_bridge_may_do_what_its_list_says_whatever_the_rules_say() {
    let own = BridgeClient::new("hq");
    let rights = BridgeRights {
        name: "hq".into(),
        client_identifier: own.client_identifier.clone(),
        publish: vec![filter("in/#"), filter("$SYS/broker/load/#")],
        subscribe: vec![filter("out/+")],
    };
    let admission = AdmissionRules { bridge: Some(own), ..AdmissionRules::default() };
    let permit = decide(&admission, &Peer::Anonymous(NoIdentity::PlainTransport), &connect("whatever", None)).unwrap();
    let client = permit.client();
    assert_eq!(client.client_identifier().as_str(), "$bridge/hq");
    assert_eq!(client.principal().to_string(), "bridge `hq`");
    for rules in [Ruleset::allow_all(), Ruleset::compile(Vec::new())] {
        let without = publish(&rules, client, &topic("in/a"), QoS::AtMostOnce, false);
        assert!(without.is_err(), "a bridge without a list may do nothing");
        let rules = rules.with_bridges(vec![rights.clone()]);
        let may_publish = |name: &str| publish(&rules, client, &topic(name), QoS::ExactlyOnce, true).is_ok();
        assert_eq!(["in/a/b", "out/a", "$SYS/broker/load/1", "$SYS/broker/uptime"].map(may_publish), [true, false, true, false]);
        let may_subscribe = |text: &str| subscribe(&rules, client, &filter(text), QoS::AtMostOnce).is_ok();
        assert_eq!(["out/+", "out/a", "in/#"].map(may_subscribe), [true, false, false]);
    }
}

#[test]
fn no_client_gets_the_identifier_of_a_bridge() {
    let rules = AdmissionRules { anonymous: true, ..AdmissionRules::default() };
    let denied = decide(&rules, &Peer::Anonymous(NoIdentity::PlainTransport), &connect("$bridge/hq", None)).unwrap_err();
    assert_eq!(denied.reason_code, ReasonCode::ClientIdentifierNotValid);
    assert!(denied.to_string().contains("belong to the bridges"), "{denied}");
}

#[test]
fn the_server_itself_publishes_under_its_own_topics_only() {
    let topic = |text: &str| TopicName::new(text.to_owned()).unwrap();
    assert_eq!(authorize_server_publish(&topic("$SYS/broker/uptime")).unwrap().topic().as_str(), "$SYS/broker/uptime");
    for elsewhere in ["$SYS", "$SYSTEM/x", "a/$SYS/x", "$share/x", "a"] {
        assert!(authorize_server_publish(&topic(elsewhere)).is_err(), "`{elsewhere}`");
    }
}

#[test]
fn a_stored_client_is_the_same_as_one_that_connects_with_the_same_facts() {
    let rules = AdmissionRules { anonymous: true, ..AdmissionRules::default() };
    let permit = |peer: &Peer, username| connecting(&rules, peer, &connect("c", username), || unreachable!()).unwrap();
    let peer = device("pump-7");
    let client = permit(&peer, Some("u"));
    let client = client.client();
    let stored = Client::restored(
        client.principal().clone(),
        client.username().map(Into::into),
        client.client_identifier().clone(),
        client.identity().cloned(),
    );
    assert!(stored.has_same_names(client));
    for (peer, username) in [(&peer, None), (&device("pump-8"), Some("u")), (&Peer::Anonymous(NoIdentity::PlainTransport), Some("u"))] {
        assert!(!stored.has_same_names(permit(peer, username).client()));
    }
}

fn tenants_device(name: &str, tenant: &str) -> Peer {
    let identity = device(name).identity().map(|identity| DeviceIdentity::clone(identity)).unwrap();
    Peer::Device(VerifiedPeer::assertion(Arc::new(identity.under("profile".into(), Some(tenant.into()))), false))
}

#[test]
fn rules_see_a_tenants_topics_as_its_clients_do_and_permits_are_for_the_whole_topic() {
    let rules = Ruleset::compile(vec![rule(Who::Device(NamePattern::new("pump-*")), "${device}/#", "${device}/#")]);
    let pump = client(&tenants_device("pump-7", "acme"));
    let permit = publish(&rules, &pump, &topic("pump-7/x"), QoS::AtMostOnce, false).unwrap();
    assert_eq!((permit.topic().as_str(), permit.rule()), ("acme/pump-7/x", "rule"));
    let permit = subscribe(&rules, &pump, &filter("$share/g/pump-7/#"), QoS::AtMostOnce).unwrap();
    assert_eq!((permit.filter().as_str(), permit.rule()), ("$share/g/acme/pump-7/#", "rule"));
    assert!(publish(&rules, &pump, &topic("acme/pump-7/x"), QoS::AtMostOnce, false).is_err());
    assert!(receives_now(&rules, &pump, &topic("acme/pump-7/x")));
    for elsewhere in ["pump-7/x", "other/pump-7/x", "acme/pump-8/x", "acme"] {
        assert!(!receives_now(&rules, &pump, &topic(elsewhere)), "`{elsewhere}`");
    }
}

#[test]
fn no_tenant_publishes_to_the_servers_own_topics_and_a_rule_has_to_name_them_to_be_read() {
    let pump = client(&tenants_device("pump-7", "acme"));
    let named = Ruleset::compile(vec![rule(Who::Everyone, "$SYS/#", "$SYS/#")]);
    for rules in [&named, &Ruleset::allow_all()] {
        let denied = publish(rules, &pump, &topic("$SYS/x"), QoS::AtMostOnce, false).unwrap_err();
        assert!(matches!(denied.reason, DenialReason::Mount { .. }), "{denied}");
        assert!(denied.to_string().starts_with("refused by tenant `acme`"), "{denied}");
    }
    assert!(subscribe(&Ruleset::allow_all(), &pump, &filter("$SYS/#"), QoS::AtMostOnce).is_err());
    assert!(subscribe(&Ruleset::compile(vec![rule(Who::Everyone, "#", "#")]), &pump, &filter("$SYS/#"), QoS::AtMostOnce).is_err());
    let permit = subscribe(&named, &pump, &filter("$SYS/#"), QoS::AtMostOnce).unwrap();
    assert_eq!(permit.filter().as_str(), "$SYS/#");
}

#[test]
fn devices_of_two_tenants_are_two_devices_and_their_sessions_are_apart() {
    let [acme, other] = ["acme", "other"].map(|tenant| client(&tenants_device("pump-7", tenant)));
    assert_ne!(acme.principal(), other.principal());
    assert_ne!(acme.principal(), client(&device("pump-7")).principal());
    assert_eq!(acme.principal().to_string(), "device `acme/pump-7`");
    assert_eq!(acme.device().unwrap().as_str(), "pump-7");
    assert_ne!(acme.session_key(), other.session_key());
    let restored = Client::restored(
        Principal::Device(DeviceName::new("pump-7").unwrap().into()),
        acme.username().map(|username| username.to_owned().into()),
        acme.client_identifier().clone(),
        acme.identity().cloned(),
    );
    assert!(acme.has_same_names(&restored), "the store keeps the bare name and the identity");
    assert_eq!(acme.session_key(), restored.session_key());
    for tenant in ["", "a/b", "+", "#", "$SYS", "a\0b"] {
        let denied = decide(&AdmissionRules::default(), &tenants_device("pump-7", tenant), &connect("c", None)).unwrap_err();
        assert!(matches!(denied.reason, DenialReason::Tenant { .. }), "`{tenant}`: {denied}");
    }
}

#[test]
fn a_profile_adds_its_rules_to_the_general_ones_and_either_list_denies_what_none_allows() {
    let profile = |rules| [("profile".to_owned(), rules)];
    let own = vec![Rule { name: "profile rule".to_owned(), ..rule(Who::Everyone, "own/#", "own/#") }];
    let pump = client(&tenants_device("pump-7", "acme"));
    let nobody = client(&Peer::Anonymous(NoIdentity::NotPresented));
    let publishes = |rules: &Ruleset, client: &Client, name: &str| {
        publish(rules, client, &topic(name), QoS::AtMostOnce, false).map(|permit| permit.rule().to_owned()).ok()
    };
    let both = Ruleset::compile(vec![rule(Who::Everyone, "all/#", "all/#")]).with_profile_rules(profile(own.clone()));
    assert_eq!(publishes(&both, &pump, "all/x").as_deref(), Some("rule"));
    assert_eq!(publishes(&both, &pump, "own/x").as_deref(), Some("profile rule"));
    assert_eq!(publishes(&both, &pump, "x"), None);
    assert_eq!(publishes(&both, &nobody, "own/x"), None);
    let alone = Ruleset::allow_all().with_profile_rules(profile(own));
    assert_eq!(publishes(&alone, &pump, "own/x").as_deref(), Some("profile rule"));
    assert_eq!(publishes(&alone, &pump, "x"), None, "one list is enough to deny by default");
    assert_eq!(publishes(&alone, &nobody, "x").as_deref(), Some("no access rules: everything is allowed"));
    let shut = Ruleset::allow_all().with_profile_rules(profile(Vec::new()));
    assert_eq!(publishes(&shut, &pump, "x"), None, "an empty list denies everything");
}

#[test]
fn an_explanation_names_every_rule_that_was_there_to_be_asked() {
    let named = |name: &str, rule: Rule| Rule { name: name.to_owned(), ..rule };
    let rules = Ruleset::compile(vec![
        named("access rule 1", rule(Who::Anonymous, "#", "#")),
        named("access rule 2", rule(Who::Everyone, "b", "b")),
        named("access rule 3", rule(Who::Everyone, "a", "a")),
    ])
    .with_profile_rules([("profile".to_owned(), vec![named("profile: access rule 1", rule(Who::Devices, "c", "c"))])]);
    let pump = client(&tenants_device("pump-7", "acme"));
    let explained = crate::explain_publish(&rules, &pump, &topic("a"), Published { qos: QoS::AtMostOnce, retain: false, will: false });
    assert_eq!((explained.allowed, explained.rule.as_str()), (true, "access rule 3"));
    let facts = |explained: &crate::Explanation| -> Vec<(String, bool, bool, bool)> {
        let facts = explained.considered.iter();
        facts.map(|rule| (rule.rule.clone(), rule.from == crate::ConsideredFrom::Profile, rule.includes_client, rule.covers)).collect()
    };
    assert_eq!(
        facts(&explained),
        [
            ("access rule 1".to_owned(), false, false, true),
            ("access rule 2".to_owned(), false, true, false),
            ("access rule 3".to_owned(), false, true, true),
            ("profile: access rule 1".to_owned(), true, true, false),
        ]
    );
    let refused = crate::explain_subscribe(&rules, &pump, &filter("#"), QoS::AtMostOnce);
    assert!(!refused.allowed && refused.denied.is_some_and(|denied| denied.reason_code == ReasonCode::NotAuthorized));
    let open = crate::explain_subscribe(&Ruleset::allow_all(), &pump, &filter("#"), QoS::AtMostOnce);
    assert!(open.allowed && open.considered.is_empty());
}

#[test]
fn a_question_about_a_connect_is_answered_as_the_connect_is() {
    let peer = device("pump-7");
    let identity = peer.identity().unwrap();
    let bound = AdmissionRules { binding: ClientIdentifierBinding::Equals(template("${device}")), ..AdmissionRules::default() };
    let mapped = AdmissionRules {
        username: Some(template("u-${device}")),
        client_identifier: Some(template("c-${device}")),
        ..AdmissionRules::default()
    };
    for rules in [AdmissionRules::default(), bound, mapped] {
        for claimed in ["pump-7", "valve", "", "$bridge/x"] {
            let connect = connect(claimed, Some("ann"));
            let asked = crate::explain_connect(&rules, Some(identity), &connect, origin(), 0);
            match (decide(&rules, &peer, &connect), asked) {
                (Ok(permit), Ok(Applicant { client, is_assigned, .. })) => {
                    assert_eq!(is_assigned, permit.is_assigned(), "{claimed}");
                    assert_eq!((client.principal(), client.username()), (permit.client().principal(), permit.client().username()));
                    assert!(is_assigned || client.client_identifier() == permit.client().client_identifier(), "{claimed}");
                }
                (Err(denied), Err(asked)) => assert_eq!(denied, asked),
                (decided, asked) => panic!("{claimed}: {decided:?} and {asked:?}"),
            }
        }
    }
}
