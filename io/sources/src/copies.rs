//! The last good copy of each list, on disk: a broker that starts while the CA's web server is down knows what it knew before.
//!
//! `DIGEST.crl` is the list as it came, so that `openssl crl` reads it; `DIGEST.json` says where from. The digest is that of profile and
//! address. A copy is believed no more than the server: it is verified again when it is loaded.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::http::Validators;
use signet_http::Url;

/// Where copies are kept; nowhere without a directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Copies(Option<PathBuf>);

/// What is known about a copy besides its bytes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct About {
    pub(crate) profile: String,
    pub(crate) url: String,
    /// Whether a certificate named the address, rather than the configuration.
    pub(crate) from_certificate: bool,
    /// When it was fetched, seconds since 1970-01-01 UTC.
    pub(crate) fetched: i64,
    pub(crate) validators: Validators,
}

impl Copies {
    /// Makes the directory, for this user only, and takes from others what rights they have on it.
    pub(crate) fn open(directory: Option<&Path>) -> io::Result<Self> {
        let Some(directory) = directory else { return Ok(Self(None)) };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
        Ok(Self(Some(directory.to_owned())))
    }

    /// Keeps a copy: first the list, then what it is, each whole or not at all.
    pub(crate) fn keep(&self, about: &About, list: &[u8]) -> io::Result<()> {
        let Some(base) = self.base(&about.profile, &about.url) else { return Ok(()) };
        let text = serde_json::to_vec_pretty(about).map_err(io::Error::other)?;
        // The validators of a list that is not there would keep the server from sending it.
        let _ = fs::remove_file(base.with_extension("json"));
        replace(&base.with_extension("crl"), list)?;
        replace(&base.with_extension("json"), &text)
    }

    /// The copy of an address, if there is one of at most so many bytes.
    pub(crate) fn load(&self, profile: &str, url: &Url, maximum_size: usize) -> Option<(About, Vec<u8>)> {
        let base = self.base(profile, url.as_str())?;
        let about = read_about(&base.with_extension("json"))?;
        let file = base.with_extension("crl");
        let fits = fs::metadata(&file).is_ok_and(|found| usize::try_from(found.len()).unwrap_or(usize::MAX) <= maximum_size);
        if !fits || about.url != url.as_str() || about.profile != profile {
            return None;
        }
        fs::read(file).ok().map(|list| (about, list))
    }

    /// Removes the copy of an address.
    pub(crate) fn forget(&self, profile: &str, url: &Url) {
        let Some(base) = self.base(profile, url.as_str()) else { return };
        let _ = fs::remove_file(base.with_extension("json"));
        let _ = fs::remove_file(base.with_extension("crl"));
    }

    /// The addresses that certificates named and of which there is a copy, those fetched last first.
    pub(crate) fn named_by_certificates(&self) -> Vec<About> {
        let Some(entries) = self.0.as_ref().and_then(|directory| fs::read_dir(directory).ok()) else { return Vec::new() };
        let files = entries.filter_map(Result::ok).map(|entry| entry.path());
        let found = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        let mut found: Vec<About> = found.filter_map(|path| read_about(&path)).filter(|about| about.from_certificate).collect();
        found.sort_by_key(|about| std::cmp::Reverse(about.fetched));
        found
    }

    fn base(&self, profile: &str, url: &str) -> Option<PathBuf> {
        let directory = self.0.as_ref()?;
        let digest = Sha256::new().chain_update(profile).chain_update([0]).chain_update(url).finalize();
        Some(directory.join(hex::encode(digest)))
    }
}

/// The files are ours; one that is larger than any we write is not.
fn read_about(path: &Path) -> Option<About> {
    let small = fs::metadata(path).is_ok_and(|found| found.len() <= 16 * 1024);
    if small { serde_json::from_slice(&fs::read(path).ok()?).ok() } else { None }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(profile: &str, url: &str, from_certificate: bool, fetched: i64) -> About {
        let validators = Validators { etag: Some("\"1\"".to_owned()), last_modified: None };
        About { profile: profile.to_owned(), url: url.to_owned(), from_certificate, fetched, validators }
    }

    #[test]
    fn a_copy_is_kept_by_profile_and_address_for_this_user_only() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("copies");
        let copies = Copies::open(Some(&directory)).unwrap();
        let url: Url = "http://a/1.crl".parse().unwrap();
        let kept = about("p", "http://a/1.crl", false, 5);
        copies.keep(&kept, b"list").unwrap();
        assert_eq!(copies.load("p", &url, 100), Some((kept, b"list".to_vec())));
        assert_eq!(copies.load("q", &url, 100), None, "another profile");
        assert_eq!(copies.load("p", &url, 3), None, "too large");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory), 0o700);
        for entry in fs::read_dir(&directory).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600);
        }
        copies.forget("p", &url);
        assert_eq!(copies.load("p", &url, 100), None);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    }

    #[test]
    fn only_what_certificates_named_is_found_again_newest_first() {
        let directory = tempfile::tempdir().unwrap();
        let copies = Copies::open(Some(directory.path())).unwrap();
        for (name, from_certificate, fetched) in [("http://a/1", true, 1), ("http://a/2", false, 2), ("http://a/3", true, 3)] {
            copies.keep(&about("p", name, from_certificate, fetched), b"x").unwrap();
        }
        fs::write(directory.path().join("damaged.json"), "{").unwrap();
        let urls: Vec<String> = copies.named_by_certificates().into_iter().map(|about| about.url).collect();
        assert_eq!(urls, ["http://a/3", "http://a/1"]);
        assert!(Copies::default().named_by_certificates().is_empty());
    }
}
