//! From a request to the permission to sign: build, lint, record. What comes out is an [`IssuanceToken`], the witness of all three.

use core::fmt;

use rcgen::{CertificateParams, KeyIdMethod};
use signet_identity::{CertificateId, SerialNumber};

use crate::authority::Authority;
use crate::error::IssuanceError;
use crate::ledger::{Intent, Ledger};
use crate::lint::{self, LintError, Meant};
use crate::request::IssuanceRequest;
use crate::serial::SerialEntropy;
use crate::subject_key::SubjectKey;
use crate::time::calendar;

/// The permission to sign one certificate, whose intent is durable. Redeemed by [`IssuanceToken::issue`], which consumes it; made only here.
#[must_use = "the intent is recorded but nothing is issued until the token is redeemed"]
pub struct IssuanceToken {
    pub(crate) certificate: CertificateId,
    pub(crate) name: String,
    pub(crate) params: CertificateParams,
    pub(crate) key: SubjectKey,
    pub(crate) issuer_key_digest: [u8; 32],
    /// The octets that were linted; the only ones that may be signed.
    pub(crate) to_be_signed: Vec<u8>,
    pub(crate) shortened: bool,
}

impl IssuanceToken {
    /// The certificate that it permits.
    #[must_use]
    pub const fn certificate(&self) -> CertificateId {
        self.certificate
    }
}

impl fmt::Debug for IssuanceToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "IssuanceToken({} for {})", self.certificate, self.name)
    }
}

/// Builds the to-be-signed certificate, lints it and records the intent, durable when this returns.
///
/// # Errors
/// [`IssuanceError`]; nothing is recorded unless the error comes from the ledger itself.
pub fn prepare(
    authority: &Authority,
    ledger: &mut dyn Ledger,
    request: IssuanceRequest,
    entropy: SerialEntropy,
    now: i64,
) -> Result<IssuanceToken, IssuanceError> {
    let issuer = authority.certificate();
    issuer.check_in_force(now)?;
    let name = request.name();
    let IssuanceRequest { profile, names, key, requested_by } = request;
    let bounds = issuer.leaf().validity();
    let (not_before, not_after, shortened) = profile.validity(now, (bounds.not_before, bounds.not_after));
    let octets = entropy.into_octets();
    let serial = SerialNumber::from_der_integer(&octets).ok_or_else(|| LintError::new("serialNumber", "is no serial number"))?;

    let beyond = || LintError::new("validity", "ends after the year 9999");
    let mut params = profile.contents(&names)?;
    params.serial_number = Some(octets.to_vec().into());
    params.not_before = calendar(not_before).ok_or_else(beyond)?;
    params.not_after = calendar(not_after).ok_or_else(beyond)?;
    params.key_identifier_method = KeyIdMethod::PreSpecified(key.key_identifier());

    let twin =
        params.signed_by(&key, &authority.issuer(authority.unsigned())?).map_err(|error| IssuanceError::Encode(error.to_string()))?;
    let kind = profile.kind();
    let meant = Meant { issuer, kind, names: &names, key: &key, serial: &octets, not_before, not_after };
    let to_be_signed = lint::check(twin.der(), &meant)?;

    let certificate = CertificateId::new(authority.name_digest(), serial);
    ledger.record_intent(&Intent {
        certificate,
        name: name.clone(),
        profile: kind,
        key_type: key.kind().to_string(),
        key_digest: key.digest(),
        not_before,
        not_after,
        intended_at: now,
        issued_by: requested_by,
    })?;
    Ok(IssuanceToken { certificate, name, params, key, issuer_key_digest: issuer.key().digest(), to_be_signed, shortened })
}
