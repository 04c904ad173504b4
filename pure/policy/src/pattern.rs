//! Topic patterns with holes for the caller's own names, matched without allocation.
//!
//! A pattern is a Topic Filter in which `${device}`, `${client_identifier}` and `${username}` stand for the caller's names: `${device}/#`,
//! `sites/+/${device}/state`. A hole fills a level or a part of one and never more: a name that holds `/`, `+` or `#`, an empty name, and a name
//! that starts with `$` where a topic would start with it, match nothing, so that no client can widen its rights by the name it chooses.

use std::fmt;

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
    Device,
    ClientIdentifier,
    Username,
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
    #[error(
        "`{found}` in topic pattern `{pattern}` is not a placeholder; known are `${{device}}`, `${{client_identifier}}`, `${{username}}`, and `$$` for a dollar sign before `{{`"
    )]
    Placeholder {
        /// What was found.
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
        let count = text.split('/').count();
        let levels = text.split('/').enumerate().map(|(at, level)| parse_level(level, at + 1 == count, text)).collect::<Result<_, _>>()?;
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
                Level::Text(pieces) => level_fits(pieces, found, client, at == 0),
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

fn parse_level(level: &str, is_last: bool, pattern: &str) -> Result<Level, PatternError> {
    match level {
        "+" => return Ok(Level::One),
        "#" if is_last => return Ok(Level::Rest),
        _ => {}
    }
    if level.contains(['+', '#']) {
        return Err(PatternError::Wildcard { found: level.to_owned(), pattern: pattern.to_owned() });
    }
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = level;
    while let Some((before, after)) = rest.split_once('$') {
        literal.push_str(before);
        if let Some(escaped) = after.strip_prefix('$') {
            literal.push('$');
            rest = escaped;
        } else if let Some(named) = after.strip_prefix('{') {
            let unknown = || PatternError::Placeholder { found: format!("${after}"), pattern: pattern.to_owned() };
            let (name, behind) = named.split_once('}').ok_or_else(unknown)?;
            let piece = match name {
                "device" => Piece::Device,
                "client_identifier" => Piece::ClientIdentifier,
                "username" => Piece::Username,
                _ => return Err(PatternError::Placeholder { found: format!("${{{name}}}"), pattern: pattern.to_owned() }),
            };
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(piece);
            rest = behind;
        } else {
            // A plain `$`, as in `$SYS`.
            literal.push('$');
            rest = after;
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(Level::Text(pieces))
}

/// Whether one level of a topic is exactly the pieces in a row.
fn level_fits(pieces: &[Piece], level: &str, client: &Client, is_first: bool) -> bool {
    let mut rest = level;
    for (at, piece) in pieces.iter().enumerate() {
        let value = match piece {
            Piece::Literal(text) => text.as_str(),
            Piece::Device => client.device().map_or("", |name| name.as_str()),
            Piece::ClientIdentifier => client.client_identifier().as_str(),
            Piece::Username => client.username().unwrap_or_default(),
        };
        let is_hole = !matches!(piece, Piece::Literal(_));
        if is_hole && (value.is_empty() || value.contains(['/', '+', '#'])) {
            return false;
        }
        // `$SYS` and `$share` are reached by a rule that names them, never by a client that is called so.
        if is_hole && is_first && at == 0 && value.starts_with('$') {
            return false;
        }
        let Some(behind) = rest.strip_prefix(value) else { return false };
        rest = behind;
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests;
