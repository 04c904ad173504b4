//! Where log lines go: stderr, as text for people or one JSON object per line.

use std::io::IsTerminal as _;

use tracing::Level;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging. Called once, by the commands that run for a long time.
pub(crate) fn start(level: Level, json: bool) {
    let builder = tracing_subscriber::fmt().with_max_level(LevelFilter::from_level(level)).with_writer(std::io::stderr);
    // A second start (tests in one process) keeps the first: losing the new settings is harmless there.
    if json {
        drop(builder.json().flatten_event(true).try_init());
    } else {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        drop(builder.with_ansi(colour).with_target(false).try_init());
    }
}
