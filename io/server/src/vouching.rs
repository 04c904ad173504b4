//! A connection for which somebody else has to vouch, and what came of it.

use std::sync::Arc;

use bytestring::ByteString;
use signet_broker::Application;
use signet_policy::{Answers, Client, Passed};

use crate::authentication::Exchange;
use crate::lines::{Introduction, Wishes};

/// How a connection was let in, or how far that is.
#[derive(Default)]
pub(crate) struct Entrance {
    /// Who is connected, with what it is granted; known when it is let in.
    pub(crate) client: Option<Arc<Client>>,
    /// Those who have to vouch for it are being asked.
    pub(crate) vouching: Option<Box<Vouching>>,
    /// What holds by the word of those who vouched for it, where they set terms.
    pub(crate) terms: Option<Box<Terms>>,
    /// What its CONNECT said, until its session begins; nothing where nobody asks.
    pub(crate) introduction: Option<Box<Introduction>>,
    /// What it has asked for and has no answer to; nothing where nobody asks.
    pub(crate) wishes: Option<Box<Wishes>>,
}

/// What a connection waits for.
pub(crate) enum Vouching {
    /// Others are asked whether it may connect. Nothing behind its CONNECT is decoded.
    Asking(Application),
    /// It may connect, and access sources are asked about its Will.
    AskingWill(Application, Box<Passed>, Answers),
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
    /// They are being asked for, about the client as it was then.
    pub(crate) asking_rules: Option<Arc<Client>>,
    /// What is asked for now was changed meanwhile, and has to be asked for once more.
    pub(crate) are_rules_stale: bool,
}
