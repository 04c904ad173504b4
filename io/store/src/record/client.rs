//! Whose session it is: everything rules look at, so that they decide after a restart as before.

use std::sync::Arc;

use signet_identity::{CertificateId, DeviceIdentity, DeviceName, Leaf};
use signet_mqtt::ClientIdentifier;
use signet_policy::{Client, Principal};

use super::RecordError;
use super::cursor::{Cursor, put_bytes, put_varint};

const ANONYMOUS: u8 = 0;
const DEVICE: u8 = 1;
const BRIDGE: u8 = 2;

/// Principal, user name, Client Identifier, and of the identity the certificate itself and the ids of its path.
pub(crate) fn put_client(out: &mut Vec<u8>, client: &Client) {
    match client.principal() {
        Principal::Anonymous => out.push(ANONYMOUS),
        Principal::Device(name) => {
            out.push(DEVICE);
            put_bytes(out, name.as_str().as_bytes());
        }
        Principal::Bridge(name) => {
            out.push(BRIDGE);
            put_bytes(out, name.as_bytes());
        }
    }
    out.push(u8::from(client.username().is_some()));
    if let Some(username) = client.username() {
        put_bytes(out, username.as_bytes());
    }
    put_bytes(out, client.client_identifier().as_str().as_bytes());
    out.push(u8::from(client.identity().is_some()));
    if let Some(identity) = client.identity() {
        put_bytes(out, identity.name().as_str().as_bytes());
        put_bytes(out, identity.leaf().der());
        // The first is the leaf's own.
        let intermediates = identity.path().get(1..).unwrap_or_default();
        put_varint(out, u64::try_from(intermediates.len()).unwrap_or(u64::MAX));
        for certificate in intermediates {
            out.extend_from_slice(&certificate.to_bytes());
        }
    }
}

/// Reads what [`put_client`] wrote.
pub(crate) fn read_client(bytes: &[u8]) -> Result<Client, RecordError> {
    let mut cursor = Cursor(bytes);
    let principal = match cursor.u8()? {
        ANONYMOUS => Principal::Anonymous,
        DEVICE => Principal::Device(device_name(cursor.text()?)?),
        BRIDGE => Principal::Bridge(cursor.byte_string()?),
        _ => return Err(RecordError::Malformed("principal")),
    };
    let username = if flag(&mut cursor)? { Some(cursor.byte_string()?) } else { None };
    let client_identifier = ClientIdentifier::new(cursor.byte_string()?);
    let identity = if flag(&mut cursor)? { Some(Arc::new(read_identity(&mut cursor)?)) } else { None };
    cursor.end()?;
    Ok(Client::restored(principal, username, client_identifier, identity))
}

fn read_identity(cursor: &mut Cursor<'_>) -> Result<DeviceIdentity, RecordError> {
    let name = device_name(cursor.text()?)?;
    let leaf = Leaf::parse(cursor.bytes()?).map_err(|_| RecordError::Malformed("certificate"))?;
    let mut intermediates = Vec::new();
    for _ in 0..cursor.varint()? {
        let bytes: [u8; 52] = cursor.array()?;
        intermediates.push(CertificateId::from_bytes(&bytes).ok_or(RecordError::Malformed("certificate id"))?);
    }
    Ok(DeviceIdentity::new(name, leaf, intermediates))
}

fn device_name(text: &str) -> Result<DeviceName, RecordError> {
    DeviceName::new(text).map_err(|_| RecordError::Malformed("name of a device"))
}

fn flag(cursor: &mut Cursor<'_>) -> Result<bool, RecordError> {
    match cursor.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(RecordError::Malformed("flag")),
    }
}
