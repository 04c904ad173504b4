//! The rows of the table: what each measures, and with which load.

use serde::{Deserialize, Serialize};

use super::load::{Key, Layout, Load, Messages, Mqtt, Tls, Transport, Work};

/// What is read from a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Measure {
    /// Processor time of the broker for one operation.
    Processor,
    /// Resident memory of the broker for one connection.
    Memory,
    /// The latency that half of the messages keep.
    HalfLatency,
    /// The latency that all but one of a hundred messages keep.
    TailLatency,
}

impl Measure {
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Processor | Self::HalfLatency | Self::TailLatency => "µs",
            Self::Memory => "bytes",
        }
    }

    /// What stands behind the title of a row.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Processor => "broker CPU for each",
            Self::Memory => "resident memory of the broker for each",
            Self::HalfLatency => "p50",
            Self::TailLatency => "p99",
        }
    }
}

/// One row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Row {
    /// How it is asked for.
    pub(super) name: String,
    pub(super) title: String,
    /// The picture it is drawn in: `connect`, or the name of a curve.
    pub(super) chart: String,
    /// Its place on a curve.
    pub(super) point: Option<String>,
    pub(super) load: Load,
    pub(super) measures: Vec<Measure>,
}

impl Row {
    fn new(name: &str, title: &str, chart: &str, load: Load) -> Self {
        let measures = match &load.work {
            Work::Idle { .. } => vec![Measure::Memory],
            Work::Messages(Messages { rate: Some(_), .. }) => vec![Measure::HalfLatency, Measure::TailLatency],
            Work::Connect { .. } | Work::Messages(_) => vec![Measure::Processor],
        };
        Self { name: name.into(), title: title.into(), chart: chart.into(), point: None, load, measures }
    }

    /// A point of a curve.
    pub(super) fn on(curve: &str, point: &str, load: Load) -> Self {
        let title = format!("{curve}: {point}");
        Self { point: Some(point.into()), ..Self::new(&format!("{curve}-{}", point.replace([' ', '%', ','], "")), &title, curve, load) }
    }
}

/// Messages a second of the rows about latency: what every broker that is measured has time for.
const MODERATE: u32 = 2_000;

/// All rows of the table.
pub(super) fn table() -> Vec<Row> {
    let tls = |key| Transport::Tls { version: Tls::V13, key };
    let plain = |work, transport| Load { work, transport, mqtt: Mqtt::V311 };
    let connect = |count, resumed| Work::Connect { count, resumed };
    let mut rows = vec![
        Row::new("connect-ecdsa", "Connect, ECDSA P-256", "connect", plain(connect(2_000, false), tls(Key::Ecdsa))),
        Row::new("connect-rsa", "Connect, RSA 2048 client", "connect", plain(connect(1_000, false), tls(Key::Rsa))),
        Row::new("connect-resumed", "Connect, resumed", "connect", plain(connect(4_000, true), tls(Key::Ecdsa))),
        Row::new("connect-tcp", "Connect, TCP", "connect", plain(connect(8_000, false), Transport::Tcp)),
        Row::new("idle-tls", "Idle connection, TLS", "idle", plain(Work::Idle { count: 10_000 }, tls(Key::Ecdsa))),
        Row::new("idle-tcp", "Idle connection, TCP", "idle", plain(Work::Idle { count: 10_000 }, Transport::Tcp)),
    ];
    for qos in 0..3 {
        for (name, transport) in [("tls", tls(Key::Ecdsa)), ("tcp", Transport::Tcp)] {
            for (layout, word) in [(Layout::FanIn, "fanin"), (Layout::FanOut, "fanout"), (Layout::Pairs, "pairs")] {
                let messages = Messages { qos, ..Messages::in_layout(layout) };
                let title = format!("QoS {qos} {}, {}", layout.words(), name.to_uppercase());
                let load = Load { work: Work::Messages(messages), transport, mqtt: Mqtt::V311 };
                rows.push(Row::new(&format!("{word}{qos}-{name}"), &title, &format!("qos{qos}"), load));
            }
        }
    }
    for (name, transport) in [("tls", tls(Key::Ecdsa)), ("tcp", Transport::Tcp)] {
        let messages = Messages { qos: 1, rate: Some(MODERATE), ..Messages::in_layout(Layout::Pairs) };
        let title = format!("Latency at {MODERATE}/s, QoS 1 {}, {}", Layout::Pairs.words(), name.to_uppercase());
        let load = Load { work: Work::Messages(messages), transport, mqtt: Mqtt::V311 };
        rows.push(Row::new(&format!("latency-{name}"), &title, "latency", load));
    }
    rows
}

/// Those of `rows` that are asked for: each word is a name or a part of one. A word that fits none is an error.
pub(super) fn chosen(rows: Vec<Row>, words: &[String]) -> Result<Vec<Row>, String> {
    if let Some(word) = words.iter().find(|word| !rows.iter().any(|row| row.name.contains(word.as_str()))) {
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        return Err(format!("no row is called `{word}`, expected one of {}", names.join(", ")));
    }
    // A name that is part of another is not both.
    let wanted =
        |row: &Row, word: &String| row.name == *word || (row.name.contains(word.as_str()) && !rows.iter().any(|other| other.name == *word));
    let is_chosen = |row: &&Row| words.is_empty() || words.iter().any(|word| wanted(row, word));
    Ok(rows.iter().filter(is_chosen).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_chosen_by_parts_of_their_names() {
        let names = |words: &[&str]| -> Vec<String> {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            chosen(table(), &words).unwrap().into_iter().map(|row| row.name).collect()
        };
        assert_eq!(names(&["pairs1", "idle-tls"]), ["idle-tls", "pairs1-tls", "pairs1-tcp"]);
        assert_eq!(names(&[]).len(), 26);
        assert!(chosen(table(), &["fanin7".into()]).unwrap_err().contains("`fanin7`"));
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<String> = table().into_iter().chain(super::super::curves::all()).map(|row| row.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
