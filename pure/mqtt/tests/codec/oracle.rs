//! Another codec as judge: what we write, an independent implementation reads and writes again as the same bytes; and of bytes that were
//! changed it makes what we make of them, unless we refuse them for a reason that it does not look at. A mistake that our encoder and our
//! decoder share is seen by nobody else.

use std::sync::Arc;

use mqtt_protocol_core::mqtt::packet::{v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::result_code::MqttError;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use signet_mqtt::{DecodeLimits, Decoder, Packet, PacketType, ProtocolVersion};

use crate::arbitrary;
use crate::wire::encoded;

/// What the judge does not look at, and the specification does.
const STRICTER: &[&str] = &[
    "MQTT-1.5.4-2",
    "MQTT-2.2.1-3",
    "MQTT-2.2.1-4",
    "MQTT-3.1.2-3",
    "MQTT-3.1.2-11",
    "MQTT-3.1.2-12",
    "MQTT-3.1.2-13",
    "MQTT-3.2.2-1",
    "MQTT-3.2.2-6",
    "MQTT-3.3.2-14",
    "MQTT-3.8.3-4",
    "MQTT-3.14.2-1",
    "MQTT-4.7.0-1",
    "MQTT-4.7.1-1",
    "MQTT-4.7.1-2",
    "MQTT-4.7.3-1",
    "MQTT-4.8.2-1",
    "MQTT-4.8.2-2",
    "§2.1.4",
    "§3.8.3 (3.1.1)",
];

/// The same packets on every run: what the judge overlooks is a list, not a proof.
fn config() -> ProptestConfig {
    ProptestConfig { rng_seed: RngSeed::Fixed(0x5167_6e65_7400_0003), ..ProptestConfig::with_cases(6_000) }
}

/// What the other codec makes of a packet: its own bytes for it.
fn read_and_written(version: ProtocolVersion, kind: PacketType, flags: u8, body: &[u8]) -> Result<Vec<u8>, MqttError> {
    macro_rules! by_type {
        ($module:ident) => {
            match kind {
                PacketType::Connect => $module::Connect::parse(body)?.0.to_continuous_buffer(),
                PacketType::Connack => $module::Connack::parse(body)?.0.to_continuous_buffer(),
                PacketType::Publish => $module::Publish::parse(flags, Arc::from(body))?.0.to_continuous_buffer(),
                PacketType::Puback => $module::Puback::parse(body)?.0.to_continuous_buffer(),
                PacketType::Pubrec => $module::Pubrec::parse(body)?.0.to_continuous_buffer(),
                PacketType::Pubrel => $module::Pubrel::parse(body)?.0.to_continuous_buffer(),
                PacketType::Pubcomp => $module::Pubcomp::parse(body)?.0.to_continuous_buffer(),
                PacketType::Subscribe => $module::Subscribe::parse(body)?.0.to_continuous_buffer(),
                PacketType::Suback => $module::Suback::parse(body)?.0.to_continuous_buffer(),
                PacketType::Unsubscribe => $module::Unsubscribe::parse(body)?.0.to_continuous_buffer(),
                PacketType::Unsuback => $module::Unsuback::parse(body)?.0.to_continuous_buffer(),
                PacketType::Pingreq => $module::Pingreq::parse(body)?.0.to_continuous_buffer(),
                PacketType::Pingresp => $module::Pingresp::parse(body)?.0.to_continuous_buffer(),
                PacketType::Disconnect => $module::Disconnect::parse(body)?.0.to_continuous_buffer(),
                PacketType::Auth => v5_0::Auth::parse(body)?.0.to_continuous_buffer(),
            }
        };
    }
    Ok(if version == ProtocolVersion::V5 { by_type!(v5_0) } else { by_type!(v3_1_1) })
}

/// Whether the judge knows of such packets at all: not of MQTT 3.1, not of the mark of a bridge, and not of a password without a user name,
/// which MQTT 5.0 allows (§3.1.2.9).
fn is_known(version: ProtocolVersion, packet: &Packet) -> bool {
    match packet {
        Packet::Connect(connect) => {
            version != ProtocolVersion::V31 && !connect.is_bridge && (connect.password.is_none() || connect.username.is_some())
        }
        _ => true,
    }
}

fn header_length(bytes: &[u8]) -> usize {
    1 + bytes[1..].iter().position(|byte| byte & 0x80 == 0).unwrap() + 1
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn another_codec_reads_what_we_write((_, version, packet) in arbitrary::packet()) {
        if is_known(version, &packet) {
            let bytes = encoded(&packet, version);
            let again = read_and_written(version, packet.packet_type(), bytes[0] & 0x0F, &bytes[header_length(&bytes)..]);
            prop_assert_eq!(again.as_deref().map_err(ToString::to_string), Ok(&bytes[..]), "{:?}", packet);
        }
    }

    #[test]
    fn another_codec_reads_what_we_read(
        (sender, version, packet) in arbitrary::packet(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encoded(&packet, version);
        let header = header_length(&bytes);
        let body = bytes.len() - header;
        for (at, byte) in changes.into_iter().filter(|_| body > 0) {
            bytes[header + at.index(body)] = byte;
        }
        let mut decoder = Decoder::new(sender, DecodeLimits::default());
        if packet.packet_type() != PacketType::Connect {
            decoder.set_version(version);
        }
        let theirs = read_and_written(version, packet.packet_type(), bytes[0] & 0x0F, &bytes[header..]);
        match (decoder.decode(&bytes), theirs) {
            (Ok(Some((ours, _))), theirs) if is_known(version, &ours) => {
                // Short and long forms of the same packet are the same.
                let theirs = theirs.map_err(|error| error.to_string());
                prop_assert!(theirs.is_ok(), "only we accept {:?}: {:?}", ours, theirs);
                let read = decoder.decode(&theirs.unwrap_or_default()).map(|found| found.map(|(packet, _)| packet));
                prop_assert_eq!(read, Ok(Some(ours)));
            }
            (Err(error), Ok(_)) => {
                prop_assert!(STRICTER.contains(&error.statement()), "only we refuse it: {}", error);
            }
            _ => {}
        }
    }
}
