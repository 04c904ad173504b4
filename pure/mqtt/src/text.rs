//! Text and secrets as packets carry them (§1.5.4, §1.5.6, §1.5.7): UTF-8 Encoded Strings, String Pairs, Binary Data.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;

/// The bound of a UTF-8 Encoded String or of Binary Data in bytes: its length is a Two Byte Integer (§1.5.4, §1.5.6).
pub const MAXIMUM_STRING_LENGTH: usize = 65_535;

/// Client Identifier (§3.1.3.1). May be empty: then the Server assigns one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientIdentifier(ByteString);

impl ClientIdentifier {
    /// Takes the text as it is. A decoded one holds no U+0000 and at most 65,535 bytes.
    #[must_use]
    pub fn new(text: impl Into<ByteString>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the Server has to assign one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for ClientIdentifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Password of a CONNECT (§3.1.3.6): Binary Data that never shows in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Bytes);

impl Password {
    /// Takes the secret as it is; a packet carries at most 65,535 bytes of it.
    #[must_use]
    pub fn new(secret: impl Into<Bytes>) -> Self {
        Self(secret.into())
    }

    /// The secret. The name is long on purpose: every use is easy to find.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(redacted)")
    }
}

/// Whether any of these bytes is there. Looks at all of them, many at a time, which is quicker than to stop at the first: texts are short, and it is hardly ever there.
pub(crate) fn has_any<const N: usize>(bytes: &[u8], wanted: [u8; N]) -> bool {
    bytes.iter().fold(false, |found, byte| found | wanted.contains(byte))
}

/// User Properties in the order they were sent; names may repeat, and the order is kept [MQTT-3.1.3-10], [MQTT-3.3.2-18].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserProperties(pub Vec<(ByteString, ByteString)>);

impl UserProperties {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are, repeated names included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}
