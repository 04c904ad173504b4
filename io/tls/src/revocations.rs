//! The revocation index in force and the OCSP answers, shared by handshakes, the registry of live connections and the administration.
//!
//! Readers take the current index without a lock. Writers go through [`CurrentRevocations::update`], which never loses a concurrent
//! change.
//!
//! The order that lets no connection slip through: a change is made here first ([`CurrentRevocations::update`],
//! [`CurrentRevocations::record_answer`]), and the live sessions are looked at afterwards. A new connection does the opposite: it is entered into
//! the registry first and judged here afterwards. Whichever of the two comes second sees the other.

use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::ArcSwap;
use signet_identity::{DeviceIdentity, DeviceName, PathCertificate};
use signet_revocation::{CertificateStatus, Generation, OcspAnswer, OcspAnswers, Recorded, RevocationIndex, RevocationRules, Verdict};

use crate::{Refusal, rejection};

/// A handle on the revocations in force. Cloning it shares them.
#[derive(Clone)]
pub struct CurrentRevocations(Arc<Shared>);

struct Shared {
    index: ArcSwap<RevocationIndex>,
    answers: RwLock<OcspAnswers>,
}

impl CurrentRevocations {
    /// How many OCSP answers are kept when nobody says otherwise.
    pub const OCSP_ANSWERS: usize = 100_000;

    /// Starts with `index` and room for [`Self::OCSP_ANSWERS`] answers.
    pub fn new(index: RevocationIndex) -> Self {
        Self::with_ocsp_capacity(index, Self::OCSP_ANSWERS)
    }

    /// Starts with `index` and room for `capacity` OCSP answers; each takes some 450 bytes once it is there.
    pub fn with_ocsp_capacity(index: RevocationIndex, capacity: usize) -> Self {
        let answers = RwLock::new(OcspAnswers::new(capacity));
        Self(Arc::new(Shared { index: ArcSwap::from_pointee(index), answers }))
    }

    /// The index in force now.
    pub fn load(&self) -> Arc<RevocationIndex> {
        self.0.index.load_full()
    }

    /// The generation of the index in force.
    pub fn generation(&self) -> Generation {
        self.0.index.load().generation()
    }

    /// Replaces the index by what `change` makes of it and returns the new one. `change` may run more than once when two
    /// writers meet, so it must depend on its argument only.
    pub fn update(&self, mut change: impl FnMut(&RevocationIndex) -> RevocationIndex) -> Arc<RevocationIndex> {
        self.0.index.rcu(|index| change(index));
        self.0.index.load_full()
    }

    /// Judges a verified path by everything that is known now: [`RevocationIndex::judge`]. `now` in unix seconds. Takes the lock of the answers
    /// for reading, for the length of a few look-ups.
    pub fn judge(&self, identity: &DeviceIdentity, rules: &RevocationRules, now: i64) -> Verdict {
        let index = self.0.index.load();
        self.read(|answers| index.judge(identity, rules, Some(answers), now))
    }

    /// Whether a device that is known by a name alone may be here: a suspension is about the device, whatever proves its name.
    ///
    /// # Errors
    /// It is suspended.
    pub fn check_name(&self, name: &DeviceName) -> Result<(), Box<Refusal>> {
        match self.load().suspension(name.as_str()) {
            Some(suspended) => Err(Box::new(rejection::suspended_name(name, suspended.since, &suspended.why))),
            None => Ok(()),
        }
    }

    /// What every source says about each certificate of a path: [`RevocationIndex::explain`]. `now` in unix seconds.
    pub fn explain(&self, identity: &DeviceIdentity, rules: &RevocationRules, now: i64) -> Vec<CertificateStatus> {
        let index = self.0.index.load();
        self.read(|answers| index.explain(identity, rules, Some(answers), now))
    }

    /// Takes an OCSP answer over. `true`: nothing was known about the certificate before, or something else, so that whoever waits for it, and the
    /// live sessions whose path holds it, are to be judged, now and not before.
    pub fn record_answer(&self, answer: OcspAnswer) -> bool {
        let mut answers = self.0.answers.write().unwrap_or_else(PoisonError::into_inner);
        answers.record(answer) == Recorded::Changed
    }

    /// The last answer about a certificate, however old.
    pub fn answer(&self, certificate: &PathCertificate) -> Option<OcspAnswer> {
        self.read(|answers| answers.get(certificate).copied())
    }

    /// How many answers there are.
    pub fn answers(&self) -> usize {
        self.read(OcspAnswers::len)
    }

    /// The certificates whose answers are no longer fresh at `before`, in unix seconds, at most `limit`: what is to be asked for again.
    pub fn expiring_answers(&self, before: i64, limit: usize) -> Vec<PathCertificate> {
        self.read(|answers| answers.expiring(before).take(limit).map(OcspAnswer::certificate).collect())
    }

    /// Forgets the answer about a certificate, as when nothing has asked for it for long.
    pub fn forget_answer(&self, certificate: &PathCertificate) {
        self.0.answers.write().unwrap_or_else(PoisonError::into_inner).remove(certificate);
    }

    /// Each change of the answers is complete or not begun when it panics, so a poisoned lock holds nothing half done.
    fn read<T>(&self, look: impl FnOnce(&OcspAnswers) -> T) -> T {
        look(&self.0.answers.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for CurrentRevocations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CurrentRevocations").field("generation", &self.generation()).finish()
    }
}
