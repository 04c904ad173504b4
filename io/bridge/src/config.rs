//! What a bridge is started with: checked values only, no file formats.

use std::fmt;
use std::io;
use std::num::{NonZeroU16, NonZeroU32};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use signet_mqtt::{ClientIdentifier, Password, ProtocolVersion, TopicFilter, TopicName};
use signet_policy::{BridgeClient, BridgeRights, bridge_identifier};
use signet_psk::{DeviceName, Psk, PskSettings};
use signet_tls::ConnectorConfig;

use crate::schedule::Schedule;
use crate::topics::TopicRule;

/// Makes a connection to the local broker on which the bridge with this name is at home. Called from the bridge's thread for each connection.
pub type LocalBroker = Arc<dyn Fn() -> io::Result<UnixStream> + Send + Sync>;

/// A whole bridge.
#[derive(Clone, Debug, PartialEq)]
pub struct BridgeConfig {
    /// Unique among the bridges of this broker.
    pub name: String,
    /// The other broker.
    pub remote: Remote,
    /// What is carried over; the first one that covers a topic names it on the other side.
    pub topics: Vec<TopicRule>,
    /// The session at this broker.
    pub local: LocalSession,
    /// The session at the other broker, and what both have in common.
    pub session: SessionSettings,
    /// What goes to the other broker and what does not.
    pub outgoing: Outgoing,
    /// Where the state of the bridge is told, if anywhere.
    pub notification: Option<Notification>,
    /// When it connects.
    pub start: Start,
    /// What happens between two connections.
    pub reconnect: Reconnect,
    /// What happens to a running bridge when this configuration takes the place of another one.
    pub reload: ReloadRule,
    /// Ask for retained messages with each connection, not only when the broker that is to have them has lost its session: right where messages
    /// with QoS 0 are carried over, which no session keeps.
    pub retained_each_time: bool,
    /// Through how many brokers a message may come before it is taken for one that runs in circles; 0: as many as it likes, and nothing is
    /// noted in the message. Works from MQTT 5.0 to MQTT 5.0 only.
    pub hops_maximum: u8,
}

/// The other broker and who we are there.
#[derive(Clone, PartialEq)]
pub struct Remote {
    /// Where it is; at least one. Several are several ways to the same sessions.
    pub addresses: Vec<RemoteAddress>,
    /// After a lost connection go on with the next address instead of the first.
    pub round_robin: bool,
    /// While connected to another address than the first, look every so often whether the first one answers, and go back to it.
    pub return_to_first: Option<Duration>,
    /// What to speak.
    pub version: ProtocolVersion,
    /// Before MQTT 5.0: say in CONNECT that this is a bridge, which some brokers know and others refuse; then it is left out.
    pub try_private: bool,
    /// TLS when present. The files are read anew for every connection.
    pub tls: Option<RemoteTls>,
    /// Options of the TCP connection.
    pub socket: SocketOptions,
    /// The session's name over there.
    pub client_identifier: ClientIdentifier,
    /// User name.
    pub username: Option<ByteString>,
    /// Password.
    pub password: Option<Password>,
}

/// How the connection to the other broker is protected.
#[derive(Clone, PartialEq)]
pub enum RemoteTls {
    /// By certificates.
    Certificates(Box<ConnectorConfig>),
    /// By a key that both know.
    Key {
        /// Its name.
        identity: DeviceName,
        /// The key.
        key: Psk,
        /// How to speak.
        settings: PskSettings,
    },
}

/// Options of a TCP connection; what is not set is the system's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketOptions {
    /// The local address to connect from, as an address or a name of this machine.
    pub bind_address: Option<String>,
    /// Probes of an idle connection.
    pub keep_alive: Option<TcpKeepAlive>,
    /// How long sent octets may stay unacknowledged before the connection is given up. Zero: as long as the system says.
    pub user_timeout: Option<Duration>,
}

/// Probes of an idle TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpKeepAlive {
    /// Silence before the first one, in whole seconds.
    pub idle: Duration,
    /// Between two, in whole seconds.
    pub interval: Duration,
    /// Unanswered ones before the connection is given up.
    pub count: u32,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("addresses", &self.addresses)
            .field("version", &self.version)
            .field("tls", &self.tls.is_some())
            .field("client_identifier", &self.client_identifier)
            .finish_non_exhaustive()
    }
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteAddress {
    /// A host name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl fmt::Display for RemoteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') { write!(f, "[{}]:{}", self.host, self.port) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

/// The session at this broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalSession {
    /// Its name.
    pub client_identifier: ClientIdentifier,
    /// The user name that stands beside it in lists of sessions.
    pub username: Option<ByteString>,
    /// Forget it with every connection: nothing waits for the other broker while it is away.
    pub clean_start: bool,
    /// How long it outlives a connection, in seconds; `u32::MAX`: for ever.
    pub expiry: u32,
}

impl LocalSession {
    /// The session that the bridge `name` has unless another one is asked for: kept for so many seconds.
    #[must_use]
    pub fn of(name: &str, expiry: u32) -> Self {
        Self { client_identifier: bridge_identifier(name), username: None, clean_start: false, expiry }
    }
}

/// The session at the other broker, and what both sessions have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// Forget the session with every connection.
    pub clean_start: bool,
    /// How long the session outlives a connection, in seconds; `u32::MAX`: for ever; 0, which is the same as not asking: not at all in
    /// MQTT 5.0. The other broker may cut it, and before MQTT 5.0 it alone decides.
    pub expiry: u32,
    /// Keep Alive in seconds on both sides; 0 turns it off.
    pub keep_alive: u16,
    /// Messages of QoS 1 and 2 under way to the other broker at a time, if it does not take fewer.
    pub inflight_maximum: NonZeroU16,
    /// Messages of QoS 1 and 2 under way from the other broker at a time, told to it in MQTT 5.0.
    pub receive_maximum: NonZeroU16,
    /// Largest packet to take from the other broker, told to it in MQTT 5.0; should be what the local broker takes.
    pub maximum_packet_size: u32,
    /// Topic Aliases in each direction, as far as the other broker takes them; 0: none. MQTT 5.0 only.
    pub topic_alias_maximum: u16,
}

/// What goes to the other broker and what does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Whether RETAIN is set at all. Before MQTT 5.0 a broker that keeps nothing cannot say so.
    pub retain: bool,
    /// Largest packet to send, if the other broker does not take less.
    pub maximum_packet_size: Option<NonZeroU32>,
    /// Unsubscribe over there from what only goes out: it may have come in once, and that session may remember.
    pub unsubscribe: bool,
}

impl Default for Outgoing {
    fn default() -> Self {
        Self { retain: true, maximum_packet_size: None, unsubscribe: false }
    }
}

/// Tells `1` while the bridge is connected and `0` while it is not, retained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Where.
    pub topic: TopicName,
    /// At the local broker.
    pub is_local: bool,
    /// At the other broker.
    pub is_remote: bool,
}

/// When a bridge connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At once, and again whenever it is not connected.
    Automatic,
    /// At once, and never again.
    Once,
    /// When messages wait, until nothing was carried over for a while.
    Lazy {
        /// So many messages.
        threshold: NonZeroU16,
        /// So long a while.
        idle: Duration,
    },
}

/// What happens to a running bridge that is configured differently now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadRule {
    /// Its connection ends, and the next one is made as it is configured now.
    Immediate,
    /// Its connection lasts as long as it lasts, and the next one is made as it is configured now.
    Lazy,
}

/// What happens between two connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconnect {
    /// How long it takes until the next attempt.
    pub schedule: Schedule,
    /// Bound on each of: TCP connection, TLS handshake, and every answer that a connection begins with.
    pub timeout: Duration,
}

impl BridgeConfig {
    /// What the local broker has to allow this bridge, and nothing more.
    ///
    /// # Errors
    /// A topic of the list, with its prefixes, is no Topic Filter.
    pub fn rights(&self) -> Result<BridgeRights, crate::TopicRuleError> {
        let topics = crate::topics::Topics::new(&self.topics)?;
        let mut publish: Vec<TopicFilter> = topics.local_of_inward().cloned().collect();
        if let Some(notification) = self.notification.as_ref().filter(|notification| notification.is_local) {
            // A Topic Name is a Topic Filter without wildcards.
            publish.extend(TopicFilter::new(notification.topic.as_str().to_owned()));
        }
        let subscribe = topics.local_of_outward().cloned().collect();
        Ok(BridgeRights { name: self.name.as_str().into(), client_identifier: self.local.client_identifier.clone(), publish, subscribe })
    }

    /// Who it is to the local broker.
    #[must_use]
    pub fn client(&self) -> BridgeClient {
        let (client_identifier, username) = (self.local.client_identifier.clone(), self.local.username.clone());
        BridgeClient { name: self.name.as_str().into(), client_identifier, username }
    }
}
