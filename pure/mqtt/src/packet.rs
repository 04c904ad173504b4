//! One model of every MQTT Control Packet, for every protocol version; each packet has its own file with both its directions.

mod ack;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod publish;
mod suback;
mod subscribe;
mod unsuback;
mod unsubscribe;
mod will;

pub use ack::Ack;
pub use auth::Auth;
pub use connack::{Connack, ConnackProperties, ServerFeatures};
pub use connect::{Connect, ConnectProperties};
pub use disconnect::Disconnect;
pub(crate) use publish::PublishView;
pub use publish::{Publish, PublishProperties};
pub use suback::Suback;
pub use subscribe::{RetainHandling, Subscribe, SubscribeFilter, SubscriptionIdentifier, SubscriptionOptions};
pub use unsuback::Unsuback;
pub use unsubscribe::Unsubscribe;
pub use will::{Will, WillProperties};

use crate::PacketType;

/// An MQTT Control Packet. It owns what it holds and keeps no read buffer alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// Connection request, client to server.
    Connect(Box<Connect>),
    /// Connect acknowledgement, server to client.
    Connack(Box<Connack>),
    /// Publish message, both ways.
    Publish(Publish),
    /// Publish acknowledgement of QoS 1, both ways.
    Puback(Ack),
    /// Publish received of QoS 2, both ways.
    Pubrec(Ack),
    /// Publish release of QoS 2, both ways.
    Pubrel(Ack),
    /// Publish complete of QoS 2, both ways.
    Pubcomp(Ack),
    /// Subscribe request, client to server.
    Subscribe(Subscribe),
    /// Subscribe acknowledgement, server to client.
    Suback(Suback),
    /// Unsubscribe request, client to server.
    Unsubscribe(Unsubscribe),
    /// Unsubscribe acknowledgement, server to client.
    Unsuback(Unsuback),
    /// PING request, client to server.
    Pingreq,
    /// PING response, server to client.
    Pingresp,
    /// Disconnect notification; before MQTT 5.0 from client to server only.
    Disconnect(Box<Disconnect>),
    /// Authentication exchange, both ways, MQTT 5.0 only.
    Auth(Box<Auth>),
}

impl Packet {
    /// The type that its fixed header carries.
    #[must_use]
    pub fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::Connack(_) => PacketType::Connack,
            Self::Publish(_) => PacketType::Publish,
            Self::Puback(_) => PacketType::Puback,
            Self::Pubrec(_) => PacketType::Pubrec,
            Self::Pubrel(_) => PacketType::Pubrel,
            Self::Pubcomp(_) => PacketType::Pubcomp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::Suback(_) => PacketType::Suback,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::Unsuback(_) => PacketType::Unsuback,
            Self::Pingreq => PacketType::Pingreq,
            Self::Pingresp => PacketType::Pingresp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }

    /// Name in the specification, as in `CONNECT`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.packet_type().name()
    }
}
