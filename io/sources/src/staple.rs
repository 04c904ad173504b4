//! A current OCSP response about our own certificate, to be stapled to handshakes (RFC 6066 §8).

use std::sync::{Arc, Weak};
use std::time::Duration;

use signet_identity::Leaf;
use signet_revocation::{IssuerCertificate, OcspStatus};
use tokio::task::AbortHandle;

use crate::clock::{random, unix_seconds};
use crate::config::{Ocsp, ProfileSources};
use crate::error::SourceError;
use crate::ocsp::ask;
use crate::profile::Profile;
use crate::report::{Attempts, SourceKind, SourceReport, SourceState};
use crate::schedule::{after_answer, backoff, jittered};
use crate::shared::Shared;
use crate::sources::Sources;
use signet_http::Url;

/// About which certificate, and who is asked.
#[derive(Debug, Clone)]
pub struct StapleConfig {
    /// For reports and log lines, such as the listener's name.
    pub name: Arc<str>,
    /// DER of our certificate.
    pub certificate: Vec<u8>,
    /// DER of its issuer's certificate.
    pub issuer: Vec<u8>,
    /// Who is asked; `None`: the first responder that the certificate names with an http or https address.
    pub responder: Option<Url>,
    /// As [`ProfileSources::timeout`].
    pub timeout: Duration,
}

/// Given the response to staple from now on; `None`: the one before has ended and there is no newer one.
pub type Stapled = Arc<dyn Fn(Option<Arc<[u8]>>) + Send + Sync>;

/// Keeps a response current for as long as it exists.
#[derive(Debug)]
pub struct Staple {
    task: AbortHandle,
    shared: Weak<Shared>,
    name: Arc<str>,
}

impl Drop for Staple {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(shared) = self.shared.upgrade() {
            shared.staples().remove(&self.name);
        }
    }
}

/// What a report says about a staple.
#[derive(Debug)]
pub(crate) struct StapleState {
    responder: Url,
    attempts: Attempts,
    held: bool,
}

impl Sources {
    /// Asks about our own certificate in the background, and hands over each verified response that says "good": the first as soon as it comes,
    /// the next at half of its life. A failure changes nothing until the response has ended. Errors are logged, and in [`Self::report`]
    /// under the kind [`SourceKind::Staple`]. `stapled` is called from a task and must not wait.
    ///
    /// # Errors
    /// [`SourceError::Staple`]: a certificate cannot be read, or names no responder.
    pub fn staple(&self, config: &StapleConfig, stapled: Stapled) -> Result<Staple, SourceError> {
        let bad = |found: String| SourceError::Staple { name: config.name.to_string(), found };
        let leaf = Leaf::parse(&config.certificate).map_err(|error| bad(error.to_string()))?;
        let named = || leaf.ocsp_responders().unwrap_or_default().iter().find_map(|text| text.parse::<Url>().ok());
        let responder = config.responder.clone().or_else(named);
        let responder = responder.ok_or_else(|| bad("the certificate names no OCSP responder; name one".to_owned()))?;
        let sources = ProfileSources {
            ocsp: Ocsp::Responder(responder.clone()),
            timeout: config.timeout,
            ..ProfileSources::new(Arc::clone(&config.name), vec![config.issuer.clone()])
        };
        let profile = Profile::read(&sources)?;
        let issuer = profile.issuers.first().cloned().ok_or_else(|| bad("the issuer is missing".to_owned()))?;
        if leaf.issuer_name_digest() != issuer.name() {
            return Err(bad(format!("`{}` is not its issuer", issuer.leaf().subject().rfc4514())));
        }
        let state = StapleState { responder: responder.clone(), attempts: Attempts::default(), held: false };
        self.shared.staples().insert(Arc::clone(&config.name), state);
        let shared = Arc::downgrade(&self.shared);
        let keeper = Keeper { shared: shared.clone(), profile, issuer, leaf, responder, stapled };
        let task = self.shared.runtime.spawn(keeper.run()).abort_handle();
        Ok(Staple { task, shared, name: Arc::clone(&config.name) })
    }
}

struct Keeper {
    shared: Weak<Shared>,
    profile: Profile,
    issuer: IssuerCertificate,
    leaf: Leaf,
    responder: Url,
    stapled: Stapled,
}

impl Keeper {
    async fn run(self) {
        let (mut failures, mut until) = (0_u32, None);
        loop {
            let started = std::time::Instant::now();
            let outcome = self.fetch().await;
            let now = unix_seconds();
            let pause = match &outcome {
                Ok(response) => {
                    let answer = response.answer();
                    (failures, until) = (0, Some(answer.fresh_until()));
                    (self.stapled)(Some(Arc::clone(response.der())));
                    after_answer(now, answer.this_update(), Some(answer.fresh_until()), self.profile.config.refresh)
                }
                Err(_) => {
                    failures = failures.saturating_add(1);
                    backoff(failures)
                }
            };
            if until.is_some_and(|until| until < now) {
                until = None;
                (self.stapled)(None);
            }
            let Some(shared) = self.shared.upgrade() else { return };
            shared.note_staple(&self.profile.config.name, outcome.map(|_| started.elapsed()), until.is_some(), now);
            drop(shared);
            tokio::time::sleep(self.within(jittered(pause, random()), until, now)).await;
        }
    }

    /// The pause, ended early where the response ends: it must not be stapled a second longer.
    fn within(&self, pause: Duration, until: Option<i64>, now: i64) -> Duration {
        let left = until.map(|until| Duration::from_secs(u64::try_from(until.saturating_sub(now).saturating_add(1)).unwrap_or(0)));
        left.map_or(pause, |left| pause.min(left))
    }

    async fn fetch(&self) -> Result<signet_revocation::OcspResponse, String> {
        let serial = self.leaf.id().serial();
        let response = ask(&self.responder, &self.profile, &self.issuer, serial).await.map_err(|failure| failure.text)?;
        match response.answer().status() {
            OcspStatus::Good => Ok(response),
            status => Err(format!("the responder says that our own certificate is {status}")),
        }
    }
}

impl Shared {
    fn note_staple(&self, name: &str, outcome: Result<Duration, String>, held: bool, now: i64) {
        let mut staples = self.staples();
        let Some(state) = staples.get_mut(name) else { return };
        state.held = held;
        match outcome {
            Ok(latency) => {
                if state.attempts.last_success.is_none() || state.attempts.consecutive_failures > 0 {
                    tracing::info!(name, responder = %state.responder, "an OCSP response is stapled to our certificate");
                }
                state.attempts.succeeded(now, latency);
            }
            Err(error) => {
                if state.attempts.failed(now, &error) {
                    tracing::error!(name, responder = %state.responder, held, "no OCSP response to staple to our certificate: {error}");
                }
            }
        }
    }

    /// How staples fare.
    pub(crate) fn report_on_staples(&self) -> Vec<SourceReport> {
        let report = |(name, state): (&Arc<str>, &StapleState)| SourceReport {
            profile: Arc::clone(name),
            kind: SourceKind::Staple,
            address: state.responder.to_string(),
            state: match (state.attempts.last, state.attempts.consecutive_failures) {
                (None, _) => SourceState::Waiting,
                (_, 0) => SourceState::Good,
                _ => SourceState::Failing,
            },
            attempts: state.attempts.clone(),
            lists: Vec::new(),
            answers: usize::from(state.held),
        };
        self.staples().iter().map(report).collect()
    }
}
