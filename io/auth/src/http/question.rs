//! The question as the operator wrote it, and as it is asked about one client.

use std::fmt;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use signet_http::{Question, Url};
use signet_policy::ProvenNames;

use super::template::{HttpPlaceholders, HttpTemplate, NotAsked, Purpose, Values, header, percent, text};
use crate::key::QueryKey;

/// How deep a JSON body may be, and of how many values.
const JSON_DEPTH: usize = 16;

/// How to ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HttpMethod {
    /// Values go into the address and the header fields.
    Get,
    /// They may go into the body too.
    #[default]
    Post,
}

/// What is in the body. It may hold secrets.
#[derive(Clone, Default)]
pub enum HttpBody {
    /// Nothing.
    #[default]
    None,
    /// JSON; every text in it is a template, names are not.
    Json(Value),
    /// Names and templates, as a form.
    Form(Vec<(String, String)>),
}

/// A question as it is written. It may hold secrets.
#[derive(Clone, Default)]
pub struct QuestionConfig {
    /// How to ask.
    pub method: HttpMethod,
    /// `http://` or `https://`, a fixed host, and a template of path and query.
    pub url: String,
    /// Names and templates of header fields.
    pub headers: Vec<(String, String)>,
    /// Names and values of more of them, in which nothing is a placeholder.
    pub fixed_headers: Vec<(String, String)>,
    /// The body.
    pub body: HttpBody,
    /// Whose placeholders all of it is written with.
    pub placeholders: HttpPlaceholders,
}

impl QuestionConfig {
    /// Whether it can be asked, without a look at files or at who is asked.
    ///
    /// # Errors
    /// In words, which begin with the key at fault: `url`, `headers.NAME`, `body` or `body.NAME`.
    pub fn check(&self, purpose: Purpose) -> Result<(), String> {
        QuestionTemplate::parse(self, purpose).map(|_| ())
    }
}

/// The same, checked.
pub(super) struct QuestionTemplate {
    server: Url,
    method: Method,
    target: HttpTemplate,
    headers: Vec<(HeaderName, HttpTemplate)>,
    fixed_headers: HeaderMap,
    body: BodyTemplate,
    placeholders: HttpPlaceholders,
}

enum BodyTemplate {
    None,
    Json(JsonTemplate),
    Form(Vec<(String, HttpTemplate)>),
}

enum JsonTemplate {
    Text(HttpTemplate),
    Other(Value),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// Fields that are ours to write, or that would change how the request is read.
const RESERVED: [HeaderName; 9] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
    header::EXPECT,
];

impl QuestionTemplate {
    /// Reads it.
    ///
    /// # Errors
    /// In words, which name the key.
    pub(super) fn parse(config: &QuestionConfig, purpose: Purpose) -> Result<Self, String> {
        let parse =
            |source: &str, key: &str| HttpTemplate::parse(source, config.placeholders, purpose).map_err(|error| format!("{key}: {error}"));
        let (server, target) = split(&config.url)?;
        let target = parse(&target, "url")?;
        let sample = target.sample();
        if sample.contains('#') || is_dotted(&sample) {
            return Err("url: it holds a fragment (`#`) or a segment `.` or `..`, which are not sent".to_owned());
        }
        let whole = format!("{}{sample}", server.as_str());
        let _ = whole.parse::<Url>().map_err(|error| format!("url: {error}"))?;
        let mut headers = Vec::new();
        for (name, source) in &config.headers {
            let (key, known) = header_name(name)?;
            let template = parse(source, &key)?;
            if template.holds_lines() {
                return Err(format!("{key}: a header field has one line; use `${{cert.pem.base64}}` or `${{cert.pem.escaped}}`"));
            }
            headers.push((known, template));
        }
        let fixed_headers = fixed_headers(&config.fixed_headers)?;
        let body = match (&config.body, config.method) {
            (HttpBody::None, _) => BodyTemplate::None,
            (_, HttpMethod::Get) => return Err("body: a GET has none; ask with POST".to_owned()),
            (HttpBody::Json(value), _) => BodyTemplate::Json(json(value, JSON_DEPTH, &|source| parse(source, "body"))?),
            (HttpBody::Form(fields), _) => {
                let field = |(name, source): &(String, String)| Ok((name.clone(), parse(source, &format!("body.{name}"))?));
                BodyTemplate::Form(fields.iter().map(field).collect::<Result<_, String>>()?)
            }
        };
        let method = match config.method {
            HttpMethod::Get => Method::GET,
            HttpMethod::Post => Method::POST,
        };
        Ok(Self { server, method, target, headers, fixed_headers, body, placeholders: config.placeholders })
    }

    /// Whom to ask.
    pub(super) fn server(&self) -> &Url {
        &self.server
    }

    /// The names of a client that are sent, each so that whoever reads them knows where it begins and ends.
    pub(super) fn names(&self) -> ProvenNames {
        let headers = self.headers.iter().map(|(_, template)| template.names_alone()).fold(ProvenNames::default(), ProvenNames::or);
        let body = match &self.body {
            BodyTemplate::None => ProvenNames::default(),
            BodyTemplate::Json(template) => template.names(),
            BodyTemplate::Form(fields) => {
                fields.iter().map(|(_, template)| template.names_alone()).fold(ProvenNames::default(), ProvenNames::or)
            }
        };
        self.target.names_in_address().or(headers).or(body)
    }

    /// The question about one client, and what tells it from all others: everything that is sent.
    pub(super) fn render(&self, values: &Values<'_>) -> Result<(Question, QueryKey), NotAsked> {
        let text_of = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| NotAsked::Unusable("the address is no text".to_owned()));
        let target = text_of(self.target.render(values, self.placeholders, percent)?)?;
        if is_dotted(&target) {
            return Err(NotAsked::Unusable("a value is `.` or `..`, which would lead to another address".to_owned()));
        }
        let mut headers = self.fixed_headers.clone();
        for (name, template) in &self.headers {
            let value = template.render(values, self.placeholders, header)?;
            let unusable = |_| NotAsked::Unusable(format!("what the header field `{name}` would be cannot stand there"));
            let mut value = HeaderValue::from_bytes(&value).map_err(unusable)?;
            value.set_sensitive(true);
            headers.append(name, value);
        }
        headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        let (content_type, body) = match &self.body {
            BodyTemplate::None => (None, Vec::new()),
            BodyTemplate::Json(template) => {
                (Some("application/json"), template.render(values, self.placeholders)?.to_string().into_bytes())
            }
            BodyTemplate::Form(fields) => (Some("application/x-www-form-urlencoded"), form(fields, values, self.placeholders)?),
        };
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        let fields = headers.iter().flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()]);
        let key = QueryKey::of([self.method.as_str().as_bytes(), target.as_bytes(), &body].into_iter().chain(fields));
        Ok((Question { method: self.method.clone(), target, headers, body: Bytes::from(body) }, key))
    }
}

impl fmt::Debug for QuestionTemplate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("QuestionTemplate").field("server", &self.server).field("method", &self.method).finish_non_exhaustive()
    }
}

/// The key of a header field in the configuration, and its name.
fn header_name(name: &str) -> Result<(String, HeaderName), String> {
    let key = format!("headers.{name}");
    let known: HeaderName = name.parse().map_err(|_| format!("{key}: this is no name of a header field"))?;
    if RESERVED.contains(&known) {
        return Err(format!("{key}: this field is not for the operator to set"));
    }
    Ok((key, known))
}

/// Header fields that are the same in every request.
pub(crate) fn fixed_headers(fields: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let (key, known) = header_name(name)?;
        let mut value = HeaderValue::from_str(value).map_err(|_| format!("{key}: its value cannot stand in a header field"))?;
        value.set_sensitive(true);
        headers.append(known, value);
    }
    Ok(headers)
}

/// Scheme and host; and the rest, which begins with `/`.
fn split(url: &str) -> Result<(Url, String), String> {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(host..).and_then(|rest| rest.find(['/', '?', '#'])).map_or(url.len(), |at| host + at);
    let (server, rest) = (url.get(..end).unwrap_or_default(), url.get(end..).unwrap_or_default());
    if server.contains(['$', '%']) {
        return Err("url: the host is fixed, and placeholders stand behind it".to_owned());
    }
    let server = server.parse::<Url>().map_err(|error| format!("url: {error}"))?;
    Ok((server, if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") }))
}

/// Whether a path has a segment that stands for another place (RFC 3986 §3.3).
fn is_dotted(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    path.split('/').any(|segment| matches!(segment, "." | ".."))
}

fn json(value: &Value, depth: usize, parse: &dyn Fn(&str) -> Result<HttpTemplate, String>) -> Result<JsonTemplate, String> {
    let Some(depth) = depth.checked_sub(1) else { return Err(format!("body: it is deeper than {JSON_DEPTH} levels")) };
    Ok(match value {
        Value::String(source) => JsonTemplate::Text(parse(source)?),
        Value::Array(items) => JsonTemplate::List(items.iter().map(|item| json(item, depth, parse)).collect::<Result<_, _>>()?),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| Ok((name.clone(), json(value, depth, parse)?));
            JsonTemplate::Object(fields.iter().map(field).collect::<Result<_, String>>()?)
        }
        other => JsonTemplate::Other(other.clone()),
    })
}

impl JsonTemplate {
    fn names(&self) -> ProvenNames {
        match self {
            Self::Text(template) => template.names_alone(),
            Self::Other(_) => ProvenNames::default(),
            Self::List(items) => items.iter().map(Self::names).fold(ProvenNames::default(), ProvenNames::or),
            Self::Object(fields) => fields.iter().map(|(_, field)| field.names()).fold(ProvenNames::default(), ProvenNames::or),
        }
    }

    fn render(&self, values: &Values<'_>, placeholders: HttpPlaceholders) -> Result<Value, NotAsked> {
        Ok(match self {
            Self::Text(template) => {
                let rendered = template.render(values, placeholders, text)?;
                Value::String(String::from_utf8(rendered).map_err(|_| NotAsked::Unusable("a value is no UTF-8 text".to_owned()))?)
            }
            Self::Other(value) => value.clone(),
            Self::List(items) => Value::Array(items.iter().map(|item| item.render(values, placeholders)).collect::<Result<_, _>>()?),
            Self::Object(fields) => {
                let field = |(name, template): &(String, Self)| Ok((name.clone(), template.render(values, placeholders)?));
                Value::Object(fields.iter().map(field).collect::<Result<_, NotAsked>>()?)
            }
        })
    }
}

fn form(fields: &[(String, HttpTemplate)], values: &Values<'_>, placeholders: HttpPlaceholders) -> Result<Vec<u8>, NotAsked> {
    let mut body = Vec::new();
    for (name, template) in fields {
        if !body.is_empty() {
            body.push(b'&');
        }
        percent(name.as_bytes(), &mut body)?;
        body.push(b'=');
        // What the operator wrote is escaped like the values: it is text, and no part of the form.
        percent(&template.render(values, placeholders, raw)?, &mut body)?;
    }
    Ok(body)
}

fn raw(value: &[u8], out: &mut Vec<u8>) -> Result<(), NotAsked> {
    out.extend_from_slice(value);
    Ok(())
}
