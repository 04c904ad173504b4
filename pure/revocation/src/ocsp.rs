//! OCSP (RFC 6960, RFC 5019): what a responder says about one certificate, asked for and verified here, carried by somebody else.

use signet_identity::{CertificateId, PathCertificate};

use crate::reason::Reason;

mod answers;
mod delegate;
mod error;
mod request;
mod response;

pub use answers::{OcspAnswers, Recorded};
pub use error::{OcspError, OcspRefusal};
pub use request::{CertIdHash, OcspRequest};
pub use response::{OcspResponse, OcspRules};

/// What a responder says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OcspStatus {
    /// Not revoked, as far as the responder knows.
    Good,
    /// Revoked or on hold.
    Revoked {
        /// Since when, seconds since 1970-01-01 UTC.
        since: i64,
        /// Why.
        reason: Reason,
    },
    /// The responder does not know the certificate: no answer at all.
    Unknown,
}

/// The name of the kind.
impl std::fmt::Display for OcspStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::Revoked { .. } => "revoked",
            Self::Unknown => "unknown",
        })
    }
}

/// Who signed an answer in the issuer's place (RFC 6960 §4.2.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OcspDelegate {
    /// The delegate's certificate, which the issuer of the certificate in question signed.
    pub id: CertificateId,
    /// id-pkix-ocsp-nocheck: the issuer says that nobody needs to ask about the delegate itself (RFC 6960 §4.2.2.2.1). Without it the
    /// index refuses the delegate's answers when a source at hand has the delegate revoked; it fetches nothing to find out.
    pub no_check: bool,
}

/// A verified answer about one certificate. Made by verifying a response and in no other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OcspAnswer {
    pub(crate) certificate: PathCertificate,
    pub(crate) status: OcspStatus,
    pub(crate) this_update: i64,
    pub(crate) next_update: Option<i64>,
    pub(crate) fetched_at: i64,
    pub(crate) delegate: Option<OcspDelegate>,
}

impl OcspAnswer {
    /// How long an answer without nextUpdate holds, in seconds from when it was fetched: it says that there is newer information at any time
    /// (RFC 6960 §4.2.2.1), and one question for each connection is not what that means.
    pub const LIFE_WITHOUT_NEXT_UPDATE: i64 = 300;

    /// Which certificate, and under which issuer's key.
    #[must_use]
    pub fn certificate(&self) -> PathCertificate {
        self.certificate
    }

    /// What was said.
    #[must_use]
    pub fn status(&self) -> OcspStatus {
        self.status
    }

    /// Since when that is known to be so, seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn this_update(&self) -> i64 {
        self.this_update
    }

    /// When newer information will be there, as the responder says, seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn next_update(&self) -> Option<i64> {
        self.next_update
    }

    /// When it was verified, seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn fetched_at(&self) -> i64 {
        self.fetched_at
    }

    /// Who signed it in the issuer's place; `None` when the issuer did.
    #[must_use]
    pub fn delegate(&self) -> Option<OcspDelegate> {
        self.delegate
    }

    /// The last second in which it is fresh: nextUpdate, or [`Self::LIFE_WITHOUT_NEXT_UPDATE`] after it was fetched.
    #[must_use]
    pub fn fresh_until(&self) -> i64 {
        self.next_update.unwrap_or_else(|| self.fetched_at.saturating_add(Self::LIFE_WITHOUT_NEXT_UPDATE))
    }

    fn is_revoked(&self) -> bool {
        matches!(self.status, OcspStatus::Revoked { .. })
    }
}
