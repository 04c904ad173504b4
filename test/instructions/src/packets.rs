//! Packets as clients send them, and messages as they are sent to clients.

use std::num::NonZeroU16;

use bytes::{Bytes, BytesMut};
use signet_mqtt::{
    ClientIdentifier, Connect, ConnectProperties, DecodeLimits, Decoder, Disconnect, Message, MessageProperties, Packet, PacketId,
    ProtocolVersion, Publish, PublishHeader, PublishProperties, QoS, Rare, ReasonCode, Role, Subscribe, SubscribeFilter,
    SubscriptionOptions, TopicFilter, TopicName, Unsubscribe, UserProperties, Will, WillProperties, encode,
};

pub(crate) const QOS0: QoS = QoS::AtMostOnce;
pub(crate) const QOS1: QoS = QoS::AtLeastOnce;
pub(crate) const QOS2: QoS = QoS::ExactlyOnce;

pub(crate) const V311: ProtocolVersion = ProtocolVersion::V311;
pub(crate) const V5: ProtocolVersion = ProtocolVersion::V5;

/// Of a length that devices use.
pub(crate) const TOPIC: &str = "plant/7/line/3/temperature";

/// A PUBLISH.
pub(crate) fn publish(topic: &str, payload: usize, qos: QoS, packet_id: u16) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: Some(topic_name(topic)),
        packet_id: (qos > QOS0).then(|| number(packet_id)),
        properties: Rare::default(),
        payload: payload_of(payload),
    }
}

/// The same with every property that a client may send, a Topic Alias excepted.
pub(crate) fn publish_with_properties(topic: &str, payload: usize, qos: QoS, packet_id: u16) -> Publish {
    let properties = PublishProperties {
        payload_format_indicator: Some(true),
        message_expiry_interval: Some(3600),
        topic_alias: None,
        response_topic: Some(topic_name("plant/7/answers")),
        correlation_data: Some(Bytes::from_static(b"0123456789abcdef")),
        user_properties: user_properties(),
        subscription_identifiers: Vec::new(),
        content_type: Some("application/json".into()),
    };
    Publish { properties: properties.into(), ..publish(topic, payload, qos, packet_id) }
}

/// A message as it is kept, shared by all its receivers.
pub(crate) fn message(payload: usize, has_properties: bool) -> Message {
    let properties = if has_properties {
        MessageProperties {
            payload_format_indicator: Some(true),
            message_expiry_interval: Some(3600),
            response_topic: Some(topic_name("plant/7/answers")),
            correlation_data: Some(Bytes::from_static(b"0123456789abcdef")),
            user_properties: user_properties(),
            content_type: Some("application/json".into()),
        }
    } else {
        MessageProperties::default()
    };
    Message { topic: topic_name(TOPIC), payload: payload_of(payload), qos: QOS1, retain: false, properties: properties.into() }
}

/// What one receiver gets of it.
pub(crate) fn header(qos: QoS, expiry: Option<u32>) -> PublishHeader<'static> {
    PublishHeader {
        dup: false,
        qos,
        retain: false,
        packet_id: (qos > QOS0).then(|| number(7)),
        message_expiry_interval: expiry,
        subscription_identifiers: &[],
        topic_alias: None::<NonZeroU16>,
        send_topic: true,
    }
}

/// A CONNECT with a clean start.
pub(crate) fn connect(version: ProtocolVersion, client_identifier: &str) -> Connect {
    Connect {
        version,
        is_bridge: false,
        clean_start: true,
        keep_alive: 60,
        client_identifier: ClientIdentifier::new(client_identifier.to_owned()),
        will: None,
        username: None,
        password: None,
        properties: ConnectProperties::default(),
    }
}

/// The same with a Will, a user name and properties.
pub(crate) fn full_connect(client_identifier: &str) -> Connect {
    let mut connect = connect(V5, client_identifier);
    connect.will = Some(Will {
        topic: topic_name("plant/7/line/3/state"),
        payload: Bytes::from_static(b"offline"),
        qos: QOS1,
        retain: true,
        properties: WillProperties::default(),
    });
    connect.username = Some("line-3".into());
    connect.properties.session_expiry_interval = Some(3600);
    connect.properties.user_properties = user_properties();
    connect
}

/// A SUBSCRIBE.
pub(crate) fn subscribe(filters: &[&str], qos: QoS) -> Packet {
    let options = SubscriptionOptions { maximum_qos: qos, ..SubscriptionOptions::default() };
    let subscriptions = filters.iter().map(|filter| SubscribeFilter { filter: topic_filter(filter), options }).collect();
    Packet::Subscribe(Subscribe {
        packet_id: number(3),
        subscription_identifier: None,
        user_properties: UserProperties::default(),
        subscriptions,
    })
}

/// An UNSUBSCRIBE.
pub(crate) fn unsubscribe(filter: &str) -> Packet {
    Packet::Unsubscribe(Unsubscribe {
        packet_id: number(4),
        user_properties: UserProperties::default(),
        filters: vec![topic_filter(filter)],
    })
}

pub(crate) fn disconnect() -> Packet {
    Packet::Disconnect(Box::new(Disconnect::new(ReasonCode::Success)))
}

pub(crate) fn topic_name(text: &str) -> TopicName {
    TopicName::new(text.to_owned()).unwrap()
}

pub(crate) fn topic_filter(text: &str) -> TopicFilter {
    TopicFilter::new(text.to_owned()).unwrap()
}

pub(crate) fn number(value: u16) -> PacketId {
    PacketId::new(value).unwrap()
}

/// On the wire.
pub(crate) fn bytes(packet: &Packet, version: ProtocolVersion) -> BytesMut {
    let mut out = BytesMut::new();
    encode(packet, version, &mut out);
    out
}

/// What a client of this version sends is read by this, once its CONNECT was.
pub(crate) fn decoder(version: ProtocolVersion) -> Decoder {
    let mut decoder = Decoder::new(Role::Client, DecodeLimits::default());
    decoder.set_version(version);
    decoder
}

/// The packet as it comes from the decoder, with the memory it has there.
pub(crate) fn arrived(packet: &Packet, version: ProtocolVersion) -> Packet {
    decode(&mut decoder(version), &bytes(packet, version))
}

/// The one packet in there.
pub(crate) fn decode(decoder: &mut Decoder, bytes: &[u8]) -> Packet {
    match decoder.decode(bytes) {
        Ok(Some((packet, length))) if length == bytes.len() => packet,
        other => panic!("{other:?}"),
    }
}

fn payload_of(length: usize) -> Bytes {
    Bytes::from(vec![b'x'; length])
}

fn user_properties() -> UserProperties {
    UserProperties(vec![("site".into(), "north".into())])
}
