//! What is no longer trusted: which certificate, since when, why, and how fresh that knowledge is.
//!
//! The ordering rule that makes a revocation hold: a revocation is made durable (ledger), then inserted into the
//! [`RevocationIndex`], whose [`Generation`] grows, so that every new handshake fails; then live connections are ended. A new connection is
//! registered first and compares the generation afterwards, so that no connection slips through between the two.
//!
//! A CRL's signature is verified once, when it is loaded; a look-up is a binary search. Deliberately missing: connections, signing, files,
//! clocks.

mod crl;
mod entry;
mod error;
mod event;
mod freshness;
mod index;
mod issuer;
mod reason;
#[cfg(test)]
mod testing;

pub use crl::{Crl, CrlNumber};
pub use error::{CrlError, UnknownReason};
pub use event::Revocation;
pub use freshness::{Freshness, StalePolicy};
pub use index::{CrlStatus, Generation, RevocationIndex, RevocationSource, Revoked, Verdict};
pub use issuer::{IssuerCertificate, SignatureVerifier, SignedData};
pub use reason::Reason;
