//! What clients may do: `[[access_source]]`. Where nobody has anything to say, as at listeners without rules, clients may do everything.

use std::path::PathBuf;

use super::Draft;
use super::listener::Written;
use super::plugins::Role;
use crate::Place;
use crate::conf::Listener;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rules {
    AclFile(PathBuf),
    DynamicSecurity,
}

/// Writes a table for each source of rules, and for each listener if it is not for all of them.
pub(super) fn write(draft: &mut Draft<'_>, listeners: &[Written<'_>]) {
    let per_listener: Vec<(&str, Vec<(Rules, Place)>)> =
        listeners.iter().map(|written| (written.name.as_str(), sources(draft, written.listener))).collect();
    let mut written: Vec<(Rules, Place)> = Vec::new();
    for source in per_listener.iter().flat_map(|(_, sources)| sources) {
        if !written.iter().any(|(rules, _)| *rules == source.0) {
            written.push(source.clone());
        }
    }
    let mut number = 0;
    for (rules, place) in &written {
        let users = per_listener.iter().filter(|(_, sources)| sources.iter().any(|(other, _)| other == rules));
        let users: Vec<&str> = users.map(|(name, _)| *name).collect();
        if users.len() == per_listener.len() {
            number += 1;
            source(draft, (rules, number), place, None);
            continue;
        }
        for listener in users {
            number += 1;
            source(draft, (rules, number), place, Some(listener));
        }
    }
}

fn source(draft: &mut Draft<'_>, (rules, number): (&Rules, usize), place: &Place, listener: Option<&str>) {
    let writer = &mut draft.writer;
    writer.table("[[access_source]]", Some(place));
    let kind = match rules {
        Rules::AclFile(_) => "mosquitto_acl_file",
        Rules::DynamicSecurity => "dynamic_security",
    };
    let name = if number == 1 { kind.to_owned() } else { format!("{kind} {number}") };
    writer.key("name", name, Some(place));
    writer.key("type", kind, Some(place));
    if let Some(listener) = listener {
        writer.key("when", format!("listener:{listener}"), Some(place));
    }
    if let Rules::AclFile(file) = rules {
        writer.key("file", file.as_path(), Some(place));
    }
}

/// Where it is said that an `acl_file` has rules about the clients of a listener, if one has.
pub(super) fn acl_file(draft: &Draft<'_>, listener: Option<&Listener>) -> Option<Place> {
    sources(draft, listener).into_iter().find(|(rules, _)| matches!(rules, Rules::AclFile(_))).map(|(_, place)| place)
}

/// Who has rules about clients of a listener, in the order in which they are asked.
fn sources(draft: &Draft<'_>, listener: Option<&Listener>) -> Vec<(Rules, Place)> {
    let settings = draft.settings;
    let security = listener.map_or(&settings.security, |listener| settings.security_of(listener));
    let own = listener.map_or(&[][..], |listener| &listener.security.plugins);
    let mut sources = Vec::new();
    for index in settings.security.plugins.iter().chain(own) {
        match draft.plugins.role(*index) {
            Role::DynamicSecurity => {
                sources.extend(draft.plugins.dynamic_security_place().map(|place| (Rules::DynamicSecurity, place.clone())));
            }
            Role::AclFile(file, place) => sources.push((Rules::AclFile(file.clone()), place.clone())),
            Role::PasswordFile(..) | Role::Nothing => {}
        }
    }
    if let Some((file, place)) = draft.path(&security.values, "acl_file") {
        sources.push((Rules::AclFile(file), place.clone()));
    }
    sources
}
