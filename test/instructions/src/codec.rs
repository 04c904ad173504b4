//! Bytes to packets and back, and what topics cost by themselves.

use bytes::BytesMut;
use bytestring::ByteString;
use signet_mqtt::{
    Ack, Connack, DecodeLimits, Decoder, Packet, ProtocolVersion, QoS, ReasonCode, Role, Suback, TopicFilter, TopicName, encode,
    encode_publish,
};

use crate::case::{Case, Operation};
use crate::packets::{
    QOS0, QOS1, QOS2, TOPIC, V5, V311, bytes, connect, decode, decoder, full_connect, header, message, number, publish,
    publish_with_properties, subscribe, topic_filter, topic_name,
};

const OPERATIONS: usize = 100;

/// All of them.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    decoding(&mut cases);
    encoding(&mut cases);
    topics(&mut cases);
    cases
}

fn decoding(cases: &mut Vec<Case>) {
    let publishes: [(&str, usize, QoS, ProtocolVersion); 8] = [
        ("decode PUBLISH, QoS 0, 16 B, 3.1.1", 16, QOS0, V311),
        ("decode PUBLISH, QoS 0, 256 B, 3.1.1", 256, QOS0, V311),
        ("decode PUBLISH, QoS 0, 64 kB, 3.1.1", 65_536, QOS0, V311),
        ("decode PUBLISH, QoS 1, 256 B, 3.1.1", 256, QOS1, V311),
        ("decode PUBLISH, QoS 2, 256 B, 3.1.1", 256, QOS2, V311),
        ("decode PUBLISH, QoS 0, 16 B, 5.0", 16, QOS0, V5),
        ("decode PUBLISH, QoS 1, 256 B, 5.0", 256, QOS1, V5),
        ("decode PUBLISH, QoS 2, 64 kB, 5.0", 65_536, QOS2, V5),
    ];
    for (name, payload, qos, version) in publishes {
        cases.push(decoding_of(name, version, move || Packet::Publish(publish(TOPIC, payload, qos, 7))));
    }
    cases.push(Case::new("decode PUBLISH, QoS 0, 256 B, 3.1.1, another topic than the last", OPERATIONS, 1, |_| {
        let packet = |topic: &str| bytes(&Packet::Publish(publish(topic, 256, QOS0, 7)), V311);
        // The decoder knows the last topic again.
        let (mut this, mut other) = (packet(TOPIC), packet("plant/7/line/3/pressure-in"));
        let mut decoder = decoder(V311);
        Box::new(move || {
            drop(decode(&mut decoder, &this));
            std::mem::swap(&mut this, &mut other);
            1
        })
    }));
    cases.push(decoding_of("decode PUBLISH, QoS 1, 256 B, 5.0, six properties", V5, || {
        Packet::Publish(publish_with_properties(TOPIC, 256, QOS1, 7))
    }));
    cases.push(decoding_of("decode SUBSCRIBE, one filter, 3.1.1", V311, || subscribe(&["plant/+/line/#"], QOS1)));
    cases.push(decoding_of("decode SUBSCRIBE, ten filters, 5.0", V5, || subscribe(&["plant/+/line/#"; 10], QOS1)));
    cases.push(decoding_of("decode PUBACK, 3.1.1", V311, || Packet::Puback(Ack::success(number(7)))));
    cases.push(decoding_of("decode PUBACK, 5.0", V5, || Packet::Puback(Ack::success(number(7)))));
    cases.push(decoding_of("decode PINGREQ", V5, || Packet::Pingreq));
    cases.push(connecting("decode CONNECT, 3.1.1", || Packet::Connect(Box::new(connect(V311, "line-3-sensor-12")))));
    cases.push(connecting("decode CONNECT, 5.0, Will, user name, two properties", || {
        Packet::Connect(Box::new(full_connect("line-3-sensor-12")))
    }));
}

fn decoding_of(name: &'static str, version: ProtocolVersion, packet: impl Fn() -> Packet + 'static) -> Case {
    Case::new(name, OPERATIONS, 1, move |_| {
        let (mut decoder, bytes) = (decoder(version), bytes(&packet(), version));
        Box::new(move || {
            drop(decode(&mut decoder, &bytes));
            1
        })
    })
}

/// The first packet of a connection, which tells its decoder the version.
fn connecting(name: &'static str, packet: impl Fn() -> Packet + 'static) -> Case {
    Case::new(name, OPERATIONS, 1, move |_| {
        let bytes = bytes(&packet(), V5);
        Box::new(move || {
            let mut decoder = Decoder::new(Role::Client, DecodeLimits::default());
            drop(decode(&mut decoder, &bytes));
            1
        })
    })
}

fn encoding(cases: &mut Vec<Case>) {
    let publishes: [(&str, usize, QoS, ProtocolVersion); 6] = [
        ("encode PUBLISH for one receiver, QoS 0, 16 B, 3.1.1", 16, QOS0, V311),
        ("encode PUBLISH for one receiver, QoS 0, 256 B, 3.1.1", 256, QOS0, V311),
        ("encode PUBLISH for one receiver, QoS 0, 64 kB, 3.1.1", 65_536, QOS0, V311),
        ("encode PUBLISH for one receiver, QoS 1, 256 B, 3.1.1", 256, QOS1, V311),
        ("encode PUBLISH for one receiver, QoS 0, 256 B, 5.0", 256, QOS0, V5),
        ("encode PUBLISH for one receiver, QoS 1, 256 B, 5.0", 256, QOS1, V5),
    ];
    for (name, payload, qos, version) in publishes {
        cases.push(delivering(name, (payload, false), qos, version));
    }
    cases.push(delivering("encode PUBLISH for one receiver, QoS 1, 256 B, 5.0, six properties", (256, true), QOS1, V5));
    cases.push(encoding_of("encode PUBACK, 3.1.1", V311, || Packet::Puback(Ack::success(number(7)))));
    cases.push(encoding_of("encode PUBACK, 5.0", V5, || Packet::Puback(Ack::success(number(7)))));
    cases.push(encoding_of("encode CONNACK, 3.1.1", V311, || Packet::Connack(Box::default())));
    cases.push(encoding_of("encode CONNACK, 5.0, five properties", V5, || {
        let mut connack = Connack::default();
        connack.properties.session_expiry_interval = Some(60);
        connack.properties.topic_alias_maximum = Some(16);
        connack.properties.maximum_packet_size = std::num::NonZeroU32::new(1_048_576);
        connack.properties.receive_maximum = std::num::NonZeroU16::new(64);
        connack.properties.assigned_client_identifier = Some(signet_mqtt::ClientIdentifier::new("assigned-0123456789"));
        Packet::Connack(Box::new(connack))
    }));
    cases.push(encoding_of("encode SUBACK, 5.0", V5, || {
        let reason_codes = vec![ReasonCode::granted(QOS1)];
        Packet::Suback(Suback { packet_id: number(3), reason_string: None, user_properties: Default::default(), reason_codes })
    }));
}

/// A message that is kept once and written for each receiver.
fn delivering(name: &'static str, (payload, has_properties): (usize, bool), qos: QoS, version: ProtocolVersion) -> Case {
    Case::new(name, OPERATIONS, 1, move |_| {
        let message = message(payload, has_properties);
        let header = header(qos, message.properties.message_expiry_interval);
        let mut out = BytesMut::new();
        Box::new(move || {
            out.clear();
            encode_publish(&message, &header, version, &mut out);
            usize::from(out.len() > payload)
        })
    })
}

fn encoding_of(name: &'static str, version: ProtocolVersion, packet: impl Fn() -> Packet + 'static) -> Case {
    Case::new(name, OPERATIONS, 1, move |_| {
        let (packet, mut out) = (packet(), BytesMut::new());
        Box::new(move || {
            out.clear();
            encode(&packet, version, &mut out);
            usize::from(out.len() > 1)
        })
    })
}

fn topics(cases: &mut Vec<Case>) {
    cases.push(Case::new("check a Topic Name of five levels", OPERATIONS, 1, |_| {
        let text = ByteString::from_static(TOPIC);
        Box::new(move || usize::from(TopicName::new(text.clone()).is_ok()))
    }));
    cases.push(Case::new("check a Topic Filter of five levels", OPERATIONS, 1, |_| {
        let text = ByteString::from_static("plant/+/line/3/#");
        Box::new(move || usize::from(TopicFilter::new(text.clone()).is_ok()))
    }));
    cases.push(matching("match a Topic Name against itself as a filter", TOPIC));
    cases.push(matching("match a Topic Name against a filter with `+` and `#`", "plant/+/line/#"));
}

fn matching(name: &'static str, filter: &'static str) -> Case {
    Case::new(name, OPERATIONS, 1, move |_| {
        let (filter, topic) = (topic_filter(filter), topic_name(TOPIC));
        let operation: Operation = Box::new(move || usize::from(filter.matches(&topic)));
        operation
    })
}
