//! A process that is killed between the intent and the certificate leaves an intent, and nothing else.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{create_authority, device_request, now};
use signet_ca::{Ledger as _, Status, issue_certificate, prepare};
use signet_ledger::{AuthorityFiles, DurableLedger, OpenError, serial_entropy};

const DIRECTORY: &str = "SIGNET_TEST_CRASH_DIRECTORY";

/// The process that is killed: this program again, told by a variable. Without it, nothing to do.
#[test]
fn child_prepares_and_waits_to_be_killed() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let directory = Path::new(&directory);
    let authority = AuthorityFiles::new(directory.join("ca")).load(now()).unwrap();
    let mut ledger = DurableLedger::open(&directory.join("ledger.redb")).unwrap();
    issue_certificate(&authority, &mut ledger, device_request("whole"), serial_entropy().unwrap(), now()).unwrap();
    let token = prepare(&authority, &mut ledger, device_request("cut-short"), serial_entropy().unwrap(), now()).unwrap();
    println!("\nINTENT {}", token.certificate().serial());
    // Ends only with the process: the other side keeps the pipe open.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    token.issue(&authority, &mut ledger, now()).unwrap();
}

#[test]
fn kill_between_intent_and_issued_leaves_an_intent() {
    let directory = tempfile::tempdir().unwrap();
    create_authority(directory.path(), signet_ca::KeyType::P256);
    let path = directory.path().join("ledger.redb");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_prepares_and_waits_to_be_killed", "--nocapture"])
        .env(DIRECTORY, directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let serial = lines.find_map(|line| line.unwrap().strip_prefix("INTENT ").map(str::to_owned)).expect("the child recorded an intent");

    let error = DurableLedger::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "another process has it open: {error}");

    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    let ledger = DurableLedger::open(&path).unwrap();
    let records = ledger.list(0, 10).unwrap();
    let found: Vec<_> = records.iter().map(|record| (record.intent.name.as_str(), record.status(now()))).collect();
    assert_eq!(found, [("whole", Status::Valid), ("cut-short", Status::Intended)]);
    assert_eq!(records[1].status(now()).to_string(), "intended, never issued");
    assert_eq!(records[1].intent.certificate.serial().to_string(), serial);
    assert!(ledger.certificate_der(&records[1].intent.certificate).unwrap().is_none());
    assert!(ledger.certificate_der(&records[0].intent.certificate).unwrap().is_some());
}
