//! The files a configuration names, opened and checked; what is wrong with one is reported at the line that names it.

use std::path::{Path, PathBuf};

use signet_identity::Leaf;
use signet_revocation::{Crl, Freshness, StalePolicy};
use signet_tls::{Connector, Credentials, TlsError, TrustAnchors};

use super::carriage::DeviceTrust;
use super::file::ClientCertificate;
use super::listener::{Listener, Tls};
use super::problem::Problems;
use super::resolved::Config;
use super::section::At;
use crate::ca_files;
use crate::crl_files;
use crate::hint::plain;

/// Opens everything; `now` in Unix seconds.
pub(super) fn check(config: &Config, problems: &Problems, now: i64) {
    for listener in &config.listeners {
        if let Some(tls) = &listener.tls {
            check_credentials(tls, problems, now);
        }
        if let Some(devices) = listener.devices()
            && check_trust(devices, problems)
            && asks_for_certificates(listener)
        {
            check_crls(devices, problems);
        }
    }
    check_bridges(config, problems);
    check_ca(config, problems);
}

fn check_credentials(tls: &Tls, problems: &Problems, now: i64) {
    let (certificate, key) = (&tls.certificate.value, &tls.key.value);
    let error = match Credentials::load(certificate, key, now) {
        Ok(credentials) => return check_use(tls, credentials.leaf(), problems),
        Err(error) => error,
    };
    let place = match &error {
        TlsError::Read { path, .. } | TlsError::File { path, .. } if path == key && key != certificate => &tls.key,
        _ => &tls.certificate,
    };
    complain(place, error, problems);
}

/// Clients refuse such a server, each in words of its own (RFC 5280 §4.2.1.12).
fn check_use(tls: &Tls, leaf: &Leaf, problems: &Problems) {
    if !leaf.allows_server_auth() {
        let path = tls.certificate.value.display();
        let message = format!(
            "`{path}`: the certificate of `{}` is not for servers: its extended key usage does not hold serverAuth",
            leaf.subject().rfc4514()
        );
        problems.at(&tls.certificate.span, message, Some("name a certificate issued for this server, not that of a device".to_owned()));
    }
}

fn asks_for_certificates(listener: &Listener) -> bool {
    listener.tls.as_ref().is_none_or(|tls| tls.client_certificate != ClientCertificate::None)
}

fn check_trust(devices: &DeviceTrust, problems: &Problems) -> bool {
    let mut good = true;
    for file in &devices.trust {
        if let Err(error) = TrustAnchors::load(std::slice::from_ref(&file.value)) {
            complain(file, error, problems);
            good = false;
        }
    }
    good
}

fn check_crls(devices: &DeviceTrust, problems: &Problems) {
    for_each_crl(devices, |file, crls| {
        if let Err(message) = crls {
            problems.at(&file.span, format!("`{}`: {message}", file.value.display()), None);
        }
    });
}

/// Reports CRLs past their nextUpdate on listeners that refuse devices then. What cannot be read was reported by [`check`].
pub(super) fn check_freshness(config: &Config, problems: &Problems, now: i64) {
    let strict = |devices: &&DeviceTrust| devices.stale == StalePolicy::Deny;
    for devices in config.listeners.iter().filter_map(Listener::devices).filter(strict) {
        for_each_crl(devices, |file, crls| {
            for crl in crls.unwrap_or_default() {
                let Freshness::Stale { next_update } = Freshness::at(crl.status().next_update, now) else { continue };
                let path = file.value.display();
                let (issuer, due) = (crl.issuer_text(), signet_admin::date(next_update));
                problems.at(
                    &file.span,
                    format!("`{path}`: the list of `{issuer}` is past its nextUpdate, {due}: every device of that CA would be refused"),
                    Some("fetch a fresh list from that CA, or set crl_stale = \"allow\" to go on with the old one".to_owned()),
                );
            }
        });
    }
}

fn for_each_crl(devices: &DeviceTrust, mut with: impl FnMut(&At<PathBuf>, Result<Vec<Crl>, String>)) {
    if devices.crl.is_empty() {
        return;
    }
    // Trust that cannot be read was reported where it is named.
    let Ok(issuers) = crl_files::issuers(devices) else { return };
    for file in &devices.crl {
        with(file, crl_files::read(&file.value, &issuers));
    }
}

fn check_bridges(config: &Config, problems: &Problems) {
    for bridge in &config.bridges {
        if let (Some(tls), Some(span)) = (bridge.tls(), &bridge.tls_place)
            && let Err(error) = Connector::new(tls)
        {
            let (message, hint) = words(error, Path::new(bridge.name()));
            problems.at(span, message, hint);
        }
        if let Some(file) = &bridge.password_file
            && let Err(error) = bridge.config()
        {
            let hint = (error.kind() == std::io::ErrorKind::NotFound).then(|| "paths are relative to the configuration file".to_owned());
            problems.at(&file.span, format!("cannot read `{}`: {}", file.value.display(), plain(&error)), hint);
        }
    }
}

fn check_ca(config: &Config, problems: &Problems) {
    let dir = &config.ca.dir;
    if !dir.exists() {
        if let Some(written) = &config.ca.dir_written {
            problems.at(
                &written.span,
                format!("`{}` does not exist", dir.display()),
                Some("`signet ca init` makes a certificate authority there; without one of our own leave `dir` out".to_owned()),
            );
        }
        return;
    }
    if let Err(failure) = ca_files::load_authority(dir) {
        let span = config.ca.dir_written.as_ref().map_or(0..0, |at| at.span.clone());
        problems.at(&span, failure.message, failure.hint);
    }
}

fn complain(place: &At<PathBuf>, error: TlsError, problems: &Problems) {
    let (message, hint) = words(error, &place.value);
    problems.at(&place.span, message, hint);
}

/// A TLS error as message and hint.
fn words(error: TlsError, path: &Path) -> (String, Option<String>) {
    match error {
        TlsError::Read { path, source } => {
            let hint = match source.kind() {
                std::io::ErrorKind::NotFound => "paths are relative to the configuration file",
                std::io::ErrorKind::PermissionDenied => "run signet as the user that may read it, or change the file's owner",
                _ => return (format!("cannot read `{}`: {}", path.display(), plain(&source)), None),
            };
            (format!("cannot read `{}`: {}", path.display(), plain(&source)), Some(hint.to_owned()))
        }
        TlsError::File { path, found, hint } => (format!("`{}`: {found}", path.display()), Some(hint)),
        other => (format!("`{}`: {other}", path.display()), None),
    }
}
