//! Redis: one server, several behind sentinels, or a cluster.
//!
//! The operator writes a command, `HMGET tls_domain:%C password salt`. [`RedisCommand`] takes it apart into words before any value is put in, so that a
//! value never becomes another argument, and refuses commands that may write. [`RedisConnections`] asks; [`RedisRecords`] makes a
//! password's hash of the answer, [`RedisRules`] access rules and [`RedisKeys`] a key that a device shares with the broker.

mod check;
mod command;
mod config;
mod connect;
mod connections;
mod fields;
mod keys;
mod question;
mod records;
mod reply;
mod rules;
mod sentinel;
mod words;

pub use command::{Placeholders, RedisCommand, RedisCommandError};
pub use config::{RedisAddress, RedisConfig, RedisConfigError, RedisDeployment, RedisIdentity, RedisTls};
pub use connections::RedisConnections;
pub use fields::RedisFields;
pub use keys::RedisKeys;
pub use records::{RedisLookup, RedisRecords};
pub use rules::RedisRules;

#[cfg(test)]
mod tests;
