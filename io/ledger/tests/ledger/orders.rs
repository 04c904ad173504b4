//! Suspensions, the operator's list and audit records: the same promises of both ledgers, bounds, and a process that is killed.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use signet_ca::{AuditQuery, AuditRecord, DisabledProfile, OperatorEntry, OperatorSubject, Orders as _, SUSPENSIONS_MAXIMUM, Suspension};
use signet_identity::{AuthorityId, CertificateId, KeyDigest, NameDigest, SerialNumber};
use signet_ledger::{DurableLedger, MemoryLedger};
use signet_revocation::Reason;

use crate::ledger_rules::both;

fn suspension(device: &str, since: i64) -> Suspension {
    Suspension { device: device.to_owned(), since, why: "lost".to_owned(), by: "alice".to_owned() }
}

#[test]
fn a_suspension_stays_as_it_was_first_until_it_ends() {
    both(|subject| {
        let ledger = subject.ledger();
        assert_eq!(ledger.record_suspended(&suspension("plant/pump-7", 5)).unwrap(), None);
        subject.reopen();
        let ledger = subject.ledger();
        assert_eq!(ledger.record_suspended(&suspension("plant/pump-7", 9)).unwrap(), Some(suspension("plant/pump-7", 5)));
        ledger.record_suspended(&suspension("pump-1", 7)).unwrap();
        assert_eq!(ledger.suspensions().unwrap(), [suspension("plant/pump-7", 5), suspension("pump-1", 7)]);
        assert_eq!(ledger.remove_suspended("plant/pump-7").unwrap(), Some(suspension("plant/pump-7", 5)));
        subject.reopen();
        let ledger = subject.ledger();
        assert_eq!(ledger.remove_suspended("plant/pump-7").unwrap(), None);
        assert_eq!(ledger.suspensions().unwrap(), [suspension("pump-1", 7)]);
    });
}

fn disabled(name: &str, since: i64) -> DisabledProfile {
    DisabledProfile { name: name.to_owned(), since, why: "broken into".to_owned(), by: "alice".to_owned() }
}

#[test]
fn a_profile_stays_disabled_as_it_was_first_until_it_is_enabled() {
    both(|subject| {
        assert_eq!(subject.ledger().record_disabled_profile(&disabled("plant", 5)).unwrap(), None);
        subject.reopen();
        let ledger = subject.ledger();
        assert_eq!(ledger.record_disabled_profile(&disabled("plant", 9)).unwrap(), Some(disabled("plant", 5)));
        assert_eq!(ledger.disabled_profiles().unwrap(), [disabled("plant", 5)]);
        assert_eq!(ledger.remove_disabled_profile("plant").unwrap(), Some(disabled("plant", 5)));
        subject.reopen();
        assert_eq!(subject.ledger().remove_disabled_profile("plant").unwrap(), None);
        assert!(subject.ledger().disabled_profiles().unwrap().is_empty());
    });
}

#[test]
fn copies_cannot_suspend_without_end() {
    let mut ledger = MemoryLedger::new();
    for number in 0..SUSPENSIONS_MAXIMUM {
        ledger.record_suspended(&suspension(&number.to_string(), 0)).unwrap();
    }
    let error = ledger.record_suspended(&suspension("one more", 0)).unwrap_err().to_string();
    assert_eq!(error, "there are 100000 suspended devices already, which is the most: take those away that are no longer needed");
    assert!(ledger.record_suspended(&suspension("5", 1)).unwrap().is_some());
}

fn entries() -> Vec<OperatorEntry> {
    let name = NameDigest::of(b"issuer");
    let certificate = CertificateId::new(name, SerialNumber::from_der_integer(&[0x4f, 1]).unwrap());
    let key = KeyDigest::of(b"key");
    let subjects =
        [OperatorSubject::Certificate(certificate), OperatorSubject::Key(key), OperatorSubject::Authority(AuthorityId { name, key })];
    let entry = |subject: OperatorSubject| OperatorEntry {
        subject,
        label: format!("the {}", subject.kind()),
        since: 5,
        reason: Reason::KeyCompromise,
        by: "alice".to_owned(),
    };
    subjects.into_iter().map(entry).collect()
}

#[test]
fn the_operators_list_holds_certificates_keys_and_authorities() {
    both(|subject| {
        for entry in &entries() {
            assert_eq!(subject.ledger().record_operator_entry(entry).unwrap(), None);
        }
        subject.reopen();
        let ledger = subject.ledger();
        let later = OperatorEntry { reason: Reason::Superseded, ..entries()[1].clone() };
        assert_eq!(ledger.record_operator_entry(&later).unwrap(), Some(entries()[1].clone()));
        let mut listed = ledger.operator_entries().unwrap();
        listed.sort_by_key(|entry| entry.subject);
        assert_eq!(listed, entries());
        assert_eq!(ledger.remove_operator_entry(&entries()[1].subject).unwrap(), Some(entries()[1].clone()));
        subject.reopen();
        let ledger = subject.ledger();
        assert_eq!(ledger.remove_operator_entry(&entries()[1].subject).unwrap(), None);
        assert_eq!(ledger.operator_entries().unwrap().len(), 2);
    });
}

fn done(at: i64, subject: &str) -> AuditRecord {
    AuditRecord {
        at,
        by: "alice".to_owned(),
        action: "device.revoke".to_owned(),
        subject: subject.to_owned(),
        details: "{\"reason\":\"keyCompromise\"}".to_owned(),
        revoked_at: Some(at - 3),
        sessions_found: Some(2),
        sessions_closed: Some(2),
        last_session_closed_at: Some(at - 1),
    }
}

#[test]
fn audit_records_come_back_newest_first_and_the_oldest_go() {
    both(|subject| {
        for at in 1..=20 {
            let device = if at % 2 == 0 { "pump-7" } else { "pump-8" };
            assert_eq!(subject.ledger().record_audit(&done(at, device), 10).unwrap(), u64::try_from(at).unwrap());
        }
        subject.reopen();
        let ledger = subject.ledger();
        let numbers = |query: &AuditQuery| ledger.audit(query).unwrap().into_iter().map(|(sequence, _)| sequence).collect::<Vec<_>>();
        let all = AuditQuery { limit: 100, ..AuditQuery::default() };
        assert_eq!(numbers(&all), (11..=20).rev().collect::<Vec<_>>());
        let of_device = |subject: &str| AuditQuery { subject: Some(subject.to_owned()), limit: 100, ..AuditQuery::default() };
        assert_eq!(numbers(&of_device("pump-7")), [20, 18, 16, 14, 12]);
        assert_eq!(numbers(&AuditQuery { since: Some(19), limit: 100, ..AuditQuery::default() }), [20, 19]);
        assert_eq!(numbers(&AuditQuery { before: Some(15), limit: 2, ..AuditQuery::default() }), [14, 13]);
        assert_eq!(ledger.audit(&all).unwrap()[0], (20, done(20, "pump-7")));
        // Fewer are kept from now on.
        assert_eq!(ledger.record_audit(&done(21, "pump-7"), 2).unwrap(), 21);
        assert_eq!(ledger.audit(&all).unwrap().len(), 2);
    });
}

const DIRECTORY: &str = "SIGNET_TEST_ORDERS_DIRECTORY";

/// The process that is killed: this program again, told by a variable. Without it, nothing to do.
#[test]
fn child_orders_and_waits_to_be_killed() {
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let mut ledger = DurableLedger::open(&Path::new(&directory).join("ledger.redb")).unwrap();
    ledger.record_suspended(&suspension("pump-7", 5)).unwrap();
    ledger.record_operator_entry(&entries()[0]).unwrap();
    ledger.record_audit(&done(5, "pump-7"), 10).unwrap();
    println!("\nORDERED");
    // Ends only with the process: the other side keeps the pipe open.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn what_was_ordered_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "orders::child_orders_and_waits_to_be_killed", "--nocapture"])
        .env(DIRECTORY, directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "ORDERED"), "the child recorded its orders");
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    let ledger = DurableLedger::open(&directory.path().join("ledger.redb")).unwrap();
    assert_eq!(ledger.suspensions().unwrap(), [suspension("pump-7", 5)]);
    assert_eq!(ledger.operator_entries().unwrap(), [entries()[0].clone()]);
    assert_eq!(ledger.audit(&AuditQuery { limit: 9, ..AuditQuery::default() }).unwrap(), [(1, done(5, "pump-7"))]);
}
