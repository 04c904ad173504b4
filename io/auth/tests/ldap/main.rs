//! Passwords and access rules in a real directory, OpenLDAP: each test starts a server of its own.

#[path = "../people.rs"]
mod people;
mod rig;

mod clients;
mod outages;
mod rules;
