//! CertificateId → revoked or not: an immutable value, so that a handshake reads it without a lock and a change is one pointer swap.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use signet_identity::{AuthorityId, CertificateId, DistributionPoint, IdentityError, Leaf, NameDigest};

use crate::crl::{Crl, CrlStatus};
use crate::error::CrlError;
use crate::list::{ListSource, ListStatus, Lists};
use crate::operator::{OperatorTarget, OperatorWord, Suspended};
use crate::own::OwnRevocations;
use crate::revoked::{Generation, Revoked};

/// Every revocation that this process knows. Cloning is cheap: everything is shared.
///
/// Three sources, apart, so that a change of one leaves the others alone: our own authority, the operator, and CRLs. A look-up in each is a
/// binary search in a sorted array, or a small map.
#[derive(Debug, Clone, Default)]
pub struct RevocationIndex {
    generation: Generation,
    pub(crate) own: OwnRevocations,
    pub(crate) operator: OperatorWord,
    pub(crate) lists: Arc<Lists>,
    /// The distribution points of CA certificates, which a path only names.
    pub(crate) known_points: Arc<BTreeMap<CertificateId, Vec<DistributionPoint>>>,
}

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

    /// How many revocations it holds. A certificate revoked by two sources counts twice.
    #[must_use]
    pub fn len(&self) -> usize {
        self.own.len() + self.operator.entries().len() + self.lists.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a certificate is revoked, by its id alone: our own authority, then the operator, then every list signed under the issuer's
    /// Name, whatever its key, and every list that was accepted for any issuer.
    ///
    /// What an indirect CRL says about certificates that name its signer is not found: that takes the certificate, and [`Self::judge`].
    #[must_use]
    pub fn lookup(&self, id: &CertificateId) -> Option<Revoked> {
        let listed = || self.lists.of_name(id.issuer()).find_map(|list| list.find(id));
        self.own.find(id).or_else(|| self.operator.find(id)).or_else(listed)
    }

    /// Every list in force.
    pub fn lists(&self) -> impl Iterator<Item = ListStatus> + '_ {
        self.lists.iter().map(|list| list.status())
    }

    /// Every list's issuer, and the dates of list and delta together.
    pub fn crls(&self) -> impl Iterator<Item = (NameDigest, CrlStatus)> {
        self.lists().map(|list| {
            let status = CrlStatus { this_update: list.this_update(), next_update: list.next_update(), ..list.status };
            (list.authority.name, status)
        })
    }

    /// The authorities that are our own.
    pub fn own_authorities(&self) -> impl Iterator<Item = &AuthorityId> {
        self.own.authorities().iter()
    }

    /// What the operator revoked, in order.
    pub fn operator_entries(&self) -> impl Iterator<Item = (&OperatorTarget, &Revoked)> {
        self.operator.entries().iter()
    }

    /// The suspended devices by their qualified names, in order.
    pub fn suspensions(&self) -> impl Iterator<Item = (&Arc<str>, &Suspended)> {
        self.operator.suspensions().iter()
    }

    fn next(&self) -> Self {
        Self { generation: self.generation.next(), ..self.clone() }
    }

    /// The next generation, with more revocations by our own authority: one, or many as when the ledger is read at start. Copies the overlay,
    /// never the arrays, except when the overlay is full.
    ///
    /// They count as [`crate::RevocationSource::Authority`] whatever they say. Said twice, the later holds. [`crate::Reason::RemoveFromCrl`]
    /// releases a certificate that our authority has on hold (RFC 5280 §5.3.1) and changes nothing for any other.
    #[must_use]
    pub fn with_revocations(&self, revocations: impl IntoIterator<Item = (CertificateId, Revoked)>) -> Self {
        let mut next = self.next();
        next.own.extend(revocations);
        next
    }

    /// The next generation, in which these authorities, and no others, are our own: nobody has to be asked about their certificates.
    #[must_use]
    pub fn with_own_authorities(&self, authorities: impl IntoIterator<Item = AuthorityId>) -> Self {
        let mut next = self.next();
        next.own.set_authorities(authorities.into_iter().collect());
        next
    }

    /// The next generation, with more entries by the operator, which count as [`crate::RevocationSource::Operator`] whatever they say. Of two
    /// about the same target the later holds. The caller bounds their number: each takes some 150 bytes, and a change copies them all.
    #[must_use]
    pub fn with_operator_entries(&self, entries: impl IntoIterator<Item = (OperatorTarget, Revoked)>) -> Self {
        let mut next = self.next();
        next.operator.extend(entries);
        next
    }

    /// The next generation, with these entries by the operator in place of all there were.
    #[must_use]
    pub fn with_operator_list(&self, entries: impl IntoIterator<Item = (OperatorTarget, Revoked)>) -> Self {
        let mut next = self.next();
        next.operator.replace(entries);
        next
    }

    /// The next generation, in which the trust profiles of these names, and no others, are disabled by the operator.
    #[must_use]
    pub fn with_disabled_profiles(&self, profiles: BTreeSet<Arc<str>>) -> Self {
        let mut next = self.next();
        next.operator.set_disabled(profiles);
        next
    }

    /// The trust profiles that the operator has disabled.
    #[must_use]
    pub fn disabled_profiles(&self) -> &BTreeSet<Arc<str>> {
        self.operator.disabled()
    }

    /// The next generation, without the operator's entry about this target.
    #[must_use]
    pub fn without_operator_entry(&self, target: &OperatorTarget) -> Self {
        let mut next = self.next();
        next.operator.remove(target);
        next
    }

    /// The next generation, in which these devices, by [`signet_identity::DeviceIdentity::qualified_name`], and no others are suspended. The
    /// caller bounds their number.
    #[must_use]
    pub fn with_suspensions(&self, suspensions: BTreeMap<Arc<str>, Suspended>) -> Self {
        let mut next = self.next();
        next.operator.set_suspensions(suspensions);
        next
    }

    /// The next generation, with a CRL in force: instead of the previous one of the same signer and scope, or as a delta beside it. Walks no
    /// entries, whatever their number.
    ///
    /// The list has every source that offered one of this signer and scope; it stays until [`Self::without_lists`] has removed them all.
    /// What only the previous list held is no longer revoked. Whoever holds connections judges them against the new index.
    ///
    /// # Errors
    /// [`CrlError::Older`] when the list in force has a higher number (RFC 5280 §5.2.3), or, with the same or no number, a later thisUpdate.
    /// [`CrlError::NoBase`] for a delta whose complete CRL is missing or too old. [`CrlError::Unsupported`] for a CRL that says nothing about
    /// devices. [`CrlError::TooMany`] above [`crate::MAXIMUM_LISTS`].
    pub fn with_crl(&self, crl: Crl, source: ListSource) -> Result<Self, CrlError> {
        let mut next = self.next();
        Arc::make_mut(&mut next.lists).insert(crl, source)?;
        Ok(next)
    }

    /// The next generation, without the sources of lists for which `gone` says so; a list without any source left is gone. The same
    /// generation when none is. A source that was refused as older than another is not remembered: offer what is left once more.
    #[must_use]
    pub fn without_lists(&self, gone: impl Fn(&ListStatus, &ListSource) -> bool) -> Self {
        let mut next = self.next();
        if Arc::make_mut(&mut next.lists).remove(&gone) { next } else { self.clone() }
    }

    /// The next generation, in which the distribution points of these CA certificates, and no others, are known. A path only names its
    /// intermediates; those known here can be covered by a CRL of one distribution point, or an indirect one, as a device's certificate is.
    ///
    /// # Errors
    /// [`IdentityError`] when the distribution points of one cannot be read.
    pub fn with_known_authorities(&self, certificates: &[Leaf]) -> Result<Self, IdentityError> {
        let mut known = BTreeMap::new();
        for certificate in certificates {
            let points = certificate.crl_distribution_points()?;
            if !points.is_empty() {
                known.insert(certificate.id(), points);
            }
        }
        let mut next = self.next();
        next.known_points = Arc::new(known);
        Ok(next)
    }

    #[cfg(test)]
    fn fold_overlay(&mut self) {
        self.own.fold();
    }
}

#[cfg(test)]
mod tests;
