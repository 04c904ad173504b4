//! What can be wrong with a template, with its place and what was probably meant.

use std::fmt;
use std::ops::Range;

use super::field::EXAMPLES;
use super::{Expression, Template};
use crate::text::shown;

/// What is wrong with a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateErrorKind {
    /// Nothing between the quotes.
    Empty,
    /// Longer than [`Template::MAXIMUM_BYTES`].
    TooLong,
    /// `${` without `}`.
    Unclosed,
    /// A `$` that starts neither `${` nor `$$`.
    LoneDollar,
    /// A name between braces that is no field.
    UnknownField,
    /// A control or invisible character.
    HiddenCharacter,
    /// A device's name must come from the certificate alone.
    NotFromCertificate,
    /// A field of several lines cannot be a name.
    Lines,
    /// Something after a field that is neither `:`, `|` nor `}`.
    Syntax,
    /// More than [`Expression::MAXIMUM_FIELDS`].
    TooManyFields,
    /// A name after `:` that is no transform.
    UnknownTransform,
    /// A transform with a text that it does not take, or without one that it needs.
    Argument,
    /// The text of `:regex` is no regular expression.
    Regex,
    /// A placeholder of another broker that has no meaning here.
    UnknownPlaceholder,
}

/// A mistake in a template and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// What is wrong.
    pub kind: TemplateErrorKind,
    /// Where, in bytes from the start of the template.
    pub span: Range<usize>,
    /// The text at that place, escaped and cut.
    pub found: String,
    /// The placeholder that was probably meant.
    pub nearest: Option<&'static str>,
    /// What more there is to say; empty for most.
    pub detail: String,
}

impl TemplateError {
    pub(super) fn new(kind: TemplateErrorKind, source: &str, span: Range<usize>) -> Self {
        let found = source.get(span.clone()).unwrap_or_default();
        let nearest = if kind == TemplateErrorKind::UnknownField { nearest_placeholder(found) } else { None };
        Self { kind, found: shown(found), span, nearest, detail: String::new() }
    }

    pub(super) fn because(mut self, detail: String) -> Self {
        self.detail = detail;
        self
    }

    /// The same mistake in a text that starts later and has `length` bytes.
    pub(super) fn moved_left(mut self, count: usize, length: usize) -> Self {
        let moved = |at: usize| at.saturating_sub(count).min(length);
        self.span = moved(self.span.start)..moved(self.span.end);
        self
    }

    /// Where the mistake begins, in bytes from the start of the template.
    #[must_use]
    pub fn position(&self) -> usize {
        self.span.start
    }
}

impl std::error::Error for TemplateError {}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = &self.found;
        match self.kind {
            TemplateErrorKind::Empty => f.write_str("the template is empty; expected a field such as `${cert.cn}`, text, or both"),
            TemplateErrorKind::TooLong => {
                write!(f, "the template has {} bytes, more than the limit of {}", self.span.end, Template::MAXIMUM_BYTES)
            }
            TemplateErrorKind::Unclosed => write!(f, "`{found}` has no closing `}}`, or a `(` without `)`"),
            TemplateErrorKind::LoneDollar => f.write_str("`$` alone; write `$$` for a dollar sign, `${…}` for a field"),
            TemplateErrorKind::HiddenCharacter => write!(f, "`{found}` is a control or invisible character; remove it"),
            TemplateErrorKind::NotFromCertificate => {
                write!(
                    f,
                    "`{found}` does not come from the certificate; a device's name is made of certificate fields, such as `${{cert.cn}}`"
                )
            }
            TemplateErrorKind::Lines => write!(f, "`{found}` has several lines and cannot be part of a name; write `${{cert.pem.base64}}`"),
            TemplateErrorKind::Syntax => write!(f, "`{found}` after a field; expected `:` and a transform, `|` and another field, or `}}`"),
            TemplateErrorKind::TooManyFields => {
                write!(f, "`{found}` names more than {} fields", Expression::MAXIMUM_FIELDS)
            }
            TemplateErrorKind::UnknownTransform => write!(
                f,
                "unknown transform `{found}`; expected `:lower`, `:upper`, `:name`, `:prefix(…)`, `:strip(…)`, `:regex(…)` or `:hash(sha256)`"
            ),
            TemplateErrorKind::Argument => f.write_str(&self.detail),
            TemplateErrorKind::Regex => write!(f, "`{found}` holds no regular expression: {}", self.detail),
            TemplateErrorKind::UnknownPlaceholder => write!(f, "unknown placeholder `{found}`; expected {}", self.detail),
            TemplateErrorKind::UnknownField => match self.nearest {
                Some(nearest) => write!(f, "unknown field `{found}`; did you mean `{nearest}`?"),
                None => {
                    write!(f, "unknown field `{found}`; expected one such as")?;
                    let mut separator = " ";
                    for example in EXAMPLES {
                        write!(f, "{separator}`{example}`")?;
                        separator = ", ";
                    }
                    Ok(())
                }
            },
        }
    }
}

/// The placeholder a misspelt one probably means: a known alias of other brokers, or the nearest name if it is near enough.
fn nearest_placeholder(found: &str) -> Option<&'static str> {
    let bare = found.strip_prefix("${").and_then(|name| name.strip_suffix('}')).unwrap_or(found);
    let name = bare.to_ascii_lowercase().replace(['-', ' '], "_");
    let alias = match name.as_str() {
        "cn" | "common_name" | "commonname" | "cert_common_name" | "subject.cn" => Some("${cert.cn}"),
        "dn" | "subject" | "cert_subject" | "cert.subject" => Some("${cert.dn}"),
        "clientid" | "client_id" | "client" | "identifier" => Some("${client_identifier}"),
        "user" | "user_name" => Some("${username}"),
        "device_name" | "name" => Some("${device}"),
        "san" | "cert.san" | "cert.subject_alt_name" => Some("${cert.san.uri}"),
        _ => None,
    };
    if alias.is_some() {
        return alias;
    }
    let of = |placeholder: &'static str| (strsim::damerau_levenshtein(&name, &inner(placeholder).to_ascii_lowercase()), placeholder);
    EXAMPLES
        .into_iter()
        .map(of)
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, placeholder)| *distance <= 1 + placeholder.len() / 5)
        .map(|(_, placeholder)| placeholder)
}

fn inner(placeholder: &'static str) -> &'static str {
    placeholder.trim_start_matches("${").trim_end_matches('}')
}
