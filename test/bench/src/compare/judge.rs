//! What Signet must reach, and whether it has.

use super::results::Results;
use super::rows::Measure;
use super::statistics::{Spread, number};

/// Whose targets these are.
const SUBJECT: &str = "signet";

/// What a value is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Goal {
    /// So much and no more, in the unit of the row.
    AtMost(f64),
    /// So many times the cost of another broker.
    Times(&'static str, f64),
    /// Not above the least of the other brokers; the floor is none.
    Best,
}

struct Target {
    row: &'static str,
    measure: Measure,
    goal: Goal,
}

const fn target(row: &'static str, measure: Measure, goal: Goal) -> Target {
    Target { row, measure, goal }
}

const TARGETS: [Target; 18] = [
    target("connect-ecdsa", Measure::Processor, Goal::Times("floor", 1.2)),
    target("connect-resumed", Measure::Processor, Goal::Times("floor", 1.3)),
    target("idle-tls", Measure::Memory, Goal::AtMost(9_000.0)),
    target("idle-tcp", Measure::Memory, Goal::AtMost(2_500.0)),
    target("fanin0-tls", Measure::Processor, Goal::Times("mosquitto", 0.13)),
    target("fanin0-tls", Measure::Processor, Goal::Times("flashmq", 0.8)),
    target("fanout0-tls", Measure::Processor, Goal::Times("mosquitto", 0.12)),
    target("fanout0-tls", Measure::Processor, Goal::Times("flashmq", 0.8)),
    target("pairs1-tls", Measure::Processor, Goal::Times("mosquitto", 0.12)),
    target("pairs1-tls", Measure::Processor, Goal::Times("flashmq", 0.8)),
    target("pairs2-tls", Measure::Processor, Goal::Times("mosquitto", 0.11)),
    target("pairs2-tls", Measure::Processor, Goal::Times("flashmq", 0.8)),
    target("fanin0-tcp", Measure::Processor, Goal::Times("flashmq", 0.8)),
    target("fanout0-tcp", Measure::Processor, Goal::Times("flashmq", 0.8)),
    target("pairs1-tcp", Measure::Processor, Goal::Times("flashmq", 0.8)),
    target("pairs2-tcp", Measure::Processor, Goal::Times("flashmq", 0.8)),
    target("latency-tls", Measure::TailLatency, Goal::Best),
    target("latency-tcp", Measure::TailLatency, Goal::Best),
];

/// One target with what was found.
#[derive(Debug, PartialEq)]
pub(super) struct Judgement {
    pub(super) what: String,
    pub(super) goal: String,
    /// None when it could not be measured.
    pub(super) found: Option<Spread>,
    limit: f64,
}

impl Judgement {
    /// The word behind the figures. The middle of the rounds decides; that not all of them agree is said.
    pub(super) fn verdict(&self) -> &'static str {
        match self.found {
            None => "not measured",
            Some(found) if found.most <= self.limit => "reached",
            Some(found) if found.median <= self.limit => "reached, not in every round",
            Some(found) if found.least <= self.limit => "missed, not in every round",
            Some(_) => "missed",
        }
    }
}

/// All targets whose row was measured.
pub(super) fn judge(results: &Results) -> Vec<Judgement> {
    TARGETS.iter().filter_map(|target| judged(results, target)).collect()
}

fn judged(results: &Results, target: &Target) -> Option<Judgement> {
    let row = results.row(target.row)?;
    let (goal, found, limit) = match target.goal {
        Goal::AtMost(limit) => (format!("≤ {} {}", number(limit), target.measure.unit()), row.spread(SUBJECT, target.measure), limit),
        Goal::Times(base, limit) => (format!("≤ {limit} × {base}"), row.ratio(SUBJECT, base, target.measure), limit),
        Goal::Best => {
            let others = results.measured().into_iter().filter(|peer| *peer != "floor" && !peer.starts_with(SUBJECT));
            let medians = others.filter_map(|peer| Some((peer, row.spread(peer, target.measure)?.median)));
            let best = medians.min_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(peer, _)| peer);
            let name = best.unwrap_or("the best peer");
            (format!("≤ 1 × {name}"), best.and_then(|best| row.ratio(SUBJECT, best, target.measure)), 1.0)
        }
    };
    Some(Judgement { what: format!("{}, {}", row.row.title, target.measure.words()), goal, found, limit })
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::results;
    use super::*;

    fn verdicts(row: &str, brokers: &[(&str, &[f64])]) -> Vec<(String, &'static str)> {
        judge(&results(row, brokers)).iter().map(|judgement| (judgement.goal.clone(), judgement.verdict())).collect()
    }

    #[test]
    fn ratios_are_judged_by_their_middle() {
        let floor: (&str, &[f64]) = ("floor", &[100.0, 100.0, 100.0]);
        for (ours, verdict) in [
            ([110.0, 119.0, 115.0], "reached"),
            ([110.0, 119.0, 125.0], "reached, not in every round"),
            ([110.0, 121.0, 125.0], "missed, not in every round"),
            ([130.0, 121.0, 125.0], "missed"),
        ] {
            assert_eq!(verdicts("connect-ecdsa", &[floor, ("signet", &ours)]), [("≤ 1.2 × floor".to_owned(), verdict)]);
        }
        assert_eq!(verdicts("connect-ecdsa", &[("signet", &[1.0])])[0].1, "not measured");
        assert_eq!(verdicts("connect-ecdsa", &[floor, ("signet", &[-1.0])])[0].1, "not measured");
    }

    #[test]
    fn memory_has_a_limit_of_its_own() {
        assert_eq!(verdicts("idle-tls", &[("signet", &[8_975.0])]), [("≤ 9000 bytes".to_owned(), "reached")]);
        assert_eq!(verdicts("idle-tcp", &[("signet", &[2_501.0])])[0].1, "missed");
    }

    #[test]
    fn latency_is_held_against_the_best() {
        let found = verdicts("latency-tls", &[("floor", &[1.0]), ("mosquitto", &[9.0]), ("nats", &[7.0]), ("signet", &[8.0])]);
        assert_eq!(found, [("≤ 1 × nats".to_owned(), "missed")]);
    }

    #[test]
    fn every_target_has_its_row() {
        let rows = super::super::rows::table();
        for target in &TARGETS {
            let row = rows.iter().find(|row| row.name == target.row).unwrap();
            assert!(row.measures.contains(&target.measure), "{}", target.row);
        }
    }
}
