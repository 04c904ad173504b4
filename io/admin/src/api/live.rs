//! Suspended devices and live connections.

use serde::{Deserialize, Serialize};

use super::{Certificate, CrlFile, SessionsClosed};

/// A wish to suspend a device: whichever certificate it shows, it may not connect until it is resumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspend {
    /// The device's name; `tenant/name` for one of a tenant.
    pub device: String,
    /// Why, in any words, at most 256 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A device that is suspended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspendedDevice {
    /// The device's qualified name.
    pub device: String,
    /// Since when.
    pub since: String,
    /// Why, if somebody said so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Who asked.
    pub by: String,
}

/// What a suspension did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuspendReport {
    /// How the device is suspended now.
    #[serde(flatten)]
    pub suspension: SuspendedDevice,
    /// Whether it was suspended before, so that nothing was recorded now.
    pub already: bool,
    /// Sessions closed; absent when no broker runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<SessionsClosed>,
    /// Whether the inventory has a certificate of that name, or somebody of that name was connected. Devices of other authorities are suspended
    /// too, so it is no mistake by itself.
    pub known: bool,
    /// For a name that is not known: the nearest one that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
}

/// A wish to end a suspension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The device's qualified name.
    pub device: String,
}

/// A wish to take certificates off hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Device name or serial number.
    pub which: String,
}

/// What a release did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseReport {
    /// The certificates that are not revoked any more.
    pub certificates: Vec<Certificate>,
    /// The list that no longer names them; absent when it could not be signed or written, and `crl_problem` says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl: Option<CrlFile>,
    /// The release holds here, but others will not learn of it from the CRL yet: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl_problem: Option<String>,
}

/// One live connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its number, unique while the broker runs.
    pub connection: u64,
    /// Where from: address and port, or `unix`.
    pub address: String,
    /// Which listener.
    pub listener: String,
    /// What carries MQTT: `tcp`, `tls`, `ws` or `wss`.
    pub transport: String,
    /// Its Client Identifier, once CONNECT was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_identifier: Option<String>,
    /// Its user name as rules see it, if it has one, once CONNECT was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The device; absent for a client without a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The tenant in whose name space the device lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The trust profile under which its certificate was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Serial number of its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// Who issued its certificate, RFC 4514.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// SHA-256 of its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// End of its certificate's validity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
    /// When it was accepted.
    pub since: String,
}

/// Which live connections: those for which everything given here is true. Octets are hexadecimal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionQuery {
    /// Of this device: its qualified name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Of devices of this tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Verified under this trust profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// With this authority in the path: digest of its Name, then of its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// With this certificate in the path: digest of the issuer's Name, then 20 octets of serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// With this key: SHA-256 of its SubjectPublicKeyInfo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// With this Client Identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_identifier: Option<String>,
    /// Accepted by this listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// Only those with a higher number: to go on behind an earlier answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// At most so many, in the order of their numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl ConnectionQuery {
    /// Whether it means every connection.
    pub fn is_everything(&self) -> bool {
        Self { after: None, limit: None, ..self.clone() } == Self::default()
    }
}

/// A wish to close live connections. They may come back at once: nothing is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseConnections {
    /// Which ones.
    pub which: ConnectionQuery,
    /// Has to be said when `which` means every one.
    #[serde(default)]
    pub all: bool,
    /// Why, for the log and the audit record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
