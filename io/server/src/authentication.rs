//! Whom the server asks about clients: the seam to those who vouch for them and have rules about them. Nobody behind it may block a shard.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use signet_policy::{AccessAnswer, AccessQuestion, Applicant, Chain, Client, Credential, Denied, Passed, SourceRules};

/// Asks whoever has to vouch for clients. Every call returns at once; the answer comes later, from any thread.
pub trait Authentication: Send + Sync {
    /// Whether somebody may connect: by the chain, or, without one, by its certificate, or by nothing at all where `anonymous` says so.
    fn begin(&self, chain: Option<Arc<Chain>>, anonymous: bool, applicant: Applicant, done: Done);

    /// Whether anybody has rules about clients, who has to be asked even where nobody has to vouch.
    fn has_rule_sources(&self) -> bool;

    /// Whether something that a client was let in by still holds. Must not wait for anybody.
    fn holds(&self, credential: &Credential) -> bool;

    /// The rules that sources have about a client that is here; those that could not be asked are left out.
    fn rules_of(&self, client: Arc<Client>, done: Box<dyn FnOnce(Vec<SourceRules>) + Send>);

    /// Whether a client may do one thing, where a source is asked about each.
    fn ask(&self, client: Arc<Client>, question: AccessQuestion, done: Box<dyn FnOnce(AccessAnswer, Duration) + Send>);

    /// How long those rules count before they are asked for again, in milliseconds; `None`: as long as the connection lasts.
    fn rules_last(&self) -> Option<u64>;
}

/// Takes the answer.
pub type Done = Box<dyn FnOnce(Verdict) + Send>;

/// What becomes of somebody who wants to be let in.
pub enum Verdict {
    /// It may.
    Passed(Box<Passed>),
    /// It may not.
    Refused(Box<Denied>),
    /// It has to answer this first [MQTT-4.12.0-2].
    Challenge(Bytes, Box<dyn Exchange>),
}

/// An exchange that waits for the client's next Authentication Data.
pub trait Exchange: Send {
    /// Goes on with it.
    fn answer(self: Box<Self>, data: Bytes, done: Done);
}
