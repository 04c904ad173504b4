//! How the sources of revocation knowledge fare.

use signet_admin::api::{Problem, ProblemKind, RefreshReport, RefreshSources, RevocationList, RevocationSource};
use signet_admin::date;
use signet_sources::{ListFacts, SourceReport, Sources};

use super::wide;

/// Every source; `now` in unix seconds.
pub(crate) fn report(sources: &Sources, now: i64) -> Vec<RevocationSource> {
    sources.report().iter().map(|report| source(report, now)).collect()
}

/// Fetches and reads now.
///
/// # Errors
/// No source is meant.
pub(crate) fn refresh(sources: &Sources, request: &RefreshSources) -> Result<RefreshReport, Problem> {
    let which = request.which.as_deref();
    let known = sources.report();
    if let Some(which) = which
        && !known.iter().any(|report| *report.profile == *which || report.address == which)
    {
        let problem = Problem::new(ProblemKind::NotFound, format!("no source belongs to a trust profile `{which}` or has that address"));
        return Err(problem.with_hint("`signet revocation sources` shows all of them"));
    }
    Ok(RefreshReport { sources: wide(sources.refresh(which)) })
}

fn source(report: &SourceReport, now: i64) -> RevocationSource {
    let attempts = &report.attempts;
    RevocationSource {
        profile: report.profile.to_string(),
        kind: report.kind.name().to_owned(),
        address: report.address.clone(),
        state: report.state.name().to_owned(),
        lists: report.lists.iter().map(|facts| list(facts, now)).collect(),
        answers: wide(report.answers),
        last_success: attempts.last_success.map(date),
        last_error: attempts.last_error.clone(),
        latency_milliseconds: attempts.latency.map(|latency| u64::try_from(latency.as_millis()).unwrap_or(u64::MAX)),
        requests: attempts.requests,
        failures: attempts.failed,
        consecutive_failures: attempts.consecutive_failures,
    }
}

fn list(facts: &ListFacts, now: i64) -> RevocationList {
    RevocationList {
        issuer: facts.issuer.clone(),
        number: facts.number.clone(),
        delta: facts.delta,
        this_update: date(facts.this_update),
        age_seconds: now.saturating_sub(facts.this_update),
        next_update: facts.next_update.map(date),
        entries: wide(facts.entries),
        stale: facts.stale,
    }
}
