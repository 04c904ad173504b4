//! CRLs made by OpenSSL: complete, partitioned, by reasons, delta.

use signet_identity::{DistributionPoint, PointName};
use signet_revocation::{
    Assurance, Crl, CrlError, ListSource, Reason, RevocationDepth, RevocationIndex, RevocationMode, RevocationRules, StalePolicy, Verdict,
};

use crate::rig::{P256, Rig, now};

const REQUIRE: RevocationRules =
    RevocationRules { mode: RevocationMode::Require, depth: RevocationDepth::Chain, grace: 0, stale: StalePolicy::Deny };
const DAY: i64 = 86_400;

fn source() -> ListSource {
    ListSource::new("crl.pem")
}

fn fresh() -> Verdict {
    Verdict::Good(Assurance::Fresh)
}

#[test]
fn certificates_revoked_by_openssl_are_revoked_here() {
    let rig = Rig::new("OpenSSL-CA");
    let [a, b, c] = ["a", "b", "c"].map(|name| rig.issue(name, "v3_plain", ""));
    assert_eq!(a.id().serial().to_string(), "F0:0D:01");
    rig.revoke("a", "keyCompromise");
    rig.revoke("b", "certificateHold");
    let from_pem = rig.crl("crl_plain");
    rig.openssl("crl -in crl.pem -outform DER -out crl.der");
    let from_der = rig.parse(&rig.read("crl.der")).unwrap().remove(0);
    assert_eq!((from_pem.status(), from_pem.signer()), (from_der.status(), rig.issuer().leaf().authority_id()));
    assert_eq!(from_pem.status().number, Some(0x12.into()));
    let next_update = from_pem.status().next_update.unwrap();
    assert_eq!(next_update - from_pem.status().this_update, 7 * DAY);

    let index = RevocationIndex::new().with_crl(from_pem, source()).unwrap();
    assert_eq!(index.lookup(&a.id()).unwrap().reason, Reason::KeyCompromise);
    assert_eq!(index.lookup(&b.id()).unwrap().reason, Reason::CertificateHold);
    let device = rig.device(&c);
    assert_eq!(index.judge(&device, &REQUIRE, None, next_update), fresh());
    assert_eq!(
        index.judge(&device, &REQUIRE, None, next_update + 1),
        Verdict::Stale { id: c.id(), issuer: rig.issuer().leaf().authority_id(), next_update }
    );
    assert!(matches!(index.judge(&rig.device(&a), &REQUIRE, None, next_update), Verdict::Revoked { .. }));

    rig.revoke("c", "superseded");
    let index = index.with_crl(rig.crl("crl_plain"), source()).unwrap();
    assert!(index.lookup(&c.id()).is_some());
    assert!(index.with_crl(from_der, source()).unwrap_err().to_string().contains("number 18, but number 19 is loaded"));
}

#[test]
fn a_delta_of_openssl_changes_its_base() {
    let rig = Rig::new("CA");
    let [a, b] = ["a", "b"].map(|name| rig.issue(name, "v3_plain", ""));
    rig.revoke("a", "keyCompromise");
    let base = rig.crl("crl_plain");
    rig.revoke("b", "superseded");
    let delta = rig.crl("crl_delta");
    assert_eq!((delta.status().number, delta.status().base_number), (Some(0x13.into()), Some(0x12.into())));
    let error = RevocationIndex::new().with_crl(delta.clone(), source()).unwrap_err().to_string();
    assert!(error.contains("needs its complete CRL of all certificates with number 18 or higher, but none is loaded"), "{error}");

    let index = RevocationIndex::new().with_crl(base, source()).unwrap();
    assert_eq!(index.judge(&rig.device(&b), &REQUIRE, None, now()), fresh());
    let index = index.with_crl(delta, source()).unwrap();
    for leaf in [&a, &b] {
        assert!(matches!(index.judge(&rig.device(leaf), &REQUIRE, None, now()), Verdict::Revoked { .. }));
    }
    let index = index.with_crl(rig.crl("crl_plain"), source()).unwrap();
    assert_eq!(index.lists().next().unwrap().delta, None, "the complete CRL is newer");
    assert!(index.lookup(&b.id()).is_some());
}

#[test]
fn distribution_points_of_openssl_are_read() {
    let rig = Rig::new("CA");
    let leaf = rig.issue("a", "v3_points", "");
    let points: Vec<DistributionPoint> = leaf.crl_distribution_points().unwrap();
    let text = |names: &[PointName]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(text(&points[0].names), ["http://crl.example/1", "CN=Point"]);
    assert_eq!(points[0].reasons.to_string(), "keyCompromise, cACompromise");
    assert_eq!(PointName::Directory(points[0].crl_issuers[0].clone()).to_string(), "CN=Indirect");
    assert_eq!(text(&points[1].names), ["CN=CRL1,CN=CA"]);
    assert_eq!(text(&leaf.freshest_crl().unwrap()[0].names), ["http://crl.example/delta"]);
    assert_eq!(leaf.ocsp_responders().unwrap(), ["http://ocsp.example/"]);
    assert_eq!(leaf.ca_issuers().unwrap(), ["http://ca.example/ca.der"]);
    assert!(rig.leaf("ca").crl_distribution_points().unwrap().is_empty() && rig.leaf("ca").ocsp_responders().unwrap().is_empty());
}

#[test]
fn partitions_of_openssl_cover_their_own_certificates() {
    let rig = Rig::new("CA");
    let (one, two, none) = (rig.issue("one", "v3_one", ""), rig.issue("two", "v3_two", ""), rig.issue("none", "v3_plain", ""));
    let judge = |index: &RevocationIndex, leaf| index.judge(&rig.device(leaf), &REQUIRE, None, now());
    let index = RevocationIndex::new().with_crl(rig.crl("crl_one"), source()).unwrap();
    assert_eq!(judge(&index, &one), fresh());
    for leaf in [&two, &none] {
        assert_eq!(judge(&index, leaf), Verdict::Unknown { id: leaf.id() });
    }
    // A delta of another scope has no base; one of the same scope does.
    assert!(matches!(index.with_crl(rig.crl("crl_delta"), source()), Err(CrlError::NoBase { .. })));
    rig.revoke("one", "superseded");
    let index = index.with_crl(rig.crl("crl_one_delta"), source()).unwrap();
    assert!(matches!(judge(&index, &one), Verdict::Revoked { .. }));

    let index = RevocationIndex::new().with_crl(rig.crl("crl_users"), source()).unwrap();
    assert_eq!(judge(&index, &none), fresh());
    let index = RevocationIndex::new().with_crl(rig.crl("crl_cas"), source()).unwrap();
    assert_eq!(judge(&index, &none), Verdict::Unknown { id: none.id() }, "a device is no CA");
    assert!(matches!(judge(&index, &one), Verdict::Revoked { .. }), "its own issuer lists it, wherever");
    let index = index.with_crl(rig.crl("crl_users"), source()).unwrap();
    assert_eq!((judge(&index, &none), index.lists().count()), (fresh(), 2));
}

#[test]
fn lists_for_some_reasons_cover_together() {
    let rig = Rig::new("CA");
    let leaf = rig.issue("a", "v3_plain", "");
    let index = RevocationIndex::new().with_crl(rig.crl("crl_reasons"), source()).unwrap();
    assert_eq!(index.judge(&rig.device(&leaf), &REQUIRE, None, now()), Verdict::Unknown { id: leaf.id() });
    let index = index.with_crl(rig.crl("crl_other_reasons"), source()).unwrap();
    assert_eq!(index.judge(&rig.device(&leaf), &REQUIRE, None, now()), fresh());
    let scopes: Vec<String> = index.lists().map(|list| list.scope.to_string()).collect();
    assert!(scopes.contains(&"all certificates for keyCompromise, cACompromise, affiliationChanged, superseded".to_owned()), "{scopes:?}");
}

#[test]
fn a_list_of_attribute_certificates_is_left_out_with_its_reason() {
    let rig = Rig::new("CA");
    let mut pem = rig.crl_bytes("crl_attributes");
    pem.extend(rig.crl_bytes("crl_plain"));
    let crls = rig.parse(&pem).unwrap();
    let mut outcomes = crls.into_iter().map(|crl| RevocationIndex::new().with_crl(crl, source()));
    let error = outcomes.next().unwrap().unwrap_err().to_string();
    assert!(error.contains("covers attribute certificates only"), "{error}");
    assert!(outcomes.next().unwrap().is_ok(), "the rest of the file is of use");
}

#[test]
fn an_indirect_list_counts_for_those_who_name_its_signer() {
    // OpenSSL's `ca` writes no certificateIssuer, so the list is empty of other issuers' entries; `index/tests.rs` has those.
    let (ca, other) = (Rig::new("CA"), Rig::new("Indirect"));
    let (named, plain) = (ca.issue("named", "v3_indirect", ""), ca.issue("plain", "v3_plain", ""));
    let list = other.crl("crl_indirect");
    assert!(matches!(Crl::parse_pem_or_der(&other.read("crl.pem"), &[ca.issuer()], &P256), Err(CrlError::UnknownIssuer { .. })));
    let index = RevocationIndex::new().with_crl(list.clone(), source()).unwrap();
    assert_eq!(index.judge(&ca.device(&named), &REQUIRE, None, now()), fresh());
    assert_eq!(index.judge(&ca.device(&plain), &REQUIRE, None, now()), Verdict::Unknown { id: plain.id() });
    let index = RevocationIndex::new().with_crl(list.accepted_for_any_issuer(), source()).unwrap();
    assert_eq!(index.judge(&ca.device(&plain), &REQUIRE, None, now()), fresh());
}
