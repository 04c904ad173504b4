//! A revocation as it is told to those who hold connections.

use signet_identity::CertificateId;

use crate::reason::Reason;
use crate::revoked::Generation;

/// One certificate was revoked. Whoever checked a connection against an index of an older generation must check it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// Which certificate.
    pub certificate: CertificateId,
    /// Why.
    pub reason: Reason,
    /// The first generation of the index that knows.
    pub generation: Generation,
}
