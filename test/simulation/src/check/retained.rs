//! Who asks for retained messages gets the last one of every topic: the one that was acknowledged last, or one that was sent after it.

use std::collections::BTreeMap;

use signet_mqtt::QoS;

use crate::history::{History, Label, Violation, What};
use crate::timeline::Timeline;

pub(super) fn check(history: &History) -> Vec<Violation> {
    let timeline = Timeline::new(history);
    let mut topics: BTreeMap<&str, Vec<Label>> = BTreeMap::new();
    for (label, spec) in history.messages.iter().enumerate() {
        // Whoever looks at them is of the first tenant.
        if spec.retain && history.tenant(spec.publisher) == 0 && !timeline.journeys[label].sent.is_empty() {
            topics.entry(spec.topic.as_str()).or_default().push(label);
        }
    }
    let mut found = Vec::new();
    for (place, entry) in history.iter() {
        let What::Retained { labels } = &entry.what else { continue };
        for (topic, published) in &topics {
            let there: Vec<Label> = labels.iter().copied().filter(|label| history.messages[*label].topic.as_str() == *topic).collect();
            if let Some(text) = judge(history, &timeline, published, &there) {
                let label = there.first().or_else(|| published.last()).copied();
                let text = format!("at {place}, `{topic}`: {text}");
                found.push(Violation { checker: "retained", text, client: label.map(|label| history.messages[label].publisher), label });
            }
        }
    }
    found
}

fn judge(history: &History, timeline: &Timeline, published: &[Label], there: &[Label]) -> Option<String> {
    let journeys = &timeline.journeys;
    let last_sent = |label: &Label| journeys[*label].sent.last().copied().unwrap_or(0);
    let first_sent = |label: &Label| journeys[*label].sent.first().copied().unwrap_or(0);
    let accepted = published.iter().filter(|label| journeys[**label].accepted.is_some()).max_by_key(|label| last_sent(label));
    let since = accepted.map_or(0, first_sent);
    let candidates: Vec<Label> = published.iter().copied().filter(|label| last_sent(label) >= since).collect();
    match there {
        [] => {
            // With QoS 0 nothing is promised: without room on the disk it takes the place of what was there, and is gone with the process.
            let is_loose = |label: &Label| history.had_no_room && history.messages[*label].qos == QoS::AtMostOnce;
            let may_be_gone =
                |label: &Label| history.messages[*label].is_clearing || history.messages[*label].expiry.is_some() || is_loose(label);
            let is_fine = accepted.is_none() || candidates.iter().any(may_be_gone);
            (!is_fine).then(|| format!("nothing is retained, expected one of {candidates:?}"))
        }
        [one] => (!candidates.contains(one)).then(|| format!("message {one} is retained, expected one of {candidates:?}")),
        several => Some(format!("{several:?} are retained for one topic")),
    }
}
