//! The order of properties in a PUBLISH that was decoded already: what decodes it keeps them by name.

use signet_mqtt::ProtocolVersion;

/// Identifiers of the properties in this packet, in order. The packet was found to be well-formed; were it not, the list would end early.
pub(crate) fn of_publish(packet: &[u8], version: ProtocolVersion) -> Vec<u8> {
    let mut order = Vec::new();
    if version == ProtocolVersion::V5 {
        let _ = walk(packet, &mut order);
    }
    order
}

fn walk(packet: &[u8], order: &mut Vec<u8>) -> Option<()> {
    let (first, rest) = packet.split_first()?;
    let (_, rest) = varint(rest)?;
    let (_, rest) = string(rest)?;
    let has_packet_id = first & 0b0110 != 0;
    let rest = if has_packet_id { rest.get(2..)? } else { rest };
    let (length, rest) = varint(rest)?;
    let mut list = rest.get(..length)?;
    while let Some((id, rest)) = list.split_first() {
        order.push(*id);
        list = match id {
            0x01 => rest.get(1..)?,
            0x02 => rest.get(4..)?,
            0x23 => rest.get(2..)?,
            0x0B => varint(rest)?.1,
            0x26 => string(string(rest)?.1)?.1,
            _ => string(rest)?.1,
        };
    }
    Some(())
}

/// A Variable Byte Integer (§1.5.5).
fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        number |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((number, bytes.get(index + 1..)?));
        }
    }
    None
}

/// Anything behind its two-byte length.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    Some((rest.get(..length)?, rest.get(length..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_wire() {
        let properties = [
            &[0x26, 0, 1, b'a', 0, 1, b'b'][..],
            &[0x03, 0, 1, b'x'],
            &[0x0B, 0x80, 0x01],
            &[0x02, 0, 0, 0, 9],
            &[0x26, 0, 0, 0, 0],
            &[0x01, 1],
            &[0x23, 0, 1],
            &[0x09, 0, 2, 0, 0],
        ]
        .concat();
        let mut packet = vec![0x32, u8::try_from(properties.len() + 7).unwrap(), 0, 1, b't', 0, 9, u8::try_from(properties.len()).unwrap()];
        packet.extend(&properties);
        packet.extend(b"payload");
        assert_eq!(of_publish(&packet, ProtocolVersion::V5), [0x26, 0x03, 0x0B, 0x02, 0x26, 0x01, 0x23, 0x09]);
        assert!(of_publish(&packet, ProtocolVersion::V311).is_empty());
        for end in 0..packet.len() {
            of_publish(&packet[..end], ProtocolVersion::V5);
        }
    }
}
