//! Everything a shard of the broker can ask for.

use std::sync::Arc;

use bytes::Bytes;
use signet_mqtt::{ClientIdentifier, Message, Packet, PacketId, PublishHeader, QoS, ReasonCode, TopicFilter, TopicName};
use signet_policy::{AccessQuestion, Client, Denied, Principal};

use crate::identifiers::SubscriptionIdentifiers;
use crate::ids::{ConnectionId, ShardId};
use crate::input::{Delivery, KickCause};
use crate::store::Ticket;

/// One thing to be done, in the order given. What is meant for one connection is written in that order and nothing is left out: the broker
/// has already dropped what it may drop, and counts on the rest (Packet Identifiers, Topic Aliases) having arrived.
#[derive(Debug)]
pub enum Output {
    /// Encode and write a packet.
    Send {
        /// To where.
        connection: ConnectionId,
        /// What.
        packet: Packet,
        /// Not before this ticket is durable. PUBLISH packets may overtake one that waits, except that nothing overtakes a CONNACK or
        /// SUBACK.
        after: Ticket,
    },
    /// Encode and write a PUBLISH.
    Publish {
        /// To where.
        connection: ConnectionId,
        /// The message, shared by all its receivers.
        message: Arc<Message>,
        /// What is this receiver's own.
        header: OwnedPublishHeader,
        /// Not before this ticket is durable, and not before a CONNACK or SUBACK that was asked for earlier and waits.
        after: Ticket,
    },
    /// Write what was asked for before, then close the socket. The connection is unknown to the broker from here on. Comes once for every
    /// connection that was admitted, one that the caller reported as closed included.
    Close {
        /// Which.
        connection: ConnectionId,
        /// Why.
        cause: CloseCause,
    },
    /// Give a delivery to another shard as [`crate::Input::Delivery`], in order per pair of shards.
    Handover {
        /// Which shard.
        shard: ShardId,
        /// What.
        delivery: Delivery,
    },
    /// Ask an access source about one topic, and answer with [`crate::Input::Answered`]. Until then the connection is held: nothing that it sends is read
    /// (see the crate's documentation).
    Ask {
        /// Who waits.
        connection: ConnectionId,
        /// Who wants to do it.
        client: Arc<Client>,
        /// What, and which source.
        question: AccessQuestion,
    },
    /// A client that may has sent a request to the Server, which goes to nobody else. Answer with [`crate::Input::Controlled`]; until then the connection
    /// is held, as with [`Self::Ask`].
    Control {
        /// Who waits.
        connection: ConnectionId,
        /// Who asks.
        client: Arc<Client>,
        /// Where it was published, below `$CONTROL/`.
        topic: TopicName,
        /// What it asks for.
        payload: Bytes,
    },
    /// Something worth a log line.
    Event(Event),
}

/// A [`PublishHeader`] that owns its Subscription Identifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedPublishHeader {
    /// DUP.
    pub dup: bool,
    /// QoS of this delivery.
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
    /// Packet Identifier, for QoS 1 and 2.
    pub packet_id: Option<PacketId>,
    /// What is left of the Message Expiry Interval, in seconds [MQTT-3.3.2-6].
    pub message_expiry_interval: Option<u32>,
    /// Subscription Identifiers.
    pub subscription_identifiers: SubscriptionIdentifiers,
    /// Topic Alias.
    pub topic_alias: Option<std::num::NonZeroU16>,
    /// Whether the Topic Name is written out; without it the alias stands for it.
    pub send_topic: bool,
}

impl OwnedPublishHeader {
    /// The borrowed form that the encoder takes.
    #[must_use]
    pub fn as_header(&self) -> PublishHeader<'_> {
        PublishHeader {
            dup: self.dup,
            qos: self.qos,
            retain: self.retain,
            packet_id: self.packet_id,
            message_expiry_interval: self.message_expiry_interval,
            subscription_identifiers: &self.subscription_identifiers,
            topic_alias: self.topic_alias,
            send_topic: self.send_topic,
        }
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseCause {
    /// The client sent DISCONNECT.
    #[error("the client disconnected{}", reason_given(*.0))]
    ClientDisconnected(ReasonCode),
    /// The socket was gone.
    #[error("the connection was lost")]
    ConnectionLost,
    /// Another connection came with the same Client Identifier.
    #[error("another connection took over the session")]
    TakenOver,
    /// Nothing came for one and a half times the Keep Alive [MQTT-3.1.2-22].
    #[error("keep alive timeout")]
    KeepAliveTimeout,
    /// Bytes that are no packet.
    #[error("malformed packet: {0}")]
    Malformed(String, ReasonCode),
    /// A packet that is well formed and not allowed here.
    #[error("protocol error: {0}")]
    ProtocolError(&'static str),
    /// More unacknowledged QoS 2 messages than Receive Maximum allows [MQTT-3.3.4-7].
    #[error("receive maximum exceeded")]
    ReceiveMaximumExceeded,
    /// A Topic Alias of zero or above Topic Alias Maximum.
    #[error("topic alias invalid")]
    TopicAliasInvalid,
    /// The Topic Name is not one the server takes.
    #[error("topic name invalid: {0}")]
    TopicNameInvalid(&'static str),
    /// A QoS above Maximum QoS [MQTT-3.2.2-11].
    #[error("the QoS is above the maximum")]
    QosNotSupported,
    /// A message is to be retained, and there are no retained messages [MQTT-3.2.2-14].
    #[error("a message is to be retained, which the server does not do")]
    RetainNotSupported,
    /// The Client Identifier belongs to the session of another device.
    #[error("the client identifier belongs to the session of another device")]
    IdentifierInUse,
    /// There was no room for the session of an admitted CONNECT; or there is room again for a message that was not acknowledged, and the
    /// client is to send it again.
    #[error("quota exceeded: {0}")]
    QuotaExceeded(&'static str),
    /// A subscription was refused to a client of MQTT 3.1, whose SUBACK cannot say so.
    #[error("a subscription was refused, which MQTT 3.1 has no answer for")]
    SubscriptionRefused,
    /// Rules changed, and one of its subscriptions ended.
    #[error("the rules no longer allow the subscription to `{0}`")]
    SubscriptionEnded(String),
    /// An answer that must be sent is larger than the client's Maximum Packet Size.
    #[error("the answer is larger than the client's maximum packet size")]
    PacketTooLarge,
    /// Ended from outside.
    #[error("{}", .0.text())]
    Kicked(KickCause),
}

impl CloseCause {
    /// What the client is told in a DISCONNECT, if anything.
    #[must_use]
    pub fn reason_code(&self) -> Option<ReasonCode> {
        match self {
            Self::ClientDisconnected(_) | Self::ConnectionLost => None,
            Self::TakenOver => Some(ReasonCode::SessionTakenOver),
            Self::KeepAliveTimeout => Some(ReasonCode::KeepAliveTimeout),
            Self::Malformed(_, code) => Some(*code),
            Self::ProtocolError(_) => Some(ReasonCode::ProtocolError),
            Self::ReceiveMaximumExceeded => Some(ReasonCode::ReceiveMaximumExceeded),
            Self::TopicAliasInvalid => Some(ReasonCode::TopicAliasInvalid),
            Self::TopicNameInvalid(_) => Some(ReasonCode::TopicNameInvalid),
            Self::IdentifierInUse => Some(ReasonCode::ClientIdentifierNotValid),
            Self::QosNotSupported => Some(ReasonCode::QosNotSupported),
            Self::RetainNotSupported => Some(ReasonCode::RetainNotSupported),
            Self::QuotaExceeded(_) => Some(ReasonCode::QuotaExceeded),
            Self::SubscriptionRefused => Some(ReasonCode::ImplementationSpecificError),
            Self::SubscriptionEnded(_) => Some(ReasonCode::NotAuthorized),
            Self::PacketTooLarge => Some(ReasonCode::PacketTooLarge),
            Self::Kicked(cause) => Some(cause.reason_code()),
        }
    }
}

/// Something worth a log line or a count.
#[derive(Debug, Clone)]
pub enum Event {
    /// A client is connected.
    Connected {
        /// Which connection.
        connection: ConnectionId,
        /// Its name.
        client_identifier: ClientIdentifier,
        /// Who it is.
        principal: Principal,
        /// Whether it found its session.
        session_present: bool,
    },
    /// A connection ended.
    Disconnected {
        /// Which connection.
        connection: ConnectionId,
        /// Its name.
        client_identifier: ClientIdentifier,
        /// Who it was.
        principal: Principal,
        /// Why.
        cause: CloseCause,
    },
    /// A publish or a subscription was refused.
    Denied {
        /// Which connection; none for a Will whose connection is gone.
        connection: Option<ConnectionId>,
        /// Its name.
        client_identifier: ClientIdentifier,
        /// What and why.
        denied: Denied,
    },
    /// A subscription ended because rules changed, or because its client came back with other facts.
    SubscriptionEnded {
        /// The connection, which ends too; none for a session without one.
        connection: Option<ConnectionId>,
        /// Its name.
        client_identifier: ClientIdentifier,
        /// The whole filter.
        filter: TopicFilter,
        /// What no longer allows it.
        denied: Denied,
    },
    /// A message was not taken for want of room, and its publisher's version has no way to say so: nothing that needs an acknowledgement is
    /// taken on this connection any more, which ends when there is room again.
    HeldBack {
        /// Which connection.
        connection: ConnectionId,
        /// Its name.
        client_identifier: ClientIdentifier,
        /// What there is no room in.
        why: &'static str,
    },
    /// A CONNECT was refused because its Client Identifier belongs to the session of another device.
    IdentifierRefused {
        /// Which connection.
        connection: ConnectionId,
        /// The name both use.
        client_identifier: ClientIdentifier,
        /// Whose session it is.
        owner: Principal,
        /// Who came.
        claimant: Principal,
    },
    /// A CONNECT was refused because there is no room for its session.
    SessionRefused {
        /// Which connection.
        connection: ConnectionId,
        /// The name it would have had.
        client_identifier: ClientIdentifier,
        /// What there is no room in.
        why: &'static str,
    },
    /// A session that an anonymous client had left under this Client Identifier was ended when a device came, not resumed.
    SessionNotShared {
        /// The name both use.
        client_identifier: ClientIdentifier,
        /// Whose session it was.
        owner: Principal,
        /// Who came.
        claimant: Principal,
    },
    /// A session ended.
    SessionEnded {
        /// Its name.
        client_identifier: ClientIdentifier,
    },
}

impl Event {
    /// The connection it is about, if it is about one.
    #[must_use]
    pub fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Connected { connection, .. }
            | Self::Disconnected { connection, .. }
            | Self::HeldBack { connection, .. }
            | Self::IdentifierRefused { connection, .. }
            | Self::SessionRefused { connection, .. } => Some(*connection),
            Self::Denied { connection, .. } | Self::SubscriptionEnded { connection, .. } => *connection,
            Self::SessionNotShared { .. } | Self::SessionEnded { .. } => None,
        }
    }
}

/// The normal disconnection needs no words.
fn reason_given(reason_code: ReasonCode) -> String {
    match reason_code {
        ReasonCode::Success => String::new(),
        other => format!(": {} ({:#04x})", other.name(), u8::from(other)),
    }
}
