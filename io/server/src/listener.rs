//! One listener at run time: its rules, its current TLS, and how many connections it has.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use signet_broker::Limits;
use signet_identity::NamingRule;
use signet_net::websocket::{UpgradeRules, WebSocket};
use signet_net::{LinkId, PeerAddress};
use signet_policy::AdmissionRules;
use signet_revocation::StalePolicy;
use signet_tls::{CurrentRevocations, ListenerTls, Refusal, TlsConnection, TlsError, TlsListenerConfig};

use crate::gate::{Displaced, Full, Gate, Origin, Pass, Total};
use crate::log::RefusalLog;
use crate::pipe::Layers;
use crate::proxy::ProxyRules;
use crate::rate::{Bucket, Rate};
use crate::{ListenerConfig, ListenerLimits, StartError, TransportConfig};

/// A listener's rules and state, shared by the accept thread, the shards and the control plane.
pub(crate) struct Listener {
    pub(crate) name: Arc<str>,
    pub(crate) admission: AdmissionRules,
    pub(crate) handshake_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    naming: NamingRule,
    /// `None`: plain TCP.
    tls: Option<ArcSwap<ListenerTls>>,
    websocket: Option<Arc<UpgradeRules>>,
    /// Somebody else's connections come through proxies.
    proxy: Option<ProxyRules>,
    pub(crate) limits: ListenerLimits,
    /// `None`: those of the server.
    pub(crate) broker_limits: Option<Arc<Limits>>,
    gate: Arc<Gate>,
    /// For its `connect_rate`. Its sockets share it.
    turns: Mutex<Option<Bucket>>,
    refusals: RefusalLog,
}

impl Listener {
    /// Loads the TLS files, if any.
    pub(crate) fn new(config: &ListenerConfig, revocations: &CurrentRevocations, total: &Arc<Total>, now: i64) -> Result<Self, StartError> {
        let tls = match &config.transport {
            TransportConfig::Tcp => None,
            TransportConfig::Tls(tls) => {
                let loaded = ListenerTls::load(tls, config.naming.clone(), revocations.clone(), now)
                    .map_err(|source| StartError::Tls { listener: config.name.clone(), source })?;
                Some(ArcSwap::new(loaded))
            }
        };
        let proxy = ProxyRules::load(config, revocations).map_err(|source| StartError::Tls { listener: config.name.clone(), source })?;
        Ok(Self {
            name: config.name.as_str().into(),
            admission: config.admission.clone(),
            handshake_timeout: config.handshake_timeout,
            connect_timeout: config.connect_timeout,
            naming: config.naming.clone(),
            tls,
            websocket: config.websocket.clone().map(Arc::new),
            proxy,
            limits: config.limits.clone(),
            broker_limits: config.broker_limits.clone(),
            turns: Mutex::new(Rate::per_second(config.limits.connect_rate.into()).map(Bucket::new)),
            refusals: RefusalLog::new(),
            gate: Arc::new(Gate::new(config.maximum_connections, config.limits.connections_per_address_maximum, Arc::clone(total))),
        })
    }

    /// What lies between socket and MQTT of a connection accepted now.
    pub(crate) fn layers(&self) -> Result<Layers, TlsError> {
        let tls = self.tls.as_ref().map(|tls| TlsConnection::new(tls.load_full())).transpose()?;
        Ok(Layers {
            proxy: self.proxy.as_ref().map(|rules| Box::new(rules.receiver())),
            tls: tls.map(Box::new),
            websocket: self.websocket.as_ref().map(|rules| Box::new(WebSocket::new(Arc::clone(rules)))),
        })
    }

    /// Whether something has to happen before MQTT can be spoken.
    pub(crate) fn opens_in_steps(&self) -> bool {
        self.tls.is_some() || self.websocket.is_some() || self.proxy.is_some()
    }

    /// The rules about proxies, where there are any.
    pub(crate) fn proxy(&self) -> Option<&ProxyRules> {
        self.proxy.as_ref()
    }

    /// What to do about revocation lists past their `nextUpdate`.
    pub(crate) fn stale_policy(&self) -> StalePolicy {
        match (&self.tls, &self.proxy) {
            (Some(tls), _) => tls.load().stale_policy(),
            (None, Some(proxy)) => proxy.identity.stale_policy(),
            (None, None) => StalePolicy::default(),
        }
    }

    /// Reads other TLS files for this listener and checks them; nothing changes before [`Self::install`].
    pub(crate) fn load(
        &self,
        config: &TlsListenerConfig,
        revocations: &CurrentRevocations,
        now: i64,
    ) -> Result<Arc<ListenerTls>, StartError> {
        if self.tls.is_none() {
            let words = format!("listener `{}` is plain TCP and has no TLS files; restart to change its transport", self.name);
            return Err(StartError::Setting(words));
        }
        ListenerTls::load(config, self.naming.clone(), revocations.clone(), now)
            .map_err(|source| StartError::Tls { listener: self.name.to_string(), source })
    }

    /// When the certificate that it shows ends, Unix seconds; nothing without TLS.
    pub(crate) fn not_after(&self) -> Option<i64> {
        self.tls.as_ref().map(|tls| tls.load().not_after())
    }

    /// Puts other TLS files in force for new connections.
    pub(crate) fn install(&self, loaded: Arc<ListenerTls>) {
        if let Some(tls) = &self.tls {
            tls.store(loaded);
        }
    }

    /// Tells the operator of a connection that was refused.
    pub(crate) fn log_refusal(&self, refusal: &Refusal, address: PeerAddress) {
        self.refusals.write(refusal, &self.name, address);
    }

    /// In how many milliseconds it may take one more connection, if not now. Asking takes nothing: there may be nobody.
    pub(crate) fn wait_for_turn(&self, now: u64) -> Option<u64> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|turns| turns.wait(now))
    }

    /// It has taken a connection.
    pub(crate) fn take_turn(&self, now: u64) {
        if let Some(turns) = &mut *self.turns.lock().unwrap_or_else(PoisonError::into_inner) {
            turns.take(1, now);
        }
    }

    /// A place for one more connection, dealt to `shard`, and who has to go for it.
    pub(crate) fn admit(self: &Arc<Self>, origin: Origin, link: LinkId, shard: u16) -> Result<(Place, Option<Displaced>), Full> {
        let (pass, displaced) = self.gate.admit(origin, link, shard)?;
        Ok((Place { listener: Arc::clone(self), pass }, displaced))
    }
}

/// One connection's place at its listener.
pub(crate) struct Place {
    listener: Arc<Listener>,
    pass: Pass,
}

impl Place {
    pub(crate) fn listener(&self) -> &Arc<Listener> {
        &self.listener
    }

    pub(crate) fn pass(&self) -> &Pass {
        &self.pass
    }

    /// A trusted proxy said whose connection this is.
    pub(crate) fn readdress(&mut self, origin: Origin) -> Result<(), Full> {
        self.pass.readdress(origin)
    }
}
