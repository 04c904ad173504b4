//! Records of the ledger as the API shows them.

use signet_ca::{CaCertificate, Record, SignedCrl};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::api;

/// A record at `now`, Unix seconds.
pub(crate) fn certificate(record: &Record, now: i64) -> api::Certificate {
    let intent = &record.intent;
    api::Certificate {
        name: intent.name.clone(),
        profile: intent.profile.name().to_owned(),
        serial: intent.certificate.serial().to_string(),
        issuer: hex::encode(intent.certificate.issuer().as_bytes()),
        fingerprint: record.issued.map(|issued| issued.fingerprint.to_string()),
        key_type: intent.key_type.clone(),
        status: record.status(now).name().to_owned(),
        not_before: date(intent.not_before),
        not_after: date(intent.not_after),
        issued_at: record.issued.map(|issued| date(issued.at)),
        issued_by: intent.issued_by.clone(),
        revoked: record.revoked.as_ref().map(|revoked| api::RevokedCertificate {
            at: date(revoked.at),
            reason: revoked.reason.name().to_owned(),
            by: revoked.by.clone(),
            generation: revoked.generation.number(),
        }),
    }
}

/// One certificate of the authority.
pub(crate) fn ca_certificate(certificate: &CaCertificate) -> api::CaCertificate {
    let leaf = certificate.leaf();
    api::CaCertificate {
        subject: certificate.subject(),
        serial: leaf.id().serial().to_string(),
        fingerprint: leaf.fingerprint().to_string(),
        key_type: leaf.key_kind().to_owned(),
        not_before: date(leaf.validity().not_before),
        not_after: date(leaf.validity().not_after),
    }
}

/// A CRL just signed.
pub(crate) fn crl(signed: &SignedCrl, path: Option<String>) -> api::CrlFile {
    api::CrlFile {
        number: signed.record.number,
        entries: u64::try_from(signed.entries).unwrap_or(u64::MAX),
        this_update: date(signed.record.this_update),
        next_update: date(signed.record.next_update),
        path,
        pem: signed.pem(),
    }
}

/// Unix seconds as RFC 3339, UTC; as a number behind `@` where the calendar ends. How every date is shown to people.
pub fn date(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("@{seconds}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_rfc_3339_and_never_fail() {
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
        assert_eq!(date(i64::MAX), format!("@{}", i64::MAX));
    }
}
