//! Why a certificate is let in or not, check by check: the same checks as in a handshake, without stopping at the first that fails.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use signet_identity::{DeviceIdentity, Leaf};
use signet_revocation::{Assurance, CertificateStatus, RevocationRules};

use crate::client_verifier::{DeviceVerifier, Standing};
use crate::profile::TrustProfile;
use crate::rejection::{self, Rejected};
use crate::{Check, Refusal};

/// What came of one check.
#[derive(Clone, Debug)]
pub struct CheckResult {
    /// Which.
    pub check: Check,
    /// What was found.
    pub found: String,
    /// What to do about it; `None`: the check was passed.
    pub hint: Option<String>,
}

/// What one trust profile says of a certificate.
#[derive(Clone, Debug)]
pub struct ProfileExplanation {
    /// The profile's name.
    pub profile: Arc<str>,
    /// Subjects of the path, the device's first, the trust anchor's last; empty when there is none.
    pub path: Vec<String>,
    /// Its checks, up to the first that failed.
    pub checks: Vec<CheckResult>,
    /// What every source of revocations says about each certificate of the path; empty when no path was found.
    pub status: Vec<CertificateStatus>,
}

/// Everything about a certificate at a listener.
#[derive(Clone, Debug, Default)]
pub struct Explanation {
    /// What the certificate says of itself; `None`: it cannot be read.
    pub leaf: Option<Leaf>,
    /// Checks that no profile is asked for.
    pub checks: Vec<CheckResult>,
    /// The profiles in their order, up to the first that takes the certificate.
    pub profiles: Vec<ProfileExplanation>,
    /// Who the device is, when a profile takes the certificate.
    pub identity: Option<Arc<DeviceIdentity>>,
    /// Why it would be refused in a handshake now; `None`: it would be let in.
    pub refusal: Option<Box<Refusal>>,
    /// Whether it would have to wait, because nobody knows yet whether it is revoked.
    pub waits: bool,
}

fn passed(check: Check, found: impl Into<String>) -> CheckResult {
    CheckResult { check, found: found.into(), hint: None }
}

fn failed(refusal: &Refusal) -> CheckResult {
    CheckResult { check: refusal.check, found: refusal.found.clone(), hint: Some(refusal.hint.clone()) }
}

/// Explains a chain of certificates, the device's first; `now` in unix seconds.
pub(crate) fn explain(verifier: &DeviceVerifier, chain: &[CertificateDer<'_>], now: i64) -> Explanation {
    let mut explanation = Explanation::default();
    let Some((end_entity, intermediates)) = chain.split_first() else {
        explanation.refusal = Some(Box::new(crate::acceptor::no_certificate()));
        return explanation;
    };
    let leaf = match Leaf::parse(end_entity) {
        Ok(leaf) => leaf,
        Err(error) => {
            let rejected = rejection::unreadable(&error);
            explanation.checks.push(failed(&rejected.refusal));
            explanation.refusal = Some(rejected.refusal);
            return explanation;
        }
    };
    explanation.leaf = Some(leaf.clone());
    let form = format!("version {}, no authority, may sign", leaf.version());
    note(&mut explanation, rejection::check_form(&leaf, verifier.takes_version_1()), Check::CertificateForm, &form);
    if verifier.profiles().iter().any(|profile| profile.ignores_dates()) {
        explanation.checks.push(passed(Check::Validity, "a trust profile ignores dates (certificate_dates = \"ignore\")"));
    } else {
        note(&mut explanation, rejection::check_validity(&leaf, now, 0), Check::Validity, "within its dates");
    }
    for profile in verifier.profiles() {
        let (of_profile, identity) = explain_profile(verifier, profile, &leaf, chain, now);
        let takes = identity.is_some();
        explanation.profiles.push(of_profile);
        if takes {
            explanation.identity = identity;
            break;
        }
    }
    if explanation.refusal.is_none() {
        match verifier.judge(end_entity, intermediates, now).and_then(|judged| verifier.check_current(&judged, now)) {
            Ok(Standing::Good(_)) => {}
            Ok(Standing::Pending) => explanation.waits = true,
            Err(rejected) => explanation.refusal = Some(rejected.refusal),
        }
    }
    explanation
}

fn note(explanation: &mut Explanation, result: Result<(), Rejected>, check: Check, words: &str) {
    match result {
        Ok(()) => explanation.checks.push(passed(check, words)),
        Err(rejected) => {
            explanation.checks.push(failed(&rejected.refusal));
            explanation.refusal.get_or_insert(rejected.refusal);
        }
    }
}

fn explain_profile(
    verifier: &DeviceVerifier,
    profile: &Arc<TrustProfile>,
    leaf: &Leaf,
    chain: &[CertificateDer<'_>],
    now: i64,
) -> (ProfileExplanation, Option<Arc<DeviceIdentity>>) {
    let intermediates = chain.get(1..).unwrap_or_default();
    let mut said = ProfileExplanation { profile: Arc::clone(profile.name()), path: Vec::new(), checks: Vec::new(), status: Vec::new() };
    let Some(end_entity) = chain.first() else { return (said, None) };
    match profile.path_words(leaf, end_entity, intermediates, now) {
        Ok(path) => {
            said.checks.push(passed(
                Check::Path,
                format!("{} certificates to the anchor `{}`", path.len(), path.last().map_or("", String::as_str)),
            ));
            said.path = path;
        }
        Err(rejected) => {
            said.checks.push(failed(&rejected.refusal));
            return (said, None);
        }
    }
    let verified = match profile.verify(leaf, end_entity, intermediates, now) {
        Ok(verified) => verified,
        Err(rejected) => {
            said.checks.push(failed(&rejected.refusal));
            return (said, None);
        }
    };
    let identity = verified.identity;
    said.checks.push(passed(Check::Profile, "keeps the rules"));
    said.checks.push(passed(Check::Name, format!("the device is `{}`", identity.qualified_name())));
    said.status = verifier.status(&identity, &profile.config().revocation, now);
    said.checks.push(match verifier.standing(&identity, profile, now) {
        Ok(Standing::Good(assurance)) => passed(Check::Revocation, words(assurance)),
        Ok(Standing::Pending) => {
            passed(Check::RevocationStatus, "nobody knows yet whether it is revoked: it would have to wait for an answer")
        }
        Err(rejected) => failed(&rejected.refusal),
    });
    (said, Some(identity))
}

fn words(assurance: Assurance) -> &'static str {
    match assurance {
        Assurance::NotAsked => "not asked about beyond our own authority and the operator's list (revocation = \"off\")",
        Assurance::Fresh => "not revoked, by current answers",
        Assurance::InGrace { .. } => "not revoked, by answers that are overdue but within the grace",
        Assurance::Missing => "not revoked as far as is known: nobody could say anything current (revocation = \"prefer\")",
    }
}

impl DeviceVerifier {
    fn status(&self, identity: &DeviceIdentity, rules: &RevocationRules, now: i64) -> Vec<CertificateStatus> {
        self.revocations().explain(identity, rules, now)
    }
}
