//! The ledger on disk: one redb file, one fsynced commit per record.
//!
//! One process at a time: the file is locked while it is open. A commit that was interrupted is undone when the file is opened again.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, Durability, MultimapTableDefinition, ReadTransaction, ReadableDatabase as _, ReadableTable as _,
    TableDefinition, WriteTransaction,
};
use signet_ca::{CrlRecord, Intent, Issued, IssuedFacts, Ledger, LedgerError, Record, RevocationEvent, RevocationRecord, RevokedFacts};
use signet_identity::{CertificateId, NameDigest, SerialNumber};
use signet_revocation::{Generation, Reason};

use crate::error::OpenError;
use crate::files::sync_directory;
use crate::migrate;
use crate::stored::{StoredCertificate, StoredCrl, StoredRevocation, Unreadable, encode};

/// Sequence number → certificate record.
const CERTIFICATES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("certificates");
/// Sequence number → certificate DER; apart, so that listing does not read it.
const DER: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("der");
/// Serial number (20 octets) and issuer (32 octets) → sequence number. The serial number first: people know only that.
const BY_SERIAL: TableDefinition<'_, &[u8], u64> = TableDefinition::new("by_serial");
/// Device or server name → sequence numbers.
const BY_NAME: MultimapTableDefinition<'_, &str, u64> = MultimapTableDefinition::new("by_name");
/// Generation → revocation.
const REVOCATIONS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("revocations");
/// Issuer → the last CRL number taken.
const CRL_NUMBERS: TableDefinition<'_, &[u8], u64> = TableDefinition::new("crl_numbers");
/// Issuer → the newest CRL's facts.
const CRLS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("crls");
/// Issuer → the newest CRL's DER.
const CRL_DER: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("crl_der");

mod orders;
mod users;

/// The inventory of certificates in a file.
pub struct DurableLedger {
    database: Database,
    path: PathBuf,
}

impl DurableLedger {
    /// Opens the ledger, creating the file (mode 0600) when it is missing; its directory must exist.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let file_error = |source| OpenError::File { path: path.to_owned(), source };
        let damaged = |source: redb::Error| OpenError::Damaged { path: path.to_owned(), source: Box::new(source) };
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(file_error)?;
        // A damaged file must be an error and not a panic later; reading it through is cheap beside loading the revocations anyway.
        let opened = FileBackend::new(file).and_then(|file| Builder::new().set_check_integrity_on_open(true).create_with_backend(file));
        let database = opened.map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => OpenError::InUse { path: path.to_owned() },
            other => damaged(other.into()),
        })?;
        sync_directory(path).map_err(file_error)?;
        let ledger = Self { database, path: path.to_owned() };
        match migrate::format(&ledger.database).map_err(damaged)? {
            None => ledger.create_tables().map_err(damaged)?,
            // A later format only has more tables.
            Some(found) if found < migrate::FORMAT => ledger.create_tables().map_err(damaged)?,
            Some(found) if found > migrate::FORMAT => {
                return Err(OpenError::NewerFormat { path: path.to_owned(), found, known: migrate::FORMAT });
            }
            Some(_) => {}
        }
        Ok(ledger)
    }

    /// The ledger's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All tables at once with the format number, so that no file has one without the other. Those that are there stay as they are.
    fn create_tables(&self) -> Result<(), redb::Error> {
        let transaction = begin(&self.database)?;
        transaction.open_table(CERTIFICATES)?;
        transaction.open_table(DER)?;
        transaction.open_table(BY_SERIAL)?;
        transaction.open_multimap_table(BY_NAME)?;
        transaction.open_table(REVOCATIONS)?;
        transaction.open_table(CRL_NUMBERS)?;
        transaction.open_table(CRLS)?;
        transaction.open_table(CRL_DER)?;
        orders::create_tables(&transaction)?;
        users::create_tables(&transaction)?;
        migrate::mark(&transaction, migrate::FORMAT)?;
        transaction.commit()?;
        Ok(())
    }

    /// Runs one change as one durable transaction; nothing is changed when it fails.
    fn change<T>(&self, action: &'static str, work: impl FnOnce(&WriteTransaction) -> Result<T, Failure>) -> Result<T, LedgerError> {
        let run = || {
            let transaction = begin(&self.database)?;
            // Dropped without commit on an early return, which undoes it.
            let value = work(&transaction)?;
            transaction.commit().map_err(redb::Error::from)?;
            Ok(value)
        };
        run().map_err(|failure: Failure| failure.into_ledger_error(action))
    }

    fn read<T>(&self, action: &'static str, work: impl FnOnce(&ReadTransaction) -> Result<T, Failure>) -> Result<T, LedgerError> {
        let run = || work(&self.database.begin_read().map_err(redb::Error::from)?);
        run().map_err(|failure: Failure| failure.into_ledger_error(action))
    }
}

impl std::fmt::Debug for DurableLedger {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "DurableLedger({})", self.path.display())
    }
}

impl Ledger for DurableLedger {
    fn record_intent(&mut self, intent: &Intent) -> Result<(), LedgerError> {
        self.change("record an intent", |transaction| {
            let key = index_key(&intent.certificate);
            let mut by_serial = transaction.open_table(BY_SERIAL)?;
            if by_serial.get(key.as_slice())?.is_some() {
                return Err(LedgerError::AlreadyKnown { serial: intent.certificate.serial() }.into());
            }
            let mut certificates = transaction.open_table(CERTIFICATES)?;
            let sequence = certificates.last()?.map_or(0, |(key, _)| key.value()).saturating_add(1);
            by_serial.insert(key.as_slice(), sequence)?;
            transaction.open_multimap_table(BY_NAME)?.insert(intent.name.as_str(), sequence)?;
            let record = Record { sequence, intent: intent.clone(), issued: None, revoked: None };
            certificates.insert(sequence, encode(&StoredCertificate::new(&record))?.as_slice())?;
            Ok(())
        })
    }

    fn record_issued(&mut self, issued: &Issued) -> Result<(), LedgerError> {
        self.change("record a certificate", |transaction| {
            update(transaction, &issued.certificate, |record| {
                if record.issued.is_some() {
                    return Err(LedgerError::AlreadyIssued { serial: issued.certificate.serial() }.into());
                }
                record.issued = Some(IssuedFacts { at: issued.issued_at, fingerprint: issued.fingerprint });
                transaction.open_table(DER)?.insert(record.sequence, issued.der.as_slice())?;
                Ok(())
            })
        })
    }

    fn record_revoked(&mut self, revocation: &RevocationRecord) -> Result<Generation, LedgerError> {
        self.change("record a revocation", |transaction| {
            let mut revocations = transaction.open_table(REVOCATIONS)?;
            let generation = Generation::new(revocations.last()?.map_or(0, |(key, _)| key.value())).next();
            let RevocationRecord { certificate, revoked_at, reason, ref revoked_by } = *revocation;
            let mut not_after = 0;
            update(transaction, &certificate, |record| {
                let facts = RevokedFacts { at: revoked_at, reason, by: revoked_by.clone(), generation };
                record.revoked = (reason != Reason::RemoveFromCrl).then_some(facts);
                not_after = record.intent.not_after;
                Ok(())
            })?;
            let event = RevocationEvent { generation, certificate, revoked_at, reason, not_after };
            revocations.insert(generation.number(), encode(&StoredRevocation::new(&event))?.as_slice())?;
            Ok(generation)
        })
    }

    fn find(&self, certificate: &CertificateId) -> Result<Option<Record>, LedgerError> {
        self.read("look up a certificate", |transaction| {
            let sequence = transaction.open_table(BY_SERIAL)?.get(index_key(certificate).as_slice())?.map(|value| value.value());
            sequence.map(|sequence| record(transaction, sequence)).transpose()
        })
    }

    fn find_by_serial(&self, serial: &SerialNumber) -> Result<Vec<Record>, LedgerError> {
        self.read("look up a serial number", |transaction| {
            let (mut first, mut last) = ([0; 52], [0xff; 52]);
            for bound in [&mut first, &mut last] {
                for (target, octet) in bound.iter_mut().zip(serial.to_padded()) {
                    *target = octet;
                }
            }
            let table = transaction.open_table(BY_SERIAL)?;
            let mut records = Vec::new();
            for entry in table.range(first.as_slice()..=last.as_slice())? {
                records.push(record(transaction, entry?.1.value())?);
            }
            Ok(records)
        })
    }

    fn find_by_name(&self, name: &str) -> Result<Vec<Record>, LedgerError> {
        self.read("look up a name", |transaction| {
            let table = transaction.open_multimap_table(BY_NAME)?;
            table.get(name)?.map(|sequence| record(transaction, sequence?.value())).collect()
        })
    }

    fn list(&self, after: u64, limit: usize) -> Result<Vec<Record>, LedgerError> {
        self.read("list certificates", |transaction| {
            let table = transaction.open_table(CERTIFICATES)?;
            let mut records = Vec::new();
            for entry in table.range(after.saturating_add(1)..)?.take(limit) {
                let (sequence, bytes) = entry?;
                records.push(StoredCertificate::decode(sequence.value(), bytes.value())?);
            }
            Ok(records)
        })
    }

    fn count(&self) -> Result<u64, LedgerError> {
        // Sequence numbers begin at 1 and none is left out.
        self.read("count certificates", |transaction| Ok(transaction.open_table(CERTIFICATES)?.last()?.map_or(0, |(key, _)| key.value())))
    }

    fn certificate_der(&self, certificate: &CertificateId) -> Result<Option<Vec<u8>>, LedgerError> {
        self.read("read a certificate", |transaction| {
            let Some(sequence) = transaction.open_table(BY_SERIAL)?.get(index_key(certificate).as_slice())?.map(|value| value.value())
            else {
                return Ok(None);
            };
            Ok(transaction.open_table(DER)?.get(sequence)?.map(|der| der.value().to_vec()))
        })
    }

    fn revoked_since(&self, after: Generation) -> Result<Vec<RevocationEvent>, LedgerError> {
        self.read("list revocations", |transaction| {
            let table = transaction.open_table(REVOCATIONS)?;
            let mut events = Vec::new();
            for entry in table.range(after.next().number()..)? {
                let (generation, bytes) = entry?;
                events.push(StoredRevocation::decode(generation.value(), bytes.value())?);
            }
            Ok(events)
        })
    }

    fn generation(&self) -> Result<Generation, LedgerError> {
        self.read("read the generation", |transaction| {
            let table = transaction.open_table(REVOCATIONS)?;
            Ok(Generation::new(table.last()?.map_or(0, |(key, _)| key.value())))
        })
    }

    fn next_crl_number(&mut self, issuer: NameDigest) -> Result<u64, LedgerError> {
        self.change("take a CRL number", |transaction| {
            let mut numbers = transaction.open_table(CRL_NUMBERS)?;
            let number = numbers.get(issuer.as_bytes().as_slice())?.map_or(0, |value| value.value()).saturating_add(1);
            numbers.insert(issuer.as_bytes().as_slice(), number)?;
            Ok(number)
        })
    }

    fn record_crl(&mut self, crl: &CrlRecord) -> Result<(), LedgerError> {
        self.change("record a CRL", |transaction| {
            let key = crl.issuer.as_bytes().as_slice();
            let mut facts = transaction.open_table(CRLS)?;
            let newest = facts.get(key)?.map(|bytes| StoredCrl::decode(bytes.value())).transpose()?;
            if let Some(newest) = newest.filter(|newest| newest.number >= crl.number) {
                return Err(LedgerError::CrlNumber { found: crl.number, newest: newest.number }.into());
            }
            facts.insert(key, encode(&StoredCrl::new(crl))?.as_slice())?;
            transaction.open_table(CRL_DER)?.insert(key, crl.der.as_slice())?;
            Ok(())
        })
    }

    fn latest_crl(&self, issuer: NameDigest) -> Result<Option<CrlRecord>, LedgerError> {
        self.read("read the newest CRL", |transaction| {
            let key = issuer.as_bytes().as_slice();
            let Some(facts) = transaction.open_table(CRLS)?.get(key)?.map(|bytes| StoredCrl::decode(bytes.value())).transpose()? else {
                return Ok(None);
            };
            let der = transaction.open_table(CRL_DER)?.get(key)?.map(|der| der.value().to_vec());
            Ok(der.map(|der| facts.into_record(issuer, der)))
        })
    }
}

/// What can end a transaction: a rule of the ledger, or the store.
enum Failure {
    Rule(LedgerError),
    Store(Box<dyn std::error::Error + Send + Sync>),
}

impl Failure {
    fn into_ledger_error(self, action: &'static str) -> LedgerError {
        match self {
            Self::Rule(error) => error,
            Self::Store(source) => LedgerError::Storage { action, source },
        }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::Rule(error)
    }
}

impl From<redb::Error> for Failure {
    fn from(error: redb::Error) -> Self {
        Self::Store(Box::new(error))
    }
}

impl From<redb::TableError> for Failure {
    fn from(error: redb::TableError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl From<redb::StorageError> for Failure {
    fn from(error: redb::StorageError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl From<Unreadable> for Failure {
    fn from(error: Unreadable) -> Self {
        Self::Store(Box::new(error))
    }
}

fn begin(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    // Also the default; said here because everything above relies on it.
    transaction.set_durability(Durability::Immediate)?;
    Ok(transaction)
}

fn index_key(certificate: &CertificateId) -> [u8; 52] {
    let mut key = [0; 52];
    let octets = certificate.serial().to_padded().into_iter().chain(*certificate.issuer().as_bytes());
    for (target, octet) in key.iter_mut().zip(octets) {
        *target = octet;
    }
    key
}

fn record(transaction: &ReadTransaction, sequence: u64) -> Result<Record, Failure> {
    let table = transaction.open_table(CERTIFICATES)?;
    let bytes = table.get(sequence)?.ok_or(Unreadable::Field("sequence"))?;
    Ok(StoredCertificate::decode(sequence, bytes.value())?)
}

fn update(
    transaction: &WriteTransaction,
    certificate: &CertificateId,
    change: impl FnOnce(&mut Record) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let sequence = transaction
        .open_table(BY_SERIAL)?
        .get(index_key(certificate).as_slice())?
        .map(|value| value.value())
        .ok_or_else(|| LedgerError::Unknown { serial: certificate.serial() })?;
    let mut certificates = transaction.open_table(CERTIFICATES)?;
    let mut record = {
        let bytes = certificates.get(sequence)?.ok_or(Unreadable::Field("sequence"))?;
        StoredCertificate::decode(sequence, bytes.value())?
    };
    change(&mut record)?;
    certificates.insert(sequence, encode(&StoredCertificate::new(&record))?.as_slice())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use signet_ca::{AuditRecord, Orders as _};

    use super::*;
    use crate::Users as _;

    #[test]
    fn a_ledger_of_a_newer_version_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.redb");
        let ledger = DurableLedger::open(&path).unwrap();
        let transaction = begin(&ledger.database).unwrap();
        migrate::mark(&transaction, migrate::FORMAT + 1).unwrap();
        transaction.commit().unwrap();
        drop(ledger);
        let error = DurableLedger::open(&path).unwrap_err();
        assert!(matches!(error, OpenError::NewerFormat { found: 5, known: 4, .. }), "{error}");
        assert!(error.to_string().contains("ledger.redb` has format 5, but this version of Signet knows only up to 4"), "{error}");
        assert!(DurableLedger::open(&path).is_err());
    }

    #[test]
    fn a_ledger_of_the_first_format_is_brought_forward() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.redb");
        let mut ledger = DurableLedger::open(&path).unwrap();
        ledger.next_crl_number(NameDigest::of(b"issuer")).unwrap();
        let transaction = begin(&ledger.database).unwrap();
        orders::delete_tables(&transaction).unwrap();
        users::delete_tables(&transaction).unwrap();
        migrate::mark(&transaction, 1).unwrap();
        transaction.commit().unwrap();
        drop(ledger);
        let mut ledger = DurableLedger::open(&path).unwrap();
        assert_eq!(migrate::format(&ledger.database).unwrap(), Some(4));
        assert_eq!(ledger.next_crl_number(NameDigest::of(b"issuer")).unwrap(), 2, "what was in it stays");
        assert_eq!(ledger.record_audit(&AuditRecord::default(), 10).unwrap(), 1);
        assert!(ledger.suspensions().unwrap().is_empty() && ledger.disabled_profiles().unwrap().is_empty());
        assert!(ledger.users(None, 10).unwrap().is_empty());
    }

    #[test]
    fn something_else_than_a_ledger_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.redb");
        for content in ["hello\n".repeat(2), "x".repeat(1 << 16)] {
            std::fs::write(&path, &content).unwrap();
            let error = DurableLedger::open(&path).unwrap_err().to_string();
            assert!(error.contains("ledger.redb` is not a readable inventory"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_missing_directory_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let error = DurableLedger::open(&directory.path().join("data/ledger.redb")).unwrap_err();
        assert!(matches!(error, OpenError::File { .. }), "{error}");
    }
}
