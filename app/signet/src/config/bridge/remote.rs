//! The other broker of a bridge: where it is, how the way to it is protected, and who we are there.

use std::ops::Range;
use std::path::{Path, PathBuf};

use signet_bridge::{PskSettings, Remote, RemoteAddress, RemoteTls, SocketOptions, TcpKeepAlive};
use signet_identity::DeviceName;
use signet_mqtt::{ClientIdentifier, Password};
use signet_server::Psk;
use signet_tls::{ConnectorConfig, MinimumVersion};

use super::written::{WrittenRemote, WrittenSocket, WrittenTls};
use crate::config::file::Header;
use crate::config::problem::Problems;
use crate::config::section::At;

/// Ports that brokers have by custom.
const PORT_PLAIN: u16 = 1883;
const PORT_TLS: u16 = 8883;

type ResolvedRemote = (Remote, Option<At<PathBuf>>, Option<Range<usize>>);

pub(super) fn resolve(written: WrittenRemote, name: &str, header: &Header, base: &Path, problems: &Problems) -> Option<ResolvedRemote> {
    header.lacks("addresses", "[[bridge]] has no `addresses`", "add addresses = [\"broker.example.com:8883\"]", problems);
    let hint = "add transport = \"tls\", or \"tcp\" for no encryption";
    header.lacks("transport", "[[bridge]] has no `transport`", hint, problems);
    check_password(&written, problems);
    let is_tls = written.is_tls?.value;
    let tls_place = written.tls.first_written();
    if let Some((key, span)) = tls_place.as_ref().filter(|_| !is_tls) {
        let hint = "set transport = \"tls\", or remove the TLS keys of this bridge";
        problems.at(span, format!("`{key}` has no meaning with transport = \"tcp\""), Some(hint.to_owned()));
    }
    let tls = if is_tls { Some(resolve_tls(written.tls, header, base, problems)?) } else { None };
    let socket = socket(&written.socket, problems);
    let addresses = addresses(written.addresses?, if is_tls { PORT_TLS } else { PORT_PLAIN }, problems);
    let remote = Remote {
        addresses,
        round_robin: written.round_robin,
        return_to_first: written.return_to_first.map(|at| at.value).filter(|every| !every.is_zero()),
        version: written.protocol,
        try_private: written.try_private,
        tls,
        socket,
        client_identifier: match &written.client_identifier {
            Some(at) => client_identifier(at, "client_identifier", name, problems)?,
            None => ClientIdentifier::new(format!("signet.{name}")),
        },
        username: written.username.map(|at| at.value.into()),
        password: written.password.map(|at| Password::new(at.value.into_bytes())),
    };
    let password_file = written.password_file.map(|at| at.map(|path| base.join(path)));
    Some((remote, password_file, tls_place.map(|(_, span)| span)))
}

/// A password stands in the configuration or in a file.
fn check_password(written: &WrittenRemote, problems: &Problems) {
    let (inline, file) = (&written.password, &written.password_file);
    if let (Some(at), Some(_)) = (inline, file) {
        problems.at(&at.span, "`password` and `password_file` are both set", Some("leave one of them out".to_owned()));
    }
    let first = file.as_ref().map(|at| ("password_file", &at.span)).or_else(|| inline.as_ref().map(|at| ("password", &at.span)));
    if let Some((key, span)) = first.filter(|_| written.username.is_none() && !written.protocol.has_properties()) {
        let hint = "add `username`, which MQTT 3.1.1 wants beside a password";
        problems.at(span, format!("`{key}` without `username`"), Some(hint.to_owned()));
    }
}

fn socket(written: &WrittenSocket, problems: &Problems) -> SocketOptions {
    let keys = [
        ("tcp_keep_alive_idle", written.keep_alive_idle.as_ref().map(|at| &at.span)),
        ("tcp_keep_alive_interval", written.keep_alive_interval.as_ref().map(|at| &at.span)),
        ("tcp_keep_alive_count", written.keep_alive_count.as_ref().map(|at| &at.span)),
    ];
    let keep_alive = match (&written.keep_alive_idle, &written.keep_alive_interval, &written.keep_alive_count) {
        (Some(idle), Some(interval), Some(count)) => {
            Some(TcpKeepAlive { idle: idle.value, interval: interval.value, count: u32::try_from(count.value).unwrap_or(u32::MAX) })
        }
        _ => {
            if let Some(span) = keys.iter().find_map(|(_, span)| *span) {
                let missing: Vec<String> = keys.iter().filter(|(_, span)| span.is_none()).map(|(key, _)| format!("`{key}`")).collect();
                problems.at(span, format!("{} is missing", missing.join(" and ")), Some("set all three of them, or none".to_owned()));
            }
            None
        }
    };
    let bind_address = written.bind_address.as_ref().map(|at| at.value.clone());
    SocketOptions { bind_address, keep_alive, user_timeout: written.user_timeout.as_ref().map(|at| at.value) }
}

fn minimum_version(tls13_only: Option<&At<bool>>) -> MinimumVersion {
    if tls13_only.is_some_and(|at| at.value) { MinimumVersion::Tls13 } else { MinimumVersion::Tls12 }
}

fn texts(written: Option<At<Vec<At<String>>>>) -> Vec<String> {
    written.map_or_else(Vec::new, |at| at.value.into_iter().map(|at| at.value).collect())
}

/// A key that both know in the place of certificates.
fn resolve_psk(written: WrittenTls, problems: &Problems) -> Option<RemoteTls> {
    let (identity, key) = match (&written.psk_identity, &written.psk) {
        (Some(identity), Some(key)) => (identity, key),
        (Some(at), None) => {
            problems.at(&at.span, "`psk_identity` without `psk`", Some("add the key in hexadecimal digits".to_owned()));
            return None;
        }
        (None, Some(at)) => {
            problems.at(
                &at.span,
                "`psk` without `psk_identity`",
                Some("add the name under which the other broker knows the key".to_owned()),
            );
            return None;
        }
        (None, None) => return None,
    };
    for (key, at) in
        [("trust", written.trust.as_ref().map(|at| &at.span)), ("certificate", written.certificate.as_ref().map(|at| &at.span))]
    {
        if let Some(span) = at {
            problems.at(span, format!("`{key}` has no meaning with `psk`: the key is the proof"), Some("leave one of them out".to_owned()));
        }
    }
    let name = DeviceName::new(&identity.value).map_err(|error| problems.at(&identity.span, error.to_string(), None)).ok();
    let octets = Psk::from_hex(key.value.as_bytes()).map_err(|error| problems.at(&key.span, error.to_string(), None)).ok();
    let suites = texts(written.cipher_suites);
    let settings = PskSettings {
        minimum_version: minimum_version(written.tls13_only.as_ref()),
        cipher_suites: (!suites.is_empty()).then(|| suites.join(":")),
        alpn: texts(written.alpn),
        key_log: None,
    };
    Some(RemoteTls::Key { identity: name?, key: octets?, settings })
}

fn resolve_tls(written: WrittenTls, header: &Header, base: &Path, problems: &Problems) -> Option<RemoteTls> {
    if written.psk.is_some() || written.psk_identity.is_some() {
        return resolve_psk(written, problems);
    }
    let names_trust =
        written.trust.is_some() || written.trust_directory.is_some() || written.trust_system.as_ref().is_some_and(|at| at.value);
    if !names_trust {
        let hint = "add trust = [\"hq-ca.pem\"], the certification authorities of the other broker's certificate";
        header.lacks("trust", "[[bridge]] with transport = \"tls\" has no `trust`", hint, problems);
        return None;
    }
    for (one, other, missing) in [(&written.certificate, &written.key, "key"), (&written.key, &written.certificate, "certificate")] {
        if let (Some(at), None) = (one, other) {
            problems.at(
                &at.span,
                format!("a client certificate takes both files: `{missing}` is missing"),
                Some(format!("add `{missing}`")),
            );
        }
    }
    let path = |at: At<String>| base.join(at.value);
    Some(RemoteTls::Certificates(Box::new(ConnectorConfig {
        ca_files: written.trust.map_or_else(Vec::new, |at| at.value.into_iter().map(path).collect()),
        ca_directory: written.trust_directory.map(path),
        system_trust: written.trust_system.is_some_and(|at| at.value),
        any_name: written.any_name.is_some_and(|at| at.value),
        old_certificates: written.old_certificates.is_some_and(|at| at.value),
        staple_required: written.staple_required.is_some_and(|at| at.value),
        cipher_suites: texts(written.cipher_suites),
        alpn: texts(written.alpn),
        certificate: written.certificate.map(path),
        key: written.key.map(path),
        minimum_version: minimum_version(written.tls13_only.as_ref()),
        ..ConnectorConfig::default()
    })))
}

fn addresses(written: At<Vec<At<String>>>, port: u16, problems: &Problems) -> Vec<RemoteAddress> {
    if written.value.is_empty() {
        let hint = "write addresses = [\"broker.example.com:8883\"]";
        problems.at(&written.span, "`addresses` is empty: there is no broker to connect to", Some(hint.to_owned()));
    }
    let read = |at: &At<String>| {
        let address = address(&at.value, port);
        if address.is_none() {
            let hint = "write \"HOST\" or \"HOST:PORT\", and an IPv6 address in brackets: \"[2001:db8::1]:8883\"";
            problems.at(&at.span, format!("`{}` is not a host with a port", at.value), Some(hint.to_owned()));
        }
        address
    };
    written.value.iter().filter_map(read).collect()
}

pub(super) fn address(text: &str, default_port: u16) -> Option<RemoteAddress> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if behind.is_empty() { None } else { Some(behind.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let is_host = !host.is_empty() && !host.contains(|character: char| character.is_whitespace() || character == '/');
    let port = port.map_or(Some(default_port), |port| port.parse().ok().filter(|port| *port != 0))?;
    is_host.then(|| RemoteAddress { host: host.to_owned(), port })
}

/// `${name}` and `${hostname}` are filled in.
pub(super) fn client_identifier(written: &At<String>, key: &str, name: &str, problems: &Problems) -> Option<ClientIdentifier> {
    let mut text = written.value.replace("${name}", name);
    if text.contains("${hostname}") {
        text = text.replace("${hostname}", &rustix::system::uname().nodename().to_string_lossy());
    }
    let problem = match text.as_str() {
        "" => "is empty: the session could not be found again",
        text if text.contains("${") => "has an unknown placeholder",
        text if text.len() > usize::from(u16::MAX) || text.contains('\0') => "is no text of MQTT",
        _ => return Some(ClientIdentifier::new(text)),
    };
    let hint = "write a text in which ${name} and ${hostname} may stand";
    problems.at(&written.span, format!("`{key}` {problem}"), Some(hint.to_owned()));
    None
}
