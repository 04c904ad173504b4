//! `signet bench`: how many connections and messages a broker takes, ours or another one.

mod shown;

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signet_load::{ConnectLoad, Control, IdleLoad, LoadError, Progress, PubSubLoad, Report, Target};
use signet_tls::{Connector, ConnectorConfig, MinimumVersion};

use crate::exit::Exit;
use crate::flags::{Bench, BenchCommon, BenchPubsub, BenchTls, LayoutName};
use crate::hint::Failure;
use crate::output;

/// For the one connection that finds out whether there is a broker.
const REACH: Duration = Duration::from_secs(10);

/// A port that is known to speak TLS.
const TLS_PORT: u16 = 8883;
const PLAIN_PORT: u16 = 1883;

/// Certificates that one directory may hold: each is read and kept.
const MAXIMUM_CLIENTS: usize = 100_000;

/// Runs the command.
pub(crate) fn run(flags: &Bench) -> Result<Exit, Failure> {
    match flags {
        Bench::Connect(flags) => {
            let load = ConnectLoad { count: number(flags.count), resume: flags.resume };
            measure(&flags.common, flags.common.concurrency, |target, control| signet_load::connect(target, load, control))
        }
        Bench::Idle(flags) => {
            let load = IdleLoad { count: number(flags.count), hold: flags.hold };
            measure(&flags.common, flags.count, |target, control| signet_load::idle(target, load, control))
        }
        Bench::Pubsub(flags) => {
            let load = pubsub(flags);
            let connections = u64::try_from(load.publishers + load.subscribers).unwrap_or(u64::MAX);
            measure(&flags.common, connections, |target, control| signet_load::pubsub(target, &load, control))
        }
    }
}

fn pubsub(flags: &BenchPubsub) -> PubSubLoad {
    let alike = if flags.layout == LayoutName::Pairs { flags.publishers } else { 1 };
    PubSubLoad {
        layout: flags.layout.into(),
        publishers: number(flags.publishers),
        subscribers: number(flags.subscribers.unwrap_or(alike)),
        qos: flags.messages.qos(),
        payload: flags.messages.payload.clone(),
        topics: flags.topics.count,
        wildcards: flags.topics.wildcards,
        topic_prefix: flags.topics.topic_prefix.clone(),
        window: number(flags.messages.window()),
        rate: flags.rate,
        warm_up: flags.warm_up,
        duration: flags.seconds,
        clean_start: flags.clean_start,
    }
}

/// Flags have bounds that fit everywhere.
fn number(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Runs a load with so many connections at a time, and shows what came of it.
fn measure(
    common: &BenchCommon,
    connections: u64,
    load: impl FnOnce(&Target, &mut Control<'_>) -> Result<Report, LoadError>,
) -> Result<Exit, Failure> {
    signet_load::raise_open_files(connections).map_err(|allowed| {
        Failure::new(format!("{connections} connections are asked for, and the system allows {allowed} open files"))
            .hint("raise the limit: ulimit -n")
    })?;
    let target = target(common)?;
    if let Some(cpu) = common.cpu {
        signet_load::pin(cpu).map_err(|error| Failure::new(format!("cannot run on processor {cpu}: {}", crate::hint::plain(&error))))?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_signals(Arc::clone(&stop));
    let is_watched = std::io::stderr().is_terminal();
    let mut tell = |progress: &Progress| {
        if is_watched {
            output::passing(&shown::progress(progress));
        }
    };
    let report = load(&target, &mut Control::new(&stop, &mut tell));
    if is_watched {
        output::passing("");
    }
    let report = report.map_err(failure)?;
    if common.json {
        output::json(&report)?
    } else {
        output::data(&shown::report(&report))
    }
    if report.valid {
        return Ok(Exit::Done);
    }
    Err(Failure::new(format!("the measurement is not valid: {}", report.reasons.join("; "))))
}

fn failure(error: LoadError) -> Failure {
    let failure = Failure::new(error.to_string());
    match error {
        LoadError::Unreachable { .. } => failure.hint("check that the broker runs, and its port with `-p`"),
        LoadError::NoProcess(_) => {
            failure.hint("give the broker's process on this machine with `--pid`, such as `--pid $(pidof mosquitto)`")
        }
        // The message has its own.
        _ => failure,
    }
}

fn target(common: &BenchCommon) -> Result<Target, Failure> {
    let place = &common.place;
    let connectors = connectors(&common.tls, place.port == Some(TLS_PORT)).map_err(failure)?;
    let port = place.port.unwrap_or(if connectors.is_empty() { PLAIN_PORT } else { TLS_PORT });
    Ok(Target {
        broker: format!("{}:{port}", place.host),
        host: place.host.clone(),
        address: signet_load::reachable(&place.host, port, REACH).map_err(failure)?,
        connectors,
        websocket: place.ws.then(|| place.ws_path.clone()),
        version: place.mqtt_version,
        username: place.username.clone(),
        password: place.password.as_ref().map(|password| password.clone().into_bytes()),
        identifier_prefix: place.id_prefix.clone(),
        concurrency: number(common.concurrency),
        processes: common.pid.clone(),
    })
}

/// One for each certificate; none without TLS.
fn connectors(tls: &BenchTls, is_tls_port: bool) -> Result<Vec<Connector>, LoadError> {
    let has_trust = tls.cafile.is_some() || tls.capath.is_some() || tls.tls_use_os_certs || tls.insecure;
    let is_shaped = tls.tls_version.is_some() || tls.ciphers.is_some() || !tls.groups.is_empty();
    let is_meant = has_trust || tls.cert.is_some() || tls.clients.is_some() || is_shaped;
    if !is_meant && !is_tls_port {
        return Ok(Vec::new());
    }
    let config = ConnectorConfig {
        ca_files: tls.cafile.iter().cloned().collect(),
        ca_directory: tls.capath.clone(),
        system_trust: tls.tls_use_os_certs || !has_trust,
        certificate: tls.cert.clone(),
        key: tls.key.clone(),
        insecure: tls.insecure,
        minimum_version: if tls.tls_version.as_deref() == Some("tlsv1.3") { MinimumVersion::Tls13 } else { MinimumVersion::Tls12 },
        tls12_only: tls.tls_version.as_deref() == Some("tlsv1.2"),
        cipher_suites: tls.ciphers.iter().cloned().collect(),
        key_exchange_groups: tls.groups.clone(),
        ..ConnectorConfig::default()
    };
    let Some(directory) = &tls.clients else { return Ok(vec![Connector::new(&config)?]) };
    let with = |(certificate, key)| Connector::new(&ConnectorConfig { certificate: Some(certificate), key: Some(key), ..config.clone() });
    pairs(directory)?.into_iter().map(with).collect::<Result<_, _>>().map_err(LoadError::Tls)
}

/// The certificates of a directory, each with its key.
fn pairs(directory: &Path) -> Result<Vec<(PathBuf, PathBuf)>, LoadError> {
    let unread = |error| LoadError::Setting(format!("cannot read `{}`: {}", directory.display(), crate::hint::plain(&error)));
    let mut pairs = Vec::new();
    for entry in fs::read_dir(directory).map_err(unread)? {
        let certificate = entry.map_err(unread)?.path();
        let key = certificate.with_extension("key");
        if certificate.extension().is_some_and(|extension| extension == "pem") && key.is_file() {
            pairs.push((certificate, key));
        }
    }
    if pairs.is_empty() || pairs.len() > MAXIMUM_CLIENTS {
        let found = pairs.len();
        let expected = format!(
            "`{}` holds {found} certificates with keys, expected 1 to {MAXIMUM_CLIENTS} pairs of NAME.pem and NAME.key",
            directory.display()
        );
        return Err(LoadError::Setting(expected));
    }
    pairs.sort();
    Ok(pairs)
}

/// From here on SIGINT and SIGTERM end the measurement, and what was measured is shown.
fn stop_on_signals(stop: Arc<AtomicBool>) {
    let (ready, registered) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else { return };
            let _ = ready.send(());
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            stop.store(true, Ordering::Relaxed);
        });
    });
    // An error means that the thread gave up: then a signal ends the process the system's way.
    let _ = registered.recv();
}
