//! What was measured, as `results.json` keeps it: every single run, so that everything else can be computed once more.

use serde::{Deserialize, Serialize};

use super::rows::{Measure, Row};
use super::statistics::{self, Spread};

/// A whole comparison.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) machine: String,
    /// The command that was given.
    pub(super) command: String,
    /// Loads were so small that the figures mean nothing.
    pub(super) is_quick: bool,
    /// Whom the others are compared with.
    pub(super) base: String,
    pub(super) peers: Vec<PeerFacts>,
    pub(super) rows: Vec<RowResults>,
    /// Set when the time was over before everything was measured.
    pub(super) left_out: Option<String>,
}

/// A broker of the comparison.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PeerFacts {
    pub(super) name: String,
    /// What it says of itself, or why it could not be measured.
    pub(super) version: Result<String, String>,
    /// How it was set up.
    pub(super) setup: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RowResults {
    pub(super) row: Row,
    pub(super) runs: Vec<Run>,
}

/// One broker under one load, once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) peer: String,
    /// From 1.
    pub(super) round: u32,
    pub(super) reading: Reading,
}

/// What `signet bench` read in one run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Reading {
    pub(super) valid: bool,
    /// Why it is not.
    pub(super) reasons: Vec<String>,
    pub(super) processor_microseconds: Option<f64>,
    pub(super) bytes: Option<f64>,
    pub(super) p50_microseconds: Option<f64>,
    pub(super) p99_microseconds: Option<f64>,
    /// Operations a second.
    pub(super) per_second: Option<f64>,
    /// Connections that were resumed.
    pub(super) resumed: Option<u64>,
    /// Cores that the broker used, the load, and everybody else.
    pub(super) broker_cores: Option<f64>,
    pub(super) load_cores: Option<f64>,
    pub(super) noise_cores: Option<f64>,
    /// What the handshake agreed on.
    pub(super) tls: Option<String>,
}

impl Reading {
    /// One that says only why there is none.
    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        Self { reasons: vec![reason.into()], ..Self::default() }
    }

    /// None where it is not valid, or too little to tell.
    pub(super) fn value(&self, measure: Measure) -> Option<f64> {
        let value = match measure {
            Measure::Processor => self.processor_microseconds,
            Measure::Memory => self.bytes,
            Measure::HalfLatency => self.p50_microseconds,
            Measure::TailLatency => self.p99_microseconds,
        };
        // Nothing at all is what the system tells of less than it counts.
        value.filter(|value| self.valid && *value > 0.0)
    }
}

impl RowResults {
    /// The valid values of a broker, with their rounds.
    pub(super) fn values(&self, peer: &str, measure: Measure) -> Vec<(u32, f64)> {
        let of_peer = self.runs.iter().filter(|run| run.peer == peer);
        of_peer.filter_map(|run| Some((run.round, run.reading.value(measure)?))).collect()
    }

    /// Their middle and how far they spread.
    pub(super) fn spread(&self, peer: &str, measure: Measure) -> Option<Spread> {
        Spread::of(self.values(peer, measure).into_iter().map(|(_, value)| value))
    }

    /// How many times the value of `base` that of `peer` is, round by round.
    pub(super) fn ratio(&self, peer: &str, base: &str, measure: Measure) -> Option<Spread> {
        Spread::of(statistics::ratios(&self.values(peer, measure), &self.values(base, measure)))
    }

    /// Runs of a broker that count, and all of them.
    pub(super) fn counted(&self, peer: &str) -> (usize, usize) {
        let of_peer = || self.runs.iter().filter(|run| run.peer == peer);
        (of_peer().filter(|run| run.reading.valid).count(), of_peer().count())
    }
}

impl Results {
    pub(super) fn row(&self, name: &str) -> Option<&RowResults> {
        self.rows.iter().find(|results| results.row.name == name)
    }

    /// Names of the brokers that were measured, in order.
    pub(super) fn measured(&self) -> Vec<&str> {
        self.peers.iter().filter(|peer| peer.version.is_ok()).map(|peer| peer.name.as_str()).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::rows;
    use super::*;

    /// Results of the row `name` alone: brokers with their values of rounds 1, 2, …; a value below zero stands for a run that is not valid.
    pub(in crate::compare) fn results(name: &str, brokers: &[(&str, &[f64])]) -> Results {
        let row = rows::table().into_iter().find(|row| row.name == name).unwrap();
        let mut runs = Vec::new();
        for (peer, values) in brokers {
            for (round, value) in (1..).zip(*values) {
                let reading = Reading {
                    valid: *value >= 0.0,
                    processor_microseconds: Some(*value),
                    bytes: Some(*value),
                    p50_microseconds: Some(*value),
                    p99_microseconds: Some(*value),
                    noise_cores: Some(0.1),
                    reasons: if *value < 0.0 { vec!["lost 3 messages".into()] } else { Vec::new() },
                    ..Reading::default()
                };
                runs.push(Run { peer: (*peer).into(), round, reading });
            }
        }
        let peer = |(name, _): &(&str, &[f64])| PeerFacts { name: (*name).into(), version: Ok("1".into()), setup: "as it is".into() };
        Results {
            machine: "a machine".into(),
            command: "signet-bench compare".into(),
            is_quick: false,
            base: "mosquitto".into(),
            peers: brokers.iter().map(peer).collect(),
            rows: vec![RowResults { row, runs }],
            left_out: None,
        }
    }

    #[test]
    fn a_run_that_is_not_valid_counts_for_nothing() {
        let results = results("fanin0-tls", &[("mosquitto", &[10.0, 20.0, -1.0]), ("signet", &[1.0, -1.0, 3.0])]);
        let row = results.row("fanin0-tls").unwrap();
        assert_eq!(row.spread("mosquitto", Measure::Processor).unwrap().median, 15.0);
        assert_eq!(row.ratio("signet", "mosquitto", Measure::Processor).unwrap(), Spread { median: 0.1, least: 0.1, most: 0.1 });
        assert_eq!(row.counted("signet"), (2, 3));
        assert_eq!(row.spread("floor", Measure::Processor), None);
    }

    #[test]
    fn results_survive_their_file() {
        let results = results("idle-tls", &[("signet", &[9_000.0])]);
        let text = serde_json::to_string(&results).unwrap();
        let read: Results = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
