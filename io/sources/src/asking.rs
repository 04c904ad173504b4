//! A device whose status nobody knows: its certificates are asked about, once for however many wait, and never more at once than the limit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signet_identity::{DeviceIdentity, Leaf, PathCertificate};
use signet_revocation::{Finding, RevocationRules};
use tokio::task::JoinSet;

use crate::clock::unix_seconds;
use crate::config::Ocsp;
use crate::profile::Profile;
use crate::schedule::backoff;
use crate::shared::Shared;
use crate::source::Source;
use crate::sources::Sources;
use crate::url::{Url, UrlError};

/// Called when a verdict may be had, or there is nothing more to try.
pub type Done = Box<dyn FnOnce() + Send>;

/// How often in a row a device may make a source that fails be tried: a device that comes back every second is no reason to.
const HURRY: Duration = Duration::from_secs(10);
/// Responders that are tried for one certificate.
pub(crate) const RESPONDERS: usize = 3;
/// How many may wait for each certificate that may be asked about at once, on average.
const WAITING: usize = 4;

/// Who waits for what.
#[derive(Default)]
pub(crate) struct Asking(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    by_device: BTreeMap<Device, Vec<Done>>,
    count: usize,
    turned_away: u64,
}

/// One device under one profile.
type Device = (Arc<str>, PathCertificate);

impl Asking {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Each change is complete before anything of others runs.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sources {
    /// Finds out about a device whose status nobody knows: asks what its profile allows, OCSP first, then the lists at its distribution
    /// points. `done` is called once, on another thread or on this one, when a verdict may be had or there is nothing more to try: at once when
    /// the profile has no source for it, or when [`SourceLimits::asked_at_once`](crate::SourceLimits::asked_at_once) devices are being asked
    /// about. Whoever waits has a deadline of its own. Returns at once.
    pub fn ask(&self, identity: &Arc<DeviceIdentity>, done: Done) {
        let shared = &self.shared;
        let settings = shared.settings();
        let leaf = identity.path().first().copied();
        let (Some(profile), Some(leaf)) = (settings.profiles.get(identity.profile()), leaf) else { return done() };
        if profile.config.ocsp == Ocsp::Off && !profile.config.from_certificates {
            return done();
        }
        let device = (Arc::clone(identity.profile()), leaf);
        {
            let mut waiting = shared.asking.waiting();
            let limit = settings.limits.asked_at_once.max(1);
            let is_new = !waiting.by_device.contains_key(&device);
            if waiting.count >= limit.saturating_mul(WAITING) || (is_new && waiting.by_device.len() >= limit) {
                waiting.turned_away = waiting.turned_away.saturating_add(1);
                drop(waiting);
                return done();
            }
            waiting.count += 1;
            waiting.by_device.entry(device.clone()).or_default().push(done);
            if !is_new {
                return;
            }
        }
        let (shared, profile, identity) = (Arc::clone(shared), Arc::clone(profile), Arc::clone(identity));
        self.shared.runtime.spawn(async move {
            let answered = Answered { shared: Arc::clone(&shared), device };
            ask_about(&shared, &profile, &identity).await;
            drop(answered);
        });
    }

    /// Notes that a device connected: its OCSP answers are kept current for an hour more, and the addresses that its certificate names stay
    /// among those that are fetched. For connections whose status was known.
    pub fn seen(&self, identity: &DeviceIdentity) {
        let (shared, now) = (&self.shared, unix_seconds());
        let settings = shared.settings();
        let Some(profile) = settings.profiles.get(identity.profile()) else { return };
        if profile.config.ocsp != Ocsp::Off {
            shared.note_use(identity.path(), now);
        }
        if profile.config.from_certificates {
            for url in shared.addresses(profile, identity.leaf()) {
                shared.note_use_of(profile, &url, now);
            }
        }
    }

    /// How many devices are being asked about, and how many were turned away since the start because there were too many.
    #[must_use]
    pub fn asking(&self) -> (usize, u64) {
        let waiting = self.shared.asking.waiting();
        (waiting.by_device.len(), waiting.turned_away)
    }
}

/// Tells everybody who waits for a device, also when asking ended in a panic or with the runtime.
struct Answered {
    shared: Arc<Shared>,
    device: Device,
}

impl Drop for Answered {
    fn drop(&mut self) {
        let done = {
            let mut waiting = self.shared.asking.waiting();
            let done = waiting.by_device.remove(&self.device).unwrap_or_default();
            waiting.count = waiting.count.saturating_sub(done.len());
            done
        };
        done.into_iter().for_each(|done| done());
    }
}

async fn ask_about(shared: &Arc<Shared>, profile: &Arc<Profile>, identity: &DeviceIdentity) {
    let known = shared.revocations.explain(identity, &RevocationRules::default(), unix_seconds());
    let is_known = |certificate: &PathCertificate| {
        let answers = known.iter().filter(|status| status.id == certificate.id).flat_map(|status| &status.answers);
        answers.map(|answer| answer.finding).any(|finding| matches!(finding, Finding::Good | Finding::Revoked(_)))
    };
    let mut questions = JoinSet::new();
    for (position, certificate) in identity.path().iter().enumerate() {
        if is_known(certificate) {
            continue;
        }
        // A path names its intermediates only; those that the profile knows can be asked about.
        let leaf = if position == 0 { Some(identity.leaf()) } else { profile.certificate(certificate) };
        let Some(leaf) = leaf.cloned() else { continue };
        let (shared, profile, certificate) = (Arc::clone(shared), Arc::clone(profile), *certificate);
        questions.spawn_on(async move { ask_about_one(&shared, &profile, certificate, &leaf).await }, &self::runtime(&shared_handle(&identity_runtime())));
    }
    while questions.join_next().await.is_some() {}
}
