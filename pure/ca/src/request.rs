//! The checked inputs of one issuance.

use signet_identity::DeviceName;

use crate::profile::{Profile, ProfileKind, VALIDITY_SECONDS_MIN};
use crate::server_name::ServerName;
use crate::subject_key::SubjectKey;

/// The most names a server certificate may carry; every handshake sends them all.
const SERVER_NAMES_MAX: usize = 100;

/// A wish for one certificate: for whom, for which public key, asked by whom.
#[derive(Debug, Clone)]
pub struct IssuanceRequest {
    pub(crate) profile: Profile,
    pub(crate) names: Names,
    pub(crate) key: SubjectKey,
    pub(crate) requested_by: String,
}

/// For whom a certificate is.
#[derive(Debug, Clone)]
pub(crate) enum Names {
    Device(DeviceName),
    /// Never empty.
    Server(Vec<ServerName>),
}

impl IssuanceRequest {
    /// A device certificate. `requested_by` is recorded as it is, such as `cli:alice`.
    #[must_use]
    pub fn device(name: DeviceName, key: SubjectKey, requested_by: impl Into<String>) -> Self {
        Self { profile: Profile::device(), names: Names::Device(name), key, requested_by: requested_by.into() }
    }

    /// A server certificate; the first name is also its common name.
    ///
    /// # Errors
    /// [`RequestError::NoServerName`], [`RequestError::TooManyServerNames`].
    pub fn server(names: Vec<ServerName>, key: SubjectKey, requested_by: impl Into<String>) -> Result<Self, RequestError> {
        if names.is_empty() {
            return Err(RequestError::NoServerName);
        }
        if names.len() > SERVER_NAMES_MAX {
            return Err(RequestError::TooManyServerNames { found: names.len() });
        }
        Ok(Self { profile: Profile::server(), names: Names::Server(names), key, requested_by: requested_by.into() })
    }

    /// Asks for another validity than the profile's, in seconds from the moment of issuance. The issuer's own end of validity still bounds it.
    ///
    /// # Errors
    /// [`RequestError::ValidityTooShort`].
    pub fn with_validity(mut self, seconds: i64) -> Result<Self, RequestError> {
        if seconds < VALIDITY_SECONDS_MIN {
            return Err(RequestError::ValidityTooShort { seconds });
        }
        self.profile.validity_seconds = seconds;
        Ok(self)
    }

    /// What the certificate is for.
    #[must_use]
    pub const fn kind(&self) -> ProfileKind {
        self.profile.kind
    }

    /// The name under which the ledger files the certificate.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.names {
            Names::Device(name) => name.as_str().to_owned(),
            Names::Server(names) => names.first().map_or_else(String::new, ToString::to_string),
        }
    }
}

/// A wish that makes no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// A server certificate without a name.
    #[error("a server certificate needs at least one DNS name or IP address: name what clients connect to")]
    NoServerName,
    /// A server certificate with too many names.
    #[error("{found} server names: at most {SERVER_NAMES_MAX} fit into one certificate; issue several")]
    TooManyServerNames {
        /// How many there were.
        found: usize,
    },
    /// Less than a minute.
    #[error("a validity of {seconds} s is too short: use at least {VALIDITY_SECONDS_MIN} s")]
    ValidityTooShort {
        /// What was asked for.
        seconds: i64,
    },
}
