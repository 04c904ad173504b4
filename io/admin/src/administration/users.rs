//! The built-in users: durable in the ledger, then in force for everybody who logs in, then the sessions of before are ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;
use signet_auth::{BuiltInUser, NewHash, PasswordHash, SCRAM_ITERATIONS, ScramKeys, ScramMechanism, UserStore};
use signet_ledger::{User, UserPassword, UserScram};
use signet_net::{KickCause, KickReport, unix_milliseconds, unix_seconds};

use super::nearest::nearest;
use super::{Administration, Desk, Done, Live, PAGE, PATIENCE, failed, invalid};
use crate::api::{
    self, AddUser, ChangeUser, IMPORT_MAXIMUM, ImportReport, ImportUsers, NewScram, NewSecret, Problem, ProblemKind, RemoveUser, UserList,
    UserQuery, UserReport,
};
use crate::caller::Caller;
use crate::view;

/// The longest name of a user, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// The longest password, in bytes.
const PASSWORD_BYTES_MAX: usize = 1024;
/// The longest name of a group or an attribute, and the longest value of one, in bytes.
const WORD_BYTES_MAX: usize = 256;
/// Groups of a user at most, and attributes.
const WORDS_MAX: usize = 64;
/// Users looked through for a likely name.
const EXAMINED_MAXIMUM: usize = 10_000;

impl Administration {
    /// The users as they are in force: looked up by those who vouch. Empty until [`Self::load_users`].
    #[must_use]
    pub fn user_store(&self) -> Arc<UserStore> {
        Arc::clone(&self.users)
    }

    /// Puts all users of the ledger in force, as a broker starts with them.
    ///
    /// # Errors
    /// The ledger fails.
    pub fn load_users(&self) -> Result<(), Problem> {
        let users = self.desk().ledger.users(None, usize::MAX).map_err(failed)?;
        self.users.load(users.iter().map(|user| (Arc::from(user.name.as_str()), in_force(user))));
        Ok(())
    }

    /// Makes a user.
    ///
    /// # Errors
    /// There is one of that name, or what is asked for makes no sense: nothing was changed. The ledger fails.
    pub fn add_user(&self, request: &AddUser, caller: &Caller) -> Result<UserReport, Problem> {
        let user = made(request, caller)?;
        let mut desk = self.desk();
        if desk.ledger.user(&user.name).map_err(failed)?.is_some() {
            let hint = format!("`signet user set {0}` changes it, `signet user password {0}` its password", user.name);
            return Err(invalid(format!("there is a user `{}` already", user.name)).with_hint(hint));
        }
        desk.ledger.record_users(std::slice::from_ref(&user)).map_err(failed)?;
        self.users.put(&user.name, in_force(&user), false);
        desk.record_user("user.add", &user, json!({ "superuser": user.superuser, "disabled": user.disabled }), caller, None);
        Ok(UserReport { user: view::user(&user), sessions: None })
    }

    /// Changes a user, and ends the sessions of those who are connected as it was.
    ///
    /// # Errors
    /// There is no such user, or what is asked for makes no sense: nothing was changed. The ledger fails.
    pub fn change_user(&self, request: &ChangeUser, caller: &Caller) -> Result<UserReport, Problem> {
        let found = |desk: &Desk| {
            let user = desk.ledger.user(&request.name).map_err(failed)?;
            user.ok_or_else(|| desk.no_user(&request.name))
        };
        // What takes long is computed while others work.
        let before = found(&self.desk())?;
        let secret = changed_secret(request, &before)?;
        let mut desk = self.desk();
        let mut user = found(&desk)?;
        let mut changed = Vec::new();
        if let Some((password, scram)) = secret {
            changed.push("password");
            (user.password, user.scram) = (password, scram);
        }
        if let Some(superuser) = request.superuser {
            changed.push("superuser");
            user.superuser = superuser;
        }
        if let Some(groups) = &request.groups {
            changed.push("groups");
            user.groups.clone_from(groups);
        }
        if let Some(attributes) = &request.attributes {
            changed.push("attributes");
            user.attributes.clone_from(attributes);
        }
        if let Some(disabled) = request.disabled {
            changed.push(if disabled { "disabled" } else { "enabled" });
            user.disabled = disabled;
        }
        check_words(&user.groups, &user.attributes)?;
        (user.changed_at, user.changed_by) = (unix_seconds(), caller.as_str().to_owned());
        desk.ledger.record_users(std::slice::from_ref(&user)).map_err(failed)?;
        self.users.put(&user.name, in_force(&user), request.keep_sessions);
        let ended = self.live.get().map(|live| self.end_sessions(live, &user.name));
        desk.record_user("user.change", &user, json!({ "changed": changed, "keep_sessions": request.keep_sessions }), caller, ended);
        Ok(UserReport { user: view::user(&user), sessions: ended.map(|(at, report)| view::sessions(&report, Some(at))) })
    }

    /// Removes a user, and ends its sessions.
    ///
    /// # Errors
    /// There is no such user: nothing was changed. The ledger fails.
    pub fn remove_user(&self, request: &RemoveUser, caller: &Caller) -> Result<UserReport, Problem> {
        let mut desk = self.desk();
        let Some(user) = desk.ledger.remove_user(&request.name).map_err(failed)? else { return Err(desk.no_user(&request.name)) };
        self.users.remove(&user.name);
        let ended = self.live.get().filter(|_| !request.keep_sessions).map(|live| self.end_sessions(live, &user.name));
        desk.record_user("user.remove", &user, json!({ "keep_sessions": request.keep_sessions }), caller, ended);
        Ok(UserReport { user: view::user(&user), sessions: ended.map(|(at, report)| view::sessions(&report, Some(at))) })
    }

    /// Makes many users at once, all of them or none.
    ///
    /// # Errors
    /// One of them makes no sense or, unless users are to be replaced, is there already; there are too many: nothing was changed. The ledger fails.
    pub fn import_users(&self, request: &ImportUsers, caller: &Caller) -> Result<ImportReport, Problem> {
        if request.users.len() > IMPORT_MAXIMUM {
            return Err(invalid(format!("{} users in one request, and at most {IMPORT_MAXIMUM} are taken", request.users.len())));
        }
        let mut users = request.users.iter().map(|user| made(user, caller)).collect::<Result<Vec<User>, Problem>>()?;
        let mut names = BTreeSet::new();
        if let Some(twice) = users.iter().find(|user| !names.insert(user.name.as_str())) {
            return Err(invalid(format!("the user `{}` is there twice", twice.name)));
        }
        let mut desk = self.desk();
        let mut replaced = Vec::new();
        for user in &mut users {
            let Some(before) = desk.ledger.user(&user.name).map_err(failed)? else { continue };
            if !request.replace {
                return Err(
                    invalid(format!("there is a user `{}` already", user.name)).with_hint("--replace puts the new ones in their place")
                );
            }
            user.created_at = before.created_at;
            replaced.push(user.name.clone());
        }
        desk.ledger.record_users(&users).map_err(failed)?;
        for user in &users {
            self.users.put(&user.name, in_force(user), false);
        }
        let at = unix_milliseconds();
        let ended = self.live.get().filter(|_| !replaced.is_empty()).map(|live| {
            let ended = replaced.iter().map(|name| self.end_sessions(live, name).1);
            (at, ended.fold(KickReport::default(), KickReport::and))
        });
        let added = users.len() - replaced.len();
        desk.record(&Done {
            action: "user.import",
            by: caller.as_str(),
            details: json!({ "added": added, "replaced": replaced.len() }),
            revoked_at: ended.map(|(at, _)| at),
            sessions: ended.map(|(_, report)| report),
            ..Done::default()
        });
        tracing::info!(by = caller.as_str(), added, replaced = replaced.len(), "users imported");
        Ok(ImportReport { added, replaced: replaced.len(), sessions: ended.map(|(at, report)| view::sessions(&report, Some(at))) })
    }

    /// One user.
    ///
    /// # Errors
    /// There is none of that name; the ledger fails.
    pub fn user(&self, name: &str) -> Result<api::User, Problem> {
        let desk = self.desk();
        let found = desk.ledger.user(name).map_err(failed)?;
        found.map(|user| view::user(&user)).ok_or_else(|| desk.no_user(name))
    }

    /// Part of the users, by name.
    ///
    /// # Errors
    /// The ledger fails.
    pub fn list_users(&self, query: &UserQuery) -> Result<UserList, Problem> {
        let found = self.desk().ledger.users(query.after.as_deref(), PAGE).map_err(failed)?;
        let next = if found.len() == PAGE { found.last().map(|user| user.name.clone()) } else { None };
        Ok(UserList { users: found.iter().map(view::user).collect(), next })
    }

    /// Ends the sessions of those who were let in by something that does not hold any more, and says since when it does not, Unix milliseconds.
    fn end_sessions(&self, live: &Live, name: &str) -> (i64, KickReport) {
        let at = unix_milliseconds();
        let cause = KickCause::CredentialRevoked(name.into());
        (at, live.registry.end_credential(&UserStore::credential(name), self.users.current(name), &cause, PATIENCE))
    }
}

impl Desk {
    fn no_user(&self, name: &str) -> Problem {
        let shown: String = name.chars().filter(|character| !character.is_control()).take(64).collect();
        let problem = Problem::new(ProblemKind::NotFound, format!("there is no user `{shown}`"));
        let users = self.ledger.users(None, EXAMINED_MAXIMUM).unwrap_or_default();
        match nearest(name, users.iter().map(|user| user.name.as_str())) {
            Some(meant) => problem.with_hint(format!("did you mean `{meant}`?")),
            None => problem.with_hint("`signet user list` shows who is there"),
        }
    }

    fn record_user(&mut self, action: &str, user: &User, details: serde_json::Value, caller: &Caller, ended: Option<(i64, KickReport)>) {
        let closed = ended.map_or(0, |(_, report)| report.closed);
        tracing::info!(user = user.name, by = caller.as_str(), closed, "{action}");
        self.record(&Done {
            action,
            subject: &user.name,
            by: caller.as_str(),
            details,
            revoked_at: ended.map(|(at, _)| at),
            sessions: ended.map(|(_, report)| report),
        });
    }
}

/// A new user as it is asked for, its password hashed.
fn made(request: &AddUser, caller: &Caller) -> Result<User, Problem> {
    if request.name.is_empty() || request.name.len() > NAME_BYTES_MAX || request.name.chars().any(char::is_control) {
        let found = request.name.len();
        return Err(invalid(format!("a name of {found} bytes was given, expected 1 to {NAME_BYTES_MAX} without control characters")));
    }
    check_words(&request.groups, &request.attributes)?;
    let password = request.secret.as_ref().map(|secret| hashed(secret, &request.name)).transpose()?;
    let scram = match &request.scram {
        Some(wish) => scram(wish, request.secret.as_ref())?,
        None => Vec::new(),
    };
    let now = unix_seconds();
    Ok(User {
        name: request.name.clone(),
        password,
        scram,
        superuser: request.superuser,
        groups: request.groups.clone(),
        attributes: request.attributes.clone(),
        disabled: request.disabled,
        created_at: now,
        changed_at: now,
        changed_by: caller.as_str().to_owned(),
    })
}

/// What a user logs in with.
type Secrets = (Option<UserPassword>, Vec<UserScram>);

/// What a user logs in with from now on; `None`: what it does now.
fn changed_secret(request: &ChangeUser, before: &User) -> Result<Option<Secrets>, Problem> {
    if request.secret.is_none() {
        return match &request.scram {
            None => Ok(None),
            Some(wish) if wish.mechanisms.is_empty() => Ok(Some((before.password.clone(), Vec::new()))),
            Some(_) => Err(no_password_for_scram()),
        };
    }
    let password = request.secret.as_ref().map(|secret| hashed(secret, &request.name)).transpose()?;
    let as_before = || NewScram {
        mechanisms: before.scram.iter().map(|keys| keys.mechanism.clone()).collect(),
        iterations: before.scram.iter().map(|keys| keys.iterations).max(),
    };
    let wish = match (&request.scram, &request.secret) {
        (Some(wish), _) => wish.clone(),
        // Keys of the old password must not go on to open the door, and none can be made of a hash.
        (None, Some(NewSecret::Hash { .. })) => NewScram { mechanisms: Vec::new(), iterations: None },
        (None, _) => as_before(),
    };
    Ok(Some((password, scram(&wish, request.secret.as_ref())?)))
}

fn hashed(secret: &NewSecret, name: &str) -> Result<UserPassword, Problem> {
    match secret {
        NewSecret::Password(password) => {
            let length = password.expose().len();
            if !(1..=PASSWORD_BYTES_MAX).contains(&length) {
                return Err(invalid(format!("the password of `{name}` has {length} bytes, expected 1 to {PASSWORD_BYTES_MAX}")));
            }
            let hash = NewHash::Argon2id.make(password.expose().as_bytes()).map_err(failed)?;
            Ok(UserPassword { kind: "auto".to_owned(), hash, salt: None })
        }
        NewSecret::Hash { kind, hash, salt } => {
            let read: PasswordHash = kind.parse().map_err(invalid)?;
            if read == PasswordHash::Plain {
                return Err(invalid("plain passwords are not stored: give the password itself, and it is hashed"));
            }
            read.check(hash.expose().as_bytes()).map_err(|error| invalid(format!("the password of `{name}`: {error}")))?;
            let salt = salt.as_ref().map(|salt| salt.expose().to_owned());
            Ok(UserPassword { kind: kind.clone(), hash: hash.expose().to_owned(), salt })
        }
    }
}

fn scram(wish: &NewScram, secret: Option<&NewSecret>) -> Result<Vec<UserScram>, Problem> {
    if wish.mechanisms.is_empty() {
        return Ok(Vec::new());
    }
    let Some(NewSecret::Password(password)) = secret else { return Err(no_password_for_scram()) };
    let mut made: Vec<UserScram> = Vec::new();
    for name in &wish.mechanisms {
        let mechanism = ScramMechanism::named(name)
            .ok_or_else(|| invalid(format!("there is no mechanism `{name}`: expected `SCRAM-SHA-256` or `SCRAM-SHA-512`")))?;
        if made.iter().any(|keys| keys.mechanism == *name) {
            continue;
        }
        let keys = ScramKeys::make(mechanism, password.expose(), wish.iterations.unwrap_or(SCRAM_ITERATIONS)).map_err(invalid)?;
        let ScramKeys { salt, iterations, stored_key, server_key, .. } = keys;
        made.push(UserScram { mechanism: name.clone(), salt, iterations, stored_key, server_key });
    }
    Ok(made)
}

fn no_password_for_scram() -> Problem {
    invalid("keys for SCRAM are made of a password, and none was given").with_hint("`signet user password NAME --scram sha256`")
}

fn check_words(groups: &BTreeSet<String>, attributes: &BTreeMap<String, String>) -> Result<(), Problem> {
    if groups.len() > WORDS_MAX || attributes.len() > WORDS_MAX {
        return Err(invalid(format!("a user has at most {WORDS_MAX} groups and {WORDS_MAX} attributes")));
    }
    let words = groups.iter().chain(attributes.keys());
    let is_wrong = |word: &String| word.is_empty() || word.len() > WORD_BYTES_MAX || word.chars().any(char::is_control);
    if let Some(wrong) = words.into_iter().find(|word| is_wrong(word)) {
        let found = wrong.len();
        return Err(invalid(format!(
            "the name of a group or attribute has {found} bytes, expected 1 to {WORD_BYTES_MAX} without control characters"
        )));
    }
    if let Some((name, value)) = attributes.iter().find(|(_, value)| value.len() > WORD_BYTES_MAX || value.chars().any(char::is_control)) {
        return Err(invalid(format!(
            "the attribute `{name}` has {} bytes, expected at most {WORD_BYTES_MAX} without control characters",
            value.len()
        )));
    }
    Ok(())
}

/// A user as those who vouch look it up. What cannot be read lets nobody in.
fn in_force(user: &User) -> BuiltInUser {
    let unreadable =
        |what: &str| tracing::error!(user = user.name, "the stored {what} of a user cannot be read by this version: it does not count");
    let password = user.password.as_ref().and_then(|password| match password.kind.parse() {
        Ok(kind) => Some((kind, password.hash.clone(), password.salt.clone())),
        Err(_) => {
            unreadable("password");
            None
        }
    });
    let scram = user.scram.iter().filter_map(|keys| {
        let Some(mechanism) = ScramMechanism::named(&keys.mechanism) else {
            unreadable("SCRAM key");
            return None;
        };
        let UserScram { salt, iterations, stored_key, server_key, .. } = keys.clone();
        Some(ScramKeys { mechanism, salt, iterations, stored_key, server_key })
    });
    BuiltInUser {
        password,
        scram: scram.collect(),
        superuser: user.superuser,
        groups: user.groups.iter().map(|group| group.as_str().into()).collect(),
        attributes: user.attributes.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect(),
        is_disabled: user.disabled,
    }
}
