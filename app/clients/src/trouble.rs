//! What can go wrong, by the numbers and in the words of Mosquitto's library: `MOSQ_ERR_…`.

use std::io;

use signet_client::ClientError;

/// One such error.
#[derive(Debug)]
pub(crate) enum Trouble {
    Protocol,
    Invalid,
    NotConnected,
    Refused,
    Lost,
    Tls,
    NotSupported,
    System(io::Error),
    Lookup,
    Proxy,
    Authentication,
    NameService,
    KeepAlive,
    Malformed,
    DuplicateProperty,
    QosNotSupported,
    Oversize,
}

impl Trouble {
    /// The number, which is also the exit code.
    pub(crate) fn code(&self) -> u8 {
        self.row().0
    }

    /// The words, without a full stop at the end, as Mosquitto 2.1 has them (2.0 wrote one).
    pub(crate) fn words(&self) -> String {
        match self {
            Self::System(error) => system_words(error),
            other => other.row().1.to_owned(),
        }
    }

    fn row(&self) -> (u8, &'static str) {
        match self {
            Self::Protocol => (2, "A network protocol error occurred when communicating with the broker"),
            Self::Invalid => (3, "Invalid input"),
            Self::NotConnected => (4, "The client is not currently connected"),
            Self::Refused => (5, "The connection was refused"),
            Self::Lost => (7, "The connection was lost"),
            Self::Tls => (8, "A TLS error occurred"),
            Self::NotSupported => (10, "This feature is not supported"),
            Self::System(_) => (14, "Success"),
            Self::Lookup => (15, "Lookup error"),
            Self::Proxy => (16, "Proxy error"),
            Self::Authentication => (11, "Authorisation failed"),
            Self::NameService => (20, "DNS Lookup failed"),
            Self::KeepAlive => (19, "Keepalive exceeded"),
            Self::Malformed => (21, "Malformed packet"),
            Self::DuplicateProperty => (22, "Duplicate property in property list"),
            Self::QosNotSupported => (24, "Requested QoS not supported on server"),
            Self::Oversize => (25, "Packet larger than supported by the server"),
        }
    }

    /// Whether Mosquitto's clients give up on it instead of connecting anew.
    pub(crate) fn is_fatal(&self) -> bool {
        matches!(self, Self::Protocol | Self::Invalid | Self::Tls | Self::NotSupported | Self::Lookup | Self::Proxy | Self::Authentication)
    }

    /// What our client's error is in Mosquitto's terms.
    pub(crate) fn of(error: &ClientError) -> Self {
        match error {
            ClientError::Resolve { .. } => Self::Lookup,
            ClientError::Service { .. } => Self::NameService,
            ClientError::Proxy { .. } => Self::of_proxy(error.exit_code()),
            ClientError::Unreachable { source, .. } => Self::System(copy(source)),
            ClientError::Lost(error) if error.kind() == io::ErrorKind::ConnectionReset => Self::Lost,
            ClientError::Lost(error) if error.kind() == io::ErrorKind::BrokenPipe => Self::Lost,
            ClientError::Lost(error) => Self::System(copy(error)),
            ClientError::Tls(_) | ClientError::SpeaksTls => Self::Tls,
            ClientError::KeepAlive => Self::KeepAlive,
            ClientError::Malformed(_) => Self::Malformed,
            ClientError::Unexpected { .. } => Self::Protocol,
            ClientError::NotSupported { .. } | ClientError::NoTlsOverUnix => Self::NotSupported,
            ClientError::TooLarge { .. } => Self::Oversize,
            ClientError::Refused { .. } => Self::Refused,
            ClientError::Disconnected { .. } => Self::NotConnected,
            _ => Self::Lost,
        }
    }
}

/// The errors that a proxy can be the cause of, by their numbers.
impl Trouble {
    fn of_proxy(code: u8) -> Self {
        match code {
            3 => Self::Invalid,
            4 => Self::NotConnected,
            7 => Self::Lost,
            11 => Self::Authentication,
            14 => Self::System(io::Error::from(io::ErrorKind::TimedOut)),
            _ => Self::Proxy,
        }
    }
}

/// The system's words for its error: without the number that Rust adds.
fn system_words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_error_is_in_the_systems_words() {
        assert_eq!(Trouble::System(io::Error::from_raw_os_error(111)).words(), "Connection refused");
        assert_eq!(Trouble::System(io::Error::from_raw_os_error(111)).code(), 14);
        assert_eq!(Trouble::Lost.words(), "The connection was lost");
    }
}
