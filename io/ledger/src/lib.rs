//! Where the authority's memory and keys live on disk: the inventory of certificates, the built-in users, private keys, and the files of the `ca` directory.
//!
//! What is durable when: every `record_…` of [`DurableLedger`] is on disk when it returns (redb, one fsynced commit each), in the order that
//! `signet_ca::Ledger` promises. Files are written whole or not at all: temporary file, fsync, rename, fsync of the directory. A private
//! key is never overwritten unless asked for, and is readable by its owner only from its first byte on.
//!
//! - [`DurableLedger`] and, for tests, [`MemoryLedger`]: the same rules, proven by the same tests.
//! - [`Users`]: the built-in users, in the same file.
//! - [`PrivateKey`]: generate, read, write; the [`signet_ca::Signer`] over key files.
//! - [`AuthorityFiles`]: the `ca` directory, created once and loaded into a [`signet_ca::Authority`].

mod authority_files;
mod error;
mod files;
mod keys;
mod memory;
mod migrate;
mod store;
mod stored;
mod users;

pub use authority_files::{AuthorityFiles, CeremonyPlan};
pub use error::{FileError, OpenError};
pub use files::{Overwrite, read_certificates, read_key, write_public, write_secret};
pub use keys::{EntropyError, KeyError, PrivateKey, key_exposure, serial_entropy};
pub use memory::MemoryLedger;
pub use store::DurableLedger;
pub use users::{Inventory, USERS_MAXIMUM, User, UserPassword, UserScram, Users};
