//! Those who vouch for clients, as the running broker asks them: made from the configuration, asked by the shards, replaced by a reload.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use signet_admin::Administration;
use signet_auth::{Answer, Backend, BackendReport, Chains, DynamicSecurity, HashingPool, KeySource, Step, UserStore};
use signet_mqtt::ReasonCode;
use signet_policy::{
    AccessAnswer, AccessQuestion, Applicant, Chain, Client, Credential, DenialReason, Denied, Passed, SourceRules, Verdict,
    explain_assumed, vouched,
};
use signet_server::{Asking, Authentication as Asked, Done, Exchange, Verdict as Decision};
use tokio::runtime::Handle;

use crate::config::{Authentication, Tools};

/// Those who vouch, in force.
#[derive(Clone)]
pub(crate) struct Vouchers {
    inner: Arc<Inner>,
}

struct Inner {
    chains: ArcSwap<InForce>,
    runtime: Handle,
    users: Arc<UserStore>,
    dynamic_security: Option<Arc<DynamicSecurity>>,
}

struct InForce {
    chains: Chains,
    rules_last: Option<u64>,
}

impl InForce {
    async fn begin(&self, chain: Option<Arc<Chain>>, anonymous: bool, applicant: Applicant) -> Answer {
        let Some(chain) = chain else {
            return match Passed::without_chain(&applicant, anonymous) {
                Ok(passed) => Answer::Passed(Box::new(self.chains.with_rules(passed, &applicant).await)),
                Err(denied) => Answer::Refused(Box::new(denied)),
            };
        };
        self.chains.begin(chain, applicant).await
    }
}

/// What a configuration makes, not in force yet.
pub(crate) struct Prepared(InForce);

impl Prepared {
    /// Makes everybody whom a configuration names; `users` are the built-in ones. To be called inside of the runtime.
    ///
    /// # Errors
    /// One of them cannot be made: its name, and why.
    fn of(config: &Authentication, users: &Arc<UserStore>, dynamic_security: Option<&Arc<DynamicSecurity>>) -> Result<Self, String> {
        let hashing = HashingPool::new(config.hashing_threads.max(1));
        let tools = Tools { hashing, users: Arc::clone(users), dynamic_security: dynamic_security.cloned() };
        let mut chains = Chains::default();
        for authenticator in &config.authenticators {
            let backend = Backend::new(authenticator.backend.clone());
            let made = authenticator.kind.make(backend, &tools);
            let made = made.map_err(|why| format!("[[authenticator]] `{}`: {why}", authenticator.name))?;
            chains.authenticators.insert(Arc::clone(&authenticator.name), made);
        }
        for source in &config.sources {
            let named = |why| format!("[[access_source]] `{}`: {why}", source.name);
            let backend = Backend::new(source.backend.clone());
            if source.kind.is_asked_each_time() {
                let made = source.kind.make_asker(backend, &tools).map_err(named)?;
                chains.askers.insert(Arc::clone(&source.name), made);
            } else if source.kind.is_fetched() {
                let made = source.kind.make(backend, &tools).map_err(named)?;
                chains.rule_sources.insert(Arc::clone(&source.name), made);
            }
        }
        for keys in &config.key_sources {
            let made = keys.kind.make(Backend::new(keys.backend.clone()));
            let made = made.map_err(|why| format!("[[psk_lookup]] `{}`: {why}", keys.name))?;
            chains.key_sources.insert(Arc::clone(&keys.name), made);
        }
        let rules_last = config.rules_last.map(|last| u64::try_from(last.as_millis()).unwrap_or(u64::MAX));
        Ok(Self(InForce { chains, rules_last }))
    }
}

impl Vouchers {
    /// Makes everybody whom a configuration names, and puts them in force, with the users of the ledger. To be called inside of the runtime.
    ///
    /// # Errors
    /// One of them cannot be made, or the users cannot be read.
    pub(crate) fn start(
        config: &Authentication,
        administration: &Administration,
        dynamic_security: Option<Arc<DynamicSecurity>>,
    ) -> Result<Self, String> {
        administration.load_users().map_err(|problem| problem.message)?;
        let users = administration.user_store();
        let prepared = Prepared::of(config, &users, dynamic_security.as_ref())?;
        let (chains, runtime) = (ArcSwap::from_pointee(prepared.0), Handle::current());
        Ok(Self { inner: Arc::new(Inner { chains, runtime, users, dynamic_security }) })
    }

    /// Makes everybody whom another configuration names; see [`Prepared::of`]. From any thread.
    ///
    /// # Errors
    /// One of them cannot be made.
    pub(crate) fn prepare(&self, config: &Authentication) -> Result<Prepared, String> {
        let _inside = self.inner.runtime.enter();
        Prepared::of(config, &self.inner.users, self.dynamic_security())
    }

    /// Dynamic security, if it was there when the broker started.
    pub(crate) fn dynamic_security(&self) -> Option<&Arc<DynamicSecurity>> {
        self.inner.dynamic_security.as_ref()
    }

    /// What becomes of somebody who wants to be let in, and what is said about it. To be called outside of the runtime's own threads.
    pub(crate) fn explain(&self, asking: Asking) -> (Vec<Verdict>, Result<Client, Denied>) {
        let Asking { applicant, chain, anonymous } = asking;
        let in_force = self.inner.chains.load_full();
        let answer = self.inner.runtime.block_on(in_force.begin(chain, anonymous, applicant.clone()));
        match answer {
            Answer::Passed(passed) => (passed.verdicts().to_vec(), Ok(vouched(&applicant, &passed))),
            Answer::Refused(denied) => match &denied.reason {
                DenialReason::Authentication { verdicts } => (verdicts.clone(), Err(*denied)),
                _ => (Vec::new(), Err(*denied)),
            },
            Answer::Challenge(_, step) => {
                let why = "it begins an exchange with the client, which is not carried out here".to_owned();
                let mut verdicts = step.verdicts().to_vec();
                verdicts.push(Verdict { member: step.member(), said: "challenge", why });
                let reason = DenialReason::Authentication { verdicts: verdicts.clone() };
                let rule = format!("authenticator `{}`", step.member());
                (verdicts, Err(Denied { rule, reason, reason_code: ReasonCode::NotAuthorized }))
            }
        }
    }

    /// Who somebody would be if it were let in, with the rules that access sources have about it. As [`Self::explain`].
    pub(crate) fn assume(&self, applicant: Applicant) -> Client {
        let in_force = self.inner.chains.load_full();
        let client = explain_assumed(applicant.clone(), Vec::new());
        let rules = self.inner.runtime.block_on(in_force.chains.rules_of(&client));
        explain_assumed(applicant, rules)
    }

    /// Puts others in force. Who is being asked about is still asked about by the old ones.
    pub(crate) fn replace(&self, prepared: Prepared) {
        self.inner.chains.store(Arc::new(prepared.0));
    }

    /// Whether something that a client was let in by still holds.
    pub(crate) fn holds(&self, name: &Arc<str>, version: u64) -> bool {
        self.inner.chains.load().chains.holds(&Credential { name: Arc::clone(name), version })
    }

    /// Who has keys of devices, by its name.
    pub(crate) fn key_source(&self, name: &str) -> Option<Arc<dyn KeySource>> {
        self.inner.chains.load().chains.key_sources.get(name).cloned()
    }

    /// Runs a question to somebody; from any thread.
    pub(crate) fn spawn(&self, question: impl Future<Output = ()> + Send + 'static) {
        self.inner.runtime.spawn(question);
    }

    /// How everybody fares who is asked.
    pub(crate) fn reports(&self) -> Vec<BackendReport> {
        self.inner.chains.load().chains.reports()
    }

    /// Forgets the answers of the one with this name, or of all; says how many that were.
    pub(crate) fn forget(&self, name: Option<&str>) -> usize {
        self.inner.chains.load().chains.forget(name)
    }
}

impl Asked for Vouchers {
    fn begin(&self, chain: Option<Arc<Chain>>, anonymous: bool, applicant: Applicant, done: Done) {
        let in_force = self.inner.chains.load_full();
        let inner = Arc::clone(&self.inner);
        self.inner.runtime.spawn(async move {
            done(verdict(in_force.begin(chain, anonymous, applicant).await, inner));
        });
    }

    fn has_rule_sources(&self) -> bool {
        !self.inner.chains.load().chains.rule_sources.is_empty()
    }

    fn holds(&self, credential: &Credential) -> bool {
        self.inner.chains.load().chains.holds(credential)
    }

    fn rules_of(&self, client: Arc<Client>, done: Box<dyn FnOnce(Vec<SourceRules>) + Send>) {
        let in_force = self.inner.chains.load_full();
        self.inner.runtime.spawn(async move { done(in_force.chains.rules_of(&client).await) });
    }

    fn ask(&self, client: Arc<Client>, question: AccessQuestion, done: Box<dyn FnOnce(AccessAnswer, Duration) + Send>) {
        let in_force = self.inner.chains.load_full();
        self.inner.runtime.spawn(async move {
            let (answer, lasts) = in_force.chains.ask(&client, &question).await;
            done(answer, lasts);
        });
    }

    fn rules_last(&self) -> Option<u64> {
        let in_force = self.inner.chains.load();
        in_force.rules_last.filter(|_| !in_force.chains.rule_sources.is_empty())
    }
}

/// An exchange that waits for its client.
struct Paused {
    step: Step,
    inner: Arc<Inner>,
}

impl Exchange for Paused {
    fn answer(self: Box<Self>, data: Bytes, done: Done) {
        let Self { step, inner } = *self;
        let in_force = inner.chains.load_full();
        let runtime = inner.runtime.clone();
        runtime.spawn(async move { done(verdict(in_force.chains.resume(step, data).await, inner)) });
    }
}

fn verdict(answer: Answer, inner: Arc<Inner>) -> Decision {
    match answer {
        Answer::Passed(passed) => Decision::Passed(passed),
        Answer::Refused(denied) => Decision::Refused(denied),
        Answer::Challenge(data, step) => Decision::Challenge(data, Box::new(Paused { step: *step, inner })),
    }
}
