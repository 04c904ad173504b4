//! A publisher: QoS 1 and 2 with up to 64 messages on their way, over as many connections as it takes. It writes a message into the ledger's
//! right column only after the broker's acknowledgement, and sends again whatever it has no answer to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use signet_mqtt::{Connect, Packet, ProtocolVersion, Publish, QoS, ReasonCode};
use signet_testkit::{Happened, Session, connect_packet, topic};

use crate::ledger::{Ledger, MessageName};
use crate::line::{Line, PATIENCE, Seen};
use crate::phase::Phase;

/// Messages on their way at most: the Receive Maximum that the broker announces by default.
const WINDOW: usize = 64;

/// How long one look at the connection takes at most, which is also what paces a publisher that has room.
const PACE: Duration = Duration::from_millis(4);

/// Messages per pace: a few together, so that the broker's batches hold several.
const BURST: usize = 3;

/// Every so many-th message is retained.
const RETAINED_EACH: u64 = 10;

/// What a publisher is.
#[derive(Debug, Clone)]
pub(crate) struct Publisher {
    /// Its number in the ledger.
    pub(crate) number: usize,
    /// What it speaks.
    pub(crate) version: ProtocolVersion,
    /// The QoS of its messages, taken in turns.
    pub(crate) qualities: Vec<QoS>,
    /// Bytes of a payload.
    pub(crate) size: usize,
}

/// The names of the messages on their way; the flag says whether it is a retained one.
type Label = (MessageName, bool);

impl Publisher {
    /// Runs until the phase is over and everything that was begun is finished.
    pub(crate) fn run(&self, port: u16, ledger: &Arc<Ledger>, phase: &Phase) {
        let mut session = Session::<Label>::default();
        let mut was_connected = false;
        let mut last_words = Instant::now();
        while !phase.is_over() && (phase.is_loading() || session.in_flight() > 0) {
            if phase.is_loading() {
                last_words = Instant::now();
            } else if last_words.elapsed() > PATIENCE * 2 {
                return ledger.fault(format!("publisher {} has no answer to {} messages", self.number, session.in_flight()));
            }
            let Some((mut line, connack)) = Line::introduce(port, self.connect()) else {
                phase.pause();
                continue;
            };
            if connack.reason_code != ReasonCode::Success {
                // The broker has no room for a session or a change of one: it may be in need of space.
                phase.pause();
                continue;
            }
            if was_connected && !connack.session_present {
                ledger.fault(format!("publisher {} was told that it had no session", self.number));
            }
            was_connected = true;
            for packet in session.resume(connack.session_present) {
                line.push(&packet);
            }
            if line.flush() {
                self.work(&mut line, &mut session, ledger, phase);
            }
        }
    }

    /// One connection's life.
    fn work(&self, line: &mut Line, session: &mut Session<Label>, ledger: &Ledger, phase: &Phase) {
        let mut heard = Instant::now();
        while !phase.is_over() && (phase.is_loading() || session.in_flight() > 0) {
            if session.in_flight() > 0 && heard.elapsed() > PATIENCE {
                return;
            }
            for _ in 0..BURST {
                if phase.is_loading() && session.in_flight() < WINDOW {
                    let packet = self.next(session, ledger);
                    line.push(&packet);
                }
            }
            if !line.flush() {
                return;
            }
            let mut wait = PACE;
            loop {
                let packet = match line.next(wait) {
                    Seen::Packet(packet) => packet,
                    Seen::Nothing => break,
                    Seen::Lost => return,
                };
                wait = Duration::ZERO;
                heard = Instant::now();
                let (happened, answer) = session.receive(packet);
                self.note(happened, ledger);
                if let Some(answer) = answer {
                    line.push(&answer);
                }
            }
        }
    }

    fn next(&self, session: &mut Session<Label>, ledger: &Ledger) -> Packet {
        let name = MessageName { publisher: self.number, number: ledger.last(self.number) + 1 };
        let is_retained = name.number.is_multiple_of(RETAINED_EACH);
        let turn = usize::try_from(name.number).unwrap() % self.qualities.len();
        let qos = self.qualities[turn];
        let mut payload = name.payload().into_bytes();
        payload.resize(self.size.max(payload.len()), b'.');
        let publish = Publish {
            dup: false,
            qos,
            retain: is_retained,
            topic: Some(topic(&format!("{}/{}", if is_retained { "state" } else { "ledger" }, self.number))),
            packet_id: None,
            properties: Default::default(),
            payload: Bytes::from(payload),
        };
        ledger.sent(name, qos, is_retained);
        session.publish(publish, (name, is_retained))
    }

    fn note(&self, happened: Happened<Label>, ledger: &Ledger) {
        match happened {
            Happened::Accepted((name, is_retained), _) => ledger.acknowledged(name, is_retained),
            Happened::Refused((name, _), ReasonCode::QuotaExceeded) => ledger.refused(name),
            Happened::Refused((name, _), code) => ledger.fault(format!("message {name:?} was refused with {code:?}")),
            Happened::Completed(_) | Happened::Other(Packet::Disconnect(_) | Packet::Pubrec(_)) => {}
            other => ledger.fault(format!("publisher {} got {other:?}", self.number)),
        }
    }

    fn connect(&self) -> Connect {
        persistent(self.version, &format!("publisher-{}", self.number))
    }
}

/// A CONNECT for a session that outlives its connections.
pub(crate) fn persistent(version: ProtocolVersion, client_identifier: &str) -> Connect {
    let mut connect = connect_packet(version, client_identifier);
    connect.clean_start = false;
    connect.properties.session_expiry_interval = (version == ProtocolVersion::V5).then_some(3600);
    connect
}
