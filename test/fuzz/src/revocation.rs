//! What responders and other authorities send about revocation, beside CRLs: OCSP responses and distribution points, with corpora put together
//! octet by octet.

use signet_identity::der::{self, Reader};
use signet_identity::distribution::{MAXIMUM_NAMES, MAXIMUM_POINTS};
use signet_identity::{DistributionPoint, Leaf, PointName, SerialNumber};
use signet_revocation::{CertIdHash, IssuerCertificate, OcspAnswers, OcspError, OcspRequest, OcspResponse, OcspRules, Recorded};

use crate::AcceptsAll;
use crate::corpus::{self, CorpusError};

/// 2026-01-02, within the corpus's dates.
const NOW: i64 = 1_767_312_000;

/// The serial number that the corpus's responses are about.
const SERIAL: u8 = 0x81;

/// An OCSP response to a fixed request, under an issuer that exists and signatures that are taken as valid. The input is also the serial number
/// and nonce of a request.
///
/// # Panics
/// When an accepted response is about another certificate, or a request cannot be read back.
pub fn ocsp(data: &[u8]) {
    for issuer in corpus::issuers() {
        if let Ok(request) = request(issuer, &[SERIAL], None)
            && let Ok(response) = OcspResponse::verify(data, &request, &OcspRules::default(), &AcceptsAll, NOW)
        {
            let answer = response.answer();
            assert_eq!((answer.certificate(), &**response.der()), (request.certificate(), data));
            let mut answers = OcspAnswers::new(1);
            assert_eq!(answers.record(answer), Recorded::Changed);
            assert_eq!(answers.get(&request.certificate()), Some(&answer));
        }
        let (serial, nonce) = data.split_at(data.len().min(SerialNumber::MAXIMUM_OCTETS));
        let nonce = nonce.get(..32).and_then(|octets| octets.try_into().ok());
        if let Ok(request) = request(issuer, serial, nonce) {
            assert!(reads_back(request.der(), nonce.is_some()), "{:02x?}", request.der());
            assert!(request.get_path().is_ascii());
        }
    }
}

fn request(issuer: &IssuerCertificate, serial: &[u8], nonce: Option<[u8; 32]>) -> Result<OcspRequest, OcspError> {
    let serial = SerialNumber::from_der_integer(serial).unwrap_or_else(|| SerialNumber::from_padded([1; SerialNumber::MAXIMUM_OCTETS]));
    OcspRequest::new(issuer, serial, CertIdHash::Sha1, nonce)
}

fn reads_back(request: &[u8], with_nonce: bool) -> bool {
    let read = || {
        let mut tbs = Reader::document(request).ok()?.sequence().ok()?;
        let mut list = tbs.sequence().ok()?;
        let cert_id = list.sequence().ok()?.sequence().ok()?;
        let extensions = tbs.optional(0xa2).ok()?;
        tbs.finish().ok()?;
        Some(!cert_id.is_empty() && extensions.is_some() == with_nonce)
    };
    read().unwrap_or(false)
}

/// The value of cRLDistributionPoints, freshestCRL and authorityInfoAccess of a certificate.
///
/// # Panics
/// When what is accepted is more than is read, or could break a line.
pub fn points(data: &[u8]) {
    let Ok(certificate) = certificate_around(data) else { return };
    let Ok(leaf) = Leaf::parse(&certificate) else { return };
    for list in [leaf.crl_distribution_points(), leaf.freshest_crl()].into_iter().flatten() {
        assert!(list.len() <= MAXIMUM_POINTS);
        for DistributionPoint { names, reasons, crl_issuers } in list {
            assert!(names.len() <= MAXIMUM_NAMES && crl_issuers.len() <= MAXIMUM_NAMES && !(names.is_empty() && crl_issuers.is_empty()));
            let shown: String = names.iter().map(ToString::to_string).chain([reasons.to_string()]).collect();
            assert!(!shown.contains(char::is_control), "{shown:?}");
            assert!(names.iter().filter_map(PointName::http_uri).all(|uri| uri.bytes().all(|octet| octet.is_ascii_graphic())));
        }
    }
    for list in [leaf.ocsp_responders(), leaf.ca_issuers()].into_iter().flatten() {
        assert!(list.len() <= MAXIMUM_POINTS && list.iter().all(|uri| uri.bytes().all(|octet| octet.is_ascii_graphic())));
    }
}

/// Whether a response is taken as an answer.
#[must_use]
pub fn is_answer(response: &[u8]) -> bool {
    let request = corpus::issuers().first().and_then(|issuer| request(issuer, &[SERIAL], None).ok());
    request.is_some_and(|request| OcspResponse::verify(response, &request, &OcspRules::default(), &AcceptsAll, NOW).is_ok())
}

/// How many distribution points, and how many OCSP responders, an extension's value has.
#[must_use]
pub fn addresses(value: &[u8]) -> (usize, usize) {
    let leaf = certificate_around(value).ok().and_then(|certificate| Leaf::parse(&certificate).ok());
    let points = leaf.as_ref().and_then(|leaf| leaf.crl_distribution_points().ok()).unwrap_or_default();
    let responders = leaf.and_then(|leaf| leaf.ocsp_responders().ok()).unwrap_or_default();
    (points.len(), responders.len())
}

/// A certificate of the corpus with the three extensions in place of its own.
fn certificate_around(value: &[u8]) -> Result<Vec<u8>, CorpusError> {
    let issuer = corpus::issuers().first().ok_or("no issuer")?;
    let mut outer = Reader::document(issuer.leaf().der()).map_err(words)?;
    let mut tbs = outer.sequence().map_err(words)?;
    let mut fields = Vec::new();
    while tbs.peek().is_some_and(|tag| tag != 0xa3) {
        fields.extend(tbs.element().map_err(words)?.encoded);
    }
    let oids: [&[u8]; 3] = [&[0x55, 0x1d, 31], &[0x55, 0x1d, 46], &[0x2b, 6, 1, 5, 5, 7, 1, 1]];
    let mut extensions = Vec::new();
    for oid in oids {
        extensions.extend(element(der::SEQUENCE, &[&element(6, &[oid])?, &element(4, &[value])?])?);
    }
    fields.extend(element(0xa3, &[&element(der::SEQUENCE, &[&extensions])?])?);
    let algorithm = outer.element().map_err(words)?.encoded;
    let signature = outer.element().map_err(words)?.encoded;
    element(der::SEQUENCE, &[&element(der::SEQUENCE, &[&fields])?, algorithm, signature])
}

fn words(error: der::DerError) -> CorpusError {
    error.to_string().into()
}

/// An element shorter than 64 KiB.
fn element(tag: u8, parts: &[&[u8]]) -> Result<Vec<u8>, CorpusError> {
    let content = parts.concat();
    let [high, low] = u16::try_from(content.len())?.to_be_bytes();
    let header: &[u8] = match (high, low) {
        (0, 0..0x80) => &[tag, low],
        (0, _) => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    Ok([header, &content].concat())
}

/// Responses: good by the issuer itself, revoked by a key that is named by its digest, one of two certificates, and a refusal.
///
/// # Errors
/// When one cannot be built.
pub fn responses() -> Result<Vec<Vec<u8>>, CorpusError> {
    let issuer = corpus::issuers().first().ok_or("no issuer")?;
    let about = |serial| -> Result<Vec<u8>, CorpusError> {
        let request = request(issuer, &[serial], None)?;
        let mut list = Reader::document(request.der()).and_then(|mut tbs| tbs.sequence()?.sequence()?.sequence()).map_err(words)?;
        Ok(list.element().map_err(words)?.encoded.to_vec())
    };
    let time = element(der::GENERALIZED_TIME, &[b"20260101000000Z"])?;
    let next_update = element(0xa0, &[&element(der::GENERALIZED_TIME, &[b"20260108000000Z"])?])?;
    let revoked = element(0xa1, &[&time, &element(0xa0, &[&element(der::ENUMERATED, &[&[1]])?])?])?;
    let single = |serial, status: &[u8]| element(der::SEQUENCE, &[&about(serial)?, status, &time, &next_update]);
    let name = issuer_name(issuer)?;
    let nonce = element(4, &[&element(4, &[&[7; 32]])?])?;
    let nonce = element(der::SEQUENCE, &[&element(6, &[&[0x2b, 6, 1, 5, 5, 7, 48, 1, 2]])?, &nonce])?;
    let extensions = element(0xa1, &[&element(der::SEQUENCE, &[&nonce])?])?;
    let mut all = vec![vec![0x30, 3, 0x0a, 1, 3]];
    for (singles, extensions) in [
        (single(SERIAL, &[0x80, 0])?, Vec::new()),
        (single(SERIAL, &revoked)?, extensions),
        ([single(7, &[0x82, 0])?, single(SERIAL, &[0x80, 0])?].concat(), Vec::new()),
    ] {
        let list = element(der::SEQUENCE, &[&singles])?;
        let data = element(der::SEQUENCE, &[&element(0xa1, &[&name])?, &time, &list, &extensions])?;
        let algorithm = element(der::SEQUENCE, &[&element(6, &[&[0x2b, 0x65, 0x70]])?])?;
        let certificates = element(0xa0, &[&element(der::SEQUENCE, &[issuer.leaf().der()])?])?;
        let basic = element(der::SEQUENCE, &[&data, &algorithm, &element(3, &[&[0, 1, 2]])?, &certificates])?;
        let bytes = element(der::SEQUENCE, &[&element(6, &[&[0x2b, 6, 1, 5, 5, 7, 48, 1, 1]])?, &element(4, &[&basic])?])?;
        all.push(element(der::SEQUENCE, &[&[0x0a, 1, 0], &element(0xa0, &[&bytes])?])?);
    }
    Ok(all)
}

/// The subject's Name of the corpus's root, which is also its issuer's.
fn issuer_name(issuer: &IssuerCertificate) -> Result<Vec<u8>, CorpusError> {
    let mut tbs = Reader::document(issuer.leaf().der()).and_then(|mut outer| outer.sequence()).map_err(words)?;
    for _ in ["version", "serialNumber", "signature"] {
        tbs.element().map_err(words)?;
    }
    Ok(tbs.element().map_err(words)?.encoded.to_vec())
}

/// Values of cRLDistributionPoints, with every form of name, and one of authorityInfoAccess.
///
/// # Errors
/// When one cannot be built.
pub fn point_lists() -> Result<Vec<Vec<u8>>, CorpusError> {
    let issuer = corpus::issuers().first().ok_or("no issuer")?;
    let directory = element(0xa4, &[&issuer_name(issuer)?])?;
    let uri = element(0x86, &[b"http://crl.example/1"])?;
    let full = element(0xa0, &[&element(0xa0, &[&uri, &directory, &element(0x82, &[b"dns"])?])?])?;
    let reasons = element(0x81, &[&[1, 0x62]])?;
    let indirect = element(0xa2, &[&directory])?;
    let attribute = element(der::SEQUENCE, &[&element(6, &[&[0x55, 4, 3]])?, &element(0x0c, &[b"CRL1"])?])?;
    let relative = element(0xa0, &[&element(0xa1, &[&attribute])?])?;
    let access = element(der::SEQUENCE, &[&element(6, &[&[0x2b, 6, 1, 5, 5, 7, 48, 1]])?, &uri])?;
    Ok(vec![
        element(der::SEQUENCE, &[&element(der::SEQUENCE, &[&full, &reasons, &indirect])?, &element(der::SEQUENCE, &[&relative])?])?,
        element(der::SEQUENCE, &[&access, &access])?,
    ])
}
