//! Every packet that can be written can be read, is the same afterwards, and does not depend on how its bytes arrive.

use std::num::NonZeroU16;

use bytes::BytesMut;
use proptest::prelude::*;
use signet_mqtt::{
    DecodeLimits, Decoder, Message, MessageProperties, Packet, PacketId, ProtocolVersion, Publish, PublishHeader, QoS, Role,
    encode_publish, encoded_len, publish_len,
};

use crate::arbitrary;
use crate::wire::{decoder, encoded};

/// A decoder as it is when the packet arrives: before the version is known for a CONNECT.
fn ready(sender: Role, version: ProtocolVersion, packet: &Packet) -> Decoder {
    match packet {
        Packet::Connect(_) => Decoder::new(sender, DecodeLimits::default()),
        _ => decoder(sender, version),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn encode_then_decode_gives_the_same((sender, version, packet) in arbitrary::packet()) {
        let bytes = encoded(&packet, version);
        prop_assert_eq!(bytes.len(), encoded_len(&packet, version));
        let mut decoder = ready(sender, version, &packet);
        prop_assert_eq!(decoder.decode(&bytes), Ok(Some((packet, bytes.len()))));
        prop_assert_eq!(decoder.version(), Some(version));
    }

    /// [MQTT-3.1.2-24] and its like need a size before anything is written.
    #[test]
    fn a_prefix_is_never_an_error_and_never_a_packet((sender, version, packet) in arbitrary::packet()) {
        let bytes = encoded(&packet, version);
        let mut decoder = ready(sender, version, &packet);
        let step = (bytes.len() / 64).max(1);
        for end in (0..bytes.len()).step_by(step) {
            prop_assert_eq!(decoder.decode(&bytes[..end]), Ok(None), "{} of {}", end, bytes.len());
            let needed = decoder.needed(&bytes[..end]);
            prop_assert!(needed >= 1 && end + needed <= bytes.len(), "{} and {} of {}", end, needed, bytes.len());
        }
        prop_assert_eq!(decoder.needed(&bytes), 0);
    }

    #[test]
    fn packets_in_a_row_come_out_one_by_one_however_they_are_split(
        packets in prop::collection::vec(arbitrary::publish(Role::Client, ProtocolVersion::V5), 1..6),
        pieces in prop::collection::vec(1_usize..50, 1..20),
    ) {
        let packets: Vec<_> = packets.into_iter().map(Packet::Publish).collect();
        let bytes: Vec<u8> = packets.iter().flat_map(|packet| encoded(packet, ProtocolVersion::V5)).collect();
        let mut decoder = decoder(Role::Client, ProtocolVersion::V5);
        let (mut held, mut found, mut rest) = (Vec::new(), Vec::new(), &bytes[..]);
        for length in pieces.iter().cycle() {
            let (piece, behind) = rest.split_at((*length).min(rest.len()));
            held.extend_from_slice(piece);
            rest = behind;
            while let Some((packet, consumed)) = decoder.decode(&held).unwrap() {
                found.push(packet);
                held.drain(..consumed);
            }
            if rest.is_empty() {
                break;
            }
        }
        prop_assert!(held.is_empty());
        prop_assert_eq!(found, packets);
    }

    #[test]
    fn a_delivery_is_the_publish_it_describes(
        publish in arbitrary::publish(Role::Server, ProtocolVersion::V5),
        version in arbitrary::version(),
    ) {
        let alias = publish.properties.topic_alias;
        let send_topic = publish.topic.is_some();
        let topic = publish.topic.clone().unwrap_or_else(|| signet_mqtt::TopicName::new("by/alias").unwrap());
        let message = Message::from_publish(publish.clone(), topic.clone());
        let header = PublishHeader {
            dup: publish.dup,
            qos: publish.qos,
            retain: publish.retain,
            packet_id: publish.packet_id,
            message_expiry_interval: publish.properties.message_expiry_interval,
            subscription_identifiers: &publish.properties.subscription_identifiers,
            topic_alias: alias,
            send_topic,
        };
        let mut out = BytesMut::new();
        encode_publish(&message, &header, version, &mut out);
        prop_assert_eq!(out.len(), publish_len(&message, &header, version));
        let expected = match version {
            ProtocolVersion::V5 => publish.clone(),
            ProtocolVersion::V31 | ProtocolVersion::V311 => Publish { topic: Some(topic), properties: Default::default(), ..publish.clone() },
        };
        prop_assert_eq!(&out[..], &encoded(&Packet::Publish(expected), version)[..]);
    }
}

/// [MQTT-3.3.2-6]: what is sent on is the lifetime that remains.
#[test]
fn mqtt_3_3_2_6_the_header_gives_the_remaining_expiry() {
    let message = Message {
        topic: signet_mqtt::TopicName::new("a").unwrap(),
        payload: "x".into(),
        qos: QoS::AtLeastOnce,
        retain: true,
        properties: MessageProperties { message_expiry_interval: Some(60), ..MessageProperties::default() }.into(),
    };
    let header = PublishHeader {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        packet_id: PacketId::new(9),
        message_expiry_interval: Some(7),
        subscription_identifiers: &[],
        topic_alias: NonZeroU16::new(3),
        send_topic: false,
    };
    let mut out = BytesMut::new();
    encode_publish(&message, &header, ProtocolVersion::V5, &mut out);
    // QoS 0 carries no Packet Identifier [MQTT-2.2.1-2], and the alias stands for the topic.
    assert_eq!(&out[..], [0x30, 12, 0, 0, 8, 0x02, 0, 0, 0, 7, 0x23, 0, 3, b'x']);
}

#[test]
fn a_topic_that_comes_again_is_kept_once_and_nothing_keeps_the_read_buffer() {
    let bytes = [0x30, 7, 0, 3, b'a', b'/', b'b', 0, b'x'];
    let other = [0x30, 7, 0, 3, b'a', b'/', b'c', 0, b'y'];
    let mut decoder = decoder(Role::Client, ProtocolVersion::V5);
    let mut next = |bytes: &[u8]| match decoder.decode(bytes) {
        Ok(Some((Packet::Publish(publish), _))) => (publish.topic.unwrap(), publish.payload),
        _ => panic!("a PUBLISH"),
    };
    let ((first, payload), (again, _), (third, _)) = (next(&bytes), next(&bytes), next(&other));
    assert_eq!(first.as_str().as_ptr(), again.as_str().as_ptr());
    assert_eq!((first.as_str(), third.as_str()), ("a/b", "a/c"));
    assert!(!bytes.as_ptr_range().contains(&payload.as_ptr()));
    assert!(!bytes.as_ptr_range().contains(&first.as_str().as_ptr()));
}

#[test]
fn properties_and_payload_share_one_copy() {
    let bytes = [0x30, 12, 0, 1, b't', 6, 0x08, 0, 1, b'r', 0x01, 1, b'x', b'y'];
    let Ok(Some((Packet::Publish(publish), _))) = decoder(Role::Client, ProtocolVersion::V5).decode(&bytes) else {
        panic!("a PUBLISH");
    };
    let answer = publish.properties.response_topic.as_ref().unwrap();
    let distance = publish.payload.as_ptr().addr().wrapping_sub(answer.as_str().as_ptr().addr());
    assert_eq!((distance, &publish.payload[..]), (3, &b"xy"[..]));
}
