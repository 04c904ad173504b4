//! What a server is started with: checked values only, no file formats.

use std::sync::Arc;
use std::time::Duration;

use signet_broker::{Limits, WillRule};
use signet_identity::NamingRule;
use signet_net::websocket::UpgradeRules;
use signet_net::{ListenAddress, ListenError, ProxyVersions, Source};
use signet_policy::{AdmissionRules, Ruleset};
use signet_store::{StoreConfig, StoreError};
use signet_tls::{ForwardedIdentityConfig, TlsError, TlsListenerConfig};

use crate::{ListenerLimits, ServerLimits};

/// A whole server.
#[derive(Clone)]
pub struct ServerConfig {
    /// Number of shards (threads); `None`: one per core.
    pub shards: Option<u16>,
    /// Where to listen.
    pub listeners: Vec<ListenerConfig>,
    /// Bounds of the broker.
    pub limits: Arc<Limits>,
    /// Bounds of what comes before the broker.
    pub server_limits: ServerLimits,
    /// Who may publish and subscribe what.
    pub ruleset: Arc<Ruleset>,
    /// What happens to the will of a connection closed by a revocation.
    pub will_on_revoke: WillRule,
    /// Where sessions, their messages and retained messages are kept; `None`: in memory, as long as the process lives.
    pub store: Option<StoreConfig>,
    /// Called on the thread of a shard, perhaps of each, when the store has failed for good; [`crate::ServerHandle::store_state`] says why. From
    /// there on nothing is acknowledged that has to be durable, so the process should end. Must not block.
    pub on_store_failure: Arc<dyn Fn() + Send + Sync>,
    /// Start of every random choice of the broker (assigned Client Identifiers, shared subscriptions).
    pub seed: u64,
}

/// One listener.
#[derive(Clone)]
pub struct ListenerConfig {
    /// Its name in log lines and in the administration; unique.
    pub name: String,
    /// Where to listen; port 0 takes any free port.
    pub bind: Vec<ListenAddress>,
    /// Permissions of unix sockets, as in `chmod`; connecting takes the right to write.
    pub unix_mode: u32,
    /// With or without TLS.
    pub transport: TransportConfig,
    /// MQTT in WebSocket, by these rules.
    pub websocket: Option<UpgradeRules>,
    /// Every connection comes from a proxy and begins with a PROXY header.
    pub proxy_protocol: Option<ProxyConfig>,
    /// Who is let in, and under which username and Client Identifier.
    pub admission: AdmissionRules,
    /// Which field of a certificate is the device's name.
    pub naming: NamingRule,
    /// Connections at the same time; what comes beyond is closed at once, or displaces one that has not sent its CONNECT.
    pub maximum_connections: usize,
    /// From accept until MQTT can be spoken: PROXY header, TLS handshake and WebSocket upgrade together.
    pub handshake_timeout: Duration,
    /// From there (or accept, where MQTT can be spoken at once) to a complete CONNECT packet.
    pub connect_timeout: Duration,
    /// Its other bounds.
    pub limits: ListenerLimits,
    /// Bounds of the broker for clients that come this way; `None`: those of the server.
    pub broker_limits: Option<Arc<Limits>>,
}

impl ListenerConfig {
    /// A listener with the default bounds: 10 000 connections, 10 s for the handshake, 10 s for CONNECT.
    pub fn new(name: impl Into<String>, bind: Vec<ListenAddress>, transport: TransportConfig, admission: AdmissionRules) -> Self {
        Self {
            name: name.into(),
            bind,
            unix_mode: 0o660,
            transport,
            websocket: None,
            proxy_protocol: None,
            admission,
            naming: NamingRule::default(),
            maximum_connections: 10_000,
            handshake_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            limits: ListenerLimits::default(),
            broker_limits: None,
        }
    }
}

/// Proxies in front of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyConfig {
    /// Which versions of the header are taken.
    pub versions: ProxyVersions,
    /// Who may send one. Not empty; everybody else is refused at once.
    pub trusted: Vec<Source>,
    /// What a certificate counts that a proxy has verified. Without meaning where TLS comes through the proxy.
    pub identity: ForwardedIdentityConfig,
}

/// How a listener's connections carry MQTT.
#[derive(Clone)]
pub enum TransportConfig {
    /// Plain TCP: anybody on the way can read and change everything.
    Tcp,
    /// TLS.
    Tls(TlsListenerConfig),
}

/// Why a server did not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The TLS files of a listener cannot be used.
    #[error("listener `{listener}`: {source}")]
    Tls {
        /// The listener's name.
        listener: String,
        /// What is wrong.
        source: TlsError,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Two listeners have one name, or there is no listener.
    #[error("{0}")]
    Setting(String),
    /// The system gave no epoll instance, event descriptor or thread.
    #[error("cannot start the shards: {0}")]
    System(#[from] std::io::Error),
}
