//! Why a connection of a bridge did not come about, or ended.

use std::fmt;
use std::io;

use signet_mqtt::{DecodeError, Disconnect, ReasonCode};
use signet_tls::TlsError;

use crate::RemoteAddress;

/// One of the two brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The one whose process this is.
    Local,
    /// The other one.
    Remote,
}

impl End {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Local => Self::Remote,
            Self::Remote => Self::Local,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "this broker",
            Self::Remote => "the other broker",
        })
    }
}

/// What went wrong. All of it is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Told to stop.
    #[error("stopped")]
    Stopped,
    /// A lazy bridge that has nothing to do.
    #[error("nothing was carried over for the time of `idle_timeout`")]
    Idle,
    #[error("the first address answers again")]
    FirstIsBack,
    #[error("cannot resolve the host name `{host}`: {source}")]
    Resolve { host: String, source: io::Error },
    #[error("cannot connect to `{address}`: {source}")]
    Unreachable { address: RemoteAddress, source: io::Error },
    #[error("{0}")]
    Tls(#[from] TlsError),
    #[error("cannot connect to this broker: {0}")]
    Local(io::Error),
    #[error("the system gives no means to wait for sockets: {0}")]
    System(io::Error),
    #[error("{end} refused the connection: {}", words(*.code, .reason.as_deref()))]
    Refused { end: End, code: ReasonCode, reason: Option<String> },
    #[error("{end} closed the connection before it answered the CONNECT")]
    ClosedEarly { end: End },
    #[error("{end} closed the connection")]
    Closed { end: End },
    #[error("{end} ended the connection: {}", words(*.code, .reason.as_deref()))]
    Disconnected { end: End, code: ReasonCode, reason: Option<String> },
    #[error("the connection to {end} was lost: {source}")]
    Lost { end: End, source: io::Error },
    #[error("{end} did not answer a PINGREQ in time")]
    Silent { end: End },
    #[error("{end} sent no {what} in time")]
    NoAnswer { end: End, what: &'static str },
    #[error("{end} sent a malformed packet: {source}")]
    Malformed { end: End, source: DecodeError },
    #[error("{end} sent {packet}, which was not expected")]
    Unexpected { end: End, packet: &'static str },
    #[error("{end} cannot take a message now: {}; it will be sent again", words(*.code, None))]
    Busy { end: End, code: ReasonCode },
    #[error("more messages wait for {end} than a bridge may hold; the sender should have fewer under way at a time")]
    Overflow { end: End },
}

impl Fault {
    pub(crate) fn disconnected(end: End, disconnect: &Disconnect) -> Self {
        Self::Disconnected { end, code: disconnect.reason_code, reason: disconnect.reason_string.as_ref().map(ToString::to_string) }
    }

    /// Whether the connection ends in good order and by our own will, so that both brokers are told.
    pub(crate) fn is_our_will(&self) -> bool {
        matches!(self, Self::Stopped | Self::Idle | Self::FirstIsBack)
    }

    /// Whether the other broker may have refused the mark of a bridge in our CONNECT rather than us.
    pub(crate) fn may_be_the_mark(&self) -> bool {
        match self {
            Self::Refused { end: End::Remote, code, .. } => *code == ReasonCode::UnsupportedProtocolVersion,
            Self::ClosedEarly { end: End::Remote } => true,
            _ => false,
        }
    }

    /// What the operator can do, where that is known.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Refused { end: End::Remote, code: ReasonCode::UnsupportedProtocolVersion, .. } => {
                Some("set `protocol` of the bridge to what the other broker speaks")
            }
            Self::Refused { end: End::Remote, code: ReasonCode::ClientIdentifierNotValid, .. } => {
                Some("set `client_identifier` of the bridge to what the other broker expects of this client")
            }
            Self::Refused { end: End::Remote, code: ReasonCode::NotAuthorized | ReasonCode::BadUserNameOrPassword, .. } => {
                Some("check `username`, `password_file` and `certificate` of the bridge")
            }
            Self::Disconnected { end: End::Remote, code: ReasonCode::SessionTakenOver, .. } => {
                Some("another client uses the same `client_identifier` at the other broker: give each bridge its own")
            }
            _ => None,
        }
    }
}

fn words(code: ReasonCode, reason: Option<&str>) -> String {
    let mut words = format!("{} (0x{:02X})", code.name(), code.value());
    if let Some(reason) = reason {
        words.push_str(": ");
        // The other broker's words must not become lines of our log.
        words.extend(reason.chars().take(256).map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter }));
    }
    words
}
