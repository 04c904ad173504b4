//! A scripted MQTT client: sends any packet or any bytes, and says exactly which packet it expects back, with a time limit.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use signet_client::{ClientError, Endpoint, Received, TlsOptions, Transport, Wire};
use signet_mqtt::{
    Ack, ClientIdentifier, Connack, Connect, ConnectProperties, DecodeLimits, Disconnect, Packet, PacketId, ProtocolVersion, Publish, QoS,
    ReasonCode, Suback, Subscribe, SubscribeFilter, SubscriptionOptions, TopicFilter, TopicName, Unsuback, Unsubscribe, UserProperties,
};

use crate::certs::Identity;

/// How long an expected packet may take. Never the measure of a test: only the bound after which it failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// A listener, and how to reach it.
#[derive(Clone, Debug)]
pub struct Target {
    endpoint: Endpoint,
    tls: Option<TlsOptions>,
}

impl Target {
    /// Plain TCP on the loopback interface.
    #[must_use]
    pub fn tcp(port: u16) -> Self {
        Self { endpoint: Endpoint::tcp("127.0.0.1", port), tls: None }
    }

    /// TLS on the loopback interface, as `localhost`.
    #[must_use]
    pub fn tls(port: u16, ca_file: PathBuf, identity: Option<&Identity>) -> Self {
        let tls = TlsOptions {
            ca_file: Some(ca_file),
            certificate: identity.map(|identity| identity.certificate.clone()),
            key: identity.map(|identity| identity.key.clone()),
            ..TlsOptions::default()
        };
        Self { endpoint: Endpoint::tcp("localhost", port), tls: Some(tls) }
    }

    /// A unix socket.
    #[must_use]
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self { endpoint: Endpoint::unix(path), tls: None }
    }

    /// The same with MQTT in WebSocket, under the usual path.
    #[must_use]
    pub fn over_websocket(self) -> Self {
        Self { endpoint: self.endpoint.with_websocket("/mqtt"), tls: self.tls }
    }
}

/// One connection, driven packet by packet.
pub struct Device {
    wire: Wire,
    patience: Duration,
}

impl Device {
    /// Connects without sending anything.
    ///
    /// # Panics
    /// When there is no connection.
    #[must_use]
    pub fn open(target: &Target, version: ProtocolVersion) -> Self {
        Self::try_open(target, version).unwrap_or_else(|error| panic!("cannot connect to {target:?}: {error}"))
    }

    /// Connects without sending anything, or says why that failed.
    ///
    /// # Errors
    /// What the TCP connection or the TLS handshake failed with.
    pub fn try_open(target: &Target, version: ProtocolVersion) -> Result<Self, ClientError> {
        let transport = Transport::open(&target.endpoint, target.tls.as_ref(), PATIENCE)?;
        // A rig looks at whatever the broker sends; only memory bounds it.
        let limits = DecodeLimits { maximum_packet_size: 16 * 1024 * 1024, maximum_topic_levels: 1024, ..DecodeLimits::default() };
        Ok(Self { wire: Wire::new(transport, version, limits), patience: PATIENCE })
    }

    /// Connects, sends this CONNECT, and returns the CONNACK whatever it says.
    #[must_use]
    pub fn introduce(target: &Target, connect: Connect) -> (Self, Connack) {
        let mut device = Self::open(target, connect.version);
        device.send(&Packet::Connect(Box::new(connect)));
        let connack = device.expect_connack();
        (device, connack)
    }

    /// Connects with a clean session under this identifier; panics unless the broker accepts.
    #[must_use]
    pub fn connect(target: &Target, version: ProtocolVersion, identifier: &str) -> Self {
        Self::connect_with(target, connect_packet(version, identifier))
    }

    /// Connects with this CONNECT; panics unless the broker accepts.
    #[must_use]
    pub fn connect_with(target: &Target, connect: Connect) -> Self {
        let (device, connack) = Self::introduce(target, connect);
        assert_eq!(connack.reason_code, ReasonCode::Success, "CONNACK refuses: {connack:?}");
        device
    }

    // --- sending

    /// Sends one packet.
    pub fn send(&mut self, packet: &Packet) {
        self.wire.send(packet).unwrap_or_else(|error| panic!("cannot send {}: {error}", packet.name()));
    }

    /// Sends one packet to a broker that may have closed already: the expectation that follows decides.
    pub fn try_send(&mut self, packet: &Packet) {
        let _ = self.wire.send(packet);
    }

    /// Sends bytes as they are. A broker that has closed already is no failure here: the expectation that follows decides.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        let _ = self.wire.send_raw(bytes);
    }

    /// Sends a PUBLISH and, for QoS 1 and 2, goes through the whole exchange; panics unless the broker accepts it.
    pub fn publish(&mut self, topic_name: &str, payload: &str, qos: QoS, retain: bool) {
        let publish = publish_packet(topic_name, payload, qos, retain);
        self.publish_with(publish);
    }

    /// The same with a PUBLISH made by the caller. Returns the reason code of the PUBACK or PUBREC.
    pub fn publish_with(&mut self, publish: Publish) -> ReasonCode {
        let (qos, id) = (publish.qos, publish.packet_id);
        self.send(&Packet::Publish(publish));
        let accepted = |code: ReasonCode| assert!(!code.is_error(), "the broker refuses the PUBLISH: {code:?}");
        match (qos, id) {
            (QoS::AtLeastOnce, Some(id)) => {
                let ack = self.expect_puback(id);
                accepted(ack.reason_code);
                ack.reason_code
            }
            (QoS::ExactlyOnce, Some(id)) => {
                let ack = self.expect_pubrec(id);
                accepted(ack.reason_code);
                self.send(&Packet::Pubrel(Ack::success(id)));
                accepted(self.expect_pubcomp(id).reason_code);
                ack.reason_code
            }
            _ => ReasonCode::Success,
        }
    }

    /// Subscribes to one filter and returns the reason code of the SUBACK.
    pub fn subscribe(&mut self, filter: &str, qos: QoS) -> ReasonCode {
        let suback = self.subscribe_with(subscribe_packet(1, &[(filter, qos)]));
        match suback.reason_codes.as_slice() {
            [code] => *code,
            _ => panic!("expected one reason code, got {suback:?}"),
        }
    }

    /// Sends a SUBSCRIBE made by the caller and returns the SUBACK. Messages in between are a failure.
    pub fn subscribe_with(&mut self, subscribe: Subscribe) -> Suback {
        let id = subscribe.packet_id;
        self.send(&Packet::Subscribe(subscribe));
        match self.expect() {
            Packet::Suback(suback) if suback.packet_id == id => suback,
            other => panic!("expected SUBACK of {id:?}, got {other:?}"),
        }
    }

    /// Unsubscribes from these filters and returns the UNSUBACK.
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Unsuback {
        let id = packet_id(2);
        let filters = filters.iter().map(|filter| topic_filter(filter)).collect();
        self.send(&Packet::Unsubscribe(Unsubscribe { packet_id: id, user_properties: UserProperties::default(), filters }));
        match self.expect() {
            Packet::Unsuback(unsuback) if unsuback.packet_id == id => unsuback,
            other => panic!("expected UNSUBACK of {id:?}, got {other:?}"),
        }
    }

    /// Sends DISCONNECT and waits until the broker has closed the connection.
    pub fn leave(mut self, reason_code: ReasonCode) {
        self.send(&Packet::Disconnect(Box::new(Disconnect::new(reason_code))));
        self.expect_closed();
    }

    /// Closes the socket without a word.
    pub fn vanish(self) {
        drop(self);
    }

    // --- expecting

    /// The next packet, whatever it is.
    pub fn expect(&mut self) -> Packet {
        match self.await_next() {
            Ok(Received::Packet(packet)) => packet,
            other => panic!("expected a packet, got {other:?}"),
        }
    }

    /// The CONNACK.
    pub fn expect_connack(&mut self) -> Connack {
        match self.expect() {
            Packet::Connack(connack) => *connack,
            other => panic!("expected CONNACK, got {other:?}"),
        }
    }

    /// The next packet is a PUBLISH. QoS 1 is acknowledged, QoS 2 is carried through.
    pub fn expect_publish(&mut self) -> Publish {
        let publish = self.expect_publish_unacknowledged();
        match (publish.qos, publish.packet_id) {
            (QoS::AtLeastOnce, Some(id)) => self.send(&Packet::Puback(Ack::success(id))),
            (QoS::ExactlyOnce, Some(id)) => {
                self.send(&Packet::Pubrec(Ack::success(id)));
                self.expect_pubrel(id);
                self.send(&Packet::Pubcomp(Ack::success(id)));
            }
            _ => {}
        }
        publish
    }

    /// The next packet is a PUBLISH, which stays unanswered.
    pub fn expect_publish_unacknowledged(&mut self) -> Publish {
        match self.expect() {
            Packet::Publish(publish) => publish,
            other => panic!("expected PUBLISH, got {other:?}"),
        }
    }

    /// The next packet is a PUBLISH with this topic and payload.
    pub fn expect_message(&mut self, topic_name: &str, payload: &str) -> Publish {
        let publish = self.expect_publish();
        assert_eq!(publish.topic.as_ref().map(TopicName::as_str), Some(topic_name), "{publish:?}");
        assert_eq!(publish.payload, payload.as_bytes(), "{publish:?}");
        publish
    }

    /// The PUBACK of this exchange.
    pub fn expect_puback(&mut self, id: PacketId) -> Ack {
        match self.expect() {
            Packet::Puback(ack) if ack.packet_id == id => ack,
            other => panic!("expected PUBACK of {id:?}, got {other:?}"),
        }
    }

    /// The PUBREC of this exchange.
    pub fn expect_pubrec(&mut self, id: PacketId) -> Ack {
        match self.expect() {
            Packet::Pubrec(ack) if ack.packet_id == id => ack,
            other => panic!("expected PUBREC of {id:?}, got {other:?}"),
        }
    }

    /// The PUBREL of this exchange.
    pub fn expect_pubrel(&mut self, id: PacketId) -> Ack {
        match self.expect() {
            Packet::Pubrel(ack) if ack.packet_id == id => ack,
            other => panic!("expected PUBREL of {id:?}, got {other:?}"),
        }
    }

    /// The PUBCOMP of this exchange.
    pub fn expect_pubcomp(&mut self, id: PacketId) -> Ack {
        match self.expect() {
            Packet::Pubcomp(ack) if ack.packet_id == id => ack,
            other => panic!("expected PUBCOMP of {id:?}, got {other:?}"),
        }
    }

    /// The broker closes the connection and says nothing before.
    pub fn expect_closed(&mut self) {
        match self.await_next() {
            Ok(Received::Closed) | Err(ClientError::Lost(_)) => {}
            other => panic!("expected the end of the connection, got {other:?}"),
        }
    }

    /// The broker ends the connection: MQTT 5.0 with this reason code in a DISCONNECT, MQTT 3.1.1 without a word.
    pub fn expect_ended(&mut self, reason_code: ReasonCode) {
        if self.wire.version() == ProtocolVersion::V5 {
            match self.expect() {
                Packet::Disconnect(disconnect) => assert_eq!(disconnect.reason_code, reason_code, "{disconnect:?}"),
                other => panic!("expected DISCONNECT with {reason_code:?}, got {other:?}"),
            }
        }
        self.expect_closed();
    }

    /// The same where the specification leaves the choice between reason codes.
    pub fn expect_ended_by_one_of(&mut self, reason_codes: &[ReasonCode]) {
        if self.wire.version() == ProtocolVersion::V5 {
            match self.expect() {
                Packet::Disconnect(disconnect) => assert!(reason_codes.contains(&disconnect.reason_code), "{disconnect:?}"),
                other => panic!("expected DISCONNECT with one of {reason_codes:?}, got {other:?}"),
            }
        }
        self.expect_closed();
    }

    /// The broker answers the CONNECT with a refusal and closes. MQTT 3.1.1 has return codes for a few refusals only: where it has none,
    /// the connection ends without a word.
    pub fn expect_refused(&mut self, reason_code: ReasonCode) {
        if self.wire.version() == ProtocolVersion::V5 || reason_code.connect_return_code().is_some() {
            let connack = self.expect_connack();
            assert_eq!(connack.reason_code, reason_code, "{connack:?}");
            assert!(!connack.session_present, "[MQTT-3.2.2-6] {connack:?}");
        }
        self.expect_closed();
    }

    /// Nothing is on its way: a PINGREQ is answered next. With one shard, what was caused before this call would come before the answer.
    pub fn expect_silence(&mut self) {
        self.send(&Packet::Pingreq);
        match self.expect() {
            Packet::Pingresp => {}
            other => panic!("expected nothing, got {other:?}"),
        }
    }

    /// What the next wait ends with, for tests about the connection itself.
    ///
    /// # Errors
    /// Malformed packets, TLS alerts, a lost connection.
    pub fn await_next(&mut self) -> Result<Received, ClientError> {
        self.wire.receive(Some(Instant::now() + self.patience))
    }
}

/// A CONNECT with a clean session, no keep alive, no will, and no more than an identifier.
#[must_use]
pub fn connect_packet(version: ProtocolVersion, identifier: &str) -> Connect {
    Connect {
        version,
        is_bridge: false,
        clean_start: true,
        keep_alive: 0,
        client_identifier: ClientIdentifier::new(identifier.to_owned()),
        will: None,
        username: None,
        password: None,
        properties: ConnectProperties::default(),
    }
}

/// A PUBLISH; with QoS 1 or 2 its packet identifier is 10.
#[must_use]
pub fn publish_packet(topic_name: &str, payload: &str, qos: QoS, retain: bool) -> Publish {
    Publish {
        dup: false,
        qos,
        retain,
        topic: Some(topic(topic_name)),
        packet_id: (qos > QoS::AtMostOnce).then(|| packet_id(10)),
        properties: Default::default(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
    }
}

/// A SUBSCRIBE with default options.
#[must_use]
pub fn subscribe_packet(id: u16, filters: &[(&str, QoS)]) -> Subscribe {
    let subscription = |(filter, qos): &(&str, QoS)| SubscribeFilter {
        filter: topic_filter(filter),
        options: SubscriptionOptions { maximum_qos: *qos, ..SubscriptionOptions::default() },
    };
    Subscribe {
        packet_id: packet_id(id),
        subscription_identifier: None,
        user_properties: UserProperties::default(),
        subscriptions: filters.iter().map(subscription).collect(),
    }
}

/// A topic name that is known to be good.
#[must_use]
pub fn topic(text: &str) -> TopicName {
    TopicName::new(text.to_owned()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A topic filter that is known to be good.
#[must_use]
pub fn topic_filter(text: &str) -> TopicFilter {
    TopicFilter::new(text.to_owned()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A packet identifier, which is never 0.
#[must_use]
pub fn packet_id(id: u16) -> PacketId {
    PacketId::new(id).unwrap_or_else(|| panic!("packet identifier 0"))
}
