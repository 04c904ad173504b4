//! Which configuration the program was started with, and by whose grammar it is read: asked again at every reload.

use std::path::{Path, PathBuf};

/// A configuration to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A `signet.toml`.
    Native(PathBuf),
    /// A `mosquitto.conf`, or what Mosquitto does without one.
    Mosquitto(MosquittoOrigin),
}

/// What Mosquitto would have been started with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MosquittoOrigin {
    /// Its configuration file, if it was given one.
    pub(crate) file: Option<PathBuf>,
    /// Ports to listen on where the file has no listener.
    pub(crate) ports: Vec<u16>,
    /// Where it keeps what has to outlive it, once that was chosen because the file does not say.
    pub(crate) place: Option<PathBuf>,
}

impl Origin {
    /// By the name of the file: Mosquitto's end in `.conf`.
    pub(crate) fn of(path: &Path) -> Self {
        if path.extension().is_some_and(|extension| extension == "conf") {
            return Self::Mosquitto(MosquittoOrigin { file: Some(path.to_owned()), ..MosquittoOrigin::default() });
        }
        Self::Native(path.to_owned())
    }

    /// The directory that nobody has named, if there is one.
    pub(crate) fn own_place(&self) -> Option<&Path> {
        match self {
            Self::Native(_) => None,
            Self::Mosquitto(origin) => origin.place.as_deref(),
        }
    }

    /// The file, as messages name it.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Native(path) => path,
            Self::Mosquitto(origin) => origin.file.as_deref().unwrap_or_else(|| Path::new("no configuration file")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_says_by_whose_grammar_it_is_read() {
        for (path, is_mosquitto) in [("/etc/mosquitto/mosquitto.conf", true), ("a.conf", true), ("signet.toml", false), ("conf", false)] {
            assert_eq!(matches!(Origin::of(Path::new(path)), Origin::Mosquitto(_)), is_mosquitto, "{path}");
            assert_eq!(Origin::of(Path::new(path)).path(), Path::new(path));
        }
    }
}
