//! The control plane's side of a running server: every method may be called from any thread.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use mio::{Poll, Waker};
use signet_broker::{ChangedLimits, Judge, Limits, SessionRule, Totals, WillRule};
use signet_identity::DeviceIdentity;
use signet_net::{Clock, KickCause, KickTarget, ListenAddress, PeerAddress, Registry, StatusInquiry, bind, unix_seconds};
use signet_policy::{Denied, Ruleset};
use signet_store::{Store, StoreError, StoreState, StoreStats};
use signet_tls::{CurrentRevocations, Refusal};

use crate::abuse::{Abuse, HeldOff};
use crate::accept::{AcceptControl, Acceptor};
use crate::config::Profiles;
use crate::control::ControlTopics;
use crate::counters::Counters;
use crate::gate::Total;
use crate::listener::{Listener, ListenerRules};
use crate::lobby::{self, Lobby};
use crate::mailbox::{Mail, Mailbox};
use crate::monitor::{Monitor, ServerStats};
use crate::rate::{Rate, SharedBucket};
use crate::refusals::RefusalBook;
use crate::restore::{self, Durable};
use crate::shard::{Shard, WAKE};
use crate::shared::{Admissions, Asked, LockedDirectory, Shared};
use crate::{ListenerConfig, ServerConfig, ServerLimits, StartError};

/// One place where a listener listens.
pub(crate) struct Bound {
    pub(crate) listener: Arc<str>,
    /// As configured.
    pub(crate) asked: ListenAddress,
    /// With the port that the system chose.
    pub(crate) address: ListenAddress,
}

/// A running server. Dropping it stops the server without saying good-bye to anybody; [`Self::shutdown`] is the polite way.
pub struct ServerHandle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) revocations: CurrentRevocations,
    pub(crate) places: Mutex<Vec<Bound>>,
    pub(crate) accept: AcceptControl,
    threads: Vec<JoinHandle<()>>,
    /// Closed after the last shard has ended.
    store: Option<Store>,
}

/// Starts the shards and listens. When this returns `Ok`, clients can connect.
///
/// # Errors
/// A port is taken, a certificate cannot be used, the system has no resources left. Nothing is left running then.
pub fn start(config: ServerConfig, revocations: CurrentRevocations) -> Result<ServerHandle, StartError> {
    check_names(&config.listeners)?;
    let mut listeners = Vec::new();
    let mut sockets = Vec::new();
    let mut places = Vec::new();
    let total = Arc::new(Total::new(config.server_limits.connections_maximum));
    let refusals = Arc::new(RefusalBook::new(config.refusals_kept));
    let profiles = Arc::new(Profiles::load(&config.profiles).map_err(StartError::Profile)?);
    for listener in &config.listeners {
        let rules = ListenerRules::load(listener, &profiles, &revocations, unix_seconds())?;
        let runtime = Arc::new(Listener::new(rules, &total, &refusals));
        for (asked, socket) in bind(&listener.name, &listener.bind, &listener.bind_rules)? {
            places.push(Bound { listener: Arc::clone(&runtime.name), asked, address: socket.local_address()? });
            sockets.push((socket, Arc::clone(&runtime)));
        }
        listeners.push(runtime);
    }
    let shards = shard_count(config.shards);
    // A lobby for each.
    let (polls, mailboxes) = mailboxes(shards.saturating_mul(2))?;
    let admissions = Admissions {
        lobbies: (0..shards).map(|_| Lobby::default()).collect(),
        total,
        connects: ArcSwap::from_pointee(connects(&config.server_limits)),
        abuse: Abuse::new(&config.server_limits.abuse),
        handshakes_per_lobby: AtomicUsize::new(handshakes_per_lobby(&config.server_limits, shards)),
    };
    let Durable { store, handles, image } = restore::open(config.store.as_ref(), &mailboxes)?;
    let shared = Arc::new(Shared {
        clock: Clock::start(),
        registry: Arc::new(Registry::new()),
        directory: LockedDirectory::new(config.seed),
        mailboxes,
        listeners: ArcSwap::from_pointee(listeners),
        ruleset: ArcSwap::new(Arc::clone(&config.ruleset)),
        limits: ArcSwap::new(config.limits),
        totals: Arc::new(Totals::new()),
        on_distrust: (config.will_on_revoke, config.session_on_revoke),
        on_clone: config.on_clone,
        admissions,
        counters: Counters::new(),
        refusals,
        asked: Asked { inquiry: OnceLock::new(), control: OnceLock::new(), authentication: config.authentication },
        on_store_failure: config.on_store_failure,
    });
    shared.registry.attach(shared.mailboxes.iter().map(kick_target).collect());
    let (acceptor, accept) = Acceptor::new(sockets, Arc::clone(&shared))?;
    let places = Mutex::new(places);
    let mut handle = ServerHandle { shared: Arc::clone(&shared), revocations, places, accept, threads: Vec::new(), store };
    // From here on an error drops the handle, which ends the threads that run already.
    let shard = |((index, poll), store)| {
        let seed = config.seed.wrapping_add(u64::from(index));
        Shard::new(index, poll, Arc::clone(&shared), store, Arc::clone(&config.ruleset), seed)
    };
    let mut owners: Vec<Shard> = (0_u16..).zip(polls).zip(handles).map(shard).collect();
    let lobbies = owners.split_off(usize::from(shards).min(owners.len()));
    restore::restore(image, &mut owners, &shared, &config.ruleset, &handle.revocations);
    for (index, shard) in owners.into_iter().enumerate() {
        handle.threads.push(std::thread::Builder::new().name(format!("shard-{index}")).spawn(move || shard.run())?);
    }
    for (index, lobby) in lobbies.into_iter().enumerate() {
        let run = move || {
            lobby::stand_back();
            lobby.run();
        };
        handle.threads.push(std::thread::Builder::new().name(format!("lobby-{index}")).spawn(run)?);
    }
    handle.threads.push(std::thread::Builder::new().name("accept".to_owned()).spawn(move || acceptor.run())?);
    Ok(handle)
}

/// Who is believed by the listeners that there were when it was made, whether devices come to them by themselves or through proxies.
struct Entitled {
    revocations: CurrentRevocations,
    rules: Vec<Arc<ListenerRules>>,
}

impl Judge for Entitled {
    fn is_entitled(&self, identity: &DeviceIdentity) -> bool {
        let now = unix_seconds();
        let Some(rules) = self.rules.iter().find(|rules| rules.profile(identity).is_some()) else {
            return !restore::is_spoken_against(&self.revocations, identity, now);
        };
        // A certificate that has expired while its device was away is replaced, and the session waits for the new one.
        match rules.check_device(identity, now) {
            Ok(()) => true,
            Err((_, cause)) => matches!(cause, KickCause::Expired | KickCause::Unchecked(_) | KickCause::IdentityChanged(_)),
        }
    }
}

impl std::fmt::Debug for Entitled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entitled")
    }
}

fn kick_target(mailbox: &Arc<Mailbox>) -> Arc<dyn KickTarget> {
    // Not `Arc::clone(mailbox)`: the annotation would make it clone the trait object that is not there yet.
    mailbox.clone()
}

pub(crate) fn check_names(listeners: &[ListenerConfig]) -> Result<(), StartError> {
    if listeners.is_empty() {
        return Err(StartError::Setting("no listener is configured; add a `[[listener]]`".to_owned()));
    }
    let mut names: Vec<&str> = listeners.iter().map(|listener| listener.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair.first() == pair.last()).and_then(<[_]>::first) {
        Some(twice) => Err(StartError::Setting(format!("two listeners have the name `{twice}`; give each its own"))),
        None => Ok(()),
    }
}

fn connects(limits: &ServerLimits) -> SharedBucket {
    SharedBucket::new(Rate::per_second(limits.connect_rate_total.into()))
}

fn handshakes_per_lobby(limits: &ServerLimits, lobbies: u16) -> usize {
    limits.handshakes_maximum.div_ceil(usize::from(lobbies.max(1))).max(1)
}

fn shard_count(configured: Option<u16>) -> u16 {
    let cores = || std::thread::available_parallelism().map_or(1, |count| u16::try_from(count.get()).unwrap_or(u16::MAX));
    configured.unwrap_or_else(cores).max(1)
}

fn mailboxes(count: u16) -> io::Result<(Vec<Poll>, Vec<Arc<Mailbox>>)> {
    let mut polls = Vec::new();
    let mut mailboxes = Vec::new();
    for _ in 0..count {
        let poll = Poll::new()?;
        mailboxes.push(Arc::new(Mailbox::new(Waker::new(poll.registry(), WAKE)?)));
        polls.push(poll);
    }
    Ok((polls, mailboxes))
}

impl ServerHandle {
    /// The live connections: who they are, and how to close them.
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.shared.registry)
    }

    /// Every address listened on, with the listener's name and the port the system chose.
    pub fn local_addrs(&self) -> Vec<(String, ListenAddress)> {
        self.places().iter().map(|place| (place.listener.to_string(), place.address.clone())).collect()
    }

    pub(crate) fn places(&self) -> MutexGuard<'_, Vec<Bound>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names whom to ask about certificates whose revocation status is not known. The first call counts; before it such certificates wait in vain.
    pub fn ask_about_status(&self, inquiry: Arc<dyn StatusInquiry>) {
        self.shared.asked.inquiry.get_or_init(|| inquiry);
    }

    /// Names who carries out what clients ask for below `$CONTROL/`. The first call counts; before it such requests are answered with an error.
    pub fn control_with(&self, control: Arc<dyn ControlTopics>) {
        self.shared.asked.control.get_or_init(|| control);
    }

    /// Has the rules that sources have about connected clients asked for again.
    pub fn rules_changed(&self) {
        for mailbox in &self.shared.mailboxes {
            mailbox.post_one(Mail::RulesChanged);
        }
    }

    /// The last refused connections.
    pub fn refusals(&self) -> Arc<RefusalBook> {
        Arc::clone(&self.shared.refusals)
    }

    /// Who is held off now, for failed attempts or for connecting too often.
    pub fn held_off(&self) -> Vec<HeldOff> {
        self.shared.admissions.abuse.held(self.shared.clock.milliseconds())
    }

    /// Whether somebody without a certificate may try to log in from there by another protocol than MQTT.
    ///
    /// # Errors
    /// The address is held off. What is to be said of it is there the first time.
    pub fn may_try(&self, address: SocketAddr) -> Result<(), Option<Box<Refusal>>> {
        let (abuse, now) = (&self.shared.admissions.abuse, self.shared.clock.milliseconds());
        abuse.may_open(&PeerAddress::Ip(address), now).map_err(|held| abuse.news(&held, None, now).map(Box::new))
    }

    /// Somebody without a certificate has failed to log in from there, by another protocol than MQTT.
    pub fn note_failed(&self, address: SocketAddr, denied: &Denied) {
        self.shared.admissions.abuse.note_stranger(&PeerAddress::Ip(address), denied, self.shared.clock.milliseconds());
    }

    /// Forgets what there is against `who`, an address or a name as [`HeldOff::who`] has it, or against everybody; says how many holds that ended.
    pub fn forgive(&self, who: Option<&str>) -> usize {
        self.shared.admissions.abuse.forgive(who, self.shared.clock.milliseconds())
    }

    /// Looks at what the sessions of devices that are not connected have left, by what is in force now, and lets Wills and sessions of devices that
    /// are not believed any more go where the configuration says so. In portions, beside everything else: this does not wait.
    pub fn review_absent(&self) {
        let (will, session) = self.shared.on_distrust;
        if (will, session) == (WillRule::Publish, SessionRule::Keep) {
            return;
        }
        let judge: Arc<dyn Judge> = Arc::new(Entitled {
            revocations: self.revocations.clone(),
            rules: self.shared.listeners.load().iter().map(|listener| Guard::into_inner(listener.rules())).collect(),
        });
        for mailbox in &self.shared.mailboxes {
            mailbox.post_one(Mail::Review { judge: Arc::clone(&judge), will, session });
        }
    }

    /// Puts new rules in force, for what connected clients do next too.
    pub fn replace_rules(&self, ruleset: Arc<Ruleset>) {
        self.shared.ruleset.store(Arc::clone(&ruleset));
        for mailbox in &self.shared.mailboxes {
            mailbox.post_one(Mail::Rules(Arc::clone(&ruleset)));
        }
    }

    /// Puts other limits in force, for the sessions and connections that are there too; to be called after [`Self::install`], which brings those of the
    /// listeners. What is written down against whom, and by which rules, stays.
    pub fn replace_limits(&self, limits: Arc<Limits>, server_limits: &ServerLimits) {
        let listeners = self.shared.listeners.load();
        let own = |listener: &Arc<Listener>| Some((Arc::clone(&listener.name), listener.rules().config.broker_limits.clone()?));
        let changed = Arc::new(ChangedLimits { general: Arc::clone(&limits), of_listeners: listeners.iter().filter_map(own).collect() });
        self.shared.limits.store(limits);
        let admissions = &self.shared.admissions;
        admissions.total.resize(server_limits.connections_maximum);
        admissions.connects.store(Arc::new(connects(server_limits)));
        admissions.handshakes_per_lobby.store(handshakes_per_lobby(server_limits, self.shared.shards()), Ordering::Relaxed);
        for mailbox in &self.shared.mailboxes {
            mailbox.post_one(Mail::Limits(Arc::clone(&changed)));
        }
    }

    /// What watches the server from beside, as long as anybody likes.
    pub fn monitor(&self) -> Monitor {
        Monitor::new(Arc::clone(&self.shared), self.store.as_ref().map(Store::watch))
    }

    /// Counters. A shard that does not answer within a second is left out.
    pub fn stats(&self) -> ServerStats {
        self.monitor().stats()
    }

    /// How the store is doing; `None` when everything is in memory.
    pub fn store_state(&self) -> Option<StoreState> {
        self.store.as_ref().map(Store::state)
    }

    /// Counters and levels of the store; `None` when everything is in memory.
    pub fn store_stats(&self) -> Option<StoreStats> {
        self.store.as_ref().map(Store::stats)
    }

    /// Stops accepting, tells every client (DISCONNECT 0x8B), waits up to `grace` until they are gone, then cuts the rest, ends the
    /// threads, and closes the store when everything is in it.
    ///
    /// # Errors
    /// What the store failed with, now or before: what was acknowledged is safe all the same.
    pub fn shutdown(mut self, grace: Duration) -> Result<(), StoreError> {
        self.end(grace)
    }

    fn end(&mut self, grace: Duration) -> Result<(), StoreError> {
        if self.threads.is_empty() {
            return Ok(());
        }
        self.accept.stop();
        let grace = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        for mailbox in &self.shared.mailboxes {
            mailbox.post_one(Mail::Stop { grace });
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the server had panicked");
            }
        }
        self.store.take().map_or(Ok(()), Store::close)
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        if let Err(error) = self.end(Duration::ZERO) {
            tracing::error!(target: "signet::store", "the store was not closed in order: {error}");
        }
    }
}
