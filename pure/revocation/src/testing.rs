//! Certificates and CRLs for this crate's own tests, made by rcgen and changed by hand.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, CustomExtension, DistinguishedName, DnType,
    IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams,
};
use signet_identity::der::{self, Reader};
use signet_identity::{CertificateId, DeviceIdentity, DeviceName, Leaf, PathCertificate, SerialNumber};

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

// --- CRLs put together octet by octet; the signature is not looked at

pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    crate::write::element(tag, &[content])
}

pub(crate) fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    element(0x30, &[&element(6, oid), critical, &element(4, value)].concat())
}

/// What of a CRL varies in these tests.
#[derive(Clone, Default)]
pub(crate) struct Sketch {
    pub(crate) version_1: bool,
    pub(crate) extensions: Vec<Vec<u8>>,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) without_next_update: bool,
    /// thisUpdate and nextUpdate in place of a week from 2026-01-01 on.
    pub(crate) dates: Option<[&'static str; 2]>,
}

pub(crate) const ALGORITHM: &[u8] = &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

impl Sketch {
    pub(crate) fn der(&self, ca: &Authority) -> Vec<u8> {
        let certificate = certificate_of(ca);
        let (name, _) = certificate.name_and_key().unwrap();
        let mut content = if self.version_1 { Vec::new() } else { vec![2, 1, 1] };
        content.extend(ALGORITHM);
        content.extend(name);
        let [this_update, next_update] = self.dates.unwrap_or(["20260101000000Z", "20260108000000Z"]);
        content.extend(element(der::GENERALIZED_TIME, this_update.as_bytes()));
        if !self.without_next_update {
            content.extend(element(der::GENERALIZED_TIME, next_update.as_bytes()));
        }
        if !self.entries.is_empty() {
            content.extend(element(0x30, &self.entries.concat()));
        }
        if !self.extensions.is_empty() {
            content.extend(element(0xa0, &element(0x30, &self.extensions.concat())));
        }
        element(0x30, &[&element(0x30, &content), ALGORITHM, &element(3, &[0, 1, 2])].concat())
    }

    pub(crate) fn read(&self, ca: &Authority) -> Result<Crl, String> {
        let mut crls = Crl::parse_pem_or_der(&self.der(ca), &[certificate_of(ca)], &AcceptAll).map_err(|error| error.to_string())?;
        Ok(crls.remove(0))
    }
}

pub(crate) fn revoked(serial: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    let extensions = if extensions.is_empty() { Vec::new() } else { element(0x30, &extensions.concat()) };
    element(0x30, &[element(2, serial), element(der::UTC_TIME, b"251231000000Z"), extensions].concat())
}

pub(crate) fn reason(code: u8) -> Vec<u8> {
    extension(&[0x55, 0x1d, 21], false, &[0x0a, 1, code])
}

pub(crate) fn number(number: u8) -> Vec<u8> {
    extension(&[0x55, 0x1d, 20], false, &[2, 1, number])
}

pub(crate) fn delta_to(base_number: u8) -> Vec<u8> {
    extension(&[0x55, 0x1d, 27], true, &[2, 1, base_number])
}

/// issuingDistributionPoint with these fields.
pub(crate) fn point(fields: &[Vec<u8>]) -> Vec<u8> {
    extension(&[0x55, 0x1d, 28], true, &element(0x30, &fields.concat()))
}

/// The field distributionPoint with one URI.
pub(crate) fn point_uri(uri: &str) -> Vec<u8> {
    element(0xa0, &element(0xa0, &element(0x86, uri.as_bytes())))
}

pub(crate) fn flag(tag: u8) -> Vec<u8> {
    vec![tag, 1, 0xff]
}

/// certificateIssuer of an entry.
pub(crate) fn entry_of(authority: &Authority) -> Vec<u8> {
    extension(&[0x55, 0x1d, 29], true, &element(0x30, &directory(authority)))
}

/// A GeneralName with an authority's Name.
pub(crate) fn directory(authority: &Authority) -> Vec<u8> {
    element(0xa4, certificate_of(authority).name_and_key().unwrap().0)
}

// --- devices

/// A certificate with the extension cRLDistributionPoints holding these points, or without it.
pub(crate) fn leaf(authority: &Authority, number: u64, points: &[Vec<u8>]) -> Leaf {
    let mut params = CertificateParams::default();
    params.serial_number = Some(number.into());
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "pump");
    if !points.is_empty() {
        params.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, 31], element(0x30, &points.concat())));
    }
    Leaf::parse(params.signed_by(&KeyPair::generate().unwrap(), authority).unwrap().der()).unwrap()
}

/// The device of a leaf below authorities: first the one that signed it, last the trust anchor. Each has the serial number of its certificate.
pub(crate) fn device(leaf: &Leaf, authorities: &[(&Authority, u64)]) -> DeviceIdentity {
    let key = |authority: &Authority| certificate_of(authority).leaf().spki_digest();
    let above = authorities.windows(2).map(|pair| {
        let [(_, number), (issuer, _)] = pair else { unreachable!("windows of two") };
        PathCertificate { id: id_of(issuer, *number), issuer_key: key(issuer) }
    });
    DeviceIdentity::new(DeviceName::new("pump").unwrap(), leaf.clone(), key(authorities[0].0), above)
}
