//! What is known of one live connection.

use std::borrow::Cow;
use std::sync::Arc;

use signet_identity::{PathCertificate, Peer};

use crate::PeerAddress;

/// One accepted connection, unique for as long as the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(u64);

impl LinkId {
    /// The number, for log lines and the administration.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The connection with this number, as a shard gets it back from its poll and its broker.
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }
}

/// What carries MQTT on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// The socket itself, TCP or unix.
    Tcp,
    /// TLS.
    Tls,
    /// WebSocket.
    WebSocket,
    /// WebSocket over TLS.
    SecureWebSocket,
}

impl Transport {
    /// Whether TLS ends here.
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Tls | Self::SecureWebSocket)
    }

    /// The name that configuration and log use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::WebSocket => "ws",
            Self::SecureWebSocket => "wss",
        }
    }
}

/// A live connection as it is entered.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The connection.
    pub link: LinkId,
    /// The shard that owns it.
    pub shard: u16,
    /// The listener that accepted it.
    pub listener: Arc<str>,
    /// Where the client is; of a connection that a trusted proxy forwards, not the proxy.
    pub address: PeerAddress,
    /// How it came in.
    pub transport: Transport,
    /// Who the peer is.
    pub peer: Peer,
    /// When it was accepted, unix seconds.
    pub since: i64,
}

/// A live connection as an operator sees it.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// What was entered.
    pub entry: Entry,
    /// The Client Identifier, once CONNECT was accepted.
    pub client_identifier: Option<Arc<str>>,
    /// The user name, once CONNECT was accepted, if it has one.
    pub username: Option<Arc<str>>,
    /// By what it was let in besides its certificate, as far as that can be taken back.
    pub credentials: Box<[Credential]>,
}

/// Something that a client was let in by, and that somebody may take back or replace: the password of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its name among all of them.
    pub name: Arc<str>,
    /// Which one of this name.
    pub version: u64,
}

impl ConnectionInfo {
    /// The device's name that is unique among all tenants, whoever vouches for it.
    pub fn device(&self) -> Option<Cow<'_, str>> {
        match self.entry.peer.identity() {
            Some(identity) => Some(identity.qualified_name()),
            None => self.entry.peer.device().map(|name| Cow::Borrowed(name.as_str())),
        }
    }

    pub(super) fn path(&self) -> &[PathCertificate] {
        self.entry.peer.identity().map_or(&[], |identity| identity.path())
    }
}
