//! The memory of the authority: every intended, issued and revoked certificate. `io/ledger` implements it, durable or in memory.
//!
//! Order is the promise. An intent is durable before a key signs; a certificate is durable before anybody gets it; a revocation is durable
//! before it is reported. So a crash can leave an intent without a certificate, never a certificate without an intent.

use core::fmt;

use signet_identity::{CertificateId, Fingerprint, NameDigest, SerialNumber};
use signet_revocation::{Generation, Reason};

use crate::orders::Orders;
use crate::profile::ProfileKind;

/// Every certificate of the authority, append-only but for the state of a certificate.
///
/// Each `record_…` and `next_crl_number` is durable when it returns `Ok`, and has changed nothing when it returns `Err`.
pub trait Ledger: Orders {
    /// Records that a certificate is about to be signed.
    ///
    /// # Errors
    /// [`LedgerError::AlreadyKnown`] when the issuer has used this serial number before; [`LedgerError::Storage`].
    fn record_intent(&mut self, intent: &Intent) -> Result<(), LedgerError>;

    /// Records the certificate that came out of an intent.
    ///
    /// # Errors
    /// [`LedgerError::Unknown`] without an intent; [`LedgerError::AlreadyIssued`] the second time; [`LedgerError::Storage`].
    fn record_issued(&mut self, issued: &Issued) -> Result<(), LedgerError>;

    /// Records a revocation and returns its generation, one higher than the one before.
    ///
    /// With [`Reason::RemoveFromCrl`] the certificate is not revoked any more. Whether one may be revoked (again) or released is decided by
    /// [`crate::revoke()`] and [`crate::release()`], not here.
    ///
    /// # Errors
    /// [`LedgerError::Unknown`] for a certificate that was never intended; [`LedgerError::Storage`].
    fn record_revoked(&mut self, revocation: &RevocationRecord) -> Result<Generation, LedgerError>;

    /// One certificate.
    ///
    /// # Errors
    /// [`LedgerError::Storage`], as for every reading method below.
    fn find(&self, certificate: &CertificateId) -> Result<Option<Record>, LedgerError>;

    /// The certificates with this serial number; more than one only when the ledger served several issuers.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn find_by_serial(&self, serial: &SerialNumber) -> Result<Vec<Record>, LedgerError>;

    /// The certificates of a device or server, oldest first.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn find_by_name(&self, name: &str) -> Result<Vec<Record>, LedgerError>;

    /// At most `limit` certificates in the order of issuance, beginning behind sequence number `after` (0 = from the start).
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn list(&self, after: u64, limit: usize) -> Result<Vec<Record>, LedgerError>;

    /// How many certificates were ever issued or intended.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn count(&self) -> Result<u64, LedgerError>;

    /// The DER of an issued certificate; `None` when it is unknown or was only intended.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn certificate_der(&self, certificate: &CertificateId) -> Result<Option<Vec<u8>>, LedgerError>;

    /// The revocations with a generation above `after`, in order. A certificate appears again when its hold became final or was taken back.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn revoked_since(&self, after: Generation) -> Result<Vec<RevocationEvent>, LedgerError>;

    /// The generation of the newest revocation; the zeroth when nothing was ever revoked.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn generation(&self) -> Result<Generation, LedgerError>;

    /// Takes the next CRL number of an issuer (SHA-256 of its Name): 1, 2, 3 … (RFC 5280 §5.2.3). A number that is taken and not used stays
    /// unused.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn next_crl_number(&mut self, issuer: NameDigest) -> Result<u64, LedgerError>;

    /// Records a signed CRL; only the newest of an issuer is kept.
    ///
    /// # Errors
    /// [`LedgerError::CrlNumber`] when it is not above the newest recorded one; [`LedgerError::Storage`].
    fn record_crl(&mut self, crl: &CrlRecord) -> Result<(), LedgerError>;

    /// The newest CRL of an issuer.
    ///
    /// # Errors
    /// [`LedgerError::Storage`].
    fn latest_crl(&self, issuer: NameDigest) -> Result<Option<CrlRecord>, LedgerError>;
}

/// What is written before a key signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Issuer and serial number.
    pub certificate: CertificateId,
    /// The device's name, or the first name of a server.
    pub name: String,
    /// What the certificate is for.
    pub profile: ProfileKind,
    /// Kind of the subject's key, such as `P-256`.
    pub key_type: String,
    /// SHA-256 of the subject's `SubjectPublicKeyInfo`.
    pub key_digest: [u8; 32],
    /// Start of validity, Unix seconds.
    pub not_before: i64,
    /// End of validity, Unix seconds, inclusive (RFC 5280 §4.1.2.5).
    pub not_after: i64,
    /// When this was recorded, Unix seconds.
    pub intended_at: i64,
    /// Who asked for it, as free text.
    pub issued_by: String,
}

/// The certificate that came out of an [`Intent`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// Issuer and serial number.
    pub certificate: CertificateId,
    /// SHA-256 of the DER.
    pub fingerprint: Fingerprint,
    /// When it was signed, Unix seconds.
    pub issued_at: i64,
    /// The certificate itself.
    pub der: Vec<u8>,
}

/// A revocation to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationRecord {
    /// Issuer and serial number.
    pub certificate: CertificateId,
    /// When it takes effect, Unix seconds.
    pub revoked_at: i64,
    /// Why (RFC 5280 §5.3.1).
    pub reason: Reason,
    /// Who asked for it, as free text.
    pub revoked_by: String,
}

/// A recorded revocation, as the revocation index and the CRL need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevocationEvent {
    /// Its place in the order of all revocations.
    pub generation: Generation,
    /// Issuer and serial number.
    pub certificate: CertificateId,
    /// When it took effect, Unix seconds.
    pub revoked_at: i64,
    /// Why.
    pub reason: Reason,
    /// End of the certificate's validity, Unix seconds.
    pub not_after: i64,
}

/// A signed CRL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlRecord {
    /// SHA-256 of the issuer's Name.
    pub issuer: NameDigest,
    /// CRL number.
    pub number: u64,
    /// Start of its validity, Unix seconds.
    pub this_update: i64,
    /// When the next one is due at the latest, Unix seconds.
    pub next_update: i64,
    /// The CRL itself.
    pub der: Vec<u8>,
}

/// What the ledger knows of one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the order of issuance, from 1.
    pub sequence: u64,
    /// What was intended.
    pub intent: Intent,
    /// What came out of it; `None` when the process ended between the intent and the signature.
    pub issued: Option<IssuedFacts>,
    /// Its revocation, if any.
    pub revoked: Option<RevokedFacts>,
}

impl Record {
    /// Where in its life the certificate is at `now` (Unix seconds). Revoked goes before expired.
    #[must_use]
    pub fn status(&self, now: i64) -> Status {
        match (&self.revoked, &self.issued) {
            (Some(revoked), _) if revoked.reason == Reason::CertificateHold => Status::OnHold,
            (Some(_), _) => Status::Revoked,
            (None, None) => Status::Intended,
            (None, Some(_)) if now > self.intent.not_after => Status::Expired,
            (None, Some(_)) if now < self.intent.not_before => Status::NotYetValid,
            (None, Some(_)) => Status::Valid,
        }
    }
}

/// When and as what a certificate was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IssuedFacts {
    /// When it was signed, Unix seconds.
    pub at: i64,
    /// SHA-256 of the DER.
    pub fingerprint: Fingerprint,
}

/// When, why and by whom a certificate was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedFacts {
    /// When it took effect, Unix seconds.
    pub at: i64,
    /// Why.
    pub reason: Reason,
    /// Who asked for it.
    pub by: String,
    /// Its place in the order of all revocations.
    pub generation: Generation,
}

/// Where in its life a certificate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Recorded before signing, and then never issued: the process ended in between.
    Intended,
    /// Its validity has not begun.
    NotYetValid,
    /// In use.
    Valid,
    /// Its validity is over.
    Expired,
    /// Revoked with reason `certificateHold`.
    OnHold,
    /// Revoked for good.
    Revoked,
}

impl Status {
    /// The name in listings and JSON: one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::NotYetValid => "not-yet-valid",
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::OnHold => "on-hold",
            Self::Revoked => "revoked",
        }
    }
}

impl fmt::Display for Status {
    /// Writes what people read: [`Status::name`], but for [`Status::Intended`], which needs an explanation.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Intended => "intended, never issued",
            other => other.name(),
        })
    }
}

/// Why the ledger did not do it. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A serial number came up twice.
    #[error(
        "serial number `{serial}` was used before by this issuer: the source of randomness is broken or the ledger is a copy; nothing was signed"
    )]
    AlreadyKnown {
        /// The serial number.
        serial: SerialNumber,
    },
    /// No intent exists for the certificate.
    #[error("no certificate with serial number `{serial}` is in the ledger")]
    Unknown {
        /// The serial number.
        serial: SerialNumber,
    },
    /// The intent was used before.
    #[error("the certificate with serial number `{serial}` is already recorded as issued")]
    AlreadyIssued {
        /// The serial number.
        serial: SerialNumber,
    },
    /// A CRL number did not rise.
    #[error("CRL number {found} is not above the newest recorded one, {newest}")]
    CrlNumber {
        /// The number to be recorded.
        found: u64,
        /// The newest number in the ledger.
        newest: u64,
    },
    /// A list has as many entries as it may have.
    #[error("there are {maximum} {what} already, which is the most: take those away that are no longer needed")]
    Full {
        /// What there are many of.
        what: &'static str,
        /// The bound.
        maximum: usize,
    },
    /// The store failed or holds something unreadable.
    #[error("the ledger cannot {action}: {source}")]
    Storage {
        /// What was tried, such as `record an intent`.
        action: &'static str,
        /// The store's own words.
        #[source]
        source: Box<dyn core::error::Error + Send + Sync>,
    },
}
