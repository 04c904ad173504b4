//! Records of the ledger as the API shows them.

use signet_ca::{CaCertificate, DisabledProfile, Record, SignedCrl, Suspension};
use signet_ledger::{User, UserPassword};
use signet_net::{ConnectionInfo, KickReport};
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
        suspended: false,
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

/// Unix milliseconds in the same form.
pub(crate) fn date_with_milliseconds(milliseconds: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).ok();
    let whole = moment.and_then(|moment| moment.replace_nanosecond(0).ok()?.format(&Rfc3339).ok());
    match (whole, moment) {
        // Always three digits, so that a column of them can be read.
        (Some(text), Some(moment)) => format!("{}.{:03}Z", text.trim_end_matches('Z'), moment.millisecond()),
        _ => format!("@{milliseconds}"),
    }
}

/// A suspension as the API shows it.
pub(crate) fn suspended(suspension: &Suspension) -> api::SuspendedDevice {
    api::SuspendedDevice {
        device: suspension.device.clone(),
        since: date(suspension.since),
        reason: suspension.why.clone(),
        by: suspension.by.clone(),
    }
}

/// A user as the API shows it.
pub(crate) fn user(user: &User) -> api::User {
    api::User {
        name: user.name.clone(),
        status: if user.disabled { "disabled" } else { "enabled" }.to_owned(),
        password: user.password.as_ref().map(|password| kind_of_hash(password).to_owned()),
        scram: user.scram.iter().map(|keys| keys.mechanism.clone()).collect(),
        superuser: user.superuser,
        groups: user.groups.clone(),
        attributes: user.attributes.clone(),
        created_at: date(user.created_at),
        changed_at: date(user.changed_at),
        changed_by: user.changed_by.clone(),
    }
}

/// Of a hash that says itself what it is the name in it: `argon2id`.
fn kind_of_hash(password: &UserPassword) -> &str {
    if password.kind != "auto" {
        return &password.kind;
    }
    let name = password.hash.split(['$', '}']).find(|part| !part.is_empty()).unwrap_or("auto");
    match name.trim_start_matches('{') {
        "2a" | "2b" | "2y" => "bcrypt",
        "6" => "mosquitto sha512",
        "7" => "mosquitto pbkdf2",
        other => other,
    }
}

/// A disabled trust profile as the API shows it.
pub(crate) fn disabled_profile(profile: &DisabledProfile) -> api::DisabledProfile {
    api::DisabledProfile { profile: profile.name.clone(), since: date(profile.since), reason: profile.why.clone(), by: profile.by.clone() }
}

/// What ending sessions did. `in_force` is when no handshake succeeded any more, unix milliseconds.
pub(crate) fn sessions(report: &KickReport, in_force: Option<i64>) -> api::SessionsClosed {
    let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    api::SessionsClosed {
        found: wide(report.found),
        closed: wide(report.closed),
        revoked_at: in_force.map(date_with_milliseconds),
        last_closed_at: report.last_closed_at.map(date_with_milliseconds),
        microseconds: u64::try_from(report.elapsed.as_micros()).unwrap_or(u64::MAX),
    }
}

/// A live connection as the API shows it.
pub(crate) fn connection(info: &ConnectionInfo) -> api::Connection {
    let identity = info.entry.peer.identity();
    let leaf = identity.map(|identity| identity.leaf());
    api::Connection {
        connection: info.entry.link.number(),
        address: info.entry.address.to_string(),
        listener: info.entry.listener.to_string(),
        transport: info.entry.transport.name().to_owned(),
        client_identifier: info.client_identifier.as_deref().map(str::to_owned),
        username: info.username.as_deref().map(str::to_owned),
        device: info.entry.peer.device().map(ToString::to_string),
        tenant: identity.and_then(|identity| identity.tenant()).map(ToString::to_string),
        profile: identity.map(|identity| identity.profile().to_string()).filter(|profile| !profile.is_empty()),
        serial: leaf.map(|leaf| leaf.id().serial().to_string()),
        issuer: leaf.map(|leaf| leaf.issuer().rfc4514()),
        fingerprint: leaf.map(|leaf| leaf.fingerprint().to_string()),
        not_after: leaf.map(|leaf| date(leaf.validity().not_after)),
        since: date(info.entry.since),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_rfc_3339_and_never_fail() {
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
        assert_eq!(date_with_milliseconds(1_000), "1970-01-01T00:00:01.000Z");
        assert_eq!(date_with_milliseconds(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(date_with_milliseconds(i64::MAX), format!("@{}", i64::MAX));
        assert_eq!(date(i64::MAX), format!("@{}", i64::MAX));
    }
}
