//! HTTP/1.1 as this program needs it when it is the client: addresses, a connection that is plain or TLS, answers with bounds, and a client that
//! keeps connections open.
//!
//! - [`Url`] is an address with nothing hidden in it.
//! - [`Stream`] is a connection to one. TLS is verified; there is no way to turn that off.
//! - [`HttpClient`] asks one server again and again.
//! - [`body()`] reads an answer up to a limit.
//!
//! Deliberately missing: redirects (where something comes from is for the operator to say), proxies, compression, cookies, HTTP/2.

mod body;
mod client;
mod roots;
mod stream;
mod url;
mod words;

pub use body::{BodyBounds, body};
pub use client::{Answer, HttpClient, HttpClientConfig, Question};
pub use roots::connector;
pub use stream::{Https, Stream};
pub use url::{MAXIMUM_URL_BYTES, Url, UrlError};
pub use words::words;
