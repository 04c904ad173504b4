//! The next signed CRL (RFC 5280 §5): what tells the outside world which certificates are no longer trusted.

use std::collections::{BTreeMap, BTreeSet};

use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams};
use signet_identity::SerialNumber;
use signet_revocation::{Generation, Reason};
use x509_parser::prelude::FromDer as _;
use x509_parser::revocation_list::CertificateRevocationList;

use crate::authority::Authority;
use crate::error::CrlError;
use crate::ledger::{CrlRecord, Ledger, RevocationEvent};
use crate::pem::encode_pem;
use crate::profile::VALIDITY_SECONDS_MIN;
use crate::time::calendar;
use crate::verify::verify;

/// Time from one CRL to the latest next one unless asked otherwise: 7 days, in seconds.
pub const DEFAULT_CRL_VALIDITY_SECONDS: i64 = 7 * 24 * 60 * 60;

/// A CRL that is recorded in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCrl {
    /// What was recorded.
    pub record: CrlRecord,
    /// How many certificates it lists.
    pub entries: usize,
}

impl SignedCrl {
    /// The CRL as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        encode_pem("X509 CRL", &self.record.der)
    }
}

/// Builds, signs and records the next CRL of an authority. Its number is above every earlier one, also across crashes.
///
/// It lists the authority's revoked certificates until one whole CRL period after they expired, so that every entry appears at least once on a
/// CRL issued after its certificate's end (RFC 5280 §3.3). Memory and time grow with the number of revocations.
///
/// # Errors
/// [`CrlError`].
pub fn publish_crl(authority: &Authority, ledger: &mut dyn Ledger, now: i64, validity_seconds: i64) -> Result<SignedCrl, CrlError> {
    let issuer = authority.certificate();
    issuer.check_in_force(now)?;
    let impossible = || CrlError::Validity { seconds: validity_seconds };
    if validity_seconds < VALIDITY_SECONDS_MIN {
        return Err(impossible());
    }
    let next_update = now.checked_add(validity_seconds).ok_or_else(impossible)?;
    let digest = authority.name_digest();
    let listed = to_be_listed(authority, ledger, now, validity_seconds)?.entries;
    let number = ledger.next_crl_number(digest)?;
    let params = CertificateRevocationListParams {
        this_update: calendar(now).ok_or_else(impossible)?,
        next_update: calendar(next_update).ok_or_else(impossible)?,
        crl_number: number.into(),
        issuing_distribution_point: None,
        revoked_certs: listed.values().map(entry).collect::<Option<_>>().ok_or_else(impossible)?,
        key_identifier_method: KeyIdMethod::PreSpecified(
            issuer.key_identifier().map_or_else(|| issuer.key().key_identifier(), <[u8]>::to_vec),
        ),
    };
    let bridge = authority.bridge();
    let signed = params
        .signed_by(&authority.issuer(&bridge)?)
        .map_err(|error| bridge.take_failure().map_or_else(|| CrlError::Encode(error.to_string()), CrlError::Signer))?;
    check(authority, signed.der())?;
    let record = CrlRecord { issuer: digest, number, this_update: now, next_update, der: signed.der().to_vec() };
    ledger.record_crl(&record)?;
    Ok(SignedCrl { record, entries: listed.len() })
}

/// Whether the newest recorded CRL of an authority lists everything that is to be listed `now`. It does not when a process ended, or its key or
/// disk failed, between a revocation and the CRL after it. `false` when there is no CRL.
///
/// # Errors
/// [`CrlError::Ledger`], or [`CrlError::Encode`] when the recorded CRL cannot be read.
pub fn crl_is_complete(authority: &Authority, ledger: &dyn Ledger, now: i64, validity_seconds: i64) -> Result<bool, CrlError> {
    let Some(newest) = ledger.latest_crl(authority.name_digest())? else { return Ok(false) };
    let (_, crl) = CertificateRevocationList::from_der(&newest.der).map_err(|error| CrlError::Encode(error.to_string()))?;
    // A certificate that was released must be off the list; one that expired since may still be on it.
    let on_it: BTreeSet<SerialNumber> =
        crl.iter_revoked_certificates().filter_map(|entry| SerialNumber::from_der_integer(entry.raw_serial())).collect();
    let listed = to_be_listed(authority, ledger, now, validity_seconds)?;
    Ok(listed.entries.keys().all(|serial| on_it.contains(serial)) && listed.released.is_disjoint(&on_it))
}

/// What a CRL signed `now` lists, and what it lists no longer.
#[derive(Default)]
struct Listed {
    entries: BTreeMap<SerialNumber, RevocationEvent>,
    /// Released from hold.
    released: BTreeSet<SerialNumber>,
}

fn to_be_listed(authority: &Authority, ledger: &dyn Ledger, now: i64, validity_seconds: i64) -> Result<Listed, CrlError> {
    let digest = authority.name_digest();
    let keep_expired = validity_seconds.max(DEFAULT_CRL_VALIDITY_SECONDS);
    // A hold that became final is listed once, as what it is now.
    let mut listed = Listed::default();
    for event in ledger.revoked_since(Generation::default())? {
        let serial = event.certificate.serial();
        if event.certificate.issuer() != digest || event.not_after.saturating_add(keep_expired) < now {
            continue;
        }
        // RFC 5280 §5.3.1: a complete CRL does not say `removeFromCRL`, it leaves the entry out.
        if event.reason == Reason::RemoveFromCrl {
            listed.entries.remove(&serial);
            listed.released.insert(serial);
        } else {
            listed.entries.insert(serial, event);
            listed.released.remove(&serial);
        }
    }
    Ok(listed)
}

/// Reads the CRL back with another parser than the one that wrote it, before anybody relies on it: our issuer, and a signature of its key.
fn check(authority: &Authority, der: &[u8]) -> Result<(), CrlError> {
    let (_, crl) = CertificateRevocationList::from_der(der).map_err(|error| CrlError::Encode(error.to_string()))?;
    if crl.issuer().as_raw() != authority.certificate().subject_der() {
        return Err(CrlError::Differs);
    }
    let key = authority.certificate().key();
    verify(key, &crl.signature_algorithm, crl.tbs_cert_list.as_ref(), &crl.signature_value.data).map_err(|_| CrlError::Differs)
}

fn entry(event: &RevocationEvent) -> Option<RevokedCertParams> {
    Some(RevokedCertParams {
        serial_number: event.certificate.serial().as_octets().to_vec().into(),
        revocation_time: calendar(event.revoked_at)?,
        reason_code: reason_code(event.reason),
        invalidity_date: None,
    })
}

/// RFC 5280 §5.3.1: the extension is left out instead of saying `unspecified`.
const fn reason_code(reason: Reason) -> Option<RevocationReason> {
    Some(match reason {
        Reason::Unspecified => return None,
        Reason::KeyCompromise => RevocationReason::KeyCompromise,
        Reason::CaCompromise => RevocationReason::CaCompromise,
        Reason::AffiliationChanged => RevocationReason::AffiliationChanged,
        Reason::Superseded => RevocationReason::Superseded,
        Reason::CessationOfOperation => RevocationReason::CessationOfOperation,
        Reason::CertificateHold => RevocationReason::CertificateHold,
        Reason::RemoveFromCrl => RevocationReason::RemoveFromCrl,
        Reason::PrivilegeWithdrawn => RevocationReason::PrivilegeWithdrawn,
        Reason::AaCompromise => RevocationReason::AaCompromise,
    })
}
