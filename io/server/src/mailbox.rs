//! What other threads may give to a shard, and how it wakes up for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mio::Waker;
use signet_broker::{Admission, ChangedLimits, ControlAnswer, Delivery, Judge, SessionRule, WillRule};
use signet_identity::CertificateId;
use signet_mqtt::Message;
use signet_net::{Kick, KickTarget, LinkId};
use signet_policy::{AccessAnswer, AccessQuestion, Ruleset, SourceRules};

use crate::authentication::Verdict;

use crate::counters::ShardStats;
use crate::link::{Accepted, Link};

/// One thing for a shard to do.
pub(crate) enum Mail {
    /// A connection was accepted.
    Accepted(Box<Accepted>),
    /// A connection that has not sent its CONNECT has to make room for another.
    Displace(LinkId),
    /// A connection whose session belongs to this shard, with its admitted CONNECT.
    Moved(Box<Link>, Box<Admission>),
    /// Messages for sessions of this shard.
    Delivery(Delivery),
    /// Other limits hold.
    Limits(Arc<ChangedLimits>),
    /// Close a connection.
    Kick(Kick),
    /// Certificates were revoked: for the Wills that wait in sessions without a connection.
    Revoked(Arc<[CertificateId]>),
    /// Somebody has found out what can be found out about the certificate of a connection.
    StatusKnown(LinkId),
    /// Whoever was asked for the key of a connection that shakes hands has answered.
    KeyAnswered(LinkId),
    /// Those who were asked about a client have answered.
    Vouched(LinkId, Verdict),
    /// The rules that sources have about a connected client.
    RulesOf(LinkId, Vec<SourceRules>),
    /// An access source has answered about what a client wants to do, and how long that counts.
    Answered(LinkId, AccessQuestion, AccessAnswer, Duration),
    /// A request below `$CONTROL/` was carried out.
    Controlled(LinkId, ControlAnswer),
    /// The rules that sources have about clients may have changed.
    RulesChanged,
    /// Look at what sessions without a connection have left.
    Review {
        /// Who is still entitled to it.
        judge: Arc<dyn Judge>,
        /// What becomes of the Wills of the others.
        will: WillRule,
        /// What becomes of their sessions.
        session: SessionRule,
    },
    /// What access sources that judge say has changed.
    JudgementsChanged,
    /// The server itself publishes.
    Publish(Vec<Message>),
    /// Other rules.
    Rules(Arc<Ruleset>),
    /// Somebody wants the counters.
    Stats(SyncSender<ShardStats>),
    /// Close everything, at the latest after so many milliseconds, and end the thread.
    Stop {
        /// Time for saying good-bye, in milliseconds.
        grace: u64,
    },
}

/// Octets of unread mail above which the senders stop reading from their clients, so that it cannot grow without bound.
const HIGH_WATER: usize = 16 * 1024 * 1024;

/// What one piece of mail counts for besides its message.
const ENTRY: usize = 256;

/// One shard's mailbox. Mail of one sender keeps its order.
pub(crate) struct Mailbox {
    queue: Mutex<Vec<Mail>>,
    /// Octets of the unread mail.
    weight: AtomicUsize,
    waker: Waker,
}

impl Mailbox {
    pub(crate) fn new(waker: Waker) -> Self {
        Self { queue: Mutex::default(), weight: AtomicUsize::new(0), waker }
    }

    /// Adds a batch and leaves it empty. One wake-up at most, none when the shard has unread mail anyway.
    pub(crate) fn post(&self, batch: &mut Vec<Mail>) {
        if batch.is_empty() {
            return;
        }
        let weight: usize = batch.iter().map(weight).sum();
        let was_empty = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let was_empty = queue.is_empty();
            queue.append(batch);
            self.weight.fetch_add(weight, Ordering::Relaxed);
            was_empty
        };
        if was_empty {
            self.wake();
        }
    }

    /// Lets the shard look at its mail and its store.
    pub(crate) fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "a shard cannot be woken; it sees what is new with its next event");
        }
    }

    /// Adds one.
    pub(crate) fn post_one(&self, mail: Mail) {
        self.post(&mut vec![mail]);
    }

    /// Takes everything; `into` has to be empty and lends its memory for what comes next.
    pub(crate) fn take(&self, into: &mut Vec<Mail>) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *queue, into);
        self.weight.store(0, Ordering::Relaxed);
    }

    /// Whether there may be unread mail, without a look into it.
    pub(crate) fn has_mail(&self) -> bool {
        self.weight.load(Ordering::Relaxed) > 0
    }

    /// Whether senders should hold back.
    pub(crate) fn is_congested(&self) -> bool {
        self.weight.load(Ordering::Relaxed) > HIGH_WATER
    }
}

fn weight(mail: &Mail) -> usize {
    match mail {
        // A message is counted for each shard that gets it, although they share it: the last one to read it sets it free.
        Mail::Delivery(delivery) => ENTRY * delivery.recipients.len().max(1) + delivery.message.size(),
        Mail::Controlled(_, answer) => {
            answer.publish.iter().chain(&answer.reply).map(|message| ENTRY + message.size()).sum::<usize>() + ENTRY
        }
        Mail::Publish(messages) => messages.iter().map(|message| ENTRY + message.size()).sum(),
        Mail::Accepted(_)
        | Mail::Displace(_)
        | Mail::Moved(..)
        | Mail::Limits(_)
        | Mail::Kick(_)
        | Mail::Revoked(_)
        | Mail::StatusKnown(_)
        | Mail::KeyAnswered(_)
        | Mail::Vouched(..)
        | Mail::RulesOf(..)
        | Mail::Answered(..)
        | Mail::RulesChanged
        | Mail::JudgementsChanged
        | Mail::Review { .. }
        | Mail::Rules(_)
        | Mail::Stats(_)
        | Mail::Stop { .. } => ENTRY,
    }
}

impl KickTarget for Mailbox {
    fn kick(&self, kick: Kick) {
        self.post_one(Mail::Kick(kick));
    }

    fn kick_all(&self, kicks: Vec<Kick>) {
        self.post(&mut kicks.into_iter().map(Mail::Kick).collect());
    }

    fn revoked(&self, certificates: &Arc<[CertificateId]>) {
        self.post_one(Mail::Revoked(Arc::clone(certificates)));
    }
}
