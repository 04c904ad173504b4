//! `signet ca init|show|crl`.

use std::path::{Path, PathBuf};

use signet_admin::api::CaReport;
use signet_ca::KeyType;
use signet_ledger::{AuthorityFiles, CeremonyPlan, write_public};

use crate::ca_files;
use crate::exit::Exit;
use crate::flags::Ca;
use crate::hint::Failure;
use crate::office::{Office, Places};
use crate::output;

/// Runs the command.
pub(crate) fn run(flags: &Ca) -> Result<Exit, Failure> {
    match flags {
        Ca::Init { dir, name, key_type, config } => {
            let places = Places::find(config)?;
            init(dir.as_deref().unwrap_or(&places.ca.dir), name, *key_type)?;
        }
        Ca::Show { json, config } => {
            let report = Office::open_or_begin(&Places::find(config)?)?.ca()?;
            if *json { output::json(&report)? } else { show(&report) }
        }
        Ca::Crl { out, config } => crl(out.as_deref(), &Places::find(config)?)?,
    }
    Ok(Exit::Done)
}

/// The names and keys of a new authority.
pub(crate) fn plan(name: &str, key_type: KeyType) -> CeremonyPlan {
    CeremonyPlan { key_type, ..CeremonyPlan::named(name) }
}

fn init(dir: &Path, name: &str, key_type: KeyType) -> Result<(), Failure> {
    ca_files::create(dir, &plan(name, key_type))?;
    let files = AuthorityFiles::new(dir);
    let line = |path: PathBuf, what: &str| output::data(&format!("{:<24} {what}", path.display().to_string()));
    line(files.root_certificate(), "root CA, valid 10 years");
    line(files.root_key(), "its key, needed only for another issuing CA: keep it off this machine");
    line(files.issuing_certificate(), "issuing CA, valid 5 years");
    line(files.issuing_key(), "its key, 0600");
    line(files.bundle(), "both certificates: what clients and listeners trust");
    Ok(())
}

fn show(report: &CaReport) {
    for certificate in &report.certificates {
        output::data(&certificate.subject);
        output::data(&format!("  serial       {}", certificate.serial));
        output::data(&format!("  fingerprint  {}", certificate.fingerprint));
        output::data(&format!("  key          {}", certificate.key_type));
        output::data(&format!("  valid        {} to {}", certificate.not_before, certificate.not_after));
    }
    output::data(&format!("certificates   {} issued, {} revoked", report.certificates_total, report.revoked_total));
    match &report.crl {
        Some(crl) => output::data(&format!("CRL            number {}, {} to {}", crl.number, crl.this_update, crl.next_update)),
        None => output::data("CRL            none signed yet"),
    }
}

fn crl(out: Option<&Path>, places: &Places) -> Result<(), Failure> {
    let crl = Office::open_or_begin(places)?.sign_crl()?;
    match out {
        Some(path) if path == Path::new("-") => output::data(crl.pem.trim_end()),
        Some(path) => write_public(path, crl.pem.as_bytes())?,
        None => {}
    }
    let entries = if crl.entries == 1 { "1 certificate".to_owned() } else { format!("{} certificates", crl.entries) };
    let path = crl.path.as_deref().unwrap_or_default();
    output::note(&format!("CRL number {} with {entries}, next update {}, in {path}", crl.number, crl.next_update));
    Ok(())
}
