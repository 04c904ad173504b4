//! Who vouches for https servers: a file, else the bundle of the system.

use std::path::PathBuf;

use signet_tls::{Connector, ConnectorConfig};

/// Where distributions keep their bundle: Debian and Alpine, Fedora, openSUSE, OpenBSD and macOS.
const BUNDLES: [&str; 4] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"];

/// A client for https. With CA files a problem is an error; without, the bundle of the system counts, and a system that has no usable one gives `None`:
/// only the use of an https address fails then.
///
/// # Errors
/// In words: a file cannot be read, holds no certificate, or the key is not the certificate's.
pub fn connector(config: &ConnectorConfig) -> Result<Option<Connector>, String> {
    let load = |config: &ConnectorConfig| Connector::new(config).map_err(|error| error.to_string());
    if !config.ca_files.is_empty() {
        return load(config).map(Some);
    }
    let mut failure = None;
    for path in BUNDLES.iter().map(PathBuf::from).filter(|path| path.exists()) {
        match load(&ConnectorConfig { ca_files: vec![path], ..config.clone() }) {
            Ok(connector) => return Ok(Some(connector)),
            Err(error) => failure = Some(error),
        }
    }
    // What is wrong with a bundle nobody here can mend; what is wrong with a client certificate the operator can.
    match failure {
        Some(error) if config.certificate.is_some() => Err(error),
        _ => Ok(None),
    }
}
