//! The CRLs in force, each by who signed it and what it covers, with at most one delta CRL beside it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use signet_identity::der::time_text;
use signet_identity::{AuthorityId, CertificateId, KeyDigest, NameDigest, PathCertificate};

use crate::crl::{Crl, CrlStatus, Groups};
use crate::error::CrlError;
use crate::number::CrlNumber;
use crate::revoked::{RevocationSource, Revoked};
use crate::scope::{Relation, Scope, Subject};

/// Where a list came from: the path of a file, or an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListSource(Arc<str>);

impl ListSource {
    /// A label, given by whoever loads the list and compared with [`Eq`] when lists are removed.
    #[must_use]
    pub fn new(label: impl Into<Arc<str>>) -> Self {
        Self(label.into())
    }

    /// The label.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ListSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known about a list in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListStatus {
    /// Who signed it.
    pub authority: AuthorityId,
    /// The signer's Name as RFC 4514 writes it.
    pub issuer_text: Arc<str>,
    /// What it covers.
    pub scope: Scope,
    /// Where it came from.
    pub sources: Vec<ListSource>,
    /// Number, dates and size of the complete list.
    pub status: CrlStatus,
    /// Number, dates and size of the delta in force beside it.
    pub delta: Option<CrlStatus>,
    /// Where the delta came from; empty without one.
    pub delta_sources: Vec<ListSource>,
    /// Whether it was explicitly accepted for certificates of other authorities.
    pub for_any_issuer: bool,
}

impl ListStatus {
    /// When the knowledge of list and delta together was made, seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn this_update(&self) -> i64 {
        self.delta.map_or(self.status.this_update, |delta| delta.this_update.max(self.status.this_update))
    }

    /// Until when list and delta together are fresh, seconds since 1970-01-01 UTC; `None` for a list that does not say.
    #[must_use]
    pub fn next_update(&self) -> Option<i64> {
        later(self.status.next_update, self.delta.as_ref())
    }
}

/// A complete list with a delta is the complete list of the delta's time (RFC 5280 §5.2.4).
fn later(next_update: Option<i64>, delta: Option<&CrlStatus>) -> Option<i64> {
    match (next_update, delta.and_then(|delta| delta.next_update)) {
        (Some(base), Some(delta)) => Some(base.max(delta)),
        (base, _) => base,
    }
}

/// One source of a list, and whether it accepted the list for certificates of other authorities.
#[derive(Debug, Clone, PartialEq, Eq)]
struct From {
    source: ListSource,
    for_any_issuer: bool,
}

/// The entries of one CRL, and where it came from. The entries are shared by every generation of the index.
#[derive(Clone)]
struct Loaded {
    from: Vec<From>,
    status: CrlStatus,
    groups: Arc<Groups>,
}

impl Loaded {
    fn find(&self, id: &CertificateId) -> Option<&crate::entry::Entry> {
        self.groups.get(&id.issuer())?.find(id.serial())
    }

    /// Takes over the sources of the list that it replaces: each of them still stands for this signer and scope.
    fn joined(mut self, previous: Option<&Self>) -> Self {
        for from in previous.map(|previous| previous.from.as_slice()).unwrap_or_default() {
            if self.from.len() < MAXIMUM_SOURCES && self.from.iter().all(|known| known.source != from.source) {
                self.from.push(from.clone());
            }
        }
        self
    }

    fn sources(&self) -> Vec<ListSource> {
        self.from.iter().map(|from| from.source.clone()).collect()
    }
}

/// A complete list and its delta.
#[derive(Clone)]
pub(crate) struct List {
    signer: AuthorityId,
    issuer_text: Arc<str>,
    scope: Scope,
    base: Loaded,
    delta: Option<Loaded>,
}

impl List {
    pub(crate) fn status(&self) -> ListStatus {
        ListStatus {
            authority: self.signer,
            issuer_text: Arc::clone(&self.issuer_text),
            scope: self.scope.clone(),
            sources: self.base.sources(),
            status: self.base.status,
            delta: self.delta.as_ref().map(|delta| delta.status),
            delta_sources: self.delta.as_ref().map(Loaded::sources).unwrap_or_default(),
            for_any_issuer: self.is_for_any_issuer(),
        }
    }

    fn is_for_any_issuer(&self) -> bool {
        self.base.from.iter().any(|from| from.for_any_issuer)
    }

    pub(crate) fn signer(&self) -> AuthorityId {
        self.signer
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(crate) fn this_update(&self) -> i64 {
        self.delta.as_ref().map_or(self.base.status.this_update, |delta| delta.status.this_update.max(self.base.status.this_update))
    }

    pub(crate) fn next_update(&self) -> Option<i64> {
        later(self.base.status.next_update, self.delta.as_ref().map(|delta| &delta.status))
    }

    /// How the signer relates to a certificate.
    pub(crate) fn relation(&self, certificate: &PathCertificate) -> Relation {
        if self.signer == certificate.issuer() {
            Relation::Issuer
        } else if self.is_for_any_issuer() && (self.scope.is_indirect() || self.signer.name == certificate.id.issuer()) {
            Relation::Accepted
        } else {
            Relation::None
        }
    }

    /// Whether its entries say something about the certificate, covered or not: an issuer's serial numbers are unique, so a part of its
    /// certificates is enough to revoke one.
    pub(crate) fn speaks_for(&self, relation: Relation, subject: &Subject<'_>) -> bool {
        relation != Relation::None || (self.scope.is_indirect() && subject.names_crl_issuer(self.signer.name))
    }

    /// The entry about a certificate: the delta's word comes first, for revocation and release.
    pub(crate) fn find(&self, id: &CertificateId) -> Option<Revoked> {
        let entry = match self.delta.as_ref().and_then(|delta| delta.find(id)) {
            Some(entry) if entry.is_release() => return None,
            Some(entry) => entry,
            None => self.base.find(id)?,
        };
        Some(entry.revoked(RevocationSource::Crl))
    }

    fn len(&self) -> usize {
        self.base.status.entries + self.delta.as_ref().map_or(0, |delta| delta.status.entries)
    }
}

/// Sources, dates and sizes; not the entries.
impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status().fmt(f)
    }
}

/// Every list in force. Cloning copies pointers, one for each list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lists {
    by_signer: BTreeMap<AuthorityId, Vec<Arc<List>>>,
    /// Those that may speak for certificates of other authorities, again.
    for_others: Vec<Arc<List>>,
}

/// The lists that are kept, complete ones and their deltas counted once.
pub const MAXIMUM_LISTS: usize = 4096;
/// The sources that are remembered of one list; of more, the latest.
pub const MAXIMUM_SOURCES: usize = 16;

impl Lists {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<List>> {
        self.by_signer.values().flatten()
    }

    /// Every list that could say something about a certificate: those of its issuer, and those that may speak for others.
    pub(crate) fn candidates(&self, issuer: AuthorityId) -> impl Iterator<Item = &List> {
        let own = self.by_signer.get(&issuer).map(Vec::as_slice).unwrap_or_default();
        own.iter().chain(self.for_others.iter().filter(move |list| list.signer != issuer)).map(|list| &**list)
    }

    /// Every list signed under a Name, whatever the key, and those that were accepted for certificates of others.
    pub(crate) fn of_name(&self, name: NameDigest) -> impl Iterator<Item = &List> {
        let with_key = |octet| AuthorityId { name, key: KeyDigest::from_bytes([octet; 32]) };
        let direct = self.by_signer.range(with_key(0)..=with_key(0xff)).flat_map(|(_, lists)| lists);
        let accepted = move |list: &&Arc<List>| list.signer.name != name && list.is_for_any_issuer();
        direct.chain(self.for_others.iter().filter(accepted)).map(|list| &**list)
    }

    pub(crate) fn len(&self) -> usize {
        self.iter().map(|list| list.len()).sum()
    }

    /// Takes a CRL over. Walks no entries.
    pub(crate) fn insert(&mut self, crl: Crl, source: ListSource) -> Result<(), CrlError> {
        if crl.scope().attributes_only() {
            let what = "covers attribute certificates only (onlyContainsAttributeCerts), which say nothing about a device's certificate";
            return Err(CrlError::Unsupported { issuer: crl.issuer_text().to_owned(), what });
        }
        let position = self.by_signer.get(&crl.signer()).and_then(|lists| lists.iter().position(|list| list.scope == *crl.scope()));
        let current = position.and_then(|at| self.by_signer.get(&crl.signer())?.get(at)).map(Arc::clone);
        let list = match crl.status().base_number {
            Some(base_number) => with_delta(current.as_deref(), crl, base_number, source)?,
            None => {
                if current.is_none() && self.iter().count() >= MAXIMUM_LISTS {
                    return Err(CrlError::TooMany { issuer: crl.issuer_text().to_owned(), limit: MAXIMUM_LISTS });
                }
                complete(current.as_deref(), crl, source)?
            }
        };
        let lists = self.by_signer.entry(list.signer).or_default();
        match position.and_then(|at| lists.get_mut(at)) {
            Some(slot) => *slot = Arc::new(list),
            None => lists.push(Arc::new(list)),
        }
        self.note_for_others();
        Ok(())
    }

    /// Forgets sources; a list or a delta without any is gone.
    pub(crate) fn remove(&mut self, gone: &dyn Fn(&ListStatus, &ListSource) -> bool) -> bool {
        let mut changed = false;
        for lists in self.by_signer.values_mut() {
            for list in lists.iter_mut() {
                let status = list.status();
                let mentions = |loaded: &Loaded| loaded.from.iter().any(|from| gone(&status, &from.source));
                if !mentions(&list.base) && !list.delta.as_ref().is_some_and(mentions) {
                    continue;
                }
                let list = Arc::make_mut(list);
                list.base.from.retain(|from| !gone(&status, &from.source));
                if let Some(delta) = &mut list.delta {
                    delta.from.retain(|from| !gone(&status, &from.source));
                }
                list.delta = list.delta.take().filter(|delta| !delta.from.is_empty());
                changed = true;
            }
            lists.retain(|list| !list.base.from.is_empty());
        }
        self.by_signer.retain(|_, lists| !lists.is_empty());
        self.note_for_others();
        changed
    }

    fn note_for_others(&mut self) {
        let for_others = |list: &&Arc<List>| list.scope.is_indirect() || list.is_for_any_issuer();
        self.for_others = self.iter().filter(for_others).map(Arc::clone).collect();
    }
}

fn loaded(status: CrlStatus, for_any_issuer: bool, groups: Groups, source: ListSource) -> Loaded {
    Loaded { from: vec![From { source, for_any_issuer }], status, groups: Arc::new(groups) }
}

/// The list with a complete CRL in place of the previous one. A delta stays while it is newer and fits (RFC 5280 §5.2.4).
fn complete(current: Option<&List>, crl: Crl, source: ListSource) -> Result<List, CrlError> {
    if let Some(current) = current {
        refuse_older(&crl, &current.base.status)?;
    }
    let (status, for_any_issuer) = (crl.status(), crl.is_for_any_issuer());
    let (signer, issuer_text) = (crl.signer(), crl.shared_issuer_text());
    let (scope, groups) = crl.into_parts();
    let base = loaded(status, for_any_issuer, groups, source).joined(current.map(|current| &current.base));
    let delta = current.and_then(|current| current.delta.clone()).filter(|delta| {
        let fits = |base_number: Option<CrlNumber>| base_number.is_some() && base_number <= status.number;
        delta.status.number > status.number && fits(delta.status.base_number)
    });
    Ok(List { signer, issuer_text, scope, base, delta })
}

/// The list with a delta beside it. Of a delta that says nothing new, only the source is noted where it has one already.
fn with_delta(current: Option<&List>, crl: Crl, base_number: CrlNumber, source: ListSource) -> Result<List, CrlError> {
    let no_base =
        |found: String| CrlError::NoBase { issuer: crl.issuer_text().to_owned(), scope: crl.scope().to_string(), base_number, found };
    let list = current.ok_or_else(|| no_base("none is loaded".to_owned()))?;
    let number = list.base.status.number.ok_or_else(|| no_base("the one that is loaded has no number".to_owned()))?;
    if number < base_number {
        return Err(no_base(format!("number {number} is loaded")));
    }
    // The complete CRL says it all, as when both are made at once and share their number (RFC 5280 §5.2.3).
    if crl.status().number <= Some(number) {
        return Ok(list.clone());
    }
    if let Some(delta) = &list.delta {
        refuse_older(&crl, &delta.status)?;
    }
    let (status, for_any_issuer) = (crl.status(), crl.is_for_any_issuer());
    let (_, groups) = crl.into_parts();
    let delta = loaded(status, for_any_issuer, groups, source).joined(list.delta.as_ref());
    Ok(List { delta: Some(delta), ..list.clone() })
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
