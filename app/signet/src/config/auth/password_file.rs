//! `type = "password_file"`: users in a file as `mosquitto_passwd` writes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use signet_auth::{Authenticator, Backend, LocalAuthenticator, PasswordFile, PasswordHash, UserKey};

use super::super::problem::Problems;
use super::super::section::Section;
use super::{AuthenticatorKind, Tools, exposure, password_hash};

/// Its name.
pub(super) const NAME: &str = "password_file";

/// Its keys.
#[derive(Debug)]
struct Settings {
    file: PathBuf,
    hash: PasswordHash,
    key: UserKey,
}

/// Reads its keys.
pub(super) fn read(section: &Section<'_>, base: &Path, problems: &Problems) -> Option<Arc<dyn AuthenticatorKind>> {
    let file = section.string("file").map(|at| base.join(at.value));
    let hash = password_hash::read(section, PasswordHash::Auto, problems);
    let key = user_key(section);
    if file.is_none() && !section.keys().iter().any(|key| key == "file") {
        let hint = "add file = \"passwords\"; `mosquitto_passwd -c passwords USER` makes one".to_owned();
        problems.at(&section.span, "an authenticator of type \"password_file\" has no `file`", Some(hint));
    }
    Some(Arc::new(Settings { file: file?, hash: hash?, key }))
}

/// By what a client is looked up.
pub(super) fn user_key(section: &Section<'_>) -> UserKey {
    let meanings = [("username", UserKey::Username), ("client_identifier", UserKey::ClientIdentifier)];
    section.choice("user", &meanings).map_or(UserKey::Username, |at| at.value)
}

impl Settings {
    fn load(&self, name: &str) -> Result<PasswordFile, String> {
        PasswordFile::read(&self.file, self.hash.clone(), name).map_err(|error| error.to_string())
    }
}

impl AuthenticatorKind for Settings {
    fn make(&self, backend: Arc<Backend>, tools: &Tools) -> Result<Arc<dyn Authenticator>, String> {
        let users = Arc::new(self.load(&backend.config().name)?);
        exposure::warn(&self.file);
        Ok(Arc::new(LocalAuthenticator::new(users, self.key, &self.hash, tools.hashing.clone())))
    }

    fn check(&self) -> Result<(), String> {
        self.load(NAME).map(drop)
    }

    fn files(&self) -> Vec<PathBuf> {
        vec![self.file.clone()]
    }
}
