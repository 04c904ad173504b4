//! The disk returns an error, at the first, the second, … call: after a sync that failed nothing is acknowledged any more, the process ends and
//! says why, and what was acknowledged before is there at the next start.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use signet_mqtt::{ProtocolVersion, QoS};

use crate::outcome::Outcome;
use crate::probe::Probe;
use crate::server::{STORE_FAILED, Server, Setup, Start};

/// Messages of one try: more than calls that are made to fail.
const MESSAGES: u32 = 12;

/// How long the process may take to end.
const NOTICE: Duration = Duration::from_secs(20);

/// What is made to fail, with which error, at which calls, and whether the process has to end. No room on the disk may pass.
const SWEEP: [(&str, &str, std::ops::RangeInclusive<u32>, bool); 4] = [
    ("fdatasync", "EIO", 1..=6, true),
    ("pwrite64", "EIO", 1..=4, true),
    ("pwrite64", "ENOSPC", 1..=3, false),
    ("fsync", "EIO", 1..=1, true),
];

#[derive(Debug, Default)]
struct Counts {
    tries: u32,
    hit: u32,
    ended: u32,
    acknowledged: usize,
    wrong: Vec<String>,
}

pub(crate) fn run() -> Outcome {
    let mut counts = Counts::default();
    for (call, error, when, must_end) in SWEEP {
        for at in when {
            let before = counts.wrong.len();
            attempt((call, error, at), must_end, &mut counts);
            for line in counts.wrong.iter_mut().skip(before) {
                *line = format!("{call} {error} at call {at}: {line}");
            }
        }
    }
    let wrong: String = counts.wrong.iter().map(|line| format!("\n  wrong: {line}")).collect();
    let Counts { tries, hit, ended, acknowledged, .. } = counts;
    let text = format!(
        "{tries} tries, {hit} hit, {ended} ended with exit code {STORE_FAILED}, acknowledged {acknowledged}, lost or too early {}{wrong}",
        counts.wrong.len()
    );
    Outcome { is_good: counts.wrong.is_empty() && hit > 8, text }
}

fn attempt((call, error, at): (&str, &str, u32), must_end: bool, counts: &mut Counts) {
    counts.tries += 1;
    let directory = tempfile::tempdir().unwrap();
    let mut setup = Setup::new(directory.path(), 1);
    // The broker has a journal and a subscriber before anything fails.
    let server = Server::start(&setup);
    Probe::subscribe_and_leave(setup.port, "sink");
    server.stop();
    let trace = directory.path().join("trace");
    let inject = format!("inject={call}:error={error}:when={at}");
    let words = ["strace", "-f", "-qq", "-e", "trace=fdatasync,fsync,pwrite64", "-e", "signal=none", "-e", &inject, "-o"];
    setup.prefix = words.iter().map(|word| (*word).to_owned()).chain([trace.display().to_string()]).collect();
    // Only the journal fails: what else is on the disk has errors of its own.
    for path in journal_paths(&setup) {
        setup.prefix.extend(["-P".to_owned(), path.display().to_string()]);
    }
    let mut accepted = Vec::new();
    let mut ended = None;
    match Server::attempt(&setup) {
        Start::Listening(mut server) => {
            publish_all(setup.port, &mut accepted);
            let was_hit = fs::read_to_string(&trace).unwrap_or_default().contains("INJECTED");
            if was_hit && must_end {
                ended = Some(server.await_end(NOTICE).and_then(|status| status.code()));
            }
            server.kill();
        }
        // It never served anybody: an error like any other that keeps it from starting.
        Start::Ended(Some(code), log) if code != 0 && log.contains("store") => {}
        Start::Ended(code, _) => ended = Some(code),
    }
    let lines = fs::read_to_string(&trace).unwrap_or_default();
    let was_hit = lines.contains("INJECTED");
    counts.hit += u32::from(was_hit);
    counts.acknowledged += accepted.len();
    match ended {
        Some(Some(STORE_FAILED)) => counts.ended += 1,
        Some(other) => counts.wrong.push(format!("the process ended with {other:?}, expected {STORE_FAILED}")),
        None => {}
    }
    // One message after the other: each acknowledgement needs a sync of its own, which succeeded before anything failed.
    let syncs = lines.lines().take_while(|line| !line.contains("INJECTED")).filter(|line| line.contains("fdatasync")).count();
    if must_end && accepted.len() > syncs {
        counts.wrong.push(format!("{} acknowledgements after {syncs} syncs that succeeded", accepted.len()));
    }
    setup.prefix.clear();
    let server = Server::start(&setup);
    let found = Probe::take_all(setup.port, "sink", accepted.len());
    let lost: Vec<_> = accepted.iter().filter(|number| !found.contains(number)).collect();
    if !lost.is_empty() {
        counts.wrong.push(format!("acknowledged and lost: {lost:?}"));
    }
    server.stop();
}

/// The directory of the journal and the files in it.
fn journal_paths(setup: &Setup) -> Vec<PathBuf> {
    let journal = setup.journal().canonicalize().unwrap();
    let entries = fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().path());
    entries.chain([journal]).collect()
}

/// One message after the other, until the connection ends or all are through.
fn publish_all(port: u16, accepted: &mut Vec<u32>) {
    let Some((mut probe, connack)) = Probe::connect(port, ProtocolVersion::V5, "five") else { return };
    if connack.reason_code.is_error() {
        return;
    }
    for number in 1..=MESSAGES {
        let qos = if number.is_multiple_of(2) { QoS::ExactlyOnce } else { QoS::AtLeastOnce };
        match probe.publish(number, qos, 100) {
            Some(code) if !code.is_error() => accepted.push(number),
            Some(_) => {}
            None => return,
        }
    }
}
