//! Who clients are and who has to vouch for them: `username`, `client_identifier`, `authentication` and `[[authenticator]]`.
//!
//! In Mosquitto each who checks passwords lets somebody in, refuses, or has nothing to say. Where there is nobody who checks, `allow_anonymous` lets in
//! whoever comes, under any user name; otherwise it lets in those without one. A listener that takes user names from certificates or keys asks
//! nobody.

use std::path::PathBuf;

use super::Draft;
use super::broker::place_if;
use super::listener::Written;
use super::plugins::Role;
use super::tls::Security;
use crate::Place;
use crate::conf::{Listener, Values};

/// A template that never has a value: no place is at the end of a word and not at one.
const NO_NAME: &str = "${client_identifier:regex(\\b\\B)}";

/// How clients of a listener are named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Naming {
    /// The template of the user name, and what vouches for it; `None`: what the client sends.
    username: Option<Username>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Username {
    /// `None`: nobody has one, and nobody gets in.
    template: Option<&'static str>,
    /// What is enough to get in: a certificate or a key.
    member: &'static str,
    place: Place,
}

/// Those who check, by what they check with.
#[derive(Debug, PartialEq, Eq)]
enum Checker {
    PasswordFile(PathBuf),
    DynamicSecurity,
    /// Lets everybody in.
    Anybody,
    /// Lets those in that have no user name.
    Unnamed,
    /// Lets nobody in.
    Nobody,
}

/// Finds out how clients of a listener are named.
pub(super) fn naming(draft: &mut Draft<'_>, listener: &Listener, security: &Security<'_>) -> Naming {
    let values = &listener.values;
    let is_proxied = values.number("enable_proxy_protocol") == 2;
    let by_name = place_if(values, "use_identity_as_username");
    let by_subject = place_if(values, "use_subject_as_username");
    let Some(place) = by_name.or(by_subject).cloned() else { return Naming::default() };
    let (template, member) = match security {
        Security::Keys(..) => (by_name.map(|_| "${device}"), "psk"),
        Security::Mutual if by_name.is_some() => (Some("${cert.cn}"), "certificate"),
        Security::Mutual => (Some("${cert.dn.rfc2253}"), "certificate"),
        Security::Nothing if is_proxied && by_name.is_some() => (Some("${device}"), "certificate"),
        Security::Nothing => return Naming::default(),
        Security::Server => (None, "nobody"),
    };
    if template.is_none() {
        let message = "user names are taken from certificates or keys that clients do not show here: nobody can connect, as in Mosquitto";
        draft.notice(&place, message);
    }
    let member = if template.is_some() { member } else { "nobody" };
    Naming { username: Some(Username { template, member, place }) }
}

/// Writes the keys of a listener: how its clients are named, and who vouches for them.
pub(super) fn of_listener(draft: &mut Draft<'_>, written: &Written<'_>, values: &Values) {
    let username = written.naming.username.as_ref();
    let template = username.and_then(|username| username.template);
    if let Some(username) = username {
        if template.is_none() {
            draft.writer.comment("No user name: clients show no certificate here that would have one. They are told that it is wrong.");
        }
        draft.writer.key("username", template.unwrap_or(NO_NAME), Some(&username.place));
    }
    if let Some(place) = place_if(values, "use_username_as_clientid") {
        draft.writer.key("client_identifier", "${username}", Some(place));
    }
    match username.map(|username| username.place.clone()) {
        Some(place) => draft.writer.key("authentication", members(draft, written), Some(&place)),
        None => of_readers(draft, written),
    }
    // Patterns of an `acl_file` are filled in with what a client calls itself.
    let is_open = matches!(members(draft, written).as_slice(), [member] if member == "everyone" || member == "nobody");
    if let Some(place) = super::access::acl_file(draft, written.listener).filter(|_| !is_open) {
        draft.writer.key("believe", vec!["client_identifier".to_owned()], Some(&place));
    }
}

/// Writes who vouches for those that read over HTTP.
pub(super) fn of_readers(draft: &mut Draft<'_>, written: &Written<'_>) {
    let place = anonymous(draft, written.listener).1;
    draft.writer.key("authentication", members(draft, written), place.as_ref());
}

/// Alternatives, tried in turn.
fn members(draft: &Draft<'_>, written: &Written<'_>) -> Vec<String> {
    let checkers = checkers(draft, written.listener);
    if let Some(username) = &written.naming.username {
        let member = username.member.to_owned();
        let is_known_by_name = checkers.iter().any(|(checker, _)| *checker == Checker::DynamicSecurity);
        // Mosquitto asks nobody here, so that a client that was disabled comes back at once. We do not: whoever is named there has to be enabled.
        return if is_known_by_name && member != "nobody" { vec![format!("{member} and dynamic_security"), member] } else { vec![member] };
    }
    let used = all(draft);
    checkers.iter().map(|(checker, _)| name(checker, &used)).collect()
}

/// Whether dynamic security is asked about passwords at a listener that takes no names from certificates. There a certificate is one thing more that is
/// needed, and must not stand for the password of somebody of the same name.
pub(super) fn needs_passwords_of_names(draft: &Draft<'_>, written: &Written<'_>) -> bool {
    written.naming.username.is_none() && checkers(draft, written.listener).iter().any(|(checker, _)| *checker == Checker::DynamicSecurity)
}

/// Who checks clients of a listener.
fn checkers(draft: &Draft<'_>, listener: Option<&Listener>) -> Vec<(Checker, Option<Place>)> {
    let settings = draft.settings;
    let security = match listener {
        Some(listener) => settings.security_of(listener),
        None => &settings.security,
    };
    let own = listener.map_or(&[][..], |listener| &listener.security.plugins);
    let mut checkers = Vec::new();
    for index in settings.security.plugins.iter().chain(own) {
        let checker = match draft.plugins.role(*index) {
            Role::DynamicSecurity => (Checker::DynamicSecurity, draft.plugins.dynamic_security_place().cloned()),
            Role::PasswordFile(file, place) => (Checker::PasswordFile(file.clone()), Some(place.clone())),
            Role::AclFile(..) | Role::Nothing => continue,
        };
        checkers.push(checker);
    }
    if let Some((file, place)) = draft.path(&security.values, "password_file") {
        checkers.push((Checker::PasswordFile(file), Some(place.clone())));
    }
    checkers.dedup_by(|one, other| one.0 == other.0);
    match (anonymous(draft, listener), checkers.is_empty()) {
        ((true, place), true) => checkers.push((Checker::Anybody, place)),
        ((true, place), false) => checkers.push((Checker::Unnamed, place)),
        ((false, place), true) => checkers.push((Checker::Nobody, place)),
        ((false, _), false) => {}
    }
    checkers
}

/// Whether clients without a user name may come to a listener, and where that is said.
fn anonymous(draft: &Draft<'_>, listener: Option<&Listener>) -> (bool, Option<Place>) {
    let settings = draft.settings;
    let option = "allow_anonymous";
    let said = |values: &Values| values.switch_written(option).map(|value| (value, values.place(option).cloned()));
    let own = listener.and_then(|listener| said(&listener.security.values));
    let general = if settings.is_per_listener { None } else { said(&settings.security.values) };
    own.or(general).unwrap_or((settings.is_local_only, None))
}

/// Everybody who checks anywhere, each once.
fn all(draft: &Draft<'_>) -> Vec<(Checker, Option<Place>)> {
    let settings = draft.settings;
    let mut all: Vec<(Checker, Option<Place>)> = Vec::new();
    let listeners: Vec<Option<&Listener>> = if settings.is_local_only { vec![None] } else { settings.listeners.iter().map(Some).collect() };
    for checker in listeners.into_iter().flat_map(|listener| checkers(draft, listener)) {
        if !all.iter().any(|(known, _)| *known == checker.0) {
            all.push(checker);
        }
    }
    all
}

fn name(checker: &Checker, all: &[(Checker, Option<Place>)]) -> String {
    let fixed = match checker {
        Checker::DynamicSecurity => "dynamic_security",
        Checker::Anybody => "everyone",
        Checker::Unnamed => "no_username",
        Checker::Nobody => "nobody",
        Checker::PasswordFile(_) => {
            let files = all.iter().filter(|(known, _)| matches!(known, Checker::PasswordFile(_)));
            let number = files.take_while(|(known, _)| known != checker).count() + 1;
            return if number == 1 { "password_file".to_owned() } else { format!("password_file {number}") };
        }
    };
    fixed.to_owned()
}

/// Writes a table for each who checks passwords.
pub(super) fn write(draft: &mut Draft<'_>, listeners: &[Written<'_>]) {
    let all = all(draft);
    let wanted: Vec<String> = listeners.iter().flat_map(|written| members(draft, written)).collect();
    for (checker, place) in &all {
        let name = name(checker, &all);
        if !wanted.iter().any(|alternative| alternative.split(" and ").any(|member| member == name)) {
            continue;
        }
        let (kind, file) = match checker {
            Checker::PasswordFile(file) => ("password_file", Some(file.as_path())),
            Checker::DynamicSecurity => ("dynamic_security", None),
            Checker::Anybody | Checker::Unnamed | Checker::Nobody => continue,
        };
        let writer = &mut draft.writer;
        writer.table("[[authenticator]]", place.as_ref());
        writer.key("name", name, place.as_ref());
        writer.key("type", kind, place.as_ref());
        if let Some(file) = file {
            writer.key("file", file, place.as_ref());
        }
    }
}
