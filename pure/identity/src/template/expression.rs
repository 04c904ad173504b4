//! One placeholder: fields of which the first that has a value counts, each with its transforms. `${cert.san.uri:strip(urn:dev:) | cert.cn}`.

use std::borrow::Cow;

use super::error::{TemplateError, TemplateErrorKind};
use super::field::TemplateField;
use super::transform::{NO_NAME, Transform};
use super::value::{Facts, Missing};
use crate::error::IdentityError;
use crate::text::{is_hidden, named, shown};

/// What stands between `${` and `}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    placeholder: Box<str>,
    alternatives: Vec<Alternative>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Alternative {
    field: TemplateField,
    transforms: Vec<Transform>,
}

/// Whether the several lines of a PEM may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    Refused,
    Allowed,
}

enum Failure<'a> {
    Missing(Missing),
    Hidden(char, Cow<'a, str>),
}

impl Expression {
    /// The most fields that one placeholder may name.
    pub const MAXIMUM_FIELDS: usize = 16;

    /// Reads an expression as it stands between the braces, `cert.san.uri | cert.cn`.
    ///
    /// # Errors
    /// [`TemplateError`] with the place of the mistake, counted from the first byte of the text.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let source = format!("${{{text}}}");
        let moved = |error: TemplateError| error.moved_left(2, text.len());
        let (expression, end) = Self::read(&source, 0).map_err(moved)?;
        if end != source.len() {
            return Err(moved(TemplateError::new(TemplateErrorKind::Syntax, &source, end.saturating_sub(1)..end)));
        }
        Ok(expression)
    }

    /// A field alone.
    pub(super) fn of(field: TemplateField) -> Self {
        Self { placeholder: field.placeholder().into(), alternatives: vec![Alternative { field, transforms: Vec::new() }] }
    }

    /// Reads the placeholder whose `${` starts at `start`, and says where the text after its `}` starts.
    pub(super) fn read(source: &str, start: usize) -> Result<(Self, usize), TemplateError> {
        let mut cursor = Cursor { source, at: start + 2 };
        let mut alternatives = Vec::new();
        loop {
            let field_start = cursor.skip_spaces();
            let text = cursor.take_while(|character| !matches!(character, '|' | ':' | '}')).trim_end_matches(' ');
            let field_end = field_start + text.len();
            if cursor.peek().is_none() {
                return Err(TemplateError::new(TemplateErrorKind::Unclosed, source, start..source.len()));
            }
            let field = TemplateField::parse(text).ok_or_else(|| {
                // A field alone is shown as it would be written.
                let is_alone = alternatives.is_empty() && cursor.peek() == Some('}');
                let span = if is_alone { start..cursor.at + 1 } else { field_start..field_end };
                TemplateError::new(TemplateErrorKind::UnknownField, source, span)
            })?;
            let transforms = cursor.transforms(start)?;
            alternatives.push(Alternative { field, transforms });
            cursor.skip_spaces();
            let at = cursor.at;
            match cursor.next() {
                Some('}') => break,
                Some('|') if alternatives.len() < Self::MAXIMUM_FIELDS => {}
                Some('|') => return Err(TemplateError::new(TemplateErrorKind::TooManyFields, source, start..at)),
                Some(_) => return Err(TemplateError::new(TemplateErrorKind::Syntax, source, at..cursor.at)),
                None => return Err(TemplateError::new(TemplateErrorKind::Unclosed, source, start..source.len())),
            }
        }
        let placeholder = source.get(start..cursor.at).unwrap_or_default();
        if let Some((at, character)) = placeholder.char_indices().find(|(_, character)| is_hidden(*character)) {
            let span = start + at..start + at + character.len_utf8();
            return Err(TemplateError::new(TemplateErrorKind::HiddenCharacter, source, span));
        }
        Ok((Self { placeholder: placeholder.into(), alternatives }, cursor.at))
    }

    /// As it is written, `${cert.san.uri | cert.cn}`.
    #[must_use]
    pub fn placeholder(&self) -> &str {
        &self.placeholder
    }

    /// The fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = &TemplateField> {
        self.alternatives.iter().map(|alternative| &alternative.field)
    }

    /// The field, where it is one alone and is taken as it is.
    #[must_use]
    pub fn plain_field(&self) -> Option<&TemplateField> {
        match self.alternatives.as_slice() {
            [Alternative { field, transforms }] if transforms.is_empty() => Some(field),
            _ => None,
        }
    }

    /// Whether none of its fields has a value without a certificate or a device's name.
    #[must_use]
    pub fn needs_certificate(&self) -> bool {
        self.fields().all(TemplateField::needs_certificate)
    }

    /// The value.
    ///
    /// # Errors
    /// [`IdentityError::MissingField`] with the reason of each field, [`IdentityError::UnsafeValue`] when the first value there is holds a control or
    /// invisible character: it is not passed over for another field.
    pub fn value<'a>(&self, facts: &Facts<'a>) -> Result<Cow<'a, str>, IdentityError> {
        self.evaluate(facts, Lines::Refused)
    }

    /// The value if there is one that is safe: the same as [`Self::value`], without the time it takes to say why there is none.
    #[must_use]
    pub fn lookup<'a>(&self, facts: &Facts<'a>) -> Option<Cow<'a, str>> {
        self.find(facts, Lines::Refused).ok()
    }

    pub(super) fn evaluate<'a>(&self, facts: &Facts<'a>, lines: Lines) -> Result<Cow<'a, str>, IdentityError> {
        self.find(facts, lines).map_err(|failure| match failure {
            Failure::Hidden(character, value) => {
                IdentityError::UnsafeValue { field: self.placeholder.to_string(), value: shown(&value), found: named(character) }
            }
            Failure::Missing(missing) => {
                IdentityError::MissingField { field: self.placeholder.to_string(), reason: self.reasons(missing, facts, lines) }
            }
        })
    }

    fn find<'a>(&self, facts: &Facts<'a>, lines: Lines) -> Result<Cow<'a, str>, Failure<'a>> {
        let mut missing = Missing::NotThere;
        for alternative in &self.alternatives {
            match alternative.find(facts, lines) {
                Err(Failure::Missing(reason)) => missing = reason,
                found => return found,
            }
        }
        Err(Failure::Missing(missing))
    }

    /// The reason of a field alone, or of each of several with its name.
    fn reasons(&self, only: Missing, facts: &Facts<'_>, lines: Lines) -> String {
        if self.alternatives.len() == 1 {
            return only.reason(facts);
        }
        let mut text = String::new();
        for alternative in &self.alternatives {
            if let Err(Failure::Missing(missing)) = alternative.find(facts, lines) {
                let separator = if text.is_empty() { "" } else { "; " };
                text.push_str(&format!("{separator}`{}`: {}", alternative.field.name(), missing.reason(facts)));
            }
        }
        text
    }
}

impl Alternative {
    fn find<'a>(&self, facts: &Facts<'a>, lines: Lines) -> Result<Cow<'a, str>, Failure<'a>> {
        let mut value = self.field.find(facts).map_err(Failure::Missing)?;
        // The line ends of a PEM are ours; what a certificate holds is looked at before a transform can take the evidence away.
        if !self.field.holds_lines() {
            let is_optional = self.transforms.first() == Some(&Transform::Name);
            value = without_hidden(value).map_err(|failure| if is_optional { Failure::Missing(NO_NAME) } else { failure })?;
        }
        for transform in &self.transforms {
            value = transform.apply(value).map_err(Failure::Missing)?;
        }
        if self.field.holds_lines() && lines == Lines::Allowed { Ok(value) } else { without_hidden(value) }
    }
}

fn without_hidden(value: Cow<'_, str>) -> Result<Cow<'_, str>, Failure<'_>> {
    match value.chars().find(|character| is_hidden(*character)) {
        Some(character) => Err(Failure::Hidden(character, value)),
        None => Ok(value),
    }
}

/// Walks through the text of a template.
struct Cursor<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Cursor<'s> {
    fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += character.len_utf8();
        Some(character)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'s str {
        let rest = self.rest();
        let taken = rest.get(..rest.find(|character| !wanted(character)).unwrap_or(rest.len())).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    fn skip_spaces(&mut self) -> usize {
        self.take_while(|character| character == ' ');
        self.at
    }

    fn transforms(&mut self, placeholder: usize) -> Result<Vec<Transform>, TemplateError> {
        let mut transforms = Vec::new();
        while self.peek() == Some(':') {
            let start = self.at;
            self.next();
            let name = self.take_while(|character| character.is_ascii_alphanumeric() || character == '_');
            let argument = if self.peek() == Some('(') {
                let argument = self.argument();
                Some(argument.ok_or_else(|| TemplateError::new(TemplateErrorKind::Unclosed, self.source, placeholder..self.source.len()))?)
            } else {
                None
            };
            let transform = Transform::new(name, argument)
                .map_err(|(kind, detail)| TemplateError::new(kind, self.source, start..self.at).because(detail))?;
            transforms.push(transform);
        }
        Ok(transforms)
    }

    /// What stands in parentheses, which have to come in pairs; a `\` takes its meaning from the next character.
    fn argument(&mut self) -> Option<&'s str> {
        self.next();
        let start = self.at;
        let mut depth = 1_usize;
        loop {
            let at = self.at;
            match self.next()? {
                '\\' => drop(self.next()?),
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return self.source.get(start..at);
            }
        }
    }
}
