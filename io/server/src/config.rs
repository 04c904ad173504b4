//! What a server is started with: checked values only, no file formats.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use signet_broker::{Limits, SessionRule, WillRule};
use signet_identity::{ClientIdentifierBinding, Template};
use signet_net::websocket::UpgradeRules;
use signet_net::{BindRules, CloneRules, ListenAddress, ListenError, ProxyVersions, Source};
use signet_policy::{AdmissionRules, Ruleset};
use signet_psk::PskConfig;
use signet_store::{StoreConfig, StoreError};
use signet_tls::{ForwardedIdentityConfig, TlsError, TlsListenerConfig, TrustProfileConfig, TrustProfiles};

use crate::authentication::Authentication;
use crate::{ListenerLimits, ServerLimits};

/// A whole server.
#[derive(Clone)]
pub struct ServerConfig {
    /// Number of shards (threads); `None`: one per core.
    pub shards: Option<u16>,
    /// Whose certificates are believed, and what their devices may be.
    pub profiles: Vec<ProfileConfig>,
    /// Where to listen.
    pub listeners: Vec<ListenerConfig>,
    /// Bounds of the broker.
    pub limits: Arc<Limits>,
    /// Bounds of what comes before the broker.
    pub server_limits: ServerLimits,
    /// Who may publish and subscribe what.
    pub ruleset: Arc<Ruleset>,
    /// What happens to the will of a connection that is closed because its device is not believed any more.
    pub will_on_revoke: WillRule,
    /// What happens to the session of a device that is not believed any more, connected or not.
    pub session_on_revoke: SessionRule,
    /// Told, on the thread of a shard, of a certificate that is in use twice under a profile that suspends its device then. Must not block.
    pub on_clone: Arc<dyn Fn(CloneAlarm) + Send + Sync>,
    /// Refused connections that are kept for whoever asks why, of all listeners together.
    pub refusals_kept: usize,
    /// Those who vouch for clients and have rules about them; without them, clients of listeners with a chain that names one are refused.
    pub authentication: Option<Arc<dyn Authentication>>,
    /// Where sessions, their messages and retained messages are kept; `None`: in memory, as long as the process lives.
    pub store: Option<StoreConfig>,
    /// Called on the thread of a shard, perhaps of each, when the store has failed for good; [`crate::ServerHandle::store_state`] says why. From
    /// there on nothing is acknowledged that has to be durable, so the process should end. Must not block.
    pub on_store_failure: Arc<dyn Fn() + Send + Sync>,
    /// Start of every random choice of the broker (assigned Client Identifiers, shared subscriptions).
    pub seed: u64,
}

impl ServerConfig {
    /// A server in memory without trust profiles, bounds by default, where everything is allowed to whoever is let in.
    pub fn new(listeners: Vec<ListenerConfig>) -> Self {
        Self {
            shards: None,
            profiles: Vec::new(),
            listeners,
            limits: Arc::new(Limits::default()),
            server_limits: ServerLimits::default(),
            ruleset: Arc::new(Ruleset::allow_all()),
            will_on_revoke: WillRule::Publish,
            session_on_revoke: SessionRule::Keep,
            on_clone: Arc::new(|_| {}),
            refusals_kept: Self::REFUSALS_KEPT,
            authentication: None,
            store: None,
            on_store_failure: Arc::new(|| {}),
            seed: 0,
        }
    }

    /// Refusals kept when nobody says otherwise: about two megabytes with certificates of a common size.
    pub const REFUSALS_KEPT: usize = 1_000;
}

/// A trust profile, and what a server makes of its devices besides believing them.
#[derive(Clone, Debug)]
pub struct ProfileConfig {
    /// Whose certificates are believed.
    pub trust: TrustProfileConfig,
    /// The rest.
    pub settings: ProfileSettings,
}

impl From<TrustProfileConfig> for ProfileConfig {
    fn from(trust: TrustProfileConfig) -> Self {
        Self { trust, settings: ProfileSettings::default() }
    }
}

/// What a trust profile says about its devices' sessions.
#[derive(Clone, Debug, Default)]
pub struct ProfileSettings {
    /// Under which names they are let in; what it leaves out is as the listener says.
    pub names: ProfileNames,
    /// What happens when one certificate is in use twice.
    pub clones: CloneRules,
}

/// Names that a trust profile gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileNames {
    /// As [`AdmissionRules::username`].
    pub username: Option<Template>,
    /// As [`AdmissionRules::client_identifier`].
    pub client_identifier: Option<Template>,
    /// As [`AdmissionRules::binding`]. With it, identifiers are the client's own to choose within its bounds, whatever the listener makes.
    pub binding: Option<ClientIdentifierBinding>,
}

impl ProfileNames {
    /// The rules of a listener with these names; `None`: there are none, and the rules are the listener's.
    pub(crate) fn over(&self, listener: &AdmissionRules) -> Option<AdmissionRules> {
        if *self == Self::default() {
            return None;
        }
        let mut rules = listener.clone();
        if let Some(username) = &self.username {
            rules.username = Some(username.clone());
        }
        if let Some(binding) = &self.binding {
            rules.binding = binding.clone();
            rules.client_identifier = None;
        }
        if let Some(client_identifier) = &self.client_identifier {
            rules.client_identifier = Some(client_identifier.clone());
        }
        Some(rules)
    }
}

/// A certificate that is in use twice.
#[derive(Clone, Debug)]
pub struct CloneAlarm {
    /// The device by its qualified name.
    pub device: String,
    /// The certificate's serial number.
    pub serial: String,
    /// What shows it.
    pub evidence: String,
}

/// The profiles of a server, loaded.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    pub(crate) trust: TrustProfiles,
    pub(crate) settings: BTreeMap<Arc<str>, ProfileSettings>,
}

impl Profiles {
    pub(crate) fn load(configs: &[ProfileConfig]) -> Result<Self, TlsError> {
        let trust = TrustProfiles::load(configs.iter().map(|config| config.trust.clone()))?;
        let settings = configs.iter().map(|config| (Arc::clone(&config.trust.name), config.settings.clone()));
        Ok(Self { trust, settings: settings.collect() })
    }
}

/// One listener.
#[derive(Clone)]
pub struct ListenerConfig {
    /// Its name in log lines and in the administration; unique.
    pub name: String,
    /// Where to listen; port 0 takes any free port.
    pub bind: Vec<ListenAddress>,
    /// How its sockets are made.
    pub bind_rules: BindRules,
    /// With or without TLS.
    pub transport: TransportConfig,
    /// MQTT in WebSocket, by these rules.
    pub websocket: Option<UpgradeRules>,
    /// Every connection comes from a proxy and begins with a PROXY header.
    pub proxy_protocol: Option<ProxyConfig>,
    /// Who is let in, and under which username and Client Identifier.
    pub admission: AdmissionRules,
    /// Connections at the same time; what comes beyond is closed at once, or displaces one that has not sent its CONNECT.
    pub maximum_connections: usize,
    /// From accept until MQTT can be spoken: PROXY header, TLS handshake and WebSocket upgrade together.
    pub handshake_timeout: Duration,
    /// From there (or accept, where MQTT can be spoken at once) to a complete CONNECT packet.
    pub connect_timeout: Duration,
    /// From a complete CONNECT until all who have to vouch have answered, or until the next challenge.
    pub authentication_timeout: Duration,
    /// Its other bounds.
    pub limits: ListenerLimits,
    /// Bounds of the broker for clients that come this way; `None`: those of the server.
    pub broker_limits: Option<Arc<Limits>>,
}

impl ListenerConfig {
    /// A listener with the default bounds: 10 000 connections, 10 s for the handshake, 10 s for CONNECT, 15 s for those who vouch.
    pub fn new(name: impl Into<String>, bind: Vec<ListenAddress>, transport: TransportConfig, admission: AdmissionRules) -> Self {
        Self {
            name: name.into(),
            bind,
            bind_rules: BindRules::default(),
            transport,
            websocket: None,
            proxy_protocol: None,
            admission,
            maximum_connections: 10_000,
            handshake_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            authentication_timeout: Duration::from_secs(15),
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
    /// What the proxy has to say of its client's connection. Without meaning where TLS comes through the proxy.
    pub demand: ProxyDemand,
}

/// What a client needs to be let through by a proxy that ends its TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxyDemand {
    /// Nothing.
    #[default]
    Nothing,
    /// TLS.
    Tls,
    /// A certificate that the proxy has verified.
    Certificate,
}

/// How a listener's connections carry MQTT.
#[derive(Clone)]
pub enum TransportConfig {
    /// Plain TCP: anybody on the way can read and change everything.
    Tcp,
    /// TLS.
    Tls(TlsListenerConfig),
    /// TLS with keys that devices share with this server, instead of certificates.
    Psk(PskConfig),
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
    /// A trust profile cannot be used.
    #[error("trust profile: {0}")]
    Profile(#[source] TlsError),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).unwrap()
    }

    #[test]
    fn a_profile_names_what_it_names_and_leaves_the_rest_to_the_listener() {
        let equals = |text: &str| ClientIdentifierBinding::Equals(template(text));
        let listener = AdmissionRules {
            username: Some(template("${cert.cn}")),
            client_identifier: Some(template("${device}")),
            binding: equals("${device}"),
            ..AdmissionRules::default()
        };
        let names = ProfileNames::default;
        assert!(names().over(&listener).is_none());
        let merged = ProfileNames { username: Some(template("${cert.o}")), ..names() }.over(&listener).unwrap();
        assert_eq!((merged.username, merged.client_identifier), (Some(template("${cert.o}")), listener.client_identifier.clone()));
        let merged = ProfileNames { binding: Some(equals("${cert.ou}")), ..names() }.over(&listener).unwrap();
        assert_eq!((merged.binding, merged.client_identifier), (equals("${cert.ou}"), None), "a binding that had nothing to bind");
        assert_eq!(merged.username, listener.username);
    }
}
