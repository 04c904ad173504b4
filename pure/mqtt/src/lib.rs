//! MQTT on the wire: bytes to [`Packet`] and back, for MQTT 3.1.1 and MQTT 5.0 with one packet model.

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
mod reader;
mod reason;
mod share;
mod text;
mod topic;
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
pub use reason::{InvalidReasonCode, ReasonCode};
pub use text::{ClientIdentifier, MAXIMUM_STRING_LENGTH, Password, UserProperties};
pub use topic::{TopicError, TopicFilter, TopicName};
pub use varint::MAXIMUM_VARIABLE_BYTE_INTEGER;
pub use version::ProtocolVersion;
