//! A signed CRL becomes entries (RFC 5280 §5): issuer, signature, number, extensions, all checked once, when it is loaded.

use std::fmt;

use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::{Error as PemError, PemObject as _};
use signet_identity::der::{self, DerError, Element, Extension, Reader};
use signet_identity::{CertificateId, NameDigest, SerialNumber, Subject};

use crate::entry::{Entry, SortedEntries};
use crate::error::CrlError;
use crate::index::CrlStatus;
use crate::issuer::{IssuerCertificate, SignatureVerifier, SignedData};
use crate::reason::Reason;

/// A CRL's number: at most 20 octets (RFC 5280 §5.2.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrlNumber(SerialNumber);

impl From<u64> for CrlNumber {
    fn from(number: u64) -> Self {
        let mut octets = [0; SerialNumber::MAXIMUM_OCTETS];
        let (_, low) = octets.split_at_mut(SerialNumber::MAXIMUM_OCTETS - 8);
        low.copy_from_slice(&number.to_be_bytes());
        Self(SerialNumber::from_padded(octets))
    }
}

/// Decimal when it fits into 64 bits, else hex octets.
impl fmt::Display for CrlNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets = self.0.as_octets();
        if octets.len() <= 8 {
            write!(f, "{}", octets.iter().fold(0_u64, |number, octet| (number << 8) | u64::from(*octet)))
        } else {
            write!(f, "{}", self.0)
        }
    }
}

impl fmt::Debug for CrlNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CrlNumber({self})")
    }
}

/// A complete CRL whose signature was verified.
#[derive(Clone)]
pub struct Crl {
    issuer: NameDigest,
    issuer_text: String,
    status: CrlStatus,
    entries: SortedEntries,
}

impl Crl {
    /// The largest file that is read, in bytes: about six million entries.
    pub const MAXIMUM_SIZE: usize = 256 * 1024 * 1024;

    /// Reads every CRL of a PEM file, or one CRL in DER, and verifies each signature.
    ///
    /// Takes complete CRLs of version 1 and 2. Entries that say `removeFromCRL` are left out.
    ///
    /// # Errors
    /// [`CrlError`]; one bad CRL refuses the whole file. Never panics; allocates no more than a small multiple of the input.
    pub fn parse_pem_or_der(bytes: &[u8], issuers: &[IssuerCertificate], verifier: &dyn SignatureVerifier) -> Result<Vec<Self>, CrlError> {
        if bytes.len() > Self::MAXIMUM_SIZE {
            return Err(CrlError::TooLarge { size: bytes.len(), limit: Self::MAXIMUM_SIZE });
        }
        // The tag of a CRL is also the character `0`, with which text before a PEM block may begin.
        let begins_as_der = bytes.first() == Some(&der::SEQUENCE);
        if begins_as_der && (Reader::document(bytes).is_ok() || !bytes.windows(PEM_BEGIN.len()).any(|window| window == PEM_BEGIN)) {
            return Ok(vec![Self::parse_der(bytes, issuers, verifier)?]);
        }
        let mut crls = Vec::new();
        for block in CertificateRevocationListDer::pem_slice_iter(bytes) {
            let block = block.map_err(|error| CrlError::Unreadable { field: "PEM", reason: pem_words(&error) })?;
            crls.push(Self::parse_der(&block, issuers, verifier)?);
        }
        if crls.is_empty() { Err(CrlError::NoCrl { reason: describe(bytes) }) } else { Ok(crls) }
    }

    fn parse_der(bytes: &[u8], issuers: &[IssuerCertificate], verifier: &dyn SignatureVerifier) -> Result<Self, CrlError> {
        let signed = Signed::read(bytes)?;
        let header = Header::read(&signed)?;
        signed.verify(&header, issuers, verifier)?;
        let number = read_extensions(&header)?;
        let entries = read_entries(&header)?;
        Ok(Self {
            issuer: NameDigest::of(header.issuer),
            status: CrlStatus { number, this_update: header.this_update, next_update: header.next_update, entries: entries.len() },
            entries,
            issuer_text: header.issuer_text,
        })
    }

    /// The digest of the issuer's Name.
    #[must_use]
    pub fn issuer(&self) -> NameDigest {
        self.issuer
    }

    /// The issuer's Name as RFC 4514 writes it.
    #[must_use]
    pub fn issuer_text(&self) -> &str {
        &self.issuer_text
    }

    /// Number, dates and size.
    #[must_use]
    pub fn status(&self) -> CrlStatus {
        self.status
    }

    /// The ids on it, in order.
    pub fn ids(&self) -> impl Iterator<Item = CertificateId> + '_ {
        self.entries.iter().map(|entry| CertificateId::new(self.issuer, entry.serial()))
    }

    pub(crate) fn into_entries(self) -> SortedEntries {
        self.entries
    }
}

/// The library shows a missing END line as a list of octets.
fn pem_words(error: &PemError) -> String {
    match error {
        PemError::MissingSectionEnd { .. } => "a block has no END line, the file may be cut off".to_owned(),
        other => other.to_string(),
    }
}

/// Issuer, number, dates and the count of entries; not the entries.
impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crl").field("issuer", &self.issuer_text).field("status", &self.status).finish_non_exhaustive()
    }
}

fn in_field(field: &'static str) -> impl Fn(DerError) -> CrlError {
    move |error| CrlError::Unreadable { field, reason: error.to_string() }
}

/// What a file without a CRL holds instead.
fn describe(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..bytes.len().min(65_536)).unwrap_or_default());
    let label = text.split_once("-----BEGIN ").and_then(|(_, rest)| rest.split_once("-----")).map(|(label, _)| label);
    match label {
        _ if bytes.is_empty() => "the file is empty".to_owned(),
        Some(label) => format!("found a PEM block `{}`", label.chars().take(40).flat_map(char::escape_debug).collect::<String>()),
        None => "found neither PEM nor DER".to_owned(),
    }
}

/// CertificateList (RFC 5280 §5.1): three parts, nothing believed yet.
struct Signed<'a> {
    to_be_signed: Element<'a>,
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, CrlError> {
        let mut list = Reader::document(bytes).map_err(in_field("DER"))?;
        let to_be_signed = list.expect(der::SEQUENCE).map_err(in_field("tbsCertList"))?;
        let algorithm = list.expect(der::SEQUENCE).map_err(in_field("signatureAlgorithm"))?.encoded;
        let signature = list.expect(der::BIT_STRING).map_err(in_field("signatureValue"))?.content;
        let signature =
            signature.strip_prefix(&[0]).ok_or_else(|| in_field("signatureValue")(DerError::Content("expected whole octets")))?;
        list.finish().map_err(in_field("DER"))?;
        Ok(Self { to_be_signed, algorithm, signature })
    }

    /// Finds the issuer's key and verifies. Several certificates may share the name, as after a change of the issuer's key.
    fn verify(&self, header: &Header<'_>, issuers: &[IssuerCertificate], verifier: &dyn SignatureVerifier) -> Result<(), CrlError> {
        let issuer = || header.issuer_text.clone();
        let name = NameDigest::of(header.issuer);
        let mut named = issuers.iter().filter(|certificate| certificate.name() == name).peekable();
        if named.peek().is_none() {
            return Err(CrlError::UnknownIssuer { found: issuer(), known: known_names(issuers) });
        }
        let mut failure = CrlError::IssuerMayNotSign { issuer: issuer() };
        for certificate in named.filter(|certificate| certificate.leaf().allows_crl_sign()) {
            let signed = SignedData {
                to_be_signed: self.to_be_signed.encoded,
                algorithm: self.algorithm,
                signature: self.signature,
                issuer_spki: certificate.leaf().spki(),
            };
            match verifier.verify(signed) {
                Ok(()) => return Ok(()),
                Err(reason) => failure = CrlError::BadSignature { issuer: issuer(), reason },
            }
        }
        Err(failure)
    }
}

fn known_names(issuers: &[IssuerCertificate]) -> String {
    const SHOWN: usize = 8;
    let mut names: Vec<String> = issuers.iter().take(SHOWN).map(|issuer| format!("`{}`", issuer.leaf().subject().rfc4514())).collect();
    if issuers.len() > SHOWN {
        names.push(format!("{} more", issuers.len() - SHOWN));
    }
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// TBSCertList (RFC 5280 §5.1.2) up to its lists, which are read after the signature was verified.
struct Header<'a> {
    version: u8,
    issuer: &'a [u8],
    issuer_text: String,
    this_update: i64,
    next_update: Option<i64>,
    revoked: &'a [u8],
    extensions: Option<&'a [u8]>,
}

impl<'a> Header<'a> {
    fn read(signed: &Signed<'a>) -> Result<Self, CrlError> {
        let mut tbs = Reader::new(signed.to_be_signed.content);
        let version = match tbs.optional(der::INTEGER).map_err(in_field("version"))?.map(|element| element.content) {
            None => 1,
            Some([1]) => 2,
            Some(_) => return Err(in_field("version")(DerError::Content("expected none (version 1) or version 2"))),
        };
        // Both fields hold the same, or one could be read and the other verified (RFC 5280 §5.1.1.2).
        if tbs.expect(der::SEQUENCE).map_err(in_field("signature"))?.encoded != signed.algorithm {
            return Err(in_field("signature")(DerError::Content("it differs from signatureAlgorithm")));
        }
        let issuer = tbs.expect(der::SEQUENCE).map_err(in_field("issuer"))?.encoded;
        let this_update = tbs.element().and_then(der::time).map_err(in_field("thisUpdate"))?;
        let next_update = match tbs.peek() {
            Some(der::UTC_TIME | der::GENERALIZED_TIME) => Some(tbs.element().and_then(der::time).map_err(in_field("nextUpdate"))?),
            _ => None,
        };
        let revoked = tbs.optional(der::SEQUENCE).map_err(in_field("revokedCertificates"))?.map_or(&[][..], |element| element.content);
        let extensions = tbs.optional(0xa0).map_err(in_field("crlExtensions"))?.map(|element| element.content);
        tbs.finish().map_err(in_field("tbsCertList"))?;
        let issuer_text = Subject::from_name_der(issuer, "CRL issuer")?.rfc4514();
        Ok(Self { version, issuer, issuer_text, this_update, next_update, revoked, extensions })
    }

    fn unsupported(&self, what: &'static str) -> CrlError {
        CrlError::Unsupported { issuer: self.issuer_text.clone(), what }
    }

    /// RFC 5280 §5.2: a CRL with a critical extension that is not understood must not be used to determine status.
    fn refuse_if_critical(&self, extension: &Extension<'_>) -> Result<(), CrlError> {
        if !extension.critical {
            return Ok(());
        }
        let oid = der::oid_text(extension.oid).map_err(in_field("crlExtensions"))?;
        Err(CrlError::UnknownCriticalExtension { issuer: self.issuer_text.clone(), oid })
    }
}

/// crlExtensions: yields the number, refuses everything that makes the CRL less than complete.
fn read_extensions(header: &Header<'_>) -> Result<Option<CrlNumber>, CrlError> {
    let Some(content) = header.extensions else { return Ok(None) };
    if header.version < 2 {
        return Err(in_field("crlExtensions")(DerError::Content("a version 1 CRL has none")));
    }
    let mut number = None;
    let mut extensions = Reader::document(content).map_err(in_field("crlExtensions"))?;
    while !extensions.is_empty() {
        let extension = Extension::read(&mut extensions).map_err(in_field("crlExtensions"))?;
        match extension.oid {
            OID_CRL_NUMBER => {
                if number.replace(read_number(extension.value).map_err(in_field("crlNumber"))?).is_some() {
                    return Err(in_field("crlNumber")(DerError::Content("the extension is there twice")));
                }
            }
            OID_DELTA_CRL_INDICATOR => return Err(header.unsupported("is a delta CRL (deltaCRLIndicator)")),
            OID_ISSUING_DISTRIBUTION_POINT => {
                if let Some(what) = narrowed_scope(extension.value).map_err(in_field("issuingDistributionPoint"))? {
                    return Err(header.unsupported(what));
                }
            }
            // Which key signed is settled by verifying; where delta CRLs are does not matter to a complete one.
            OID_AUTHORITY_KEY_IDENTIFIER | OID_ISSUER_ALT_NAME | OID_FRESHEST_CRL => {}
            _ => header.refuse_if_critical(&extension)?,
        }
    }
    Ok(number)
}

fn read_number(value: &[u8]) -> Result<CrlNumber, DerError> {
    let mut reader = Reader::new(value);
    let content = reader.expect(der::INTEGER)?.content;
    reader.finish()?;
    if content.first().is_some_and(|first| *first >= 0x80) {
        return Err(DerError::Content("found a negative number"));
    }
    SerialNumber::from_der_integer(content).map(CrlNumber).ok_or(DerError::Content("expected 1 to 20 octets"))
}

/// In which way issuingDistributionPoint leaves certificates out (RFC 5280 §5.2.5); `None` when it leaves out nothing.
fn narrowed_scope(value: &[u8]) -> Result<Option<&'static str>, DerError> {
    let mut fields = Reader::document(value)?;
    while !fields.is_empty() {
        let Element { tag, content, .. } = fields.element()?;
        let what = match (tag, content) {
            (0x81 | 0x82 | 0x84 | 0x85, [0]) => continue,
            (0xa0, _) => "covers the certificates of one distribution point only (issuingDistributionPoint)",
            (0x81, _) => "covers end-entity certificates only (onlyContainsUserCerts)",
            (0x82, _) => "covers CA certificates only (onlyContainsCACerts)",
            (0x83, _) => "covers some reasons only (onlySomeReasons)",
            (0x84, _) => "is an indirect CRL (indirectCRL)",
            (0x85, _) => "covers attribute certificates only (onlyContainsAttributeCerts)",
            _ => return Err(DerError::Content("found an unknown field")),
        };
        return Ok(Some(what));
    }
    Ok(None)
}

/// revokedCertificates, each entry in turn; the only allocation is the array itself.
fn read_entries(header: &Header<'_>) -> Result<SortedEntries, CrlError> {
    let mut list = Reader::new(header.revoked);
    let mut entries = Vec::new();
    while !list.is_empty() {
        let mut entry = list.sequence().map_err(in_field("revokedCertificates"))?;
        let serial = entry.expect(der::INTEGER).map_err(in_field("userCertificate"))?.content;
        let serial = SerialNumber::from_der_integer(serial)
            .ok_or_else(|| in_field("userCertificate")(DerError::Content("expected 1 to 20 octets")))?;
        let since = entry.element().and_then(der::time).map_err(in_field("revocationDate"))?;
        let reason = match entry.optional(der::SEQUENCE).map_err(in_field("crlEntryExtensions"))? {
            Some(extensions) => read_reason(header, extensions.content)?,
            None => Reason::Unspecified,
        };
        entry.finish().map_err(in_field("revokedCertificates"))?;
        // Only a delta CRL has a use for it, but it never means "revoked" (RFC 5280 §5.3.1).
        if reason != Reason::RemoveFromCrl {
            entries.push(Entry::new(serial, since, reason));
        }
    }
    Ok(SortedEntries::new(entries))
}

/// crlEntryExtensions (RFC 5280 §5.3).
fn read_reason(header: &Header<'_>, content: &[u8]) -> Result<Reason, CrlError> {
    if header.version < 2 {
        return Err(in_field("crlEntryExtensions")(DerError::Content("a version 1 CRL has none")));
    }
    let mut reason = Reason::Unspecified;
    let mut extensions = Reader::new(content);
    while !extensions.is_empty() {
        let extension = Extension::read(&mut extensions).map_err(in_field("crlEntryExtensions"))?;
        match extension.oid {
            OID_REASON_CODE => {
                let mut value = Reader::new(extension.value);
                let code = value.expect(der::ENUMERATED).map_err(in_field("reasonCode"))?.content;
                value.finish().map_err(in_field("reasonCode"))?;
                let known = if let [code] = code { Reason::from_code(*code) } else { None };
                reason = known.ok_or_else(|| in_field("reasonCode")(DerError::Content("expected 0 to 6 or 8 to 10")))?;
            }
            OID_CERTIFICATE_ISSUER => return Err(header.unsupported("is an indirect CRL (certificateIssuer)")),
            OID_INVALIDITY_DATE => {}
            _ => header.refuse_if_critical(&extension)?,
        }
    }
    Ok(reason)
}

const PEM_BEGIN: &[u8] = b"-----BEGIN ";

const OID_ISSUER_ALT_NAME: &[u8] = &[0x55, 0x1d, 18];
const OID_CRL_NUMBER: &[u8] = &[0x55, 0x1d, 20];
const OID_REASON_CODE: &[u8] = &[0x55, 0x1d, 21];
const OID_INVALIDITY_DATE: &[u8] = &[0x55, 0x1d, 24];
const OID_DELTA_CRL_INDICATOR: &[u8] = &[0x55, 0x1d, 27];
const OID_ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 28];
const OID_CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1d, 29];
const OID_AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 35];
const OID_FRESHEST_CRL: &[u8] = &[0x55, 0x1d, 46];

#[cfg(test)]
mod tests;
