//! `signet device add|list|show|revoke|suspend|resume|release`.

use std::path::{Path, PathBuf};

use signet_admin::api::{AddDevice, AddedDevice, Certificate, CrlFile, DeviceKey, Revoke, RevokeReport, SessionsClosed};
use signet_ca::{CSR_BYTES_MAX, Csr, KeyType};
use signet_ledger::{FileError, Overwrite, PrivateKey, write_public};
use signet_net::unix_seconds;

use crate::exit::Exit;
use crate::flags::{Device, DeviceAdd};
use crate::hint::Failure;
use crate::office::{Office, Places};
use crate::output;

mod hold;

/// Runs the command.
pub(crate) fn run(flags: &Device) -> Result<Exit, Failure> {
    match flags {
        Device::Add(flags) => add(flags)?,
        Device::List { suspended: true, json, config } => hold::list(&Office::open(&Places::find(config)?)?, *json)?,
        Device::List { suspended: false, json, config } => {
            let certificates = Office::open(&Places::find(config)?)?.list()?;
            if *json { output::json(&certificates)? } else { list(&certificates) }
        }
        Device::Show { which, json, config } => {
            let certificates = Office::open(&Places::find(config)?)?.show(which)?;
            if *json { output::json(&certificates)? } else { certificates.iter().for_each(show) }
        }
        Device::Suspend { name, reason, json, config } => {
            hold::suspend(&Office::open(&Places::find(config)?)?, name, reason.as_deref(), *json)?;
        }
        Device::Resume { name, json, config } => hold::resume(&Office::open(&Places::find(config)?)?, name, *json)?,
        Device::Release { which, json, config } => hold::release(&Office::open(&Places::find(config)?)?, which, *json)?,
        Device::Revoke { which, reason, json, config } => {
            let request = Revoke { which: which.clone(), reason: reason.name().to_owned() };
            let report = Office::open(&Places::find(config)?)?.revoke(&request)?;
            if *json {
                output::json(&report)?
            } else {
                revoked(&report).iter().for_each(|line| output::data(line))
            }
            if let Some(problem) = &report.crl_problem {
                output::note(&format!("warning: the revocation holds, but no new CRL tells others of it: {problem}"));
            }
        }
    }
    Ok(Exit::Done)
}

/// The files of a device.
pub(crate) struct DeviceFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl DeviceFiles {
    pub(crate) fn new(dir: &Path, name: &str) -> Self {
        Self { certificate: dir.join(format!("{name}.pem")), key: dir.join(format!("{name}.key")) }
    }
}

fn add(flags: &DeviceAdd) -> Result<(), Failure> {
    let files = DeviceFiles::new(&flags.out, &flags.name);
    let key_file = flags.csr.is_none().then_some(&files.key);
    if let Some(path) = key_file.into_iter().chain([&files.certificate]).find(|path| !flags.force && path.symlink_metadata().is_ok()) {
        return Err(exists(path));
    }
    let request = flags.csr.as_deref().map(read_csr).transpose()?;
    let office = Office::open_or_begin(&Places::find(&flags.config)?)?;
    std::fs::create_dir_all(&flags.out).map_err(|error| Failure::file("create", &flags.out, &error))?;
    let overwrite = if flags.force { Overwrite::Forced } else { Overwrite::Never };
    let added = match request {
        Some(csr) => {
            let request = AddDevice { name: flags.name.clone(), key: DeviceKey::Csr(hex::encode(csr)), days: flags.days };
            office.add_device(&request)?
        }
        None => {
            let key = PrivateKey::generate(flags.key_type.unwrap_or(KeyType::P256)).map_err(|error| Failure::new(error.to_string()))?;
            add_with_key(&flags.name, &key, flags.days, &office, &files.key, overwrite)?
        }
    };
    write_public(&files.certificate, added.chain_pem.as_bytes()).map_err(file_failed)?;
    notes(flags, &added.certificate, &office).iter().for_each(|note| output::note(note));
    if flags.json {
        return output::json(&added.certificate);
    }
    output::data(&format!("{}  serial {}", flags.name, added.certificate.serial));
    output::data(&format!("  certificate  {}  valid to {}", files.certificate.display(), added.certificate.not_after));
    if key_file.is_some() {
        output::data(&format!("  key          {}  (0600)", files.key.display()));
    }
    Ok(())
}

/// What somebody who reads the result could overlook: a validity cut short, and earlier certificates, which a new one does not end.
fn notes(flags: &DeviceAdd, issued: &Certificate, office: &Office) -> Vec<String> {
    let mut notes = Vec::new();
    // Dates in this form sort as text. A minute is for the time between issuing and now.
    let wished = flags.days.map(|days| signet_admin::date(unix_seconds() + i64::from(days) * 86_400 - 60));
    if wished.is_some_and(|wished| issued.not_after < wished) {
        notes.push(format!("note: the certificate ends with the issuing CA, on {}", day(&issued.not_after)));
    }
    let known = office.show(&flags.name).unwrap_or_default();
    for earlier in known.iter().filter(|known| known.status == "valid" && known.serial != issued.serial) {
        notes.push(format!(
            "note: an earlier certificate of {} stays valid; to end it: signet device revoke {}",
            flags.name, earlier.serial
        ));
    }
    notes
}

/// Certifies a key made here. The key is on disk before it is certified: a certificate whose key was lost is worth nothing.
fn add_with_key(
    name: &str,
    key: &PrivateKey,
    days: Option<u32>,
    office: &Office,
    path: &Path,
    overwrite: Overwrite,
) -> Result<AddedDevice, Failure> {
    let public = key.subject_key().map_err(|error| Failure::new(error.to_string()))?;
    let request = AddDevice { name: name.to_owned(), key: DeviceKey::PublicKey(hex::encode(public.spki())), days };
    let previous = std::fs::read(path).ok().map(zeroize::Zeroizing::new);
    key.write(path, overwrite).map_err(file_failed)?;
    office.add_device(&request).inspect_err(|_| {
        // The refusal is what to report; the key it was for belongs to no certificate.
        let _ = match &previous {
            Some(previous) => signet_ledger::write_secret(path, previous, Overwrite::Forced).ok(),
            None => std::fs::remove_file(path).ok(),
        };
    })
}

fn read_csr(path: &Path) -> Result<Vec<u8>, Failure> {
    let size = std::fs::metadata(path).map_err(|error| Failure::file("read", path, &error))?.len();
    if usize::try_from(size).unwrap_or(usize::MAX) > CSR_BYTES_MAX {
        return Err(Failure::new(format!("`{}` has {size} bytes, a certification request has at most {CSR_BYTES_MAX}", path.display())));
    }
    let bytes = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    // Whoever signs looks again; here it is known which file is wrong.
    Csr::parse(&bytes).map_err(|error| Failure::new(format!("`{}`: {error}", path.display())))?;
    Ok(bytes)
}

fn exists(path: &Path) -> Failure {
    Failure::new(format!("`{}` exists and was left alone", path.display()))
        .exit(Exit::Exists)
        .hint("--force replaces it, --out DIR writes elsewhere")
}

fn file_failed(error: FileError) -> Failure {
    match error {
        FileError::Exists { path } => exists(&path),
        other => other.into(),
    }
}

fn list(certificates: &[Certificate]) {
    let rows = certificates.iter().map(|certificate| {
        vec![
            certificate.name.clone(),
            status(certificate),
            certificate.serial.clone(),
            day(&certificate.not_after),
            certificate.key_type.clone(),
            certificate.issued_by.clone(),
        ]
    });
    output::table(&["NAME", "STATUS", "SERIAL", "VALID TO", "KEY", "ISSUED BY"], rows);
}

fn status(certificate: &Certificate) -> String {
    let kind = if certificate.profile == "device" { String::new() } else { format!(" ({})", certificate.profile) };
    let suspended = if certificate.suspended { ", suspended" } else { "" };
    match &certificate.revoked {
        Some(revoked) => format!("{} {}{suspended}{kind}", certificate.status, revoked.reason),
        None => format!("{}{suspended}{kind}", certificate.status),
    }
}

pub(crate) fn day(date: &str) -> String {
    date.split('T').next().unwrap_or(date).to_owned()
}

fn show(certificate: &Certificate) {
    let line = |name: &str, value: &str| output::data(&format!("  {name:<12} {value}"));
    let suspended = if certificate.suspended { ", the device is suspended" } else { "" };
    output::data(&format!("{}  {}{suspended}", certificate.name, certificate.status));
    line("serial", &certificate.serial);
    line("fingerprint", certificate.fingerprint.as_deref().unwrap_or("-"));
    line("profile", &certificate.profile);
    line("key", &certificate.key_type);
    line("valid", &format!("{} to {}", certificate.not_before, certificate.not_after));
    line("issued", &format!("{} by {}", certificate.issued_at.as_deref().unwrap_or("never"), certificate.issued_by));
    if let Some(revoked) = &certificate.revoked {
        line("revoked", &format!("{} by {} ({})", revoked.at, revoked.by, revoked.reason));
    }
}

/// What a revocation did, a line for each certificate and one fact after the other: certificate, sessions, CRL.
fn revoked(report: &RevokeReport) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for certificate in &report.already_revoked {
        let when = certificate
            .revoked
            .as_ref()
            .map_or_else(String::new, |revoked| format!(" on {} by {} ({})", revoked.at, revoked.by, revoked.reason));
        lines.push(format!("{} {} was revoked already{when}", certificate.name, certificate.serial));
    }
    for certificate in &report.certificates {
        let reason = certificate.revoked.as_ref().map_or("unspecified", |revoked| revoked.reason.as_str());
        lines.push(format!("revoked {} {} ({reason})", certificate.name, certificate.serial));
    }
    let facts: Vec<String> = std::iter::once(sessions(report.sessions.as_ref())).chain(crl_fact(report.crl.as_ref())).collect();
    if let Some(last) = lines.last_mut() {
        last.push_str("; ");
        last.push_str(&facts.join("; "));
    }
    lines
}

/// What became of live sessions.
pub(crate) fn sessions(sessions: Option<&SessionsClosed>) -> String {
    let Some(sessions) = sessions else { return "no broker runs, no session to close".to_owned() };
    let noun = if sessions.closed == 1 { "session" } else { "sessions" };
    let open = sessions.found.saturating_sub(sessions.closed);
    let late = if open > 0 { format!(", {open} more told to close have not confirmed") } else { String::new() };
    format!("{} {noun} closed in {}{late}", sessions.closed, duration(sessions.microseconds))
}

fn crl_fact(crl: Option<&CrlFile>) -> Option<String> {
    crl.map(|crl| format!("CRL number {}", crl.number))
}

pub(crate) fn duration(microseconds: u64) -> String {
    if microseconds < 1000 { format!("{microseconds} µs") } else { format!("{} ms", microseconds.div_ceil(1000)) }
}

#[cfg(test)]
mod tests {
    use signet_admin::api::RevokedCertificate;

    use super::*;

    fn certificate(serial: &str) -> Certificate {
        Certificate {
            name: "pump-7".to_owned(),
            profile: "device".to_owned(),
            serial: serial.to_owned(),
            issuer: String::new(),
            fingerprint: None,
            key_type: "P-256".to_owned(),
            status: "revoked".to_owned(),
            not_before: String::new(),
            not_after: String::new(),
            issued_at: None,
            issued_by: "alice".to_owned(),
            revoked: Some(RevokedCertificate {
                at: "2026-01-01T00:00:00Z".to_owned(),
                reason: "keyCompromise".to_owned(),
                by: "alice".to_owned(),
                generation: 1,
            }),
            suspended: false,
        }
    }

    #[test]
    fn a_revocation_says_what_it_did() {
        let crl = CrlFile { number: 4, entries: 1, this_update: String::new(), next_update: String::new(), path: None, pem: String::new() };
        let mut report = RevokeReport {
            certificates: vec![certificate("4F:01")],
            already_revoked: Vec::new(),
            sessions: Some(SessionsClosed { found: 2, closed: 2, microseconds: 2100, ..SessionsClosed::default() }),
            crl: Some(crl),
            crl_problem: None,
        };
        assert_eq!(revoked(&report), ["revoked pump-7 4F:01 (keyCompromise); 2 sessions closed in 3 ms; CRL number 4"]);
        report.already_revoked = vec![certificate("4E:01")];
        report.sessions = None;
        assert_eq!(
            revoked(&report),
            [
                "pump-7 4E:01 was revoked already on 2026-01-01T00:00:00Z by alice (keyCompromise)",
                "revoked pump-7 4F:01 (keyCompromise); no broker runs, no session to close; CRL number 4",
            ]
        );
    }
}
