//! `[[trust]]`: trust profiles, each with its authorities, rules, names, revocation and access. A listener's own `trust` files make a profile of
//! the listener's name.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use signet_identity::{CertificateRules, KeyRule, NamingRule};
use signet_net::{ClonePolicy, CloneRules};
use signet_policy::{ProvenNames, Rule, Who};
use signet_revocation::{RevocationDepth, RevocationMode, RevocationRules, StalePolicy};
use signet_server::{ProfileConfig, ProfileNames, ProfileSettings};
use signet_sources::{Nonce, Ocsp, ProfileSources, Url};
use signet_tls::{AnchorRule, CertificateDates, TrustAnchors, TrustProfileConfig};

use super::file::{CERTIFICATE_DATES, Header, ListenerIdentity, ListenerTls, REVOCATION, REVOCATION_DEPTH, VERSION_1};
use super::identity::{self, Proof};
use super::problem::Problems;
use super::resolved::patterns;
use super::section::{At, Section};

const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// The word in `crl` and `ocsp` that stands for what certificates themselves name.
const FROM_CERTIFICATES: &str = "certificates";

/// `[[trust]]` as written.
#[derive(Debug)]
pub(crate) struct Written {
    header: Header,
    name: Option<At<String>>,
    ca: Option<At<Vec<At<String>>>>,
    anchors: Option<At<AnchorRule>>,
    enabled: Option<At<bool>>,
    tenant: Option<At<String>>,
    rules: WrittenRules,
    identity: ListenerIdentity,
    revocation: WrittenRevocation,
    expiry_grace: Option<At<Duration>>,
    clones: Option<At<ClonePolicy>>,
    clone_alternation: Option<At<Duration>>,
    publish: Vec<At<String>>,
    subscribe: Vec<At<String>>,
}

/// What certificates must be like.
#[derive(Debug)]
struct WrittenRules {
    path_length: Option<At<u64>>,
    extended_key_usage: Option<At<Vec<At<String>>>>,
    keys: Option<At<Vec<At<String>>>>,
    signatures: Option<At<Vec<At<String>>>>,
    validity_maximum: Option<At<Duration>>,
    dates: Option<At<CertificateDates>>,
    takes_version_1: Option<At<bool>>,
}

/// Who is asked about revocation, and what an answer counts.
#[derive(Debug)]
struct WrittenRevocation {
    mode: Option<At<RevocationMode>>,
    depth: Option<At<RevocationDepth>>,
    grace: Option<At<Duration>>,
    stale: Option<At<StalePolicy>>,
    wait: Option<At<Duration>>,
    crl: Option<At<Vec<At<String>>>>,
    crl_issuers: Option<At<Vec<At<String>>>>,
    ocsp: Option<At<String>>,
    nonce: Option<At<Nonce>>,
    hosts: Option<At<Vec<At<String>>>>,
    https_trust: Option<At<String>>,
    refresh: Option<At<Duration>>,
    timeout: Option<At<Duration>>,
}

impl Written {
    pub(super) fn read(section: Section<'_>) -> Self {
        let written = Self {
            header: Header::of(&section),
            name: section.string("name"),
            ca: section.strings("ca"),
            anchors: section.choice("anchors", &[("roots", AnchorRule::Roots), ("all", AnchorRule::All)]),
            enabled: section.boolean("enabled"),
            tenant: section.string("tenant"),
            rules: WrittenRules {
                path_length: section.number("path_length", 0, 16),
                extended_key_usage: section.strings("extended_key_usage"),
                keys: section.strings("keys"),
                signatures: section.strings("signatures"),
                validity_maximum: section.duration("validity_maximum", Duration::from_secs(60), 100 * YEAR),
                dates: section.choice("certificate_dates", &CERTIFICATE_DATES),
                takes_version_1: section.choice("version_1", &VERSION_1),
            },
            identity: ListenerIdentity {
                device: section.string("device"),
                username: section.string("username"),
                client_identifier: section.string("client_identifier"),
                bind_client_identifier: section.string("bind_client_identifier"),
                anonymous: None,
                believe: None,
                mount_point: None,
            },
            revocation: WrittenRevocation::read(&section),
            expiry_grace: section.duration("expiry_grace", Duration::ZERO, YEAR),
            clones: section.choice(
                "clones",
                &[
                    ("allow", ClonePolicy::Allow),
                    ("alarm", ClonePolicy::Alarm),
                    ("refuse", ClonePolicy::RefuseNewer),
                    ("suspend", ClonePolicy::Suspend),
                ],
            ),
            clone_alternation: section.duration("clone_alternation", Duration::ZERO, YEAR),
            publish: section.strings("publish").map_or_else(Vec::new, |list| list.value),
            subscribe: section.strings("subscribe").map_or_else(Vec::new, |list| list.value),
        };
        section.finish();
        written
    }

    /// The names of the profile and of its tenant, as they are written.
    pub(super) fn names(&self) -> (Option<String>, Option<String>) {
        let text = |at: &Option<At<String>>| at.as_ref().map(|at| at.value.clone());
        (text(&self.name), text(&self.tenant))
    }
}

impl WrittenRevocation {
    fn read(section: &Section<'_>) -> Self {
        Self {
            mode: section.choice("revocation", &REVOCATION),
            depth: section.choice("revocation_depth", &REVOCATION_DEPTH),
            grace: section.duration("revocation_grace", Duration::ZERO, YEAR),
            stale: section.choice("crl_stale", &[("deny", StalePolicy::Deny), ("allow", StalePolicy::Allow)]),
            wait: section.duration("status_wait", Duration::ZERO, Duration::from_secs(60)),
            crl: section.strings("crl"),
            crl_issuers: section.strings("crl_issuers"),
            ocsp: section.string("ocsp"),
            nonce: section.choice("ocsp_nonce", &[("off", Nonce::Off), ("send", Nonce::Send), ("require", Nonce::Require)]),
            hosts: section.strings("revocation_hosts"),
            https_trust: section.string("https_trust"),
            refresh: section.duration("revocation_refresh", Duration::from_secs(1), YEAR),
            timeout: section.duration("revocation_timeout", Duration::from_millis(100), Duration::from_secs(300)),
        }
    }
}

/// A trust profile as it is meant, every file with the place that names it.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) name: Arc<str>,
    /// Where it begins, for what is wrong with it as a whole.
    pub(crate) place: std::ops::Range<usize>,
    pub(crate) authorities: Vec<At<PathBuf>>,
    trust: TrustProfileConfig,
    settings: ProfileSettings,
    pub(crate) sources: Sources,
    /// What its devices may do besides what the general rules say.
    pub(crate) rules: Vec<Rule>,
}

/// Where a profile learns what is revoked.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    pub(crate) files: Vec<At<PathBuf>>,
    pub(crate) crl_issuers: Vec<At<PathBuf>>,
    pub(crate) https_trust: Option<At<PathBuf>>,
    urls: Vec<Url>,
    from_certificates: bool,
    ocsp: Ocsp,
    nonce: Nonce,
    hosts: Option<Vec<String>>,
    refresh: Duration,
    timeout: Duration,
}

impl Sources {
    fn none() -> Self {
        Self {
            files: Vec::new(),
            crl_issuers: Vec::new(),
            https_trust: None,
            urls: Vec::new(),
            from_certificates: false,
            ocsp: Ocsp::Off,
            nonce: Nonce::Off,
            hosts: None,
            refresh: ProfileSources::REFRESH,
            timeout: ProfileSources::TIMEOUT,
        }
    }

    /// Whether somebody can be asked about a certificate that nobody knows yet.
    fn can_ask(&self) -> bool {
        self.from_certificates || self.ocsp != Ocsp::Off
    }
}

impl Profile {
    /// Gives one table its meaning; `base` is the directory of the configuration file.
    pub(super) fn resolve(written: Written, base: &Path, problems: &Problems) -> Option<Self> {
        let header = &written.header;
        let paths = |at: Option<At<Vec<At<String>>>>| paths(at, base);
        let authorities = paths(written.ca);
        if authorities.is_empty() {
            header.lacks(
                "ca",
                "[[trust]] has no `ca`",
                "add ca = [\"ca/ca.pem\"], the certification authorities of these devices",
                problems,
            );
        }
        let Some(name) = written.name.as_ref().and_then(|at| profile_name(at, problems)) else {
            header.lacks("name", "[[trust]] has no `name`", "add name = \"factory\"; listeners name it in `profiles`", problems);
            return None;
        };
        let (admission, naming) = identity::resolve(&written.identity, (header, None, ProvenNames::default()), Proof::Required, problems);
        let sources = resolve_sources(&written.revocation, base, problems);
        let tenant = written.tenant.as_ref().and_then(|at| tenant(at, problems));
        let revocation = written.revocation.rules();
        let can_wait = sources.can_ask() && revocation.mode == RevocationMode::Require;
        let default_wait = if can_wait { Duration::from_secs(5) } else { Duration::ZERO };
        let dates = written.rules.dates.as_ref().map_or(CertificateDates::Check, |at| at.value);
        let version_1 = written.rules.takes_version_1.as_ref().is_some_and(|at| at.value);
        let trust = TrustProfileConfig {
            name: Arc::clone(&name),
            authorities: authorities.iter().map(|at| at.value.clone()).collect(),
            anchors: written.anchors.map_or(AnchorRule::Roots, |at| at.value),
            rules: written.rules.resolve(problems),
            naming,
            tenant,
            revocation,
            status_wait: written.revocation.wait.as_ref().map_or(default_wait, |at| at.value),
            expiry_grace: seconds(written.expiry_grace.as_ref(), 0),
            dates,
            enabled: written.enabled.is_none_or(|at| at.value),
            version_1,
        };
        let settings = ProfileSettings {
            names: ProfileNames {
                username: admission.username,
                client_identifier: admission.client_identifier,
                binding: written.identity.bind_client_identifier.as_ref().map(|_| admission.binding),
            },
            clones: CloneRules {
                policy: written.clones.map_or(ClonePolicy::Allow, |at| at.value),
                alternation: u32::try_from(seconds(written.clone_alternation.as_ref(), i64::from(CloneRules::ALTERNATION)))
                    .unwrap_or(u32::MAX),
            },
        };
        let rules = access(&name, &written.publish, &written.subscribe, problems);
        Some(Self { name, place: header.span.clone(), authorities, trust, settings, sources, rules })
    }

    /// The profile that a listener's own keys make.
    pub(super) fn of_listener(
        name: &str,
        written: &mut ListenerTls,
        naming: NamingRule,
        header: &Header,
        base: &Path,
        problems: &Problems,
    ) -> Option<Self> {
        let (trust, crl, stale) = (written.trust.take(), written.crl.take(), written.crl_stale_allowed.take());
        let authorities = paths(trust, base);
        if authorities.is_empty() {
            return None;
        }
        let stale = if stale.is_some_and(|at| at.value) { StalePolicy::Allow } else { StalePolicy::Deny };
        let default = RevocationRules::default();
        let own = std::mem::take(&mut written.own_trust);
        let mode = own.revocation;
        if let Some(at) = mode.as_ref().filter(|at| at.value == RevocationMode::Off && crl.is_some()) {
            let hint = "set revocation = \"prefer\" or \"require\", or remove `crl`";
            problems.at(&at.span, "`revocation = \"off\"` beside lists that nobody would look at", Some(hint.to_owned()));
        }
        let revocation = RevocationRules {
            stale,
            mode: mode.map_or(default.mode, |at| at.value),
            depth: own.revocation_depth.map_or(default.depth, |at| at.value),
            ..default
        };
        let mut sources = Sources::none();
        place_lists(crl.as_ref(), &mut sources, base, problems);
        let name: Arc<str> = name.into();
        let trust = TrustProfileConfig {
            naming,
            revocation,
            dates: own.certificate_dates.map_or(CertificateDates::Check, |at| at.value),
            version_1: own.takes_version_1.is_some_and(|at| at.value),
            ..TrustProfileConfig::new(Arc::clone(&name), authorities.iter().map(|at| at.value.clone()).collect())
        };
        let settings = ProfileSettings { names: ProfileNames::default(), clones: ClonePolicy::Allow.into() };
        Some(Self { name, place: header.span.clone(), authorities, trust, settings, sources, rules: Vec::new() })
    }

    /// The same for `signet-server`.
    pub(crate) fn config(&self) -> ProfileConfig {
        ProfileConfig { trust: self.trust.clone(), settings: self.settings.clone() }
    }

    /// Whether certificates count whose time is over, or has not come.
    pub(crate) fn ignores_dates(&self) -> bool {
        self.trust.dates == CertificateDates::Ignore
    }

    /// Whether only current lists let its devices in.
    pub(crate) fn is_strict(&self) -> bool {
        self.trust.revocation.stale == StalePolicy::Deny && self.trust.revocation.mode != RevocationMode::Off
    }

    /// The same for `signet-sources`.
    ///
    /// # Errors
    /// A file that cannot be used, by its words.
    pub(crate) fn sources_config(&self) -> Result<ProfileSources, String> {
        let der = |files: &[At<PathBuf>]| -> Result<Vec<Vec<u8>>, String> {
            if files.is_empty() {
                return Ok(Vec::new());
            }
            let files: Vec<PathBuf> = files.iter().map(|at| at.value.clone()).collect();
            let anchors = TrustAnchors::load(&files).map_err(|error| error.to_string())?;
            Ok(anchors.certificates().map(<[u8]>::to_vec).collect())
        };
        let Sources { files, crl_issuers, https_trust, urls, from_certificates, ocsp, nonce, hosts, refresh, timeout } = &self.sources;
        Ok(ProfileSources {
            indirect_issuers: der(crl_issuers)?,
            files: files.iter().map(|at| at.value.clone()).collect(),
            urls: urls.clone(),
            from_certificates: *from_certificates,
            ocsp: ocsp.clone(),
            nonce: *nonce,
            https_trust: https_trust.as_ref().map(|at| at.value.clone()),
            refresh: *refresh,
            timeout: *timeout,
            allow_hosts: hosts.clone(),
            skip_unknown_issuers: self.trust.revocation.mode == RevocationMode::Require,
            ..ProfileSources::new(Arc::clone(&self.name), der(&self.authorities)?)
        })
    }
}

impl WrittenRevocation {
    fn rules(&self) -> RevocationRules {
        RevocationRules {
            mode: self.mode.as_ref().map_or(RevocationMode::Prefer, |at| at.value),
            depth: self.depth.as_ref().map_or(RevocationDepth::Chain, |at| at.value),
            grace: seconds(self.grace.as_ref(), 0),
            stale: self.stale.as_ref().map_or(StalePolicy::Deny, |at| at.value),
        }
    }
}

impl WrittenRules {
    fn resolve(self, problems: &Problems) -> CertificateRules {
        let keys = self.keys.map_or_else(Vec::new, |list| list.value);
        let read_key = |at: &At<String>| match at.value.parse::<KeyRule>() {
            Ok(rule) => Some(rule),
            Err(error) => {
                problems.at(&at.span, error.to_string(), None);
                None
            }
        };
        let usages = self.extended_key_usage.map_or_else(Vec::new, |list| list.value);
        CertificateRules {
            intermediates_maximum: self.path_length.map(|at| usize::try_from(at.value).unwrap_or(usize::MAX)),
            extended_key_usages: usages.iter().filter_map(|at| purpose(at, problems)).collect(),
            keys: keys.iter().filter_map(read_key).collect(),
            signatures: self.signatures.map_or_else(Vec::new, |list| list.value.into_iter().map(|at| at.value).collect()),
            validity_maximum: self.validity_maximum.map(|at| i64::try_from(at.value.as_secs()).unwrap_or(i64::MAX)),
        }
    }
}

/// Purposes by the names of RFC 5280 §4.2.1.12.
const PURPOSES: [(&str, &str); 6] = [
    ("serverAuth", "1.3.6.1.5.5.7.3.1"),
    ("clientAuth", "1.3.6.1.5.5.7.3.2"),
    ("codeSigning", "1.3.6.1.5.5.7.3.3"),
    ("emailProtection", "1.3.6.1.5.5.7.3.4"),
    ("timeStamping", "1.3.6.1.5.5.7.3.8"),
    ("OCSPSigning", "1.3.6.1.5.5.7.3.9"),
];

fn purpose(at: &At<String>, problems: &Problems) -> Option<String> {
    if let Some((_, oid)) = PURPOSES.iter().find(|(name, _)| name.eq_ignore_ascii_case(&at.value)) {
        return Some((*oid).to_owned());
    }
    let is_oid = at.value.contains('.') && at.value.split('.').all(|arc| !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit()));
    if !is_oid {
        let names: Vec<&str> = PURPOSES.iter().map(|(name, _)| *name).collect();
        let hint = super::problem::nearest(&at.value, names.iter().copied()).map_or_else(
            || "write `clientAuth` or an OID such as `1.3.6.1.4.1.99999.1`".to_owned(),
            |name| format!("did you mean `{name}`?"),
        );
        problems.at(&at.span, format!("`{}` is no purpose of a certificate", at.value), Some(hint));
        return None;
    }
    Some(at.value.clone())
}

fn resolve_sources(written: &WrittenRevocation, base: &Path, problems: &Problems) -> Sources {
    let mut sources = Sources::none();
    place_lists(written.crl.as_ref(), &mut sources, base, problems);
    sources.crl_issuers = paths(written.crl_issuers.clone(), base);
    sources.https_trust = written.https_trust.clone().map(|at| at.map(|text| base.join(text)));
    sources.nonce = written.nonce.as_ref().map_or(Nonce::Off, |at| at.value);
    sources.hosts = written.hosts.as_ref().map(|list| list.value.iter().map(|at| at.value.clone()).collect());
    sources.refresh = written.refresh.as_ref().map_or(ProfileSources::REFRESH, |at| at.value);
    sources.timeout = written.timeout.as_ref().map_or(ProfileSources::TIMEOUT, |at| at.value);
    sources.ocsp = match &written.ocsp {
        None => Ocsp::Off,
        Some(at) if at.value == "off" => Ocsp::Off,
        Some(at) if at.value == FROM_CERTIFICATES => Ocsp::FromCertificates,
        Some(at) => match at.value.parse() {
            Ok(url) => Ocsp::Responder(url),
            Err(error) => {
                let hint = "write \"off\", \"certificates\" for the responders that certificates name, or the address of a responder";
                problems.at(&at.span, signet_sources::UrlError::to_string(&error), Some(hint.to_owned()));
                Ocsp::Off
            }
        },
    };
    check_use(written, &sources, problems);
    sources
}

/// Keys that could have no effect.
fn check_use(written: &WrittenRevocation, sources: &Sources, problems: &Problems) {
    let mode = written.mode.as_ref().map(|at| at.value);
    if let (Some(at), Some(RevocationMode::Off)) = (&written.mode, mode)
        && (written.crl.is_some() || sources.ocsp != Ocsp::Off)
    {
        let hint = "set revocation = \"prefer\" or \"require\", or remove `crl` and `ocsp`";
        problems.at(&at.span, "`revocation = \"off\"` beside sources that nobody would look at", Some(hint.to_owned()));
    }
    if let Some(at) = &written.wait
        && !at.value.is_zero()
        && !(mode != Some(RevocationMode::Off) && sources.can_ask())
    {
        let hint = "it needs somebody to ask: `ocsp`, or crl = \"certificates\"";
        problems.at(&at.span, "`status_wait` has no meaning here: nobody is waited for", Some(hint.to_owned()));
    }
    if let Some(at) = written.nonce.as_ref().filter(|at| at.value != Nonce::Off && sources.ocsp == Ocsp::Off) {
        problems.at(&at.span, "`ocsp_nonce` has no meaning without `ocsp`", Some("add ocsp = \"certificates\"".to_owned()));
    }
}

/// Each entry of `crl` is a file, an address, or the word for the distribution points of certificates.
fn place_lists(crl: Option<&At<Vec<At<String>>>>, sources: &mut Sources, base: &Path, problems: &Problems) {
    for at in crl.iter().flat_map(|list| &list.value) {
        if at.value == FROM_CERTIFICATES {
            sources.from_certificates = true;
        } else if at.value.contains("://") {
            match at.value.parse() {
                Ok(url) => sources.urls.push(url),
                Err(error) => problems.at(&at.span, signet_sources::UrlError::to_string(&error), None),
            }
        } else {
            sources.files.push(At { value: base.join(&at.value), span: at.span.clone() });
        }
    }
}

fn paths(at: Option<At<Vec<At<String>>>>, base: &Path) -> Vec<At<PathBuf>> {
    at.map_or_else(Vec::new, |list| list.value.into_iter().map(|at| at.map(|text| base.join(text))).collect())
}

fn seconds(at: Option<&At<Duration>>, default: i64) -> i64 {
    at.map_or(default, |at| i64::try_from(at.value.as_secs()).unwrap_or(i64::MAX))
}

/// The longest name of a profile or tenant, in bytes.
const NAME_BYTES: usize = 64;

fn profile_name(at: &At<String>, problems: &Problems) -> Option<Arc<str>> {
    let good = !at.value.is_empty() && at.value.len() <= NAME_BYTES && !at.value.chars().any(|c| c.is_control() || c == '/');
    if !good {
        let hint = format!("write 1 to {NAME_BYTES} bytes without `/` and control characters, such as \"factory\"");
        problems.at(&at.span, format!("`{}` cannot be the name of a trust profile", at.value.escape_debug()), Some(hint));
    }
    good.then(|| at.value.as_str().into())
}

/// A tenant is the first level of its devices' topics.
fn tenant(at: &At<String>, problems: &Problems) -> Option<Arc<str>> {
    let unsafe_character = |c: char| c.is_control() || matches!(c, '/' | '+' | '#');
    let good =
        !at.value.is_empty() && at.value.len() <= NAME_BYTES && !at.value.starts_with('$') && !at.value.chars().any(unsafe_character);
    if !good {
        let hint =
            format!("write 1 to {NAME_BYTES} bytes that can be a level of a topic: no `/ + #`, no `$` at the start, such as \"acme\"");
        problems.at(&at.span, format!("`{}` cannot be a tenant", at.value.escape_debug()), Some(hint));
    }
    good.then(|| at.value.as_str().into())
}

fn access(name: &Arc<str>, publish: &[At<String>], subscribe: &[At<String>], problems: &Problems) -> Vec<Rule> {
    if publish.is_empty() && subscribe.is_empty() {
        return Vec::new();
    }
    let (publish, subscribe) = (patterns(publish, problems), patterns(subscribe, problems));
    vec![Rule { name: format!("access of trust profile `{name}`"), who: Who::Devices, publish, subscribe, ..Rule::default() }]
}

#[cfg(test)]
mod tests;
