//! Whose session it is: everything rules look at, so that they decide after a restart as before.

use std::sync::Arc;

use signet_identity::{CertificateId, DeviceIdentity, DeviceName, KeyDigest, Leaf, PathCertificate};
use signet_mqtt::ClientIdentifier;
use signet_policy::{Client, Principal, ProvenNames};

use super::RecordError;
use super::cursor::{Cursor, put_bytes, put_varint};

const ANONYMOUS: u8 = 0;
const DEVICE: u8 = 1;
const BRIDGE: u8 = 2;
const USER: u8 = 3;
const UNNAMED: u8 = 4;

/// Bits of one octet. In records of before nobody has asked who answers for a name: rules look at both.
const HAS_USERNAME: u8 = 1;
const USERNAME_IS_CLAIMED: u8 = 2;
const CLIENT_IDENTIFIER_IS_CLAIMED: u8 = 4;

const NO_IDENTITY: u8 = 0;
// 1 was the form without keys, profile and tenant, of builds before any release.
const IDENTITY: u8 = 2;

/// Principal, user name, Client Identifier, and of the identity the certificate itself and the ids of its path.
pub(crate) fn put_client(out: &mut Vec<u8>, client: &Client) {
    match client.principal() {
        Principal::Anonymous => out.push(ANONYMOUS),
        Principal::Unnamed => out.push(UNNAMED),
        Principal::Device(name) => {
            out.push(DEVICE);
            put_bytes(out, name.as_str().as_bytes());
        }
        Principal::User(name) => {
            out.push(USER);
            put_bytes(out, name.as_bytes());
        }
        Principal::Bridge(name) => {
            out.push(BRIDGE);
            put_bytes(out, name.as_bytes());
        }
    }
    let bit = |bit: u8, is_set: bool| if is_set { bit } else { 0 };
    out.push(
        bit(HAS_USERNAME, client.username().is_some())
            | bit(USERNAME_IS_CLAIMED, !client.proven().username)
            | bit(CLIENT_IDENTIFIER_IS_CLAIMED, !client.proven().client_identifier),
    );
    if let Some(username) = client.username() {
        put_bytes(out, username.as_bytes());
    }
    put_bytes(out, client.client_identifier().as_str().as_bytes());
    out.push(if client.identity().is_some() { IDENTITY } else { NO_IDENTITY });
    if let Some(identity) = client.identity() {
        put_bytes(out, identity.name().as_str().as_bytes());
        put_bytes(out, identity.leaf().der());
        // The first is the leaf's own, whose id is in the leaf.
        put_varint(out, u64::try_from(identity.path().len()).unwrap_or(u64::MAX));
        for (position, certificate) in identity.path().iter().enumerate() {
            if position > 0 {
                out.extend_from_slice(&certificate.id.to_bytes());
            }
            out.extend_from_slice(certificate.issuer_key.as_bytes());
        }
        put_bytes(out, identity.profile().as_bytes());
        put_bytes(out, identity.tenant().map_or("", |tenant| tenant).as_bytes());
    }
}

/// Reads what [`put_client`] wrote.
pub(crate) fn read_client(bytes: &[u8]) -> Result<Client, RecordError> {
    let mut cursor = Cursor(bytes);
    let principal = match cursor.u8()? {
        ANONYMOUS => Principal::Anonymous,
        UNNAMED => Principal::Unnamed,
        DEVICE => Principal::Device(device_name(cursor.text()?)?.into()),
        BRIDGE => Principal::Bridge(cursor.byte_string()?),
        USER => Principal::User(cursor.byte_string()?),
        _ => return Err(RecordError::Malformed("principal")),
    };
    let names = cursor.u8()?;
    if names > HAS_USERNAME | USERNAME_IS_CLAIMED | CLIENT_IDENTIFIER_IS_CLAIMED {
        return Err(RecordError::Malformed("names"));
    }
    let proven = ProvenNames { username: names & USERNAME_IS_CLAIMED == 0, client_identifier: names & CLIENT_IDENTIFIER_IS_CLAIMED == 0 };
    let username = if names & HAS_USERNAME == 0 { None } else { Some(cursor.byte_string()?) };
    let client_identifier = ClientIdentifier::new(cursor.byte_string()?);
    let identity = match cursor.u8()? {
        NO_IDENTITY => None,
        IDENTITY => Some(Arc::new(read_identity(&mut cursor)?)),
        _ => return Err(RecordError::Malformed("flag")),
    };
    cursor.end()?;
    Ok(Client::restored(principal, username, client_identifier, identity).with_proven(proven))
}

fn read_identity(cursor: &mut Cursor<'_>) -> Result<DeviceIdentity, RecordError> {
    let name = device_name(cursor.text()?)?;
    let leaf = Leaf::parse(cursor.bytes()?).map_err(|_| RecordError::Malformed("certificate"))?;
    let above = cursor.varint()?.checked_sub(1).ok_or(RecordError::Malformed("path"))?;
    let issuer_key = KeyDigest::from_bytes(cursor.array()?);
    let mut intermediates = Vec::new();
    for _ in 0..above {
        let bytes: [u8; 52] = cursor.array()?;
        let id = CertificateId::from_bytes(&bytes).ok_or(RecordError::Malformed("certificate id"))?;
        intermediates.push(PathCertificate { id, issuer_key: KeyDigest::from_bytes(cursor.array()?) });
    }
    let profile = cursor.text()?.into();
    let tenant = Some(cursor.text()?).filter(|tenant| !tenant.is_empty()).map(Arc::from);
    Ok(DeviceIdentity::new(name, leaf, issuer_key, intermediates).under(profile, tenant))
}

fn device_name(text: &str) -> Result<DeviceName, RecordError> {
    DeviceName::new(text).map_err(|_| RecordError::Malformed("name of a device"))
}
