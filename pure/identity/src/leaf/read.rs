//! From DER to the facts of a certificate: Certificate and TBSCertificate (RFC 5280 §4.1), field by field, so that an error names the field it is
//! in.

use super::algorithm::Key;
use super::{Derived, LeafFacts, Usage, Validity};
use crate::certificate_id::{CertificateId, NameDigest, SerialNumber};
use crate::der::{self, DerError, Extension, Reader};
use crate::error::IdentityError;
use crate::san::{SubjectAltName, read_san};
use crate::subject::Subject;

pub(super) fn certificate(der: &[u8]) -> Result<LeafFacts, IdentityError> {
    let mut certificate = Reader::document(der).map_err(in_field("DER"))?;
    let mut tbs = certificate.sequence().map_err(in_field("tbsCertificate"))?;
    let tbs_end = der.len().saturating_sub(certificate.remaining());
    let signature_algorithm = certificate.expect(der::SEQUENCE).map_err(in_field("signatureAlgorithm"))?.encoded;
    certificate.expect(der::BIT_STRING).map_err(in_field("signatureValue"))?;
    certificate.finish().map_err(in_field("DER"))?;

    let version = read_version(&mut tbs).map_err(in_field("version"))?;
    let serial = tbs.expect(der::INTEGER).map_err(in_field("serialNumber"))?.content;
    let serial =
        SerialNumber::from_der_integer(serial).ok_or_else(|| in_field("serialNumber")(DerError::Content("expected 1 to 20 octets")))?;
    // The one outside is not signed: it has to be the same (RFC 5280 §4.1.1.2).
    if tbs.expect(der::SEQUENCE).map_err(in_field("signature"))?.encoded != signature_algorithm {
        return Err(in_field("signatureAlgorithm")(DerError::Content("it is another one than `signature` in what is signed")));
    }
    let position = |tbs: &Reader<'_>| tbs_end.saturating_sub(tbs.remaining());
    let issuer_start = position(&tbs);
    let issuer = tbs.expect(der::SEQUENCE).map_err(in_field("issuer"))?.encoded;
    let issuer_end = position(&tbs);
    let validity = tbs.sequence().and_then(read_validity).map_err(in_field("validity"))?;
    let subject_start = position(&tbs);
    let subject = tbs.expect(der::SEQUENCE).map_err(in_field("subject"))?.encoded;
    let spki_start = position(&tbs);
    let spki = tbs.expect(der::SEQUENCE).map_err(in_field("subjectPublicKeyInfo"))?;
    let spki_end = position(&tbs);
    for (tag, field) in [(0x81, "issuerUniqueID"), (0x82, "subjectUniqueID")] {
        if tbs.optional(tag).map_err(in_field(field))?.is_some() && version < 2 {
            return Err(in_field(field)(DerError::Content("a version 1 certificate has none")));
        }
    }
    let mut found = FoundExtensions::default();
    if let Some(wrapper) = tbs.optional(0xa3).map_err(in_field("extensions"))? {
        if version < 3 {
            return Err(in_field("extensions")(DerError::Content("a certificate of version 1 or 2 has none")));
        }
        found.read(wrapper.content)?;
    }
    tbs.finish().map_err(in_field("tbsCertificate"))?;

    Subject::check_name_der(issuer, "issuer")?;

    Ok(LeafFacts {
        id: CertificateId::new(NameDigest::of(issuer), serial),
        subject: Subject::from_name_der(subject, "subject")?,
        issuer_place: issuer_start..issuer_end,
        validity,
        version,
        key: Key::read(spki.content).map_err(in_field("subjectPublicKeyInfo"))?,
        usage: found.usage(),
        san: found.san.unwrap_or_default(),
        der: der.to_vec(),
        subject_place: subject_start..spki_start,
        spki_place: spki_start..spki_end,
        derived: Derived::default(),
    })
}

/// The DER of the Extensions of a certificate that was read before; `None` without any.
pub(super) fn extensions_of(der: &[u8]) -> Option<&[u8]> {
    let mut tbs = Reader::document(der).ok()?.sequence().ok()?;
    while !tbs.is_empty() {
        let element = tbs.element().ok()?;
        if element.tag == 0xa3 {
            return Some(element.content);
        }
    }
    None
}

fn in_field(field: &'static str) -> impl Fn(DerError) -> IdentityError {
    move |error| IdentityError::Unreadable { field, reason: error.to_string() }
}

/// version `[0]` EXPLICIT, default v1. An explicit v1 is against DER but harmless, and old software writes it.
fn read_version(tbs: &mut Reader<'_>) -> Result<u8, DerError> {
    let Some(wrapper) = tbs.optional(0xa0)? else { return Ok(1) };
    let mut inner = Reader::new(wrapper.content);
    let content = inner.expect(der::INTEGER)?.content;
    inner.finish()?;
    match content {
        [number @ 0..=2] => Ok(number + 1),
        _ => Err(DerError::Content("expected version 1, 2 or 3")),
    }
}

fn read_validity(mut validity: Reader<'_>) -> Result<Validity, DerError> {
    let not_before = der::time(validity.element()?)?;
    let not_after = der::time(validity.element()?)?;
    validity.finish()?;
    Ok(Validity { not_before, not_after })
}

/// The extensions that say something about identity or use. Others are left to path building, which refuses unknown critical ones.
#[derive(Default)]
struct FoundExtensions {
    san: Option<Vec<SubjectAltName>>,
    constraints: Option<(bool, Option<u32>)>,
    key_usage: Option<u8>,
    purposes: Option<Purposes>,
}

#[derive(Clone, Copy)]
struct Purposes {
    client_auth: bool,
    server_auth: bool,
}

impl FoundExtensions {
    fn read(&mut self, content: &[u8]) -> Result<(), IdentityError> {
        let mut outer = Reader::new(content);
        let mut extensions = outer.sequence().map_err(in_field("extensions"))?;
        outer.finish().map_err(in_field("extensions"))?;
        while !extensions.is_empty() {
            let extension = Extension::read(&mut extensions).map_err(in_field("extensions"))?;
            match extension.oid {
                OID_SUBJECT_ALT_NAME => once(&mut self.san, "subjectAltName", read_san(extension.value))?,
                OID_BASIC_CONSTRAINTS => once(&mut self.constraints, "basicConstraints", basic_constraints(extension.value))?,
                OID_KEY_USAGE => once(&mut self.key_usage, "keyUsage", key_usage(extension.value))?,
                OID_EXTENDED_KEY_USAGE => once(&mut self.purposes, "extKeyUsage", purposes(extension.value))?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Without the extension the key may serve any purpose (RFC 5280 §4.2.1.12, §4.2.1.3).
    fn usage(&self) -> Usage {
        let allows = |bit: u8| self.key_usage.is_none_or(|bits| bits & bit != 0);
        Usage {
            is_ca: self.constraints.is_some_and(|(is_ca, _)| is_ca),
            client_auth: self.purposes.is_none_or(|purposes| purposes.client_auth),
            server_auth: self.purposes.is_none_or(|purposes| purposes.server_auth),
            digital_signature: allows(KEY_USAGE_DIGITAL_SIGNATURE),
            certificate_sign: allows(KEY_USAGE_CERTIFICATE_SIGN),
            crl_sign: allows(KEY_USAGE_CRL_SIGN),
        }
    }
}

/// An extension appears once (RFC 5280 §4.2): of two, each reader could believe another.
fn once<T>(slot: &mut Option<T>, field: &'static str, value: Result<T, DerError>) -> Result<(), IdentityError> {
    if slot.replace(value.map_err(in_field(field))?).is_some() {
        return Err(in_field(field)(DerError::Content("the extension is there twice")));
    }
    Ok(())
}

/// cA and pathLenConstraint. A length above 32 bits is as good as none, and read so.
pub(super) fn basic_constraints(value: &[u8]) -> Result<(bool, Option<u32>), DerError> {
    let mut constraints = Reader::document(value)?;
    let is_ca = constraints.boolean_default_false()?;
    let length = constraints.optional(der::INTEGER)?.map(|element| element.content);
    constraints.finish()?;
    let length = match length {
        None => None,
        Some([first, ..]) if *first >= 0x80 => return Err(DerError::Content("found a pathLenConstraint below zero")),
        Some([]) => return Err(DerError::Content("found a pathLenConstraint without a number")),
        Some(octets) => {
            octets.iter().try_fold(0_u32, |value, octet| value.checked_mul(256).and_then(|value| value.checked_add(u32::from(*octet))))
        }
    };
    Ok((is_ca, length))
}

/// The first octet of the named bits; bit 0 is the highest (RFC 5280 §4.2.1.3).
pub(super) fn key_usage(value: &[u8]) -> Result<u8, DerError> {
    let mut reader = Reader::new(value);
    let content = reader.expect(der::BIT_STRING)?.content;
    reader.finish()?;
    match content {
        [0..=7, bits, ..] => Ok(*bits),
        [0] => Ok(0),
        _ => Err(DerError::Content("expected a BIT STRING")),
    }
}

fn purposes(value: &[u8]) -> Result<Purposes, DerError> {
    let mut list = Reader::document(value)?;
    if list.is_empty() {
        return Err(DerError::Content("found no purpose; expected one or more"));
    }
    let mut purposes = Purposes { client_auth: false, server_auth: false };
    while !list.is_empty() {
        let oid = list.expect(der::OBJECT_IDENTIFIER)?.content;
        match oid {
            OID_CLIENT_AUTH => purposes.client_auth = true,
            OID_SERVER_AUTH => purposes.server_auth = true,
            // So that `purpose_oids` cannot fail later: no list and a list that nobody can read must never look the same.
            _ => drop(der::oid_text(oid)?),
        }
    }
    Ok(purposes)
}

/// Every purpose of extKeyUsage as a dotted OID.
pub(super) fn purpose_oids(value: &[u8]) -> Result<Vec<String>, DerError> {
    let mut list = Reader::document(value)?;
    let mut purposes = Vec::new();
    while !list.is_empty() {
        purposes.push(der::oid_text(list.expect(der::OBJECT_IDENTIFIER)?.content)?);
    }
    Ok(purposes)
}

pub(super) const KEY_USAGE_DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_USAGE_CERTIFICATE_SIGN: u8 = 0x04;
const KEY_USAGE_CRL_SIGN: u8 = 0x02;

pub(super) const OID_SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 0x0e];
pub(super) const OID_AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 0x23];
pub(super) const OID_BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
pub(super) const OID_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
pub(super) const OID_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const OID_SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const OID_SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const OID_CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
