//! The judgement: what outweighs what, what covers whom, and how long an answer counts; then any mixture of it against a naive model.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::list::ListSource;
use crate::ocsp::OcspDelegate;
use crate::operator::{OperatorTarget, Suspended};
use crate::reason::Reason;
use crate::testing::*;
use crate::{Crl, CrlError};

const DUE: i64 = NEW_YEAR + 7 * DAY;
const REQUIRE: RevocationRules =
    RevocationRules { mode: RevocationMode::Require, depth: RevocationDepth::Chain, grace: 0, stale: StalePolicy::Deny };
const PREFER: RevocationRules = RevocationRules { mode: RevocationMode::Prefer, ..REQUIRE };
const OFF: RevocationRules = RevocationRules { mode: RevocationMode::Off, ..REQUIRE };
const IN_GRACE: Verdict = Verdict::Good(Assurance::InGrace { next_update: DUE });
const FRESH: Verdict = Verdict::Good(Assurance::Fresh);
const MISSING: Verdict = Verdict::Good(Assurance::Missing);

fn loaded(index: &RevocationIndex, crl: Crl) -> RevocationIndex {
    index.with_crl(crl, ListSource::new("test.crl")).unwrap()
}

fn sketch(extensions: Vec<Vec<u8>>, serials: &[u8]) -> Sketch {
    let entries = serials.iter().map(|serial| revoked(&[*serial], &[])).collect();
    Sketch { extensions, entries, ..Sketch::default() }
}

fn because(reason: Reason) -> Revoked {
    Revoked { since: 5, reason, source: RevocationSource::Authority }
}

fn answer(certificate: PathCertificate, status: OcspStatus, next_update: i64) -> OcspAnswer {
    OcspAnswer { certificate, status, this_update: NEW_YEAR, next_update: Some(next_update), fetched_at: NEW_YEAR, delegate: None }
}

fn revoked_by(source: RevocationSource) -> impl Fn(&Verdict) -> bool {
    move |verdict| matches!(verdict, Verdict::Revoked { revoked, .. } if revoked.source == source)
}

#[test]
fn every_certificate_below_the_anchor_needs_an_answer() {
    let (root, issuing) = (authority("Root"), authority("Issuing"));
    let pump = device(&leaf(&issuing, 7, &[]), &[(&issuing, 2), (&root, 0)]);
    let [leaf_id, issuing_id] = [pump.path()[0].id, pump.path()[1].id];
    assert_eq!(issuing_id, id_of(&root, 2));
    let none = RevocationIndex::new();
    assert_eq!(none.judge(&pump, &REQUIRE, None, NEW_YEAR), Verdict::Unknown { id: leaf_id });
    assert_eq!(none.judge(&pump, &PREFER, None, NEW_YEAR), MISSING);
    assert_eq!(none.judge(&pump, &OFF, None, NEW_YEAR), Verdict::Good(Assurance::NotAsked));

    let half = loaded(&none, crl(&issuing, 1, []));
    assert_eq!(half.judge(&pump, &REQUIRE, None, NEW_YEAR), Verdict::Unknown { id: issuing_id });
    assert_eq!(half.judge(&pump, &PREFER, None, NEW_YEAR), MISSING);
    let leaf_only = RevocationRules { depth: RevocationDepth::Leaf, ..REQUIRE };
    assert_eq!(half.judge(&pump, &leaf_only, None, NEW_YEAR), FRESH);

    let whole = loaded(&half, crl(&root, 1, []));
    assert_eq!(whole.judge(&pump, &REQUIRE, None, NEW_YEAR), FRESH);
    let gone = loaded(&half, crl(&root, 1, [2]));
    for rules in [REQUIRE, PREFER, leaf_only] {
        assert!(matches!(gone.judge(&pump, &rules, None, NEW_YEAR), Verdict::Revoked { id, .. } if id == issuing_id), "{rules:?}");
    }
    assert_eq!(gone.judge(&pump, &OFF, None, NEW_YEAR), Verdict::Good(Assurance::NotAsked), "lists are not looked at");
}

#[test]
fn a_last_good_answer_counts_through_its_grace() {
    let ca = authority("CA");
    let pump = device(&leaf(&ca, 7, &[]), &[(&ca, 0)]);
    let index = loaded(&RevocationIndex::new(), crl(&ca, 1, [1]));
    let rules = RevocationRules { grace: 60, ..REQUIRE };
    let issuer = certificate_of(&ca).leaf().authority_id();
    let stale = Verdict::Stale { id: pump.certificate(), issuer, next_update: DUE };
    for (after, expected) in [(0, FRESH), (1, IN_GRACE), (60, IN_GRACE), (61, stale)] {
        assert_eq!(index.judge(&pump, &rules, None, DUE + after), expected, "{after} s");
    }
    let preferred = RevocationRules { grace: 60, ..PREFER };
    assert_eq!(index.judge(&pump, &preferred, None, DUE + 60), IN_GRACE);
    let stale = Verdict::Stale { id: pump.certificate(), issuer, next_update: DUE };
    assert_eq!(index.judge(&pump, &preferred, None, DUE + 61), stale, "who publishes lists is expected to go on");
    for rules in [rules, preferred] {
        let lenient = RevocationRules { stale: StalePolicy::Allow, ..rules };
        assert_eq!(index.judge(&pump, &lenient, None, DUE + 1000 * DAY), IN_GRACE);
    }
    let listed = device(&leaf(&ca, 1, &[]), &[(&ca, 0)]);
    assert!(revoked_by(RevocationSource::Crl)(&index.judge(&listed, &preferred, None, DUE + 1000 * DAY)), "revoked however old the list");
    // A list from the future of this clock covers nothing, and revokes all the same.
    assert_eq!(index.judge(&pump, &rules, None, NEW_YEAR - 300), FRESH);
    assert_eq!(index.judge(&pump, &rules, None, NEW_YEAR - 301), Verdict::Unknown { id: pump.certificate() });
    assert!(revoked_by(RevocationSource::Crl)(&index.judge(&listed, &rules, None, NEW_YEAR - 301)));
}

#[test]
fn two_authorities_of_one_name_do_not_speak_for_each_other() {
    let (one, two) = (authority("CA"), authority("CA"));
    let pump = |ca| device(&leaf(ca, 7, &[]), &[(ca, 0)]);
    let (of_one, of_two) = (pump(&one), pump(&two));
    let index = loaded(&RevocationIndex::new(), crl(&one, 9, [7]));
    assert!(revoked_by(RevocationSource::Crl)(&index.judge(&of_one, &REQUIRE, None, NEW_YEAR)));
    assert_eq!(index.judge(&of_two, &REQUIRE, None, NEW_YEAR), Verdict::Unknown { id: of_two.certificate() });
    let index = loaded(&index, crl(&two, 1, []));
    assert_eq!(index.judge(&of_two, &REQUIRE, None, NEW_YEAR), FRESH);
    assert!(revoked_by(RevocationSource::Crl)(&index.judge(&of_one, &REQUIRE, None, NEW_YEAR)));
    // After a change of keys an operator may say that the new key's list is about the old key's certificates too.
    let index = loaded(&RevocationIndex::new(), crl(&one, 9, [7]).accepted_for_any_issuer());
    assert!(revoked_by(RevocationSource::Crl)(&index.judge(&of_two, &REQUIRE, None, NEW_YEAR)));
}

#[test]
fn an_indirect_list_speaks_for_those_it_was_accepted_for_or_named_by() {
    let (ca, other) = (authority("CA"), authority("Indirect"));
    let entries =
        vec![revoked(&[1], &[]), revoked(&[2], &[entry_of(&ca)]), revoked(&[3], &[]), revoked(&[4], &[entry_of(&other), reason(1)])];
    let list = Sketch { extensions: vec![point(&[flag(0x84)])], entries, ..Sketch::default() }.read(&other).unwrap();
    let listed: BTreeSet<CertificateId> = list.ids().collect();
    assert_eq!(
        listed,
        BTreeSet::from([id_of(&other, 1), id_of(&ca, 2), id_of(&ca, 3), id_of(&other, 4)]),
        "an issuer holds until the next"
    );
    let named_point = element(0x30, &[point_uri("http://crl/"), element(0xa2, &directory(&other))].concat());
    let named = |number| device(&leaf(&ca, number, std::slice::from_ref(&named_point)), &[(&ca, 0)]);
    let plain = |number| device(&leaf(&ca, number, &[]), &[(&ca, 0)]);
    let index = loaded(&RevocationIndex::new(), list.clone());
    let judge = |index: &RevocationIndex, device: &DeviceIdentity| index.judge(device, &REQUIRE, None, NEW_YEAR);
    assert!(revoked_by(RevocationSource::Crl)(&judge(&index, &named(3))));
    assert_eq!(judge(&index, &named(7)), FRESH);
    assert_eq!(judge(&index, &plain(3)), Verdict::Unknown { id: id_of(&ca, 3) }, "anybody could name it in a list");
    assert_eq!(index.lookup(&id_of(&ca, 3)), None);
    assert!(revoked_by(RevocationSource::Crl)(&judge(&index, &device(&leaf(&other, 4, &[]), &[(&other, 0)]))), "its own");
    let index = loaded(&RevocationIndex::new(), list.accepted_for_any_issuer());
    assert!(revoked_by(RevocationSource::Crl)(&judge(&index, &plain(3))));
    assert_eq!(judge(&index, &plain(7)), FRESH);
    assert_eq!(index.lookup(&id_of(&ca, 3)).map(|revoked| revoked.reason), Some(Reason::Unspecified));
}

#[test]
fn an_intermediate_is_covered_by_a_partition_when_its_certificate_is_known() {
    let (root, issuing) = (authority("Root"), authority("Issuing"));
    let pump = device(&leaf(&issuing, 7, &[]), &[(&issuing, 2), (&root, 0)]);
    let partition = sketch(vec![point(&[point_uri("http://crl/1")])], &[]).read(&root).unwrap();
    let index = loaded(&loaded(&RevocationIndex::new(), crl(&issuing, 1, [])), partition);
    assert_eq!(index.judge(&pump, &REQUIRE, None, NEW_YEAR), Verdict::Unknown { id: id_of(&root, 2) });
    let known = leaf(&root, 2, &[element(0x30, &point_uri("http://crl/1"))]);
    assert_eq!(index.with_known_authorities(&[known]).unwrap().judge(&pump, &REQUIRE, None, NEW_YEAR), FRESH);
}

#[test]
fn lists_of_one_kind_of_certificate_cover_no_other() {
    let (root, issuing) = (authority("Root"), authority("Issuing"));
    let pump = device(&leaf(&issuing, 7, &[]), &[(&issuing, 2), (&root, 0)]);
    let kind = |ca, tag| sketch(vec![point(&[flag(tag)])], &[]).read(ca).unwrap();
    let judge = |of_issuing: u8, of_root: u8| {
        let index = loaded(&loaded(&RevocationIndex::new(), kind(&issuing, of_issuing)), kind(&root, of_root));
        index.judge(&pump, &REQUIRE, None, NEW_YEAR)
    };
    assert_eq!(judge(0x81, 0x82), FRESH);
    assert_eq!(judge(0x81, 0x81), Verdict::Unknown { id: id_of(&root, 2) });
    assert_eq!(judge(0x82, 0x82), Verdict::Unknown { id: pump.certificate() });
}

#[test]
fn points_cover_by_name_signer_and_reasons() {
    let ca = authority("CA");
    let key_compromise = element(0x81, &[6, 0x40]);
    let uri = |uri| element(0x30, &point_uri(uri));
    let two_points = [element(0x30, &[point_uri("http://crl/1"), key_compromise].concat()), uri("http://crl/2")];
    let list = |fields: &[Vec<u8>]| sketch(vec![point(fields)], &[]).read(&ca).unwrap();
    let one = list(&[point_uri("http://crl/1")]);
    let judge = |leaf: &Leaf, crls: &[&Crl]| {
        let index = crls.iter().fold(RevocationIndex::new(), |index, crl| loaded(&index, (*crl).clone()));
        index.judge(&device(leaf, &[(&ca, 0)]), &REQUIRE, None, NEW_YEAR)
    };
    let split = leaf(&ca, 7, &two_points);
    let unknown = Verdict::Unknown { id: split.id() };
    assert_eq!(judge(&split, &[&one]), unknown, "the point is for key compromise alone");
    assert_eq!(judge(&split, &[&list(&[point_uri("http://crl/2")])]), FRESH, "all reasons at the other point");
    let others = list(&[point_uri("http://crl/2"), element(0x83, &[7, 0b0011_1111, 0x80])]);
    assert_eq!(judge(&split, &[&others]), unknown);
    assert_eq!(judge(&split, &[&others, &one]), FRESH, "all reasons together");
    assert_eq!(judge(&leaf(&ca, 7, &[uri("http://crl/1")]), &[&one]), FRESH);
    // The last resort: a point that is named like the issuer.
    let own = list(&[element(0xa0, &element(0xa0, &directory(&ca)))]);
    assert_eq!(judge(&leaf(&ca, 7, &[]), &[&own]), FRESH);
    // A point without a name is the one of its CRL issuer's Name; a foreign CRL issuer's point is not the issuer's to fill.
    let other = authority("Indirect");
    let foreign = leaf(&ca, 7, &[element(0x30, &[point_uri("http://crl/1"), element(0xa2, &directory(&other))].concat())]);
    assert_eq!(judge(&foreign, &[&one]), unknown);
    let nameless = leaf(&ca, 7, &[element(0x30, &element(0xa2, &directory(&other)))]);
    let indirect = |name: Vec<u8>| sketch(vec![point(&[element(0xa0, &element(0xa0, &name)), flag(0x84)])], &[]).read(&other).unwrap();
    assert_eq!(judge(&nameless, &[&indirect(directory(&other))]), FRESH);
    assert_eq!(judge(&nameless, &[&indirect(element(0x86, b"http://crl/1"))]), unknown);
}

#[test]
fn our_own_authority_answers_for_what_it_issued() {
    let (ours, foreign) = (authority("Ours"), authority("Foreign"));
    let (own, other) = (device(&leaf(&ours, 7, &[]), &[(&ours, 0)]), device(&leaf(&foreign, 7, &[]), &[(&foreign, 0)]));
    let index = RevocationIndex::new().with_own_authorities([certificate_of(&ours).leaf().authority_id()]);
    assert_eq!(index.judge(&own, &REQUIRE, None, i64::MAX), FRESH);
    assert_eq!(index.judge(&other, &REQUIRE, None, NEW_YEAR), Verdict::Unknown { id: other.certificate() });
    let held = index.with_revocations([(own.certificate(), because(Reason::CertificateHold))]);
    for rules in [REQUIRE, PREFER, OFF] {
        assert!(revoked_by(RevocationSource::Authority)(&held.judge(&own, &rules, None, NEW_YEAR)));
    }
    let released = held.with_revocations([(own.certificate(), because(Reason::RemoveFromCrl))]);
    assert_eq!(released.judge(&own, &REQUIRE, None, NEW_YEAR), FRESH);
}

#[test]
fn an_operators_word_counts_in_every_mode_until_it_is_taken_back() {
    let (root, issuing) = (authority("Root"), authority("Issuing"));
    let certificate = leaf(&issuing, 7, &[]);
    let pump = device(&certificate, &[(&issuing, 2), (&root, 0)]);
    let authority_of = |ca| certificate_of(ca).leaf().authority_id();
    let cases = [
        (OperatorTarget::Certificate(certificate.id()), certificate.id()),
        (OperatorTarget::Key(certificate.spki_digest()), certificate.id()),
        (OperatorTarget::Authority(authority_of(&issuing)), certificate.id()),
        (OperatorTarget::Key(authority_of(&issuing).key), certificate.id()),
        (OperatorTarget::Certificate(id_of(&root, 2)), id_of(&root, 2)),
        (OperatorTarget::Authority(authority_of(&root)), id_of(&root, 2)),
        (OperatorTarget::Key(authority_of(&root).key), id_of(&root, 2)),
    ];
    for (target, expected) in cases {
        let index = RevocationIndex::new().with_operator_entries([(target, because(Reason::KeyCompromise))]);
        for rules in [REQUIRE, PREFER, OFF] {
            let verdict = index.judge(&pump, &rules, None, NEW_YEAR);
            let Verdict::Revoked { id, revoked } = verdict else { panic!("{target}: {verdict:?}") };
            assert_eq!((id, revoked), (expected, Revoked { source: RevocationSource::Operator, ..because(Reason::KeyCompromise) }));
        }
        assert_eq!((index.len(), index.operator_entries().count()), (1, 1));
        let index = index.without_operator_entry(&target);
        assert_eq!((index.judge(&pump, &OFF, None, NEW_YEAR), index.generation().number()), (Verdict::Good(Assurance::NotAsked), 2));
    }
    let other_key = OperatorTarget::Authority(AuthorityId { key: authority_of(&root).key, ..authority_of(&issuing) });
    let index = RevocationIndex::new().with_operator_entries([(other_key, because(Reason::KeyCompromise))]);
    assert_eq!(
        index.judge(&pump, &OFF, None, NEW_YEAR),
        Verdict::Good(Assurance::NotAsked),
        "the Name with another key is another authority"
    );
}

#[test]
fn a_suspended_device_is_known_by_its_qualified_name() {
    let ca = authority("CA");
    let pump = device(&leaf(&ca, 7, &[]), &[(&ca, 0)]);
    let at_tenant = pump.clone().under("".into(), Some("acme".into()));
    let suspended = |name: &str| BTreeMap::from([(Arc::from(name), Suspended { since: 9, why: "stolen".into() })]);
    let verdict = Verdict::Suspended { since: 9, why: "stolen".into() };
    let index = RevocationIndex::new().with_suspensions(suspended("acme/pump"));
    for rules in [REQUIRE, PREFER, OFF] {
        assert_eq!(index.judge(&at_tenant, &rules, None, NEW_YEAR), verdict, "outweighs that nothing is known");
    }
    assert_eq!(index.judge(&pump, &OFF, None, NEW_YEAR), Verdict::Good(Assurance::NotAsked), "another tenant's pump");
    assert_eq!(index.with_suspensions(suspended("pump")).judge(&pump, &OFF, None, NEW_YEAR), verdict);
    let index = index.with_revocations([(pump.certificate(), because(Reason::KeyCompromise))]);
    assert!(revoked_by(RevocationSource::Authority)(&index.judge(&at_tenant, &OFF, None, NEW_YEAR)), "revoked outweighs suspended");
}

#[test]
fn ocsp_and_lists_answer_for_each_other_and_revoke_each_alone() {
    let ca = authority("CA");
    let pump = device(&leaf(&ca, 7, &[]), &[(&ca, 0)]);
    let certificate = pump.path()[0];
    let with = |status, next_update| {
        let mut answers = OcspAnswers::new(2);
        answers.record(answer(certificate, status, next_update));
        answers
    };
    let revoked_status = OcspStatus::Revoked { since: 3, reason: Reason::KeyCompromise };
    let none = RevocationIndex::new();
    let list = |serials: &[u64]| loaded(&none, crl(&ca, 1, serials.iter().copied()));
    let judge = |index: &RevocationIndex, answers: &OcspAnswers, now| {
        index.judge(&pump, &RevocationRules { grace: 60, ..REQUIRE }, Some(answers), now)
    };
    let good = with(OcspStatus::Good, DUE);
    assert_eq!(judge(&none, &good, DUE), FRESH);
    assert_eq!(judge(&none, &good, DUE + 60), IN_GRACE);
    let stale = Verdict::Stale { id: certificate.id, issuer: certificate.issuer(), next_update: DUE };
    assert_eq!(judge(&none, &good, DUE + 61), stale);
    assert_eq!(judge(&none, &with(OcspStatus::Unknown, DUE), NEW_YEAR), Verdict::Unknown { id: certificate.id });
    assert_eq!(judge(&list(&[]), &with(OcspStatus::Unknown, DUE), NEW_YEAR), FRESH);
    assert_eq!(judge(&list(&[]), &with(OcspStatus::Good, DUE + 9 * DAY), DUE + DAY), FRESH, "the list is stale, the responder is not");
    assert!(revoked_by(RevocationSource::Crl)(&judge(&list(&[7]), &good, NEW_YEAR)), "the responder does not outweigh the list");
    assert!(revoked_by(RevocationSource::Ocsp)(&judge(&list(&[]), &with(revoked_status, DUE), DUE + 1000 * DAY)), "nor does age");
    let off = none.judge(&pump, &OFF, Some(&with(revoked_status, DUE)), NEW_YEAR);
    assert_eq!(off, Verdict::Good(Assurance::NotAsked));
    let other_key = PathCertificate { issuer_key: pump.leaf().spki_digest(), ..certificate };
    let mut answers = OcspAnswers::new(2);
    answers.record(answer(other_key, OcspStatus::Good, DUE));
    assert_eq!(judge(&none, &answers, NEW_YEAR), Verdict::Unknown { id: certificate.id }, "another issuer's answer");
    // An answer whose signer is revoked is none.
    let delegate = OcspDelegate { id: id_of(&ca, 9), no_check: false };
    let signed = |no_check| {
        let mut answers = OcspAnswers::new(2);
        let delegate = Some(OcspDelegate { no_check, ..delegate });
        answers.record(OcspAnswer { delegate, ..answer(certificate, OcspStatus::Good, DUE) });
        answers
    };
    let index = none.with_revocations([(delegate.id, because(Reason::KeyCompromise))]);
    assert_eq!(judge(&index, &signed(false), NEW_YEAR), Verdict::Unknown { id: certificate.id });
    assert_eq!(judge(&index, &signed(true), NEW_YEAR), FRESH);
}

#[test]
fn explain_names_every_source_and_its_age() {
    let (root, issuing) = (authority("Root"), authority("Issuing"));
    let pump = device(&leaf(&issuing, 7, &[]), &[(&issuing, 2), (&root, 0)]);
    let key_compromise = sketch(vec![point(&[element(0x83, &[6, 0x40])])], &[]).read(&issuing).unwrap();
    let index = loaded(&loaded(&RevocationIndex::new(), crl(&issuing, 1, [7])), key_compromise)
        .with_own_authorities([certificate_of(&root).leaf().authority_id()])
        .with_operator_entries([(OperatorTarget::Key(pump.leaf().spki_digest()), because(Reason::Superseded))]);
    let mut answers = OcspAnswers::new(1);
    answers.record(answer(pump.path()[0], OcspStatus::Good, DUE));
    let shown = |rules: &RevocationRules| {
        let all = index.explain(&pump, rules, Some(&answers), NEW_YEAR + 30);
        let line =
            |answer: &crate::StatusAnswer| format!("{}: {} {:?} {:?}", answer.source, answer.finding, answer.age, answer.next_update);
        all.iter().map(|status| (status.id, status.asked, status.answers.iter().map(line).collect::<Vec<_>>())).collect::<Vec<_>>()
    };
    let all = shown(&REQUIRE);
    assert_eq!((all[0].0, all[0].1, all[1].0, all[1].1), (pump.path()[0].id, true, pump.path()[1].id, true));
    assert_eq!(
        all[0].2,
        [
            "the operator: revoked (superseded) None None".to_owned(),
            format!("the CRL of `CN=Issuing` (all certificates) from test.crl: revoked (unspecified) Some(30) Some({DUE})"),
            format!(
                "the CRL of `CN=Issuing` (all certificates for keyCompromise) from test.crl: not revoked for the reasons keyCompromise Some(30) Some({DUE})"
            ),
            format!("OCSP, signed by the issuer: not revoked Some(30) Some({DUE})"),
        ]
    );
    assert_eq!(all[1].2, ["our own authority: not revoked None None"]);
    let off = shown(&OFF);
    assert_eq!((off[0].1, off[0].2.len(), off[1].2.len()), (false, 1, 1));
    assert!(!shown(&RevocationRules { depth: RevocationDepth::Leaf, ..REQUIRE })[1].1);
}

// --- any mixture against a naive model

const SERIALS: u8 = 6;
const URIS: [&str; 2] = ["http://crl/0", "http://crl/1"];

#[derive(Debug, Clone)]
enum Step {
    /// Authority, scope (a point, or 2: none), number, serials.
    Complete(usize, usize, u8, Vec<u8>),
    /// The same, base number, serials revoked, serials released.
    Delta(usize, usize, u8, u8, Vec<u8>, Vec<u8>),
    /// Authority, serial.
    Own(usize, u8),
    /// Authority, serial, good, unknown or revoked.
    Ocsp(usize, u8, usize),
    /// Lists of one scope of both authorities go.
    Remove(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let serials = || prop::collection::vec(1..=SERIALS, 0..3);
    prop_oneof![
        4 => (0..2_usize, 0..3_usize, 0..6_u8, serials()).prop_map(|(ca, scope, number, list)| Step::Complete(ca, scope, number, list)),
        4 => (0..2_usize, 0..3_usize, 0..8_u8, 0..6_u8, serials(), serials())
            .prop_map(|(ca, scope, number, base, list, released)| Step::Delta(ca, scope, number, base, list, released)),
        1 => (0..2_usize, 1..=SERIALS).prop_map(|(ca, serial)| Step::Own(ca, serial)),
        1 => (0..2_usize, 1..=SERIALS, 0..3_usize).prop_map(|(ca, serial, status)| Step::Ocsp(ca, serial, status)),
        1 => (0..3_usize).prop_map(Step::Remove),
    ]
}

#[derive(Default, Clone)]
struct ModelList {
    number: u8,
    listed: BTreeSet<u8>,
    /// Number, base number, revoked, released.
    delta: Option<(u8, BTreeSet<u8>, BTreeSet<u8>, u8)>,
}

impl ModelList {
    fn has(&self, serial: u8) -> bool {
        match &self.delta {
            Some((_, revoked, ..)) if revoked.contains(&serial) => true,
            Some((_, _, released, _)) if released.contains(&serial) => false,
            _ => self.listed.contains(&serial),
        }
    }
}

#[derive(Default)]
struct Model {
    lists: BTreeMap<(usize, usize), ModelList>,
    own: BTreeSet<(usize, u8)>,
    ocsp: BTreeMap<(usize, u8), usize>,
}

impl Model {
    /// Whether the index must take the step; a list's numbers alone decide, all dates are the same.
    fn apply(&mut self, step: &Step) -> bool {
        match step.clone() {
            Step::Complete(ca, scope, number, listed) => {
                let current = self.lists.get(&(ca, scope)).cloned();
                if current.as_ref().is_some_and(|current| number < current.number) {
                    return false;
                }
                let delta = current.and_then(|current| current.delta).filter(|delta| delta.0 > number && delta.3 <= number);
                self.lists.insert((ca, scope), ModelList { number, listed: listed.into_iter().collect(), delta });
            }
            Step::Delta(ca, scope, number, base, revoked, released) => {
                let Some(list) = self.lists.get_mut(&(ca, scope)).filter(|list| list.number >= base) else { return false };
                if number <= list.number {
                    return true;
                }
                if list.delta.as_ref().is_some_and(|delta| number < delta.0) {
                    return false;
                }
                list.delta = Some((number, revoked.into_iter().collect(), released.into_iter().collect(), base));
            }
            Step::Own(ca, serial) => drop(self.own.insert((ca, serial))),
            Step::Ocsp(ca, serial, status) => {
                // A responder that does not know does not lift a revocation.
                if !(status == 1 && self.ocsp.get(&(ca, serial)) == Some(&2)) {
                    self.ocsp.insert((ca, serial), status);
                }
            }
            Step::Remove(scope) => self.lists.retain(|(_, of), _| *of != scope),
        }
        true
    }

    /// Whether revoked, else whether covered by a list or OCSP.
    fn says(&self, ca: usize, serial: u8) -> (bool, bool) {
        let of_ca = |scope| self.lists.get(&(ca, scope));
        let listed = (0..3).filter_map(of_ca).any(|list| list.has(serial));
        let ocsp = self.ocsp.get(&(ca, serial));
        let revoked = listed || self.own.contains(&(ca, serial)) || ocsp == Some(&2);
        (revoked, self.is_listed(ca, serial) || ocsp == Some(&0))
    }

    /// Whether a list covers it.
    fn is_listed(&self, ca: usize, serial: u8) -> bool {
        [2, usize::from(serial % 2)].into_iter().any(|scope| self.lists.contains_key(&(ca, scope)))
    }
}

fn crl_of_step(step: &Step, cas: &[Authority]) -> Option<(Crl, usize)> {
    let idp = |scope: usize| URIS.get(scope).map(|uri| point(&[point_uri(uri)]));
    match step {
        Step::Complete(ca, scope, of, listed) => {
            let extensions = idp(*scope).into_iter().chain([number(*of)]).collect();
            Some((sketch(extensions, listed).read(&cas[*ca]).unwrap(), *scope))
        }
        Step::Delta(ca, scope, of, base, listed, released) => {
            let extensions = idp(*scope).into_iter().chain([number(*of), delta_to(*base)]).collect();
            let mut sketch = sketch(extensions, listed);
            sketch.entries.extend(released.iter().map(|serial| revoked(&[*serial], &[reason(8)])));
            Some((sketch.read(&cas[*ca]).unwrap(), *scope))
        }
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Two authorities of one Name, lists of two points and of all, deltas, OCSP, our own word, lists that go: each device of each authority.
    #[test]
    fn the_judgement_is_the_models(steps in prop::collection::vec(step(), 1..40), after in prop::sample::select(vec![0, 30, 90])) {
        let cas = [authority("CA"), authority("CA")];
        let devices: BTreeMap<(usize, u8), DeviceIdentity> = (0..2).flat_map(|ca| (1..=SERIALS).map(move |serial| (ca, serial))).map(|(ca, serial)| {
            let points = [element(0x30, &point_uri(URIS[usize::from(serial % 2)]))];
            ((ca, serial), device(&leaf(&cas[ca], serial.into(), &points), &[(&cas[ca], 0)]))
        }).collect();
        let (mut index, mut answers, mut model) = (RevocationIndex::new(), OcspAnswers::new(100), Model::default());
        for step in steps {
            let expected = model.apply(&step);
            if let Some((crl, scope)) = crl_of_step(&step, &cas) {
                let next = index.with_crl(crl, ListSource::new(scope.to_string()));
                prop_assert_eq!(next.is_ok(), expected, "{:?}: {:?}", step, next.as_ref().err().map(CrlError::to_string));
                index = next.unwrap_or(index);
            }
            match step {
                Step::Own(ca, serial) => {
                    // By issuer Name and serial number alone: our own authority has one key.
                    index = index.with_revocations([(devices[&(ca, serial)].certificate(), because(Reason::Superseded))]);
                    model.own.extend([(0, serial), (1, serial)]);
                }
                Step::Ocsp(ca, serial, status) => {
                    let status = [OcspStatus::Good, OcspStatus::Unknown, OcspStatus::Revoked { since: 1, reason: Reason::KeyCompromise }][status];
                    answers.record(answer(devices[&(ca, serial)].path()[0], status, DUE));
                }
                Step::Remove(scope) => index = index.without_lists(|_, source| source.as_str() == scope.to_string()),
                Step::Complete(..) | Step::Delta(..) => {}
            }
        }
        let rules = RevocationRules { grace: 60, ..REQUIRE };
        for ((ca, serial), device) in &devices {
            let id = device.certificate();
            let verdict = index.judge(device, &rules, Some(&answers), DUE + after);
            let preferred = index.judge(device, &RevocationRules { mode: RevocationMode::Prefer, ..rules }, Some(&answers), DUE + after);
            match (model.says(*ca, *serial), after) {
                ((true, _), _) => {
                    let said = matches!(verdict, Verdict::Revoked { id: found, .. } if found == id);
                    prop_assert!(said, "{:?}", verdict);
                    prop_assert_eq!(preferred, verdict);
                }
                ((_, false), _) => prop_assert_eq!((verdict, preferred), (Verdict::Unknown { id }, MISSING)),
                (_, 0) => prop_assert_eq!((verdict, preferred), (FRESH, FRESH)),
                (_, 30) => prop_assert_eq!((verdict, preferred), (IN_GRACE, IN_GRACE)),
                _ => {
                    let said = matches!(verdict, Verdict::Stale { id: found, next_update: DUE, .. } if found == id);
                    prop_assert!(said, "{:?}", verdict);
                    // Beyond the grace a responder is one that could not be asked, and a list one that should have been replaced.
                    prop_assert_eq!(preferred, if model.is_listed(*ca, *serial) { verdict } else { MISSING });
                }
            }
        }
        let lists: usize = model.lists.values().map(|list| list.listed.len() + list.delta.as_ref().map_or(0, |(_, revoked, released, _)| revoked.union(released).count())).sum();
        let own: BTreeSet<u8> = model.own.iter().map(|(_, serial)| *serial).collect();
        prop_assert_eq!(index.len(), lists + own.len());
    }
}

#[test]
fn a_disabled_profile_lets_nobody_in_and_a_revocation_says_more() {
    let ca = authority("CA");
    let pump = device(&leaf(&ca, 7, &[]), &[(&ca, 0)]).under("factory".into(), None);
    let index = RevocationIndex::new().with_disabled_profiles(["factory".into()].into());
    for rules in [REQUIRE, PREFER, OFF] {
        assert_eq!(index.judge(&pump, &rules, None, NEW_YEAR), Verdict::ProfileDisabled);
    }
    let revoked = index.with_revocations([(pump.certificate(), because(Reason::Superseded))]);
    assert!(matches!(revoked.judge(&pump, &OFF, None, NEW_YEAR), Verdict::Revoked { .. }));
    assert_eq!(index.with_disabled_profiles([].into()).judge(&pump, &OFF, None, NEW_YEAR), Verdict::Good(Assurance::NotAsked));
    let entry = |serial: u64| (OperatorTarget::Certificate(id_of(&ca, serial)), because(Reason::KeyCompromise));
    let listed = RevocationIndex::new().with_operator_entries([entry(7)]);
    assert!(matches!(listed.judge(&pump, &OFF, None, NEW_YEAR), Verdict::Revoked { .. }));
    assert_eq!(listed.with_operator_list([entry(8)]).judge(&pump, &OFF, None, NEW_YEAR), Verdict::Good(Assurance::NotAsked));
}
