//! One `[[listener]]` as it is meant: addresses, files with the place they were named, and who its clients are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use signet_broker::Durability;
use signet_identity::NamingRule;
use signet_net::{ListenAddress, ParseListenAddressError};
use signet_policy::AdmissionRules;
use signet_server::{ListenerConfig, TransportConfig};
use signet_tls::{MinimumVersion, TlsListenerConfig};

use super::carriage::{self, Carriage, DeviceTrust};
use super::file::{self, ClientCertificate, Header, ListenerTls, Transport};
use super::identity::{self, Proof};
use super::limits::Limits;
use super::problem::Problems;
use super::section::At;

/// Where clients connect.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) name: String,
    pub(crate) bind: Vec<ListenAddress>,
    /// `None`: no TLS.
    pub(crate) tls: Option<Tls>,
    carriage: Carriage,
    pub(crate) admission: AdmissionRules,
    pub(crate) naming: NamingRule,
    maximum_connections: usize,
    connect_timeout: Duration,
    /// For messages that come this way; `None`: what `[store]` says.
    pub(crate) durability: Option<Durability>,
    limits: Limits,
}

/// The TLS side of a listener, every file with the place in the configuration that names it.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    pub(crate) certificate: At<PathBuf>,
    pub(crate) key: At<PathBuf>,
    pub(crate) devices: DeviceTrust,
    pub(crate) client_certificate: ClientCertificate,
    minimum_version: MinimumVersion,
}

impl Tls {
    /// The same for `signet-tls`.
    pub(crate) fn config(&self) -> TlsListenerConfig {
        TlsListenerConfig {
            certificate: self.certificate.value.clone(),
            key: self.key.value.clone(),
            trust: self.devices.files(),
            client_certificate: match self.client_certificate {
                ClientCertificate::Required => signet_tls::ClientCertificate::Required,
                ClientCertificate::Optional => signet_tls::ClientCertificate::Optional,
                ClientCertificate::None => signet_tls::ClientCertificate::None,
            },
            stale: self.devices.stale,
            minimum_version: self.minimum_version,
        }
    }
}

impl Listener {
    /// Gives one table its meaning; `index` counts listeners from 0, `base` is the directory of the configuration file.
    pub(crate) fn resolve(mut written: file::Listener, index: usize, base: &Path, problems: &Problems) -> Option<Self> {
        let header = written.header.clone();
        let bind = addresses(written.bind.as_ref(), &header, base, problems);
        // A slip in this word must not hide what is wrong with the files: the keys show what was meant.
        let meant = written.tls.first_written().filter(|_| header.has("transport")).map(|(_, span)| At { value: Transport::Tls, span });
        let Some(transport) = written.transport.or(meant) else {
            let hint = "add transport = \"tls\" or \"wss\", or \"tcp\" or \"ws\" for no encryption";
            header.lacks("transport", "[[listener]] has no `transport`", hint, problems);
            return None;
        };
        let (name, transport) = (written.name.map(|at| at.value), transport.value);
        let carriage = Carriage::resolve(written.carriage, &mut written.tls, transport, &bind, base, problems);
        let proof = match (transport.has_tls(), written.tls.client_certificate.as_ref().map(|at| at.value)) {
            (false, _) => carriage.proof(),
            (true, None | Some(ClientCertificate::Required)) => Proof::Required,
            (true, Some(ClientCertificate::Optional)) => Proof::Optional,
            (true, Some(ClientCertificate::None)) => Proof::None,
        };
        let (admission, naming) = identity::resolve(&written.identity, &header, proof, problems);
        let tls = if transport.has_tls() {
            Some(resolve_tls(written.tls, transport, &header, base, problems)?)
        } else {
            if let Some((key, span)) = written.tls.first_written() {
                let hint = "set transport = \"tls\" or \"wss\", or remove the TLS keys of this listener";
                problems.at(&span, format!("`{key}` has no meaning with transport = \"{}\"", transport.name()), Some(hint.to_owned()));
            }
            None
        };
        Some(Self {
            name: name.unwrap_or_else(|| format!("listener {}", index + 1)),
            bind,
            tls,
            carriage: carriage.with_ambient_certificates(proof),
            admission,
            naming,
            maximum_connections: written.maximum_connections.map_or(10_000, |at| usize::try_from(at.value).unwrap_or(usize::MAX)),
            connect_timeout: written.connect_timeout.map_or(Duration::from_secs(10), |at| at.value),
            durability: written.durability.map(|at| at.value),
            limits: written.limits,
        })
    }

    /// What carries MQTT, as `transport` is written.
    pub(crate) fn transport(&self) -> &'static str {
        match (self.tls.is_some(), self.carriage.is_websocket()) {
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

    /// Whose certificates are believed here, if any are looked at.
    pub(crate) fn devices(&self) -> Option<&DeviceTrust> {
        match &self.tls {
            Some(tls) => Some(&tls.devices),
            None => self.carriage.devices(),
        }
    }

    /// Bounds for its clients.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The same for `signet-server`.
    pub(crate) fn config(&self) -> ListenerConfig {
        let transport = self.tls.as_ref().map_or(TransportConfig::Tcp, |tls| TransportConfig::Tls(tls.config()));
        let mut config = ListenerConfig::new(self.name.clone(), self.bind.clone(), transport, self.admission.clone());
        config.naming = self.naming.clone();
        config.maximum_connections = self.maximum_connections;
        self.carriage.apply(&mut config);
        config.connect_timeout = self.connect_timeout;
        config.limits = self.limits.listener.clone();
        config
    }

    /// What a running listener cannot change: everything but what [`Tls::config`] holds.
    pub(crate) fn fixed_part(&self) -> String {
        let tls = self.tls.is_some();
        let times = self.connect_timeout;
        let limits = (self.maximum_connections, &self.limits, self.durability);
        format!("{:?} {tls} {:?} {:?} {:?} {times:?} {limits:?}", self.bind, self.carriage.fixed_part(), self.admission, self.naming)
    }
}

/// What `sockaddr_un` has room for, unix(7), without the zero at its end.
const SOCKET_PATH_BYTES: usize = 107;

fn addresses(written: Option<&At<Vec<At<String>>>>, header: &Header, base: &Path, problems: &Problems) -> Vec<ListenAddress> {
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
            Some(ListenAddress::Unix(path))
        }
        Ok(address) => Some(address),
        Err(error) => {
            let hint =
                "write \"0.0.0.0:8883\" for every IPv4 address, \"[::]:8883\" for every IPv6 address, \"unix:mqtt.sock\" for a unix socket";
            problems.at(&text.span, ParseListenAddressError::to_string(&error), Some(hint.to_owned()));
            None
        }
    };
    list.value.iter().filter_map(read).collect()
}

fn resolve_tls(mut written: ListenerTls, transport: Transport, header: &Header, base: &Path, problems: &Problems) -> Option<Tls> {
    let path = |at: At<String>| at.map(|text| base.join(text));
    let missing = |key: &str, example: &str| {
        let message = format!("[[listener]] with transport = \"{}\" has no `{key}`", transport.name());
        header.lacks(key, &message, &format!("add {key} = {example}"), problems);
    };
    let client_certificate = written.client_certificate.as_ref().map_or(ClientCertificate::Required, |at| at.value);
    let crl = written.crl.clone();
    let devices = DeviceTrust::take(&mut written, base);
    if devices.trust.is_empty() && client_certificate != ClientCertificate::None {
        missing("trust", carriage::TRUST_EXAMPLE);
    }
    if written.certificate.is_none() {
        missing("certificate", "\"server/server.pem\"");
    }
    if written.key.is_none() {
        missing("key", "\"server/server.key\"");
    }
    if let Some(list) = &crl
        && client_certificate == ClientCertificate::None
    {
        let hint = "client_certificate = \"none\" asks for no certificate that could be revoked";
        problems.at(&list.span, "`crl` has no meaning on this listener", Some(hint.to_owned()));
    }
    Some(Tls {
        certificate: path(written.certificate?),
        key: path(written.key?),
        devices,
        client_certificate,
        minimum_version: if written.tls13_only.is_some_and(|at| at.value) { MinimumVersion::Tls13 } else { MinimumVersion::Tls12 },
    })
}
