//! One `[[listener]]` as it is meant: addresses, files with the place they were named, and who its clients are.

use std::net::ToSocketAddrs as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use signet_broker::Durability;
use signet_net::{BindRules, ListenAddress, ParseListenAddressError};
use signet_policy::AdmissionRules;
use signet_server::{ListenerConfig, PskLookup, TransportConfig};

use super::auth::Authentication;
use super::carriage::{self, Carriage, Http};
use super::file::{self, ClientCertificate, Header, ListenerTls, Transport};
use super::host::{self, Tls};
use super::identity::{self, Proof};
use super::limits::Limits;
use super::problem::Problems;
use super::psk::{ListenerPsk, WantedKeys};
use super::section::At;
use super::trust::Profile;

/// Where clients connect.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) name: String,
    pub(crate) bind: Vec<ListenAddress>,
    /// Where each of these is written.
    pub(crate) bind_places: Vec<Range<usize>>,
    /// `None`: no TLS.
    pub(crate) tls: Option<Tls>,
    /// TLS with keys instead of certificates.
    pub(crate) psk: Option<ListenerPsk>,
    /// Whose certificates are believed, here or, where a proxy forwards them, by its hosts too.
    profiles: Vec<At<Arc<str>>>,
    carriage: Carriage,
    pub(crate) admission: AdmissionRules,
    maximum_connections: usize,
    connect_timeout: Duration,
    authentication_timeout: Duration,
    /// For messages that come this way; `None`: what `[store]` says.
    pub(crate) durability: Option<Durability>,
    limits: Limits,
}

impl Listener {
    /// Gives one table its meaning; `index` counts listeners from 0, `base` is the directory of the configuration file. With it comes the trust
    /// profile that its own keys make, if they make one.
    pub(crate) fn resolve(
        mut written: file::Listener,
        index: usize,
        (base, authentication): (&Path, &Authentication),
        problems: &Problems,
    ) -> Option<(Self, Option<Profile>)> {
        let (header, name) = (written.header.clone(), written.name(index));
        let (bind, bind_places): (Vec<_>, Vec<_>) =
            addresses(written.bind.as_ref(), &header, base, problems).into_iter().map(|at| (at.value, at.span)).unzip();
        // A slip in this word must not hide what is wrong with the files: the keys show what was meant.
        let meant = written.tls.first_written().filter(|_| header.has("transport")).map(|(_, span)| At { value: Transport::Tls, span });
        let Some(transport) = written.transport.or(meant) else {
            let hint = "add transport = \"tls\" or \"wss\", or \"tcp\" or \"ws\" for no encryption";
            header.lacks("transport", "[[listener]] has no `transport`", hint, problems);
            return None;
        };
        let transport = http_with_tls(transport.value, &mut written.tls, problems);
        let is_proxied = written.carriage.has_proxies() && !transport.has_tls();
        let demanded = if is_proxied { written.tls.client_certificate.take().map(|at| at.value) } else { None };
        let carriage =
            Carriage::resolve(written.carriage, transport, (&bind, bind_places.first().unwrap_or(&header.span), demanded), base, problems);
        let has_keys = transport.has_tls() && written.psk.is_meant();
        let proof = match (transport.has_tls(), written.tls.client_certificate.as_ref().map(|at| at.value)) {
            (false, _) => carriage.proof(),
            (true, _) if has_keys => Proof::Key,
            (true, None | Some(ClientCertificate::Required)) => Proof::Required,
            (true, Some(ClientCertificate::Optional)) => Proof::Optional,
            (true, Some(ClientCertificate::None)) => Proof::None,
        };
        let own = written.authentication.as_ref().and_then(|chain| authentication.chain_of(chain, problems));
        let chain = if written.authentication.is_some() { own } else { authentication.chain.clone() };
        let (admission, naming) = identity::resolve(&written.identity, (&header, chain, authentication.believed), proof, problems);
        let asks_for_certificates = (transport.has_tls() && !has_keys) || carriage.takes_certificates();
        let profile =
            if asks_for_certificates { Profile::of_listener(&name, &mut written.tls, naming, &header, base, problems) } else { None };
        let psk = if has_keys {
            Some(ListenerPsk::resolve(written.psk, (&written.tls, &written.hosts), (base, authentication), problems))
        } else {
            written.psk.refuse_without_meaning(transport, problems);
            None
        };
        let believed = if has_keys { Vec::new() } else { profiles(profile.as_ref(), written.tls.profiles.take()) };
        if !has_keys {
            check_trust(&written.tls, &believed, (transport, &carriage, proof), &header, problems);
        }
        let tls = if has_keys {
            None
        } else if transport.has_tls() {
            Some(Tls::resolve(written.tls, written.hosts, believed.clone(), (transport, &header, base), problems)?)
        } else {
            refuse_tls_keys(&written.tls, &written.hosts, transport, problems);
            None
        };
        let listener = Self {
            name,
            bind,
            bind_places,
            tls,
            psk,
            profiles: believed,
            carriage: carriage.with_ambient_certificates(proof),
            admission,
            maximum_connections: written.maximum_connections.map_or(10_000, |at| usize::try_from(at.value).unwrap_or(usize::MAX)),
            connect_timeout: written.connect_timeout.map_or(Duration::from_secs(10), |at| at.value),
            authentication_timeout: written.authentication_timeout.map_or(Duration::from_secs(15), |at| at.value),
            durability: written.durability.map(|at| at.value),
            limits: written.limits,
        };
        Some((listener, profile))
    }

    /// The trust profiles that it and its hosts name, each with its place.
    pub(crate) fn profiles(&self) -> impl Iterator<Item = &At<Arc<str>>> {
        self.profiles.iter().chain(self.tls.iter().flat_map(Tls::host_profiles))
    }

    /// What carries MQTT, as `transport` is written.
    pub(crate) fn transport(&self) -> &'static str {
        if self.http().is_some() {
            return Transport::HttpApi.name();
        }
        match (self.tls.is_some() || self.psk.is_some(), self.carriage.is_websocket()) {
            (false, false) => Transport::Tcp,
            (true, false) => Transport::Tls,
            (false, true) => Transport::WebSocket,
            (true, true) => Transport::SecureWebSocket,
        }
        .name()
    }

    /// Connections it may have at the same time.
    pub(crate) fn connections(&self) -> u64 {
        u64::try_from(self.maximum_connections).unwrap_or(u64::MAX)
    }

    /// What is served instead of MQTT, if anything.
    pub(crate) fn http(&self) -> Option<&Http> {
        self.carriage.http()
    }

    /// How its sockets are made.
    pub(crate) fn bind_rules(&self) -> &BindRules {
        self.carriage.bind_rules()
    }

    /// Whether MQTT goes in WebSocket.
    pub(crate) fn is_websocket(&self) -> bool {
        self.carriage.is_websocket()
    }

    /// The interface whose addresses are meant, if one is named.
    pub(crate) fn interface(&self) -> Option<&str> {
        self.carriage.interface()
    }

    /// Whether everybody may say by a PROXY header who it is.
    pub(crate) fn believes_everybody(&self) -> bool {
        self.carriage.believes_everybody()
    }

    /// Writes the secrets of its connections to this file, if it has TLS.
    pub(super) fn write_secrets_to(&mut self, path: &Path) {
        let places = [self.tls.as_mut().map(|tls| &mut tls.key_log), self.psk.as_mut().map(|psk| &mut psk.key_log)];
        for place in places.into_iter().flatten() {
            *place = Some(path.to_owned());
        }
    }

    /// Where the secrets of its connections are written, if they are.
    pub(crate) fn key_log(&self) -> Option<&Path> {
        let of_keys = self.psk.as_ref().and_then(|psk| psk.key_log.as_deref());
        self.tls.as_ref().and_then(|tls| tls.key_log.as_deref()).or(of_keys)
    }

    /// Bounds for its clients.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The same for `signet-server`.
    /// `lookup` makes whoever is asked for pre-shared keys.
    pub(crate) fn config(&self, lookup: impl FnOnce(&WantedKeys) -> Arc<dyn PskLookup>) -> ListenerConfig {
        let transport = match (&self.tls, &self.psk) {
            (Some(tls), _) => TransportConfig::Tls(tls.config()),
            (None, Some(psk)) => TransportConfig::Psk(psk.config(lookup)),
            (None, None) => TransportConfig::Tcp,
        };
        let mut config = ListenerConfig::new(self.name.clone(), self.bind.clone(), transport, self.admission.clone());
        config.maximum_connections = self.maximum_connections;
        let profiles: Vec<Arc<str>> = self.profiles.iter().map(|at| Arc::clone(&at.value)).collect();
        self.carriage.apply(&mut config, &profiles);
        config.connect_timeout = self.connect_timeout;
        config.authentication_timeout = self.authentication_timeout;
        config.limits = self.limits.listener.clone();
        config
    }
}

/// The HTTP API has TLS where a certificate is named, and asks for none: who may ask is shown by user name and password.
fn http_with_tls(transport: Transport, tls: &mut ListenerTls, problems: &Problems) -> Transport {
    if transport != Transport::HttpApi || tls.certificate.is_none() {
        return transport;
    }
    let none = At { value: ClientCertificate::None, span: 0..0 };
    if let Some(at) = tls.client_certificate.replace(none).filter(|at| at.value != ClientCertificate::None) {
        let hint = "the HTTP API knows people by user name and password";
        problems.at(&at.span, "`client_certificate` has no meaning on this listener", Some(hint.to_owned()));
    }
    Transport::SecureHttpApi
}

/// The profiles of a listener: that of its own keys, then those that it names.
fn profiles(own: Option<&Profile>, written: Option<At<Vec<At<String>>>>) -> Vec<At<Arc<str>>> {
    let own = own.map(|profile| At { value: Arc::clone(&profile.name), span: profile.place.clone() });
    let named = written.into_iter().flat_map(|list| list.value).map(|at| at.map(Arc::from));
    own.into_iter().chain(named).collect()
}

/// Whether certificates that are asked for could be believed, and none of the keys about them is without effect.
fn check_trust(
    written: &ListenerTls,
    believed: &[At<Arc<str>>],
    (transport, carriage, proof): (Transport, &Carriage, Proof),
    header: &Header,
    problems: &Problems,
) {
    if believed.is_empty() && transport.has_tls() && proof != Proof::None {
        let message = format!("[[listener]] with transport = \"{}\" has no `trust`", transport.name());
        header.lacks(
            "trust",
            &message,
            &format!("add trust = {}; or name trust profiles in `profiles`", carriage::TRUST_EXAMPLE),
            problems,
        );
    }
    if believed.is_empty() && carriage.takes_certificates() {
        let hint = format!("add trust = {}; or name trust profiles in `profiles`", carriage::TRUST_EXAMPLE);
        problems.at(&carriage.identity_place(), "proxy_identity = \"certificate\" without `trust`", Some(hint));
    }
    let lists = written.crl.iter().map(|at| ("crl", at.span.clone()));
    for (key, span) in lists.chain(written.own_trust.written()).filter(|_| transport.has_tls()) {
        let hint = match (proof, key) {
            (Proof::None, _) => "client_certificate = \"none\" asks for no certificate that could be looked at",
            (_, "crl") => "the lists of a trust profile belong into its [[trust]]",
            _ => "it is about certificates of this listener's own `trust`; those of a trust profile are judged by its [[trust]]",
        };
        problems.at(&span, format!("`{key}` has no meaning on this listener"), Some(hint.to_owned()));
    }
}

fn refuse_tls_keys(written: &ListenerTls, hosts: &[host::Written], transport: Transport, problems: &Problems) {
    let hint = "set transport = \"tls\" or \"wss\", or remove the TLS keys of this listener";
    let without = |key: &str| format!("`{key}` has no meaning with transport = \"{}\"", transport.name());
    if let Some((key, span)) = written.first_written() {
        problems.at(&span, without(key), Some(hint.to_owned()));
    }
    if let Some(host) = hosts.first() {
        problems.at(&host.header.span, without("host"), Some(hint.to_owned()));
    }
}

/// What `sockaddr_un` has room for, unix(7), without the zero at its end.
const SOCKET_PATH_BYTES: usize = 107;

fn addresses(written: Option<&At<Vec<At<String>>>>, header: &Header, base: &Path, problems: &Problems) -> Vec<At<ListenAddress>> {
    let Some(list) = written else {
        header.lacks("bind", "[[listener]] has no `bind`", "add bind = [\"0.0.0.0:8883\", \"[::]:8883\"]", problems);
        return Vec::new();
    };
    if list.value.is_empty() {
        problems.at(&list.span, "`bind` is empty: nobody could connect", Some("write bind = [\"0.0.0.0:8883\"]".to_owned()));
    }
    let read = |text: &At<String>| match text.value.parse() {
        Ok(ListenAddress::Unix(path)) => {
            let path = base.join(path);
            let length = path.as_os_str().len();
            if length > SOCKET_PATH_BYTES {
                let message = format!("`{}` has {length} bytes, the path of a unix socket at most {SOCKET_PATH_BYTES}", path.display());
                problems.at(&text.span, message, Some("choose a shorter one, such as \"unix:/run/signet/mqtt.sock\"".to_owned()));
            }
            vec![ListenAddress::Unix(path)]
        }
        Ok(address) => vec![address],
        Err(error) => {
            let named = addresses_of_host(&text.value);
            if !named.is_empty() {
                return named;
            }
            let hint =
                "write \"0.0.0.0:8883\" for every IPv4 address, \"[::]:8883\" for every IPv6 address, \"unix:mqtt.sock\" for a unix socket";
            problems.at(&text.span, ParseListenAddressError::to_string(&error), Some(hint.to_owned()));
            Vec::new()
        }
    };
    let place = |text: &At<String>| read(text).into_iter().map(|value| At { value, span: text.span.clone() }).collect::<Vec<_>>();
    list.value.iter().flat_map(place).collect()
}

/// The addresses of `HOST:PORT`, where the system knows the host; each once.
fn addresses_of_host(text: &str) -> Vec<ListenAddress> {
    let is_name = text.rsplit_once(':').is_some_and(|(host, _)| !host.is_empty() && !host.contains([':', '[', '/']));
    let found = if is_name { text.to_socket_addrs().ok() } else { None };
    let mut addresses: Vec<ListenAddress> = Vec::new();
    for address in found.into_iter().flatten().map(ListenAddress::Ip) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}
