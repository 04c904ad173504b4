//! SUBSCRIBE (§3.8): Topic Filters and what to do about each.

use std::num::NonZeroU32;

use crate::property::{PropertyId, PropertyReader};
use crate::reader::Reader;
use crate::topic::shown;
use crate::writer::{Body, PropertyList, Sink};
use crate::{DecodeError, PacketId, ProtocolVersion, QoS, TopicFilter, UserProperties};

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
        NonZeroU32::new(value).filter(|value| value.get() <= crate::MAXIMUM_VARIABLE_BYTE_INTEGER).map(Self)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

const NO_LOCAL: u8 = 0b0000_0100;
const RETAIN_AS_PUBLISHED: u8 = 0b0000_1000;
const RETAIN_HANDLING_SHIFT: u8 = 4;

impl Subscribe {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut subscribe = Self {
            packet_id: reader.packet_id()?,
            subscription_identifier: None,
            user_properties: UserProperties::default(),
            subscriptions: Vec::new(),
        };
        let mut properties = PropertyReader::new(reader)?;
        while let Some(id) = properties.next()? {
            match id {
                PropertyId::SubscriptionIdentifier => {
                    subscribe.subscription_identifier = Some(properties.subscription_identifier()?);
                }
                PropertyId::UserProperty => properties.user_property(&mut subscribe.user_properties)?,
                _ => return Err(properties.misplaced()),
            }
        }
        // [MQTT-3.8.3-2]
        if reader.is_empty() {
            return Err(DecodeError::protocol("MQTT-3.8.3-2", "SUBSCRIBE has no topic filter, expected at least one"));
        }
        let maximum = reader.context.limits.maximum_filters;
        while !reader.is_empty() {
            if subscribe.subscriptions.len() >= maximum {
                return Err(DecodeError::LimitExceeded { what: "topic filters in one packet", maximum });
            }
            subscribe.subscriptions.push(SubscribeFilter::read(reader)?);
        }
        Ok(subscribe)
    }
}

impl SubscribeFilter {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        // [MQTT-3.8.3-1]
        let filter = reader.topic_filter()?;
        let options = SubscriptionOptions::read(reader)?;
        // [MQTT-3.8.3-4]
        if options.no_local && filter.shared().is_some() {
            let detail = format!("no local is `1` on the shared subscription `{}`, expected 0", shown(filter.as_str()));
            return Err(DecodeError::protocol("MQTT-3.8.3-4", detail));
        }
        Ok(Self { filter, options })
    }
}

impl SubscriptionOptions {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let byte = reader.u8("subscription options")?;
        let (reserved, statement) = match reader.context.version {
            // [MQTT-3.8.3-4] (3.1.1)
            ProtocolVersion::V31 | ProtocolVersion::V311 => (0b1111_1100, "§3.8.3 (3.1.1)"),
            // [MQTT-3.8.3-5]
            ProtocolVersion::V5 => (0b1100_0000, "MQTT-3.8.3-5"),
        };
        if byte & reserved != 0 {
            let detail = format!("reserved bits of subscription options `{byte:#010b}` are set, expected 0");
            return Err(DecodeError::malformed(statement, detail));
        }
        let maximum_qos = QoS::try_from(byte & 0b11)
            .map_err(|error| DecodeError::protocol("§3.8.3.1", format!("maximum qos of a subscription: {error}")))?;
        let retain_handling = match byte >> RETAIN_HANDLING_SHIFT {
            0 => RetainHandling::SendAtSubscribe,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            other => {
                let detail = format!("retain handling is `{other}`, expected 0, 1 or 2");
                return Err(DecodeError::protocol("§3.8.3.1", detail));
            }
        };
        Ok(Self { maximum_qos, no_local: byte & NO_LOCAL != 0, retain_as_published: byte & RETAIN_AS_PUBLISHED != 0, retain_handling })
    }

    fn byte(self, version: ProtocolVersion) -> u8 {
        let mut byte = u8::from(self.maximum_qos);
        if !version.has_properties() {
            return byte;
        }
        if self.no_local {
            byte |= NO_LOCAL;
        }
        if self.retain_as_published {
            byte |= RETAIN_AS_PUBLISHED;
        }
        let retain_handling = match self.retain_handling {
            RetainHandling::SendAtSubscribe => 0,
            RetainHandling::SendIfNew => 1,
            RetainHandling::DoNotSend => 2,
        };
        byte | (retain_handling << RETAIN_HANDLING_SHIFT)
    }
}

impl Body for Subscribe {
    fn write<S: Sink>(&self, version: ProtocolVersion, sink: &mut S) {
        sink.u16(self.packet_id.get());
        sink.properties(version, self);
        for subscription in &self.subscriptions {
            sink.string(subscription.filter.as_str());
            sink.u8(subscription.options.byte(version));
        }
    }
}

impl PropertyList for Subscribe {
    fn write<S: Sink>(&self, sink: &mut S) {
        if let Some(identifier) = self.subscription_identifier {
            sink.property_subscription_identifier(identifier);
        }
        sink.user_properties(&self.user_properties);
    }
}
