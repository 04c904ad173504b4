//! Who may sign a response in the issuer's place (RFC 6960 §4.2.2.2): a certificate that the issuer itself signed for that purpose.

use signet_identity::Leaf;
use signet_identity::der::{self, DerError, Element, Extension, Reader};

use super::OcspDelegate;
use super::error::OcspError;
use crate::issuer::{IssuerCertificate, SignatureVerifier, SignedData};

/// A certificate of a response, read but not believed.
pub(super) struct Candidate<'a> {
    pub(super) leaf: Leaf,
    to_be_signed: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> Candidate<'a> {
    pub(super) fn read(certificate: Element<'a>) -> Result<Self, OcspError> {
        let unreadable = |reason: String| OcspError::Unreadable { field: "certs", reason };
        let leaf = Leaf::parse(certificate.encoded).map_err(|error| unreadable(error.to_string()))?;
        Self::read_signed(certificate.content, leaf).map_err(|error| unreadable(error.to_string()))
    }

    fn read_signed(content: &'a [u8], leaf: Leaf) -> Result<Self, DerError> {
        let mut certificate = Reader::new(content);
        let to_be_signed = certificate.expect(der::SEQUENCE)?;
        let algorithm = certificate.expect(der::SEQUENCE)?.encoded;
        let signature = certificate.expect(der::BIT_STRING)?.content.strip_prefix(&[0]);
        let signature = signature.ok_or(DerError::Content("expected a signature in whole octets"))?;
        let mut tbs = Reader::new(to_be_signed.content);
        tbs.optional(0xa0)?;
        tbs.expect(der::INTEGER)?;
        // RFC 5280 §4.1.1.2: both fields hold the same.
        if tbs.expect(der::SEQUENCE)?.encoded != algorithm {
            return Err(DerError::Content("signature differs from signatureAlgorithm"));
        }
        let mut extensions: &[u8] = &[];
        while !tbs.is_empty() {
            let element = tbs.element()?;
            if element.tag == 0xa3 {
                extensions = element.content;
            }
        }
        Ok(Self { leaf, to_be_signed: to_be_signed.encoded, algorithm, signature, extensions })
    }

    /// Checks that the issuer made this certificate to sign responses, and that it holds now. `now` in seconds since 1970-01-01 UTC.
    pub(super) fn check(&self, issuer: &IssuerCertificate, verifier: &dyn SignatureVerifier, now: i64) -> Result<OcspDelegate, OcspError> {
        let may_not = |reason: String| OcspError::MayNotSign {
            delegate: self.leaf.subject().rfc4514(),
            issuer: issuer.leaf().subject().rfc4514(),
            reason,
        };
        // Directly: a certificate that somebody below the issuer signed would let any authority below speak for it.
        if self.leaf.issuer_name_digest() != issuer.name() {
            return Err(may_not(format!("its certificate is issued by `{}`", self.leaf.issuer().rfc4514())));
        }
        let use_of_key = self.read_extensions().map_err(|error| may_not(format!("its extensions cannot be read: {error}")))?;
        if let Some(oid) = use_of_key.unknown_critical {
            return Err(may_not(format!("its certificate has the critical extension {oid}, which is not supported")));
        }
        if !use_of_key.signs_ocsp {
            return Err(may_not("its extKeyUsage lacks id-kp-OCSPSigning".to_owned()));
        }
        if !self.leaf.allows_digital_signature() {
            return Err(may_not("its keyUsage lacks digitalSignature".to_owned()));
        }
        let validity = self.leaf.validity();
        if now < validity.not_before || now > validity.not_after {
            let (from, to) = (der::time_text(validity.not_before), der::time_text(validity.not_after));
            return Err(may_not(format!("its certificate holds from {from} to {to}")));
        }
        let signed = SignedData {
            to_be_signed: self.to_be_signed,
            algorithm: self.algorithm,
            signature: self.signature,
            issuer_spki: issuer.leaf().spki(),
        };
        verifier.verify(signed).map_err(|reason| may_not(format!("the issuer's signature on its certificate is not valid: {reason}")))?;
        Ok(OcspDelegate { id: self.leaf.id(), no_check: use_of_key.no_check })
    }

    fn read_extensions(&self) -> Result<UseOfKey, DerError> {
        let mut found = UseOfKey { signs_ocsp: false, no_check: false, unknown_critical: None };
        if self.extensions.is_empty() {
            return Ok(found);
        }
        let mut extensions = Reader::document(self.extensions)?;
        while !extensions.is_empty() {
            let extension = Extension::read(&mut extensions)?;
            match extension.oid {
                OID_EXTENDED_KEY_USAGE => {
                    let mut purposes = Reader::document(extension.value)?;
                    while !purposes.is_empty() {
                        found.signs_ocsp |= purposes.expect(der::OBJECT_IDENTIFIER)?.content == OID_OCSP_SIGNING;
                    }
                }
                OID_OCSP_NO_CHECK => found.no_check = true,
                // Read with the certificate, or without a bearing on an end-entity certificate that hangs directly below its issuer.
                OID_KEY_USAGE | OID_SUBJECT_ALT_NAME | OID_BASIC_CONSTRAINTS | OID_CERTIFICATE_POLICIES => {}
                oid if extension.critical => found.unknown_critical = Some(der::oid_text(oid)?),
                _ => {}
            }
        }
        Ok(found)
    }
}

/// What the extensions say about the key.
struct UseOfKey {
    signs_ocsp: bool,
    no_check: bool,
    unknown_critical: Option<String>,
}

const OID_KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const OID_SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
const OID_BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const OID_CERTIFICATE_POLICIES: &[u8] = &[0x55, 0x1d, 32];
const OID_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
/// id-kp-OCSPSigning.
const OID_OCSP_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 9];
/// id-pkix-ocsp-nocheck.
const OID_OCSP_NO_CHECK: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 5];
