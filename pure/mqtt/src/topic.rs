//! Topic Names and Topic Filters (§4.7): what may be written in them and which filter matches which name.

use std::borrow::Borrow;
use std::fmt;

use bytestring::ByteString;

use crate::share;
use crate::text::{MAXIMUM_STRING_LENGTH, has_any};

/// Topic Name: where a message is published. 1 to 65,535 bytes, no U+0000, no wildcards.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName(ByteString);

/// Topic Filter: what is subscribed to. 1 to 65,535 bytes, no U+0000, wildcards only where they are allowed; a filter that starts with
/// `$share/` is a Shared Subscription and well-formed as one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicFilter(ByteString);

/// Why a text is no Topic Name or no Topic Filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Not one character.
    #[error("the topic is empty, expected at least one character")]
    Empty,
    /// More than the bound.
    #[error("the topic has `{length}` bytes, expected at most {maximum}")]
    TooLong {
        /// Bytes found.
        length: usize,
        /// Bytes allowed.
        maximum: usize,
    },
    /// More levels than the decoder's limit.
    #[error("the topic has `{levels}` levels, expected at most {maximum}")]
    TooManyLevels {
        /// Levels found.
        levels: usize,
        /// Levels allowed.
        maximum: usize,
    },
    /// U+0000 inside.
    #[error("the topic contains the null character U+0000, remove it")]
    Nul,
    /// A wildcard in a Topic Name.
    #[error("the topic name contains the wildcard `{wildcard}`, expected none: wildcards are for topic filters")]
    WildcardInName {
        /// `+` or `#`.
        wildcard: char,
    },
    /// `#` that is not the last level on its own.
    #[error("the level `{level}` of the topic filter contains `#`, expected it alone as the last level")]
    MultiLevelWildcard {
        /// The level that holds it.
        level: String,
    },
    /// `+` that shares its level.
    #[error("the level `{level}` of the topic filter contains `+`, expected it alone in its level")]
    SingleLevelWildcard {
        /// The level that holds it.
        level: String,
    },
    /// `$share/` without a ShareName, or with a wildcard in it.
    #[error("the share name `{share_name}` is not valid, expected at least one character and none of `+`, `#`")]
    ShareName {
        /// The ShareName found.
        share_name: String,
    },
    /// `$share/{ShareName}` without a Topic Filter behind it.
    #[error("the shared subscription `{filter}` has no topic filter, expected `$share/NAME/FILTER`")]
    ShareWithoutFilter {
        /// The whole filter found.
        filter: String,
    },
}

impl TopicError {
    /// The normative statement that decides.
    #[must_use]
    pub fn statement(&self) -> &'static str {
        match self {
            Self::Empty => "MQTT-4.7.3-1",
            Self::TooLong { .. } => "MQTT-4.7.3-3",
            Self::TooManyLevels { .. } => "§4.7.1.1",
            Self::Nul => "MQTT-4.7.3-2",
            Self::WildcardInName { .. } => "MQTT-4.7.0-1",
            Self::MultiLevelWildcard { .. } => "MQTT-4.7.1-1",
            Self::SingleLevelWildcard { .. } => "MQTT-4.7.1-2",
            Self::ShareName { share_name } if share_name.is_empty() => "MQTT-4.8.2-1",
            Self::ShareName { .. } | Self::ShareWithoutFilter { .. } => "MQTT-4.8.2-2",
        }
    }
}

impl TopicName {
    /// Checks the rules of §4.7.
    ///
    /// # Errors
    /// [`TopicError`] names the rule that the text breaks.
    pub fn new(text: impl Into<ByteString>) -> Result<Self, TopicError> {
        let text = text.into();
        check_text(&text)?;
        // [MQTT-4.7.0-1], [MQTT-3.3.2-2]
        if has_any(text.as_bytes(), *b"+#") {
            let wildcard = text.chars().find(|character| matches!(character, '+' | '#')).unwrap_or('#');
            return Err(TopicError::WildcardInName { wildcard });
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The levels between the slashes; empty ones count (§4.7.1.1).
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Whether it is one that no filter starting with a wildcard matches [MQTT-4.7.2-1].
    #[must_use]
    pub fn starts_with_dollar(&self) -> bool {
        self.0.starts_with('$')
    }

    /// What is left behind a prefix, sharing the memory of this one; nothing if it does not start so, or if nothing is left.
    #[must_use]
    pub fn without_prefix(&self, prefix: &str) -> Option<Self> {
        let rest = self.0.strip_prefix(prefix).filter(|rest| !rest.is_empty())?;
        Some(Self(self.0.slice_ref(rest)))
    }
}

impl TopicFilter {
    /// Checks the rules of §4.7 and, behind `$share/`, of §4.8.2.
    ///
    /// # Errors
    /// [`TopicError`] names the rule that the text breaks.
    pub fn new(text: impl Into<ByteString>) -> Result<Self, TopicError> {
        let text = text.into();
        check_text(&text)?;
        let filter = match share::split(&text)? {
            Some((_, filter)) => filter,
            None => &text,
        };
        check_wildcards(filter)?;
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A copy with memory of its own. One that was decoded shares the memory of its whole SUBSCRIBE; a subscription lasts longer.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(ByteString::from(self.as_str()))
    }

    /// ShareName and Topic Filter of a Shared Subscription (§4.8.2), `None` for any other.
    #[must_use]
    pub fn shared(&self) -> Option<(&str, &str)> {
        share::split(&self.0).ok().flatten()
    }

    /// The filter that Topic Names are matched with: of a Shared Subscription the part behind its ShareName, of any other the whole text.
    #[must_use]
    pub fn without_share_name(&self) -> &str {
        self.shared().map_or(self.as_str(), |(_, filter)| filter)
    }

    /// Whether a message published to `name` belongs to this subscription. A Shared Subscription matches as the filter behind its
    /// ShareName does.
    #[must_use]
    pub fn matches(&self, name: &TopicName) -> bool {
        let filter = self.without_share_name();
        // [MQTT-4.7.2-1]
        if name.starts_with_dollar() && filter.starts_with(['+', '#']) {
            return false;
        }
        let mut levels = name.levels();
        for wanted in filter.split('/') {
            if wanted == "#" {
                // Also the parent: `sport/#` matches `sport` (§4.7.1.2).
                return true;
            }
            match levels.next() {
                // Byte by byte, whatever the letters are [MQTT-4.7.3-4].
                Some(level) if wanted == "+" || wanted == level => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }
}

/// What names and filters have in common.
fn check_text(text: &str) -> Result<(), TopicError> {
    // [MQTT-4.7.3-1]
    if text.is_empty() {
        return Err(TopicError::Empty);
    }
    // [MQTT-4.7.3-3]
    if text.len() > MAXIMUM_STRING_LENGTH {
        return Err(TopicError::TooLong { length: text.len(), maximum: MAXIMUM_STRING_LENGTH });
    }
    // [MQTT-4.7.3-2]
    if has_any(text.as_bytes(), *b"\0") {
        return Err(TopicError::Nul);
    }
    Ok(())
}

/// Part of a peer's text as it may stand in an error message: control characters escaped, and short.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}

fn check_wildcards(filter: &str) -> Result<(), TopicError> {
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        // [MQTT-4.7.1-1]
        if level.contains('#') && (level.len() > 1 || levels.peek().is_some()) {
            return Err(TopicError::MultiLevelWildcard { level: shown(level) });
        }
        // [MQTT-4.7.1-2]
        if level.contains('+') && level.len() > 1 {
            return Err(TopicError::SingleLevelWildcard { level: shown(level) });
        }
    }
    Ok(())
}

macro_rules! text_conversions {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }
    };
}
text_conversions!(TopicName);
text_conversions!(TopicFilter);

#[cfg(test)]
mod tests;
