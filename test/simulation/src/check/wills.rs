//! A Will is published once when its connection is lost, not before its delay is over, and never after a DISCONNECT that discards it or when
//! its client is back in time (§3.1.2.5, §3.1.3.2.2).

use std::collections::{BTreeMap, BTreeSet};

use signet_broker::Moment;
use signet_mqtt::{QoS, ReasonCode};

use crate::history::{History, Label, Violation, What, WillSpec};
use crate::people::WATCHER;

/// What is known of a Will.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Its connection lives.
    Armed,
    /// It waits: published not before the first and at the latest at the second moment.
    Waiting(Moment, Moment),
    /// It has to be published, not before this moment.
    Due(Moment),
    /// It must not be published.
    Void,
    /// Nothing can be said.
    Open,
}

/// One client's part.
#[derive(Debug, Default)]
struct Estate {
    attempts: BTreeMap<u64, (Option<WillSpec>, bool, u32)>,
    /// The connection that lives, and whether its CONNACK arrived.
    connected: Option<(u64, bool)>,
    /// The Will that is armed or waits.
    present: Option<(WillSpec, u32)>,
    /// Wills of connections whose client was never told that all was on disk.
    unpromised: BTreeSet<Label>,
    /// The Will whose fate the connection that lives has decided when it was admitted: a crash before its CONNACK may undo that.
    decided: Option<Label>,
}

pub(super) fn check(history: &History) -> Vec<Violation> {
    let mut fates: BTreeMap<Label, Fate> = BTreeMap::new();
    let mut estates: Vec<Estate> = (0..=history.clients).map(|_| Estate::default()).collect();
    let mut arrivals: BTreeMap<Label, usize> = BTreeMap::new();
    let mut found = Vec::new();
    let mut crashes = 0;
    let mut is_watched = false;
    for (place, entry) in history.iter() {
        match &entry.what {
            What::Subscribed { client: WATCHER, filter, code } => is_watched |= filter.as_str() == "w/#" && !code.is_error(),
            What::Crashed => crashes += 1,
            What::Restarted { .. } => {
                estates.iter_mut().for_each(|estate| estate.restart(entry.at, &mut fates, is_watched));
                // What was published and not seen yet may have to be published anew, and then its client may be back in time.
                fates.retain(|label, fate| !matches!(fate, Fate::Due(_)) || arrivals.contains_key(label));
            }
            What::Arrived { client: WATCHER, arrival, .. } if history.messages.get(arrival.label).is_some_and(|spec| spec.is_will) => {
                let count = arrivals.entry(arrival.label).or_default();
                // A subscription with QoS 1 may bring it twice.
                let is_allowed_again = arrival.is_repeat || (arrival.dup && arrival.qos == QoS::AtLeastOnce && *count > 0);
                *count += usize::from(!is_allowed_again);
                let wrong = match fates.get(&arrival.label) {
                    Some(Fate::Armed) => Some("while its connection lives"),
                    Some(Fate::Void) if crashes == 0 => Some("though it was discarded"),
                    Some(Fate::Waiting(due, _) | Fate::Due(due)) if entry.at < *due => Some("before its delay was over"),
                    _ => None,
                };
                found.extend(
                    wrong.map(|wrong| violation(format!("will {} came at {place}, {wrong}", arrival.label), arrival.label, history)),
                );
            }
            what => {
                if let Some(estate) = what.client().and_then(|client| estates.get_mut(client)) {
                    estate.see(entry.at, what, &mut fates, is_watched);
                }
            }
        }
    }
    for (label, fate) in &fates {
        let count = arrivals.get(label).copied().unwrap_or(0);
        let qos = history.messages[*label].qos;
        if count > 1 && (qos == QoS::ExactlyOnce || crashes == 0 && qos == QoS::AtMostOnce) {
            found.push(violation(format!("will {label} came {count} times"), *label, history));
        }
        if matches!(fate, Fate::Due(_)) && count == 0 && qos > QoS::AtMostOnce && !history.has_small_queues {
            found.push(violation(format!("will {label} never came"), *label, history));
        }
    }
    found
}

fn violation(text: String, label: Label, history: &History) -> Violation {
    Violation { checker: "wills", text, client: Some(history.messages[label].publisher), label: Some(label) }
}

impl Estate {
    fn see(&mut self, at: Moment, what: &What, fates: &mut BTreeMap<Label, Fate>, is_watched: bool) {
        match what {
            What::Connecting { connection, clean, expiry, will, .. } => {
                self.attempts.insert(*connection, (*will, *clean, *expiry));
            }
            What::Admitted { connection, is_accepted: true, .. } => self.admitted(at, *connection, fates, is_watched),
            What::Connected { connection, code: ReasonCode::Success, .. } => {
                if let Some((present, is_answered)) = &mut self.connected
                    && present == connection
                {
                    *is_answered = true;
                    self.decided = None;
                    if let Some((will, kept)) = self.present
                        && kept > 0
                    {
                        self.unpromised.remove(&will.label);
                    }
                }
            }
            // The operator may have wanted it dropped, in whatever state it is when the order comes.
            What::Revoked { .. } => {
                if let Some((will, _)) = self.present.take() {
                    fates.insert(will.label, Fate::Open);
                }
            }
            What::Left { connection, discards_will, expiry, .. } if self.connected.is_some_and(|(present, _)| present == *connection) => {
                self.connected = None;
                let Some((will, kept)) = self.present else { return };
                let kept = expiry.unwrap_or(kept);
                if *discards_will {
                    fates.insert(will.label, Fate::Void);
                    self.present = None;
                } else {
                    let due = at.plus_seconds(will.delay.min(kept));
                    let fate = if is_watched { Fate::Waiting(due, due) } else { Fate::Open };
                    fates.insert(will.label, fate);
                }
                self.settle(at, fates);
            }
            _ => {}
        }
        self.settle(at, fates);
    }

    /// What waited long enough has to be published.
    fn settle(&mut self, at: Moment, fates: &mut BTreeMap<Label, Fate>) {
        let Some((will, _)) = self.present else { return };
        if let Some(Fate::Waiting(earliest, latest)) = fates.get(&will.label).copied()
            && latest <= at
        {
            fates.insert(will.label, Fate::Due(earliest));
            self.present = None;
        }
    }

    /// A new connection: takes over, resumes, or ends what was there before.
    fn admitted(&mut self, at: Moment, connection: u64, fates: &mut BTreeMap<Label, Fate>, is_watched: bool) {
        self.settle(at, fates);
        let Some((will, clean, expiry)) = self.attempts.get(&connection).copied() else { return };
        if let Some((old, kept)) = self.present.take() {
            let was_connected = self.connected.is_some();
            let fate = match fates.get(&old.label) {
                Some(Fate::Armed) if was_connected && is_watched && (clean || kept == 0 || old.delay == 0) => Fate::Due(at),
                Some(Fate::Armed) if was_connected && is_watched => Fate::Void,
                Some(Fate::Waiting(_, _)) if clean => Fate::Due(at),
                Some(Fate::Waiting(earliest, _)) if at < *earliest => Fate::Void,
                _ => Fate::Open,
            };
            fates.insert(old.label, fate);
            self.decided = Some(old.label);
        }
        self.connected = Some((connection, false));
        self.present = will.map(|will| (will, expiry));
        if let Some(will) = will {
            fates.insert(will.label, Fate::Armed);
            self.unpromised.insert(will.label);
        }
    }

    /// The connection was lost with the process; the delay counts from now, at the latest.
    fn restart(&mut self, at: Moment, fates: &mut BTreeMap<Label, Fate>, is_watched: bool) {
        let connected = self.connected.take();
        for label in std::mem::take(&mut self.unpromised).into_iter().chain(self.decided.take()) {
            fates.insert(label, Fate::Open);
        }
        let Some((will, kept)) = self.present else { return };
        let due = at.plus_seconds(will.delay.min(kept));
        let fate = match (fates.get(&will.label), connected) {
            // Only who keeps a session was told that everything is on disk.
            (Some(Fate::Armed), Some((_, true))) if kept > 0 && is_watched => Fate::Waiting(due, due),
            (Some(Fate::Waiting(earliest, latest)), _) => Fate::Waiting(*earliest, (*latest).max(due)),
            _ => Fate::Open,
        };
        if fate == Fate::Open {
            self.present = None;
        }
        fates.insert(will.label, fate);
    }
}
