//! Log lines as Mosquitto 2.1.2 words them, so that what reads its log goes on reading ours.
//!
//! What happened has a name and fields; [`lines`] makes the text of it. One thing can be several lines: a client that is refused in the TLS handshake is
//! one of OpenSSL, one of the connection, and one of ours with the facts of its certificate.

mod kind;
mod refused;
mod words;

pub use kind::{Kind, Kinds};
pub use words::{LINE_LENGTH, Line, lines, plain, shortened};

/// What is known about something that happened.
pub trait Fields {
    /// The value of a field as it is written into a line; truth values are `0` and `1`.
    fn field(&self, name: &str) -> Option<&str>;
}

#[cfg(test)]
mod tests;
