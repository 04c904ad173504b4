//! A question about one certificate (RFC 6960 §4.1, RFC 5019 §2.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Digest as _;
use sha2::Sha256;
use signet_identity::der::{self, DerError, Reader};
use signet_identity::{CertificateId, PathCertificate, SerialNumber};

use super::error::OcspError;
use crate::issuer::IssuerCertificate;
use crate::write::{element, unsigned};

/// With which digest a request names the certificate's issuer. No security rests on it: it is a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CertIdHash {
    /// What every responder understands (RFC 5019 §2.1.1).
    #[default]
    Sha1,
    /// For responders that were told to leave SHA-1 behind.
    Sha256,
}

impl CertIdHash {
    fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => sha1_of(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
        }
    }

    fn oid(self) -> &'static [u8] {
        match self {
            Self::Sha1 => &[0x2b, 0x0e, 3, 2, 0x1a],
            Self::Sha256 => &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1],
        }
    }
}

/// SHA-1, by which a ResponderID names a key whatever the request's digest is.
pub(super) fn sha1_of(bytes: &[u8]) -> [u8; 20] {
    sha1::Sha1::digest(bytes).into()
}

/// A question about one certificate, and what the response has to match.
#[derive(Debug, Clone)]
pub struct OcspRequest {
    issuer: IssuerCertificate,
    serial: SerialNumber,
    hash: CertIdHash,
    name_hash: Vec<u8>,
    key_hash: Vec<u8>,
    nonce: Option<[u8; 32]>,
    der: Vec<u8>,
}

impl OcspRequest {
    /// Asks about the certificate that `issuer` issued under `serial`. The nonce is 32 octets that cannot be guessed (RFC 8954), or none: with
    /// one, a responder cannot answer out of a cache.
    ///
    /// # Errors
    /// [`OcspError::Unreadable`] when the issuer's key is not in whole octets.
    pub fn new(issuer: &IssuerCertificate, serial: SerialNumber, hash: CertIdHash, nonce: Option<[u8; 32]>) -> Result<Self, OcspError> {
        let in_issuer = |error: DerError| OcspError::Unreadable { field: "issuer's certificate", reason: error.to_string() };
        let (name, key) = issuer.name_and_key().map_err(in_issuer)?;
        let (name_hash, key_hash) = (hash.of(name), hash.of(key));
        let mut request = Self { issuer: issuer.clone(), serial, hash, name_hash, key_hash, nonce, der: Vec::new() };
        request.der = request.encode();
        Ok(request)
    }

    /// OCSPRequest: unsigned, of version 1, with one CertID.
    fn encode(&self) -> Vec<u8> {
        let algorithm = element(der::SEQUENCE, &[&element(der::OBJECT_IDENTIFIER, &[self.hash.oid()]), &[NULL, 0]]);
        let name = element(der::OCTET_STRING, &[&self.name_hash]);
        let key = element(der::OCTET_STRING, &[&self.key_hash]);
        let serial = element(der::INTEGER, &[&unsigned(self.serial.as_octets())]);
        let cert_id = element(der::SEQUENCE, &[&algorithm, &name, &key, &serial]);
        let list = element(der::SEQUENCE, &[&element(der::SEQUENCE, &[&cert_id])]);
        let extensions = self.nonce.map(|nonce| {
            let value = element(der::OCTET_STRING, &[&element(der::OCTET_STRING, &[&nonce])]);
            let extension = element(der::SEQUENCE, &[&element(der::OBJECT_IDENTIFIER, &[OID_NONCE]), &value]);
            element(0xa2, &[&element(der::SEQUENCE, &[&extension])])
        });
        element(der::SEQUENCE, &[&element(der::SEQUENCE, &[&list, &extensions.unwrap_or_default()])])
    }

    /// Which certificate it asks about, and under which issuer's key.
    #[must_use]
    pub fn certificate(&self) -> PathCertificate {
        let id = CertificateId::new(self.issuer.name(), self.serial);
        PathCertificate { id, issuer_key: self.issuer.leaf().spki_digest() }
    }

    /// The issuer's certificate, whose key has to stand behind the response.
    #[must_use]
    pub fn issuer(&self) -> &IssuerCertificate {
        &self.issuer
    }

    /// The body of a POST with the content type `application/ocsp-request`.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The last part of a GET's path, to be appended to the responder's address after one `/`: base64, escaped (RFC 6960 §A.1). Fit for a GET
    /// while it is not above 255 octets (RFC 5019 §5), which [`Self::fits_get`] says.
    #[must_use]
    pub fn get_path(&self) -> String {
        let mut path = String::new();
        for character in STANDARD.encode(&self.der).chars() {
            match character {
                '+' => path.push_str("%2B"),
                '/' => path.push_str("%2F"),
                '=' => path.push_str("%3D"),
                other => path.push(other),
            }
        }
        path
    }

    /// Whether the request is short enough for a GET, so that caches between here and the responder can answer.
    #[must_use]
    pub fn fits_get(&self) -> bool {
        self.get_path().len() <= 255
    }

    pub(super) fn nonce(&self) -> Option<&[u8; 32]> {
        self.nonce.as_ref()
    }

    pub(super) fn serial(&self) -> SerialNumber {
        self.serial
    }

    /// Whether a CertID of a response, its content given, names the certificate that was asked for.
    pub(super) fn is_answered_by(&self, cert_id: &[u8]) -> Result<bool, DerError> {
        let mut fields = Reader::new(cert_id);
        let mut algorithm = fields.sequence()?;
        let oid = algorithm.expect(der::OBJECT_IDENTIFIER)?.content;
        algorithm.optional(NULL)?;
        algorithm.finish()?;
        let name = fields.expect(der::OCTET_STRING)?.content;
        let key = fields.expect(der::OCTET_STRING)?.content;
        let serial = SerialNumber::from_der_integer(fields.expect(der::INTEGER)?.content);
        fields.finish()?;
        Ok(oid == self.hash.oid() && name == self.name_hash && key == self.key_hash && serial == Some(self.serial))
    }
}

const NULL: u8 = 0x05;
/// id-pkix-ocsp-nonce.
pub(super) const OID_NONCE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 2];
