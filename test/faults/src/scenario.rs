//! One file for each kind of misfortune.

pub(crate) mod damage;
pub(crate) mod full;
pub(crate) mod inject;
pub(crate) mod kill;
pub(crate) mod power;
