//! The promises of `signet_ca::Ledger`, run over the durable ledger (reopened after every step) and the one in memory.

use std::path::PathBuf;

use signet_ca::{CrlRecord, Intent, Issued, LedgerError, ProfileKind, RevocationRecord, Status};
use signet_identity::{CertificateId, Fingerprint, NameDigest, SerialNumber};
use signet_ledger::{DurableLedger, Inventory, MemoryLedger, OpenError};
use signet_revocation::{Generation, Reason};

/// A ledger that a test can close and open again wherever it likes.
pub(crate) trait Subject {
    fn ledger(&mut self) -> &mut dyn Inventory;
    fn reopen(&mut self);
}

struct Memory(MemoryLedger);

impl Subject for Memory {
    fn ledger(&mut self) -> &mut dyn Inventory {
        &mut self.0
    }

    fn reopen(&mut self) {}
}

struct Durable {
    ledger: Option<DurableLedger>,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Subject for Durable {
    fn ledger(&mut self) -> &mut dyn Inventory {
        self.ledger.as_mut().unwrap()
    }

    fn reopen(&mut self) {
        self.ledger = None;
        self.ledger = Some(DurableLedger::open(&self.path).unwrap());
    }
}

pub(crate) fn both(test: fn(&mut dyn Subject)) {
    test(&mut Memory(MemoryLedger::new()));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.redb");
    test(&mut Durable { ledger: Some(DurableLedger::open(&path).unwrap()), path, _directory: directory });
}

fn issuer(number: u8) -> NameDigest {
    NameDigest::of(&[number])
}

fn id(issuer_number: u8, serial: u8) -> CertificateId {
    CertificateId::new(issuer(issuer_number), SerialNumber::from_der_integer(&[0x40, serial]).unwrap())
}

fn intent(certificate: CertificateId, name: &str) -> Intent {
    Intent {
        certificate,
        name: name.to_owned(),
        profile: ProfileKind::Device,
        key_type: "P-256".to_owned(),
        key_digest: [7; 32],
        not_before: 1_000,
        not_after: 2_000,
        intended_at: 1_001,
        issued_by: "cli:alice".to_owned(),
    }
}

fn issued(certificate: CertificateId) -> Issued {
    Issued { certificate, fingerprint: Fingerprint::from_bytes([9; 32]), issued_at: 1_002, der: vec![1, 2, 3] }
}

fn revocation(certificate: CertificateId, reason: Reason) -> RevocationRecord {
    RevocationRecord { certificate, revoked_at: 1_500, reason, revoked_by: "admin:bob".to_owned() }
}

#[test]
fn an_intent_becomes_a_certificate_and_is_found_every_way() {
    both(|subject| {
        subject.ledger().record_intent(&intent(id(1, 1), "pump-7")).unwrap();
        subject.reopen();
        let record = subject.ledger().find(&id(1, 1)).unwrap().unwrap();
        assert_eq!((record.status(1_500), record.issued), (Status::Intended, None));
        assert_eq!(record.status(1_500).to_string(), "intended, never issued");
        assert_eq!(record.intent, intent(id(1, 1), "pump-7"));
        assert_eq!(subject.ledger().certificate_der(&id(1, 1)).unwrap(), None);

        subject.ledger().record_issued(&issued(id(1, 1))).unwrap();
        subject.reopen();
        let record = subject.ledger().find(&id(1, 1)).unwrap().unwrap();
        assert_eq!(record.issued.unwrap().fingerprint, Fingerprint::from_bytes([9; 32]));
        assert_eq!(
            [record.status(999), record.status(1_000), record.status(2_000), record.status(2_001)],
            [Status::NotYetValid, Status::Valid, Status::Valid, Status::Expired]
        );
        assert_eq!(subject.ledger().certificate_der(&id(1, 1)).unwrap(), Some(vec![1, 2, 3]));
        assert_eq!(subject.ledger().find_by_name("pump-7").unwrap(), std::slice::from_ref(&record));
        assert_eq!(subject.ledger().find_by_serial(&id(1, 1).serial()).unwrap(), [record]);
        assert_eq!(subject.ledger().find_by_name("pump").unwrap(), []);
        assert_eq!(subject.ledger().find(&id(2, 1)).unwrap(), None);
    });
}

#[test]
fn a_serial_number_is_used_once_per_issuer() {
    both(|subject| {
        subject.ledger().record_intent(&intent(id(1, 1), "a")).unwrap();
        subject.reopen();
        let error = subject.ledger().record_intent(&intent(id(1, 1), "b")).unwrap_err();
        assert!(matches!(error, LedgerError::AlreadyKnown { .. }), "{error}");
        assert_eq!(subject.ledger().find_by_name("b").unwrap(), [], "a refused intent left a trace");
        subject.ledger().record_intent(&intent(id(2, 1), "c")).unwrap();
        let names: Vec<String> =
            subject.ledger().find_by_serial(&id(1, 1).serial()).unwrap().into_iter().map(|record| record.intent.name).collect();
        assert_eq!(names.len(), 2, "{names:?}");
    });
}

#[test]
fn what_was_never_intended_is_neither_issued_nor_revoked() {
    both(|subject| {
        assert!(matches!(subject.ledger().record_issued(&issued(id(1, 1))), Err(LedgerError::Unknown { .. })));
        assert!(matches!(subject.ledger().record_revoked(&revocation(id(1, 1), Reason::Superseded)), Err(LedgerError::Unknown { .. })));
        subject.reopen();
        assert_eq!(subject.ledger().generation().unwrap(), Generation::default());
        subject.ledger().record_intent(&intent(id(1, 1), "a")).unwrap();
        subject.ledger().record_issued(&issued(id(1, 1))).unwrap();
        assert!(matches!(subject.ledger().record_issued(&issued(id(1, 1))), Err(LedgerError::AlreadyIssued { .. })));
    });
}

#[test]
fn revocations_are_ordered_by_generation() {
    both(|subject| {
        for serial in 1..=3 {
            subject.ledger().record_intent(&intent(id(1, serial), "a")).unwrap();
        }
        assert_eq!(subject.ledger().record_revoked(&revocation(id(1, 2), Reason::CertificateHold)).unwrap(), Generation::new(1));
        subject.reopen();
        assert_eq!(subject.ledger().record_revoked(&revocation(id(1, 1), Reason::Unspecified)).unwrap(), Generation::new(2));
        assert_eq!(subject.ledger().record_revoked(&revocation(id(1, 2), Reason::KeyCompromise)).unwrap(), Generation::new(3));
        subject.reopen();
        assert_eq!(subject.ledger().generation().unwrap(), Generation::new(3));
        let all = subject.ledger().revoked_since(Generation::default()).unwrap();
        let order: Vec<_> = all.iter().map(|event| (event.generation.number(), event.certificate, event.reason)).collect();
        assert_eq!(
            order,
            [(1, id(1, 2), Reason::CertificateHold), (2, id(1, 1), Reason::Unspecified), (3, id(1, 2), Reason::KeyCompromise)]
        );
        assert!(all.iter().all(|event| event.not_after == 2_000 && event.revoked_at == 1_500));
        assert_eq!(subject.ledger().revoked_since(Generation::new(2)).unwrap().len(), 1);
        let record = subject.ledger().find(&id(1, 2)).unwrap().unwrap();
        assert_eq!(record.status(1_600), Status::Revoked);
        assert_eq!(record.revoked.unwrap().by, "admin:bob");
    });
}

#[test]
fn listing_goes_in_pages_in_the_order_of_issuance() {
    both(|subject| {
        for serial in (1..=5).rev() {
            subject.ledger().record_intent(&intent(id(1, serial), "a")).unwrap();
        }
        subject.reopen();
        let first = subject.ledger().list(0, 3).unwrap();
        let second = subject.ledger().list(first.last().unwrap().sequence, 3).unwrap();
        let serials: Vec<_> = first.iter().chain(&second).map(|record| record.intent.certificate).collect();
        assert_eq!(serials, [id(1, 5), id(1, 4), id(1, 3), id(1, 2), id(1, 1)]);
        assert_eq!(subject.ledger().count().unwrap(), 5);
        assert_eq!((first.len(), second.len()), (3, 2));
    });
}

#[test]
fn crl_numbers_rise_even_when_one_was_not_used() {
    both(|subject| {
        assert_eq!(subject.ledger().latest_crl(issuer(1)).unwrap(), None);
        assert_eq!(subject.ledger().next_crl_number(issuer(1)).unwrap(), 1);
        subject.reopen();
        assert_eq!(subject.ledger().next_crl_number(issuer(1)).unwrap(), 2);
        assert_eq!(subject.ledger().next_crl_number(issuer(2)).unwrap(), 1, "every issuer counts for itself");
        let crl = CrlRecord { issuer: issuer(1), number: 2, this_update: 5, next_update: 6, der: vec![4; 10] };
        subject.ledger().record_crl(&crl).unwrap();
        subject.reopen();
        assert_eq!(subject.ledger().latest_crl(issuer(1)).unwrap(), Some(crl.clone()));
        for number in [1, 2] {
            let error = subject.ledger().record_crl(&CrlRecord { number, ..crl.clone() }).unwrap_err();
            assert!(matches!(error, LedgerError::CrlNumber { newest: 2, .. }), "{error}");
        }
        assert_eq!(subject.ledger().next_crl_number(issuer(1)).unwrap(), 3);
    });
}

#[test]
fn a_ledger_has_one_owner_at_a_time() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.redb");
    let first = DurableLedger::open(&path).unwrap();
    let error = DurableLedger::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("ledger.redb` is in use by another process"), "{error}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(first);
    DurableLedger::open(&path).unwrap();
}
