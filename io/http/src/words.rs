//! What went wrong, in words for the operator.

use std::error::Error;
use std::io;

use signet_tls::TlsError;

/// An error of the HTTP library, which hides the cause behind its own words.
#[must_use]
pub fn words(error: &hyper::Error) -> String {
    let mut causes = std::iter::successors(error.source(), |cause: &&(dyn Error + 'static)| (*cause).source());
    let Some(cause) = causes.find_map(|cause| cause.downcast_ref::<io::Error>()) else {
        return if error.is_incomplete_message() { "the server closed the connection".to_owned() } else { error.to_string() };
    };
    match cause.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
        Some(refused) => tls_words(refused, ""),
        None => plain(cause),
    }
}

/// An error of the system without its number.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// Hints for the command line client are none for whoever configures a server.
pub(crate) fn tls_words(error: &TlsError, trust_key: &str) -> String {
    match error {
        TlsError::Peer { server, found, .. } if found.contains("CA that we trust") => {
            format!("TLS with `{server}`: {found}; name the file of its CA with `{trust_key}`")
        }
        TlsError::Peer { server, found, .. } => format!("TLS with `{server}`: {found}"),
        TlsError::Refused { found, .. } => found.replace("the broker", "the server"),
        other => other.to_string(),
    }
}
