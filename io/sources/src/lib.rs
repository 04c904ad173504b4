//! Where revocation knowledge comes from: CRL files, CRLs by address and by the certificates' distribution points, delta CRLs, OCSP
//! responders. Everything is fetched in the background and put into the index of `signet-tls`; no handshake waits for a socket once its
//! answer is known.
//!
//! [`Sources::start`] reads files and the last good copies, then fetches. [`Sources::replace`] takes over another configuration, all or
//! nothing. [`Sources::ask`] finds out about one device. [`Sources::report`] tells how every source fares.
//!
//! What goes wrong changes nothing that is known: a list or answer stays in force until a newer one replaces it, or until its source is
//! named no more. How long an overdue one counts is for the judgement in `signet-revocation` to say.
//!
//! Deliberately missing: judging, live connections (they are told through [`Changes`]), LDAP, redirects.

mod apply;
mod asking;
mod changes;
mod check;
mod clock;
mod config;
mod copies;
mod error;
mod fetching;
mod files;
mod freshest;
mod http;
mod ocsp;
mod profile;
mod renewals;
mod report;
mod schedule;
mod shared;
mod source;
mod sources;
mod staple;

pub use asking::Done;
pub use changes::{Changes, ListChange};
pub use check::read_file;
pub use config::{Nonce, Ocsp, ProfileSources, SourceLimits, SourcesConfig};
pub use error::SourceError;
pub use report::{Attempts, ListFacts, SourceKind, SourceReport, SourceState};
pub use signet_http::{MAXIMUM_URL_BYTES, Url, UrlError};
pub use sources::Sources;
pub use staple::{Staple, StapleConfig, Stapled};
