//! The commands, one file each.

mod broker_url;
pub(crate) mod ca;
pub(crate) mod check;
mod client_flags;
mod client_properties;
pub(crate) mod device;
pub(crate) mod publish;
pub(crate) mod quickstart;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod store;
pub(crate) mod subscribe;
