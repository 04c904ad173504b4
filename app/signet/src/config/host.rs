//! The TLS side of a listener: what it shows and asks for, for any name, and for names and protocols of its own in `[[listener.host]]`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use signet_tls::{CredentialFiles, MinimumVersion, TlsHostConfig, TlsListenerConfig};

use super::file::{ClientCertificate, Header, ListenerTls, Transport};
use super::problem::Problems;
use super::section::{At, Section};

/// `[[listener.host]]` as written.
#[derive(Debug)]
pub(crate) struct Written {
    pub(super) header: Header,
    server_names: Option<At<Vec<At<String>>>>,
    alpn: Option<At<Vec<At<String>>>>,
    certificate: Option<At<Vec<At<String>>>>,
    key: Option<At<Vec<At<String>>>>,
    client_certificate: Option<At<ClientCertificate>>,
    profiles: Option<At<Vec<At<String>>>>,
}

impl Written {
    pub(super) fn read(section: Section<'_>) -> Self {
        let written = Self {
            header: Header::of(&section),
            server_names: section.strings("server_names"),
            alpn: section.strings("alpn"),
            certificate: section.strings("certificate"),
            key: section.strings("key"),
            client_certificate: section.choice("client_certificate", &ClientCertificate::WORDS),
            profiles: section.strings("profiles"),
        };
        section.finish();
        written
    }
}

/// The TLS side of a listener, every file with the place in the configuration that names it.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    host: Host,
    hosts: Vec<Host>,
    minimum_version: MinimumVersion,
    cipher_suites: Vec<String>,
    alpn: Vec<String>,
    /// Where the secrets of its connections are written, if they are.
    pub(crate) key_log: Option<PathBuf>,
    /// Whether OCSP responses about its own certificates are fetched and shown.
    pub(crate) staples: bool,
}

/// One host.
#[derive(Debug, Clone)]
struct Host {
    server_names: Vec<String>,
    alpn: Vec<String>,
    credentials: Vec<Credential>,
    client_certificate: ClientCertificate,
    names_authorities: bool,
    profiles: Vec<At<Arc<str>>>,
}

/// A certificate and its key.
#[derive(Debug, Clone)]
pub(crate) struct Credential {
    pub(crate) certificate: At<PathBuf>,
    pub(crate) key: At<PathBuf>,
}

impl Tls {
    /// Gives the keys their meaning; `profiles` are those of the listener, which hosts inherit that name none.
    pub(super) fn resolve(
        written: ListenerTls,
        hosts: Vec<Written>,
        profiles: Vec<At<Arc<str>>>,
        (transport, header, base): (Transport, &Header, &Path),
        problems: &Problems,
    ) -> Option<Self> {
        let missing = |key: &str, example: &str| {
            let message = format!("[[listener]] with transport = \"{}\" has no `{key}`", transport.name());
            header.lacks(key, &message, &format!("add {key} = {example}"), problems);
        };
        if written.certificate.is_none() {
            missing("certificate", "\"server/server.pem\"");
        }
        if written.key.is_none() {
            missing("key", "\"server/server.key\"");
        }
        let client_certificate = written.client_certificate.as_ref().map_or(ClientCertificate::Required, |at| at.value);
        let host = Host {
            server_names: Vec::new(),
            alpn: Vec::new(),
            credentials: credentials(written.certificate, written.key, base, problems)?,
            client_certificate,
            names_authorities: written.authority_names.is_none_or(|at| at.value),
            profiles,
        };
        let hosts = hosts.into_iter().filter_map(|written| Host::resolve(written, &host, base, problems)).collect();
        let minimum_version = if written.tls13_only.is_some_and(|at| at.value) { MinimumVersion::Tls13 } else { MinimumVersion::Tls12 };
        let cipher_suites = written.cipher_suites.map_or_else(Vec::new, |list| cipher_suites(&list, minimum_version, problems));
        let usual = || transport.alpn().iter().map(|protocol| (*protocol).to_owned()).collect();
        let alpn = written.alpn.map_or_else(usual, |list| list.value.into_iter().map(|at| at.value).collect());
        let key_log = written.secrets.map(|path| base.join(path));
        Some(Self { host, hosts, minimum_version, cipher_suites, alpn, key_log, staples: written.ocsp_stapling.is_some_and(|at| at.value) })
    }

    /// Whether clients that come for no name of its own have to show a certificate.
    pub(crate) fn requires_certificate(&self) -> bool {
        self.host.client_certificate == ClientCertificate::Required
    }

    /// Every certificate with its key.
    pub(crate) fn credentials(&self) -> impl Iterator<Item = &Credential> {
        std::iter::once(&self.host).chain(&self.hosts).flat_map(|host| &host.credentials)
    }

    /// The trust profiles that its hosts name.
    pub(super) fn host_profiles(&self) -> impl Iterator<Item = &At<Arc<str>>> {
        self.hosts.iter().flat_map(|host| &host.profiles)
    }

    /// The same for `signet-tls`.
    pub(crate) fn config(&self) -> TlsListenerConfig {
        TlsListenerConfig {
            host: self.host.config(),
            hosts: self.hosts.iter().map(Host::config).collect(),
            minimum_version: self.minimum_version,
            cipher_suites: self.cipher_suites.clone(),
            alpn: self.alpn.clone(),
            key_log: self.key_log.clone(),
        }
    }
}

impl Host {
    /// What a host does not say it has from the listener.
    fn resolve(written: Written, listener: &Self, base: &Path, problems: &Problems) -> Option<Self> {
        let texts = |at: &Option<At<Vec<At<String>>>>| -> Vec<String> {
            at.iter().flat_map(|list| list.value.iter().map(|at| at.value.clone())).collect()
        };
        let (server_names, alpn) = (texts(&written.server_names), texts(&written.alpn));
        if server_names.is_empty() && alpn.is_empty() {
            let hint =
                "add server_names = [\"eu.example.com\"] or alpn = [\"x-amzn-mqtt-ca\"]; what is for everybody stands in [[listener]]";
            problems.at(&written.header.span, "[[listener.host]] does not say for whom it is", Some(hint.to_owned()));
        }
        check_names(written.server_names.as_ref(), problems);
        let credentials = match (written.certificate, written.key) {
            (None, None) => listener.credentials.clone(),
            (certificate, key) => {
                if certificate.is_none() || key.is_none() {
                    let hint = "name both, or neither for those of the listener";
                    problems.at(&written.header.span, "`certificate` and `key` belong together", Some(hint.to_owned()));
                }
                credentials(certificate, key, base, problems)?
            }
        };
        let profiles = written.profiles.map(|list| list.value.into_iter().map(|at| at.map(Arc::from)).collect());
        Some(Self {
            server_names,
            alpn,
            credentials,
            client_certificate: written.client_certificate.map_or(listener.client_certificate, |at| at.value),
            names_authorities: listener.names_authorities,
            profiles: profiles.unwrap_or_else(|| listener.profiles.clone()),
        })
    }

    fn config(&self) -> TlsHostConfig {
        TlsHostConfig {
            server_names: self.server_names.clone(),
            alpn: self.alpn.clone(),
            credentials: self.credentials.iter().map(Credential::files).collect(),
            client_certificate: match self.client_certificate {
                ClientCertificate::Required => signet_tls::ClientCertificate::Required,
                ClientCertificate::Optional => signet_tls::ClientCertificate::Optional,
                ClientCertificate::None => signet_tls::ClientCertificate::None,
            },
            names_authorities: self.names_authorities,
            profiles: self.profiles.iter().map(|at| Arc::clone(&at.value)).collect(),
        }
    }
}

impl Credential {
    fn files(&self) -> CredentialFiles {
        CredentialFiles { certificate: self.certificate.value.clone(), key: self.key.value.clone() }
    }
}

/// Cipher suites by their registered names, of which some have to be left.
fn cipher_suites(written: &At<Vec<At<String>>>, minimum: MinimumVersion, problems: &Problems) -> Vec<String> {
    let known = signet_tls::cipher_suites();
    let mut names = Vec::new();
    for at in &written.value {
        match known.iter().find(|suite| suite.name == at.value) {
            Some(suite) if minimum == MinimumVersion::Tls13 && suite.version == MinimumVersion::Tls12 => {
                let hint = "remove it, or set tls_min = \"1.2\"";
                problems.at(&at.span, format!("`{}` belongs to TLS 1.2, which is not spoken here", at.value), Some(hint.to_owned()));
            }
            Some(suite) => names.push(suite.name.to_owned()),
            None => {
                let all: Vec<&str> = known.iter().map(|suite| suite.name).collect();
                let near = super::problem::nearest(&at.value, all.iter().copied())
                    .map_or_else(String::new, |name| format!("did you mean `{name}`? "));
                let hint = format!("{near}there are {}", all.join(", "));
                problems.at(&at.span, format!("`{}` is no cipher suite that this program speaks", at.value), Some(hint));
            }
        }
    }
    if written.value.is_empty() {
        problems.at(&written.span, "`cipher_suites` is empty: nobody could connect", Some("remove it for all of them".to_owned()));
    }
    names
}

/// The first certificate goes with the first key, the second with the second.
fn credentials(
    certificates: Option<At<Vec<At<String>>>>,
    keys: Option<At<Vec<At<String>>>>,
    base: &Path,
    problems: &Problems,
) -> Option<Vec<Credential>> {
    let (certificates, keys) = (certificates?, keys?);
    if certificates.value.len() != keys.value.len() || certificates.value.is_empty() {
        let message = format!("{} certificates and {} keys", certificates.value.len(), keys.value.len());
        problems.at(&keys.span, message, Some("name as many keys as certificates, in the same order".to_owned()));
        return None;
    }
    let path = |at: At<String>| at.map(|text| base.join(text));
    let pairs = certificates.value.into_iter().zip(keys.value);
    Some(pairs.map(|(certificate, key)| Credential { certificate: path(certificate), key: path(key) }).collect())
}

fn check_names(names: Option<&At<Vec<At<String>>>>, problems: &Problems) {
    for at in names.iter().flat_map(|list| &list.value) {
        let name = at.value.strip_prefix("*.").unwrap_or(&at.value);
        let good = name.split('.').all(|label| {
            !label.is_empty() && label.len() <= 63 && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        });
        if !good {
            let hint = "write a DNS name such as \"mqtt.example.com\" or \"*.example.com\"; addresses are not sent as server names";
            problems.at(&at.span, format!("`{}` is not a server name", at.value), Some(hint.to_owned()));
        }
    }
}
