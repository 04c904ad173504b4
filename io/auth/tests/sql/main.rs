//! Passwords and access rules in real data bases, PostgreSQL and MariaDB: each test starts a server of its own.

#[path = "../people.rs"]
mod people;
mod rig;

mod clients;
mod outages;
mod queries;
mod rules;
mod tls;
