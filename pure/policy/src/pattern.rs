//! Topic patterns with holes for the caller's own names, matched without allocation where a name is text that somebody holds already.
//!
//! A pattern is a Topic Filter in which `${device}`, `${cert.subject.ou}` and whatever else a template can name stand for the caller's names:
//! `${device}/#`, `sites/${cert.subject.ou}/${device}/state`. A hole fills a level or a part of one and never more: a name that holds `/`, `+` or `#`,
//! a control or invisible character, an empty name, and a name that starts with `$` where a topic would start with it, fill no hole. A rule that
//! allows then allows nothing, and one that denies denies everything from the hole on ([`Fit::Unfilled`]): no client widens its rights by the name it
//! chooses or was given, or by having none.

use std::borrow::Cow;
use std::fmt;

use signet_identity::{Expression, Facts, PlaceholderStyle, Template, TemplateError, TemplatePiece};

use crate::client::Client;

/// A checked topic pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPattern {
    written: String,
    levels: Vec<Level>,
    /// Whether it stands for one filter and not for what that matches.
    is_exact: bool,
    /// Whether its wildcard at the start stands for topics that start with `$`, too.
    reaches_dollar: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Level {
    /// `+`
    One,
    /// `#`
    Rest,
    /// Text and holes; exactly one piece of text in the ordinary case.
    Text(Vec<Piece>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Hole(Expression),
}

/// Why a text is not a topic pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing was written.
    #[error("a topic pattern must not be empty; to allow every topic write `#`")]
    Empty,
    /// `+` or `#` beside other characters, or `#` before the end.
    #[error("`{found}` in topic pattern `{pattern}`: `+` must stand alone in its level, `#` must be the whole last level")]
    Wildcard {
        /// The level at fault.
        found: String,
        /// The pattern as written.
        pattern: String,
    },
    /// A placeholder that does not exist or is not closed.
    #[error("topic pattern `{pattern}`: {error}; `$$` stands for a dollar sign before `{{`")]
    Placeholder {
        /// What is wrong with it, and where.
        error: TemplateError,
        /// The pattern as written.
        pattern: String,
    },
    /// A placeholder whose value is no topic level, or is not known any more when a client publishes.
    #[error("`{found}` in topic pattern `{pattern}` cannot be a topic level: it has several lines, or changes while a client is connected")]
    NoLevel {
        /// The placeholder.
        found: String,
        /// The pattern as written.
        pattern: String,
    },
    /// A pattern for a shared subscription.
    #[error(
        "topic pattern `{pattern}` starts with `$share/`: write the filter behind the share name, a rule covers it shared and unshared"
    )]
    Shared {
        /// The pattern as written.
        pattern: String,
    },
}

impl TopicPattern {
    /// Reads a pattern as written. `eq ` before a filter means that filter itself and not what it matches: `eq #` is a subscription to everything, and
    /// no topic that such a subscription matches.
    ///
    /// # Errors
    /// Says which level or placeholder is wrong, and what is possible.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        Self::read(text, true, Template::parse_pattern)
    }

    /// The same with the placeholders of another broker, `%c` or `${clientid}`. [`Self::as_str`] gives the text as it was written.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_with_placeholders(style: PlaceholderStyle, text: &str) -> Result<Self, PatternError> {
        Self::read(text, true, |text| Template::parse_with_placeholders(style, text))
    }

    /// A pattern in which `eq ` has no meaning.
    pub(crate) fn parse_plain(text: &str) -> Result<Self, PatternError> {
        Self::read(text, false, Template::parse_pattern)
    }

    /// A pattern without placeholders: every character but the wildcards stands for itself.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_literal(text: &str) -> Result<Self, PatternError> {
        Self::read(text, false, |text| Template::parse_pattern(&text.replace('$', "$$")))
    }

    /// Every topic, those that start with `$` among them: for a rule that denies everything.
    #[must_use]
    pub fn everything() -> Self {
        Self { written: "#".to_owned(), levels: vec![Level::Rest], is_exact: false, reaches_dollar: true }
    }

    fn read(text: &str, has_exact: bool, template: impl FnOnce(&str) -> Result<Template, TemplateError>) -> Result<Self, PatternError> {
        let exact = text.strip_prefix("eq ").filter(|_| has_exact);
        let (written, is_exact) = exact.map_or((text, false), |exact| (exact, true));
        if written.is_empty() {
            return Err(PatternError::Empty);
        }
        if written.starts_with("$share/") {
            return Err(PatternError::Shared { pattern: text.to_owned() });
        }
        let template = template(written).map_err(|error| PatternError::Placeholder { error, pattern: text.to_owned() })?;
        let found = split(&template, text)?;
        let count = found.len();
        let levels = found.into_iter().enumerate().map(|(at, level)| level.check(at + 1 == count, text)).collect::<Result<_, _>>()?;
        Ok(Self { written: text.to_owned(), levels, is_exact, reaches_dollar: false })
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Whether a Topic Name is covered for this client.
    pub(crate) fn covers_topic(&self, topic: &str, client: &Client) -> Fit {
        self.covers(topic, client, if self.is_exact { Mode::Exact } else { Mode::Topic })
    }

    /// Whether every Topic Name that a Topic Filter can match is covered for this client; of an exact pattern, whether it is this filter.
    pub(crate) fn covers_filter(&self, filter: &str, client: &Client) -> Fit {
        self.covers(filter, client, if self.is_exact { Mode::Exact } else { Mode::Filter })
    }

    /// The same for a Topic Name that came by a filter which the pattern has allowed, an exact one too.
    pub(crate) fn allows_delivery(&self, topic: &str, client: &Client) -> Fit {
        self.covers(topic, client, Mode::Topic)
    }

    /// Whether there is a Topic Name that a Topic Filter can match and that is covered for this client.
    pub(crate) fn overlaps_filter(&self, filter: &str, client: &Client) -> bool {
        let facts = client.facts();
        let is_wild = |level: Option<&Level>| !matches!(level, Some(Level::Text(_)));
        // Neither wildcard reaches topics that start with `$` [MQTT-4.7.2-1].
        if filter.starts_with('$') && is_wild(self.levels.first()) && !self.reaches_dollar {
            return false;
        }
        let starts_wild = matches!(filter.split('/').next(), Some("+" | "#"));
        if starts_wild && self.starts_with_dollar() {
            return false;
        }
        // A Topic Name has no wildcards, so an exact pattern covers one only if it has none either.
        if self.is_exact && self.levels.iter().any(|level| is_wild(Some(level))) {
            return false;
        }
        self.meets(filter, &facts)
    }

    fn starts_with_dollar(&self) -> bool {
        match self.levels.first() {
            Some(Level::Text(pieces)) => matches!(pieces.first(), Some(Piece::Literal(text)) if text.starts_with('$')),
            Some(Level::One | Level::Rest) | None => false,
        }
    }

    /// Level by level, as far as both go.
    fn meets(&self, filter: &str, facts: &Facts<'_>) -> bool {
        let mut levels = self.levels.iter();
        let mut asked = filter.split('/');
        let mut is_first = true;
        loop {
            let (level, found) = (levels.next(), asked.next());
            match (level, found) {
                (Some(Level::Rest), _) | (_, Some("#")) => return true,
                (None, None) => return true,
                (None, Some(_)) | (Some(_), None) => return false,
                (Some(Level::One), Some(_)) | (Some(Level::Text(_)), Some("+")) => {}
                (Some(Level::Text(pieces)), Some(found)) => match level_fits(pieces, found, facts, is_first) {
                    Fit::No => return false,
                    Fit::Unfilled => return true,
                    Fit::Yes => {}
                },
            }
            is_first = false;
        }
    }

    fn covers(&self, asked: &str, client: &Client, mode: Mode) -> Fit {
        let facts = client.facts();
        // A wildcard at the start never reaches topics that start with `$` [MQTT-4.7.2-1]; the same holds for what it permits.
        if asked.starts_with('$') && !self.reaches_dollar && !matches!(self.levels.first(), Some(Level::Text(_))) {
            return Fit::No;
        }
        let mut asked = asked.split('/');
        for (at, level) in self.levels.iter().enumerate() {
            if mode != Mode::Exact && matches!(level, Level::Rest) {
                return Fit::Yes;
            }
            let Some(found) = asked.next() else { return Fit::No };
            if mode == Mode::Filter && found == "#" {
                return Fit::No;
            }
            let fit = match level {
                Level::One if mode == Mode::Exact => Fit::of(found == "+"),
                Level::Rest => Fit::of(found == "#"),
                Level::One => Fit::Yes,
                Level::Text(_) if mode == Mode::Filter && found == "+" => Fit::No,
                Level::Text(pieces) => level_fits(pieces, found, &facts, at == 0),
            };
            if fit != Fit::Yes {
                return fit;
            }
            // `a/#` covers `a` too [MQTT-4.7.1-2], so the parent level may be the last one.
            if mode != Mode::Exact && matches!(self.levels.get(at + 1), Some(Level::Rest)) {
                return Fit::Yes;
            }
        }
        Fit::of(asked.next().is_none())
    }
}

/// How a pattern relates to what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It covers it.
    Yes,
    /// It does not.
    No,
    /// It fits as far as a hole that nothing can fill: the client has no such value, or one that is no level. What is behind the hole is not known.
    Unfilled,
}

impl Fit {
    fn of(fits: bool) -> Self {
        if fits { Self::Yes } else { Self::No }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// A Topic Name.
    Topic,
    /// Every Topic Name that a filter can match.
    Filter,
    /// The same text, wildcards being characters like others.
    Exact,
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written)
    }
}

/// A level before its wildcards were looked at.
#[derive(Default)]
struct Written {
    pieces: Vec<Piece>,
}

/// Cuts the text between placeholders at each `/`: one inside of a placeholder is none of the topic's.
fn split(template: &Template, pattern: &str) -> Result<Vec<Written>, PatternError> {
    let mut levels = Vec::new();
    let mut level = Written::default();
    for piece in template.pieces() {
        match piece {
            TemplatePiece::Literal(text) => {
                for (at, part) in text.split('/').enumerate() {
                    if at > 0 {
                        levels.push(std::mem::take(&mut level));
                    }
                    if !part.is_empty() {
                        level.pieces.push(Piece::Literal(part.to_owned()));
                    }
                }
            }
            TemplatePiece::Placeholder(expression) => {
                if expression.fields().any(|field| field.holds_lines() || !field.is_kept_while_connected()) {
                    return Err(PatternError::NoLevel { found: expression.placeholder().to_owned(), pattern: pattern.to_owned() });
                }
                level.pieces.push(Piece::Hole(expression.clone()));
            }
        }
    }
    levels.push(level);
    Ok(levels)
}

impl Written {
    fn check(self, is_last: bool, pattern: &str) -> Result<Level, PatternError> {
        match self.pieces.as_slice() {
            [Piece::Literal(text)] if text == "+" => return Ok(Level::One),
            [Piece::Literal(text)] if text == "#" && is_last => return Ok(Level::Rest),
            _ => {}
        }
        if self.pieces.iter().any(|piece| matches!(piece, Piece::Literal(text) if text.contains(['+', '#']))) {
            let found = self.pieces.iter().map(|piece| match piece {
                Piece::Literal(text) => text,
                Piece::Hole(expression) => expression.placeholder(),
            });
            return Err(PatternError::Wildcard { found: found.collect(), pattern: pattern.to_owned() });
        }
        Ok(Level::Text(self.pieces))
    }
}

/// Whether one level of a topic is exactly the pieces in a row.
fn level_fits(pieces: &[Piece], level: &str, facts: &Facts<'_>, is_first: bool) -> Fit {
    let mut rest = level;
    for (at, piece) in pieces.iter().enumerate() {
        let behind = match piece {
            Piece::Literal(text) => rest.strip_prefix(text.as_str()),
            // `$SYS` and `$share` are reached by a rule that names them, never by a client that is called so.
            Piece::Hole(expression) => {
                let is_start = is_first && at == 0;
                let Some(value) = filling(expression, facts).filter(|value| !(is_start && value.starts_with('$'))) else {
                    return Fit::Unfilled;
                };
                rest.strip_prefix(value.as_ref())
            }
        };
        let Some(behind) = behind else { return Fit::No };
        rest = behind;
    }
    Fit::of(rest.is_empty())
}

/// What fills a hole: never empty, never with a hidden character, never more than a level.
fn filling<'a>(expression: &Expression, facts: &Facts<'a>) -> Option<Cow<'a, str>> {
    expression.lookup(facts).filter(|value| !value.contains(['/', '+', '#']))
}

#[cfg(test)]
mod tests;
