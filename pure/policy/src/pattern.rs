//! Topic patterns with holes for the caller's own names, matched without allocation where a name is text that somebody holds already.
//!
//! A pattern is a Topic Filter in which `${device}`, `${cert.subject.ou}` and whatever else a template can name stand for the caller's names:
//! `${device}/#`, `sites/${cert.subject.ou}/${device}/state`. A hole fills a level or a part of one and never more: a name that holds `/`, `+` or `#`,
//! a control or invisible character, an empty name, and a name that starts with `$` where a topic would start with it, match nothing, so that no
//! client can widen its rights by the name it chooses or was given.

use std::borrow::Cow;
use std::fmt;

use signet_identity::{Expression, Facts, Template, TemplateError, TemplatePiece};

use crate::client::Client;

/// A checked topic pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPattern {
    written: String,
    levels: Vec<Level>,
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
    /// Reads a pattern as written.
    ///
    /// # Errors
    /// Says which level or placeholder is wrong, and what is possible.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.starts_with("$share/") {
            return Err(PatternError::Shared { pattern: text.to_owned() });
        }
        let template = Template::parse_pattern(text).map_err(|error| PatternError::Placeholder { error, pattern: text.to_owned() })?;
        let found = split(&template, text)?;
        let count = found.len();
        let levels = found.into_iter().enumerate().map(|(at, level)| level.check(at + 1 == count, text)).collect::<Result<_, _>>()?;
        Ok(Self { written: text.to_owned(), levels })
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Whether a Topic Name is covered for this client.
    pub(crate) fn covers_topic(&self, topic: &str, client: &Client) -> bool {
        self.covers(topic, client, false)
    }

    /// Whether every Topic Name that a Topic Filter can match is covered for this client.
    pub(crate) fn covers_filter(&self, filter: &str, client: &Client) -> bool {
        self.covers(filter, client, true)
    }

    fn covers(&self, asked: &str, client: &Client, is_filter: bool) -> bool {
        let facts = client.facts();
        // A wildcard at the start never reaches topics that start with `$` [MQTT-4.7.2-1]; the same holds for what it permits.
        if asked.starts_with('$') && !matches!(self.levels.first(), Some(Level::Text(_))) {
            return false;
        }
        let mut asked = asked.split('/');
        for (at, level) in self.levels.iter().enumerate() {
            if matches!(level, Level::Rest) {
                return true;
            }
            let Some(found) = asked.next() else { return false };
            if is_filter && found == "#" {
                return false;
            }
            let fits = match level {
                Level::One | Level::Rest => true,
                Level::Text(_) if is_filter && found == "+" => false,
                Level::Text(pieces) => level_fits(pieces, found, &facts, at == 0),
            };
            if !fits {
                return false;
            }
            // `a/#` covers `a` too [MQTT-4.7.1-2], so the parent level may be the last one.
            if matches!(self.levels.get(at + 1), Some(Level::Rest)) {
                return true;
            }
        }
        asked.next().is_none()
    }
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
                if expression.fields().any(|field| field.holds_lines() || !field.is_lasting()) {
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
fn level_fits(pieces: &[Piece], level: &str, facts: &Facts<'_>, is_first: bool) -> bool {
    let mut rest = level;
    for (at, piece) in pieces.iter().enumerate() {
        let behind = match piece {
            Piece::Literal(text) => rest.strip_prefix(text.as_str()),
            // `$SYS` and `$share` are reached by a rule that names them, never by a client that is called so.
            Piece::Hole(expression) => filling(expression, facts)
                .filter(|value| !(is_first && at == 0 && value.starts_with('$')))
                .and_then(|value| rest.strip_prefix(value.as_ref())),
        };
        let Some(behind) = behind else { return false };
        rest = behind;
    }
    rest.is_empty()
}

/// What fills a hole: never empty, never with a hidden character, never more than a level.
fn filling<'a>(expression: &Expression, facts: &Facts<'a>) -> Option<Cow<'a, str>> {
    expression.lookup(facts).filter(|value| !value.contains(['/', '+', '#']))
}

#[cfg(test)]
mod tests;
