//! The client's half of an MQTT connection: CONNECT to DISCONNECT, with every acknowledgement in between.

mod reconnect;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use bytes::Bytes;
use signet_mqtt::{
    Ack, Connack, Connect, DecodeLimits, Disconnect, Packet, PacketId, Publish, PublishProperties, QoS, ReasonCode, Suback, Subscribe,
    SubscribeFilter, SubscriptionIdentifier, TopicFilter, TopicName, Unsuback, Unsubscribe, UserProperties,
};

use crate::error::{BEFORE_CONNACK, WITHOUT_A_WORD};
use crate::in_flight::{Awaiting, InFlight, awaited};
use crate::keep_alive::{Due, KeepAlive};
use crate::{ClientError, Endpoint, Interrupter, Received, SocketOptions, TlsOptions, Trace, Transport, Wire};

/// The largest packet MQTT knows (§2.1.4). Memory grows with what arrives, never with what is announced.
const MAXIMUM_PACKET_SIZE: u32 = 268_435_460;

/// How long a broken connection is read on, to find the reason that the broker sent before it closed.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Where and how to connect.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// The broker.
    pub endpoint: Endpoint,
    /// How the socket is made.
    pub socket: SocketOptions,
    /// TLS when present.
    pub tls: Option<TlsOptions>,
    /// The packet to introduce ourselves with; its version is the connection's.
    pub connect: Connect,
    /// Bound on each of: TCP connection, TLS handshake, CONNACK, and every other answer we cannot do without.
    pub timeout: Duration,
    /// Messages of ours that may wait for an acknowledgement at a time, where the broker allows more; 0 is taken for 1.
    pub window: u16,
}

impl ConnectOptions {
    /// Messages that may wait for an acknowledgement at a time: enough to fill a link, little to lose.
    pub const WINDOW: u16 = 20;

    /// A plain connection with an ordinary socket.
    #[must_use]
    pub fn new(endpoint: Endpoint, connect: Connect, timeout: Duration) -> Self {
        Self { endpoint, socket: SocketOptions::default(), tls: None, connect, timeout, window: Self::WINDOW }
    }
}

/// A message to publish.
#[derive(Clone, Debug)]
pub struct OutgoingMessage {
    /// Where to.
    pub topic: TopicName,
    /// What.
    pub payload: Bytes,
    /// How surely.
    pub qos: QoS,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
    /// Sent with MQTT 5.0 only.
    pub properties: PublishProperties,
}

/// What [`Client::poll`] saw.
#[derive(Debug)]
pub enum Event {
    /// A message arrived, and was acknowledged as its QoS asks. The topic is always present.
    Message(Publish),
    /// A QoS 1 or 2 message of ours is the broker's now, or was refused (reason code of 0x80 or more).
    Published(Ack),
    /// Answer to a SUBSCRIBE, one reason code per filter.
    Subscribed(Suback),
    /// Answer to an UNSUBSCRIBE.
    Unsubscribed(Unsuback),
    /// [`Interrupter::interrupt`] was called.
    Interrupted,
}

/// A connected client.
#[derive(Debug)]
pub struct Client {
    wire: Wire,
    trace: Trace,
    connack: Connack,
    keep_alive: KeepAlive,
    in_flight: InFlight,
    /// QoS 2 messages received and not yet released [MQTT-4.3.3-10].
    unreleased: BTreeSet<PacketId>,
    aliases: BTreeMap<NonZeroU16, TopicName>,
    alias_maximum: u16,
    events: VecDeque<Event>,
    timeout: Duration,
}

impl Client {
    /// Connects, and waits for the broker to accept.
    ///
    /// # Errors
    /// Every way this can fail has its own variant of [`ClientError`], with a hint where one is known.
    pub fn connect(options: &ConnectOptions, mut trace: Trace) -> Result<Self, ClientError> {
        let (wire, connack) = open(options, &mut trace)?;
        let mut client = Self {
            wire,
            trace,
            keep_alive: KeepAlive::new(0, Instant::now()),
            in_flight: InFlight::new(options.window),
            unreleased: BTreeSet::new(),
            aliases: BTreeMap::new(),
            alias_maximum: 0,
            events: VecDeque::new(),
            timeout: options.timeout,
            connack: Connack::default(),
        };
        client.agree(options, connack);
        Ok(client)
    }

    /// Takes over what CONNECT and CONNACK have agreed on.
    fn agree(&mut self, options: &ConnectOptions, connack: Connack) {
        if let Some(assigned) = &connack.properties.assigned_client_identifier {
            self.trace.named(assigned.as_str());
        }
        let seconds = connack.properties.server_keep_alive.unwrap_or(options.connect.keep_alive);
        self.keep_alive = KeepAlive::new(seconds, Instant::now());
        self.alias_maximum = options.connect.properties.topic_alias_maximum.unwrap_or(0);
        self.timeout = options.timeout;
        self.connack = connack;
        self.in_flight.set_window(self.window(options));
    }

    fn window(&self, options: &ConnectOptions) -> u16 {
        self.connack.properties.receive_maximum.map_or(options.window, |maximum| maximum.get().min(options.window))
    }

    /// How the broker accepted us.
    #[must_use]
    pub fn connack(&self) -> &Connack {
        &self.connack
    }

    /// A handle that ends [`Client::poll`] from another thread.
    ///
    /// # Errors
    /// When the system cannot duplicate the socket.
    pub fn interrupter(&self) -> Result<Interrupter, ClientError> {
        self.wire.interrupter()
    }

    /// Sends a message; for QoS 1 and 2 waits first until the broker has room for one more. The acknowledgement comes as
    /// [`Event::Published`], whose packet identifier is the one returned here.
    ///
    /// # Errors
    /// [`ClientError::NotSupported`] and [`ClientError::TooLarge`] before anything is sent, else what [`Client::poll`] can fail with.
    pub fn publish(&mut self, message: OutgoingMessage) -> Result<Option<PacketId>, ClientError> {
        let limits = &self.connack.properties;
        if limits.features.maximum_qos.is_some_and(|maximum| message.qos > maximum) {
            return Err(ClientError::NotSupported { what: "this quality of service (lower `-q`)" });
        }
        if message.retain && limits.features.retain_available == Some(false) {
            return Err(ClientError::NotSupported { what: "retained messages (leave `-r` out)" });
        }
        let awaited = awaited(message.qos);
        while awaited.is_some() && self.in_flight.is_full() {
            let deadline = self.answer_deadline();
            let event = self.wait(Some(deadline))?;
            self.keep_or_fail(event, "acknowledgement")?;
        }
        let packet_id = match awaited {
            None => None,
            Some(awaiting) => Some(self.in_flight.begin(awaiting).ok_or(ClientError::NoPacketIdentifier)?),
        };
        let OutgoingMessage { topic, payload, qos, retain, properties } = message;
        let publish = Publish { dup: false, qos, retain, topic: Some(topic), packet_id, properties: properties.into(), payload };
        self.in_flight.keep(&publish);
        let packet = Packet::Publish(publish);
        if let Some(maximum) = self.connack.properties.maximum_packet_size {
            let size = signet_mqtt::encoded_len(&packet, self.wire.version());
            if u32::try_from(size).map_or(true, |size| size > maximum.get()) {
                // Nobody will acknowledge what is not sent.
                if let (Some(id), Some(awaiting)) = (packet_id, awaited) {
                    self.in_flight.end(id, awaiting);
                }
                return Err(ClientError::TooLarge { size, maximum: maximum.get() });
            }
        }
        self.send(&packet)?;
        Ok(packet_id)
    }

    /// Waits until every message sent is acknowledged. Refusals come out of [`Client::poll`] afterwards.
    ///
    /// # Errors
    /// [`ClientError::NoAnswer`] when the broker falls silent, else what [`Client::poll`] can fail with.
    pub fn flush(&mut self) -> Result<(), ClientError> {
        while !self.in_flight.is_empty() {
            let deadline = self.answer_deadline();
            let event = self.wait(Some(deadline))?;
            self.keep_or_fail(event, "acknowledgement")?;
        }
        Ok(())
    }

    /// Subscribes and waits for the answer: one reason code per filter, in order. Messages that arrive meanwhile are kept.
    ///
    /// # Errors
    /// What [`Client::poll`] can fail with, and [`ClientError::NoAnswer`].
    pub fn subscribe(
        &mut self,
        subscriptions: Vec<SubscribeFilter>,
        subscription_identifier: Option<SubscriptionIdentifier>,
        user_properties: UserProperties,
    ) -> Result<Suback, ClientError> {
        let packet_id = self.in_flight.begin(Awaiting::Suback).ok_or(ClientError::NoPacketIdentifier)?;
        self.send(&Packet::Subscribe(Subscribe { packet_id, subscription_identifier, user_properties, subscriptions }))?;
        let deadline = self.answer_deadline();
        let mut kept = VecDeque::new();
        let suback = loop {
            match self.poll_until(Some(deadline))? {
                Some(Event::Subscribed(suback)) => break suback,
                Some(Event::Interrupted) => return Err(ClientError::Interrupted),
                Some(event) => kept.push_back(event),
                None => return Err(ClientError::NoAnswer { what: "SUBACK", after: self.timeout }),
            }
        };
        kept.append(&mut self.events);
        self.events = kept;
        Ok(suback)
    }

    /// Unsubscribes; the answer comes as [`Event::Unsubscribed`].
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn unsubscribe(&mut self, filters: Vec<TopicFilter>) -> Result<PacketId, ClientError> {
        let packet_id = self.in_flight.begin(Awaiting::Unsuback).ok_or(ClientError::NoPacketIdentifier)?;
        self.send(&Packet::Unsubscribe(Unsubscribe { packet_id, user_properties: UserProperties::default(), filters }))?;
        Ok(packet_id)
    }

    /// Waits until `deadline`, or for ever, for the next event; keeps the connection alive meanwhile. None: the deadline passed.
    ///
    /// # Errors
    /// The connection ended, with the broker's reason where it gave one.
    pub fn poll(&mut self, deadline: Option<Instant>) -> Result<Option<Event>, ClientError> {
        self.poll_until(deadline)
    }

    /// Says goodbye: DISCONNECT, then the end of the stream. With `reason_code` 0x04 a 5.0 broker publishes the will.
    ///
    /// # Errors
    /// When the connection is lost already.
    pub fn disconnect(mut self, reason_code: ReasonCode) -> Result<(), ClientError> {
        let packet = Packet::Disconnect(Box::new(Disconnect::new(reason_code)));
        self.send(&packet)?;
        self.wire.close();
        Ok(())
    }

    fn poll_until(&mut self, deadline: Option<Instant>) -> Result<Option<Event>, ClientError> {
        match self.events.pop_front() {
            Some(event) => Ok(Some(event)),
            None => self.wait(deadline),
        }
    }

    /// The only place that waits: one event from the wire, past those already queued.
    fn wait(&mut self, deadline: Option<Instant>) -> Result<Option<Event>, ClientError> {
        loop {
            match self.keep_alive.due(Instant::now()) {
                Due::Dead => return Err(ClientError::KeepAlive),
                Due::Ping => {
                    self.send(&Packet::Pingreq)?;
                    self.keep_alive.ping_sent(Instant::now());
                }
                Due::Nothing => {}
            }
            let until = match (deadline, self.keep_alive.next()) {
                (Some(deadline), Some(ping)) => Some(deadline.min(ping)),
                (deadline, ping) => deadline.or(ping),
            };
            match self.wire.receive(until)? {
                Received::Packet(packet) => {
                    self.trace.received(&packet);
                    if let Some(event) = self.handle(packet)? {
                        return Ok(Some(event));
                    }
                }
                Received::TimedOut if deadline.is_some_and(|deadline| Instant::now() >= deadline) => return Ok(None),
                Received::TimedOut => {}
                Received::Interrupted => return Ok(Some(Event::Interrupted)),
                Received::Closed => return Err(ClientError::Closed { when: WITHOUT_A_WORD }),
            }
        }
    }

    fn handle(&mut self, packet: Packet) -> Result<Option<Event>, ClientError> {
        let unexpected = |packet: &Packet| ClientError::Unexpected { packet: packet.name() };
        match packet {
            Packet::Publish(publish) => self.incoming(publish),
            Packet::Puback(ref ack) if self.in_flight.end(ack.packet_id, Awaiting::Puback) => Ok(Some(Event::Published(ack.clone()))),
            Packet::Pubrec(ack) if ack.reason_code.is_error() => {
                // A refused QoS 2 message ends here: no PUBREL follows [MQTT-4.3.3-4].
                self.in_flight.end(ack.packet_id, Awaiting::Pubrec);
                Ok(Some(Event::Published(ack)))
            }
            Packet::Pubrec(ref ack) if self.in_flight.received(ack.packet_id) => {
                self.send(&Packet::Pubrel(Ack::success(ack.packet_id)))?;
                Ok(None)
            }
            Packet::Pubcomp(ref ack) if self.in_flight.end(ack.packet_id, Awaiting::Pubcomp) => Ok(Some(Event::Published(ack.clone()))),
            Packet::Pubrel(ack) => {
                self.unreleased.remove(&ack.packet_id);
                self.send(&Packet::Pubcomp(Ack::success(ack.packet_id)))?;
                Ok(None)
            }
            Packet::Suback(ref suback) if self.in_flight.end(suback.packet_id, Awaiting::Suback) => {
                Ok(Some(Event::Subscribed(suback.clone())))
            }
            Packet::Unsuback(ref unsuback) if self.in_flight.end(unsuback.packet_id, Awaiting::Unsuback) => {
                Ok(Some(Event::Unsubscribed(unsuback.clone())))
            }
            Packet::Pingresp => {
                self.keep_alive.ping_answered();
                Ok(None)
            }
            Packet::Disconnect(disconnect) => Err(disconnected(&disconnect)),
            other => Err(unexpected(&other)),
        }
    }

    /// Acknowledges as the QoS asks; a QoS 2 message that was seen before is acknowledged again and not shown again.
    fn incoming(&mut self, mut publish: Publish) -> Result<Option<Event>, ClientError> {
        self.resolve_alias(&mut publish)?;
        match (publish.qos, publish.packet_id) {
            (QoS::AtLeastOnce, Some(id)) => self.send(&Packet::Puback(Ack::success(id)))?,
            (QoS::ExactlyOnce, Some(id)) => {
                let first = self.unreleased.insert(id);
                self.send(&Packet::Pubrec(Ack::success(id)))?;
                if !first {
                    return Ok(None);
                }
            }
            _ => {}
        }
        Ok(Some(Event::Message(publish)))
    }

    fn resolve_alias(&mut self, publish: &mut Publish) -> Result<(), ClientError> {
        let alias = publish.properties.topic_alias;
        if alias.is_some_and(|alias| alias.get() > self.alias_maximum) {
            return Err(ClientError::Unexpected { packet: "PUBLISH with a topic alias above the maximum" });
        }
        match (alias, &publish.topic) {
            (Some(alias), Some(topic)) => {
                self.aliases.insert(alias, topic.clone());
            }
            (Some(alias), None) => publish.topic = self.aliases.get(&alias).cloned(),
            (None, _) => {}
        }
        if publish.topic.is_none() { Err(ClientError::Unexpected { packet: "PUBLISH without a topic" }) } else { Ok(()) }
    }

    fn send(&mut self, packet: &Packet) -> Result<(), ClientError> {
        self.trace.sending(packet);
        match self.wire.send(packet) {
            Ok(()) => {
                self.keep_alive.sent(Instant::now());
                Ok(())
            }
            Err(error) => Err(last_words(&mut self.wire).unwrap_or(error)),
        }
    }

    fn keep_or_fail(&mut self, event: Option<Event>, what: &'static str) -> Result<(), ClientError> {
        match event {
            Some(Event::Interrupted) => Err(ClientError::Interrupted),
            Some(event) => {
                self.events.push_back(event);
                Ok(())
            }
            None => Err(ClientError::NoAnswer { what, after: self.timeout }),
        }
    }

    fn answer_deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }
}

/// A connection on which the broker has accepted us.
fn open(options: &ConnectOptions, trace: &mut Trace) -> Result<(Wire, Connack), ClientError> {
    let transport = Transport::open_by(&options.endpoint, &options.socket, options.tls.as_ref(), options.timeout)?;
    let connect = &options.connect;
    let largest = connect.properties.maximum_packet_size.map_or(MAXIMUM_PACKET_SIZE, std::num::NonZeroU32::get);
    let limits = DecodeLimits { maximum_packet_size: largest, ..DecodeLimits::default() };
    let mut wire = Wire::new(transport, connect.version, limits);
    trace.named(connect.client_identifier.as_str());

    let packet = Packet::Connect(Box::new(connect.clone()));
    trace.sending(&packet);
    let connack = match wire.send(&packet) {
        Ok(()) => await_connack(&mut wire, trace, options.timeout)?,
        Err(error) => return Err(last_words(&mut wire).unwrap_or(error)),
    };
    if connack.reason_code.is_error() {
        return Err(ClientError::Refused {
            reason_code: connack.reason_code,
            reason_string: connack.properties.reason_string.as_ref().map(ToString::to_string),
            version: connect.version,
        });
    }
    Ok((wire, connack))
}

fn await_connack(wire: &mut Wire, trace: &mut Trace, timeout: Duration) -> Result<Connack, ClientError> {
    let closed = || ClientError::Closed { when: BEFORE_CONNACK };
    let received = wire.receive(Some(Instant::now() + timeout)).map_err(|error| match error {
        // A listener that does not like what it read closes with some of it unread, which resets the connection.
        ClientError::Lost(_) => closed(),
        other => other,
    });
    match received? {
        Received::Packet(packet) => {
            trace.received(&packet);
            match packet {
                Packet::Connack(connack) => Ok(*connack),
                Packet::Disconnect(disconnect) => Err(disconnected(&disconnect)),
                other => Err(ClientError::Unexpected { packet: other.name() }),
            }
        }
        Received::TimedOut => Err(ClientError::NoAnswer { what: "CONNACK", after: timeout }),
        Received::Interrupted | Received::Closed => Err(closed()),
    }
}

fn disconnected(disconnect: &Disconnect) -> ClientError {
    ClientError::Disconnected {
        reason_code: disconnect.reason_code,
        reason_string: disconnect.reason_string.as_ref().map(ToString::to_string),
    }
}

/// A write failed: the broker closed first, and what it said before that (DISCONNECT, CONNACK, TLS alert) may still be unread.
fn last_words(wire: &mut Wire) -> Option<ClientError> {
    let deadline = Instant::now() + LAST_WORDS;
    loop {
        match wire.receive(Some(deadline)) {
            Ok(Received::Packet(Packet::Disconnect(disconnect))) => return Some(disconnected(&disconnect)),
            Ok(Received::Packet(Packet::Connack(connack))) if connack.reason_code.is_error() => {
                return Some(ClientError::Refused {
                    reason_code: connack.reason_code,
                    reason_string: connack.properties.reason_string.as_ref().map(ToString::to_string),
                    version: wire.version(),
                });
            }
            Ok(Received::Packet(_)) => {}
            Err(error @ ClientError::Tls(_)) => return Some(error),
            Ok(_) | Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests;
