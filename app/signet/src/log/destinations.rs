//! All places where lines go, as they are in force. A reload keeps those that stay, opens the new ones and closes the others.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use signet_mosquitto::log::Kind;
use signet_server::Monitor;
use tracing::Metadata;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;

use super::sink::{LogFile, Records, Sink, Syslog, record};
use super::{kind, unopened};
use crate::config::{Destination, Format, LogConfig};

/// Lines that may wait to be written to one place.
const WAITING_MAXIMUM: usize = 16_384;

/// All of them.
pub(super) struct Destinations {
    open: ArcSwap<Vec<Place>>,
    /// Their threads, which end when these are dropped.
    threads: Mutex<Vec<(Destination, WorkerGuard)>>,
    monitor: Arc<OnceLock<Monitor>>,
    /// The name in the system's log.
    program: &'static str,
    /// Lines lost at places that are closed.
    lost_before: Mutex<usize>,
}

/// One that is open.
#[derive(Clone)]
struct Place {
    destination: Destination,
    writer: NonBlocking,
    lost: ErrorCounter,
    reopen: Arc<AtomicBool>,
}

/// What a reload has opened, and which places are to be open after it.
pub(super) struct Opened {
    new: Vec<(Place, WorkerGuard)>,
    wanted: Vec<Destination>,
}

impl Destinations {
    /// Opens what `config` names. Without the file that it names everything goes to stderr; then the second value says why.
    pub(super) fn open(config: &LogConfig) -> (Self, Option<String>) {
        let program = if config.format == Format::Mosquitto { "mosquitto" } else { "signet" };
        let all =
            Self { open: ArcSwap::default(), threads: Mutex::default(), monitor: Arc::default(), program, lost_before: Mutex::default() };
        let (opened, failure) = match all.prepare(config) {
            Ok(opened) => (Ok(opened), None),
            Err(failure) => (all.prepare(&LogConfig::default()), Some(failure)),
        };
        if let Ok(opened) = opened {
            all.install(opened);
        }
        (all, failure)
    }

    /// Opens what `config` names and is not open. On an error nothing has changed.
    pub(super) fn prepare(&self, config: &LogConfig) -> Result<Opened, String> {
        let open = self.open.load();
        let new = config.to.iter().filter(|wanted| open.iter().all(|place| place.destination != **wanted));
        let new = new.map(|destination| self.place(destination)).collect::<Result<_, String>>()?;
        Ok(Opened { new, wanted: config.to.clone() })
    }

    fn place(&self, destination: &Destination) -> Result<(Place, WorkerGuard), String> {
        let reopen = Arc::new(AtomicBool::new(false));
        let sink = match destination {
            Destination::Stdout => Sink::Stdout(io::stdout()),
            Destination::Stderr => Sink::Stderr(io::stderr()),
            Destination::Topic => Sink::Topic(Arc::clone(&self.monitor)),
            Destination::Syslog(socket, facility) => {
                Sink::Syslog(Syslog { socket: socket.clone(), facility: *facility, program: self.program, connection: None })
            }
            Destination::File(path) => {
                let file = LogFile::open(path, Arc::clone(&reopen));
                Sink::File(file.map_err(|error| unopened(path, &error))?)
            }
        };
        let builder = NonBlockingBuilder::default().buffered_lines_limit(WAITING_MAXIMUM).lossy(true).thread_name("log");
        let (writer, guard) = builder.finish(Records(sink));
        Ok((Place { destination: destination.clone(), lost: writer.error_counter(), writer, reopen }, guard))
    }

    /// Puts in force what was opened. What waits for places that are closed is written, as far as that takes no longer than a second each.
    pub(super) fn install(&self, opened: Opened) {
        let Opened { new, wanted } = opened;
        let mut threads = self.threads();
        let mut places: Vec<Place> = self.open.load().iter().filter(|place| wanted.contains(&place.destination)).cloned().collect();
        for (place, guard) in new {
            threads.push((place.destination.clone(), guard));
            places.push(place);
        }
        let old = self.open.swap(Arc::new(places));
        let closed = old.iter().filter(|place| !wanted.contains(&place.destination));
        *self.lost_before.lock().unwrap_or_else(PoisonError::into_inner) += closed.map(|place| place.lost.dropped_lines()).sum::<usize>();
        threads.retain(|(destination, _)| wanted.contains(destination));
    }

    /// Has files opened anew.
    pub(super) fn reopen(&self) {
        for place in self.open.load().iter() {
            place.reopen.store(true, Ordering::Release);
            place.write(&record(Kind::Internal, ""));
        }
    }

    pub(super) fn publish_through(&self, monitor: Monitor) {
        drop(self.monitor.set(monitor));
    }

    /// One line for every place.
    pub(super) fn line(&self, kind: Kind, text: &str) {
        let record = record(kind, text);
        for place in self.open.load().iter() {
            place.write(&record);
        }
    }

    /// Lines that were lost since the start.
    pub(super) fn lost(&self) -> usize {
        let before = *self.lost_before.lock().unwrap_or_else(PoisonError::into_inner);
        before + self.open.load().iter().map(|place| place.lost.dropped_lines()).sum::<usize>()
    }

    /// Writes what waits.
    pub(super) fn close(&self) {
        self.threads().clear();
    }

    fn threads(&self) -> MutexGuard<'_, Vec<(Destination, WorkerGuard)>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Without waiting: a line that finds no room is lost, and counted.
    fn write(&self, record: &[u8]) {
        drop(self.writer.clone().write_all(record));
    }
}

/// Gives lines that others have written to every place.
pub(super) struct LineWriter(Arc<Destinations>);

impl LineWriter {
    pub(super) fn new(destinations: Arc<Destinations>) -> Self {
        Self(destinations)
    }
}

impl<'a> MakeWriter<'a> for LineWriter {
    type Writer = OneLine<'a>;

    fn make_writer(&'a self) -> OneLine<'a> {
        OneLine { destinations: &self.0, kind: Kind::Information }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> OneLine<'a> {
        OneLine { destinations: &self.0, kind: kind(*metadata.level()) }
    }
}

/// Takes one whole line in one call.
pub(super) struct OneLine<'a> {
    destinations: &'a Destinations,
    kind: Kind,
}

impl Write for OneLine<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.destinations.line(self.kind, String::from_utf8_lossy(line).trim_end_matches('\n'));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
