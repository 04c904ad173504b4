//! What crosses files: the ledger's rules over both stores, crashes, the `ca` directory, and certificates judged by the system's openssl.
//!
//! `cfg(test)` on the modules is what tells clippy that their helper functions are tests too.

#[cfg(test)]
mod authority_files;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod crl;
#[cfg(test)]
mod csr;
#[cfg(test)]
mod issuance;
#[cfg(test)]
mod ledger_rules;
#[cfg(test)]
mod orders;
#[cfg(test)]
mod support;
#[cfg(test)]
mod users;
