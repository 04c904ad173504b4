//! A session of before is taken up only by whom a full handshake would let in, in both versions, whatever changed meanwhile.

use std::sync::Arc;

use rustls::AlertDescription as Alert;
use signet_identity::{NamingRule, Template};
use signet_revocation::Suspended;
use signet_server::ProfileConfig;
use signet_tls::{Check, TrustProfileConfig};

use super::forge::{Ca, Met, VERSIONS, dial, introduce, meet};
use super::rig::await_that;
use super::stage::Stage;

const IN: Met = Met::In([0x20, 2, 0, 0]);

/// What changes between two connections, and what becomes of the second: resumed, judged anew, or refused by this check.
enum After {
    Resumed,
    Anew,
    Refused(Check, Alert),
}

#[test]
fn a_ticket_counts_no_more_than_a_certificate() {
    let (root, other) = (Ca::root("Root"), Ca::root("Other"));
    let middle = root.below("Middle");
    type Change<'a> = Box<dyn Fn(&Stage, &[u8]) + 'a>;
    let profile = |stage: &Stage| stage.profile("devices", &[&root]);
    let under = |change: fn(&mut TrustProfileConfig)| -> Change<'_> {
        Box::new(move |stage, _| {
            let mut profile = profile(stage);
            change(&mut profile);
            stage.trust(&[profile]);
        })
    };
    let changes: Vec<(&str, Change<'_>, After)> = vec![
        ("nothing", Box::new(|_, _| {}), After::Resumed),
        ("revoked", Box::new(|stage, der| stage.note_revoked(der)), After::Refused(Check::Revocation, Alert::CertificateRevoked)),
        (
            "issuer revoked",
            Box::new(|stage, _| stage.note_revoked(&middle.der)),
            After::Refused(Check::Revocation, Alert::CertificateRevoked),
        ),
        ("another device revoked", Box::new(|stage, _| stage.note_revoked(middle.leaf("pump-8").der())), After::Resumed),
        (
            "suspended",
            Box::new(|stage, _| {
                let suspended = Suspended { since: 1, why: "lost".into() };
                stage.rig.revocations.update(|index| index.with_suspensions([("pump-7".into(), suspended.clone())].into()));
            }),
            After::Refused(Check::Suspension, Alert::CertificateUnknown),
        ),
        (
            "profile disabled by the operator",
            Box::new(|stage, _| drop(stage.rig.revocations.update(|index| index.with_disabled_profiles(["devices".into()].into())))),
            After::Refused(Check::Profile, Alert::CertificateUnknown),
        ),
        (
            "profile disabled by configuration",
            under(|profile| profile.enabled = false),
            After::Refused(Check::Profile, Alert::CertificateUnknown),
        ),
        (
            "authority removed",
            Box::new(|stage, _| drop(stage.trust(&[stage.profile("devices", &[&other])]))),
            After::Refused(Check::Path, Alert::UnknownCA),
        ),
        (
            "rule tightened",
            under(|profile| profile.rules.keys = vec!["RSA".parse().unwrap()]),
            After::Refused(Check::Profile, Alert::AccessDenied),
        ),
        (
            "named otherwise",
            under(|profile| profile.naming = NamingRule::new(Template::parse("x-${cert.cn}").unwrap()).unwrap()),
            After::Anew,
        ),
        ("another tenant", under(|profile| profile.tenant = Some("north".into())), After::Anew),
        ("authority added", Box::new(|stage, _| drop(stage.trust(&[stage.profile("devices", &[&root, &other])]))), After::Anew),
    ];
    for (what, change, after) in changes {
        for version in VERSIONS {
            let stage = Stage::new(1, |_| {});
            let first = profile(&stage);
            stage.trust(std::slice::from_ref(&first));
            let shown = middle.leaf("pump-7").with([&middle]);
            let client = shown.client(&stage.rig.pki.ca_file(), version);
            assert_eq!(meet(stage.port(), &client), (IN, false), "{what}");
            assert_eq!(meet(stage.port(), &client), (IN, true), "{what}");
            change(&stage, shown.der());
            let (met, resumed) = meet(stage.port(), &client);
            let what = format!("{what}, {:?}", version.version);
            match &after {
                After::Resumed => assert_eq!((met, resumed), (IN, true), "{what}"),
                After::Anew => {
                    assert_eq!((met, resumed), (IN, false), "{what}");
                    // And from there on again.
                    assert_eq!(meet(stage.port(), &client), (IN, true), "{what}");
                }
                After::Refused(check, alert) => {
                    assert_eq!((met, resumed), (Met::Alert(*alert), false), "{what}");
                    let refusal = stage.refusal().refusal;
                    assert_eq!((refusal.check, refusal.subject.as_deref()), (*check, Some("CN=pump-7")), "{what}: {refusal}");
                    stage.rig.await_connections(0);
                }
            }
        }
    }
}

#[test]
fn a_reload_of_something_else_keeps_tickets() {
    let root = Ca::root("Root");
    let stage = Stage::new(1, |_| {});
    let profile = stage.profile("devices", &[&root]);
    stage.trust(std::slice::from_ref(&profile));
    for version in VERSIONS {
        let client = root.leaf("pump-7").client(&stage.rig.pki.ca_file(), version);
        assert_eq!(meet(stage.port(), &client), (IN, false));
        for connections in [100, 200] {
            let mut listener = stage.listener();
            listener.maximum_connections = connections;
            stage.rig.server.reload(&[listener], &[ProfileConfig::from(profile.clone())]).unwrap();
            assert_eq!(meet(stage.port(), &client), (IN, true), "{version:?}");
        }
        // A change of TLS takes them away, and back is no way to have them again.
        stage.reload(std::slice::from_ref(&profile), |tls| tls.host.alpn = vec!["other".to_owned()]);
        stage.trust(std::slice::from_ref(&profile));
        assert_eq!(meet(stage.port(), &client), (IN, false), "{version:?}");
    }
}

/// Time alone ends what a ticket is worth: the device's own end, and that of an authority above it.
#[test]
fn no_ticket_outlives_its_certificates() {
    let root = Ca::root("Root");
    let stage = Stage::new(2, |_| {});
    stage.trust(&[stage.profile("devices", &[&root])]);
    let soon = time::OffsetDateTime::now_utc() + time::Duration::seconds(3);
    let middle = root.below_with("Middle", |params| params.not_after = soon);
    let clients: Vec<_> = VERSIONS
        .iter()
        .flat_map(|version| {
            let own = root.leaf_with("own", |params| params.not_after = soon);
            [own, middle.leaf("above").with([&middle])].map(|shown| shown.client(&stage.rig.pki.ca_file(), version))
        })
        .collect();
    for client in &clients {
        assert_eq!(meet(stage.port(), client), (IN, false));
        assert_eq!(meet(stage.port(), client), (IN, true));
    }
    for client in &clients {
        await_that(
            || match meet(stage.port(), client) {
                // Closed: the certificate ended between the handshake and the entry in the registry, which is looked at once more.
                (Met::In(_) | Met::Closed, resumed) => {
                    assert!(resumed);
                    false
                }
                (met, resumed) => {
                    assert_eq!((met, resumed), (Met::Alert(Alert::CertificateExpired), false));
                    assert_eq!(stage.refusal().refusal.check, Check::Validity);
                    true
                }
            },
            "the end of a certificate",
        );
    }
    stage.rig.await_connections(0);
}

/// RFC 8446 §8: what comes with the first flight can be sent again by anybody, so none is taken.
#[test]
fn nothing_is_taken_with_the_first_flight() {
    let root = Ca::root("Root");
    let stage = Stage::new(1, |_| {});
    stage.trust(&[stage.profile("devices", &[&root])]);
    let mut client = (*root.leaf("pump-7").client(&stage.rig.pki.ca_file(), VERSIONS[1])).clone();
    client.enable_early_data = true;
    let client = Arc::new(client);
    assert_eq!(meet(stage.port(), &client), (IN, false));
    let mut stream = dial(stage.port(), &client, "localhost");
    assert!(stream.conn.early_data().is_none(), "the ticket allows early data");
    assert_eq!(introduce(&mut stream), IN);
    assert_eq!(stream.conn.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
    assert!(!stream.conn.is_early_data_accepted());
}
