//! The commands, one file each.

pub(crate) mod access;
pub(crate) mod audit;
mod broker_url;
pub(crate) mod ca;
pub(crate) mod check;
mod client_flags;
mod client_properties;
pub(crate) mod connections;
pub(crate) mod device;
pub(crate) mod explain;
pub(crate) mod import;
mod named;
pub(crate) mod publish;
pub(crate) mod quickstart;
pub(crate) mod refusals;
pub(crate) mod revocation;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod store;
pub(crate) mod subscribe;
pub(crate) mod trust;
pub(crate) mod user;
