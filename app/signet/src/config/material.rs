//! The files a configuration names, opened and checked; what is wrong with one is reported at the line that names it.

use std::path::{Path, PathBuf};

use signet_identity::Leaf;
use signet_revocation::{Crl, Freshness};
use signet_server::PskFile;
use signet_tls::{Connector, Credentials, TlsError, TrustAnchors};

use super::host::{Credential, Tls};
use super::problem::Problems;
use super::resolved::Config;
use super::section::At;
use super::trust::Profile;
use crate::ca_files;
use crate::hint::plain;

/// Opens everything; `now` in Unix seconds.
pub(super) fn check(config: &Config, problems: &Problems, now: i64) {
    for credential in config.listeners.iter().filter_map(|listener| listener.tls.as_ref()).flat_map(Tls::credentials) {
        check_credentials(credential, problems, now);
    }
    let keys = config.listeners.iter().filter_map(|listener| listener.psk.as_ref()?.file.as_ref());
    for written in keys.filter(|_| signet_server::has_psk()) {
        if let Err(error) = PskFile::load(&written.value) {
            let (message, hint) = words(error, &written.value.path);
            problems.at(&written.span, message, hint);
        }
    }
    for profile in &config.profiles {
        let trusted = [&profile.authorities, &profile.sources.crl_issuers].map(|files| check_trust(files, problems));
        if let Some(file) = &profile.sources.https_trust {
            check_trust(std::slice::from_ref(file), problems);
        }
        if trusted.iter().all(|good| *good) {
            check_crls(profile, problems);
        }
    }
    config.authentication.check(problems);
    check_bridges(config, problems);
    check_ca(config, problems);
}

fn check_credentials(written: &Credential, problems: &Problems, now: i64) {
    let (certificate, key) = (&written.certificate.value, &written.key.value);
    let error = match Credentials::load(certificate, key, now) {
        Ok(credentials) => return check_use(&written.certificate, credentials.leaf(), problems),
        Err(error) => error,
    };
    let place = match &error {
        TlsError::Read { path, .. } | TlsError::File { path, .. } if path == key && key != certificate => &written.key,
        _ => &written.certificate,
    };
    complain(place, error, problems);
}

/// Clients refuse such a server, each in words of its own (RFC 5280 §4.2.1.12).
fn check_use(certificate: &At<PathBuf>, leaf: &Leaf, problems: &Problems) {
    if !leaf.allows_server_auth() {
        let path = certificate.value.display();
        let message = format!(
            "`{path}`: the certificate of `{}` is not for servers: its extended key usage does not hold serverAuth",
            leaf.subject().rfc4514()
        );
        problems.at(&certificate.span, message, Some("name a certificate issued for this server, not that of a device".to_owned()));
    }
}

fn check_trust(files: &[At<PathBuf>], problems: &Problems) -> bool {
    let mut good = true;
    for file in files {
        if let Err(error) = TrustAnchors::load(std::slice::from_ref(&file.value)) {
            complain(file, error, problems);
            good = false;
        }
    }
    good
}

fn check_crls(profile: &Profile, problems: &Problems) {
    for_each_crl(profile, |file, crls| {
        if let Err(message) = crls {
            problems.at(&file.span, format!("`{}`: {message}", file.value.display()), None);
        }
    });
}

/// Reports CRLs past their nextUpdate of profiles that refuse devices then. What cannot be read was reported by [`check`].
pub(super) fn check_freshness(config: &Config, problems: &Problems, now: i64) {
    for profile in config.profiles.iter().filter(|profile| profile.is_strict()) {
        for_each_crl(profile, |file, crls| {
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

fn for_each_crl(profile: &Profile, mut with: impl FnMut(&At<PathBuf>, Result<Vec<Crl>, String>)) {
    if profile.sources.files.is_empty() {
        return;
    }
    // Trust that cannot be read was reported where it is named.
    let Ok(sources) = profile.sources_config() else { return };
    for file in &profile.sources.files {
        with(file, signet_sources::read_file(&file.value, &sources));
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
