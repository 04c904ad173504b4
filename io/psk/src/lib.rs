//! TLS with pre-shared keys: the only crate that names OpenSSL, because rustls has no keys of this kind.
//!
//! A device and the server share a key under a name, the identity (RFC 4279 for TLS 1.2, RFC 8446 §2.2 for TLS 1.3). Whoever completes the
//! handshake holds the key, so it is the device of that name. The identity comes in clear before the key is used: it is read here
//! (`peek.rs`), the key is looked up without the thread waiting for it (`lookup.rs`), and only then the library gets to see the octets.
//!
//! Whether an identity is unknown or its key is another one cannot be told from outside: for an unknown one the handshake goes on with a random
//! key, as RFC 4279 §2 allows, and fails as it does for a wrong one.
//!
//! - [`PskListener`] is one listener's keys and rules.
//! - [`PskConnection`] is the server end of one connection: bytes in, bytes out, no socket.
//! - [`PskLookup`] is whoever is asked for a key.
//! - [`PskFile`] is a file of keys.
//! - [`PskConnector`] is the client end, over a blocking socket.
//!
//! Without the feature `openssl` no listener can be made; everything else is there.

#[cfg(not(feature = "openssl"))]
#[path = "absent.rs"]
mod engine;
#[cfg(feature = "openssl")]
mod engine;

mod connection;
mod connector;
mod file;
mod hello;
mod key;
mod listener;
mod lookup;
mod peek;
mod slot;

pub use connection::{PskConnection, PskReceived};
pub use connector::{PskConnector, PskSettings, PskStream};
pub use file::{PskEncoding, PskFile, PskFileConfig, PskLines};
pub use key::{Psk, PskError};
pub use listener::{PskConfig, PskEnding, PskListener, is_available};
pub use lookup::{PskAnswer, PskDone, PskLookup, PskQuestion};
pub use signet_identity::DeviceName;
