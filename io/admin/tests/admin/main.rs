//! The admin API from both ends.
//!
//! `cfg(test)` on the module is what tells clippy that its helper functions are tests too.

#[cfg(test)]
mod crl_file;
#[cfg(test)]
mod live;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod partly;
#[cfg(test)]
mod socket;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod users;
