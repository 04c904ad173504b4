//! Reads what stands behind an option.

use super::lines::{Rest, lenient, number, shown, text, trimmed};
use super::model::{Address, Backoff, BridgeTopic, Direction};
use super::options::{Bounds, Kind, Outside, Words};

/// What stands behind an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// True or false.
    Switch(bool),
    /// A whole number.
    Number(i64),
    /// Several whole numbers.
    Numbers(Vec<i64>),
    /// A text, path or word.
    Text(String),
    /// Several words.
    Texts(Vec<String>),
    /// How long to wait between attempts to connect.
    Backoff(Backoff),
    /// Ways to another broker.
    Addresses(Vec<Address>),
    /// What a bridge carries.
    Topic(BridgeTopic),
}

/// A value, and what has to be said about it.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) value: Value,
    pub(super) notice: Option<String>,
}

/// What is wrong with a value.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn empty(called: &str) -> Self {
        Self::new(format!("Error: Empty '{called}' value in configuration."))
    }
}

impl From<Value> for Taken {
    fn from(value: Value) -> Self {
        Self { value, notice: None }
    }
}

/// Reads the value of an option that messages call `called`.
pub(super) fn take(kind: &Kind, called: &str, rest: &mut Rest<'_>) -> Result<Taken, Fault> {
    match kind {
        Kind::Switch => switch(called, rest).map(|value| Value::Switch(value).into()),
        Kind::Number(bounds) => {
            let value = whole(called, rest)?;
            let (value, notice) = bounded(bounds, value)?;
            Ok(Taken { value: Value::Number(value), notice })
        }
        Kind::Memory => memory(called, rest),
        Kind::Text(_) | Kind::Path(_) => line(called, rest).map(|text| Value::Text(text).into()),
        Kind::Prefix(_, most) => prefix(called, *most, rest),
        Kind::Words(words) => word(called, words, rest).map(|word| Value::Text(word).into()),
        Kind::Topic => topic(called, rest),
        Kind::Period => period(called, rest),
        Kind::Versions => versions(called, rest),
        Kind::Destination => destination(called, rest),
        Kind::Probes => probes(rest),
        Kind::Backoff => backoff(called, rest),
        Kind::Addresses => addresses(rest),
        Kind::BridgeTopic => bridge_topic(called, rest).map(|topic| Value::Topic(topic).into()),
        Kind::Anything | Kind::Structure(_) => Ok(Value::Text(rest.all().map(shown).unwrap_or_default()).into()),
    }
}

pub(super) fn switch(called: &str, rest: &mut Rest<'_>) -> Result<bool, Fault> {
    match rest.word().ok_or_else(|| Fault::empty(called))? {
        b"false" | b"0" => Ok(false),
        b"true" | b"1" => Ok(true),
        other => Err(Fault::new(format!("Error: Invalid '{called}' value ({}).", shown(other))).hint("write true or false")),
    }
}

/// A whole number that fits into an `int`.
pub(super) fn whole(called: &str, rest: &mut Rest<'_>) -> Result<i64, Fault> {
    let word = rest.word().ok_or_else(|| Fault::empty(called))?;
    let value = number(word).ok_or_else(|| Fault::new(format!("Error: '{called}' value not a number.")))?;
    if i32::try_from(value).is_err() {
        return Err(Fault::new(format!("Error: '{called}' value out of range.")));
    }
    Ok(value)
}

/// The rest of the line as a text.
pub(super) fn line(called: &str, rest: &Rest<'_>) -> Result<String, Fault> {
    let value = trimmed(rest.all().ok_or_else(|| Fault::empty(called))?);
    if value.is_empty() {
        return Err(Fault::empty(called));
    }
    if value.len() > usize::from(u16::MAX) {
        return Err(Fault::new(format!("Error: '{called}' value is longer than 65535 bytes.")));
    }
    text(value).map(str::to_owned).ok_or_else(|| Fault::new("Error: Malformed UTF-8 in configuration."))
}

fn bounded(bounds: &Bounds, value: i64) -> Result<(i64, Option<String>), Fault> {
    let outside = match value {
        _ if value < bounds.least => bounds.below,
        _ if value > bounds.most => bounds.above,
        _ => return Ok((value, None)),
    };
    match outside {
        Outside::Refused(message) => Err(Fault::new(message.replace("{}", &value.to_string()))),
        Outside::Becomes(other) => Ok((other, None)),
        Outside::Said(other, notice) => Ok((other, Some(notice.to_owned()))),
    }
}

fn memory(called: &str, rest: &mut Rest<'_>) -> Result<Taken, Fault> {
    let value = lenient(rest.word().ok_or_else(|| Fault::empty(called))?);
    if value < 0 {
        return Err(Fault::new(format!("Error: Invalid '{called}' value ({value}).")));
    }
    Ok(Value::Number(value).into())
}

fn prefix(called: &str, most: usize, rest: &Rest<'_>) -> Result<Taken, Fault> {
    let prefix = line(called, rest)?;
    if prefix.len() > most {
        return Err(Fault::new(format!("Error: {called} length must be <= {most}.")));
    }
    Ok(Value::Text(prefix).into())
}

fn word(called: &str, words: &Words, rest: &mut Rest<'_>) -> Result<String, Fault> {
    let written = if words.is_whole_line { rest.all() } else { rest.word() };
    let written = shown(written.ok_or_else(|| Fault::empty(called))?);
    if words.known.contains(&written.as_str()) {
        return Ok(written);
    }
    if called == "start_type" && written == "manual" {
        return Err(Fault::new("Error: Manual start_type not supported."));
    }
    Err(Fault::new(words.message.replace("{}", &written)).hint(format!("it can be {}", words.known.join(", "))))
}

fn topic(called: &str, rest: &Rest<'_>) -> Result<Taken, Fault> {
    let topic = line(called, rest)?;
    if topic.contains(['+', '#']) {
        let message = format!("Error: Invalid '{called}' value ({topic}). Does it contain a wildcard character?");
        return Err(Fault::new(message));
    }
    Ok(Value::Text(topic).into())
}

/// Seconds.
fn period(called: &str, rest: &mut Rest<'_>) -> Result<Taken, Fault> {
    let word = rest.word().ok_or_else(|| Fault::empty(called))?;
    let wrong = || {
        let hint = "write a number and a unit: 2m is 60 days, 14d are 14 days, 1y is 365 days; s, h, w are known too";
        Fault::new(format!("Error: Invalid '{called}' duration in configuration.")).hint(hint)
    };
    let (unit, digits) = word.split_last().ok_or_else(wrong)?;
    let day = 86_400;
    let seconds = match unit {
        b's' => 1,
        b'h' => 3600,
        b'd' => day,
        b'w' => 7 * day,
        b'm' => 30 * day,
        b'y' => 365 * day,
        _ => return Err(wrong()),
    };
    match lenient(digits).saturating_mul(seconds) {
        positive @ 1.. => Ok(Value::Number(positive).into()),
        _ => Err(wrong()),
    }
}

/// Words that are no versions are passed over, as in Mosquitto.
fn versions(called: &str, rest: &mut Rest<'_>) -> Result<Taken, Fault> {
    let mut words = Vec::new();
    while let Some(word) = rest.word_between(b", \t") {
        words.push(shown(word));
    }
    if words.is_empty() {
        return Err(Fault::empty(called));
    }
    let unknown: Vec<&str> = words.iter().map(String::as_str).filter(|word| !["3", "4", "5"].contains(word)).collect();
    let notice = (!unknown.is_empty()).then(|| format!("`{}` is no version; 3, 4 and 5 are", unknown.join("`, `")));
    words.retain(|word| ["3", "4", "5"].contains(&word.as_str()));
    Ok(Taken { value: Value::Texts(words), notice })
}

/// A file is written as `file:PATH`.
fn destination(called: &str, rest: &mut Rest<'_>) -> Result<Taken, Fault> {
    let word = rest.word().ok_or_else(|| Fault::empty(called))?;
    match word {
        b"none" | b"syslog" | b"stdout" | b"stderr" | b"topic" => Ok(Value::Text(shown(word)).into()),
        b"dlt" => Ok(Taken {
            value: Value::Text(shown(word)),
            notice: Some("there is no log for DLT here; write syslog, stderr or a file".to_owned()),
        }),
        b"file" => {
            let path = trimmed(rest.all().unwrap_or_default());
            if path.is_empty() {
                return Err(Fault::new("Error: Empty \"log_dest file\" value in configuration."));
            }
            let path = text(path).ok_or_else(|| Fault::new("Error: Malformed UTF-8 in configuration."))?;
            Ok(Value::Text(format!("file:{path}")).into())
        }
        other => Err(Fault::new(format!("Error: Invalid '{called}' value ({}).", shown(other)))
            .hint("it can be none, stdout, stderr, syslog, topic, or file and a path")),
    }
}

fn probes(rest: &mut Rest<'_>) -> Result<Taken, Fault> {
    let mut numbers = Vec::new();
    for part in ["idle", "interval", "counter"] {
        let value = whole(&format!("bridge_tcp_keepalive_{part}"), rest)?;
        if value <= 0 {
            return Err(Fault::new(format!("Error: invalid TCP keepalive {part} value.")));
        }
        numbers.push(value);
    }
    Ok(Value::Numbers(numbers).into())
}

fn backoff(called: &str, rest: &mut Rest<'_>) -> Result<Taken, Fault> {
    let mut notice = None;
    let base = match lenient(rest.word().ok_or_else(|| Fault::empty(called))?) {
        ..1 => {
            notice = Some("restart_timeout interval too low, using 1 second.".to_owned());
            1
        }
        3601.. => {
            notice = Some("restart_timeout interval too high, using 3600 seconds.".to_owned());
            3600
        }
        seconds => seconds,
    };
    let mut backoff = Backoff { seconds: narrow(base), most_seconds: None, stable_seconds: 0 };
    if let Some(word) = rest.word() {
        let mut most = lenient(word);
        if most < base {
            return Err(Fault::new("Error: backoff cap is lower than the base in restart_timeout."));
        }
        if most > 7200 {
            notice = Some("backoff cap too high, using 7200 seconds.".to_owned());
            most = 7200;
        }
        backoff.most_seconds = Some(narrow(most));
    }
    if let Some(stable) = rest.word().map(lenient) {
        if stable < 0 {
            return Err(Fault::new("Error: stable connection period cannot be negative."));
        }
        backoff.stable_seconds = narrow(stable);
    }
    Ok(Taken { value: Value::Backoff(backoff), notice })
}

fn narrow(seconds: i64) -> u32 {
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// `HOST[:PORT]` up to a word that begins with `#`. The port is behind the last colon: an IPv6 address needs one.
fn addresses(rest: &mut Rest<'_>) -> Result<Taken, Fault> {
    let mut addresses = Vec::new();
    while let Some(word) = rest.word().filter(|word| !word.starts_with(b"#")) {
        let word = text(word).ok_or_else(|| Fault::new("Error: Malformed UTF-8 in configuration."))?;
        let address = match word.rsplit_once(':') {
            None => Address { host: word.to_owned(), port: 1883 },
            Some((host, port)) => {
                let port = lenient(port.as_bytes());
                let valid = u16::try_from(port).ok().filter(|port| *port > 0);
                let port = valid.ok_or_else(|| Fault::new(format!("Error: Invalid bridge port value ({port}).")))?;
                Address { host: host.to_owned(), port }
            }
        };
        addresses.push(address);
    }
    if addresses.is_empty() {
        return Err(Fault::new("Error: Empty address value in configuration."));
    }
    Ok(Value::Addresses(addresses).into())
}

/// A word that is `""` or begins with `#` stands for no prefix, and behind `#` nothing counts.
fn bridge_topic(called: &str, rest: &mut Rest<'_>) -> Result<BridgeTopic, Fault> {
    let pattern = quoted(called, rest)?;
    let mut topic =
        BridgeTopic { filter: pattern, direction: Direction::Out, qos: 0, local_prefix: String::new(), remote_prefix: String::new() };
    if let Some(word) = rest.word() {
        topic.direction = match word.to_ascii_lowercase().as_slice() {
            b"out" => Direction::Out,
            b"in" => Direction::In,
            b"both" => Direction::Both,
            _ => return Err(Fault::new(format!("Error: Invalid bridge topic direction '{}'.", shown(word)))),
        };
        if let Some(word) = rest.word().filter(|word| !word.starts_with(b"#")) {
            topic.qos = u8::try_from(lenient(word))
                .ok()
                .filter(|qos| *qos <= 2)
                .ok_or_else(|| Fault::new(format!("Error: Invalid bridge QoS level '{}'.", shown(word))))?;
            let mut prefix = |side: &str| match rest.word().filter(|word| !word.starts_with(b"#")) {
                None => Ok(None),
                Some(b"\"\"") => Ok(Some(String::new())),
                Some(word) => {
                    let valid = text(word).filter(|prefix| !prefix.contains(['+', '#']));
                    let wrong = || Fault::new(format!("Error: Invalid bridge topic {side} prefix '{}'.", shown(word)));
                    valid.map(|prefix| Some(prefix.to_owned())).ok_or_else(wrong)
                }
            };
            if let Some(local) = prefix("local")? {
                topic.local_prefix = local;
                topic.remote_prefix = prefix("remote")?.unwrap_or_default();
            }
        }
    }
    if topic.filter.is_empty() && (topic.local_prefix.is_empty() || topic.remote_prefix.is_empty()) {
        return Err(Fault::new("Error: Invalid bridge remapping.").hint("with \"\" as the topic both prefixes are the whole topic"));
    }
    for (side, prefix) in [("local", &topic.local_prefix), ("remote", &topic.remote_prefix)] {
        let whole = format!("{prefix}{}", topic.filter);
        if !is_filter(&whole) {
            return Err(Fault::new(format!("Error: Invalid bridge topic {side} prefix and pattern combination '{whole}'.")));
        }
    }
    Ok(topic)
}

/// A pattern that may stand in quotes, because there are spaces in it. `""` is the empty one.
fn quoted(called: &str, rest: &mut Rest<'_>) -> Result<String, Fault> {
    let first = rest.word().ok_or_else(|| Fault::empty(called))?;
    let malformed = || Fault::new("Error: Malformed UTF-8 in configuration.");
    match first {
        b"\"\"" => Ok(String::new()),
        [b'"', word @ ..] if word.last() == Some(&b'"') => {
            text(word.get(..word.len() - 1).unwrap_or_default()).map(str::to_owned).ok_or_else(malformed)
        }
        [b'"', beginning @ ..] => {
            if !rest.holds(b'"') {
                let message = format!("Error: Missing closing quote in topic value ({}).", shown(rest.all().unwrap_or_default()));
                return Err(Fault::new(message));
            }
            let end = rest.word_between(b"\"").unwrap_or_default();
            text(&[beginning, b" ", end].concat()).map(str::to_owned).ok_or_else(malformed)
        }
        word => text(word).map(str::to_owned).ok_or_else(malformed),
    }
}

/// Whether a text is a Topic Filter (§4.7.1).
fn is_filter(text: &str) -> bool {
    let mut levels = text.split('/').peekable();
    while let Some(level) = levels.next() {
        let is_last = levels.peek().is_none();
        let fits = match level {
            "+" => true,
            "#" => is_last,
            other => !other.contains(['+', '#']),
        };
        if !fits {
            return false;
        }
    }
    !text.is_empty() && text.len() <= usize::from(u16::MAX)
}
