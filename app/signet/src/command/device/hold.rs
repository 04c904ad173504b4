//! `signet device suspend|resume|release` and the list of suspended devices.

use signet_admin::api::{Release, ReleaseReport, Resume, Suspend, SuspendReport, SuspendedDevice};

use super::{crl_fact, sessions};
use crate::hint::Failure;
use crate::office::Office;
use crate::output;

pub(super) fn suspend(office: &Office, device: &str, reason: Option<&str>, json: bool) -> Result<(), Failure> {
    let request = Suspend { device: device.to_owned(), reason: reason.map(str::to_owned) };
    let report = office.suspend(&request)?;
    if json {
        output::json(&report)?
    } else {
        output::data(&suspended(&report))
    }
    if !report.known {
        let meant = report.nearest.as_ref().map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
        output::note(&format!(
            "note: nobody of the name {device} is connected or in the inventory: right for a device of another CA{meant}\n\
             note: to undo: signet device resume {device}"
        ));
    }
    Ok(())
}

fn suspended(report: &SuspendReport) -> String {
    let SuspendedDevice { device, since, by, .. } = &report.suspension;
    let ended = sessions(report.sessions.as_ref());
    if report.already {
        format!("{device} was suspended already on {since} by {by}; {ended}")
    } else {
        format!("suspended {device}; {ended}")
    }
}

pub(super) fn resume(office: &Office, device: &str, json: bool) -> Result<(), Failure> {
    let ended = office.resume(&Resume { device: device.to_owned() })?;
    if json {
        return output::json(&ended);
    }
    let reason = if ended.reason.is_empty() { String::new() } else { format!(": {}", ended.reason) };
    output::data(&format!("resumed {}, which was suspended on {} by {}{reason}", ended.device, ended.since, ended.by));
    Ok(())
}

pub(super) fn release(office: &Office, which: &str, json: bool) -> Result<(), Failure> {
    let report = office.release(&Release { which: which.to_owned() })?;
    if json {
        output::json(&report)?
    } else {
        released(&report).iter().for_each(|line| output::data(line))
    }
    if let Some(problem) = &report.crl_problem {
        output::note(&format!("warning: the release holds here, but the CRL that others read still lists it: {problem}"));
    }
    Ok(())
}

fn released(report: &ReleaseReport) -> Vec<String> {
    let mut lines: Vec<String> =
        report.certificates.iter().map(|certificate| format!("released {} {}", certificate.name, certificate.serial)).collect();
    if let (Some(last), Some(fact)) = (lines.last_mut(), crl_fact(report.crl.as_ref())) {
        last.push_str("; ");
        last.push_str(&fact);
    }
    lines
}

pub(super) fn list(office: &Office, json: bool) -> Result<(), Failure> {
    let suspended = office.suspended()?;
    if json {
        return output::json(&suspended);
    }
    let row = |one: &SuspendedDevice| vec![one.device.clone(), one.since.clone(), one.by.clone(), one.reason.clone()];
    output::table(&["NAME", "SUSPENDED SINCE", "BY", "WHY"], suspended.iter().map(row));
    Ok(())
}
