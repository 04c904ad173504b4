//! That a certificate is revoked, by whom, and the count of changes by which a connection knows whether it was checked against them.

use std::fmt;

use crate::reason::Reason;

/// Counts the changes of an index: whoever saw generation *n* knows every revocation up to *n*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Generation(u64);

impl Generation {
    /// A generation by number.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }

    /// The one after this.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who says that a certificate is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RevocationSource {
    /// Our own authority: stays whatever CRLs say.
    Authority,
    /// An operator, over the admin API: stays until the entry is removed.
    Operator,
    /// A CRL: stays as long as the list in force holds it.
    Crl,
    /// An OCSP responder: stays until it says otherwise.
    Ocsp,
}

/// Completes the sentence "revoked by …".
impl fmt::Display for RevocationSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authority => "our own authority",
            Self::Operator => "the operator",
            Self::Crl => "a CRL",
            Self::Ocsp => "an OCSP responder",
        })
    }
}

/// A certificate is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// Since when, seconds since 1970-01-01 UTC.
    pub since: i64,
    /// Why.
    pub reason: Reason,
    /// Who says so.
    pub source: RevocationSource,
}
