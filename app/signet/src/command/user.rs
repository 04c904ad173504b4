//! `signet user add|list|show|password|set|disable|enable|remove|import`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use signet_admin::api::{AddUser, ChangeUser, NewScram, NewSecret, RemoveUser, SecretText, SessionsClosed, User, UserReport};

use super::device::{day, sessions};
use crate::exit::Exit;
use crate::flags::{Mechanism, Scram, Secret, User as Flags, UserAdd, UserCommon as Common};
use crate::hint::Failure;
use crate::office::{Office, Places};
use crate::output;

mod import;
mod secret;

/// Runs the command.
pub(crate) fn run(flags: &Flags) -> Result<Exit, Failure> {
    match flags {
        Flags::Add(flags) => add(flags)?,
        Flags::List { common } => {
            let users = open(common)?.users()?;
            if common.json { output::json(&users)? } else { list(&users) }
        }
        Flags::Show { name, common } => {
            let user = open(common)?.user(name)?;
            if common.json { output::json(&user)? } else { show(&user) }
        }
        Flags::Password { name, secret, scram, keep, common } => password(name, secret, scram, keep.keep_sessions, common)?,
        Flags::Set { name, superuser, groups, no_groups, attributes, no_attributes, keep, common } => {
            let groups = (*no_groups || !groups.is_empty()).then(|| groups.iter().cloned().collect::<BTreeSet<_>>());
            let attributes = (*no_attributes || !attributes.is_empty()).then(|| attributes.iter().cloned().collect::<BTreeMap<_, _>>());
            if superuser.is_none() && groups.is_none() && attributes.is_none() {
                return Err(
                    Failure::new("nothing to change was named").hint("--superuser, --group, --attribute; see signet user set --help")
                );
            }
            let request = ChangeUser { superuser: *superuser, groups, attributes, keep_sessions: keep.keep_sessions, ..change(name) };
            told("changed", &open(common)?.change_user(&request)?, None, common)?;
        }
        Flags::Disable { name, common } => {
            told("disabled", &open(common)?.change_user(&ChangeUser { disabled: Some(true), ..change(name) })?, None, common)?;
        }
        Flags::Enable { name, common } => {
            told("enabled", &open(common)?.change_user(&ChangeUser { disabled: Some(false), ..change(name) })?, None, common)?;
        }
        Flags::Remove { name, keep, common } => {
            let request = RemoveUser { name: name.clone(), keep_sessions: keep.keep_sessions };
            told("removed", &open(common)?.remove_user(&request)?, None, common)?;
        }
        Flags::Import { file, password_hash, replace, common } => import::run(file, password_hash.as_deref(), *replace, common)?,
    }
    Ok(Exit::Done)
}

fn open(common: &Common) -> Result<Office, Failure> {
    Office::open(&Places::find(&common.config)?)
}

fn change(name: &str) -> ChangeUser {
    ChangeUser { name: name.to_owned(), ..ChangeUser::default() }
}

fn add(flags: &UserAdd) -> Result<(), Failure> {
    let office = Office::open_or_create(&flags.common.config)?;
    let made = if flags.no_password { None } else { Some(secret::read(&flags.secret, &flags.name)?) };
    let request = AddUser {
        name: flags.name.clone(),
        secret: made.as_ref().map(|made| NewSecret::Password(made.password.clone())),
        scram: wish(&flags.scram),
        superuser: flags.superuser,
        groups: flags.groups.iter().cloned().collect(),
        attributes: flags.attributes.iter().cloned().collect(),
        disabled: flags.disabled,
    };
    let report = office.add_user(&request)?;
    told("added", &report, made.filter(|made| made.is_new).map(|made| made.password), &flags.common)
}

fn password(name: &str, secret: &Secret, scram: &Scram, keep_sessions: bool, common: &Common) -> Result<(), Failure> {
    let office = open(common)?;
    // Before a password is typed for nobody.
    office.user(name)?;
    let made = secret::read(secret, name)?;
    let secret = Some(NewSecret::Password(made.password.clone()));
    let report = office.change_user(&ChangeUser { secret, scram: wish(scram), keep_sessions, ..change(name) })?;
    told("changed the password of", &report, made.is_new.then_some(made.password), common)
}

/// What is asked for; `None`: nothing is.
fn wish(scram: &Scram) -> Option<NewScram> {
    let name = |mechanism: &Mechanism| match mechanism {
        Mechanism::Sha256 => "SCRAM-SHA-256".to_owned(),
        Mechanism::Sha512 => "SCRAM-SHA-512".to_owned(),
    };
    let mechanisms: Vec<String> = scram.mechanisms.iter().map(name).collect();
    (!mechanisms.is_empty()).then_some(NewScram { mechanisms, iterations: scram.iterations })
}

/// What was done, with the password that nobody else knows.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    report: &'a UserReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    generated_password: Option<&'a str>,
}

fn told(what: &str, report: &UserReport, generated: Option<SecretText>, common: &Common) -> Result<(), Failure> {
    if common.json {
        return output::json(&Told { report, generated_password: generated.as_ref().map(SecretText::expose) });
    }
    output::data(&done(what, &report.user.name, report.sessions.as_ref()));
    if let Some(password) = &generated {
        output::data(&format!("  password  {}", password.expose()));
    }
    Ok(())
}

fn done(what: &str, name: &str, closed: Option<&SessionsClosed>) -> String {
    match closed.filter(|closed| closed.found > 0) {
        Some(closed) => format!("{what} {name}; {}", sessions(Some(closed))),
        None => format!("{what} {name}"),
    }
}

fn list(users: &[User]) {
    let rows = users.iter().map(|user| {
        let groups: Vec<&str> = user.groups.iter().map(String::as_str).collect();
        vec![user.name.clone(), status(user), login(user), groups.join(" "), day(&user.changed_at), user.changed_by.clone()]
    });
    output::table(&["NAME", "STATUS", "LOGS IN BY", "GROUPS", "CHANGED", "BY"], rows);
}

fn status(user: &User) -> String {
    if user.superuser { format!("{}, superuser", user.status) } else { user.status.clone() }
}

fn login(user: &User) -> String {
    let ways: Vec<&str> = user.password.iter().chain(&user.scram).map(String::as_str).collect();
    if ways.is_empty() { "nothing yet".to_owned() } else { ways.join(" ") }
}

fn show(user: &User) {
    let line = |name: &str, value: &str| output::data(&format!("  {name:<12} {value}"));
    output::data(&format!("{}  {}", user.name, status(user)));
    line("logs in by", &login(user));
    if !user.groups.is_empty() {
        line("groups", &user.groups.iter().map(String::as_str).collect::<Vec<_>>().join(" "));
    }
    for (name, value) in &user.attributes {
        line("attribute", &format!("{name}={value}"));
    }
    line("made", &user.created_at);
    line("changed", &format!("{} by {}", user.changed_at, user.changed_by));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_says_what_it_did() {
        let closed = SessionsClosed { found: 2, closed: 2, microseconds: 900, ..SessionsClosed::default() };
        assert_eq!(done("removed", "alice", Some(&closed)), "removed alice; 2 sessions closed in 900 µs");
        assert_eq!(done("removed", "alice", Some(&SessionsClosed::default())), "removed alice");
        assert_eq!(done("added", "alice", None), "added alice");
    }
}
