//! The client's half of MQTT in the way of Mosquitto's library: one connection after the other, with one count of packet identifiers, messages that
//! wait for room, and QoS 2 messages that count when they are released.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use signet_client::{ClientError, Endpoint, Received, SocketOptions, TlsError, TlsOptions, Trace, Transport, Wire};
use signet_mqtt::{
    Connect, DecodeLimits, Disconnect, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode, Subscribe, SubscribeFilter,
    TopicFilter, TopicName, Unsubscribe,
};

use crate::output::{self, Incoming};
use crate::property::List;
use crate::stop::Stop;
use crate::trouble::Trouble;

mod clock;
mod order;
mod outgoing;
mod packets;

use clock::{Clock, Due};
use outgoing::Outgoing;

/// The largest packet MQTT knows (§2.1.4). Memory grows with what arrives, never with what is announced.
const MAXIMUM_PACKET_SIZE: u32 = 268_435_460;

/// How long a broken connection is read on, to find the reason that the broker sent before it closed.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Between two attempts at connecting anew.
const PAUSE: Duration = Duration::from_secs(1);

/// QoS 2 messages that wait for their release: as many as there are packet identifiers would be allowed, nobody needs more than these.
const UNRELEASED: usize = 1024;

/// What is needed to connect, as often as it takes.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) endpoint: Endpoint,
    pub(crate) socket: SocketOptions,
    pub(crate) tls: Option<TlsOptions>,
    pub(crate) connect: Connect,
    pub(crate) in_flight_maximum: u16,
    /// For DISCONNECT.
    pub(crate) disconnect: List,
    /// Whether it has to be known first that somebody is there, and then that the files of TLS are wrong.
    pub(crate) reach_first: bool,
    /// Bound on connecting, and each on the handshakes of TLS and WebSocket.
    pub(crate) timeout: Duration,
    pub(crate) debug: bool,
}

/// What [`Session::poll`] saw.
#[derive(Debug)]
pub(crate) enum Event {
    /// The broker's answer to CONNECT: 0, or the number with which it refused.
    Connack(u8),
    /// A message of ours is written (QoS 0), the broker's now, or refused (0x80 and above).
    Published { mid: u16, reason: ReasonCode, reason_string: Option<String> },
    /// The answer to SUBSCRIBE, one number per filter.
    Suback { mid: u16, codes: Vec<ReasonCode>, reason_string: Option<String> },
    /// A message.
    Message(Box<Incoming>),
    /// Somebody asked to stop.
    Interrupted,
}

/// Why a connection is over.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) trouble: Trouble,
    /// The same in the words of our client.
    pub(crate) error: ClientError,
    /// It was over before CONNECT was on its way: what is wrong is the place or the files.
    pub(crate) before_connect: bool,
}

impl Ending {
    /// Whether Mosquitto's programs give up on it instead of connecting anew.
    pub(crate) fn is_fatal(&self) -> bool {
        self.trouble.is_fatal() || matches!(self.error, ClientError::Tls(_))
    }
}

impl From<ClientError> for Ending {
    fn from(error: ClientError) -> Self {
        Self { trouble: Trouble::of(&error), error, before_connect: false }
    }
}

/// A message to publish.
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    /// QoS, topic, payload, properties. What a session decides is not in it yet.
    pub(crate) publish: Publish,
    /// Whether there are properties, which versions before 5.0 have not.
    pub(crate) has_properties: bool,
}

/// What the broker said of itself in CONNACK.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    maximum_qos: QoS,
    retain_available: bool,
    maximum_packet_size: u32,
}

const UNBOUNDED: Bounds = Bounds { maximum_qos: QoS::ExactlyOnce, retain_available: true, maximum_packet_size: MAXIMUM_PACKET_SIZE };

/// A session, connected or not.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    plan: &'a Plan,
    stop: Stop,
    trace: Trace,
    wire: Option<Wire>,
    bounds: Bounds,
    clock: Clock,
    last_mid: u16,
    outgoing: Outgoing,
    /// QoS 2 messages that are not released yet.
    unreleased: BTreeMap<PacketId, Incoming>,
    /// Of this connection. No more than we offered.
    aliases: BTreeMap<NonZeroU16, TopicName>,
    events: VecDeque<Event>,
    /// The connection is up: CONNACK said so.
    active: bool,
    leaving: bool,
    /// Known, and told when everything that came before it was.
    ending: Option<Ending>,
    /// A write failed at this time. What the broker sent before may still say why.
    broken: Option<(Instant, Ending)>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(plan: &'a Plan, stop: Stop) -> Self {
        let mut trace = if plan.debug { Trace::to(output::line) } else { Trace::off() };
        trace.named(plan.connect.client_identifier.as_str());
        Self {
            plan,
            stop,
            trace,
            wire: None,
            bounds: UNBOUNDED,
            clock: Clock::new(plan.connect.keep_alive, Instant::now()),
            last_mid: 0,
            outgoing: Outgoing::new(plan.in_flight_maximum),
            unreleased: BTreeMap::new(),
            aliases: BTreeMap::new(),
            events: VecDeque::new(),
            active: false,
            leaving: false,
            ending: None,
            broken: None,
        }
    }

    /// Opens a connection and sends CONNECT. The answer comes out of [`Session::poll`].
    pub(crate) fn connect(&mut self) -> Result<(), Ending> {
        let plan = self.plan;
        self.bounds = UNBOUNDED;
        self.clock = Clock::new(plan.connect.keep_alive, Instant::now());
        self.outgoing.disconnected();
        self.aliases.clear();
        (self.active, self.ending, self.broken) = (false, None, None);
        let packet = Packet::Connect(Box::new(plan.connect.clone()));
        let transport = match Transport::open_by(&plan.endpoint, &plan.socket, plan.tls.as_ref(), plan.timeout) {
            Ok(transport) => transport,
            Err(error) => {
                let error = self.reach(error);
                let before_connect = is_before_connect(&error);
                if matches!(error, ClientError::Tls(_)) && !before_connect {
                    // Mosquitto's library has the packet ready while the handshake goes on.
                    self.trace.sending(&packet);
                }
                return Err(Ending { before_connect, ..error.into() });
            }
        };
        let largest = plan.connect.properties.maximum_packet_size.map_or(MAXIMUM_PACKET_SIZE, std::num::NonZeroU32::get);
        let limits = DecodeLimits {
            maximum_packet_size: largest,
            // Mosquitto's brokers allow 200 slashes.
            maximum_topic_levels: 201,
            ..DecodeLimits::default()
        };
        let wire = Wire::new(transport, plan.connect.version, limits);
        self.stop.watch(wire.interrupter().ok());
        self.wire = Some(wire);
        self.send(&packet);
        Ok(())
    }

    /// Mosquitto's library looks into files only when somebody is there.
    fn reach(&self, error: ClientError) -> ClientError {
        let plan = self.plan;
        if !plan.reach_first || !matches!(error, ClientError::Tls(_)) || !is_before_connect(&error) {
            return error;
        }
        let place = Endpoint { websocket: None, ..plan.endpoint.clone() };
        Transport::open_by(&place, &plan.socket, None, plan.timeout).err().unwrap_or(error)
    }

    /// The same after a pause. An error: it did not work this time.
    pub(crate) fn reconnect(&mut self) -> Result<(), Ending> {
        self.close();
        self.stop.pause(PAUSE);
        if self.stop.is_asked() {
            self.events.push_back(Event::Interrupted);
            return Ok(());
        }
        self.connect()
    }

    pub(crate) fn version(&self) -> ProtocolVersion {
        self.plan.connect.version
    }

    /// DISCONNECT was sent, or would have been were there a connection.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Messages that the broker has not acknowledged yet.
    pub(crate) fn waiting(&self) -> usize {
        self.outgoing.len()
    }

    /// Waits until `deadline`, or for ever, for the next event; keeps the connection alive meanwhile. None: the deadline passed.
    ///
    /// # Errors
    /// The connection is over. From then on it is that of every call until [`Session::connect`].
    pub(crate) fn poll(&mut self, deadline: Option<Instant>) -> Result<Option<Event>, Ending> {
        if self.events.is_empty() {
            self.look(deadline)?;
        }
        Ok(self.event())
    }

    /// What was seen and not told yet.
    pub(crate) fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Waits until `deadline`, or for ever, until there is a further event.
    pub(crate) fn look(&mut self, deadline: Option<Instant>) -> Result<(), Ending> {
        let told = self.events.len();
        loop {
            if let Some(ending) = self.ending.take() {
                self.close();
                return Err(ending);
            }
            if self.active {
                self.resend();
            }
            let Some(until) = self.until(deadline) else { return Err(not_connected()) };
            let received = match &mut self.wire {
                Some(wire) => wire.receive(until),
                None => return Err(not_connected()),
            };
            match received {
                Ok(Received::Packet(packet)) => self.handle(packet),
                Ok(Received::TimedOut) if deadline.is_some_and(|deadline| Instant::now() >= deadline) => return Ok(()),
                Ok(Received::TimedOut) => {}
                Ok(Received::Interrupted) => self.events.push_back(Event::Interrupted),
                Ok(Received::Closed) => {
                    let when = if self.active { "without a DISCONNECT" } else { "before it answered the CONNECT" };
                    self.over(ClientError::Closed { when });
                }
                Err(error) => self.over(error),
            }
            if self.events.len() > told {
                return Ok(());
            }
        }
    }

    /// How long to wait for packets at most. Looks after Keep Alive. None: the connection is over.
    fn until(&mut self, deadline: Option<Instant>) -> Option<Option<Instant>> {
        let now = Instant::now();
        if let Some((since, _)) = &self.broken {
            let last = *since + LAST_WORDS;
            if now >= last {
                let (_, ending) = self.broken.take()?;
                self.ending = Some(ending);
            }
            return Some(Some(deadline.map_or(last, |deadline| deadline.min(last)).max(now)));
        }
        match self.clock.due(now) {
            Due::Nothing => {}
            Due::Ping if self.active => {
                self.send(&Packet::Pingreq);
                self.clock.pinged(now);
            }
            Due::Ping | Due::Dead => self.ending = Some(ClientError::KeepAlive.into()),
        }
        let next = if self.ending.is_some() { Some(now) } else { self.clock.next() };
        Some(match (deadline, next) {
            (Some(deadline), Some(next)) => Some(deadline.min(next)),
            (deadline, next) => deadline.or(next),
        })
    }

    /// Publishes, or keeps a message of QoS 1 or 2 until there is room for it. Returns its packet identifier.
    pub(crate) fn publish(&mut self, sending: Sending) -> Result<u16, Trouble> {
        let Sending { mut publish, has_properties } = sending;
        if has_properties && self.version() != ProtocolVersion::V5 {
            return Err(Trouble::NotSupported);
        }
        if publish.qos > self.bounds.maximum_qos {
            return Err(Trouble::QosNotSupported);
        }
        publish.retain &= self.bounds.retain_available;
        let packet = Packet::Publish(publish);
        if u32::try_from(signet_mqtt::encoded_len(&packet, self.version())).map_or(true, |size| size > self.bounds.maximum_packet_size) {
            return Err(Trouble::Oversize);
        }
        let Packet::Publish(mut publish) = packet else { return Err(Trouble::Invalid) };
        let id = self.next_id();
        publish.packet_id = Some(id);
        if publish.qos != QoS::AtMostOnce {
            self.outgoing.push(publish);
            self.release();
        } else if self.wire.is_none() {
            return Err(Trouble::NotConnected);
        } else {
            self.send(&Packet::Publish(publish));
            self.events.push_back(Event::Published { mid: id.get(), reason: ReasonCode::Success, reason_string: None });
        }
        Ok(id.get())
    }

    /// Subscribes. The answer comes out of [`Session::poll`].
    pub(crate) fn subscribe(&mut self, subscriptions: Vec<SubscribeFilter>, properties: &List) -> Result<(), Trouble> {
        if !properties.is_empty() && self.version() != ProtocolVersion::V5 {
            return Err(Trouble::NotSupported);
        }
        if subscriptions.is_empty() {
            return Err(Trouble::Invalid);
        }
        let packet_id = self.next_id();
        self.send(&Packet::Subscribe(Subscribe {
            packet_id,
            subscription_identifier: properties.subscription_identifier(),
            user_properties: properties.user_properties(),
            subscriptions,
        }));
        Ok(())
    }

    /// Unsubscribes from one filter.
    pub(crate) fn unsubscribe(&mut self, filter: TopicFilter, properties: &List) -> Result<(), Trouble> {
        if !properties.is_empty() && self.version() != ProtocolVersion::V5 {
            return Err(Trouble::NotSupported);
        }
        let packet_id = self.next_id();
        self.send(&Packet::Unsubscribe(Unsubscribe { packet_id, user_properties: properties.user_properties(), filters: vec![filter] }));
        Ok(())
    }

    /// Says goodbye, and closes. With properties that the version has not, nothing happens, as with Mosquitto's library.
    pub(crate) fn disconnect(&mut self, reason_code: ReasonCode) {
        let given = &self.plan.disconnect;
        if !given.is_empty() && self.version() != ProtocolVersion::V5 {
            return;
        }
        self.leaving = true;
        if self.wire.is_some() {
            self.send(&Packet::Disconnect(Box::new(Disconnect {
                session_expiry_interval: given.session_expiry(),
                reason_string: given.reason_string(),
                user_properties: given.user_properties(),
                server_reference: given.server_reference(),
                ..Disconnect::new(reason_code)
            })));
        }
        self.close();
    }

    /// Closes without a word.
    pub(crate) fn close(&mut self) {
        self.stop.watch(None);
        if let Some(mut wire) = self.wire.take() {
            wire.close();
        }
        self.active = false;
    }

    fn next_id(&mut self) -> PacketId {
        loop {
            self.last_mid = self.last_mid.checked_add(1).unwrap_or(1);
            if let Some(id) = PacketId::new(self.last_mid) {
                return id;
            }
        }
    }

    fn send(&mut self, packet: &Packet) {
        let Some(wire) = &mut self.wire else { return };
        self.trace.sending(packet);
        match wire.send(packet) {
            Ok(()) => self.clock.sent(Instant::now()),
            Err(error) => {
                self.broken.get_or_insert_with(|| (Instant::now(), error.into()));
            }
        }
    }

    fn over(&mut self, error: ClientError) {
        let ending = match self.broken.take() {
            // The reason counts for more than that a write failed.
            Some((_, ending)) if !matches!(error, ClientError::Tls(_)) => ending,
            // An alert behind the handshake ends the stream, for Mosquitto's library.
            _ if matches!(error, ClientError::Tls(_)) => Ending { trouble: Trouble::Lost, error, before_connect: false },
            _ => error.into(),
        };
        self.ending = Some(ending);
    }

    fn release(&mut self) {
        if self.wire.is_none() || !self.active {
            return;
        }
        while let Some(publish) = self.outgoing.next() {
            self.send(&Packet::Publish(publish));
        }
    }

    fn resend(&mut self) {
        while let Some(packet) = self.outgoing.again() {
            self.send(&packet);
        }
        self.release();
    }
}

fn not_connected() -> Ending {
    let error = ClientError::Closed { when: "without a DISCONNECT" };
    Ending { trouble: Trouble::NotConnected, error, before_connect: false }
}

/// Whether nobody was reached, or a file is wrong: a handshake that fails is none of these.
fn is_before_connect(error: &ClientError) -> bool {
    !matches!(
        error,
        ClientError::Tls(TlsError::Socket { .. } | TlsError::Peer { .. } | TlsError::Refused { .. })
            | ClientError::WebSocket(_)
            | ClientError::Proxy { .. }
            | ClientError::Lost(_)
            | ClientError::Closed { .. }
    )
}
