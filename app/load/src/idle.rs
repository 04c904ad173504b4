//! Connections that are opened and held: what one costs that does nothing.

use std::time::Duration;

use crate::histogram::Histogram;
use crate::number::{rounded, wide};
use crate::report::{BrokerMemory, Facts, IdleFacts, Measured, Report};
use crate::session::Bench;
use crate::{Control, LoadError, Target};

/// How many, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleLoad {
    /// Connections in all.
    pub count: usize,
    /// From when all are up: the first half is for the broker to settle, the second is measured.
    pub hold: Duration,
}

/// Runs it.
///
/// # Errors
/// It could not begin; connections that fail are part of the report.
pub fn idle(target: &Target, load: IdleLoad, control: &mut Control<'_>) -> Result<Report, LoadError> {
    let mut bench = Bench::new(target, load.count, load.hold.as_secs(), 0)?;
    let mut latencies = Histogram::default();
    let memory_before = bench.processes.memory();
    let before = bench.processes.mark(bench.clock);
    let mut opened = bench.open_all(0..load.count, "connecting", control, |bench, id, _, took| {
        latencies.add(took);
        if let Some(link) = bench.net.link(id) {
            link.shrink();
        }
    })?;
    let used = bench.processes.mark(bench.clock).since(before);
    let up = opened.up;
    control.pause(load.hold / 2);
    let held = bench.processes.mark(bench.clock);
    control.pause(load.hold / 2);
    let now = bench.processes.mark(bench.clock);
    let (idle, held) = (now.since(held), now.since(before));
    let memory = BrokerMemory::of(memory_before, bench.processes.memory(), load.count);
    // Whatever ended meanwhile is told now.
    let mut ready = Vec::new();
    bench.net.wait(Duration::ZERO, &mut ready)?;
    while !ready.is_empty() {
        for ready in ready.clone() {
            if let Err(reason) = bench.net.proceed(ready, |_, octets| octets.len()) {
                opened.failures.add(format!("while it was held: {reason}"));
                bench.net.close(ready.id);
            }
        }
        bench.net.wait(Duration::ZERO, &mut ready)?;
    }
    for id in 0..load.count {
        bench.farewell(id);
    }
    let mut reasons = opened.failures.lines("connections");
    if opened.gave_up {
        reasons.push("no connection succeeded: the rest was not tried".to_owned());
    }
    if up < wide(load.count) && reasons.is_empty() {
        reasons.push(format!("only {up} of {} connections were opened", load.count));
    }
    let knows_broker = bench.processes.is_known();
    let facts = IdleFacts {
        count: wide(load.count),
        concurrency: wide(target.concurrency),
        failed: opened.failures.count(),
        up_seconds: rounded(used.seconds),
        hold_seconds: rounded((held.seconds - used.seconds).max(0.0)),
        idle_cpu_cores: knows_broker.then(|| rounded(idle.broker_cores)),
    };
    Ok(Measured {
        command: "idle",
        common: bench.common(),
        facts: Facts::Idle(facts),
        reasons,
        interrupted: control.is_asked_to_stop(),
        operations: up,
        seconds: used.seconds,
        used,
        memory: knows_broker.then_some(memory),
        knows_broker,
        latencies,
    }
    .report())
}
