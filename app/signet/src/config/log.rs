//! `[log]`: what is logged, in which form, and where it goes.

use std::path::{Path, PathBuf};

use signet_mosquitto::log::Kinds;
use tracing::Level;

use super::problem::Problems;
use super::section::{At, Section};

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogConfig {
    /// In the native formats.
    pub(crate) level: Level,
    pub(crate) format: Format,
    pub(crate) to: Vec<Destination>,
    /// In Mosquitto's format.
    pub(crate) mosquitto: Mosquitto,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
    /// As Mosquitto words it.
    Mosquitto,
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    Stdout,
    Stderr,
    /// The socket of the system's log, and the facility (RFC 5424 §6.2.1).
    Syslog(PathBuf, u8),
    /// `$SYS/broker/log/`.
    Topic,
    File(PathBuf),
}

/// What belongs to Mosquitto's format alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mosquitto {
    pub(crate) kinds: Kinds,
    pub(crate) timestamps: Timestamps,
    pub(crate) connection_messages: bool,
}

/// What stands before each line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Timestamps {
    None,
    /// Seconds since 1970.
    Unix,
    /// Local time, as `strftime` writes it.
    Format(String),
}

impl Default for LogConfig {
    fn default() -> Self {
        let mosquitto = Mosquitto { kinds: Kinds::usual(), timestamps: Timestamps::Unix, connection_messages: true };
        Self { level: Level::INFO, format: Format::Text, to: vec![Destination::Stderr], mosquitto }
    }
}

const LEVELS: [(&str, Level); 5] =
    [("error", Level::ERROR), ("warn", Level::WARN), ("info", Level::INFO), ("debug", Level::DEBUG), ("trace", Level::TRACE)];

const FORMATS: [(&str, Format); 3] = [("text", Format::Text), ("json", Format::Json), ("mosquitto", Format::Mosquitto)];

const FACILITIES: [(&str, u8); 9] = [
    ("daemon", 3),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// Facility `daemon`.
const DAEMON: u8 = 3;

impl LogConfig {
    /// Reads the section; paths are looked up from `base`.
    pub(super) fn read(section: Section<'_>, base: &Path, problems: &Problems) -> Self {
        let usual = Self::default();
        let level = section.choice("level", &LEVELS).map_or(usual.level, |at| at.value);
        let format = section.choice("format", &FORMATS).map_or(usual.format, |at| at.value);
        let facility = section.choice("syslog_facility", &FACILITIES).map_or(DAEMON, |at| at.value);
        let socket = section.string("syslog_socket").map_or_else(|| PathBuf::from("/dev/log"), |at| base.join(at.value));
        let to = section.strings("to").map_or(usual.to, |written| destinations(&written.value, base, (&socket, facility), problems));
        let mosquitto = Mosquitto::read(&section, format, problems);
        section.finish();
        Self { level, format, to, mosquitto }
    }
}

impl Mosquitto {
    fn read(section: &Section<'_>, format: Format, problems: &Problems) -> Self {
        let usual = LogConfig::default().mosquitto;
        let types = section.strings("types");
        let timestamps = section.string("timestamps");
        let connection_messages = section.boolean("connection_messages");
        if format != Format::Mosquitto {
            let hint = "it belongs to `format = \"mosquitto\"`; with the other formats `level` says what is logged";
            let misplaced = |is_written: bool, key, span: Option<&std::ops::Range<usize>>| {
                if let Some(span) = span.filter(|_| is_written) {
                    problems.at(span, format!("`{key}` has no meaning with this `format`"), Some(hint.to_owned()));
                }
            };
            misplaced(types.is_some(), "types", types.as_ref().map(|at| &at.span));
            misplaced(timestamps.is_some(), "timestamps", timestamps.as_ref().map(|at| &at.span));
            misplaced(connection_messages.is_some(), "connection_messages", connection_messages.as_ref().map(|at| &at.span));
        }
        Self {
            kinds: types.map_or(usual.kinds, |written| kinds(&written.value, problems)),
            timestamps: timestamps.map_or(usual.timestamps, |written| match written.value.as_str() {
                "unix" => Timestamps::Unix,
                "none" => Timestamps::None,
                _ => Timestamps::Format(written.value),
            }),
            connection_messages: connection_messages.is_none_or(|at| at.value),
        }
    }
}

/// The kinds of lines that are named.
fn kinds(written: &[At<String>], problems: &Problems) -> Kinds {
    written.iter().fold(Kinds::NONE, |kinds, name| match kinds.named(&name.value) {
        Some(kinds) => kinds,
        None => {
            let hint = "write \"error\", \"warning\", \"notice\", \"information\", \"subscribe\", \"unsubscribe\", \"websockets\", \"internal\", \
                        \"debug\", \"all\" or \"none\"";
            problems.at(&name.span, format!("`{}` is no type of log line", name.value), Some(hint.to_owned()));
            kinds
        }
    })
}

/// Where it goes: each once, and `none` takes away what was named before.
fn destinations(written: &[At<String>], base: &Path, (socket, facility): (&Path, u8), problems: &Problems) -> Vec<Destination> {
    let mut to: Vec<Destination> = Vec::new();
    for name in written {
        let destination = match name.value.as_str() {
            "none" => {
                to.clear();
                continue;
            }
            "stdout" => Destination::Stdout,
            "stderr" => Destination::Stderr,
            "syslog" => Destination::Syslog(socket.to_owned(), facility),
            "topic" => Destination::Topic,
            other => match other.strip_prefix("file:").filter(|path| !path.is_empty()) {
                Some(path) => Destination::File(base.join(path)),
                None => {
                    let hint = "write \"stdout\", \"stderr\", \"syslog\", \"topic\", \"none\" or \"file:PATH\"";
                    problems.at(&name.span, format!("`{other}` is no place for log lines"), Some(hint.to_owned()));
                    continue;
                }
            },
        };
        if !to.contains(&destination) {
            to.push(destination);
        }
    }
    to
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    fn read(text: &str) -> (LogConfig, Vec<String>) {
        let problems = Problems::new(Path::new("signet.toml"), text);
        let table = DeTable::parse(text).unwrap();
        let section = Section::new("[log]", table.get_ref(), 0..text.len(), &problems);
        let config = LogConfig::read(section, Path::new("/etc/signet"), &problems);
        (config, problems.into_sorted().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn nothing_written_is_text_on_stderr() {
        assert_eq!(read(""), (LogConfig::default(), Vec::new()));
    }

    #[test]
    fn destinations_in_their_order_each_once() {
        let file = |path: &str| Destination::File(PathBuf::from(path));
        let cases = [
            ("to = [\"stdout\", \"stderr\", \"stdout\"]", vec![Destination::Stdout, Destination::Stderr]),
            ("to = [\"stderr\", \"none\", \"topic\"]", vec![Destination::Topic]),
            ("to = [\"none\"]", vec![]),
            ("to = [\"file:m.log\", \"file:/var/log/m.log\"]", vec![file("/etc/signet/m.log"), file("/var/log/m.log")]),
            ("to = [\"syslog\"]", vec![Destination::Syslog("/dev/log".into(), 3)]),
            (
                "to = [\"syslog\"]\nsyslog_facility = \"local7\"\nsyslog_socket = \"log\"",
                vec![Destination::Syslog("/etc/signet/log".into(), 23)],
            ),
        ];
        for (text, expected) in cases {
            let (config, problems) = read(text);
            assert_eq!((config.to, problems), (expected, Vec::new()), "{text}");
        }
    }

    #[test]
    fn what_belongs_to_mosquittos_format() {
        let text = "format = \"mosquitto\"\ntypes = [\"error\", \"debug\"]\ntimestamps = \"%F %T\"\nconnection_messages = false";
        let (config, problems) = read(text);
        assert_eq!(problems, Vec::<String>::new());
        let kinds = Kinds::NONE.named("error").and_then(|kinds| kinds.named("debug")).unwrap();
        let expected = Mosquitto { kinds, timestamps: Timestamps::Format("%F %T".to_owned()), connection_messages: false };
        assert_eq!((config.format, config.mosquitto), (Format::Mosquitto, expected));
        assert_eq!(read("format = \"mosquitto\"\ntimestamps = \"none\"").0.mosquitto.timestamps, Timestamps::None);
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            ("format = \"mosquitto\"\ntypes = [\"loud\"]", "`loud` is no type of log line"),
            ("to = [\"printer\"]", "`printer` is no place for log lines"),
            ("to = [\"file:\"]", "`file:` is no place for log lines"),
            ("types = [\"all\"]", "`types` has no meaning with this `format`"),
            ("timestamps = \"none\"", "`timestamps` has no meaning with this `format`"),
            ("connection_messages = false", "`connection_messages` has no meaning with this `format`"),
            ("syslog_facility = \"kern\"", "`kern` is not a value of `syslog_facility`"),
        ];
        for (text, expected) in cases {
            let (_, problems) = read(text);
            assert!(matches!(problems.as_slice(), [problem] if problem.contains(expected)), "{text}: {problems:?}");
        }
    }
}
