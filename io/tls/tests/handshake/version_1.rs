//! Certificates without extensions, where a profile takes them.

use signet_identity::Peer;
use signet_testkit::Identity;
use signet_tls::Check;

use super::rig::{Rig, Settings, VERSIONS};

fn allowing(rig: &Rig) -> Settings {
    let mut config = rig.config();
    config.profile().version_1 = true;
    config
}

/// The check that refuses a certificate in both TLS versions.
fn refused(rig: &Rig, config: &Settings, identity: &Identity) -> Check {
    let listener = rig.listener_with(config);
    let [one, other] = VERSIONS.map(|version| rig.meet(&listener, version, Some(identity)).refusal.map(|refusal| refusal.check));
    assert_eq!(one, other);
    one.unwrap()
}

#[test]
fn a_device_is_known_by_it_in_every_handshake() {
    let rig = Rig::new();
    let listener = rig.listener_with(&allowing(&rig));
    let old = rig.pki.v1_device("old");
    for version in VERSIONS {
        let mut pair = rig.meet(&listener, version, Some(&old));
        assert_eq!(pair.device(), "old");
        let Some(Peer::Device(peer)) = &pair.peer else { panic!() };
        assert_eq!(peer.identity().path().len(), 2, "leaf and issuing CA: {:?}", peer.identity().path());
        pair.say(b"ping");
        assert_eq!(pair.received, b"ping");
        assert_eq!(rig.meet(&listener, version, Some(&rig.pki.device("pump-7"))).device(), "pump-7", "others are judged as ever");
    }
}

#[test]
fn only_a_profile_that_says_so_takes_it() {
    let rig = Rig::new();
    let old = rig.pki.v1_device("old");
    assert_eq!(refused(&rig, &rig.config(), &old), Check::CertificateForm);
    let mut two = allowing(&rig);
    let mut strict = rig.config();
    strict.profile().name = "strict".into();
    two.profile().authorities = vec![rig.pki.foreign_ca_file()];
    two.profiles.append(&mut strict.profiles);
    assert_eq!(refused(&rig, &two, &old), Check::CertificateForm, "that another profile would take one of its own does not help");
}

#[test]
fn whom_no_authority_of_the_files_has_signed_is_refused() {
    let rig = Rig::new();
    assert_eq!(refused(&rig, &allowing(&rig), &rig.pki.foreign_v1_device("old")), Check::Path);
    // A root of the same name with another key.
    let namesake = Rig::new();
    assert_eq!(refused(&rig, &allowing(&rig), &namesake.pki.v1_device("old")), Check::Path);
}

#[test]
fn an_authority_that_only_the_client_sends_does_not_count() {
    let rig = Rig::new();
    let mut config = allowing(&rig);
    config.profile().authorities = vec![rig.path("root.pem")];
    assert_eq!(rig.meet(&rig.listener_with(&config), VERSIONS[0], Some(&rig.pki.device("pump-7"))).device(), "pump-7");
    assert_eq!(refused(&rig, &config, &rig.pki.v1_device("old")), Check::Path);
}

#[test]
fn a_key_of_somebody_else_proves_nothing() {
    let rig = Rig::new();
    let old = rig.pki.v1_device("old");
    let thief = Identity { key: rig.pki.v1_device("thief").key, ..old };
    assert_eq!(refused(&rig, &allowing(&rig), &thief), Check::Possession);
}

#[test]
fn it_is_revoked_like_any_other_and_a_resumed_session_with_it() {
    let rig = Rig::new();
    let listener = rig.listener_with(&allowing(&rig));
    let old = rig.pki.v1_device("old");
    assert_eq!(rig.meet(&listener, VERSIONS[0], Some(&old)).device(), "old");
    rig.revoke(&old.der);
    assert_eq!(refused(&rig, &allowing(&rig), &old), Check::Revocation);
}
