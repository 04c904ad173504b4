//! Somebody who wants to be let in.

use std::fmt;

use bytestring::ByteString;
use signet_identity::Facts;
use signet_mqtt::Password;

use crate::client::{Client, Principal};
use crate::proven::{NameOrigins, ProvenNames};

/// Who a client would be, and what it shows for that. Nothing here permits anything.
#[derive(Clone)]
pub struct Applicant {
    /// Who it would be, under the names that it would have.
    pub client: Client,
    /// Whether the Client Identifier was chosen by the Server.
    pub is_assigned: bool,
    /// What is known of its names without asking anybody.
    pub names: NameOrigins,
    /// The User Name that it sent, whatever name it was given for it.
    pub claimed_username: Option<ByteString>,
    /// Its Password.
    pub password: Option<Password>,
    /// The Authentication Method that it asks for [MQTT-3.1.2-30].
    pub method: Option<ByteString>,
    /// The Authentication Data of its CONNECT.
    pub method_data: Option<bytes::Bytes>,
    /// Why it has no certificate, if it has none. A device without one has shown that it holds a pre-shared key.
    pub without_identity: Option<String>,
    /// The time, in Unix seconds.
    pub now: i64,
}

impl Applicant {
    /// What a template may look at: everything but secrets.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        Facts { now: Some(self.now), ..self.client.facts() }
    }

    /// The same without names that nobody answers for, if somebody answers for these.
    #[must_use]
    pub fn proven_facts(&self, proven: ProvenNames) -> Facts<'_> {
        let mut proven = self.names.proven.or(self.names.believed).or(proven);
        proven.client_identifier |= self.names.is_identifier_of_username && proven.username;
        let facts = self.facts();
        Facts {
            username: facts.username.filter(|_| proven.username),
            client_identifier: facts.client_identifier.filter(|_| proven.client_identifier),
            ..facts
        }
    }

    /// Whether it is a device because it holds a pre-shared key.
    #[must_use]
    pub fn is_keyed(&self) -> bool {
        matches!(self.client.principal(), Principal::Device(_)) && self.without_identity.is_some()
    }

    /// Whether it shows nothing but what every connection has.
    #[must_use]
    pub fn claims_nothing(&self) -> bool {
        self.claimed_username.is_none() && self.password.is_none() && self.method.is_none()
    }
}

impl fmt::Debug for Applicant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither password nor authentication data: secrets are never logged.
        formatter.debug_struct("Applicant").field("client", &self.client).finish_non_exhaustive()
    }
}
