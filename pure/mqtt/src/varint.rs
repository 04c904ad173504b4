//! Variable Byte Integer (§1.5.5): one to four bytes, seven bits each, low bits first.

use crate::DecodeError;

/// The highest number it can hold.
pub const MAXIMUM_VARIABLE_BYTE_INTEGER: u32 = 268_435_455;

/// The number at the start of `input` and the bytes it takes, or `None` while its last byte is missing.
pub(crate) fn read(input: &[u8]) -> Result<Option<(u32, usize)>, DecodeError> {
    let mut value = 0_u32;
    for (index, byte) in input.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            // [MQTT-1.5.5-1]: a last byte of zero means that fewer bytes would have done.
            if *byte == 0 && index > 0 {
                return Err(DecodeError::malformed(
                    "MQTT-1.5.5-1",
                    format!("variable byte integer `{value}` takes {} bytes, expected the fewest possible", index + 1),
                ));
            }
            return Ok(Some((value, index + 1)));
        }
    }
    if input.len() < 4 {
        return Ok(None);
    }
    Err(DecodeError::malformed("§1.5.5", "variable byte integer goes on after its fourth byte, expected at most four"))
}

/// The bytes that encode `value`, lowest first, and how many of the four count. Values above the maximum are cut down to it.
pub(crate) fn write(value: usize) -> ([u8; 4], usize) {
    let mut rest = u32::try_from(value).unwrap_or(u32::MAX).min(MAXIMUM_VARIABLE_BYTE_INTEGER);
    let mut bytes = [0; 4];
    let mut length = 0;
    for byte in &mut bytes {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        *byte = if rest == 0 { low & 0x7F } else { low | 0x80 };
        length += 1;
        if rest == 0 {
            break;
        }
    }
    (bytes, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: usize) -> Vec<u8> {
        let (bytes, length) = write(value);
        bytes[..length].to_vec()
    }

    /// The borders of the table in §1.5.5.
    #[test]
    fn borders_of_each_length() {
        let table: [(u32, &[u8]); 8] = [
            (0, &[0x00]),
            (127, &[0x7F]),
            (128, &[0x80, 0x01]),
            (16_383, &[0xFF, 0x7F]),
            (16_384, &[0x80, 0x80, 0x01]),
            (2_097_151, &[0xFF, 0xFF, 0x7F]),
            (2_097_152, &[0x80, 0x80, 0x80, 0x01]),
            (MAXIMUM_VARIABLE_BYTE_INTEGER, &[0xFF, 0xFF, 0xFF, 0x7F]),
        ];
        for (value, bytes) in table {
            assert_eq!(encoded(usize::try_from(value).unwrap()), bytes);
            assert_eq!(read(bytes), Ok(Some((value, bytes.len()))));
        }
    }

    /// [MQTT-1.5.5-1]
    #[test]
    fn mqtt_1_5_5_1_longer_than_needed_is_malformed() {
        for bytes in [&[0x80, 0x00][..], &[0xFF, 0x80, 0x00], &[0x81, 0x80, 0x80, 0x00]] {
            assert_eq!(read(bytes).unwrap_err().statement(), "MQTT-1.5.5-1");
        }
    }

    #[test]
    fn a_fifth_byte_is_malformed() {
        assert!(read(&[0x80, 0x80, 0x80]).unwrap().is_none());
        assert_eq!(read(&[0x80, 0x80, 0x80, 0x80]).unwrap_err().reason_code().value(), 0x81);
        assert_eq!(read(&[0xFF, 0xFF, 0xFF, 0xFF, 0x01]).unwrap_err().reason_code().value(), 0x81);
    }

    proptest::proptest! {
        #[test]
        fn written_and_read_again(value in 0..=MAXIMUM_VARIABLE_BYTE_INTEGER) {
            let bytes = encoded(usize::try_from(value).unwrap());
            proptest::prop_assert_eq!(read(&bytes), Ok(Some((value, bytes.len()))));
        }
    }
}
