//! How those fare who are asked about clients, for the admin API.

use signet_admin::api::AuthenticatorState;
use signet_auth::BackendReport;

/// One of them.
pub(crate) fn state(report: &BackendReport) -> AuthenticatorState {
    AuthenticatorState {
        name: report.name.to_string(),
        kind: report.kind.to_owned(),
        breaker: report.breaker.name().to_owned(),
        asked: report.asked,
        failed: report.failed,
        remembered: report.remembered,
        spared: report.spared,
        cached: report.cached,
        mean_microseconds: report.microseconds.checked_div(report.asked).unwrap_or_default(),
        last_failure: report.last_failure.clone(),
    }
}
