//! Where log lines go: stderr, as text for people or one JSON object per line.
//!
//! A thread of its own writes them. Whoever reads stderr may be slow or stuck, and must not hold up a shard: what does not fit between them is
//! lost, and counted.

use std::cell::Cell;
use std::io::IsTerminal as _;

use tracing::Level;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::LevelFilter;

/// Lines that may wait to be written.
const WAITING_MAXIMUM: usize = 16_384;

/// Logging. When it is dropped, what waits is written, as far as that takes no longer than a second.
pub(crate) struct Log {
    _writer: WorkerGuard,
    lost: ErrorCounter,
    reported: Cell<usize>,
}

/// Starts logging. Called once, by the commands that run for a long time.
pub(crate) fn start(level: Level, json: bool) -> Log {
    let (writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(WAITING_MAXIMUM).lossy(true).finish(std::io::stderr());
    let lost = writer.error_counter();
    let builder = tracing_subscriber::fmt().with_max_level(LevelFilter::from_level(level)).with_writer(writer);
    // A second start (tests in one process) keeps the first: losing the new settings is harmless there.
    if json {
        drop(builder.json().flatten_event(true).try_init());
    } else {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        drop(builder.with_ansi(colour).with_target(false).try_init());
    }
    Log { _writer: guard, lost, reported: Cell::new(0) }
}

impl Log {
    /// Says how many lines were lost since the last call, if any.
    pub(crate) fn report_lost(&self) {
        let lost = self.lost.dropped_lines();
        let since = lost.saturating_sub(self.reported.replace(lost));
        if since > 0 {
            tracing::warn!(lines = since, "log lines were lost: what reads this log is too slow");
        }
    }
}
