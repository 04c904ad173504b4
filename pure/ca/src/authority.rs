//! An issuing authority: its certificate, the chain up to the root, and the signer for its key, checked to belong together.

use core::fmt;

use rcgen::Issuer;
use rustls_pki_types::CertificateDer;
use signet_identity::{Leaf, NameDigest};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::error::AuthorityError;
use crate::pem::encode_pem;
use crate::signer::{Bridge, Signer, Unsigned};
use crate::subject_key::SubjectKey;
use crate::time::shown;
use crate::verify::verify;

/// The certificate of an authority, known to be one: `CA:TRUE` and allowed to sign certificates and CRLs.
#[derive(Clone)]
pub struct CaCertificate {
    leaf: Leaf,
    key: SubjectKey,
    key_identifier: Option<Vec<u8>>,
    subject_der: Vec<u8>,
}

impl CaCertificate {
    /// Reads an authority's certificate from DER.
    ///
    /// # Errors
    /// [`AuthorityError`]: unreadable, no authority, or not allowed to sign certificates and CRLs.
    pub fn from_der(der: &[u8]) -> Result<Self, AuthorityError> {
        let leaf = Leaf::parse(der)?;
        let (_, certificate) = X509Certificate::from_der(der).map_err(|error| AuthorityError::Unreadable(error.to_string()))?;
        let key = SubjectKey::from_parsed(certificate.public_key())?;
        let subject = leaf.subject().rfc4514();
        if !certificate.is_ca() {
            return Err(AuthorityError::NotAnAuthority { subject });
        }
        // RFC 5280 §4.2.1.3: without the extension every usage is allowed.
        if let Some(usage) = certificate.key_usage().map_err(|error| AuthorityError::Unreadable(error.to_string()))? {
            if !usage.value.key_cert_sign() {
                return Err(AuthorityError::KeyUsage { subject, what: "certificates", usage: "keyCertSign" });
            }
            if !usage.value.crl_sign() {
                return Err(AuthorityError::KeyUsage { subject, what: "CRLs", usage: "cRLSign" });
            }
        }
        let key_identifier = crate::lint::subject_key_identifier(&certificate).map(<[u8]>::to_vec);
        let subject_der = certificate.subject().as_raw().to_vec();
        Ok(Self { leaf, key, key_identifier, subject_der })
    }

    /// The certificate's facts.
    #[must_use]
    pub const fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// The certificate.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        self.leaf.der()
    }

    /// The certificate as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        encode_pem("CERTIFICATE", self.der())
    }

    /// Its subject as text (RFC 4514).
    #[must_use]
    pub fn subject(&self) -> String {
        self.leaf.subject().rfc4514()
    }

    /// Its public key.
    #[must_use]
    pub const fn key(&self) -> &SubjectKey {
        &self.key
    }

    /// Checks that `now` (Unix seconds) lies in its validity.
    ///
    /// # Errors
    /// [`AuthorityError::NotInForce`].
    pub fn check_in_force(&self, now: i64) -> Result<(), AuthorityError> {
        let validity = self.leaf.validity();
        if (validity.not_before..=validity.not_after).contains(&now) {
            return Ok(());
        }
        Err(AuthorityError::NotInForce {
            subject: self.subject(),
            not_before: shown(validity.not_before),
            not_after: shown(validity.not_after),
            now: shown(now),
        })
    }

    pub(crate) fn key_identifier(&self) -> Option<&[u8]> {
        self.key_identifier.as_deref()
    }

    pub(crate) fn subject_der(&self) -> &[u8] {
        &self.subject_der
    }

    /// Checks that this certificate was signed by `issuer`.
    pub(crate) fn check_issued_by(&self, issuer: &Self) -> Result<(), AuthorityError> {
        let broken = || AuthorityError::BrokenChain { subject: self.subject(), issuer: issuer.subject() };
        let (_, certificate) = X509Certificate::from_der(self.der()).map_err(|error| AuthorityError::Unreadable(error.to_string()))?;
        if certificate.issuer().as_raw() != issuer.subject_der {
            return Err(broken());
        }
        verify(&issuer.key, &certificate.signature_algorithm, certificate.tbs_certificate.as_ref(), &certificate.signature_value.data)
            .map_err(|_| broken())
    }
}

impl fmt::Debug for CaCertificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CaCertificate({})", self.subject())
    }
}

/// An authority that can issue: certificate, chain and signer.
pub struct Authority {
    certificate: CaCertificate,
    chain: Vec<CaCertificate>,
    signer: Box<dyn Signer>,
}

impl Authority {
    /// Ties a certificate to the signer for its key. `chain` holds the authorities above it in order, the root last; it may be empty.
    ///
    /// Expiry is not looked at here but whenever the authority is used.
    ///
    /// # Errors
    /// [`AuthorityError`]: key of another certificate, chain that does not hold together, a subject that cannot be repeated exactly.
    pub fn new(certificate: CaCertificate, chain: Vec<CaCertificate>, signer: Box<dyn Signer>) -> Result<Self, AuthorityError> {
        let signer_key = SubjectKey::from_spki(signer.public_key())?;
        if signer_key != certificate.key {
            return Err(AuthorityError::KeyMismatch { subject: certificate.subject() });
        }
        let mut below = &certificate;
        for above in &chain {
            below.check_issued_by(above)?;
            below = above;
        }
        let authority = Self { certificate, chain, signer };
        authority.check_name_is_repeatable()?;
        Ok(authority)
    }

    /// The authority's certificate.
    #[must_use]
    pub const fn certificate(&self) -> &CaCertificate {
        &self.certificate
    }

    /// The authorities above it, the root last.
    #[must_use]
    pub fn chain(&self) -> &[CaCertificate] {
        &self.chain
    }

    /// SHA-256 of its Name: the issuer part of every [`signet_identity::CertificateId`] it gives out.
    #[must_use]
    pub fn name_digest(&self) -> NameDigest {
        NameDigest::of(&self.certificate.subject_der)
    }

    /// What clients and listeners trust: this certificate and those above it, as PEM.
    #[must_use]
    pub fn bundle_pem(&self) -> String {
        core::iter::once(&self.certificate).chain(&self.chain).map(CaCertificate::pem).collect()
    }

    /// What follows an end-entity certificate when it is presented: this certificate and those above it but for the self-signed root.
    pub(crate) fn intermediates(&self) -> impl Iterator<Item = &CaCertificate> {
        core::iter::once(&self.certificate).chain(&self.chain).filter(|ca| ca.check_issued_by(ca).is_err())
    }

    pub(crate) fn bridge(&self) -> Bridge<'_> {
        Bridge::new(self.signer.as_ref(), &self.certificate.key)
    }

    pub(crate) fn unsigned(&self) -> Unsigned<'_> {
        Unsigned::new(self.signer.algorithm(), &self.certificate.key)
    }

    /// The certificate writer's view of this authority, signing with `key`.
    pub(crate) fn issuer<K: rcgen::SigningKey>(&self, key: K) -> Result<Issuer<'static, K>, AuthorityError> {
        issuer(&self.certificate, key)
    }

    /// The certificate writer re-encodes the issuer's Name; for exotic Names that gives other octets, and no verifier would find the issuer.
    fn check_name_is_repeatable(&self) -> Result<(), AuthorityError> {
        let unsupported = || AuthorityError::UnsupportedName { subject: self.certificate.subject() };
        let probe = rcgen::CertificateParams::default()
            .signed_by(&self.certificate.key, &self.issuer(self.unsigned())?)
            .map_err(|_| unsupported())?;
        let (_, probe) = X509Certificate::from_der(probe.der()).map_err(|_| unsupported())?;
        if probe.issuer().as_raw() == self.certificate.subject_der { Ok(()) } else { Err(unsupported()) }
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Authority({})", self.certificate.subject())
    }
}

/// The certificate writer's view of an authority's certificate, signing with `key`.
pub(crate) fn issuer<K: rcgen::SigningKey>(certificate: &CaCertificate, key: K) -> Result<Issuer<'static, K>, AuthorityError> {
    Issuer::from_ca_cert_der(&CertificateDer::from(certificate.der()), key).map_err(|error| AuthorityError::Unreadable(error.to_string()))
}
