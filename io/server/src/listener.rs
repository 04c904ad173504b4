//! One listener at run time: its rules, which a reload may replace, and how many connections it has.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use signet_identity::{DeviceIdentity, KeyedPeer, Peer, PendingPeer};
use signet_mqtt::ReasonCode;
use signet_net::websocket::{UpgradeRules, WebSocket};
use signet_net::{KickCause, LinkId, PeerAddress};
use signet_policy::AdmissionRules;
use signet_psk::{PskConnection, PskEnding, PskListener};
use signet_revocation::Assurance;
use signet_tls::{Check, CurrentRevocations, Explanation, ListenerTls, Refusal, TlsConnection, TlsError, TrustProfile, Unfit};

use crate::config::{ProfileSettings, Profiles};
use crate::gate::{Displaced, Full, Gate, Origin, Pass, Total};
use crate::lines;
use crate::log::RefusalLog;
use crate::pipe::Layers;
use crate::proxy::ProxyRules;
use crate::rate::{Bucket, Rate};
use crate::refusals::RefusalBook;
use crate::secure::Secure;
use crate::{ListenerConfig, StartError, TransportConfig};

/// A listener, shared by the accept thread, the shards and the control plane.
pub(crate) struct Listener {
    pub(crate) name: Arc<str>,
    rules: ArcSwap<ListenerRules>,
    gate: Arc<Gate>,
    /// For its `connect_rate`. Its sockets share it.
    turns: Mutex<Option<Bucket>>,
    refusals: RefusalLog,
    /// A reload has taken it away: its last rules are nobody's.
    retired: AtomicBool,
}

/// What a listener does, loaded and checked. Immutable: a reload makes another.
pub(crate) struct ListenerRules {
    pub(crate) config: ListenerConfig,
    /// `None`: plain TCP.
    tls: Option<Arc<ListenerTls>>,
    /// TLS all the same, with keys instead of certificates.
    psk: Option<Arc<PskListener>>,
    websocket: Option<Arc<UpgradeRules>>,
    /// Somebody else's connections come through proxies.
    proxy: Option<ProxyRules>,
    profiles: Arc<Profiles>,
    /// By the name of a trust profile that gives names of its own.
    admissions: BTreeMap<Arc<str>, AdmissionRules>,
}

impl ListenerRules {
    /// Loads the TLS files, if any.
    pub(crate) fn load(
        config: &ListenerConfig,
        profiles: &Arc<Profiles>,
        revocations: &CurrentRevocations,
        now: i64,
    ) -> Result<Self, StartError> {
        let failed = |source| StartError::Tls { listener: config.name.clone(), source };
        let (mut tls, mut psk) = (None, None);
        match &config.transport {
            TransportConfig::Tcp => {}
            TransportConfig::Tls(config) => tls = Some(ListenerTls::load(config, &profiles.trust, revocations, now).map_err(failed)?),
            TransportConfig::Psk(config) => psk = Some(Arc::new(PskListener::load(config, revocations.clone()).map_err(failed)?)),
        }
        let proxy = ProxyRules::load(config, &profiles.trust, revocations).map_err(failed)?;
        let websocket = config.websocket.clone().map(Arc::new);
        let named = profiles.settings.iter();
        let admissions = named.filter_map(|(name, settings)| Some((Arc::clone(name), settings.names.over(&config.admission)?))).collect();
        Ok(Self { config: config.clone(), tls, psk, websocket, proxy, profiles: Arc::clone(profiles), admissions })
    }

    /// The same rules; where TLS is what it was in `before`, with its ticket keys: a reload of something else makes nobody shake hands in full.
    pub(crate) fn with_tickets_of(mut self, before: &Self) -> Self {
        if let (Some(tls), Some(known)) = (&self.tls, &before.tls)
            && tls.is_same_as(known)
        {
            self.tls = Some(Arc::clone(known));
        }
        self
    }

    /// What lies between socket and MQTT of a connection accepted now.
    pub(crate) fn layers(&self) -> Result<Layers, TlsError> {
        let tls = match (&self.tls, &self.psk) {
            (Some(tls), _) => Some(Secure::Certificate(Box::new(TlsConnection::new(Arc::clone(tls))?))),
            (None, Some(psk)) => Some(Secure::Key(Box::new(PskConnection::new(Arc::clone(psk))))),
            (None, None) => None,
        };
        Ok(Layers {
            proxy: self.proxy.as_ref().map(|rules| Box::new(rules.receiver())),
            tls,
            websocket: self.websocket.as_ref().map(|rules| Box::new(WebSocket::new(Arc::clone(rules)))),
        })
    }

    /// Whether something has to happen before MQTT can be spoken.
    pub(crate) fn opens_in_steps(&self) -> bool {
        self.tls.is_some() || self.psk.is_some() || self.websocket.is_some() || self.proxy.is_some()
    }

    /// The rules about proxies, where there are any.
    pub(crate) fn proxy(&self) -> Option<&ProxyRules> {
        self.proxy.as_ref()
    }

    /// TLS, where there is any.
    pub(crate) fn tls(&self) -> Option<&Arc<ListenerTls>> {
        self.tls.as_ref()
    }

    /// Who is let in under which names: the trust profile's word, where it has one, else the listener's.
    pub(crate) fn admission(&self, peer: &Peer) -> &AdmissionRules {
        self.admission_of(peer.identity().map(|identity| &**identity))
    }

    /// The same for who has this identity.
    pub(crate) fn admission_of(&self, identity: Option<&DeviceIdentity>) -> &AdmissionRules {
        identity.and_then(|identity| self.admissions.get(identity.profile())).unwrap_or(&self.config.admission)
    }

    /// Whether a TLS handshake is all that would be learned of a client before its CONNECT: nobody can show a certificate here.
    pub(crate) fn shakes_hands_with_strangers(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| !tls.asks_for_certificates()) && self.proxy.is_none()
    }

    /// Every trust profile of the server.
    pub(crate) fn profiles(&self) -> &Arc<Profiles> {
        &self.profiles
    }

    /// Whether certificates are judged by the trust profile of this name here.
    pub(crate) fn uses(&self, profile: &str) -> bool {
        match (&self.tls, &self.proxy) {
            (Some(tls), _) => tls.profile(profile).is_some(),
            (None, Some(proxy)) => proxy.identity.profile(profile).is_some(),
            (None, None) => false,
        }
    }

    /// What would become of a client that shows these certificates; `None`: certificates are not looked at here.
    pub(crate) fn explain(&self, server_name: Option<&str>, chain: &[Vec<u8>], now: i64) -> Option<Explanation> {
        match (&self.tls, &self.proxy) {
            (Some(tls), _) if tls.asks_for_certificates() => Some(tls.explain(server_name, chain, now)),
            (None, Some(proxy)) => proxy.identity.explain(chain.first()?, now),
            _ => None,
        }
    }

    /// What the trust profile of a name says besides trust.
    pub(crate) fn settings(&self, profile: &str) -> Option<&ProfileSettings> {
        self.profiles.settings.get(profile)
    }

    /// The trust profile of a device that came this way.
    pub(crate) fn profile(&self, identity: &DeviceIdentity) -> Option<&Arc<TrustProfile>> {
        match (&self.tls, &self.proxy) {
            (Some(tls), _) => tls.profile(identity.profile()),
            (None, Some(proxy)) => proxy.identity.profile(identity.profile()),
            (None, None) => None,
        }
    }

    /// Whether a connection whose CONNECT was accepted may go on, by what is in force now; `now` in unix seconds.
    pub(crate) fn check_open(&self, peer: &Peer, now: i64) -> Result<(), (Option<Box<Refusal>>, KickCause)> {
        self.check_unidentified(peer)?;
        self.check_identity(peer, now)
    }

    /// The same as far as it is about the certificate: who shows none hears from CONNECT on whether it may be here.
    pub(crate) fn check_identity(&self, peer: &Peer, now: i64) -> Result<(), (Option<Box<Refusal>>, KickCause)> {
        let Some(identity) = peer.identity() else { return self.check_named(peer) };
        self.check_device(identity, now)
    }

    /// The same for a device that shows a certificate.
    pub(crate) fn check_device(&self, identity: &DeviceIdentity, now: i64) -> Result<(), (Option<Box<Refusal>>, KickCause)> {
        let checked = match (&self.tls, &self.proxy) {
            (Some(tls), _) => tls.check_open(identity, now),
            (None, Some(proxy)) => proxy.identity.check_open(identity, now),
            (None, None) => return Err((None, KickCause::Untrusted("the listener takes no certificates any more".to_owned()))),
        };
        checked.map_err(|ending| {
            let cause = kick_cause(&ending.unfit, &ending.refusal, identity);
            (Some(ending.refusal), cause)
        })
    }

    /// Who has no certificate of its own to look at.
    fn check_unidentified(&self, peer: &Peer) -> Result<(), (Option<Box<Refusal>>, KickCause)> {
        let untrusted = |words: &str| Err((None, KickCause::Untrusted(words.to_owned())));
        match peer {
            // With a chain, others have vouched for it.
            Peer::Anonymous(_) if self.config.admission.bridge.is_some() || self.config.admission.chain.is_some() => Ok(()),
            Peer::Anonymous(_) if !self.config.admission.anonymous => {
                untrusted("the listener lets nobody in without a certificate any more")
            }
            _ => Ok(()),
        }
    }

    /// Who has a name without a certificate, by a proxy's word or by a key: whether that still counts, and whether the device of that name is
    /// suspended, which needs no certificate.
    fn check_named(&self, peer: &Peer) -> Result<(), (Option<Box<Refusal>>, KickCause)> {
        let named = match peer {
            Peer::Named(named) => named,
            Peer::Keyed(keyed) => return self.check_keyed(keyed),
            Peer::Device(_) | Peer::Pending(_) | Peer::Anonymous(_) => return Ok(()),
        };
        let Some(proxy) = self.proxy.as_ref().filter(|proxy| proxy.identity.takes_names()) else {
            return Err((None, KickCause::Untrusted("the listener takes no names from proxies any more".to_owned())));
        };
        proxy.identity.check_name(named.name()).map_err(|refusal| (Some(refusal), KickCause::Suspended(named.name().as_str().into())))
    }

    fn check_keyed(&self, keyed: &KeyedPeer) -> Result<(), (Option<Box<Refusal>>, KickCause)> {
        let Some(psk) = &self.psk else {
            return Err((None, KickCause::Untrusted("the listener takes no pre-shared keys any more".to_owned())));
        };
        psk.check_open(keyed).map_err(|ending| match ending {
            PskEnding::KeyChanged(found) => {
                let refusal = Refusal::without_certificate(Check::PresharedKey, found.clone(), "give both sides the same key");
                (Some(Box::new(refusal)), KickCause::Untrusted(found))
            }
            PskEnding::Suspended(refusal) => (Some(refusal), KickCause::Suspended(keyed.name().as_str().into())),
        })
    }

    /// Whether anybody has said something current about the revocation of a device that may be here.
    pub(crate) fn is_answered(&self, identity: &DeviceIdentity, now: i64) -> bool {
        let assurance = match (&self.tls, &self.proxy) {
            (Some(tls), _) => tls.assurance(identity, now),
            (None, Some(proxy)) => proxy.identity.assurance(identity, now),
            (None, None) => return true,
        };
        !matches!(assurance, Ok(None | Some(Assurance::Missing | Assurance::InGrace { .. })))
    }

    /// Looks again at a peer whose revocation status was not known: `None` while it still is not.
    pub(crate) fn settle(&self, pending: &PendingPeer, is_final: bool, now: i64) -> Result<Option<Peer>, Box<Refusal>> {
        match (&self.tls, &self.proxy) {
            (Some(tls), _) => tls.settle(pending, is_final, now),
            (None, Some(proxy)) => proxy.identity.settle(pending, is_final, now),
            (None, None) => Err(ListenerTls::unsettled(pending)),
        }
    }
}

/// What a session is told that may not go on.
fn kick_cause(unfit: &Unfit, refusal: &Refusal, identity: &DeviceIdentity) -> KickCause {
    match unfit {
        Unfit::Revoked(reason) => KickCause::Revoked(*reason),
        Unfit::Suspended(_) => KickCause::Suspended(identity.qualified_name().into()),
        Unfit::Expired => KickCause::Expired,
        Unfit::Untrusted => KickCause::Untrusted(refusal.found.clone()),
        Unfit::ProfileDisabled(profile) => KickCause::ProfileDisabled(Arc::clone(profile)),
        Unfit::IdentityChanged => KickCause::IdentityChanged(refusal.found.clone()),
        Unfit::Unchecked => KickCause::Unchecked(refusal.found.clone()),
    }
}

impl Listener {
    /// A listener with these rules.
    pub(crate) fn new(rules: ListenerRules, total: &Arc<Total>, book: &Arc<RefusalBook>) -> Self {
        let config = &rules.config;
        Self {
            name: config.name.as_str().into(),
            turns: Mutex::new(turns(config)),
            refusals: RefusalLog::new(Arc::clone(book)),
            gate: Arc::new(Gate::new(config.maximum_connections, config.limits.connections_per_address_maximum, Arc::clone(total))),
            rules: ArcSwap::from_pointee(rules),
            retired: AtomicBool::new(false),
        }
    }

    /// There is no such listener any more. To be called before the open connections are looked at: those that were accepted, but not yet
    /// registered, find it out by [`Self::check_entry`].
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// Whether a connection that was just registered may be here, by what is in force now; `now` in unix seconds.
    pub(crate) fn check_entry(&self, peer: &Peer, now: i64) -> Result<(), (Option<Box<Refusal>>, KickCause)> {
        if self.retired.load(Ordering::Acquire) {
            return Err((None, KickCause::ListenerRemoved));
        }
        match self.rules().check_identity(peer, now) {
            Err((_, KickCause::Unchecked(_))) if matches!(peer, Peer::Pending(_)) => Ok(()),
            checked => checked,
        }
    }

    /// The rules in force, for a moment: every connection looks at them several times, and a count that all shards change would cost each of them.
    pub(crate) fn rules(&self) -> Guard<Arc<ListenerRules>> {
        self.rules.load()
    }

    /// Puts other rules in force: at once for who comes, and for what is asked of who is here.
    pub(crate) fn install(&self, rules: ListenerRules) {
        let config = &rules.config;
        self.gate.resize(config.maximum_connections, config.limits.connections_per_address_maximum);
        if self.rules.load().config.limits.connect_rate != config.limits.connect_rate {
            *self.turns.lock().unwrap_or_else(PoisonError::into_inner) = turns(config);
        }
        self.rules.store(Arc::new(rules));
    }

    /// When the certificate that it shows ends, Unix seconds; nothing without TLS.
    pub(crate) fn not_after(&self) -> Option<i64> {
        self.rules.load().tls.as_ref().map(|tls| tls.not_after())
    }

    /// Tells the operator of a connection that was refused.
    pub(crate) fn log_refusal(&self, refusal: &Refusal, address: PeerAddress) {
        self.log_refusal_of(refusal, address, None, None);
    }

    /// The same for a client that has said its name, with what it is told.
    pub(crate) fn log_refusal_of(&self, refusal: &Refusal, address: PeerAddress, client: Option<&str>, code: Option<ReasonCode>) {
        if self.refusals.write(refusal, &self.name, address) {
            lines::refused(refusal, self, &address, client, code);
        }
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

    /// How many of its connections have not sent their CONNECT yet.
    pub(crate) fn pending(&self) -> usize {
        self.gate.pending()
    }

    /// A place for one more connection, dealt to `shard`, and who has to go for it.
    pub(crate) fn admit(self: &Arc<Self>, origin: Origin, link: LinkId, shard: u16) -> Result<(Place, Option<Displaced>), Full> {
        let (pass, displaced) = self.gate.admit(origin, link, shard)?;
        Ok((Place { listener: Arc::clone(self), pass }, displaced))
    }
}

fn turns(config: &ListenerConfig) -> Option<Bucket> {
    Rate::per_second(config.limits.connect_rate.into()).map(Bucket::new)
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
