//! Packets byte by byte, for what no encoder would write.

use signet_mqtt::ProtocolVersion;
use signet_testkit::{Device, Target};

/// Fixed header and body; the body is shorter than 16 KiB.
pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match body.len() {
        length @ 0..128 => bytes.push(u8::try_from(length).unwrap()),
        length => bytes.extend([u8::try_from(length % 128).unwrap() | 0x80, u8::try_from(length / 128).unwrap()]),
    }
    bytes.extend_from_slice(body);
    bytes
}

/// A UTF-8 Encoded String or Binary Data.
pub(crate) fn text(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let mut out = u16::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    out.extend_from_slice(bytes);
    out
}

/// Joined parts.
pub(crate) fn body(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// A CONNECT with these Connect Flags and this payload behind the (empty) properties; Keep Alive 0.
pub(crate) fn connect(version: ProtocolVersion, flags: u8, payload: &[&[u8]]) -> Vec<u8> {
    connect_with_properties(version, flags, &[], payload)
}

/// The same with properties, which only MQTT 5.0 has.
pub(crate) fn connect_with_properties(version: ProtocolVersion, flags: u8, properties: &[u8], payload: &[&[u8]]) -> Vec<u8> {
    let mut bytes = text(version.name());
    bytes.extend([version.level(), flags, 0, 0]);
    if version == ProtocolVersion::V5 {
        bytes.push(u8::try_from(properties.len()).unwrap());
        bytes.extend_from_slice(properties);
    }
    bytes.extend(payload.concat());
    packet(0x10, &bytes)
}

/// The empty property list where the version has one.
pub(crate) fn no_properties(version: ProtocolVersion) -> &'static [u8] {
    match version {
        ProtocolVersion::V5 => &[0],
        _ => &[],
    }
}

/// A connection on which these bytes were sent first.
pub(crate) fn opened_with(target: &Target, version: ProtocolVersion, bytes: &[u8]) -> Device {
    let mut device = Device::open(target, version);
    device.send_raw(bytes);
    device
}
