//! Against the codec that checks everything: what is written decodes there, and what it writes is read here.

use signet_mqtt::{Ack, DecodeLimits, Decoder, PublishProperties, ReasonCode, Role};

use super::*;

const VERSIONS: [ProtocolVersion; 2] = [ProtocolVersion::V311, ProtocolVersion::V5];
const LEVELS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

fn decode(octets: &[u8], version: ProtocolVersion) -> Packet {
    let mut decoder = Decoder::new(Role::Server, DecodeLimits::default());
    decoder.set_version(version);
    let (packet, length) = decoder.decode(octets).unwrap().unwrap();
    assert_eq!(length, octets.len());
    packet
}

#[test]
fn a_filled_template_is_the_packet_that_was_meant() {
    for version in VERSIONS {
        for qos in LEVELS {
            for size in [HEAD, 100, 128, 20_000] {
                let template = Template::new(version, qos, "bench/000", 3, size).unwrap();
                let head = Head { publisher: 7, sequence: 0xFFFF_FFFE, at: 1 << 40 };
                let mut out = b"before".to_vec();
                template.write(b"042", 513, head, &mut out);
                assert_eq!(out.len(), 6 + template.len());
                let Packet::Publish(publish) = decode(&out[6..], version) else { panic!("no PUBLISH") };
                assert_eq!(publish.topic.unwrap().as_str(), "bench/042");
                assert_eq!((publish.qos, publish.payload.len()), (qos, size));
                assert_eq!(publish.packet_id.map(PacketId::get), (qos != QoS::AtMostOnce).then_some(513));
                assert_eq!(Head::read(&publish.payload), Some(head));
                let (frame, length) = next(&out[6..], version).unwrap();
                let packet_id = if qos == QoS::AtMostOnce { 0 } else { 513 };
                assert_eq!((frame, length), (Frame::Publish { qos, packet_id, payload: &publish.payload }, template.len()));
            }
        }
    }
    assert!(Template::new(ProtocolVersion::V5, QoS::AtMostOnce, "a/#", 1, HEAD).is_err());
}

#[test]
fn properties_are_passed_over() {
    let publish = Publish {
        dup: true,
        qos: QoS::AtLeastOnce,
        retain: true,
        topic: Some(TopicName::new("t").unwrap()),
        packet_id: PacketId::new(9),
        properties: PublishProperties { content_type: Some("x".repeat(300).into()), ..PublishProperties::default() }.into(),
        payload: Bytes::from_static(b"payload"),
    };
    let mut octets = BytesMut::new();
    encode(&Packet::Publish(publish), ProtocolVersion::V5, &mut octets);
    let expected = Frame::Publish { qos: QoS::AtLeastOnce, packet_id: 9, payload: b"payload" };
    assert_eq!(next(&octets, ProtocolVersion::V5), Some((expected, octets.len())));
}

#[test]
fn acknowledgements_are_written_and_read() {
    let packet_id = PacketId::new(258).unwrap();
    let ack = Ack::success(packet_id);
    for (step, packet) in [
        (Step::Puback, Packet::Puback(ack.clone())),
        (Step::Pubrec, Packet::Pubrec(ack.clone())),
        (Step::Pubrel, Packet::Pubrel(ack.clone())),
        (Step::Pubcomp, Packet::Pubcomp(ack)),
    ] {
        for version in VERSIONS {
            let mut out = Vec::new();
            step.write(258, &mut out);
            assert_eq!(decode(&out, version), packet);
            assert_eq!(next(&out, version), Some((Frame::Acknowledgement { step, packet_id: 258, is_error: false }, 4)));
        }
    }
    let mut refused = BytesMut::new();
    encode(&Packet::Puback(Ack::new(packet_id, ReasonCode::NotAuthorized)), ProtocolVersion::V5, &mut refused);
    let expected = Frame::Acknowledgement { step: Step::Puback, packet_id: 258, is_error: true };
    assert_eq!(next(&refused, ProtocolVersion::V5), Some((expected, refused.len())));
}

#[test]
fn a_packet_is_whole_or_not_there_and_garbage_is_said() {
    let mut out = Vec::new();
    let template = Template::new(ProtocolVersion::V311, QoS::AtLeastOnce, "t/0", 1, 300).unwrap();
    template.write(b"1", 1, Head { publisher: 0, sequence: 0, at: 0 }, &mut out);
    for end in 0..out.len() {
        assert_eq!(next(&out[..end], ProtocolVersion::V311), None, "{end}");
    }
    out.extend_from_slice(&[0xD0, 0]);
    let (_, length) = next(&out, ProtocolVersion::V311).unwrap();
    assert_eq!(next(&out[length..], ProtocolVersion::V311), Some((Frame::Other(&[0xD0, 0]), 2)));
    for garbage in [&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1][..], &[0x30, 2, 0, 9], &[0x36, 3, 0, 0, 0], &[0x40, 1, 0]] {
        let (frame, length) = next(garbage, ProtocolVersion::V311).unwrap();
        assert_eq!((frame, length), (Frame::Garbled, garbage.len()));
    }
}
