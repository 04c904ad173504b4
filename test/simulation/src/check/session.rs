//! Session state as a client sees it: whether its session is there, the window, and what a Packet Identifier stands for.

use std::collections::{BTreeMap, BTreeSet};

use signet_broker::{Durability, Moment};
use signet_mqtt::{QoS, ReasonCode};

use crate::history::{History, Label, Violation, What};

pub(super) fn check(history: &History) -> Vec<Violation> {
    let mut found = Vec::new();
    let is_durable = |label: Label| history.messages[label].durability != Durability::Off;
    for client in 0..history.clients {
        let mut presence = Presence::default();
        let mut exchanges = Exchanges::default();
        let mut report = |place: usize, text: String, label: Option<Label>| {
            found.push(Violation { checker: "session", text: format!("client {client} at {place}: {text}"), client: Some(client), label });
        };
        for (place, entry) in history.iter() {
            let is_mine = entry.what.client() == Some(client);
            if !is_mine && !matches!(entry.what, What::Crashed | What::Restarted { .. }) {
                continue;
            }
            if let Some(text) = presence.see(entry.at, &entry.what) {
                report(place, text, None);
            }
            if let Some((text, label)) = exchanges.see(&entry.what, is_durable) {
                report(place, text, Some(label));
            }
        }
    }
    found
}

/// Whether there is a session, as far as one can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Existence {
    #[default]
    No,
    Maybe,
    Yes,
}

/// A CONNECT on its way.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    clean: bool,
    expiry: u32,
}

/// Session Present [MQTT-3.2.2-2], [MQTT-3.2.2-3] and Session Expiry [MQTT-3.1.2-23].
#[derive(Debug, Default)]
struct Presence {
    existence: Existence,
    had_one_that_lasts: bool,
    /// Seconds, the least and the most it can be.
    expiry: (u32, u32),
    connected: Option<u64>,
    /// The same before a DISCONNECT changed it. There is no answer to that, so a crash may take it back.
    before_goodbye: Option<(u32, u32)>,
    /// When its connection ended, the earliest and the latest.
    left: (Moment, Moment),
    attempts: BTreeMap<u64, Attempt>,
    /// What CONNACK has to say, by connection; nothing where it cannot be known.
    expected: BTreeMap<u64, Option<bool>>,
    is_answered: bool,
}

impl Presence {
    fn see(&mut self, at: Moment, what: &What) -> Option<String> {
        match what {
            What::Connecting { connection, clean, expiry, .. } => {
                self.attempts.insert(*connection, Attempt { clean: *clean, expiry: *expiry });
            }
            What::Admitted { connection, is_accepted: true, session_present, .. } => {
                self.admitted(at, *connection);
                return self.compare(*connection, *session_present);
            }
            What::Connected { connection, session_present, code: ReasonCode::Success, .. } => {
                self.is_answered |= self.connected == Some(*connection);
                return self.compare(*connection, *session_present);
            }
            What::Left { connection, expiry, .. } if self.connected == Some(*connection) => {
                self.connected = None;
                self.left = (at, at);
                if let Some(expiry) = expiry {
                    self.before_goodbye = Some(self.expiry);
                    self.expiry = (*expiry, *expiry);
                }
                if self.expiry.1 == 0 {
                    self.existence = Existence::No;
                }
            }
            What::Restarted { .. } => self.restarted(at),
            _ => {}
        }
        None
    }

    fn compare(&self, connection: u64, session_present: bool) -> Option<String> {
        let expected = self.expected.get(&connection).copied().flatten().filter(|expected| *expected != session_present)?;
        Some(format!("session present is {session_present}, expected {expected}"))
    }

    fn admitted(&mut self, at: Moment, connection: u64) {
        let Some(attempt) = self.attempts.get(&connection).copied() else { return };
        let lives_at = |left: Moment, expiry: u32| expiry > 0 && at < left.plus_seconds(expiry);
        let expected = match self.existence {
            _ if attempt.clean => Some(false),
            Existence::No => Some(false),
            Existence::Yes if self.connected.is_some() && self.expiry.0 == self.expiry.1 => Some(self.expiry.0 > 0),
            Existence::Yes if self.connected.is_none() && lives_at(self.left.0, self.expiry.0) => Some(true),
            Existence::Yes | Existence::Maybe if self.connected.is_none() && !lives_at(self.left.1, self.expiry.1) => Some(false),
            Existence::Yes | Existence::Maybe => None,
        };
        self.expected.insert(connection, expected);
        self.existence = Existence::Yes;
        self.expiry = (attempt.expiry, attempt.expiry);
        self.had_one_that_lasts |= attempt.expiry > 0;
        self.connected = Some(connection);
        self.is_answered = false;
        self.before_goodbye = None;
    }

    /// Who was connected lost the connection, as of now. What nobody was told may have been forgotten.
    fn restarted(&mut self, at: Moment) {
        let was_connected = self.connected.take().is_some();
        if was_connected {
            self.left = (at, at);
        } else {
            self.left.1 = at;
        }
        if let Some((least, most)) = self.before_goodbye.take() {
            self.expiry = (self.expiry.0.min(least), self.expiry.1.max(most));
        }
        let is_sure = self.existence == Existence::Yes && self.expiry.0 > 0 && self.is_answered;
        self.existence = match (is_sure, self.had_one_that_lasts) {
            (true, _) => Existence::Yes,
            (false, true) => Existence::Maybe,
            (false, false) => Existence::No,
        };
        if !is_sure {
            self.expiry = (0, u32::MAX);
        }
    }
}

/// Exchanges to the client: window and Packet Identifiers.
#[derive(Debug, Default)]
struct Exchanges {
    window: usize,
    /// On the present connection, received and not answered to the end.
    open: BTreeSet<u16>,
    /// Received in this session and not answered to the end, with what they stand for.
    known: BTreeMap<u16, (Label, QoS)>,
}

impl Exchanges {
    fn see(&mut self, what: &What, is_durable: impl Fn(Label) -> bool) -> Option<(String, Label)> {
        match what {
            What::Connecting { window, .. } => {
                self.window = usize::from(*window);
                self.open.clear();
            }
            What::Connected { session_present: false, .. } | What::Discarded { .. } => self.known.clear(),
            // With QoS 1 a crash may forget which identifier a message had: the receiver keeps nothing. What is nowhere durable may be forgotten.
            What::Crashed => self.known.retain(|_, (label, qos)| *qos == QoS::ExactlyOnce && is_durable(*label)),
            What::Freed { packet_id, .. } => {
                self.open.remove(packet_id);
                self.known.remove(packet_id);
            }
            What::Arrived { arrival, .. } => {
                let label = arrival.label;
                let Some(packet_id) = arrival.packet_id else {
                    return arrival.dup.then(|| ("[MQTT-3.3.1-2] DUP with QoS 0".to_owned(), label));
                };
                let is_new = self.open.insert(packet_id);
                let before = self.known.insert(packet_id, (label, arrival.qos));
                if !is_new {
                    return Some((format!("[MQTT-4.4.0-1] packet identifier {packet_id} is used twice on one connection"), label));
                }
                if self.open.len() > self.window {
                    return Some((format!("[MQTT-3.3.4-9] {} messages on their way, at most {}", self.open.len(), self.window), label));
                }
                if let Some((other, _)) = before.filter(|(other, _)| *other != label) {
                    return Some((format!("packet identifier {packet_id} stands for {label}, and still for {other}"), label));
                }
                if before.is_some() && !arrival.dup {
                    return Some((format!("[MQTT-3.3.1-1] packet identifier {packet_id} comes again without DUP"), label));
                }
            }
            _ => {}
        }
        None
    }
}
