//! Where a data base or directory is and how it is talked to: the keys that such types have in common.

use std::path::{Path, PathBuf};
use std::time::Duration;

use signet_mqtt::Password;
use zeroize::Zeroizing;

use super::super::problem::Problems;
use super::super::section::{At, Section};
use crate::hint::plain;

const SECOND: Duration = Duration::from_secs(1);

/// Our certificate and its key.
pub(super) type Identity = (PathBuf, PathBuf);

/// Those keys. Files are read when it is made.
#[derive(Debug)]
pub(super) struct Remote<T> {
    pub(super) address: Address,
    pub(super) transport: T,
    pub(super) trust: Vec<PathBuf>,
    pub(super) identity: Option<Identity>,
    /// Who we are there, and the file with our password.
    pub(super) username: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    connect_timeout: Duration,
}

/// Where it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// An IPv6 address without brackets.
    Network { host: String, port: u16 },
    /// A socket on this machine, or the directory of one.
    Unix(PathBuf),
}

impl<T: Copy + PartialEq> Remote<T> {
    /// Reads them. `transports`: their names and ports, the first of which is without TLS and the default.
    pub(super) fn read(
        section: &Section<'_>,
        kind: &str,
        transports: &[(&'static str, (T, u16))],
        base: &Path,
        problems: &Problems,
    ) -> Option<Self> {
        let (_, plain) = transports.first()?;
        let (transport, port) = section.choice("transport", transports).map_or(*plain, |at| at.value);
        let address = required(section, kind, "address", &format!("127.0.0.1:{port}"), problems);
        let address = address.and_then(|at| {
            let read = Address::parse(&at.value, port);
            if read.is_none() {
                let hint = format!("write \"db.example.com:{port}\", \"[::1]:{port}\" or \"unix:/run/server\"");
                problems.at(&at.span, format!("`{}` is no address of a server", at.value), Some(hint));
            }
            read
        });
        let (username, password_file) = (section.string("username"), section.string("password_file"));
        if let (None, Some(at)) = (&username, &password_file) {
            section.misplaced(at, "password_file", "add `username`, whose password it is");
        }
        let connect_timeout = section.duration("connect_timeout", SECOND / 100, SECOND * 60).map_or(SECOND * 2, |at| at.value);
        let (trust, identity) = tls(section, transport != plain.0, base, problems)?;
        Some(Self {
            address: address?,
            transport,
            trust,
            identity,
            username: username.map(|at| at.value),
            password_file: password_file.map(|at| base.join(at.value)),
            connect_timeout,
        })
    }

    /// Our password.
    pub(super) fn password(&self) -> Result<Option<Password>, String> {
        let text = self.password_file.as_deref().map(password).transpose()?;
        Ok(text.map(|text| Password::new(text.as_bytes().to_vec())))
    }

    /// For one connection; never longer than a question may take.
    pub(super) fn connect_timeout(&self, question: Duration) -> Duration {
        self.connect_timeout.min(question)
    }

    pub(super) fn files(&self) -> Vec<PathBuf> {
        let identity = self.identity.iter().flat_map(|(certificate, key)| [certificate, key]);
        self.password_file.iter().chain(&self.trust).chain(identity).cloned().collect()
    }
}

/// Reads a password: the whole file, without the line end that editors add.
pub(super) fn password(file: &Path) -> Result<Zeroizing<String>, String> {
    let mut text =
        Zeroizing::new(std::fs::read_to_string(file).map_err(|error| format!("cannot read `{}`: {}", file.display(), plain(&error)))?);
    let length = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(length);
    if text.is_empty() {
        return Err(format!("`{}` is empty: expected a password", file.display()));
    }
    Ok(text)
}

/// What belongs to TLS. `None`: it was reported.
pub(super) fn tls(section: &Section<'_>, is_tls: bool, base: &Path, problems: &Problems) -> Option<(Vec<PathBuf>, Option<Identity>)> {
    let trust = section.strings("trust");
    let [certificate, key] = ["certificate", "key"].map(|key| section.string(key));
    if !is_tls {
        let hint = "it needs transport = \"tls\"";
        let written = [(&certificate, "certificate"), (&key, "key")];
        let misplaced: Vec<_> = written.into_iter().filter_map(|(at, key)| at.as_ref().map(|at| (at, key))).collect();
        misplaced.iter().for_each(|(at, key)| section.misplaced(at, key, hint));
        if let Some(at) = &trust {
            section.misplaced(at, "trust", hint);
        }
        return (misplaced.is_empty() && trust.is_none()).then(|| (Vec::new(), None));
    }
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((base.join(certificate.value), base.join(key.value))),
        (None, None) => None,
        (Some(at), None) | (None, Some(at)) => {
            problems.at(&at.span, "a client certificate takes both files", Some("add `certificate` and `key`".to_owned()));
            return None;
        }
    };
    let trust: Vec<PathBuf> = trust.map_or_else(Vec::new, |list| list.value.into_iter().map(|at| base.join(at.value)).collect());
    Some((trust, identity))
}

impl Address {
    /// Reads `host:port`, `[::1]:port`, `host` alone, or `unix:/path`.
    fn parse(text: &str, default_port: u16) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            return path.starts_with('/').then(|| Self::Unix(path.into()));
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = port.map_or(Some(default_port), |port| port.parse().ok())?;
        let is_name = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_' | ':');
        (!host.is_empty() && host.chars().all(is_name)).then(|| Self::Network { host: host.to_owned(), port })
    }
}

/// A text that has to be there.
pub(super) fn required(section: &Section<'_>, kind: &str, key: &'static str, example: &str, problems: &Problems) -> Option<At<String>> {
    let written = section.string(key);
    if written.is_none() {
        missing(section, kind, key, example, problems);
    }
    written
}

/// Says that a key is missing, unless it is there and is no text, which was said.
pub(super) fn missing(section: &Section<'_>, kind: &str, key: &str, example: &str, problems: &Problems) {
    if !section.keys().iter().any(|known| known == key) {
        let example = example.replace('"', "\\\"");
        problems.at(&section.span, format!("a table of type \"{kind}\" has no `{key}`"), Some(format!("add {key} = \"{example}\"")));
    }
}
