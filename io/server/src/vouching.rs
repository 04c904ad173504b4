//! A connection for which somebody else has to vouch, and what came of it.

use bytestring::ByteString;
use signet_broker::Application;

use crate::authentication::Exchange;

/// What a connection waits for.
pub(crate) enum Vouching {
    /// Others are asked whether it may connect. Nothing behind its CONNECT is decoded.
    Asking(Application),
    /// The client has to answer; nothing but AUTH and DISCONNECT may come.
    Challenged(Application, Box<dyn Exchange>),
    /// It is connected and authenticates again: others are asked. Everything but AUTH goes on [MQTT-4.12.1-1].
    AskingAgain,
    /// The same, and the client has to answer.
    ChallengedAgain(Box<dyn Exchange>),
}

/// What holds for a connected client by the word of those who vouched for it, besides what it is granted.
#[derive(Default)]
pub(crate) struct Terms {
    /// By which method it authenticated, and has to when it does so again [MQTT-4.12.1-1].
    pub(crate) method: Option<ByteString>,
    /// When its rules are asked for again, in milliseconds of the server's clock.
    pub(crate) rules_until: Option<u64>,
    /// They are being asked for.
    pub(crate) is_asking_rules: bool,
}
