//! Connections that are opened and held: what one costs that does nothing.

use std::time::Duration;

use crate::clock::nanoseconds;
use crate::failures::Failures;
use crate::histogram::Histogram;
use crate::number::{rounded, wide};
use crate::report::{BrokerMemory, Facts, IdleFacts, Measured, Report};
use crate::session::Bench;
use crate::{Control, LoadError, Target};

/// How often the wish to stop is looked at.
const TICK: Duration = Duration::from_millis(50);

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
    hold(&mut bench, load.hold / 2, &mut opened.failures, control)?;
    let held = bench.processes.mark(bench.clock);
    hold(&mut bench, load.hold / 2, &mut opened.failures, control)?;
    let now = bench.processes.mark(bench.clock);
    let (idle, held) = (now.since(held), now.since(before));
    let memory = BrokerMemory::of(memory_before, bench.processes.memory(), load.count);
    // Whatever has ended is told by now.
    while look(&mut bench, Duration::ZERO, &mut opened.failures)? {}
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

/// Lets time pass, or until it is asked to stop. What comes is looked at: who pings a WebSocket wants an answer.
fn hold(bench: &mut Bench<'_>, time: Duration, failures: &mut Failures, control: &Control<'_>) -> Result<(), LoadError> {
    let end = bench.clock.now().saturating_add(nanoseconds(time));
    while !control.is_asked_to_stop() {
        let left = Duration::from_nanos(end.saturating_sub(bench.clock.now()));
        if left.is_zero() {
            break;
        }
        look(bench, left.min(TICK), failures)?;
    }
    Ok(())
}

/// Takes what has come, or comes within `wait`, and notes connections that have ended. Returns whether there was anything.
fn look(bench: &mut Bench<'_>, wait: Duration, failures: &mut Failures) -> Result<bool, LoadError> {
    let mut ready = Vec::new();
    bench.net.wait(wait, &mut ready)?;
    for ready in &ready {
        if let Err(reason) = bench.net.proceed(*ready, |_, octets| octets.len()) {
            failures.add(format!("while it was held: {reason}"));
            bench.net.close(ready.id);
        }
    }
    Ok(!ready.is_empty())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use signet_mqtt::ProtocolVersion;
    use signet_net::websocket::{Origins, UpgradeRules, WebSocket};

    use super::*;

    /// Lets one client in over WebSocket and pings it twice: with CONNACK, and when it has answered and is held. Returns with the second answer.
    fn ping_one(mut stream: TcpStream) {
        let mut websocket = WebSocket::new(Arc::new(UpgradeRules { path: None, origins: Origins::Any }));
        let (mut input, mut plaintext) = ([0; 4096], Vec::new());
        let mut pings = 0;
        loop {
            let count = stream.read(&mut input).unwrap();
            let came = &input[..count];
            assert!(count > 0, "it closes without an answer");
            let mut wire = Vec::new();
            websocket.receive(came, &mut plaintext, &mut wire).unwrap();
            // A pong of a client: masked, and empty as the ping.
            let is_answer = came.starts_with(&[0x8A, 0x80]);
            match pings {
                0 if plaintext.is_empty() => {}
                0 => websocket.send(&[0x20, 2, 0, 0], &mut wire),
                _ => assert!(is_answer, "{came:?}"),
            }
            if pings == 2 {
                return;
            }
            if !plaintext.is_empty() {
                wire.extend_from_slice(&[0x89, 0]);
                pings += 1;
            }
            stream.write_all(&wire).unwrap();
        }
    }

    #[test]
    fn a_ping_is_answered_while_connections_are_held() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let target = Target {
            broker: address.to_string(),
            host: "127.0.0.1".to_owned(),
            address,
            connectors: Vec::new(),
            websocket: Some("/".to_owned()),
            version: ProtocolVersion::V311,
            username: None,
            password: None,
            identifier_prefix: "test-".to_owned(),
            concurrency: 1,
            processes: Vec::new(),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let broker = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                let (stream, _) = listener.accept().unwrap();
                // It is held until then, and no longer.
                ping_one(stream.try_clone().unwrap());
                stop.store(true, Ordering::Relaxed);
                stream
            }
        });
        let load = IdleLoad { count: 1, hold: Duration::from_secs(60) };
        let report = idle(&target, load, &mut Control::new(&stop, &mut |_| {})).unwrap();
        broker.join().unwrap();
        assert!(report.valid && report.interrupted, "{:?}", report.reasons);
        let Facts::Idle(facts) = report.facts else { panic!("not the facts of this load") };
        assert!(facts.hold_seconds < 60.0, "it was answered at the end only");
    }
}
