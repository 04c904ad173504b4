//! CertificateId → revoked or not: an immutable value, so that a handshake reads it without a lock and a change is one pointer swap.

use std::fmt;

use signet_identity::{CertificateId, NameDigest};

use crate::crl::{Crl, CrlNumber};
use crate::error::CrlError;
use crate::freshness::StalePolicy;
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
    /// A CRL: stays as long as the issuer's current CRL holds it.
    Crl,
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

/// What is known about an issuer's current CRL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrlStatus {
    /// crlNumber; `None` in a version 1 CRL.
    pub number: Option<CrlNumber>,
    /// When it was made, seconds since 1970-01-01 UTC.
    pub this_update: i64,
    /// When the next is due, seconds since 1970-01-01 UTC; `None` when it does not say.
    pub next_update: Option<i64>,
    /// How many certificates are on it.
    pub entries: usize,
}

/// The answer for a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against it.
    Good,
    /// A certificate of the path is revoked.
    Revoked {
        /// Which one.
        id: CertificateId,
        /// Since when, why, and who says so.
        revoked: Revoked,
    },
    /// A CRL that the path depends on is overdue, and [`StalePolicy::Deny`] asks for current ones.
    Stale {
        /// The issuer of the overdue CRL.
        issuer: NameDigest,
        /// When its successor was due, seconds since 1970-01-01 UTC.
        next_update: i64,
    },
}

/// Every revoked certificate that this process knows. Cloning is cheap: the arrays are shared.
#[derive(Debug, Clone, Default)]
pub struct RevocationIndex {
    generation: Generation,
}

impl RevocationIndex {
    /// An index that knows of no revocation, at generation 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Which generation this is.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// How many revocations it holds. A certificate revoked by our authority and listed in a CRL as well counts twice.
    #[must_use]
    pub fn len(&self) -> usize {
        todo!()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a certificate is revoked. What our own authority says comes before a CRL.
    #[must_use]
    pub fn lookup(&self, id: &CertificateId) -> Option<Revoked> {
        let _ = id;
        todo!()
    }

    /// What is known about an issuer's CRL; `None` when none was loaded.
    #[must_use]
    pub fn crl_status(&self, issuer: NameDigest) -> Option<CrlStatus> {
        let _ = issuer;
        todo!()
    }

    /// Judges a verified path: the leaf's id and those of the intermediates (the trust anchor is trusted by configuration). An issuer without a
    /// CRL is never stale. `now` in seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn verdict(&self, path: &[CertificateId], now: i64, stale: StalePolicy) -> Verdict {
        let _ = (path, now, stale);
        todo!()
    }

    /// The next generation, with one more revocation by our own authority.
    #[must_use]
    pub fn with_revoked(&self, id: CertificateId, revoked: Revoked) -> Self {
        self.with_revocations([(id, revoked)])
    }

    /// The next generation, with many more revocations by our own authority, as when the ledger is read at start.
    #[must_use]
    pub fn with_revocations(&self, revocations: impl IntoIterator<Item = (CertificateId, Revoked)>) -> Self {
        let _ = revocations.into_iter();
        todo!()
    }

    /// The next generation, with a CRL in place of the issuer's previous one, and the ids that were not revoked before.
    ///
    /// # Errors
    /// [`CrlError::Older`] when the issuer's CRL in force is newer.
    pub fn with_crl(&self, crl: Crl) -> Result<(Self, Vec<CertificateId>), CrlError> {
        let _ = crl;
        todo!()
    }
}
