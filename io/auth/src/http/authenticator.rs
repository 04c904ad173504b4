//! A service that says who may connect.

use std::fmt;
use std::sync::Arc;

use signet_mqtt::Password;
use signet_policy::{Applicant, Grant, Outcome};

use super::answer::{Compatibility, Said, read};
use super::endpoint::{Endpoint, EndpointConfig};
use super::question::{QuestionConfig, QuestionTemplate};
use super::template::{NotAsked, Purpose, Values};
use crate::backend::{Backend, Remembered};
use crate::source::{Authenticator, BoxFuture, Failure};

/// Asks a service about everybody who wants to connect.
pub struct HttpAuthenticator {
    question: QuestionTemplate,
    compatibility: Compatibility,
    endpoint: Endpoint,
    remembered: Remembered<Said>,
}

impl HttpAuthenticator {
    /// Reads the templates and the files of TLS, and connects to nobody yet.
    ///
    /// # Errors
    /// In words: which key cannot be used, and why.
    pub fn new(
        question: &QuestionConfig,
        compatibility: Compatibility,
        endpoint: &EndpointConfig,
        backend: Arc<Backend>,
    ) -> Result<Self, String> {
        let question = QuestionTemplate::parse(question, Purpose::Authenticate)?;
        let endpoint = Endpoint::new(question.server().clone(), endpoint, backend.config())?;
        Ok(Self { question, compatibility, endpoint, remembered: Remembered::new(backend) })
    }

    async fn verdict(&self, applicant: &Applicant) -> Result<Outcome, Failure> {
        let facts = applicant.facts();
        let values = Values { facts: &facts, password: applicant.password.as_ref().map(Password::expose), access: None };
        let (question, key) = match self.question.render(&values) {
            Ok(rendered) => rendered,
            Err(NotAsked::Missing(why)) => return Ok(Outcome::Unknown(why)),
            Err(NotAsked::Unusable(why)) => return Ok(Outcome::Deny(why)),
        };
        let name = &self.remembered.backend().config().name;
        let asking = async { read(&self.endpoint.ask(&question).await?, self.compatibility, name) };
        Ok(match self.remembered.ask(key, asking).await? {
            Said::Ignore => Outcome::Unknown("the service does not know it".to_owned()),
            Said::Deny(why) => Outcome::Deny(why),
            // An answer that is remembered may be over by now.
            Said::Allow(fields) if fields.expires_at.is_some_and(|at| at <= applicant.now) => {
                Outcome::Deny("what the service allows is over: `expire_at` lies in the past".to_owned())
            }
            Said::Allow(fields) => Outcome::Allow(Box::new(Grant {
                superuser: fields.superuser,
                attributes: fields.attributes.clone(),
                expires_at: fields.expires_at,
                // The service was told these names, and said yes to them.
                proven: self.question.names(),
                rules: fields.rules.iter().cloned().collect(),
                ..Grant::default()
            })),
        })
    }
}

impl Authenticator for HttpAuthenticator {
    fn authenticate<'a>(&'a self, applicant: &'a Applicant) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(self.verdict(applicant))
    }

    fn backend(&self) -> Option<&Arc<Backend>> {
        Some(self.remembered.backend())
    }
}

impl fmt::Debug for HttpAuthenticator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HttpAuthenticator").field("question", &self.question).finish_non_exhaustive()
    }
}
