//! Packets written by hand, byte by byte, and what a decoder says to them.

use bytes::BytesMut;
use signet_mqtt::{DecodeError, DecodeLimits, Decoder, Packet, ProtocolVersion, ReasonCode, Role};

/// Fixed header with the right Remaining Length (below 128 bytes) in front of the parts.
pub(crate) fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut bytes = vec![first, u8::try_from(body.len()).unwrap()];
    assert!(body.len() < 128, "one byte of Remaining Length");
    bytes.extend(body);
    bytes
}

/// UTF-8 Encoded String or Binary Data.
pub(crate) fn text(value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    [&u16::try_from(value.len()).unwrap().to_be_bytes()[..], value].concat()
}

/// A decoder in the middle of a connection.
pub(crate) fn decoder(sender: Role, version: ProtocolVersion) -> Decoder {
    let mut decoder = Decoder::new(sender, DecodeLimits::default());
    decoder.set_version(version);
    decoder
}

/// The packet in `bytes`, which must be all of them.
pub(crate) fn decode(sender: Role, version: ProtocolVersion, bytes: &[u8]) -> Result<Packet, DecodeError> {
    let (packet, consumed) = decoder(sender, version).decode(bytes)?.expect("the packet is whole");
    assert_eq!(consumed, bytes.len());
    Ok(packet)
}

/// What a broker makes of bytes from an MQTT 5.0 client.
pub(crate) fn from_client(bytes: &[u8]) -> Result<Packet, DecodeError> {
    decode(Role::Client, ProtocolVersion::V5, bytes)
}

/// What a client makes of bytes from an MQTT 5.0 server.
pub(crate) fn from_server(bytes: &[u8]) -> Result<Packet, DecodeError> {
    decode(Role::Server, ProtocolVersion::V5, bytes)
}

/// Whether the refusal has this Reason Code and names this statement.
#[track_caller]
pub(crate) fn refused(result: Result<Packet, DecodeError>, reason_code: ReasonCode, statement: &str) {
    let error = result.expect_err("the packet is refused");
    assert_eq!((error.reason_code(), error.statement()), (reason_code, statement), "{error}");
}

/// Refused as a Malformed Packet by this statement.
#[track_caller]
pub(crate) fn malformed(result: Result<Packet, DecodeError>, statement: &str) {
    refused(result, ReasonCode::MalformedPacket, statement);
}

/// Refused as a Protocol Error by this statement.
#[track_caller]
pub(crate) fn protocol_error(result: Result<Packet, DecodeError>, statement: &str) {
    refused(result, ReasonCode::ProtocolError, statement);
}

/// The bytes of a packet.
pub(crate) fn encoded(packet: &Packet, version: ProtocolVersion) -> Vec<u8> {
    let mut out = BytesMut::new();
    signet_mqtt::encode(packet, version, &mut out);
    out.to_vec()
}
