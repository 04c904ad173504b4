//! The `$SYS` tree: Mosquitto's names and formats, and our own for what Mosquitto does not count.

use std::collections::HashMap;

use crate::load::{Load, number};
use crate::snapshot::{Snapshot, StoreState};

/// What a topic's payload is made of.
type Render = fn(&Snapshot) -> String;

/// What a load average is made of.
type Counted = fn(&Snapshot) -> u64;

const ROOT: &str = "$SYS/broker/";

/// Suffixes of load averages, in the order of their windows.
const SUFFIXES: [&str; 3] = ["1min", "5min", "15min"];

/// Topics below `$SYS/broker/` that are always there. The format of the first two is Mosquitto's.
const TOPICS: &[(&str, &str, Render)] = &[
    ("version", "`signet version N`", |s| format!("signet version {}", s.version)),
    ("uptime", "`N seconds`", |s| format!("{} seconds", s.uptime_seconds)),
    ("clients/total", "Sessions, connected or not", |s| count(s.clients.sessions)),
    ("clients/maximum", "The most connections at a time so far", |s| count(s.clients.connected_maximum)),
    ("clients/connected", "Connected clients", |s| count(s.clients.connected)),
    ("clients/active", "The same under its old name", |s| count(s.clients.connected)),
    ("clients/disconnected", "Sessions whose client is away", disconnected),
    ("clients/inactive", "The same under its old name", disconnected),
    ("clients/expired", "Sessions ended by their Session Expiry Interval", |s| count(s.clients.expired_total)),
    ("messages/received", "MQTT packets received", |s| count(s.received.packets)),
    ("messages/sent", "MQTT packets sent", |s| count(s.sent.packets)),
    ("messages/stored", "Messages held: retained, and waiting in sessions", stored),
    ("store/messages/count", "The same under its new name", stored),
    ("store/messages/bytes", "Octets of these", |s| count(s.held.retained_octets + s.held.queued_octets)),
    ("subscriptions/count", "Subscriptions", |s| count(s.held.subscriptions)),
    ("shared_subscriptions/count", "Shared Subscriptions", |s| count(s.held.shared_subscriptions)),
    ("retained messages/count", "Retained messages, these included", |s| count(s.held.retained)),
    ("heap/current", "Resident memory, octets", |s| count(s.process.resident_octets)),
    ("heap/maximum", "The most of it so far", |s| count(s.process.resident_octets_maximum)),
    ("bytes/received", "Octets of packets received", |s| count(s.received.octets)),
    ("bytes/sent", "Octets of packets sent", |s| count(s.sent.octets)),
    ("publish/bytes/received", "Payload octets received", |s| count(s.received.payload_octets)),
    ("publish/bytes/sent", "Payload octets sent", |s| count(s.sent.payload_octets)),
    ("publish/messages/dropped", "Messages that one receiver did not get", |s| count(s.messages.dropped.total())),
    ("publish/messages/received", "PUBLISH packets received", |s| count(s.received.publishes())),
    ("publish/messages/sent", "PUBLISH packets sent", |s| count(s.sent.publishes())),
    ("connections/socket/count", "Sockets of clients", |s| count(s.clients.sockets)),
    ("packet/out/count", "Packets that wait for sockets", |s| count(s.held.outgoing)),
    ("packet/out/bytes", "Octets of these, about", |s| count(s.held.outgoing_octets)),
    ("tls/handshakes/full", "TLS handshakes with a certificate sent", |s| count(s.handshakes.full)),
    ("tls/handshakes/resumed", "TLS handshakes with a session ticket", |s| count(s.handshakes.resumed)),
    ("tls/handshakes/failed", "TLS handshakes that failed", |s| count(s.handshakes.failed)),
    ("identity/revoked", "Revoked certificates that handshakes are compared with", |s| count(s.certificates.revoked_known)),
    ("identity/kicked", "Connections ended by revocation, expiry, an operator or the end of the server", |s| count(s.clients.kicked_total)),
    ("identity/denied/publish", "Publishes refused by the access rules", |s| count(s.messages.denied_publishes)),
    ("identity/denied/subscribe", "Subscriptions refused by the access rules", |s| count(s.messages.denied_subscriptions)),
];

/// Load averages below `$SYS/broker/load/`: events per minute with two decimals.
const LOADS: [(&str, Counted); 9] = [
    ("messages/received", |s| s.received.packets),
    ("messages/sent", |s| s.sent.packets),
    ("publish/dropped", |s| s.messages.dropped.total()),
    ("publish/received", |s| s.received.publishes()),
    ("publish/sent", |s| s.sent.publishes()),
    ("bytes/received", |s| s.received.octets),
    ("bytes/sent", |s| s.sent.octets),
    ("sockets", |s| s.clients.sockets_total),
    ("connections", |s| s.clients.connects_total),
];

/// Topics that are there when there is something to say.
const SOMETIMES: [(&str, &str); 7] = [
    ("identity/refused/CHECK", "Connections refused before their session began, by the check that failed, blanks as `_`"),
    ("tls/certificate/LISTENER/expires", "When a listener's certificate ends, Unix seconds"),
    ("tls/certificate/expires", "The soonest of these"),
    ("tls/crl/ISSUER/age", "Seconds since an issuer's revocation list was made"),
    ("journal/state", "Of the durable store: `ready`, `full` or `failed`"),
    ("journal/bytes", "Octets of the durable store on disk"),
    ("connection/NAME/state", "`1` while the bridge NAME is connected, else `0`"),
];

fn count(number: u64) -> String {
    number.to_string()
}

fn disconnected(snapshot: &Snapshot) -> String {
    count(snapshot.clients.sessions.saturating_sub(snapshot.clients.connected))
}

fn stored(snapshot: &Snapshot) -> String {
    count(snapshot.held.retained + snapshot.held.queued)
}

/// Every topic of the tree with what it means, for the reference page.
#[must_use]
pub fn sys_topics() -> Vec<(String, String)> {
    let (mosquitto, own): (Vec<_>, Vec<_>) =
        TOPICS.iter().partition(|(name, _, _)| !name.starts_with("tls/") && !name.starts_with("identity/"));
    let row = |(name, meaning, _): &&(&str, &str, Render)| (format!("{ROOT}{name}"), (*meaning).to_owned());
    let loads = LOADS
        .iter()
        .map(|(name, _)| (format!("{ROOT}load/{name}/{{1min,5min,15min}}"), "The same per minute, average over the time".to_owned()));
    let sometimes = SOMETIMES.iter().map(|(name, meaning)| (format!("{ROOT}{name}"), (*meaning).to_owned()));
    mosquitto.iter().map(row).chain(loads).chain(own.iter().map(row)).chain(sometimes).collect()
}

/// The tree as it was published last.
#[derive(Debug, Default)]
pub struct SysTree {
    published: HashMap<String, String>,
    loads: [Load; 9],
    last_uptime: u64,
}

impl SysTree {
    /// Nothing published yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Topics and payloads that differ from those of the last call; `now` in Unix seconds. An empty payload takes a topic away.
    pub fn update(&mut self, snapshot: &Snapshot, now: i64) -> Vec<(String, String)> {
        let mut present: Vec<(String, String)> =
            TOPICS.iter().map(|(name, _, render)| (format!("{ROOT}{name}"), render(snapshot))).collect();
        let elapsed = number(snapshot.uptime_seconds.saturating_sub(self.last_uptime));
        self.last_uptime = snapshot.uptime_seconds;
        for ((name, counted), load) in LOADS.iter().zip(&mut self.loads) {
            load.update(counted(snapshot), elapsed);
            for (suffix, average) in SUFFIXES.iter().zip(load.averages()) {
                present.push((format!("{ROOT}load/{name}/{suffix}"), format!("{average:.2}")));
            }
        }
        sometimes(snapshot, now, &mut present);
        self.changed(present)
    }

    fn changed(&mut self, present: Vec<(String, String)>) -> Vec<(String, String)> {
        let before = std::mem::take(&mut self.published);
        let changed = present.iter().filter(|(topic, payload)| before.get(topic) != Some(payload)).cloned();
        let mut changed: Vec<(String, String)> = changed.collect();
        self.published = present.into_iter().collect();
        changed.extend(before.into_keys().filter(|topic| !self.published.contains_key(topic)).map(|topic| (topic, String::new())));
        changed
    }
}

fn sometimes(snapshot: &Snapshot, now: i64, present: &mut Vec<(String, String)>) {
    let mut add = |name: String, payload: String| present.push((format!("{ROOT}{name}"), payload));
    for (check, refused) in &snapshot.refused {
        add(format!("identity/refused/{}", level(check)), count(*refused));
    }
    let certificates = &snapshot.certificates;
    for (listener, end) in &certificates.server_ends {
        add(format!("tls/certificate/{}/expires", level(listener)), end.to_string());
    }
    if let Some(soonest) = certificates.server_ends.iter().map(|(_, end)| end).min() {
        add("tls/certificate/expires".to_owned(), soonest.to_string());
    }
    for crl in &certificates.crls {
        add(format!("tls/crl/{}/age", level(&crl.issuer)), now.saturating_sub(crl.this_update).to_string());
    }
    if let Some(store) = &snapshot.store {
        let state = match store.state {
            StoreState::Ready => "ready",
            StoreState::Full => "full",
            StoreState::Failed => "failed",
        };
        add("journal/state".to_owned(), state.to_owned());
        add("journal/bytes".to_owned(), count(store.octets));
    }
    for bridge in snapshot.bridges.iter().filter(|bridge| !bridge.tells_itself) {
        add(format!("connection/{}/state", level(&bridge.name)), u8::from(bridge.is_connected).to_string());
    }
}

/// A text as one level of a Topic Name.
fn level(text: &str) -> String {
    text.replace(['/', '+', '#', ' ', '\0'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Bridge;

    #[test]
    fn only_what_changed_is_published() {
        let mut tree = SysTree::new();
        let mut snapshot = Snapshot {
            version: "1".into(),
            bridges: vec![
                Bridge { name: "a/b".into(), is_connected: true, ..Bridge::default() },
                Bridge { name: "itself".into(), is_connected: true, tells_itself: true, ..Bridge::default() },
            ],
            ..Snapshot::default()
        };
        let all = tree.update(&snapshot, 0);
        assert!(all.contains(&("$SYS/broker/version".into(), "signet version 1".into())));
        assert!(all.contains(&("$SYS/broker/connection/a_b/state".into(), "1".into())));
        assert_eq!(tree.update(&snapshot, 0), []);
        snapshot.received.publishes = [1, 2, 3];
        snapshot.uptime_seconds = 60;
        snapshot.bridges.clear();
        let mut changed = tree.update(&snapshot, 0);
        changed.sort();
        let expected = [
            ("connection/a_b/state", ""),
            ("load/publish/received/15min", "0.39"),
            ("load/publish/received/1min", "3.79"),
            ("load/publish/received/5min", "1.09"),
            ("publish/messages/received", "6"),
            ("uptime", "60 seconds"),
        ];
        let expected: Vec<(String, String)> = expected.map(|(name, payload)| (format!("{ROOT}{name}"), payload.to_owned())).into();
        assert_eq!(changed, expected);
    }

    #[test]
    fn every_topic_is_a_topic_name() {
        let snapshot = Snapshot {
            refused: vec![("path to a trust anchor", 1)],
            bridges: vec![Bridge { name: "#+".into(), ..Bridge::default() }],
            ..Snapshot::default()
        };
        for (topic, _) in SysTree::new().update(&snapshot, 0) {
            assert!(!topic.contains(['+', '#']), "{topic}");
        }
    }
}
