//! What a listener asks of a CONNECT before any session exists.

use std::sync::Arc;

use signet_identity::{ClientIdentifierBinding, Template};

use crate::bridge::BridgeClient;
use crate::chain::Chain;
use crate::proven::ProvenNames;

/// One listener's rules for who may connect, and under which names.
#[derive(Debug, Clone)]
pub struct AdmissionRules {
    /// Whether a peer without a verified certificate may connect; without meaning where there is a chain. Default: no.
    pub anonymous: bool,
    /// Who has to vouch for whoever connects. Default: nobody; a certificate is enough.
    pub chain: Option<Arc<Chain>>,
    /// Makes the user name from the certificate and overrides what the client sent. Default: the client's own.
    pub username: Option<Template>,
    /// Makes the Client Identifier from the certificate and overrides what the client sent. Default: the client's own.
    pub client_identifier: Option<Template>,
    /// How the Client Identifier that the client claims must relate to its certificate. Default: any.
    pub binding: ClientIdentifierBinding,
    /// Names that rules look at although nobody answers for them but the client. Default: none.
    pub believed: ProvenNames,
    /// What stands before every topic of the clients ([`crate::Mount`]). Default: nothing.
    pub mount_point: Option<Arc<str>>,
    /// Every connection is that of this bridge: set for the connections that the Server makes to itself, never for a socket that
    /// somebody else can open. Default: none.
    pub bridge: Option<BridgeClient>,
}

impl Default for AdmissionRules {
    fn default() -> Self {
        Self {
            anonymous: false,
            chain: None,
            username: None,
            client_identifier: None,
            binding: ClientIdentifierBinding::Any,
            believed: ProvenNames::default(),
            mount_point: None,
            bridge: None,
        }
    }
}
