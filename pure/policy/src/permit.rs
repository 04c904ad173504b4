//! Witnesses that a question was asked and answered with yes. Only `decide.rs` makes them; `xtask tidy` counts the places.

use std::sync::Arc;

use signet_mqtt::{TopicFilter, TopicName};

use crate::client::Client;
use crate::ruleset::Decider;

/// Proof that a peer may connect, with the names under which it does.
#[derive(Debug)]
pub struct ConnectPermit {
    client: Arc<Client>,
    assigned: bool,
}

impl ConnectPermit {
    pub(crate) fn assertion(client: Client, assigned: bool) -> Self {
        Self { client: Arc::new(client), assigned }
    }

    /// Who may connect.
    #[must_use]
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Whether the Client Identifier was chosen by the Server because the client sent an empty one.
    #[must_use]
    pub fn is_assigned(&self) -> bool {
        self.assigned
    }
}

/// Proof that one client may publish one message to one Topic Name. A clone is proof of the same thing and no more.
#[derive(Debug, Clone)]
pub struct PublishPermit {
    topic: TopicName,
    decider: Decider,
    is_general: bool,
}

impl PublishPermit {
    pub(crate) fn assertion(topic: TopicName, decider: Decider, is_general: bool) -> Self {
        Self { topic, decider, is_general }
    }

    /// Whether it would be the same for every message of the client to this topic, whatever its QoS and RETAIN flag, as long as rules and client stay
    /// as they are.
    #[must_use]
    pub fn is_general(&self) -> bool {
        self.is_general
    }

    /// Which rule allowed it, by its name.
    #[must_use]
    pub fn rule(&self) -> &str {
        self.decider.as_str()
    }

    /// The Topic Name that was allowed: the whole one, with its tenant ([`crate::Mount`]).
    #[must_use]
    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// Redeems the permit for the Topic Name it allows.
    #[must_use]
    pub fn into_topic(self) -> TopicName {
        self.topic
    }
}

/// Proof that one client may subscribe to one Topic Filter.
#[derive(Debug)]
pub struct SubscribePermit {
    filter: TopicFilter,
    decider: Decider,
    is_partial: bool,
}

impl SubscribePermit {
    pub(crate) fn assertion(filter: TopicFilter, decider: Decider, is_partial: bool) -> Self {
        Self { filter, decider, is_partial }
    }

    /// Whether some of the topics that the filter matches may be denied: each delivery has to be judged with [`crate::may_receive`].
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// Which rule allowed it, by its name.
    #[must_use]
    pub fn rule(&self) -> &str {
        self.decider.as_str()
    }

    /// The Topic Filter that was allowed: the whole one, with its tenant ([`crate::Mount`]).
    #[must_use]
    pub fn filter(&self) -> &TopicFilter {
        &self.filter
    }

    /// Redeems the permit for the filter it allows.
    #[must_use]
    pub fn into_filter(self) -> TopicFilter {
        self.filter
    }
}
