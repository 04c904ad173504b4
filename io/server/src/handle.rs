//! The control plane's side of a running server: every method may be called from any thread.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use mio::{Poll, Waker};
use signet_broker::Totals;
use signet_net::{Clock, KickTarget, ListenAddress, Registry, bind, unix_seconds};
use signet_policy::Ruleset;
use signet_store::{Store, StoreError, StoreState, StoreStats};
use signet_tls::{CurrentRevocations, ListenerTls, TlsListenerConfig};

use crate::accept::{Acceptor, Stop};
use crate::counters::Counters;
use crate::gate::Total;
use crate::listener::Listener;
use crate::mailbox::{Mail, Mailbox};
use crate::monitor::{Monitor, ServerStats};
use crate::rate::{Rate, SharedBucket};
use crate::restore::{self, Durable};
use crate::shard::{Shard, WAKE};
use crate::shared::{Admissions, LockedDirectory, Shared};
use crate::{ServerConfig, StartError};

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
        registry: Arc::new(Registry::new()),
        revocations: revocations.clone(),
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
    restore::restore(image, &mut shards, &shared, &config.ruleset, &handle.revocations);
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
