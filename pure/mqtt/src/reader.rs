//! Reader over the body of one whole packet: the basic data types (§1.5) and what every use of them must check.

use bytes::Bytes;
use bytestring::ByteString;

use crate::text::has_any;
use crate::{
    ClientIdentifier, DecodeError, DecodeLimits, PacketId, PacketType, ProtocolVersion, ReasonCode, Role, TopicError, TopicFilter,
    TopicName, varint,
};

/// What decides how a packet is read, apart from its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) version: ProtocolVersion,
    pub(crate) sender: Role,
    pub(crate) limits: &'a DecodeLimits,
    pub(crate) packet: PacketType,
}

/// Cursor over a packet body.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// The allocation that `rest` is part of; values are then slices of it instead of copies. For PUBLISH only: of other packets one
    /// short string may live long, and must not keep the whole packet.
    shared: Option<&'a Bytes>,
    pub(crate) context: Context<'a>,
}

impl<'a> Reader<'a> {
    /// Values that outlive the packet are copied out of `body`.
    pub(crate) fn new(body: &'a [u8], context: Context<'a>) -> Self {
        Self { rest: body, shared: None, context }
    }

    /// Values that outlive the packet are slices of `body`.
    pub(crate) fn sharing(body: &'a Bytes, context: Context<'a>) -> Self {
        Self { rest: body, shared: Some(body), context }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `length` bytes; `what` is named when they are not there.
    pub(crate) fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            let detail = format!("{} ends inside its {what}: `{}` bytes are left, expected {length}", self.context.packet, self.rest.len());
            return Err(DecodeError::malformed("§4.13", detail));
        };
        self.rest = rest;
        Ok(taken)
    }

    /// A reader of the next `length` bytes alone.
    pub(crate) fn part(&mut self, length: usize, what: &'static str) -> Result<Self, DecodeError> {
        let rest = self.take(length, what)?;
        Ok(Self { rest, shared: self.shared, context: self.context })
    }

    /// Everything that is left.
    pub(crate) fn take_rest(&mut self) -> Bytes {
        let rest = std::mem::take(&mut self.rest);
        self.keep(rest)
    }

    /// The packet must end here.
    pub(crate) fn finish(&self) -> Result<(), DecodeError> {
        if self.is_empty() {
            return Ok(());
        }
        let detail = format!("`{}` bytes are left behind the last field of {}, expected none", self.rest.len(), self.context.packet);
        Err(DecodeError::malformed("§2.1.4", detail))
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        self.array::<1>(what).map(u8::from_be_bytes)
    }

    /// Two Byte Integer (§1.5.2).
    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        self.array(what).map(u16::from_be_bytes)
    }

    /// Four Byte Integer (§1.5.3).
    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        self.array(what).map(u32::from_be_bytes)
    }

    /// Variable Byte Integer (§1.5.5).
    pub(crate) fn varint(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        let Some((value, length)) = varint::read(self.rest)? else {
            return Err(DecodeError::malformed("§1.5.5", format!("{} ends inside its {what}", self.context.packet)));
        };
        self.take(length, what)?;
        Ok(value)
    }

    /// Binary Data (§1.5.6).
    pub(crate) fn binary(&mut self, what: &'static str) -> Result<Bytes, DecodeError> {
        let bytes = self.prefixed(what)?;
        Ok(self.keep(bytes))
    }

    /// Bytes behind their length, not kept.
    pub(crate) fn prefixed(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let length = usize::from(self.u16(what)?);
        self.take(length, what)
    }

    /// UTF-8 Encoded String (§1.5.4). U+FEFF stays where it is [MQTT-1.5.4-3].
    pub(crate) fn string(&mut self, what: &'static str) -> Result<ByteString, DecodeError> {
        let bytes = self.prefixed(what)?;
        // [MQTT-1.5.4-2]
        if has_any(bytes, [0]) {
            return Err(DecodeError::malformed("MQTT-1.5.4-2", format!("{what} contains the null character U+0000, expected none")));
        }
        // [MQTT-1.5.4-1]: the check also refuses encoded surrogates U+D800 to U+DFFF.
        ByteString::try_from(self.keep(bytes)).map_err(|error| {
            let detail = format!("{what} is not UTF-8 after byte {}, expected well-formed UTF-8", error.valid_up_to());
            DecodeError::malformed("MQTT-1.5.4-1", detail)
        })
    }

    pub(crate) fn client_identifier(&mut self, what: &'static str) -> Result<ClientIdentifier, DecodeError> {
        self.string(what).map(ClientIdentifier::new)
    }

    /// Passes over a UTF-8 Encoded String if it is this one.
    pub(crate) fn skip_string(&mut self, text: &str) -> bool {
        let Some((length, rest)) = self.rest.split_first_chunk() else { return false };
        let is_same = usize::from(u16::from_be_bytes(*length)) == text.len();
        match rest.strip_prefix(text.as_bytes()).filter(|_| is_same) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Whether a property list comes next that is not empty.
    pub(crate) fn has_properties(&self) -> bool {
        self.context.version.has_properties() && self.rest.first().is_some_and(|length| *length != 0)
    }

    /// Topic Name; `None` when it is empty.
    pub(crate) fn topic_name(&mut self, what: &'static str) -> Result<Option<Result<TopicName, TopicError>>, DecodeError> {
        let text = self.string(what)?;
        if text.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.within_limits(&text).and_then(|()| TopicName::new(text))))
    }

    pub(crate) fn topic_filter(&mut self) -> Result<TopicFilter, DecodeError> {
        let text = self.string("topic filter")?;
        self.within_limits(&text).and_then(|()| TopicFilter::new(text)).map_err(DecodeError::TopicFilterInvalid)
    }

    /// Packet Identifier, never zero.
    pub(crate) fn packet_id(&mut self) -> Result<PacketId, DecodeError> {
        let statement = match self.context.sender {
            Role::Client => "MQTT-2.2.1-3",
            Role::Server => "MQTT-2.2.1-4",
        };
        // [MQTT-2.2.1-3], [MQTT-2.2.1-4]
        PacketId::new(self.u16("packet identifier")?).ok_or_else(|| {
            DecodeError::protocol(statement, format!("packet identifier of {} is `0`, expected 1 to 65535", self.context.packet))
        })
    }

    /// A Reason Code that this packet may carry; `statement` is the one that lists them.
    pub(crate) fn reason_code(&mut self, statement: &'static str) -> Result<ReasonCode, DecodeError> {
        let value = self.u8("reason code")?;
        let Context { packet, sender, .. } = self.context;
        ReasonCode::try_from(value).ok().filter(|code| code.allowed_in(packet, sender)).ok_or_else(|| {
            DecodeError::protocol(statement, format!("reason code `{value:#04x}` in {packet}, expected one that the packet may carry"))
        })
    }

    fn within_limits(&self, text: &str) -> Result<(), TopicError> {
        let limits = self.context.limits;
        if text.len() > limits.maximum_topic_length {
            return Err(TopicError::TooLong { length: text.len(), maximum: limits.maximum_topic_length });
        }
        // A short topic cannot have many levels.
        let levels = if text.len() < limits.maximum_topic_levels { 1 } else { text.bytes().filter(|byte| *byte == b'/').count() + 1 };
        if levels > limits.maximum_topic_levels {
            return Err(TopicError::TooManyLevels { levels, maximum: limits.maximum_topic_levels });
        }
        Ok(())
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let taken = self.take(N, what)?;
        // `take` has returned N bytes, so that the conversion does not fail.
        Ok(<[u8; N]>::try_from(taken).unwrap_or([0; N]))
    }

    fn keep(&self, part: &'a [u8]) -> Bytes {
        match self.shared {
            Some(whole) => whole.slice_ref(part),
            None => Bytes::copy_from_slice(part),
        }
    }
}
