//! The task of an address: fetch, put in force, keep a copy, wait, again.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::apply::{self, Applied};
use crate::clock::{random, unix_seconds};
use crate::copies::About;
use crate::freshest;
use crate::http::{Ask, Fetched, Validators, fetch};
use crate::profile::{Profile, Settings};
use crate::report::SourceKind;
use crate::schedule::{after_list, backoff, jittered};
use crate::shared::Shared;
use crate::source::Source;
use signet_http::Url;

/// Runs until the source is removed or the sources are dropped.
pub(crate) async fn run(shared: Weak<Shared>, source: Arc<Source>) {
    loop {
        let pause = {
            let Some(shared) = shared.upgrade() else { return };
            attempt(&shared, &source).await
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = source.wake.notified() => {}
        }
    }
}

/// Fetches once and says when to fetch again.
async fn attempt(shared: &Arc<Shared>, source: &Arc<Source>) -> Duration {
    let (settings, profile) = (shared.settings(), source.profile());
    let Some(url) = source.url().cloned() else { return backoff(u32::MAX) };
    let Ok(_place) = Arc::clone(&settings.list_places).acquire_owned().await else { return backoff(u32::MAX) };
    let started = Instant::now();
    let outcome = fetched(shared, source, &settings, &profile, &url).await;
    let now = unix_seconds();
    source.ended(outcome.as_ref().map(|_| started.elapsed()).map_err(String::as_str), now);
    let pause = match outcome {
        Ok(applied) => {
            if applied.changed {
                shared.wake_deltas(source);
            }
            let next_update = shared.facts_of(source).into_iter().filter_map(|facts| facts.next_update).min();
            let stale = {
                let mut progress = source.progress();
                let overdue = next_update.is_some_and(|next_update| next_update <= now);
                progress.stale = if overdue { progress.stale.saturating_add(1) } else { 0 };
                progress.stale
            };
            after_list(now, next_update, stale, profile.config.refresh)
        }
        Err(_) => backoff(source.progress().attempts.consecutive_failures),
    };
    jittered(pause, random())
}

async fn fetched(
    shared: &Arc<Shared>,
    source: &Arc<Source>,
    settings: &Arc<Settings>,
    profile: &Arc<Profile>,
    url: &Url,
) -> Result<Applied, String> {
    let known = source.progress().validators.clone();
    // What is overdue is asked for as if there were nothing: a server that is wrong about "unchanged" would keep us from the successor.
    let overdue = shared.facts_of(source).iter().any(|facts| facts.stale);
    let conditional = (known != Validators::default() && !overdue).then_some(&known);
    match fetch(url, Ask::List(conditional), profile.https.as_ref(), profile.bounds(&settings.limits))
        .await
        .map_err(|failure| failure.text)?
    {
        Fetched::Unchanged => {
            let (behind, freshest) = {
                let progress = source.progress();
                (progress.behind, progress.freshest.clone())
            };
            freshest.iter().for_each(|url| shared.note_use_of(profile, url, unix_seconds()));
            Ok(Applied { behind, ..Applied::default() })
        }
        Fetched::Body { bytes, validators } => {
            let (shared, source, settings, profile) = (Arc::clone(shared), Arc::clone(source), Arc::clone(settings), Arc::clone(profile));
            let url = url.clone();
            // A list of a million entries takes a second to read.
            let taking = tokio::task::spawn_blocking(move || take_over((&shared, &source, &url), &settings, &profile, &bytes, validators));
            taking.await.map_err(|_| "reading the list failed; a bug worth reporting".to_owned())?
        }
    }
}

fn take_over(
    (shared, source, url): (&Arc<Shared>, &Source, &Url),
    settings: &Settings,
    profile: &Arc<Profile>,
    bytes: &[u8],
    validators: Validators,
) -> Result<Applied, String> {
    let now = unix_seconds();
    let applied = apply::apply(shared, source, apply::read(bytes, profile)?);
    source.progress().note(&applied);
    if !applied.refused.is_empty() {
        return Err(applied.refused.join("; "));
    }
    source.progress().validators = validators.clone();
    let about = About {
        profile: profile.config.name.to_string(),
        url: url.to_string(),
        from_certificate: source.kind == SourceKind::FromCertificate,
        fetched: now,
        validators,
    };
    // Without a copy everything works until the next start.
    if let Err(error) = settings.copies.keep(&about, bytes) {
        tracing::warn!(address = %source.key.place, "no copy of this revocation list is kept: {error}");
    }
    // Removed meanwhile: whoever did it may have looked for the copy before it was there.
    if source.is_gone() {
        settings.copies.forget(&source.key.profile, url);
        return Ok(applied);
    }
    if profile.config.from_certificates {
        let freshest: Vec<Url> = freshest::addresses(bytes).into_iter().filter(|url| profile.allows(url)).collect();
        source.progress().freshest = freshest.clone();
        for delta in freshest {
            shared.enter_named(profile, &delta, now);
        }
    }
    Ok(applied)
}

impl Shared {
    /// A complete list came: deltas that waited for it are asked for again.
    pub(crate) fn wake_deltas(&self, arrived: &Source) {
        for source in self.sources() {
            let waits = source.key != arrived.key && source.key.profile == arrived.key.profile && source.progress().lacks_base;
            if waits {
                self.ask_once_more(&source);
            }
        }
    }
}
