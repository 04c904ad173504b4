//! What can go wrong in each step of a certificate's life. One enum per step, so that a caller sees only what can happen to it.

use signet_identity::{IdentityError, SerialNumber};
use signet_revocation::Reason;

use crate::ledger::LedgerError;
use crate::lint::LintError;
use crate::revoke::RevocationOutcome;
use crate::signer::SignerError;
use crate::subject_key::SubjectKeyError;

/// A certificate and key that make no authority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// Not a certificate.
    #[error("the certificate cannot be read: {0}")]
    Unreadable(String),
    /// A certificate whose public key is not certified.
    #[error(transparent)]
    Key(#[from] SubjectKeyError),
    /// A certificate whose fields are refused.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// An end-entity certificate.
    #[error(
        "`{subject}` is not a certificate authority (basicConstraints has no CA:TRUE): give the issuing authority's certificate, not a device's or server's"
    )]
    NotAnAuthority {
        /// Its subject.
        subject: String,
    },
    /// An authority that must not do what it is needed for.
    #[error("`{subject}` may not sign {what}: its keyUsage lacks `{usage}`; issue it anew with keyCertSign and cRLSign")]
    KeyUsage {
        /// Its subject.
        subject: String,
        /// What it is needed for.
        what: &'static str,
        /// The missing usage.
        usage: &'static str,
    },
    /// The key of another certificate.
    #[error("the private key does not belong to the certificate of `{subject}`")]
    KeyMismatch {
        /// The certificate's subject.
        subject: String,
    },
    /// The chain does not hold together.
    #[error("`{subject}` was not issued by `{issuer}`: the certificates are in the wrong order or of different authorities")]
    BrokenChain {
        /// The lower certificate.
        subject: String,
        /// The one above it.
        issuer: String,
    },
    /// A subject whose form cannot be written back octet by octet.
    #[error(
        "the subject of `{subject}` has a form that Signet cannot repeat exactly in the certificates it issues: use an authority with one value per attribute"
    )]
    UnsupportedName {
        /// Its subject.
        subject: String,
    },
    /// Used outside its validity.
    #[error(
        "the authority `{subject}` is not valid at this time (valid from {not_before} to {not_after}, now {now}): renew the authority or set the clock"
    )]
    NotInForce {
        /// Its subject.
        subject: String,
        /// Start of its validity.
        not_before: String,
        /// End of its validity.
        not_after: String,
        /// The time it was to be used.
        now: String,
    },
}

/// An authority that could not be created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CeremonyError {
    /// The name cannot be a subject.
    #[error("`{found}` cannot be the name of an authority: expected 1 to 64 characters without control characters")]
    Name {
        /// The name, escaped.
        found: String,
    },
    /// The validity is too short or reaches beyond the calendar.
    #[error("a validity of {seconds} s is not possible: use at least 60 s, ending before the year 10000")]
    Validity {
        /// What was asked for.
        seconds: i64,
    },
    /// The signer's key or the superior authority is unsuitable.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The signer failed.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The certificate could not be written.
    #[error("the certificate cannot be encoded: {0}")]
    Encode(String),
}

/// A certificate that was not issued. Nothing was handed out.
#[derive(Debug, thiserror::Error)]
pub enum IssuanceError {
    /// The authority is expired or unsuitable.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The contents broke a rule; found before any key was used.
    #[error("the certificate was not signed: {0}")]
    Lint(#[from] LintError),
    /// The ledger refused or failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The signer failed. The ledger keeps the intent.
    #[error("the certificate with serial number `{serial}` stays intended and was not issued: {source}")]
    Signer {
        /// The intent's serial number.
        serial: SerialNumber,
        /// The signer's words.
        #[source]
        source: SignerError,
    },
    /// The token was made for another authority.
    #[error("the issuance of serial number `{serial}` was prepared for another authority: prepare it anew")]
    WrongAuthority {
        /// The intent's serial number.
        serial: SerialNumber,
    },
    /// What the signer returned is not a signature over what was linted and recorded.
    #[error(
        "the signed certificate with serial number `{serial}` differs from the one that was checked, or does not verify with the authority's key: the signer is faulty; the certificate was discarded"
    )]
    Differs {
        /// The intent's serial number.
        serial: SerialNumber,
    },
    /// The certificate could not be written.
    #[error("the certificate cannot be encoded: {0}")]
    Encode(String),
}

/// A certificate that was not revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// No certificate fits.
    #[error("no certificate of `{target}` is in the ledger: `signet device list` shows all")]
    Unknown {
        /// What was looked for.
        target: String,
    },
    /// `removeFromCRL` is an entry of delta CRLs, no reason to revoke.
    #[error("`{}` is not a reason to revoke a certificate: use for example `keyCompromise`, `superseded` or `cessationOfOperation`", reason.name())]
    NotAReason {
        /// The reason given.
        reason: Reason,
    },
    /// Only a hold can be taken back.
    #[error("`{target}` is not on hold{}", not_on_hold(*reason))]
    NotOnHold {
        /// What was to be released.
        target: String,
        /// Why it is revoked; `None` when it is not.
        reason: Option<Reason>,
    },
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger failed after it had recorded part of the work: what is `done` is revoked and has to take effect.
    #[error("only {} of the certificates could be done, ask again for the others: {failure}", done.len())]
    Partly {
        /// The certificates that are revoked.
        done: Vec<RevocationOutcome>,
        /// Why the next one is not.
        failure: LedgerError,
    },
}

fn not_on_hold(reason: Option<Reason>) -> String {
    match reason {
        None => ": it is not revoked, there is nothing to release".to_owned(),
        Some(reason) => format!(" but revoked for good ({}): issue a new certificate with `signet device add`", reason.name()),
    }
}

/// A CRL that was not made.
#[derive(Debug, thiserror::Error)]
pub enum CrlError {
    /// The authority is expired or unsuitable.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The time between two CRLs is impossible.
    #[error("a CRL validity of {seconds} s is not possible: use at least 60 s, ending before the year 10000")]
    Validity {
        /// What was asked for.
        seconds: i64,
    },
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The signer failed.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The signer made a signature that does not verify.
    #[error("the signed CRL does not verify with the authority's key: the signer is faulty; the CRL was discarded")]
    Differs,
    /// The CRL could not be written.
    #[error("the CRL cannot be encoded: {0}")]
    Encode(String),
}
