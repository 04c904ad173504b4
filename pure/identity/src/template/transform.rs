//! What may be done with a value before it is used: `${cert.cn:strip(urn:dev:):lower}`.

use std::borrow::Cow;

use regex_lite::{Regex, RegexBuilder};
use sha2::{Digest as _, Sha256};

use super::error::TemplateErrorKind;
use super::value::Missing;
use crate::device::DeviceName;

/// The longest value that a regular expression looks at, in bytes: with the size of the expression it bounds the time that a stranger's
/// certificate can cost.
const REGEX_VALUE_MAXIMUM: usize = 4096;
/// The largest compiled expression, in bytes.
const REGEX_SIZE_MAXIMUM: usize = 64 * 1024;

/// One step.
#[derive(Debug, Clone)]
pub(super) enum Transform {
    /// Letters of ASCII alone: two different names outside of it must not become one.
    Lower,
    Upper,
    Prefix(String),
    Strip(String),
    Regex(Regex),
    Sha256,
    /// Nothing is changed; what cannot be a device's name counts as missing.
    Name,
}

/// Equal as written.
impl PartialEq for Transform {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Lower, Self::Lower) | (Self::Upper, Self::Upper) | (Self::Sha256, Self::Sha256) | (Self::Name, Self::Name) => true,
            (Self::Prefix(one), Self::Prefix(other)) | (Self::Strip(one), Self::Strip(other)) => one == other,
            (Self::Regex(one), Self::Regex(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }
}

impl Eq for Transform {}

impl Transform {
    /// From its name and the text between its parentheses, if it has any.
    pub(super) fn new(name: &str, argument: Option<&str>) -> Result<Self, (TemplateErrorKind, String)> {
        let text = || {
            let argument = argument.filter(|argument| !argument.is_empty());
            argument.map(unescaped).ok_or_else(|| (TemplateErrorKind::Argument, format!("`:{name}` needs a text, `:{name}(…)`")))
        };
        match (name, argument) {
            ("name", None) => Ok(Self::Name),
            ("lower", None) => Ok(Self::Lower),
            ("upper", None) => Ok(Self::Upper),
            ("lower" | "upper" | "name", Some(_)) => Err((TemplateErrorKind::Argument, format!("`:{name}` takes nothing in parentheses"))),
            ("prefix", _) => text().map(Self::Prefix),
            ("strip", _) => text().map(Self::Strip),
            ("regex", _) => {
                text()?;
                regex(argument.unwrap_or_default()).map(Self::Regex).map_err(|reason| (TemplateErrorKind::Regex, reason))
            }
            ("hash", Some("sha256")) => Ok(Self::Sha256),
            ("hash", _) => Err((TemplateErrorKind::Argument, "`:hash` is written `:hash(sha256)`".to_owned())),
            _ => Err((TemplateErrorKind::UnknownTransform, String::new())),
        }
    }

    /// The value after the step; never empty.
    pub(super) fn apply<'a>(&self, value: Cow<'a, str>) -> Result<Cow<'a, str>, Missing> {
        let value = match self {
            Self::Lower if value.bytes().any(|octet| octet.is_ascii_uppercase()) => Cow::Owned(value.to_ascii_lowercase()),
            Self::Upper if value.bytes().any(|octet| octet.is_ascii_lowercase()) => Cow::Owned(value.to_ascii_uppercase()),
            Self::Lower | Self::Upper => value,
            Self::Name if DeviceName::new(&value).is_err() => return Err(NO_NAME),
            Self::Name => value,
            Self::Prefix(prefix) => Cow::Owned(format!("{prefix}{value}")),
            // To leave a value without the prefix as it is would give `dev:a` and `a` one name.
            Self::Strip(prefix) => {
                without_prefix(value, prefix).ok_or(Missing::Transform("its value does not begin with the text of `:strip`"))?
            }
            Self::Regex(regex) => {
                if value.len() > REGEX_VALUE_MAXIMUM {
                    return Err(Missing::Transform("its value is too long for a regular expression"));
                }
                let captures = regex.captures(&value).ok_or(Missing::Transform("its value does not match the regular expression"))?;
                let group = captures.get(if captures.len() > 1 { 1 } else { 0 });
                Cow::Owned(group.ok_or(Missing::Transform("the regular expression's group took no part"))?.as_str().to_owned())
            }
            Self::Sha256 => Cow::Owned(hex::encode(Sha256::digest(value.as_bytes()))),
        };
        if value.is_empty() { Err(Missing::Transform("nothing is left of its value")) } else { Ok(value) }
    }
}

/// What `:name` says of a value that it passes over.
pub(super) const NO_NAME: Missing = Missing::Transform("its value cannot be the name of a device");

fn without_prefix<'a>(value: Cow<'a, str>, prefix: &str) -> Option<Cow<'a, str>> {
    match value {
        Cow::Borrowed(value) => value.strip_prefix(prefix).map(Cow::Borrowed),
        Cow::Owned(value) => value.strip_prefix(prefix).map(|rest| Cow::Owned(rest.to_owned())),
    }
}

/// `\)` stands for `)`, `\\` for `\`.
fn unescaped(argument: &str) -> String {
    let mut text = String::with_capacity(argument.len());
    let mut characters = argument.chars();
    while let Some(character) = characters.next() {
        text.push(if character == '\\' { characters.next().unwrap_or('\\') } else { character });
    }
    text
}

/// The whole value has to match: an expression that matches somewhere inside is a way around it.
fn regex(expression: &str) -> Result<Regex, String> {
    // Alone first: `a)|(b` is no expression, but becomes one in parentheses.
    let build =
        |text: &str| RegexBuilder::new(text).size_limit(REGEX_SIZE_MAXIMUM).nest_limit(32).build().map_err(|error| error.to_string());
    build(expression)?;
    build(&format!(r"\A(?:{expression})\z"))
}
