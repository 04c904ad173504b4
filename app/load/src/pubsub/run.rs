//! The course of a run: connect, subscribe, warm up, measure, wait for the rest, count.

use std::time::Duration;

use super::PubSubLoad;
use super::plan::Plan;
use super::subscribing::subscribe;
use super::traffic::Traffic;
use crate::clock::nanoseconds;
use crate::failures::Failures;
use crate::number::{rounded, wide};
use crate::report::{Arrivals, BrokerMemory, Facts, Measured, PubSubFacts, Report};
use crate::session::Bench;
use crate::usage::{Mark, Used};
use crate::{Control, LoadError, Target};

/// With messages under way and nothing coming: the rest is lost.
const STALLED: Duration = Duration::from_secs(10);

/// The same after the last message was sent.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Between the last subscription and the first message.
const SETTLE: Duration = Duration::from_millis(100);

/// The longest wait for the system: phases and the wish to stop are looked at so often.
const TICK: Duration = Duration::from_millis(50);

/// Of a hundred messages that were due so many may be late when the measured part ends.
const BEHIND_PER_CENT: u64 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Measuring,
    Draining,
}

impl Phase {
    fn words(self) -> &'static str {
        match self {
            Self::WarmUp => "warming up",
            Self::Measuring => "measuring",
            Self::Draining => "waiting for the rest",
        }
    }
}

/// The measured part.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    used: Used,
    delivered: u64,
}

struct Run<'a> {
    traffic: Traffic<'a>,
    subscribers: usize,
    phase: Phase,
    /// Nanoseconds when the phase ends by itself.
    until: u64,
    first: Option<(Mark, u64)>,
    part: Option<Part>,
    /// Moves that were seen, and when.
    moved: (u64, u64),
    alive: usize,
    ended: Failures,
    stalled: bool,
    /// Messages that were due and could not be sent, and all that were due, when the measured part ended.
    behind: (u64, u64),
}

/// Runs a load whose settings have been checked.
pub(super) fn run(target: &Target, load: &PubSubLoad, control: &mut Control<'_>) -> Result<Report, LoadError> {
    let clients = load.subscribers + load.publishers;
    let seconds = (load.warm_up + load.duration + STALLED).as_secs();
    // The largest packet is known with the plan, which needs the name of the run: any is as long.
    let largest = Plan::new(load, "0123456789abcdef0123", target.version)?.largest_packet();
    let mut bench = Bench::new(target, clients, seconds, largest)?;
    bench.clean_start = load.clean_start;
    let plan = Plan::new(load, &bench.run, target.version)?;
    let mut traffic = Traffic::new(&plan, target.version, bench.clock, load.window);
    let memory = bench.processes.memory();
    let mut reasons = connect(&mut bench, &plan, &mut traffic, clients, control)?;
    if reasons.is_empty() && !control.is_asked_to_stop() {
        reasons = subscribe(&mut bench, &plan, load.qos.highest(), control)?;
    }
    let mut run = Run {
        traffic,
        subscribers: load.subscribers,
        phase: Phase::WarmUp,
        until: 0,
        first: None,
        part: None,
        moved: (0, 0),
        alive: clients,
        ended: Failures::default(),
        stalled: false,
        behind: (0, 0),
    };
    if reasons.is_empty() {
        control.pause(SETTLE);
        run.go(&mut bench, load, control)?;
    }
    let memory = bench.processes.is_known().then(|| BrokerMemory::of(memory, bench.processes.memory(), clients));
    for id in 0..clients {
        bench.farewell(id);
    }
    let interrupted = control.is_asked_to_stop();
    if !load.clean_start && !target.version.has_properties() && !interrupted {
        // MQTT 3.1.1 ends a session that was to last by one that is not.
        bench.clean_start = true;
        bench.open_all(0..clients, "removing sessions", control, |bench, id, _, _| bench.farewell(id))?;
    }
    reasons.extend(run.reasons(&plan));
    Ok(run.report(&bench, &plan, load, reasons, interrupted, memory))
}

/// Opens all connections; gives the reasons why that failed.
fn connect(
    bench: &mut Bench<'_>,
    plan: &Plan,
    traffic: &mut Traffic<'_>,
    clients: usize,
    control: &mut Control<'_>,
) -> Result<Vec<String>, LoadError> {
    let largest = wide(plan.largest_packet());
    let mut too_large = None;
    let opened = bench.open_all(0..clients, "connecting", control, |_, id, connack, _| {
        if let Some(publisher) = id.checked_sub(plan.subscribers) {
            traffic.narrow(publisher, connack.properties.receive_maximum.map_or(u64::MAX, |maximum| u64::from(maximum.get())));
        }
        let maximum = connack.properties.maximum_packet_size.map_or(u64::MAX, |maximum| u64::from(maximum.get()));
        if maximum < largest {
            too_large = Some(format!("the broker takes packets of {maximum} octets at most, and these have up to {largest}"));
        }
    })?;
    let mut reasons = opened.failures.lines("connections");
    reasons.extend(too_large);
    Ok(reasons)
}

impl Run<'_> {
    /// From the first message to the last.
    fn go(&mut self, bench: &mut Bench<'_>, load: &PubSubLoad, control: &mut Control<'_>) -> Result<(), LoadError> {
        let begun = bench.clock.now();
        self.until = begun.saturating_add(nanoseconds(load.warm_up));
        self.moved = (0, begun);
        self.traffic.begin(load.rate);
        let mut ready = Vec::new();
        loop {
            let now = bench.clock.now();
            self.turn(bench, load, now, control.is_asked_to_stop());
            if self.is_over(now) {
                return Ok(());
            }
            let mut wait = TICK;
            if self.phase != Phase::Draining {
                if let Some(due) = self.traffic.release(now) {
                    wait = wait.min(Duration::from_nanos(due.saturating_sub(now)));
                }
                self.send(bench, now);
            }
            bench.net.wait(wait, &mut ready)?;
            for ready in &ready {
                let (traffic, id) = (&mut self.traffic, ready.id);
                if let Err(reason) = bench.net.proceed(*ready, |out, octets| traffic.take(id, out, octets)) {
                    self.end(bench, id, reason);
                }
            }
            control.say(self.phase.words(), self.traffic.counts.delivered, None);
        }
    }

    /// Goes on to the next phase when it is time to, or nothing more can be learned.
    fn turn(&mut self, bench: &Bench<'_>, load: &PubSubLoad, now: u64, is_asked_to_stop: bool) {
        let is_cut = is_asked_to_stop || !self.ended.is_empty() || self.stalled;
        if self.phase == Phase::WarmUp && (now >= self.until || is_cut) {
            self.first = (!is_cut).then(|| (bench.processes.mark(bench.clock), self.traffic.counts.delivered));
            self.until = now.saturating_add(nanoseconds(load.duration));
            self.traffic.is_measuring = !is_cut;
            self.phase = if is_cut { Phase::Draining } else { Phase::Measuring };
        } else if self.phase == Phase::Measuring && (now >= self.until || is_cut) {
            if let Some((mark, delivered)) = self.first {
                let used = bench.processes.mark(bench.clock).since(mark);
                self.part = Some(Part { used, delivered: self.traffic.counts.delivered - delivered });
            }
            self.behind = (self.traffic.behind(), self.traffic.released());
            self.traffic.is_measuring = false;
            self.moved.1 = now;
            self.phase = Phase::Draining;
        }
    }

    /// Whether there is nothing to wait for.
    fn is_over(&mut self, now: u64) -> bool {
        let moves = self.traffic.counts.moves;
        if moves != self.moved.0 {
            self.moved = (moves, now);
        }
        let waited = now.saturating_sub(self.moved.1);
        if self.phase == Phase::Draining {
            return self.alive == 0 || self.traffic.under_way() == 0 || waited > nanoseconds(LAST_WAIT);
        }
        if waited > nanoseconds(STALLED) {
            // At a low rate nothing comes because nothing is under way.
            self.stalled = self.traffic.under_way() > 0;
            self.moved.1 = now;
        }
        false
    }

    /// Lets every publisher send that may.
    fn send(&mut self, bench: &mut Bench<'_>, now: u64) {
        while let Some(publisher) = self.traffic.unlist() {
            let id = self.subscribers + publisher;
            let Some(link) = bench.net.link(id) else { continue };
            self.traffic.fill(publisher, now, link.out());
            if let Err(reason) = bench.net.write(id) {
                self.end(bench, id, reason);
            }
        }
    }

    /// A connection has ended that should not.
    fn end(&mut self, bench: &mut Bench<'_>, id: usize, reason: String) {
        let reason = self.traffic.farewell.take().unwrap_or(reason);
        self.ended.add(reason);
        self.alive -= 1;
        bench.net.close(id);
    }

    fn lost(&self, plan: &Plan) -> u64 {
        self.traffic.sent().saturating_mul(u64::from(plan.copies())).saturating_sub(self.traffic.counts.delivered)
    }

    fn reasons(&self, plan: &Plan) -> Vec<String> {
        let counts = self.traffic.counts;
        let mut reasons = self.ended.lines("connections");
        let mut say = |count: u64, what: &str| {
            if count > 0 {
                reasons.push(format!("{count} {what}"));
            }
        };
        let lost = self.lost(plan);
        say(lost, "deliveries were due and did not come");
        say(counts.refused, "messages were refused by the broker");
        say(counts.low_qos, "messages came with a lower QoS than they were published and subscribed with");
        say(counts.foreign, "messages came that were not ours, or not as they were sent");
        if plan.is_ordered() {
            say(counts.reordered, "messages came behind a later one of the same publisher, or twice");
        }
        if lost == 0 {
            say(self.traffic.under_way(), "messages were not acknowledged");
        }
        let (behind, due) = self.behind;
        if behind.saturating_mul(100) > due.saturating_mul(BEHIND_PER_CENT) {
            reasons.push(format!("the rate was not reached: {behind} of {due} messages that were due could not be sent"));
        }
        if self.stalled {
            reasons.push(format!("nothing came for {} seconds", STALLED.as_secs()));
        }
        if self.part.is_none_or(|part| part.delivered == 0) {
            reasons.push("nothing was measured".to_owned());
        }
        reasons
    }

    fn report(
        self,
        bench: &Bench<'_>,
        plan: &Plan,
        load: &PubSubLoad,
        reasons: Vec<String>,
        interrupted: bool,
        memory: Option<BrokerMemory>,
    ) -> Report {
        let part = self.part.unwrap_or_default();
        let facts = PubSubFacts {
            layout: load.layout.name(),
            publishers: wide(load.publishers),
            subscribers: wide(load.subscribers),
            qos: load.qos.highest().into(),
            qos_mix: load.qos.mix(),
            payload: wide(*load.payload.start()),
            payload_maximum: wide(*load.payload.end()),
            topics: plan.topics,
            wildcards: plan.wildcards,
            window: wide(load.window),
            rate: load.rate,
            clean_start: load.clean_start,
            seconds: rounded(part.used.seconds),
            arrivals: Arrivals {
                sent: self.traffic.sent(),
                delivered: self.traffic.counts.delivered,
                lost: self.lost(plan),
                reordered: self.traffic.counts.reordered,
            },
        };
        Measured {
            command: "pubsub",
            common: bench.common(),
            facts: Facts::PubSub(Box::new(facts)),
            reasons,
            interrupted,
            operations: part.delivered,
            seconds: part.used.seconds,
            used: part.used,
            memory,
            knows_broker: bench.processes.is_known(),
            latencies: self.traffic.latencies,
        }
        .report()
    }
}
