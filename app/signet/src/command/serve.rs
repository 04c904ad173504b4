//! `signet serve`: the broker from start to graceful end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use signet_admin::{AdminSocket, Administration, Control, MetricsSocket};
use signet_ledger::{AuthorityFiles, key_exposure};
use signet_net::{ListenError, ListenSocket, bind, unix_seconds};
use signet_server::StartError;
use signet_tls::CurrentRevocations;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::time::MissedTickBehavior;

use crate::command::store;
use crate::config::{self, Config};
use crate::data_lock::DataLock;
use crate::exit::Exit;
use crate::flags::Serve;
use crate::hint::{Failure, plain};
use crate::log::{self, Log};
use crate::office::{self, Places};
use crate::open_files;
use crate::running::Running;

/// How long clients may take to go at the end.
const GRACE: Duration = Duration::from_secs(5);

/// Between two looks at CRL files.
const TICK: Duration = Duration::from_secs(1);

/// Runs the command.
pub(crate) fn run(flags: &Serve) -> Result<Exit, Failure> {
    let origin = flags.config.origin();
    let config = config::load(&origin, unix_seconds()).map_err(|error| error.report(origin.path()))?;
    serve(config, || {})
}

/// Serves `config` until a signal ends it. `ready` runs when clients can connect.
pub(crate) fn serve(config: Config, ready: impl FnOnce()) -> Result<Exit, Failure> {
    let log = log::start(config.log.level, config.log.json);
    for notice in &config.source.notices {
        tracing::warn!("{}", config::told(notice));
    }
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
    runtime.block_on(run_until_signal(config, administration, revocations, &log, ready))?;
    Ok(Exit::Done)
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
        tokio::task::spawn_blocking(move || Running::start(config, administration, revocations, on_store_failure)).await
    };
    let running = started.map_err(|error| Failure::new(format!("the start ended early: {error}")))?;
    let running = Arc::new(running.map_err(|error| start_failed(error, &path))?);
    let news = running.news();
    for place in running.listening() {
        tracing::info!(listener = place.name, transport = place.transport, address = %place.address, "listening");
    }
    let (stop, mut stopped) = watch::channel(());
    serve_http(&running, &stopped)?;
    greeting();
    if let Some(metrics) = metrics {
        let mut stopped = stopped.clone();
        tokio::spawn(metrics.serve(running.metrics(), async move { drop(stopped.changed().await) }));
    }
    let wait = async move { drop(stopped.changed().await) };
    let control: Arc<dyn Control> = running.clone();
    let admin = tokio::spawn(signet_admin::serve(socket, administration, control, wait));
    ready();

    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let running = Arc::clone(&running);
        tokio::select! {
            _ = hangup.recv() => in_background(move || drop(running.reload())).await,
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
    tracing::info!("stopping: telling clients, at most {} s", GRACE.as_secs());
    let _ = stop.send(());
    let closed = tokio::task::spawn_blocking(move || running.shutdown(GRACE)).await;
    // Requests under way were answered or their callers will ask again.
    drop(tokio::time::timeout(GRACE, admin).await);
    match closed {
        Ok(Ok(())) => tracing::info!("stopped"),
        Ok(Err(error)) => return Err(store_lost(&error.to_string())),
        Err(error) => tracing::error!("the broker was not stopped in order: {error}"),
    }
    Ok(())
}

/// Opens the listeners that speak HTTP. What they show is that of the configuration in force; which there are is that of the start.
fn serve_http(running: &Arc<Running>, stopped: &watch::Receiver<()>) -> Result<(), Failure> {
    for (listener, api) in running.http_listeners() {
        for (address, socket) in bind(&listener.name, &listener.bind, listener.bind_rules()).map_err(listen_failed)? {
            let ListenSocket::Tcp(socket) = socket else { continue };
            let mut stopped = stopped.clone();
            tracing::info!(listener = listener.name, transport = listener.transport(), %address, "listening");
            let served = signet_admin::serve_http_api(socket, Arc::clone(&api), async move { drop(stopped.changed().await) });
            tokio::spawn(async move {
                if let Err(error) = served.await {
                    tracing::error!(%error, "the HTTP API cannot be served");
                }
            });
        }
    }
    Ok(())
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
    let rules = config.rules.len();
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
