//! Suspended devices, disabled trust profiles, the operator's revocation list and the audit records on disk.

use redb::{ReadableTable as _, ReadableTableMetadata as _, TableDefinition, WriteTransaction};
use signet_ca::{
    AuditQuery, AuditRecord, DISABLED_PROFILES_MAXIMUM, DisabledProfile, LedgerError, OPERATOR_ENTRIES_MAXIMUM, OperatorEntry,
    OperatorSubject, Orders, SUSPENSIONS_MAXIMUM, Suspension,
};

use super::{DurableLedger, Failure};
use crate::memory::first_kept;
use crate::stored::encode;
use crate::stored::orders::{StoredAudit, StoredDisabledProfile, StoredOperatorEntry, StoredSuspension};

/// Qualified device name → suspension.
const SUSPENSIONS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("suspensions");
/// Name of a trust profile → since when and why it is disabled.
const DISABLED_PROFILES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("disabled_profiles");
/// Kind and octets of the subject → entry of the operator's list.
const OPERATOR_ENTRIES: TableDefinition<'_, (&str, &[u8]), &[u8]> = TableDefinition::new("operator_entries");
/// Sequence number → audit record.
const AUDIT: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("audit");

pub(super) fn create_tables(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(SUSPENSIONS)?;
    transaction.open_table(DISABLED_PROFILES)?;
    transaction.open_table(OPERATOR_ENTRIES)?;
    transaction.open_table(AUDIT)?;
    Ok(())
}

/// As a file of format 1 is.
#[cfg(test)]
pub(super) fn delete_tables(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.delete_table(SUSPENSIONS)?;
    transaction.delete_table(DISABLED_PROFILES)?;
    transaction.delete_table(OPERATOR_ENTRIES)?;
    transaction.delete_table(AUDIT)?;
    Ok(())
}

fn has_room(entries: u64, maximum: usize, what: &'static str) -> Result<(), Failure> {
    if usize::try_from(entries).unwrap_or(usize::MAX) >= maximum { Err(LedgerError::Full { what, maximum }.into()) } else { Ok(()) }
}

impl Orders for DurableLedger {
    fn record_suspended(&mut self, suspension: &Suspension) -> Result<Option<Suspension>, LedgerError> {
        self.change("record a suspension", |transaction| {
            let mut table = transaction.open_table(SUSPENSIONS)?;
            let device = suspension.device.as_str();
            if let Some(bytes) = table.get(device)? {
                return Ok(Some(StoredSuspension::decode(device, bytes.value())?));
            }
            has_room(table.len()?, SUSPENSIONS_MAXIMUM, "suspended devices")?;
            table.insert(device, encode(&StoredSuspension::new(suspension))?.as_slice())?;
            Ok(None)
        })
    }

    fn remove_suspended(&mut self, device: &str) -> Result<Option<Suspension>, LedgerError> {
        self.change("end a suspension", |transaction| {
            let mut table = transaction.open_table(SUSPENSIONS)?;
            let removed = table.remove(device)?;
            Ok(removed.map(|bytes| StoredSuspension::decode(device, bytes.value())).transpose()?)
        })
    }

    fn suspensions(&self) -> Result<Vec<Suspension>, LedgerError> {
        self.read("list suspended devices", |transaction| {
            let mut all = Vec::new();
            for entry in transaction.open_table(SUSPENSIONS)?.iter()? {
                let (device, bytes) = entry?;
                all.push(StoredSuspension::decode(device.value(), bytes.value())?);
            }
            Ok(all)
        })
    }

    fn record_disabled_profile(&mut self, profile: &DisabledProfile) -> Result<Option<DisabledProfile>, LedgerError> {
        self.change("record a disabled trust profile", |transaction| {
            let mut table = transaction.open_table(DISABLED_PROFILES)?;
            let name = profile.name.as_str();
            if let Some(bytes) = table.get(name)? {
                return Ok(Some(StoredDisabledProfile::decode(name, bytes.value())?));
            }
            has_room(table.len()?, DISABLED_PROFILES_MAXIMUM, "disabled trust profiles")?;
            table.insert(name, encode(&StoredDisabledProfile::new(profile))?.as_slice())?;
            Ok(None)
        })
    }

    fn remove_disabled_profile(&mut self, name: &str) -> Result<Option<DisabledProfile>, LedgerError> {
        self.change("enable a trust profile", |transaction| {
            let mut table = transaction.open_table(DISABLED_PROFILES)?;
            let removed = table.remove(name)?;
            Ok(removed.map(|bytes| StoredDisabledProfile::decode(name, bytes.value())).transpose()?)
        })
    }

    fn disabled_profiles(&self) -> Result<Vec<DisabledProfile>, LedgerError> {
        self.read("list disabled trust profiles", |transaction| {
            let mut all = Vec::new();
            for entry in transaction.open_table(DISABLED_PROFILES)?.iter()? {
                let (name, bytes) = entry?;
                all.push(StoredDisabledProfile::decode(name.value(), bytes.value())?);
            }
            Ok(all)
        })
    }

    fn record_operator_entry(&mut self, entry: &OperatorEntry) -> Result<Option<OperatorEntry>, LedgerError> {
        self.change("record an entry of the operator's list", |transaction| {
            let mut table = transaction.open_table(OPERATOR_ENTRIES)?;
            let octets = entry.subject.to_bytes();
            let key = (entry.subject.kind(), octets.as_slice());
            if let Some(bytes) = table.get(key)? {
                return Ok(Some(StoredOperatorEntry::decode(entry.subject, bytes.value())?));
            }
            has_room(table.len()?, OPERATOR_ENTRIES_MAXIMUM, "entries on the operator's revocation list")?;
            table.insert(key, encode(&StoredOperatorEntry::new(entry))?.as_slice())?;
            Ok(None)
        })
    }

    fn remove_operator_entry(&mut self, subject: &OperatorSubject) -> Result<Option<OperatorEntry>, LedgerError> {
        self.change("remove an entry of the operator's list", |transaction| {
            let mut table = transaction.open_table(OPERATOR_ENTRIES)?;
            let octets = subject.to_bytes();
            let removed = table.remove((subject.kind(), octets.as_slice()))?;
            Ok(removed.map(|bytes| StoredOperatorEntry::decode(*subject, bytes.value())).transpose()?)
        })
    }

    fn operator_entries(&self) -> Result<Vec<OperatorEntry>, LedgerError> {
        self.read("list the operator's entries", |transaction| {
            let mut all = Vec::new();
            for entry in transaction.open_table(OPERATOR_ENTRIES)?.iter()? {
                let (key, bytes) = entry?;
                let (kind, octets) = key.value();
                let subject = OperatorSubject::from_parts(kind, octets).ok_or(crate::stored::Unreadable::Field("subject"))?;
                all.push(StoredOperatorEntry::decode(subject, bytes.value())?);
            }
            Ok(all)
        })
    }

    fn record_audit(&mut self, record: &AuditRecord, keep: u64) -> Result<u64, LedgerError> {
        self.change("record what was done", |transaction| {
            let mut table = transaction.open_table(AUDIT)?;
            let sequence = table.last()?.map_or(0, |(key, _)| key.value()).saturating_add(1);
            table.insert(sequence, encode(&StoredAudit::new(record))?.as_slice())?;
            // One as it grows; many at once only where fewer are kept than before.
            table.retain_in(..first_kept(sequence, keep), |_, _| false)?;
            Ok(sequence)
        })
    }

    fn audit(&self, query: &AuditQuery) -> Result<Vec<(u64, AuditRecord)>, LedgerError> {
        self.read("read what was done", |transaction| {
            let table = transaction.open_table(AUDIT)?;
            let mut found = Vec::new();
            for entry in table.range(..query.before.unwrap_or(u64::MAX))?.rev() {
                if found.len() >= query.limit {
                    break;
                }
                let (sequence, bytes) = entry?;
                let record = StoredAudit::decode(bytes.value())?;
                if query.takes(&record) {
                    found.push((sequence.value(), record));
                }
            }
            Ok(found)
        })
    }
}
