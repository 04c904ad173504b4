//! The files that the configuration names, certificates, keys and those with passwords and rules, watched for being replaced. CRL files are watched by `signet-sources`; the
//! configuration itself is read only when somebody asks, because an editor may have written half of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::config::Config;

/// What changes when a file is written or replaced; `None`: it is not there.
type Stamp = Option<(u64, u64, i64, i64)>;

/// Files and what each looked like when it was last taken over.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    files: BTreeMap<PathBuf, Stamp>,
    /// How they looked at the last call, if not as they were taken over: a certificate and its key are two files, and one may still be on its way.
    unsettled: Option<BTreeMap<PathBuf, Stamp>>,
}

impl Watched {
    /// The files of a configuration as they are now.
    pub(crate) fn of(config: &Config) -> Self {
        let credentials = config.listeners.iter().filter_map(|listener| listener.tls.as_ref()).flat_map(|tls| tls.credentials());
        let shown = credentials.flat_map(|credential| [&credential.certificate.value, &credential.key.value]);
        let believed = config.profiles.iter().flat_map(|profile| {
            let sources = &profile.sources;
            profile.authorities.iter().chain(&sources.crl_issuers).chain(&sources.https_trust).map(|at| &at.value)
        });
        let shared = config.listeners.iter().filter_map(|listener| listener.psk.as_ref()).flat_map(|psk| psk.files());
        Self::new(shown.chain(shared).chain(believed).cloned().chain(config.authentication.files()))
    }

    fn new(files: impl Iterator<Item = PathBuf>) -> Self {
        Self { files: look(files), unsettled: None }
    }

    /// A file that has changed since it was taken over, once all of them have looked the same for two calls in a row. Told once for each change.
    pub(crate) fn changed(&mut self) -> Option<PathBuf> {
        let now = look(self.files.keys().cloned());
        if now == self.files {
            self.unsettled = None;
            return None;
        }
        if self.unsettled.as_ref() != Some(&now) {
            self.unsettled = Some(now);
            return None;
        }
        let path = now.iter().find(|(path, stamp)| self.files.get(*path) != Some(stamp)).map(|(path, _)| path.clone());
        self.files = now;
        self.unsettled = None;
        path
    }
}

fn look(files: impl Iterator<Item = PathBuf>) -> BTreeMap<PathBuf, Stamp> {
    files.map(|path| (path.clone(), stamp(&path))).collect()
}

fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.size(), metadata.ino(), metadata.mtime(), metadata.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_when_it_has_settled() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two) = (directory.path().join("one"), directory.path().join("two"));
        fs::write(&one, "1").unwrap();
        let mut watched = Watched::new([one.clone(), two.clone()].into_iter());
        assert_eq!(watched.changed(), None);
        fs::write(&one, "11").unwrap();
        assert_eq!(watched.changed(), None, "the other file may follow");
        fs::write(&two, "2").unwrap();
        assert_eq!(watched.changed(), None, "it did");
        assert_eq!(watched.changed(), Some(one.clone()));
        assert_eq!(watched.changed(), None);
        fs::remove_file(&two).unwrap();
        assert_eq!((watched.changed(), watched.changed(), watched.changed()), (None, Some(two), None));
        fs::write(&one, "x").unwrap();
        assert_eq!(watched.changed(), None);
        assert_eq!(watched.changed(), Some(one));
    }
}
