//! Who vouches for https servers: the profile's file, else the bundle of the system.

use std::path::{Path, PathBuf};

use signet_tls::{Connector, ConnectorConfig};

/// Where distributions keep their bundle: Debian and Alpine, Fedora, openSUSE, OpenBSD and macOS.
const BUNDLES: [&str; 4] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"];

/// A client for https. With a file of its own a problem is an error; without, a system that has no usable bundle gives `None`, and only the
/// fetch of an https address fails.
pub(crate) fn connector(file: Option<&Path>) -> Result<Option<Connector>, String> {
    let load = |path: PathBuf| Connector::new(&ConnectorConfig { ca_files: vec![path], ..ConnectorConfig::default() });
    match file {
        Some(path) => load(path.to_owned()).map(Some).map_err(|error| error.to_string()),
        None => Ok(BUNDLES.iter().map(PathBuf::from).filter(|path| path.exists()).find_map(|path| load(path).ok())),
    }
}
