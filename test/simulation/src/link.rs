//! One Network Connection: what is on its way in both directions, and what waits for the disk at the broker's end of it.

use std::collections::VecDeque;

use bytes::BytesMut;
use signet_broker::Ticket;
use signet_mqtt::{DecodeLimits, Decoder, Packet, ProtocolVersion, Role, encode};

/// A packet that the broker wants to send, in the bytes it is to have.
#[derive(Debug)]
struct Waiting {
    bytes: BytesMut,
    after: Ticket,
    /// CONNACK and SUBACK: no message overtakes them.
    is_gate: bool,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: usize,
    pub(crate) version: ProtocolVersion,
    /// Which of the client's certificates was shown, if it has any.
    pub(crate) generation: usize,
    /// The shard that has it, once CONNECT was admitted.
    pub(crate) shard: Option<usize>,
    /// From the client, on its way.
    pub(crate) up: VecDeque<Packet>,
    /// To the client, on its way.
    pub(crate) down: VecDeque<Packet>,
    control: VecDeque<Waiting>,
    messages: VecDeque<(Waiting, usize)>,
    /// Gates that were put into the control lane so far, and how many of them are through.
    gates: (usize, usize),
    /// The client is still there.
    pub(crate) is_open: bool,
    /// The broker has not ended it.
    pub(crate) is_served: bool,
    /// Whether the session was found. MQTT 3.1 does not tell the client, who could only hope; here it is told, as an exception.
    pub(crate) session_present: bool,
    /// What the broker was told last about its buffer.
    pub(crate) is_writable: bool,
}

impl Link {
    pub(crate) fn new(client: usize, version: ProtocolVersion, generation: usize) -> Self {
        Self {
            client,
            version,
            generation,
            shard: None,
            up: VecDeque::new(),
            down: VecDeque::new(),
            control: VecDeque::new(),
            messages: VecDeque::new(),
            gates: (0, 0),
            is_open: true,
            is_served: true,
            session_present: false,
            is_writable: true,
        }
    }

    /// The client sends a packet.
    pub(crate) fn send(&mut self, packet: &Packet) {
        let mut bytes = BytesMut::new();
        encode(packet, self.version, &mut bytes);
        let mut decoder = Decoder::new(Role::Client, DecodeLimits::default());
        decoder.set_version(self.version);
        let (packet, _) = decoder.decode(&bytes).expect("what a client sends is well formed").expect("and complete");
        self.up.push_back(packet);
    }

    /// The broker wants this sent, not before the ticket is durable: acknowledgements in their order, messages in theirs. A message may
    /// overtake an acknowledgement that waits, but no CONNACK and no SUBACK.
    pub(crate) fn queue(&mut self, bytes: BytesMut, after: Ticket, is_message: bool, is_gate: bool) {
        let waiting = Waiting { bytes, after, is_gate };
        if is_message {
            self.messages.push_back((waiting, self.gates.0));
        } else {
            self.gates.0 += usize::from(is_gate);
            self.control.push_back(waiting);
        }
    }

    /// Sends what waits no more.
    pub(crate) fn flush(&mut self, durable: Ticket) {
        loop {
            if self.control.front().is_some_and(|waiting| waiting.after <= durable) {
                let Some(waiting) = self.control.pop_front() else { return };
                self.gates.1 += usize::from(waiting.is_gate);
                self.transmit(&waiting.bytes);
            } else if self.messages.front().is_some_and(|(waiting, gate)| waiting.after <= durable && *gate <= self.gates.1) {
                let Some((waiting, _)) = self.messages.pop_front() else { return };
                self.transmit(&waiting.bytes);
            } else {
                return;
            }
        }
    }

    fn transmit(&mut self, bytes: &[u8]) {
        if !self.is_open {
            return;
        }
        let mut decoder = Decoder::new(Role::Server, DecodeLimits::default());
        decoder.set_version(self.version);
        let (packet, consumed) = decoder.decode(bytes).expect("what the broker sends is well formed").expect("and complete");
        assert_eq!(consumed, bytes.len(), "one packet at a time");
        self.down.push_back(packet);
    }

    /// The broker ends the connection: what waits for the disk is never said.
    pub(crate) fn close(&mut self) {
        self.is_served = false;
        self.control.clear();
        self.messages.clear();
    }
}
