//! Who is connected, by everything that a change of trust may name.
//!
//! One map for all kinds of key, from a hash of the key to the connections. The key itself is not kept: whoever looks something up compares
//! each connection found with what it asked for, so two keys of one hash cost a comparison and nothing else. What one connection alone has
//! (its certificate, key, device, Client Identifier) costs 25 bytes of a table each; what a fleet shares (issuer, profile) costs 9.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use foldhash::fast::RandomState;
use signet_identity::{AuthorityId, CertificateId, KeyDigest};

use super::entry::{ConnectionInfo, Credential, Entry, LinkId};

/// Something that a connection has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    /// A certificate of the path.
    Certificate(CertificateId),
    /// The leaf's key.
    Leaf(KeyDigest),
    /// An issuer of the path, trust anchor included.
    Authority(AuthorityId),
    /// The trust profile.
    Profile(&'a str),
    /// The device's qualified name.
    Device(&'a str),
    /// The Client Identifier.
    ClientIdentifier(&'a str),
    /// What it was let in by, by its name.
    Credential(&'a str),
}

impl Key<'_> {
    pub(super) fn is_of(&self, info: &ConnectionInfo) -> bool {
        let identity = info.entry.peer.identity();
        match self {
            Self::Certificate(id) => info.path().iter().any(|certificate| certificate.id == *id),
            Self::Leaf(key) => identity.is_some_and(|identity| identity.leaf().spki_digest() == *key),
            Self::Authority(authority) => info.path().iter().any(|certificate| certificate.issuer() == *authority),
            Self::Profile(name) => identity.is_some_and(|identity| **identity.profile() == **name),
            Self::Device(name) => info.device().is_some_and(|device| device == *name),
            Self::ClientIdentifier(text) => info.client_identifier.as_deref() == Some(text),
            Self::Credential(name) => info.credentials.iter().any(|credential| *credential.name == **name),
        }
    }
}

/// Connections with the same hash of a key.
enum Links {
    One(LinkId),
    /// A set, because all devices of an issuing authority share its certificate in their paths: to search a list of them at every close would
    /// cost a fleet that goes the square of its size, under the lock that every handshake needs.
    #[expect(clippy::box_collection, reason = "the common case is one connection, and the box halves what that costs")]
    Many(Box<HashSet<LinkId, RandomState>>),
}

#[derive(Default)]
pub(super) struct Live {
    /// In the order of acceptance, so that a walk can go on where it stopped.
    links: BTreeMap<LinkId, Arc<ConnectionInfo>>,
    by_key: HashMap<u64, Links, RandomState>,
    hasher: foldhash::quality::RandomState,
}

impl Live {
    pub(super) fn enter(&mut self, entry: Entry) {
        let link = entry.link;
        let info = Arc::new(ConnectionInfo { entry, client_identifier: None, username: None, credentials: Box::default() });
        if let Some(previous) = self.links.insert(link, Arc::clone(&info)) {
            // No connection is entered twice; if one is, nothing of the first may be left behind.
            each_key(&previous, |key| self.unlink(&key, link));
        }
        each_key(&info, |key| self.link(&key, link));
    }

    pub(super) fn leave(&mut self, link: LinkId) -> bool {
        let Some(info) = self.links.remove(&link) else { return false };
        each_key(&info, |key| self.unlink(&key, link));
        true
    }

    pub(super) fn identify(&mut self, link: LinkId, client_identifier: Arc<str>, username: Option<Arc<str>>) {
        let Some(info) = self.links.get_mut(&link) else { return };
        let named = Arc::make_mut(info);
        named.username = username;
        let previous = named.client_identifier.replace(client_identifier);
        let info = Arc::clone(info);
        if let Some(previous) = previous {
            self.unlink(&Key::ClientIdentifier(&previous), link);
            // All keys, in case the previous identifier had the hash of another one.
            each_key(&info, |key| self.link(&key, link));
        } else if let Some(client_identifier) = &info.client_identifier {
            self.link(&Key::ClientIdentifier(client_identifier), link);
        }
    }

    /// In place of those before.
    pub(super) fn hold(&mut self, link: LinkId, credentials: Box<[Credential]>) {
        let Some(info) = self.links.get_mut(&link) else { return };
        let previous = std::mem::replace(&mut Arc::make_mut(info).credentials, credentials);
        let info = Arc::clone(info);
        for credential in &previous {
            self.unlink(&Key::Credential(&credential.name), link);
        }
        // All keys, in case one of the previous had the hash of another one.
        each_key(&info, |key| self.link(&key, link));
    }

    pub(super) fn relocate(&mut self, link: LinkId, shard: u16) {
        if let Some(info) = self.links.get_mut(&link) {
            Arc::make_mut(info).entry.shard = shard;
        }
    }

    pub(super) fn get(&self, link: LinkId) -> Option<&Arc<ConnectionInfo>> {
        self.links.get(&link)
    }

    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    /// At most `count` connections after `after`, in the order of acceptance.
    pub(super) fn portion(&self, after: Option<LinkId>, count: usize) -> impl Iterator<Item = &Arc<ConnectionInfo>> {
        use std::ops::Bound;
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.links.range((start, Bound::Unbounded)).take(count).map(|(_, info)| info)
    }

    /// Every connection that has the key, and perhaps others: compare each with [`Key::is_of`].
    pub(super) fn candidates(&self, key: &Key<'_>) -> impl Iterator<Item = LinkId> + '_ {
        let (one, many) = match self.by_key.get(&self.hash(key)) {
            None => (None, None),
            Some(Links::One(link)) => (Some(*link), None),
            Some(Links::Many(links)) => (None, Some(links.iter().copied())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    fn hash(&self, key: &Key<'_>) -> u64 {
        self.hasher.hash_one(key)
    }

    fn link(&mut self, key: &Key<'_>, link: LinkId) {
        let hash = self.hash(key);
        match self.by_key.get_mut(&hash) {
            None => drop(self.by_key.insert(hash, Links::One(link))),
            Some(Links::One(other)) if *other == link => {}
            Some(entry @ Links::One(_)) => {
                let Links::One(other) = *entry else { return };
                *entry = Links::Many(Box::new([other, link].into_iter().collect()));
            }
            Some(Links::Many(links)) => drop(links.insert(link)),
        }
    }

    fn unlink(&mut self, key: &Key<'_>, link: LinkId) {
        let hash = self.hash(key);
        let is_empty = match self.by_key.get_mut(&hash) {
            None => false,
            Some(Links::One(other)) => *other == link,
            Some(Links::Many(links)) => {
                links.remove(&link);
                // A fleet that went gives its memory back; halving keeps that rare.
                if links.capacity() > 64 && links.len() < links.capacity() / 4 {
                    links.shrink_to(links.len() * 2);
                }
                links.is_empty()
            }
        };
        if is_empty {
            self.by_key.remove(&hash);
        }
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> usize {
        self.by_key.len()
    }
}

/// Calls `act` with every key of a connection. One may come twice.
fn each_key(info: &ConnectionInfo, mut act: impl FnMut(Key<'_>)) {
    for certificate in info.path() {
        act(Key::Certificate(certificate.id));
        act(Key::Authority(certificate.issuer()));
    }
    if let Some(identity) = info.entry.peer.identity() {
        act(Key::Leaf(identity.leaf().spki_digest()));
        act(Key::Profile(identity.profile()));
    }
    if let Some(device) = info.device() {
        act(Key::Device(&device));
    }
    if let Some(client_identifier) = &info.client_identifier {
        act(Key::ClientIdentifier(client_identifier));
    }
    for credential in &info.credentials {
        act(Key::Credential(&credential.name));
    }
}
