//! The built binary from outside: what it prints, writes and ends with.
//!
//! `cfg(test)` on the modules is what tells clippy that their helper functions are tests too.

#[cfg(test)]
mod device;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod live;
#[cfg(test)]
mod quickstart;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod status;
#[cfg(test)]
mod users;
