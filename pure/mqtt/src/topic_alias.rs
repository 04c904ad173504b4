//! Topic Alias (§3.3.2.3.4), both directions, for whoever is at either end. An alias lives and dies with its connection.

use std::collections::HashMap;
use std::num::NonZeroU16;

use crate::TopicName;
use foldhash::fast::FixedState;

/// What the aliases of the other end stand for.
#[derive(Debug)]
pub struct InboundAliases {
    maximum: u16,
    topics: Vec<Option<TopicName>>,
}

/// Why an alias means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasError {
    /// Above Topic Alias Maximum [MQTT-3.3.2-9].
    Invalid,
    /// Neither a Topic Name nor an alias that was set before.
    Unknown,
}

impl InboundAliases {
    /// With so many aliases at most; 0: none.
    #[must_use]
    pub fn new(maximum: u16) -> Self {
        Self { maximum, topics: Vec::new() }
    }

    /// The topic of a PUBLISH; sets the alias if both are there. Every alias up to the maximum will do [MQTT-3.3.2-12], none above it
    /// [MQTT-3.2.2-17], and none at all where the maximum is 0 [MQTT-3.2.2-18].
    ///
    /// # Errors
    /// The alias is not allowed, or was not set.
    pub fn resolve(&mut self, topic: Option<TopicName>, alias: Option<NonZeroU16>) -> Result<TopicName, AliasError> {
        let Some(alias) = alias else { return topic.ok_or(AliasError::Unknown) };
        if alias.get() > self.maximum {
            return Err(AliasError::Invalid);
        }
        let at = usize::from(alias.get() - 1);
        let Some(topic) = topic else { return self.topics.get(at).cloned().flatten().ok_or(AliasError::Unknown) };
        if self.topics.len() <= at {
            self.topics.resize(at + 1, None);
        }
        if let Some(place) = self.topics.get_mut(at) {
            *place = Some(topic.clone());
        }
        Ok(topic)
    }
}

/// The aliases this side has set. The first topics get one and keep it: no alias is ever given a second meaning.
#[derive(Debug)]
pub struct OutboundAliases {
    maximum: u16,
    aliases: HashMap<TopicName, NonZeroU16, FixedState>,
}

/// How a topic is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AliasChoice {
    /// Topic Name only.
    None,
    /// Topic Name and an alias that it sets.
    New(NonZeroU16),
    /// Alias only.
    Known(NonZeroU16),
}

impl AliasChoice {
    /// The Topic Alias to write, and whether the Topic Name is written.
    #[must_use]
    pub fn as_header(self) -> (Option<NonZeroU16>, bool) {
        match self {
            Self::None => (None, true),
            Self::New(alias) => (Some(alias), true),
            Self::Known(alias) => (Some(alias), false),
        }
    }
}

impl OutboundAliases {
    /// With so many aliases at most, as many as the other end takes; 0: none.
    #[must_use]
    pub fn new(maximum: u16) -> Self {
        Self { maximum, aliases: HashMap::default() }
    }

    /// What sending this topic would use, within what the client takes [MQTT-3.1.2-26], [MQTT-3.1.2-27], [MQTT-3.3.2-11]. Changes nothing,
    /// as the packet may turn out too large to be sent.
    #[must_use]
    pub fn choose(&self, topic: &TopicName) -> AliasChoice {
        if self.maximum == 0 {
            return AliasChoice::None;
        }
        if let Some(alias) = self.aliases.get(topic) {
            return AliasChoice::Known(*alias);
        }
        let next = u16::try_from(self.aliases.len() + 1).ok().filter(|next| *next <= self.maximum).and_then(NonZeroU16::new);
        next.map_or(AliasChoice::None, AliasChoice::New)
    }

    /// The packet with this choice goes out.
    pub fn commit(&mut self, topic: &TopicName, choice: AliasChoice) {
        if let AliasChoice::New(alias) = choice {
            self.aliases.insert(topic.clone(), alias);
        }
    }
}
