//! Prometheus text exposition format 0.0.4, and the reference page made of the same table.

use std::fmt::Write as _;

use crate::load::number;
use crate::metrics::{Definition, FAMILIES, Kind, Sample, Value};
use crate::snapshot::Snapshot;
use crate::sys_tree::sys_topics;

/// The whole snapshot as a scraper reads it; content type `text/plain; version=0.0.4`.
#[must_use]
pub fn exposition(snapshot: &Snapshot) -> String {
    let mut text = String::with_capacity(8 * 1024);
    for Definition { name, kind, help, samples } in FAMILIES {
        let samples = samples(snapshot);
        if samples.is_empty() {
            continue;
        }
        // Writing to a string does not fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {}", kind.name());
        for sample in samples {
            write_sample(&mut text, name, &sample);
        }
    }
    text
}

/// The same as names and values, for programs that read no exposition. A name holds its labels as they would stand there.
#[must_use]
pub fn numbers(snapshot: &Snapshot) -> Vec<(String, f64)> {
    let family = |definition: &Definition| {
        let samples = (definition.samples)(snapshot).into_iter();
        samples.map(|sample| (series(definition.name, &sample), sample.value.as_f64())).collect::<Vec<_>>()
    };
    FAMILIES.iter().flat_map(family).collect()
}

fn write_sample(text: &mut String, name: &str, sample: &Sample) {
    text.push_str(&series(name, sample));
    let _ = match sample.value {
        Value::Count(count) => writeln!(text, " {count}"),
        Value::Time(seconds) => writeln!(text, " {seconds}"),
        Value::Milliseconds(milliseconds) => writeln!(text, " {}.{:03}", milliseconds / 1000, milliseconds % 1000),
    };
}

fn series(name: &str, sample: &Sample) -> String {
    let mut text = name.to_owned();
    for (index, (label, value)) in sample.labels.iter().enumerate() {
        text.push(if index == 0 { '{' } else { ',' });
        let _ = write!(text, "{label}=\"{}\"", escaped(value));
    }
    if !sample.labels.is_empty() {
        text.push('}');
    }
    text
}

impl Value {
    /// In the unit of the metric's name; exact up to 2^53.
    fn as_f64(self) -> f64 {
        match self {
            Self::Count(count) => number(count),
            Self::Time(seconds) if seconds < 0 => -number(seconds.unsigned_abs()),
            Self::Time(seconds) => number(seconds.unsigned_abs()),
            Self::Milliseconds(milliseconds) => number(milliseconds) / 1000.0,
        }
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The page `docs/reference/metrics.md`.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from(HEAD);
    for Definition { name, kind, help, .. } in FAMILIES {
        let _ = writeln!(text, "| `{name}` | {} | {help} |", kind.name());
    }
    text.push_str(SYS_HEAD);
    for (topic, meaning) in sys_topics() {
        let _ = writeln!(text, "| `{topic}` | {meaning} |");
    }
    text
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

const HEAD: &str = "# Metrics reference

Made by `cargo run -p signet-telemetry --example reference`; a test compares. How to switch them on: [monitoring](../guide/monitoring.md).

## Prometheus, `/metrics`

Counters begin at zero with the process. Octets are those of MQTT packets, without TLS and WebSocket framing.

| Name | Type | Meaning |
|---|---|---|
";

const SYS_HEAD: &str = "
## The `$SYS` tree

Published with QoS 2 and RETAIN when the value changed, at most every `sys_interval`. The names down to `load` are Mosquitto's and mean the same.

| Topic | Payload |
|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut text = String::new();
        let labels = vec![("a", "x\\y".to_owned()), ("b", "\"\n".to_owned())];
        write_sample(&mut text, "n", &Sample { labels, value: Value::Milliseconds(1_005) });
        assert_eq!(text, "n{a=\"x\\\\y\",b=\"\\\"\\n\"} 1.005\n");
    }
}
