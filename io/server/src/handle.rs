//! The control plane's side of a running server: every method may be called from any thread.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::{Poll, Waker};
use signet_broker::{SharedDirectory as _, Stats, Totals};
use signet_net::{Clock, KickTarget, ListenAddress, Registry, bind, unix_seconds};
use signet_policy::Ruleset;
use signet_store::{Store, StoreState, StoreStats};
use signet_telemetry::{Handshakes, Held, Traffic};
use signet_tls::{CurrentRevocations, ListenerTls, TlsListenerConfig};

use crate::accept::{Acceptor, Stop};
use crate::counters::{self, Counters, ShardStats, wide};
use crate::gate::Total;
use crate::listener::Listener;
use crate::mailbox::{Mail, Mailbox};
use crate::rate::{Rate, SharedBucket};
use crate::restore::{self, Durable};
use crate::shard::{Shard, WAKE};
use crate::shared::{Admissions, LockedDirectory, Shared};
use crate::{ServerConfig, StartError};

/// How long the counters of a shard are waited for.
const STATS_PATIENCE: Duration = Duration::from_secs(1);

/// Counters of the whole server, summed over its shards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerStats {
    /// Live connections whose handshake is complete, before and after CONNECT.
    pub connections: u64,
    /// Connections accepted since the start.
    pub accepted: u64,
    /// Connections refused before their session began: limits, TLS, deadlines, CONNECT.
    pub refused: u64,
    /// The same by the check that failed; every check is there.
    pub refused_by: Vec<(&'static str, u64)>,
    /// Sockets now, those whose handshake is going on included.
    pub sockets: u64,
    /// CONNECT packets received.
    pub connects: u64,
    /// What came from clients.
    pub received: Traffic,
    /// What went to clients.
    pub sent: Traffic,
    /// TLS handshakes.
    pub handshakes: Handshakes,
    /// What is held now.
    pub held: Held,
    /// Broker counters.
    pub broker: Stats,
}

/// A running server. Dropping it stops the server without saying good-bye to anybody; [`Self::shutdown`] is the polite way.
pub struct ServerHandle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) revocations: CurrentRevocations,
    addresses: Vec<(String, ListenAddress)>,
    stop: Stop,
    threads: Vec<JoinHandle<()>>,
    /// Closed after the last shard has ended.
    store: Option<Store>,
}

/// Starts the shards and listens. When this returns `Ok`, clients can connect.
///
/// # Errors
/// A port is taken, a certificate cannot be used, the system has no resources left. Nothing is left running then.
pub fn start(config: ServerConfig, revocations: CurrentRevocations) -> Result<ServerHandle, StartError> {
    check_names(&config)?;
    let mut listeners = Vec::new();
    let mut sockets = Vec::new();
    let mut addresses = Vec::new();
    let total = Arc::new(Total::new(config.server_limits.connections_maximum));
    for listener in &config.listeners {
        let runtime = Arc::new(Listener::new(listener, &revocations, &total, unix_seconds())?);
        for socket in bind(&listener.name, &listener.bind, listener.unix_mode)? {
            addresses.push((listener.name.clone(), socket.local_address()?));
            sockets.push((socket, Arc::clone(&runtime)));
        }
        listeners.push(runtime);
    }
    let (polls, mailboxes) = mailboxes(shard_count(config.shards))?;
    let admissions = Admissions {
        total,
        connects: SharedBucket::new(Rate::per_second(config.server_limits.connect_rate_total.into())),
        handshakes_per_shard: config.server_limits.handshakes_maximum.div_ceil(mailboxes.len().max(1)).max(1),
    };
    let Durable { store, handles, image } = restore::open(config.store.as_ref(), &mailboxes)?;
    let shared = Arc::new(Shared {
        clock: Clock::start(),
        registry: Arc::new(Registry::new(revocations.clone())),
        directory: LockedDirectory::new(config.seed),
        mailboxes,
        listeners,
        limits: config.limits,
        totals: Arc::new(Totals::new()),
        will_on_revoke: config.will_on_revoke,
        admissions,
        counters: Counters::new(),
        on_store_failure: config.on_store_failure,
    });
    shared.registry.attach(shared.mailboxes.iter().map(kick_target).collect());
    let (acceptor, stop) = Acceptor::new(sockets, Arc::clone(&shared))?;
    let mut handle = ServerHandle { shared: Arc::clone(&shared), revocations, addresses, stop, threads: Vec::new(), store };
    // From here on an error drops the handle, which ends the threads that run already.
    let shard = |((index, poll), store)| {
        let seed = config.seed.wrapping_add(u64::from(index));
        Shard::new(index, poll, Arc::clone(&shared), store, Arc::clone(&config.ruleset), seed)
    };
    let mut shards: Vec<Shard> = (0_u16..).zip(polls).zip(handles).map(shard).collect();
    restore::restore(image, &mut shards, &shared, &handle.revocations);
    for (index, shard) in shards.into_iter().enumerate() {
        handle.threads.push(std::thread::Builder::new().name(format!("shard-{index}")).spawn(move || shard.run())?);
    }
    handle.threads.push(std::thread::Builder::new().name("accept".to_owned()).spawn(move || acceptor.run())?);
    Ok(handle)
}

fn kick_target(mailbox: &Arc<Mailbox>) -> Arc<dyn KickTarget> {
    // Not `Arc::clone(mailbox)`: the annotation would make it clone the trait object that is not there yet.
    mailbox.clone()
}

fn check_names(config: &ServerConfig) -> Result<(), StartError> {
    if config.listeners.is_empty() {
        return Err(StartError::Setting("no listener is configured; add a `[[listener]]`".to_owned()));
    }
    let mut names: Vec<&str> = config.listeners.iter().map(|listener| listener.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair.first() == pair.last()).and_then(<[_]>::first) {
        Some(twice) => Err(StartError::Setting(format!("two listeners have the name `{twice}`; give each its own"))),
        None => Ok(()),
    }
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
        self.addresses.clone()
    }

    /// Loads new TLS files for listeners, by name: all of them or, on an error, none. New connections use them at once, established ones stay.
    ///
    /// # Errors
    /// No such TLS listener, or the files cannot be used. The old ones stay in use everywhere.
    pub fn reload_tls(&self, configs: &[(&str, &TlsListenerConfig)]) -> Result<(), StartError> {
        let now = unix_seconds();
        let loaded = configs.iter().map(|(name, config)| self.load_tls(name, config, now));
        for (listener, tls) in loaded.collect::<Result<Vec<_>, _>>()? {
            listener.install(tls);
        }
        Ok(())
    }

    fn load_tls(&self, name: &str, config: &TlsListenerConfig, now: i64) -> Result<(&Arc<Listener>, Arc<ListenerTls>), StartError> {
        let Some(listener) = self.shared.listeners.iter().find(|other| &*other.name == name) else {
            return Err(StartError::Setting(format!("there is no listener `{name}`")));
        };
        let tls = listener.load(config, &self.revocations, now)?;
        Ok((listener, tls))
    }

    /// Puts new rules in force, for what connected clients do next too.
    pub fn replace_rules(&self, ruleset: Arc<Ruleset>) {
        for mailbox in &self.shared.mailboxes {
            mailbox.post_one(Mail::Rules(Arc::clone(&ruleset)));
        }
    }

    /// Counters. A shard that does not answer within a second is left out.
    pub fn stats(&self) -> ServerStats {
        let (sender, receiver) = mpsc::sync_channel(self.shared.mailboxes.len());
        for mailbox in &self.shared.mailboxes {
            mailbox.post_one(Mail::Stats(sender.clone()));
        }
        drop(sender);
        let refused_by = self.shared.counters.refused();
        let mut stats = ServerStats {
            connections: wide(self.shared.registry.len()),
            accepted: self.shared.counters.accepted.load(Ordering::Relaxed),
            refused: refused_by.iter().map(|(_, count)| count).sum(),
            refused_by,
            sockets: wide(self.shared.admissions.total.live()),
            held: self.held(),
            ..ServerStats::default()
        };
        for _ in &self.shared.mailboxes {
            let Ok(shard) = receiver.recv_timeout(STATS_PATIENCE) else { break };
            stats.add(&shard);
        }
        stats
    }

    /// What the shards share.
    fn held(&self) -> Held {
        self.shared.directory.read(|directory| {
            let (retained, octets) = directory.retained();
            Held {
                subscriptions: wide(directory.subscriptions()),
                retained: wide(retained),
                retained_octets: wide(octets),
                ..Held::default()
            }
        })
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
    pub fn shutdown(mut self, grace: Duration) {
        self.end(grace);
    }

    fn end(&mut self, grace: Duration) {
        if self.threads.is_empty() {
            return;
        }
        self.stop.stop();
        let grace = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        for mailbox in &self.shared.mailboxes {
            mailbox.post_one(Mail::Stop { grace });
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the server had panicked");
            }
        }
        if let Some(Err(error)) = self.store.take().map(Store::close) {
            tracing::error!(target: "signet::store", "the store was not closed in order: {error}");
        }
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

impl ServerStats {
    fn add(&mut self, shard: &ShardStats) {
        add(&mut self.broker, &shard.broker);
        self.connects += shard.connects;
        counters::add_traffic(&mut self.received, &shard.received);
        counters::add_traffic(&mut self.sent, &shard.sent);
        counters::add_handshakes(&mut self.handshakes, &shard.handshakes);
        self.held.outgoing += shard.outgoing.0;
        self.held.outgoing_octets += shard.outgoing.1;
    }
}

fn add(total: &mut Stats, shard: &Stats) {
    let Stats {
        connections,
        sessions,
        messages_received,
        messages_sent,
        messages_unmatched,
        dropped_slow,
        dropped_queue_full,
        dropped_too_large,
        dropped_expired,
        denied_publish,
        denied_subscribe,
        taken_over,
        keep_alive_timeouts,
        wills_published,
        kicked,
    } = shard;
    total.connections += connections;
    total.sessions += sessions;
    total.messages_received += messages_received;
    total.messages_sent += messages_sent;
    total.messages_unmatched += messages_unmatched;
    total.dropped_slow += dropped_slow;
    total.dropped_queue_full += dropped_queue_full;
    total.dropped_too_large += dropped_too_large;
    total.dropped_expired += dropped_expired;
    total.denied_publish += denied_publish;
    total.denied_subscribe += denied_subscribe;
    total.taken_over += taken_over;
    total.keep_alive_timeouts += keep_alive_timeouts;
    total.wills_published += wills_published;
    total.kicked += kicked;
}
