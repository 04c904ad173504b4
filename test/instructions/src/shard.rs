//! One shard of the broker with its clients, called as the server calls it. Everything that knows how the broker is called is here.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::BytesMut;
use signet_broker::{
    Broker, Change, ConnectionId, Context, Directory, Input, Limits, Moment, Output, ShardId, SharedDirectory, Store, Ticket, Totals,
    Urgency, admit_without_chain, expect_connect,
};
use signet_identity::{NoIdentity, Peer};
use signet_mqtt::{ClientIdentifier, Connect, Packet, PacketId, ProtocolVersion, QoS, encode, encode_publish};
use signet_policy::{AdmissionRules, Origin, Ruleset};

use crate::packets::{arrived, connect, subscribe};

/// Makes hash maps what they are: always the same.
const SEED: u64 = 7;

/// The directory, for one thread.
#[derive(Debug)]
struct Shared(RefCell<Directory>);

impl SharedDirectory for Shared {
    fn read<R>(&self, look: impl FnOnce(&Directory) -> R) -> R {
        look(&self.0.borrow())
    }

    fn write<R>(&self, change: impl FnOnce(&mut Directory) -> R) -> R {
        change(&mut self.0.borrow_mut())
    }
}

/// Promises everything and keeps nothing: what is counted is the broker's part.
#[derive(Debug, Default)]
struct Tickets(u64);

impl Store for Tickets {
    fn append(&mut self, _: &Change<'_>, _: Urgency) -> Ticket {
        self.0 += 1;
        Ticket(self.0)
    }

    fn seal(&mut self) {}

    fn post(&mut self) {}

    fn latest(&self) -> Ticket {
        Ticket(self.0)
    }

    fn is_full(&self) -> bool {
        false
    }
}

/// A shard.
pub(crate) struct Shard {
    broker: Broker,
    directory: Shared,
    store: Tickets,
    output: Vec<Output>,
    limits: Arc<Limits>,
    ruleset: Arc<Ruleset>,
    admission: AdmissionRules,
    connections: u64,
    now: Moment,
}

impl Shard {
    /// Everybody may do everything.
    pub(crate) fn open() -> Self {
        Self::with(Ruleset::allow_all(), AdmissionRules { anonymous: true, ..AdmissionRules::default() })
    }

    pub(crate) fn with(ruleset: Ruleset, admission: AdmissionRules) -> Self {
        let limits = Arc::new(Limits { subscriptions_maximum: 1_000_000, ..Limits::default() });
        let ruleset = Arc::new(ruleset);
        let broker = Broker::new(ShardId(0), Arc::clone(&limits), Arc::new(Totals::new()), Arc::clone(&ruleset), SEED);
        let directory = Shared(RefCell::new(Directory::new(SEED)));
        let (store, output) = (Tickets::default(), Vec::new());
        Self { broker, directory, store, output, limits, ruleset, admission, connections: 0, now: Moment::ZERO }
    }

    /// Lets a client in, with all that happens before its session has its connection. The outputs are there.
    pub(crate) fn admit(&mut self, packet: Packet, peer: &Peer) -> ConnectionId {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        let connect = expect_connect(packet).unwrap();
        let origin = Origin { address: None, listener: "counted".into() };
        let assigned = || ClientIdentifier::new("0123456789abcdef");
        let admission = admit_without_chain(connect, peer, &self.admission, &self.ruleset, &self.limits, (origin, 0), assigned).unwrap();
        self.input(Input::Admitted { connection, admission: Box::new(admission) });
        connection
    }

    /// Something happens. The outputs are added to those that are there.
    pub(crate) fn input(&mut self, input: Input) {
        // Time passes, so that nothing is remembered of an unmoving one.
        self.now = self.now.plus_millis(1);
        let Self { broker, directory, store, output, now, .. } = self;
        broker.apply(input, &mut Context { now: *now, directory, store, output });
    }

    pub(crate) fn packet(&mut self, connection: ConnectionId, packet: Packet) {
        self.input(Input::Packet { connection, packet });
    }

    /// Forgets the outputs. Returns how many packets there were.
    pub(crate) fn sent(&mut self) -> usize {
        let sent = self.output.iter().filter(|output| matches!(output, Output::Send { .. } | Output::Publish { .. })).count();
        self.output.clear();
        sent
    }

    /// Writes the outputs, and forgets them. Returns how many packets there were.
    pub(crate) fn written(&mut self, version: ProtocolVersion, out: &mut BytesMut) -> usize {
        let mut sent = 0;
        for output in self.output.drain(..) {
            match output {
                Output::Send { packet, .. } => encode(&packet, version, out),
                Output::Publish { message, header, .. } => encode_publish(&message, &header.as_header(), version, out),
                _ => continue,
            }
            sent += 1;
        }
        sent
    }

    /// The Packet Identifier of the last PUBLISH among the outputs.
    pub(crate) fn delivered(&self) -> PacketId {
        let of = |output: &Output| match output {
            Output::Publish { header, .. } => header.packet_id,
            _ => None,
        };
        self.output.iter().rev().find_map(of).unwrap()
    }

    // --- what is made ready before anything is counted

    /// A client with a clean session.
    pub(crate) fn client(&mut self, version: ProtocolVersion, name: &str) -> ConnectionId {
        self.client_as(connect(version, name))
    }

    pub(crate) fn client_as(&mut self, connect: Connect) -> ConnectionId {
        let version = connect.version;
        let packet = arrived(&Packet::Connect(Box::new(connect)), version);
        let connection = self.admit(packet, &Peer::Anonymous(NoIdentity::PlainTransport));
        assert_eq!(self.sent(), 1, "CONNACK");
        connection
    }

    /// A client that has subscribed.
    pub(crate) fn subscriber(&mut self, version: ProtocolVersion, name: &str, filter: &str, qos: QoS) -> ConnectionId {
        let connection = self.client(version, name);
        self.subscribe(connection, &[filter], qos);
        connection
    }

    pub(crate) fn subscribe(&mut self, connection: ConnectionId, filters: &[&str], qos: QoS) {
        self.packet(connection, subscribe(filters, qos));
        assert_eq!(self.sent(), 1, "SUBACK");
    }
}

#[cfg(test)]
mod tests;
