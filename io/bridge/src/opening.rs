//! How a connection begins: CONNECT on both sides, forgotten exchanges released, subscriptions. Afterwards the two sessions are joined.
//!
//! The other broker comes first: how many messages it takes at a time is what the local broker has to be told in its CONNECT.

use std::num::NonZeroU16;
use std::time::Instant;

use bytes::Bytes;
use signet_mqtt::{
    Ack, Connack, Connect, ConnectProperties, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode, RetainHandling, TopicFilter,
    Will, WillProperties, encoded_len,
};

use crate::config::{BridgeConfig, LocalBroker, Notification, RemoteAddress};
use crate::dial::dial;
use crate::error::{End, Fault};
use crate::leg::HELD_MAXIMUM;
use crate::requests::{Refusal, Request, Requests, subscriptions, unsubscription};
use crate::side::Side;
use crate::stream::Stream;
use crate::topics::Topics;
use crate::waiter::Waiter;

/// Largest packet MQTT knows (§2.1.4): before 5.0 nobody can be told to send smaller ones, and one that is too large has to be read to be
/// acknowledged. Memory grows with what arrives, never with what is announced.
const PACKET_MAXIMUM: u32 = 268_435_460;

/// What a bridge remembers from one connection to the next, to know better, not to work.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The one connected to last.
    address: Option<RemoteAddress>,
    /// The local session was made by [`Opening::prepare`] and has not met the other broker's yet.
    is_local_new: bool,
    /// The other broker has lost its session since, and the local one may still wait for its PUBRELs; or the other way round.
    owed_local: bool,
    owed_remote: bool,
    /// The other broker does not know the mark of a bridge.
    pub(crate) refuses_mark: bool,
    /// The other broker has refused a Will that is retained, or one with QoS 1.
    refuses_retain: bool,
    refuses_qos: bool,
}

impl Memory {
    /// Learns from a refusal what the next CONNECT should do without. `false`: nothing that helps.
    pub(crate) fn learn(&mut self, fault: &Fault) -> bool {
        let Fault::Refused { end: End::Remote, code, .. } = fault else { return false };
        let known = match code {
            ReasonCode::RetainNotSupported => &mut self.refuses_retain,
            ReasonCode::QosNotSupported => &mut self.refuses_qos,
            _ => return false,
        };
        !std::mem::replace(known, true)
    }
}

/// The two sides, joined.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) local: Side,
    pub(crate) remote: Side,
    pub(crate) local_connack: Connack,
    pub(crate) remote_connack: Connack,
    /// What came before its turn.
    pub(crate) held: Vec<(End, Packet)>,
    /// The other broker sends us what we send it.
    pub(crate) echoes: bool,
}

/// Packets that came before their turn, in order. A broker that sends messages and never the answer it owes must not fill the memory.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) packets: Vec<(End, Packet)>,
    octets: usize,
}

impl Held {
    pub(crate) fn push(&mut self, from: End, packet: Packet) -> Result<(), Fault> {
        self.octets += Self::octets(&packet);
        if self.octets > HELD_MAXIMUM {
            return Err(Fault::Overflow { end: from.other() });
        }
        self.packets.push((from, packet));
        Ok(())
    }

    /// No other version's packets are longer; the entry itself counts, because the smallest packets are smaller.
    fn octets(packet: &Packet) -> usize {
        size_of::<(End, Packet)>() + encoded_len(packet, ProtocolVersion::V5)
    }

    /// Forgets what came after the first ones.
    fn truncate(&mut self, length: usize) {
        self.packets.truncate(length);
        self.octets = self.packets.iter().map(|(_, packet)| Self::octets(packet)).sum();
    }

    fn take(&mut self) -> Vec<(End, Packet)> {
        std::mem::take(self).packets
    }
}

/// One attempt.
pub(crate) struct Opening<'a> {
    pub(crate) config: &'a BridgeConfig,
    pub(crate) topics: &'a Topics,
    pub(crate) connect_local: &'a LocalBroker,
    pub(crate) waiter: &'a mut Waiter,
    pub(crate) memory: &'a mut Memory,
}

impl Opening<'_> {
    /// Connects to `address` and to the local broker. `held`: what the local broker has sent already, which is still there if this fails.
    pub(crate) fn open(self, address: &RemoteAddress, held: &mut Held) -> Result<Opened, Fault> {
        let before = held.packets.len();
        self.join(address, held).inspect_err(|_| held.truncate(before))
    }

    fn join(mut self, address: &RemoteAddress, held: &mut Held) -> Result<Opened, Fault> {
        let version = self.config.remote.version;
        let is_marked = version.has_bridge_bit() && self.config.remote.try_private && !self.memory.refuses_mark;
        let (mut remote, mut remote_connack) = self.connect_remote(address, is_marked)?;
        if version == ProtocolVersion::V31 {
            // Its CONNACK cannot say it: a session that was there is there.
            remote_connack.session_present = !self.config.session.clean_start && self.memory.address.as_ref() == Some(address);
        }
        // What the local broker sends us we send on at once, so the other broker's bound is ours.
        let window = remote_connack.properties.receive_maximum.unwrap_or(NonZeroU16::MAX).min(self.config.session.inflight_maximum);
        let notification = self.config.notification.as_ref().filter(|to| to.is_local);
        let (mut local, mut local_connack) = self.connect_local(Some(&mut remote), window, notification)?;
        local_connack.session_present &= !std::mem::take(&mut self.memory.is_local_new);
        self.note_lost_sessions(address, &local_connack, &remote_connack);
        if std::mem::take(&mut self.memory.owed_local) {
            self.release_all(&mut local, &mut remote, held).inspect_err(|_| self.memory.owed_local = true)?;
        }
        if std::mem::take(&mut self.memory.owed_remote) {
            self.release_all(&mut remote, &mut local, held).inspect_err(|_| self.memory.owed_remote = true)?;
        }
        let requests = Requests::new(self.remote_requests(&remote_connack, self.retained(&local_connack)), !remote_connack.session_present);
        self.ask(&mut remote, Some(&mut local), requests, held)?;
        let highest = highest_qos(&remote_connack);
        let wanted: Vec<_> = self.topics.local_subscriptions().into_iter().map(|(filter, qos)| (filter, qos.min(highest))).collect();
        let requests = Requests::new(subscriptions(&wanted, self.retained(&remote_connack), true), false);
        self.ask(&mut local, Some(&mut remote), requests, held)?;
        let echoes = version.has_bridge_bit() && !is_marked;
        Ok(Opened { local, remote, local_connack, remote_connack, held: held.take(), echoes })
    }

    /// Makes the local session and its subscriptions, so that messages wait for the other broker before it was reached for the first time. And
    /// gives the session its bounds, which a restarted broker knows from a connection only. `former`: what it was subscribed to.
    pub(crate) fn prepare(mut self, former: &[TopicFilter]) -> Result<(), Fault> {
        let (mut local, connack) = self.connect_local(None, NonZeroU16::MIN, None)?;
        self.memory.is_local_new = !connack.session_present;
        let wanted = self.topics.local_subscriptions();
        // Retained ones are sent when there is somebody to have them.
        let mut requests = subscriptions(&wanted, RetainHandling::DoNotSend, true);
        let gone = former.iter().filter(|filter| wanted.iter().all(|(wanted, _)| wanted != *filter));
        requests.extend(gone.cloned().map(unsubscription));
        self.ask(&mut local, None, Requests::new(requests, false), &mut Held::default())?;
        if let Some(notification) = self.config.notification.as_ref().filter(|to| to.is_local) {
            local.queue(&Packet::Publish(state_message(notification, false, true)));
        }
        leave(local)
    }

    /// Ends the local session and what waits in it.
    pub(crate) fn forget(mut self) -> Result<(), Fault> {
        let mut connect = self.local_packet(NonZeroU16::MIN, None);
        (connect.clean_start, connect.properties.session_expiry_interval) = (true, Some(0));
        let (local, _) = self.connect_local_with(None, connect)?;
        leave(local)
    }

    fn connect_remote(&mut self, address: &RemoteAddress, is_marked: bool) -> Result<(Side, Connack), Fault> {
        let (remote, session) = (&self.config.remote, &self.config.session);
        let version = remote.version;
        let stream = dial(address, remote, self.config.reconnect.timeout)?;
        let largest = if version.has_properties() { session.maximum_packet_size } else { PACKET_MAXIMUM };
        let mut connect = self.connect_packet(version, self.config.notification.as_ref().filter(|to| to.is_remote));
        if let Some(will) = &mut connect.will {
            will.retain = self.config.outgoing.retain && !self.memory.refuses_retain;
            will.qos = if self.memory.refuses_qos { QoS::AtMostOnce } else { will.qos };
        }
        connect.is_bridge = is_marked;
        connect.clean_start = session.clean_start;
        connect.client_identifier = remote.client_identifier.clone();
        connect.username = remote.username.clone();
        connect.password = remote.password.clone();
        connect.properties.session_expiry_interval = Some(session.expiry).filter(|expiry| *expiry > 0 && !session.clean_start);
        connect.properties.receive_maximum = Some(session.receive_maximum);
        connect.properties.maximum_packet_size = largest.try_into().ok();
        connect.properties.topic_alias_maximum = Some(session.topic_alias_maximum).filter(|maximum| *maximum > 0);
        self.connect(Side::new(End::Remote, stream, version, largest), connect, None)
    }

    pub(crate) fn connect_local(
        &mut self,
        remote: Option<&mut Side>,
        window: NonZeroU16,
        notification: Option<&Notification>,
    ) -> Result<(Side, Connack), Fault> {
        let connect = self.local_packet(window, notification);
        self.connect_local_with(remote, connect)
    }

    fn connect_local_with(&mut self, remote: Option<&mut Side>, connect: Connect) -> Result<(Side, Connack), Fault> {
        let stream = (self.connect_local)().map_err(Fault::Local)?;
        stream.set_nonblocking(true).map_err(Fault::Local)?;
        let stream = Stream::Unix(mio::net::UnixStream::from_std(stream));
        self.connect(Side::new(End::Local, stream, ProtocolVersion::V5, PACKET_MAXIMUM), connect, remote)
    }

    fn local_packet(&self, window: NonZeroU16, notification: Option<&Notification>) -> Connect {
        let local = &self.config.local;
        let mut connect = self.connect_packet(ProtocolVersion::V5, notification);
        connect.clean_start = local.clean_start;
        connect.properties.session_expiry_interval = Some(if local.clean_start { 0 } else { local.expiry });
        connect.properties.receive_maximum = Some(window);
        connect
    }

    /// What the two CONNECT packets have in common.
    fn connect_packet(&self, version: ProtocolVersion, notification: Option<&Notification>) -> Connect {
        let will = notification.map(|to| Will {
            topic: to.topic.clone(),
            payload: Bytes::from_static(b"0"),
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: WillProperties::default(),
        });
        Connect {
            version,
            is_bridge: false,
            clean_start: false,
            keep_alive: self.config.session.keep_alive,
            client_identifier: self.config.local.client_identifier.clone(),
            will,
            username: None,
            password: None,
            properties: ConnectProperties::default(),
        }
    }

    fn connect(&mut self, mut side: Side, connect: Connect, other: Option<&mut Side>) -> Result<(Side, Connack), Fault> {
        self.waiter.watch(&mut side)?;
        let (end, keep_alive) = (side.end, connect.keep_alive);
        side.queue(&Packet::Connect(Box::new(connect)));
        let answer = self.next(&mut side, other, "CONNACK").map_err(|fault| match fault {
            Fault::Closed { end } => Fault::ClosedEarly { end },
            other => other,
        })?;
        let Packet::Connack(connack) = answer else { return Err(Fault::Unexpected { end, packet: answer.name() }) };
        if connack.reason_code.is_error() {
            let reason = connack.properties.reason_string.as_ref().map(ToString::to_string);
            return Err(Fault::Refused { end, code: connack.reason_code, reason });
        }
        side.keep_alive(connack.properties.server_keep_alive.unwrap_or(keep_alive));
        Ok((side, *connack))
    }

    /// A session that is new on one side cannot know the exchanges that the other side's session remembers: it uses the same Packet Identifiers
    /// for other messages, which would be taken for repetitions of the old ones.
    fn note_lost_sessions(&mut self, address: &RemoteAddress, local: &Connack, remote: &Connack) {
        let is_elsewhere = self.memory.address.as_ref().is_some_and(|before| before != address);
        self.memory.address = Some(address.clone());
        let exactly_once = |subscriptions: &[(TopicFilter, QoS)]| subscriptions.iter().any(|(_, qos)| *qos == QoS::ExactlyOnce);
        if exactly_once(&self.topics.remote_subscriptions()) && local.session_present {
            self.memory.owed_local |= is_elsewhere || !remote.session_present;
        }
        if exactly_once(&self.topics.local_subscriptions()) && remote.session_present {
            self.memory.owed_remote |= is_elsewhere || !local.session_present;
        }
    }

    /// Releases every Packet Identifier of QoS 2 that `side` may still hold: one PUBREL for each there is, since nobody knows which.
    fn release_all(&mut self, side: &mut Side, other: &mut Side, held: &mut Held) -> Result<(), Fault> {
        tracing::info!(bridge = self.config.name, "releasing what {} may still hold for a session that the other side has lost", side.end);
        for packet_id in (1..=u16::MAX).filter_map(PacketId::new) {
            side.queue(&Packet::Pubrel(Ack::success(packet_id)));
        }
        loop {
            match self.next(side, Some(other), "PUBCOMP")? {
                Packet::Pubcomp(ack) if ack.packet_id.get() == u16::MAX => return Ok(()),
                Packet::Pubcomp(_) => {}
                packet => held.push(side.end, packet)?,
            }
        }
    }

    /// What the other broker is told and asked first: that we are there, and each topic in the order of the list.
    fn remote_requests(&self, connack: &Connack, retain_handling: RetainHandling) -> Vec<Request> {
        let highest = highest_qos(connack);
        let mut requests = Vec::new();
        if let Some(notification) = self.config.notification.as_ref().filter(|to| to.is_remote && highest > QoS::AtMostOnce) {
            let is_kept = self.config.outgoing.retain && connack.properties.features.retain_available.unwrap_or(true);
            let message = Publish { qos: QoS::AtLeastOnce, ..state_message(notification, true, is_kept) };
            requests.push(Request::Publish(Box::new(message)));
        }
        for (filter, qos) in self.topics.remote_filters() {
            match qos {
                Some(qos) => requests.extend(subscriptions(&[(filter, qos)], retain_handling, false)),
                None if self.config.outgoing.unsubscribe => requests.push(unsubscription(filter)),
                None => {}
            }
        }
        requests
    }

    /// Asks everything of one side and waits for all answers.
    pub(crate) fn ask(
        &mut self,
        side: &mut Side,
        mut other: Option<&mut Side>,
        mut requests: Requests,
        held: &mut Held,
    ) -> Result<(), Fault> {
        while !requests.is_done() {
            while let Some(packet) = requests.next() {
                side.queue(&packet);
            }
            if requests.is_done() {
                break;
            }
            match requests.answered(self.next(side, other.as_deref_mut(), "SUBACK")?) {
                Ok(refusals) => refusals.iter().for_each(|refusal| self.tell_refused(side.end, refusal)),
                Err(packet) => held.push(side.end, *packet)?,
            }
        }
        Ok(())
    }

    fn tell_refused(&self, end: End, Refusal { what, code }: &Refusal) {
        tracing::warn!(bridge = self.config.name, "{end} refused {what}: {} (0x{:02X})", code.name(), code.value());
    }

    /// A broker that is new to this bridge has nothing yet; one that is not got the retained messages when it was.
    fn retained(&self, other: &Connack) -> RetainHandling {
        if other.session_present && !self.config.retained_each_time { RetainHandling::SendIfNew } else { RetainHandling::SendAtSubscribe }
    }

    /// The next packet of one side; the other one waits.
    fn next(&mut self, side: &mut Side, mut other: Option<&mut Side>, what: &'static str) -> Result<Packet, Fault> {
        let deadline = Instant::now() + self.config.reconnect.timeout;
        loop {
            side.flush()?;
            if let Some(packet) = side.packet()? {
                return match packet {
                    Packet::Disconnect(disconnect) => Err(Fault::disconnected(side.end, &disconnect)),
                    packet => Ok(packet),
                };
            }
            if side.readable {
                side.read()?;
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Fault::NoAnswer { end: side.end, what });
            }
            match &mut other {
                Some(other) => self.waiter.wait(Some(left), &mut [&mut *side, other])?,
                None => self.waiter.wait(Some(left), &mut [&mut *side])?,
            }
        }
    }
}

/// The highest QoS that a broker takes.
fn highest_qos(connack: &Connack) -> QoS {
    connack.properties.features.maximum_qos.unwrap_or(QoS::ExactlyOnce)
}

/// Ends a connection in good order.
pub(crate) fn leave(mut side: Side) -> Result<(), Fault> {
    side.queue(&Packet::Disconnect(Box::default()));
    side.flush()?;
    side.stream().close();
    Ok(())
}

/// What both brokers are asked to keep for whoever asks for the state of the bridge.
pub(crate) fn state_message(notification: &Notification, is_connected: bool, takes_retained: bool) -> Publish {
    Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: takes_retained,
        topic: Some(notification.topic.clone()),
        packet_id: None,
        properties: Default::default(),
        payload: Bytes::from_static(if is_connected { b"1" } else { b"0" }),
    }
}
