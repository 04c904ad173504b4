//! TLS for Signet: the only crate that names rustls, and the only place where a certificate becomes a `VerifiedPeer`.
//!
//! What is verified, in this order, for a full handshake and for a resumed one alike: a path from the presented certificate to a trust
//! anchor of the listener, clientAuth usage, validity now, no revocation of the leaf or of an intermediate, and a device name by the
//! listener's naming rule. A refusal reaches the client as the TLS alert that names it and the operator as one [`Refusal`].
//!
//! - [`ListenerTls`] is one listener's credentials, trust and rules, loaded from files as a whole or not at all.
//! - [`TlsConnection`] is the server end of one connection: bytes in, bytes out, no socket.
//! - [`ForwardedIdentity`] judges what a trusted proxy says of a certificate.
//! - [`Connector`] is the client end, over a blocking socket; [`TlsSession`] is what it becomes for one that does not block.
//! - [`CurrentRevocations`] is the revocation index everybody reads.

mod acceptor;
mod cipher_suite;
mod client_hello;
mod client_verifier;
mod connection;
mod connector;
mod credentials;
mod date;
mod engine;
mod error;
mod explain;
mod forwarded;
mod host;
mod host_connection;
mod key_exchange;
mod key_log;
mod pem;
mod profile;
mod provider;
mod refusal;
mod rejection;
mod resumption;
mod revocations;
mod server_roots;
mod server_verifier;
mod session;
mod signature;
mod staple;
mod ticket;
mod ticket_key;
mod trust;
mod version_1;

pub use acceptor::{ClientCertificate, Ending, ListenerTls, MinimumVersion, TlsListenerConfig};
pub use connection::{Received, TlsConnection, TlsFailure};
pub use connector::{Connector, ConnectorConfig, TlsStream};
pub use credentials::Credentials;
pub use engine::{CipherSuite, cipher_suites};
pub use error::{PeerFault, TlsError};
pub use explain::{CheckResult, Explanation, ProfileExplanation};
pub use forwarded::{ForwardedFacts, ForwardedIdentity, ForwardedIdentityConfig};
pub use host::{CredentialFiles, TlsHostConfig};
pub use key_exchange::key_exchange_groups;
pub use key_log::KeyLogFile;
pub use profile::{CertificateDates, TrustProfile, TrustProfileConfig, TrustProfiles};
pub use provider::use_as_default_provider;
pub use refusal::{Check, Refusal};
pub use rejection::Unfit;
pub use revocations::CurrentRevocations;
pub use session::TlsSession;
pub use signature::CrlSignatureVerifier;
pub use trust::{AnchorRule, TrustAnchors};
