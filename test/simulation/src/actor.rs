//! A client that follows the specification: what it knows, what it keeps over connections, how it answers.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU16;

use signet_mqtt::{Connack, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode, TopicFilter};
use signet_testkit::{Happened, Session};

use crate::history::{Arrival, Label, SubscriptionSpec, What};

/// A request that waits for SUBACK or UNSUBACK.
#[derive(Debug)]
pub(crate) enum Request {
    Subscribe(TopicFilter),
    Unsubscribe(TopicFilter),
}

/// A client. What stands above `link` outlives connections.
#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) number: usize,
    pub(crate) session: Session<Label>,
    /// Filters it may have subscribed to in its session.
    pub(crate) filters: Vec<TopicFilter>,
    /// QoS 1 and 2 messages it sent and wants to send again come first on a new connection.
    pub(crate) link: Option<u64>,
    pub(crate) version: ProtocolVersion,
    pub(crate) is_connected: bool,
    /// Whether it asked for its session to be kept, and whether for longer than any run.
    pub(crate) is_persistent: bool,
    pub(crate) is_there_to_stay: bool,
    /// The last attempt began a session, or was to, and no CONNACK said so. Whoever resumes such a session takes it for the one before: only a
    /// client that starts clean until it has an answer knows what it has.
    pub(crate) must_start_clean: bool,
    requests: BTreeMap<PacketId, Request>,
    /// Answers it has not sent yet, in order.
    pub(crate) answers: VecDeque<Packet>,
    /// What it may have on its way, told in CONNACK.
    pub(crate) window: usize,
    aliases_in: BTreeMap<NonZeroU16, String>,
    /// Topic Aliases the server takes, and those in use.
    pub(crate) alias_maximum: u16,
    pub(crate) aliases_out: BTreeMap<String, NonZeroU16>,
}

impl Actor {
    pub(crate) fn new(number: usize, window: u16) -> Self {
        Self {
            number,
            session: Session::default(),
            filters: Vec::new(),
            link: None,
            version: ProtocolVersion::V5,
            is_connected: false,
            is_persistent: false,
            is_there_to_stay: false,
            must_start_clean: false,
            requests: BTreeMap::new(),
            answers: VecDeque::new(),
            window: usize::from(window),
            aliases_in: BTreeMap::new(),
            alias_maximum: 0,
            aliases_out: BTreeMap::new(),
        }
    }

    /// The connection is gone, and the session with it if it was not to outlast it.
    pub(crate) fn forget_connection(&mut self) -> Vec<What> {
        // Without a CONNACK nobody can tell the client that the session it had before is one that ends.
        let is_over = self.is_connected && !self.is_persistent;
        self.link = None;
        self.is_connected = false;
        self.requests.clear();
        self.answers.clear();
        self.aliases_in.clear();
        self.aliases_out.clear();
        if is_over { self.forget_session() } else { Vec::new() }
    }

    /// The client gives up its Session State.
    pub(crate) fn forget_session(&mut self) -> Vec<What> {
        let client = self.number;
        let mut forgotten: Vec<What> = self.session.labels().map(|label| What::Forgotten { client, label: *label }).collect();
        forgotten.push(What::Discarded { client });
        self.filters.clear();
        self.session.resume(false);
        forgotten
    }

    /// A Packet Identifier for a SUBSCRIBE or UNSUBSCRIBE.
    pub(crate) fn request(&mut self, request: Request) -> PacketId {
        loop {
            let packet_id = self.session.packet_id();
            if let Entry::Vacant(free) = self.requests.entry(packet_id) {
                free.insert(request);
                return packet_id;
            }
        }
    }

    /// Notes a subscription that it asks for.
    pub(crate) fn wants(&mut self, subscription: &SubscriptionSpec) {
        if !self.filters.contains(&subscription.filter) {
            self.filters.push(subscription.filter.clone());
        }
    }

    /// Gives a topic an alias, sometimes: the topic to write out, and the alias.
    pub(crate) fn alias(&mut self, publish: &mut Publish, is_wanted: bool) {
        let Some(topic) = publish.topic.as_ref().map(|topic| topic.as_str().to_owned()) else { return };
        if let Some(alias) = self.aliases_out.get(&topic) {
            publish.properties.topic_alias = Some(*alias);
            publish.topic = None;
        } else if is_wanted && self.aliases_out.len() < usize::from(self.alias_maximum) {
            let alias = NonZeroU16::new(u16::try_from(self.aliases_out.len() + 1).unwrap()).unwrap();
            self.aliases_out.insert(topic, alias);
            publish.properties.topic_alias = Some(alias);
        }
    }

    /// A packet came. What happened, and what is to be sent at once: the messages of an earlier connection.
    pub(crate) fn receive(&mut self, packet: Packet) -> (Vec<What>, Vec<Packet>) {
        let client = self.number;
        if !self.is_connected {
            return match packet {
                Packet::Connack(connack) => self.connected(*connack),
                Packet::Disconnect(_) => (Vec::new(), Vec::new()),
                other => (vec![broken(client, format!("[MQTT-3.2.0-1] {} before CONNACK", other.name()))], Vec::new()),
            };
        }
        let (happened, answer) = self.session.receive(packet);
        self.answers.extend(answer);
        let what = match happened {
            Happened::Arrived { publish, is_repeat } => return (self.arrived(publish, is_repeat).into_iter().collect(), Vec::new()),
            Happened::Accepted(label, code) | Happened::Refused(label, code) => What::Answered { client, label, code },
            Happened::Completed(_) | Happened::Released(_) => return (Vec::new(), Vec::new()),
            Happened::Other(packet) => return (self.other(packet), Vec::new()),
            Happened::Unexpected(packet) => broken(client, format!("{packet:?} answers nothing that is on its way")),
        };
        (vec![what], Vec::new())
    }

    fn connected(&mut self, connack: Connack) -> (Vec<What>, Vec<Packet>) {
        let (client, connection) = (self.number, self.link.unwrap_or(0));
        let Connack { session_present, reason_code: code, properties } = connack;
        let mut happened = vec![What::Connected { client, connection, session_present, code }];
        if code != ReasonCode::Success {
            if session_present {
                happened.push(broken(client, "[MQTT-3.2.2-6] a refusal with session present".to_owned()));
            }
            return (happened, Vec::new());
        }
        self.is_connected = true;
        self.must_start_clean = false;
        // What is on its way may have to be sent again over a connection of MQTT 5, all of it: so MQTT 3 keeps to the same bound.
        if self.version.has_properties() {
            self.window = properties.receive_maximum.map_or(u16::MAX, NonZeroU16::get).into();
        }
        self.alias_maximum = if self.version.has_properties() { properties.topic_alias_maximum.unwrap_or(0) } else { 0 };
        if !session_present {
            happened.extend(self.forget_session());
        }
        let again = self.session.resume(session_present);
        let labels: Vec<Label> = self.session.labels().copied().collect();
        let sent = again.iter().zip(labels).filter(|(packet, _)| matches!(packet, Packet::Publish(_)));
        happened.extend(sent.map(|(_, label)| What::Publishing { client, label, is_again: true }));
        (happened, again)
    }

    fn arrived(&mut self, publish: Publish, is_repeat: bool) -> Option<What> {
        let (client, connection) = (self.number, self.link.unwrap_or(0));
        let alias = publish.properties.topic_alias;
        let topic = match (publish.topic, alias) {
            (Some(topic), alias) => {
                let topic = topic.as_str().to_owned();
                if let Some(alias) = alias {
                    self.aliases_in.insert(alias, topic.clone());
                }
                topic
            }
            (None, Some(alias)) => match self.aliases_in.get(&alias) {
                Some(topic) => topic.clone(),
                None => return Some(broken(client, format!("topic alias {alias} was never set"))),
            },
            (None, None) => return Some(broken(client, "a PUBLISH without a topic and without an alias".to_owned())),
        };
        if publish.payload.is_empty() {
            // What clears a retained message says nothing, not even which one it is.
            return None;
        }
        let Some(label) = std::str::from_utf8(&publish.payload).ok().and_then(|text| text.parse().ok()) else {
            return Some(broken(client, format!("a payload that nobody sent: {:?}", publish.payload)));
        };
        let arrival = Arrival {
            label,
            topic,
            qos: publish.qos,
            retain: publish.retain,
            dup: publish.dup,
            packet_id: publish.packet_id.map(PacketId::get),
            is_repeat,
            identifiers: publish.properties.subscription_identifiers.iter().map(|identifier| identifier.get()).collect(),
            expiry: publish.properties.message_expiry_interval,
        };
        Some(What::Arrived { client, connection, arrival })
    }

    fn other(&mut self, packet: Packet) -> Vec<What> {
        let client = self.number;
        match packet {
            Packet::Suback(suback) => match (self.requests.remove(&suback.packet_id), suback.reason_codes.first()) {
                (Some(Request::Subscribe(filter)), Some(code)) => vec![What::Subscribed { client, filter, code: *code }],
                other => vec![broken(client, format!("SUBACK for {other:?}"))],
            },
            Packet::Unsuback(unsuback) => match self.requests.remove(&unsuback.packet_id) {
                Some(Request::Unsubscribe(filter)) => vec![What::Unsubscribed { client, filter }],
                other => vec![broken(client, format!("UNSUBACK for {other:?}"))],
            },
            Packet::Pubrec(_) | Packet::Pingresp | Packet::Disconnect(_) => Vec::new(),
            other => vec![broken(client, format!("unexpected {}", other.name()))],
        }
    }
}

/// What leaves the window with this answer, if it is one that frees a place.
pub(crate) fn frees(answer: &Packet) -> Option<u16> {
    match answer {
        Packet::Puback(ack) | Packet::Pubcomp(ack) => Some(ack.packet_id.get()),
        _ => None,
    }
}

/// Something that no specification allows.
pub(crate) fn broken(client: usize, rule: String) -> What {
    What::Broken { client, rule }
}

/// The QoS values.
pub(crate) const QUALITIES: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
