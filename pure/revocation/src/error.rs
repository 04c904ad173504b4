//! What a CRL or a reason can fail at.

use crate::number::CrlNumber;
use crate::reason::Reason;

/// Why a CRL was not taken over. The previous state stays in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// More bytes than are read.
    #[error("the CRL file has {size} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Bytes found.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Neither PEM with a `X509 CRL` block nor DER.
    #[error("no CRL found: {reason}; expected a PEM block `-----BEGIN X509 CRL-----` or one CRL in DER")]
    NoCrl {
        /// What was found instead.
        reason: String,
    },
    /// A field is malformed.
    #[error("the CRL's {field} cannot be read: {reason}")]
    Unreadable {
        /// The standard's name of the field, such as `thisUpdate`.
        field: &'static str,
        /// What was found and what was expected.
        reason: String,
    },
    /// The CRL's issuer is none of the certificates at hand.
    #[error(
        "the CRL is issued by `{found}`, but the CA certificates at hand are {known}; add the issuer's certificate, or remove this CRL"
    )]
    UnknownIssuer {
        /// The issuer's name in the CRL.
        found: String,
        /// The names of the CA certificates, quoted.
        known: String,
    },
    /// The issuer's certificate does not allow it to sign CRLs (RFC 5280 §6.3.3 (f)).
    #[error(
        "the CRL is issued by `{issuer}`, whose certificate does not allow that: its keyUsage lacks cRLSign, or is absent and it is no CA"
    )]
    IssuerMayNotSign {
        /// The issuer's name.
        issuer: String,
    },
    /// The signature is not the issuer's.
    #[error(
        "the signature of the CRL issued by `{issuer}` is not valid: {reason}; it was changed, or signed with another key under the same name"
    )]
    BadSignature {
        /// The issuer's name.
        issuer: String,
        /// What the verifier said.
        reason: String,
    },
    /// A critical extension that is not understood (RFC 5280 §5.2): entries could mean something else than they seem to.
    #[error("the CRL of `{issuer}` has the critical extension {oid}, which is not supported")]
    UnknownCriticalExtension {
        /// The issuer's name.
        issuer: String,
        /// Its OID, with a name when there is one.
        oid: String,
    },
    /// A CRL that is of no use here, or contradicts itself.
    #[error("the CRL of `{issuer}` {what}; it was left out, load a CRL of this issuer for its certificates")]
    Unsupported {
        /// The issuer's name.
        issuer: String,
        /// What it is.
        what: &'static str,
    },
    /// An older CRL than the one in force (RFC 5280 §5.2.3: numbers increase).
    #[error("the CRL of `{issuer}` is older than the one in force: {found}, but {current} is loaded; fetch the current CRL")]
    Older {
        /// The issuer's name.
        issuer: String,
        /// Number or date of the refused CRL.
        found: String,
        /// Number or date of the CRL in force.
        current: String,
    },
    /// A delta CRL without the complete CRL that it changes (RFC 5280 §5.2.4).
    #[error(
        "the delta CRL of `{issuer}` needs its complete CRL of {scope} with number {base_number} or higher, but {found}; load that first"
    )]
    NoBase {
        /// The issuer's name.
        issuer: String,
        /// What the delta covers.
        scope: String,
        /// BaseCRLNumber.
        base_number: CrlNumber,
        /// What is loaded instead.
        found: String,
    },
    /// More lists than are kept.
    #[error("the CRL of `{issuer}` was left out: {limit} CRLs are loaded, which is the limit; remove some from the configuration")]
    TooMany {
        /// The issuer's name.
        issuer: String,
        /// Lists allowed.
        limit: usize,
    },
    /// A certificate given as the issuer cannot be read.
    #[error("the CRL issuer's certificate is not usable: {0}")]
    Issuer(#[from] signet_identity::IdentityError),
}

/// Text that names no [`Reason`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownReason {
    found: String,
    nearest: Option<Reason>,
}

impl UnknownReason {
    pub(crate) fn new(found: &str, nearest: Option<Reason>) -> Self {
        Self { found: found.chars().take(64).flat_map(char::escape_debug).collect(), nearest }
    }

    /// The reason that was probably meant.
    #[must_use]
    pub fn nearest(&self) -> Option<Reason> {
        self.nearest
    }
}

impl std::error::Error for UnknownReason {}

impl std::fmt::Display for UnknownReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unknown reason `{}`; ", self.found)?;
        if let Some(nearest) = self.nearest {
            return write!(f, "did you mean `{nearest}`?");
        }
        f.write_str("expected one of")?;
        let mut separator = " ";
        for reason in Reason::ALL {
            write!(f, "{separator}`{reason}`")?;
            separator = ", ";
        }
        Ok(())
    }
}
