//! `openssl ocsp` answers our requests from the CA's database, and we verify what it says.

use signet_identity::Leaf;
use signet_revocation::{
    Assurance, CertIdHash, ListSource, OcspAnswers, OcspError, OcspRefusal, OcspRequest, OcspResponse, OcspRules, OcspStatus, Reason,
    Recorded, RevocationDepth, RevocationIndex, RevocationMode, RevocationRules, StalePolicy, Verdict,
};

use crate::rig::{P256, Rig, now};

const NONCE: Option<[u8; 32]> = Some([7; 32]);
const REQUIRE: RevocationRules =
    RevocationRules { mode: RevocationMode::Require, depth: RevocationDepth::Chain, grace: 0, stale: StalePolicy::Deny };

fn request(rig: &Rig, leaf: &Leaf, nonce: Option<[u8; 32]>) -> OcspRequest {
    OcspRequest::new(&rig.issuer(), leaf.id().serial(), CertIdHash::Sha1, nonce).unwrap()
}

/// What OpenSSL answers to a request, signed by `signer`.pem, with more arguments.
fn respond(rig: &Rig, request: &OcspRequest, signer: &str, more: &str) -> Vec<u8> {
    rig.write("req.der", request.der());
    rig.openssl(&format!(
        "ocsp -index index.txt -CA ca.pem -rsigner {signer}.pem -rkey {signer}.key -rmd sha256 -reqin req.der -respout resp.der{more}"
    ));
    rig.read("resp.der")
}

fn verify(response: &[u8], request: &OcspRequest) -> Result<OcspResponse, OcspError> {
    OcspResponse::verify(response, request, &OcspRules::default(), &P256, now())
}

#[test]
fn openssl_reads_our_requests() {
    let rig = Rig::new("CA");
    let leaf = rig.issue("a", "v3_plain", "");
    for hash in [CertIdHash::Sha1, CertIdHash::Sha256] {
        let request = OcspRequest::new(&rig.issuer(), leaf.id().serial(), hash, NONCE).unwrap();
        rig.write("req.der", request.der());
        rig.openssl("ocsp -reqin req.der -req_text -out text");
        let text = String::from_utf8(rig.read("text")).unwrap();
        let name = if hash == CertIdHash::Sha1 { "sha1" } else { "sha256" };
        assert!(text.contains(&format!("Hash Algorithm: {name}")) && text.contains("Serial Number: F00D01"), "{text}");
        assert!(text.contains("OCSP Nonce"), "{text}");
        // The same CertID as OpenSSL makes.
        let digest = if hash == CertIdHash::Sha1 { "" } else { " -sha256" };
        rig.openssl(&format!("ocsp{digest} -issuer ca.pem -cert a.pem -no_nonce -reqout theirs.der"));
        let ours = OcspRequest::new(&rig.issuer(), leaf.id().serial(), hash, None).unwrap();
        assert_eq!(ours.der(), rig.read("theirs.der"));
        assert!(verify(&respond(&rig, &request, "ca", " -ndays 1"), &request).is_ok());
    }
}

#[test]
fn every_status_is_read_and_judged() {
    let rig = Rig::new("CA");
    let [good, bad, held] = ["good", "bad", "held"].map(|name| rig.issue(name, "v3_plain", ""));
    rig.revoke("bad", "keyCompromise");
    rig.revoke("held", "certificateHold");
    let mut answers = OcspAnswers::new(10);
    for (leaf, expected) in [(&good, None), (&bad, Some(Reason::KeyCompromise)), (&held, Some(Reason::CertificateHold))] {
        let request = request(&rig, leaf, NONCE);
        let answer = verify(&respond(&rig, &request, "ca", " -ndays 1"), &request).unwrap().answer();
        match answer.status() {
            OcspStatus::Revoked { reason, .. } => assert_eq!(Some(reason), expected),
            status => assert_eq!((status, None), (OcspStatus::Good, expected)),
        }
        assert_eq!((answer.certificate().id, answer.delegate()), (leaf.id(), None));
        assert_eq!(answer.next_update(), Some(answer.this_update() + 86_400));
        let index = RevocationIndex::new();
        assert_eq!(index.judge(&rig.device(leaf), &REQUIRE, Some(&answers), now()), Verdict::Unknown { id: leaf.id() });
        assert_eq!(answers.record(answer), Recorded::Changed);
        let verdict = index.judge(&rig.device(leaf), &REQUIRE, Some(&answers), now());
        match expected {
            None => assert_eq!(verdict, Verdict::Good(Assurance::Fresh)),
            Some(_) => assert!(matches!(verdict, Verdict::Revoked { revoked, .. } if Some(revoked.reason) == expected)),
        }
    }
    let never_issued = OcspRequest::new(&rig.issuer(), "0C0FFEE0".parse().unwrap(), CertIdHash::Sha1, None).unwrap();
    let answer = verify(&respond(&rig, &never_issued, "ca", " -ndays 1"), &never_issued).unwrap().answer();
    assert_eq!(answer.status(), OcspStatus::Unknown);
    // Without nextUpdate it holds for a while, not for ever.
    let request = request(&rig, &good, None);
    let answer = verify(&respond(&rig, &request, "ca", ""), &request).unwrap().answer();
    assert_eq!((answer.next_update(), answer.fresh_until() - answer.fetched_at()), (None, 300));
}

#[test]
fn a_delegate_signs_for_the_issuer_and_nobody_else_does() {
    let rig = Rig::new("CA");
    let leaf = rig.issue("a", "v3_plain", "");
    let (no_check, checked) = (rig.issue("responder", "v3_responder", ""), rig.issue("checked", "v3_responder_checked", ""));
    let old = rig.issue("old", "v3_responder", " -startdate 20200101000000Z -enddate 20210101000000Z");
    let request = request(&rig, &leaf, NONCE);
    for (signer, delegate, expected) in [("responder", &no_check, true), ("checked", &checked, false)] {
        for key_id in ["", " -resp_key_id"] {
            let response = respond(&rig, &request, signer, &format!(" -ndays 1{key_id}"));
            let found = verify(&response, &request).unwrap().answer().delegate().unwrap();
            assert_eq!((found.id, found.no_check), (delegate.id(), expected));
        }
    }
    let refused = |response: Vec<u8>, expected: &str| {
        let error = verify(&response, &request).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    // A device of the same CA, a delegate that has expired, a response without the delegate's certificate.
    refused(
        respond(&rig, &request, "a", " -ndays 1"),
        "signed by `CN=a`, which may not sign for the issuer `CN=CA`: its extKeyUsage lacks",
    );
    refused(respond(&rig, &request, "old", " -ndays 1"), "its certificate holds from 2020-01-01T00:00:00Z to 2021-01-01T00:00:00Z");
    assert_eq!(old.validity().not_after, 1_609_459_200);
    refused(respond(&rig, &request, "responder", " -ndays 1 -resp_no_certs"), "signed by `CN=responder`, which is neither");

    // Another CA's delegate, and another CA of the same name.
    let other = Rig::new("CA");
    let _ = other.issue("responder", "v3_responder", "");
    for file in ["responder.pem", "responder.key"] {
        rig.write(&format!("other-{file}"), other.read(file));
    }
    rig.write("other-ca.pem", other.read("ca.pem"));
    rig.write("other-ca.key", other.read("ca.key"));
    refused(respond(&rig, &request, "other-responder", " -ndays 1"), "the issuer's signature on its certificate is not valid");
    refused(respond(&rig, &request, "other-ca", " -ndays 1 -resp_no_certs"), "the signature of the OCSP response by `CN=CA` is not valid");
    refused(respond(&rig, &request, "other-ca", " -ndays 1 -resp_no_certs -resp_key_id"), "signed by the key with the SHA-1 digest");
}

#[test]
fn a_revoked_delegate_says_nothing_unless_nobody_needs_to_ask() {
    let rig = Rig::new("CA");
    let leaf = rig.issue("a", "v3_plain", "");
    let _ = (rig.issue("responder", "v3_responder", ""), rig.issue("checked", "v3_responder_checked", ""));
    let request = request(&rig, &leaf, NONCE);
    let answer = |signer| verify(&respond(&rig, &request, signer, " -ndays 1"), &request).unwrap().answer();
    let (no_check, checked) = (answer("responder"), answer("checked"));
    rig.revoke("responder", "superseded");
    rig.revoke("checked", "superseded");
    // The list covers CA certificates only, so that it is no answer about the device itself.
    let index = RevocationIndex::new().with_crl(rig.crl("crl_cas"), ListSource::new("crl.pem")).unwrap();
    let judge = |answer| {
        let mut answers = OcspAnswers::new(1);
        answers.record(answer);
        index.judge(&rig.device(&leaf), &REQUIRE, Some(&answers), now())
    };
    assert_eq!(judge(no_check), Verdict::Good(Assurance::Fresh));
    assert_eq!(judge(checked), Verdict::Unknown { id: leaf.id() });
}

#[test]
fn what_does_not_fit_the_question_is_refused() {
    let rig = Rig::new("CA");
    let [a, b] = ["a", "b"].map(|name| rig.issue(name, "v3_plain", ""));
    let (about_a, about_b) = (request(&rig, &a, NONCE), request(&rig, &b, NONCE));
    let response = respond(&rig, &about_a, "ca", " -ndays 1");
    assert_eq!(verify(&response, &about_b).unwrap_err(), OcspError::OtherCertificate { serial: b.id().serial().to_string() });
    let other_nonce = OcspRequest::new(&rig.issuer(), a.id().serial(), CertIdHash::Sha1, Some([8; 32])).unwrap();
    assert_eq!(verify(&response, &other_nonce).unwrap_err(), OcspError::NonceMismatch);
    let other_hash = OcspRequest::new(&rig.issuer(), a.id().serial(), CertIdHash::Sha256, NONCE).unwrap();
    assert!(matches!(verify(&response, &other_hash), Err(OcspError::OtherCertificate { .. })));

    let without = respond(&rig, &request(&rig, &a, None), "ca", " -ndays 1");
    assert!(verify(&without, &about_a).is_ok());
    let strict = OcspRules { nonce_required: true, ..OcspRules::default() };
    let strictly = |response: &[u8]| OcspResponse::verify(response, &about_a, &strict, &P256, now());
    assert_eq!(strictly(&without).unwrap_err(), OcspError::NonceMissing);
    assert!(strictly(&response).is_ok());
    assert!(verify(&response, &request(&rig, &a, None)).is_ok(), "nothing to compare the nonce with");

    // Another issuer of the same name, whose certificate has the same serial number.
    let twin = Rig::new("CA");
    let _ = twin.issue("a", "v3_plain", "");
    assert!(matches!(verify(&response, &request(&twin, &a, NONCE)), Err(OcspError::MayNotSign { .. })));
    let bare = respond(&rig, &about_a, "ca", " -ndays 1 -resp_no_certs");
    assert!(matches!(verify(&bare, &request(&twin, &a, NONCE)), Err(OcspError::BadSignature { .. })));
}

#[test]
fn old_and_future_responses_are_refused() {
    let rig = Rig::new("CA");
    let leaf = rig.issue("a", "v3_plain", "");
    let request = request(&rig, &leaf, None);
    let response = respond(&rig, &request, "ca", " -nmin 60");
    let at = |rules: &OcspRules, now| OcspResponse::verify(&response, &request, rules, &P256, now);
    let rules = OcspRules::default();
    let answer = at(&rules, now()).unwrap().answer();
    let (from, to) = (answer.this_update(), answer.next_update().unwrap());
    assert!(at(&rules, from - 300).is_ok() && at(&rules, to + 300).is_ok());
    assert_eq!(at(&rules, from - 301).unwrap_err(), OcspError::NotYet { this_update: from });
    assert_eq!(at(&rules, to + 301).unwrap_err(), OcspError::Expired { until: to });
    let young = OcspRules { maximum_age: Some(600), ..rules };
    assert!(at(&young, from + 900).is_ok());
    assert_eq!(at(&young, from + 901).unwrap_err(), OcspError::Expired { until: from + 600 });
}

#[test]
fn refusals_of_the_responder_are_named() {
    let rig = Rig::new("CA");
    let leaf = rig.issue("a", "v3_plain", "");
    let request = request(&rig, &leaf, None);
    for (code, refusal) in [
        (1, OcspRefusal::MalformedRequest),
        (2, OcspRefusal::InternalError),
        (3, OcspRefusal::TryLater),
        (5, OcspRefusal::SigRequired),
        (6, OcspRefusal::Unauthorized),
    ] {
        assert_eq!(verify(&[0x30, 3, 0x0a, 1, code], &request).unwrap_err(), OcspError::Refused(refusal));
    }
    assert!(matches!(verify(&[0x30, 3, 0x0a, 1, 4], &request), Err(OcspError::Unreadable { field: "responseStatus", .. })));
    // OpenSSL itself, asked with something that is no request.
    rig.write("req.der", [0x30, 0]);
    assert_eq!(OcspError::Refused(OcspRefusal::TryLater).to_string(), "the OCSP responder says `tryLater`");
    assert!(matches!(verify(b"<html>not here</html>", &request), Err(OcspError::Unreadable { field: "DER", .. })));
    assert!(matches!(verify(&vec![0; OcspResponse::MAXIMUM_SIZE + 1], &request), Err(OcspError::TooLarge { .. })));
}

#[test]
fn any_changed_byte_of_a_response_is_noticed() {
    let rig = Rig::new("CA");
    let leaf = rig.issue("a", "v3_plain", "");
    let _ = rig.issue("responder", "v3_responder", "");
    let request = request(&rig, &leaf, NONCE);
    let response = respond(&rig, &request, "responder", " -ndays 1");
    let original = verify(&response, &request).unwrap().answer();
    for at in 0..response.len() {
        let mut changed = response.clone();
        changed[at] ^= 1;
        if let Ok(read) = verify(&changed, &request) {
            panic!("byte {at}: {:?}, was {original:?}", read.answer());
        }
    }
    for end in 0..response.len() {
        assert!(verify(&response[..end], &request).is_err(), "{end} of {} bytes", response.len());
    }
    assert_eq!(&**verify(&response, &request).unwrap().der(), response, "what is stapled is what came");
}
