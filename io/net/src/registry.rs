//! Live connections by everything that a change of trust may name, so that it finds every one of them.
//!
//! Order of the two sides, which together leave no gap:
//! - a connection is entered here first and is judged by what is in force afterwards ([`Registry::register`]);
//! - a revocation, suspension or other change is put in force first and looks here afterwards ([`Registry::kick_selected`],
//!   [`Registry::reconcile`]).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use signet_identity::{AuthorityId, CertificateId, KeyDigest, Peer};

use crate::clock::unix_milliseconds;
use crate::confirmation::Latch;

mod clones;
mod entry;
mod index;
mod kick;

pub use clones::{CloneCounts, CloneEvidence, ClonePolicy, CloneRules, CloneVerdict};
pub use entry::{ConnectionInfo, Credential, Entry, LinkId, Transport};
pub use kick::{Kick, KickCause, KickReport, KickTarget, ReconcileReport};

use clones::Clones;
use index::{Key, Live};

/// Which live connections.
#[derive(Clone, Copy, Debug)]
pub enum Selector<'a> {
    /// Those with one of these certificates in their path.
    Certificates(&'a [CertificateId]),
    /// Those whose own certificate has this key.
    Key(KeyDigest),
    /// Those whose own certificate has this key, or whose path has a certificate that was signed with it. Looks at all.
    AnyKey(KeyDigest),
    /// Those with this authority in their path, as issuer or trust anchor.
    Authority(AuthorityId),
    /// Those verified under this trust profile.
    Profile(&'a str),
    /// Those of the device with this qualified name, whichever certificate it uses.
    Device(&'a str),
    /// Those with this Client Identifier.
    ClientIdentifier(&'a str),
    /// Those that were let in by the credential of this name, whichever version of it.
    Credential(&'a str),
    /// Those that this listener accepted.
    Listener(&'a str),
    /// All.
    All,
}

impl Selector<'_> {
    /// Whether a connection is one of those.
    pub fn matches(&self, info: &ConnectionInfo) -> bool {
        match *self {
            Self::Certificates(ids) => info.path().iter().any(|certificate| ids.contains(&certificate.id)),
            Self::Key(key) => Key::Leaf(key).is_of(info),
            Self::AnyKey(key) => Key::Leaf(key).is_of(info) || info.path().iter().any(|certificate| certificate.issuer_key == key),
            Self::Authority(authority) => Key::Authority(authority).is_of(info),
            Self::Profile(name) => Key::Profile(name).is_of(info),
            Self::Device(name) => Key::Device(name).is_of(info),
            Self::ClientIdentifier(text) => Key::ClientIdentifier(text).is_of(info),
            Self::Credential(name) => Key::Credential(name).is_of(info),
            Self::Listener(name) => *info.entry.listener == *name,
            Self::All => true,
        }
    }
}

/// Connections looked at under one lock. A handshake waits for no more than this.
const PORTION: usize = 1024;

#[derive(Default)]
struct State {
    live: Live,
    clones: Clones,
    /// Connections told to close, by [`KickCause::name`].
    ended: BTreeMap<&'static str, u64>,
}

/// The live connections of the process.
pub struct Registry {
    next: AtomicU64,
    state: Mutex<State>,
    shards: RwLock<Vec<Arc<dyn KickTarget>>>,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self { next: AtomicU64::new(1), state: Mutex::default(), shards: RwLock::default() }
    }

    /// Names the recipients of kicks: the target at index `n` is shard `n`.
    pub fn attach(&self, targets: Vec<Arc<dyn KickTarget>>) {
        *self.shards.write().unwrap_or_else(PoisonError::into_inner) = targets;
    }

    /// A name for a connection just accepted.
    pub fn next_link(&self) -> LinkId {
        LinkId::from_number(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Enters a connection, then asks `judge`, which has to load what is in force when it is called, not before: a change that it does not see
    /// yet will find the entry.
    ///
    /// # Errors
    /// What `judge` says. The connection must be closed; it is not entered.
    pub fn register<E>(&self, entry: Entry, judge: impl FnOnce(&Peer) -> Result<(), E>) -> Result<(), E> {
        let link = entry.link;
        let peer = entry.peer.clone();
        self.state().live.enter(entry);
        let verdict = judge(&peer);
        if verdict.is_err() {
            self.remove(link);
        }
        verdict
    }

    /// Notes the Client Identifier and the user name of an accepted CONNECT, together, so that nobody sees one without the other; and says whether somebody else uses the same certificate now. `now` in unix seconds.
    ///
    /// Where the rules refuse the newer, the names of a clone are not noted: the connection must be closed.
    pub fn identify(
        &self,
        link: LinkId,
        client_identifier: &str,
        username: Option<&str>,
        rules: impl Into<CloneRules>,
        now: i64,
    ) -> CloneVerdict {
        let mut state = self.state();
        let State { live, clones, .. } = &mut *state;
        let verdict = clones.judge(live, link, client_identifier, rules.into(), now);
        if !matches!(verdict, CloneVerdict::Cloned { policy: ClonePolicy::RefuseNewer, .. }) {
            live.identify(link, client_identifier.into(), username.map(Arc::from));
        }
        verdict
    }

    /// Notes by what a client is let in, in place of what was noted before. Whether that still holds has to be asked afterwards: whoever takes a
    /// credential back does that first and looks here then ([`Self::end_credential`]).
    pub fn hold(&self, link: LinkId, credentials: Box<[Credential]>) {
        self.state().live.hold(link, credentials);
    }

    /// How often certificates were found in use twice.
    pub fn clone_counts(&self) -> CloneCounts {
        self.state().clones.counts()
    }

    /// How many connections were told to close since the start, by [`KickCause::name`]; every cause is there.
    pub fn ended_counts(&self) -> BTreeMap<&'static str, u64> {
        let mut counts: BTreeMap<&'static str, u64> = KickCause::NAMES.into_iter().map(|name| (name, 0)).collect();
        counts.extend(self.state().ended.iter());
        counts
    }

    /// Notes that another shard owns the connection from now on. The new owner must be able to find it before this is called, so that
    /// a kick sent to either shard arrives.
    pub fn relocate(&self, link: LinkId, shard: u16) {
        self.state().live.relocate(link, shard);
    }

    /// The shard that owns the connection.
    pub fn shard_of(&self, link: LinkId) -> Option<u16> {
        self.state().live.get(link).map(|info| info.entry.shard)
    }

    /// Forgets a closed connection.
    pub fn remove(&self, link: LinkId) {
        self.state().live.leave(link);
    }

    /// Number of live connections.
    pub fn len(&self) -> usize {
        self.state().live.len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One live connection.
    pub fn connection(&self, link: LinkId) -> Option<Arc<ConnectionInfo>> {
        self.state().live.get(link).cloned()
    }

    /// Every live connection, in the order of acceptance. One that comes or goes meanwhile may be in it or not.
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        let mut all = Vec::new();
        self.walk(|portion| all.extend(portion.iter().map(|info| (**info).clone())));
        all
    }

    /// The live connections that `selector` names, in the order of acceptance.
    pub fn select(&self, selector: &Selector<'_>) -> Vec<LinkId> {
        self.selected(selector).into_iter().map(|info| info.entry.link).collect()
    }

    /// The same, with what is known of each.
    pub fn selected(&self, selector: &Selector<'_>) -> Vec<Arc<ConnectionInfo>> {
        let mut found = Vec::new();
        let keys: Vec<Key<'_>> = match *selector {
            Selector::Certificates(ids) => ids.iter().copied().map(Key::Certificate).collect(),
            Selector::Key(key) => vec![Key::Leaf(key)],
            Selector::Authority(authority) => vec![Key::Authority(authority)],
            Selector::Profile(name) => vec![Key::Profile(name)],
            Selector::Device(name) => vec![Key::Device(name)],
            Selector::ClientIdentifier(text) => vec![Key::ClientIdentifier(text)],
            Selector::Credential(name) => vec![Key::Credential(name)],
            // Asked for rarely, so no connection pays for it.
            Selector::AnyKey(_) | Selector::Listener(_) | Selector::All => {
                self.walk(|portion| found.extend(portion.iter().filter(|info| selector.matches(info)).cloned()));
                return found;
            }
        };
        for keys in keys.chunks(PORTION) {
            let candidates: Vec<(usize, LinkId)> = {
                let state = self.state();
                let of_key = |(place, key)| state.live.candidates(key).map(move |link| (place, link));
                keys.iter().enumerate().flat_map(of_key).collect()
            };
            for portion in candidates.chunks(PORTION) {
                let state = self.state();
                let known = portion.iter().filter_map(|(place, link)| Some((keys.get(*place)?, state.live.get(*link)?)));
                found.extend(known.filter(|(key, info)| key.is_of(info)).map(|(_, info)| Arc::clone(info)));
            }
        }
        // A path may hold two of the certificates, a device's and its issuer's.
        found.sort_unstable_by_key(|info| info.entry.link);
        found.dedup_by_key(|info| info.entry.link);
        found
    }

    /// Closes every connection whose path holds one of `certificates`, and waits up to `patience` until the shards confirm.
    /// What is in force must know the certificates already.
    pub fn kick_certificates(&self, certificates: &[CertificateId], cause: &KickCause, patience: Duration) -> KickReport {
        self.kick_selected(&Selector::Certificates(certificates), cause, patience)
    }

    /// Closes every connection that `selector` names, and waits up to `patience` until the shards confirm. What is in force must have changed
    /// already, so that those are refused which come after.
    pub fn kick_selected(&self, selector: &Selector<'_>, cause: &KickCause, patience: Duration) -> KickReport {
        if let (Selector::Certificates(certificates), KickCause::Revoked(_)) = (selector, cause) {
            let all: Arc<[CertificateId]> = (*certificates).into();
            for shard in self.shards.read().unwrap_or_else(PoisonError::into_inner).iter() {
                shard.revoked(&all);
            }
        }
        let mut order = Order::begin();
        order.give(self, self.select(selector).into_iter().map(|link| (link, cause.clone())).collect());
        order.finish(patience)
    }

    /// Closes every connection that was let in by another version of a credential than the one that holds now; `current` is `None` where there is
    /// none any more. As [`Self::kick_selected`].
    pub fn end_credential(&self, name: &str, current: Option<u64>, cause: &KickCause, patience: Duration) -> KickReport {
        let holds = |credential: &Credential| *credential.name != *name || Some(credential.version) == current;
        let found = self.selected(&Selector::Credential(name));
        let outdated = found.iter().filter(|info| !info.credentials.iter().all(holds));
        let links: Vec<LinkId> = outdated.map(|info| info.entry.link).collect();
        self.kick(&links, cause, patience)
    }

    /// Closes the connections of `links`, as [`Self::kick_selected`]. Unknown ones are not counted.
    pub fn kick(&self, links: &[LinkId], cause: &KickCause, patience: Duration) -> KickReport {
        let mut order = Order::begin();
        order.give(self, links.iter().map(|link| (*link, cause.clone())).collect());
        order.finish(patience)
    }

    /// Judges every live connection by what is in force, closes those for which `judge` has a cause, and waits up to `patience` until the shards
    /// confirm. To be called after every change of trust, lists or rules, when it is in force: a connection that is entered meanwhile is
    /// judged by [`Self::register`] and may be left out here.
    ///
    /// `judge` runs without a lock, on at most a thousand connections between two looks at the registry.
    pub fn reconcile(&self, judge: impl Fn(&ConnectionInfo) -> Option<KickCause>, patience: Duration) -> ReconcileReport {
        let mut order = Order::begin();
        let mut report = ReconcileReport::default();
        self.walk(|portion| {
            report.examined += portion.len();
            let ended: Vec<_> = portion.iter().filter_map(|info| Some((info, judge(info)?))).collect();
            for (info, cause) in &ended {
                *report.ended.entry(cause.name()).or_default() += 1;
                if report.examples.len() < ReconcileReport::EXAMPLES {
                    report.examples.push((info.entry.link, info.device().map(Cow::into_owned), cause.clone()));
                }
            }
            order.give(self, ended.into_iter().map(|(info, cause)| (info.entry.link, cause)).collect());
        });
        report.kicks = order.finish(patience);
        report
    }

    /// Sends an order on to the shard that owns the connection now. One for a connection that is gone is done.
    ///
    /// A shard calls this with an order for a connection that it gave away. The new owner got the connection before [`Self::relocate`] was
    /// called, and mailboxes keep their order, so the order arrives after the connection.
    pub fn deliver(&self, kick: Kick) {
        let Some(shard) = self.shard_of(kick.link) else { return };
        if let Some(target) = self.target(usize::from(shard)) {
            target.kick(kick);
        }
    }

    /// Every live connection that is accepted by now, a portion at a time, with the registry unlocked while `look` runs.
    fn walk(&self, mut look: impl FnMut(&[Arc<ConnectionInfo>])) {
        // Without this a walk might never catch up with those who come.
        let end = LinkId::from_number(self.next.load(Ordering::Relaxed));
        let mut portion: Vec<Arc<ConnectionInfo>> = Vec::with_capacity(PORTION.min(self.len()));
        let mut after = None;
        loop {
            portion.clear();
            portion.extend(self.state().live.portion(after, PORTION).take_while(|info| info.entry.link < end).cloned());
            let Some(last) = portion.last() else { return };
            after = Some(last.entry.link);
            look(&portion);
        }
    }

    fn target(&self, shard: usize) -> Option<Arc<dyn KickTarget>> {
        self.shards.read().unwrap_or_else(PoisonError::into_inner).get(shard).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Kicks that are waited for together.
struct Order {
    started: Instant,
    at: i64,
    latch: Latch,
    found: usize,
}

impl Order {
    fn begin() -> Self {
        Self { started: Instant::now(), at: unix_milliseconds(), latch: Latch::default(), found: 0 }
    }

    /// Hands the orders out, one batch to each shard.
    fn give(&mut self, registry: &Registry, causes: Vec<(LinkId, KickCause)>) {
        let mut batches: Vec<Vec<Kick>> = Vec::new();
        let mut causes = causes.into_iter().peekable();
        while causes.peek().is_some() {
            let mut state = registry.state();
            for (link, cause) in causes.by_ref().take(PORTION) {
                let Some(info) = state.live.get(link) else { continue };
                let shard = usize::from(info.entry.shard);
                let count = state.ended.entry(cause.name()).or_default();
                *count = count.saturating_add(1);
                if batches.len() <= shard {
                    batches.resize_with(shard + 1, Vec::new);
                }
                if let Some(batch) = batches.get_mut(shard) {
                    batch.push(Kick { link, cause, done: self.latch.confirmation() });
                    self.found += 1;
                }
            }
        }
        for (shard, batch) in batches.into_iter().enumerate() {
            if let (false, Some(target)) = (batch.is_empty(), registry.target(shard)) {
                target.kick_all(batch);
            }
        }
    }

    fn finish(self, patience: Duration) -> KickReport {
        let confirmed = self.latch.wait(patience);
        KickReport::new(self.found, confirmed, self.started.elapsed(), self.at)
    }
}

#[cfg(test)]
mod tests;
