//! Asking responders (RFC 6960, RFC 5019), and asking again before an answer ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use signet_identity::{DeviceIdentity, PathCertificate, SerialNumber};
use signet_revocation::{CertIdHash, IssuerCertificate, OcspRequest, OcspResponse, OcspRules, OcspStatus, Reason};
use signet_tls::CrlSignatureVerifier;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::clock::{random, unix_seconds};
use crate::config::Nonce;
use crate::http::{Ask, Bounds, Failure, Fetched, fetch};
use crate::profile::{Profile, Settings};
use crate::renewals::{Renewals, Subject};
use crate::report::{Attempts, SourceKind, SourceReport, SourceState};
use crate::schedule::{after_answer, backoff, jittered};
use crate::shared::Shared;
use signet_http::Url;

/// How long an answer is kept current after somebody wanted it, in seconds; while a device is connected always.
const KEPT_AFTER_USE: i64 = 3600;
/// A device that is waiting makes a responder that fails be tried again after so long, at the latest.
const HURRY: Duration = Duration::from_secs(10);
/// Responders that are reported on; they come from certificates.
const RESPONDERS: usize = 1000;

/// What responders said and when to ask them again.
#[derive(Default)]
pub(crate) struct Ocsp {
    responders: Mutex<Responders>,
    renewals: Mutex<Renewals>,
}

type Responders = BTreeMap<(Arc<str>, Url), Responder>;

struct Responder {
    attempts: Attempts,
    /// Questions to it at once: half of all, so that one that hangs does not stand in the way of the others.
    places: Arc<Semaphore>,
    /// Attempts in a row that reached nobody. One that refuses a question is well: others may be answered.
    unreached: u32,
}

impl Ocsp {
    fn responders(&self) -> MutexGuard<'_, Responders> {
        self.responders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn renewals(&self) -> MutexGuard<'_, Renewals> {
        self.renewals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks once, by GET where that is possible and the responder can do it, else by POST.
pub(crate) async fn ask(url: &Url, profile: &Profile, issuer: &IssuerCertificate, serial: SerialNumber) -> Result<OcspResponse, Failure> {
    let bounds = Bounds { timeout: profile.config.timeout, maximum_size: OcspResponse::MAXIMUM_SIZE };
    let own_fault = |error: String| Failure { text: error, answered: true };
    let nonce = (profile.config.nonce != Nonce::Off).then(nonce).transpose().map_err(own_fault)?;
    let request = OcspRequest::new(issuer, serial, CertIdHash::Sha1, nonce).map_err(|error| own_fault(error.to_string()))?;
    let rules = OcspRules { nonce_required: profile.config.nonce == Nonce::Require, ..OcspRules::default() };
    let request = Arc::new(request);
    // A request with a nonce is one that no cache has an answer to; after a query there is no place for it.
    if nonce.is_none() && request.fits_get() && !url.path().contains('?') {
        let fetched = fetch(url, Ask::Get(request.get_path()), profile.https.as_ref(), bounds).await;
        match read(fetched, &request, rules).await {
            // It may know POST only, or a cache on the way may be wrong.
            Err(failure) if failure.answered => tracing::debug!(responder = %url, "asking again by POST: {}", failure.text),
            outcome => return outcome,
        }
    }
    let fetched = fetch(url, Ask::Post(request.der().to_vec()), profile.https.as_ref(), bounds).await;
    read(fetched, &request, rules).await
}

fn nonce() -> Result<[u8; 32], String> {
    let mut nonce = [0; 32];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| "this machine has no random numbers".to_owned())?;
    Ok(nonce)
}

/// Verifies what came back, on a thread that may take its time.
async fn read(fetched: Result<Fetched, Failure>, request: &Arc<OcspRequest>, rules: OcspRules) -> Result<OcspResponse, Failure> {
    let answered = |text: String| Failure { text, answered: true };
    let bytes = match fetched? {
        Fetched::Body { bytes, .. } => bytes,
        Fetched::Unchanged => return Err(answered("the server answers 304 to a question without a condition".to_owned())),
    };
    let request = Arc::clone(request);
    let verifying =
        tokio::task::spawn_blocking(move || OcspResponse::verify(&bytes, &request, &rules, &CrlSignatureVerifier, unix_seconds()));
    let verified = verifying.await.map_err(|_| answered("reading the response failed; a bug worth reporting".to_owned()))?;
    verified.map_err(|error| answered(error.to_string()))
}

impl Shared {
    /// Asks a responder, records what it says, and notes when to ask again. `wanted`: a device waits; else it is a renewal.
    pub(crate) async fn query(
        self: &Arc<Self>,
        profile: &Arc<Profile>,
        responder: &Arc<Url>,
        certificate: PathCertificate,
        issuer: &IssuerCertificate,
        wanted: bool,
    ) -> Result<OcspStatus, String> {
        let settings = self.settings();
        let places = self.places_at(profile, responder, &settings);
        let (Ok(_at_this_one), Ok(_at_all)) = (places.acquire().await, settings.ocsp_places.acquire().await) else {
            return Err("ended".to_owned());
        };
        self.may_ask(profile, responder, wanted)?;
        let started = Instant::now();
        let outcome = ask(responder, profile, issuer, certificate.id.serial()).await;
        let now = unix_seconds();
        self.note_attempt(profile, responder, outcome.as_ref().map(|_| started.elapsed()), now);
        let answer = outcome.map_err(|failure| failure.text)?.answer();
        // Who is let in waits for the answer by itself; that somebody may stay needs no look at all who are connected.
        if self.revocations.record_answer(answer) && answer.status() != OcspStatus::Good {
            let shared = Arc::clone(self);
            let _ = tokio::task::spawn_blocking(move || shared.changes.answer_changed(&certificate)).await;
        }
        let pause = after_answer(now, answer.this_update(), Some(answer.fresh_until()), profile.config.refresh);
        let subject = Subject { profile: Arc::clone(&profile.config.name), responder: Arc::clone(responder), failures: 0 };
        self.note_due(&settings, certificate, subject, jittered(pause, random()), wanted.then_some(now));
        Ok(answer.status())
    }

    /// Where questions to a responder queue. Enters it; of too many responders, the one not asked for longest goes.
    fn places_at(&self, profile: &Profile, responder: &Url, settings: &Settings) -> Arc<Semaphore> {
        let mut responders = self.ocsp.responders();
        let key = key(profile, responder);
        if responders.len() >= RESPONDERS && !responders.contains_key(&key) {
            let oldest = responders.iter().min_by_key(|(_, known)| known.attempts.last).map(|(key, _)| key.clone());
            oldest.map(|key| responders.remove(&key));
        }
        let places = || Arc::new(Semaphore::new((settings.limits.concurrent_fetches / 2).clamp(1, Semaphore::MAX_PERMITS)));
        let known = responders.entry(key).or_insert_with(|| Responder { attempts: Attempts::default(), places: places(), unreached: 0 });
        Arc::clone(&known.places)
    }

    /// A responder that nobody reaches is left alone for a while, a shorter one when a device waits.
    fn may_ask(&self, profile: &Profile, responder: &Url, wanted: bool) -> Result<(), String> {
        let responders = self.ocsp.responders();
        let Some(Responder { attempts, unreached: unreached @ 1.., .. }) = responders.get(&key(profile, responder)) else { return Ok(()) };
        let pause = backoff(*unreached).min(if wanted { HURRY } else { Duration::MAX });
        let until = attempts.last.unwrap_or(0).saturating_add(i64::try_from(pause.as_secs()).unwrap_or(i64::MAX));
        match &attempts.last_error {
            Some(error) if unix_seconds() < until => Err(format!("not asked again yet after: {error}")),
            _ => Ok(()),
        }
    }

    fn note_attempt(&self, profile: &Profile, responder: &Url, outcome: Result<Duration, &Failure>, now: i64) {
        let name = &*profile.config.name;
        let mut responders = self.ocsp.responders();
        // Gone when the settings changed meanwhile, or there were too many.
        let Some(Responder { attempts, unreached, .. }) = responders.get_mut(&key(profile, responder)) else { return };
        match outcome {
            Ok(latency) => {
                if attempts.consecutive_failures > 0 {
                    tracing::info!(profile = name, %responder, "this OCSP responder answers again");
                }
                attempts.succeeded(now, latency);
                *unreached = 0;
            }
            Err(failure) => {
                *unreached = if failure.answered { 0 } else { unreached.saturating_add(1) };
                if attempts.failed(now, &failure.text) {
                    let error = &failure.text;
                    tracing::error!(profile = name, %responder, "no answer from this OCSP responder, the last good ones stay in force: {error}");
                }
            }
        }
    }

    fn note_due(&self, settings: &Settings, certificate: PathCertificate, subject: Subject, pause: Duration, used: Option<i64>) {
        let due = unix_seconds().saturating_add(i64::try_from(pause.as_secs().max(1)).unwrap_or(i64::MAX));
        let leaving = self.ocsp.renewals().note(certificate, subject, due, used, settings.limits.ocsp_answers);
        // A revocation that was heard of stays known whoever else comes: the index has a bound of its own, and gives those up last.
        if let Some(leaving) = leaving.filter(|leaving| !matches!(self.status_of(leaving), Some(OcspStatus::Revoked { .. }))) {
            self.revocations.forget_answer(&leaving);
        }
    }

    fn status_of(&self, certificate: &PathCertificate) -> Option<OcspStatus> {
        self.revocations.answer(certificate).map(|answer| answer.status())
    }

    /// Somebody uses the answers about a device's path. Those that nobody wanted for so long that they are not asked for any more are from now on
    /// again: a device that comes back before its answer ends is not to be believed for all that is left of it.
    pub(crate) fn note_use(&self, profile: &Profile, settings: &Settings, identity: &DeviceIdentity, now: i64) {
        let given_up: Vec<(usize, PathCertificate)> = {
            let mut renewals = self.ocsp.renewals();
            identity.path().iter().copied().enumerate().filter(|(_, certificate)| !renewals.note_use(certificate, now)).collect()
        };
        for (position, certificate) in given_up {
            let Some(answer) = self.revocations.answer(&certificate) else { continue };
            let leaf = if position == 0 { Some(identity.leaf()) } else { profile.certificate(&certificate) };
            let Some(responder) = leaf.and_then(|leaf| profile.responders(leaf).into_iter().next()) else { continue };
            let pause = after_answer(now, answer.this_update(), Some(answer.fresh_until()), profile.config.refresh);
            let subject = Subject { profile: Arc::clone(&profile.config.name), responder, failures: 0 };
            self.note_due(settings, certificate, subject, jittered(pause, random()), Some(now));
        }
    }

    /// Asks again now under this profile, or this responder, or all.
    pub(crate) fn hurry_answers(&self, which: Option<&str>) {
        let meant = |subject: &Subject| which.is_none_or(|name| *subject.profile == *name || subject.responder.as_str() == name);
        self.ocsp.renewals().hurry(unix_seconds(), meant);
    }

    /// The settings changed: answers under profiles that ask nobody any more are not renewed. They count until they end.
    pub(crate) fn wake_answers(&self) {
        let settings = self.settings();
        let asks = |name: &str| settings.profiles.get(name).is_some_and(|profile| profile.config.ocsp != crate::config::Ocsp::Off);
        self.ocsp.renewals().forget(|subject| !asks(&subject.profile));
        self.ocsp.responders().retain(|(profile, _), _| asks(profile));
    }

    /// How responders fare.
    pub(crate) fn report_on_responders(&self) -> Vec<SourceReport> {
        let answers = self.ocsp.renewals().count();
        let report = |((profile, url), Responder { attempts, .. }): (&(Arc<str>, Url), &Responder)| {
            let held = answers.iter().filter(|((held_by, responder), _)| held_by == profile && **responder == *url);
            let state = match attempts.consecutive_failures {
                0 if attempts.last.is_none() => SourceState::Waiting,
                0 => SourceState::Good,
                _ => SourceState::Failing,
            };
            SourceReport {
                profile: Arc::clone(profile),
                kind: SourceKind::Responder,
                address: url.to_string(),
                state,
                attempts: attempts.clone(),
                lists: Vec::new(),
                answers: held.map(|(_, count)| count).sum(),
            }
        };
        self.ocsp.responders().iter().map(report).collect()
    }
}

/// Asks again before answers end, for as long as somebody uses them.
pub(crate) async fn renew(shared: Weak<Shared>) {
    loop {
        let busy = {
            let Some(shared) = shared.upgrade() else { return };
            renew_due(&shared).await
        };
        if !busy {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Whether there was something to do.
async fn renew_due(shared: &Arc<Shared>) -> bool {
    let (settings, now) = (shared.settings(), unix_seconds());
    let due = shared.ocsp.renewals().take_due(now, settings.limits.concurrent_fetches.max(1));
    let busy = !due.is_empty();
    let mut asked = JoinSet::new();
    for (certificate, subject, used) in due {
        let used_lately = now.saturating_sub(used) <= KEPT_AFTER_USE;
        let Some(profile) = settings.profiles.get(&subject.profile).cloned() else { continue };
        if !used_lately && !may_be_lifted(shared.status_of(&certificate)) && !shared.changes.is_live(&certificate) {
            continue;
        }
        let (shared, settings) = (Arc::clone(shared), Arc::clone(&settings));
        asked.spawn(async move {
            let Some(issuer) = profile.issuer(&certificate) else { return };
            if shared.query(&profile, &subject.responder, certificate, issuer, false).await.is_err() {
                // The last good answer stays; nobody else is asked about it.
                let failures = subject.failures.saturating_add(1);
                let pause = jittered(backoff(failures), random());
                shared.note_due(&settings, certificate, Subject { failures, ..subject }, pause, Some(used));
            }
        });
    }
    while asked.join_next().await.is_some() {}
    busy
}

/// Whether a certificate is perhaps on hold only. Its device is refused, so nobody asks about it, and only asking finds out when that is over. A
/// responder need not say why (RFC 6960 §4.2.1).
fn may_be_lifted(status: Option<OcspStatus>) -> bool {
    matches!(status, Some(OcspStatus::Revoked { reason: Reason::CertificateHold | Reason::Unspecified, .. }))
}

fn key(profile: &Profile, responder: &Url) -> (Arc<str>, Url) {
    (Arc::clone(&profile.config.name), responder.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_perhaps_on_hold_is_asked_about_for_as_long_as_it_is() {
        let revoked = |reason| Some(OcspStatus::Revoked { since: 0, reason });
        assert!(may_be_lifted(revoked(Reason::CertificateHold)) && may_be_lifted(revoked(Reason::Unspecified)));
        for other in [revoked(Reason::KeyCompromise), Some(OcspStatus::Good), Some(OcspStatus::Unknown), None] {
            assert!(!may_be_lifted(other), "{other:?}");
        }
    }
}
