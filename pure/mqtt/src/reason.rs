//! Reason Codes (§2.4): every one of MQTT 5.0, which packet may carry which, and what older versions have instead.

use std::fmt;

use crate::{PacketType, QoS, Role};

macro_rules! reason_codes {
    ($($(#[$doc:meta])* $variant:ident = $value:literal, $name:literal;)+) => {
        /// Reason Code of MQTT 5.0. The value 0x00 has three names in the specification (Success, Normal disconnection, Granted
        /// QoS 0), told apart by the packet alone: here it is [`ReasonCode::Success`].
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ReasonCode {
            $($(#[$doc])* $variant,)+
        }

        impl ReasonCode {
            /// Every Reason Code, in the order of their values.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The number on the wire.
            #[must_use]
            pub fn value(self) -> u8 {
                match self { $(Self::$variant => $value,)+ }
            }

            /// The name in the specification (§2.4).
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            fn from_value(value: u8) -> Option<Self> {
                match value { $($value => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

reason_codes! {
    /// It worked; as Disconnect Reason Code: the Client leaves and its Will is not to be sent; in a SUBACK: Granted QoS 0.
    #[default]
    Success = 0x00, "Success";
    /// The subscription is granted with at most QoS 1.
    GrantedQoS1 = 0x01, "Granted QoS 1";
    /// The subscription is granted with at most QoS 2.
    GrantedQoS2 = 0x02, "Granted QoS 2";
    /// The Client leaves and wants its Will to be sent.
    DisconnectWithWill = 0x04, "Disconnect with Will Message";
    /// The message was accepted and nobody is subscribed to it.
    NoMatchingSubscribers = 0x10, "No matching subscribers";
    /// There was nothing to unsubscribe from.
    NoSubscriptionExisted = 0x11, "No subscription existed";
    /// One more step of the authentication exchange.
    ContinueAuthentication = 0x18, "Continue authentication";
    /// Start of a re-authentication.
    ReAuthenticate = 0x19, "Re-authenticate";
    /// Refused, and the reason is not told.
    UnspecifiedError = 0x80, "Unspecified error";
    /// The bytes cannot be read as a packet.
    MalformedPacket = 0x81, "Malformed Packet";
    /// The packet can be read and is not allowed here.
    ProtocolError = 0x82, "Protocol Error";
    /// Valid, and not accepted by this receiver.
    ImplementationSpecificError = 0x83, "Implementation specific error";
    /// The Protocol Version is not spoken here.
    UnsupportedProtocolVersion = 0x84, "Unsupported Protocol Version";
    /// The Client Identifier is valid and not allowed.
    ClientIdentifierNotValid = 0x85, "Client Identifier not valid";
    /// User Name or Password are not accepted.
    BadUserNameOrPassword = 0x86, "Bad User Name or Password";
    /// Not allowed to do this.
    NotAuthorized = 0x87, "Not authorized";
    /// The Server is not available.
    ServerUnavailable = 0x88, "Server unavailable";
    /// The Server is busy.
    ServerBusy = 0x89, "Server busy";
    /// Excluded by an administrator.
    Banned = 0x8A, "Banned";
    /// The Server stops.
    ServerShuttingDown = 0x8B, "Server shutting down";
    /// The authentication method is not supported or not the one in use.
    BadAuthenticationMethod = 0x8C, "Bad authentication method";
    /// Nothing was heard for one and a half times the Keep Alive.
    KeepAliveTimeout = 0x8D, "Keep Alive timeout";
    /// Another connection uses the same Client Identifier.
    SessionTakenOver = 0x8E, "Session taken over";
    /// The Topic Filter is not accepted.
    TopicFilterInvalid = 0x8F, "Topic Filter invalid";
    /// The Topic Name is not accepted.
    TopicNameInvalid = 0x90, "Topic Name invalid";
    /// The Packet Identifier is already in use.
    PacketIdentifierInUse = 0x91, "Packet Identifier in use";
    /// The Packet Identifier is not known.
    PacketIdentifierNotFound = 0x92, "Packet Identifier not found";
    /// More unacknowledged messages than the Receive Maximum allows.
    ReceiveMaximumExceeded = 0x93, "Receive Maximum exceeded";
    /// A Topic Alias that is zero or above the maximum.
    TopicAliasInvalid = 0x94, "Topic Alias invalid";
    /// A packet above the Maximum Packet Size.
    PacketTooLarge = 0x95, "Packet too large";
    /// Data comes too fast.
    MessageRateTooHigh = 0x96, "Message rate too high";
    /// An imposed limit has been exceeded.
    QuotaExceeded = 0x97, "Quota exceeded";
    /// Closed by an administrative action.
    AdministrativeAction = 0x98, "Administrative action";
    /// The payload is not what its Payload Format Indicator says.
    PayloadFormatInvalid = 0x99, "Payload format invalid";
    /// Retained messages are not supported.
    RetainNotSupported = 0x9A, "Retain not supported";
    /// A QoS above the Maximum QoS.
    QosNotSupported = 0x9B, "QoS not supported";
    /// Use another Server for now.
    UseAnotherServer = 0x9C, "Use another server";
    /// Use another Server from now on.
    ServerMoved = 0x9D, "Server moved";
    /// Shared Subscriptions are not supported.
    SharedSubscriptionsNotSupported = 0x9E, "Shared Subscriptions not supported";
    /// Connections come too fast.
    ConnectionRateExceeded = 0x9F, "Connection rate exceeded";
    /// The connection lasted as long as it may.
    MaximumConnectTime = 0xA0, "Maximum connect time";
    /// Subscription Identifiers are not supported.
    SubscriptionIdentifiersNotSupported = 0xA1, "Subscription Identifiers not supported";
    /// Wildcard Subscriptions are not supported.
    WildcardSubscriptionsNotSupported = 0xA2, "Wildcard Subscriptions not supported";
}

/// A number that is no Reason Code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reason code `{0:#04x}` does not exist in MQTT 5.0")]
pub struct InvalidReasonCode(pub u8);

impl ReasonCode {
    /// Values from 0x80 say that something failed (§2.4).
    #[must_use]
    pub fn is_error(self) -> bool {
        self.value() >= 0x80
    }

    /// The Reason Code that grants a subscription this maximum QoS.
    #[must_use]
    pub fn granted(qos: QoS) -> Self {
        match qos {
            QoS::AtMostOnce => Self::Success,
            QoS::AtLeastOnce => Self::GrantedQoS1,
            QoS::ExactlyOnce => Self::GrantedQoS2,
        }
    }

    /// The Connect Return Code of MQTT 3.1.1 (§3.2.2.3 there) that says the same, if there is one. Without one a Server closes the
    /// connection and sends no CONNACK.
    #[must_use]
    pub fn connect_return_code(self) -> Option<u8> {
        match self {
            Self::Success => Some(0),
            Self::UnsupportedProtocolVersion => Some(1),
            Self::ClientIdentifierNotValid => Some(2),
            // What is said is that the Server cannot serve this client now; a Quota Exceeded is that too [MQTT-4.8.0-2] (3.1.1).
            Self::ServerUnavailable
            | Self::ServerBusy
            | Self::UseAnotherServer
            | Self::ServerMoved
            | Self::QuotaExceeded
            | Self::ConnectionRateExceeded => Some(3),
            Self::BadUserNameOrPassword => Some(4),
            Self::NotAuthorized | Self::Banned | Self::BadAuthenticationMethod => Some(5),
            _ => None,
        }
    }

    /// The Reason Code that a Connect Return Code of MQTT 3.1.1 stands for; `None` for the reserved values 6 to 255.
    #[must_use]
    pub fn from_connect_return_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Success),
            1 => Some(Self::UnsupportedProtocolVersion),
            2 => Some(Self::ClientIdentifierNotValid),
            3 => Some(Self::ServerUnavailable),
            4 => Some(Self::BadUserNameOrPassword),
            5 => Some(Self::NotAuthorized),
            _ => None,
        }
    }

    /// Whether a packet of this type from this sender may carry the code (the table of §2.4 and the tables of §3).
    #[must_use]
    pub fn allowed_in(self, packet: PacketType, sender: Role) -> bool {
        let value = self.value();
        match packet {
            // [MQTT-3.2.2-8]
            PacketType::Connack => {
                matches!(value, 0x00 | 0x80..=0x8A | 0x8C | 0x90 | 0x95 | 0x97 | 0x99..=0x9D | 0x9F)
            }
            // [MQTT-3.4.2-1], [MQTT-3.5.2-1]
            PacketType::Puback | PacketType::Pubrec => matches!(value, 0x00 | 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99),
            // [MQTT-3.6.2-1], [MQTT-3.7.2-1]
            PacketType::Pubrel | PacketType::Pubcomp => matches!(value, 0x00 | 0x92),
            // [MQTT-3.9.3-2]
            PacketType::Suback => matches!(value, 0x00..=0x02 | 0x80 | 0x83 | 0x87 | 0x8F | 0x91 | 0x97 | 0x9E | 0xA1 | 0xA2),
            // [MQTT-3.11.3-2]
            PacketType::Unsuback => matches!(value, 0x00 | 0x11 | 0x80 | 0x83 | 0x87 | 0x8F | 0x91),
            // [MQTT-3.14.2-1], with the column "Sent by" of the table in §3.14.2.1.
            PacketType::Disconnect => match sender {
                Role::Client => matches!(value, 0x00 | 0x04 | 0x80..=0x83 | 0x90 | 0x93..=0x99),
                Role::Server => {
                    matches!(value, 0x00 | 0x80..=0x83 | 0x87 | 0x89 | 0x8B | 0x8D..=0x90 | 0x93..=0xA2)
                }
            },
            // [MQTT-3.15.2-1], with the column "Sent by" of the table in §3.15.2.1.
            PacketType::Auth => match sender {
                Role::Client => matches!(value, 0x18 | 0x19),
                Role::Server => matches!(value, 0x00 | 0x18),
            },
            _ => false,
        }
    }
}

impl TryFrom<u8> for ReasonCode {
    type Error = InvalidReasonCode;

    fn try_from(value: u8) -> Result<Self, Self::Error> {
        Self::from_value(value).ok_or(InvalidReasonCode(value))
    }
}

impl From<ReasonCode> for u8 {
    fn from(reason: ReasonCode) -> Self {
        reason.value()
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({:#04x})", self.name(), self.value())
    }
}
