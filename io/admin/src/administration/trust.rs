//! Disabling a trust profile: everybody under it goes now, and nobody comes in until it is enabled. Nothing is revoked.

use std::sync::Arc;

use serde_json::json;
use signet_ca::DisabledProfile;
use signet_net::{KickCause, Selector, unix_milliseconds, unix_seconds};

use super::nearest::nearest;
use super::suspend::reason_text;
use super::{Administration, Done, PATIENCE, failed, in_force};
use crate::api::{DisableProfile, DisableReport, EnableProfile, Problem, ProblemKind, TrustProfile};
use crate::caller::Caller;
use crate::view;

/// Connections named in an answer.
const NAMED: usize = 1000;

impl Administration {
    /// The trust profiles of the broker, with what is known here: who is disabled, and how many live sessions each has.
    ///
    /// # Errors
    /// The ledger fails.
    pub fn trust(&self, mut profiles: Vec<TrustProfile>) -> Result<Vec<TrustProfile>, Problem> {
        let disabled = self.desk().ledger.disabled_profiles().map_err(failed)?;
        for profile in &mut profiles {
            let found = disabled.iter().find(|disabled| disabled.name == profile.name);
            profile.disabled = found.map(view::disabled_profile);
            profile.enabled = profile.enabled_in_configuration && found.is_none();
            let sessions = self.live.get().map_or(0, |live| live.registry.select(&Selector::Profile(&profile.name)).len());
            profile.sessions = u64::try_from(sessions).unwrap_or(u64::MAX);
        }
        Ok(profiles)
    }

    /// Disables a trust profile: durable, then in force at every handshake, then its sessions closed. Asking twice does no harm. `known` are the
    /// profiles that there are. Waits for the shards, so a shard itself must not call it.
    ///
    /// # Errors
    /// There is no such profile: nothing was changed. The ledger fails: asking again completes the work.
    pub fn disable_profile(&self, request: &DisableProfile, known: &[TrustProfile], caller: &Caller) -> Result<DisableReport, Problem> {
        let name = request.profile.as_str();
        if !known.iter().any(|profile| profile.name == name) {
            return Err(unknown(name, known));
        }
        let why = reason_text(request.reason.as_deref())?;
        if request.dry_run {
            return self.would_end(name);
        }
        let mut desk = self.desk();
        let wish = DisabledProfile { name: name.to_owned(), since: unix_seconds(), why, by: caller.as_str().to_owned() };
        let before = desk.ledger.record_disabled_profile(&wish).map_err(failed)?;
        let already = before.is_some();
        let disabled = before.unwrap_or(wish);
        let (mut kicked, mut revoked_at) = (None, unix_milliseconds());
        if let Some(live) = self.live.get() {
            in_force::put_disabled_profiles(live, &desk.ledger.disabled_profiles().map_err(failed)?);
            revoked_at = unix_milliseconds();
            // Also for one that was disabled before: what should be closed already is closed for certain then.
            let cause = KickCause::ProfileDisabled(Arc::from(name));
            kicked = Some(live.registry.kick_selected(&Selector::Profile(name), &cause, PATIENCE));
        }
        if !already || kicked.is_some_and(|report| report.found > 0) {
            desk.record(&Done {
                action: "trust.disable",
                subject: name,
                by: caller.as_str(),
                details: json!({ "reason": disabled.why }),
                revoked_at: Some(revoked_at),
                sessions: kicked,
            });
        }
        let closed = kicked.map_or(0, |report| report.closed);
        tracing::warn!(profile = name, by = caller.as_str(), closed, already, "trust profile disabled: {}", disabled.why);
        Ok(DisableReport {
            disabled: Some(view::disabled_profile(&disabled)),
            already,
            would_end: None,
            connections: Vec::new(),
            sessions: kicked.map(|report| view::sessions(&report, Some(revoked_at))),
        })
    }

    fn would_end(&self, name: &str) -> Result<DisableReport, Problem> {
        let already = self.desk().ledger.disabled_profiles().map_err(failed)?.iter().any(|disabled| disabled.name == name);
        let found = self.live.get().map_or_else(Vec::new, |live| live.registry.selected(&Selector::Profile(name)));
        Ok(DisableReport {
            disabled: None,
            already,
            would_end: Some(u64::try_from(found.len()).unwrap_or(u64::MAX)),
            connections: found.iter().take(NAMED).map(|info| view::connection(info)).collect(),
            sessions: None,
        })
    }

    /// Enables a trust profile that was disabled here. One that has left the configuration meanwhile can be enabled too.
    ///
    /// # Errors
    /// It is not disabled; the ledger fails.
    pub fn enable_profile(
        &self,
        request: &EnableProfile,
        known: &[TrustProfile],
        caller: &Caller,
    ) -> Result<crate::api::DisabledProfile, Problem> {
        let mut desk = self.desk();
        let name = request.profile.as_str();
        let Some(ended) = desk.ledger.remove_disabled_profile(name).map_err(failed)? else {
            return Err(match known.iter().find(|profile| profile.name == name) {
                None => unknown(name, known),
                Some(profile) if !profile.enabled_in_configuration => Problem::new(
                    ProblemKind::NotFound,
                    format!("the trust profile `{name}` is disabled by the configuration, not by an operator"),
                )
                .with_hint("set enabled = true in its [[trust]], then reload: kill -HUP"),
                Some(_) => Problem::new(ProblemKind::NotFound, format!("the trust profile `{name}` is not disabled")),
            });
        };
        if let Some(live) = self.live.get() {
            in_force::put_disabled_profiles(live, &desk.ledger.disabled_profiles().map_err(failed)?);
        }
        desk.record(&Done {
            action: "trust.enable",
            subject: name,
            by: caller.as_str(),
            details: json!({ "disabled_since": view::date(ended.since), "disabled_by": ended.by }),
            ..Done::default()
        });
        tracing::info!(profile = name, by = caller.as_str(), "trust profile enabled");
        Ok(view::disabled_profile(&ended))
    }
}

fn unknown(name: &str, known: &[TrustProfile]) -> Problem {
    let problem = Problem::new(ProblemKind::NotFound, format!("there is no trust profile `{name}`"));
    match nearest(name, known.iter().map(|profile| profile.name.as_str())) {
        Some(meant) => problem.with_hint(format!("did you mean `{meant}`? `signet trust list` shows all of them")),
        None => problem.with_hint("`signet trust list` shows all of them"),
    }
}
