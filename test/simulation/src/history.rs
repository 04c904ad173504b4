//! What happened, as the clients and the network saw it. The checkers know nothing else, and nothing of each other.

use std::fmt;

use signet_broker::{Durability, Moment};
use signet_mqtt::{ProtocolVersion, QoS, ReasonCode, TopicFilter, TopicName};

/// A message's number in [`History::messages`].
pub(crate) type Label = usize;

/// One message that somebody wanted to publish.
#[derive(Debug, Clone)]
pub(crate) struct MessageSpec {
    pub(crate) publisher: usize,
    pub(crate) topic: TopicName,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// Retained with an empty payload: clears. Nobody can tell which one it was.
    pub(crate) is_clearing: bool,
    /// Message Expiry Interval in seconds.
    pub(crate) expiry: Option<u32>,
    pub(crate) durability: Durability,
    pub(crate) is_will: bool,
}

/// A Will as it was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WillSpec {
    pub(crate) label: Label,
    /// Seconds.
    pub(crate) delay: u32,
}

/// A subscription as it was asked for.
#[derive(Debug, Clone)]
pub(crate) struct SubscriptionSpec {
    pub(crate) filter: TopicFilter,
    pub(crate) qos: QoS,
    pub(crate) no_local: bool,
    pub(crate) identifier: Option<u32>,
}

/// One thing that happened.
#[expect(dead_code, reason = "some of it is there for whoever reads a trace")]
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// A client sent CONNECT.
    Connecting {
        client: usize,
        connection: u64,
        version: ProtocolVersion,
        clean: bool,
        expiry: u32,
        window: u16,
        will: Option<WillSpec>,
    },
    /// The broker took a CONNECT from the network, and found a session or not, by its own account.
    Admitted {
        client: usize,
        connection: u64,
        is_accepted: bool,
        session_present: bool,
    },
    /// CONNACK reached the client.
    Connected {
        client: usize,
        connection: u64,
        session_present: bool,
        code: ReasonCode,
    },
    /// The broker ended a connection, or noticed that it was gone. `discards_will`: after DISCONNECT, or by order.
    Left {
        client: usize,
        connection: u64,
        discards_will: bool,
        expiry: Option<u32>,
        cause: String,
    },
    /// The client saw its connection end.
    Lost {
        client: usize,
        connection: u64,
    },
    Subscribing {
        client: usize,
        subscription: SubscriptionSpec,
    },
    Subscribed {
        client: usize,
        filter: TopicFilter,
        code: ReasonCode,
    },
    Unsubscribing {
        client: usize,
        filter: TopicFilter,
    },
    Unsubscribed {
        client: usize,
        filter: TopicFilter,
    },
    /// A client sends a message, for the first time or again.
    Publishing {
        client: usize,
        label: Label,
        is_again: bool,
    },
    /// The broker took it from the network.
    Taken {
        connection: u64,
        label: Label,
    },
    /// PUBACK or PUBREC reached the publisher.
    Answered {
        client: usize,
        label: Label,
        code: ReasonCode,
    },
    /// A client that lost its session forgot a message it had no answer to.
    Forgotten {
        client: usize,
        label: Label,
    },
    /// A client gave up its Session State: it has none, or wants to begin anew.
    Discarded {
        client: usize,
    },
    /// A message reached a client.
    Arrived {
        client: usize,
        connection: u64,
        arrival: Arrival,
    },
    /// The client sent PUBACK or PUBCOMP for it, or PUBREC with a refusal: its place in the window is free.
    Freed {
        client: usize,
        packet_id: u16,
    },
    /// The broker was told to end a connection, and whether it did at once.
    Kicked {
        client: usize,
        connection: u64,
        is_closed: bool,
    },
    /// The TLS handshake of a connection was made, with the client's certificate of this number if it has any.
    Handshaken {
        client: usize,
        connection: u64,
        generation: usize,
    },
    /// The broker gave a message to a connection.
    Handed {
        client: usize,
        connection: u64,
        label: Option<Label>,
    },
    /// The client's present certificate is revoked from here on; not everybody may know yet.
    Revoked {
        client: usize,
    },
    /// The operator was told that the revocation is in force.
    RevocationAcknowledged {
        client: usize,
        generation: usize,
    },
    /// Other rules are on their way to the shards.
    RulesChanging,
    /// All of them have them.
    RulesInForce {
        is_strict: bool,
    },
    /// Rules ended a subscription.
    Ended {
        client: usize,
        filter: TopicFilter,
    },
    /// The process died.
    Crashed,
    /// It came back, with so many shards.
    Restarted {
        shards: u16,
    },
    /// A client that is none of the others asked for all retained messages: those it got.
    Retained {
        labels: Vec<Label>,
    },
    /// Something that no specification allows, seen where it happened.
    Broken {
        client: usize,
        rule: String,
    },
}

/// A PUBLISH as the client got it.
#[expect(dead_code, reason = "some of it is there for whoever reads a trace")]
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) label: Label,
    pub(crate) topic: String,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    pub(crate) packet_id: Option<u16>,
    /// A QoS 2 message that the client holds already.
    pub(crate) is_repeat: bool,
    pub(crate) identifiers: Vec<u32>,
    pub(crate) expiry: Option<u32>,
}

/// One thing that happened, and when.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) at: Moment,
    pub(crate) what: What,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) entries: Vec<Entry>,
    pub(crate) messages: Vec<MessageSpec>,
    pub(crate) clients: usize,
    /// Nothing can be said about what was dropped.
    pub(crate) has_small_queues: bool,
    pub(crate) is_group_disturbed: bool,
    /// Bytes that compaction moved.
    pub(crate) bytes_moved: u64,
    /// The last client is of another tenant than everybody else.
    pub(crate) is_tenanted: bool,
    /// The disk was full at times.
    pub(crate) had_no_room: bool,
}

/// What a checker found.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    pub(crate) checker: &'static str,
    pub(crate) text: String,
    /// About whom and what, so that the trace can leave out the rest.
    pub(crate) client: Option<usize>,
    pub(crate) label: Option<Label>,
}

impl History {
    pub(crate) fn note(&mut self, at: Moment, what: What) {
        self.entries.push(Entry { at, what });
    }

    /// In whose name space a client lives.
    pub(crate) fn tenant(&self, client: usize) -> usize {
        usize::from(self.is_tenanted && client + 1 == self.clients)
    }

    /// Each entry with its place.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Entry)> {
        self.entries.iter().enumerate()
    }

    /// Whether the publisher's own filters aside, `filter` of this client wants this message.
    pub(crate) fn matches(&self, client: usize, filter: &TopicFilter, label: Label) -> bool {
        if self.tenant(client) != self.tenant(self.messages[label].publisher) {
            return false;
        }
        let topic = &self.messages[label].topic;
        match filter.shared() {
            Some((_, inner)) => TopicFilter::new(inner.to_owned()).unwrap().matches(topic),
            None => filter.matches(topic),
        }
    }
}

impl What {
    /// Whom it is about.
    pub(crate) fn client(&self) -> Option<usize> {
        match self {
            Self::Connecting { client, .. }
            | Self::Admitted { client, .. }
            | Self::Connected { client, .. }
            | Self::Left { client, .. }
            | Self::Lost { client, .. }
            | Self::Subscribing { client, .. }
            | Self::Subscribed { client, .. }
            | Self::Unsubscribing { client, .. }
            | Self::Unsubscribed { client, .. }
            | Self::Publishing { client, .. }
            | Self::Answered { client, .. }
            | Self::Forgotten { client, .. }
            | Self::Discarded { client }
            | Self::Arrived { client, .. }
            | Self::Freed { client, .. }
            | Self::Kicked { client, .. }
            | Self::Handshaken { client, .. }
            | Self::Handed { client, .. }
            | Self::Revoked { client }
            | Self::RevocationAcknowledged { client, .. }
            | Self::Ended { client, .. }
            | Self::Broken { client, .. } => Some(*client),
            Self::RulesChanging
            | Self::RulesInForce { .. }
            | Self::Taken { .. }
            | Self::Crashed
            | Self::Restarted { .. }
            | Self::Retained { .. } => None,
        }
    }

    /// Which message it is about.
    pub(crate) fn label(&self) -> Option<Label> {
        match self {
            Self::Publishing { label, .. } | Self::Taken { label, .. } | Self::Answered { label, .. } | Self::Forgotten { label, .. } => {
                Some(*label)
            }
            Self::Arrived { arrival, .. } => Some(arrival.label),
            Self::Handed { label, .. } => *label,
            Self::Connecting { will: Some(will), .. } => Some(will.label),
            _ => None,
        }
    }

    /// Whether it is about messages only.
    fn is_traffic(&self) -> bool {
        self.label().is_some() && !matches!(self, Self::Connecting { .. }) || matches!(self, Self::Freed { .. })
    }
}

impl Violation {
    /// The part of the history that explains it: everything about the message, and about the client without the other messages.
    pub(crate) fn trace(&self, history: &History) -> Vec<String> {
        let concerns = |what: &What| match (what.label(), what.client()) {
            _ if matches!(what, What::Crashed | What::Restarted { .. }) => true,
            (Some(label), _) if Some(label) == self.label => true,
            (_, Some(client)) => Some(client) == self.client && !what.is_traffic(),
            _ => false,
        };
        let shown = history.iter().filter(|(_, entry)| concerns(&entry.what));
        shown.map(|(place, entry)| format!("{place:6} {:9} {:?}", entry.at.as_millis(), entry.what)).collect()
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.checker, self.text)
    }
}
