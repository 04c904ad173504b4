//! The format number of a ledger file: written when it is created, checked whenever it is opened.
//!
//! Format 1 has the certificates; format 2 also suspended devices, the operator's revocation list and the audit records; format 3 also
//! disabled trust profiles; format 4 also users. An older file is brought
//! forward in one transaction, a newer one is refused, because writing to it with older rules could lose what they do not know.

use redb::{Database, ReadableDatabase as _, TableDefinition, TableError, WriteTransaction};

/// The format that this version writes.
pub(crate) const FORMAT: u64 = 4;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const FORMAT_KEY: &str = "format";

/// The format of an open file; `None` for a new one.
pub(crate) fn format(database: &Database) -> Result<Option<u64>, redb::Error> {
    let transaction = database.begin_read()?;
    match transaction.open_table(META) {
        Ok(table) => Ok(table.get(FORMAT_KEY)?.map(|value| value.value())),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Marks a file with a format number.
pub(crate) fn mark(transaction: &WriteTransaction, format: u64) -> Result<(), redb::Error> {
    transaction.open_table(META)?.insert(FORMAT_KEY, format)?;
    Ok(())
}
