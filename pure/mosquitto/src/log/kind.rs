//! `log_type`: what a line is about, and which lines are wanted.

/// What a line is about (`log_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Something failed.
    Error,
    /// Something may go wrong.
    Warning,
    /// Connections and other things that an operator wants to see.
    Notice,
    /// Start, end, configuration.
    Information,
    /// A client has subscribed.
    Subscribe,
    /// A client has unsubscribed.
    Unsubscribe,
    /// WebSocket, very detailed.
    Websockets,
    /// The inside of the broker.
    Internal,
    /// Every packet.
    Debug,
}

/// Each with its name in a configuration, its severity for syslog (RFC 5424 §6.2.1) and its topic below `$SYS/broker/log/`.
const KINDS: [(Kind, &str, u8, Option<&str>); 9] = [
    (Kind::Error, "error", 3, Some("E")),
    (Kind::Warning, "warning", 4, Some("W")),
    (Kind::Notice, "notice", 5, Some("N")),
    (Kind::Information, "information", 6, Some("I")),
    (Kind::Subscribe, "subscribe", 5, Some("M/subscribe")),
    (Kind::Unsubscribe, "unsubscribe", 5, Some("M/unsubscribe")),
    (Kind::Websockets, "websockets", 7, Some("WS")),
    // Not on topics: a subscriber of the log would make more of these with every line that it gets.
    (Kind::Internal, "internal", 7, None),
    (Kind::Debug, "debug", 7, None),
];

impl Kind {
    /// Every kind, in the order of the severities.
    pub fn all() -> impl Iterator<Item = Self> {
        KINDS.iter().map(|(kind, ..)| *kind)
    }

    fn row(self) -> (&'static str, u8, Option<&'static str>) {
        let row = KINDS.iter().find(|(kind, ..)| *kind == self);
        row.map_or(("", 7, None), |(_, name, severity, topic)| (name, *severity, *topic))
    }

    /// Its name in a configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// Its severity for syslog, 3 (error) to 7 (debug).
    #[must_use]
    pub fn severity(self) -> u8 {
        self.row().1
    }

    /// Where it is published, if it is: a whole Topic Name.
    #[must_use]
    pub fn topic(self) -> Option<String> {
        self.row().2.map(|letter| format!("$SYS/broker/log/{letter}"))
    }

    fn bit(self) -> u16 {
        let place = KINDS.iter().position(|(kind, ..)| *kind == self).unwrap_or_default();
        1 << place
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// Nothing is logged.
    pub const NONE: Self = Self(0);

    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Kind::all().fold(Self::NONE, Self::with)
    }

    /// What Mosquitto logs where nothing is written.
    #[must_use]
    pub fn usual() -> Self {
        [Kind::Error, Kind::Warning, Kind::Notice, Kind::Information].into_iter().fold(Self::NONE, Self::with)
    }

    /// These and one more.
    #[must_use]
    pub fn with(self, kind: Kind) -> Self {
        Self(self.0 | kind.bit())
    }

    /// Whether a kind is among them.
    #[must_use]
    pub fn has(self, kind: Kind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// These and what a name of a configuration adds: that of a kind, `all`, or `none`, which takes away what came before. Nothing for other names.
    #[must_use]
    pub fn named(self, name: &str) -> Option<Self> {
        match name {
            "all" => Some(Self::all()),
            "none" => Some(Self::NONE),
            name => Kind::all().find(|kind| kind.name() == name).map(|kind| self.with(kind)),
        }
    }
}
