//! The operator's side of Signet: issue, list, revoke, suspend, explain, look; over an owner-only unix socket when a broker runs, or straight on the ledger.
//!
//! - [`Administration`] does the work, and is the same for both ways, so that they cannot differ in what they record.
//! - [`serve`] puts it behind HTTP on a socket of mode 0600; the kernel says who is calling ([`Caller`]).
//! - [`Client`] is the other end, with the same types ([`api`]).
//!
//! The order of a revocation: durable in the ledger, then in the index every handshake reads, then live connections are closed, then the CRL is
//! signed for the outside world; only then is it reported.

mod administration;
pub mod api;
mod caller;
mod client;
mod http_api;
mod metrics;
mod server;
mod socket;
mod view;

pub use administration::{Administration, Done, Live, Settings};
pub use caller::Caller;
pub use client::{Client, ClientError};
pub use http_api::{HttpAnswer, HttpApi, HttpRequest, serve_http_api};
pub use metrics::{MetricsSocket, MetricsSource};
pub use server::{Control, serve};
pub use socket::{AdminSocket, SocketError};
pub use view::date;
