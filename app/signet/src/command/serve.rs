//! `signet serve`: the broker from start to graceful end.

mod http;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use signet_admin::api::Listening;
use signet_admin::{AdminSocket, Administration, Control, MetricsSocket};
use signet_ledger::{AuthorityFiles, key_exposure};
use signet_mosquitto::program::{Flags, PORTS_MAXIMUM, VERSION as MOSQUITTO};
use signet_net::{ListenAddress, ListenError, unix_seconds};
use signet_server::StartError;
use signet_tls::CurrentRevocations;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::time::MissedTickBehavior;

use crate::command::store;
use crate::config::{self, Config, Format, MosquittoOrigin, Origin};
use crate::data_lock::DataLock;
use crate::exit::Exit;
use crate::hint::{Failure, plain};
use crate::log::{self, Log, Verbosity};
use crate::office::{self, Places};
use crate::open_files;
use crate::output;
use crate::pid_file::PidFile;
use crate::privileges::{self, Dropped};
use crate::running::Running;
use crate::service_manager;

/// The configuration where none is named.
const USUAL_FILE: &str = "signet.toml";

/// The target of what Mosquitto says about itself.
const PROGRAM_LINES: &str = "signet::line::program";

/// How long clients may take to go at the end.
const GRACE: Duration = Duration::from_secs(5);

/// Between two looks at CRL files.
const TICK: Duration = Duration::from_secs(1);

/// How a start differs from the usual one, by what the command line says.
#[derive(Debug, Default)]
pub(crate) struct Manner {
    /// Whom root has become.
    pub(crate) dropped: Dropped,
    /// What is logged, whatever the configuration says.
    pub(crate) verbosity: Verbosity,
}

/// Runs the command.
pub(crate) fn run(flags: &Flags) -> Result<Exit, Failure> {
    let path = flags.config_file.clone().unwrap_or_else(|| PathBuf::from(USUAL_FILE));
    let origin = match Origin::of(&path) {
        Origin::Mosquitto(origin) => Origin::Mosquitto(MosquittoOrigin { ports: flags.ports.clone(), ..origin }),
        Origin::Native(_) if !flags.ports.is_empty() => {
            return Err(Failure::new("-p is for a mosquitto.conf without a listener")
                .hint("write the port into signet.toml: `bind` of a [[listener]]"));
        }
        native => native,
    };
    if flags.ports.len() > PORTS_MAXIMUM {
        return Err(Failure::new(format!("only {PORTS_MAXIMUM} ports can be given with -p")));
    }
    if flags.test_config {
        config::load(&origin, unix_seconds()).map_err(|error| error.report(origin.path()))?;
        output::note(&format!("`{}` is right", origin.path().display()));
        return Ok(Exit::Done);
    }
    start(flags, &origin)
}

/// Starts what `origin` says, in this order: the configuration; root becomes somebody else; the files that it names; the background.
pub(crate) fn start(flags: &Flags, origin: &Origin) -> Result<Exit, Failure> {
    let mut dropped = Dropped::default();
    let mut become_user = |config: &Config| {
        dropped = privileges::give_up(config.process.user.as_deref(), config.source.origin.own_place())?;
        Ok(())
    };
    let config = config::load_between(origin, unix_seconds(), &mut become_user).map_err(|error| error.report(origin.path()))?;
    let config = config.with_key_log(flags.tls_keylog.as_deref());
    if flags.daemon {
        // Before there is a thread. The current directory stays: paths may be relative to it.
        nix::unistd::daemon(true, false).map_err(|error| Failure::new(format!("cannot go to the background: {error}")))?;
    }
    serve(config, Manner { dropped, verbosity: Verbosity::of(flags) }, || {})
}

/// Serves `config` until a signal ends it. `ready` runs when clients can connect.
pub(crate) fn serve(config: Config, manner: Manner, ready: impl FnOnce()) -> Result<Exit, Failure> {
    let _pid_file = PidFile::write(config.process.pid_file.clone())?;
    let format = config.log.format;
    let log = log::start(&config.log, manner.verbosity);
    let ended = logged(config, &manner, &log, ready);
    let ended = match ended {
        // Where Mosquitto's users look for it.
        Err(failure) if format == Format::Mosquitto => {
            tracing::error!(target: PROGRAM_LINES, line = "failed", failure = failure.message, hint = failure.hint);
            Ok(failure.exit)
        }
        ended => ended,
    };
    tracing::info!(target: PROGRAM_LINES, line = "terminating", version = MOSQUITTO);
    log.close();
    ended
}

/// The same once there is a log.
fn logged(config: Config, manner: &Manner, log: &Log, ready: impl FnOnce()) -> Result<Exit, Failure> {
    announce(manner, &config);
    let places = Places::of(config.clone());
    let _lock = DataLock::take(&places.data_dir)?;
    let administration = Arc::new(office::open_administration(&places)?);
    let index = administration.revocation_index().map_err(office::problem)?;
    let index = index.with_own_authorities(administration.own_authorities());
    let revocations = CurrentRevocations::with_ocsp_capacity(index, config.revocation.limits.ocsp_answers);
    administration.sign_crl_if_due().map_err(office::problem)?;
    warn_of_exposed_keys(&config);
    warn_of_dangers(&config);
    let connections: u64 = config.listeners.iter().map(config::Listener::connections).sum();
    open_files::make_room(connections.min(u64::try_from(config.limits.server.connections_maximum).unwrap_or(u64::MAX)));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("the system gives no event loop: {error}")))?;
    runtime.block_on(run_until_signal(config, administration, revocations, log, ready))?;
    Ok(Exit::Done)
}

/// What Mosquitto says first.
fn announce(manner: &Manner, config: &Config) {
    let Dropped { user, is_root, instead_of } = &manner.dropped;
    if let Some(wanted) = instead_of {
        tracing::warn!("there is no user `{wanted}`: running as `{user}`");
    }
    if !user.is_empty() {
        tracing::info!(target: PROGRAM_LINES, line = "user", user);
    }
    if *is_root {
        tracing::warn!(target: PROGRAM_LINES, line = "root");
    }
    tracing::info!(target: PROGRAM_LINES, line = "starting", version = MOSQUITTO);
    tracing::info!(target: PROGRAM_LINES, line = "signet", signet = env!("CARGO_PKG_VERSION"), version = MOSQUITTO);
    match &config.source.origin {
        Origin::Mosquitto(MosquittoOrigin { file: None, .. }) => tracing::info!(target: PROGRAM_LINES, line = "default_config"),
        named => tracing::info!(target: PROGRAM_LINES, line = "config_loaded", file = %named.path().display()),
    }
    tracing::info!(target: PROGRAM_LINES, line = "features", psk = if cfg!(feature = "psk") { "" } else { " NOT" });
    for notice in &config.source.notices {
        tracing::warn!("{}", config::told(notice));
    }
}

/// Where a listener listens, in the words of both formats.
fn announce_listener(place: &Listening) {
    tracing::info!(target: "signet::program", listener = place.name, transport = place.transport, address = %place.address, "listening");
    match place.address.parse::<ListenAddress>() {
        Ok(ListenAddress::Ip(address)) => {
            let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
            tracing::info!(target: PROGRAM_LINES, line = "listening", family, port = address.port());
        }
        Ok(ListenAddress::Unix(path)) => tracing::info!(target: PROGRAM_LINES, line = "listening_unix", path = %path.display()),
        Err(_) => {}
    }
}

async fn run_until_signal(
    config: Config,
    administration: Arc<Administration>,
    revocations: CurrentRevocations,
    log: &Log,
    ready: impl FnOnce(),
) -> Result<(), Failure> {
    let no_signals = |error: std::io::Error| Failure::new(format!("cannot listen for signals: {error}"));
    let mut hangup = signal(SignalKind::hangup()).map_err(no_signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let mut orders = Orders::listen().map_err(no_signals)?;
    let socket = AdminSocket::bind(&config.admin_socket).map_err(|error| Failure::new(error.to_string()))?;
    let metrics = metrics_socket(&config).await?;
    let greeting = greeting(&config, &administration);
    let path = config.source.origin.path().to_owned();
    let failed = Arc::new(Notify::new());
    let on_store_failure = {
        let failed = Arc::clone(&failed);
        // Remembered when nobody waits at the moment.
        Arc::new(move || failed.notify_one())
    };
    let started = {
        let administration = Arc::clone(&administration);
        // Reads files, large ones perhaps.
        let log = log.clone();
        tokio::task::spawn_blocking(move || Running::start(config, log, administration, revocations, on_store_failure)).await
    };
    let running = started.map_err(|error| Failure::new(format!("the start ended early: {error}")))?;
    let running = Arc::new(running.map_err(|error| start_failed(error, &path))?);
    let news = running.news();
    running.listening().iter().for_each(announce_listener);
    greeting();
    tracing::info!(target: PROGRAM_LINES, line = "running", version = MOSQUITTO);
    let (stop, mut stopped) = watch::channel(());
    http::serve(&running, &stopped)?;
    if let Some(metrics) = metrics {
        let mut stopped = stopped.clone();
        tokio::spawn(metrics.serve(running.metrics(), async move { drop(stopped.changed().await) }));
    }
    let wait = async move { drop(stopped.changed().await) };
    let control: Arc<dyn Control> = running.clone();
    let admin = tokio::spawn(signet_admin::serve(socket, administration, control, wait));
    ready();
    service_manager::ready();

    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let running = Arc::clone(&running);
        tokio::select! {
            _ = hangup.recv() => {
                tracing::info!(target: PROGRAM_LINES, line = "reloading");
                in_background(move || drop(running.reload())).await;
            }
            order = orders.next() => in_background(move || obey(order, &running)).await,
            _ = tick.tick() => {
                log.report_lost();
                in_background(move || running.tick()).await;
            }
            () = news.notified() => in_background(move || running.follow_up()).await,
            () = failed.notified() => return Err(store_failed(running).await),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    tracing::info!(target: "signet::program", "stopping: telling clients, at most {} s", GRACE.as_secs());
    service_manager::stopping();
    let _ = stop.send(());
    let closed = tokio::task::spawn_blocking(move || running.shutdown(GRACE)).await;
    // Requests under way were answered or their callers will ask again.
    drop(tokio::time::timeout(GRACE, admin).await);
    match closed {
        Ok(Ok(())) => tracing::info!(target: "signet::program", "stopped"),
        Ok(Err(error)) => return Err(store_lost(&error.to_string())),
        Err(error) => tracing::error!("the broker was not stopped in order: {error}"),
    }
    Ok(())
}

/// The signals of Mosquitto that neither end nor reload.
struct Orders {
    save: Signal,
    print: Signal,
    reopen: Signal,
}

/// What they ask for.
#[derive(Debug, Clone, Copy)]
enum Order {
    /// SIGUSR1.
    Save,
    /// SIGUSR2.
    Print,
    /// SIGRTMIN.
    ReopenLog,
}

impl Orders {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            save: signal(SignalKind::user_defined1())?,
            print: signal(SignalKind::user_defined2())?,
            reopen: signal(SignalKind::from_raw(nix::libc::SIGRTMIN()))?,
        })
    }

    async fn next(&mut self) -> Order {
        tokio::select! {
            _ = self.save.recv() => Order::Save,
            _ = self.print.recv() => Order::Print,
            _ = self.reopen.recv() => Order::ReopenLog,
        }
    }
}

/// What the broker says of its subscriptions and messages when it is asked by SIGUSR2.
const HELD: [&str; 5] =
    ["signet_subscriptions", "signet_shared_subscriptions", "signet_retained_messages", "signet_queued_messages", "signet_queued_bytes"];

/// Does what a signal asks for.
fn obey(order: Order, running: &Running) {
    match order {
        // Nothing is left to be saved: every change goes to the disk when it is made, and is there at the end of the flush interval at the latest.
        Order::Save => match running.store_place() {
            Some(place) => tracing::info!(target: PROGRAM_LINES, line = "saving", path = %place.display()),
            None => tracing::warn!("nothing to save: [store] is switched off"),
        },
        Order::Print => {
            let numbers = running.numbers().series;
            let held = HELD.iter().filter_map(|wanted| numbers.iter().find(|(name, _)| name == wanted));
            let held: Vec<String> = held.map(|(name, value)| format!("{}={value}", name.trim_start_matches("signet_"))).collect();
            tracing::info!("SIGUSR2: {}; `signet status` and `signet connections` say more", held.join(", "));
        }
        Order::ReopenLog => running.reopen_log(),
    }
}

/// Listens for scrapers, if the configuration says where.
async fn metrics_socket(config: &Config) -> Result<Option<MetricsSocket>, Failure> {
    let Some(address) = config.telemetry.metrics else { return Ok(None) };
    let failed = |error| {
        Failure::new(format!("cannot listen on `{address}` for metrics: {}", plain(&error))).hint("choose another `bind` in [metrics]")
    };
    let socket = MetricsSocket::bind(address).await.map_err(failed)?;
    tracing::info!("metrics at http://{}/metrics", socket.address());
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "the metrics are plain HTTP and for whoever can reach this address; bind them to 127.0.0.1 unless the network is trusted");
    }
    Ok(Some(socket))
}

/// Ends a broker whose store has failed. An `fsync` that failed is never tried again: the system may have thrown away what it did not write, and
/// would report success the second time. Clients are told and will come back with what was not acknowledged.
async fn store_failed(running: Arc<Running>) -> Failure {
    let why = running.store_failure().unwrap_or_else(|| "the reason is not known".to_owned());
    tracing::error!(target: "signet::store", "the store failed, stopping at once: {why}");
    // The store says the same once more.
    in_background(move || drop(running.shutdown(Duration::ZERO))).await;
    store_lost(&why)
}

fn store_lost(why: &str) -> Failure {
    Failure::new(format!("the store failed: {why}; nothing was acknowledged after it"))
        .exit(Exit::StoreFailed)
        .hint("look at the disk (`dmesg`, SMART) and start again: what was acknowledged before is there, and checked at the start")
}

/// Others who can read a key can be the server, or a device, or issue certificates.
fn warn_of_exposed_keys(config: &Config) {
    let tls = config.listeners.iter().filter_map(|listener| listener.tls.as_ref());
    let servers = tls.flat_map(|tls| tls.credentials()).map(|credential| credential.key.value.clone());
    let files = AuthorityFiles::new(&config.ca.dir);
    let shared = config.listeners.iter().filter_map(|listener| listener.psk.as_ref()).flat_map(|psk| psk.files()).cloned();
    for path in servers.chain(shared).chain([files.issuing_key(), files.root_key()]) {
        // A key that is not there cannot be exposed; one that is needed was checked before.
        if let Ok(Some(warning)) = key_exposure(&path) {
            tracing::warn!("{warning}");
        }
    }
}

/// What a configuration allows that somebody should know who did not write it.
fn warn_of_dangers(config: &Config) {
    if let Some(path) = config.listeners.iter().find_map(config::Listener::key_log) {
        tracing::warn!(
            "the secrets of every TLS connection are written to `{}`: whoever reads it can read all that was sent; remove `tls_keylog` when you are done",
            path.display()
        );
    }
    for profile in config.profiles.iter().filter(|profile| profile.ignores_dates()) {
        tracing::warn!(
            profile = &*profile.name,
            "certificates of this trust profile count for ever: `certificate_dates = \"ignore\"` lets in what has expired, and ends no session"
        );
    }
    for listener in &config.listeners {
        if listener.believes_everybody() {
            tracing::warn!(
                listener = listener.name,
                "whoever reaches this listener can be any client at any address: `proxy_trusted` believes the PROXY header of everybody"
            );
        }
        if listener.psk.as_ref().is_some_and(|psk| psk.has_hint) {
            tracing::warn!(listener = listener.name, "`psk_hint` is not sent: clients choose their identity without it");
        }
    }
}

/// Runs work that waits for disks or shards where waiting is allowed.
async fn in_background(work: impl FnOnce() + Send + 'static) {
    if let Err(error) = tokio::task::spawn_blocking(work).await {
        tracing::error!("background work ended early: {error}");
    }
}

/// What is said at the start besides addresses: authority, CRL, rules, CRL files.
fn greeting(config: &Config, administration: &Administration) -> impl FnOnce() + use<> {
    let (rules, has_sources) = (config.rules.len(), !config.authentication.sources.is_empty());
    let ca = administration.ca().ok();
    move || {
        match ca {
            Some(ca) => {
                let issuing = ca.certificates.first().map_or("", |certificate| certificate.subject.as_str()).to_owned();
                let crl = ca.crl.map_or(0, |crl| crl.number);
                tracing::info!(issuing, certificates = ca.certificates_total, revoked = ca.revoked_total, crl, "certificate authority");
            }
            None => tracing::info!("no certificate authority of our own: certificates are issued elsewhere"),
        }
        match rules {
            0 if has_sources => tracing::info!("no access rules of its own: access sources say what clients may do"),
            0 => tracing::warn!("no access rules: everything is allowed to whoever may connect"),
            rules => tracing::info!(rules, "access rules"),
        }
    }
}

fn start_failed(error: StartError, config: &Path) -> Failure {
    match error {
        StartError::Store(error) => store::refused(error, config),
        StartError::Listen(error) => listen_failed(error),
        other => Failure::new(other.to_string()),
    }
}

/// A port that cannot be listened on, with what to do about it.
pub(crate) fn listen_failed(error: ListenError) -> Failure {
    match error {
        ListenError::InUse { address, .. } => match address.port() {
            Some(port) => Failure::new(format!("port `{port}` is taken: another process listens on `{address}`")).hint(format!(
                "see who has it: ss -ltnp 'sport = :{port}'; or choose another: `bind` in signet.toml, `signet quickstart --port {}`",
                port.saturating_add(1)
            )),
            None => Failure::new(format!("another process listens on `{address}`"))
                .hint("stop it, or choose another path: `bind` in signet.toml"),
        },
        other => Failure::new(other.to_string()),
    }
}
