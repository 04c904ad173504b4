//! What every front end of Signet shares between accept and close: listening sockets, the clock, and the registry of live connections.
//!
//! The registry is what makes a revocation reach connections that are already open. Its rule: register a connection first, then judge it by
//! what is in force, once more. A revoke does the opposite order (index first, then registry), so whichever comes first, the other sees it.

mod address;
mod clock;
mod confirmation;
mod interface;
mod listener;
mod network;
mod proxy_protocol;
mod registry;
mod status_inquiry;
mod unix_socket;
pub mod websocket;

pub use address::{ListenAddress, ParseListenAddressError, PeerAddress, UnixPeer};
pub use clock::{Clock, unix_milliseconds, unix_seconds};
pub use confirmation::Confirmation;
pub use listener::{BindRules, ListenError, ListenSocket, bind};
pub use network::{ParseSourceError, Source};
pub use proxy_protocol::{
    ForwardedCertificate, ForwardedTls, MAXIMUM_HEADER, ProxyError, ProxyHeader, ProxyVersions, is_proxy_header, read_proxy_header,
};
pub use registry::{
    CloneCounts, CloneEvidence, ClonePolicy, CloneRules, CloneVerdict, ConnectionInfo, Credential, Entry, Kick, KickCause, KickReport,
    KickTarget, LinkId, ReconcileReport, Registry, Selector, Transport,
};
pub use status_inquiry::StatusInquiry;
pub use unix_socket::UnixListening;
