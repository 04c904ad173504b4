//! A running broker from the control plane's side: what it was started with, what a reload changes, what every second brings.

mod control;
mod given;
mod http;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signet_admin::api::{
    AuthenticatorState, Explain, Explained, ForgetAnswers, ForgetReport, Forgive, ForgiveReport, HeldOffClient, Listening, Numbers,
    Problem, ProblemKind, RefreshReport, RefreshSources, RefusalQuery, RefusedClient, ReloadReport, RevocationSource, Status, TrustProfile,
};
use signet_admin::{Administration, Control, Live, MetricsSource};
use signet_bridge::{BridgeStatus, Bridges, Change, LocalBroker, Planned};
use signet_broker::{DurabilityRules, Limits, SessionRule, WillRule};
use signet_identity::AuthorityId;
use signet_net::{ReconcileReport, unix_seconds};
use signet_policy::{BridgeRights, Ruleset};
use signet_server::{ListenerConfig, ProfileConfig, PskLookup, Reloaded, ServerConfig, ServerHandle, StartError, StoreError, StoreState};
use signet_sources::Sources;
use signet_telemetry::Bridge;
use signet_tls::CurrentRevocations;
use tokio::sync::Notify;

use crate::answers;
use crate::authentication::Vouchers;
use crate::broker_control::BrokerFacts;
use crate::ca_files;
use crate::config::{self, Config, ConfigError};
use crate::dynamic_security::{self, ControlDesk};
use crate::follow_up::{FollowUp, end_lost_credentials, record_ended, suspend_clone};
use crate::log::Log;
use crate::office;
use crate::shared_keys::SharedKeys;
use crate::sources::{Inquiry, sources_config, start_sources};
use crate::staples::Staples;
use crate::telemetry::Telemetry;
use crate::watched::Watched;

/// How long a change of trust waits for the sessions it ended, and the end of the broker for its bridges: one may hang in a connection attempt.
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
    sources: Arc<Sources>,
    vouchers: Vouchers,
    desk: Arc<ControlDesk>,
    staples: Staples,
    follow_up: Arc<FollowUp>,
    telemetry: Arc<Telemetry>,
    log: Log,
    state: Mutex<State>,
}

struct State {
    /// Gone once the broker was told to stop.
    server: Option<ServerHandle>,
    bridges: Bridges,
    /// What they may do.
    bridge_rights: Vec<BridgeRights>,
    /// The TLS of listeners that speak HTTP, by their names.
    http_tls: http::HttpTls,
    /// What is in force of the configuration.
    config: Config,
    watched: Watched,
    rules_version: u64,
    /// Ticks to let pass after a CRL failed.
    crl_pause: u32,
    store_was_full: bool,
}

impl Running {
    /// Starts the data plane. CRL files and the last good copies of fetched lists are in force before the first client can connect.
    /// `on_store_failure` is called from another thread, once or more often, when nothing can be made durable any more.
    pub(crate) fn start(
        config: Config,
        log: Log,
        administration: Arc<Administration>,
        revocations: CurrentRevocations,
        on_store_failure: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Self, StartError> {
        let watched = Watched::of(&config);
        let follow_up = FollowUp::new();
        let sources = start_sources(&config, &revocations, &follow_up)?;
        let clients = config.authentication.services.dynamic_security.as_ref();
        let clients = clients.map(dynamic_security::open).transpose().map_err(StartError::Setting)?;
        let rights = given::bridge_rights(&config, &[]);
        let rules = given::ruleset(&config, rights.clone(), clients.as_ref()).map_err(StartError::Setting)?;
        let vouchers = Vouchers::start(&config.authentication, &administration, clients.clone()).map_err(StartError::Setting)?;
        let http_tls = http::load_tls(&config, &revocations)?;
        let mut server_config = given::server_config(&config, rules, &vouchers, on_store_failure);
        server_config.on_clone = follow_up.on_clone();
        let server = signet_server::start(server_config, revocations.clone())?;
        server.ask_about_status(Arc::new(Inquiry(Arc::clone(&sources))));
        log.publish_through(server.monitor());
        let facts = BrokerFacts::of(&config, &server.local_addrs());
        let desk = Arc::new(ControlDesk::new(clients, facts, server.registry(), server.monitor()));
        server.control_with(desk.clone());
        let bridges = Bridges::start(given::bridges(&config, &server)?).map_err(StartError::System)?;
        let live = Live { revocations, registry: server.registry() };
        administration.attach(live.clone());
        follow_up.watch(Arc::clone(&live.registry));
        let interval = config.telemetry.sys_interval;
        let telemetry =
            Telemetry::new(server.monitor(), Arc::clone(&administration), (&live, Arc::clone(&sources), vouchers.clone()), interval);
        let running = Self {
            started_at: unix_seconds(),
            telemetry: Arc::new(telemetry),
            staples: Staples::start(&sources, &config, &server),
            sources,
            vouchers,
            desk,
            live,
            administration,
            follow_up,
            log,
            state: Mutex::new(State {
                server: Some(server),
                bridges,
                bridge_rights: rights,
                http_tls,
                config: config.clone(),
                watched,
                rules_version: 0,
                crl_pause: 0,
                store_was_full: false,
            }),
            started_with: config,
        };
        Ok(running)
    }

    /// Where it listens.
    pub(crate) fn listening(&self) -> Vec<Listening> {
        let state = self.state();
        let addresses = state.server.as_ref().map(ServerHandle::local_addrs).unwrap_or_default();
        let listening = addresses.into_iter().map(|(name, address)| {
            let transport = state.config.listeners.iter().find(|listener| listener.name == name).map_or("", config::Listener::transport);
            Listening { transport: transport.to_owned(), address: address.to_string(), name }
        });
        listening.collect()
    }

    /// The numbers for scrapers.
    pub(crate) fn metrics(&self) -> Arc<dyn MetricsSource> {
        self.telemetry.clone()
    }

    /// What every second brings: a full disk, the `$SYS` tree, changed lists and files, time that has passed over lists and certificates, and our
    /// own CRL when it is due.
    pub(crate) fn tick(&self) {
        self.watch_store();
        self.telemetry.tick(self.bridge_numbers());
        self.watch_files();
        self.follow_up();
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

    /// Something that was noted for the tick may be due at once.
    pub(crate) fn news(&self) -> Arc<Notify> {
        self.follow_up.news()
    }

    /// Ends sessions that changed lists and answers, or the time that has passed, do not allow any more; suspends devices whose certificate is in
    /// use twice.
    pub(crate) fn follow_up(&self) {
        for alarm in self.follow_up.take_clones() {
            suspend_clone(&self.administration, &alarm);
        }
        let Some(cause) = self.follow_up.take_cause(self.live.revocations.generation(), unix_seconds()) else { return };
        self.review(&cause);
    }

    /// Looks at every open session by what is in force now, and ends those that may not go on.
    fn review(&self, cause: &str) -> ReconcileReport {
        let state = self.state();
        let Some(server) = &state.server else { return ReconcileReport::default() };
        let report = server.review(PATIENCE);
        server.review_absent();
        drop(state);
        if report.kicks.found > 0 {
            record_ended(&self.administration, cause, &report);
        }
        report
    }

    /// Certificates and keys that were replaced on disk are taken over as by a reload; a bad file leaves everything as it was.
    fn watch_files(&self) {
        let changed = self.state().watched.changed();
        if let Some(path) = changed {
            tracing::info!(file = %path.display(), "a file of the configuration has changed: reloading");
            drop(self.reload());
        }
    }

    /// Where sessions and messages are kept, if anywhere.
    pub(crate) fn store_place(&self) -> Option<PathBuf> {
        let config = &self.started_with;
        config.store.enabled.then(|| config::store_directory(&config.data_dir))
    }

    /// Closes log files and opens them anew.
    pub(crate) fn reopen_log(&self) {
        self.log.reopen();
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
        let config = self.state().config.bridges.clone();
        let bridges = self.bridges().into_iter().map(|bridge| Bridge {
            tells_itself: config.iter().any(|config| config.name() == bridge.name && config.tells_itself()),
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

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change below is one assignment: a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that can be refused comes first: then nothing of it is in force.
    fn apply(&self, config: Config) -> Result<ReloadReport, Problem> {
        let failed = |message: String| Problem::new(ProblemKind::Invalid, message);
        // Before any of them is read: what changes while it is would else never be noticed.
        let watched = Watched::of(&config);
        let authority = ca_files::load_authority(&config.ca.dir).map_err(|failure| failed(failure.message))?;
        let own: Vec<AuthorityId> = authority.iter().map(|authority| authority.certificate().leaf().authority_id()).collect();
        let sources = sources_config(&config).map_err(failed)?;
        let vouchers = self.vouchers.prepare(&config.authentication).map_err(failed)?;
        let http_tls = http::load_tls(&config, &self.live.revocations).map_err(|error| failed(error.to_string()))?;
        let mut guard = self.state();
        let state = &mut *guard;
        let version = state.rules_version + 1;
        let Some(server) = &state.server else { return Err(failed("the broker is stopping".to_owned())) };
        let bridges = given::bridges(&config, server).map_err(|error| failed(error.to_string()))?;
        let rights = given::bridge_rights(&config, &state.postponed_rights(&bridges));
        let rules = given::ruleset(&config, rights.clone(), self.vouchers.dynamic_security()).map_err(failed)?;
        let (listeners, profiles) = given::listening_config(&config, &self.vouchers);
        let prepared = server.prepare_reload(&listeners, &profiles).map_err(|error| failed(error.to_string()))?;
        let log = self.log.prepare(&config.log).map_err(failed)?;
        // Sources that are named no more are forgotten with their lists and copies, some of which could not be had again: nothing may fail after this.
        self.sources.replace(&sources).map_err(|error| failed(error.to_string()))?;
        // While everything is still theirs to do.
        let removed = state.bridges.retire(&bridges, PATIENCE);
        self.vouchers.replace(vouchers);
        let reloaded = server.install(prepared);
        self.log.install(log);
        // By what the store was started with: another durability needs a restart.
        let limits = Limits { durability: self.started_with.store.durability(), ..given::limits(&config) };
        server.replace_limits(Arc::new(limits), &config.limits.server);
        server.replace_rules(Arc::new(rules.with_version(version)));
        self.desk.replace(BrokerFacts::of(&config, &server.local_addrs()));
        server.rules_changed();
        self.live.revocations.update(|index| index.with_own_authorities(own.iter().copied()));
        self.administration.replace(authority, office::settings(&config.ca));
        self.administration.keep_audit_records(config.revocation.audit_kept);
        self.staples.replace(&self.sources, &config, server);
        let mut report = reload_report(&config, &reloaded, &self.started_with);
        report.applied.extend(removed.iter().map(|name| format!("removed bridge `{name}`")));
        match state.bridges.adopt(bridges) {
            Ok(changes) => report.applied.extend(changes.iter().map(|(name, change)| bridge_change(name, *change))),
            Err(error) => tracing::error!("a bridge cannot be started: {error}"),
        }
        state.rules_version = version;
        state.watched = watched;
        state.http_tls = http_tls;
        state.config = config;
        state.bridge_rights = rights;
        drop(guard);
        let lost = end_lost_credentials(&self.live.registry, &self.vouchers, &self.administration);
        let ended = self.review("reload").kicks.and(lost);
        if ended.found > 0 {
            report.applied.push(format!("{} ended that the new configuration does not allow", given::counted(ended.found, "session")));
        }
        Ok(report)
    }
}

impl State {
    /// What those bridges may do besides what is planned for them that may still be connected as they were configured before.
    fn postponed_rights(&self, planned: &[Planned]) -> Vec<BridgeRights> {
        let names: Vec<&str> = self.bridges.postponed(planned).collect();
        self.bridge_rights.iter().filter(|rights| names.contains(&&*rights.name)).cloned().collect()
    }
}

/// What became of a bridge, for people.
fn bridge_change(name: &str, change: Change) -> String {
    match change {
        Change::Started => format!("new bridge `{name}`"),
        Change::Restarted => format!("bridge `{name}`, which connects anew"),
        Change::Postponed => format!("bridge `{name}`, with its next connection"),
    }
}

/// What was applied, for people.
fn reload_report(config: &Config, reloaded: &Reloaded, started_with: &Config) -> ReloadReport {
    let mut applied: Vec<String> = Vec::new();
    let listed = |what: &str, names: &[String]| names.iter().map(|name| format!("{what} listener `{name}`")).collect::<Vec<_>>();
    applied.extend(listed("settings of", &reloaded.kept));
    applied.extend(listed("new", &reloaded.added));
    applied.extend(listed("removed", &reloaded.removed));
    applied.push(given::counted(config.profiles.len(), "trust profile"));
    applied.push(given::counted(config.rules.len(), "access rule"));
    for (count, what) in
        [(config.authentication.authenticators.len(), "authenticator"), (config.authentication.sources.len(), "access source")]
    {
        if count > 0 {
            applied.push(given::counted(count, what));
        }
    }
    let files = config.profiles.iter().map(|profile| profile.sources.files.len()).sum();
    if files > 0 {
        applied.push(given::counted(files, "CRL file"));
    }
    ReloadReport { applied, needs_restart: given::needs_restart(started_with, config) }
}
