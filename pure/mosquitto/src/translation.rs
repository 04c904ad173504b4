//! What comes out of a `mosquitto.conf`: the same as `signet.toml`, and where each part of it came from.

use std::ops::Range;
use std::path::{Path, PathBuf};

/// The file system, as far as a configuration can name it.
pub trait Files {
    /// The whole content of a file.
    ///
    /// # Errors
    /// Why it cannot be read, in words for people.
    fn read(&self, path: &Path) -> Result<Vec<u8>, String>;

    /// Names of the entries of a directory, in any order.
    ///
    /// # Errors
    /// Why it cannot be read, in words for people.
    fn list(&self, directory: &Path) -> Result<Vec<String>, String>;
}

/// A line of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where; `None`: the configuration as a whole.
    pub place: Option<Place>,
    /// What was found and what was expected, in Mosquitto's words where it has any.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What is accepted but means something else here than with Mosquitto, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Where.
    pub place: Place,
    /// What is different, and what to do about it if that matters.
    pub message: String,
}

/// A configuration of Mosquitto as one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// The text of a `signet.toml`, with comments.
    pub toml: String,
    /// From which line of the original each part of the text comes, in the order of the text; what is in no range is Mosquitto's default.
    pub origins: Vec<(Range<usize>, Place)>,
    /// What somebody should know who has used Mosquitto until now.
    pub notices: Vec<Notice>,
}

impl Translation {
    /// From which line of the original a part of the text comes.
    #[must_use]
    pub fn origin(&self, part: &Range<usize>) -> Option<&Place> {
        self.origins.iter().find(|(range, _)| range.start <= part.start && part.start < range.end).map(|(_, place)| place)
    }
}
