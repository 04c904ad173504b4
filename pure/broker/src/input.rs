//! Everything that can happen to a shard of the broker.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use signet_identity::{CertificateId, DeviceIdentity};
use signet_mqtt::{DecodeError, Message, Packet, QoS, ReasonCode, TopicFilter};
use signet_policy::{AccessAnswer, AccessQuestion, Client, Ruleset};

use crate::admission::Admission;
use crate::control::ControlAnswer;
use crate::identifiers::SubscriptionIdentifiers;
use crate::ids::{ConnectionId, MessageId, SessionId, ShardId};
use crate::moment::Moment;
use crate::relimit::ChangedLimits;

/// One thing that happened. Inputs of one connection are applied in the order in which they happened.
#[derive(Debug)]
pub enum Input {
    /// A CONNECT was admitted (see [`crate::admit`]) and this shard owns its Client Identifier.
    Admitted {
        /// The connection, not known to this shard before.
        connection: ConnectionId,
        /// What was admitted.
        admission: Box<Admission>,
    },
    /// A packet arrived after the CONNECT.
    Packet {
        /// From where.
        connection: ConnectionId,
        /// What.
        packet: Packet,
    },
    /// Bytes arrived that are no packet. The caller reads no further.
    Malformed {
        /// From where.
        connection: ConnectionId,
        /// What is wrong with them.
        error: DecodeError,
    },
    /// The socket is gone without a DISCONNECT.
    Closed {
        /// Which.
        connection: ConnectionId,
    },
    /// A message from another shard for sessions of this one.
    Delivery(Delivery),
    /// The connection is to be ended from outside.
    Kick {
        /// Which.
        connection: ConnectionId,
        /// Why.
        cause: KickCause,
        /// What becomes of its Will.
        will: WillRule,
        /// What becomes of its session.
        session: SessionRule,
    },
    /// The trust in identities changed in whatever way: all sessions with an identity are judged again, some at a time. Live connections are
    /// ended one by one with [`Input::Kick`]; this is for what sessions without a connection hold, and for those whose connection ends by
    /// itself before its Kick comes.
    Review {
        /// Who says which identities are still entitled. It has to know already what the change is.
        judge: Arc<dyn Judge>,
        /// What becomes of the Wills of the others.
        will: WillRule,
        /// What becomes of their sessions.
        session: SessionRule,
    },
    /// Certificates were revoked. Their live connections are ended one by one with [`Input::Kick`]; this is for the Wills that wait for
    /// their delay in sessions without a connection.
    Revoked {
        /// Which.
        certificates: Arc<[CertificateId]>,
        /// What becomes of the waiting Wills.
        will: WillRule,
    },
    /// The connection's buffer crossed a water mark.
    Writable {
        /// Which.
        connection: ConnectionId,
        /// Whether more may be written.
        writable: bool,
    },
    /// The connection is held back by the caller, who does not read what it sends: its silence means nothing [MQTT-3.1.2-22].
    HeldBack {
        /// Which.
        connection: ConnectionId,
    },
    /// An access source has answered, or could not be asked, which is an answer too. One that is not waited for, because the connection is gone, is of no
    /// interest.
    Answered {
        /// Which connection waits for it.
        connection: ConnectionId,
        /// What was asked ([`crate::Output::Ask`]).
        question: AccessQuestion,
        /// What was said.
        answer: AccessAnswer,
        /// How long that counts. A live subscription is not asked about more often than every ten seconds.
        lasts: Duration,
    },
    /// A request to the Server was carried out, or refused ([`crate::Output::Control`]). One whose connection is gone is answered too.
    Controlled {
        /// Which connection waits for it.
        connection: ConnectionId,
        /// What there is to say.
        answer: ControlAnswer,
    },
    /// A connected client is granted something else from here on.
    Regranted {
        /// Which.
        connection: ConnectionId,
        /// The same client with its new grant.
        client: Arc<Client>,
    },
    /// What access sources have said counts no more: they are asked again.
    AnswersForgotten,
    /// Other limits hold from here on.
    LimitsChanged(Arc<ChangedLimits>),
    /// Other rules apply to every decision from here on.
    PolicyChanged(Arc<Ruleset>),
    /// The Server itself has something to say, under `$SYS/`. It is not stored, and no session gets it as its own.
    Publish {
        /// What, with its QoS and whether it is retained.
        message: Message,
    },
    /// The store has room again ([`crate::Store::is_full`] has become false).
    StoreHasRoom,
    /// Time passed; given at the latest at [`crate::Broker::next_deadline`].
    Tick,
}

/// Why a connection is ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KickCause {
    /// Its certificate, or one on the path to the trust anchor, was revoked, for the reason of this name (RFC 5280 §5.3.1).
    Revoked(&'static str),
    /// Its certificate expired.
    Expired,
    /// Its certificate is no longer trusted for another reason: the trust anchors changed, or what its profile asks of a certificate.
    Untrusted,
    /// The trust profile under which it was verified was disabled or removed.
    ProfileDisabled,
    /// The device was suspended: its certificate is still good, and it may not connect for the time being.
    Suspended,
    /// The certificate stands for another device or tenant now: the naming rules changed.
    IdentityChanged,
    /// The certificate is in use in two places at once.
    Cloned,
    /// What vouched for the client has expired.
    AuthenticationExpired,
    /// The user was removed or disabled, or has another password or other rights.
    CredentialRevoked,
    /// The client wanted to authenticate again, and nobody vouches for it any more.
    AuthenticationFailed,
    /// Nobody could say in time whether the certificate is revoked, or what was known is too old.
    Unchecked,
    /// An operator asked for it.
    Administrative,
    /// The listener by which it came was removed.
    ListenerRemoved,
    /// The server stops.
    ShuttingDown,
}

impl KickCause {
    /// What the client is told in the DISCONNECT: 0x98 where somebody decided about this client, 0x87 where what it showed is not enough any
    /// more and something better may be.
    #[must_use]
    pub fn reason_code(self) -> ReasonCode {
        match self {
            Self::Revoked(_)
            | Self::Expired
            | Self::Untrusted
            | Self::ProfileDisabled
            | Self::Suspended
            | Self::Cloned
            | Self::Administrative
            | Self::ListenerRemoved => ReasonCode::AdministrativeAction,
            Self::IdentityChanged
            | Self::Unchecked
            | Self::CredentialRevoked
            | Self::AuthenticationExpired
            | Self::AuthenticationFailed => ReasonCode::NotAuthorized,
            Self::ShuttingDown => ReasonCode::ServerShuttingDown,
        }
    }

    /// The same in words, for the Reason String and the log.
    #[must_use]
    pub fn text(self) -> Cow<'static, str> {
        let fixed = match self {
            Self::Revoked(reason) => return format!("certificate revoked: {reason}").into(),
            Self::Expired => "certificate expired",
            Self::Untrusted => "certificate no longer trusted",
            Self::ProfileDisabled => "the trust profile of the certificate is disabled",
            Self::Suspended => "the device is suspended",
            Self::IdentityChanged => "the certificate stands for another device now",
            Self::CredentialRevoked => "the user was changed or removed",
            Self::AuthenticationExpired => "what vouched for the client has expired",
            Self::AuthenticationFailed => "the client could not authenticate again",
            Self::Cloned => "the certificate is in use in two places",
            Self::Unchecked => "whether the certificate is revoked could not be found out",
            Self::Administrative => "disconnected by an operator",
            Self::ListenerRemoved => "the listener was removed",
            Self::ShuttingDown => "the server is shutting down",
        };
        fixed.into()
    }
}

/// Says which identities are still entitled to what they left behind. Asked once for each session, in any order, while other things happen: it
/// has to be quick, and an index rather than a list.
pub trait Judge: fmt::Debug + Send + Sync {
    /// Whether this identity may keep its session and its Will.
    fn is_entitled(&self, identity: &DeviceIdentity) -> bool;
}

/// Entitled is whose path holds none of these certificates.
#[derive(Debug)]
pub struct NotAmong(Vec<CertificateId>);

impl NotAmong {
    /// Takes the certificates in any order.
    #[must_use]
    pub fn new(certificates: &[CertificateId]) -> Self {
        // A CRL may revoke a million at once, and every session asks for each certificate of its path.
        let mut sorted = certificates.to_vec();
        sorted.sort_unstable();
        Self(sorted)
    }
}

impl Judge for NotAmong {
    fn is_entitled(&self, identity: &DeviceIdentity) -> bool {
        !identity.path().iter().any(|on_path| self.0.binary_search(&on_path.id).is_ok())
    }
}

/// What becomes of the session of a connection that is ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRule {
    /// It lasts as long as its Session Expiry Interval says, as after any other loss of the connection.
    Keep,
    /// It ends, with its subscriptions and everything that waits for it. A Will that is not dropped is published at once.
    End,
}

/// What becomes of the Will of a connection that is ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WillRule {
    /// Published as after any other loss of the connection, after its Will Delay Interval.
    Publish,
    /// Discarded.
    Drop,
}

/// A message on its way to sessions of one shard.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The message, shared by all its receivers.
    pub message: Arc<Message>,
    /// When the broker accepted it; Message Expiry Interval counts from here.
    pub received_at: Moment,
    /// Under which id the store keeps it for every one of the recipients; nothing if it does for none.
    pub id: Option<MessageId>,
    /// For whom, each session at most once.
    pub recipients: Vec<Recipient>,
    /// How many members of a Shared Subscription were chosen for it before and may not have it.
    pub passed_on: u8,
}

/// One session's part in a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Which session.
    pub session: SessionId,
    /// The shard that owns it.
    pub shard: ShardId,
    /// The QoS of this delivery: the lower of the message's and the subscription's [MQTT-3.8.4-8].
    pub qos: QoS,
    /// The RETAIN flag of this delivery.
    pub retain: bool,
    /// The identifiers of all the session's matching subscriptions [MQTT-3.3.4-3].
    pub identifiers: SubscriptionIdentifiers,
    /// The Shared Subscription that chose this session, if one did: should the session be gone, another member gets the message.
    pub shared: Option<Arc<TopicFilter>>,
}
