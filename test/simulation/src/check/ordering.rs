//! What one publisher sent to one topic with one QoS comes to each subscriber in that order, the first time [MQTT-4.6.0-5], [MQTT-4.6.0-6].

use std::collections::{BTreeMap, BTreeSet};

use signet_mqtt::QoS;

use crate::history::{History, Label, Violation, What};
use crate::timeline::{Interval, Timeline};

pub(super) fn check(history: &History) -> Vec<Violation> {
    let timeline = Timeline::new(history);
    let mut found = Vec::new();
    let mut seen: BTreeSet<(usize, usize, Label)> = BTreeSet::new();
    let mut last: BTreeMap<(usize, usize, usize, String, QoS), Label> = BTreeMap::new();
    for (place, entry) in history.iter() {
        let What::Arrived { client, arrival, .. } = &entry.what else { continue };
        let Some(spec) = history.messages.get(arrival.label) else { continue };
        // What it received before it forgot everything it may receive again.
        let generation = timeline.generation(*client, place) + timeline.memory(*client, place);
        let is_first = seen.insert((*client, generation, arrival.label));
        // What was retained may come again as a start; what expires may be sent again later; a Will has no place in the order; what is
        // delivered with a lower QoS may have been dropped the first time.
        if !is_first || spec.retain || spec.is_will || spec.expiry.is_some() || arrival.qos != spec.qos {
            continue;
        }
        // A session that is also in the group has two copies, in any order. What a short queue dropped comes when it is sent again.
        let is_shared =
            timeline.possible(history, *client, arrival.label, place).any(|interval| interval.subscription.filter.shared().is_some());
        if is_shared || (history.has_small_queues && spec.qos > QoS::AtMostOnce) {
            continue;
        }
        // What was sent again reaches those for the first time then who subscribed in between, or were already about to unsubscribe when it was
        // sent first.
        let sent = &timeline.journeys[arrival.label].sent;
        let was_subscribed = || {
            let mut mine = timeline.possible(history, *client, arrival.label, place);
            let is_for_it = |interval: &Interval| !(interval.subscription.no_local && spec.publisher == *client);
            mine.any(|interval| {
                is_for_it(interval)
                    && interval.doubted.is_none_or(|doubted| sent.first() < Some(&doubted))
                    && interval.granted.zip(sent.first()).is_some_and(|((granted, qos), sent)| granted < *sent && qos >= spec.qos)
            })
        };
        // A refusal for want of room may have been lost on its way: sending again is then the first time.
        if sent.len() > 1 && (history.had_no_room || !was_subscribed()) {
            continue;
        }
        let stream = (*client, generation, spec.publisher, spec.topic.as_str().to_owned(), spec.qos);
        let before = last.entry(stream).or_insert(arrival.label);
        if *before > arrival.label {
            let text = format!("client {client} at {place}: message {} came after {before}", arrival.label);
            found.push(Violation { checker: "ordering", text, client: Some(*client), label: Some(arrival.label) });
        }
        *before = (*before).max(arrival.label);
    }
    found
}
