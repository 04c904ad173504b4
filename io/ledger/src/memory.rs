//! The ledger without a disk, for tests of everything above it. Same rules as [`crate::DurableLedger`], forgotten when dropped.

use std::collections::BTreeMap;

use signet_ca::{CrlRecord, Intent, Issued, IssuedFacts, Ledger, LedgerError, Record, RevocationEvent, RevocationRecord, RevokedFacts};
use signet_identity::{CertificateId, NameDigest, SerialNumber};
use signet_revocation::Generation;

/// See the module's text.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    records: Vec<Record>,
    by_id: BTreeMap<CertificateId, usize>,
    certificates: BTreeMap<CertificateId, Vec<u8>>,
    revocations: Vec<RevocationEvent>,
    crl_numbers: BTreeMap<NameDigest, u64>,
    crls: BTreeMap<NameDigest, CrlRecord>,
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
        record.revoked = Some(RevokedFacts { at: revoked_at, reason, by: revoked_by.clone(), generation });
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
