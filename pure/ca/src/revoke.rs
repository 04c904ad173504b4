//! Revocation: durable before it is reported, and the same answer however often it is asked for.

use core::fmt;

use signet_identity::{CertificateId, DeviceName, SerialNumber};
use signet_revocation::{Generation, Reason};

use crate::error::RevokeError;
use crate::ledger::{Ledger, LedgerError, Record, RevocationRecord};

/// What a person means by "revoke this".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Every certificate of a device.
    Device(DeviceName),
    /// The certificate with a serial number.
    Serial(SerialNumber),
    /// One certificate.
    Certificate(CertificateId),
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(name) => name.fmt(formatter),
            Self::Serial(serial) => serial.fmt(formatter),
            Self::Certificate(certificate) => certificate.serial().fmt(formatter),
        }
    }
}

/// How a certificate stands after a revocation was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationOutcome {
    /// Issuer and serial number.
    pub certificate: CertificateId,
    /// The device's name, or the first name of a server.
    pub name: String,
    /// When the revocation took effect, Unix seconds.
    pub revoked_at: i64,
    /// Why; the earlier reason when it was revoked before.
    pub reason: Reason,
    /// Who asked for it (first).
    pub revoked_by: String,
    /// The generation that the revocation index must reach.
    pub generation: Generation,
    /// Whether it had been revoked before, so that nothing was recorded now.
    pub already: bool,
}

/// Revokes one certificate, durable when this returns. Asked again, it changes nothing and reports when and why it was; only a
/// `certificateHold` gives way to another reason, keeping its date (RFC 5280 §5.3.1).
///
/// An intent that was never issued can be revoked too: its signature may have been made before the process ended.
///
/// # Errors
/// [`RevokeError`].
pub fn revoke(
    ledger: &mut dyn Ledger,
    certificate: &CertificateId,
    reason: Reason,
    revoked_by: &str,
    now: i64,
) -> Result<RevocationOutcome, RevokeError> {
    // RFC 5280 §5.3.1: only in delta CRLs, where it takes an entry back.
    if reason == Reason::RemoveFromCrl {
        return Err(RevokeError::NotAReason { reason });
    }
    let record = ledger.find(certificate)?.ok_or_else(|| RevokeError::Unknown { target: certificate.serial().to_string() })?;
    let mut revoked_at = now;
    if let Some(revoked) = record.revoked {
        let on_hold = revoked.reason == Reason::CertificateHold;
        if !on_hold || reason == Reason::CertificateHold {
            return Ok(RevocationOutcome {
                certificate: *certificate,
                name: record.intent.name,
                revoked_at: revoked.at,
                reason: revoked.reason,
                revoked_by: revoked.by,
                generation: revoked.generation,
                already: true,
            });
        }
        revoked_at = revoked.at;
    }
    let revocation = RevocationRecord { certificate: *certificate, revoked_at, reason, revoked_by: revoked_by.to_owned() };
    let generation = ledger.record_revoked(&revocation)?;
    Ok(RevocationOutcome {
        certificate: *certificate,
        name: record.intent.name,
        revoked_at,
        reason,
        revoked_by: revocation.revoked_by,
        generation,
        already: false,
    })
}

/// Revokes every certificate that a target means: for a device all that are not expired, or the newest one if all are.
///
/// # Errors
/// [`RevokeError::Unknown`] when nothing fits; [`RevokeError::Partly`] when the ledger fails on the way: every revocation before that stays
/// recorded, and asking again completes the work; the others of [`revoke`] when nothing was recorded.
pub fn revoke_all(
    ledger: &mut dyn Ledger,
    target: &Target,
    reason: Reason,
    revoked_by: &str,
    now: i64,
) -> Result<Vec<RevocationOutcome>, RevokeError> {
    let records = resolve(ledger, target)?;
    let Some(newest) = records.last() else {
        return Err(RevokeError::Unknown { target: target.to_string() });
    };
    let mut certificates: Vec<CertificateId> =
        records.iter().filter(|record| now <= record.intent.not_after).map(|record| record.intent.certificate).collect();
    if certificates.is_empty() {
        certificates.push(newest.intent.certificate);
    }
    let mut done = Vec::with_capacity(certificates.len());
    for certificate in &certificates {
        match revoke(ledger, certificate, reason, revoked_by, now) {
            Ok(outcome) => done.push(outcome),
            Err(RevokeError::Ledger(failure)) if !done.is_empty() => return Err(RevokeError::Partly { done, failure }),
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// The certificates that a target means, oldest first.
///
/// # Errors
/// [`LedgerError::Storage`].
pub fn resolve(ledger: &dyn Ledger, target: &Target) -> Result<Vec<Record>, LedgerError> {
    match target {
        Target::Device(name) => ledger.find_by_name(name.as_str()),
        Target::Serial(serial) => ledger.find_by_serial(serial),
        Target::Certificate(certificate) => Ok(ledger.find(certificate)?.into_iter().collect()),
    }
}
