//! The server on real sockets, with scripted clients.

mod limits;
mod messages;
mod refusals;
mod revocation;
mod rig;
