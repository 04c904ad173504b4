//! `signet explain`: every check of a certificate, in the order in which the broker makes them, and the verdict. Words carry the meaning.

use std::path::Path;

use signet_admin::api::{
    Explain, Explained, ExplainedAccess, ExplainedCheck, ExplainedConnect, ExplainedProfile, ExplainedStatus, ExplainedVerdict, Secret,
};
use signet_ledger::read_certificates;

use super::revocation::age;
use crate::exit::Exit;
use crate::flags;
use crate::hint::Failure;
use crate::office::BrokerOffice;
use crate::output;

/// Runs the command.
pub(crate) fn run(flags: &flags::Explain) -> Result<Exit, Failure> {
    let request = Explain {
        certificates: flags.cert.as_deref().map(certificates).transpose()?.unwrap_or_default(),
        client: flags.client.clone(),
        device: None,
        refusal: flags.refusal,
        listener: flags.listener.clone(),
        server_name: flags.server_name.clone(),
        client_identifier: flags.client_identifier.clone(),
        username: flags.username.clone(),
        password: flags.password_file.as_deref().map(password).transpose()?.map(Secret::new),
        address: flags.address,
        assume_let_in: false,
        publish: flags.publish.clone(),
        subscribe: flags.subscribe.clone(),
    };
    let explained = BrokerOffice::open(&flags.config)?.explain(&request)?;
    if flags.json {
        output::json(&explained)?;
    } else {
        lines(&explained).iter().for_each(|line| output::data(line));
    }
    Ok(if explained.is_allowed() { Exit::Done } else { Exit::Refused })
}

pub(super) fn certificates(path: &Path) -> Result<Vec<String>, Failure> {
    let all = read_certificates(path)?;
    if all.is_empty() {
        return Err(Failure::new(format!("`{}` holds no certificate", path.display())));
    }
    Ok(all.iter().map(hex::encode).collect())
}

fn lines(explained: &Explained) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(explained.notes.iter().map(|note| format!("note: {note}")));
    if let Some(certificate) = &explained.certificate {
        lines.push(format!("certificate  {}  {}  serial {}", certificate.subject, certificate.key_type, certificate.serial));
        lines.push(format!("  issued by  {}  valid {} to {}", certificate.issuer, certificate.not_before, certificate.not_after));
    }
    lines.push(format!("at listener `{}`", explained.listener));
    lines.extend(explained.checks.iter().map(|check| check_line("  ", check)));
    explained.profiles.iter().for_each(|profile| lines.extend(profile_lines(profile)));
    if let Some(connect) = &explained.connect {
        lines.extend(connect_lines(connect));
    }
    if !explained.authenticators.is_empty() {
        lines.push("authenticators".to_owned());
        lines.extend(explained.authenticators.iter().map(verdict_line));
    }
    explained.access.iter().for_each(|access| lines.extend(access_lines(access)));
    lines.push(explained.verdict.clone());
    lines.extend(explained.hint.iter().map(|hint| format!("hint: {hint}")));
    lines
}

/// `ok` or `FAILED`, one below the other.
fn word(passed: bool) -> &'static str {
    if passed { "ok    " } else { "FAILED" }
}

fn check_line(indent: &str, check: &ExplainedCheck) -> String {
    format!("{indent}{}  {}: {}", word(check.passed), check.check, check.found)
}

fn profile_lines(profile: &ExplainedProfile) -> Vec<String> {
    let mut lines = vec![format!("trust profile `{}`", profile.profile)];
    for (depth, subject) in profile.path.iter().enumerate() {
        let what = match depth {
            0 => "path",
            _ if depth + 1 == profile.path.len() => " by the anchor",
            _ => " by",
        };
        lines.push(format!("  {what}  {subject}"));
    }
    lines.extend(profile.checks.iter().map(|check| check_line("  ", check)));
    profile.revocation.iter().for_each(|status| lines.extend(status_lines(status)));
    lines
}

fn status_lines(status: &ExplainedStatus) -> Vec<String> {
    let asked = if status.asked { "" } else { " (lists and responders are not asked)" };
    let mut lines = vec![format!("  revocation of {} serial {}{asked}", status.subject, status.serial)];
    if status.answers.is_empty() {
        lines.push("    nobody says anything".to_owned());
    }
    for answer in &status.answers {
        let old = answer.age_seconds.map_or_else(String::new, |seconds| format!(", {} old", age(seconds)));
        let next = answer.next_update.as_ref().map_or_else(String::new, |next| format!(", next update {next}"));
        lines.push(format!("    {}: {}{old}{next}", answer.source, answer.finding));
    }
    lines
}

fn connect_lines(connect: &ExplainedConnect) -> Vec<String> {
    let mut lines = vec!["CONNECT".to_owned(), format!("  device             {}", connect.device.as_deref().unwrap_or("none"))];
    lines.extend(connect.tenant.iter().map(|tenant| format!("  tenant             {tenant}")));
    match &connect.denied {
        Some(denied) => lines.push(format!("  {}  {}: {}", word(false), denied.rule, denied.found)),
        None => {
            lines.push(format!("  user name          {}", connect.username.as_deref().unwrap_or("none")));
            lines.extend(connect.client_identifier.iter().map(|identifier| format!("  client identifier  {identifier}")));
            if connect.device.is_some() {
                lines.push(format!("  {}  the names fit the certificate", word(true)));
            }
        }
    }
    lines
}

fn verdict_line(verdict: &ExplainedVerdict) -> String {
    let ExplainedVerdict { authenticator, verdict, why } = verdict;
    if why.is_empty() { format!("  {verdict:8}  {authenticator}") } else { format!("  {verdict:8}  {authenticator}: {why}") }
}

/// The first line of a file, or of standard input.
fn password(path: &Path) -> Result<String, Failure> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin()).map_err(|error| Failure::new(format!("cannot read the password: {error}")))?
    } else {
        std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?
    };
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

pub(super) fn access_lines(access: &ExplainedAccess) -> Vec<String> {
    let mut lines = vec![format!("{} `{}`", access.action, access.topic)];
    for rule in &access.considered {
        let fits = match (rule.includes_client, rule.covers) {
            (true, true) => "is about this client and covers it",
            (true, false) => "is about this client, does not cover it",
            (false, true) => "covers it, is not about this client",
            (false, false) => "is neither about this client nor covers it",
        };
        lines.push(format!("          {}: {fits}", rule.rule));
    }
    let why = access.denied.as_ref().map_or_else(String::new, |denied| format!(": {denied}"));
    let by = if access.allowed { "allowed by" } else { "denied by" };
    lines.push(format!("  {}  {by} {}{why}", word(access.allowed), access.rule));
    lines
}
