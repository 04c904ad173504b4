//! A service that says what a client may do: all at once when it connects ([`HttpRules`]), or each time ([`HttpAsker`]).

use std::fmt;
use std::sync::Arc;

use signet_mqtt::QoS;
use signet_policy::{AccessAnswer, AccessQuestion, Action, Client, SourceRules};

use super::answer::{Compatibility, Said, object, read, refused};
use super::endpoint::{Endpoint, EndpointConfig};
use super::question::{QuestionConfig, QuestionTemplate};
use super::template::{NotAsked, Purpose, Values};
use crate::backend::{Backend, Remembered};
use crate::claims;
use crate::source::{AccessAsker, BoxFuture, Failure, RuleSource};

/// Asks a service for the rules of a client, once when it connects.
///
/// 200 with an object of JSON whose `acl` holds rules; 204, or no `acl`: it has none about the client; 4xx: the client may do nothing.
pub struct HttpRules {
    question: QuestionTemplate,
    endpoint: Endpoint,
    remembered: Remembered<Arc<SourceRules>>,
}

/// Asks a service before each publish and each subscription that nobody has decided on yet.
///
/// What its answers mean is the same as for who may connect: 204 allows, 200 says `allow`, `deny` or `ignore`, 4xx denies.
pub struct HttpAsker {
    question: QuestionTemplate,
    compatibility: Compatibility,
    endpoint: Endpoint,
    remembered: Remembered<AccessAnswer>,
}

/// What cannot be asked about a client is no answer, and no answer denies: a rule against it may stand there.
fn not_asked(why: NotAsked) -> Failure {
    match why {
        NotAsked::Missing(why) | NotAsked::Unusable(why) => Failure(why),
    }
}

/// Action, topic, QoS and RETAIN in the words of EMQX. A subscription has no RETAIN flag.
fn words(question: &AccessQuestion) -> (&'static str, &str, &'static str, &'static str) {
    let (action, qos, retain) = match question.action {
        Action::Publish { qos, retain, .. } => ("publish", qos, retain),
        // Whoever may not subscribe any more gets nothing either.
        Action::Subscribe { qos } | Action::Receive { qos } => ("subscribe", qos, false),
    };
    let qos = match qos {
        QoS::AtMostOnce => "0",
        QoS::AtLeastOnce => "1",
        QoS::ExactlyOnce => "2",
    };
    (action, &question.topic, qos, if retain { "true" } else { "false" })
}

impl HttpRules {
    /// Reads the templates and the files of TLS, and connects to nobody yet.
    ///
    /// # Errors
    /// In words: which key cannot be used, and why.
    pub fn new(question: &QuestionConfig, endpoint: &EndpointConfig, backend: Arc<Backend>) -> Result<Self, String> {
        let question = QuestionTemplate::parse(question, Purpose::Rules)?;
        let endpoint = Endpoint::new(question.server().clone(), endpoint, backend.config())?;
        Ok(Self { question, endpoint, remembered: Remembered::new(backend) })
    }

    async fn fetch(&self, client: &Client) -> Result<SourceRules, Failure> {
        let facts = client.facts();
        let (question, key) = self.question.render(&Values { facts: &facts, password: None, access: None }).map_err(not_asked)?;
        let source = Arc::clone(&self.remembered.backend().config().name);
        let asking = async {
            let answer = self.endpoint.ask(&question).await?;
            let nothing = |is_complete| SourceRules { source: Arc::clone(&source), rules: Vec::new(), is_complete };
            let rules = match answer.status {
                204 => nothing(false),
                200 => {
                    let found = claims::rules(object(&answer)?.get("acl"), &source);
                    found.map_err(|why| Failure(format!("the service's `acl`: {why}")))?.unwrap_or_else(|| nothing(false))
                }
                status @ (408 | 429) => return Err(refused(status)),
                400..500 => nothing(true),
                status => return Err(refused(status)),
            };
            Ok(Arc::new(rules))
        };
        self.remembered.ask(key, asking).await.map(|rules| (*rules).clone())
    }
}

impl HttpAsker {
    /// As [`HttpRules::new`].
    ///
    /// # Errors
    /// In words: which key cannot be used, and why.
    pub fn new(
        question: &QuestionConfig,
        compatibility: Compatibility,
        endpoint: &EndpointConfig,
        backend: Arc<Backend>,
    ) -> Result<Self, String> {
        let question = QuestionTemplate::parse(question, Purpose::Ask)?;
        let endpoint = Endpoint::new(question.server().clone(), endpoint, backend.config())?;
        Ok(Self { question, compatibility, endpoint, remembered: Remembered::new(backend) })
    }

    async fn answer(&self, client: &Client, wanted: &AccessQuestion) -> Result<AccessAnswer, Failure> {
        let facts = client.facts();
        let values = Values { facts: &facts, password: None, access: Some(words(wanted)) };
        let (question, key) = self.question.render(&values).map_err(not_asked)?;
        let source = &self.remembered.backend().config().name;
        let asking = async {
            Ok(match read(&self.endpoint.ask(&question).await?, self.compatibility, source)? {
                Said::Allow(_) => AccessAnswer::Allow,
                Said::Deny(_) => AccessAnswer::Deny,
                Said::Ignore => AccessAnswer::Continue,
            })
        };
        self.remembered.ask(key, asking).await
    }
}

impl RuleSource for HttpRules {
    fn rules<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<SourceRules, Failure>> {
        Box::pin(self.fetch(client))
    }

    fn backend(&self) -> Option<&Arc<Backend>> {
        Some(self.remembered.backend())
    }
}

impl AccessAsker for HttpAsker {
    fn ask<'a>(&'a self, client: &'a Client, question: &'a AccessQuestion) -> BoxFuture<'a, Result<AccessAnswer, Failure>> {
        Box::pin(self.answer(client, question))
    }

    fn backend(&self) -> Option<&Arc<Backend>> {
        Some(self.remembered.backend())
    }
}

impl fmt::Debug for HttpRules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HttpRules").field("question", &self.question).finish_non_exhaustive()
    }
}

impl fmt::Debug for HttpAsker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HttpAsker").field("question", &self.question).finish_non_exhaustive()
    }
}
