//! A trust profile: which authorities are believed, for which certificates, and under which rules their devices live.
//!
//! A listener trusts any number of profiles. A certificate belongs to the first one that finds a path and whose rules it keeps; what the device
//! is called, how its revocation is looked up and whether it may be here at all is that profile's word alone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime};
use signet_identity::{CertificateRules, DeviceIdentity, KeyDigest, Leaf, NameConstraints, NamingRule, PathCertificate};
use signet_revocation::RevocationRules;
use webpki::{EndEntityCert, KeyUsage};

use crate::provider::algorithms;
use crate::rejection::{self, Rejected, Unfit};
use crate::trust::AnchorRule;
use crate::{TlsError, TrustAnchors, version_1};

/// Whose dates count, notBefore and notAfter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateDates {
    /// Those of the device's certificate and of the intermediates. A trust anchor is believed because it is named, whatever it says of its own time
    /// (RFC 5280 §6.1.1 (d)).
    #[default]
    Check,
    /// Those of the trust anchor too, as OpenSSL does it.
    Strict,
    /// Nobody's: certificates that are not valid yet, and those that have ended, are as good as others, in handshakes and for sessions that are open.
    Ignore,
}

/// A profile as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustProfileConfig {
    /// Its name in configuration, log and administration; unique.
    pub name: Arc<str>,
    /// PEM files: certification authorities. Not empty.
    pub authorities: Vec<PathBuf>,
    /// Which of them are trust anchors.
    pub anchors: AnchorRule,
    /// What a device's certificate must be like.
    pub rules: CertificateRules,
    /// Which field is the device's name.
    pub naming: NamingRule,
    /// In whose name space its devices live; `None`: in the common one.
    pub tenant: Option<Arc<str>>,
    /// Whether, how deep and how strictly revocation is looked up.
    pub revocation: RevocationRules,
    /// How long a client whose revocation status nobody knows yet may wait between handshake and CONNACK for somebody to find out. When nobody has
    /// by then, it is refused where an answer is required, and let in where one is preferred. Zero: the same, in the handshake already.
    pub status_wait: Duration,
    /// Seconds that an open session may outlive its certificate's `notAfter`. A new handshake is refused from `notAfter` on.
    pub expiry_grace: i64,
    /// Whose dates count.
    pub dates: CertificateDates,
    /// Whether its devices are let in.
    pub enabled: bool,
    /// Whether certificates of X.509 version 1 and 2 are taken, which do not say what they are for. Their path is made of `authorities` alone.
    pub version_1: bool,
}

impl TrustProfileConfig {
    /// A profile that believes the roots of `authorities` by the default rules: any key and usage that TLS allows, the common name as the device's
    /// name, revocation preferred.
    pub fn new(name: impl Into<Arc<str>>, authorities: Vec<PathBuf>) -> Self {
        Self {
            name: name.into(),
            authorities,
            anchors: AnchorRule::Roots,
            rules: CertificateRules::default(),
            naming: NamingRule::default(),
            tenant: None,
            revocation: RevocationRules::default(),
            status_wait: Duration::ZERO,
            expiry_grace: 0,
            dates: CertificateDates::Check,
            enabled: true,
            version_1: false,
        }
    }
}

/// A profile, loaded and checked.
#[derive(Debug)]
pub struct TrustProfile {
    config: TrustProfileConfig,
    trust: TrustAnchors,
}

impl TrustProfile {
    /// Reads and checks the files of `config`.
    ///
    /// # Errors
    /// Names the file and the way out; see [`TrustAnchors::load_as`].
    pub fn load(config: TrustProfileConfig) -> Result<Self, TlsError> {
        let trust = TrustAnchors::load_as(&config.authorities, config.anchors)?;
        Ok(Self { config, trust })
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.config.name
    }

    /// What it was made of.
    pub fn config(&self) -> &TrustProfileConfig {
        &self.config
    }

    /// Whether clients wait for an answer about them.
    pub(crate) fn waits(&self) -> bool {
        !self.config.status_wait.is_zero()
    }

    /// Whether it lets in certificates whose time is over, or has not come.
    pub(crate) fn ignores_dates(&self) -> bool {
        self.config.dates == CertificateDates::Ignore
    }

    /// When a session of a device under it ends for its certificate's sake, unix seconds; `None`: never.
    pub fn session_end(&self, leaf: &Leaf) -> Option<i64> {
        (!self.ignores_dates()).then(|| leaf.validity().not_after.saturating_add(self.config.expiry_grace))
    }

    /// Whether a certificate is within its dates, as far as they count here; `grace` in seconds is added to its end.
    pub(crate) fn check_validity(&self, leaf: &Leaf, now: i64, grace: i64) -> Result<(), Rejected> {
        if self.ignores_dates() { Ok(()) } else { rejection::check_validity(leaf, now, grace) }
    }

    /// Whether both were loaded from the same settings and the same content of files.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.config == other.config && self.trust.certificates().eq(other.trust.certificates())
    }

    /// Its authorities.
    pub fn trust(&self) -> &TrustAnchors {
        &self.trust
    }

    /// Finds a path for a certificate, holds it against the rules, and names the device. Nothing here depends on revocation, and only dates on
    /// time: `now` in unix seconds.
    pub(crate) fn verify(
        &self,
        leaf: &Leaf,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: i64,
    ) -> Result<Verified, Rejected> {
        let path = if version_1::is_old(leaf) { self.path_of_old(leaf, now)? } else { self.path(leaf, end_entity, intermediates, now)? };
        if !self.config.enabled {
            return Err(self.disabled(leaf));
        }
        self.check_rules(leaf, &path)?;
        let name = self.config.naming.name(leaf).map_err(|error| rejection::name(leaf, &error))?;
        let identity = DeviceIdentity::new(name, leaf.clone(), path.issuer_key, path.path())
            .under(Arc::clone(&self.config.name), self.config.tenant.clone());
        Ok(Verified { identity: Arc::new(identity), path_not_after: path.not_after })
    }

    fn disabled(&self, leaf: &Leaf) -> Rejected {
        rejection::disabled(leaf, &self.config.name, false)
    }

    /// Whether a device that was let in before would be let in by the rules of now, as far as they do not depend on time or revocation: for
    /// sessions that are open while the profile changes. Signatures are not checked again, they do not change.
    pub(crate) fn recheck(&self, identity: &DeviceIdentity) -> Result<(), Rejected> {
        self.recheck_unnamed(identity)?;
        let leaf = identity.leaf();
        let name = self.config.naming.name(leaf).map_err(|error| rejection::name(leaf, &error).with(Unfit::IdentityChanged))?;
        if name != *identity.name() || self.config.tenant.as_ref() != identity.tenant() {
            return Err(rejection::renamed(leaf, identity, &name));
        }
        Ok(())
    }

    /// The same for an identity whose name and tenant this profile has just given.
    pub(crate) fn recheck_unnamed(&self, identity: &DeviceIdentity) -> Result<(), Rejected> {
        let leaf = identity.leaf();
        if !self.config.enabled {
            return Err(self.disabled(leaf));
        }
        if version_1::is_old(leaf) && !self.config.version_1 {
            return Err(rejection::version(leaf));
        }
        if !identity.authorities().any(|authority| self.trust.is_anchor(authority)) {
            return Err(rejection::anchor_gone(leaf, &self.config.name));
        }
        self.config
            .rules
            .check(leaf, identity.path().len().saturating_sub(1))
            .map_err(|error| rejection::rules(leaf, &self.config.name, &error))
    }

    /// Builds and verifies a path to a trust anchor.
    fn path(&self, leaf: &Leaf, end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>], now: i64) -> Result<Path, Rejected> {
        let reject = |error: webpki::Error| rejection::path(leaf, &error);
        let certificate = EndEntityCert::try_from(end_entity).map_err(reject)?;
        let known: Vec<CertificateDer<'_>> = intermediates.iter().chain(self.trust.intermediates.iter()).cloned().collect();
        let find = |now: i64| {
            let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or(0)));
            certificate.verify_for_usage(algorithms().all, &self.trust.anchors, &known, time, KeyUsage::client_auth(), None, None)
        };
        let mut found = find(now);
        for moment in self.other_moments(leaf, &known) {
            if !is_about_dates(&found) {
                break;
            }
            found = find(moment);
        }
        let found = found.map_err(reject)?;
        let authorities: Vec<Leaf> =
            found.intermediate_certificates().map(|certificate| authority(leaf, &certificate.der())).collect::<Result<_, _>>()?;
        let anchor = self.trust.authority_of(found.anchor());
        let anchor_key = anchor.map_or_else(|| KeyDigest::from_bytes([0; 32]), Leaf::spki_digest);
        self.dated(leaf, Path::new(authorities, anchor.cloned(), anchor_key, self.config.dates), now)
    }

    /// The path, unless its anchor is not within its dates and these count.
    fn dated(&self, leaf: &Leaf, path: Path, now: i64) -> Result<Path, Rejected> {
        match path.anchor.as_ref().map(Leaf::validity) {
            Some(dates) if self.config.dates == CertificateDates::Strict && (now < dates.not_before || now > dates.not_after) => {
                Err(rejection::authority_expired(leaf, dates.not_after))
            }
            _ => Ok(path),
        }
    }

    /// Where dates do not count: when else to look for a path, which the library only does as of one moment. Certificates that ever were valid at the
    /// same time were when the last of them began to be.
    fn other_moments(&self, leaf: &Leaf, known: &[CertificateDer<'_>]) -> Vec<i64> {
        if !self.ignores_dates() {
            return Vec::new();
        }
        let begins = known.iter().filter_map(|der| Some(Leaf::parse(der).ok()?.validity().not_before));
        let mut moments: Vec<i64> = std::iter::once(leaf.validity().not_before).chain(begins).take(MOMENTS).collect();
        moments.dedup();
        moments
    }

    /// The path of a certificate without extensions.
    fn path_of_old(&self, leaf: &Leaf, now: i64) -> Result<Path, Rejected> {
        if !self.config.version_1 {
            return Err(rejection::version(leaf));
        }
        let found = version_1::path_of(leaf, &self.trust, (!self.ignores_dates()).then_some(now));
        let (authorities, anchor) = found.ok_or_else(|| rejection::path(leaf, &webpki::Error::UnknownIssuer))?;
        self.dated(leaf, Path::new(authorities, Some(anchor.clone()), anchor.spki_digest(), self.config.dates), now)
    }

    /// The subjects of the path that is found, the device's first, the anchor's last.
    pub(crate) fn path_words(
        &self,
        leaf: &Leaf,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: i64,
    ) -> Result<Vec<String>, Rejected> {
        let path = if version_1::is_old(leaf) { self.path_of_old(leaf, now)? } else { self.path(leaf, end_entity, intermediates, now)? };
        let all = std::iter::once(leaf).chain(&path.authorities).chain(&path.anchor);
        Ok(all.map(|certificate| certificate.subject().rfc4514()).collect())
    }

    fn check_rules(&self, leaf: &Leaf, path: &Path) -> Result<(), Rejected> {
        let broken = |error: &signet_identity::IdentityError| rejection::rules(leaf, &self.config.name, error);
        self.config.rules.check(leaf, path.authorities.len()).map_err(|error| broken(&error))?;
        for authority in &path.authorities {
            self.config.rules.check_authority(authority).map_err(|error| broken(&error))?;
        }
        let is_self_issued = |below: &&Leaf| below.issuer_name_digest() == below.subject_name_digest();
        // Path building looks at the pathLenConstraint of intermediates only. An anchor that may not have authorities below it has none here either
        // (RFC 5280 §4.2.1.9).
        if let Some((anchor, limit)) = path.anchor.as_ref().and_then(|anchor| Some((anchor, anchor.path_length()?))) {
            let below = path.authorities.iter().filter(|below| !is_self_issued(below)).count();
            if below > usize::try_from(limit).unwrap_or(usize::MAX) {
                return Err(rejection::too_deep(leaf, anchor, below, limit));
            }
        }
        // What an authority may not name, nobody below it may, authorities that issued themselves anew apart (RFC 5280 §6.1.3 (b), (c)).
        for (position, authority) in path.authorities.iter().chain(&path.anchor).enumerate() {
            let wrong = |error: &signet_identity::IdentityError| rejection::constraints(leaf, authority, error);
            let Some(constraints) = NameConstraints::of(authority).map_err(|error| wrong(&error))? else { continue };
            let below = path.authorities.iter().take(position).filter(|below| !is_self_issued(below));
            for below in std::iter::once(leaf).chain(below) {
                constraints.check(below).map_err(|error| wrong(&error))?;
            }
        }
        Ok(())
    }
}

/// What a profile found out about a certificate.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    pub(crate) identity: Arc<DeviceIdentity>,
    /// When the first of the path's authorities ends, unix seconds.
    pub(crate) path_not_after: i64,
}

/// A path as path building found it, trust anchor apart.
struct Path {
    /// Leaf end first.
    authorities: Vec<Leaf>,
    anchor: Option<Leaf>,
    issuer_key: KeyDigest,
    anchor_key: KeyDigest,
    not_after: i64,
}

impl Path {
    fn new(authorities: Vec<Leaf>, anchor: Option<Leaf>, anchor_key: KeyDigest, dates: CertificateDates) -> Self {
        let issuer_key = authorities.first().map_or(anchor_key, Leaf::spki_digest);
        let counting = match dates {
            CertificateDates::Ignore => (&[][..], None),
            CertificateDates::Check => (&authorities[..], None),
            CertificateDates::Strict => (&authorities[..], anchor.as_ref()),
        };
        let ends = counting.0.iter().chain(counting.1).map(|authority| authority.validity().not_after);
        let not_after = ends.min().unwrap_or(i64::MAX);
        Self { authorities, anchor, issuer_key, anchor_key, not_after }
    }

    /// The intermediates and who signed each: the one above it, the last the anchor.
    fn path(&self) -> impl Iterator<Item = PathCertificate> + '_ {
        let issuers = self.authorities.iter().skip(1).map(Leaf::spki_digest).chain(std::iter::once(self.anchor_key));
        self.authorities.iter().zip(issuers).map(|(authority, issuer_key)| PathCertificate { id: authority.id(), issuer_key })
    }
}

/// Moments for which a path is looked for where dates do not count: the search is work that a stranger causes.
const MOMENTS: usize = 8;

fn is_about_dates<T>(found: &Result<T, webpki::Error>) -> bool {
    matches!(found, Err(webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. }))
}

/// A certification authority in the path of `leaf`, if it may be one: path building looks at basicConstraints, not at keyUsage.
fn authority(leaf: &Leaf, der: &[u8]) -> Result<Leaf, Rejected> {
    let authority = Leaf::parse(der).map_err(|error| rejection::unreadable_authority(leaf, &error))?;
    if authority.allows_certificate_sign() { Ok(authority) } else { Err(rejection::no_authority(leaf, &authority)) }
}

/// Every profile of a server, by name.
#[derive(Clone, Debug, Default)]
pub struct TrustProfiles(BTreeMap<Arc<str>, Arc<TrustProfile>>);

impl TrustProfiles {
    /// Loads all of them or none.
    ///
    /// # Errors
    /// Names the profile, the file and the way out.
    pub fn load(configs: impl IntoIterator<Item = TrustProfileConfig>) -> Result<Self, TlsError> {
        let mut profiles = BTreeMap::new();
        for config in configs {
            let name = Arc::clone(&config.name);
            if profiles.insert(Arc::clone(&name), Arc::new(TrustProfile::load(config)?)).is_some() {
                return Err(TlsError::Setting(format!("two trust profiles are called `{name}`; give each its own name")));
            }
        }
        Ok(Self(profiles))
    }

    /// The profile of a name.
    pub fn get(&self, name: &str) -> Option<&Arc<TrustProfile>> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<TrustProfile>> {
        self.0.values()
    }

    /// The profiles of these names, in this order.
    ///
    /// # Errors
    /// Names the one that does not exist.
    pub(crate) fn pick(&self, names: &[Arc<str>]) -> Result<Vec<Arc<TrustProfile>>, TlsError> {
        let find = |name: &Arc<str>| {
            self.get(name)
                .cloned()
                .ok_or_else(|| TlsError::Setting(format!("there is no trust profile `{name}`; define it or use another name")))
        };
        names.iter().map(find).collect()
    }
}
