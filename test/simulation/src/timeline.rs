//! What the history says about sessions and subscriptions, for checkers that ask who had to get a message and who may.

use std::collections::BTreeMap;

use signet_mqtt::{QoS, ReasonCode, TopicFilter};

use crate::history::{History, Label, SubscriptionSpec, What};

/// One subscription's life, in places of the history. Between asking and the answer nobody can say which side of it the broker is on.
#[derive(Debug, Clone)]
pub(crate) struct Interval {
    pub(crate) subscription: SubscriptionSpec,
    pub(crate) generation: usize,
    pub(crate) asked: usize,
    pub(crate) granted: Option<(usize, QoS)>,
    /// Something was asked for that may end or change it.
    pub(crate) doubted: Option<usize>,
    pub(crate) ended: Option<usize>,
}

/// What became of a message on its publisher's side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Journey {
    /// Each time it was sent.
    pub(crate) sent: Vec<usize>,
    /// The first answer that was no refusal.
    pub(crate) accepted: Option<usize>,
    pub(crate) refused: Option<(usize, ReasonCode)>,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Timeline {
    /// By client: where each of its sessions began, as far as the client was told.
    pub(crate) generations: Vec<Vec<usize>>,
    /// By client: where it gave up what it knew. The broker may never hear of that, if the CONNECT that says so is lost.
    pub(crate) discards: Vec<Vec<usize>>,
    /// By client: where the broker began a session, whether the client was told or not.
    pub(crate) beginnings: Vec<Vec<usize>>,
    pub(crate) intervals: Vec<Vec<Interval>>,
    pub(crate) journeys: Vec<Journey>,
    pub(crate) crashes: Vec<usize>,
}

impl Timeline {
    pub(crate) fn new(history: &History) -> Self {
        let mut timeline = Self {
            generations: vec![Vec::new(); history.clients + 1],
            discards: vec![Vec::new(); history.clients + 1],
            beginnings: vec![Vec::new(); history.clients + 1],
            intervals: vec![Vec::new(); history.clients + 1],
            journeys: vec![Journey::default(); history.messages.len()],
            crashes: Vec::new(),
        };
        // Requests without an answer, by client.
        let mut open: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut ending: BTreeMap<usize, Vec<(&TopicFilter, usize)>> = BTreeMap::new();
        for (place, entry) in history.iter() {
            match &entry.what {
                What::Connected { client, session_present: false, code: ReasonCode::Success, .. } => timeline.begin(*client, place),
                What::Admitted { client, is_accepted: true, session_present: false, .. } => timeline.beginnings[*client].push(place),
                What::Discarded { client } => timeline.discards[*client].push(place),
                What::Lost { client, .. } => {
                    open.remove(client);
                    ending.remove(client);
                }
                What::Subscribing { client, subscription } => {
                    let generation = timeline.generations[*client].len();
                    let interval = Interval {
                        subscription: subscription.clone(),
                        generation,
                        asked: place,
                        granted: None,
                        doubted: None,
                        ended: None,
                    };
                    timeline.doubt(*client, &interval);
                    open.entry(*client).or_default().push(timeline.intervals[*client].len());
                    timeline.intervals[*client].push(interval);
                }
                What::Subscribed { client, filter, code } => {
                    let intervals = &mut timeline.intervals[*client];
                    let requests = open.entry(*client).or_default();
                    let Some(at) = requests.iter().position(|at| intervals[*at].subscription.filter == *filter) else { continue };
                    let at = requests.remove(at);
                    answer(intervals, at, place, *code);
                }
                What::Unsubscribing { client, filter } => {
                    ending.entry(*client).or_default().push((filter, place));
                    for interval in timeline.living(*client).filter(|interval| interval.subscription.filter == *filter) {
                        interval.doubted = interval.doubted.or(Some(place));
                    }
                }
                What::Unsubscribed { client, filter } => {
                    let requests = ending.entry(*client).or_default();
                    let Some(at) = requests.iter().position(|(ended, _)| *ended == filter) else { continue };
                    let (_, asked) = requests.remove(at);
                    let of_this = |interval: &&mut Interval| interval.subscription.filter == *filter && interval.asked < asked;
                    for interval in timeline.living(*client).filter(of_this) {
                        interval.ended = Some(place);
                    }
                }
                What::Publishing { label, .. } => timeline.journeys[*label].sent.push(place),
                What::Answered { label, code, .. } if code.is_error() => timeline.journeys[*label].refused = Some((place, *code)),
                What::Answered { label, .. } => {
                    let journey = &mut timeline.journeys[*label];
                    journey.accepted = journey.accepted.or(Some(place));
                }
                What::Ended { client, filter } => timeline.ended_by_rules(*client, filter, place),
                What::Crashed => timeline.crashes.push(place),
                _ => {}
            }
        }
        timeline
    }

    fn begin(&mut self, client: usize, place: usize) {
        for interval in self.living(client) {
            interval.doubted = interval.doubted.or(Some(place));
            interval.ended = Some(place);
        }
        self.generations[client].push(place);
    }

    /// What waited because of it may have been taken back, and a crash may bring it back under rules that allow it again.
    fn ended_by_rules(&mut self, client: usize, filter: &TopicFilter, place: usize) {
        for interval in self.living(client).filter(|interval| interval.subscription.filter == *filter) {
            interval.doubted = interval.doubted.or(Some(place));
            interval.granted = None;
        }
    }

    fn doubt(&mut self, client: usize, by: &Interval) {
        for interval in self.living(client).filter(|interval| interval.subscription.filter == by.subscription.filter) {
            interval.doubted = interval.doubted.or(Some(by.asked));
        }
    }

    fn living(&mut self, client: usize) -> impl Iterator<Item = &mut Interval> {
        self.intervals[client].iter_mut().filter(|interval| interval.ended.is_none())
    }

    /// In which of its sessions a client was at this place; zero before the first.
    pub(crate) fn generation(&self, client: usize, place: usize) -> usize {
        self.generations[client].iter().filter(|began| **began <= place).count()
    }

    /// The same by what the client remembers.
    pub(crate) fn memory(&self, client: usize, place: usize) -> usize {
        self.discards[client].iter().filter(|gave_up| **gave_up <= place).count()
    }

    /// Subscriptions of the client's last session that were in force without any doubt from the first sending of a message to its answer.
    pub(crate) fn certain(&self, history: &History, client: usize, label: Label) -> impl Iterator<Item = &Interval> {
        let last = self.generations[client].len();
        let last_discard = self.discards[client].last().max(self.beginnings[client].last()).copied().unwrap_or(0);
        let journey = &self.journeys[label];
        let span = journey.sent.first().copied().zip(journey.accepted);
        let spec = &history.messages[label];
        self.intervals[client].iter().filter(move |interval| {
            let Some((sent, accepted)) = span else { return false };
            interval.generation == last
                && interval.asked >= last_discard
                && interval.granted.is_some_and(|(granted, _)| granted < sent)
                && interval.doubted.is_none_or(|doubted| doubted > accepted)
                && !(interval.subscription.no_local && spec.publisher == client)
                && history.matches(client, &interval.subscription.filter, label)
        })
    }

    /// Subscriptions that may have brought a message to the client at this place.
    pub(crate) fn possible(&self, history: &History, client: usize, label: Label, place: usize) -> impl Iterator<Item = &Interval> {
        let generation = self.generation(client, place);
        let spec = &history.messages[label];
        let sent = if spec.retain || spec.is_will { 0 } else { self.journeys[label].sent.first().copied().unwrap_or(usize::MAX) };
        self.intervals[client].iter().filter(move |interval| {
            interval.generation == generation
                && interval.asked < place
                && interval.ended.is_none_or(|ended| ended > sent)
                && history.matches(client, &interval.subscription.filter, label)
        })
    }

    /// Whether the process died at or after this place.
    pub(crate) fn crashed_since(&self, place: usize) -> bool {
        self.crashes.iter().any(|crash| *crash >= place)
    }
}

/// SUBACK: the subscription is what was asked for, or nothing came of it.
fn answer(intervals: &mut [Interval], at: usize, place: usize, code: ReasonCode) {
    let qos = match code.value() {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        2 => QoS::ExactlyOnce,
        _ => {
            intervals[at].ended = Some(intervals[at].asked);
            return;
        }
    };
    intervals[at].granted = Some((place, qos));
}
