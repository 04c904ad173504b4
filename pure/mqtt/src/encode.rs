//! Encoder: size first, then one reservation, then bytes.

use bytes::BytesMut;

use crate::packet::Packet;
use crate::{Message, ProtocolVersion, PublishHeader};

/// Appends the packet to `out`. Fields that the version lacks are left out; nothing is appended for a packet that the version lacks
/// (AUTH in MQTT 3.1.1). Strings above 65,535 bytes cannot be written and are cut. The caller sees to it that [`encoded_len`] is at
/// most 268,435,460.
pub fn encode(packet: &Packet, version: ProtocolVersion, out: &mut BytesMut) {
    let _ = (packet, version, out);
    todo!()
}

/// The bytes that [`encode`] appends.
#[must_use]
pub fn encoded_len(packet: &Packet, version: ProtocolVersion) -> usize {
    let _ = (packet, version);
    todo!()
}

/// Appends the PUBLISH that delivers `message` with `header`: the fan-out path, which copies nothing but the bytes it writes.
pub fn encode_publish(
    message: &Message,
    header: &PublishHeader<'_>,
    version: ProtocolVersion,
    out: &mut BytesMut,
) {
    let _ = (message, header, version, out);
    todo!()
}

/// The bytes that [`encode_publish`] appends.
#[must_use]
pub fn publish_len(
    message: &Message,
    header: &PublishHeader<'_>,
    version: ProtocolVersion,
) -> usize {
    let _ = (message, header, version);
    todo!()
}
