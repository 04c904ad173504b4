//! The built-in users on disk.

use std::ops::Bound;

use redb::{ReadableTableMetadata as _, TableDefinition, WriteTransaction};
use signet_ca::LedgerError;

use super::DurableLedger;
use crate::stored::encode;
use crate::stored::users::StoredUser;
use crate::users::{USERS_MAXIMUM, User, Users};

/// Name → user.
const USERS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("users");

pub(super) fn create_tables(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(USERS)?;
    Ok(())
}

/// As a file of format 3 is.
#[cfg(test)]
pub(super) fn delete_tables(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.delete_table(USERS)?;
    Ok(())
}

impl Users for DurableLedger {
    fn record_users(&mut self, users: &[User]) -> Result<(), LedgerError> {
        self.change("record users", |transaction| {
            let mut table = transaction.open_table(USERS)?;
            for user in users {
                table.insert(user.name.as_str(), encode(&StoredUser::new(user))?.as_slice())?;
            }
            if usize::try_from(table.len()?).unwrap_or(usize::MAX) > USERS_MAXIMUM {
                return Err(LedgerError::Full { what: "users", maximum: USERS_MAXIMUM }.into());
            }
            Ok(())
        })
    }

    fn remove_user(&mut self, name: &str) -> Result<Option<User>, LedgerError> {
        self.change("remove a user", |transaction| {
            let mut table = transaction.open_table(USERS)?;
            let removed = table.remove(name)?;
            Ok(removed.map(|bytes| StoredUser::decode(name, bytes.value())).transpose()?)
        })
    }

    fn user(&self, name: &str) -> Result<Option<User>, LedgerError> {
        self.read("look up a user", |transaction| {
            let found = transaction.open_table(USERS)?.get(name)?;
            Ok(found.map(|bytes| StoredUser::decode(name, bytes.value())).transpose()?)
        })
    }

    fn users(&self, after: Option<&str>, limit: usize) -> Result<Vec<User>, LedgerError> {
        self.read("list users", |transaction| {
            let mut all = Vec::new();
            let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
            for entry in transaction.open_table(USERS)?.range::<&str>((begin, Bound::Unbounded))?.take(limit) {
                let (name, bytes) = entry?;
                all.push(StoredUser::decode(name.value(), bytes.value())?);
            }
            Ok(all)
        })
    }
}
