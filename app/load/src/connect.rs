//! Connections that are opened and closed at once: handshakes, CONNECT, CONNACK, DISCONNECT.

use std::time::Duration;

use crate::histogram::Histogram;
use crate::number::{float, rounded, wide};
use crate::opening::Opened;
use crate::report::{ConnectFacts, Facts, Measured, Report};
use crate::session::Bench;
use crate::usage::Used;
use crate::{Control, LoadError, Target};

/// What the broker still does for a connection after it has ended belongs to its cost.
const AFTERMATH: Duration = Duration::from_millis(300);

/// How many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectLoad {
    /// Connections in all.
    pub count: usize,
    /// Each takes up the TLS session of one before, as far as the broker gives tickets. Full handshakes that get them come first and are not measured.
    pub resume: bool,
}

/// Runs it.
///
/// # Errors
/// It could not begin; connections that fail are part of the report.
pub fn connect(target: &Target, load: ConnectLoad, control: &mut Control<'_>) -> Result<Report, LoadError> {
    let mut bench = Bench::new(target, target.concurrency, 0, 0)?;
    if load.resume {
        if target.connectors.is_empty() {
            return Err(LoadError::Setting("without TLS there is no session to take up again".to_owned()));
        }
        let warm = bench.resume();
        let opened = bench.open_all(0..warm, "getting tickets", control, |bench, id, _, _| bench.farewell(id))?;
        if !opened.failures.is_empty() {
            return Ok(report(&bench, load, Outcome { opened, ..Outcome::default() }, control));
        }
    }
    let mut outcome = Outcome::default();
    let before = bench.processes.mark(bench.clock);
    let (latencies, resumed) = (&mut outcome.latencies, &mut outcome.resumed);
    let start = bench.clock.now();
    let mut end = start;
    outcome.opened = bench.open_all(0..load.count, "connecting", control, |bench, id, _, took| {
        latencies.add(took);
        *resumed += u64::from(bench.is_resumed(id));
        bench.farewell(id);
        end = bench.clock.now();
    })?;
    outcome.seconds = float(end.saturating_sub(start)) / 1e9;
    outcome.ran = true;
    let mut used = bench.processes.mark(bench.clock).since(before);
    if bench.processes.is_known() {
        control.pause(AFTERMATH);
        used.broker_seconds = bench.processes.mark(bench.clock).since(before).broker_seconds;
    }
    outcome.used = used;
    Ok(report(&bench, load, outcome, control))
}

#[derive(Default)]
struct Outcome {
    opened: Opened,
    resumed: u64,
    seconds: f64,
    /// The measured part began.
    ran: bool,
    used: Used,
    latencies: Histogram,
}

fn report(bench: &Bench<'_>, load: ConnectLoad, outcome: Outcome, control: &Control<'_>) -> Report {
    let up = if outcome.ran { outcome.opened.up } else { 0 };
    let mut reasons = outcome.opened.failures.lines("connections");
    if outcome.opened.gave_up {
        reasons.push("no connection succeeded: the rest was not tried".to_owned());
    }
    // One ticket in a hundred may have been taken twice.
    if load.resume && outcome.ran && (up - outcome.resumed) * 100 > up {
        reasons.push(format!("{} of {up} connections were not resumed", up - outcome.resumed));
    }
    if up == 0 && reasons.is_empty() {
        reasons.push("nothing was measured".to_owned());
    }
    let facts = ConnectFacts {
        count: wide(load.count),
        concurrency: wide(bench.target.concurrency),
        failed: outcome.opened.failures.count(),
        resume: load.resume,
        resumed: outcome.resumed,
        seconds: rounded(outcome.seconds),
    };
    Measured {
        command: "connect",
        common: bench.common(),
        facts: Facts::Connect(facts),
        reasons,
        interrupted: control.is_asked_to_stop(),
        operations: up,
        seconds: outcome.seconds,
        used: outcome.used,
        memory: None,
        knows_broker: bench.processes.is_known(),
        latencies: outcome.latencies,
    }
    .report()
}
