//! Creating the two authorities: a root that only ever signs the issuing one, and the issuing one that signs devices and servers.
//!
//! Two, so that the root's key can be taken off the machine, and the issuing authority be replaced without touching what devices trust.

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyIdMethod, KeyUsagePurpose};

use crate::authority::{CaCertificate, issuer};
use crate::error::{AuthorityError, CeremonyError};
use crate::profile::{BACKDATE_SECONDS, VALIDITY_SECONDS_MIN};
use crate::serial::SerialEntropy;
use crate::signer::{Bridge, Signer};
use crate::subject_key::SubjectKey;
use crate::time::calendar;

/// Validity of a root unless asked otherwise: ten years of 365 days, in seconds.
pub const ROOT_VALIDITY_SECONDS: i64 = 10 * YEAR;

/// Validity of an issuing authority unless asked otherwise: five years of 365 days, in seconds.
pub const ISSUING_VALIDITY_SECONDS: i64 = 5 * YEAR;

const YEAR: i64 = 365 * 24 * 60 * 60;

/// The upper bound of a common name, in characters (RFC 5280 appendix A.1, `ub-common-name`).
pub(crate) const COMMON_NAME_CHARACTERS_MAX: usize = 64;

/// Creates a self-signed root with the common name `name`, one level of authorities below it.
///
/// # Errors
/// [`CeremonyError`].
pub fn create_root(
    name: &str,
    signer: &dyn Signer,
    entropy: SerialEntropy,
    now: i64,
    validity_seconds: i64,
) -> Result<CaCertificate, CeremonyError> {
    let key = SubjectKey::from_spki(signer.public_key()).map_err(AuthorityError::from)?;
    let not_before = now.saturating_sub(BACKDATE_SECONDS);
    let params = authority_params(name, &key, entropy, (not_before, end(now, validity_seconds)?), 1)?;
    let bridge = Bridge::new(signer, &key);
    let signed = params.self_signed(&bridge);
    let root = finish(signed, &bridge)?;
    root.check_issued_by(&root)?;
    Ok(root)
}

/// Creates an issuing authority below `root`, which may sign end-entity certificates only. Its validity ends with the root's at the latest.
///
/// # Errors
/// [`CeremonyError`]; also when `root_signer` does not hold the root's key or the root is not in force.
pub fn create_issuing(
    name: &str,
    public_key: &SubjectKey,
    root: &CaCertificate,
    root_signer: &dyn Signer,
    entropy: SerialEntropy,
    now: i64,
    validity_seconds: i64,
) -> Result<CaCertificate, CeremonyError> {
    root.check_in_force(now)?;
    let root_key = SubjectKey::from_spki(root_signer.public_key()).map_err(AuthorityError::from)?;
    if root_key != *root.key() {
        return Err(AuthorityError::KeyMismatch { subject: root.subject() }.into());
    }
    let bounds = root.leaf().validity();
    let not_before = now.saturating_sub(BACKDATE_SECONDS).max(bounds.not_before);
    let not_after = end(now, validity_seconds)?.min(bounds.not_after);
    let params = authority_params(name, public_key, entropy, (not_before, not_after), 0)?;
    let bridge = Bridge::new(root_signer, &root_key);
    let signed = params.signed_by(public_key, &issuer(root, &bridge)?);
    let issuing = finish(signed, &bridge)?;
    issuing.check_issued_by(root)?;
    Ok(issuing)
}

fn end(now: i64, validity_seconds: i64) -> Result<i64, CeremonyError> {
    let wrong = CeremonyError::Validity { seconds: validity_seconds };
    if validity_seconds < VALIDITY_SECONDS_MIN {
        return Err(wrong);
    }
    now.checked_add(validity_seconds).filter(|end| calendar(*end).is_some()).ok_or(wrong)
}

fn authority_params(
    name: &str,
    key: &SubjectKey,
    entropy: SerialEntropy,
    (not_before, not_after): (i64, i64),
    path_length: u8,
) -> Result<CertificateParams, CeremonyError> {
    let characters = name.chars().count();
    if characters == 0 || characters > COMMON_NAME_CHARACTERS_MAX || name.chars().any(char::is_control) {
        return Err(CeremonyError::Name { found: name.escape_default().to_string() });
    }
    let wrong = || CeremonyError::Validity { seconds: not_after.saturating_sub(not_before) };
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(entropy.into_octets().to_vec().into());
    params.not_before = calendar(not_before).ok_or_else(wrong)?;
    params.not_after = calendar(not_after).ok_or_else(wrong)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    // RFC 5280 §4.2.1.3: an authority asserts keyCertSign, and cRLSign to sign CRLs.
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params.key_identifier_method = KeyIdMethod::PreSpecified(key.key_identifier());
    Ok(params)
}

fn finish(signed: Result<rcgen::Certificate, rcgen::Error>, bridge: &Bridge<'_>) -> Result<CaCertificate, CeremonyError> {
    match (signed, bridge.take_failure()) {
        (Ok(certificate), _) => Ok(CaCertificate::from_der(certificate.der())?),
        (Err(_), Some(failure)) => Err(failure.into()),
        (Err(error), None) => Err(CeremonyError::Encode(error.to_string())),
    }
}
