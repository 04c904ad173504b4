//! What stays, what goes, and what a later answer may change.

use std::collections::BTreeMap;

use proptest::prelude::*;
use signet_identity::{CertificateId, KeyDigest, NameDigest};

use super::*;
use crate::reason::Reason;
use crate::testing::serial;

const REVOKED: OcspStatus = OcspStatus::Revoked { since: 1, reason: Reason::KeyCompromise };

fn certificate(number: u64) -> PathCertificate {
    PathCertificate { id: CertificateId::new(NameDigest::of(b"CA"), serial(number)), issuer_key: KeyDigest::of(b"key") }
}

fn answer(number: u64, status: OcspStatus, this_update: i64, next_update: i64) -> OcspAnswer {
    let certificate = certificate(number);
    OcspAnswer { certificate, status, this_update, next_update: Some(next_update), fetched_at: this_update, delegate: None }
}

fn held(answers: &OcspAnswers) -> Vec<u64> {
    (0..20).filter(|number| answers.get(&certificate(*number)).is_some()).collect()
}

#[test]
fn the_first_to_end_goes_first_and_a_revocation_last() {
    let mut answers = OcspAnswers::new(3);
    for (number, status, end) in [(1, REVOKED, 10), (2, OcspStatus::Good, 30), (3, OcspStatus::Good, 20)] {
        assert_eq!(answers.record(answer(number, status, 1, end)), Recorded::Changed);
    }
    answers.record(answer(4, OcspStatus::Good, 1, 40));
    assert_eq!(held(&answers), [1, 2, 4]);
    answers.record(answer(5, REVOKED, 1, 5));
    answers.record(answer(6, REVOKED, 1, 6));
    assert_eq!(held(&answers), [1, 5, 6]);
    assert_eq!(answers.record(answer(7, OcspStatus::Good, 1, 99)), Recorded::NoRoom);
    assert_eq!((held(&answers), answers.len()), (vec![1, 5, 6], 3));
    // Of those that end at once, the one that was fetched first.
    let mut answers = OcspAnswers::new(2);
    for (number, this_update) in [(1, 3), (2, 2), (3, 4)] {
        answers.record(answer(number, OcspStatus::Good, this_update, 10));
    }
    assert_eq!(held(&answers), [1, 3]);
    assert_eq!(OcspAnswers::new(0).record(answer(1, REVOKED, 1, 2)), Recorded::NoRoom);
}

#[test]
fn a_later_answer_replaces_an_earlier_one_and_no_other() {
    let mut answers = OcspAnswers::new(3);
    assert_eq!(answers.record(answer(1, OcspStatus::Good, 10, 20)), Recorded::Changed);
    assert_eq!(answers.record(answer(1, OcspStatus::Good, 11, 21)), Recorded::Renewed);
    assert_eq!(answers.record(answer(1, REVOKED, 10, 99)), Recorded::Ignored, "made before the one that is there");
    assert_eq!(answers.record(answer(1, REVOKED, 11, 21)), Recorded::Changed);
    assert_eq!(answers.record(answer(1, OcspStatus::Unknown, 12, 22)), Recorded::Ignored, "forgotten is not released");
    assert_eq!(answers.get(&certificate(1)).unwrap().status(), REVOKED);
    assert_eq!(answers.record(answer(1, OcspStatus::Good, 12, 22)), Recorded::Changed, "released from hold");
    assert_eq!(answers.record(answer(1, OcspStatus::Unknown, 13, 23)), Recorded::Changed);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers.remove(&certificate(1)).unwrap().this_update(), 13);
    assert!(answers.remove(&certificate(1)).is_none() && answers.is_empty() && answers.expiring(i64::MAX).next().is_none());
}

#[test]
fn what_expires_comes_in_the_order_of_its_end() {
    let mut answers = OcspAnswers::new(10);
    for (number, status, end) in [(1, OcspStatus::Good, 30), (2, REVOKED, 5), (3, OcspStatus::Good, 20), (4, OcspStatus::Unknown, 10)] {
        answers.record(answer(number, status, 1, end));
    }
    let expiring = |before| answers.expiring(before).map(OcspAnswer::certificate).collect::<Vec<_>>();
    assert_eq!(expiring(30), [4, 3, 2].map(certificate));
    assert_eq!(expiring(31), [4, 3, 1, 2].map(certificate));
    assert_eq!((expiring(5).len(), answers.iter().count()), (0, 4));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// The two orders never drift from the map, and what is dropped is what the naive rule drops.
    #[test]
    fn the_answers_are_a_sorted_list(steps in prop::collection::vec((0..12_u64, 0..3_usize, 0..20_i64, 0..20_i64), 1..80)) {
        let mut answers = OcspAnswers::new(5);
        let mut model: BTreeMap<u64, OcspAnswer> = BTreeMap::new();
        for (number, status, this_update, life) in steps {
            let new = answer(number, [OcspStatus::Good, OcspStatus::Unknown, REVOKED][status], this_update, this_update + life);
            answers.record(new);
            let newer = model.get(&number).is_none_or(|old| {
                new.this_update >= old.this_update && !(old.status == REVOKED && new.status == OcspStatus::Unknown)
            });
            if newer {
                model.insert(number, new);
            }
            if model.len() > 5 {
                let first = *model.iter().min_by_key(|(_, answer)| (answer.status == REVOKED, answer.fresh_until(), answer.fetched_at, answer.certificate)).unwrap().0;
                model.remove(&first);
            }
            prop_assert_eq!(answers.iter().copied().collect::<Vec<_>>(), model.values().copied().collect::<Vec<_>>());
            prop_assert_eq!(answers.others.len() + answers.revoked.len(), model.len());
        }
        let mut expected: Vec<_> = model.values().filter(|answer| answer.fresh_until() < 15).collect();
        expected.sort_by_key(|answer| (answer.status == REVOKED, answer.fresh_until(), answer.fetched_at, answer.certificate));
        prop_assert_eq!(answers.expiring(15).collect::<Vec<_>>(), expected);
    }
}
