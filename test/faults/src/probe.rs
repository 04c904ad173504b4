//! One client that does one thing after the other and says what came of it: for questions that need an exact answer.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use signet_mqtt::{Ack, Connack, Packet, ProtocolVersion, Publish, QoS, ReasonCode};
use signet_testkit::{packet_id, subscribe_packet, topic};

use crate::line::{Line, PATIENCE, Seen};
use crate::publisher::persistent;

/// Where the probes publish; one subscriber that is away wants all of it.
pub(crate) const TOPIC: &str = "probe/x";

/// A connected client.
#[derive(Debug)]
pub(crate) struct Probe {
    line: Line,
    next: u16,
}

impl Probe {
    /// Connects with a session that lasts. Nothing if the connection ends first.
    pub(crate) fn connect(port: u16, version: ProtocolVersion, client_identifier: &str) -> Option<(Self, Connack)> {
        let (line, connack) = Line::introduce(port, persistent(version, client_identifier))?;
        Some((Self { line, next: 0 }, connack))
    }

    /// Makes the session that everything is kept for, and leaves.
    pub(crate) fn subscribe_and_leave(port: u16, client_identifier: &str) {
        let (mut probe, connack) = Self::connect(port, ProtocolVersion::V5, client_identifier).expect("the broker listens");
        assert_eq!(connack.reason_code, ReasonCode::Success, "{connack:?}");
        probe.line.send(&Packet::Subscribe(subscribe_packet(1, &[("probe/#", QoS::ExactlyOnce)])));
        match probe.line.expect() {
            Packet::Suback(suback) => assert!(suback.reason_codes.iter().all(|code| !code.is_error()), "{suback:?}"),
            other => panic!("expected SUBACK, got {other:?}"),
        }
    }

    /// Publishes and waits for the answer. Nothing if the connection ends first.
    pub(crate) fn publish(&mut self, number: u32, qos: QoS, size: usize) -> Option<ReasonCode> {
        let packet_id = self.send(number, qos, size)?;
        loop {
            match self.line.next(PATIENCE) {
                Seen::Packet(Packet::Puback(ack)) if ack.packet_id == packet_id => return Some(ack.reason_code),
                Seen::Packet(Packet::Pubrec(ack)) if ack.packet_id == packet_id => {
                    if ack.reason_code.is_error() {
                        return Some(ack.reason_code);
                    }
                    self.line.send(&Packet::Pubrel(Ack::success(packet_id)));
                }
                Seen::Packet(Packet::Pubcomp(ack)) if ack.packet_id == packet_id => return Some(ReasonCode::Success),
                Seen::Packet(Packet::Disconnect(_)) => {}
                Seen::Packet(other) => panic!("expected an acknowledgement, got {other:?}"),
                Seen::Lost => return None,
                Seen::Nothing => panic!("no acknowledgement within {PATIENCE:?}"),
            }
        }
    }

    /// Publishes and does not wait.
    pub(crate) fn send(&mut self, number: u32, qos: QoS, size: usize) -> Option<signet_mqtt::PacketId> {
        self.next += 1;
        let id = packet_id(self.next);
        let mut payload = format!("{number}:").into_bytes();
        payload.resize(size.max(payload.len()), b'.');
        let publish = Publish {
            dup: false,
            qos,
            retain: false,
            topic: Some(topic(TOPIC)),
            packet_id: Some(id),
            properties: Default::default(),
            payload: Bytes::from(payload),
        };
        self.line.send(&Packet::Publish(publish)).then_some(id)
    }

    /// Sends PINGREQ: whatever the broker answered before comes before the answer to that.
    pub(crate) fn await_ping(&mut self) -> Vec<Packet> {
        self.line.send(&Packet::Pingreq);
        let mut before = Vec::new();
        loop {
            match self.line.expect() {
                Packet::Pingresp => return before,
                other => before.push(other),
            }
        }
    }

    /// Waits for the broker to end the connection.
    pub(crate) fn await_loss(&mut self) -> bool {
        loop {
            match self.line.next(PATIENCE) {
                Seen::Lost => return true,
                Seen::Packet(_) => {}
                Seen::Nothing => return false,
            }
        }
    }

    /// Takes everything that waits for a session, and says which numbers it was. `least` of them have to come.
    pub(crate) fn take_all(port: u16, client_identifier: &str, least: usize) -> BTreeSet<u32> {
        let (mut probe, connack) = Self::connect(port, ProtocolVersion::V5, client_identifier).expect("the broker listens");
        assert!(connack.session_present, "the session is gone: {connack:?}");
        let mut found = BTreeSet::new();
        let brief = Duration::from_millis(200);
        let mut wait = if least == 0 { brief } else { PATIENCE };
        loop {
            let answer = match probe.line.next(wait) {
                Seen::Packet(Packet::Publish(publish)) => {
                    let text = String::from_utf8_lossy(&publish.payload);
                    found.insert(text.split(':').next().and_then(|number| number.parse().ok()).expect("a payload of ours"));
                    match (publish.qos, publish.packet_id) {
                        (QoS::AtLeastOnce, Some(id)) => Packet::Puback(Ack::success(id)),
                        (_, Some(id)) => Packet::Pubrec(Ack::success(id)),
                        (_, None) => continue,
                    }
                }
                Seen::Packet(Packet::Pubrel(ack)) => Packet::Pubcomp(Ack::success(ack.packet_id)),
                Seen::Packet(_) => continue,
                Seen::Nothing | Seen::Lost => return found,
            };
            probe.line.send(&answer);
            if found.len() >= least {
                wait = brief;
            }
        }
    }
}
