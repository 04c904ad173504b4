//! `type = "http"`, for authenticators and for access sources.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use signet_auth::{
    AccessAsker, Authenticator, Backend, BackendConfig, Compatibility, EndpointConfig, HttpAsker, HttpAuthenticator, HttpBody, HttpMethod,
    HttpPlaceholders, HttpRules, Purpose, QuestionConfig, RuleSource,
};

use super::super::problem::Problems;
use super::super::section::Section;
use super::endpoint::{self, SecretHeaders};
use super::{AuthenticatorKind, SourceKind, Tools};

/// Its name.
pub(super) const NAME: &str = "http";

/// A question, and whom to ask; files are read when it is made.
struct Asked {
    question: QuestionConfig,
    secret_headers: SecretHeaders,
    compatibility: Compatibility,
    endpoint: EndpointConfig,
}

/// An authenticator.
#[derive(Debug)]
struct Service(Asked);

/// An access source.
#[derive(Debug)]
struct Access {
    asked: Asked,
    is_asked_each_time: bool,
}

/// Reads the keys of an authenticator.
pub(super) fn read(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Arc<dyn AuthenticatorKind>> {
    let asked = Asked::read(section, Some(Purpose::Authenticate), base, problems);
    Some(Arc::new(Service(asked?)))
}

/// Reads the keys of an access source.
pub(super) fn read_source(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Arc<dyn SourceKind>> {
    let purpose = section.choice("mode", &[("ask", Purpose::Ask), ("rules", Purpose::Rules)]).map(|at| at.value);
    if purpose.is_none() && !section.keys().iter().any(|key| key == "mode") {
        let hint = "add mode = \"ask\" (each time a client wants to do something) or \"rules\" (all at once, when it connects)";
        problems.at(&section.span, "an access source of type \"http\" has no `mode`", Some(hint.to_owned()));
    }
    let asked = Asked::read(section, purpose, base, problems);
    Some(Arc::new(Access { asked: asked?, is_asked_each_time: purpose? == Purpose::Ask }))
}

impl Asked {
    /// Without a purpose, which is reported already, the question cannot be checked.
    fn read(section: &Section<'_>, purpose: Option<Purpose>, base: &Path, problems: &Problems) -> Option<Self> {
        let url = section.string("url");
        if url.is_none() && !section.keys().iter().any(|key| key == "url") {
            let hint = "add url = \"https://auth.example.com/mqtt\"";
            problems.at(&section.span, "a table of type \"http\" has no `url`", Some(hint.to_owned()));
        }
        let method = section.choice("method", &[("post", HttpMethod::Post), ("get", HttpMethod::Get)]);
        let headers = section.entries("headers").unwrap_or_default();
        let secret_headers = SecretHeaders::read(section, base);
        let is_form = section.choice("body_format", &[("json", false), ("form", true)]).is_some_and(|at| at.value);
        let body = body(section, is_form, problems);
        let styles = [("signet", HttpPlaceholders::Signet), ("emqx5", HttpPlaceholders::Emqx5), ("emqx4", HttpPlaceholders::Emqx4)];
        let placeholders = section.choice("placeholders", &styles).map(|at| at.value);
        let known = [("emqx5", Compatibility::Emqx5), ("emqx4", Compatibility::Emqx4)];
        let compatibility = section.choice("compatibility", &known).map_or(Compatibility::Emqx5, |at| at.value);
        let endpoint = endpoint::read(section, base, problems);
        let (url, purpose) = (url?, purpose?);
        let question = QuestionConfig {
            method: method.map_or(HttpMethod::Post, |at| at.value),
            url: url.value,
            headers: headers.into_iter().map(|(name, value)| (name.value, value.value)).collect(),
            fixed_headers: Vec::new(),
            body: body?,
            placeholders: placeholders.unwrap_or_default(),
        };
        let question = checked(question, placeholders.is_none(), purpose);
        let question = question.map_err(|why| problems.at(&url.span, format!("the question cannot be asked: {why}"), None)).ok()?;
        Some(Self { question, secret_headers, compatibility, endpoint: endpoint? })
    }

    /// The question with the header fields whose values are in files.
    fn question(&self) -> Result<QuestionConfig, String> {
        Ok(QuestionConfig { fixed_headers: self.secret_headers.load()?, ..self.question.clone() })
    }

    /// Whoever it is made for: a backend that nobody asks.
    fn unused() -> Arc<Backend> {
        Backend::new(BackendConfig::new(NAME, NAME))
    }

    fn files(&self) -> Vec<PathBuf> {
        endpoint::files(&self.endpoint).into_iter().chain(self.secret_headers.files()).collect()
    }
}

/// Nobody has to say that placeholders are those of EMQX 5: where ours alone do not do, those do.
fn checked(question: QuestionConfig, may_guess: bool, purpose: Purpose) -> Result<QuestionConfig, String> {
    let Err(why) = question.check(purpose) else { return Ok(question) };
    let other = QuestionConfig { placeholders: HttpPlaceholders::Emqx5, ..question };
    if may_guess && other.check(purpose).is_ok() { Ok(other) } else { Err(why) }
}

fn body(section: &Section<'_>, is_form: bool, problems: &Problems) -> Option<HttpBody> {
    let Some(written) = section.object("body") else {
        return (!section.keys().iter().any(|key| key == "body")).then_some(HttpBody::None);
    };
    if !is_form {
        return Some(HttpBody::Json(written.value));
    }
    let fields = written.value.as_object().into_iter().flatten();
    let text = |(name, value): (&String, &serde_json::Value)| Some((name.clone(), value.as_str()?.to_owned()));
    let fields: Option<Vec<_>> = fields.map(text).collect();
    if fields.is_none() {
        problems.at(&written.span, "a form holds texts alone", Some("write { name = \"text\" }, or body_format = \"json\"".to_owned()));
    }
    fields.map(HttpBody::Form)
}

impl Service {
    fn make(&self, backend: Arc<Backend>) -> Result<HttpAuthenticator, String> {
        let Self(asked) = self;
        HttpAuthenticator::new(&asked.question()?, asked.compatibility, &asked.endpoint, backend)
    }
}

impl AuthenticatorKind for Service {
    fn make(&self, backend: Arc<Backend>, _tools: &Tools) -> Result<Arc<dyn Authenticator>, String> {
        Ok(Arc::new(self.make(backend)?))
    }

    fn check(&self) -> Result<(), String> {
        self.make(Asked::unused()).map(|_| ())
    }

    fn files(&self) -> Vec<PathBuf> {
        self.0.files()
    }
}

impl SourceKind for Access {
    fn make(&self, backend: Arc<Backend>, _tools: &Tools) -> Result<Arc<dyn RuleSource>, String> {
        Ok(Arc::new(HttpRules::new(&self.asked.question()?, &self.asked.endpoint, backend)?))
    }

    fn check(&self) -> Result<(), String> {
        let asked = &self.asked;
        match self.is_asked_each_time {
            true => HttpAsker::new(&asked.question()?, asked.compatibility, &asked.endpoint, Asked::unused()).map(|_| ()),
            false => HttpRules::new(&asked.question()?, &asked.endpoint, Asked::unused()).map(|_| ()),
        }
    }

    fn is_asked_each_time(&self) -> bool {
        self.is_asked_each_time
    }

    fn make_asker(&self, backend: Arc<Backend>, _tools: &Tools) -> Result<Arc<dyn AccessAsker>, String> {
        let asked = &self.asked;
        Ok(Arc::new(HttpAsker::new(&asked.question()?, asked.compatibility, &asked.endpoint, backend)?))
    }

    fn files(&self) -> Vec<PathBuf> {
        self.asked.files()
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Header fields and body may hold secrets of the operator.
        formatter.debug_struct("Asked").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
