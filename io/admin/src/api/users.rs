//! The built-in users.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use super::SessionsClosed;

/// Users in one request to import them, at most.
pub const IMPORT_MAXIMUM: usize = 500;

/// A password on its way; wiped when dropped, and never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    /// Takes it as it is.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret. The name is long on purpose: every use is easy to find.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretText(redacted)")
    }
}

impl Drop for SecretText {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What a user is to log in with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewSecret {
    /// A password: it is hashed with Argon2id, and kept nowhere.
    Password(SecretText),
    /// What another program made of one.
    Hash {
        /// How, as `password_hash` of an authenticator names it: `auto` where the hash says it itself, `salt,sha256`, `pbkdf2,sha256,1000,32`.
        kind: String,
        /// The hash.
        hash: SecretText,
        /// Its salt, where that is not in the hash.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        salt: Option<SecretText>,
    },
}

/// Which SCRAM keys a user is to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewScram {
    /// `SCRAM-SHA-256`, `SCRAM-SHA-512`, or both; none: none.
    pub mechanisms: Vec<String>,
    /// Rounds that every client has to compute; the usual number when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterations: Option<u32>,
}

/// A wish for a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddUser {
    /// The name: a user name, or a Client Identifier.
    pub name: String,
    /// What it logs in with; nothing: it cannot yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<NewSecret>,
    /// Keys to be made of the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scram: Option<NewScram>,
    /// Whether it may do everything.
    #[serde(default)]
    pub superuser: bool,
    /// Groups that rules can name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// Attributes that rules and templates can look at.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Whether it cannot log in yet.
    #[serde(default)]
    pub disabled: bool,
}

/// A wish to change a user. What is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeUser {
    /// Whom.
    pub name: String,
    /// What it logs in with from now on. The mechanisms of SCRAM that it had stay, with new keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<NewSecret>,
    /// Keys to be made of the new password, in place of those of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scram: Option<NewScram>,
    /// Whether it may do everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superuser: Option<bool>,
    /// All of its groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<BTreeSet<String>>,
    /// All of its attributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<BTreeMap<String, String>>,
    /// Whether it cannot log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
    /// Sessions that are open stay so, with the rights that they have. Not where the user is disabled.
    #[serde(default)]
    pub keep_sessions: bool,
}

/// A wish to remove a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveUser {
    /// Whom.
    pub name: String,
    /// Sessions that are open stay so.
    #[serde(default)]
    pub keep_sessions: bool,
}

/// A wish for many users, all of them or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportUsers {
    /// At most [`IMPORT_MAXIMUM`].
    pub users: Vec<AddUser>,
    /// Whether users who are there already are replaced; otherwise one of them makes the whole request fail.
    #[serde(default)]
    pub replace: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// Users who were not there before.
    pub added: usize,
    /// Users who were.
    pub replaced: usize,
    /// Sessions closed of those; absent when no broker runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<SessionsClosed>,
}

/// One user as people and scripts see it: no hash and no key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name.
    pub name: String,
    /// `enabled` or `disabled`.
    pub status: String,
    /// How its password is hashed, such as `argon2id`; absent: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The mechanisms of SCRAM that it has keys for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scram: Vec<String>,
    /// Whether it may do everything.
    pub superuser: bool,
    /// Its groups.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub groups: BTreeSet<String>,
    /// Its attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: String,
    /// When it was changed last.
    pub changed_at: String,
    /// Who changed it last.
    pub changed_by: String,
}

/// Part of the users, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserList {
    /// At most as many as fit.
    pub users: Vec<User>,
    /// Where to go on, if there are more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserQuery {
    /// Behind this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// What a change did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserReport {
    /// How the user is now, or was when it was removed.
    #[serde(flatten)]
    pub user: User,
    /// Sessions closed; absent when no broker runs, and where nobody could have one that has to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<SessionsClosed>,
}
