//! Why there is no measurement at all. What goes wrong while one runs is in its report.

use std::io;

/// A load that could not begin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The name has no address.
    #[error("cannot resolve the host name `{host}`: {}", words(source))]
    Resolve {
        /// As it was given.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody answers there.
    #[error("cannot connect to {broker}: {}", words(source))]
    Unreachable {
        /// Host and port.
        broker: String,
        /// What the system said.
        source: io::Error,
    },
    /// The settings contradict each other.
    #[error("{0}")]
    Setting(String),
    /// TLS cannot be used as it was asked for.
    #[error(transparent)]
    Tls(#[from] signet_tls::TlsError),
    /// There is no such process, or nobody may look at it.
    #[error("there is no process {0}, or it may not be looked at")]
    NoProcess(u32),
    /// The system gives no epoll, timer or the like.
    #[error("the system does not let us wait for sockets: {}", words(.0))]
    System(#[from] io::Error),
}

/// An error of the system in one line, without its number and without a hint.
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.lines().next().unwrap_or_default().split(" (os error").next().unwrap_or_default();
    let mut characters = text.chars();
    match (characters.next(), characters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(characters).collect(),
        _ => text.to_owned(),
    }
}
