//! Publishers, subscribers and their ledger around one broker that comes and goes.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use signet_mqtt::{Packet, ProtocolVersion, QoS};
use signet_testkit::{connect_packet, subscribe_packet};

use crate::ledger::{Ledger, MessageName, Verdict};
use crate::line::{Line, Seen};
use crate::phase::Phase;
use crate::publisher::Publisher;
use crate::subscriber::Subscriber;

/// How long nothing may move before what is missing counts as lost.
const STILLNESS: Duration = Duration::from_secs(10);

/// How late a message may come that was set between a subscription and its look at the retained messages.
const SOON: Duration = Duration::from_secs(1);

/// Subscribers that join while the broker comes and goes.
const LATE_MAXIMUM: usize = 3;

/// Everybody around the broker. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) ledger: Arc<Ledger>,
    phase: Arc<Phase>,
    port: u16,
    publishers: Vec<JoinHandle<()>>,
    subscribers: Vec<JoinHandle<()>>,
    late: Vec<Subscriber>,
}

const Q1: QoS = QoS::AtLeastOnce;
const Q2: QoS = QoS::ExactlyOnce;
const V5: ProtocolVersion = ProtocolVersion::V5;
const V311: ProtocolVersion = ProtocolVersion::V311;

impl Scene {
    /// Everybody subscribes, then everybody begins. The broker runs.
    pub(crate) fn open(port: u16, seed: u64) -> Self {
        let publishers = [(V5, vec![Q1, Q2]), (V311, vec![Q1, Q2]), (V5, vec![Q2]), (V311, vec![Q1])];
        let publisher = |(number, (version, qualities))| Publisher { number, version, qualities, size: 120 };
        let publishers: Vec<_> = publishers.into_iter().enumerate().map(publisher).collect();
        let subscriber = |name: &str, version, group: Option<&str>, is_often_away: bool| Subscriber {
            client_identifier: name.to_owned(),
            version,
            filters: filters(group, !is_often_away),
            group: group.map(str::to_owned),
            is_often_away,
        };
        let subscribers = vec![
            subscriber("often-away", V5, None, true),
            subscriber("often-away-311", V311, None, true),
            subscriber("always-there", V5, None, false),
            subscriber("member-1", V5, Some("g"), true),
            subscriber("member-2", V311, Some("g"), true),
        ];
        Self::with(port, seed, publishers, &subscribers)
    }

    /// The same with other people.
    pub(crate) fn with(port: u16, seed: u64, publishers: Vec<Publisher>, subscribers: &[Subscriber]) -> Self {
        let ledger = Arc::new(Ledger::new(publishers.len()));
        for subscriber in subscribers {
            ledger.open(&subscriber.inbox(), subscriber.group.is_none());
            subscriber.subscribe(port);
        }
        let phase = Arc::new(Phase::default());
        let mut scene = Self { ledger, phase, port, publishers: Vec::new(), subscribers: Vec::new(), late: Vec::new() };
        for (number, subscriber) in (1..).zip(subscribers) {
            scene.attend(subscriber.clone(), seed.wrapping_add(number));
        }
        for publisher in publishers {
            let (ledger, phase) = (Arc::clone(&scene.ledger), Arc::clone(&scene.phase));
            scene.publishers.push(std::thread::spawn(move || publisher.run(port, &ledger, &phase)));
        }
        scene
    }

    fn attend(&mut self, subscriber: Subscriber, seed: u64) {
        let (ledger, phase, port) = (Arc::clone(&self.ledger), Arc::clone(&self.phase), self.port);
        self.subscribers.push(std::thread::spawn(move || subscriber.run(port, &ledger, &phase, seed)));
    }

    /// Somebody subscribes now, in the middle of everything, and comes back for the messages at the end.
    pub(crate) fn join_late(&mut self) {
        if self.late.len() >= LATE_MAXIMUM {
            return;
        }
        let client_identifier = format!("late-{}", self.late.len());
        let filters = vec!["state/#".to_owned()];
        let subscriber = Subscriber { client_identifier, version: V5, filters, group: None, is_often_away: false };
        subscriber.subscribe(self.port);
        self.ledger.open_late(&subscriber.inbox());
        self.late.push(subscriber);
    }

    /// A newcomer looks at the retained messages: each has to be the one that was acknowledged last before, or a later one.
    pub(crate) fn check_retained(&self, least: &[u64]) {
        let wanted = least.iter().filter(|number| **number > 0).count();
        let Some((mut line, _)) = Line::introduce(self.port, connect_packet(V5, "newcomer")) else { return };
        line.send(&Packet::Subscribe(subscribe_packet(1, &[("state/#", QoS::AtMostOnce)])));
        let mut seen = vec![None; least.len()];
        let mut is_later = vec![false; least.len()];
        // What is published meanwhile comes too: not silence ends this, but time.
        let (soon, deadline) = (Instant::now() + SOON, Instant::now() + STILLNESS);
        while seen.iter().flatten().count() < wanted {
            match line.next(deadline.saturating_duration_since(Instant::now())) {
                Seen::Packet(Packet::Publish(publish)) if publish.retain => {
                    let name = MessageName::parse(&publish.payload).expect("a payload of ours");
                    seen[name.publisher] = Some(name.number);
                    self.ledger.check_retained(name.publisher, name.number, least[name.publisher]);
                }
                // Set after the subscription was entered and before the retained messages were looked up: it comes as any other message does,
                // and the one whose place it took does not come at all.
                Seen::Packet(Packet::Publish(publish)) if Instant::now() < soon => {
                    let name = MessageName::parse(&publish.payload).expect("a payload of ours");
                    is_later[name.publisher] |= name.number > least[name.publisher];
                }
                Seen::Packet(_) if Instant::now() < deadline => {}
                Seen::Packet(_) => break,
                Seen::Lost => return,
                Seen::Nothing => break,
            }
        }
        for (publisher, least) in least.iter().enumerate() {
            if *least > 0 && seen[publisher].is_none() && !is_later[publisher] {
                self.ledger.fault(format!("the retained message of publisher {publisher} is gone, expected {least} or later"));
            }
        }
    }

    /// Publishers finish, subscribers take what is theirs, and the books are compared. The broker runs.
    pub(crate) fn finish(mut self) -> Verdict {
        self.phase.drain();
        for publisher in self.publishers.drain(..) {
            publisher.join().expect("the publisher does not panic");
        }
        for (number, late) in (100..).zip(std::mem::take(&mut self.late)) {
            self.attend(late, number);
        }
        self.ledger.settle(STILLNESS);
        self.check_retained(&self.ledger.retained());
        self.phase.end();
        for subscriber in self.subscribers.drain(..) {
            subscriber.join().expect("the subscriber does not panic");
        }
        self.ledger.verdict()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.phase.end();
    }
}

/// All that publishers publish.
pub(crate) fn everything() -> Vec<String> {
    filters(None, false)
}

/// What a subscriber wants: everything; Wills only at one, so that they can be counted.
fn filters(group: Option<&str>, wants_wills: bool) -> Vec<String> {
    let prefix = group.map(|group| format!("$share/{group}/")).unwrap_or_default();
    let kinds = ["ledger/#", "state/#"].into_iter().chain(wants_wills.then_some("will/#"));
    kinds.map(|kind| format!("{prefix}{kind}")).collect()
}
