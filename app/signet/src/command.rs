//! The commands, one file each.

pub(crate) mod access;
pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod ca;
pub(crate) mod check;
pub(crate) mod connections;
pub(crate) mod device;
pub(crate) mod explain;
pub(crate) mod import;
mod named;
pub(crate) mod quickstart;
pub(crate) mod refusals;
pub(crate) mod revocation;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod store;
pub(crate) mod trust;
pub(crate) mod user;
