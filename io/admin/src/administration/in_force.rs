//! Where what the ledger says becomes what every handshake reads. Each kind of order has its one function here, and one for the start.
//!
//! Order, always: durable in the ledger, then here, then the live connections.

use signet_ca::{DisabledProfile, OperatorEntry, OperatorSubject, RevocationEvent, Suspension};
use signet_identity::CertificateId;
use signet_revocation::{OperatorTarget, RevocationIndex, RevocationSource, Revoked, Suspended};

use super::Live;

/// Everything that a ledger says, as a broker starts with it.
pub(super) fn index(events: Vec<RevocationEvent>, suspensions: &[Suspension], entries: &[OperatorEntry]) -> RevocationIndex {
    let index = RevocationIndex::new().with_revocations(events.into_iter().map(|event| {
        let revoked = Revoked { since: event.revoked_at, reason: event.reason, source: RevocationSource::Authority };
        (event.certificate, revoked)
    }));
    with_operator_entries(&with_suspensions(&index, suspensions), entries)
}

/// Certificates of our own authority that were revoked or released.
pub(super) fn put_revocations(live: &Live, entries: &[(CertificateId, Revoked)]) {
    live.revocations.update(|index| index.with_revocations(entries.iter().copied()));
}

/// All suspended devices, in place of those before.
pub(super) fn put_suspensions(live: &Live, suspensions: &[Suspension]) {
    live.revocations.update(|index| with_suspensions(index, suspensions));
}

/// All disabled trust profiles, in place of those before.
pub(super) fn put_disabled_profiles(live: &Live, profiles: &[DisabledProfile]) {
    live.revocations.update(|index| with_disabled_profiles(index, profiles));
}

/// One more entry of the operator's list.
pub(super) fn put_operator_entry(live: &Live, entry: &OperatorEntry) {
    live.revocations.update(|index| with_operator_entries(index, std::slice::from_ref(entry)));
}

/// One entry of the operator's list less.
pub(super) fn remove_operator_entry(live: &Live, subject: &OperatorSubject) {
    live.revocations.update(|index| index.without_operator_entry(&target(subject)));
}

pub(super) fn with_disabled_profiles(index: &RevocationIndex, profiles: &[DisabledProfile]) -> RevocationIndex {
    index.with_disabled_profiles(profiles.iter().map(|profile| profile.name.as_str().into()).collect())
}

fn with_suspensions(index: &RevocationIndex, suspensions: &[Suspension]) -> RevocationIndex {
    let suspended = |suspension: &Suspension| Suspended { since: suspension.since, why: suspension.why.as_str().into() };
    index.with_suspensions(suspensions.iter().map(|suspension| (suspension.device.as_str().into(), suspended(suspension))).collect())
}

fn with_operator_entries(index: &RevocationIndex, entries: &[OperatorEntry]) -> RevocationIndex {
    index.with_operator_entries(entries.iter().map(|entry| {
        let revoked = Revoked { since: entry.since, reason: entry.reason, source: RevocationSource::Operator };
        (target(&entry.subject), revoked)
    }))
}

fn target(subject: &OperatorSubject) -> OperatorTarget {
    match *subject {
        OperatorSubject::Certificate(id) => OperatorTarget::Certificate(id),
        OperatorSubject::Key(key) => OperatorTarget::Key(key),
        OperatorSubject::Authority(authority) => OperatorTarget::Authority(authority),
    }
}
