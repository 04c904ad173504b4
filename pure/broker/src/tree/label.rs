//! The levels that a node of the tree stands for, in place if they are short: most are, and an allocation costs as much as the text.

/// What fits in place. A label is as large as that makes it, and so are many millions of nodes.
const SHORT: usize = 22;

/// One or more levels with the slashes between them.
#[derive(Debug)]
pub(super) enum Label {
    /// The first octets count.
    Short {
        length: u8,
        octets: [u8; SHORT],
    },
    Long(Box<[u8]>),
}

impl Label {
    pub(super) fn new(text: &[u8]) -> Self {
        let mut octets = [0; SHORT];
        match (octets.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text);
                Self::Short { length, octets }
            }
            _ => Self::Long(text.into()),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Short { length, octets } => octets.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(text) => text,
        }
    }

    /// Whether the first level is a wildcard: no other level has one of these characters.
    pub(super) fn is_wildcard(&self) -> bool {
        matches!(self.bytes().first(), Some(b'+' | b'#'))
    }
}

/// The level that a text begins with.
pub(super) fn first_level(text: &[u8]) -> &[u8] {
    text.iter().position(|octet| *octet == b'/').and_then(|end| text.get(..end)).unwrap_or(text)
}
