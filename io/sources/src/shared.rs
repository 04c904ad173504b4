//! What all tasks of the sources share, and the life of a source: entered, run, removed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use signet_identity::AuthorityId;
use signet_revocation::{Freshness, ListSource, Scope};
use signet_tls::CurrentRevocations;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::asking::Asking;
use crate::changes::Changes;
use crate::clock::unix_seconds;
use crate::copies::About;
use crate::ocsp::Ocsp;
use crate::profile::{Profile, Settings};
use crate::report::{ListFacts, SourceKind};
use crate::source::{Key, Place, Source};
use crate::staple::StapleState;
use crate::{apply, fetching};
use signet_http::Url;

/// Shared by the handle and the tasks; the tasks hold it weakly while they wait.
pub(crate) struct Shared {
    pub(crate) revocations: CurrentRevocations,
    pub(crate) changes: Arc<dyn Changes>,
    pub(crate) runtime: Handle,
    /// Held while a list enters the index and while sources leave it.
    pub(crate) order: Mutex<()>,
    /// The lists that were reported as overdue.
    pub(crate) overdue: Mutex<BTreeSet<(AuthorityId, Scope)>>,
    /// Devices that are being asked about.
    pub(crate) asking: Asking,
    /// Responders and what they said.
    pub(crate) ocsp: Ocsp,
    /// Responses about our own certificates.
    staples: Mutex<BTreeMap<Arc<str>, StapleState>>,
    /// Addresses and issuers in certificates that are of no use here, already named in the log.
    pub(crate) said: Mutex<BTreeSet<String>>,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) settings: Arc<Settings>,
    pub(crate) sources: BTreeMap<Key, Running>,
}

/// A source and the task that fetches it; files have none, they are looked at together.
pub(crate) struct Running {
    pub(crate) source: Arc<Source>,
    task: Option<AbortHandle>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Shared {
    pub(crate) fn new(revocations: CurrentRevocations, changes: Arc<dyn Changes>, runtime: Handle, settings: Arc<Settings>) -> Self {
        let state = Mutex::new(State { settings, sources: BTreeMap::new() });
        Self {
            revocations,
            changes,
            runtime,
            order: Mutex::new(()),
            overdue: Mutex::default(),
            asking: Asking::default(),
            ocsp: Ocsp::default(),
            staples: Mutex::default(),
            said: Mutex::default(),
            state,
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment or one entry: a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn staples(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, StapleState>> {
        self.staples.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.state().settings)
    }

    /// Every source, in order.
    pub(crate) fn sources(&self) -> Vec<Arc<Source>> {
        self.state().sources.values().map(|running| Arc::clone(&running.source)).collect()
    }

    /// The source of an address, entered and started when it is new.
    pub(crate) fn enter_url(self: &Arc<Self>, profile: &Arc<Profile>, url: &Url, kind: SourceKind) -> Arc<Source> {
        let key = Key { profile: Arc::clone(&profile.config.name), place: Place::Url(url.clone()) };
        if let Some(known) = self.state().sources.get(&key) {
            return Arc::clone(&known.source);
        }
        let source = Arc::new(Source::new(key.clone(), kind, Arc::clone(profile)));
        // Before the first fetch: what was known before a restart is known again at once.
        self.take_up_copy(&source, profile);
        let task = self.runtime.spawn(fetching::run(Arc::downgrade(self), Arc::clone(&source))).abort_handle();
        let mut state = self.state();
        // Two certificates may name a new address at the same time: the first stays, the other's task ends with its handle.
        let running = Running { source, task: Some(task) };
        Arc::clone(&state.sources.entry(key).or_insert(running).source)
    }

    /// The source of an address that a certificate named. Of too many, the one that was not used for the longest time goes.
    pub(crate) fn enter_named(self: &Arc<Self>, profile: &Arc<Profile>, url: &Url, now: i64) -> Arc<Source> {
        let source = self.enter_url(profile, url, SourceKind::FromCertificate);
        source.note_use(now);
        let surplus = {
            let state = self.state();
            let named = state.sources.values().map(|running| &running.source);
            let mut named: Vec<&Arc<Source>> =
                named.filter(|known| known.kind == SourceKind::FromCertificate && known.key.profile == source.key.profile).collect();
            named.sort_by_key(|known| (known.used(), known.key != source.key));
            let count = named.len().saturating_sub(state.settings.limits.urls_from_certificates.max(1));
            named.into_iter().filter(|known| known.key != source.key).take(count).cloned().collect::<Vec<_>>()
        };
        if !surplus.is_empty() {
            self.remove(&surplus);
        }
        source
    }

    /// Notes that a certificate names the address of a source, if there is one.
    pub(crate) fn note_use_of(&self, profile: &Profile, url: &Url, now: i64) {
        let key = Key { profile: Arc::clone(&profile.config.name), place: Place::Url(url.clone()) };
        if let Some(running) = self.state().sources.get(&key) {
            running.source.note_use(now);
        }
    }

    /// Enters a file, to be looked at with the others.
    pub(crate) fn enter_file(&self, source: Arc<Source>) {
        self.state().sources.insert(source.key.clone(), Running { source, task: None });
    }

    /// Takes sources out of the index, and forgets them and their copies. Others whose older lists were left out because of them are read again.
    pub(crate) fn remove(&self, gone: &[Arc<Source>]) {
        let labels: BTreeSet<ListSource> = gone.iter().map(|source| source.label.clone()).collect();
        let settings = {
            let mut state = self.state();
            for source in gone {
                state.sources.remove(&source.key);
            }
            Arc::clone(&state.settings)
        };
        let changed = {
            let _order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
            gone.iter().for_each(|source| source.retire());
            let before = self.revocations.generation();
            self.revocations.update(|index| index.without_lists(|_, source| labels.contains(source))).generation() != before
        };
        for source in gone {
            if let Some(url) = source.url() {
                settings.copies.forget(&source.key.profile, url);
            }
        }
        if changed {
            self.sources().iter().filter(|source| source.progress().behind).for_each(|source| self.ask_once_more(source));
            gone.iter().for_each(|source| self.tell(source));
        }
    }

    /// Fetches or reads a source again, whatever it looks like.
    pub(crate) fn ask_once_more(&self, source: &Source) {
        let mut progress = source.progress();
        progress.validators = crate::http::Validators::default();
        progress.seen = None;
        drop(progress);
        source.wake.notify_one();
    }

    fn take_up_copy(&self, source: &Source, profile: &Profile) {
        let settings = self.settings();
        let Some(url) = source.url() else { return };
        let Some((about, list)) = settings.copies.load(&source.key.profile, url, settings.limits.maximum_size) else { return };
        match apply::read(&list, profile) {
            Ok(crls) => {
                let applied = apply::apply(self, source, crls);
                let mut progress = source.progress();
                progress.note(&applied);
                if applied.refused.is_empty() {
                    progress.validators = about.validators;
                }
            }
            Err(error) => {
                tracing::warn!(address = %url, "the copy of a revocation list is not usable, it is fetched again: {error}");
                settings.copies.forget(&source.key.profile, url);
            }
        }
    }

    /// The addresses that certificates named before a restart.
    pub(crate) fn named_before(&self) -> Vec<About> {
        self.settings().copies.named_by_certificates()
    }

    /// The lists in force from a source.
    pub(crate) fn facts_of(&self, source: &Source) -> Vec<ListFacts> {
        let now = unix_seconds();
        let mut facts = Vec::new();
        for list in self.revocations.load().lists() {
            // A list with a current delta is as fresh as the delta.
            let stale = Freshness::at(list.next_update(), now) != Freshness::Fresh;
            let mut push = |status: &signet_revocation::CrlStatus| {
                facts.push(ListFacts {
                    issuer: list.issuer_text.to_string(),
                    number: status.number.map(|number| number.to_string()),
                    delta: status.base_number.is_some(),
                    this_update: status.this_update,
                    next_update: status.next_update,
                    entries: status.entries,
                    stale,
                });
            };
            if list.sources.contains(&source.label) {
                push(&list.status);
            }
            if let Some(delta) = list.delta.as_ref().filter(|_| list.delta_sources.contains(&source.label)) {
                push(delta);
            }
        }
        facts
    }
}
