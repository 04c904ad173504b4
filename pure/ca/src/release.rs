//! Taking a certificate off hold: the one revocation that can be taken back (RFC 5280 §5.3.1, `certificateHold` and `removeFromCRL`).

use signet_identity::CertificateId;
use signet_revocation::Reason;

use crate::error::RevokeError;
use crate::ledger::{Ledger, RevocationRecord};
use crate::revoke::{RevocationOutcome, Target, resolve};

/// Releases one certificate from hold, durable when this returns. The next CRL no longer lists it; `removeFromCRL` itself stands in delta CRLs
/// only.
///
/// # Errors
/// [`RevokeError::NotOnHold`] when it is not on hold: what was revoked for another reason stays revoked; [`RevokeError::Unknown`];
/// [`RevokeError::Ledger`].
pub fn release(
    ledger: &mut dyn Ledger,
    certificate: &CertificateId,
    released_by: &str,
    now: i64,
) -> Result<RevocationOutcome, RevokeError> {
    let record = ledger.find(certificate)?.ok_or_else(|| RevokeError::Unknown { target: certificate.serial().to_string() })?;
    match record.revoked {
        Some(revoked) if revoked.reason == Reason::CertificateHold => {}
        other => {
            let reason = other.map(|revoked| revoked.reason);
            return Err(RevokeError::NotOnHold { target: certificate.serial().to_string(), reason });
        }
    }
    let reason = Reason::RemoveFromCrl;
    let revocation = RevocationRecord { certificate: *certificate, revoked_at: now, reason, revoked_by: released_by.to_owned() };
    let generation = ledger.record_revoked(&revocation)?;
    Ok(RevocationOutcome {
        certificate: *certificate,
        name: record.intent.name,
        revoked_at: now,
        reason,
        revoked_by: revocation.revoked_by,
        generation,
        already: false,
    })
}

/// Releases every certificate on hold that a target means.
///
/// # Errors
/// [`RevokeError::NotOnHold`] when none is; [`RevokeError::Partly`] when the ledger fails on the way; the others of [`release`].
pub fn release_all(ledger: &mut dyn Ledger, target: &Target, released_by: &str, now: i64) -> Result<Vec<RevocationOutcome>, RevokeError> {
    let records = resolve(ledger, target)?;
    let Some(newest) = records.last() else {
        return Err(RevokeError::Unknown { target: target.to_string() });
    };
    let is_on_hold = |reason: Reason| reason == Reason::CertificateHold;
    let on_hold = records.iter().filter(|record| record.revoked.as_ref().is_some_and(|revoked| is_on_hold(revoked.reason)));
    let certificates: Vec<CertificateId> = on_hold.map(|record| record.intent.certificate).collect();
    if certificates.is_empty() {
        let reason = newest.revoked.as_ref().map(|revoked| revoked.reason);
        return Err(RevokeError::NotOnHold { target: target.to_string(), reason });
    }
    let mut done = Vec::with_capacity(certificates.len());
    for certificate in &certificates {
        match release(ledger, certificate, released_by, now) {
            Ok(outcome) => done.push(outcome),
            Err(RevokeError::Ledger(failure)) if !done.is_empty() => return Err(RevokeError::Partly { done, failure }),
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
