//! Templates over certificate fields, such as `${cert.cn}-${cert.serial}`: how configuration says which field becomes which name.

mod error;
mod expression;
mod field;
mod preset;
mod transform;
mod value;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

pub use error::{TemplateError, TemplateErrorKind};
pub use expression::Expression;
pub use field::TemplateField;
pub use preset::PlaceholderStyle;
pub use value::Facts;

use crate::error::IdentityError;
use crate::text::is_hidden;
use expression::Lines;

/// Literal text and placeholders, checked when it was parsed.
///
/// `${…}` is a placeholder, `$$` a dollar sign, everything else itself. In the braces stands a field, `cert.cn`, or several of which the first
/// that has a value counts, `cert.san.uri | cert.cn`; after each field there may be transforms, `cert.cn:lower`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// With its place in the source.
    Placeholder(Expression, Range<usize>),
}

/// A part of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplatePiece<'a> {
    /// Text that stands for itself.
    Literal(&'a str),
    /// A placeholder.
    Placeholder(&'a Expression),
}

/// What a `$` is that begins no placeholder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dollars {
    /// A mistake: somebody meant a placeholder.
    Meant,
    /// Itself.
    Plain,
}

impl Template {
    /// The longest template, in bytes.
    pub const MAXIMUM_BYTES: usize = 1024;
    /// The longest result, in bytes: what an MQTT UTF-8 string can hold (MQTT 5 §1.5.4).
    pub const MAXIMUM_RENDERED: usize = 65_535;

    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError`] with the place of the mistake and, for an unknown field, the nearest known one.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        if source.is_empty() {
            return Err(TemplateError::new(TemplateErrorKind::Empty, source, 0..0));
        }
        if source.len() > Self::MAXIMUM_BYTES {
            return Err(TemplateError::new(TemplateErrorKind::TooLong, source, 0..source.len()));
        }
        Ok(Self { source: source.to_owned(), pieces: scan(source, Dollars::Meant)? })
    }

    /// `${cert.cn}`.
    pub(crate) fn common_name() -> Self {
        let expression = TemplateField::parse("cert.cn").map(Expression::of);
        let source = "${cert.cn}".to_owned();
        let place = 0..source.len();
        Self { pieces: expression.map(|expression| Piece::Placeholder(expression, place)).into_iter().collect(), source }
    }

    /// The template as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Its parts, in order: for whoever puts the values somewhere else than into one text, as the arguments of a query.
    pub fn pieces(&self) -> impl Iterator<Item = TemplatePiece<'_>> {
        self.pieces.iter().map(|piece| match piece {
            Piece::Literal(text) => TemplatePiece::Literal(text),
            Piece::Placeholder(expression, _) => TemplatePiece::Placeholder(expression),
        })
    }

    fn placeholders(&self) -> impl Iterator<Item = (&Expression, &Range<usize>)> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Placeholder(expression, place) => Some((expression, place)),
            Piece::Literal(_) => None,
        })
    }

    /// Every field that it may look at, in order of appearance.
    pub fn fields(&self) -> impl Iterator<Item = &TemplateField> {
        self.placeholders().flat_map(|(expression, _)| expression.fields())
    }

    /// Whether it can only be rendered for a client with a certificate. `${device}` counts: only a certificate names a device. A placeholder
    /// with a way out, `${cert.cn | username}`, does not.
    #[must_use]
    pub fn needs_certificate(&self) -> bool {
        self.placeholders().any(|(expression, _)| expression.needs_certificate())
    }

    /// The same, where the device's name alone is known, as behind a proxy that tells no more.
    #[must_use]
    pub fn needs_whole_certificate(&self) -> bool {
        self.placeholders().any(|(expression, _)| expression.fields().all(TemplateField::needs_whole_certificate))
    }

    /// Fills the placeholders in.
    ///
    /// # Errors
    /// [`IdentityError::MissingField`] when a placeholder has no value, [`IdentityError::UnsafeValue`] when a value holds a control or invisible
    /// character, [`IdentityError::TooLong`] above [`Self::MAXIMUM_RENDERED`]. Characters that matter only in topics (`+ # /`) pass here;
    /// [`crate::DeviceName`] and topic patterns refuse them.
    pub fn render(&self, facts: &Facts<'_>) -> Result<String, IdentityError> {
        self.fill(facts, Lines::Refused)
    }

    /// The same for another program, which takes several lines where a field has them, `${cert.pem}`. Not for a name, a topic or a log line.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn render_lines(&self, facts: &Facts<'_>) -> Result<String, IdentityError> {
        self.fill(facts, Lines::Allowed)
    }

    fn fill(&self, facts: &Facts<'_>, lines: Lines) -> Result<String, IdentityError> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Placeholder(expression, _) => text.push_str(&expression.evaluate(facts, lines)?),
            }
        }
        if text.len() > Self::MAXIMUM_RENDERED {
            return Err(IdentityError::TooLong { template: self.source.clone(), size: text.len(), limit: Self::MAXIMUM_RENDERED });
        }
        Ok(text)
    }

    /// Refuses a field of several lines, for a template that makes a name.
    ///
    /// # Errors
    /// [`TemplateErrorKind::Lines`], with the placeholder.
    pub fn require_one_line(&self) -> Result<(), TemplateError> {
        match self.placeholders().find(|(expression, _)| expression.fields().any(TemplateField::holds_lines)) {
            Some((_, place)) => Err(TemplateError::new(TemplateErrorKind::Lines, &self.source, place.clone())),
            None => Ok(()),
        }
    }

    /// Refuses a template that a device's name cannot come from; see [`crate::NamingRule::new`].
    pub(crate) fn require_certificate_fields_only(&self) -> Result<(), TemplateError> {
        let error = |place| TemplateError::new(TemplateErrorKind::NotFromCertificate, &self.source, place);
        if let Some((_, place)) = self.placeholders().find(|(expression, _)| !expression.fields().all(TemplateField::is_certificate_field))
        {
            return Err(error(place.clone()));
        }
        if self.placeholders().next().is_none() {
            return Err(error(0..self.source.len()));
        }
        self.require_one_line()
    }
}

/// Takes a text apart.
fn scan(source: &str, dollars: Dollars) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some((before, after)) = source.get(at..).and_then(|rest| rest.split_once('$')) {
        let dollar = at + before.len();
        push(&mut literal, before, at, source, dollars)?;
        if after.starts_with('$') {
            literal.push('$');
            at = dollar + 2;
        } else if after.starts_with('{') {
            let (expression, end) = Expression::read(source, dollar)?;
            if !literal.is_empty() {
                pieces.push(Piece::literal(&mut literal));
            }
            pieces.push(Piece::Placeholder(expression, dollar..end));
            at = end;
        } else if dollars == Dollars::Plain {
            literal.push('$');
            at = dollar + 1;
        } else {
            return Err(TemplateError::new(TemplateErrorKind::LoneDollar, source, dollar..dollar + 1));
        }
    }
    push(&mut literal, source.get(at..).unwrap_or_default(), at, source, dollars)?;
    if !literal.is_empty() {
        pieces.push(Piece::literal(&mut literal));
    }
    Ok(pieces)
}

/// Adds text that stands for itself. What may stand in a topic pattern is the pattern's business.
fn push(literal: &mut String, text: &str, at: usize, source: &str, dollars: Dollars) -> Result<(), TemplateError> {
    let hidden = text.char_indices().find(|(_, character)| dollars == Dollars::Meant && is_hidden(*character));
    if let Some((offset, character)) = hidden {
        let start = at + offset;
        return Err(TemplateError::new(TemplateErrorKind::HiddenCharacter, source, start..start + character.len_utf8()));
    }
    literal.push_str(text);
    Ok(())
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(source: &str) -> Result<Self, Self::Err> {
        Self::parse(source)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests;
