//! `type = "users"`: the built-in users, by password.

use std::path::Path;
use std::sync::Arc;

use signet_auth::{Authenticator, Backend, LocalAuthenticator, PasswordHash, UserKey};

use super::super::problem::Problems;
use super::super::section::Section;
use super::password_file::user_key;
use super::{AuthenticatorKind, Tools};

/// Its name.
pub(super) const NAME: &str = "users";

/// Its keys.
#[derive(Debug)]
struct Settings {
    key: UserKey,
}

/// Reads its keys.
pub(super) fn read(section: &Section<'_>, _base: &Path, _problems: &Problems) -> Option<Arc<dyn AuthenticatorKind>> {
    Some(Arc::new(Settings { key: user_key(section) }))
}

impl AuthenticatorKind for Settings {
    fn make(&self, _backend: Arc<Backend>, tools: &Tools) -> Result<Arc<dyn Authenticator>, String> {
        // Most of them have the hash that we make.
        Ok(Arc::new(LocalAuthenticator::new(tools.users.clone(), self.key, &PasswordHash::Argon2, tools.hashing.clone())))
    }
}
