//! Encoder: size first, then one reservation, then bytes.

use bytes::BytesMut;

use crate::fixed_header::first_byte;
use crate::packet::{Packet, PublishView};
use crate::writer::{Body, Sink, counted};
use crate::{Message, PacketType, ProtocolVersion, PublishHeader};

/// One byte of type and flags, and at most four of Remaining Length (§2.1).
const FIXED_HEADER_MAXIMUM: usize = 5;

/// Appends the packet to `out`. Fields that the version lacks are left out; nothing is appended for a packet that the version lacks
/// (AUTH before MQTT 5.0). A CONNECT is written in its own version. Strings above 65,535 bytes cannot be written and are cut. The caller
/// sees to it that [`encoded_len`] is at most 268,435,460, that a PUBLISH above QoS 0 has a Packet Identifier, and that one without a
/// Topic Name has a Topic Alias.
pub fn encode(packet: &Packet, version: ProtocolVersion, out: &mut BytesMut) {
    write(packet, version, out);
}

/// The bytes that [`encode`] appends.
#[must_use]
pub fn encoded_len(packet: &Packet, version: ProtocolVersion) -> usize {
    counted(|counter| write(packet, version, counter))
}

/// Appends the PUBLISH that delivers `message` with `header`: the fan-out path, which copies nothing but the bytes it writes.
pub fn encode_publish(message: &Message, header: &PublishHeader<'_>, version: ProtocolVersion, out: &mut BytesMut) {
    let view = PublishView::of_message(message, header, version);
    write_publish(&view, version, out);
}

/// The bytes that [`encode_publish`] appends.
#[must_use]
pub fn publish_len(message: &Message, header: &PublishHeader<'_>, version: ProtocolVersion) -> usize {
    let view = PublishView::of_message(message, header, version);
    counted(|counter| write_publish(&view, version, counter))
}

fn write<S: Sink>(packet: &Packet, version: ProtocolVersion, sink: &mut S) {
    let first = first_byte(packet.packet_type());
    match packet {
        Packet::Connect(connect) => write_packet(first, &**connect, version, sink),
        Packet::Connack(connack) => write_packet(first, &**connack, version, sink),
        Packet::Publish(publish) => write_publish(&publish.into(), version, sink),
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => write_packet(first, ack, version, sink),
        Packet::Subscribe(subscribe) => write_packet(first, subscribe, version, sink),
        Packet::Suback(suback) => write_packet(first, suback, version, sink),
        Packet::Unsubscribe(unsubscribe) => write_packet(first, unsubscribe, version, sink),
        Packet::Unsuback(unsuback) => write_packet(first, unsuback, version, sink),
        Packet::Pingreq | Packet::Pingresp => sink.put(&[first, 0]),
        Packet::Disconnect(disconnect) => write_packet(first, &**disconnect, version, sink),
        Packet::Auth(auth) if version.has_properties() => write_packet(first, &**auth, version, sink),
        Packet::Auth(_) => {}
    }
}

fn write_publish<S: Sink>(view: &PublishView<'_>, version: ProtocolVersion, sink: &mut S) {
    write_packet(first_byte(PacketType::Publish) | view.flags(), view, version, sink);
}

fn write_packet<S: Sink>(first: u8, body: &impl Body, version: ProtocolVersion, sink: &mut S) {
    let remaining = counted(|counter| body.write(version, counter));
    sink.expect(FIXED_HEADER_MAXIMUM + remaining);
    sink.u8(first);
    sink.varint(remaining);
    body.write(version, sink);
}
