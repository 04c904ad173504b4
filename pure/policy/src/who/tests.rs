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
