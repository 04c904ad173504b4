//! One listener at run time: its rules, its current TLS, and how many connections it has.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use signet_broker::Limits;
use signet_identity::NamingRule;
use signet_net::LinkId;
use signet_policy::AdmissionRules;
use signet_revocation::StalePolicy;
use signet_tls::{CurrentRevocations, ListenerTls, TlsListenerConfig};

use crate::gate::{Displaced, Full, Gate, Origin, Pass, Total};
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
    pub(crate) limits: ListenerLimits,
    /// `None`: those of the server.
    pub(crate) broker_limits: Option<Arc<Limits>>,
    gate: Arc<Gate>,
    /// For its `connect_rate`. Its sockets share it.
    turns: Mutex<Option<Bucket>>,
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
        Ok(Self {
            name: config.name.as_str().into(),
            admission: config.admission.clone(),
            handshake_timeout: config.handshake_timeout,
            connect_timeout: config.connect_timeout,
            naming: config.naming.clone(),
            tls,
            limits: config.limits.clone(),
            broker_limits: config.broker_limits.clone(),
            turns: Mutex::new(Rate::per_second(config.limits.connect_rate.into()).map(Bucket::new)),
            gate: Arc::new(Gate::new(config.maximum_connections, config.limits.connections_per_address_maximum, Arc::clone(total))),
        })
    }

    /// The TLS for a connection accepted now; `None` for plain TCP.
    pub(crate) fn tls(&self) -> Option<Arc<ListenerTls>> {
        self.tls.as_ref().map(ArcSwap::load_full)
    }

    /// What to do about revocation lists past their `nextUpdate`.
    pub(crate) fn stale_policy(&self) -> StalePolicy {
        self.tls.as_ref().map_or_else(StalePolicy::default, |tls| tls.load().stale_policy())
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

    /// Puts other TLS files in force for new connections.
    pub(crate) fn install(&self, loaded: Arc<ListenerTls>) {
        if let Some(tls) = &self.tls {
            tls.store(loaded);
        }
    }

    /// Takes one of the connections per second that it may take; otherwise says in how many milliseconds there is one again.
    pub(crate) fn take_turn(&self, now: u64) -> Result<(), u64> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(turns) = &mut *turns else { return Ok(()) };
        match turns.wait(now) {
            Some(wait) => Err(wait),
            None => {
                turns.take(1, now);
                Ok(())
            }
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
}
