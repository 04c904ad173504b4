//! revokedCertificates (RFC 5280 §5.1.2.6, §5.3): each entry in turn, sorted into arrays.

use signet_identity::der::{self, DerError, Extension, Reader};
use signet_identity::distribution::{PointName, read_general_names};
use signet_identity::{NameDigest, SerialNumber};

use super::{Found, Groups, Header, in_field};
use crate::entry::{Entry, SortedEntries};
use crate::error::CrlError;
use crate::reason::Reason;

/// The entries by certificate issuer. The only allocations are the arrays themselves.
pub(super) fn read(header: &Header<'_>, found: &Found) -> Result<Groups, CrlError> {
    let mut list = Reader::new(header.revoked);
    let own = NameDigest::of(header.issuer);
    // An entry without certificateIssuer is of the issuer of the one before it, the first one of the CRL's (RFC 5280 §5.3.3).
    let mut current = own;
    let mut entries = Vec::new();
    let mut others: Vec<(NameDigest, Entry)> = Vec::new();
    while !list.is_empty() {
        let mut entry = list.sequence().map_err(in_field("revokedCertificates"))?;
        let serial = entry.expect(der::INTEGER).map_err(in_field("userCertificate"))?.content;
        let serial = SerialNumber::from_der_integer(serial)
            .ok_or_else(|| in_field("userCertificate")(DerError::Content("expected 1 to 20 octets")))?;
        let since = entry.element().and_then(der::time).map_err(in_field("revocationDate"))?;
        let extensions = match entry.optional(der::SEQUENCE).map_err(in_field("crlEntryExtensions"))? {
            Some(extensions) => read_extensions(header, found, extensions.content)?,
            None => EntryExtensions::default(),
        };
        entry.finish().map_err(in_field("revokedCertificates"))?;
        current = extensions.issuer.unwrap_or(current);
        // Only a delta CRL has a use for it, but it never means "revoked" (RFC 5280 §5.3.1).
        if extensions.reason == Reason::RemoveFromCrl && found.base_number.is_none() {
            continue;
        }
        let entry = Entry::new(serial, since, extensions.reason);
        if current == own {
            entries.push(entry);
        } else {
            others.push((current, entry));
        }
    }
    let mut groups = Groups::from([(own, SortedEntries::new(entries))]);
    others.sort_by_key(|(issuer, _)| *issuer);
    for group in others.chunk_by(|(one, _), (other, _)| one == other) {
        let Some((issuer, _)) = group.first() else { continue };
        groups.insert(*issuer, SortedEntries::new(group.iter().map(|(_, entry)| *entry).collect()));
    }
    Ok(groups)
}

struct EntryExtensions {
    reason: Reason,
    issuer: Option<NameDigest>,
}

impl Default for EntryExtensions {
    fn default() -> Self {
        Self { reason: Reason::Unspecified, issuer: None }
    }
}

/// crlEntryExtensions (RFC 5280 §5.3).
fn read_extensions(header: &Header<'_>, found: &Found, content: &[u8]) -> Result<EntryExtensions, CrlError> {
    if header.version < 2 {
        return Err(in_field("crlEntryExtensions")(DerError::Content("a version 1 CRL has none")));
    }
    let mut read = EntryExtensions::default();
    let mut extensions = Reader::new(content);
    while !extensions.is_empty() {
        let extension = Extension::read(&mut extensions).map_err(in_field("crlEntryExtensions"))?;
        match extension.oid {
            OID_REASON_CODE => read.reason = read_reason(extension.value).map_err(in_field("reasonCode"))?,
            OID_CERTIFICATE_ISSUER if found.scope.is_indirect() => {
                read.issuer = Some(read_issuer(extension.value).map_err(in_field("certificateIssuer"))?);
            }
            // Without indirectCRL a reader that does not know the extension would take the entry for one of the CRL's issuer.
            OID_CERTIFICATE_ISSUER => {
                return Err(
                    header.unsupported("names the issuer of an entry (certificateIssuer) without being an indirect CRL (indirectCRL)")
                );
            }
            OID_INVALIDITY_DATE => {}
            _ => header.refuse_if_critical(&extension)?,
        }
    }
    Ok(read)
}

fn read_reason(value: &[u8]) -> Result<Reason, DerError> {
    let mut value = Reader::new(value);
    let code = value.expect(der::ENUMERATED)?.content;
    value.finish()?;
    let known = if let [code] = code { Reason::from_code(*code) } else { None };
    known.ok_or(DerError::Content("expected 0 to 6 or 8 to 10"))
}

/// certificateIssuer: GeneralNames with the Name of the issuer among them.
fn read_issuer(value: &[u8]) -> Result<NameDigest, DerError> {
    let mut reader = Reader::new(value);
    let names = read_general_names(reader.expect(der::SEQUENCE)?.content)?;
    reader.finish()?;
    let mut directories = names.iter().filter_map(|name| match name {
        PointName::Directory(name) => Some(NameDigest::of(name)),
        _ => None,
    });
    match (directories.next(), directories.next()) {
        (Some(issuer), None) => Ok(issuer),
        _ => Err(DerError::Content("expected exactly one Name (directoryName)")),
    }
}

const OID_REASON_CODE: &[u8] = &[0x55, 0x1d, 21];
const OID_INVALIDITY_DATE: &[u8] = &[0x55, 0x1d, 24];
const OID_CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1d, 29];
