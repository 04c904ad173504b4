//! What a device certificate authority decides: what a certificate contains, when one may be signed, and what is revoked.
//!
//! The life of a device certificate, in order:
//!
//! 1. [`create_root`] and [`create_issuing`] make the two authorities once ([`ceremony`]); [`Authority`] ties the issuing one to its key.
//! 2. A device brings a public key: as a [`Csr`] whose signature proves that it holds the private half, or as a key made on its behalf.
//! 3. [`IssuanceRequest`] names the device or server. What the certificate will contain comes from its [`Profile`] alone; nothing that a
//!    request asks for is copied.
//! 4. [`prepare()`] builds the certificate with an empty signature, lints that twin, and records the intent in the [`Ledger`]: durable before
//!    any key is used. The result is an [`IssuanceToken`].
//! 5. [`IssuanceToken::issue`] redeems the token once, signs, and records the certificate before handing it out.
//! 6. [`revoke()`] is durable when it returns; [`publish_crl`] tells the outside world.
//!
//! Absences: no clock (time is `now`, Unix seconds), no randomness (serial numbers come from the caller's [`SerialEntropy`]), no files.
//! The private key is behind [`Signer`]; only `io/ledger` implements it. Nothing that speaks MQTT depends on this crate.

mod authority;
mod ceremony;
mod crl;
mod csr;
mod error;
mod issue;
mod ledger;
mod lint;
mod orders;
mod pem;
mod prepare;
mod profile;
mod release;
mod request;
mod revoke;
mod serial;
mod server_name;
mod signer;
mod subject_key;
mod time;
mod verify;

pub use authority::{Authority, CaCertificate};
pub use ceremony::{ISSUING_VALIDITY_SECONDS, ROOT_VALIDITY_SECONDS, create_issuing, create_root};
pub use crl::{DEFAULT_CRL_VALIDITY_SECONDS, SignedCrl, crl_is_complete, publish_crl};
pub use csr::{CSR_BYTES_MAX, Csr, CsrError};
pub use error::{AuthorityError, CeremonyError, CrlError, IssuanceError, RevokeError};
pub use issue::{IssuedCertificate, issue_certificate};
pub use ledger::{
    CrlRecord, Intent, Issued, IssuedFacts, Ledger, LedgerError, Record, RevocationEvent, RevocationRecord, RevokedFacts, Status,
};
pub use lint::LintError;
pub use orders::{
    AUDIT_RECORDS_KEPT, AuditQuery, AuditRecord, DISABLED_PROFILES_MAXIMUM, DisabledProfile, OPERATOR_ENTRIES_MAXIMUM, OperatorEntry,
    OperatorSubject, Orders, SUSPENSIONS_MAXIMUM, Suspension,
};
pub use pem::{PemBlock, PemError, decode_pem, encode_pem};
pub use prepare::{IssuanceToken, prepare};
pub use profile::{BACKDATE_SECONDS, DEVICE_VALIDITY_SECONDS, Profile, ProfileKind, SERVER_VALIDITY_SECONDS};
pub use release::{release, release_all};
pub use request::{IssuanceRequest, RequestError};
pub use revoke::{RevocationOutcome, Target, resolve, revoke, revoke_all};
pub use serial::SerialEntropy;
pub use server_name::{ServerName, ServerNameError};
pub use signer::{KeyType, KeyTypeError, SignatureAlgorithm, Signer, SignerError};
pub use subject_key::{KeyKind, SubjectKey, SubjectKeyError};
