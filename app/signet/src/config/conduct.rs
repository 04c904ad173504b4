//! The keys of `[limits]` and `[listener.limits]` that are no numbers: whom the broker takes, and what becomes of messages. Defaults live with the rules
//! themselves.

use std::time::Duration;

use signet_broker::{ConnectRules, ForeignSession, MessageRules, Overlapping, Wording};
use signet_mqtt::ProtocolVersion;

use super::section::{At, Section};

/// The versions by the numbers that their specifications have.
const VERSIONS: [(&str, ProtocolVersion); 3] =
    [("3.1", ProtocolVersion::V31), ("3.1.1", ProtocolVersion::V311), ("5.0", ProtocolVersion::V5)];

/// Longest beginning of a Client Identifier, in bytes.
const PREFIX_MAX: usize = 1_024;

/// Reads whom a listener takes; what is left out keeps its value.
pub(super) fn read_connect(section: &Section<'_>, rules: &mut ConnectRules) {
    if let Some(list) = section.strings("protocol_versions") {
        let known = |text: &At<String>| {
            let found = VERSIONS.iter().find(|(word, _)| *word == text.value).map(|(_, version)| *version);
            if found.is_none() {
                section.refuse(text, &format!("there is no version `{}`", text.value), "there are \"3.1\", \"3.1.1\" and \"5.0\"");
            }
            found
        };
        rules.protocol_versions = list.value.iter().filter_map(known).collect();
        if list.value.is_empty() {
            section.refuse(&list, "`protocol_versions` is empty: nobody could connect", "name one, such as \"5.0\"");
        }
    }
    let prefix = |key: &'static str| {
        let at = section.string(key)?;
        if at.value.len() > PREFIX_MAX || at.value.contains('\0') {
            section.refuse(&at, &format!("`{key}` is no beginning of a Client Identifier"), &format!("write at most {PREFIX_MAX} bytes"));
        }
        Some(at.value.into())
    };
    rules.assigned_client_identifier_prefix =
        prefix("assigned_client_identifier_prefix").unwrap_or_else(|| rules.assigned_client_identifier_prefix.clone());
    rules.client_identifier_prefix = prefix("client_identifier_prefix").unwrap_or_else(|| rules.client_identifier_prefix.clone());
    set(section.boolean("empty_client_identifier"), &mut rules.empty_client_identifier);
    set(section.boolean("keep_alive_enforced"), &mut rules.keep_alive_enforced);
    let sessions = [("refuse", ForeignSession::Refuse), ("resume", ForeignSession::Resume)];
    set(section.choice("foreign_session", &sessions), &mut rules.foreign_session);
}

/// Reads what becomes of the messages of a listener's clients.
pub(super) fn read_messages(section: &Section<'_>, rules: &mut MessageRules) {
    set(section.boolean("queued_qos0"), &mut rules.queued_qos0);
    set(section.choice("answers", &[("full", Wording::Full), ("plain", Wording::Plain)]), &mut rules.answers);
}

/// A key that counts for all listeners.
type Reader = fn(&Section<'_>, &mut MessageRules) -> Option<At<()>>;

const FOR_ALL: [(&str, Reader); 5] = [
    ("retained_available", |section, rules| put(section.boolean("retained_available"), &mut rules.retained_available)),
    ("retained_expiry", |section, rules| {
        let read = section.duration("retained_expiry", Duration::ZERO, Duration::from_secs(366 * 86_400));
        put(read.map(|at| at.map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX))), &mut rules.retained_expiry)
    }),
    ("overlapping_subscriptions", |section, rules| {
        let words = [("once", Overlapping::Once), ("each", Overlapping::Each), ("each_mqtt5", Overlapping::EachOf5)];
        put(section.choice("overlapping_subscriptions", &words), &mut rules.overlapping_subscriptions)
    }),
    ("delivery_qos", |section, rules| {
        put(section.choice("delivery_qos", &[("lower", false), ("subscription", true)]), &mut rules.raises_qos)
    }),
    ("retained_source", |section, rules| {
        put(section.choice("retained_source", &[("ignore", false), ("check", true)]), &mut rules.is_retained_source_checked)
    }),
];

/// Reads what counts for all listeners.
pub(super) fn read_for_all(section: &Section<'_>, rules: &mut MessageRules) {
    for (_, read) in FOR_ALL {
        let _ = read(section, rules);
    }
}

/// Reports the same keys where they have no meaning.
pub(super) fn refuse_for_all(section: &Section<'_>) {
    for (key, read) in FOR_ALL {
        if let Some(at) = read(section, &mut MessageRules::default()) {
            section.misplaced(&at, key, "it counts over all listeners: set it in [limits]");
        }
    }
}

fn set<T>(read: Option<At<T>>, place: &mut T) {
    put(read, place);
}

/// Sets what was read, and says where it stands.
fn put<T>(read: Option<At<T>>, place: &mut T) -> Option<At<()>> {
    read.map(|at| at.map(|value| *place = value))
}
