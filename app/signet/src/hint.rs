//! A failure as people meet it: what happened, what to try, and the exit code that goes with it.

use std::fmt;
use std::path::Path;

use signet_ledger::FileError;

use crate::exit::Exit;

/// What a command returns when it cannot do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The code the process ends with.
    pub(crate) exit: Exit,
    /// Lower case, no full stop, values in backticks.
    pub(crate) message: String,
    /// One thing to try, where one is known.
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// A failure of the world: exit code 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into(), hint: None }
    }

    /// The same with another exit code.
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The same with something to try.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A file could not be read, written or made.
    pub(crate) fn file(verb: &str, path: &Path, error: &std::io::Error) -> Self {
        let failure = Self::new(format!("cannot {verb} `{}`: {}", path.display(), plain(error)));
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => failure.hint(format!("check who owns it: ls -ld {}", directory_of(path).display())),
            std::io::ErrorKind::NotFound if path.is_relative() => failure.hint("check the path, it is relative to the current directory"),
            std::io::ErrorKind::NotFound => failure.hint(format!("check the path: ls -ld {}", directory_of(path).display())),
            _ => failure,
        }
    }
}

impl From<FileError> for Failure {
    /// Certificate and key files, in the words of every other file.
    fn from(error: FileError) -> Self {
        match &error {
            FileError::Read { path, source } => Self::file("read", path, source),
            FileError::Write { path, source } => Self::file("write", path, source),
            _ => Self::new(error.to_string()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "signet: error: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(formatter, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Where a path lives; the current directory for a bare name.
fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// An I/O error in our voice: "permission denied" instead of "Permission denied (os error 13)".
pub(crate) fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or_default();
    let mut characters = words.chars();
    match (characters.next(), characters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(characters).collect(),
        _ => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_prints_its_hint_on_a_line_of_its_own() {
        let failure = Failure::new("port `8883` is taken").hint("--port 8884");
        assert_eq!(failure.to_string(), "signet: error: port `8883` is taken\nhint: --port 8884");
    }

    #[test]
    fn every_file_is_told_of_in_the_same_words() {
        let source = std::io::Error::from_raw_os_error(13);
        let failure = Failure::from(FileError::Read { path: "ca/issuing.key".into(), source });
        assert_eq!(
            failure.to_string(),
            "signet: error: cannot read `ca/issuing.key`: permission denied\nhint: check who owns it: ls -ld ca"
        );
    }

    #[test]
    fn system_errors_lose_their_number_and_capital() {
        let error = std::io::Error::from_raw_os_error(13);
        assert_eq!(plain(&error), "permission denied");
    }
}
