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
mod explain;
mod freshness;
mod index;
mod issuer;
mod judge;
mod list;
mod number;
mod ocsp;
mod operator;
mod own;
mod reason;
mod revoked;
mod scope;
#[cfg(test)]
mod testing;
mod write;

pub use crl::{Crl, CrlStatus};
pub use error::{CrlError, UnknownReason};
pub use event::Revocation;
pub use explain::{AnswerSource, CertificateStatus, Finding, StatusAnswer};
pub use freshness::{Freshness, StalePolicy};
pub use index::RevocationIndex;
pub use issuer::{IssuerCertificate, SignatureVerifier, SignedData};
pub use judge::{Assurance, RevocationDepth, RevocationMode, RevocationRules, Verdict};
pub use list::{ListSource, ListStatus, MAXIMUM_LISTS, MAXIMUM_SOURCES};
pub use number::CrlNumber;
pub use ocsp::{
    CertIdHash, OcspAnswer, OcspAnswers, OcspDelegate, OcspError, OcspRefusal, OcspRequest, OcspResponse, OcspRules, OcspStatus, Recorded,
};
pub use operator::{OperatorTarget, Suspended};
pub use reason::Reason;
pub use revoked::{Generation, RevocationSource, Revoked};
pub use scope::Scope;
