//! The files themselves are damaged: what had been safe and is not any more stops the broker, with the place and the way out; an end that
//! never became whole is cut off with a warning.

use std::fs;
use std::path::{Path, PathBuf};

use signet_mqtt::{ProtocolVersion, QoS};

use crate::outcome::Outcome;
use crate::probe::Probe;
use crate::server::{STORE_DAMAGED, Server, Setup, Start, run as signet};

/// Messages in the journal, each so large that together they fill several segments.
const MESSAGES: u32 = 200;
const SIZE: usize = 16 * 1024;

/// A segment's own header.
const HEADER: usize = 64;

/// Something that is done to the files.
type Deed = fn(&[PathBuf]);

pub(crate) fn run() -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let mut setup = Setup::new(directory.path(), 2);
    setup.store = "[store]\nsegment_size = 1048576".to_owned();
    let server = Server::start(&setup);
    Probe::subscribe_and_leave(setup.port, "sink");
    let (mut probe, _) = Probe::connect(setup.port, ProtocolVersion::V5, "five").unwrap();
    for number in 1..=MESSAGES {
        assert!(probe.publish(number, QoS::AtLeastOnce, SIZE).is_some_and(|code| !code.is_error()));
    }
    drop(probe);
    server.kill();
    let pristine = directory.path().join("pristine");
    copy(&setup.journal(), &pristine);
    let mut wrong = Vec::new();
    let refused: [(&str, Deed); 4] = [
        ("a byte in the middle", |segments| flip(&segments[1], |bytes| bytes.len() / 2)),
        ("a byte of the first batch", |segments| flip(&segments[0], |_| HEADER + 8)),
        ("a segment's header", |segments| flip(&segments[1], |_| 20)),
        ("a missing segment", |segments| fs::remove_file(&segments[1]).unwrap()),
    ];
    for (what, deed) in refused {
        restore(&pristine, &setup.journal());
        deed(&used_segments(&setup.journal()));
        wrong.extend(must_refuse(&setup).into_iter().map(|line| format!("{what}: {line}")));
    }
    let cut: [(&str, Deed, u32); 2] = [
        ("garbage behind the end", |segments| garbage(segments), MESSAGES),
        // The last batch belongs to the last message; whether it was ever whole nobody can know.
        ("half a batch at the end", |segments| tear(segments), MESSAGES - 1),
    ];
    for (what, deed, least) in cut {
        restore(&pristine, &setup.journal());
        deed(&used_segments(&setup.journal()));
        wrong.extend(must_start(&setup, least).into_iter().map(|line| format!("{what}: {line}")));
    }
    let text =
        format!("{} kinds of damage refused and repaired, {} kinds of torn ends cut, wrong {}", refused.len(), cut.len(), wrong.len());
    let lines: String = wrong.iter().map(|line| format!("\n  wrong: {line}")).collect();
    Outcome { is_good: wrong.is_empty(), text: text + &lines }
}

/// The broker does not start and says where and what to do; the check agrees; after the repair it starts.
fn must_refuse(setup: &Setup) -> Vec<String> {
    let mut wrong = Vec::new();
    match Server::attempt(setup) {
        Start::Listening(server) => {
            server.kill();
            return vec!["the broker starts as if nothing had happened".to_owned()];
        }
        Start::Ended(code, log) => {
            if code != Some(STORE_DAMAGED) {
                wrong.push(format!("exit code {code:?}, expected {STORE_DAMAGED}"));
            }
            for part in [".seg", "offset", "signet store repair"] {
                if !log.contains(part) {
                    wrong.push(format!("the message does not say `{part}`: {log}"));
                }
            }
        }
    }
    let (code, text) = signet(setup, &["store", "check"]);
    if code == Some(0) || !text.contains(".seg") {
        wrong.push(format!("`signet store check` ends with {code:?}: {text}"));
    }
    let (code, text) = signet(setup, &["store", "repair"]);
    if code != Some(0) {
        wrong.push(format!("`signet store repair` ends with {code:?}: {text}"));
    }
    match Server::attempt(setup) {
        Start::Listening(server) => server.stop(),
        Start::Ended(code, log) => wrong.push(format!("it does not start after the repair: {code:?}: {log}")),
    }
    wrong
}

/// The broker starts with a warning, and what was safe is there.
fn must_start(setup: &Setup, least: u32) -> Vec<String> {
    let mut wrong = Vec::new();
    let server = match Server::attempt(setup) {
        Start::Listening(server) => server,
        Start::Ended(code, log) => return vec![format!("the broker does not start: {code:?}: {log}")],
    };
    let log = server.log();
    if !log.contains("WARN") || !log.contains("cut") {
        wrong.push(format!("no warning that the end was cut off: {log}"));
    }
    let found = Probe::take_all(setup.port, "sink", usize::try_from(least).unwrap());
    let lost: Vec<u32> = (1..=least).filter(|number| !found.contains(number)).collect();
    if !lost.is_empty() {
        wrong.push(format!("lost {lost:?}"));
    }
    server.stop();
    wrong
}

/// Segments that hold batches, the oldest first.
fn used_segments(journal: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(journal).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|extension| extension == "seg")).collect();
    segments.sort();
    segments.retain(|segment| end(&fs::read(segment).unwrap()) > HEADER);
    assert!(segments.len() >= 3, "the journal has {} segments only", segments.len());
    segments
}

/// Behind the last byte that is not zero.
fn end(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

fn flip(segment: &Path, place: fn(&[u8]) -> usize) {
    let mut bytes = fs::read(segment).unwrap();
    let at = place(&bytes);
    bytes[at] ^= 0xFF;
    fs::write(segment, bytes).unwrap();
}

/// Bytes behind the last batch that were never one.
fn garbage(segments: &[PathBuf]) {
    let last = segments.last().unwrap();
    let mut bytes = fs::read(last).unwrap();
    let at = end(&bytes).next_multiple_of(8);
    let until = (at + 777).min(bytes.len());
    assert!(at < until, "there is room behind the last batch");
    bytes[at..until].fill(0xA5);
    fs::write(last, bytes).unwrap();
}

/// The last batch without its end.
fn tear(segments: &[PathBuf]) {
    let last = segments.last().unwrap();
    let mut bytes = fs::read(last).unwrap();
    let at = end(&bytes);
    bytes[at - 40..at].fill(0);
    fs::write(last, bytes).unwrap();
}

fn restore(from: &Path, to: &Path) {
    fs::remove_dir_all(to).unwrap();
    copy(from, to);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
