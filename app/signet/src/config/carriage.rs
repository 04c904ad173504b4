//! What carries MQTT between a listener's socket and its clients: WebSocket, proxies in front, and the permissions of unix sockets.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use signet_net::websocket::{Origins, UpgradeRules};
use signet_net::{BindRules, ListenAddress, ProxyVersions, Source};
use signet_server::{ListenerConfig, ProxyConfig, ProxyDemand};
use signet_tls::ForwardedIdentityConfig;

use super::file::{ClientCertificate, Transport};
use super::identity::Proof;
use super::problem::Problems;
use super::section::{At, Section};

/// For messages about a missing `trust`.
pub(super) const TRUST_EXAMPLE: &str = "[\"ca/ca.pem\"], the certification authorities whose devices may connect";

/// The keys as written.
#[derive(Debug)]
pub(crate) struct Written {
    unix_mode: Option<At<String>>,
    bind_interface: Option<At<String>>,
    http_directory: Option<At<String>>,
    websocket_path: Option<At<String>>,
    websocket_origins: Option<At<Vec<At<String>>>>,
    proxy_protocol: Option<At<Option<ProxyVersions>>>,
    /// Written with a value that is none: what depends on it is not judged.
    is_proxy_protocol_wrong: bool,
    proxy_trusted: Option<At<Vec<At<String>>>>,
    proxy_identity: Option<At<ProxyIdentity>>,
    proxy_require_tls: Option<At<bool>>,
    handshake_timeout: Option<At<Duration>>,
}

/// `proxy_identity`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ProxyIdentity {
    None,
    Certificate,
    CommonName,
}

impl Written {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let proxy_protocol = section.switch("proxy_protocol", ProxyVersions::Any, &[("v1", ProxyVersions::V1), ("v2", ProxyVersions::V2)]);
        Self {
            is_proxy_protocol_wrong: proxy_protocol.is_none() && section.keys().iter().any(|key| key == "proxy_protocol"),
            proxy_protocol,
            unix_mode: section.string("unix_mode"),
            bind_interface: section.string("bind_interface"),
            http_directory: section.string("http_directory"),
            websocket_path: section.string("websocket_path"),
            websocket_origins: section.strings("websocket_origins"),
            proxy_trusted: section.strings("proxy_trusted"),
            proxy_identity: section.choice(
                "proxy_identity",
                &[("none", ProxyIdentity::None), ("certificate", ProxyIdentity::Certificate), ("common_name", ProxyIdentity::CommonName)],
            ),
            proxy_require_tls: section.boolean("proxy_require_tls"),
            handshake_timeout: section.duration("handshake_timeout", Duration::from_secs(1), Duration::from_secs(300)),
        }
    }
}

impl Written {
    /// Whether others' connections come through proxies.
    pub(super) fn has_proxies(&self) -> bool {
        self.is_proxy_protocol_wrong || self.proxy_protocol.as_ref().is_some_and(|at| at.value.is_some())
    }
}

/// The same keys as they are meant.
#[derive(Debug, Clone)]
pub(crate) struct Carriage {
    /// What is served instead of MQTT.
    http: Option<Http>,
    bind_rules: BindRules,
    websocket: Option<WebSocket>,
    proxy: Option<Proxy>,
    handshake_timeout: Duration,
}

/// Mosquitto's HTTP API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Http {
    /// Where files are, if any are shown.
    pub(crate) directory: Option<PathBuf>,
}

#[derive(Debug, Clone)]
struct WebSocket {
    /// `None`: every path.
    path: Option<String>,
    /// `None`: not written.
    origins: Option<Origins>,
    /// Browsers show a certificate here by themselves.
    has_ambient_certificates: bool,
}

#[derive(Debug, Clone)]
struct Proxy {
    versions: ProxyVersions,
    trusted: Vec<Source>,
    identity: ProxyIdentity,
    demand: ProxyDemand,
    /// Where `proxy_identity` is written.
    identity_place: Range<usize>,
}

impl Carriage {
    /// Gives the keys their meaning.
    /// `client_certificate` of a listener that sees no certificates itself: with a proxy it says what the proxy must have seen.
    pub(super) fn resolve(
        written: Written,
        transport: Transport,
        (bind, bind_place, client_certificate): (&[ListenAddress], &Range<usize>, Option<ClientCertificate>),
        base: &Path,
        problems: &Problems,
    ) -> Self {
        let useless = |span: Option<&Range<usize>>, key: &str, hint: &str| {
            if let Some(span) = span {
                problems.at(span, format!("`{key}` has no meaning on this listener"), Some(hint.to_owned()));
            }
        };
        if !bind.is_empty() && bind.iter().all(|address| matches!(address, ListenAddress::Unix(_))) {
            useless(written.bind_interface.as_ref().map(|at| &at.span), "bind_interface", "unix sockets have no interface");
        }
        if !bind.is_empty() && !bind.iter().any(|address| matches!(address, ListenAddress::Unix(_))) {
            useless(written.unix_mode.as_ref().map(|at| &at.span), "unix_mode", "it is for unix sockets: bind = [\"unix:mqtt.sock\"]");
        }
        if !transport.is_websocket() {
            let hint = "it is for transport = \"ws\" and \"wss\"";
            useless(written.websocket_path.as_ref().map(|at| &at.span), "websocket_path", hint);
            useless(written.websocket_origins.as_ref().map(|at| &at.span), "websocket_origins", hint);
        }
        if transport.is_http() {
            let hint = "the HTTP API speaks TCP or TLS with those who ask";
            useless(written.proxy_protocol.as_ref().map(|at| &at.span), "proxy_protocol", hint);
            useless(written.handshake_timeout.as_ref().map(|at| &at.span), "handshake_timeout", hint);
            if bind.iter().any(|address| matches!(address, ListenAddress::Unix(_))) {
                useless(Some(bind_place), "unix", hint);
            }
        } else {
            useless(written.http_directory.as_ref().map(|at| &at.span), "http_directory", "it is for transport = \"http_api\"");
        }
        let versions = written.proxy_protocol.as_ref().and_then(|at| at.value).filter(|_| !transport.is_http());
        if versions.is_none() && !written.is_proxy_protocol_wrong {
            let hint = "set proxy_protocol = true, or remove it";
            useless(written.proxy_trusted.as_ref().map(|at| &at.span), "proxy_trusted", hint);
            useless(written.proxy_identity.as_ref().map(|at| &at.span), "proxy_identity", hint);
            useless(written.proxy_require_tls.as_ref().map(|at| &at.span), "proxy_require_tls", hint);
        } else if transport.has_tls() {
            let hint = "where TLS comes through the proxy, the certificate is seen here";
            useless(written.proxy_identity.as_ref().map(|at| &at.span), "proxy_identity", hint);
            useless(written.proxy_require_tls.as_ref().map(|at| &at.span), "proxy_require_tls", "TLS is spoken with this listener itself");
        }
        if !transport.has_tls() && !transport.is_websocket() && !transport.is_http() && versions.is_none() {
            let hint = "nothing comes before CONNECT here: `connect_timeout` is the limit";
            useless(written.handshake_timeout.as_ref().map(|at| &at.span), "handshake_timeout", hint);
        }
        let proxy = versions.map(|versions| {
            let place = written.proxy_protocol.as_ref().map_or(0..0, |at| at.span.clone());
            let identity = written.proxy_identity.as_ref();
            let mut proxy = Proxy::resolve(versions, &place, written.proxy_trusted.as_ref(), identity, transport.has_tls(), problems);
            proxy.demand = match (client_certificate, written.proxy_require_tls.as_ref()) {
                (Some(ClientCertificate::Required), _) => ProxyDemand::Certificate,
                (_, Some(at)) if at.value => ProxyDemand::Tls,
                _ => ProxyDemand::Nothing,
            };
            if let Some(at) = written.proxy_require_tls.as_ref().filter(|at| at.value && versions == ProxyVersions::V1) {
                let hint = "version 1 says nothing about TLS: use proxy_protocol = \"v2\"";
                useless(Some(&at.span), "proxy_require_tls", hint);
            }
            proxy
        });
        Self {
            http: transport.is_http().then(|| Http { directory: written.http_directory.map(|at| base.join(at.value)) }),
            bind_rules: BindRules {
                unix_mode: written.unix_mode.map_or(0o660, |at| unix_mode(&at, problems)),
                interface: written.bind_interface.map(|at| at.value),
            },
            websocket: transport.is_websocket().then(|| WebSocket {
                path: written.websocket_path.map_or_else(|| Some("/mqtt".to_owned()), |at| path(at, problems)),
                origins: written.websocket_origins.map(|at| origins(&at, problems)),
                has_ambient_certificates: false,
            }),
            proxy,
            handshake_timeout: written.handshake_timeout.map_or(Duration::from_secs(10), |at| at.value),
        }
    }

    /// Where a browser shows a certificate by itself, anybody's page could use it: unless origins are listed, only pages of the same host may.
    pub(super) fn with_ambient_certificates(mut self, proof: Proof) -> Self {
        if let Some(websocket) = &mut self.websocket {
            websocket.has_ambient_certificates = proof != Proof::None;
        }
        self
    }

    /// What is known of clients by the word of a proxy.
    pub(super) fn proof(&self) -> Proof {
        match self.proxy.as_ref().map(|proxy| proxy.identity) {
            None | Some(ProxyIdentity::None) => Proof::None,
            Some(ProxyIdentity::CommonName) => Proof::Name,
            Some(ProxyIdentity::Certificate) => Proof::Optional,
        }
    }

    /// Whether a proxy forwards certificates, which are judged here.
    pub(super) fn takes_certificates(&self) -> bool {
        self.proxy.as_ref().is_some_and(|proxy| proxy.identity == ProxyIdentity::Certificate)
    }

    /// Where `proxy_identity` is written.
    pub(super) fn identity_place(&self) -> Range<usize> {
        self.proxy.as_ref().map_or(0..0, |proxy| proxy.identity_place.clone())
    }

    /// What is served instead of MQTT, if anything.
    pub(super) fn http(&self) -> Option<&Http> {
        self.http.as_ref()
    }

    /// How its sockets are made.
    pub(super) fn bind_rules(&self) -> &BindRules {
        &self.bind_rules
    }

    /// The interface whose addresses are meant, if one is named.
    pub(super) fn interface(&self) -> Option<&str> {
        self.bind_rules.interface.as_deref()
    }

    /// Whether everybody may send PROXY headers here, and so be whoever it likes.
    pub(super) fn believes_everybody(&self) -> bool {
        let is_all = |source: &Source| matches!(source, Source::Network { prefix: 0, .. });
        self.proxy.as_ref().is_some_and(|proxy| proxy.trusted.iter().any(is_all))
    }

    /// Whether MQTT goes in WebSocket.
    pub(super) fn is_websocket(&self) -> bool {
        self.websocket.is_some()
    }

    /// The same for `signet-server`.
    pub(super) fn apply(&self, config: &mut ListenerConfig, profiles: &[Arc<str>]) {
        config.bind_rules = self.bind_rules.clone();
        config.websocket = self.websocket.as_ref().map(WebSocket::rules);
        config.handshake_timeout = self.handshake_timeout;
        config.proxy_protocol = self.proxy_config(profiles);
    }

    fn proxy_config(&self, profiles: &[Arc<str>]) -> Option<ProxyConfig> {
        self.proxy.as_ref().map(|proxy| ProxyConfig {
            versions: proxy.versions,
            trusted: proxy.trusted.clone(),
            demand: proxy.demand,
            identity: match proxy.identity {
                ProxyIdentity::None => ForwardedIdentityConfig::None,
                ProxyIdentity::CommonName => ForwardedIdentityConfig::CommonName,
                ProxyIdentity::Certificate => ForwardedIdentityConfig::Certificate { profiles: profiles.to_vec() },
            },
        })
    }
}

impl WebSocket {
    fn rules(&self) -> UpgradeRules {
        let default = || if self.has_ambient_certificates { Origins::SameHost(Vec::new()) } else { Origins::Any };
        UpgradeRules { path: self.path.clone(), origins: self.origins.clone().unwrap_or_else(default) }
    }
}

impl Proxy {
    fn resolve(
        versions: ProxyVersions,
        place: &Range<usize>,
        trusted: Option<&At<Vec<At<String>>>>,
        identity: Option<&At<ProxyIdentity>>,
        has_tls: bool,
        problems: &Problems,
    ) -> Self {
        let sources: Vec<Source> = trusted
            .iter()
            .flat_map(|list| &list.value)
            .filter_map(|text| match text.value.parse() {
                Ok(source) => Some(source),
                Err(error) => {
                    let hint = "write a network such as \"10.0.0.0/8\", an address, or \"unix\"";
                    problems.at(&text.span, signet_net::ParseSourceError::to_string(&error), Some(hint.to_owned()));
                    None
                }
            })
            .collect();
        if trusted.is_none_or(|list| list.value.is_empty()) {
            let hint = "add proxy_trusted = [\"10.0.0.7\"], the addresses of the proxies: whoever may send a PROXY header can be anybody";
            problems.at(place, "`proxy_protocol` without `proxy_trusted`", Some(hint.to_owned()));
        }
        let kind = identity.map_or(ProxyIdentity::None, |at| at.value);
        // Where TLS comes through the proxy, nobody's word is needed.
        let kind = if has_tls { ProxyIdentity::None } else { kind };
        let identity_place = identity.map_or(0..0, |at| at.span.clone());
        Self { versions, trusted: sources, identity: kind, demand: ProxyDemand::Nothing, identity_place }
    }
}

fn unix_mode(at: &At<String>, problems: &Problems) -> u32 {
    let mode = u32::from_str_radix(&at.value, 8).ok().filter(|mode| at.value.bytes().all(|byte| byte.is_ascii_digit()) && *mode <= 0o777);
    mode.unwrap_or_else(|| {
        problems.at(&at.span, format!("`{}` is not a file mode", at.value), Some("write it as for chmod: \"0660\"".to_owned()));
        0o600
    })
}

fn path(at: At<String>, problems: &Problems) -> Option<String> {
    if at.value == "*" {
        return None;
    }
    if !at.value.starts_with('/') || at.value.contains('?') || !at.value.bytes().all(|byte| byte.is_ascii_graphic()) {
        let hint = "write the path of the URL, such as \"/mqtt\", or \"*\" for every path";
        problems.at(&at.span, format!("`{}` is not the path of a URL", at.value), Some(hint.to_owned()));
    }
    Some(at.value)
}

fn origins(at: &At<Vec<At<String>>>, problems: &Problems) -> Origins {
    let mut listed = Vec::new();
    let (mut any, mut same_host) = (false, false);
    for origin in &at.value {
        match origin.value.as_str() {
            "*" => any = true,
            "same-host" => same_host = true,
            text if is_origin(text) => listed.push(text.to_owned()),
            text => problems.at(
                &origin.span,
                format!("`{text}` is not an origin"),
                Some(
                    "write it as browsers do: \"https://app.example.com\" without a path; \"same-host\" and \"*\" are possible too"
                        .to_owned(),
                ),
            ),
        }
    }
    match (any, same_host) {
        (true, _) => Origins::Any,
        (false, true) => Origins::SameHost(listed),
        (false, false) => Origins::Listed(listed),
    }
}

/// Pages of files and of some frames have the origin `null`; those of apps a scheme of their own (RFC 6454 §6.1).
fn is_origin(text: &str) -> bool {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    };
    let host = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)).map(|(_, host)| host);
    text == "null"
        || host.is_some_and(|host| {
            !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'@' | b'?' | b'#'))
        })
}

#[cfg(test)]
mod tests;
