//! One listener at run time: its rules, its current TLS, and how many connections it has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use signet_identity::NamingRule;
use signet_policy::AdmissionRules;
use signet_revocation::StalePolicy;
use signet_tls::{CurrentRevocations, ListenerTls, TlsListenerConfig};

use crate::{ListenerConfig, StartError, TransportConfig};

/// A listener's rules and state, shared by the accept thread, the shards and the control plane.
pub(crate) struct Listener {
    pub(crate) name: Arc<str>,
    pub(crate) admission: AdmissionRules,
    pub(crate) handshake_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    naming: NamingRule,
    /// `None`: plain TCP.
    tls: Option<ArcSwap<ListenerTls>>,
    maximum_connections: usize,
    live: AtomicUsize,
}

impl Listener {
    /// Loads the TLS files, if any.
    pub(crate) fn new(config: &ListenerConfig, revocations: &CurrentRevocations, now: i64) -> Result<Self, StartError> {
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
            maximum_connections: config.maximum_connections,
            live: AtomicUsize::new(0),
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

    /// A place for one more connection, if there is one.
    pub(crate) fn admit(self: &Arc<Self>) -> Option<Place> {
        let before = self.live.fetch_add(1, Ordering::AcqRel);
        // Dropping the place gives it back.
        let place = Place(Arc::clone(self));
        (before < self.maximum_connections).then_some(place)
    }
}

/// One connection's place in its listener's count.
pub(crate) struct Place(Arc<Listener>);

impl Place {
    pub(crate) fn listener(&self) -> &Arc<Listener> {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::AcqRel);
    }
}
