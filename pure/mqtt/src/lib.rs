//! MQTT on the wire: bytes to [`Packet`] and back, for MQTT 3.1, 3.1.1 and 5.0 with one packet model.
//!
//! The way in: [`Decoder::decode`] reads the fixed header (`fixed_header.rs`), which alone decides who may send the packet and how large
//! it may be; once the body is whole, `reader.rs` reads the basic data types, `property.rs` the property lists, and each file below
//! `packet/` one Control Packet for all versions. The way out: [`encode()`] writes the same fields through `writer.rs`, once to count and
//! once into the buffer. A broker fans a [`Message`] out with [`encode_publish`], which copies nothing but the bytes it writes.
//!
//! What the wire rules out is refused here, with the normative statement that decides ([`DecodeError::statement`]). What depends on more
//! than one packet is not known here: sessions, a second CONNECT, Packet Identifiers in use, Receive Maximum, Keep Alive. Nor is anything
//! about sockets, TLS or identity. Only what a Topic Alias stands for (`topic_alias.rs`) can be kept here, for whoever keeps a connection.
//!
//! What the decoder allocates is bounded by the packet it was given, never by a length that was only announced; [`DecodeLimits`] holds
//! the bounds.

mod decode;
mod encode;
mod error;
mod fixed_header;
mod limits;
mod message;
mod packet;
mod packet_id;
mod property;
mod qos;
mod rare;
mod reader;
mod reason;
mod share;
mod text;
mod topic;
mod topic_alias;
mod varint;
mod version;
mod writer;

pub use decode::Decoder;
pub use encode::{encode, encode_publish, encoded_len, publish_len};
pub use error::DecodeError;
pub use fixed_header::{PacketType, Role};
pub use limits::DecodeLimits;
pub use message::{Message, MessageProperties, PublishHeader};
pub use packet::{
    Ack, Auth, Connack, ConnackProperties, Connect, ConnectProperties, Disconnect, Packet, Publish, PublishProperties, RetainHandling,
    ServerFeatures, Suback, Subscribe, SubscribeFilter, SubscriptionIdentifier, SubscriptionOptions, Unsuback, Unsubscribe, Will,
    WillProperties,
};
pub use packet_id::PacketId;
pub use qos::{InvalidQoS, QoS};
pub use rare::{Empty, Rare};
pub use reason::{InvalidReasonCode, ReasonCode};
pub use text::{ClientIdentifier, MAXIMUM_STRING_LENGTH, Password, UserProperties};
pub use topic::{TopicError, TopicFilter, TopicName};
pub use topic_alias::{AliasChoice, AliasError, InboundAliases, OutboundAliases};
pub use varint::MAXIMUM_VARIABLE_BYTE_INTEGER;
pub use version::ProtocolVersion;
