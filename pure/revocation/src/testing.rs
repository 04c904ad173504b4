//! Certificates and CRLs for this crate's own tests, made by rcgen and changed by hand.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams,
};
use signet_identity::der::{self, Reader};
use signet_identity::{CertificateId, SerialNumber};

use crate::{Crl, CrlError, IssuerCertificate, SignatureVerifier, SignedData};

/// 2026-01-01 and one day, in seconds since 1970.
pub(crate) const NEW_YEAR: i64 = 1_767_225_600;
pub(crate) const DAY: i64 = 86_400;

/// Verifies ECDSA P-256 with SHA-256, which is what rcgen signs with here.
pub(crate) struct P256;

impl SignatureVerifier for P256 {
    fn verify(&self, signed: SignedData<'_>) -> Result<(), String> {
        const ECDSA_WITH_SHA256: &[u8] = &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
        if signed.algorithm != ECDSA_WITH_SHA256 {
            return Err("unsupported algorithm".to_owned());
        }
        let mut spki = Reader::document(signed.issuer_spki).unwrap();
        spki.sequence().unwrap();
        let point = spki.expect(der::BIT_STRING).unwrap().content.strip_prefix(&[0]).unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
            .verify(signed.to_be_signed, signed.signature)
            .map_err(|_| "the signature does not match".to_owned())
    }
}

/// Takes every signature, so that changed bytes reach what comes after it.
pub(crate) struct AcceptAll;

impl SignatureVerifier for AcceptAll {
    fn verify(&self, _: SignedData<'_>) -> Result<(), String> {
        Ok(())
    }
}

pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(crate) fn authority(name: &str) -> Authority {
    authority_with(name, vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign])
}

pub(crate) fn authority_with(name: &str, key_usages: Vec<KeyUsagePurpose>) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = key_usages;
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

pub(crate) fn certificate_of(authority: &Authority) -> IssuerCertificate {
    IssuerCertificate::parse(authority.as_ref().der()).unwrap()
}

pub(crate) fn serial(number: u64) -> SerialNumber {
    SerialNumber::from_der_integer(&number.to_be_bytes()).unwrap()
}

pub(crate) fn id_of(authority: &Authority, number: u64) -> CertificateId {
    CertificateId::new(certificate_of(authority).name(), serial(number))
}

/// A CRL of 2026-01-01 for one week.
pub(crate) fn params(number: u64, serials: impl IntoIterator<Item = u64>) -> CertificateRevocationListParams {
    let revoked_certs = serials.into_iter().map(|serial| entry(serial, None)).collect();
    CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(2026, 1, 1),
        next_update: rcgen::date_time_ymd(2026, 1, 8),
        crl_number: number.into(),
        issuing_distribution_point: None,
        revoked_certs,
        key_identifier_method: KeyIdMethod::Sha256,
    }
}

pub(crate) fn entry(serial: u64, reason_code: Option<RevocationReason>) -> RevokedCertParams {
    RevokedCertParams {
        serial_number: serial.into(),
        revocation_time: rcgen::date_time_ymd(2025, 12, 31),
        reason_code,
        invalidity_date: None,
    }
}

pub(crate) fn der_of(authority: &Authority, params: &CertificateRevocationListParams) -> Vec<u8> {
    params.signed_by(authority).unwrap().der().to_vec()
}

pub(crate) fn parse(authority: &Authority, der: &[u8]) -> Result<Vec<Crl>, CrlError> {
    Crl::parse_pem_or_der(der, &[certificate_of(authority)], &P256)
}

/// A verified CRL of that authority.
pub(crate) fn crl(authority: &Authority, number: u64, serials: impl IntoIterator<Item = u64>) -> Crl {
    crl_of(authority, &params(number, serials))
}

pub(crate) fn crl_of(authority: &Authority, params: &CertificateRevocationListParams) -> Crl {
    parse(authority, &der_of(authority, params)).unwrap().remove(0)
}
