//! The configuration exactly as written: types checked, keys known, nothing interpreted. `resolved.rs` says what it means.

use std::ops::Range;
use std::time::Duration;

use signet_policy::Effect;
use signet_revocation::{RevocationDepth, RevocationMode};
use signet_tls::{CertificateDates, TlsListenerConfig};
use toml::de::DeTable;

use super::limits::Limits;
use super::log::LogConfig;
use super::problem::Problems;
use super::process::Process;
use super::section::{At, Section};
use super::telemetry::Telemetry;

const DAY: Duration = Duration::from_secs(86_400);
const YEARS: Duration = Duration::from_secs(100 * 365 * 86_400);

/// `signet.toml`.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) data_dir: Option<At<String>>,
    pub(crate) log: LogConfig,
    pub(crate) process: Process,
    pub(crate) admin_socket: Option<At<String>>,
    pub(crate) ca: Ca,
    pub(crate) limits: Limits,
    pub(crate) trust: Vec<super::trust::Written>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) authentication: super::auth::Written,
    pub(crate) access: Vec<Access>,
    pub(crate) bridges: Vec<super::bridge::Written>,
    pub(crate) revocation: Revocation,
    pub(crate) store: super::store::Store,
    pub(crate) telemetry: Telemetry,
}

/// `[revocation]`
#[derive(Debug, Default)]
pub(crate) struct Revocation {
    pub(crate) publish_will: Option<At<bool>>,
    pub(crate) keep_session: Option<At<bool>>,
    pub(crate) refusals_kept: Option<At<u64>>,
    pub(crate) audit_kept: Option<At<u64>>,
    pub(crate) list_size_maximum: Option<At<u64>>,
    pub(crate) addresses_maximum: Option<At<u64>>,
    pub(crate) fetches_maximum: Option<At<u64>>,
    pub(crate) ocsp_answers_maximum: Option<At<u64>>,
    pub(crate) ocsp_questions_maximum: Option<At<u64>>,
}

/// `[ca]`
#[derive(Debug, Default)]
pub(crate) struct Ca {
    pub(crate) dir: Option<At<String>>,
    pub(crate) crl: Option<At<String>>,
    pub(crate) crl_validity: Option<At<Duration>>,
    pub(crate) device_validity: Option<At<Duration>>,
}

/// Where a table begins and which keys it has, for messages about the ones it lacks.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    pub(crate) span: Range<usize>,
    keys: Vec<String>,
}

impl Header {
    pub(super) fn of(section: &Section<'_>) -> Self {
        Self { span: section.span.clone(), keys: section.keys() }
    }

    /// Whether `key` is written, with whatever value.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|written| written == key)
    }

    /// Reports that `key` is missing, unless it is there with a wrong value, which was reported where it stands.
    pub(crate) fn lacks(&self, key: &str, message: &str, hint: &str, problems: &Problems) {
        if !self.has(key) {
            problems.at(&self.span, message, Some(hint.to_owned()));
        }
    }
}

/// `[[listener]]`
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) header: Header,
    pub(crate) name: Option<At<String>>,
    pub(crate) bind: Option<At<Vec<At<String>>>>,
    pub(crate) transport: Option<At<Transport>>,
    pub(crate) carriage: super::carriage::Written,
    pub(crate) tls: ListenerTls,
    pub(crate) psk: super::psk::Written,
    pub(crate) hosts: Vec<super::host::Written>,
    pub(crate) identity: ListenerIdentity,
    pub(crate) authentication: Option<super::auth::WrittenChain>,
    pub(crate) authentication_timeout: Option<At<Duration>>,
    pub(crate) maximum_connections: Option<At<u64>>,
    pub(crate) connect_timeout: Option<At<Duration>>,
    pub(crate) durability: Option<At<signet_broker::Durability>>,
    pub(crate) limits: Limits,
}

/// How certificates are judged that a listener's own `trust` is for.
#[derive(Debug, Default)]
pub(crate) struct OwnTrust {
    pub(crate) revocation: Option<At<RevocationMode>>,
    pub(crate) revocation_depth: Option<At<RevocationDepth>>,
    pub(crate) certificate_dates: Option<At<CertificateDates>>,
    pub(crate) takes_version_1: Option<At<bool>>,
}

impl OwnTrust {
    fn read(section: &Section<'_>) -> Self {
        Self {
            revocation: section.choice("revocation", &REVOCATION),
            revocation_depth: section.choice("revocation_depth", &REVOCATION_DEPTH),
            certificate_dates: section.choice("certificate_dates", &CERTIFICATE_DATES),
            takes_version_1: section.choice("version_1", &VERSION_1),
        }
    }

    /// Every key that is written, with its place.
    pub(crate) fn written(&self) -> impl Iterator<Item = (&'static str, Range<usize>)> {
        let spans = [
            ("revocation", self.revocation.as_ref().map(|at| at.span.clone())),
            ("revocation_depth", self.revocation_depth.as_ref().map(|at| at.span.clone())),
            ("certificate_dates", self.certificate_dates.as_ref().map(|at| at.span.clone())),
            ("version_1", self.takes_version_1.as_ref().map(|at| at.span.clone())),
        ];
        spans.into_iter().filter_map(|(key, span)| Some((key, span?)))
    }
}

/// The TLS keys of a listener.
#[derive(Debug)]
pub(crate) struct ListenerTls {
    pub(crate) certificate: Option<At<Vec<At<String>>>>,
    pub(crate) key: Option<At<Vec<At<String>>>>,
    pub(crate) profiles: Option<At<Vec<At<String>>>>,
    pub(crate) ocsp_stapling: Option<At<bool>>,
    pub(crate) trust: Option<At<Vec<At<String>>>>,
    pub(crate) client_certificate: Option<At<ClientCertificate>>,
    pub(crate) crl: Option<At<Vec<At<String>>>>,
    pub(crate) crl_stale_allowed: Option<At<bool>>,
    pub(crate) own_trust: OwnTrust,
    pub(crate) authority_names: Option<At<bool>>,
    pub(crate) cipher_suites: Option<At<Vec<At<String>>>>,
    pub(crate) alpn: Option<At<Vec<At<String>>>>,
    pub(crate) tls13_only: Option<At<bool>>,
    /// The file of the secrets, which the top level names for every listener.
    pub(crate) secrets: Option<String>,
}

/// The keys that say who a client of a listener is.
#[derive(Debug)]
pub(crate) struct ListenerIdentity {
    pub(crate) device: Option<At<String>>,
    pub(crate) username: Option<At<String>>,
    pub(crate) client_identifier: Option<At<String>>,
    pub(crate) bind_client_identifier: Option<At<String>>,
    pub(crate) anonymous: Option<At<bool>>,
    pub(crate) believe: Option<At<Vec<At<String>>>>,
    pub(crate) mount_point: Option<At<String>>,
}

impl Listener {
    /// Its name, or the one that it has as the listener of this index, counted from 0.
    pub(crate) fn name(&self, index: usize) -> String {
        self.name.as_ref().map_or_else(|| format!("listener {}", index + 1), |at| at.value.clone())
    }
}

/// `transport`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Tls,
    WebSocket,
    SecureWebSocket,
    /// No MQTT: Mosquitto's HTTP API.
    HttpApi,
    /// The same with TLS, which it has where a certificate is named.
    SecureHttpApi,
}

impl Transport {
    /// Every value with its word.
    const WORDS: [(&'static str, Self); 6] = [
        ("tcp", Self::Tcp),
        ("tls", Self::Tls),
        ("ws", Self::WebSocket),
        ("wss", Self::SecureWebSocket),
        ("http_api", Self::HttpApi),
        ("http_api", Self::SecureHttpApi),
    ];

    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
    }

    /// Whether TLS ends here.
    pub(crate) fn has_tls(self) -> bool {
        matches!(self, Self::Tls | Self::SecureWebSocket | Self::SecureHttpApi)
    }

    /// The application protocols that clients may offer here (RFC 7301). Browsers offer that of HTTP for WebSocket.
    pub(crate) fn alpn(self) -> &'static [&'static str] {
        match self {
            Self::Tcp | Self::Tls => &[TlsListenerConfig::MQTT],
            Self::WebSocket | Self::SecureWebSocket => &["http/1.1", TlsListenerConfig::MQTT],
            Self::HttpApi | Self::SecureHttpApi => &["http/1.1"],
        }
    }

    /// Whether it is Mosquitto's HTTP API instead of MQTT.
    pub(crate) fn is_http(self) -> bool {
        matches!(self, Self::HttpApi | Self::SecureHttpApi)
    }

    /// Whether MQTT goes in WebSocket.
    pub(crate) fn is_websocket(self) -> bool {
        matches!(self, Self::WebSocket | Self::SecureWebSocket)
    }
}

/// `client_certificate`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientCertificate {
    Required,
    Optional,
    None,
}

impl ClientCertificate {
    /// Every value with its word.
    pub(crate) const WORDS: [(&'static str, Self); 3] = [("required", Self::Required), ("optional", Self::Optional), ("none", Self::None)];
}

/// `revocation`
pub(super) const REVOCATION: [(&str, RevocationMode); 3] =
    [("require", RevocationMode::Require), ("prefer", RevocationMode::Prefer), ("off", RevocationMode::Off)];

/// `revocation_depth`
pub(super) const REVOCATION_DEPTH: [(&str, RevocationDepth); 2] = [("chain", RevocationDepth::Chain), ("leaf", RevocationDepth::Leaf)];

/// `version_1`
pub(super) const VERSION_1: [(&str, bool); 2] = [("deny", false), ("allow", true)];

/// `certificate_dates`
pub(super) const CERTIFICATE_DATES: [(&str, CertificateDates); 3] =
    [("check", CertificateDates::Check), ("strict", CertificateDates::Strict), ("ignore", CertificateDates::Ignore)];

/// `[[access]]`
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) header: Header,
    pub(crate) who: Option<At<String>>,
    pub(crate) name: Option<At<String>>,
    pub(crate) effect: Effect,
    pub(crate) publish: Vec<At<String>>,
    pub(crate) subscribe: Vec<At<String>>,
    pub(crate) qos: Option<At<Vec<u64>>>,
    pub(crate) retain: Option<At<bool>>,
    pub(crate) will: Option<At<bool>>,
}

impl File {
    /// Reads a whole file. What cannot be read is reported and left out.
    pub(crate) fn parse(text: &str, problems: &Problems) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            match error.span() {
                Some(span) => problems.at(&span, error.message(), None),
                None => problems.whole(error.message(), None),
            }
        }
        // After a syntax error the rest of the tree is a guess: complaints about it would only hide the cause.
        if !errors.is_empty() {
            return Self::default();
        }
        let top = Section::new("the top level", table.get_ref(), 0..0, problems);
        super::who::read_groups(&top, problems);
        let secrets = top.string("tls_keylog");
        let limits = top.section("limits").map(Limits::read).unwrap_or_default();
        let file = Self {
            data_dir: top.string("data_dir"),
            log: top.section("log").map(|section| LogConfig::read(section, &problems.base(), problems)).unwrap_or_default(),
            process: Process::read(&top, &problems.base(), problems),
            admin_socket: top.section("admin").and_then(|section| {
                let socket = section.string("socket");
                section.finish();
                socket
            }),
            ca: top.section("ca").map(Ca::read).unwrap_or_default(),
            trust: top.sections("trust").into_iter().map(super::trust::Written::read).collect(),
            listeners: top.sections("listener").into_iter().map(|section| Listener::read(section, &limits, secrets.as_ref())).collect(),
            limits,
            telemetry: Telemetry::read(&top, problems),
            authentication: super::auth::Written::read(&top, &problems.base(), problems),
            access: top.sections("access").into_iter().map(Access::read).collect(),
            bridges: top.sections("bridge").into_iter().map(super::bridge::Written::read).collect(),
            revocation: top.section("revocation").map(Revocation::read).unwrap_or_default(),
            store: top.section("store").map(|section| super::store::Store::read(section, problems)).unwrap_or_default(),
        };
        top.finish();
        file
    }
}

impl Revocation {
    fn read(section: Section<'_>) -> Self {
        let revocation = Self {
            publish_will: section.choice("will", &[("publish", true), ("drop", false)]),
            keep_session: section.choice("session", &[("keep", true), ("end", false)]),
            refusals_kept: section.number("refusals_kept", 0, 1_000_000),
            audit_kept: section.number("audit_kept", 100, 100_000_000),
            list_size_maximum: section.size("list_size_maximum", 1024, 1 << 30),
            addresses_maximum: section.number("addresses_maximum", 1, 10_000),
            fetches_maximum: section.number("fetches_maximum", 1, 256),
            ocsp_answers_maximum: section.number("ocsp_answers_maximum", 1, 10_000_000),
            ocsp_questions_maximum: section.number("ocsp_questions_maximum", 1, 1_000_000),
        };
        section.finish();
        revocation
    }
}

impl Ca {
    fn read(section: Section<'_>) -> Self {
        let ca = Self {
            dir: section.string("dir"),
            crl: section.string("crl"),
            crl_validity: section.duration("crl_validity", Duration::from_secs(60), YEARS),
            device_validity: section.duration("device_validity", DAY, YEARS),
        };
        section.finish();
        ca
    }
}

impl Listener {
    fn read(section: Section<'_>, limits: &Limits, secrets: Option<&At<String>>) -> Self {
        let own = section.section("limits").map(|section| Limits::read_listener(section, limits));
        let listener = Self {
            limits: own.unwrap_or_else(|| limits.clone()),
            header: Header::of(&section),
            name: section.string("name"),
            bind: section.strings("bind"),
            transport: section.choice("transport", &Transport::WORDS),
            carriage: super::carriage::Written::read(&section),
            tls: ListenerTls { secrets: secrets.map(|at| at.value.clone()), ..ListenerTls::read(&section) },
            psk: super::psk::Written::read(&section),
            hosts: section.sections("host").into_iter().map(super::host::Written::read).collect(),
            identity: ListenerIdentity {
                device: section.string("device"),
                username: section.string("username"),
                client_identifier: section.string("client_identifier"),
                bind_client_identifier: section.string("bind_client_identifier"),
                anonymous: section.boolean("anonymous"),
                believe: section.strings("believe"),
                mount_point: section.string("mount_point"),
            },
            authentication: section.strings("authentication"),
            authentication_timeout: section.duration("authentication_timeout", Duration::from_secs(1), Duration::from_secs(300)),
            maximum_connections: section.number("maximum_connections", 1, 10_000_000),
            connect_timeout: section.duration("connect_timeout", Duration::from_secs(1), Duration::from_secs(300)),
            durability: section.choice("durability", &super::store::DURABILITY),
        };
        section.finish();
        listener
    }
}

impl ListenerTls {
    fn read(section: &Section<'_>) -> Self {
        Self {
            certificate: section.strings("certificate"),
            key: section.strings("key"),
            profiles: section.strings("profiles"),
            ocsp_stapling: section.boolean("ocsp_stapling"),
            trust: section.strings("trust"),
            client_certificate: section.choice("client_certificate", &ClientCertificate::WORDS),
            crl: section.strings("crl"),
            crl_stale_allowed: section.choice("crl_stale", &[("deny", false), ("allow", true)]),
            own_trust: OwnTrust::read(section),
            authority_names: section.boolean("authority_names"),
            cipher_suites: section.strings("cipher_suites"),
            alpn: section.strings("alpn"),
            tls13_only: section.choice("tls_min", &[("1.2", false), ("1.3", true)]),
            secrets: None,
        }
    }

    /// The first key of this group that was written, with its place: TLS keys on a listener without TLS are a mistake.
    pub(crate) fn first_written(&self) -> Option<(&'static str, Range<usize>)> {
        let tls_min = self.tls13_only.as_ref().map(|at| ("tls_min", at.span.clone()));
        self.first_written_about_certificates().into_iter().chain(tls_min).min_by_key(|(_, span)| span.start)
    }

    /// The same, but for the one that is about TLS as such.
    pub(crate) fn first_written_about_certificates(&self) -> Option<(&'static str, Range<usize>)> {
        let spans = [
            ("certificate", self.certificate.as_ref().map(|at| at.span.clone())),
            ("key", self.key.as_ref().map(|at| at.span.clone())),
            ("profiles", self.profiles.as_ref().map(|at| at.span.clone())),
            ("ocsp_stapling", self.ocsp_stapling.as_ref().map(|at| at.span.clone())),
            ("trust", self.trust.as_ref().map(|at| at.span.clone())),
            ("client_certificate", self.client_certificate.as_ref().map(|at| at.span.clone())),
            ("crl", self.crl.as_ref().map(|at| at.span.clone())),
            ("crl_stale", self.crl_stale_allowed.as_ref().map(|at| at.span.clone())),
            ("authority_names", self.authority_names.as_ref().map(|at| at.span.clone())),
            ("cipher_suites", self.cipher_suites.as_ref().map(|at| at.span.clone())),
            ("alpn", self.alpn.as_ref().map(|at| at.span.clone())),
        ];
        let own = spans.into_iter().filter_map(|(key, span)| Some((key, span?)));
        own.chain(self.own_trust.written()).min_by_key(|(_, span)| span.start)
    }
}

impl Access {
    fn read(section: Section<'_>) -> Self {
        let access = Self {
            header: Header::of(&section),
            name: section.string("name"),
            who: section.string("who"),
            effect: section.choice("effect", &[("allow", Effect::Allow), ("deny", Effect::Deny)]).map_or(Effect::Allow, |at| at.value),
            publish: section.strings("publish").map_or_else(Vec::new, |list| list.value),
            subscribe: section.strings("subscribe").map_or_else(Vec::new, |list| list.value),
            qos: section.numbers("qos", 0, 2),
            retain: section.boolean("retain"),
            will: section.boolean("will"),
        };
        section.finish();
        access
    }
}
