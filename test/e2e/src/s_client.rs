//! `openssl s_client`: the TLS of somebody else, with the alert numbers and the session file in sight.

use std::path::Path;

use crate::client::Credentials;
use crate::process::Running;
use crate::site::Site;
use crate::tools::openssl_running;

/// An MQTT 3.1.1 CONNECT of the Client Identifier `x`.
const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x";

const DISCONNECT: &[u8] = b"\xe0\x00";

/// CONNACK: no session present, accepted.
const CONNACK: &str = "\x20\x02\x00\x00";

/// Starts a connection.
#[track_caller]
pub fn start(site: &Site, credentials: &Credentials, more: &[&str]) -> Running {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let address = format!("127.0.0.1:{}", site.port());
    let cafile = text(&credentials.cafile);
    let mut arguments = vec!["s_client", "-connect", &address, "-CAfile", &cafile, "-ign_eof", "-verify_return_error"];
    let files = credentials.certificate.as_ref().map(|(certificate, key)| (text(certificate), text(key)));
    if let Some((certificate, key)) = &files {
        arguments.extend(["-cert", certificate, "-cert_chain", certificate, "-key", key]);
    }
    arguments.extend(more);
    openssl_running(site.folder(), &arguments)
}

/// Connects and expects to be refused; returns all that was said.
#[track_caller]
pub fn refused(site: &Site, credentials: &Credentials, more: &[&str]) -> String {
    // With TLS 1.3 the client is done before the server has looked at its certificate; reading on brings the alert.
    start(site, credentials, more).finish().output
}

/// Connects, says CONNECT and DISCONNECT, and returns all that was said; the TLS session goes to `session_file`.
///
/// # Panics
/// When no CONNACK with success came.
#[track_caller]
pub fn accepted(site: &Site, credentials: &Credentials, session_file: &str, more: &[&str]) -> String {
    let mut running = start(site, credentials, &[&["-sess_out", session_file], more].concat());
    running.write(CONNECT);
    running.write(DISCONNECT);
    let output = running.finish().output;
    assert!(output.contains(CONNACK), "no CONNACK:\n{output}");
    output
}
