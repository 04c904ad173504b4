//! The numbers of one moment. Those called totals only ever rise, from the start of the process.

/// Everything at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Version of the program.
    pub version: String,
    /// Since the start of the process.
    pub uptime_seconds: u64,
    /// Connections and sessions.
    pub clients: Clients,
    /// What came from clients.
    pub received: Traffic,
    /// What went to clients.
    pub sent: Traffic,
    /// What became of messages.
    pub messages: Messages,
    /// What is held now.
    pub held: Held,
    /// TLS handshakes.
    pub handshakes: Handshakes,
    /// Connections refused before their session began, by the check that failed. All causes are there, zero or not.
    pub refused: Vec<(&'static str, u64)>,
    /// Certificates and revocation.
    pub certificates: Certificates,
    /// What is not trusted any more, and how that is known.
    pub trust: Trust,
    /// Those who are asked about clients, by name.
    pub backends: Vec<Backend>,
    /// The durable store; none where it is switched off.
    pub store: Option<Store>,
    /// The process.
    pub process: Process,
    /// Bridges to other brokers.
    pub bridges: Vec<Bridge>,
}

/// Connections and sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clients {
    /// Connections whose CONNECT was accepted.
    pub connected: u64,
    /// Sockets, those that have not sent CONNECT included.
    pub sockets: u64,
    /// Sockets accepted.
    pub sockets_total: u64,
    /// CONNECT packets received.
    pub connects_total: u64,
    /// Sessions, connected or not.
    pub sessions: u64,
    /// The most connections there were at a time.
    pub connected_maximum: u64,
    /// Sessions that ended because their Session Expiry Interval was over.
    pub expired_total: u64,
    /// Sessions taken over by another connection.
    pub taken_over_total: u64,
    /// Connections ended by Keep Alive.
    pub keep_alive_timeouts_total: u64,
    /// Connections ended by revocation, expiry, an operator or the end of the server.
    pub kicked_total: u64,
}

/// One direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// MQTT Control Packets.
    pub packets: u64,
    /// Their octets, without TLS and WebSocket framing.
    pub octets: u64,
    /// PUBLISH packets by QoS.
    pub publishes: [u64; 3],
    /// Payload octets of these.
    pub payload_octets: u64,
}

impl Traffic {
    /// PUBLISH packets of every QoS.
    #[must_use]
    pub fn publishes(&self) -> u64 {
        self.publishes.iter().sum()
    }
}

/// What became of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Messages {
    /// Dropped for single receivers, by cause.
    pub dropped: Dropped,
    /// Matched no subscription.
    pub unmatched: u64,
    /// Refused by the access rules.
    pub denied_publishes: u64,
    /// Subscriptions refused by the access rules.
    pub denied_subscriptions: u64,
    /// Subscriptions ended because changed access rules no longer allow them.
    pub ended_subscriptions: u64,
    /// Messages not delivered because the access rules no longer allow it.
    pub withheld: u64,
    /// Publishes that went nowhere for the size of their payload.
    pub oversized: u64,
    /// Will Messages published.
    pub wills: u64,
    /// Refused with 0x97 because something was full.
    pub full: Full,
}

/// What was refused with 0x97 because something was full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Full {
    /// Whatever has to be stored: the disk, or the store's own bound.
    pub store: u64,
    /// Publishes: all queues together.
    pub queues: u64,
    /// Publishes to be retained.
    pub retained: u64,
    /// Sessions.
    pub sessions: u64,
}

/// Why receivers did not get a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// QoS 0, and the receiver's connection was full.
    pub slow: u64,
    /// The receiver's queue was full.
    pub queue_full: u64,
    /// The receiver's Maximum Packet Size is smaller.
    pub too_large: u64,
    /// Its Message Expiry Interval was over.
    pub expired: u64,
}

impl Dropped {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.slow + self.queue_full + self.too_large + self.expired
    }
}

/// What is held now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Subscriptions, shared ones included.
    pub subscriptions: u64,
    /// Shared Subscriptions.
    pub shared_subscriptions: u64,
    /// Retained messages.
    pub retained: u64,
    /// Octets of their topics, payloads and properties.
    pub retained_octets: u64,
    /// Messages that wait in sessions, once for each session.
    pub queued: u64,
    /// Octets of their topics, payloads and properties.
    pub queued_octets: u64,
    /// Packets that wait for sockets.
    pub outgoing: u64,
    /// Octets of these, about.
    pub outgoing_octets: u64,
}

/// TLS handshakes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Handshakes {
    /// Completed with the certificate sent and checked.
    pub full: u64,
    /// Completed with a session ticket, its certificate checked again.
    pub resumed: u64,
    /// Ended in a refusal, or not ended in time.
    pub failed: u64,
    /// Going on now.
    pub under_way: u64,
}

/// Certificates and revocation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Certificates {
    /// Issued by our own authority, ever; none without an authority.
    pub issued: Option<u64>,
    /// Revocations in our own inventory, ever; none without an authority.
    pub revocations: Option<u64>,
    /// Revoked certificates known from everywhere: the ones that handshakes are compared with.
    pub revoked_known: u64,
    /// When the server certificates of listeners end: name of the listener, Unix seconds.
    pub server_ends: Vec<(String, i64)>,
    /// Revocation lists.
    pub crls: Vec<CrlFreshness>,
}

/// How fresh an issuer's revocation list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlFreshness {
    /// The issuer: SHA-256 of its Name, hexadecimal.
    pub issuer: String,
    /// When the list was made, Unix seconds.
    pub this_update: i64,
    /// When the next one was promised, Unix seconds; none if it was not.
    pub next_update: Option<i64>,
}

/// What was counted of one kind, and who is held off for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holds {
    /// What was counted: failed attempts, connections, ends of connections.
    pub noted: u64,
    /// How often somebody was held off.
    pub total: u64,
    /// Who is held off now.
    pub held: u64,
}

/// What is not trusted any more, and how that is known; and who is held off.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trust {
    /// Where revocation knowledge comes from.
    pub sources: Vec<RevocationSource>,
    /// Suspended devices.
    pub suspended: u64,
    /// Entries of the operator's own revocation list.
    pub operator_entries: u64,
    /// Trust profiles that an operator has disabled.
    pub disabled_profiles: u64,
    /// Times that a certificate was in use twice, by what showed it. All kinds are there, zero or not.
    pub clones: Vec<(&'static str, u64)>,
    /// Connections told to close, by cause. All causes are there, zero or not.
    pub ended: Vec<(&'static str, u64)>,
    /// Who tries or connects too often. All kinds are there, zero or not.
    pub holds: Vec<(&'static str, Holds)>,
}

/// One source of revocation knowledge: a file, an address, a responder. Times in Unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevocationSource {
    /// The trust profile that asks it; of a stapled response, the listener.
    pub profile: String,
    /// What it is, in one word.
    pub kind: &'static str,
    /// Path or address.
    pub address: String,
    /// How it fares: one of [`Self::STATES`].
    pub state: &'static str,
    /// When the oldest list in force from it was made.
    pub this_update: Option<i64>,
    /// When the first successor of these is due.
    pub next_update: Option<i64>,
    /// Certificates on them.
    pub entries: u64,
    /// OCSP answers held that came from it.
    pub answers: u64,
    /// When something succeeded last.
    pub last_success: Option<i64>,
    /// How long the last attempt that got an answer took.
    pub latency_milliseconds: Option<u64>,
    /// Attempts.
    pub requests: u64,
    /// Of these, failed.
    pub failures: u64,
}

impl RevocationSource {
    /// Every state.
    pub const STATES: [&'static str; 4] = ["waiting", "good", "stale", "failing"];

    /// Sources shown at most, of which those of certificates and responders come and go: each is a dozen series.
    pub const SHOWN_MAXIMUM: usize = 500;
}

/// One who vouches for clients or has rules about them, somewhere else. Counted since it was made: a reload makes it anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backend {
    /// Its name.
    pub name: String,
    /// What it is, in one word.
    pub kind: &'static str,
    /// Whether it is asked: one of [`Self::STATES`].
    pub breaker: &'static str,
    /// Questions to it.
    pub asked: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Questions answered without it: from memory, or by somebody else's question at the same time.
    pub remembered: u64,
    /// Questions that failed without it: too many waited, or it was given up for a while.
    pub spared: u64,
    /// How long all questions took together.
    pub microseconds: u64,
}

impl Backend {
    /// Every state of a breaker.
    pub const STATES: [&'static str; 3] = ["closed", "open", "trying"];
}

/// What the durable store can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreState {
    /// Everything.
    Ready,
    /// No room: it takes nothing new.
    Full,
    /// A write or a sync failed: the process is about to end.
    Failed,
}

/// The durable store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Store {
    /// What it can do.
    pub state: StoreState,
    /// Octets on disk.
    pub octets: u64,
    /// Of these, still needed.
    pub live_octets: u64,
    /// Batches written.
    pub batches: u64,
    /// Times that data was forced to disk.
    pub syncs: u64,
    /// Octets that compaction wrote again.
    pub moved_octets: u64,
    /// Files.
    pub segments: u64,
}

/// One bridge to another broker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bridge {
    /// Its name.
    pub name: String,
    /// Whether it publishes its state below `$SYS/` itself, the moment it changes.
    pub tells_itself: bool,
    /// Whether messages can flow now.
    pub is_connected: bool,
    /// Connections made.
    pub connections: u64,
    /// Messages handed to this broker.
    pub received: u64,
    /// Messages handed to the other broker.
    pub sent: u64,
    /// Messages not carried over.
    pub dropped: u64,
}

/// The process, as the system counts it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Process {
    /// Resident memory in octets.
    pub resident_octets: u64,
    /// The most there was.
    pub resident_octets_maximum: u64,
    /// Open files.
    pub open_files: u64,
    /// How many may be open.
    pub open_files_maximum: u64,
    /// Processor time used, in milliseconds.
    pub cpu_milliseconds: u64,
    /// When it started, Unix seconds.
    pub started_at: i64,
}
