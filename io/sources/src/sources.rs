//! The handle on all sources: start, replace, ask, report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use signet_revocation::Crl;
use signet_tls::CurrentRevocations;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::apply;
use crate::changes::Changes;
use crate::clock::unix_seconds;
use crate::config::SourcesConfig;
use crate::error::SourceError;
use crate::files::{self, Seen};
use crate::ocsp;
use crate::profile::Settings;
use crate::report::{SourceKind, SourceReport, SourceState};
use crate::shared::Shared;
use crate::source::{Key, Place, Source};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Every source of revocation knowledge. Dropping it ends its tasks; the lists stay in the index.
pub struct Sources {
    pub(crate) shared: Arc<Shared>,
    tasks: [AbortHandle; 2],
}

/// A file that was read and verified, but is not in force yet.
struct Prepared {
    source: Arc<Source>,
    seen: Seen,
    crls: Vec<Crl>,
    took: Duration,
}

impl Sources {
    /// Reads the files and the last good copies, puts them in force, and begins to fetch on `runtime`. Blocks for as long as reading takes;
    /// `changes` is told of what comes into force meanwhile.
    ///
    /// # Errors
    /// [`SourceError`]: something that is named cannot be used; nothing is in force then. An address that does not answer is no error: it is
    /// reported, and tried again.
    pub fn start(
        config: &SourcesConfig,
        revocations: CurrentRevocations,
        changes: Arc<dyn Changes>,
        runtime: Handle,
    ) -> Result<Self, SourceError> {
        let settings = Arc::new(Settings::read(config)?);
        let prepared = prepare(&settings, &BTreeMap::new())?;
        let shared = Arc::new(Shared::new(revocations, changes, runtime, settings));
        shared.put_in_force(prepared);
        let watching = shared.runtime.spawn(watch(Arc::downgrade(&shared))).abort_handle();
        let renewing = shared.runtime.spawn(ocsp::renew(Arc::downgrade(&shared))).abort_handle();
        Ok(Self { shared, tasks: [watching, renewing] })
    }

    /// Takes over a new configuration, all or nothing. What is named in both goes on as it is, with what is new of its profile; what is named
    /// no more leaves the index; what is new is read, or begins to be fetched. Blocks for as long as reading takes.
    ///
    /// # Errors
    /// [`SourceError`], and everything is as before. A file that was named before and has become bad meanwhile is no error: its last good
    /// lists stay.
    pub fn replace(&self, config: &SourcesConfig) -> Result<(), SourceError> {
        let settings = Arc::new(Settings::read(config)?);
        let known: BTreeMap<Key, Arc<Source>> = self.shared.sources().into_iter().map(|source| (source.key.clone(), source)).collect();
        let prepared = prepare(&settings, &known)?;
        self.shared.state().settings = Arc::clone(&settings);
        let gone: Vec<Arc<Source>> = known.values().filter(|source| !stays(source, &settings)).cloned().collect();
        if !gone.is_empty() {
            self.shared.remove(&gone);
        }
        for source in known.values().filter(|source| stays(source, &settings)) {
            self.shared.renew(source, &settings);
        }
        self.shared.put_in_force(prepared);
        self.shared.wake_answers();
        Ok(())
    }

    /// Fetches and reads now, and asks again about every certificate with an answer: every source, or those whose profile or address is
    /// `which`. Returns how many sources of lists that are; what comes of it is in [`Self::report`].
    pub fn refresh(&self, which: Option<&str>) -> usize {
        let meant = |source: &&Arc<Source>| which.is_none_or(|name| *source.key.profile == *name || source.key.place.to_string() == name);
        let sources = self.shared.sources();
        let meant = sources.iter().filter(meant).inspect(|source| self.shared.ask_once_more(source)).count();
        self.shared.look_at_files();
        self.shared.hurry_answers(which);
        meant
    }

    /// How every source fares: files and addresses by profile, then responders, then staples.
    #[must_use]
    pub fn report(&self) -> Vec<SourceReport> {
        let mut reports: Vec<SourceReport> = self.shared.sources().iter().map(|source| self.shared.report_on(source)).collect();
        reports.extend(self.shared.report_on_responders());
        reports.extend(self.shared.report_on_staples());
        reports
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        self.shared.state().sources.clear();
    }
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").field("sources", &self.shared.sources().len()).finish_non_exhaustive()
    }
}

/// Reads the files that are new in a configuration; the first bad one refuses it.
fn prepare(settings: &Settings, known: &BTreeMap<Key, Arc<Source>>) -> Result<Vec<Prepared>, SourceError> {
    let mut prepared = Vec::new();
    for profile in settings.profiles.values() {
        let paths: BTreeSet<_> = profile.config.files.iter().collect();
        for path in paths {
            let key = Key { profile: Arc::clone(&profile.config.name), place: Place::File(path.clone()) };
            if known.contains_key(&key) {
                continue;
            }
            let (seen, started) = (files::look(path), Instant::now());
            let crls = files::read(path, settings.limits.maximum_size)
                .and_then(|bytes| apply::read(&bytes, profile).map_err(|error| format!("cannot be used: {error}")));
            let crls = crls.map_err(|found| SourceError::File { profile: profile.config.name.to_string(), path: path.clone(), found })?;
            let source = Arc::new(Source::new(key, SourceKind::File, Arc::clone(profile)));
            prepared.push(Prepared { source, seen, crls, took: started.elapsed() });
        }
    }
    // What a delta completes comes before it.
    prepared.sort_by_key(|file| file.crls.iter().all(|crl| crl.status().base_number.is_some()));
    Ok(prepared)
}

/// Whether a source is named in a configuration.
fn stays(source: &Source, settings: &Settings) -> bool {
    let Some(profile) = settings.profiles.get(&source.key.profile) else { return false };
    match (&source.key.place, source.kind) {
        (Place::File(path), _) => profile.config.files.contains(path),
        (Place::Url(url), SourceKind::FromCertificate) => {
            profile.config.from_certificates && profile.allows(url) && !profile.config.urls.contains(url)
        }
        (Place::Url(url), _) => profile.config.urls.contains(url),
    }
}

impl Shared {
    /// Enters what is new in the settings in force.
    fn put_in_force(self: &Arc<Self>, prepared: Vec<Prepared>) {
        let (settings, now) = (self.settings(), unix_seconds());
        let authorities = settings.authorities();
        // What cannot be read of a CA certificate says nothing about where its CRLs are.
        self.revocations.update(|index| index.with_known_authorities(&authorities).unwrap_or_else(|_| index.clone()));
        for Prepared { source, seen, crls, took } in prepared {
            self.enter_file(Arc::clone(&source));
            source.progress().seen = Some(seen);
            self.take(&source, crls, took, now);
        }
        for profile in settings.profiles.values() {
            for url in &profile.config.urls {
                self.enter_url(profile, url, SourceKind::Url);
            }
        }
        let before = self.named_before();
        for about in before.iter().rev() {
            let profile = settings.profiles.get(about.profile.as_str()).filter(|profile| profile.config.from_certificates);
            if let (Some(profile), Ok(url)) = (profile, about.url.parse())
                && profile.allows(&url)
            {
                self.enter_named(profile, &url, about.fetched);
            }
        }
        for profile in settings.profiles.values().filter(|profile| profile.config.from_certificates) {
            for issuer in &profile.issuers {
                for url in self.addresses(profile, issuer.leaf()) {
                    self.enter_named(profile, &url, now);
                }
            }
        }
    }

    /// Gives a source that stays what is new of its profile. Lists of signers that are not trusted any more leave.
    fn renew(&self, source: &Source, settings: &Settings) {
        let Some(profile) = settings.profiles.get(&source.key.profile) else { return };
        let before = source.profile();
        source.set_profile(Arc::clone(profile));
        let same_signers =
            before.config.issuers == profile.config.issuers && before.config.indirect_issuers == profile.config.indirect_issuers;
        if same_signers {
            // A shorter pause counts from now, not after the longer one.
            if before.config != profile.config {
                source.wake.notify_one();
            }
            return;
        }
        let generation = self.revocations.generation();
        let distrusted = |index: &signet_revocation::RevocationIndex| {
            index.without_lists(|list, from| *from == source.label && !profile.knows_signer(&list.authority))
        };
        if self.revocations.update(distrusted).generation() != generation {
            self.tell(source);
        }
        self.ask_once_more(source);
    }

    /// Puts what a file holds in force and notes what came of it.
    fn take(&self, source: &Source, crls: Vec<Crl>, took: Duration, now: i64) {
        let applied = apply::apply(self, source, crls);
        let refused = applied.refused.join("; ");
        source.ended(if refused.is_empty() { Ok(took) } else { Err(&refused) }, now);
        source.progress().note(&applied);
        if applied.changed {
            self.wake_deltas(source);
        }
    }

    /// Reads the files that look different.
    pub(crate) fn look_at_files(&self) {
        let maximum_size = self.settings().limits.maximum_size;
        for source in self.sources() {
            let Place::File(path) = &source.key.place else { continue };
            let seen = Some(files::look(path));
            if source.progress().seen == seen {
                continue;
            }
            source.progress().seen = seen;
            let (started, now) = (Instant::now(), unix_seconds());
            match files::read(path, maximum_size).and_then(|bytes| apply::read(&bytes, &source.profile())) {
                Ok(crls) => self.take(&source, crls, started.elapsed(), now),
                Err(error) => source.ended(Err(&error), now),
            }
        }
    }

    fn report_on(&self, source: &Source) -> SourceReport {
        let lists = self.facts_of(source);
        let attempts = source.progress().attempts.clone();
        let state = match attempts.last {
            _ if lists.iter().any(|list| list.stale) => SourceState::Stale,
            _ if attempts.consecutive_failures > 0 => SourceState::Failing,
            None if lists.is_empty() => SourceState::Waiting,
            _ => SourceState::Good,
        };
        SourceReport {
            profile: Arc::clone(&source.key.profile),
            kind: source.kind,
            address: source.key.place.to_string(),
            state,
            attempts,
            lists,
            answers: 0,
        }
    }
}

/// Every second: files that changed, lists that became overdue.
async fn watch(shared: Weak<Shared>) {
    let mut second = tokio::time::interval(LOOK);
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        second.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        let looking = tokio::task::spawn_blocking(move || {
            shared.look_at_files();
            shared.report_stale(unix_seconds());
        });
        if looking.await.is_err() {
            tracing::error!("looking at revocation list files failed; a bug worth reporting");
        }
    }
}
