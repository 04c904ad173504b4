//! What an OCSP response can fail at.

use std::fmt;

use signet_identity::der::time_text;

/// Why a response is no answer. What was known before stays known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OcspError {
    /// More bytes than are read.
    #[error("the OCSP response has {size} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Bytes found.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A field is malformed.
    #[error("the OCSP response's {field} cannot be read: {reason}")]
    Unreadable {
        /// The standard's name of the field, such as `producedAt`.
        field: &'static str,
        /// What was found and what was expected.
        reason: String,
    },
    /// The responder did not answer.
    #[error("the OCSP responder says `{0}`")]
    Refused(OcspRefusal),
    /// Another kind of response than id-pkix-ocsp-basic.
    #[error("the OCSP response is of the type {oid}, expected id-pkix-ocsp-basic")]
    OtherType {
        /// Its OID.
        oid: String,
    },
    /// The response is signed by nobody who may.
    #[error(
        "the OCSP response is signed by {responder}, which is neither the certificate's issuer `{issuer}` nor a certificate in the response"
    )]
    UnknownResponder {
        /// The ResponderID.
        responder: String,
        /// The issuer's name.
        issuer: String,
    },
    /// The certificate of the signer is not one by which the issuer delegates (RFC 6960 §4.2.2.2).
    #[error("the OCSP response is signed by `{delegate}`, which may not sign for the issuer `{issuer}`: {reason}")]
    MayNotSign {
        /// The signer's name.
        delegate: String,
        /// The issuer's name.
        issuer: String,
        /// What is missing.
        reason: String,
    },
    /// The signature is not the responder's.
    #[error("the signature of the OCSP response by {responder} is not valid: {reason}")]
    BadSignature {
        /// Who should have signed.
        responder: String,
        /// What the verifier said.
        reason: String,
    },
    /// The response is about other certificates.
    #[error("the OCSP response says nothing about the certificate that was asked for, serial number {serial}")]
    OtherCertificate {
        /// The serial number asked for.
        serial: String,
    },
    /// thisUpdate is in the future.
    #[error("the OCSP response is of {}, which is in the future; check the clocks of this machine and of the responder", time_text(*.this_update))]
    NotYet {
        /// Seconds since 1970-01-01 UTC.
        this_update: i64,
    },
    /// nextUpdate has passed, or thisUpdate is longer ago than the rules allow.
    #[error("the OCSP response held until {}; the responder gives out old responses", time_text(*.until))]
    Expired {
        /// Seconds since 1970-01-01 UTC.
        until: i64,
    },
    /// The rules ask for a nonce, and the response has none.
    #[error("the OCSP response has no nonce, which the rules ask for; this responder gives out responses made in advance")]
    NonceMissing,
    /// Another nonce than the one sent: a response to somebody else's request, or a replay.
    #[error("the OCSP response has another nonce than the request: it answers another request")]
    NonceMismatch,
    /// A critical extension that is not understood (RFC 6960 §4.4).
    #[error("the OCSP response has the critical extension {oid}, which is not supported")]
    UnknownCriticalExtension {
        /// Its OID.
        oid: String,
    },
}

/// OCSPResponseStatus other than successful (RFC 6960 §4.2.1): unsigned, so nothing but a reason to ask again or elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OcspRefusal {
    /// The responder cannot read the request.
    MalformedRequest,
    /// Something is wrong at the responder.
    InternalError,
    /// The responder is busy.
    TryLater,
    /// The responder wants signed requests.
    SigRequired,
    /// The responder does not answer for this issuer, or not to us.
    Unauthorized,
}

impl OcspRefusal {
    /// The refusal of a status code; `None` for success (0) and codes that are not used.
    pub(super) fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::MalformedRequest),
            2 => Some(Self::InternalError),
            3 => Some(Self::TryLater),
            5 => Some(Self::SigRequired),
            6 => Some(Self::Unauthorized),
            _ => None,
        }
    }
}

/// The standard's name, such as `tryLater`.
impl fmt::Display for OcspRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MalformedRequest => "malformedRequest",
            Self::InternalError => "internalError",
            Self::TryLater => "tryLater",
            Self::SigRequired => "sigRequired",
            Self::Unauthorized => "unauthorized",
        })
    }
}
