//! How a connection begins: CONNECT on both sides, forgotten exchanges released, subscriptions. Afterwards the two sessions are joined.
//!
//! The other broker comes first: how many messages it takes at a time is what the local broker has to be told in its CONNECT.

use std::num::NonZeroU16;
use std::time::Instant;

use bytes::Bytes;
use signet_mqtt::{
    Ack, Connack, Connect, ConnectProperties, Packet, PacketId, ProtocolVersion, QoS, RetainHandling, Subscribe, SubscribeFilter,
    SubscriptionOptions, TopicFilter, UserProperties, Will, WillProperties, encoded_len,
};
use signet_policy::bridge_identifier;

use crate::config::{BridgeConfig, LocalBroker, Notification, RemoteAddress};
use crate::dial::dial;
use crate::error::{End, Fault};
use crate::leg::HELD_MAXIMUM;
use crate::side::Side;
use crate::stream::Stream;
use crate::topics::Topics;
use crate::waiter::Waiter;

/// Largest packet MQTT knows (§2.1.4): before 5.0 nobody can be told to send smaller ones, and one that is too large has to be read to be
/// acknowledged. Memory grows with what arrives, never with what is announced.
const PACKET_MAXIMUM: u32 = 268_435_460;

/// Of our SUBSCRIBE. Nothing else is under way towards that broker when it is sent; among what an earlier connection left behind the last
/// identifier is the least likely one.
fn subscribe_id() -> PacketId {
    PacketId::from(NonZeroU16::MAX)
}

/// Topic Filters in one SUBSCRIBE: brokers have bounds.
const FILTERS: usize = 64;

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
}

/// The two sides, joined.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) local: Side,
    pub(crate) remote: Side,
    pub(crate) local_connack: Connack,
    pub(crate) remote_connack: Connack,
    /// What came before its turn.
    pub(crate) held: Held,
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
    fn push(&mut self, from: End, packet: Packet) -> Result<(), Fault> {
        // No other version's packets are longer; the entry itself counts, because the smallest packets are smaller.
        self.octets += size_of::<(End, Packet)>() + encoded_len(&packet, ProtocolVersion::V5);
        if self.octets > HELD_MAXIMUM {
            return Err(Fault::Overflow { end: from.other() });
        }
        self.packets.push((from, packet));
        Ok(())
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
    /// Connects to `address` and to the local broker.
    pub(crate) fn open(mut self, address: &RemoteAddress) -> Result<Opened, Fault> {
        let version = self.config.remote.version;
        let is_marked = version.has_bridge_bit() && self.config.remote.try_private && !self.memory.refuses_mark;
        let (mut remote, remote_connack) = self.connect_remote(address, is_marked)?;
        // What the local broker sends us we send on at once, so the other broker's bound is ours.
        let window = remote_connack.properties.receive_maximum.unwrap_or(NonZeroU16::MAX).min(self.config.session.inflight_maximum);
        let notification = self.config.notification.as_ref().filter(|to| to.is_local);
        let (mut local, mut local_connack) = self.connect_local(Some(&mut remote), window, notification)?;
        local_connack.session_present &= !std::mem::take(&mut self.memory.is_local_new);
        self.note_lost_sessions(address, &local_connack, &remote_connack);
        let mut held = Held::default();
        if std::mem::take(&mut self.memory.owed_local) {
            self.release_all(&mut local, &mut remote, &mut held).inspect_err(|_| self.memory.owed_local = true)?;
        }
        if std::mem::take(&mut self.memory.owed_remote) {
            self.release_all(&mut remote, &mut local, &mut held).inspect_err(|_| self.memory.owed_remote = true)?;
        }
        let wanted = self.topics.remote_subscriptions();
        self.subscribe(&mut remote, Some(&mut local), wanted, retained(&local_connack), &mut held)?;
        let highest = remote_connack.properties.features.maximum_qos.unwrap_or(QoS::ExactlyOnce);
        let wanted = self.topics.local_subscriptions().into_iter().map(|(filter, qos)| (filter, qos.min(highest))).collect();
        self.subscribe(&mut local, Some(&mut remote), wanted, retained(&remote_connack), &mut held)?;
        let echoes = version.has_bridge_bit() && !is_marked;
        Ok(Opened { local, remote, local_connack, remote_connack, held, echoes })
    }

    /// Makes the local session and its subscriptions, so that messages wait for the other broker before it was reached for the first time. And
    /// gives the session its bounds, which a restarted broker knows from a connection only.
    pub(crate) fn prepare(mut self) -> Result<(), Fault> {
        let (mut local, connack) = self.connect_local(None, NonZeroU16::MIN, None)?;
        self.memory.is_local_new = !connack.session_present;
        // Retained ones are sent when there is somebody to have them.
        self.subscribe(&mut local, None, self.topics.local_subscriptions(), RetainHandling::DoNotSend, &mut Held::default())?;
        if let Some(notification) = self.config.notification.as_ref().filter(|to| to.is_local) {
            local.queue(&state_message(notification, false, true));
        }
        local.queue(&Packet::Disconnect(Box::default()));
        local.flush()?;
        local.stream().close();
        Ok(())
    }

    fn connect_remote(&mut self, address: &RemoteAddress, is_marked: bool) -> Result<(Side, Connack), Fault> {
        let (remote, session) = (&self.config.remote, &self.config.session);
        let version = remote.version;
        let stream = dial(address, remote.tls.as_ref(), self.config.reconnect.timeout)?;
        let largest = if version.has_properties() { session.maximum_packet_size } else { PACKET_MAXIMUM };
        let mut connect = self.connect_packet(version, self.config.notification.as_ref().filter(|to| to.is_remote));
        connect.is_bridge = is_marked;
        connect.client_identifier = remote.client_identifier.clone();
        connect.username = remote.username.clone();
        connect.password = remote.password.clone();
        connect.properties.receive_maximum = Some(session.inflight_maximum);
        connect.properties.maximum_packet_size = largest.try_into().ok();
        self.connect(Side::new(End::Remote, stream, version, largest), connect, None)
    }

    fn connect_local(
        &mut self,
        remote: Option<&mut Side>,
        window: NonZeroU16,
        notification: Option<&Notification>,
    ) -> Result<(Side, Connack), Fault> {
        let stream = (self.connect_local)().map_err(Fault::Local)?;
        stream.set_nonblocking(true).map_err(Fault::Local)?;
        let stream = Stream::Unix(mio::net::UnixStream::from_std(stream));
        let mut connect = self.connect_packet(ProtocolVersion::V5, notification);
        connect.properties.receive_maximum = Some(window);
        self.connect(Side::new(End::Local, stream, ProtocolVersion::V5, PACKET_MAXIMUM), connect, remote)
    }

    /// What the two CONNECT packets have in common.
    fn connect_packet(&self, version: ProtocolVersion, notification: Option<&Notification>) -> Connect {
        let session = &self.config.session;
        let will = notification.map(|to| Will {
            topic: to.topic.clone(),
            payload: Bytes::from_static(b"0"),
            qos: QoS::AtLeastOnce,
            retain: true,
            properties: WillProperties::default(),
        });
        let expiry = if session.clean_start { 0 } else { session.expiry };
        Connect {
            version,
            is_bridge: false,
            clean_start: session.clean_start,
            keep_alive: session.keep_alive,
            client_identifier: bridge_identifier(&self.config.name),
            will,
            username: None,
            password: None,
            properties: ConnectProperties { session_expiry_interval: Some(expiry), ..ConnectProperties::default() },
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

    fn subscribe(
        &mut self,
        side: &mut Side,
        mut other: Option<&mut Side>,
        wanted: Vec<(TopicFilter, QoS)>,
        retain_handling: RetainHandling,
        held: &mut Held,
    ) -> Result<(), Fault> {
        for part in wanted.chunks(FILTERS) {
            let subscriptions = part
                .iter()
                .map(|(filter, qos)| SubscribeFilter {
                    filter: filter.clone(),
                    options: SubscriptionOptions { maximum_qos: *qos, no_local: true, retain_as_published: true, retain_handling },
                })
                .collect();
            side.queue(&Packet::Subscribe(Subscribe {
                packet_id: subscribe_id(),
                subscription_identifier: None,
                user_properties: UserProperties::default(),
                subscriptions,
            }));
            let suback = loop {
                match self.next(side, other.as_deref_mut(), "SUBACK")? {
                    Packet::Suback(suback) if suback.packet_id == subscribe_id() => break suback,
                    packet => held.push(side.end, packet)?,
                }
            };
            for ((filter, _), code) in part.iter().zip(&suback.reason_codes).filter(|(_, code)| code.is_error()) {
                tracing::warn!(
                    bridge = self.config.name,
                    filter = filter.as_str(),
                    "{} refused the subscription: {} (0x{:02X}); nothing comes from there",
                    side.end,
                    code.name(),
                    code.value()
                );
            }
        }
        Ok(())
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

/// A broker that is new to this bridge has nothing yet; one that is not got the retained messages when it was.
fn retained(other: &Connack) -> RetainHandling {
    if other.session_present { RetainHandling::SendIfNew } else { RetainHandling::SendAtSubscribe }
}

/// What both brokers are asked to keep for whoever asks for the state of the bridge.
pub(crate) fn state_message(notification: &Notification, is_connected: bool, takes_retained: bool) -> Packet {
    Packet::Publish(signet_mqtt::Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: takes_retained,
        topic: Some(notification.topic.clone()),
        packet_id: None,
        properties: signet_mqtt::PublishProperties::default(),
        payload: Bytes::from_static(if is_connected { b"1" } else { b"0" }),
    })
}
