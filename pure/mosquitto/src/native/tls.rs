//! TLS of a listener: its certificate, whose clients are believed, pre-shared keys, cipher suites.

use std::path::{Path, PathBuf};

use super::authentication;
use super::broker::place_if;
use super::ciphers;
use super::listener::{Protocol, Written};
use super::{Draft, Toml};
use crate::conf::options::Table;
use crate::conf::{Listener, Values};
use crate::{Files, Place};

/// What protects a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Security<'a> {
    /// Nothing.
    Nothing,
    /// A certificate; clients show none.
    Server,
    /// A certificate, and clients have to show theirs.
    Mutual,
    /// Pre-shared keys of this file.
    Keys(PathBuf, &'a Place),
}

/// Most certificates of a directory.
const AUTHORITIES_MAXIMUM: usize = 10_000;

/// Finds out what protects a listener.
pub(super) fn security<'a>(draft: &mut Draft<'a>, listener: &'a Listener) -> Security<'a> {
    let values = &listener.values;
    let settings = draft.settings;
    if values.written("psk_hint").is_some() {
        let file = draft.path(&settings.security_of(listener).values, "psk_file");
        return file.map_or(Security::Nothing, |(path, place)| Security::Keys(path, place));
    }
    if values.written("certfile").is_some() {
        return if values.switch("require_certificate") { Security::Mutual } else { Security::Server };
    }
    let is_proxied = values.number("enable_proxy_protocol") == 2;
    for option in ["require_certificate", "use_identity_as_username", "use_subject_as_username"] {
        if let Some(place) = place_if(values, option).filter(|_| !is_proxied) {
            draft.notice(place, format!("`{option}` has no effect on a listener without certfile and keyfile"));
        }
    }
    for option in ["crlfile", "ciphers", "ciphers_tls1.3", "tls_version"] {
        if let Some(place) = values.place(option) {
            draft.notice(place, format!("`{option}` has no effect on a listener without certfile and keyfile"));
        }
    }
    Security::Nothing
}

/// Writes the keys about TLS.
pub(super) fn write(draft: &mut Draft<'_>, written: &Written<'_>, values: &Values) {
    match &written.security {
        Security::Nothing => {}
        Security::Server | Security::Mutual if written.protocol == Protocol::HttpApi => {
            draft.options(Table::ListenerTls, values);
            for option in ["require_certificate", "cafile", "capath", "crlfile"] {
                if let Some(place) = values.place(option) {
                    let message =
                        format!("`{option}` has no effect with `protocol http_api`, as in Mosquitto: nobody is asked for a certificate");
                    draft.notice(place, message);
                }
            }
            draft.writer.key("client_certificate", "none", None);
        }
        Security::Server => {
            draft.options(Table::ListenerTls, values);
            for option in ["cafile", "capath", "crlfile", "disable_client_cert_date_checks"] {
                if let Some(place) = values.place(option) {
                    let message =
                        format!("`{option}` has no effect without `require_certificate true`: clients are not asked for certificates");
                    draft.notice(place, message);
                }
            }
            draft.writer.key("client_certificate", "none", values.place("require_certificate"));
            version(draft, values);
            suites(draft, values);
        }
        Security::Mutual => {
            draft.options(Table::ListenerTls, values);
            clients(draft, written, values);
            version(draft, values);
            suites(draft, values);
        }
        Security::Keys(file, place) => keys(draft, (file, place), values),
    }
}

/// Whose certificates are believed.
fn clients(draft: &mut Draft<'_>, written: &Written<'_>, values: &Values) {
    let required = values.place("require_certificate");
    draft.writer.key("client_certificate", "required", required);
    let mut authorities = Vec::new();
    let mut place = None;
    if let Some((file, at)) = draft.path(values, "cafile") {
        authorities.push(file);
        place = Some(at);
    }
    if let Some((directory, at)) = draft.path(values, "capath") {
        place = place.or(Some(at));
        match authorities_in(draft.files, &directory) {
            Ok(found) => authorities.extend(found),
            Err(reason) => {
                let message = format!("Error: Unable to load CA certificates. Check capath \"{}\".", directory.display());
                draft.mistake(at, message, &reason);
            }
        }
    }
    if let Some(required) = required.filter(|_| authorities.is_empty() && draft.mistakes.is_empty()) {
        let message = "require_certificate without a certification authority in cafile or capath: no client could connect";
        draft.mistake(
            required,
            message,
            "add cafile, a PEM file with the authorities whose clients are believed, up to the self-signed one",
        );
    }
    draft.writer.key("trust", authorities, place);
    draft.writer.key("authority_names", true, None);
    draft.writer.comment("A name for logs and commands; the user name is a matter of `username`.");
    let is_plain = !authentication::needs_passwords_of_names(draft, written);
    draft.writer.key("device", if is_plain { "${cert.cn:name | cert.fingerprint}" } else { "${cert.fingerprint}" }, None);
    let dates = if values.switch("disable_client_cert_date_checks") { "ignore" } else { "strict" };
    draft.writer.key("certificate_dates", dates, values.place("disable_client_cert_date_checks"));
    draft.writer.comment("As plain `openssl x509 -req` makes them. \"deny\": certificates have to say that they are for clients.");
    draft.writer.key("version_1", "allow", None);
    if let Some((file, place)) = draft.path(values, "crlfile") {
        draft.writer.key("crl", [file].map(Toml::from), Some(place));
        draft.writer.key("crl_stale", "deny", Some(place));
        draft.writer.key("revocation", "require", Some(place));
        draft.writer.key("revocation_depth", "leaf", Some(place));
    }
}

/// The certificates of a directory: those with names that `openssl rehash` makes, or without such names every PEM file.
fn authorities_in(files: &dyn Files, directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut names = files.list(directory)?;
    names.sort();
    let is_hashed = |name: &&String| {
        let parts = name.split_once('.');
        parts.is_some_and(|(hash, number)| {
            hash.len() == 8
                && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let mut found: Vec<PathBuf> = names.iter().filter(is_hashed).map(|name| directory.join(name)).collect();
    if found.is_empty() {
        let is_certificate = |path: &PathBuf| {
            let content = files.read(path).unwrap_or_default();
            let mark = b"-----BEGIN CERTIFICATE-----";
            content.windows(mark.len()).any(|window| window == mark)
        };
        let is_pem = |name: &&String| [".pem", ".crt", ".cer"].iter().any(|ending| name.ends_with(ending));
        found = names.iter().filter(is_pem).map(|name| directory.join(name)).filter(is_certificate).collect();
    }
    if found.len() > AUTHORITIES_MAXIMUM {
        return Err(format!("there are more than {AUTHORITIES_MAXIMUM} certificates in it"));
    }
    Ok(found)
}

fn version(draft: &mut Draft<'_>, values: &Values) {
    let written = values.text("tls_version").unwrap_or("tlsv1.2");
    let place = values.place("tls_version");
    if let Some(place) = place.filter(|_| written == "tlsv1.1") {
        draft.notice(place, "`tls_version tlsv1.1`: the oldest version here is 1.2, as in Mosquitto 2.1");
    }
    draft.writer.key("tls_min", if written == "tlsv1.3" { "1.3" } else { "1.2" }, place);
}

/// One list here for both versions: of a version that is left to the library all are named.
fn suites(draft: &mut Draft<'_>, values: &Values) {
    let new = values.text("ciphers_tls1.3").map(ciphers::tls13);
    let old = values.text("ciphers").map(ciphers::tls12);
    let mut suites = Vec::new();
    for (option, chosen, every) in
        [("ciphers_tls1.3", new.clone(), ciphers::every_tls13()), ("ciphers", old.clone(), ciphers::every_tls12())]
    {
        let Some(chosen) = chosen else {
            suites.extend(every);
            continue;
        };
        if let Some(place) = values.place(option).filter(|_| !chosen.missing.is_empty()) {
            draft.notice(place, format!("`{option}`: there is no {chosen} here"));
        }
        if let Some(place) = values.place(option).filter(|_| chosen.suites.is_empty()) {
            draft.notice(place, format!("`{option}`: nothing of it exists here, and this version of TLS is not spoken"));
        }
        suites.extend(chosen.suites);
    }
    if new.is_none() && old.is_none() {
        return;
    }
    let place = values.place("ciphers").or_else(|| values.place("ciphers_tls1.3"));
    if let Some(place) = place.filter(|_| suites.is_empty()) {
        draft.mistake(place, "Error: Unable to set TLS ciphers: none of them exists here.", "remove `ciphers` and `ciphers_tls1.3`");
    }
    draft.writer.key("cipher_suites", suites, place);
}

fn keys(draft: &mut Draft<'_>, (file, place): (&Path, &Place), values: &Values) {
    draft.writer.key("psk_file", file, Some(place));
    draft.writer.comment("Mosquitto takes keys of any length. Short ones can be guessed by whoever has listened to one handshake.");
    draft.writer.key("psk_minimum", 1, None);
    draft.writer.key("psk_lines", "usable", None);
    draft.options(Table::ListenerKeys, values);
    version(draft, values);
    for option in ["ciphers", "ciphers_tls1.3"] {
        if let Some(place) = values.place(option) {
            draft.notice(place, format!("`{option}` has no effect with pre-shared keys: suites are not chosen by hand there"));
        }
    }
    for option in ["require_certificate", "crlfile", "capath"] {
        if let Some(place) = values.place(option) {
            draft.notice(place, format!("`{option}` has no effect with pre-shared keys"));
        }
    }
}
