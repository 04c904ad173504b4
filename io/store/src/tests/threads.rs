//! The store with its thread: tickets, wake-ups, a full disk, a failing disk, the end.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use signet_broker::{Change, MessageId, Moment, Recipient, SessionId, ShardId, Store as _, SubscriptionIdentifiers, Ticket, Urgency};
use signet_journal::simulated::SimulatedFolder;
use signet_mqtt::{ClientIdentifier, Message, QoS, SubscriptionOptions, TopicFilter, TopicName};
use signet_policy::{Client, Principal};

use crate::{Opened, Store, StoreConfig, StoreHandle, StoreState};

/// An end to waiting, for when something is broken.
const FAILURE: Duration = Duration::from_secs(30);

struct Rig {
    folder: SimulatedFolder,
    opened: Opened,
    woken: Receiver<usize>,
}

fn config() -> StoreConfig {
    StoreConfig { segment_bytes: 16 << 10, flush_interval: Duration::from_millis(50), ..StoreConfig::new("/simulated") }
}

fn rig(folder: SimulatedFolder, config: &StoreConfig) -> Rig {
    let (sender, woken) = channel();
    let wake = |shard: usize| -> Box<dyn Fn() + Send> {
        let sender = sender.clone();
        // At the end of a test nobody listens any more.
        Box::new(move || sender.send(shard).unwrap_or_default())
    };
    let opened = Store::open_in(Box::new(folder.clone()), config, (0..3).map(wake).collect()).unwrap();
    Rig { folder, opened, woken }
}

impl Rig {
    /// Waits, woken by the store, until something is so.
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Vec<StoreHandle>, &Store) -> bool) {
        while !is_so(&mut self.opened.handles, &self.opened.store) {
            self.woken.recv_timeout(FAILURE).unwrap_or_else(|_| panic!("waited in vain for: {what}"));
        }
    }
}

fn left(handle: &mut StoreHandle, session: u64, urgency: Urgency) -> Ticket {
    let ticket = handle.append(&Change::SessionLeft { session: SessionId(session), ends_at: None }, urgency);
    handle.seal();
    handle.post();
    ticket
}

fn queue(handle: &mut StoreHandle, id: u64, length: usize) {
    let message = Arc::new(Message {
        topic: TopicName::new("a").unwrap(),
        payload: vec![1; length].into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: Default::default(),
    });
    let recipient = Recipient {
        session: SessionId(1),
        shard: ShardId(0),
        qos: QoS::AtLeastOnce,
        retain: false,
        identifiers: SubscriptionIdentifiers::default(),
        shared: None,
    };
    let change = Change::MessageQueued { id: MessageId(id), message: &message, recipients: &[recipient], received_at: Moment::ZERO };
    handle.append(&change, Urgency::Now);
    handle.post();
}

fn open_session(handle: &mut StoreHandle) {
    let client = Client::restored(Principal::Anonymous, None, ClientIdentifier::new("c"), None);
    handle.append(&Change::SessionOpened { session: SessionId(1), client: &client, expiry: 5 }, Urgency::Now);
    handle.post();
}

#[test]
fn a_ticket_is_durable_when_the_disk_has_it_and_its_shard_is_woken() {
    let mut rig = rig(SimulatedFolder::new(), &config());
    assert_eq!(rig.opened.handles[1].durable(), Ticket::NONE);
    let tickets: Vec<Ticket> = rig.opened.handles.iter_mut().map(|handle| left(handle, 1, Urgency::Now)).collect();
    rig.until("all tickets", |handles, _| handles.iter().zip(&tickets).all(|(handle, ticket)| handle.durable() >= *ticket));
    let later = left(&mut rig.opened.handles[2], 2, Urgency::Later);
    assert_eq!(rig.opened.handles[2].latest(), tickets[2], "who waits for what was promised does not wait for that");
    rig.until("what nobody waits for, after the flush interval", |handles, _| handles[2].durable() == later);
    assert_eq!(rig.opened.handles[0].durable(), tickets[0], "every shard has tickets of its own");
    assert_eq!(rig.opened.store.state(), StoreState::Ready);
}

#[test]
fn what_nobody_waits_for_is_written_soon_whenever_it_is_synced() {
    let rig = rig(SimulatedFolder::new(), &StoreConfig { flush_interval: Duration::from_secs(3600), ..config() });
    let Opened { store, mut handles, .. } = rig.opened;
    let begun = Instant::now();
    for session in 1..=3 {
        left(&mut handles[0], session, Urgency::Later);
        // Nobody is told of it.
        while store.stats().batches < session {
            assert!(begun.elapsed() < FAILURE, "written: {} of {session}", store.stats().batches);
            std::thread::yield_now();
        }
    }
    assert_eq!(handles[0].durable(), Ticket::NONE);
}

#[test]
fn closing_writes_what_was_posted_and_opening_gives_it_back() {
    let config = StoreConfig { flush_interval: Duration::from_secs(3600), ..config() };
    let mut first = rig(SimulatedFolder::new(), &config);
    open_session(&mut first.opened.handles[0]);
    queue(&mut first.opened.handles[0], 7, 100);
    let last = left(&mut first.opened.handles[1], 1, Urgency::Later);
    let Opened { store, handles, .. } = first.opened;
    store.close().unwrap();
    assert_eq!(handles[1].durable(), last);
    let second = rig(first.folder.lose_power(&mut signet_journal::simulated::Chance::new(1)), &config);
    let image = &second.opened.image;
    assert_eq!((image.sessions.len(), image.sessions[0].messages.len(), image.sessions[0].left), (1, 1, Some(None)));
    assert_eq!((image.first_free, second.opened.cut.is_none()), (8, true));
    let stats = second.opened.store.stats();
    assert_eq!((stats.messages, stats.sessions, stats.retained), (1, 1, 0));
}

#[test]
fn after_a_failed_sync_nothing_is_durable_any_more() {
    let mut rig = rig(SimulatedFolder::new(), &config());
    let first = left(&mut rig.opened.handles[0], 1, Urgency::Now);
    rig.until("the first ticket", |handles, _| handles[0].durable() == first);
    rig.folder.fail_syncs_after(Some(0));
    left(&mut rig.opened.handles[0], 2, Urgency::Now);
    rig.until("the failure", |handles, _| handles.iter().all(StoreHandle::is_failed));
    // The disk would do again, but nobody asks it.
    rig.folder.fail_syncs_after(None);
    left(&mut rig.opened.handles[0], 3, Urgency::Now);
    let Opened { store, handles, .. } = rig.opened;
    assert!(matches!(store.state(), StoreState::Failed { message } if message.contains("could not sync")));
    assert!(store.close().unwrap_err().to_string().contains("simulated failure"));
    assert_eq!(handles[0].durable(), first);
}

#[test]
fn a_full_disk_is_told_and_acknowledgements_bring_room_back() {
    let mut rig = rig(SimulatedFolder::new(), &config());
    open_session(&mut rig.opened.handles[0]);
    rig.folder.set_room(Some(8 * (16 << 10)));
    let mut id = 0;
    while !rig.opened.handles[0].is_full() {
        id += 1;
        queue(&mut rig.opened.handles[0], id, 1000);
        let ticket = rig.opened.handles[0].latest();
        rig.until("the ticket", |handles, _| handles[0].durable() >= ticket || handles[0].is_full());
    }
    assert!(matches!(rig.opened.store.state(), StoreState::Full { why } if why.contains("could not make")));
    // Acknowledgements go through, all of them.
    for id in 1..=id {
        rig.opened.handles[0].append(&Change::MessageDone { session: SessionId(1), id: MessageId(id) }, Urgency::Now);
        rig.opened.handles[0].post();
    }
    let last = rig.opened.handles[0].latest();
    rig.until("acknowledgements on a full disk", |handles, _| handles[0].durable() >= last);
    rig.until("room", |handles, _| !handles[0].is_full());
    assert_eq!(rig.opened.store.state(), StoreState::Ready);
    let watch = rig.opened.store.watch();
    rig.opened.store.close().unwrap();
    assert_eq!(watch.stats().messages, 0);
}

/// Little by little, and from everywhere: no segment is ever without anything that is needed.
#[test]
fn acknowledgements_bring_room_back_however_much_else_is_kept() {
    let mut rig = rig(SimulatedFolder::new(), &StoreConfig { maximum_bytes: Some(64 * (16 << 10)), ..config() });
    open_session(&mut rig.opened.handles[0]);
    let mut count = 0;
    while !rig.opened.handles[0].is_full() {
        for _ in 0..40 {
            count += 1;
            queue(&mut rig.opened.handles[0], count, 40);
        }
        let ticket = rig.opened.handles[0].latest();
        rig.until("the ticket", |handles, _| handles[0].durable() >= ticket || handles[0].is_full());
    }
    let spread = (1..=50).flat_map(|first| (first..=count).step_by(50));
    for id in spread.take(2000) {
        rig.opened.handles[0].append(&Change::MessageDone { session: SessionId(1), id: MessageId(id) }, Urgency::Now);
        rig.opened.handles[0].post();
        let ticket = rig.opened.handles[0].latest();
        rig.until("an acknowledgement on a full disk", |handles, _| handles[0].durable() >= ticket);
    }
    let watch = rig.opened.store.watch();
    rig.opened.store.close().unwrap();
    assert_eq!(watch.stats().messages, count - 2000);
}

#[test]
fn room_that_somebody_else_makes_is_found() {
    let mut rig = rig(SimulatedFolder::new(), &config());
    open_session(&mut rig.opened.handles[0]);
    rig.folder.set_room(Some(rig.folder.bytes()));
    // Far more than fits: the queue waits, and nothing of it is lost.
    for id in 1..=200 {
        queue(&mut rig.opened.handles[0], id, 1000);
    }
    let last = rig.opened.handles[0].latest();
    rig.until("no room", |handles, _| handles[0].is_full());
    assert!(rig.opened.handles[0].durable() < last);
    rig.folder.set_room(None);
    rig.until("everything", |handles, _| handles[0].durable() >= last && !handles[0].is_full());
    // The numbers follow a moment after the tickets: only at the end are they sure to be the last.
    let watch = rig.opened.store.watch();
    rig.opened.store.close().unwrap();
    assert_eq!(watch.stats().messages, 200);
}

#[test]
fn shards_that_are_ahead_of_the_disk_are_held_back_until_it_has_caught_up() {
    let config = StoreConfig { queue_bytes_maximum: 50_000, ..config() };
    let mut rig = rig(SimulatedFolder::new(), &config);
    rig.folder.set_room(Some(rig.folder.bytes()));
    let mut id = 0;
    while !rig.opened.handles[1].is_congested() {
        id += 1;
        queue(&mut rig.opened.handles[0], id, 5000);
        assert!(id < 1000, "the disk is full, so the queue grows");
    }
    rig.folder.set_room(None);
    rig.until("the queue to shrink", |handles, _| !handles[1].is_congested());
    let last = rig.opened.handles[0].latest();
    rig.until("everything", |handles, _| handles[0].durable() >= last);
}

/// A million sessions may end in one turn. No post is larger than any batch can be.
#[test]
fn an_enormous_transaction_is_posted_in_parts() {
    let config = StoreConfig { queue_bytes_maximum: 1 << 20, ..config() };
    let mut rig = rig(SimulatedFolder::new(), &config);
    // The disk is full, so what was posted stays in the queue.
    rig.folder.set_room(Some(rig.folder.bytes()));
    let filter = &TopicFilter::new("a".repeat(60_000)).unwrap();
    let handle = &mut rig.opened.handles[0];
    let (options, mut key) = (SubscriptionOptions::default(), 0);
    while !handle.is_congested() {
        key += 1;
        assert!(key < 2000, "twice as much as is ever posted at once");
        let session = SessionId(1);
        handle.append(
            &Change::SubscriptionAdded { session, key, filter, options: &options, identifier: None, starting: None },
            Urgency::Later,
        );
    }
}

#[test]
fn closing_without_room_says_what_is_lost() {
    let mut rig = rig(SimulatedFolder::new(), &config());
    rig.folder.set_room(Some(rig.folder.bytes()));
    for id in 1..=200 {
        queue(&mut rig.opened.handles[0], id, 1000);
    }
    rig.until("no room", |handles, _| handles[0].is_full());
    let error = rig.opened.store.close().unwrap_err().to_string();
    assert!(error.contains("closed without room for the last changes"), "{error}");
}
