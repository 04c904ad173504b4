//! One `[[listener]]` as it is meant: addresses, files with the place they were named, and who its clients are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use signet_broker::Durability;
use signet_identity::{ClientIdentifierBinding, NamingRule, Template, TemplateError, TemplateField};
use signet_net::ListenAddress;
use signet_policy::AdmissionRules;
use signet_revocation::StalePolicy;
use signet_server::{ListenerConfig, TransportConfig};
use signet_tls::{MinimumVersion, TlsListenerConfig};

use super::file::{self, ClientCertificate, Header, ListenerIdentity, ListenerTls, Transport};
use super::limits::Limits;
use super::problem::Problems;
use super::section::At;

/// Where clients connect.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) name: String,
    pub(crate) bind: Vec<ListenAddress>,
    /// `None`: plain TCP.
    pub(crate) tls: Option<Tls>,
    pub(crate) admission: AdmissionRules,
    pub(crate) naming: NamingRule,
    maximum_connections: usize,
    handshake_timeout: Duration,
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
    pub(crate) trust: Vec<At<PathBuf>>,
    pub(crate) crl: Vec<At<PathBuf>>,
    pub(crate) client_certificate: ClientCertificate,
    pub(crate) stale: StalePolicy,
    minimum_version: MinimumVersion,
}

impl Tls {
    /// The same for `signet-tls`.
    pub(crate) fn config(&self) -> TlsListenerConfig {
        TlsListenerConfig {
            certificate: self.certificate.value.clone(),
            key: self.key.value.clone(),
            trust: self.trust.iter().map(|at| at.value.clone()).collect(),
            client_certificate: match self.client_certificate {
                ClientCertificate::Required => signet_tls::ClientCertificate::Required,
                ClientCertificate::Optional => signet_tls::ClientCertificate::Optional,
                ClientCertificate::None => signet_tls::ClientCertificate::None,
            },
            stale: self.stale,
            minimum_version: self.minimum_version,
        }
    }
}

impl Listener {
    /// Gives one table its meaning; `index` counts listeners from 0, `base` is the directory of the configuration file.
    pub(crate) fn resolve(written: file::Listener, index: usize, base: &Path, problems: &Problems) -> Option<Self> {
        let header = &written.header;
        let bind = addresses(written.bind.as_ref(), header, problems);
        // A slip in this word must not hide what is wrong with the files: the keys show what was meant.
        let meant = written.tls.first_written().filter(|_| header.has("transport")).map(|(_, span)| At { value: Transport::Tls, span });
        let Some(transport) = written.transport.or(meant) else {
            let hint = "add transport = \"tls\", or \"tcp\" for no encryption";
            header.lacks("transport", "[[listener]] has no `transport`", hint, problems);
            return None;
        };
        let handshake_timeout = written.tls.handshake_timeout.as_ref().map_or(Duration::from_secs(10), |at| at.value);
        let asks_for_certificate = transport.value == Transport::Tls
            && written.tls.client_certificate.as_ref().is_none_or(|at| at.value != ClientCertificate::None);
        let requires_certificate = transport.value == Transport::Tls
            && written.tls.client_certificate.as_ref().is_none_or(|at| at.value == ClientCertificate::Required);
        let (admission, naming) = identity(&written.identity, header, asks_for_certificate, requires_certificate, problems);
        let tls = match transport.value {
            Transport::Tls => Some(resolve_tls(written.tls, header, base, problems)?),
            Transport::Tcp => {
                if let Some((key, span)) = written.tls.first_written() {
                    let hint = "set transport = \"tls\", or remove the TLS keys of this listener";
                    problems.at(&span, format!("`{key}` has no meaning with transport = \"tcp\""), Some(hint.to_owned()));
                }
                None
            }
        };
        Some(Self {
            name: written.name.map_or_else(|| format!("listener {}", index + 1), |at| at.value),
            bind,
            tls,
            admission,
            naming,
            maximum_connections: written.maximum_connections.map_or(10_000, |at| usize::try_from(at.value).unwrap_or(usize::MAX)),
            handshake_timeout,
            connect_timeout: written.connect_timeout.map_or(Duration::from_secs(10), |at| at.value),
            durability: written.durability.map(|at| at.value),
            limits: written.limits,
        })
    }

    /// Connections it may have at the same time.
    pub(crate) fn connections(&self) -> u64 {
        u64::try_from(self.maximum_connections).unwrap_or(u64::MAX)
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
        config.handshake_timeout = self.handshake_timeout;
        config.connect_timeout = self.connect_timeout;
        config.limits = self.limits.listener.clone();
        config
    }

    /// What a running listener cannot change: everything but what [`Tls::config`] holds.
    pub(crate) fn fixed_part(&self) -> String {
        let tls = self.tls.is_some();
        let times = (self.handshake_timeout, self.connect_timeout);
        let limits = (self.maximum_connections, &self.limits, self.durability);
        format!("{:?} {tls} {:?} {:?} {times:?} {limits:?}", self.bind, self.admission, self.naming)
    }
}

fn addresses(written: Option<&At<Vec<At<String>>>>, header: &Header, problems: &Problems) -> Vec<ListenAddress> {
    let Some(list) = written else {
        header.lacks("bind", "[[listener]] has no `bind`", "add bind = [\"0.0.0.0:8883\", \"[::]:8883\"]", problems);
        return Vec::new();
    };
    if list.value.is_empty() {
        problems.at(&list.span, "`bind` is empty: nobody could connect", Some("write bind = [\"0.0.0.0:8883\"]".to_owned()));
    }
    let read = |text: &At<String>| match text.value.parse() {
        Ok(address) => Some(address),
        Err(_) => {
            problems.at(
                &text.span,
                format!("`{}` is not an address and port", text.value),
                Some("write \"0.0.0.0:8883\" for every IPv4 address, \"[::]:8883\" for every IPv6 address".to_owned()),
            );
            None
        }
    };
    list.value.iter().filter_map(read).collect()
}

fn resolve_tls(written: ListenerTls, header: &Header, base: &Path, problems: &Problems) -> Option<Tls> {
    let path = |at: At<String>| at.map(|text| base.join(text));
    let paths = |at: Option<At<Vec<At<String>>>>| at.map_or_else(Vec::new, |list| list.value.into_iter().map(path).collect::<Vec<_>>());
    let missing = |key: &str, example: &str| {
        let message = format!("[[listener]] with transport = \"tls\" has no `{key}`");
        header.lacks(key, &message, &format!("add {key} = {example}"), problems);
    };
    let client_certificate = written.client_certificate.map_or(ClientCertificate::Required, |at| at.value);
    let trust = paths(written.trust);
    if trust.is_empty() && client_certificate != ClientCertificate::None {
        missing("trust", "[\"ca/ca.pem\"], the certification authorities whose devices may connect");
    }
    if written.certificate.is_none() {
        missing("certificate", "\"server/server.pem\"");
    }
    if written.key.is_none() {
        missing("key", "\"server/server.key\"");
    }
    let crl = written.crl;
    if let Some(list) = &crl
        && client_certificate == ClientCertificate::None
    {
        let hint = "client_certificate = \"none\" asks for no certificate that could be revoked";
        problems.at(&list.span, "`crl` has no meaning on this listener", Some(hint.to_owned()));
    }
    Some(Tls {
        certificate: path(written.certificate?),
        key: path(written.key?),
        trust,
        crl: paths(crl),
        client_certificate,
        stale: if written.crl_stale_allowed.is_some_and(|at| at.value) { StalePolicy::Allow } else { StalePolicy::Deny },
        minimum_version: if written.tls13_only.is_some_and(|at| at.value) { MinimumVersion::Tls13 } else { MinimumVersion::Tls12 },
    })
}

fn identity(
    written: &ListenerIdentity,
    header: &Header,
    asks_for_certificate: bool,
    requires_certificate: bool,
    problems: &Problems,
) -> (AdmissionRules, NamingRule) {
    let naming = written.device.as_ref().and_then(|at| {
        let template = template(at, problems)?;
        NamingRule::new(template).map_err(|error| complain(at, &error, problems)).ok()
    });
    let anonymous = written.anonymous.as_ref().is_some_and(|at| at.value);
    match &written.anonymous {
        Some(at) if at.value && requires_certificate => problems.at(
            &at.span,
            "`anonymous` has no meaning where every client must show a certificate",
            Some("set client_certificate = \"optional\", or remove `anonymous`".to_owned()),
        ),
        _ if !anonymous && !asks_for_certificate => problems.at(
            &header.span,
            "nobody could connect here: no certificate is asked for and `anonymous` is not true",
            Some("add anonymous = true, or use transport = \"tls\" with client_certificate = \"required\"".to_owned()),
        ),
        _ => {}
    }
    let mapped = |at: &At<String>| {
        let template = template(at, problems)?;
        if template.needs_certificate() && !asks_for_certificate {
            let hint = "use transport = \"tls\" with client_certificate = \"required\" or \"optional\"";
            problems.at(&at.span, format!("`{}` needs a certificate, and this listener asks for none", at.value), Some(hint.to_owned()));
        }
        Some(template)
    };
    let binding = match written.bind_client_identifier.as_ref() {
        Some(at) if at.value != "any" => {
            let (text, prefix) = at.value.strip_suffix('*').map_or((at.value.as_str(), false), |text| (text, true));
            let template = mapped(&At { value: text.to_owned(), span: at.span.clone() });
            refuse_claims(at, template.as_ref(), problems);
            if written.client_identifier.is_some() {
                let hint = "with `client_identifier` the certificate makes the identifier itself: remove one of the two";
                problems.at(&at.span, "`bind_client_identifier` has no meaning beside `client_identifier`", Some(hint.to_owned()));
            }
            match (template, prefix) {
                (Some(template), true) => ClientIdentifierBinding::Prefix(template),
                (Some(template), false) => ClientIdentifierBinding::Equals(template),
                (None, _) => ClientIdentifierBinding::Any,
            }
        }
        _ => ClientIdentifierBinding::Any,
    };
    let admission = AdmissionRules {
        anonymous,
        username: written.username.as_ref().and_then(mapped),
        client_identifier: written.client_identifier.as_ref().and_then(mapped),
        binding,
        bridge: None,
    };
    (admission, naming.unwrap_or_default())
}

/// A claim cannot prove a claim: a binding is made of what the certificate says, and of fixed text.
fn refuse_claims(written: &At<String>, template: Option<&Template>, problems: &Problems) {
    let claims = [TemplateField::Username, TemplateField::ClientIdentifier];
    if let Some(claim) = template.and_then(|template| template.fields().find(|field| claims.contains(field))) {
        problems.at(
            &written.span,
            format!("`{}` is what the client claims, so it binds the Client Identifier to nothing", claim.placeholder()),
            Some("write \"${device}\", \"${device}*\" or a certificate field".to_owned()),
        );
    }
}

fn template(written: &At<String>, problems: &Problems) -> Option<Template> {
    Template::parse(&written.value).map_err(|error| complain(written, &error, problems)).ok()
}

fn complain(written: &At<String>, error: &TemplateError, problems: &Problems) {
    // One quote stands before the text, unless it is written with three quotes or escapes: then the whole value is marked.
    let plain = written.span.len() == written.value.len() + 2;
    let span =
        if plain { written.span.start + 1 + error.span.start..written.span.start + 1 + error.span.end } else { written.span.clone() };
    problems.at(&span, error.to_string(), None);
}
