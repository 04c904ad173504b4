//! Goes through the chain of a listener and asks whom it names.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use signet_policy::{
    AccessAnswer, AccessQuestion, Applicant, Chain, Client, Credential, Denied, Next, Outcome, Passed, SourceRules, Verdict, Walk, vouched,
};

use crate::backend::{Backend, BackendReport};
use crate::exchange::{Exchange, Progress};
use crate::source::{AccessAsker, Authenticator, Failure, KeySource, RuleSource};

/// Who can be asked, by name. Built once; a changed configuration makes another one.
#[derive(Debug, Default)]
pub struct Chains {
    /// Those that chains name.
    pub authenticators: BTreeMap<Arc<str>, Arc<dyn Authenticator>>,
    /// Those that have rules about clients. Each is asked about every client that is let in.
    pub rule_sources: BTreeMap<Arc<str>, Arc<dyn RuleSource>>,
    /// Those that are asked each time a client wants to do something.
    pub askers: BTreeMap<Arc<str>, Arc<dyn AccessAsker>>,
    /// Those that have keys of devices, for listeners that name them.
    pub key_sources: BTreeMap<Arc<str>, Arc<dyn KeySource>>,
}

/// What becomes of somebody who wants to be let in.
#[derive(Debug)]
pub enum Answer {
    /// It may.
    Passed(Box<Passed>),
    /// It may not.
    Refused(Box<Denied>),
    /// It has to answer this first.
    Challenge(Bytes, Box<Step>),
}

/// A chain that waits for the client's next Authentication Data.
pub struct Step {
    walk: Walk,
    applicant: Applicant,
    exchange: Box<dyn Exchange>,
    member: Arc<str>,
}

impl Step {
    /// Who wants to be let in.
    #[must_use]
    pub fn applicant(&self) -> &Applicant {
        &self.applicant
    }

    /// What was said before.
    #[must_use]
    pub fn verdicts(&self) -> &[Verdict] {
        self.walk.verdicts()
    }

    /// Gives the exchange what the client has sent. The way goes on, or there is an answer to the client.
    async fn take(mut self, data: Bytes) -> Result<(Walk, Applicant), Answer> {
        let outcome = match self.exchange.step(&self.applicant, data).await {
            Ok(Progress::Challenge(data)) => return Err(Answer::Challenge(data, Box::new(self))),
            Ok(Progress::Over(outcome, last)) => {
                let outcome = in_time(outcome, &self.applicant);
                if matches!(outcome, Outcome::Allow(_)) {
                    self.walk.end_exchange(last);
                }
                outcome
            }
            Err(Failure(why)) => Outcome::Failed(why),
        };
        match self.walk.answer(outcome) {
            Ok(()) => Ok((self.walk, self.applicant)),
            Err(denied) => Err(Answer::Refused(Box::new(denied))),
        }
    }

    /// Who asks the client.
    #[must_use]
    pub fn member(&self) -> Arc<str> {
        Arc::clone(&self.member)
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Step").field("applicant", &self.applicant).finish_non_exhaustive()
    }
}

impl Chains {
    /// Asks whether somebody may connect.
    pub async fn begin(&self, chain: Arc<Chain>, applicant: Applicant) -> Answer {
        self.go_on(Walk::new(chain), applicant).await
    }

    /// Goes on with what the client has answered.
    pub async fn resume(&self, step: Step, data: Bytes) -> Answer {
        match step.take(data).await {
            Ok((walk, applicant)) => self.go_on(walk, applicant).await,
            Err(answer) => answer,
        }
    }

    /// Whether something that a client was let in by still holds. What nobody knows does: its authenticator is not asked any more, and what that means for
    /// clients that are here is not for a credential to say.
    #[must_use]
    pub fn holds(&self, credential: &Credential) -> bool {
        self.authenticators.values().find_map(|authenticator| authenticator.holds(credential)).unwrap_or(true)
    }

    /// The rules that sources have about a client. A source that fails is left out.
    pub async fn rules_of(&self, client: &Client) -> Vec<SourceRules> {
        let mut found = Vec::new();
        for (name, source) in &self.rule_sources {
            match source.rules(client).await {
                Ok(rules) => found.push(SourceRules { source: Arc::clone(name), ..rules }),
                Err(failure) => {
                    tracing::warn!(target: "signet::auth", source = &**name, "denies, because it could not be asked: {failure}");
                }
            }
        }
        found
    }

    /// Asks the source that a question names. With the answer comes how long it counts.
    pub async fn ask(&self, client: &Client, question: &AccessQuestion) -> (AccessAnswer, Duration) {
        let Some(asker) = self.askers.get(&question.source) else {
            return (AccessAnswer::Failed("there is no such source any more".to_owned()), Duration::ZERO);
        };
        let lasts = asker.backend().map_or(Duration::ZERO, |backend| backend.config().cache_ttl);
        let answer = asker.ask(client, question).await.unwrap_or_else(|Failure(why)| AccessAnswer::Failed(why));
        (answer, lasts)
    }

    /// How every backend fares, each once, by name.
    #[must_use]
    pub fn reports(&self) -> Vec<BackendReport> {
        let mut reports: Vec<BackendReport> = self.backends().map(|backend| backend.report()).collect();
        reports.sort_by(|one, other| (&one.name, one.kind).cmp(&(&other.name, other.kind)));
        reports
    }

    /// Forgets what is remembered of the backend with this name, or of all. Returns how many that were.
    pub fn forget(&self, name: Option<&str>) -> usize {
        let meant = self.backends().filter(|backend| name.is_none_or(|name| *backend.config().name == *name));
        meant.map(|backend| backend.forget()).count()
    }

    /// Everybody who is asked.
    fn backends(&self) -> impl Iterator<Item = &Arc<Backend>> {
        let authenticators = self.authenticators.values().filter_map(|authenticator| authenticator.backend());
        let sources = self.rule_sources.values().filter_map(|source| source.backend());
        let askers = self.askers.values().filter_map(|asker| asker.backend());
        let key_sources = self.key_sources.values().filter_map(|source| source.backend());
        authenticators.chain(sources).chain(askers).chain(key_sources)
    }

    async fn go_on(&self, mut walk: Walk, mut applicant: Applicant) -> Answer {
        loop {
            let name = match walk.next(&applicant) {
                Next::Ask(name) => name,
                Next::Done(Ok(passed)) => return Answer::Passed(Box::new(self.with_rules(passed, &applicant).await)),
                Next::Done(Err(denied)) => return Answer::Refused(Box::new(denied)),
            };
            let outcome = match self.authenticators.get(&*name) {
                None => Outcome::Failed("there is no such authenticator any more".to_owned()),
                Some(authenticator) => {
                    if let Some(exchange) = applicant.method.as_deref().and_then(|method| authenticator.exchange(method)) {
                        let data = applicant.method_data.clone().unwrap_or_default();
                        match (Step { walk, applicant, exchange, member: name }).take(data).await {
                            Ok(on) => (walk, applicant) = on,
                            Err(answer) => return answer,
                        }
                        continue;
                    }
                    authenticator.authenticate(&applicant).await.unwrap_or_else(|Failure(why)| Outcome::Failed(why))
                }
            };
            if let Err(denied) = walk.answer(in_time(outcome, &applicant)) {
                return Answer::Refused(Box::new(denied));
            }
        }
    }

    /// Adds the rules that sources have about who has passed.
    pub async fn with_rules(&self, passed: Passed, applicant: &Applicant) -> Passed {
        if self.rule_sources.is_empty() {
            return passed;
        }
        let client = vouched(applicant, &passed);
        let rules = self.rules_of(&client).await;
        passed.with_fetched(rules)
    }
}

/// What ends before it begins lets nobody in, not even for the moment that it takes to resume a session and to send what waits there.
fn in_time(outcome: Outcome, applicant: &Applicant) -> Outcome {
    match outcome {
        Outcome::Allow(grant) if grant.expires_at.is_some_and(|end| end <= applicant.now) => {
            Outcome::Deny("what it is given is over: its end lies in the past".to_owned())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use signet_mqtt::ClientIdentifier;
    use signet_policy::{Grant, Member, Otherwise, Principal, Proof};

    use super::*;
    use crate::source::BoxFuture;

    /// Lets everybody in until then.
    #[derive(Debug)]
    struct Until(i64);

    impl Authenticator for Until {
        fn authenticate<'a>(&'a self, _applicant: &'a Applicant) -> BoxFuture<'a, Result<Outcome, Failure>> {
            let grant = Grant { expires_at: Some(self.0), ..Grant::default() };
            Box::pin(async move { Ok(Outcome::Allow(Box::new(grant))) })
        }
    }

    async fn ask(end: i64) -> Answer {
        let name: Arc<str> = "users".into();
        let member = Member {
            name: Arc::clone(&name),
            proof: Proof::Authenticator,
            when: None,
            on_deny: Otherwise::Deny,
            on_unknown: Otherwise::Continue,
            on_failure: Otherwise::Deny,
        };
        let applicant = Applicant {
            client: Client::restored(Principal::Anonymous, None, ClientIdentifier::new("c"), None),
            is_assigned: false,
            names: signet_policy::NameOrigins::default(),
            claimed_username: None,
            password: None,
            method: None,
            method_data: None,
            without_identity: None,
            now: 1000,
        };
        let authenticator: Arc<dyn Authenticator> = Arc::new(Until(end));
        let chains = Chains { authenticators: [(name, authenticator)].into(), ..Chains::default() };
        chains.begin(Arc::new(Chain { alternatives: vec![vec![member]] }), applicant).await
    }

    #[tokio::test]
    async fn what_is_over_lets_nobody_in() {
        assert!(matches!(ask(1001).await, Answer::Passed(_)));
        for end in [1000, 999, 0, -1, i64::MIN] {
            let Answer::Refused(denied) = ask(end).await else { panic!("{end}") };
            assert!(denied.to_string().contains("in the past"), "{denied}");
        }
    }
}
