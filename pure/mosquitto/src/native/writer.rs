//! Writes a `signet.toml`, and remembers from which line of the original each part of it comes.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::Place;

/// A text that grows.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    text: String,
    origins: Vec<(Range<usize>, Place)>,
}

/// A value of TOML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Toml {
    Text(String),
    Number(i64),
    Switch(bool),
    List(Vec<Self>),
}

impl Writer {
    /// Adds a line for people. An empty one is an empty line.
    pub(crate) fn comment(&mut self, text: &str) {
        self.push(if text.is_empty() { "\n".to_owned() } else { format!("# {text}\n") });
    }

    /// Begins a table: `[log]`, `[[listener]]`.
    pub(crate) fn table(&mut self, header: &str, origin: Option<&Place>) {
        if !self.text.is_empty() {
            self.push("\n".to_owned());
        }
        self.line(header.to_owned(), origin);
    }

    /// Writes a key. `origin`: the line that says so; `None`: it is Mosquitto's default, or follows from it.
    pub(crate) fn key(&mut self, key: &str, value: impl Into<Toml>, origin: Option<&Place>) {
        self.line(format!("{key} = {}", value.into()), origin);
    }

    /// The text, and where its parts come from.
    pub(crate) fn finish(self) -> (String, Vec<(Range<usize>, Place)>) {
        (self.text, self.origins)
    }

    fn line(&mut self, mut line: String, origin: Option<&Place>) {
        let start = self.text.len();
        if let Some(place) = origin {
            // Whatever the name of a file holds, it must not end the comment.
            let file: String =
                place.file.to_string_lossy().chars().map(|character| if character.is_control() { '?' } else { character }).collect();
            // A String takes whatever is written.
            let _ = write!(line, "  # {file}:{}", place.line);
            self.origins.push((start..start + line.len(), place.clone()));
        }
        line.push('\n');
        self.push(line);
    }

    fn push(&mut self, text: String) {
        self.text.push_str(&text);
    }
}

impl fmt::Display for Toml {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => quoted(text, formatter),
            Self::Number(number) => number.fmt(formatter),
            Self::Switch(value) => value.fmt(formatter),
            Self::List(values) => {
                formatter.write_char('[')?;
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        formatter.write_str(", ")?;
                    }
                    value.fmt(formatter)?;
                }
                formatter.write_char(']')
            }
        }
    }
}

/// A basic string of TOML.
fn quoted(text: &str, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    formatter.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(formatter, "\\{character}")?,
            control if control.is_control() => write!(formatter, "\\u{:04X}", u32::from(control))?,
            other => formatter.write_char(other)?,
        }
    }
    formatter.write_char('"')
}

impl From<&str> for Toml {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Toml {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&Path> for Toml {
    fn from(path: &Path) -> Self {
        Self::Text(path.to_string_lossy().into_owned())
    }
}

impl From<PathBuf> for Toml {
    fn from(path: PathBuf) -> Self {
        path.as_path().into()
    }
}

impl From<i64> for Toml {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Toml {
    fn from(value: bool) -> Self {
        Self::Switch(value)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Toml {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Self>, const N: usize> From<[T; N]> for Toml {
    fn from(values: [T; N]) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_text_holds_comes_back() {
        for text in ["", "plain", "with \"quotes\" and \\", "größe", "bell \u{7} and del \u{7f}", "# none", "a\nb"] {
            let mut writer = Writer::default();
            writer.key("text", text, Some(&Place { file: "a\nb".into(), line: 3 }));
            let (written, origins) = writer.finish();
            let read: toml::Table = written.parse().unwrap();
            assert_eq!(read["text"].as_str(), Some(text));
            assert_eq!((origins.len(), origins[0].0.start), (1, 0));
        }
    }
}
