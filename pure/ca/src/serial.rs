//! Serial numbers: positive, at most 20 octets, unpredictable (RFC 5280 §4.1.2.2).

/// 20 bytes from the caller's source of randomness; used for one serial number.
///
/// Not `Clone`: a serial number is drawn once.
pub struct SerialEntropy([u8; 20]);

impl SerialEntropy {
    /// Wraps bytes that must come from a cryptographic source.
    #[must_use]
    pub const fn new(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The serial number: 158 random bits behind `01`, so that it is positive and always 20 octets long, whatever was drawn.
    pub(crate) fn into_octets(self) -> [u8; 20] {
        let mut octets = self.0;
        if let Some(first) = octets.first_mut() {
            *first = (*first & 0x3f) | 0x40;
        }
        octets
    }
}
