//! A device whose status nobody knows: its certificates are asked about, once for however many wait, and never more at once than the limit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signet_identity::{DeviceIdentity, Leaf, PathCertificate, PointName};
use signet_revocation::{Finding, IssuerCertificate, OcspStatus, RevocationRules};
use tokio::task::JoinSet;

use crate::clock::unix_seconds;
use crate::config::Ocsp;
use crate::profile::Profile;
use crate::schedule::backoff;
use crate::shared::Shared;
use crate::source::Source;
use crate::sources::Sources;
use signet_http::Url;

/// Called when a verdict may be had, or there is nothing more to try.
pub type Done = Box<dyn FnOnce() + Send>;

/// How often in a row a device may make a source that fails be tried: a device that comes back every second is no reason to.
const HURRY: Duration = Duration::from_secs(10);
/// Responders that are tried for one certificate.
pub(crate) const RESPONDERS: usize = 3;
/// How many may wait for each certificate that may be asked about at once, on average.
const WAITING: usize = 4;

/// Addresses that cannot be fetched, and issuers that nobody knows, that were named in the log; of more, none is.
const SAID: usize = 1000;
/// How often whoever waits for a source looks whether it still exists.
const LOOK: Duration = Duration::from_secs(1);

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
        let (profile, identity) = (Arc::clone(profile), Arc::clone(identity));
        // Made here, so that they are told too when the runtime takes no more tasks.
        let answered = Answered { shared: Arc::clone(shared), device };
        shared.runtime.spawn(async move {
            ask_about(&answered.shared, &profile, &identity).await;
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
            shared.note_use(profile, &settings, identity, now);
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
        questions.spawn(async move { ask_about_one(&shared, &profile, certificate, &leaf).await });
    }
    while questions.join_next().await.is_some() {}
}

async fn ask_about_one(shared: &Arc<Shared>, profile: &Arc<Profile>, certificate: PathCertificate, leaf: &Leaf) {
    let Some(issuer) = profile.issuer(&certificate) else {
        shared.say_once(&certificate.issuer().name.to_string(), || {
            let (profile, issuer) = (&*profile.config.name, leaf.issuer().rfc4514());
            tracing::warn!(
                profile,
                issuer,
                "nobody can be asked about the certificates of this issuer: the profile does not know its certificate; add it to `trust`"
            );
        });
        return;
    };
    for responder in profile.responders(leaf) {
        match shared.query(profile, &responder, certificate, issuer, true).await {
            Ok(status) if status != OcspStatus::Unknown => return,
            _ => {}
        }
    }
    if !profile.config.from_certificates {
        return;
    }
    let (entering, profile, leaf) = (Arc::clone(shared), Arc::clone(profile), leaf.clone());
    // A copy may have to be read, and others may have to be told that an address had to go.
    let entered = tokio::task::spawn_blocking(move || {
        let (now, addresses) = (unix_seconds(), entering.addresses(&profile, &leaf));
        addresses.iter().map(|url| entering.enter_named(&profile, url, now)).collect::<Vec<Arc<Source>>>()
    });
    for source in entered.await.unwrap_or_default() {
        shared.wait_for(&source).await;
    }
}

impl Profile {
    /// The certificate of an intermediate of a path.
    pub(crate) fn certificate(&self, wanted: &PathCertificate) -> Option<&Leaf> {
        self.issuers.iter().map(IssuerCertificate::leaf).find(|leaf| leaf.id() == wanted.id)
    }

    /// The certificate of the key that signed a certificate.
    pub(crate) fn issuer(&self, certificate: &PathCertificate) -> Option<&IssuerCertificate> {
        self.issuers.iter().find(|issuer| issuer.leaf().authority_id() == certificate.issuer())
    }

    /// Who can be asked about a certificate, in order, at most [`RESPONDERS`].
    pub(crate) fn responders(&self, leaf: &Leaf) -> Vec<Arc<Url>> {
        match &self.config.ocsp {
            Ocsp::Off => Vec::new(),
            Ocsp::Responder(url) => vec![Arc::new(url.clone())],
            Ocsp::FromCertificates => {
                let named = leaf.ocsp_responders().unwrap_or_default();
                let urls = named.iter().filter_map(|text| text.parse::<Url>().ok()).filter(|url| self.allows(url));
                urls.take(RESPONDERS).map(Arc::new).collect()
            }
        }
    }
}

impl Shared {
    /// The addresses of lists that a certificate names and the profile allows: complete ones, then deltas. What cannot be fetched is named in
    /// the log, once for each address.
    pub(crate) fn addresses(&self, profile: &Profile, leaf: &Leaf) -> Vec<Url> {
        let points = leaf.crl_distribution_points().into_iter().chain(leaf.freshest_crl()).flatten();
        let names = points.flat_map(|point| point.names);
        let mut urls: Vec<Url> = Vec::new();
        for name in names {
            let PointName::Uri(text) = name else { continue };
            let not_fetched = |why: &str| tracing::warn!("a certificate names a revocation list that is not fetched: {why}");
            match text.parse::<Url>() {
                Ok(url) if !profile.allows(&url) => {
                    self.say_once(&text, || not_fetched(&format!("the host of `{url}` is not among `allow_hosts`")));
                }
                Ok(url) if !urls.contains(&url) => urls.push(url),
                Ok(_) => {}
                Err(error) => self.say_once(&text, || not_fetched(&error.to_string())),
            }
        }
        urls
    }

    fn say_once(&self, about: &str, say: impl FnOnce()) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() < SAID && said.insert(about.to_owned()) {
            say();
        }
    }

    /// Waits until a source was tried, if it has not been; one that fails is tried once more, unless that was a moment ago.
    async fn wait_for(&self, source: &Source) {
        let mut ended = source.ended.subscribe();
        let attempts = source.progress().attempts.clone();
        match (attempts.last, attempts.consecutive_failures) {
            (Some(_), 0) => return,
            (Some(last), failures) => {
                let pause = backoff(failures).min(HURRY).as_secs();
                if unix_seconds().saturating_sub(last) < i64::try_from(pause).unwrap_or(i64::MAX) {
                    return;
                }
                source.wake.notify_one();
            }
            // A copy of before the restart says as much as the list that is being fetched.
            (None, _) if !self.facts_of(source).is_empty() => return,
            (None, _) => {}
        }
        // A source that is removed meanwhile is tried no more, but its sender lives as long as we hold it: the task's end is not seen here.
        while !source.is_gone() {
            match tokio::time::timeout(LOOK, ended.changed()).await {
                Err(_) => {}
                Ok(_) => return,
            }
        }
    }
}
