//! What our own authority revoked, put on hold and released: sorted arrays, and an overlay of what is recent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use signet_identity::{AuthorityId, CertificateId, NameDigest};

use crate::entry::{Entry, SortedEntries};
use crate::reason::Reason;
use crate::revoked::{RevocationSource, Revoked};

/// A change by our authority copies the overlay, at most this many entries of 112 bytes; the next one goes into the arrays. Small enough
/// that a copy takes microseconds, large enough that rebuilding an array of a million (milliseconds) is rare.
const OVERLAY_MAXIMUM: usize = 1024;

/// Cloning is cheap: everything is shared.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnRevocations {
    arrays: Arc<BTreeMap<NameDigest, SortedEntries>>,
    /// What was said since the arrays were built. `removeFromCRL` hides an entry on hold in the array.
    overlay: Arc<BTreeMap<CertificateId, Revoked>>,
    /// The authorities that are ours: nobody knows better about their certificates.
    authorities: Arc<BTreeSet<AuthorityId>>,
}

impl OwnRevocations {
    pub(crate) fn find(&self, id: &CertificateId) -> Option<Revoked> {
        match self.overlay.get(id) {
            Some(revoked) if revoked.reason == Reason::RemoveFromCrl => None,
            Some(revoked) => Some(*revoked),
            None => Some(self.arrays.get(&id.issuer())?.find(id.serial())?.revoked(RevocationSource::Authority)),
        }
    }

    pub(crate) fn is_ours(&self, authority: &AuthorityId) -> bool {
        self.authorities.contains(authority)
    }

    pub(crate) fn authorities(&self) -> &BTreeSet<AuthorityId> {
        &self.authorities
    }

    pub(crate) fn set_authorities(&mut self, authorities: BTreeSet<AuthorityId>) {
        self.authorities = Arc::new(authorities);
    }

    pub(crate) fn len(&self) -> usize {
        let mut count: usize = self.arrays.values().map(SortedEntries::len).sum();
        for (id, revoked) in self.overlay.iter() {
            let in_array = self.arrays.get(&id.issuer()).is_some_and(|entries| entries.find(id.serial()).is_some());
            match (in_array, revoked.reason == Reason::RemoveFromCrl) {
                (false, false) => count += 1,
                (true, true) => count -= 1,
                _ => {}
            }
        }
        count
    }

    pub(crate) fn extend(&mut self, revocations: impl IntoIterator<Item = (CertificateId, Revoked)>) {
        for (id, revoked) in revocations {
            let on_hold = || self.find(&id).is_some_and(|revoked| revoked.reason == Reason::CertificateHold);
            if revoked.reason != Reason::RemoveFromCrl || on_hold() {
                Arc::make_mut(&mut self.overlay).insert(id, Revoked { source: RevocationSource::Authority, ..revoked });
            }
        }
        if self.overlay.len() > OVERLAY_MAXIMUM {
            self.fold();
        }
    }

    /// Moves the overlay into the arrays.
    pub(crate) fn fold(&mut self) {
        let overlay = std::mem::take(&mut self.overlay);
        let mut changed: BTreeMap<NameDigest, Vec<Entry>> = BTreeMap::new();
        for (id, revoked) in overlay.iter() {
            let entries = changed.entry(id.issuer()).or_default();
            if revoked.reason != Reason::RemoveFromCrl {
                entries.push(Entry::new(id.serial(), revoked.since, revoked.reason));
            }
        }
        let arrays = Arc::make_mut(&mut self.arrays);
        for (name, mut entries) in changed {
            let array = arrays.entry(name).or_default();
            let unchanged = |entry: &&Entry| !overlay.contains_key(&CertificateId::new(name, entry.serial()));
            entries.extend(array.iter().filter(unchanged));
            *array = SortedEntries::new(entries);
        }
    }

    #[cfg(test)]
    pub(crate) fn overlay_len(&self) -> usize {
        self.overlay.len()
    }
}
