//! Peers that do not speak TLS, or not as they should.

use proptest::prelude::*;
use signet_tls::{Check, TlsConnection};

use super::rig::{Pair, Rig};

#[test]
fn plain_mqtt_is_named() {
    let rig = Rig::new();
    let mut pair = Pair::new(&rig.listener(), rig.client_config(&rustls::version::TLS13, None));
    pair.server_hears(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00");
    let refusal = pair.refusal.unwrap();
    assert_eq!(refusal.check, Check::Handshake);
    assert!(refusal.found.contains("not TLS") && refusal.hint.contains("plain MQTT"), "{refusal:?}");
}

#[test]
fn a_record_that_never_ends_is_bounded() {
    let rig = Rig::new();
    let listener = rig.listener();
    let mut pair = Pair::new(&listener, rig.client_config(&rustls::version::TLS13, None));
    // A handshake record of the largest announced length.
    let mut wire = vec![0x16, 0x03, 0x01, 0xff, 0xff];
    wire.resize(200_000, 1);
    pair.portion = 1000;
    pair.server_hears(&wire);
    assert!(pair.refusal.is_some());
    assert!(pair.server.buffered() < 100_000);
}

#[test]
fn an_endless_handshake_message_is_bounded() {
    let rig = Rig::new();
    let listener = rig.listener();
    let mut pair = Pair::new(&listener, rig.client_config(&rustls::version::TLS13, None));
    // A ClientHello of 16 MiB in records of 4 KiB.
    let mut first = true;
    for _ in 0..1000 {
        let mut record = vec![0x16, 0x03, 0x01, 0x10, 0x00];
        record.extend(if first { vec![1, 0xff, 0xff, 0xff] } else { vec![0; 4] });
        record.resize(5 + 4096, 0);
        first = false;
        pair.server_hears(&record);
        assert!(pair.server.buffered() < 100_000);
    }
    assert!(pair.refusal.is_some());
}

#[test]
fn damaged_data_ends_an_established_connection() {
    let rig = Rig::new();
    let listener = rig.listener();
    let device = rig.pki.device("pump-7");
    let mut pair = rig.meet(&listener, &rustls::version::TLS13, Some(&device));
    pair.server_hears(&[
        0x17, 0x03, 0x03, 0x00, 0x20, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8,
    ]);
    assert_eq!(pair.alert(), Some(rustls::AlertDescription::BadRecordMac));
    assert!(pair.received.is_empty());
    let mut out = Vec::new();
    assert!(pair.server.send(b"more", &mut out).is_err());
    assert!(pair.server.receive(&mut [0; 10], &mut Vec::new(), &mut out).is_err(), "the same error again");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn garbage_never_panics(mut wire in proptest::collection::vec(any::<u8>(), 0..2000), tls in any::<bool>(), portion in 1_usize..300) {
        thread_local! {
            static LISTENER: (Rig, std::sync::Arc<signet_tls::ListenerTls>) = {
                let rig = Rig::new();
                let listener = rig.listener();
                (rig, listener)
            };
        }
        if tls && wire.len() > 5 {
            wire[..3].copy_from_slice(&[0x16, 0x03, 0x01]);
            wire[3] &= 0x0f;
        }
        let mut server = LISTENER.with(|(_, listener)| TlsConnection::new(std::sync::Arc::clone(listener)).unwrap());
        let (mut plaintext, mut out) = (Vec::new(), Vec::new());
        for portion in wire.chunks_mut(portion) {
            let _ = server.receive(portion, &mut plaintext, &mut out);
        }
        prop_assert!(plaintext.is_empty());
        prop_assert!(server.is_handshaking());
    }

    /// Any byte of a good client's flights may be wrong: no panic, and nobody gets in under another name.
    #[test]
    fn a_changed_byte_never_panics(position in any::<prop::sample::Index>(), change in 1_u8.., flight in 0_usize..2) {
        thread_local! {
            static GOOD: (Rig, std::sync::Arc<signet_tls::ListenerTls>, signet_testkit::Identity) = {
                let rig = Rig::new();
                let listener = rig.listener();
                let device = rig.pki.device("pump-7");
                (rig, listener, device)
            };
        }
        GOOD.with(|(rig, listener, device)| {
            let mut pair = Pair::new(listener, rig.client_config(&rustls::version::TLS13, Some(device)));
            for number in 0..2 {
                let mut wire = pair.client_says();
                if wire.is_empty() {
                    break;
                }
                if number == flight {
                    let index = position.index(wire.len());
                    wire[index] ^= change;
                }
                pair.server_hears(&wire);
            }
            if pair.peer.is_some() {
                assert_eq!(pair.device(), "pump-7");
            }
        });
    }
}
