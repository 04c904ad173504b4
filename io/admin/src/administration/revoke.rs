//! Revoking certificates of our own authority, and releasing them from hold.

use std::collections::BTreeMap;

use serde_json::json;
use signet_ca::{RevocationOutcome, RevokeError, release_all, revoke_all};
use signet_identity::CertificateId;
use signet_net::{KickCause, KickReport, unix_milliseconds, unix_seconds};
use signet_revocation::{Reason, RevocationSource, Revoked};

use super::{Administration, Desk, Done, Live, PATIENCE, failed, in_force, invalid, target};
use crate::api::{CrlFile, Problem, ProblemKind, Release, ReleaseReport, Revoke, RevokeReport};
use crate::caller::Caller;
use crate::view;

/// What became of live sessions, and when no handshake succeeded any more (unix milliseconds).
struct Ended {
    in_force_at: i64,
    report: KickReport,
}

impl Administration {
    /// Revokes: durable, then known to every handshake, then live sessions closed, then the CRL. Asking twice does no harm.
    ///
    /// # Errors
    /// Nothing fits: then nothing was revoked. The ledger fails: then the error says how many of a device's certificates are revoked, with
    /// all that follows from it; asking again completes the work. A CRL that cannot be signed or written is part of the report, no error: the
    /// revocation holds.
    pub fn revoke(&self, request: &Revoke, caller: &Caller) -> Result<RevokeReport, Problem> {
        let reason: Reason = request.reason.parse().map_err(invalid)?;
        let now = unix_seconds();
        let mut desk = self.desk();
        let target = target(&desk, &request.which)?;
        // Whatever is recorded from here on is not on the list: should this end early, the next look at the list finds out.
        desk.published_until = None;
        let outcomes = match revoke_all(desk.ledger.as_mut(), &target, reason, caller.as_str(), now) {
            Ok(outcomes) => outcomes,
            Err(RevokeError::Partly { ref done, ref failure }) => {
                let ended = self.live.get().map(|live| end_sessions(live, done));
                desk.record_revoked(done, ended.as_ref(), caller);
                let message = format!("only {} of the certificates could be revoked, ask again for the others: {failure}", done.len());
                return Err(failed(message));
            }
            Err(RevokeError::Unknown { .. }) => return Err(desk.not_found(&request.which)),
            Err(error @ (RevokeError::NotAReason { .. } | RevokeError::NotOnHold { .. })) => return Err(invalid(error)),
            Err(error @ RevokeError::Ledger(_)) => return Err(failed(error)),
        };
        let ended = self.live.get().map(|live| end_sessions(live, &outcomes));
        let (crl, crl_problem) = desk.sign_next(now);
        desk.record_revoked(&outcomes, ended.as_ref(), caller);
        let (already, revoked): (Vec<_>, Vec<_>) = outcomes.iter().partition(|outcome| outcome.already);
        let report = RevokeReport {
            certificates: desk.views(&revoked, now)?,
            already_revoked: desk.views(&already, now)?,
            sessions: ended.map(|ended| view::sessions(&ended.report, Some(ended.in_force_at))),
            crl,
            crl_problem,
        };
        for certificate in &report.certificates {
            let closed = report.sessions.as_ref().map_or(0, |sessions| sessions.closed);
            tracing::info!(device = certificate.name, serial = certificate.serial, %reason, by = caller.as_str(), closed, "certificate revoked");
        }
        Ok(report)
    }

    /// Releases from hold: durable, then known to every handshake, then the CRL without them.
    ///
    /// # Errors
    /// Nothing fits, or nothing of it is on hold: what was revoked for another reason stays so. The ledger fails.
    pub fn release(&self, request: &Release, caller: &Caller) -> Result<ReleaseReport, Problem> {
        let now = unix_seconds();
        let mut desk = self.desk();
        let target = target(&desk, &request.which)?;
        desk.published_until = None;
        let put = |outcomes: &[RevocationOutcome]| {
            if let Some(live) = self.live.get() {
                in_force::put_revocations(live, &entries(outcomes));
            }
        };
        let outcomes = match release_all(desk.ledger.as_mut(), &target, caller.as_str(), now) {
            Ok(outcomes) => outcomes,
            Err(RevokeError::Partly { ref done, ref failure }) => {
                put(done);
                desk.record_released(done, caller);
                let message = format!("only {} of the certificates could be released, ask again for the others: {failure}", done.len());
                return Err(failed(message));
            }
            Err(RevokeError::Unknown { .. }) => return Err(desk.not_found(&request.which)),
            Err(error @ (RevokeError::NotAReason { .. } | RevokeError::NotOnHold { .. })) => return Err(invalid(error)),
            Err(error @ RevokeError::Ledger(_)) => return Err(failed(error)),
        };
        put(&outcomes);
        let (crl, crl_problem) = desk.sign_next(now);
        desk.record_released(&outcomes, caller);
        for outcome in &outcomes {
            tracing::info!(device = outcome.name, serial = %outcome.certificate.serial(), by = caller.as_str(), "certificate released from hold");
        }
        let all: Vec<&RevocationOutcome> = outcomes.iter().collect();
        Ok(ReleaseReport { certificates: desk.views(&all, now)?, crl, crl_problem })
    }
}

impl Desk {
    /// The next CRL, or why there is none.
    fn sign_next(&mut self, now: i64) -> (Option<CrlFile>, Option<String>) {
        match self.sign_crl(now) {
            Ok(crl) => (Some(crl), None),
            Err(problem) => (None, Some(problem.message)),
        }
    }

    fn record_revoked(&mut self, outcomes: &[RevocationOutcome], ended: Option<&Ended>, caller: &Caller) {
        let sessions = ended.map(|ended| ended.report);
        let new: Vec<&RevocationOutcome> = outcomes.iter().filter(|outcome| !outcome.already).collect();
        let Some(first) = outcomes.first() else { return };
        if new.is_empty() && sessions.is_none_or(|report| report.found == 0) {
            return;
        }
        let serials: Vec<String> = new.iter().map(|outcome| outcome.certificate.serial().to_string()).collect();
        let reason = new.first().map_or(first.reason, |outcome| outcome.reason);
        self.record(&Done {
            action: "device.revoke",
            subject: &first.name,
            by: caller.as_str(),
            details: json!({ "serials": serials, "reason": reason.name() }),
            revoked_at: Some(ended.map_or_else(unix_milliseconds, |ended| ended.in_force_at)),
            sessions,
        });
    }

    fn record_released(&mut self, outcomes: &[RevocationOutcome], caller: &Caller) {
        let Some(first) = outcomes.first() else { return };
        let serials: Vec<String> = outcomes.iter().map(|outcome| outcome.certificate.serial().to_string()).collect();
        let details = json!({ "serials": serials });
        self.record(&Done { action: "device.release", subject: &first.name, by: caller.as_str(), details, ..Done::default() });
    }

    pub(super) fn not_found(&self, which: &str) -> Problem {
        let problem = Problem::new(ProblemKind::NotFound, format!("no certificate of `{which}` is in the inventory"));
        match self.nearest_name(which) {
            Some(name) => problem.with_hint(format!("did you mean `{name}`? `signet device list` shows all of them")),
            None => problem.with_hint("`signet device list` shows all of them"),
        }
    }
}

fn entries(outcomes: &[RevocationOutcome]) -> Vec<(CertificateId, Revoked)> {
    let revoked =
        |outcome: &RevocationOutcome| Revoked { since: outcome.revoked_at, reason: outcome.reason, source: RevocationSource::Authority };
    outcomes.iter().map(|outcome| (outcome.certificate, revoked(outcome))).collect()
}

/// Steps 2 and 3 of a revocation. Also for certificates that were revoked before: what should be closed already is closed for certain then.
fn end_sessions(live: &Live, outcomes: &[RevocationOutcome]) -> Ended {
    in_force::put_revocations(live, &entries(outcomes));
    let in_force_at = unix_milliseconds();
    // Certificates revoked earlier may carry another reason than this call's; each connection is told its own.
    let mut by_reason: BTreeMap<u8, (Reason, Vec<CertificateId>)> = BTreeMap::new();
    for outcome in outcomes {
        by_reason.entry(outcome.reason.code()).or_insert_with(|| (outcome.reason, Vec::new())).1.push(outcome.certificate);
    }
    let mut report = KickReport::default();
    for (reason, certificates) in by_reason.into_values() {
        report = report.and(live.registry.kick_certificates(&certificates, &KickCause::Revoked(reason), PATIENCE));
    }
    if report.closed < report.found {
        let open = report.found - report.closed;
        tracing::warn!(open, "sessions of revoked certificates were told to close and did not confirm in time");
    }
    Ended { in_force_at, report }
}
