//! QoS 1 at least once, QoS 2 exactly once, QoS 0 at most once; and nothing that nobody published or asked for.

use std::collections::BTreeMap;

use signet_broker::Durability;
use signet_mqtt::QoS;

use crate::history::{Arrival, History, Label, Violation, What};
use crate::people::CONFIDANT;
use crate::timeline::Timeline;

pub(super) fn check(history: &History) -> Vec<Violation> {
    let timeline = Timeline::new(history);
    let mut found = Vec::new();
    let mut counts: Counts<'_> = BTreeMap::new();
    let mut mine: BTreeMap<(usize, usize, usize, Label), Vec<&Arrival>> = BTreeMap::new();
    for (place, entry) in history.iter() {
        let What::Arrived { client, arrival, .. } = &entry.what else { continue };
        if let Some(wrong) = wrong_with(history, &timeline, *client, arrival, place) {
            found.push(violation(format!("client {client} at {place}: {wrong}"), *client, arrival.label));
        }
        if !arrival.is_repeat {
            let generation = timeline.generation(*client, place);
            counts.entry((*client, generation, arrival.label)).or_default().push(arrival);
            // What it received before it forgot everything it may receive again.
            let memory = timeline.memory(*client, place);
            mine.entry((*client, generation, memory, arrival.label)).or_default().push(arrival);
        }
    }
    for ((client, generation, _, label), arrivals) in &mine {
        found.extend(too_many(history, &timeline, (*client, *generation, *label), arrivals));
    }
    if !history.has_small_queues {
        for label in 0..history.messages.len() {
            found.extend(missing(history, &timeline, &counts, label));
            found.extend(missing_in_group(history, &timeline, &counts, label));
        }
    }
    found
}

fn violation(text: String, client: usize, label: Label) -> Violation {
    Violation { checker: "delivery", text, client: Some(client), label: Some(label) }
}

/// Whether this message may come to this client at all, and in this form.
fn wrong_with(history: &History, timeline: &Timeline, client: usize, arrival: &Arrival, place: usize) -> Option<String> {
    let label = arrival.label;
    let Some(spec) = history.messages.get(label) else { return Some(format!("message {label}, which nobody published")) };
    if arrival.topic != spec.topic.as_str() {
        return Some(format!("message {label} came on `{}`, it was published on `{}`", arrival.topic, spec.topic));
    }
    let journey = &timeline.journeys[label];
    if !spec.is_will && journey.sent.first().is_none_or(|sent| *sent >= place) {
        return Some(format!("message {label} came before it was sent"));
    }
    if let (Some((refused, code)), [_]) = (journey.refused, &*journey.sent)
        && refused <= place
    {
        return Some(format!("message {label} came though it was refused with {code:?}"));
    }
    let mut possible = timeline.possible(history, client, label, place).peekable();
    if possible.peek().is_none() {
        return Some(format!("message {label} on `{}` came without a subscription", spec.topic));
    }
    let (mut highest, mut identifiers) = (QoS::AtMostOnce, Vec::new());
    for interval in possible {
        highest = highest.max(interval.subscription.qos);
        identifiers.extend(interval.subscription.identifier);
    }
    if arrival.qos > spec.qos.min(highest) {
        return Some(format!("message {label} came with QoS {}, at most {} was asked for", arrival.qos, spec.qos.min(highest)));
    }
    if arrival.identifiers.iter().any(|identifier| !identifiers.contains(identifier)) {
        return Some(format!("message {label} came with subscription identifiers {:?}, of {identifiers:?}", arrival.identifiers));
    }
    if arrival.expiry.is_some_and(|left| spec.expiry.is_none_or(|expiry| left > expiry)) {
        return Some(format!("message {label} came with {:?} s to live, it had {:?}", arrival.expiry, spec.expiry));
    }
    None
}

/// QoS 2 once, QoS 0 not more often than it was published; once more for every Shared Subscription, and for every time retained messages were
/// asked for.
fn too_many(
    history: &History,
    timeline: &Timeline,
    (client, generation, label): (usize, usize, Label),
    arrivals: &[&Arrival],
) -> Option<Violation> {
    let spec = &history.messages[label];
    let sent = &timeline.journeys[label].sent;
    if spec.durability == Durability::Off && !timeline.crashes.is_empty() {
        return None;
    }
    let mine = timeline.intervals[client].iter().filter(|interval| interval.generation == generation);
    let mut ways: Vec<&str> = Vec::new();
    let mut starts = 0;
    for interval in mine.filter(|interval| history.matches(client, &interval.subscription.filter, label)) {
        let filter = &interval.subscription.filter;
        let way = if filter.shared().is_some() { filter.as_str() } else { "direct" };
        if !ways.contains(&way) {
            ways.push(way);
        }
        starts += usize::from(spec.retain && filter.shared().is_none());
    }
    let count = |qos| arrivals.iter().filter(|arrival| arrival.qos == qos).count();
    let twice = count(QoS::ExactlyOnce) > ways.len() + starts;
    let once_too_often =
        count(QoS::AtMostOnce) > (ways.len() + starts) * sent.len().max(1 + timeline.crashes.len() * usize::from(spec.is_will));
    (twice || once_too_often).then(|| {
        let text = format!("message {label} came {} times to client {client}, through {ways:?} and {starts} starts", arrivals.len());
        violation(text, client, label)
    })
}

/// Whether a crash may have lost what was acknowledged.
fn may_be_lost(history: &History, timeline: &Timeline, label: Label) -> bool {
    let spec = &history.messages[label];
    let sent = timeline.journeys[label].sent.first().copied().unwrap_or(0);
    // What is not durable at all may also be taken for what a crash made the broker forget.
    let since = if spec.durability == Durability::Off { 0 } else { sent };
    spec.expiry.is_some() || spec.is_clearing || (spec.durability != Durability::Always && timeline.crashed_since(since))
}

type Counts<'a> = BTreeMap<(usize, usize, Label), Vec<&'a Arrival>>;

/// What was acknowledged reaches everybody who was subscribed all the time.
fn missing(history: &History, timeline: &Timeline, counts: &Counts<'_>, label: Label) -> Vec<Violation> {
    let mut found = Vec::new();
    let spec = &history.messages[label];
    // MQTT 3 has no way to refuse: what nobody may publish is acknowledged there, and dropped.
    if may_be_lost(history, timeline, label) || spec.topic.as_str() == crate::people::LOCKED {
        return found;
    }
    // Where rules come and go, what is secret may be withheld from its confidant, whose subscriptions to more than that stand.
    let is_shut = spec.topic.as_str().starts_with("secret") && history.iter().any(|(_, entry)| matches!(entry.what, What::RulesChanging));
    for client in (0..history.clients).filter(|client| !(is_shut && *client == CONFIDANT)) {
        let mut certain = timeline.certain(history, client, label);
        let wants = |qos: QoS| qos.min(spec.qos) > QoS::AtMostOnce;
        let is_wanted =
            certain.any(|interval| interval.subscription.filter.shared().is_none() && interval.granted.is_some_and(|(_, qos)| wants(qos)));
        let generation = timeline.generations[client].len();
        if is_wanted && !counts.contains_key(&(client, generation, label)) {
            found.push(violation(format!("message {label} was acknowledged and never reached client {client}"), client, label));
        }
    }
    found
}

/// A Shared Subscription's message reaches one member, where no member ever left.
fn missing_in_group(history: &History, timeline: &Timeline, counts: &Counts<'_>, label: Label) -> Vec<Violation> {
    let mut found = Vec::new();
    let spec = &history.messages[label];
    if history.is_group_disturbed || may_be_lost(history, timeline, label) || spec.qos == QoS::AtMostOnce {
        return found;
    }
    for filter in crate::people::SHARED {
        let members = (0..history.clients)
            .filter(|client| timeline.certain(history, *client, label).any(|interval| interval.subscription.filter.as_str() == filter));
        let Some(member) = members.into_iter().next() else { continue };
        let arrived = counts.keys().filter(|(_, _, arrived)| *arrived == label).count();
        // Those who are subscribed to it directly must have theirs besides.
        let direct = (0..history.clients)
            .filter(|client| {
                timeline.certain(history, *client, label).any(|interval| {
                    interval.subscription.filter.shared().is_none() && interval.granted.is_some_and(|(_, qos)| qos > QoS::AtMostOnce)
                })
            })
            .count();
        let copies: usize = counts.iter().filter(|((_, _, arrived), _)| *arrived == label).map(|(_, arrivals)| arrivals.len()).sum();
        if arrived == 0 || copies < direct + 1 {
            let text = format!("message {label} reached nobody through `{filter}`: {copies} copies, {direct} of them direct");
            found.push(violation(text, member, label));
        }
    }
    found
}
