//! Suspending a device: its sessions end now, and it is refused whichever certificate it shows, until it is resumed. Nothing is revoked.

use std::sync::Arc;

use serde_json::json;
use signet_ca::Suspension;
use signet_identity::DeviceName;
use signet_net::{KickCause, Selector, unix_milliseconds, unix_seconds};

use super::nearest::nearest;
use super::{Administration, Done, PATIENCE, failed, in_force, invalid};
use crate::api::{Problem, ProblemKind, Resume, Suspend, SuspendReport, SuspendedDevice};
use crate::caller::Caller;
use crate::view;

/// The longest reason, in bytes.
pub(super) const REASON_BYTES_MAX: usize = 256;

impl Administration {
    /// Suspends a device: durable, then in force at every handshake, then its sessions closed. Asking twice does no harm. Waits for the shards, so
    /// a shard itself must not call it.
    ///
    /// # Errors
    /// A name that no device can have, too many suspended devices: nothing was changed. The ledger fails: asking again completes the work.
    pub fn suspend(&self, request: &Suspend, caller: &Caller) -> Result<SuspendReport, Problem> {
        let device = qualified_name(&request.device)?;
        let why = reason_text(request.reason.as_deref())?;
        let mut desk = self.desk();
        let wish = Suspension { device: device.to_owned(), since: unix_seconds(), why, by: caller.as_str().to_owned() };
        let before = desk.ledger.record_suspended(&wish).map_err(failed)?;
        let already = before.is_some();
        let suspension = before.unwrap_or(wish);
        let (mut kicked, mut revoked_at) = (None, unix_milliseconds());
        if let Some(live) = self.live.get() {
            in_force::put_suspensions(live, &desk.ledger.suspensions().map_err(failed)?);
            revoked_at = unix_milliseconds();
            // Also for one that was suspended before: what should be closed already is closed for certain then.
            let cause = KickCause::Suspended(Arc::from(device));
            kicked = Some(live.registry.kick_selected(&Selector::Device(device), &cause, PATIENCE));
        }
        let bare = device.rsplit('/').next().unwrap_or(device);
        let known = already || kicked.is_some_and(|report| report.found > 0) || !desk.ledger.find_by_name(bare).map_err(failed)?.is_empty();
        let nearest = if known { None } else { desk.nearest_name(bare) };
        if !already || kicked.is_some_and(|report| report.found > 0) {
            desk.record(&Done {
                action: "device.suspend",
                subject: device,
                by: caller.as_str(),
                details: json!({ "reason": suspension.why }),
                revoked_at: Some(revoked_at),
                sessions: kicked,
            });
        }
        let closed = kicked.map_or(0, |report| report.closed);
        tracing::info!(device, by = caller.as_str(), closed, already, "device suspended: {}", suspension.why);
        Ok(SuspendReport {
            suspension: view::suspended(&suspension),
            already,
            sessions: kicked.map(|report| view::sessions(&report, Some(revoked_at))),
            known,
            nearest,
        })
    }

    /// Ends a suspension: the device may connect again with certificates that are otherwise good.
    ///
    /// # Errors
    /// The device is not suspended; the ledger fails.
    pub fn resume(&self, request: &Resume, caller: &Caller) -> Result<SuspendedDevice, Problem> {
        let mut desk = self.desk();
        let device = request.device.as_str();
        let Some(ended) = desk.ledger.remove_suspended(device).map_err(failed)? else {
            let suspended = desk.ledger.suspensions().map_err(failed)?;
            let problem = Problem::new(ProblemKind::NotFound, format!("`{device}` is not suspended"));
            return Err(match nearest(device, suspended.iter().map(|suspension| suspension.device.as_str())) {
                Some(name) => problem.with_hint(format!("did you mean `{name}`?")),
                None => problem.with_hint("`signet device list --suspended` shows who is"),
            });
        };
        if let Some(live) = self.live.get() {
            in_force::put_suspensions(live, &desk.ledger.suspensions().map_err(failed)?);
        }
        desk.record(&Done {
            action: "device.resume",
            subject: device,
            by: caller.as_str(),
            details: json!({ "suspended_since": view::date(ended.since), "suspended_by": ended.by }),
            ..Done::default()
        });
        tracing::info!(device, by = caller.as_str(), "device resumed");
        Ok(view::suspended(&ended))
    }

    /// Every suspended device, by name.
    ///
    /// # Errors
    /// The ledger fails.
    pub fn suspended(&self) -> Result<Vec<SuspendedDevice>, Problem> {
        Ok(self.desk().ledger.suspensions().map_err(failed)?.iter().map(view::suspended).collect())
    }
}

/// A device's name, or a tenant's and a device's.
fn qualified_name(text: &str) -> Result<&str, Problem> {
    let (tenant, name) = text.split_once('/').map_or((None, text), |(tenant, name)| (Some(tenant), name));
    for part in tenant.into_iter().chain([name]) {
        DeviceName::new(part).map_err(invalid)?;
    }
    Ok(text)
}

/// A reason in somebody's words: one line, not too long.
pub(super) fn reason_text(text: Option<&str>) -> Result<String, Problem> {
    let text = text.unwrap_or_default();
    if text.len() > REASON_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(invalid(format!("a reason of {} bytes was given, expected one line of at most {REASON_BYTES_MAX}", text.len())));
    }
    Ok(text.to_owned())
}
