//! Nothing that the rules deny is delivered or accepted, what they allow is not denied, and a connection that is to end ends at once.

use signet_mqtt::{ProtocolVersion, ReasonCode, TopicFilter};

use crate::history::{History, Violation, What};
use crate::people::{CONFIDANT, LOCKED, WATCHER, may_read};

pub(super) fn check(history: &History) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut report = |text: String, client: usize, label| {
        found.push(Violation { checker: "authorization", text, client: Some(client), label });
    };
    let mut is_shut = false;
    // A SUBACK may be older than the rules of the moment.
    let changes_rules = history.iter().any(|(_, entry)| matches!(entry.what, What::RulesChanging));
    for (place, entry) in history.iter() {
        match &entry.what {
            What::Arrived { client, arrival, .. } if !may_arrive(history, *client, &arrival.topic) => {
                report(format!("client {client} at {place} got a message on `{}`", arrival.topic), *client, Some(arrival.label));
            }
            What::RulesChanging => is_shut = false,
            What::RulesInForce { is_strict } => is_shut = *is_strict,
            What::Handed { client: CONFIDANT, label: Some(label), .. }
                if is_shut && history.messages.get(*label).is_some_and(|spec| spec.topic.as_str().starts_with("secret")) =>
            {
                report(format!("client {CONFIDANT} was given what the rules have taken from it at {place}"), CONFIDANT, Some(*label));
            }
            What::Answered { client, label, code } => {
                let spec = &history.messages[*label];
                let is_locked = spec.topic.as_str() == LOCKED;
                let is_denied = *code == ReasonCode::NotAuthorized;
                // MQTT 3 acknowledges what it drops.
                if is_denied != is_locked && !(is_locked && *code == ReasonCode::Success && speaks_mqtt3(history, *client, place)) {
                    report(format!("message {label} on `{}` was answered with {code:?} at {place}", spec.topic), *client, Some(*label));
                }
            }
            What::Subscribed { client, filter, code } if *client < history.clients => {
                // MQTT 3 has one answer for every failure: that the disk is full is one.
                let is_wrong = if changes_rules && *client == CONFIDANT {
                    false
                } else if may_subscribe(*client, filter) {
                    code.is_error() && *code != ReasonCode::QuotaExceeded && !speaks_mqtt3(history, *client, place)
                } else {
                    // MQTT 3.1 has no answer for what is denied.
                    !code.is_error() && !is_mqtt31(history, *client, place)
                };
                if is_wrong {
                    report(format!("client {client} at {place}: `{filter}` was answered with {code:?}"), *client, None);
                }
            }
            What::Kicked { client, is_closed: false, .. } => {
                report(format!("client {client} at {place} was kicked and stays"), *client, None)
            }
            _ => {}
        }
    }
    found
}

/// By the rules of every run; whoever looks at the retained messages in the end is no client.
fn may_arrive(history: &History, client: usize, topic: &str) -> bool {
    topic != LOCKED && (client >= history.clients || may_read(client, topic))
}

/// By the rules of every run.
fn may_subscribe(client: usize, filter: &TopicFilter) -> bool {
    let inner = filter.shared().map_or(filter.as_str(), |(_, inner)| inner);
    let is_open = ["a", "b", "s", "r", "w", "i", "o"].iter().any(|root| inner.split('/').next() == Some(root));
    is_open || client == WATCHER || client == CONFIDANT
}

fn version(history: &History, client: usize, place: usize) -> Option<ProtocolVersion> {
    history.entries[..place].iter().rev().find_map(|entry| match &entry.what {
        What::Connecting { client: whose, version, .. } if *whose == client => Some(*version),
        _ => None,
    })
}

fn speaks_mqtt3(history: &History, client: usize, place: usize) -> bool {
    version(history, client, place).is_some_and(|version| !version.has_properties())
}

fn is_mqtt31(history: &History, client: usize, place: usize) -> bool {
    version(history, client, place) == Some(ProtocolVersion::V31)
}
