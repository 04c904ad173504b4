//! Where log lines go, and how they look: for people, one JSON object per line, or as Mosquitto words them.
//!
//! A thread of its own writes to each place. Whoever reads there may be slow or stuck, and must not hold up a shard: what does not fit between them is
//! lost, and counted.

mod destinations;
mod fields;
mod mosquitto;
mod sink;

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use signet_mosquitto::log::Kinds;
use signet_mosquitto::program::Flags;
use signet_server::Monitor;
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, Layered, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, reload};

use crate::config::{Destination, Format, LogConfig};
use destinations::{Destinations, LineWriter};
use mosquitto::{MosquittoLayer, Style};

/// The target of what is worded as Mosquitto does, and of nothing else: only its format asks for it.
pub(crate) const LINE: &str = "signet::line";

/// The same, where each packet is one.
const PACKET_LINES: &str = "signet::line::packet";

/// The same, where each subscription is one.
const SUBSCRIPTION_LINES: &str = "signet::line::subscription";

/// What is logged, whatever the configuration says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// What it says.
    #[default]
    Configured,
    /// Nothing.
    Quiet,
    /// Everything.
    Verbose,
}

impl Verbosity {
    /// What the command line says.
    pub(crate) fn of(flags: &Flags) -> Self {
        match (flags.quiet, flags.verbose) {
            (true, _) => Self::Quiet,
            (false, true) => Self::Verbose,
            (false, false) => Self::Configured,
        }
    }

    /// The configuration as far as it counts.
    fn applied(self, config: &LogConfig) -> LogConfig {
        let mut config = config.clone();
        match self {
            Self::Configured => {}
            Self::Quiet => config.to = Vec::new(),
            Self::Verbose => (config.level, config.mosquitto.kinds) = (Level::TRACE, Kinds::all()),
        }
        config
    }
}

/// Logging. When the last of its clones is closed or dropped, what waits is written, as far as that takes no longer than a second.
#[derive(Clone)]
pub(crate) struct Log {
    destinations: Arc<Destinations>,
    style: Arc<ArcSwap<Style>>,
    filter: reload::Handle<Targets, Registry>,
    reported: Arc<AtomicUsize>,
    verbosity: Verbosity,
}

/// Starts logging. Called once, by the commands that run for a long time. Where a file cannot be opened, lines go to stderr.
pub(crate) fn start(config: &LogConfig, verbosity: Verbosity) -> Log {
    let config = &verbosity.applied(config);
    let (opened, failure) = Destinations::open(config);
    let destinations = Arc::new(opened);
    let style = Arc::new(ArcSwap::from_pointee(Style::of(config)));
    let (filter, handle) = reload::Layer::new(targets(config));
    let layer: Box<dyn Layer<Layered<reload::Layer<Targets, Registry>, Registry>> + Send + Sync> = match config.format {
        Format::Mosquitto => Box::new(MosquittoLayer::new(Arc::clone(&destinations), Arc::clone(&style))),
        Format::Json => Box::new(fmt::layer().with_writer(LineWriter::new(Arc::clone(&destinations))).json().flatten_event(true)),
        Format::Text => {
            let is_terminal = config.to == [Destination::Stderr] && std::io::stderr().is_terminal();
            let colour = is_terminal && std::env::var_os("NO_COLOR").is_none();
            Box::new(fmt::layer().with_writer(LineWriter::new(Arc::clone(&destinations))).with_ansi(colour).with_target(false))
        }
    };
    // A second start (tests in one process) keeps the first: losing the new settings is harmless there.
    drop(tracing_subscriber::registry().with(filter).with(layer).try_init());
    if let Some(failure) = failure {
        tracing::error!("{failure}");
    }
    Log { destinations, style, filter: handle, reported: Arc::default(), verbosity }
}

/// What is asked for, by target.
fn targets(config: &LogConfig) -> Targets {
    match config.format {
        Format::Mosquitto => mosquitto::targets(&config.mosquitto),
        Format::Text | Format::Json => Targets::new().with_default(config.level).with_target(LINE, LevelFilter::OFF),
    }
}

impl Log {
    /// Opens what `config` names besides what is open.
    ///
    /// # Errors
    /// A file that cannot be opened; everything stays as it was.
    pub(crate) fn prepare(&self, config: &LogConfig) -> Result<Prepared, String> {
        let config = self.verbosity.applied(config);
        Ok(Prepared { opened: self.destinations.prepare(&config)?, config })
    }

    /// Takes over what was prepared. The format stays as it is. Files are closed and opened anew.
    pub(crate) fn install(&self, prepared: Prepared) {
        let Prepared { opened, config } = prepared;
        self.style.store(Arc::new(Style::of(&config)));
        // Nobody has set another subscriber; if somebody had, its filter is not ours to change.
        drop(self.filter.reload(targets(&config)));
        self.destinations.install(opened);
        self.reopen();
    }

    /// Closes files and opens them anew, after somebody has moved them away.
    pub(crate) fn reopen(&self) {
        self.destinations.reopen();
    }

    /// Lines for topics are published through `monitor` from here on.
    pub(crate) fn publish_through(&self, monitor: Monitor) {
        self.destinations.publish_through(monitor);
    }

    /// Says how many lines were lost since the last call, if any.
    pub(crate) fn report_lost(&self) {
        let lost = self.destinations.lost();
        let since = lost.saturating_sub(self.reported.swap(lost, Ordering::Relaxed));
        if since > 0 {
            tracing::warn!(lines = since, "log lines were lost: what reads this log is too slow");
        }
    }

    /// Writes what waits, and nothing after it.
    pub(crate) fn close(&self) {
        self.destinations.close();
    }
}

/// What a reload is about to put in force.
pub(crate) struct Prepared {
    opened: destinations::Opened,
    config: LogConfig,
}

/// The words for a file that cannot be opened, those of Mosquitto.
fn unopened(path: &Path, error: &std::io::Error) -> String {
    format!("Unable to open log file {} for writing: {}", path.display(), crate::hint::plain(error))
}

/// What a level of ours is called by Mosquitto.
fn kind(level: Level) -> signet_mosquitto::log::Kind {
    use signet_mosquitto::log::Kind;
    match level {
        Level::ERROR => Kind::Error,
        Level::WARN => Kind::Warning,
        Level::INFO => Kind::Information,
        _ => Kind::Debug,
    }
}
