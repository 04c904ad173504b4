//! One file for each kind of misfortune.

pub(crate) mod kill;
pub(crate) mod power;
