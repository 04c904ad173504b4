//! §3.12 PINGREQ and §3.13 PINGRESP.

use signet_mqtt::{Packet, ReasonCode};
use signet_testkit::Device;

use crate::{ALL, SINCE_311, broker};

#[test]
fn mqtt_3_12_4_1_pingreq_is_answered_with_pingresp() {
    let broker = broker();
    for version in ALL {
        let mut device = Device::connect(&broker.plain(), version, "x");
        device.send(&Packet::Pingreq);
        device.send(&Packet::Pingreq);
        assert!(matches!(device.expect(), Packet::Pingresp));
        assert!(matches!(device.expect(), Packet::Pingresp));
    }
}

#[test]
fn mqtt_2_1_3_1_pingreq_with_flags_or_a_body_is_malformed() {
    let broker = broker();
    for version in SINCE_311 {
        for bytes in [&[0xC1, 0][..], &[0xC0, 1, 0]] {
            let mut device = Device::connect(&broker.plain(), version, "x");
            device.send_raw(bytes);
            device.expect_ended(ReasonCode::MalformedPacket);
        }
    }
}
