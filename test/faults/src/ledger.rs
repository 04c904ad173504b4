//! What was promised, what arrived, and the comparison of both. Publishers write here after an acknowledgement, subscribers after a receipt;
//! the broker has no part in it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use signet_mqtt::QoS;

/// Names one message: who published it, and the how many-th of theirs it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MessageName {
    pub(crate) publisher: usize,
    pub(crate) number: u64,
}

impl MessageName {
    /// As it stands at the start of a payload.
    pub(crate) fn payload(self) -> String {
        format!("{}:{}:", self.publisher, self.number)
    }

    /// From a payload.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(payload).ok()?.split(':');
        Some(Self { publisher: words.next()?.parse().ok()?, number: words.next()?.parse().ok()? })
    }
}

/// What keeps its order: messages of one publisher with one QoS to one topic [MQTT-4.6.0-5].
pub(crate) type Stream = (QoS, bool);

/// What one publisher did.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// Each message by its number, without those that were refused.
    sent: BTreeMap<u64, Sent>,
    /// The number of the latest, refused ones included.
    last: u64,
    /// The latest acknowledged and the latest sent message that the broker was to retain.
    retained_acknowledged: u64,
    retained_sent: u64,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    qos: QoS,
    is_retained: bool,
    is_acknowledged: bool,
}

/// What came to one inbox: a subscriber, or a group that shares a subscription.
#[derive(Debug, Default)]
struct Inbox {
    /// Numbers from which on a publisher's messages have to arrive here; nothing of publishers that are not named.
    since: Vec<u64>,
    counts: BTreeMap<MessageName, u32>,
    /// First receipts that came after a later message of the same publisher in the same stream.
    disorder: u64,
    last: BTreeMap<(usize, Stream), u64>,
    /// Whether only what is to be retained has to arrive here.
    is_for_retained: bool,
    /// Order can be judged where one session reads; a Shared Subscription has none.
    has_one_reader: bool,
}

/// A Will and what became of it.
#[derive(Debug, Default)]
struct WillRecord {
    /// Whether it has to be published: its connection was lost and it was acknowledged before.
    is_due: bool,
    not_before: Option<Instant>,
    count: u32,
}

#[derive(Debug, Default)]
struct Books {
    publishers: Vec<Published>,
    inboxes: BTreeMap<String, Inbox>,
    wills: BTreeMap<String, WillRecord>,
    faults: Vec<String>,
    /// Counts everything that came, so that a wait knows whether anything moves.
    receipts: usize,
    refusals: usize,
}

/// All of it, shared by the threads of a run.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    books: Mutex<Books>,
    moved: Condvar,
}

/// The comparison.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) acknowledged: usize,
    pub(crate) delivered: u64,
    pub(crate) lost: Vec<String>,
    pub(crate) duplicates_qos2: Vec<String>,
    pub(crate) duplicates_qos1: u64,
    pub(crate) disorder: u64,
    pub(crate) wills: usize,
    pub(crate) wills_missing: Vec<String>,
    pub(crate) faults: Vec<String>,
}

impl Ledger {
    pub(crate) fn new(publishers: usize) -> Self {
        let ledger = Self::default();
        ledger.lock().publishers.resize_with(publishers, Published::default);
        ledger
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// A message is about to be sent.
    pub(crate) fn sent(&self, name: MessageName, qos: QoS, is_retained: bool) {
        let mut books = self.lock();
        let publisher = &mut books.publishers[name.publisher];
        publisher.sent.insert(name.number, Sent { qos, is_retained, is_acknowledged: false });
        publisher.last = name.number;
        if is_retained {
            publisher.retained_sent = name.number;
        }
    }

    /// The broker took the responsibility for a message.
    pub(crate) fn acknowledged(&self, name: MessageName, is_retained: bool) {
        let mut books = self.lock();
        let publisher = &mut books.publishers[name.publisher];
        publisher.sent.get_mut(&name.number).unwrap().is_acknowledged = true;
        if is_retained {
            publisher.retained_acknowledged = publisher.retained_acknowledged.max(name.number);
        }
        self.moved.notify_all();
    }

    /// The broker refused a message: nobody needs to get it.
    pub(crate) fn refused(&self, name: MessageName) {
        let mut books = self.lock();
        books.publishers[name.publisher].sent.remove(&name.number);
        books.refusals += 1;
    }

    /// How many messages were refused.
    pub(crate) fn refusals(&self) -> usize {
        self.lock().refusals
    }

    /// The number of the latest message of this publisher.
    pub(crate) fn last(&self, publisher: usize) -> u64 {
        self.lock().publishers[publisher].last
    }

    /// How many messages of all publishers were acknowledged so far.
    pub(crate) fn total(&self) -> usize {
        self.lock().publishers.iter().map(Published::acknowledged).sum()
    }

    /// Waits until at least so many messages were acknowledged. False if the time is over before.
    pub(crate) fn await_total(&self, least: usize, wait: Duration) -> bool {
        let enough = |books: &mut Books| books.publishers.iter().map(Published::acknowledged).sum::<usize>() < least;
        !self.moved.wait_timeout_while(self.lock(), wait, enough).unwrap().1.timed_out()
    }

    /// Opens an inbox. Everything that is published has to arrive in it.
    pub(crate) fn open(&self, inbox: &str, has_one_reader: bool) {
        let mut books = self.lock();
        let since = vec![0; books.publishers.len()];
        books.inboxes.insert(inbox.to_owned(), Inbox { since, has_one_reader, ..Inbox::default() });
    }

    /// Opens an inbox for what is published with RETAIN after this moment.
    pub(crate) fn open_late(&self, inbox: &str) {
        let mut books = self.lock();
        let since = books.publishers.iter().map(|publisher| publisher.last + 1).collect();
        let inbox_of_retained = Inbox { since, is_for_retained: true, has_one_reader: true, ..Inbox::default() };
        books.inboxes.insert(inbox.to_owned(), inbox_of_retained);
    }

    /// A message came to an inbox.
    pub(crate) fn received(&self, inbox: &str, name: MessageName, stream: Stream) {
        let mut books = self.lock();
        if books.publishers.get(name.publisher).is_none_or(|publisher| !publisher.sent.contains_key(&name.number)) {
            books.faults.push(format!("{inbox} got message {name:?}, which nobody sent"));
        }
        books.receipts += 1;
        let inbox = books.inboxes.get_mut(inbox).unwrap();
        let count = inbox.counts.entry(name).or_default();
        *count += 1;
        if *count == 1 {
            let last = inbox.last.entry((name.publisher, stream)).or_default();
            if inbox.has_one_reader && name.number < *last {
                inbox.disorder += 1;
            }
            *last = (*last).max(name.number);
        }
        self.moved.notify_all();
    }

    /// A connection with this Will was acknowledged, and it will be lost.
    pub(crate) fn will_set(&self, will: &str) {
        self.lock().wills.entry(will.to_owned()).or_default().is_due = true;
    }

    /// The connection with this Will is about to be lost; its Will has to wait so long.
    pub(crate) fn will_delayed(&self, will: &str, delay: Duration) {
        self.lock().wills.entry(will.to_owned()).or_default().not_before = Some(Instant::now() + delay);
    }

    /// A Will came.
    pub(crate) fn will_received(&self, will: &str) {
        let mut books = self.lock();
        books.receipts += 1;
        let record = books.wills.entry(will.to_owned()).or_default();
        record.count += 1;
        if record.not_before.is_some_and(|moment| Instant::now() < moment) {
            books.faults.push(format!("will {will} came before its delay was over"));
        }
        self.moved.notify_all();
    }

    /// Something happened that must not.
    pub(crate) fn fault(&self, text: String) {
        self.lock().faults.push(text);
    }

    /// What the retained messages have to be at least, by publisher.
    pub(crate) fn retained(&self) -> Vec<u64> {
        self.lock().publishers.iter().map(|publisher| publisher.retained_acknowledged).collect()
    }

    /// A retained message was found that is `number` where at least `least` was acknowledged.
    pub(crate) fn check_retained(&self, publisher: usize, number: u64, least: u64) {
        let mut books = self.lock();
        let most = books.publishers[publisher].retained_sent;
        if number < least || number > most {
            books.faults.push(format!("retained message of publisher {publisher} is {number}, expected {least} to {most}"));
        }
    }

    /// Waits until nothing is missing any more, or nothing has moved for so long.
    pub(crate) fn settle(&self, wait: Duration) {
        let mut books = self.lock();
        loop {
            let (missing, receipts) = (books.missing(), books.receipts);
            if missing == 0 {
                return;
            }
            // The comparison looks at everything, so it is not made for each receipt.
            let enough = |books: &mut Books| books.receipts < receipts + 1000 && books.receipts < receipts + missing;
            let (again, timeout) = self.moved.wait_timeout_while(books, wait, enough).unwrap();
            books = again;
            if timeout.timed_out() && books.receipts == receipts {
                return;
            }
        }
    }

    /// Compares.
    pub(crate) fn verdict(&self) -> Verdict {
        self.lock().verdict()
    }
}

impl Published {
    fn acknowledged(&self) -> usize {
        self.sent.values().filter(|sent| sent.is_acknowledged).count()
    }
}

impl Books {
    fn missing(&self) -> usize {
        let verdict = self.verdict();
        verdict.lost.len() + verdict.wills_missing.len()
    }

    fn verdict(&self) -> Verdict {
        let mut verdict = Verdict {
            acknowledged: self.publishers.iter().map(Published::acknowledged).sum(),
            faults: self.faults.clone(),
            wills: self.wills.values().filter(|will| will.is_due).count(),
            ..Verdict::default()
        };
        for (inbox, state) in &self.inboxes {
            verdict.disorder += state.disorder;
            verdict.delivered += state.counts.values().map(|count| u64::from(*count)).sum::<u64>();
            for (publisher, since) in state.since.iter().enumerate() {
                for (number, sent) in self.publishers[publisher].sent.range(since..) {
                    let name = MessageName { publisher, number: *number };
                    if state.is_for_retained && !sent.is_retained {
                        continue;
                    }
                    let count = state.counts.get(&name).copied().unwrap_or(0);
                    verdict.judge(inbox, name, *sent, count);
                }
            }
        }
        for (will, record) in &self.wills {
            if record.is_due && record.count == 0 {
                verdict.wills_missing.push(will.clone());
            }
            if record.count > 1 {
                verdict.duplicates_qos2.push(format!("will {will} came {} times", record.count));
            }
        }
        verdict
    }
}

impl Verdict {
    fn judge(&mut self, inbox: &str, name: MessageName, sent: Sent, count: u32) {
        if sent.is_acknowledged && count == 0 {
            self.lost.push(format!("{inbox}: {name:?} with QoS {}", sent.qos));
        }
        if count > 1 && sent.qos == QoS::ExactlyOnce {
            self.duplicates_qos2.push(format!("{inbox}: {name:?} came {count} times"));
        } else if count > 1 {
            self.duplicates_qos1 += u64::from(count - 1);
        }
    }

    /// Whether everything that was promised was kept.
    pub(crate) fn is_good(&self) -> bool {
        self.lost.is_empty()
            && self.duplicates_qos2.is_empty()
            && self.disorder == 0
            && self.wills_missing.is_empty()
            && self.faults.is_empty()
            && self.acknowledged > 0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "acknowledged {}, delivered {}, lost {}, QoS 2 duplicates {}, QoS 1 duplicates {} (allowed), out of order {}, wills {} (missing {}), faults {}",
            self.acknowledged,
            self.delivered,
            self.lost.len(),
            self.duplicates_qos2.len(),
            self.duplicates_qos1,
            self.disorder,
            self.wills,
            self.wills_missing.len(),
            self.faults.len()
        )?;
        let lists =
            [("lost", &self.lost), ("duplicate", &self.duplicates_qos2), ("will missing", &self.wills_missing), ("fault", &self.faults)];
        for (what, list) in lists {
            for line in list.iter().take(10) {
                write!(formatter, "\n  {what}: {line}")?;
            }
        }
        Ok(())
    }
}

/// Names of inboxes that every run has.
pub(crate) fn inbox(client_identifier: &str, group: Option<&str>) -> String {
    group.map_or_else(|| client_identifier.to_owned(), |group| format!("group {group}"))
}
