//! Where encoded bytes go: one trait for counting them and for writing them, so that a size can never differ from what is written.

use bytes::BytesMut;

use crate::packet::SubscriptionIdentifier;
use crate::property::PropertyId;
use crate::text::MAXIMUM_STRING_LENGTH;
use crate::{ProtocolVersion, UserProperties, varint};

/// The basic data types (§1.5) on their way out.
pub(crate) trait Sink: Sized {
    /// Takes the bytes as they are.
    fn put(&mut self, bytes: &[u8]);

    /// So many bytes come next.
    fn expect(&mut self, _bytes: usize) {}

    fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    fn u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    /// Variable Byte Integer (§1.5.5).
    fn varint(&mut self, value: usize) {
        let (bytes, length) = varint::write(value);
        self.put(bytes.get(..length).unwrap_or_default());
    }

    /// Binary Data (§1.5.6); what is above 65,535 bytes cannot be written and is cut.
    fn binary(&mut self, bytes: &[u8]) {
        let kept = bytes.get(..bytes.len().min(MAXIMUM_STRING_LENGTH)).unwrap_or(bytes);
        self.u16(u16::try_from(kept.len()).unwrap_or(u16::MAX));
        self.put(kept);
    }

    /// UTF-8 Encoded String (§1.5.4); cut before the first character that does not fit into 65,535 bytes.
    fn string(&mut self, text: &str) {
        let end = text.floor_char_boundary(MAXIMUM_STRING_LENGTH);
        self.binary(text.get(..end).unwrap_or(text).as_bytes());
    }

    /// A property list with its length in front (§2.2.2); nothing in a version without properties.
    fn properties(&mut self, version: ProtocolVersion, list: &impl PropertyList) {
        if !version.has_properties() {
            return;
        }
        // [MQTT-2.2.2-1]: an empty list is a length of zero, not nothing.
        self.varint(counted(|counter| list.write(counter)));
        list.write(self);
    }

    fn property_flag(&mut self, id: PropertyId, value: Option<bool>) {
        if let Some(value) = value {
            self.put(&[id.value(), u8::from(value)]);
        }
    }

    fn property_u8(&mut self, id: PropertyId, value: Option<u8>) {
        if let Some(value) = value {
            self.put(&[id.value(), value]);
        }
    }

    fn property_u16(&mut self, id: PropertyId, value: Option<u16>) {
        if let Some(value) = value {
            self.u8(id.value());
            self.u16(value);
        }
    }

    fn property_u32(&mut self, id: PropertyId, value: Option<u32>) {
        if let Some(value) = value {
            self.u8(id.value());
            self.u32(value);
        }
    }

    fn property_string(&mut self, id: PropertyId, value: Option<&str>) {
        if let Some(value) = value {
            self.u8(id.value());
            self.string(value);
        }
    }

    fn property_binary(&mut self, id: PropertyId, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.u8(id.value());
            self.binary(value);
        }
    }

    fn property_subscription_identifier(&mut self, identifier: SubscriptionIdentifier) {
        self.u8(PropertyId::SubscriptionIdentifier.value());
        self.varint(usize::try_from(identifier.get()).unwrap_or(usize::MAX));
    }

    fn user_properties(&mut self, list: &UserProperties) {
        for (name, value) in list.iter() {
            self.u8(PropertyId::UserProperty.value());
            self.string(name);
            self.string(value);
        }
    }
}

/// Something that writes its properties one after the other, without the length in front.
pub(crate) trait PropertyList {
    fn write<S: Sink>(&self, sink: &mut S);
}

/// A packet that writes everything behind the fixed header.
pub(crate) trait Body {
    fn write<S: Sink>(&self, version: ProtocolVersion, sink: &mut S);
}

impl Sink for BytesMut {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn expect(&mut self, bytes: usize) {
        self.reserve(bytes);
    }
}

/// Counts what `write` would append.
pub(crate) fn counted(write: impl FnOnce(&mut Counter)) -> usize {
    let mut counter = Counter(0);
    write(&mut counter);
    counter.0
}

/// A sink that keeps the number of bytes only.
pub(crate) struct Counter(usize);

impl Sink for Counter {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_that_does_not_fit_is_cut_at_a_character() {
        let text = "ü".repeat(40_000);
        let mut out = BytesMut::new();
        out.string(&text);
        assert_eq!(&out[..2], &65_534_u16.to_be_bytes());
        assert_eq!(std::str::from_utf8(&out[2..]).unwrap().chars().count(), 32_767);
        assert_eq!(counted(|counter| counter.string(&text)), out.len());
    }
}
