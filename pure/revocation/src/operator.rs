//! What an operator says over the admin API: certificates, keys and authorities that are not trusted any more, and devices that are suspended.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use signet_identity::{AuthorityId, CertificateId, DeviceIdentity, KeyDigest};

use crate::revoked::{RevocationSource, Revoked};

/// What an operator's entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OperatorTarget {
    /// One certificate: the Name of its issuer and its serial number.
    Certificate(CertificateId),
    /// Every certificate of a key, whoever issued it, and every one that was signed with it.
    Key(KeyDigest),
    /// Everything below an authority.
    Authority(AuthorityId),
}

/// `certificate AB12CD34…:4F:01`, `key 64 hex digits`, `authority AB12CD34… with key 64 hex digits`.
impl fmt::Display for OperatorTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(id) => write!(f, "certificate {id}"),
            Self::Key(key) => write!(f, "key {key}"),
            Self::Authority(authority) => write!(f, "authority {} with key {}", authority.name, authority.key),
        }
    }
}

/// A device whose certificates are fine, but which is not to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspended {
    /// Since when, seconds since 1970-01-01 UTC.
    pub since: i64,
    /// Why, for people.
    pub why: Arc<str>,
}

/// Cloning is cheap: everything is shared.
#[derive(Debug, Clone, Default)]
pub(crate) struct OperatorWord {
    entries: Arc<BTreeMap<OperatorTarget, Revoked>>,
    suspensions: Arc<BTreeMap<Arc<str>, Suspended>>,
    disabled: Arc<BTreeSet<Arc<str>>>,
}

impl OperatorWord {
    pub(crate) fn entries(&self) -> &BTreeMap<OperatorTarget, Revoked> {
        &self.entries
    }

    pub(crate) fn suspensions(&self) -> &BTreeMap<Arc<str>, Suspended> {
        &self.suspensions
    }

    pub(crate) fn extend(&mut self, entries: impl IntoIterator<Item = (OperatorTarget, Revoked)>) {
        let operators = |(target, revoked)| (target, Revoked { source: RevocationSource::Operator, ..revoked });
        Arc::make_mut(&mut self.entries).extend(entries.into_iter().map(operators));
    }

    pub(crate) fn remove(&mut self, target: &OperatorTarget) {
        if self.entries.contains_key(target) {
            Arc::make_mut(&mut self.entries).remove(target);
        }
    }

    pub(crate) fn replace(&mut self, entries: impl IntoIterator<Item = (OperatorTarget, Revoked)>) {
        self.entries = Arc::default();
        self.extend(entries);
    }

    pub(crate) fn set_disabled(&mut self, profiles: BTreeSet<Arc<str>>) {
        self.disabled = Arc::new(profiles);
    }

    pub(crate) fn disabled(&self) -> &BTreeSet<Arc<str>> {
        &self.disabled
    }

    pub(crate) fn set_suspensions(&mut self, suspensions: BTreeMap<Arc<str>, Suspended>) {
        self.suspensions = Arc::new(suspensions);
    }

    pub(crate) fn find(&self, id: &CertificateId) -> Option<Revoked> {
        self.entries.get(&OperatorTarget::Certificate(*id)).copied()
    }

    /// The first certificate of a path that an entry is about. The trust anchor's key and Name count, under the id of the certificate that it
    /// signed: a path has no id for the anchor itself.
    pub(crate) fn find_on_path(&self, identity: &DeviceIdentity) -> Option<(CertificateId, Revoked)> {
        if self.entries.is_empty() {
            return None;
        }
        let mut key = identity.leaf().spki_digest();
        for certificate in identity.path() {
            let targets = [OperatorTarget::Certificate(certificate.id), OperatorTarget::Key(key)];
            let above = [OperatorTarget::Key(certificate.issuer_key), OperatorTarget::Authority(certificate.issuer())];
            if let Some(revoked) = targets.iter().chain(&above).find_map(|target| self.entries.get(target)) {
                return Some((certificate.id, *revoked));
            }
            key = certificate.issuer_key;
        }
        None
    }

    pub(crate) fn suspended(&self, identity: &DeviceIdentity) -> Option<&Suspended> {
        // Putting the name together allocates; mostly nobody is suspended.
        if self.suspensions.is_empty() { None } else { self.suspensions.get(&*identity.qualified_name()) }
    }
}
