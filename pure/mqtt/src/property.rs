//! Properties (§2.2.2): identifiers, types, and the rules every property list shares. Which packet may carry which is written where that
//! packet reads its list: what it does not know is misplaced.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use bytestring::ByteString;

use crate::packet::SubscriptionIdentifier;
use crate::reader::Reader;
use crate::{ClientIdentifier, DecodeError, PacketType, TopicName, UserProperties};

macro_rules! property_ids {
    ($($variant:ident = $value:literal, $name:literal;)+) => {
        /// Property identifier (§2.2.2.2).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum PropertyId {
            $($variant,)+
        }

        impl PropertyId {
            /// The number on the wire.
            pub(crate) fn value(self) -> u8 {
                match self { $(Self::$variant => $value,)+ }
            }

            /// The name in the specification, in lower case as error messages want it.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            fn from_value(value: u32) -> Option<Self> {
                match value { $($value => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

property_ids! {
    PayloadFormatIndicator = 0x01, "payload format indicator";
    MessageExpiryInterval = 0x02, "message expiry interval";
    ContentType = 0x03, "content type";
    ResponseTopic = 0x08, "response topic";
    CorrelationData = 0x09, "correlation data";
    SubscriptionIdentifier = 0x0B, "subscription identifier";
    SessionExpiryInterval = 0x11, "session expiry interval";
    AssignedClientIdentifier = 0x12, "assigned client identifier";
    ServerKeepAlive = 0x13, "server keep alive";
    AuthenticationMethod = 0x15, "authentication method";
    AuthenticationData = 0x16, "authentication data";
    RequestProblemInformation = 0x17, "request problem information";
    WillDelayInterval = 0x18, "will delay interval";
    RequestResponseInformation = 0x19, "request response information";
    ResponseInformation = 0x1A, "response information";
    ServerReference = 0x1C, "server reference";
    ReasonString = 0x1F, "reason string";
    ReceiveMaximum = 0x21, "receive maximum";
    TopicAliasMaximum = 0x22, "topic alias maximum";
    TopicAlias = 0x23, "topic alias";
    MaximumQos = 0x24, "maximum qos";
    RetainAvailable = 0x25, "retain available";
    UserProperty = 0x26, "user property";
    MaximumPacketSize = 0x27, "maximum packet size";
    WildcardSubscriptionAvailable = 0x28, "wildcard subscription available";
    SubscriptionIdentifierAvailable = 0x29, "subscription identifier available";
    SharedSubscriptionAvailable = 0x2A, "shared subscription available";
}

/// Reader of one property list.
pub(crate) struct PropertyReader<'a> {
    reader: Reader<'a>,
    /// One bit for each identifier that was there; the highest identifier is 0x2A.
    seen: u64,
    current: PropertyId,
}

impl<'a> PropertyReader<'a> {
    /// The list at the reader's place, behind its length; an empty one in a version without properties.
    pub(crate) fn new(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let length = if reader.context.version.has_properties() { reader.varint("property length")? } else { 0 };
        // A length that does not fit into memory does not fit into the packet either.
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(Self { reader: reader.part(length, "properties")?, seen: 0, current: PropertyId::UserProperty })
    }

    /// The next identifier, or `None` at the end of the list. The caller reads the value, or calls [`Self::misplaced`].
    pub(crate) fn next(&mut self) -> Result<Option<PropertyId>, DecodeError> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let value = self.reader.varint("property identifier")?;
        let Some(id) = PropertyId::from_value(value) else {
            return Err(DecodeError::malformed("§2.2.2.2", format!("property identifier `{value:#04x}` does not exist")));
        };
        self.current = id;
        Ok(Some(id))
    }

    /// The error for a property that this packet may not carry.
    pub(crate) fn misplaced(&self) -> DecodeError {
        let detail = format!("property `{}` in {}, which may not carry it", self.current.name(), self.reader.context.packet);
        DecodeError::malformed("§2.2.2.2", detail)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.once()?;
        self.reader.u16(self.current.name())
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.once()?;
        self.reader.u32(self.current.name())
    }

    /// A byte that is 0 or 1.
    pub(crate) fn flag(&mut self) -> Result<bool, DecodeError> {
        self.once()?;
        match self.reader.u8(self.current.name())? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.unexpected(other, "0 or 1")),
        }
    }

    pub(crate) fn non_zero_u16(&mut self) -> Result<NonZeroU16, DecodeError> {
        let value = self.u16()?;
        NonZeroU16::new(value).ok_or_else(|| self.unexpected(value, "1 to 65535"))
    }

    pub(crate) fn non_zero_u32(&mut self) -> Result<NonZeroU32, DecodeError> {
        let value = self.u32()?;
        NonZeroU32::new(value).ok_or_else(|| self.unexpected(value, "1 to 4294967295"))
    }

    /// Topic Alias; zero has a Reason Code of its own.
    pub(crate) fn topic_alias(&mut self) -> Result<NonZeroU16, DecodeError> {
        // [MQTT-3.3.2-8]
        NonZeroU16::new(self.u16()?).ok_or(DecodeError::TopicAliasInvalid)
    }

    pub(crate) fn string(&mut self) -> Result<ByteString, DecodeError> {
        self.once()?;
        self.reader.string(self.current.name())
    }

    pub(crate) fn client_identifier(&mut self) -> Result<ClientIdentifier, DecodeError> {
        self.once()?;
        self.reader.client_identifier(self.current.name())
    }

    pub(crate) fn binary(&mut self) -> Result<Bytes, DecodeError> {
        self.once()?;
        self.reader.binary(self.current.name())
    }

    /// Response Topic: a Topic Name.
    pub(crate) fn response_topic(&mut self) -> Result<TopicName, DecodeError> {
        self.once()?;
        match self.reader.topic_name(self.current.name())? {
            Some(Ok(topic)) => Ok(topic),
            // [MQTT-3.3.2-14]
            Some(Err(error)) => Err(DecodeError::protocol("MQTT-3.3.2-14", format!("invalid response topic: {error}"))),
            None => Err(DecodeError::protocol("MQTT-4.7.3-1", "response topic is empty, expected a topic name")),
        }
    }

    pub(crate) fn subscription_identifier(&mut self) -> Result<SubscriptionIdentifier, DecodeError> {
        // A PUBLISH may carry one for each subscription that matched (§3.3.2.3.8).
        if self.reader.context.packet != PacketType::Publish {
            self.once()?;
        }
        let value = self.reader.varint(self.current.name())?;
        SubscriptionIdentifier::new(value).ok_or_else(|| self.unexpected(value, "1 to 268435455"))
    }

    /// One more User Property; their number is bounded, their names may repeat.
    pub(crate) fn user_property(&mut self, list: &mut UserProperties) -> Result<(), DecodeError> {
        let maximum = self.reader.context.limits.maximum_user_properties;
        if list.len() >= maximum {
            return Err(DecodeError::LimitExceeded { what: "user properties in one packet", maximum });
        }
        // [MQTT-1.5.7-1]: both are UTF-8 Encoded Strings.
        let name = self.reader.string("name of a user property")?;
        let value = self.reader.string("value of a user property")?;
        list.0.push((name, value));
        Ok(())
    }

    /// Includes the property among those that were there; a second time is a Protocol Error.
    fn once(&mut self) -> Result<(), DecodeError> {
        let bit = 1_u64 << self.current.value();
        if self.seen & bit != 0 {
            let detail = format!("property `{}` is there twice in {}, expected once", self.current.name(), self.reader.context.packet);
            return Err(DecodeError::protocol("§2.2.2.2", detail));
        }
        self.seen |= bit;
        Ok(())
    }

    fn unexpected(&self, found: impl std::fmt::Display, expected: &str) -> DecodeError {
        DecodeError::protocol("§2.2.2.2", format!("property `{}` is `{found}`, expected {expected}", self.current.name()))
    }
}
