//! What only a log in Mosquitto's words asks for: single connections and packets, with the fields that its lines have. The words are somebody else's.
//!
//! Every event here has the target `signet::line` or one below it, and costs a look at a flag where nobody listens.

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};
use bytestring::ByteString;
use signet_broker::{CloseCause, Event, KickCause, Output};
use signet_identity::{DeviceIdentity, Leaf};
use signet_mqtt::{Ack, Connect, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode, TopicFilter};
use signet_net::{ListenAddress, PeerAddress};
use signet_policy::Principal;
use signet_tls::{Check, Refusal};
use tracing::{Level, debug, enabled, info};

use crate::link::Link;
use crate::listener::Listener;
use crate::outbox::Outgoing;

/// What happens to connections.
const CONNECTION: &str = "signet::line::connection";

/// What happens to packets.
const PACKET: &str = "signet::line::packet";

/// What happens to subscriptions.
const SUBSCRIPTION: &str = "signet::line::subscription";

/// The longest name of a certificate in a line, in characters.
const NAME: usize = 256;

/// What a CONNECT said, kept until its session begins where somebody asks for it.
#[derive(Debug)]
pub(crate) struct Introduction {
    client_identifier: ByteString,
    is_bridge: bool,
    level: u8,
    clean_start: bool,
    keep_alive: u16,
    username: Option<ByteString>,
    will: Option<(usize, bool, QoS, ByteString)>,
}

impl Introduction {
    /// Nothing where nobody asks.
    pub(crate) fn of(connect: &Connect) -> Option<Box<Self>> {
        enabled!(target: CONNECTION, Level::INFO).then(|| {
            let will = connect.will.as_ref();
            Box::new(Self {
                client_identifier: connect.client_identifier.as_str().into(),
                is_bridge: connect.is_bridge,
                level: connect.version.level(),
                clean_start: connect.clean_start,
                keep_alive: connect.keep_alive,
                username: connect.username.clone(),
                will: will.map(|will| (will.payload.len(), will.retain, will.qos, will.topic.as_str().into())),
            })
        })
    }
}

/// The address as Mosquitto writes it: that of a unix socket is its path.
fn host<'a>(address: &PeerAddress, listener: &'a Listener) -> Cow<'a, str> {
    match address.ip() {
        Some(ip) => Cow::Owned(ip.to_string()),
        None => {
            let rules = listener.rules();
            let path = rules.config.bind.iter().find_map(|place| match place {
                ListenAddress::Unix(path) => Some(path.display().to_string()),
                ListenAddress::Ip(_) => None,
            });
            Cow::Owned(path.unwrap_or_default())
        }
    }
}

fn port(address: &PeerAddress) -> u16 {
    match address {
        PeerAddress::Ip(address) => address.port(),
        PeerAddress::Unix(_) => 0,
    }
}

// --- connections

/// A connection was accepted; `port_here` is where it came to.
pub(crate) fn accepted(address: &PeerAddress, listener: &Listener, port_here: Option<u16>) {
    info!(target: CONNECTION, line = "accepted", address = &*host(address, listener), port = port(address), listener_port = port_here.unwrap_or_default());
}

/// There was no room for a connection.
pub(crate) fn full(address: &PeerAddress, listener: &Listener) {
    info!(target: CONNECTION, line = "full", address = &*host(address, listener), port = port(address));
}

/// A client without TLS came with it.
pub(crate) fn tls_without_listener(link: &Link) {
    info!(target: CONNECTION, line = "tls_without_listener", address = &*host(&link.address, link.listener()), port = port(&link.address));
}

/// A proxy has said how it talks with the client.
pub(crate) fn negotiated_with_proxy(link: &Link, protocol: &str, cipher: &str) {
    info!(
        target: CONNECTION,
        line = "proxy_negotiated",
        address = &*host(&link.address, link.listener()),
        port = port(&link.address),
        protocol,
        cipher,
    );
}

/// A client was refused before its session began.
pub(crate) fn refused(refusal: &Refusal, listener: &Listener, address: &PeerAddress, client: Option<&str>, code: Option<ReasonCode>) {
    let Refusal { subject, serial, issuer, check, found, .. } = refusal;
    info!(
        target: CONNECTION,
        line = "refused",
        address = &*host(address, listener),
        port = port(address),
        client,
        check = check.name(),
        code = code.map(u8::from),
        found = found.as_str(),
        subject = subject.as_deref(),
        issuer = issuer.as_deref(),
        serial = serial.as_deref(),
        sha256 = refusal.certificate.as_deref().map(fingerprint),
    );
}

/// The Client Identifier that a refused client goes by: Mosquitto knows it once CONNECT was read to its end.
pub(crate) fn claimed(link: &Link) -> Option<&str> {
    link.entrance.introduction.as_ref().map(|introduction| &*introduction.client_identifier).filter(|claimed| !claimed.is_empty())
}

/// A client left before its session began.
pub(crate) fn left(link: &Link) {
    let address = host(&link.address, link.listener());
    info!(target: CONNECTION, line = "disconnected", address = &*address, port = port(&link.address), client = &*address, cause = "lost");
}

/// A session has ended.
pub(crate) fn event(event: &Event, link: Option<&Link>) {
    let (Some(link), true) = (link, enabled!(target: CONNECTION, Level::INFO)) else { return };
    match event {
        // Our own end of a bridge.
        Event::Disconnected { principal: Principal::Bridge(_), .. } => {}
        Event::Disconnected { client_identifier, cause, .. } => info!(
            target: CONNECTION,
            line = "disconnected",
            address = &*host(&link.address, link.listener()),
            port = port(&link.address),
            client = client_identifier.as_str(),
            cause = cause_name(cause),
        ),
        _ => {}
    }
}

/// A session has begun: said before its CONNACK, as everything that CONNECT brings.
fn connected(link: &mut Link) {
    let Some(introduction) = link.entrance.introduction.take() else { return };
    let Some(client) = link.entrance.client.clone().filter(|client| !matches!(client.principal(), Principal::Bridge(_))) else { return };
    let (granted, client) = (client.username(), client.client_identifier().as_str());
    let (address, port) = (host(&link.address, link.listener()).into_owned(), port(&link.address));
    info!(
        target: CONNECTION,
        line = "connected",
        role = if introduction.is_bridge { "bridge" } else { "client" },
        address,
        port,
        client,
        version = introduction.level,
        clean_start = introduction.clean_start,
        keep_alive = introduction.keep_alive,
        username = granted.or(introduction.username.as_deref()),
    );
    match &introduction.will {
        Some((bytes, retain, qos, topic)) => {
            debug!(target: CONNECTION, line = "will", bytes, retain, qos = u8::from(*qos), topic = &**topic);
        }
        None => debug!(target: CONNECTION, line = "no_will"),
    }
    if let Some((protocol, cipher)) = link.pipe.negotiated() {
        info!(target: CONNECTION, line = "negotiated", client, protocol, cipher);
    }
    if let Some(identity) = link.peer.as_ref().and_then(|peer| peer.identity()) {
        let leaf = identity.leaf();
        info!(
            target: CONNECTION,
            line = "certificate",
            address,
            port,
            client,
            subject = subject(leaf),
            issuer = issuer(leaf),
            serial = %leaf.id().serial(),
            sha256 = fingerprint(leaf.der()),
        );
    }
}

/// A connected device may not go on, for the sake of its certificate.
pub(crate) fn certificate_lost(link: &Link, identity: &DeviceIdentity, check: Check, found: &str) {
    let leaf = identity.leaf();
    info!(
        target: CONNECTION,
        line = "certificate_refused",
        address = &*host(&link.address, link.listener()),
        port = port(&link.address),
        client = link.entrance.client.as_ref().map(|client| client.client_identifier().as_str()),
        check = check.name(),
        found,
        subject = subject(leaf),
        issuer = issuer(leaf),
        serial = %leaf.id().serial(),
        sha256 = fingerprint(leaf.der()),
    );
}

fn subject(leaf: &Leaf) -> String {
    leaf.subject().rfc4514().chars().take(NAME).collect()
}

fn issuer(leaf: &Leaf) -> String {
    leaf.issuer().rfc4514().chars().take(NAME).collect()
}

fn fingerprint(der: &[u8]) -> String {
    hex::encode(digest(&SHA256, der))
}

/// Why a session ended, by a short name.
fn cause_name(cause: &CloseCause) -> &'static str {
    match cause {
        CloseCause::ClientDisconnected(_) => "client",
        CloseCause::ConnectionLost => "lost",
        CloseCause::TakenOver => "taken_over",
        CloseCause::KeepAliveTimeout => "keep_alive",
        CloseCause::Malformed(_, ReasonCode::PacketTooLarge) | CloseCause::PacketTooLarge => "oversize",
        CloseCause::Malformed(_, ReasonCode::ProtocolError) | CloseCause::ProtocolError(_) => "protocol",
        CloseCause::Malformed(..) | CloseCause::TopicNameInvalid(_) => "malformed",
        CloseCause::ReceiveMaximumExceeded => "receive_maximum",
        CloseCause::TopicAliasInvalid => "topic_alias",
        CloseCause::QosNotSupported | CloseCause::RetainNotSupported => "not_supported",
        CloseCause::IdentifierInUse => "identifier",
        CloseCause::QuotaExceeded(_) => "quota",
        CloseCause::Kicked(KickCause::ShuttingDown) => "shutdown",
        CloseCause::SubscriptionRefused
        | CloseCause::SubscriptionEnded(_)
        | CloseCause::Kicked(KickCause::AuthenticationExpired | KickCause::CredentialRevoked | KickCause::AuthenticationFailed) => {
            "not_authorised"
        }
        CloseCause::Kicked(_) => "administrative",
    }
}

// --- packets

/// What of a PUBLISH is in its line, for when it is known whether it was taken.
pub(crate) struct Arrived {
    dup: bool,
    qos: QoS,
    retain: bool,
    id: u16,
    topic: ByteString,
    bytes: usize,
}

/// Notes a packet of a client, before the broker has it. A PUBLISH is told of when the broker has said whether it takes it, a SUBSCRIBE or UNSUBSCRIBE
/// once more when it is answered.
pub(crate) fn received(link: &mut Link, packet: &Packet) -> Option<Arrived> {
    if enabled!(target: SUBSCRIPTION, Level::DEBUG) {
        link.entrance.wishes = wishes(packet);
    }
    if !enabled!(target: PACKET, Level::DEBUG) {
        return None;
    }
    let client = name(link);
    match packet {
        Packet::Publish(publish) => return Some(arrived(publish)),
        Packet::Puback(ack) => acknowledged("received_puback", &client, ack),
        Packet::Pubrec(ack) => acknowledged("received_pubrec", &client, ack),
        Packet::Pubrel(ack) => acknowledged("received_pubrel", &client, ack),
        Packet::Pubcomp(ack) => acknowledged("received_pubcomp", &client, ack),
        Packet::Subscribe(subscribe) => {
            debug!(target: PACKET, line = "received_subscribe", client);
            for wish in &subscribe.subscriptions {
                debug!(target: PACKET, line = "received_subscription", filter = wish.filter.as_str(), qos = u8::from(wish.options.maximum_qos));
            }
        }
        Packet::Unsubscribe(unsubscribe) => {
            debug!(target: PACKET, line = "received_unsubscribe", client);
            for filter in &unsubscribe.filters {
                debug!(target: PACKET, line = "received_unsubscription", filter = filter.as_str());
            }
        }
        Packet::Pingreq => debug!(target: PACKET, line = "received_pingreq", client),
        Packet::Disconnect(_) => debug!(target: PACKET, line = "received_disconnect", client),
        Packet::Auth(auth) => debug!(target: PACKET, line = "received_auth", client, code = u8::from(auth.reason_code)),
        _ => {}
    }
    None
}

/// Who it is, as far as that is known.
fn name(link: &Link) -> String {
    match (&link.entrance.client, claimed(link)) {
        (Some(client), _) => client.client_identifier().as_str().to_owned(),
        // Whoever is refused goes by the address in lines about packets.
        (None, _) => host(&link.address, link.listener()).into_owned(),
    }
}

fn arrived(publish: &Publish) -> Arrived {
    Arrived {
        dup: publish.dup,
        qos: publish.qos,
        retain: publish.retain,
        id: publish.packet_id.map_or(0, number),
        topic: publish.topic.as_ref().map_or_else(ByteString::new, |topic| topic.as_str().into()),
        bytes: publish.payload.len(),
    }
}

fn number(id: PacketId) -> u16 {
    id.get()
}

fn acknowledged(line: &'static str, client: &str, ack: &Ack) {
    debug!(target: PACKET, line, client, id = number(ack.packet_id), code = u8::from(ack.reason_code));
}

/// What came of a PUBLISH, by what the broker asks for.
pub(crate) fn answered(link: &Link, arrived: &Arrived, outputs: &[Output]) {
    let is_denied = |output: &Output| matches!(output, Output::Event(Event::Denied { connection: Some(connection), .. }) if connection.0 == link.id.number());
    let Arrived { dup, qos, retain, id, topic, bytes } = arrived;
    let rules = link.listener().rules();
    let is_too_large = rules.config.broker_limits.as_ref().is_some_and(|limits| {
        let maximum = limits.messages.payload_maximum;
        maximum > 0 && *bytes > maximum
    });
    let line = match () {
        () if is_too_large => "dropped_publish",
        () if outputs.iter().any(is_denied) => "denied_publish",
        () => "received_publish",
    };
    debug!(
        target: PACKET,
        line,
        client = name(link),
        dup,
        qos = u8::from(*qos),
        retain,
        id,
        topic = &**topic,
        bytes,
    );
}

/// A packet is on its way to a client.
pub(crate) fn sending(link: &mut Link, outgoing: &Outgoing) {
    if let Outgoing::Packet(packet, _) = outgoing {
        match packet {
            Packet::Connack(connack) if connack.reason_code == ReasonCode::Success => connected(link),
            answer => granted(link, answer),
        }
    }
    if !enabled!(target: PACKET, Level::DEBUG) {
        return;
    }
    let client = name(link);
    match outgoing {
        Outgoing::Publish(message, header, _) => debug!(
            target: PACKET,
            line = "sending_publish",
            client,
            dup = header.dup,
            qos = u8::from(header.qos),
            retain = header.retain,
            id = header.packet_id.map_or(0, number),
            topic = message.topic.as_str(),
            bytes = message.payload.len(),
        ),
        Outgoing::Packet(packet, _) => sending_packet(&client, packet, link.version),
    }
}

fn sending_packet(client: &str, packet: &Packet, version: ProtocolVersion) {
    match packet {
        Packet::Connack(connack) => {
            let code = match version {
                ProtocolVersion::V5 => u8::from(connack.reason_code),
                // As it is written in the packet.
                _ if connack.reason_code == ReasonCode::Success => 0,
                _ => connack.reason_code.connect_return_code().unwrap_or(3),
            };
            debug!(target: PACKET, line = "sending_connack", client, session_present = connack.session_present, code);
        }
        Packet::Puback(ack) => acknowledging("sending_puback", client, ack, version),
        Packet::Pubrec(ack) => acknowledging("sending_pubrec", client, ack, version),
        Packet::Pubrel(ack) => acknowledged("sending_pubrel", client, ack),
        Packet::Pubcomp(ack) => acknowledged("sending_pubcomp", client, ack),
        Packet::Suback(_) => debug!(target: PACKET, line = "sending_suback", client),
        Packet::Unsuback(_) => debug!(target: PACKET, line = "sending_unsuback", client),
        Packet::Pingresp => debug!(target: PACKET, line = "sending_pingresp", client),
        Packet::Disconnect(disconnect) => {
            debug!(target: PACKET, line = "sending_disconnect", client, code = u8::from(disconnect.reason_code))
        }
        Packet::Auth(auth) => debug!(target: PACKET, line = "sending_auth", client, code = u8::from(auth.reason_code)),
        _ => {}
    }
}

/// An answer to a PUBLISH. That nobody has subscribed is told only where the version has words for it; that it was denied is in Mosquitto's line either way.
fn acknowledging(line: &'static str, client: &str, ack: &Ack, version: ProtocolVersion) {
    let is_untold = version != ProtocolVersion::V5 && ack.reason_code == ReasonCode::NoMatchingSubscribers;
    let code = if is_untold { 0 } else { u8::from(ack.reason_code) };
    debug!(target: PACKET, line, client, id = number(ack.packet_id), code);
}

// --- subscriptions

/// What a client has asked for and has no answer to yet.
#[derive(Debug)]
pub(crate) enum Wishes {
    Subscribe(Vec<(TopicFilter, QoS)>),
    Unsubscribe(Vec<TopicFilter>),
}

fn wishes(packet: &Packet) -> Option<Box<Wishes>> {
    match packet {
        Packet::Subscribe(subscribe) => {
            let wanted = subscribe.subscriptions.iter().map(|wish| (wish.filter.clone(), wish.options.maximum_qos));
            Some(Box::new(Wishes::Subscribe(wanted.collect())))
        }
        Packet::Unsubscribe(unsubscribe) => Some(Box::new(Wishes::Unsubscribe(unsubscribe.filters.clone()))),
        _ => None,
    }
}

/// Where this is the answer to what a client asked for, what it was granted.
fn granted(link: &mut Link, packet: &Packet) {
    if !matches!(packet, Packet::Suback(_) | Packet::Unsuback(_)) {
        return;
    }
    let Some(wishes) = link.entrance.wishes.take() else { return };
    let client = name(link);
    match (*wishes, packet) {
        (Wishes::Subscribe(wanted), Packet::Suback(suback)) => {
            let granted = wanted.iter().zip(&suback.reason_codes).filter(|(_, code)| u8::from(**code) < 0x80);
            for ((filter, qos), _) in granted {
                debug!(target: SUBSCRIPTION, line = "subscribed", client, qos = u8::from(*qos), filter = filter.as_str());
            }
        }
        (Wishes::Unsubscribe(filters), _) => {
            for filter in &filters {
                debug!(target: SUBSCRIPTION, line = "unsubscribed", client, filter = filter.as_str());
            }
        }
        _ => {}
    }
}
