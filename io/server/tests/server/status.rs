//! Clients of whose certificates nothing current is known, while somebody finds out.

use std::sync::Arc;
use std::time::Duration;

use signet_identity::DeviceIdentity;
use signet_mqtt::{Packet, ProtocolVersion, ReasonCode};
use signet_net::StatusInquiry;
use signet_revocation::{Crl, IssuerCertificate, ListSource, RevocationDepth, RevocationMode};
use signet_testkit::{CrlWindow, Device, connect_packet};
use signet_tls::{CrlSignatureVerifier, CurrentRevocations, TrustAnchors};

use super::rig::{PATIENCE, Rig};

fn crl(rig: &Rig, number: u64, window: CrlWindow) -> Crl {
    let anchors = TrustAnchors::load(&[rig.pki.ca_file()]).unwrap();
    let issuers: Vec<IssuerCertificate> = anchors.certificates().map(|der| IssuerCertificate::parse(der).unwrap()).collect();
    let bytes = std::fs::read(rig.pki.crl(&format!("{number}.pem"), number, &[], window)).unwrap();
    Crl::parse_pem_or_der(&bytes, &issuers, &CrlSignatureVerifier).unwrap().remove(0)
}

/// Finds a newer list, or nothing.
struct Finder {
    revocations: CurrentRevocations,
    next: Option<Crl>,
}

impl StatusInquiry for Finder {
    fn ask(&self, _identity: &Arc<DeviceIdentity>, done: Box<dyn FnOnce() + Send>) {
        if let Some(next) = &self.next {
            self.revocations.update(|index| index.with_crl(next.clone(), ListSource::new("found")).unwrap());
        }
        done();
    }
}

/// A device that comes back after what was known of it has ended would else be refused, and nobody would ever ask about it.
#[test]
fn what_has_ended_is_asked_for_anew_before_its_device_is_refused() {
    for is_found in [true, false] {
        let rig = Rig::with(2, |config| {
            let trust = &mut config.profiles[0].trust;
            trust.revocation.mode = RevocationMode::Require;
            trust.revocation.depth = RevocationDepth::Leaf;
            trust.status_wait = Duration::from_secs(30);
        });
        let past = CrlWindow::default().this_update;
        let old = crl(&rig, 1, CrlWindow { this_update: past * 24, next_update: past });
        rig.revocations.update(|index| index.with_crl(old.clone(), ListSource::new("old")).unwrap());
        let next = is_found.then(|| crl(&rig, 2, CrlWindow::default()));
        rig.server.ask_about_status(Arc::new(Finder { revocations: rig.revocations.clone(), next }));
        let pump = rig.pki.device("pump-7");
        let mut device = Device::open(&rig.tls(&pump), ProtocolVersion::V5);
        device.send(&Packet::Connect(Box::new(connect_packet(ProtocolVersion::V5, "pump-7"))));
        let Packet::Connack(connack) = device.expect() else { panic!("no CONNACK") };
        let expected = if is_found { ReasonCode::Success } else { ReasonCode::NotAuthorized };
        assert_eq!(connack.reason_code, expected);
        if is_found {
            assert_eq!(rig.server.review(PATIENCE).kicks.found, 0);
            // It waited once, and is nevertheless not believed without an answer later.
            rig.revocations.update(|index| index.without_lists(|_, _| true));
            let report = rig.server.review(PATIENCE);
            assert_eq!((report.kicks.found, report.ended.get("unchecked")), (1, Some(&1)), "{report:?}");
        }
    }
}
