//! The built-in users: people and programs that connect without a certificate, or with more than one, kept beside the inventory.

use std::collections::{BTreeMap, BTreeSet};

use signet_ca::{Ledger, LedgerError};

/// Users at most: all of them are held in memory by a running broker.
pub const USERS_MAXIMUM: usize = 250_000;

/// What an administration writes to: certificates, orders and users.
pub trait Inventory: Ledger + Users {}

impl<T: Ledger + Users> Inventory for T {}

/// The users. Each `record_…` and `remove_…` is durable when it returns `Ok`, and has changed nothing when it returns `Err`.
pub trait Users {
    /// Puts users there, each in place of the one with its name, all of them or none.
    ///
    /// # Errors
    /// [`LedgerError::Full`] with more than [`USERS_MAXIMUM`] users; [`LedgerError::Storage`].
    fn record_users(&mut self, users: &[User]) -> Result<(), LedgerError>;

    /// Removes a user and returns it; `None` when there is none of this name.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn remove_user(&mut self, name: &str) -> Result<Option<User>, LedgerError>;

    /// The user with this name.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn user(&self, name: &str) -> Result<Option<User>, LedgerError>;

    /// At most `limit` of them, by name, from behind `after`.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn users(&self, after: Option<&str>, limit: usize) -> Result<Vec<User>, LedgerError>;
}

/// One user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// The name: a user name of MQTT, or a Client Identifier.
    pub name: String,
    /// What its password is held against; `None`: it cannot log in with one.
    pub password: Option<UserPassword>,
    /// What its proofs by SCRAM are held against, one for each mechanism that it may use.
    pub scram: Vec<UserScram>,
    /// Whether it may do everything.
    pub superuser: bool,
    /// Groups that rules can name.
    pub groups: BTreeSet<String>,
    /// Attributes that rules and templates can look at.
    pub attributes: BTreeMap<String, String>,
    /// It is there, and cannot log in.
    pub disabled: bool,
    /// When it was made, Unix seconds.
    pub created_at: i64,
    /// When it was changed last, Unix seconds.
    pub changed_at: i64,
    /// Who changed it last.
    pub changed_by: String,
}

/// The hash of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct UserPassword {
    /// How it was made, as the configuration names it: `auto` where the hash says it itself.
    pub kind: String,
    /// The hash.
    pub hash: String,
    /// Its salt, where that is not in the hash.
    pub salt: Option<String>,
}

/// The keys of one SCRAM mechanism (RFC 5802 §3), from which nobody can log in.
#[derive(Clone, PartialEq, Eq)]
pub struct UserScram {
    /// `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: String,
    /// The salt.
    pub salt: Vec<u8>,
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// StoredKey.
    pub stored_key: Vec<u8>,
    /// ServerKey.
    pub server_key: Vec<u8>,
}

impl std::fmt::Debug for UserPassword {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("UserPassword").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for UserScram {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("UserScram").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}
