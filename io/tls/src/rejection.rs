//! Words and alerts for every check that a client's certificate can fail.

use std::sync::Arc;

use rustls::{CertificateError, OtherError};
use signet_identity::{CertificateId, DeviceIdentity, DeviceName, IdentityError, Leaf};
use signet_revocation::{Reason, Revoked};

use crate::{Check, Refusal, date, version_1};

/// Why somebody may not be here, for whoever has to end a session because of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// A certificate of the path is revoked.
    Revoked(Reason),
    /// The device is suspended, in the operator's words.
    Suspended(Arc<str>),
    /// The certificate's time is over, or has not begun.
    Expired,
    /// No trusted path, or a certificate that the rules of the trust profile do not allow.
    Untrusted,
    /// The trust profile is disabled.
    ProfileDisabled(Arc<str>),
    /// The certificate gives no name, or another one than before.
    IdentityChanged,
    /// Nobody could say in time whether it is revoked, or what was known is too old.
    Unchecked,
}

/// A failed check, for the operator, for the wire, and for the end of a session.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) refusal: Box<Refusal>,
    pub(crate) alert: CertificateError,
    pub(crate) unfit: Unfit,
}

impl Rejected {
    pub(crate) fn with(mut self, unfit: Unfit) -> Self {
        self.unfit = unfit;
        self
    }
}

fn reject(leaf: &Leaf, check: Check, alert: CertificateError, found: impl Into<String>, hint: impl Into<String>) -> Rejected {
    Rejected { refusal: Box::new(Refusal::of(leaf, check, found, hint)), alert, unfit: Unfit::Untrusted }
}

/// What TLS has no alert for, as rustls wants to see it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Words(&'static str);

fn other(words: &'static str) -> CertificateError {
    CertificateError::Other(OtherError(Arc::new(Words(words))))
}

pub(crate) fn unreadable(error: &IdentityError) -> Rejected {
    let hint = "show it with `openssl x509 -in FILE -noout -text` and issue a new one";
    Rejected {
        refusal: Box::new(Refusal::without_certificate(Check::CertificateForm, error.to_string(), hint)),
        alert: CertificateError::BadEncoding,
        unfit: Unfit::Untrusted,
    }
}

/// RFC 5280 §4.1.2.1: only version 3 has the extensions that say what a certificate may be used for.
pub(crate) fn version(leaf: &Leaf) -> Rejected {
    let found = format!("the certificate is X.509 version {}, which has no extensions to say that it is a device's", leaf.version());
    let hint = "issue it again as version 3: plain `openssl x509 -req` makes version 1, so give it `-extfile FILE` where FILE holds \
                `extendedKeyUsage=clientAuth`, or use `signet device add NAME --csr FILE`; or allow it by `version_1` of the trust profile";
    reject(leaf, Check::CertificateForm, CertificateError::InvalidPurpose, found, hint)
}

/// What holds for every device's certificate, whoever issued it. `may_be_old`: some profile takes those of version 1 and 2.
pub(crate) fn check_form(leaf: &Leaf, may_be_old: bool) -> Result<(), Rejected> {
    if version_1::is_old(leaf) && !may_be_old {
        return Err(version(leaf));
    }
    // What it would sign with such a key is not verified, which would read as if it did not have the key.
    if let Some(bits) = leaf.key_kind().strip_prefix("RSA-").and_then(|bits| bits.parse::<u32>().ok()).filter(|bits| *bits < RSA_MINIMUM) {
        let found = format!("its key is RSA-{bits}, too short to prove anything; RSA keys count from {RSA_MINIMUM} bits on");
        let hint = "make the device a new key, of ECDSA P-256 for one, and issue a certificate for it";
        return Err(reject(leaf, Check::CertificateForm, CertificateError::InvalidPurpose, found, hint));
    }
    if leaf.is_ca() {
        let found = "the certificate is a certification authority's (basicConstraints CA:true)";
        return Err(reject(leaf, Check::Usage, CertificateError::InvalidPurpose, found, "use a certificate issued for this device"));
    }
    // RFC 5280 §4.2.1.3: a TLS client proves itself by a signature.
    if !leaf.allows_digital_signature() {
        let found = "its keyUsage does not hold digitalSignature (RFC 5280 §4.2.1.3)";
        let hint = "issue a certificate with `keyUsage=digitalSignature`, or without keyUsage";
        return Err(reject(leaf, Check::Usage, CertificateError::InvalidPurpose, found, hint));
    }
    Ok(())
}

/// RFC 5280 §4.1.2.5: both ends of the interval are valid. `grace` in seconds is added to the end.
pub(crate) fn check_validity(leaf: &Leaf, now: i64, grace: i64) -> Result<(), Rejected> {
    let validity = leaf.validity();
    if now > validity.not_after.saturating_add(grace) {
        let found = format!("the certificate expired at {}", date::text(validity.not_after));
        let hint = "issue a new one; if it should still be valid, check this machine's clock";
        return Err(reject(leaf, Check::Validity, CertificateError::Expired, found, hint).with(Unfit::Expired));
    }
    if now < validity.not_before {
        let found = format!("the certificate is not valid before {}", date::text(validity.not_before));
        let hint = "check the clocks of this machine and of the issuer";
        return Err(reject(leaf, Check::Validity, CertificateError::NotValidYet, found, hint).with(Unfit::Expired));
    }
    Ok(())
}

pub(crate) fn authority_expired(leaf: &Leaf, not_after: i64) -> Rejected {
    let found = format!("a certification authority in its path expired at {}", date::text(not_after));
    let hint = "renew the issuing CA and issue the device a new certificate";
    reject(leaf, Check::Validity, CertificateError::Expired, found, hint).with(Unfit::Expired)
}

pub(crate) fn revoked(leaf: &Leaf, id: CertificateId, revoked: Revoked) -> Rejected {
    let which = if id == leaf.id() { "the certificate".to_owned() } else { format!("the intermediate with serial number {}", id.serial()) };
    let found = format!("{which} was revoked at {} ({})", date::text(revoked.since), revoked.reason.name());
    let hint = match revoked.reason {
        Reason::CertificateHold => "it is on hold: `signet device release NAME` lets it in again, if its authority is ours",
        _ => "issue a new certificate with `signet device add NAME`",
    };
    reject(leaf, Check::Revocation, CertificateError::Revoked, found, hint).with(Unfit::Revoked(revoked.reason))
}

pub(crate) fn suspended(leaf: &Leaf, device: &str, since: i64, why: &Arc<str>) -> Rejected {
    let found = format!("the device `{device}` is suspended since {}: {why}", date::text(since));
    let hint = format!("`signet device resume {device}` lets it in again");
    reject(leaf, Check::Suspension, other("the device is suspended"), found, hint).with(Unfit::Suspended(Arc::clone(why)))
}

/// The same for a device of which only the name is known.
pub(crate) fn suspended_name(device: &DeviceName, since: i64, why: &str) -> Refusal {
    let found = format!("the device `{device}` is suspended since {}: {why}", date::text(since));
    Refusal::without_certificate(Check::Suspension, found, format!("`signet device resume {device}` lets it in again"))
}

pub(crate) fn stale(leaf: &Leaf, next_update: i64) -> Rejected {
    let found = format!(
        "what is known about revocations of an issuer in its path was due to be replaced at {}, longer ago than the grace allows",
        date::text(next_update)
    );
    let hint =
        "see `signet revocation sources` for what could not be fetched; `revocation_grace` of the trust profile bridges a longer time";
    reject(leaf, Check::RevocationFreshness, other("the revocation list is past its next update"), found, hint).with(Unfit::Unchecked)
}

pub(crate) fn unknown_status(leaf: &Leaf, id: CertificateId) -> Rejected {
    let which = if id == leaf.id() { "the certificate".to_owned() } else { format!("the intermediate with serial number {}", id.serial()) };
    let found = format!("no source can say whether {which} is revoked, and its trust profile requires that one does");
    let hint = "see `signet revocation sources`; `revocation = \"prefer\"` of the trust profile lets it in without an answer";
    reject(leaf, Check::RevocationStatus, other("the revocation status is not known"), found, hint).with(Unfit::Unchecked)
}

/// Disabled by an operator, or by the configuration.
pub(crate) fn disabled(leaf: &Leaf, profile: &Arc<str>, by_operator: bool) -> Rejected {
    let (found, hint) = if by_operator {
        let hint = format!("`signet trust enable {profile}` lets its devices in again; `signet trust list` shows who disabled it and why");
        (format!("its trust profile `{profile}` is disabled by an operator"), hint)
    } else {
        let hint = "`enabled = true` in its [[trust]], and a reload, let its devices in again".to_owned();
        (format!("its trust profile `{profile}` is disabled by the configuration"), hint)
    };
    reject(leaf, Check::Profile, other("the trust profile is disabled"), found, hint).with(Unfit::ProfileDisabled(Arc::clone(profile)))
}

pub(crate) fn profile_gone(leaf: &Leaf, profile: &str) -> Rejected {
    let found = format!("its trust profile `{profile}` does not exist at this listener any more");
    reject(leaf, Check::Profile, CertificateError::UnknownIssuer, found, "name the profile in the listener's `profiles`")
}

pub(crate) fn anchor_gone(leaf: &Leaf, profile: &str) -> Rejected {
    let found = format!("the trust profile `{profile}` does not hold a certification authority of its path any more");
    reject(
        leaf,
        Check::Path,
        CertificateError::UnknownIssuer,
        found,
        "add the issuing CA to the profile's `ca`, or issue a new certificate",
    )
}

pub(crate) fn renamed(leaf: &Leaf, identity: &DeviceIdentity, name: &DeviceName) -> Rejected {
    let found = format!("by the rules of now its device is called `{name}`, it connected as `{}`", identity.qualified_name());
    reject(leaf, Check::Name, CertificateError::ApplicationVerificationFailure, found, "nothing: it may connect again under the new name")
        .with(Unfit::IdentityChanged)
}

pub(crate) fn name(leaf: &Leaf, error: &IdentityError) -> Rejected {
    let hint = "change the `device` template of the listener or trust profile, or issue a certificate with such a name";
    reject(leaf, Check::Name, CertificateError::ApplicationVerificationFailure, error.to_string(), hint)
}

pub(crate) fn rules(leaf: &Leaf, profile: &str, error: &IdentityError) -> Rejected {
    let hint = format!("issue a certificate that keeps the rules of the trust profile `{profile}`, or change them");
    reject(leaf, Check::Profile, CertificateError::ApplicationVerificationFailure, error.to_string(), hint)
}

pub(crate) fn constraints(leaf: &Leaf, authority: &Leaf, error: &IdentityError) -> Rejected {
    let found = format!("the name constraints of `{}` do not allow it: {error}", authority.subject().rfc4514());
    let hint = "issue a certificate whose names the authority may give (RFC 5280 §4.2.1.10)";
    reject(leaf, Check::NameConstraints, CertificateError::BadEncoding, found, hint)
}

pub(crate) fn unreadable_authority(leaf: &Leaf, error: &IdentityError) -> Rejected {
    let found = format!("an intermediate certificate cannot be read: {error}");
    reject(leaf, Check::Path, CertificateError::BadEncoding, found, "issue the intermediate again")
}

pub(crate) fn no_authority(leaf: &Leaf, authority: &Leaf) -> Rejected {
    let subject = authority.subject().rfc4514();
    let found = format!("the keyUsage of `{subject}` in its path does not hold keyCertSign (RFC 5280 §6.1.4)");
    let hint = "issue the device a certificate from an authority that may sign certificates";
    reject(leaf, Check::Path, CertificateError::UnknownIssuer, found, hint)
}

/// More certificates than any path is long.
pub(crate) fn long_chain(leaf: &Leaf, count: usize, maximum: usize) -> Rejected {
    let found = format!("the client sent {count} intermediate certificates, at most {maximum} are looked at");
    let hint = "the device has to send its own certificate and those between it and the trust anchor, and no others";
    reject(leaf, Check::Path, CertificateError::UnknownIssuer, found, hint)
}

/// The anchor allows fewer authorities below it.
pub(crate) fn too_deep(leaf: &Leaf, anchor: &Leaf, below: usize, limit: u32) -> Rejected {
    let subject = anchor.subject().rfc4514();
    let found = format!("{below} authorities stand below `{subject}`, whose pathLenConstraint allows {limit} (RFC 5280 §4.2.1.9)");
    let hint = "issue the device a certificate from an authority that may; an authority without that constraint may have others below it";
    reject(leaf, Check::Path, CertificateError::UnknownIssuer, found, hint)
}

/// The shortest RSA key whose signatures the TLS library verifies, in bits.
const RSA_MINIMUM: u32 = 2_048;

/// id-kp-clientAuth (RFC 5280 §4.2.1.12).
const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";

/// What webpki found, in our words.
pub(crate) fn path(leaf: &Leaf, error: &webpki::Error) -> Rejected {
    use webpki::Error as Found;
    let issuer = leaf.issuer().rfc4514();
    match error {
        Found::UnknownIssuer => {
            let found = format!("no path from its issuer `{issuer}` to a trust anchor of this listener");
            let hint = "add the issuing CA to the listener's `trust`, or have the device send its intermediate certificates";
            reject(leaf, Check::Path, CertificateError::UnknownIssuer, found, hint)
        }
        Found::InvalidSignatureForPublicKey => {
            let found = format!("its signature was not made by the `{issuer}` that this listener trusts: another CA of the same name");
            let hint = "issue the device a certificate from the CA in the listener's `trust`";
            reject(leaf, Check::Path, CertificateError::UnknownIssuer, found, hint)
        }
        // The leaf's own dates give the exact words; when it is fine, it is an intermediate that is not valid now.
        Found::CertExpired { time, .. } | Found::CertNotValidYet { time, .. } => {
            let now = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
            check_validity(leaf, now, 0).err().unwrap_or_else(|| {
                let found = format!("a certification authority in its path is not valid now: {error}");
                let hint = "renew the issuing CA and issue the device a new certificate";
                reject(leaf, Check::Validity, CertificateError::Expired, found, hint).with(Unfit::Expired)
            })
        }
        Found::RequiredEkuNotFoundContext(_) | Found::EmptyEkuExtension => purpose(leaf),
        Found::CaUsedAsEndEntity => {
            let found = "the certificate is a certification authority's (basicConstraints CA:true)";
            reject(leaf, Check::Usage, CertificateError::InvalidPurpose, found, "use a certificate issued for this device")
        }
        Found::NameConstraintViolation => {
            let found = "the name constraints of an authority in its path do not allow its names (RFC 5280 §4.2.1.10)";
            let hint = "issue a certificate whose names the authority may give; an intermediate with directoryName constraints has to be an anchor";
            reject(leaf, Check::NameConstraints, CertificateError::BadEncoding, found, hint)
        }
        Found::UnsupportedSignatureAlgorithmContext(_) | Found::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            let found = format!("a signature algorithm in its path is not supported: {error}");
            let hint = "use ECDSA, Ed25519, or RSA from 2048 bits, with SHA-256 or better";
            reject(leaf, Check::Path, CertificateError::UnknownIssuer, found, hint)
        }
        Found::UnsupportedCriticalExtension => {
            let found = "it, or an authority in its path, holds a critical extension that is not understood (RFC 5280 §4.2)";
            let hint = "issue it without that extension, or not critical";
            reject(leaf, Check::CertificateForm, CertificateError::UnhandledCriticalExtension, found, hint)
        }
        other => path_shape(leaf, &issuer, other),
    }
}

/// The rest of it: what the path itself is like.
fn path_shape(leaf: &Leaf, issuer: &str, error: &webpki::Error) -> Rejected {
    use webpki::Error as Found;
    match error {
        Found::EndEntityUsedAsCa => {
            let found =
                format!("its issuer `{issuer}`, or one above, is no certification authority (basicConstraints, RFC 5280 §6.1.4 (k))");
            let hint = "issue the device a certificate from an authority; one device cannot vouch for another";
            reject(leaf, Check::Path, CertificateError::UnknownIssuer, found, hint)
        }
        Found::PathLenConstraintViolated => {
            let found = "more authorities follow in its path than the pathLenConstraint of one allows (RFC 5280 §4.2.1.9)";
            let hint =
                "issue the device a certificate from an authority further up, or that authority's again with a larger pathLenConstraint";
            reject(leaf, Check::Path, CertificateError::BadEncoding, found, hint)
        }
        Found::MaximumSignatureChecksExceeded | Found::MaximumPathBuildCallsExceeded | Found::MaximumPathDepthExceeded => {
            let found =
                format!("no path to a trust anchor was found among the certificates that came with it within the work allowed: {error}");
            let hint = "have the device send its own intermediate certificates and no others";
            reject(leaf, Check::Path, CertificateError::UnknownIssuer, found, hint)
        }
        other => {
            let found = format!("its path cannot be verified: {other}");
            let hint = "check it with `openssl verify -purpose sslclient -CAfile CA.pem DEVICE.pem`";
            reject(leaf, Check::Path, CertificateError::BadEncoding, found, hint)
        }
    }
}

/// Path building looks at the authorities' purposes too, because their restriction counts for all below, and does not say whose was wrong.
fn purpose(leaf: &Leaf) -> Rejected {
    let own = leaf.extended_key_usages();
    let (found, hint) = if own.is_empty() || own.iter().any(|purpose| purpose == CLIENT_AUTH) {
        (
            "the extended key usage of an authority in its path does not hold clientAuth",
            "issue the device a certificate from an authority for clients, or that authority's again without extendedKeyUsage",
        )
    } else {
        (
            "its extended key usage does not hold clientAuth (RFC 5280 §4.2.1.12)",
            "issue a certificate with `extendedKeyUsage=clientAuth`; a server's certificate cannot be a device's",
        )
    };
    reject(leaf, Check::Usage, CertificateError::InvalidPurpose, found, hint)
}
