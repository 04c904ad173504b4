//! A running broker from the control plane's side: what it was started with, what a reload changes, what every second brings.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signet_admin::api::{Listening, Numbers, Problem, ProblemKind, ReloadReport, Status};
use signet_admin::{Administration, Control, Live, MetricsSource};
use signet_bridge::{BridgeStatus, Bridges, LocalBroker};
use signet_broker::{DurabilityRules, Limits, WillRule};
use signet_identity::CertificateId;
use signet_net::{KickCause, unix_seconds};
use signet_policy::Ruleset;
use signet_revocation::Reason;
use signet_server::{ListenerConfig, ServerConfig, ServerHandle, StartError, StoreError, StoreState};
use signet_telemetry::Bridge;

use crate::ca_files;
use crate::config::{self, Config, ConfigError};
use crate::crl_files::{CrlEvent, CrlFiles};
use crate::office;
use crate::telemetry::Telemetry;

/// How long a changed CRL file waits for the sessions it ended, and the end of the broker for its bridges: one may hang in a connection attempt.
const PATIENCE: Duration = Duration::from_secs(2);

/// Ticks until a CRL that could not be signed or written is tried again: a full disk does not get better by the second.
const CRL_RETRY_TICKS: u32 = 60;

/// The broker, its administration and its configuration.
pub(crate) struct Running {
    /// What it was started with: what cannot change without a restart is compared with this.
    started_with: Config,
    started_at: i64,
    live: Live,
    administration: Arc<Administration>,
    listening: Vec<Listening>,
    telemetry: Arc<Telemetry>,
    state: Mutex<State>,
}

struct State {
    /// Gone once the broker was told to stop.
    server: Option<ServerHandle>,
    bridges: Bridges,
    crl_files: CrlFiles,
    rules_version: u64,
    /// Ticks to let pass after a CRL failed.
    crl_pause: u32,
    store_was_full: bool,
}

impl Running {
    /// Starts the data plane. CRL files are in force before the first client can connect. `on_store_failure` is called from another thread, once
    /// or more often, when nothing can be made durable any more.
    pub(crate) fn start(
        config: Config,
        administration: Arc<Administration>,
        live_index: signet_tls::CurrentRevocations,
        mut crl_files: CrlFiles,
        on_store_failure: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Self, StartError> {
        let events = crl_files.poll(&live_index, unix_seconds());
        let server = signet_server::start(server_config(&config, on_store_failure), live_index.clone())?;
        let bridges = start_bridges(&config, &server)?;
        let live = Live { revocations: live_index, registry: server.registry() };
        administration.attach(live.clone());
        let listening = server
            .local_addrs()
            .into_iter()
            .map(|(name, address)| {
                let transport = config.listeners.iter().find(|listener| listener.name == name).map_or("", config::Listener::transport);
                Listening { transport: transport.to_owned(), address: address.to_string(), name }
            })
            .collect();
        let interval = config.telemetry.sys_interval;
        let telemetry = Telemetry::new(server.monitor(), Arc::clone(&administration), live.revocations.clone(), interval);
        let running = Self {
            started_at: unix_seconds(),
            telemetry: Arc::new(telemetry),
            live,
            administration,
            listening,
            state: Mutex::new(State { server: Some(server), bridges, crl_files, rules_version: 0, crl_pause: 0, store_was_full: false }),
            started_with: config,
        };
        running.act_on(events);
        Ok(running)
    }

    /// Where it listens.
    pub(crate) fn listening(&self) -> &[Listening] {
        &self.listening
    }

    /// The numbers for scrapers.
    pub(crate) fn metrics(&self) -> Arc<dyn MetricsSource> {
        self.telemetry.clone()
    }

    /// What every second brings: a full disk, the `$SYS` tree, changed CRL files, and our own CRL when it is due.
    pub(crate) fn tick(&self) {
        self.watch_store();
        self.telemetry.tick(self.bridge_numbers());
        let events = self.state().crl_files.poll(&self.live.revocations, unix_seconds());
        self.act_on(events);
        let pause = self.state().crl_pause;
        if pause > 0 {
            self.state().crl_pause = pause - 1;
            return;
        }
        match self.administration.sign_crl_if_due() {
            Ok(Some(crl)) => tracing::info!(number = crl.number, next_update = crl.next_update, "signed the next CRL"),
            Ok(None) => {}
            Err(problem) => {
                tracing::error!("cannot sign the next CRL, trying again in {CRL_RETRY_TICKS} s: {problem}");
                self.state().crl_pause = CRL_RETRY_TICKS;
            }
        }
    }

    /// Why the store has failed; `None` while it has not.
    pub(crate) fn store_failure(&self) -> Option<String> {
        match self.state().server.as_ref()?.store_state()? {
            StoreState::Failed { message } => Some(message),
            StoreState::Ready | StoreState::Full { .. } => None,
        }
    }

    /// How the bridges fare, in numbers.
    fn bridge_numbers(&self) -> Vec<Bridge> {
        let bridges = self.bridges().into_iter().map(|bridge| Bridge {
            name: bridge.name,
            is_connected: bridge.connected,
            connections: bridge.connections,
            received: bridge.forwarded_in,
            sent: bridge.forwarded_out,
            dropped: bridge.dropped.total(),
        });
        bridges.collect()
    }

    /// Says once that the disk is full, and once that it no longer is.
    fn watch_store(&self) {
        let mut state = self.state();
        let Some(store) = state.server.as_ref().and_then(ServerHandle::store_state) else { return };
        let is_full = matches!(store, StoreState::Full { .. });
        if std::mem::replace(&mut state.store_was_full, is_full) == is_full {
            return;
        }
        match store {
            StoreState::Full { why } => tracing::error!(
                target: "signet::store",
                "the store is full: {why}; messages with QoS 1 and 2 for kept sessions are refused, and new sessions, subscriptions and retained \
                 messages, until there is room; deliveries go on"
            ),
            StoreState::Ready => tracing::info!(target: "signet::store", "the store has room again"),
            StoreState::Failed { .. } => {}
        }
    }

    /// Tells every client, closes, ends the data plane's threads, and says why not everything is on disk, if it is not.
    pub(crate) fn shutdown(&self, grace: Duration) -> Result<(), StoreError> {
        let (mut bridges, server) = {
            let mut state = self.state();
            (std::mem::take(&mut state.bridges), state.server.take())
        };
        // First: what they say to the other brokers they say as clients of this one.
        bridges.stop(grace.min(PATIENCE));
        server.map_or(Ok(()), |server| server.shutdown(grace))
    }

    /// How the bridges fare, in the order of the configuration.
    pub(crate) fn bridges(&self) -> Vec<BridgeStatus> {
        self.state().bridges.status()
    }

    /// Logs what became of CRL files and ends the sessions of what they newly revoke.
    fn act_on(&self, events: Vec<CrlEvent>) {
        for event in events {
            match event {
                CrlEvent::Refused { path, message } => {
                    tracing::error!(file = %path.display(), "CRL file not taken over, the last good state stays in force: {message}");
                }
                CrlEvent::Stale { path, issuer, next_update } => tracing::warn!(
                    file = %path.display(), issuer, next_update = signet_admin::date(next_update),
                    "this CRL is past its nextUpdate: devices of that CA are refused unless crl_stale = \"allow\"; fetch a fresh list"
                ),
                CrlEvent::Loaded { path, issuer, entries, newly_revoked } => {
                    let sessions_closed = self.end_sessions(&newly_revoked);
                    let newly_revoked = newly_revoked.len();
                    tracing::info!(file = %path.display(), issuer, entries, newly_revoked, sessions_closed, "CRL file in force");
                }
            }
        }
    }

    fn end_sessions(&self, certificates: &[CertificateId]) -> usize {
        let index = self.live.revocations.load();
        let mut closed = 0;
        for reason in Reason::ALL {
            let of_reason: Vec<CertificateId> = certificates
                .iter()
                .filter(|certificate| index.lookup(certificate).is_some_and(|revoked| revoked.reason == reason))
                .copied()
                .collect();
            if !of_reason.is_empty() {
                closed += self.live.registry.kick_certificates(&of_reason, &KickCause::Revoked(reason), PATIENCE).closed;
            }
        }
        closed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change below is one assignment: a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply(&self, config: &Config) -> Result<ReloadReport, Problem> {
        let failed = |message: String| Problem::new(ProblemKind::Invalid, message);
        let mut crl_files = CrlFiles::of(config).map_err(failed)?;
        let authority = ca_files::load_authority(&config.ca.dir).map_err(|failure| failed(failure.message))?;
        let mut state = self.state();
        let version = state.rules_version + 1;
        let Some(server) = &state.server else { return Err(failed("the broker is stopping".to_owned())) };
        let is_known = |name: &str| self.started_with.listeners.iter().any(|old| old.name == name && old.tls.is_some());
        let files: Vec<_> = config
            .listeners
            .iter()
            .filter(|listener| is_known(&listener.name))
            .filter_map(|listener| Some((listener.name.as_str(), listener.tls.as_ref()?.config())))
            .collect();
        let borrowed: Vec<_> = files.iter().map(|(name, tls)| (*name, tls)).collect();
        server.reload_tls(&borrowed).map_err(|error| failed(error.to_string()))?;
        let mut applied: Vec<String> = files.iter().map(|(name, _)| format!("certificates and trust of listener `{name}`")).collect();
        server.replace_rules(Arc::new(ruleset(config, &self.started_with.bridges).with_version(version)));
        applied.push(counted(config.rules.len(), "access rule"));
        self.administration.replace(authority, office::settings(&config.ca));
        let events = crl_files.poll(&self.live.revocations, unix_seconds());
        if crl_files.len() > 0 {
            applied.push(counted(crl_files.len(), "CRL file"));
        }
        state.rules_version = version;
        state.crl_files = crl_files;
        drop(state);
        self.act_on(events);
        Ok(ReloadReport { applied, needs_restart: needs_restart(&self.started_with, config) })
    }
}

impl Control for Running {
    fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_at: signet_admin::date(self.started_at),
            listeners: self.listening.clone(),
            connections: u64::try_from(self.live.registry.len()).unwrap_or(u64::MAX),
            revoked: u64::try_from(self.live.revocations.load().len()).unwrap_or(u64::MAX),
        }
    }

    fn numbers(&self) -> Numbers {
        Numbers { series: self.telemetry.numbers().into_iter().collect() }
    }

    fn reload(&self) -> Result<ReloadReport, Problem> {
        let path = &self.started_with.path;
        let report = match config::load(path, unix_seconds()) {
            Ok(config) => self.apply(&config),
            Err(ConfigError::Unreadable(failure)) => Err(Problem::new(ProblemKind::Failed, failure.message)),
            Err(ConfigError::Problems(problems)) => {
                for problem in &problems {
                    tracing::error!("{problem}");
                }
                let message = format!("`{}` has {}", path.display(), counted(problems.len(), "problem"));
                Err(Problem::new(ProblemKind::Invalid, message).with_hint(format!("`signet check -c {}` shows them", path.display())))
            }
        };
        match &report {
            Ok(report) => {
                tracing::info!(applied = report.applied.join(", "), "configuration reloaded");
                for change in &report.needs_restart {
                    tracing::warn!("{change}: takes effect at the next start only");
                }
            }
            Err(problem) => tracing::error!("reload refused, everything stays as it was: {problem}"),
        }
        report
    }
}

fn server_config(config: &Config, on_store_failure: Arc<dyn Fn() + Send + Sync>) -> ServerConfig {
    let mut seed = [0; 8];
    // Only spreads load and makes assigned identifiers: a process that can get no randomness fails its first handshake anyway.
    let _ = aws_lc_rs::rand::fill(&mut seed);
    let limits = Limits { durability: config.store.durability(), ..config.limits.broker.clone() };
    ServerConfig {
        shards: config.shards,
        listeners: config.listeners.iter().map(|listener| listener_config(listener, &limits.durability)).collect(),
        limits: Arc::new(limits),
        server_limits: config.limits.server.clone(),
        ruleset: Arc::new(ruleset(config, &config.bridges)),
        will_on_revoke: if config.publish_will_on_revoke { WillRule::Publish } else { WillRule::Drop },
        store: config.store.enabled.then(|| config.store.place(&config.data_dir)),
        on_store_failure,
        seed: u64::from_le_bytes(seed),
    }
}

/// A listener that says how durable messages are takes the place of `[store]`; single topics still go first.
fn listener_config(listener: &config::Listener, general: &DurabilityRules) -> ListenerConfig {
    let mut listening = listener.config();
    let durability = listener.durability.map_or_else(|| general.clone(), |own| general.with_default(own));
    listening.broker_limits = Some(Arc::new(Limits { durability, ..listener.limits().broker.clone() }));
    listening
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A thread for each bridge, which connects in the background.
fn start_bridges(config: &Config, server: &ServerHandle) -> Result<Bridges, StartError> {
    let mut bridges = Vec::new();
    for bridge in &config.bridges {
        let general = Limits { durability: config.store.durability(), ..config.limits.broker.clone() };
        let entrance = server.bridge_entrance(bridge.name(), Some(Arc::new(bridge.limits(&general))))?;
        let local: LocalBroker = Arc::new(move || entrance.connect());
        let unreadable = |error| StartError::Setting(format!("bridge `{}`: cannot read its password: {error}", bridge.name()));
        bridges.push((bridge.config().map_err(unreadable)?, local));
    }
    Bridges::start(bridges).map_err(StartError::System)
}

/// The rules as they are written, and what the bridges may do that run: a reload does not change those.
fn ruleset(config: &Config, bridges: &[config::Bridge]) -> Ruleset {
    let rules = if config.rules.is_empty() { Ruleset::allow_all() } else { Ruleset::compile(config.rules.clone()) };
    rules.with_bridges(bridges.iter().filter_map(config::Bridge::rights).collect())
}

/// What is written differently now and cannot change while clients are connected.
fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    let mut changes = Vec::new();
    let mut compare = |what: &str, same: bool| {
        if !same {
            changes.push(what.to_owned());
        }
    };
    compare("`data_dir`", old.data_dir == new.data_dir);
    compare("`shards`", old.shards == new.shards);
    compare("[log]", (old.log_level, old.log_json) == (new.log_level, new.log_json));
    compare("[admin] `socket`", old.admin_socket == new.admin_socket);
    compare("[limits]", old.limits == new.limits);
    compare("[metrics] and `sys_interval`", old.telemetry == new.telemetry);
    compare("[store]", old.store == new.store);
    compare("[revocation] `will`", old.publish_will_on_revoke == new.publish_will_on_revoke);
    let bridges = |config: &Config| config.bridges.iter().map(config::Bridge::fixed_part).collect::<Vec<_>>();
    compare("[[bridge]]", bridges(old) == bridges(new));
    for listener in &new.listeners {
        match old.listeners.iter().find(|known| known.name == listener.name) {
            None => compare(&format!("new listener `{}`", listener.name), false),
            Some(known) => compare(
                &format!("addresses, transport, identity or limits of listener `{}`", listener.name),
                known.fixed_part() == listener.fixed_part(),
            ),
        }
    }
    for listener in &old.listeners {
        let still_there = new.listeners.iter().any(|known| known.name == listener.name);
        compare(&format!("removed listener `{}`", listener.name), still_there);
    }
    changes
}
