//! Redeems an [`IssuanceToken`]: sign, compare with what was linted, record, hand out.

use signet_identity::{CertificateId, Leaf};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::authority::{Authority, CaCertificate};
use crate::error::IssuanceError;
use crate::ledger::{Issued, Ledger};
use crate::pem::encode_pem;
use crate::prepare::{IssuanceToken, prepare};
use crate::request::IssuanceRequest;
use crate::serial::SerialEntropy;
use crate::verify::verify;

/// A certificate that is recorded as issued.
#[derive(Debug, Clone)]
pub struct IssuedCertificate {
    name: String,
    leaf: Leaf,
    chain_pem: String,
    shortened: bool,
}

impl IssuedCertificate {
    /// The device's name, or the first name of a server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The certificate's facts.
    #[must_use]
    pub const fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// Issuer and serial number.
    #[must_use]
    pub fn id(&self) -> CertificateId {
        self.leaf.id()
    }

    /// The certificate alone.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        self.leaf.der()
    }

    /// What is presented in a handshake, as PEM: the certificate, then the authorities between it and the root.
    #[must_use]
    pub fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// Whether it ends sooner than asked because its authority does.
    #[must_use]
    pub const fn is_shortened(&self) -> bool {
        self.shortened
    }
}

/// Issues in one call: [`prepare`], then [`IssuanceToken::issue`].
///
/// # Errors
/// [`IssuanceError`].
pub fn issue_certificate(
    authority: &Authority,
    ledger: &mut dyn Ledger,
    request: IssuanceRequest,
    entropy: SerialEntropy,
    now: i64,
) -> Result<IssuedCertificate, IssuanceError> {
    prepare(authority, ledger, request, entropy, now)?.issue(authority, ledger, now)
}

impl IssuanceToken {
    /// Signs the prepared certificate and records it, durable when this returns.
    ///
    /// # Errors
    /// [`IssuanceError`]. The ledger then shows the intent as never issued; the token is spent either way.
    pub fn issue(self, authority: &Authority, ledger: &mut dyn Ledger, now: i64) -> Result<IssuedCertificate, IssuanceError> {
        let serial = self.certificate.serial();
        if authority.certificate().key().digest() != self.issuer_key_digest || authority.name_digest() != self.certificate.issuer() {
            return Err(IssuanceError::WrongAuthority { serial });
        }
        authority.certificate().check_in_force(now)?;
        let bridge = authority.bridge();
        let signed = self.params.signed_by(&self.key, &authority.issuer(&bridge)?).map_err(|error| {
            bridge
                .take_failure()
                .map_or_else(|| IssuanceError::Encode(error.to_string()), |source| IssuanceError::Signer { serial, source })
        })?;
        let (_, parsed) = X509Certificate::from_der(signed.der()).map_err(|_| IssuanceError::Differs { serial })?;
        if parsed.tbs_certificate.as_ref() != self.to_be_signed.as_slice() {
            return Err(IssuanceError::Differs { serial });
        }
        // A signer that returns nonsense (a module with another key, a fault in hardware) is found here and not by a device in the field.
        verify(authority.certificate().key(), &parsed.signature_algorithm, &self.to_be_signed, &parsed.signature_value.data)
            .map_err(|_| IssuanceError::Differs { serial })?;
        let leaf = Leaf::parse(signed.der()).map_err(|error| IssuanceError::Encode(error.to_string()))?;
        ledger.record_issued(&Issued {
            certificate: self.certificate,
            fingerprint: leaf.fingerprint(),
            issued_at: now,
            der: leaf.der().to_vec(),
        })?;
        let chain_pem =
            core::iter::once(encode_pem("CERTIFICATE", leaf.der())).chain(authority.intermediates().map(CaCertificate::pem)).collect();
        Ok(IssuedCertificate { name: self.name, leaf, chain_pem, shortened: self.shortened })
    }
}
