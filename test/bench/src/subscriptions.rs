//! `subscriptions`: what very many subscriptions and retained messages cost in memory, and what a message, a look-up, the end of a session and a
//! restart cost among them. The broker is the real one, and the store where there is one; instead of sockets there is nothing. Every row is measured
//! in a process of its own, so that none lives on the memory that another left behind.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use signet_broker::{
    Broker, ConnectionId, Context, Directory, Image, Input, Limits, Moment, Output, ShardId, SharedDirectory, TotalLimits, Totals,
    admit_without_chain,
};
use signet_identity::{NoIdentity, Peer};
use signet_mqtt::{ClientIdentifier, Connect, Disconnect, Packet, ProtocolVersion, QoS, ReasonCode};
use signet_policy::{AdmissionRules, Origin, Ruleset};
use signet_store::{MemoryStore, Opened, Store, StoreConfig, StoreHandle};
use signet_testkit::{connect_packet, publish_packet, subscribe_packet};

use crate::Figure;
use crate::meter::{resident, thread_time};

/// How much to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// So many of each, one time after the other; ratios are to the first.
    pub counts: Vec<u32>,
}

/// Subscriptions of a session that has many.
const MANY: u32 = 1_000;
/// Filters in one SUBSCRIBE.
const FILTERS: u32 = 100;
/// Messages of one measurement.
const MESSAGES: u32 = 50_000;
/// Topics that they go to, taken from all over: more than any memory of one connection holds.
const TOPICS: u32 = 4_096;
/// Octets of a retained message.
const PAYLOAD: usize = 32;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Filters without wildcards, many of each session.
    Literal,
    /// The same, one of each session.
    Single,
    /// Every other one with `+`, the rest with `#`, many of each session.
    Wild,
    /// Messages.
    Retained,
}

const KINDS: [(Kind, &str); 4] = [(Kind::Literal, "literal"), (Kind::Single, "single"), (Kind::Wild, "wild"), (Kind::Retained, "retained")];

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Self::Literal => "subscriptions without wildcards, 1,000 of each session",
            Self::Single => "subscriptions without wildcards, one of each session",
            Self::Wild => "subscriptions with `+` and `#`, 1,000 of each session",
            Self::Retained => "retained messages",
        }
    }

    fn filter(self, number: u32) -> String {
        match self {
            Self::Wild if number.is_multiple_of(2) => format!("plant/line/{number:010}/+/state"),
            Self::Wild => format!("plant/line/{number:010}/#"),
            Self::Literal | Self::Single | Self::Retained => topic(number),
        }
    }
}

fn topic(number: u32) -> String {
    format!("plant/line/{number:010}/motor/state")
}

/// Measures everything, with this program for the rows.
///
/// # Panics
/// When a measurement cannot be made.
#[must_use]
pub fn measure(program: &Path, plan: &Plan) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (kind, name) in KINDS {
        for stored in ["memory", "stored"] {
            let mut first: Option<Vec<Figure>> = None;
            for count in &plan.counts {
                let output = Command::new(program).args(["subscriptions-of", name, &count.to_string(), stored]).output();
                let output = output.expect("this command can be run");
                let text = String::from_utf8_lossy(&output.stdout);
                assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
                let place = if stored == "stored" { ", with the store" } else { "" };
                let what = format!("{count} {}{place}", kind.words());
                let own: Vec<Figure> = text.lines().map(|line| read(&what, line)).collect();
                let ratios = own.iter().zip(first.iter().flatten()).filter(|(own, _)| own.unit == "ns");
                let ratios: Vec<Figure> =
                    ratios.map(|(own, first)| Figure::new(format!("{}, to the first", own.what), own.value / first.value, "×")).collect();
                first.get_or_insert_with(|| own.clone());
                figures.extend(own.into_iter().chain(ratios));
            }
        }
    }
    figures
}

/// A line of [`measure_one`].
fn read(what: &str, line: &str) -> Figure {
    let (value, rest) = line.split_once(' ').expect("a line has a number");
    let (unit, row) = rest.split_once(' ').expect("a line has a unit");
    let unit = ["ns", "ms", "bytes"].into_iter().find(|known| *known == unit).expect("a known unit");
    Figure::new(format!("{what}: {row}"), value.parse().expect("a number"), unit)
}

/// Measures one row in this process, in lines of number, unit and what it is; nothing if there is no such row.
///
/// # Panics
/// When the measurement cannot be made.
#[must_use]
pub fn measure_one(kind: &str, count: &str, place: &str) -> Option<String> {
    let (kind, _) = KINDS.into_iter().find(|(_, name)| *name == kind)?;
    let count: u32 = count.parse().ok()?;
    let directory = tempfile::tempdir().unwrap();
    let config = match place {
        "memory" => None,
        "stored" => Some(StoreConfig::new(directory.path())),
        _ => return None,
    };
    let (mut rig, _) = Rig::open(config.as_ref(), count);
    let mut lines = if kind == Kind::Retained { retain(&mut rig, count) } else { subscribe(&mut rig, kind, count) };
    let held = rig.held();
    rig.close();
    if let Some(config) = &config {
        let begun = thread_time();
        let (rig, image) = Rig::open(Some(config), count);
        let sessions = image.sessions.len();
        let mut rig = rig.restored(image);
        lines.push(("ms", "processor time to read the store and take it up", millis(thread_time() - begun)));
        assert_eq!(rig.held(), held, "all of it is there again");
        if kind != Kind::Retained {
            assert!(sessions > 0);
            rig.run(vec![(rig.publisher, Packet::Publish(publish_packet(&topic(0), "x", QoS::AtMostOnce, false)))]);
        }
        rig.close();
    }
    Some(lines.into_iter().map(|(unit, what, value)| format!("{value:.1} {unit} {what}\n")).collect())
}

type Line = (&'static str, &'static str, f64);

fn subscribe(rig: &mut Rig, kind: Kind, count: u32) -> Vec<Line> {
    let each = if kind == Kind::Single { 1 } else { MANY };
    let bare = resident();
    let sessions: Vec<ConnectionId> = (0..count.div_ceil(each)).map(|number| rig.connect(&format!("subscriber-{number}"))).collect();
    rig.settle();
    let text: usize = (0..count).map(|number| kind.filter(number).len()).sum();
    let (before, mut used) = (resident(), Duration::ZERO);
    let session = (float(before) - float(bare)) / f64::from(u32::try_from(sessions.len()).unwrap_or(1));
    for first in (0..count).step_by(wide(MANY)) {
        // What one session has of these, or each of several, in packets of several.
        let packet = |first: u32| {
            let end = (first + FILTERS.min(each)).min(count);
            let filters: Vec<String> = (first..end).map(|number| kind.filter(number)).collect();
            let filters: Vec<(&str, QoS)> = filters.iter().map(|filter| (filter.as_str(), QoS::AtLeastOnce)).collect();
            let connection = sessions.get(wide(first / each)).copied().expect("there is one for all filters");
            (connection, Packet::Subscribe(subscribe_packet(1, &filters)))
        };
        let packets = (first..(first + MANY).min(count)).step_by(wide(FILTERS.min(each))).map(packet).collect();
        used += rig.run(packets);
    }
    rig.settle();
    let growth = resident().saturating_sub(before);
    assert_eq!(rig.directory.read(Directory::subscriptions), wide(count));
    let mut lines = vec![
        ("bytes", "memory for each, without the text of its filter", (float(growth) - float(text)) / f64::from(count)),
        ("ns", "processor time to subscribe", nanos(used, count)),
    ];
    if kind == Kind::Single {
        lines.push(("bytes", "memory for each session, connected but without socket", session));
    }
    // Walked in strides that have no factor in common with any count.
    let topics: Vec<String> =
        (0..TOPICS).map(|number| topic(u32::try_from(u64::from(number) * 7_368_787 % u64::from(count)).unwrap_or(0))).collect();
    let few = topics.get(..4).unwrap_or_default();
    let known = rig.publish(few.iter().cycle());
    let unknown = rig.publish(topics.iter().cycle());
    lines.push(("ns", "processor time of a message to a topic that is remembered", known));
    lines.push(("ns", "processor time of a message to any topic", unknown));
    // As with a Session Expiry Interval of zero.
    let ended = u32::try_from(sessions.len()).unwrap_or(1).div_ceil(4).min(MANY);
    let mut disconnect = Disconnect::new(ReasonCode::Success);
    disconnect.session_expiry_interval = Some(0);
    let packets: Vec<_> =
        sessions.iter().take(wide(ended)).map(|session| (*session, Packet::Disconnect(Box::new(disconnect.clone())))).collect();
    let held = rig.directory.read(Directory::subscriptions);
    let used = rig.run(packets);
    let gone = held - rig.directory.read(Directory::subscriptions);
    lines.push(("ns", "processor time to end a session, for each of its subscriptions", nanos(used, u32::try_from(gone).unwrap_or(1))));
    lines
}

fn retain(rig: &mut Rig, count: u32) -> Vec<Line> {
    let payload = "x".repeat(PAYLOAD);
    let text: usize = (0..count).map(|number| topic(number).len() + PAYLOAD).sum();
    let (before, mut used) = (resident(), Duration::ZERO);
    for first in (0..count).step_by(wide(MANY)) {
        let packet = |number| (rig.publisher, Packet::Publish(publish_packet(&topic(number), &payload, QoS::AtMostOnce, true)));
        let packets = (first..(first + MANY).min(count)).map(packet).collect();
        used += rig.run(packets);
    }
    rig.settle();
    let growth = resident().saturating_sub(before);
    assert_eq!(rig.directory.read(Directory::retained).0, wide(count));
    let subscriber = rig.connect("subscriber");
    let mut look_up = |filter: String| {
        let subscribe = subscribe_packet(1, &[(filter.as_str(), QoS::AtMostOnce)]);
        nanos(rig.run(vec![(subscriber, Packet::Subscribe(subscribe))]), 1)
    };
    vec![
        ("bytes", "memory for each, without topic and payload", (float(growth) - float(text)) / f64::from(count)),
        ("ns", "processor time to retain", nanos(used, count)),
        ("ns", "processor time to subscribe to one of them", look_up(topic(count / 2))),
        ("ns", "processor time to subscribe to one of them by `+`", look_up(format!("+/line/{:010}/+/state", count / 3))),
        ("ns", "processor time to subscribe to one of them by `#`", look_up(format!("plant/+/{:010}/#", count / 4))),
        (
            "ms",
            "processor time to look for what is not there by `+` in the place where all differ",
            look_up("plant/line/+/pump".to_owned()) / 1e6,
        ),
    ]
}

/// One shard, its directory and its store.
struct Rig {
    broker: Broker,
    directory: Locked,
    place: Place,
    store: Option<Store>,
    ruleset: Arc<Ruleset>,
    limits: Arc<Limits>,
    connections: u64,
    publisher: ConnectionId,
    outputs: Vec<Output>,
}

enum Place {
    Memory(MemoryStore),
    Disk(StoreHandle),
}

impl Rig {
    /// With what was in the store, which is not taken up.
    fn open(config: Option<&StoreConfig>, count: u32) -> (Self, Image) {
        let (place, store, image) = match config {
            None => (Place::Memory(MemoryStore::new()), None, Image::default()),
            Some(config) => {
                let Opened { store, mut handles, image, .. } = Store::open(config, vec![Box::new(|| {})]).expect("the store opens");
                (Place::Disk(handles.pop().expect("one for the shard")), Some(store), image)
            }
        };
        let room = wide(count) + 1_000;
        let total = TotalLimits {
            sessions_maximum: room,
            retained_messages_maximum: room,
            retained_bytes_maximum: usize::MAX,
            ..TotalLimits::default()
        };
        let (limits, ruleset) = (Arc::new(Limits { total, ..Limits::default() }), Arc::new(Ruleset::allow_all()));
        let broker = Broker::new(ShardId(0), Arc::clone(&limits), Arc::new(Totals::new()), Arc::clone(&ruleset), 7);
        let directory = Locked(RwLock::new(Directory::new(7)));
        let publisher = ConnectionId(1);
        let mut rig = Self { broker, directory, place, store, ruleset, limits, connections: 0, publisher, outputs: Vec::new() };
        if image.first_free == 0 {
            rig.publisher = rig.connect("publisher");
        }
        (rig, image)
    }

    fn restored(mut self, image: Image) -> Self {
        let first_free = image.first_free;
        let (retained, parts) = image.split(1);
        self.directory.write(|directory| directory.restore(retained, first_free));
        for part in parts {
            let Self { broker, directory, place, outputs, .. } = &mut self;
            match place {
                Place::Memory(store) => broker.restore(part, &mut Context { now: NOW, directory, store, output: outputs }),
                Place::Disk(store) => broker.restore(part, &mut Context { now: NOW, directory, store, output: outputs }),
            }
        }
        self.publisher = self.connect("publisher");
        self
    }

    /// A client whose session lasts.
    fn connect(&mut self, name: &str) -> ConnectionId {
        let mut connect = Connect { keep_alive: 0, ..connect_packet(ProtocolVersion::V5, name) };
        connect.properties.session_expiry_interval = Some(86_400);
        let (peer, rules) = (Peer::Anonymous(NoIdentity::PlainTransport), AdmissionRules { anonymous: true, ..AdmissionRules::default() });
        let from = (Origin { address: None, listener: "bench".into() }, 0);
        let none = || ClientIdentifier::new(String::new());
        let admission = admit_without_chain(connect, &peer, &rules, &self.ruleset, &self.limits, from, none);
        let Ok(admission) = admission else { panic!("a client is not let in") };
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.apply(Input::Admitted { connection, admission: Box::new(admission) });
        connection
    }

    /// Returns the processor time of all of them.
    fn run(&mut self, packets: Vec<(ConnectionId, Packet)>) -> Duration {
        let begun = thread_time();
        for (connection, packet) in packets {
            self.apply(Input::Packet { connection, packet });
        }
        thread_time() - begun
    }

    fn apply(&mut self, input: Input) {
        let Self { broker, directory, place, outputs, .. } = self;
        match place {
            Place::Memory(store) => broker.apply(input, &mut Context { now: NOW, directory, store, output: outputs }),
            Place::Disk(store) => {
                broker.apply(input, &mut Context { now: NOW, directory, store, output: outputs });
                signet_broker::Store::post(store);
            }
        }
        outputs.clear();
        while let Place::Disk(store) = place
            && store.is_congested()
        {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Sends messages to these topics. Returns the processor time of one in nanoseconds.
    fn publish<'t>(&mut self, topics: impl Iterator<Item = &'t String>) -> f64 {
        let packet = |topic: &String| (self.publisher, Packet::Publish(publish_packet(topic, "x", QoS::AtMostOnce, false)));
        let packets = topics.take(wide(MESSAGES)).map(packet).collect();
        nanos(self.run(packets), MESSAGES)
    }

    /// Subscriptions and retained messages.
    fn held(&self) -> (usize, usize) {
        self.directory.read(|directory| (directory.subscriptions(), directory.retained().0))
    }

    /// Waits until the disk has everything.
    fn settle(&self) {
        while let Place::Disk(store) = &self.place
            && store.durable() < signet_broker::Store::latest(store)
        {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn close(self) {
        self.settle();
        if let Some(store) = self.store {
            store.close().expect("everything is on the disk");
        }
    }
}

const NOW: Moment = Moment::ZERO;

struct Locked(RwLock<Directory>);

impl SharedDirectory for Locked {
    fn read<R>(&self, look: impl FnOnce(&Directory) -> R) -> R {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<R>(&self, change: impl FnOnce(&mut Directory) -> R) -> R {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}

fn wide(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn float(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn nanos(time: Duration, count: u32) -> f64 {
    time.as_secs_f64() * 1e9 / f64::from(count.max(1))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
