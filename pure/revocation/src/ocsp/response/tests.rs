//! Responses put together octet by octet, for what OpenSSL does not write; the signature is taken as valid.

use super::*;
use crate::issuer::IssuerCertificate;
use crate::ocsp::CertIdHash;
use crate::testing::{AcceptAll, DAY, NEW_YEAR, P256, authority, certificate_of, element, extension, serial};

const ALGORITHM: &[u8] = &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

/// What of a response varies in these tests.
struct Sketch {
    version: Vec<u8>,
    responder: Vec<u8>,
    singles: Vec<Vec<u8>>,
    extensions: Vec<Vec<u8>>,
    certificates: Vec<Vec<u8>>,
}

impl Sketch {
    fn new(request: &OcspRequest) -> Self {
        let (name, _) = request.issuer().name_and_key().unwrap();
        let singles = vec![single(request, &[0x80, 0], &[])];
        Self { version: Vec::new(), responder: element(0xa1, name), singles, extensions: Vec::new(), certificates: Vec::new() }
    }

    fn der(&self) -> Vec<u8> {
        let produced = element(der::GENERALIZED_TIME, b"20260101000000Z");
        let singles = element(0x30, &self.singles.concat());
        let extensions = if self.extensions.is_empty() { Vec::new() } else { element(0xa1, &element(0x30, &self.extensions.concat())) };
        let data = element(0x30, &[self.version.clone(), self.responder.clone(), produced, singles, extensions].concat());
        let certificates =
            if self.certificates.is_empty() { Vec::new() } else { element(0xa0, &element(0x30, &self.certificates.concat())) };
        let basic = element(0x30, &[data, ALGORITHM.to_vec(), element(3, &[0, 1, 2]), certificates].concat());
        let bytes = element(0x30, &[element(6, OID_BASIC), element(4, &basic)].concat());
        element(0x30, &[vec![0x0a, 1, 0], element(0xa0, &bytes)].concat())
    }

    fn verify(&self, request: &OcspRequest) -> Result<OcspAnswer, String> {
        let verified = OcspResponse::verify(&self.der(), request, &OcspRules::default(), &AcceptAll, NEW_YEAR + DAY);
        verified.map(|response| response.answer()).map_err(|error| error.to_string())
    }
}

/// The CertID of a request: the first and only one.
fn cert_id(request: &OcspRequest) -> Vec<u8> {
    let mut list = Reader::document(request.der()).unwrap().sequence().unwrap().sequence().unwrap();
    list.sequence().unwrap().element().unwrap().encoded.to_vec()
}

fn single(request: &OcspRequest, status: &[u8], more: &[u8]) -> Vec<u8> {
    let this_update = element(der::GENERALIZED_TIME, b"20260101000000Z");
    let next_update = element(0xa0, &element(der::GENERALIZED_TIME, b"20260108000000Z"));
    element(0x30, &[cert_id(request), status.to_vec(), this_update, next_update, more.to_vec()].concat())
}

fn issuer() -> IssuerCertificate {
    certificate_of(&authority("CA"))
}

fn request_of(issuer: &IssuerCertificate, number: u64) -> OcspRequest {
    OcspRequest::new(issuer, serial(number), CertIdHash::Sha1, Some([7; 32])).unwrap()
}

#[test]
fn each_status_and_reason_is_read() {
    let issuer = issuer();
    let request = request_of(&issuer, 9);
    let read = |status: &[u8]| Sketch { singles: vec![single(&request, status, &[])], ..Sketch::new(&request) }.verify(&request);
    assert_eq!(read(&[0x80, 0]).unwrap().status(), OcspStatus::Good);
    assert_eq!(read(&[0x82, 0]).unwrap().status(), OcspStatus::Unknown);
    let since = element(der::GENERALIZED_TIME, b"20260101000000Z");
    let revoked = |reason: &[u8]| read(&element(0xa1, &[since.clone(), reason.to_vec()].concat()));
    let status = |reason| Ok(OcspStatus::Revoked { since: NEW_YEAR, reason });
    let found = |reason: &[u8]| revoked(reason).map(|answer| answer.status());
    assert_eq!(found(&[]), status(Reason::Unspecified));
    assert_eq!(found(&[0xa0, 3, 0x0a, 1, 1]), status(Reason::KeyCompromise));
    assert_eq!(found(&[0xa0, 3, 0x0a, 1, 8]), status(Reason::Unspecified), "revoked all the same");
    for wrong in [&[0xa0, 3, 0x0a, 1, 7][..], &[0xa0, 2, 0x0a, 0], &[0xa0, 0], &[0x80, 1, 1]] {
        assert!(revoked(wrong).unwrap_err().contains("certStatus cannot be read"), "{wrong:02x?}");
    }
    for wrong in [&[0x80, 1, 0][..], &[0xa0, 0], &[0x83, 0], &[0xa1, 0]] {
        assert!(read(wrong).unwrap_err().contains("certStatus cannot be read"), "{wrong:02x?}");
    }
}

#[test]
fn the_certificate_asked_for_is_found_among_others_and_only_once() {
    let issuer = issuer();
    let (request, other) = (request_of(&issuer, 9), request_of(&issuer, 10));
    let [this, that] = [&request, &other].map(|request| single(request, &[0x80, 0], &[]));
    let with = |singles: Vec<Vec<u8>>| Sketch { singles, ..Sketch::new(&request) }.verify(&request);
    assert_eq!(with(vec![that.clone(), this.clone(), that.clone()]).unwrap().certificate().id.serial(), serial(9));
    assert!(with(vec![that.clone()]).unwrap_err().contains("says nothing about the certificate that was asked for, serial number 09"));
    assert!(with(vec![]).is_err());
    assert!(with(vec![this.clone(), that.clone(), this.clone()]).unwrap_err().contains("the certificate is there twice"));
    assert!(with(vec![that.clone(); MAXIMUM_RESPONSES - 1].into_iter().chain([this.clone()]).collect()).is_ok());
    assert!(with(vec![that; MAXIMUM_RESPONSES].into_iter().chain([this]).collect()).unwrap_err().contains("more than 256"));
}

/// Who stands between could show it for ever: it has no end of its own, and each time it would count as just made.
#[test]
fn a_response_without_next_update_is_taken_for_a_day() {
    let request = request_of(&issuer(), 9);
    let this_update = element(der::GENERALIZED_TIME, b"20260101000000Z");
    let endless = element(0x30, &[cert_id(&request), vec![0x80, 0], this_update].concat());
    let response = Sketch { singles: vec![endless], ..Sketch::new(&request) }.der();
    let verify = |rules: OcspRules, now| OcspResponse::verify(&response, &request, &rules, &AcceptAll, now).map(|_| ());
    let skew = OcspRules::default().clock_skew;
    verify(OcspRules::default(), NEW_YEAR + DAY + skew).unwrap();
    assert_eq!(verify(OcspRules::default(), NEW_YEAR + DAY + skew + 1), Err(OcspError::Expired { until: NEW_YEAR + DAY }));
    let week = OcspRules { maximum_age: Some(7 * DAY), ..OcspRules::default() };
    verify(week, NEW_YEAR + 7 * DAY).unwrap();
}

#[test]
fn another_key_under_the_issuers_name_is_another_certificate() {
    let (issuer, twin) = (issuer(), issuer());
    let request = request_of(&issuer, 9);
    let of_twin = single(&request_of(&twin, 9), &[0x80, 0], &[]);
    let verified = Sketch { singles: vec![of_twin], ..Sketch::new(&request) }.verify(&request);
    assert!(verified.unwrap_err().contains("says nothing about the certificate"));
}

#[test]
fn what_is_critical_and_not_understood_refuses_the_response() {
    let issuer = issuer();
    let request = request_of(&issuer, 9);
    for (critical, accepted) in [(true, false), (false, true)] {
        let unknown = extension(&[0x2a, 3], critical, &[5, 0]);
        let outside = Sketch { extensions: vec![unknown.clone()], ..Sketch::new(&request) }.verify(&request);
        let inside = single(&request, &[0x80, 0], &element(0xa1, &element(0x30, &unknown)));
        let inside = Sketch { singles: vec![inside], ..Sketch::new(&request) }.verify(&request);
        for verified in [outside, inside] {
            assert_eq!(verified.is_ok(), accepted);
            assert!(accepted || verified.unwrap_err().contains("critical extension 1.2.3"));
        }
    }
    let nonce = |octets: &[u8]| extension(OID_NONCE, false, &element(4, octets));
    let with = |extensions: Vec<Vec<u8>>| Sketch { extensions, ..Sketch::new(&request) }.verify(&request);
    assert!(with(vec![nonce(&[7; 32])]).is_ok());
    assert!(with(vec![nonce(&[7; 31])]).unwrap_err().contains("another nonce"));
    assert!(with(vec![nonce(&[7; 32]), nonce(&[7; 32])]).unwrap_err().contains("the extension is there twice"));
    assert!(with(vec![extension(OID_NONCE, false, &[7; 32])]).unwrap_err().contains("nonce cannot be read"));
}

#[test]
fn other_forms_are_refused() {
    let issuer = issuer();
    let request = request_of(&issuer, 9);
    let changed = |change: &dyn Fn(&mut Sketch)| {
        let mut sketch = Sketch::new(&request);
        change(&mut sketch);
        sketch.verify(&request)
    };
    assert!(changed(&|sketch| sketch.version = vec![0xa0, 3, 2, 1, 0]).is_ok(), "the default, written down");
    assert!(changed(&|sketch| sketch.version = vec![0xa0, 3, 2, 1, 1]).unwrap_err().contains("expected version 1"));
    assert!(changed(&|sketch| sketch.responder = element(0xa3, &[])).unwrap_err().contains("expected byName or byKey"));
    let (_, key) = issuer.name_and_key().unwrap();
    assert!(changed(&|sketch| sketch.responder = element(0xa2, &element(4, &sha1_of(key)))).is_ok());
    assert!(changed(&|sketch| sketch.responder = element(0xa2, &element(4, &[0; 20]))).unwrap_err().contains("0000000000000000"));
    let certificate = issuer.leaf().der().to_vec();
    assert!(changed(&|sketch| sketch.certificates = vec![certificate.clone(); MAXIMUM_CERTIFICATES]).is_ok());
    assert!(
        changed(&|sketch| sketch.certificates = vec![certificate.clone(); MAXIMUM_CERTIFICATES + 1]).unwrap_err().contains("more than 8")
    );
    let backwards = [cert_id(&request), vec![0x80, 0], element(der::GENERALIZED_TIME, b"20260109000000Z")].concat();
    let backwards = element(0x30, &[backwards, element(0xa0, &element(der::GENERALIZED_TIME, b"20260108000000Z"))].concat());
    let at = NEW_YEAR + 9 * DAY;
    let sketch = Sketch { singles: vec![backwards], ..Sketch::new(&request) };
    let verified =
        OcspResponse::verify(&sketch.der(), &request, &OcspRules { clock_skew: 10 * DAY, ..OcspRules::default() }, &AcceptAll, at);
    assert!(verified.unwrap_err().to_string().contains("it is before thisUpdate"));
    let other =
        element(0x30, &[vec![0x0a, 1, 0], element(0xa0, &element(0x30, &[element(6, &[0x2a, 3]), element(4, &[])].concat()))].concat());
    let verified = OcspResponse::verify(&other, &request, &OcspRules::default(), &AcceptAll, NEW_YEAR);
    assert_eq!(verified.unwrap_err(), OcspError::OtherType { oid: "1.2.3".to_owned() });
    // The same with a verifier that looks: nothing of it is signed.
    let verified = OcspResponse::verify(&Sketch::new(&request).der(), &request, &OcspRules::default(), &P256, NEW_YEAR);
    assert!(matches!(verified, Err(OcspError::BadSignature { .. })));
}

#[test]
fn a_request_for_get_is_escaped() {
    let issuer = issuer();
    let path = |octet| OcspRequest::new(&issuer, serial(1), CertIdHash::Sha1, Some([octet; 32])).unwrap().get_path();
    // Whatever the alignment, one of these octets gives a `/` in base64, the other a `+`.
    assert!(path(0xff).contains("%2F") && path(0xfb).contains("%2B"));
    for octet in 0..=0xff {
        assert!(path(octet).bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'%'));
    }
    let short = OcspRequest::new(&issuer, serial(1), CertIdHash::Sha1, None).unwrap();
    assert!(short.fits_get() && short.get_path().len() <= 255);
}

#[test]
fn changed_responses_never_panic() {
    let issuer = issuer();
    let request = request_of(&issuer, 9);
    let mut sketch = Sketch::new(&request);
    sketch.certificates.push(issuer.leaf().der().to_vec());
    sketch.extensions.push(extension(OID_NONCE, false, &element(4, &[7; 32])));
    let original = sketch.der();
    for at in 0..original.len() {
        for value in [0, 1, 0x30, 0x7f, 0x80, 0x82, 0xa0, 0xff] {
            let mut changed = original.clone();
            changed[at] = value;
            let _ = OcspResponse::verify(&changed, &request, &OcspRules::default(), &AcceptAll, NEW_YEAR);
        }
        assert!(OcspResponse::verify(&original[..at], &request, &OcspRules::default(), &AcceptAll, NEW_YEAR).is_err());
    }
}
