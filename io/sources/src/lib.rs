//! Where revocation knowledge comes from.

mod clock;
mod http;
mod roots;
mod schedule;
mod stream;
mod url;

pub use url::{MAXIMUM_URL_BYTES, Url, UrlError};
