//! An access source that is in memory, changes while the broker runs, and has an answer at once.

use std::fmt;
use std::sync::Arc;

use crate::client::Client;

/// What a client wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Publish to a Topic Name.
    Publish,
    /// Get a message with a Topic Name by a subscription that it has.
    Receive,
    /// Subscribe to a Topic Filter.
    Subscribe,
    /// Give up the subscription to one.
    Unsubscribe,
}

/// One who judges. Asked for every message, and so must not wait for anybody.
pub trait JudgeAccess: fmt::Debug + Send + Sync {
    /// Whether a client may. `topic` is a Topic Name, or a Topic Filter with its ShareName, as the client writes it. `None`: whoever is next is asked.
    fn judge(&self, client: &Client, wish: Wish, topic: &str) -> Option<bool>;
}

/// The same, shared. Two are equal if they are one.
#[derive(Debug, Clone)]
pub struct AccessJudge(pub Arc<dyn JudgeAccess>);

impl PartialEq for AccessJudge {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
