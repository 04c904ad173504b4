//! What a bridge is started with: checked values only, no file formats.

use std::fmt;
use std::io;
use std::num::NonZeroU16;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use signet_mqtt::{ClientIdentifier, Password, ProtocolVersion, TopicFilter, TopicName};
use signet_policy::BridgeRights;
use signet_tls::ConnectorConfig;

use crate::topics::TopicRule;

/// Makes a connection to the local broker on which the bridge with this name is at home. Called from the bridge's thread for each connection.
pub type LocalBroker = Arc<dyn Fn() -> io::Result<UnixStream> + Send + Sync>;

/// A whole bridge.
#[derive(Clone, Debug)]
pub struct BridgeConfig {
    /// Unique among the bridges of this broker.
    pub name: String,
    /// The other broker.
    pub remote: Remote,
    /// What is carried over; the first one that covers a topic names it on the other side.
    pub topics: Vec<TopicRule>,
    /// Of the sessions on both sides.
    pub session: SessionSettings,
    /// Where the state of the bridge is told, if anywhere.
    pub notification: Option<Notification>,
    /// What happens between two connections.
    pub reconnect: Reconnect,
    /// Through how many brokers a message may come before it is taken for one that runs in circles; 0: as many as it likes, and nothing is
    /// noted in the message. Works from MQTT 5.0 to MQTT 5.0 only.
    pub hops_maximum: u8,
}

/// The other broker and who we are there.
#[derive(Clone)]
pub struct Remote {
    /// Where it is; at least one. Several are several ways to the same sessions.
    pub addresses: Vec<RemoteAddress>,
    /// After a lost connection go on with the next address instead of the first.
    pub round_robin: bool,
    /// What to speak.
    pub version: ProtocolVersion,
    /// Before MQTT 5.0: say in CONNECT that this is a bridge, which some brokers know and others refuse; then it is left out.
    pub try_private: bool,
    /// TLS when present. The files are read anew for every connection.
    pub tls: Option<ConnectorConfig>,
    /// The session's name over there.
    pub client_identifier: ClientIdentifier,
    /// User name.
    pub username: Option<ByteString>,
    /// Password.
    pub password: Option<Password>,
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

/// What both sessions have in common.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// Forget both sessions with every connection: nothing waits for the other broker while it is away.
    pub clean_start: bool,
    /// How long the sessions outlive a connection, in seconds; `u32::MAX`: for ever. Either broker may cut it.
    pub expiry: u32,
    /// Keep Alive in seconds on both sides; 0 turns it off.
    pub keep_alive: u16,
    /// Messages of QoS 1 and 2 under way at a time, in each direction, if the receiving broker does not take fewer.
    pub inflight_maximum: NonZeroU16,
    /// Largest packet to take from the other broker, told to it in MQTT 5.0; should be what the local broker takes.
    pub maximum_packet_size: u32,
}

/// Tells `1` while the bridge is connected and `0` while it is not, retained.
#[derive(Clone, Debug)]
pub struct Notification {
    /// Where.
    pub topic: TopicName,
    /// At the local broker.
    pub is_local: bool,
    /// At the other broker.
    pub is_remote: bool,
}

/// What happens between two connections. The pause doubles with each attempt that fails; half of it is random, so that many bridges do not
/// come back together.
#[derive(Clone, Copy, Debug)]
pub struct Reconnect {
    /// The first pause.
    pub minimum: Duration,
    /// The longest pause.
    pub maximum: Duration,
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
        Ok(BridgeRights { name: self.name.as_str().into(), publish, subscribe: topics.local_of_outward().cloned().collect() })
    }
}
