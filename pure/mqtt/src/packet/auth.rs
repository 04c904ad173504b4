//! AUTH (§3.15): one step of an enhanced authentication; MQTT 5.0 only.

use bytes::Bytes;
use bytestring::ByteString;

use crate::{ReasonCode, UserProperties};

/// Authentication exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Auth {
    /// Success, Continue authentication or Re-authenticate.
    pub reason_code: ReasonCode,
    /// `None` only in the short form, which carries the Reason Code Success and no properties.
    pub authentication_method: Option<ByteString>,
    /// Meaning depends on the method. Treat as a secret.
    pub authentication_data: Option<Bytes>,
    /// For people.
    pub reason_string: Option<ByteString>,
    /// In order.
    pub user_properties: UserProperties,
}
