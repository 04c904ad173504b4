//! What crosses files: the ledger's rules over both stores, crashes, the `ca` directory, and certificates judged by the system's openssl.

mod authority_files;
mod crash;
mod crl;
mod csr;
mod issuance;
mod ledger_rules;
mod support;
