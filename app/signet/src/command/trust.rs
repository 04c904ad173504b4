//! `signet trust list|show|disable|enable`: whose certificates are believed, and how to stop that at once.

use signet_admin::api::{Connection, DisableProfile, DisableReport, EnableProfile, TrustProfile};

use super::device::{day, sessions};
use crate::exit::Exit;
use crate::flags::Trust;
use crate::hint::Failure;
use crate::office::BrokerOffice;
use crate::output;

/// Runs the command.
pub(crate) fn run(flags: &Trust) -> Result<Exit, Failure> {
    match flags {
        Trust::List { json, config } => {
            let profiles = BrokerOffice::open(config)?.trust()?;
            if *json { output::json(&profiles)? } else { list(&profiles) }
        }
        Trust::Show { name, json, config } => {
            let profiles = BrokerOffice::open(config)?.trust()?;
            let profile = profiles.iter().find(|profile| profile.name == *name).ok_or_else(|| unknown(name))?;
            if *json { output::json(profile)? } else { show(profile) }
        }
        Trust::Disable { name, reason, dry_run, json, config } => {
            let request = DisableProfile { profile: name.clone(), reason: reason.clone(), dry_run: *dry_run };
            let report = BrokerOffice::open(config)?.disable_profile(&request)?;
            if *json { output::json(&report)? } else { disabled(name, &report) }
        }
        Trust::Enable { name, json, config } => {
            let ended = BrokerOffice::open(config)?.enable_profile(&EnableProfile { profile: name.clone() })?;
            if *json {
                output::json(&ended)?;
            } else {
                let reason = if ended.reason.is_empty() { String::new() } else { format!(": {}", ended.reason) };
                output::data(&format!("enabled {name}, which was disabled on {} by {}{reason}", ended.since, ended.by));
            }
        }
    }
    Ok(Exit::Done)
}

fn unknown(name: &str) -> Failure {
    Failure::new(format!("there is no trust profile `{name}`")).exit(Exit::NotFound).hint("`signet trust list` shows all of them")
}

fn state(profile: &TrustProfile) -> String {
    match (&profile.disabled, profile.enabled_in_configuration) {
        (Some(disabled), _) if disabled.reason.is_empty() => format!("disabled by {}", disabled.by),
        (Some(disabled), _) => format!("disabled by {}: {}", disabled.by, disabled.reason),
        (None, true) => "enabled".to_owned(),
        (None, false) => "disabled by the configuration".to_owned(),
    }
}

fn list(profiles: &[TrustProfile]) {
    let row = |profile: &TrustProfile| {
        let anchors: Vec<&str> =
            profile.authorities.iter().filter(|authority| authority.anchor).map(|authority| authority.subject.as_str()).collect();
        vec![
            profile.name.clone(),
            state(profile),
            profile.sessions.to_string(),
            dashed(&profile.listeners.join(", ")),
            profile.tenant.clone().unwrap_or_else(|| "-".to_owned()),
            anchors.join("; "),
        ]
    };
    output::table(&["NAME", "STATE", "SESSIONS", "LISTENERS", "TENANT", "ANCHORS"], profiles.iter().map(row));
}

fn dashed(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

fn show(profile: &TrustProfile) {
    output::data(&format!("{}  {}", profile.name, state(profile)));
    if let Some(disabled) = &profile.disabled {
        output::data(&format!("  since       {}", disabled.since));
    }
    output::data(&format!("  sessions    {}", profile.sessions));
    output::data(&format!("  listeners   {}", dashed(&profile.listeners.join(", "))));
    if let Some(tenant) = &profile.tenant {
        output::data(&format!("  tenant      {tenant}"));
    }
    for authority in &profile.authorities {
        let kind = if authority.anchor { "anchor" } else { "known" };
        output::data(&format!("  {kind:<10}  {}  {}  valid to {}", authority.subject, authority.key_type, day(&authority.not_after)));
        output::data(&format!("              SHA-256 {}  key {}", authority.fingerprint, authority.key));
    }
    profile.rules.iter().for_each(|line| output::data(&format!("  rule        {line}")));
    profile.revocation.iter().for_each(|line| output::data(&format!("  revocation  {line}")));
    profile.sources.iter().for_each(|line| output::data(&format!("  source      {line}")));
}

fn disabled(name: &str, report: &DisableReport) {
    if let Some(count) = report.would_end {
        let noun = if count == 1 { "session" } else { "sessions" };
        output::data(&format!("{count} {noun} would end under `{name}`; nothing was changed"));
        if report.already {
            output::note(&format!("note: {name} is disabled already"));
        }
        report.connections.iter().for_each(|connection| output::data(&ending(connection)));
        return;
    }
    let ended = sessions(report.sessions.as_ref());
    match &report.disabled {
        Some(disabled) if report.already => {
            output::data(&format!("{name} was disabled already on {} by {}; {ended}", disabled.since, disabled.by));
        }
        _ => output::data(&format!("disabled {name}; {ended}")),
    }
}

fn ending(connection: &Connection) -> String {
    let device = match (&connection.tenant, &connection.device) {
        (Some(tenant), Some(device)) => format!("{tenant}/{device}"),
        (_, device) => device.clone().unwrap_or_else(|| "-".to_owned()),
    };
    let identifier = connection.client_identifier.as_deref().unwrap_or("-");
    format!("  {device}  {identifier}  {}  {}", connection.address, connection.listener)
}
