//! Whole handshakes in memory, between our server end and rustls' client: who gets in, who does not, and which alert the client sees.

mod accepted;
mod files;
mod garbage;
mod refused;
mod resumption;
mod rig;
