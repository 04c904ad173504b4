//! Events → lines as Mosquitto words them. What we say in words of our own is said in its manner, unless it has its own line for the same.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use jiff::Zoned;
use jiff::fmt::strtime;
use signet_mosquitto::log::{Fields as _, Kind, Kinds, Line, lines, plain, shortened};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer};

use super::destinations::Destinations;
use super::fields::Collected;
use super::{LINE, PACKET_LINES, SUBSCRIPTION_LINES, kind};
use crate::config::{LogConfig, MosquittoLog, Timestamps};

/// What a reload may change.
pub(super) struct Style {
    mosquitto: MosquittoLog,
}

impl Style {
    pub(super) fn of(config: &LogConfig) -> Self {
        Self { mosquitto: config.mosquitto.clone() }
    }
}

/// What is asked for: only what is written in the end.
pub(super) fn targets(style: &MosquittoLog) -> Targets {
    let kinds = style.kinds;
    let has_any = |wanted: &[Kind]| wanted.iter().any(|kind| kinds.has(*kind));
    let level = match () {
        () if kinds.has(Kind::Debug) => LevelFilter::DEBUG,
        () if has_any(&[Kind::Information, Kind::Notice]) => LevelFilter::INFO,
        () if kinds.has(Kind::Warning) => LevelFilter::WARN,
        () if kinds.has(Kind::Error) => LevelFilter::ERROR,
        () => LevelFilter::OFF,
    };
    let if_any = |wanted: &[Kind], level: LevelFilter| if has_any(wanted) { level } else { LevelFilter::OFF };
    // What the libraries say for those who work on them is nobody's log.
    let others = level.min(LevelFilter::WARN);
    // One event can be lines of several kinds.
    let connections = if kinds == Kinds::NONE { LevelFilter::OFF } else { level.max(LevelFilter::INFO) };
    Targets::new()
        .with_default(others)
        .with_target("signet", level)
        .with_target(LINE, connections)
        .with_target(PACKET_LINES, if_any(&[Kind::Debug], LevelFilter::DEBUG))
        .with_target(SUBSCRIPTION_LINES, if_any(&[Kind::Subscribe, Kind::Unsubscribe], LevelFilter::DEBUG))
}

/// Writes them.
pub(super) struct MosquittoLayer {
    destinations: Arc<Destinations>,
    style: Arc<ArcSwap<Style>>,
}

impl MosquittoLayer {
    pub(super) fn new(destinations: Arc<Destinations>, style: Arc<ArcSwap<Style>>) -> Self {
        Self { destinations, style }
    }
}

impl<S: Subscriber> Layer<S> for MosquittoLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let fields = Collected::of(event);
        let metadata = event.metadata();
        let lines = match metadata.target().starts_with(LINE) {
            true => lines(fields.field("line").unwrap_or_default(), &fields),
            false => in_its_manner(metadata, &fields).into_iter().collect(),
        };
        let style = self.style.load();
        let MosquittoLog { kinds, timestamps, connection_messages } = &style.mosquitto;
        for line in lines {
            if kinds.has(line.kind) && (*connection_messages || !line.is_connection_message) {
                self.destinations.line(line.kind, &shortened(format!("{}{}", stamp(timestamps), line.text)));
            }
        }
    }
}

/// The time in front of a line.
pub(super) fn stamp(timestamps: &Timestamps) -> String {
    match timestamps {
        Timestamps::None => String::new(),
        Timestamps::Unix => {
            let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
            format!("{seconds}: ")
        }
        Timestamps::Format(format) => {
            // What it does not know it leaves as it is.
            let config = strtime::Config::new().lenient(true);
            let time = strtime::BrokenDownTime::from(&Zoned::now());
            format!("{}: ", time.to_string_with_config(&config, format).unwrap_or_else(|_| "Time error".to_owned()))
        }
    }
}

/// What happened to single connections and to the program has lines of Mosquitto's; the reason that the rules give is for those who look for it.
const OWN_LINES: [(&str, Level); 4] = [
    ("signet::connection", Level::INFO),
    ("signet::session", Level::INFO),
    ("signet::program", Level::INFO),
    // A refusal of one client, which its address shows.
    ("signet::refused", Level::WARN),
];

fn in_its_manner(metadata: &Metadata<'_>, fields: &Collected) -> Option<Line> {
    let has_own = |(target, level): &(&str, Level)| *target == metadata.target() && metadata.level() >= level;
    if OWN_LINES.iter().any(has_own) && (metadata.target() != "signet::refused" || fields.field("address").is_some()) {
        return None;
    }
    let kind = if metadata.target() == "signet::denied" { Kind::Debug } else { kind(*metadata.level()) };
    Some(plain(kind, fields.message(), fields.others()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> MosquittoLog {
        let kinds = names.iter().try_fold(Kinds::NONE, |kinds, name| kinds.named(name)).unwrap();
        MosquittoLog { kinds, timestamps: Timestamps::Unix, connection_messages: true }
    }

    #[test]
    fn packets_are_asked_for_only_by_those_who_log_them() {
        let cases: [(&[&str], [bool; 4]); 5] = [
            // Packets, subscriptions, connections, words of our own.
            (&["error", "warning", "notice", "information"], [false, false, true, true]),
            (&["all"], [true, true, true, true]),
            (&["debug"], [true, false, true, true]),
            (&["subscribe"], [false, true, true, false]),
            (&["none"], [false, false, false, false]),
        ];
        for (names, expected) in cases {
            let targets = targets(&named(names));
            let asked = [
                targets.would_enable(PACKET_LINES, &Level::DEBUG),
                targets.would_enable(SUBSCRIPTION_LINES, &Level::DEBUG),
                targets.would_enable("signet::line::connection", &Level::INFO),
                targets.would_enable("signet_server::accept", &Level::ERROR),
            ];
            assert_eq!(asked, expected, "{names:?}");
        }
        assert!(!targets(&named(&["all"])).would_enable("rustls::server", &Level::DEBUG), "the libraries");
    }

    #[test]
    fn times() {
        assert_eq!(stamp(&Timestamps::None), "");
        let unix = stamp(&Timestamps::Unix);
        assert!(unix.trim_end_matches(": ").parse::<u64>().is_ok() && unix.ends_with(": "), "{unix}");
        let written = stamp(&Timestamps::Format("%Y-%m-%dT%H:%M:%S %Q!".to_owned()));
        assert!(written.len() > 20 && written.get(4..5) == Some("-") && written.ends_with("!: "), "{written}");
    }
}
