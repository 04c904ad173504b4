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

/// Takes an answer once. Whoever breaks down and never gives one has given the other: a connection that waits for it does not wait for ever.
pub(crate) struct Promise<T> {
    rest: Option<(T, Box<dyn FnOnce(T) + Send>)>,
}

impl<T> Promise<T> {
    /// `otherwise`: the answer when there is none.
    pub(crate) fn new(otherwise: T, done: impl FnOnce(T) + Send + 'static) -> Self {
        Self { rest: Some((otherwise, Box::new(done))) }
    }

    pub(crate) fn keep(mut self, answer: T) {
        if let Some((_, done)) = self.rest.take() {
            done(answer);
        }
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        if let Some((otherwise, done)) = self.rest.take() {
            done(otherwise);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn there_is_one_answer_whatever_happens() {
        let (sender, answers) = channel();
        let promise = |sender: &std::sync::mpsc::Sender<u8>| {
            let sender = sender.clone();
            Promise::new(0, move |answer| sender.send(answer).unwrap())
        };
        promise(&sender).keep(1);
        drop(promise(&sender));
        let broken = promise(&sender);
        let thread = std::thread::spawn(move || {
            let _broken = broken;
            panic!("it breaks down");
        });
        assert!(thread.join().is_err());
        drop(sender);
        assert_eq!(answers.iter().collect::<Vec<_>>(), [1, 0, 0]);
    }
}
