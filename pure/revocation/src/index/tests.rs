//! The index against a naive map, and the rules of replacing, releasing and ageing.

use std::collections::{HashMap, HashSet};

use super::*;
use crate::reason::Reason;
use crate::revoked::RevocationSource;
use crate::testing::{Authority, NEW_YEAR, authority, certificate_of, crl, crl_of, id_of, params, serial};
use proptest::prelude::*;

fn source() -> ListSource {
    ListSource::new("test.crl")
}

fn by_authority(since: i64, reason: Reason) -> Revoked {
    Revoked { since, reason, source: RevocationSource::Authority }
}

#[test]
fn a_revocation_holds_from_the_next_generation_on_and_the_old_index_stays_as_it_was() {
    let ca = authority("CA");
    let id = id_of(&ca, 7);
    let before = RevocationIndex::new();
    let after = before.with_revocations([(id, by_authority(NEW_YEAR, Reason::KeyCompromise))]);
    assert_eq!((before.lookup(&id), before.len(), before.is_empty(), before.generation().number()), (None, 0, true, 0));
    assert_eq!(after.lookup(&id), Some(by_authority(NEW_YEAR, Reason::KeyCompromise)));
    assert_eq!((after.len(), after.generation()), (1, Generation::new(1)));
    assert!(before.generation() < after.generation());
    assert_eq!(after.lookup(&id_of(&authority("Another"), 7)), None, "another issuer's number 7 is another certificate");
}

#[test]
fn a_revocation_of_our_own_is_ours_whatever_it_says() {
    let id = id_of(&authority("CA"), 7);
    let claimed = Revoked { source: RevocationSource::Crl, ..by_authority(1, Reason::Superseded) };
    assert_eq!(RevocationIndex::new().with_revocations([(id, claimed)]).lookup(&id), Some(by_authority(1, Reason::Superseded)));
}

#[test]
fn a_newer_crl_replaces_the_older() {
    let ca = authority("CA");
    let id = |number| id_of(&ca, number);
    let own = RevocationIndex::new()
        .with_revocations([(id(1), by_authority(5, Reason::KeyCompromise))])
        .with_revocations([(id(9), by_authority(6, Reason::Superseded))]);
    let first = own.with_crl(crl(&ca, 1, [1, 2, 3]), source()).unwrap();
    let second = first.with_crl(crl(&ca, 2, [3, 4]), source()).unwrap();
    assert_eq!(second.lookup(&id(2)), None, "only the replaced CRL held it");
    assert_eq!(second.lookup(&id(1)), Some(by_authority(5, Reason::KeyCompromise)), "our own revocation outlives CRLs that lack it");
    assert_eq!(second.lookup(&id(9)), Some(by_authority(6, Reason::Superseded)));
    assert_eq!(second.lookup(&id(4)).unwrap().source, RevocationSource::Crl);
    assert_eq!((first.lookup(&id(2)).is_some(), first.lookup(&id(4))), (true, None), "a reader of the old index sees it whole");
    assert_eq!((second.len(), second.generation().number()), (4, 4));
    let lists: Vec<_> = second.lists().collect();
    assert_eq!((lists.len(), lists[0].status.number, lists[0].status.entries), (1, Some(2.into()), 2));
}

#[test]
fn an_older_crl_is_refused() {
    let ca = authority("CA");
    let index = RevocationIndex::new().with_crl(crl(&ca, 18, [1]), source()).unwrap();
    assert_eq!(
        index.with_crl(crl(&ca, 17, [1, 2]), source()).unwrap_err().to_string(),
        "the CRL of `CN=CA` is older than the one in force: number 17, but number 18 is loaded; fetch the current CRL"
    );
    assert!(index.with_crl(crl(&ca, 18, [1]), source()).is_ok(), "the same CRL again");
    let mut yesterday = params(18, [1]);
    yesterday.this_update = rcgen::date_time_ymd(2025, 12, 31);
    let error = index.with_crl(crl_of(&ca, &yesterday), source()).unwrap_err().to_string();
    assert!(error.contains("of 2025-12-31T00:00:00Z, but one of 2026-01-01T00:00:00Z is loaded"), "{error}");
    let another = authority("Another");
    assert!(index.with_crl(crl(&another, 1, [1]), source()).is_ok(), "numbers are counted for each issuer");
}

#[test]
fn only_a_hold_can_be_released() {
    let ca = authority("CA");
    let (held, lost, crl_only) = (id_of(&ca, 1), id_of(&ca, 2), id_of(&ca, 3));
    let release = by_authority(9, Reason::RemoveFromCrl);
    let index = RevocationIndex::new()
        .with_revocations([(held, by_authority(1, Reason::CertificateHold)), (lost, by_authority(2, Reason::KeyCompromise))])
        .with_crl(crl(&ca, 1, [3]), source())
        .unwrap();
    assert_eq!((index.generation().number(), index.len()), (2, 3));
    let index = index.with_revocations([held, lost, crl_only].map(|id| (id, release)));
    assert_eq!(index.lookup(&held), None);
    assert!(index.lookup(&lost).is_some() && index.lookup(&crl_only).is_some());
    let again = index.with_revocations([(held, by_authority(4, Reason::Superseded))]);
    assert_eq!(again.lookup(&held), Some(by_authority(4, Reason::Superseded)));
}

#[test]
fn folding_the_overlay_changes_nothing_that_can_be_seen() {
    let ca = authority("CA");
    let many = |from: u64, reason| (from..from + 1500).map(move |number| (number, reason));
    let with_ids = |list: Vec<(u64, Reason)>| {
        list.into_iter()
            .map(|(number, reason)| (CertificateId::new(id_of_name(&ca), serial(number)), by_authority(3, reason)))
            .collect::<Vec<_>>()
    };
    let index = RevocationIndex::new().with_revocations(with_ids(many(0, Reason::CertificateHold).collect()));
    assert!(index.own.overlay_len() == 0, "above the limit, everything is in the arrays");
    assert_eq!(index.len(), 1500);
    // A release and a change of reason, first seen in the overlay, then after folding.
    let index = index.with_revocations(with_ids(vec![(0, Reason::RemoveFromCrl), (1, Reason::KeyCompromise), (5000, Reason::Superseded)]));
    assert_eq!(index.own.overlay_len(), 3);
    let check = |index: &RevocationIndex, extra: usize| {
        let reason = |number| index.lookup(&CertificateId::new(id_of_name(&ca), serial(number))).map(|revoked| revoked.reason);
        assert_eq!(
            [reason(0), reason(1), reason(2), reason(5000)],
            [None, Some(Reason::KeyCompromise), Some(Reason::CertificateHold), Some(Reason::Superseded)]
        );
        assert_eq!(index.len(), 1500 + extra);
    };
    check(&index, 0);
    let folded = index.with_revocations(with_ids(many(10_000, Reason::Superseded).collect()));
    assert!(folded.own.overlay_len() == 0);
    check(&folded, 1500);
}

fn id_of_name(authority: &Authority) -> NameDigest {
    certificate_of(authority).name()
}

/// 100 000 entries: each is found, the numbers between are not. Memory: `entry.rs` proves 26 bytes an entry, the array holds nothing else.
#[test]
fn a_large_crl_against_a_naive_set() {
    let ca = authority("CA");
    let issuer = id_of_name(&ca);
    // A permutation of 17-bit numbers spread over 64 bits, so that lengths and signs of serial numbers vary and half of the numbers are
    // missing.
    let spread = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (number % 40);
    let listed: HashSet<u64> = (0..100_000).map(|number| spread(2 * number) | 1).collect();
    let crl = crl(&ca, 1, listed.iter().copied());
    assert_eq!(crl.status().entries, listed.len());
    let index = RevocationIndex::new().with_crl(crl, source()).unwrap();
    assert_eq!(index.len(), listed.len());
    for number in (0..100_000).flat_map(|number| [spread(2 * number) | 1, spread(2 * number), spread(2 * number + 1)]) {
        assert_eq!(index.lookup(&CertificateId::new(issuer, serial(number))).is_some(), listed.contains(&number), "{number:x}");
    }
    let next = index.with_crl(self::crl(&ca, 2, listed.iter().copied().chain([2])), source()).unwrap();
    assert_eq!(next.len(), listed.len() + 1);
    assert!(
        next.lookup(&CertificateId::new(issuer, serial(2))).is_some() && index.lookup(&CertificateId::new(issuer, serial(2))).is_none()
    );
}

#[derive(Debug, Clone)]
enum Step {
    Revoke(u8, Reason),
    Crl(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..40_u8, prop::sample::select(Reason::ALL.to_vec())).prop_map(|(number, reason)| Step::Revoke(number, reason)),
        1 => prop::collection::vec(0..40_u8, 0..20).prop_map(Step::Crl),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Any sequence of revocations, releases and CRLs, folded after some of them, against two maps.
    #[test]
    fn the_index_is_two_maps(steps in prop::collection::vec((step(), prop::bool::weighted(0.2)), 1..60)) {
        let ca = authority("CA");
        let mut index = RevocationIndex::new();
        let mut own: HashMap<u8, Reason> = HashMap::new();
        let mut listed: HashSet<u8> = HashSet::new();
        for (number, (step, fold)) in (1..).zip(steps) {
            match step {
                Step::Revoke(number, Reason::RemoveFromCrl) => {
                    index = index.with_revocations([(id_of(&ca, number.into()), by_authority(1, Reason::RemoveFromCrl))]);
                    if own.get(&number) == Some(&Reason::CertificateHold) {
                        own.remove(&number);
                    }
                }
                Step::Revoke(number, reason) => {
                    index = index.with_revocations([(id_of(&ca, number.into()), by_authority(1, reason))]);
                    own.insert(number, reason);
                }
                Step::Crl(numbers) => {
                    listed = numbers.iter().copied().collect();
                    let next = index.with_crl(crl(&ca, number, listed.iter().map(|number| u64::from(*number))), source()).unwrap();
                    index = next;
                }
            }
            if fold {
                index.fold_overlay();
            }
            prop_assert_eq!(index.generation().number(), number);
            prop_assert_eq!(index.len(), own.len() + listed.len());
        }
        for number in 0..40_u8 {
            let expected = own.get(&number).copied().or_else(|| listed.contains(&number).then_some(Reason::Unspecified));
            prop_assert_eq!(index.lookup(&id_of(&ca, number.into())).map(|revoked| revoked.reason), expected);
        }
    }
}
