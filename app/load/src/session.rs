//! From a [`Target`] to connections: TLS by turns, a CONNECT each.

use bytes::BytesMut;
use signet_mqtt::{ClientIdentifier, Connect, ConnectProperties, Disconnect, Packet, Password, ProtocolVersion, encode};
use signet_tls::{Connector, TlsSession};

use crate::clock::Clock;
use crate::net::Net;
use crate::report::{Common, TlsFacts};
use crate::usage::Processes;
use crate::{LoadError, Target};

/// The Keep Alive is never shorter: no load sends a PINGREQ.
const SHORTEST_KEEP_ALIVE: u64 = 120;

/// Seconds that a broker may keep a session that is to last: longer than any pause within a load.
const SESSION_EXPIRY: u32 = 3600;

/// One run of a load: its connections and what they have in common.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pub(crate) target: &'a Target,
    pub(crate) net: Net,
    pub(crate) clock: Clock,
    pub(crate) processes: Processes,
    /// Makes topics and Client Identifiers different from those of other runs.
    pub(crate) run: String,
    /// What was negotiated on the first connection that was up.
    pub(crate) tls: Option<TlsFacts>,
    /// Whether sessions begin afresh; those that do not are to outlive their connection.
    pub(crate) clean_start: bool,
    connectors: Vec<Connector>,
    keep_alive: u16,
}

impl<'a> Bench<'a> {
    /// For `connections` at a time that last `seconds` at most.
    pub(crate) fn new(target: &'a Target, connections: usize, seconds: u64, largest_packet: usize) -> Result<Self, LoadError> {
        let processes = Processes::find(&target.processes)?;
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            target,
            net: Net::new(target, connections, largest_packet)?,
            clock: Clock::start(),
            processes,
            run: format!("{:08x}{:x}", since_epoch.as_micros() & 0xFFFF_FFFF, std::process::id()),
            tls: None,
            clean_start: true,
            connectors: target.connectors.clone(),
            keep_alive: u16::try_from((2 * seconds).max(SHORTEST_KEEP_ALIVE)).unwrap_or(u16::MAX),
        })
    }

    /// Has TLS sessions taken up again. Each of so many connectors remembers the tickets of few connections, and is seldom asked by two at a time:
    /// a ticket is good for one connection.
    pub(crate) fn resume(&mut self) -> usize {
        let certificates = self.target.connectors.len();
        let rounds = (2 * self.target.concurrency).div_ceil(certificates.max(1));
        self.connectors = (0..rounds).flat_map(|_| &self.target.connectors).map(Connector::with_resumption).collect();
        self.connectors.len()
    }

    /// Begins connection `id`.
    pub(crate) fn open(&mut self, id: usize) -> Result<(), String> {
        let connector = self.connectors.get(id.checked_rem(self.connectors.len()).unwrap_or(0));
        let session = connector.map(|connector| connector.session(&self.target.host)).transpose().map_err(|error| error.to_string())?;
        let mut first = BytesMut::new();
        encode(&Packet::Connect(Box::new(self.connect(id))), self.target.version, &mut first);
        self.net.open(id, session, first.to_vec()).map_err(|error| crate::error::words(&error))
    }

    /// Whether sessions have an expiry of their own.
    fn lasts(&self) -> bool {
        !self.clean_start && self.target.version == ProtocolVersion::V5
    }

    fn connect(&self, id: usize) -> Connect {
        Connect {
            version: self.target.version,
            is_bridge: false,
            clean_start: self.clean_start,
            keep_alive: self.keep_alive,
            client_identifier: ClientIdentifier::new(format!("{}{}-{id}", self.target.identifier_prefix, self.run)),
            will: None,
            username: self.target.username.clone().map(Into::into),
            password: self.target.password.clone().map(Password::new),
            properties: ConnectProperties {
                session_expiry_interval: self.lasts().then_some(SESSION_EXPIRY),
                ..ConnectProperties::default()
            },
        }
    }

    /// Says goodbye and ends a connection.
    pub(crate) fn farewell(&mut self, id: usize) {
        let lasts = self.lasts();
        if let Some(link) = self.net.link(id) {
            let mut packet = BytesMut::new();
            // The broker need not keep what nobody will ask for; MQTT 3.1.1 has no word for that.
            let disconnect = Disconnect { session_expiry_interval: lasts.then_some(0), ..Disconnect::default() };
            encode(&Packet::Disconnect(Box::new(disconnect)), self.target.version, &mut packet);
            link.out().extend_from_slice(&packet);
        }
        self.net.close(id);
    }

    /// Remembers what the first connection has negotiated.
    pub(crate) fn note_tls(&mut self, id: usize) {
        if self.tls.is_none() {
            self.tls = self.net.link(id).and_then(|link| link.session()).and_then(facts);
        }
    }

    /// Whether a connection has taken up the TLS session of one before.
    pub(crate) fn is_resumed(&mut self, id: usize) -> bool {
        self.net.link(id).and_then(|link| link.session()).is_some_and(|session| session.is_resumed())
    }

    /// What every report begins with.
    pub(crate) fn common(&self) -> Common {
        Common { broker: self.target.broker.clone(), transport: self.target.transport(), tls: self.tls.clone(), mqtt: self.target.mqtt() }
    }
}

fn facts(session: &TlsSession) -> Option<TlsFacts> {
    let (version, cipher) = session.negotiated()?;
    let group = session.key_exchange_group().map(str::to_owned);
    Some(TlsFacts { version: version.to_owned(), cipher: cipher.to_owned(), group })
}
