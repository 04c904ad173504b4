//! CertificateId → revoked or not: an immutable value, so that a handshake reads it without a lock and a change is one pointer swap.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use signet_identity::der::time_text;
use signet_identity::{CertificateId, NameDigest, PathCertificate};

use crate::crl::{Crl, CrlNumber};
use crate::entry::{Entry, SortedEntries};
use crate::error::CrlError;
use crate::freshness::{Freshness, StalePolicy};
use crate::reason::Reason;

/// Counts the changes of an index: whoever saw generation *n* knows every revocation up to *n*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Generation(u64);

impl Generation {
    /// A generation by number.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }

    /// The one after this.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who says that a certificate is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RevocationSource {
    /// Our own authority: stays whatever CRLs say.
    Authority,
    /// A CRL: stays as long as the issuer's current CRL holds it.
    Crl,
}

/// A certificate is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// Since when, seconds since 1970-01-01 UTC.
    pub since: i64,
    /// Why.
    pub reason: Reason,
    /// Who says so.
    pub source: RevocationSource,
}

/// What is known about an issuer's current CRL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrlStatus {
    /// crlNumber; `None` in a version 1 CRL.
    pub number: Option<CrlNumber>,
    /// When it was made, seconds since 1970-01-01 UTC.
    pub this_update: i64,
    /// When the next is due, seconds since 1970-01-01 UTC; `None` when it does not say.
    pub next_update: Option<i64>,
    /// How many certificates are on it.
    pub entries: usize,
}

/// The answer for a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against it.
    Good,
    /// A certificate of the path is revoked.
    Revoked {
        /// Which one.
        id: CertificateId,
        /// Since when, why, and who says so.
        revoked: Revoked,
    },
    /// A CRL that the path depends on is overdue, and [`StalePolicy::Deny`] asks for current ones.
    Stale {
        /// The issuer of the overdue CRL.
        issuer: NameDigest,
        /// When its successor was due, seconds since 1970-01-01 UTC.
        next_update: i64,
    },
}

/// Every revoked certificate that this process knows. Cloning is cheap: everything is shared.
///
/// A look-up asks, in this order: the overlay of recent revocations, the issuer's sorted array of our own authority, the issuer's sorted
/// array of its CRL. The two arrays are apart so that a new CRL replaces the old one and nothing else.
#[derive(Debug, Clone, Default)]
pub struct RevocationIndex {
    generation: Generation,
    issuers: Arc<BTreeMap<NameDigest, Issuer>>,
    /// What our authority said since the arrays were built. `removeFromCRL` hides an entry on hold in the array.
    overlay: Arc<BTreeMap<CertificateId, Revoked>>,
}

#[derive(Debug, Clone, Default)]
struct Issuer {
    authority: SortedEntries,
    crl: Option<(CrlStatus, SortedEntries)>,
}

/// A change by our authority copies the overlay, at most this many entries of 112 bytes; the next one goes into the arrays. Small enough
/// that a copy takes microseconds, large enough that rebuilding an array of a million (milliseconds) is rare.
const OVERLAY_MAXIMUM: usize = 1024;

impl RevocationIndex {
    /// An index that knows of no revocation, at generation 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Which generation this is.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// How many revocations it holds. A certificate revoked by our authority and listed in a CRL as well counts twice.
    #[must_use]
    pub fn len(&self) -> usize {
        let mut count = 0;
        for issuer in self.issuers.values() {
            count += issuer.authority.len() + issuer.crl.as_ref().map_or(0, |(_, entries)| entries.len());
        }
        for (id, revoked) in self.overlay.iter() {
            let in_array = self.issuers.get(&id.issuer()).is_some_and(|issuer| issuer.authority.find(id.serial()).is_some());
            match (in_array, revoked.reason == Reason::RemoveFromCrl) {
                (false, false) => count += 1,
                (true, true) => count -= 1,
                _ => {}
            }
        }
        count
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a certificate is revoked. What our own authority says comes before a CRL.
    #[must_use]
    pub fn lookup(&self, id: &CertificateId) -> Option<Revoked> {
        self.lookup_authority(id).or_else(|| {
            let (_, entries) = self.issuers.get(&id.issuer())?.crl.as_ref()?;
            Some(entries.find(id.serial())?.revoked(RevocationSource::Crl))
        })
    }

    fn lookup_authority(&self, id: &CertificateId) -> Option<Revoked> {
        match self.overlay.get(id) {
            Some(revoked) if revoked.reason == Reason::RemoveFromCrl => None,
            Some(revoked) => Some(*revoked),
            None => Some(self.issuers.get(&id.issuer())?.authority.find(id.serial())?.revoked(RevocationSource::Authority)),
        }
    }

    /// What is known about an issuer's CRL; `None` when none was loaded.
    #[must_use]
    pub fn crl_status(&self, issuer: NameDigest) -> Option<CrlStatus> {
        self.issuers.get(&issuer)?.crl.as_ref().map(|(status, _)| *status)
    }

    /// Every issuer with a CRL, and what is known about it.
    pub fn crls(&self) -> impl Iterator<Item = (NameDigest, CrlStatus)> {
        self.issuers.iter().filter_map(|(issuer, known)| Some((*issuer, known.crl.as_ref()?.0)))
    }

    /// Judges a verified path: the leaf's id and those of the intermediates (the trust anchor is trusted by configuration).
    ///
    /// A revoked certificate outweighs a stale CRL. An issuer without a CRL is never stale: whether one is required is configuration.
    /// `now` in seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn verdict(&self, path: &[PathCertificate], now: i64, stale: StalePolicy) -> Verdict {
        for PathCertificate { id, .. } in path {
            if let Some(revoked) = self.lookup(id) {
                return Verdict::Revoked { id: *id, revoked };
            }
        }
        if stale == StalePolicy::Allow {
            return Verdict::Good;
        }
        for PathCertificate { id, .. } in path {
            let Some(status) = self.crl_status(id.issuer()) else { continue };
            if let Freshness::Stale { next_update } = Freshness::at(status.next_update, now) {
                return Verdict::Stale { issuer: id.issuer(), next_update };
            }
        }
        Verdict::Good
    }

    /// The next generation, with more revocations by our own authority: one, or many as when the ledger is read at start. Copies the overlay,
    /// never the arrays, except when the overlay is full.
    ///
    /// They count as [`RevocationSource::Authority`] whatever they say. Said twice, the later holds. [`Reason::RemoveFromCrl`] releases a
    /// certificate that our authority has on hold (RFC 5280 §5.3.1) and changes nothing for any other.
    #[must_use]
    pub fn with_revocations(&self, revocations: impl IntoIterator<Item = (CertificateId, Revoked)>) -> Self {
        let mut next = Self { generation: self.generation.next(), ..self.clone() };
        for (id, revoked) in revocations {
            let on_hold = || next.lookup_authority(&id).is_some_and(|revoked| revoked.reason == Reason::CertificateHold);
            if revoked.reason != Reason::RemoveFromCrl || on_hold() {
                Arc::make_mut(&mut next.overlay).insert(id, Revoked { source: RevocationSource::Authority, ..revoked });
            }
        }
        if next.overlay.len() > OVERLAY_MAXIMUM {
            next.fold_overlay();
        }
        next
    }

    /// Moves the overlay into the arrays.
    fn fold_overlay(&mut self) {
        let overlay = std::mem::take(&mut self.overlay);
        let mut changed: BTreeMap<NameDigest, Vec<Entry>> = BTreeMap::new();
        for (id, revoked) in overlay.iter() {
            let entries = changed.entry(id.issuer()).or_default();
            if revoked.reason != Reason::RemoveFromCrl {
                entries.push(Entry::new(id.serial(), revoked.since, revoked.reason));
            }
        }
        let issuers = Arc::make_mut(&mut self.issuers);
        for (name, mut entries) in changed {
            let issuer = issuers.entry(name).or_default();
            let unchanged = |entry: &&Entry| !overlay.contains_key(&CertificateId::new(name, entry.serial()));
            entries.extend(issuer.authority.iter().filter(unchanged));
            issuer.authority = SortedEntries::new(entries);
        }
    }

    /// The next generation, with a CRL in place of the issuer's previous one, and the ids that were not revoked before, whose live
    /// connections are to be ended.
    ///
    /// What only the previous CRL held is no longer revoked; what our own authority revoked stays revoked.
    ///
    /// # Errors
    /// [`CrlError::Older`] when the issuer's CRL in force has a higher number (RFC 5280 §5.2.3), or, with the same or no number, a later
    /// thisUpdate.
    pub fn with_crl(&self, crl: Crl) -> Result<(Self, Vec<CertificateId>), CrlError> {
        let issuer = crl.issuer();
        let status = crl.status();
        if let Some(current) = self.crl_status(issuer) {
            refuse_older(&crl, &current)?;
        }
        let newly_revoked = crl.ids().filter(|id| self.lookup(id).is_none()).collect();
        let mut next = Self { generation: self.generation.next(), ..self.clone() };
        Arc::make_mut(&mut next.issuers).entry(issuer).or_default().crl = Some((status, crl.into_entries()));
        Ok((next, newly_revoked))
    }
}

fn refuse_older(crl: &Crl, current: &CrlStatus) -> Result<(), CrlError> {
    let new = crl.status();
    let older = |found: String, current: String| Err(CrlError::Older { issuer: crl.issuer_text().to_owned(), found, current });
    match (new.number, current.number) {
        (Some(found), Some(current)) if found < current => return older(format!("number {found}"), format!("number {current}")),
        (Some(found), Some(current)) if found > current => return Ok(()),
        _ => {}
    }
    if new.this_update < current.this_update {
        return older(format!("of {}", time_text(new.this_update)), format!("one of {}", time_text(current.this_update)));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
