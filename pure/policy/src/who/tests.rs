//! Who is meant by what is written.

use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use signet_identity::{DeviceName, KeyDigest, Leaf};
use signet_mqtt::ClientIdentifier;

use super::*;

fn certificate(field: &str, value: &str) -> Who {
    Who::Certificate { field: Expression::parse(field).unwrap(), value: NamePattern::new(value) }
}

fn device(identity: Option<DeviceIdentity>) -> Client {
    let name = DeviceName::new("pump-7").unwrap();
    Client::restored(Principal::Device(name.into()), Some("ann".into()), ClientIdentifier::new("c"), identity.map(Arc::new))
}

fn identity() -> DeviceIdentity {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationalUnitName, "Hall 3");
    let leaf = Leaf::parse(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der()).unwrap();
    DeviceIdentity::new(DeviceName::new("pump-7").unwrap(), leaf, KeyDigest::of(b"key"), [])
}

#[test]
fn a_rule_can_be_for_what_a_certificate_says() {
    let plain = device(Some(identity()));
    let ours = device(Some(identity().under("factory".into(), Some("acme".into()))));
    let named = device(None);
    let profile = |name: &str| Who::Profile(name.to_owned());
    let tenant = |name: &str| Who::Tenant(name.to_owned());
    for (who, for_ours, for_plain) in [
        (certificate("cert.ou", "Hall 3"), true, true),
        (certificate("cert.ou", "Hall *"), true, true),
        (certificate("cert.ou:lower", "hall 3"), true, true),
        (certificate("cert.ou", "Hall"), false, false),
        (certificate("cert.o", "*"), false, false),
        (certificate("profile", "factory"), true, false),
        (profile("factory"), true, false),
        (profile("fact"), false, false),
        (profile(""), false, false),
        (tenant("acme"), true, false),
        (tenant(""), false, false),
        (Who::All(vec![certificate("cert.ou", "Hall 3"), profile("factory"), tenant("acme")]), true, false),
        (Who::All(vec![profile("factory"), tenant("other")]), false, false),
        (Who::All(vec![]), false, false),
    ] {
        assert_eq!((who.includes(&ours), who.includes(&plain)), (for_ours, for_plain), "{who:?}");
        // A name alone, by the word of a proxy, is no certificate.
        assert!(!who.includes(&named), "{who:?}");
    }
    assert!(!certificate("username", "ann").includes(&named));
    let bridge = Client::restored(Principal::Bridge("b".into()), None, ClientIdentifier::new("b"), None);
    assert!(!Who::All(vec![Who::Everyone]).includes(&bridge) && !Who::Everyone.includes(&bridge));
}

#[test]
fn a_rule_can_be_for_what_a_client_was_given_and_where_it_comes_from() {
    let plain = Client::restored(Principal::User("ann".into()), Some("ann".into()), ClientIdentifier::new("pump-7"), None);
    let grant = crate::grant::Grant {
        groups: ["ops".into()].into(),
        attributes: [("site".into(), "hall-3".into())].into(),
        ..crate::grant::Grant::default()
    };
    let mut ours = plain.regranted(Arc::new(grant));
    ours.origin = Some(crate::grant::Origin { address: Some("10.1.2.3".parse().unwrap()), listener: "factory".into() });
    let group = |name: &str| Who::Group(name.to_owned());
    let attribute = |name: &str, value: &str| Who::Attribute { name: name.to_owned(), value: NamePattern::new(value) };
    for (who, of_ours, of_plain) in [
        (Who::Users, true, (true, true)),
        (Who::Anonymous, false, (false, false)),
        (Who::Username(NamePattern::new("a*")), true, (true, true)),
        (Who::ClientIdentifier(NamePattern::new("pump-*")), true, (true, true)),
        (group("ops"), true, (false, true)),
        (group("dev"), false, (false, true)),
        (attribute("site", "hall-*"), true, (false, true)),
        (attribute("site", "x"), false, (false, true)),
        (attribute("floor", "*"), false, (false, true)),
        (Who::Address("10.0.0.0/8".parse().unwrap()), true, (false, true)),
        (Who::Address("11.0.0.0/8".parse().unwrap()), false, (false, true)),
        (Who::Listener(NamePattern::new("factory")), true, (false, true)),
        (Who::Not(Box::new(group("dev"))), true, (false, true)),
        (Who::Not(Box::new(group("ops"))), false, (false, true)),
        (Who::Any(vec![group("dev"), group("ops")]), true, (false, true)),
        (Who::Any(vec![]), false, (false, false)),
        (Who::All(vec![group("ops"), Who::Users]), true, (false, true)),
    ] {
        assert_eq!((who.includes(&ours), who.may_include(&ours)), (of_ours, of_ours), "{who:?}");
        assert_eq!((who.includes(&plain), who.may_include(&plain)), of_plain, "{who:?}");
    }
    let bridge = Client::restored(Principal::Bridge("b".into()), None, ClientIdentifier::new("b"), None);
    assert!(!Who::Not(Box::new(Who::Anonymous)).may_include(&bridge));
}
