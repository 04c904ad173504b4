//! What a name has to be.

use std::fmt;

use regex_lite::{Regex, RegexBuilder};

/// The longest name that a regular expression looks at, in bytes: with the size of the expression it bounds the time that a stranger's name can cost.
const REGEX_VALUE_MAXIMUM: usize = 4096;
/// The largest compiled expression, in bytes.
const REGEX_SIZE_MAXIMUM: usize = 64 * 1024;
/// The longest expression as written, in bytes.
const REGEX_TEXT_MAXIMUM: usize = 1024;

/// What a name has to be: a text in which `*` stands for any number of characters, a text that stands for itself, or a regular expression.
#[derive(Clone)]
pub struct NamePattern(Form);

#[derive(Clone)]
enum Form {
    Stars(String),
    Exact(String),
    Regex(Regex),
}

/// A text that is no regular expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no regular expression that can be used here: {detail}")]
pub struct RegexError {
    /// What was found.
    pub found: String,
    /// What is wrong with it.
    pub detail: String,
}

impl NamePattern {
    /// Takes a pattern with stars as written; every text is one.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Form::Stars(text.into()))
    }

    /// Takes a name that stands for itself.
    #[must_use]
    pub fn exact(text: impl Into<String>) -> Self {
        Self(Form::Exact(text.into()))
    }

    /// Takes a regular expression. It may match anywhere in the name, unless it says with `^` and `$` that it does not.
    ///
    /// # Errors
    /// It is none, or it is too long. Look-around and back-references are not known.
    pub fn regex(text: &str) -> Result<Self, RegexError> {
        let error = |detail: String| RegexError { found: text.chars().take(64).collect(), detail };
        if text.len() > REGEX_TEXT_MAXIMUM {
            return Err(error(format!("it has {} bytes, and may have {REGEX_TEXT_MAXIMUM}", text.len())));
        }
        let built = RegexBuilder::new(text).size_limit(REGEX_SIZE_MAXIMUM).nest_limit(32).build();
        built.map(|regex| Self(Form::Regex(regex))).map_err(|failed| error(failed.to_string()))
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Form::Stars(text) | Form::Exact(text) => text,
            Form::Regex(regex) => regex.as_str(),
        }
    }

    /// Whether a name matches; unless the pattern is a regular expression, from its first to its last character.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.test(name, false)
    }

    /// `unknown`: what is the case for a name that is too long to look at.
    pub(crate) fn test(&self, name: &str, unknown: bool) -> bool {
        match &self.0 {
            Form::Stars(text) => fits_stars(text, name),
            Form::Exact(text) => text == name,
            Form::Regex(_) if name.len() > REGEX_VALUE_MAXIMUM => unknown,
            Form::Regex(regex) => regex.is_match(name),
        }
    }
}

fn fits_stars(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut remaining) = name.strip_prefix(head) else { return false };
    let mut pieces = rest.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return remaining.ends_with(piece);
        }
        // The leftmost place leaves the most for the pieces after it, so no other place has to be tried.
        let Some(at) = remaining.find(piece) else { return false };
        let Some(after) = remaining.get(at + piece.len()..) else { return false };
        remaining = after;
    }
    true
}

/// Equal as written.
impl PartialEq for NamePattern {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(&self.0) == std::mem::discriminant(&other.0) && self.as_str() == other.as_str()
    }
}

impl Eq for NamePattern {}

impl fmt::Debug for NamePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match &self.0 {
            Form::Stars(_) => "stars",
            Form::Exact(_) => "exact",
            Form::Regex(_) => "regex",
        };
        write!(formatter, "NamePattern::{form}({:?})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_number_of_characters() {
        for (pattern, name, expected) in [
            ("pump-7", "pump-7", true),
            ("pump-7", "pump-77", false),
            ("pump-*", "pump-", true),
            ("pump-*", "pump-7", true),
            ("pump-*", "valve-7", false),
            ("*", "", true),
            ("*-eu-*", "pump-eu-7", true),
            ("*-eu-*", "pump-us-7", false),
            ("a*a", "a", false),
            ("a*b*b", "ab", false),
            ("a*b*b", "axbb", true),
        ] {
            assert_eq!(NamePattern::new(pattern).matches(name), expected, "`{pattern}` on `{name}`");
        }
        assert!(NamePattern::exact("a*").matches("a*") && !NamePattern::exact("a*").matches("ab"));
    }

    #[test]
    fn a_regular_expression_matches_anywhere_and_looks_at_no_endless_name() {
        let pattern = NamePattern::regex("^pump-[0-9]+").unwrap();
        assert!(pattern.matches("pump-7x") && !pattern.matches("a pump-7"));
        let long = format!("pump-7{}", "x".repeat(REGEX_VALUE_MAXIMUM));
        assert!(!pattern.test(&long, false) && pattern.test(&long, true));
        for wrong in ["(", "(?=x)", "(?:a{1000}){1000}"] {
            assert!(NamePattern::regex(wrong).is_err(), "{wrong}");
        }
        assert!(NamePattern::regex(&"a".repeat(2000)).is_err());
        assert_ne!(NamePattern::regex("a").unwrap(), NamePattern::exact("a"));
    }
}
