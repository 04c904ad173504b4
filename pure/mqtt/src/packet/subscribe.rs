//! SUBSCRIBE (§3.8): Topic Filters and what to do about each.

use std::num::NonZeroU32;

use crate::varint::MAXIMUM_VARIABLE_BYTE_INTEGER;
use crate::{PacketId, QoS, TopicFilter, UserProperties};

/// Subscribe request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// To be repeated by the SUBACK.
    pub packet_id: PacketId,
    /// Sent along with every message that these subscriptions deliver.
    pub subscription_identifier: Option<SubscriptionIdentifier>,
    /// In order.
    pub user_properties: UserProperties,
    /// At least one [MQTT-3.8.3-2].
    pub subscriptions: Vec<SubscribeFilter>,
}

/// One Topic Filter of a SUBSCRIBE with its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeFilter {
    /// What is subscribed to.
    pub filter: TopicFilter,
    /// How.
    pub options: SubscriptionOptions,
}

/// Subscription Options (§3.8.3.1). MQTT 3.1.1 has the maximum QoS only; the rest keeps its default there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionOptions {
    /// Highest QoS of deliveries.
    pub maximum_qos: QoS,
    /// Do not deliver what this client itself publishes; not allowed on a Shared Subscription.
    pub no_local: bool,
    /// Deliver with the RETAIN flag as published.
    pub retain_as_published: bool,
    /// When retained messages are sent.
    pub retain_handling: RetainHandling,
}

/// When retained messages are sent to a new subscription (§3.8.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RetainHandling {
    /// 0: whenever subscribed.
    #[default]
    SendAtSubscribe,
    /// 1: only if the subscription is new.
    SendIfNew,
    /// 2: never.
    DoNotSend,
}

/// Subscription Identifier: 1 to 268,435,455 (§3.8.2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionIdentifier(NonZeroU32);

impl SubscriptionIdentifier {
    /// `None` for 0 and above 268,435,455.
    #[must_use]
    pub fn new(value: u32) -> Option<Self> {
        NonZeroU32::new(value)
            .filter(|value| value.get() <= MAXIMUM_VARIABLE_BYTE_INTEGER)
            .map(Self)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }
}
