//! A ledger that fails in the middle of a revocation: what it had recorded by then is in force.

use std::sync::Arc;

use signet_admin::api::{AddDevice, DeviceKey, ProblemKind, Revoke};
use signet_admin::{Administration, Caller, Live, Settings};
use signet_ca::{
    AuditQuery, AuditRecord, CrlRecord, DisabledProfile, Intent, Issued, KeyType, Ledger, LedgerError, OperatorEntry, OperatorSubject,
    Orders, Record, RevocationEvent, RevocationRecord, Suspension,
};
use signet_identity::{CertificateId, NameDigest, SerialNumber};
use signet_ledger::{AuthorityFiles, CeremonyPlan, MemoryLedger, Overwrite, PrivateKey, User, Users};
use signet_net::{Registry, unix_seconds};
use signet_revocation::{Generation, RevocationIndex};
use signet_tls::CurrentRevocations;

/// Records so many revocations, then the disk is full.
struct Filling {
    inner: MemoryLedger,
    room: usize,
}

impl Ledger for Filling {
    fn record_revoked(&mut self, revocation: &RevocationRecord) -> Result<Generation, LedgerError> {
        self.room = self
            .room
            .checked_sub(1)
            .ok_or_else(|| LedgerError::Storage { action: "record a revocation", source: "no space left".into() })?;
        self.inner.record_revoked(revocation)
    }

    fn record_intent(&mut self, intent: &Intent) -> Result<(), LedgerError> {
        self.inner.record_intent(intent)
    }

    fn record_issued(&mut self, issued: &Issued) -> Result<(), LedgerError> {
        self.inner.record_issued(issued)
    }

    fn find(&self, certificate: &CertificateId) -> Result<Option<Record>, LedgerError> {
        self.inner.find(certificate)
    }

    fn find_by_serial(&self, serial: &SerialNumber) -> Result<Vec<Record>, LedgerError> {
        self.inner.find_by_serial(serial)
    }

    fn find_by_name(&self, name: &str) -> Result<Vec<Record>, LedgerError> {
        self.inner.find_by_name(name)
    }

    fn list(&self, after: u64, limit: usize) -> Result<Vec<Record>, LedgerError> {
        self.inner.list(after, limit)
    }

    fn count(&self) -> Result<u64, LedgerError> {
        self.inner.count()
    }

    fn certificate_der(&self, certificate: &CertificateId) -> Result<Option<Vec<u8>>, LedgerError> {
        self.inner.certificate_der(certificate)
    }

    fn revoked_since(&self, after: Generation) -> Result<Vec<RevocationEvent>, LedgerError> {
        self.inner.revoked_since(after)
    }

    fn generation(&self) -> Result<Generation, LedgerError> {
        self.inner.generation()
    }

    fn next_crl_number(&mut self, issuer: NameDigest) -> Result<u64, LedgerError> {
        self.inner.next_crl_number(issuer)
    }

    fn record_crl(&mut self, crl: &CrlRecord) -> Result<(), LedgerError> {
        self.inner.record_crl(crl)
    }

    fn latest_crl(&self, issuer: NameDigest) -> Result<Option<CrlRecord>, LedgerError> {
        self.inner.latest_crl(issuer)
    }
}

impl Users for Filling {
    fn record_users(&mut self, users: &[User]) -> Result<(), LedgerError> {
        self.inner.record_users(users)
    }

    fn remove_user(&mut self, name: &str) -> Result<Option<User>, LedgerError> {
        self.inner.remove_user(name)
    }

    fn user(&self, name: &str) -> Result<Option<User>, LedgerError> {
        self.inner.user(name)
    }

    fn users(&self, after: Option<&str>, limit: usize) -> Result<Vec<User>, LedgerError> {
        self.inner.users(after, limit)
    }
}

impl Orders for Filling {
    fn record_suspended(&mut self, suspension: &Suspension) -> Result<Option<Suspension>, LedgerError> {
        self.inner.record_suspended(suspension)
    }

    fn remove_suspended(&mut self, device: &str) -> Result<Option<Suspension>, LedgerError> {
        self.inner.remove_suspended(device)
    }

    fn suspensions(&self) -> Result<Vec<Suspension>, LedgerError> {
        self.inner.suspensions()
    }

    fn record_disabled_profile(&mut self, profile: &DisabledProfile) -> Result<Option<DisabledProfile>, LedgerError> {
        self.inner.record_disabled_profile(profile)
    }

    fn remove_disabled_profile(&mut self, name: &str) -> Result<Option<DisabledProfile>, LedgerError> {
        self.inner.remove_disabled_profile(name)
    }

    fn disabled_profiles(&self) -> Result<Vec<DisabledProfile>, LedgerError> {
        self.inner.disabled_profiles()
    }

    fn record_operator_entry(&mut self, entry: &OperatorEntry) -> Result<Option<OperatorEntry>, LedgerError> {
        self.inner.record_operator_entry(entry)
    }

    fn remove_operator_entry(&mut self, subject: &OperatorSubject) -> Result<Option<OperatorEntry>, LedgerError> {
        self.inner.remove_operator_entry(subject)
    }

    fn operator_entries(&self) -> Result<Vec<OperatorEntry>, LedgerError> {
        self.inner.operator_entries()
    }

    fn record_audit(&mut self, record: &AuditRecord, keep: u64) -> Result<u64, LedgerError> {
        self.inner.record_audit(record, keep)
    }

    fn audit(&self, query: &AuditQuery) -> Result<Vec<(u64, AuditRecord)>, LedgerError> {
        self.inner.audit(query)
    }
}

#[test]
fn what_is_recorded_is_in_force_though_the_rest_failed() {
    let directory = tempfile::tempdir().unwrap();
    let authority =
        AuthorityFiles::new(directory.path().join("ca")).create(&CeremonyPlan::named("Test"), Overwrite::Never, unix_seconds()).unwrap();
    let settings = Settings { crl_path: directory.path().join("crl.pem"), crl_validity_seconds: 3600, device_validity_seconds: 86_400 };
    let ledger = Filling { inner: MemoryLedger::default(), room: 1 };
    let administration = Administration::new(Box::new(ledger), Some(authority), settings);
    let revocations = CurrentRevocations::new(RevocationIndex::new());
    administration.attach(Live { revocations: revocations.clone(), registry: Arc::new(Registry::new()) });
    for _ in 0..2 {
        let key = PrivateKey::generate(KeyType::P256).unwrap().subject_key().unwrap();
        let request = AddDevice { name: "pump-7".to_owned(), key: DeviceKey::PublicKey(hex::encode(key.spki())), days: None };
        administration.add_device(&request, &Caller::user(0)).unwrap();
    }
    administration.sign_crl().unwrap();
    let request = Revoke { which: "pump-7".to_owned(), reason: "keyCompromise".to_owned() };
    let problem = administration.revoke(&request, &Caller::user(0)).unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Failed);
    assert!(problem.message.contains("only 1 of the certificates") && problem.message.contains("no space left"), "{problem}");
    assert_eq!(revocations.load().len(), 1, "the one that was recorded");
    let record = &administration.audit_records(&signet_admin::api::AuditQuery::default()).unwrap()[0];
    assert_eq!((record.action.as_str(), record.details["serials"].as_array().unwrap().len()), ("device.revoke", 1));
    assert!(administration.sign_crl_if_due().unwrap().is_some(), "the list lacks it");
}
