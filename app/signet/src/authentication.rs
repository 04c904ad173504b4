//! Those who vouch for clients, as the running broker asks them: made from the configuration, asked by the shards, replaced by a reload.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use signet_auth::{Answer, Backend, BackendReport, Chains, HashingPool, Step};
use signet_policy::{Applicant, Chain, Client, Passed, SourceRules};
use signet_server::{Authentication as Asked, Done, Exchange, Verdict};
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
}

struct InForce {
    chains: Chains,
    rules_last: Option<u64>,
}

/// What a configuration makes, not in force yet.
pub(crate) struct Prepared(InForce);

impl Prepared {
    /// Makes everybody whom a configuration names. To be called inside of the runtime.
    ///
    /// # Errors
    /// One of them cannot be made: its name, and why.
    pub(crate) fn of(config: &Authentication) -> Result<Self, String> {
        let tools = Tools { hashing: HashingPool::new(config.hashing_threads.max(1)) };
        let mut chains = Chains::default();
        for authenticator in &config.authenticators {
            let backend = Backend::new(authenticator.backend.clone());
            let made = authenticator.kind.make(backend, &tools);
            let made = made.map_err(|why| format!("[[authenticator]] `{}`: {why}", authenticator.name))?;
            chains.authenticators.insert(Arc::clone(&authenticator.name), made);
        }
        for source in &config.sources {
            let backend = Backend::new(source.backend.clone());
            let made = source.kind.make(backend, &tools).map_err(|why| format!("[[access_source]] `{}`: {why}", source.name))?;
            chains.rule_sources.insert(Arc::clone(&source.name), made);
        }
        let rules_last = config.rules_last.map(|last| u64::try_from(last.as_millis()).unwrap_or(u64::MAX));
        Ok(Self(InForce { chains, rules_last }))
    }
}

impl Vouchers {
    /// Puts what was prepared in force. To be called inside of the runtime.
    pub(crate) fn new(prepared: Prepared) -> Self {
        Self { inner: Arc::new(Inner { chains: ArcSwap::from_pointee(prepared.0), runtime: Handle::current() }) }
    }

    /// Makes everybody whom another configuration names; see [`Prepared::of`]. From any thread.
    ///
    /// # Errors
    /// One of them cannot be made.
    pub(crate) fn prepare(&self, config: &Authentication) -> Result<Prepared, String> {
        let _inside = self.inner.runtime.enter();
        Prepared::of(config)
    }

    /// Puts others in force. Who is being asked about is still asked about by the old ones.
    pub(crate) fn replace(&self, prepared: Prepared) {
        self.inner.chains.store(Arc::new(prepared.0));
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
            let answer = match chain {
                Some(chain) => in_force.chains.begin(chain, applicant).await,
                None => match Passed::without_chain(&applicant, anonymous) {
                    Ok(passed) => Answer::Passed(Box::new(in_force.chains.with_rules(passed, &applicant).await)),
                    Err(denied) => Answer::Refused(Box::new(denied)),
                },
            };
            done(verdict(answer, inner));
        });
    }

    fn has_rule_sources(&self) -> bool {
        !self.inner.chains.load().chains.rule_sources.is_empty()
    }

    fn rules_of(&self, client: Arc<Client>, done: Box<dyn FnOnce(Vec<SourceRules>) + Send>) {
        let in_force = self.inner.chains.load_full();
        self.inner.runtime.spawn(async move { done(in_force.chains.rules_of(&client).await) });
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

fn verdict(answer: Answer, inner: Arc<Inner>) -> Verdict {
    match answer {
        Answer::Passed(passed) => Verdict::Passed(passed),
        Answer::Refused(denied) => Verdict::Refused(denied),
        Answer::Challenge(data, step) => Verdict::Challenge(data, Box::new(Paused { step: *step, inner })),
    }
}
