//! PUBACK, PUBREC, PUBREL, PUBCOMP (§3.4 to §3.7), DISCONNECT (§3.14), AUTH (§3.15).

use signet_mqtt::{Ack, Disconnect, Packet, PacketId, ProtocolVersion, ReasonCode, Role};

use crate::wire::{decode, encoded, from_client, from_server, malformed, packet, protocol_error, text};

const ACKS: [(u8, &str); 4] = [(0x40, "MQTT-3.4.2-1"), (0x50, "MQTT-3.5.2-1"), (0x62, "MQTT-3.6.2-1"), (0x70, "MQTT-3.7.2-1")];

fn ack(result: Packet) -> Ack {
    match result {
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => ack,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_short_forms_leave_out_success_and_the_properties() {
    for (first, _) in ACKS {
        let short = ack(from_client(&[first, 2, 0, 7]).unwrap());
        assert_eq!(short, Ack::success(PacketId::new(7).unwrap()));
        for bytes in [&[first, 3, 0, 7, 0x92][..], &[first, 4, 0, 7, 0x92, 0]] {
            // 0x92 exists in PUBREL and PUBCOMP only.
            match first {
                0x62 | 0x70 => assert_eq!(ack(from_client(bytes).unwrap()).reason_code, ReasonCode::PacketIdentifierNotFound),
                _ => assert!(from_client(bytes).is_err()),
            }
        }
        assert_eq!(ack(from_client(&[first, 3, 0, 7, 0]).unwrap()), short);
        malformed(from_client(&[first, 1, 0]), "§4.13");
    }
    let written = |reason_code| encoded(&Packet::Puback(Ack::new(PacketId::new(7).unwrap(), reason_code)), ProtocolVersion::V5);
    assert_eq!(written(ReasonCode::Success), [0x40, 2, 0, 7]);
    assert_eq!(written(ReasonCode::NoMatchingSubscribers), [0x40, 3, 0, 7, 0x10]);
}

/// [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1]
#[test]
fn mqtt_3_4_2_1_only_the_reason_codes_of_each_packet() {
    for (first, statement) in ACKS {
        for code in [0x01, 0x81, 0x8D, 0xFE] {
            protocol_error(from_client(&[first, 3, 0, 7, code]), statement);
        }
    }
}

#[test]
fn mqtt_3_1_1_acknowledgements_are_four_bytes() {
    for (first, _) in ACKS {
        assert!(decode(Role::Client, ProtocolVersion::V311, &[first, 2, 0, 7]).is_ok());
        malformed(decode(Role::Client, ProtocolVersion::V311, &[first, 3, 0, 7, 0]), "§2.1.4");
        protocol_error(decode(Role::Client, ProtocolVersion::V311, &[first, 2, 0, 0]), "MQTT-2.2.1-3");
    }
    let refused = Packet::Puback(Ack::new(PacketId::new(7).unwrap(), ReasonCode::NotAuthorized));
    assert_eq!(encoded(&refused, ProtocolVersion::V311), [0x40, 2, 0, 7]);
}

#[test]
fn disconnect_has_three_lengths() {
    for bytes in [&[0xE0, 0][..], &[0xE0, 1, 0], &[0xE0, 2, 0, 0]] {
        assert_eq!(from_client(bytes), Ok(Packet::Disconnect(Box::default())));
    }
    assert_eq!(encoded(&Packet::Disconnect(Box::default()), ProtocolVersion::V5), [0xE0, 0]);
    let taken_over = Packet::Disconnect(Box::new(Disconnect::new(ReasonCode::SessionTakenOver)));
    assert_eq!(encoded(&taken_over, ProtocolVersion::V5), [0xE0, 1, 0x8E]);
    assert_eq!(from_server(&[0xE0, 1, 0x8E]), Ok(taken_over));
    malformed(decode(Role::Client, ProtocolVersion::V311, &[0xE0, 1, 0]), "§2.1.4");
}

/// [MQTT-3.14.2-1]
#[test]
fn mqtt_3_14_2_1_only_disconnect_reason_codes_of_that_side() {
    for code in [0x01, 0x10, 0x85, 0x8E, 0xA3] {
        protocol_error(from_client(&[0xE0, 1, code]), "MQTT-3.14.2-1");
    }
    protocol_error(from_server(&[0xE0, 1, 0x04]), "MQTT-3.14.2-1");
    assert!(from_client(&[0xE0, 1, 0x04]).is_ok());
}

/// [MQTT-3.14.2-2]
#[test]
fn mqtt_3_14_2_2_no_session_expiry_interval_from_a_server() {
    let bytes = packet(0xE0, &[&[0, 5, 0x11, 0, 0, 0, 1]]);
    protocol_error(from_server(&bytes), "MQTT-3.14.2-2");
    assert!(from_client(&bytes).is_ok());
}

/// [MQTT-3.15.2-1]
#[test]
fn mqtt_3_15_2_1_only_authenticate_reason_codes_of_that_side() {
    let auth = |code: u8| packet(0xF0, &[&[code, 4, 0x15], &text("m")]);
    assert!(from_client(&auth(0x19)).is_ok() && from_server(&auth(0x00)).is_ok());
    protocol_error(from_client(&auth(0x00)), "MQTT-3.15.2-1");
    protocol_error(from_server(&auth(0x19)), "MQTT-3.15.2-1");
}

#[test]
fn auth_names_its_method_and_is_for_mqtt_5_only() {
    protocol_error(from_client(&[0xF0, 2, 0x18, 0]), "§3.15.2.2.2");
    assert_eq!(from_server(&[0xF0, 0]), Ok(Packet::Auth(Box::default())));
    assert_eq!(encoded(&Packet::Auth(Box::default()), ProtocolVersion::V5), [0xF0, 0]);
    malformed(decode(Role::Client, ProtocolVersion::V311, &[0xF0, 0]), "§2.2.1 (3.1.1)");
    assert!(encoded(&Packet::Auth(Box::default()), ProtocolVersion::V311).is_empty());
}
