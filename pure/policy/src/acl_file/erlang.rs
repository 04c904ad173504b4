//! The terms of Erlang, as far as an `acl.conf` has them.

use super::AclFileError;

/// A term and the line on which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Atom(String),
    /// `"text"` or `<<"text">>`.
    Text(String),
    Number(i64),
    Tuple(Vec<Term>),
    List(Vec<Term>),
}

/// How deep terms may stand in one another.
const DEPTH_MAXIMUM: usize = 16;

impl Term {
    /// The atom, if it is one.
    pub(super) fn atom(&self) -> Option<&str> {
        match &self.kind {
            Kind::Atom(name) => Some(name),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// As it is written, more or less.
    pub(super) fn shown(&self) -> String {
        let list = |terms: &[Self]| terms.iter().map(Self::shown).collect::<Vec<_>>().join(", ");
        match &self.kind {
            Kind::Atom(name) => name.clone(),
            Kind::Text(text) => format!("\"{text}\""),
            Kind::Number(number) => number.to_string(),
            Kind::Tuple(terms) => format!("{{{}}}", list(terms)),
            Kind::List(terms) => format!("[{}]", list(terms)),
        }
    }
}

/// Reads a file of terms, each with a full stop behind it.
///
/// # Errors
/// Names the line, what was found and what was expected.
pub(super) fn terms(text: &str) -> Result<Vec<Term>, AclFileError> {
    let mut reader = Reader { rest: text, line: 1 };
    let mut terms = Vec::new();
    while reader.peek().is_some() {
        terms.push(reader.term(0)?);
        reader.expect('.', "a full stop behind the rule")?;
    }
    Ok(terms)
}

struct Reader<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> Reader<'t> {
    /// The next character that is neither blank nor in a comment.
    fn peek(&mut self) -> Option<char> {
        loop {
            let character = self.rest.chars().next()?;
            match character {
                '%' => {
                    let end = self.rest.find('\n').unwrap_or(self.rest.len());
                    self.rest = self.rest.get(end..).unwrap_or_default();
                }
                blank if blank.is_whitespace() => self.step(),
                other => return Some(other),
            }
        }
    }

    fn step(&mut self) {
        let mut characters = self.rest.chars();
        if characters.next() == Some('\n') {
            self.line += 1;
        }
        self.rest = characters.as_str();
    }

    fn error(&self, expected: &str) -> AclFileError {
        let found: String = self.rest.chars().take(24).take_while(|character| *character != '\n').collect();
        let found = if found.is_empty() { "the end".to_owned() } else { found };
        AclFileError::new(self.line, &found, expected)
    }

    fn expect(&mut self, wanted: char, expected: &str) -> Result<(), AclFileError> {
        if self.peek() != Some(wanted) {
            return Err(self.error(expected));
        }
        self.step();
        Ok(())
    }

    fn term(&mut self, depth: usize) -> Result<Term, AclFileError> {
        let first = self.peek();
        let line = self.line;
        let kind = match first {
            _ if depth > DEPTH_MAXIMUM => return Err(self.error("terms that do not stand so deep in one another")),
            Some('{') => Kind::Tuple(self.sequence('}', depth)?),
            Some('[') => Kind::List(self.sequence(']', depth)?),
            Some('"') => Kind::Text(self.quoted('"')?),
            Some('\'') => Kind::Atom(self.quoted('\'')?),
            Some('<') => Kind::Text(self.binary()?),
            Some(digit) if digit.is_ascii_digit() || digit == '-' => {
                let word = self.word();
                Kind::Number(word.parse().map_err(|_| AclFileError::new(line, word, "a number"))?)
            }
            Some(letter) if letter.is_ascii_lowercase() => Kind::Atom(self.word().to_owned()),
            _ => return Err(self.error("a term of Erlang: `{…}`, `[…]`, `\"text\"` or a word in lower case")),
        };
        Ok(Term { line, kind })
    }

    fn sequence(&mut self, end: char, depth: usize) -> Result<Vec<Term>, AclFileError> {
        self.step();
        let mut terms = Vec::new();
        if self.peek() == Some(end) {
            self.step();
            return Ok(terms);
        }
        loop {
            terms.push(self.term(depth + 1)?);
            match self.peek() {
                Some(',') => self.step(),
                Some(found) if found == end => {
                    self.step();
                    return Ok(terms);
                }
                _ => return Err(self.error(&format!("`,` or `{end}`"))),
            }
        }
    }

    fn binary(&mut self) -> Result<String, AclFileError> {
        let Some(rest) = self.rest.strip_prefix("<<") else { return Err(self.error("`<<\"text\">>`")) };
        self.rest = rest;
        if self.peek() != Some('"') {
            return Err(self.error("`<<\"text\">>`"));
        }
        let text = self.quoted('"')?;
        if let Some(rest) = self.rest.strip_prefix("/utf8") {
            self.rest = rest;
        }
        self.peek();
        self.rest = self.rest.strip_prefix(">>").ok_or_else(|| self.error("`>>`"))?;
        Ok(text)
    }

    fn quoted(&mut self, quote: char) -> Result<String, AclFileError> {
        let unclosed = AclFileError::new(self.line, &self.rest.chars().take(24).collect::<String>(), "a closing quote");
        self.step();
        let mut text = String::new();
        loop {
            let character = self.rest.chars().next().ok_or_else(|| unclosed.clone())?;
            self.step();
            match character {
                found if found == quote => return Ok(text),
                '\\' => {
                    let escaped = self.rest.chars().next().ok_or_else(|| unclosed.clone())?;
                    self.step();
                    text.push(match escaped {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        's' => ' ',
                        other => other,
                    });
                }
                other => text.push(other),
            }
        }
    }

    fn word(&mut self) -> &'t str {
        let end = self.rest.char_indices().find(|(at, character)| {
            !(character.is_ascii_alphanumeric() || matches!(character, '_' | '@') || (*at == 0 && *character == '-'))
        });
        let end = end.map_or(self.rest.len(), |(at, _)| at);
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }
}
