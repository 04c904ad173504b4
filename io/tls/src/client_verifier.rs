//! Judges a client's certificate: form, validity, then each trust profile in turn (path, rules, name), then revocation. The first profile that takes
//! it decides; when none does, the answer is that of the profile which came furthest.
//!
//! rustls calls the verifier inside of `process_tls_records` and hands back only an error that becomes an alert. What an operator needs
//! (which certificate, which check, what to do), and the identity that was found, take the side door of [`last`]: a slot of the thread that is
//! emptied before and read right after every call into rustls.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme, crypto};
use rustls_pki_types::{CertificateDer, UnixTime};
use signet_identity::{DeviceIdentity, Leaf};
use signet_revocation::{Assurance, Verdict};

use crate::profile::{TrustProfile, Verified};
use crate::provider::algorithms;
use crate::rejection::{self, Rejected, Unfit};
use crate::trust::NameLink;
use crate::{Check, CurrentRevocations, Refusal, version_1};

/// Intermediates that a client may send. The library looks for paths with no more than six (RFC 5280 sets no bound).
pub(crate) const MAXIMUM_INTERMEDIATES: usize = 6;

/// What a call of the verifier found.
#[derive(Clone, Debug)]
pub(crate) enum Judgement {
    /// Everything was checked.
    Accepted(Arc<Judged>),
    /// One check failed.
    Refused(Box<Refusal>),
}

/// A certificate that a profile takes.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) identity: Arc<DeviceIdentity>,
    pub(crate) profile: Arc<TrustProfile>,
    /// When the first of the path's authorities ends, unix seconds.
    pub(crate) path_not_after: i64,
}

/// How a certificate stands that nothing speaks against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Checked as far as its profile demands.
    Good(Assurance),
    /// Nobody has said yet whether it is revoked; its profile waits for somebody who can.
    Pending,
}

impl Standing {
    /// Whether an open session may go on that stands so: where an answer is required and there is none, it may not.
    pub(crate) fn check_open(standing: Result<Self, Rejected>, identity: &DeviceIdentity) -> Result<(), Rejected> {
        match standing? {
            Self::Good(_) => Ok(()),
            Self::Pending => Err(rejection::unknown_status(identity.leaf(), identity.leaf().id())),
        }
    }

    /// Whether a device whose status was not known can be let in now. Until `is_final` there is time for an answer, or for a better one.
    pub(crate) fn settle(standing: Result<Self, Rejected>, is_final: bool) -> Result<bool, Rejected> {
        match standing {
            Err(rejected) if !is_final && rejected.unfit == Unfit::Unchecked => Ok(false),
            Err(rejected) => Err(rejected),
            Ok(Self::Good(Assurance::Missing)) => Ok(is_final),
            Ok(Self::Good(_)) => Ok(true),
            Ok(Self::Pending) => Ok(false),
        }
    }
}

/// The side door out of rustls; see the module's description.
pub(crate) mod last {
    use std::cell::RefCell;
    use std::sync::Arc;

    use super::{Judged, Judgement};

    thread_local! {
        static SLOT: RefCell<Option<Judgement>> = const { RefCell::new(None) };
        static BEFORE: RefCell<Option<Arc<Judged>>> = const { RefCell::new(None) };
    }

    /// Before a call into rustls: nothing was found in it yet; `before` was in an earlier call for the same connection.
    pub(crate) fn begin(before: Option<&Arc<Judged>>) {
        SLOT.with(|slot| *slot.borrow_mut() = None);
        BEFORE.with(|slot| *slot.borrow_mut() = before.cloned());
    }

    pub(crate) fn set(judgement: Judgement) {
        SLOT.with(|slot| *slot.borrow_mut() = Some(judgement));
    }

    pub(crate) fn take() -> Option<Judgement> {
        BEFORE.with(|slot| *slot.borrow_mut() = None);
        SLOT.with(|slot| slot.borrow_mut().take())
    }

    /// Who the connection that rustls works on is known to belong to.
    pub(crate) fn judged() -> Option<Arc<Judged>> {
        let now = SLOT.with(|slot| match &*slot.borrow() {
            Some(Judgement::Accepted(judged)) => Some(Arc::clone(judged)),
            Some(Judgement::Refused(_)) | None => None,
        });
        now.or_else(|| BEFORE.with(|slot| slot.borrow().clone()))
    }
}

/// The rules of one host of a listener about client certificates.
#[derive(Debug)]
pub(crate) struct DeviceVerifier {
    profiles: Vec<Arc<TrustProfile>>,
    hints: Vec<DistinguishedName>,
    revocations: CurrentRevocations,
    mandatory: bool,
}

impl DeviceVerifier {
    pub(crate) fn new(profiles: Vec<Arc<TrustProfile>>, revocations: CurrentRevocations, mandatory: bool) -> Self {
        // What is disabled is not asked for, but known: who comes all the same is told why.
        let mut hints: Vec<DistinguishedName> =
            profiles.iter().filter(|profile| profile.config().enabled).flat_map(|profile| profile.trust().hints()).collect();
        let mut seen = std::collections::HashSet::new();
        hints.retain(|hint| seen.insert(hint.as_ref().to_vec()));
        Self { profiles, hints, revocations, mandatory }
    }

    /// The same, where clients are not told whose certificates are believed.
    pub(crate) fn without_hints(mut self) -> Self {
        self.hints = Vec::new();
        self
    }

    pub(crate) fn profiles(&self) -> &[Arc<TrustProfile>] {
        &self.profiles
    }

    pub(crate) fn profile(&self, name: &str) -> Option<&Arc<TrustProfile>> {
        self.profiles.iter().find(|profile| **profile.name() == *name)
    }

    /// Whether a profile takes certificates without extensions.
    pub(crate) fn takes_version_1(&self) -> bool {
        self.profiles.iter().any(|profile| profile.config().version_1)
    }

    /// Judges a certificate as presented. `now` in unix seconds.
    pub(crate) fn judge(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: i64,
    ) -> Result<Judged, Rejected> {
        let leaf = Leaf::parse(end_entity).map_err(|error| rejection::unreadable(&error))?;
        rejection::check_form(&leaf, self.takes_version_1())?;
        // Said at once, where no profile could say otherwise.
        if !self.profiles.iter().any(|profile| profile.ignores_dates()) {
            rejection::check_validity(&leaf, now, 0)?;
        }
        // The search for a path tries every order of authorities that fits by name, so what a stranger may send is little: ten of one name take
        // the library 160 ms, six take 4.
        if intermediates.len() > MAXIMUM_INTERMEDIATES {
            return Err(rejection::long_chain(&leaf, intermediates.len(), MAXIMUM_INTERMEDIATES));
        }
        let judged = self.find_profile(&leaf, end_entity, intermediates, now)?;
        self.check_current(&judged, now)?;
        Ok(judged)
    }

    /// The first profile that takes the certificate.
    fn find_profile(
        &self,
        leaf: &Leaf,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: i64,
    ) -> Result<Judged, Rejected> {
        let mut best: Option<Rejected> = None;
        let links = self.links(intermediates);
        let is_reachable = |profile: &&Arc<TrustProfile>| links.as_ref().is_none_or(|links| profile.trust().is_reachable(leaf, links));
        for profile in self.profiles.iter().filter(is_reachable) {
            match profile.verify(leaf, end_entity, intermediates, now) {
                Ok(Verified { identity, path_not_after }) => {
                    return Ok(Judged { identity, profile: Arc::clone(profile), path_not_after });
                }
                // Who disables a profile means its devices, also where another trusts the same authority.
                Err(rejected) if matches!(rejected.unfit, Unfit::ProfileDisabled(_)) => return Err(rejected),
                Err(rejected) if best.as_ref().is_none_or(|best| progress(best) < progress(&rejected)) => best = Some(rejected),
                Err(_) => {}
            }
        }
        Err(best.unwrap_or_else(|| rejection::path(leaf, &webpki::Error::UnknownIssuer)))
    }

    /// Who of the intermediates names whom, where there are profiles to leave out by it: with one profile the search itself is the quickest answer.
    fn links(&self, intermediates: &[CertificateDer<'_>]) -> Option<Vec<NameLink>> {
        // One that cannot be read is no link of a path either.
        let read = |der: &CertificateDer<'_>| Leaf::parse(der).ok().map(|authority| NameLink::of(&authority));
        (self.profiles.len() > 1).then(|| intermediates.iter().filter_map(read).collect())
    }

    /// The checks whose answer changes with time: validity and revocation. They run at the end of every handshake, full or resumed.
    pub(crate) fn check_current(&self, judged: &Judged, now: i64) -> Result<Standing, Rejected> {
        let leaf = judged.identity.leaf();
        judged.profile.check_validity(leaf, now, 0)?;
        if now > judged.path_not_after {
            return Err(rejection::authority_expired(leaf, judged.path_not_after));
        }
        let waits = judged.profile.waits();
        match self.standing(&judged.identity, &judged.profile, now) {
            Ok(Standing::Pending) if !waits => Err(rejection::unknown_status(leaf, leaf.id())),
            Ok(Standing::Good(Assurance::Missing)) if waits => Ok(Standing::Pending),
            // What has ended while the device was away says as little as nothing, and somebody can be asked for what follows.
            Err(rejected) if waits && rejected.unfit == Unfit::Unchecked => Ok(Standing::Pending),
            standing => standing,
        }
    }

    /// Whether a device that was let in may stay: by the profiles, the dates and the revocations of now.
    pub(crate) fn check_open(&self, identity: &DeviceIdentity, now: i64) -> Result<Standing, Rejected> {
        let leaf = identity.leaf();
        let profile = self.profile(identity.profile()).ok_or_else(|| rejection::profile_gone(leaf, identity.profile()))?;
        profile.recheck(identity)?;
        profile.check_validity(leaf, now, profile.config().expiry_grace)?;
        self.standing(identity, profile, now)
    }

    pub(crate) fn revocations(&self) -> &CurrentRevocations {
        &self.revocations
    }

    /// What is known about revocation, and nothing else.
    pub(crate) fn standing(&self, identity: &DeviceIdentity, profile: &TrustProfile, now: i64) -> Result<Standing, Rejected> {
        let leaf = identity.leaf();
        match self.revocations.judge(identity, &profile.config().revocation, now) {
            Verdict::Good(assurance) => Ok(Standing::Good(assurance)),
            Verdict::Unknown { .. } => Ok(Standing::Pending),
            Verdict::Revoked { id, revoked } => Err(rejection::revoked(leaf, id, revoked)),
            Verdict::Suspended { since, why } => Err(rejection::suspended(leaf, &identity.qualified_name(), since, &why)),
            Verdict::ProfileDisabled => Err(rejection::disabled(leaf, profile.name(), true)),
            Verdict::Stale { next_update, .. } => Err(rejection::stale(leaf, next_update)),
        }
    }
}

/// How far a certificate came before it was refused: whoever passed the path of one profile and broke a rule there is told of that rule, not that
/// another profile found no path.
fn progress(rejected: &Rejected) -> u8 {
    match rejected.refusal.check {
        Check::Path => 0,
        Check::Usage | Check::Validity | Check::CertificateForm => 1,
        Check::NameConstraints => 2,
        _ => 3,
    }
}

impl ClientCertVerifier for DeviceVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        match self.judge(end_entity, intermediates, now) {
            Ok(judged) => {
                last::set(Judgement::Accepted(Arc::new(judged)));
                Ok(ClientCertVerified::assertion())
            }
            Err(rejected) => {
                last::set(Judgement::Refused(rejected.refusal));
                Err(Error::InvalidCertificate(rejected.alert))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = match self.takes_version_1() {
            true => version_1::verify_tls12_signature(message, certificate, signature),
            // What the library cannot read has been refused before.
            false => crypto::verify_tls12_signature(message, certificate, signature, &algorithms()),
        };
        verified.inspect_err(|_| note_possession(certificate))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = match self.takes_version_1() {
            true => version_1::verify_tls13_signature(message, certificate, signature),
            // What the library cannot read has been refused before.
            false => crypto::verify_tls13_signature(message, certificate, signature, &algorithms()),
        };
        verified.inspect_err(|_| note_possession(certificate))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

fn note_possession(certificate: &CertificateDer<'_>) {
    let found = "the client could not prove that it holds the certificate's private key";
    let hint = "on the device, use the key that belongs to the certificate; if the device did not ask, somebody else shows its certificate";
    let refusal = match Leaf::parse(certificate) {
        Ok(leaf) => Refusal::of(&leaf, Check::Possession, found, hint),
        Err(_) => Refusal::without_certificate(Check::Possession, found, hint),
    };
    last::set(Judgement::Refused(Box::new(refusal)));
}
