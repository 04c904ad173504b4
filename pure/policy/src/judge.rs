//! An access source that is in memory, changes while the broker runs, and has an answer at once.

use std::fmt;
use std::sync::Arc;

use signet_mqtt::TopicFilter;

use crate::client::{Client, Principal};
use crate::ruleset::{AccessSource, Ruleset};

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

/// May this client give up the subscription to this filter, as it writes it? Everybody may, unless an access source that judges denies it, or
/// there is nobody else and none of them allows it.
#[must_use]
pub fn may_unsubscribe(rules: &Ruleset, client: &Client, filter: &TopicFilter) -> bool {
    if matches!(client.principal(), Principal::Bridge(_)) {
        return true;
    }
    let mut judges = rules.sources_for(client).filter_map(|source| match source {
        AccessSource::Judged(_, judge) => Some(judge),
        AccessSource::Rules { .. } | AccessSource::Fetched(_) | AccessSource::Asked(_) => None,
    });
    let said = judges.find_map(|judge| judge.0.judge(client, Wish::Unsubscribe, filter.as_str()));
    said.unwrap_or_else(|| !rules.is_left_to_judges(client))
}
