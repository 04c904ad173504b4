//! The built binary from outside: what it prints, writes and ends with.

mod device;
mod quickstart;
mod rig;
mod serve;
