//! Everything that can go wrong between a command line and a broker, in words, each with what to try and an exit code.

use std::time::Duration;

use signet_mqtt::{DecodeError, ProtocolVersion, ReasonCode};
use signet_tls::TlsError;

use crate::{Endpoint, ProxyFault};

/// Why the client gave up.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The host name has no address.
    #[error("cannot resolve the host name `{host}`: {}", io_words(.source))]
    Resolve {
        /// As written by the user.
        host: String,
        /// From the system resolver.
        source: std::io::Error,
    },
    /// No address of the host accepted a TCP connection.
    #[error("cannot connect to {endpoint}: {}", io_words(.source))]
    Unreachable {
        /// Where we tried to go.
        endpoint: Box<Endpoint>,
        /// The last address's error.
        source: std::io::Error,
    },
    /// The service records of a domain lead nowhere.
    #[error("cannot find `{name}`: {found}")]
    Service {
        /// The name of the records.
        name: String,
        /// What came instead.
        found: String,
    },
    /// The proxy does not help.
    #[error("the proxy {proxy} does not connect: {fault}")]
    Proxy {
        /// Host and port.
        proxy: String,
        /// Why.
        fault: ProxyFault,
    },
    /// The TLS files could not be used, or one side does not want the other. With TLS 1.3 the broker's refusal of our certificate comes
    /// only after the handshake, in place of the CONNACK.
    #[error("{}", tls_words(.0).0)]
    Tls(#[from] TlsError),
    /// The other side does not speak WebSocket, not for MQTT, or refuses it.
    #[error("{0}")]
    WebSocket(String),
    /// TLS through a unix socket, which nobody can listen in on.
    #[error("TLS over a unix socket is not supported")]
    NoTlsOverUnix,
    /// CONNACK with an error.
    #[error("the broker refused the connection: {}", phrase(*.reason_code, .reason_string.as_deref(), *.version))]
    Refused {
        /// For 3.1.1 the 5.0 code with the same meaning.
        reason_code: ReasonCode,
        /// The broker's own words, 5.0 only.
        reason_string: Option<String>,
        /// Decides which number is shown.
        version: ProtocolVersion,
    },
    /// DISCONNECT from the broker.
    #[error("disconnected by the broker: {}", in_words(*.reason_code, .reason_string.as_deref()))]
    Disconnected {
        /// Why, by the standard.
        reason_code: ReasonCode,
        /// Why, in the broker's own words.
        reason_string: Option<String>,
    },
    /// The connection ended without a word.
    #[error("the broker closed the connection {when}")]
    Closed {
        /// What we were doing.
        when: &'static str,
    },
    /// The socket failed.
    #[error("the connection to the broker was lost: {}", io_words(.0))]
    Lost(#[source] std::io::Error),
    /// Another thread asked to stop while an answer was due.
    #[error("interrupted while waiting for the broker")]
    Interrupted,
    /// An answer did not arrive in time.
    #[error("no {what} from the broker within {} s", .after.as_secs())]
    NoAnswer {
        /// The packet that was due.
        what: &'static str,
        /// How long we waited.
        after: Duration,
    },
    /// PINGREQ stayed unanswered for a whole Keep Alive interval.
    #[error("the broker did not answer a PINGREQ within the keep alive interval")]
    KeepAlive,
    /// The broker sent bytes that are not MQTT.
    #[error("the broker sent a malformed packet: {0}")]
    Malformed(#[from] DecodeError),
    /// A plain connection was answered with a TLS alert.
    #[error("this port speaks TLS, and we did not")]
    SpeaksTls,
    /// The broker sent a packet that has no place here.
    #[error("the broker sent {packet}, which was not expected")]
    Unexpected {
        /// Name of the packet.
        packet: &'static str,
    },
    /// All 65535 Packet Identifiers are in use.
    #[error("no free packet identifier: 65535 messages wait for an acknowledgement")]
    NoPacketIdentifier,
    /// The broker does not take what was asked for [MQTT-3.2.2-11, 3.2.2-14].
    #[error("the broker does not support {what}")]
    NotSupported {
        /// The feature, as CONNACK announced it.
        what: &'static str,
    },
    /// The packet is larger than the broker accepts [MQTT-3.2.2-15].
    #[error("the message makes a packet of {size} bytes, and the broker takes at most {maximum}")]
    TooLarge {
        /// Of the whole packet.
        size: usize,
        /// From CONNACK.
        maximum: u32,
    },
}

impl ClientError {
    /// What the user can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Resolve { .. } => Some("check the spelling after `-h`, or give an IP address".into()),
            Self::Unreachable { endpoint, .. } if matches!(endpoint.place, crate::Place::Unix(_)) => {
                Some("is the broker running, and may this user write to its socket?".into())
            }
            Self::Unreachable { source, .. } if source.kind() == std::io::ErrorKind::ConnectionRefused => {
                Some("is the broker running, and is `-p` its port? (1883 is usual for plain MQTT, 8883 for TLS)".into())
            }
            Self::WebSocket(_) => Some("is this a WebSocket port of an MQTT broker, and is the path right? (`/mqtt` is usual)".into()),
            Self::NoTlsOverUnix => Some("leave `--cafile` out: nobody can listen in on a unix socket".into()),
            Self::Tls(error) => tls_words(error).1,
            Self::Refused { reason_code, .. } => refusal_hint(*reason_code).map(Into::into),
            Self::SpeaksTls => Some("give the CA of its certificate with `--cafile FILE`; `-p 1883` is usual for plain MQTT".into()),
            Self::Closed { when: BEFORE_CONNACK } => Some(
                "a TLS listener answers a plain connection like this (give `--cafile`), and so does a broker that refuses the certificate"
                    .into(),
            ),
            Self::Closed { when: WITHOUT_A_WORD } => {
                Some("the broker's log says why; a broker can tell it to an MQTT 5.0 client only (`-V 5`)".into())
            }
            _ => None,
        }
    }

    /// The exit code of `signet pub` and `signet sub`: that of mosquitto's clients where they have one for the case.
    ///
    /// A refusal is the CONNACK code itself (1–5 in MQTT 3.1.1, 128 and up in 5.0), and so is the code of a DISCONNECT.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused { reason_code, version, .. } => wire_code(*reason_code, *version),
            Self::Disconnected { reason_code, .. } => match u8::from(*reason_code) {
                0 => 7,
                code => code,
            },
            Self::Unexpected { .. } => 2,
            Self::Closed { .. } | Self::Lost(_) => 7,
            Self::Tls(_) | Self::SpeaksTls => 8,
            Self::NotSupported { .. } | Self::NoTlsOverUnix => 10,
            Self::Unreachable { .. } | Self::WebSocket(_) => 14,
            Self::Resolve { .. } => 15,
            Self::Service { .. } => 20,
            Self::Proxy { fault, .. } => fault.exit_code(),
            Self::KeepAlive => 19,
            Self::Malformed(_) => 21,
            Self::TooLarge { .. } => 25,
            Self::NoAnswer { .. } => 27,
            Self::NoPacketIdentifier | Self::Interrupted => 1,
        }
    }
}

/// For [`ClientError::Closed`]: the moment at which a hint helps most.
pub(crate) const WITHOUT_A_WORD: &str = "without a DISCONNECT";

/// The same before the broker had said anything.
pub(crate) const BEFORE_CONNACK: &str = "before it answered the CONNECT";

/// A reason code of MQTT 5.0 and the broker's own words as one phrase: `administrative action (0x98): certificate revoked`. Control
/// characters are replaced, since the phrase is meant for a terminal.
#[must_use]
pub fn in_words(code: ReasonCode, reason_string: Option<&str>) -> String {
    phrase(code, reason_string, ProtocolVersion::V5)
}

fn phrase(code: ReasonCode, reason_string: Option<&str>, version: ProtocolVersion) -> String {
    let mut words = format!("{} (0x{:02X})", lower_first(code.name()), wire_code(code, version));
    if let Some(reason_string) = reason_string {
        words.push_str(": ");
        words.extend(reason_string.chars().map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter }));
    }
    words
}

/// What happened, and apart from it what to do: the hint gets a line of its own.
fn tls_words(error: &TlsError) -> (String, Option<String>) {
    match error {
        TlsError::Refused { found, hint, .. } => (found.clone(), Some(hint.clone())),
        TlsError::Read { path, source } => {
            let hint = match source.kind() {
                std::io::ErrorKind::NotFound => Some("check the path, it is relative to the current directory".to_owned()),
                std::io::ErrorKind::PermissionDenied => Some(format!("check who owns it: ls -l {}", path.display())),
                _ => None,
            };
            (format!("cannot read `{}`: {}", path.display(), io_words(source)), hint)
        }
        TlsError::Socket { server, source } => {
            let hint = "is this a TLS port? a broker that stops or is out of connections hangs up like this too";
            (format!("`{server}` ended the connection during the TLS handshake: {}", io_words(source)), Some(hint.into()))
        }
        TlsError::File { path, found, hint } => (format!("`{}`: {found}", path.display()), Some(hint.clone())),
        TlsError::Peer { server, found, hint, .. } => (format!("TLS with `{server}`: {found}"), Some(hint.clone())),
        other => (other.to_string(), None),
    }
}

/// An I/O error in our voice: `connection refused` instead of `Connection refused (os error 111)`.
pub(crate) fn io_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    lower_first(text.split(" (os error").next().unwrap_or_default())
}

/// The number that was on the wire.
fn wire_code(code: ReasonCode, version: ProtocolVersion) -> u8 {
    match version {
        ProtocolVersion::V5 => u8::from(code),
        _ => code.connect_return_code().unwrap_or_else(|| u8::from(code)),
    }
}

/// The specification's names start like a sentence; an error message does not. "QoS not supported" keeps its capitals.
fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() && !name.starts_with("QoS") => first.to_lowercase().chain(letters).collect(),
        _ => name.to_owned(),
    }
}

fn refusal_hint(code: ReasonCode) -> Option<&'static str> {
    match code {
        ReasonCode::UnsupportedProtocolVersion => Some("try the other version: `-V 5` or `-V 311`"),
        ReasonCode::ClientIdentifierNotValid => Some(
            "the broker may bind the identifier to the certificate: try `-i` with the name of the device, and with 3.1.1 no `-c` when `-i` is empty",
        ),
        ReasonCode::BadUserNameOrPassword => Some("check `-u` and `-P`"),
        ReasonCode::NotAuthorized => {
            Some("the broker's log says which rule refused; a listener may ask for a client certificate (`--cert`, `--key`)")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disconnect_reads_like_a_sentence_and_keeps_the_brokers_words() {
        let error = ClientError::Disconnected {
            reason_code: ReasonCode::AdministrativeAction,
            reason_string: Some("certificate revoked: keyCompromise".into()),
        };
        assert_eq!(error.to_string(), "disconnected by the broker: administrative action (0x98): certificate revoked: keyCompromise");
        assert_eq!(error.exit_code(), 0x98);
    }

    #[test]
    fn a_refusal_shows_and_exits_with_the_code_of_its_version() {
        let refused = |version| ClientError::Refused { reason_code: ReasonCode::NotAuthorized, reason_string: None, version };
        assert_eq!(refused(ProtocolVersion::V311).exit_code(), 5);
        assert_eq!(refused(ProtocolVersion::V311).to_string(), "the broker refused the connection: not authorized (0x05)");
        assert_eq!(refused(ProtocolVersion::V5).exit_code(), 0x87);
    }

    #[test]
    fn a_file_that_may_not_be_read_is_not_a_wrong_path() {
        let unreadable = |code| ClientError::Tls(TlsError::Read { path: "x.key".into(), source: std::io::Error::from_raw_os_error(code) });
        assert_eq!(unreadable(13).to_string(), "cannot read `x.key`: permission denied");
        assert_eq!(unreadable(13).hint().unwrap(), "check who owns it: ls -l x.key");
        assert!(unreadable(2).hint().unwrap().starts_with("check the path"));
    }

    #[test]
    fn control_characters_of_the_broker_never_reach_the_terminal() {
        let words = in_words(ReasonCode::UnspecifiedError, Some("a\u{1b}[2Jb\nc"));
        assert!(!words.contains(['\u{1b}', '\n']), "{words:?}");
    }
}
