//! The ledger without a disk, for tests of everything above it. Same rules as [`crate::DurableLedger`], forgotten when dropped.

use std::collections::BTreeMap;

use signet_ca::{
    AuditQuery, AuditRecord, CrlRecord, DISABLED_PROFILES_MAXIMUM, DisabledProfile, Intent, Issued, IssuedFacts, Ledger, LedgerError,
    OPERATOR_ENTRIES_MAXIMUM, OperatorEntry, OperatorSubject, Orders, Record, RevocationEvent, RevocationRecord, RevokedFacts,
    SUSPENSIONS_MAXIMUM, Suspension,
};
use signet_identity::{CertificateId, NameDigest, SerialNumber};
use signet_revocation::{Generation, Reason};

use crate::users::{USERS_MAXIMUM, User, Users};

/// See the module's text.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    records: Vec<Record>,
    by_id: BTreeMap<CertificateId, usize>,
    certificates: BTreeMap<CertificateId, Vec<u8>>,
    revocations: Vec<RevocationEvent>,
    crl_numbers: BTreeMap<NameDigest, u64>,
    crls: BTreeMap<NameDigest, CrlRecord>,
    suspensions: BTreeMap<String, Suspension>,
    disabled_profiles: BTreeMap<String, DisabledProfile>,
    operator_entries: BTreeMap<OperatorSubject, OperatorEntry>,
    audit: BTreeMap<u64, AuditRecord>,
    users: BTreeMap<String, User>,
}

impl MemoryLedger {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn record_mut(&mut self, certificate: &CertificateId) -> Result<&mut Record, LedgerError> {
        let unknown = || LedgerError::Unknown { serial: certificate.serial() };
        let index = *self.by_id.get(certificate).ok_or_else(unknown)?;
        self.records.get_mut(index).ok_or_else(unknown)
    }
}

impl Ledger for MemoryLedger {
    fn record_intent(&mut self, intent: &Intent) -> Result<(), LedgerError> {
        if self.by_id.contains_key(&intent.certificate) {
            return Err(LedgerError::AlreadyKnown { serial: intent.certificate.serial() });
        }
        self.by_id.insert(intent.certificate, self.records.len());
        let sequence = u64::try_from(self.records.len()).unwrap_or(u64::MAX).saturating_add(1);
        self.records.push(Record { sequence, intent: intent.clone(), issued: None, revoked: None });
        Ok(())
    }

    fn record_issued(&mut self, issued: &Issued) -> Result<(), LedgerError> {
        let record = self.record_mut(&issued.certificate)?;
        if record.issued.is_some() {
            return Err(LedgerError::AlreadyIssued { serial: issued.certificate.serial() });
        }
        record.issued = Some(IssuedFacts { at: issued.issued_at, fingerprint: issued.fingerprint });
        self.certificates.insert(issued.certificate, issued.der.clone());
        Ok(())
    }

    fn record_revoked(&mut self, revocation: &RevocationRecord) -> Result<Generation, LedgerError> {
        let generation = self.generation()?.next();
        let record = self.record_mut(&revocation.certificate)?;
        let RevocationRecord { certificate, revoked_at, reason, ref revoked_by } = *revocation;
        let facts = RevokedFacts { at: revoked_at, reason, by: revoked_by.clone(), generation };
        record.revoked = (reason != Reason::RemoveFromCrl).then_some(facts);
        let not_after = record.intent.not_after;
        self.revocations.push(RevocationEvent { generation, certificate, revoked_at, reason, not_after });
        Ok(generation)
    }

    fn find(&self, certificate: &CertificateId) -> Result<Option<Record>, LedgerError> {
        Ok(self.by_id.get(certificate).and_then(|index| self.records.get(*index)).cloned())
    }

    fn find_by_serial(&self, serial: &SerialNumber) -> Result<Vec<Record>, LedgerError> {
        Ok(self.records.iter().filter(|record| record.intent.certificate.serial() == *serial).cloned().collect())
    }

    fn find_by_name(&self, name: &str) -> Result<Vec<Record>, LedgerError> {
        Ok(self.records.iter().filter(|record| record.intent.name == name).cloned().collect())
    }

    fn list(&self, after: u64, limit: usize) -> Result<Vec<Record>, LedgerError> {
        Ok(self.records.iter().filter(|record| record.sequence > after).take(limit).cloned().collect())
    }

    fn count(&self) -> Result<u64, LedgerError> {
        Ok(self.records.last().map_or(0, |record| record.sequence))
    }

    fn certificate_der(&self, certificate: &CertificateId) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.certificates.get(certificate).cloned())
    }

    fn revoked_since(&self, after: Generation) -> Result<Vec<RevocationEvent>, LedgerError> {
        Ok(self.revocations.iter().filter(|event| event.generation > after).copied().collect())
    }

    fn generation(&self) -> Result<Generation, LedgerError> {
        Ok(self.revocations.last().map_or_else(Generation::default, |event| event.generation))
    }

    fn next_crl_number(&mut self, issuer: NameDigest) -> Result<u64, LedgerError> {
        let number = self.crl_numbers.entry(issuer).or_default();
        *number = number.saturating_add(1);
        Ok(*number)
    }

    fn record_crl(&mut self, crl: &CrlRecord) -> Result<(), LedgerError> {
        if let Some(newest) = self.crls.get(&crl.issuer).filter(|newest| newest.number >= crl.number) {
            return Err(LedgerError::CrlNumber { found: crl.number, newest: newest.number });
        }
        self.crls.insert(crl.issuer, crl.clone());
        Ok(())
    }

    fn latest_crl(&self, issuer: NameDigest) -> Result<Option<CrlRecord>, LedgerError> {
        Ok(self.crls.get(&issuer).cloned())
    }
}

impl Users for MemoryLedger {
    fn record_users(&mut self, users: &[User]) -> Result<(), LedgerError> {
        let mut after = self.users.clone();
        after.extend(users.iter().map(|user| (user.name.clone(), user.clone())));
        if after.len() > USERS_MAXIMUM {
            return Err(LedgerError::Full { what: "users", maximum: USERS_MAXIMUM });
        }
        self.users = after;
        Ok(())
    }

    fn remove_user(&mut self, name: &str) -> Result<Option<User>, LedgerError> {
        Ok(self.users.remove(name))
    }

    fn user(&self, name: &str) -> Result<Option<User>, LedgerError> {
        Ok(self.users.get(name).cloned())
    }

    fn users(&self, after: Option<&str>, limit: usize) -> Result<Vec<User>, LedgerError> {
        let behind = self.users.values().filter(|user| after.is_none_or(|after| user.name.as_str() > after));
        Ok(behind.take(limit).cloned().collect())
    }
}

impl Orders for MemoryLedger {
    fn record_suspended(&mut self, suspension: &Suspension) -> Result<Option<Suspension>, LedgerError> {
        if let Some(known) = self.suspensions.get(&suspension.device) {
            return Ok(Some(known.clone()));
        }
        if self.suspensions.len() >= SUSPENSIONS_MAXIMUM {
            return Err(LedgerError::Full { what: "suspended devices", maximum: SUSPENSIONS_MAXIMUM });
        }
        self.suspensions.insert(suspension.device.clone(), suspension.clone());
        Ok(None)
    }

    fn remove_suspended(&mut self, device: &str) -> Result<Option<Suspension>, LedgerError> {
        Ok(self.suspensions.remove(device))
    }

    fn suspensions(&self) -> Result<Vec<Suspension>, LedgerError> {
        Ok(self.suspensions.values().cloned().collect())
    }

    fn record_disabled_profile(&mut self, profile: &DisabledProfile) -> Result<Option<DisabledProfile>, LedgerError> {
        if let Some(known) = self.disabled_profiles.get(&profile.name) {
            return Ok(Some(known.clone()));
        }
        if self.disabled_profiles.len() >= DISABLED_PROFILES_MAXIMUM {
            return Err(LedgerError::Full { what: "disabled trust profiles", maximum: DISABLED_PROFILES_MAXIMUM });
        }
        self.disabled_profiles.insert(profile.name.clone(), profile.clone());
        Ok(None)
    }

    fn remove_disabled_profile(&mut self, name: &str) -> Result<Option<DisabledProfile>, LedgerError> {
        Ok(self.disabled_profiles.remove(name))
    }

    fn disabled_profiles(&self) -> Result<Vec<DisabledProfile>, LedgerError> {
        Ok(self.disabled_profiles.values().cloned().collect())
    }

    fn record_operator_entry(&mut self, entry: &OperatorEntry) -> Result<Option<OperatorEntry>, LedgerError> {
        if let Some(known) = self.operator_entries.get(&entry.subject) {
            return Ok(Some(known.clone()));
        }
        if self.operator_entries.len() >= OPERATOR_ENTRIES_MAXIMUM {
            return Err(LedgerError::Full { what: "entries on the operator's revocation list", maximum: OPERATOR_ENTRIES_MAXIMUM });
        }
        self.operator_entries.insert(entry.subject, entry.clone());
        Ok(None)
    }

    fn remove_operator_entry(&mut self, subject: &OperatorSubject) -> Result<Option<OperatorEntry>, LedgerError> {
        Ok(self.operator_entries.remove(subject))
    }

    fn operator_entries(&self) -> Result<Vec<OperatorEntry>, LedgerError> {
        Ok(self.operator_entries.values().cloned().collect())
    }

    fn record_audit(&mut self, record: &AuditRecord, keep: u64) -> Result<u64, LedgerError> {
        let sequence = self.audit.last_key_value().map_or(0, |(sequence, _)| *sequence).saturating_add(1);
        self.audit.insert(sequence, record.clone());
        self.audit = self.audit.split_off(&first_kept(sequence, keep));
        Ok(sequence)
    }

    fn audit(&self, query: &AuditQuery) -> Result<Vec<(u64, AuditRecord)>, LedgerError> {
        let records = self.audit.range(..query.before.unwrap_or(u64::MAX)).rev();
        let taken = records.filter(|(_, record)| query.takes(record)).take(query.limit);
        Ok(taken.map(|(sequence, record)| (*sequence, record.clone())).collect())
    }
}

/// The oldest of `keep` records when the newest is `newest`. One stays in any case, because the next number comes from it.
pub(crate) fn first_kept(newest: u64, keep: u64) -> u64 {
    newest.saturating_sub(keep.max(1)).saturating_add(1)
}
