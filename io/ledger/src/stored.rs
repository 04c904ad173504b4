//! How records look on disk: JSON with the standard's names, so that a ledger can be read with common tools, and independent of the types in
//! memory, so that those can change without a migration.

use serde::{Deserialize, Serialize};
use signet_ca::{CrlRecord, Intent, IssuedFacts, ProfileKind, Record, RevocationEvent, RevokedFacts};
use signet_identity::{CertificateId, Fingerprint, NameDigest};
use signet_revocation::{Generation, Reason};

pub(crate) mod orders;
pub(crate) mod users;

/// A record that this version cannot read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("a record is not the expected JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("a record's field `{0}` has an unknown value")]
    Field(&'static str),
}

/// One certificate; everything but its DER.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredCertificate {
    certificate: String,
    name: String,
    profile: String,
    key_type: String,
    key_digest: String,
    not_before: i64,
    not_after: i64,
    intended_at: i64,
    issued_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued: Option<StoredIssued>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked: Option<StoredRevoked>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredIssued {
    at: i64,
    fingerprint: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredRevoked {
    at: i64,
    reason: u8,
    by: String,
    generation: u64,
}

/// One revocation; its generation is the key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredRevocation {
    certificate: String,
    revoked_at: i64,
    reason: u8,
    not_after: i64,
}

/// One CRL; everything but its DER and its issuer, which is the key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredCrl {
    pub(crate) number: u64,
    this_update: i64,
    next_update: i64,
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Unreadable> {
    Ok(serde_json::to_vec(value)?)
}

impl StoredCertificate {
    pub(crate) fn new(record: &Record) -> Self {
        let Intent { certificate, name, profile, key_type, key_digest, not_before, not_after, intended_at, issued_by } =
            record.intent.clone();
        Self {
            certificate: hex::encode(certificate.to_bytes()),
            name,
            profile: profile.name().to_owned(),
            key_type,
            key_digest: hex::encode(key_digest),
            not_before,
            not_after,
            intended_at,
            issued_by,
            issued: record.issued.map(|issued| StoredIssued { at: issued.at, fingerprint: hex::encode(issued.fingerprint.as_bytes()) }),
            revoked: record.revoked.clone().map(|revoked| StoredRevoked {
                at: revoked.at,
                reason: revoked.reason.code(),
                by: revoked.by,
                generation: revoked.generation.number(),
            }),
        }
    }

    pub(crate) fn decode(sequence: u64, bytes: &[u8]) -> Result<Record, Unreadable> {
        let stored: Self = serde_json::from_slice(bytes)?;
        let issued = stored.issued.map(|issued| {
            let fingerprint = Fingerprint::from_bytes(octets("fingerprint", &issued.fingerprint)?);
            Ok::<_, Unreadable>(IssuedFacts { at: issued.at, fingerprint })
        });
        let revoked = stored.revoked.map(|revoked| {
            let generation = Generation::new(revoked.generation);
            Ok::<_, Unreadable>(RevokedFacts { at: revoked.at, reason: reason(revoked.reason)?, by: revoked.by, generation })
        });
        Ok(Record {
            sequence,
            intent: Intent {
                certificate: certificate_id(&stored.certificate)?,
                name: stored.name,
                profile: ProfileKind::from_name(&stored.profile).ok_or(Unreadable::Field("profile"))?,
                key_type: stored.key_type,
                key_digest: octets("key_digest", &stored.key_digest)?,
                not_before: stored.not_before,
                not_after: stored.not_after,
                intended_at: stored.intended_at,
                issued_by: stored.issued_by,
            },
            issued: issued.transpose()?,
            revoked: revoked.transpose()?,
        })
    }
}

impl StoredRevocation {
    pub(crate) fn new(event: &RevocationEvent) -> Self {
        Self {
            certificate: hex::encode(event.certificate.to_bytes()),
            revoked_at: event.revoked_at,
            reason: event.reason.code(),
            not_after: event.not_after,
        }
    }

    pub(crate) fn decode(generation: u64, bytes: &[u8]) -> Result<RevocationEvent, Unreadable> {
        let stored: Self = serde_json::from_slice(bytes)?;
        Ok(RevocationEvent {
            generation: Generation::new(generation),
            certificate: certificate_id(&stored.certificate)?,
            revoked_at: stored.revoked_at,
            reason: reason(stored.reason)?,
            not_after: stored.not_after,
        })
    }
}

impl StoredCrl {
    pub(crate) const fn new(crl: &CrlRecord) -> Self {
        Self { number: crl.number, this_update: crl.this_update, next_update: crl.next_update }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        Ok(serde_json::from_slice(bytes)?)
    }

    pub(crate) const fn into_record(self, issuer: NameDigest, der: Vec<u8>) -> CrlRecord {
        CrlRecord { issuer, number: self.number, this_update: self.this_update, next_update: self.next_update, der }
    }
}

fn certificate_id(text: &str) -> Result<CertificateId, Unreadable> {
    let wrong = Unreadable::Field("certificate");
    let Ok(bytes) = hex::decode(text) else {
        return Err(wrong);
    };
    CertificateId::from_bytes(&bytes).ok_or(wrong)
}

fn octets(field: &'static str, text: &str) -> Result<[u8; 32], Unreadable> {
    let bytes = hex::decode(text).map_err(|_| Unreadable::Field(field))?;
    bytes.try_into().map_err(|_| Unreadable::Field(field))
}

fn reason(code: u8) -> Result<Reason, Unreadable> {
    Reason::from_code(code).ok_or(Unreadable::Field("reason"))
}
