//! A signed CRL becomes entries (RFC 5280 §5): issuer, signature, number, extensions, all checked once, when it is loaded.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::{Error as PemError, PemObject as _};
use signet_identity::der::{self, DerError, Element, Extension, Reader};
use signet_identity::{AuthorityId, CertificateId, NameDigest, Subject};

use crate::entry::SortedEntries;
use crate::error::CrlError;
use crate::issuer::{IssuerCertificate, SignatureVerifier, SignedData};
use crate::number::CrlNumber;
use crate::scope::Scope;

mod entries;

/// Number, dates and size of a CRL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrlStatus {
    /// crlNumber; `None` in a version 1 CRL.
    pub number: Option<CrlNumber>,
    /// BaseCRLNumber of a delta CRL: it completes lists from this number on.
    pub base_number: Option<CrlNumber>,
    /// When it was made, seconds since 1970-01-01 UTC.
    pub this_update: i64,
    /// When the next is due, seconds since 1970-01-01 UTC; `None` when it does not say.
    pub next_update: Option<i64>,
    /// How many certificates are on it.
    pub entries: usize,
}

/// A CRL whose signature was verified: complete for its [`Scope`], or a delta to such a one.
#[derive(Clone)]
pub struct Crl {
    signer: AuthorityId,
    issuer_text: Arc<str>,
    scope: Scope,
    status: CrlStatus,
    entries: Groups,
    for_any_issuer: bool,
}

/// The entries by the Name of the certificates' issuer: one group, and in an indirect CRL one for each certificateIssuer.
pub(crate) type Groups = BTreeMap<NameDigest, SortedEntries>;

impl Crl {
    /// The largest file that is read, in bytes: about six million entries.
    pub const MAXIMUM_SIZE: usize = 256 * 1024 * 1024;

    /// Reads every CRL of a PEM file, or one CRL in DER, and verifies each signature.
    ///
    /// Takes version 1 and 2: complete CRLs, those of a part of the certificates or reasons (issuingDistributionPoint), indirect and delta
    /// CRLs. The signer is one of `issuers`, never a certificate that came with the CRL. Entries of a complete CRL that say `removeFromCRL` are
    /// left out; in a delta CRL they count.
    ///
    /// # Errors
    /// [`CrlError`]; one bad CRL refuses the whole file. Never panics; allocates no more than a small multiple of the input.
    pub fn parse_pem_or_der(bytes: &[u8], issuers: &[IssuerCertificate], verifier: &dyn SignatureVerifier) -> Result<Vec<Self>, CrlError> {
        Self::parse_each(bytes, issuers, verifier)?.into_iter().collect()
    }

    /// The same, where each CRL of a file is good or bad by itself.
    ///
    /// # Errors
    /// A file that is too large, or holds no CRL.
    pub fn parse_each(
        bytes: &[u8],
        issuers: &[IssuerCertificate],
        verifier: &dyn SignatureVerifier,
    ) -> Result<Vec<Result<Self, CrlError>>, CrlError> {
        if bytes.len() > Self::MAXIMUM_SIZE {
            return Err(CrlError::TooLarge { size: bytes.len(), limit: Self::MAXIMUM_SIZE });
        }
        // The tag of a CRL is also the character `0`, with which text before a PEM block may begin.
        let begins_as_der = bytes.first() == Some(&der::SEQUENCE);
        if begins_as_der && (Reader::document(bytes).is_ok() || !bytes.windows(PEM_BEGIN.len()).any(|window| window == PEM_BEGIN)) {
            return Ok(vec![Self::parse_der(bytes, issuers, verifier)]);
        }
        let mut crls = Vec::new();
        for block in CertificateRevocationListDer::pem_slice_iter(bytes) {
            let block = block.map_err(|error| CrlError::Unreadable { field: "PEM", reason: pem_words(&error) })?;
            crls.push(Self::parse_der(&block, issuers, verifier));
        }
        if crls.is_empty() { Err(CrlError::NoCrl { reason: describe(bytes) }) } else { Ok(crls) }
    }

    fn parse_der(bytes: &[u8], issuers: &[IssuerCertificate], verifier: &dyn SignatureVerifier) -> Result<Self, CrlError> {
        let signed = Signed::read(bytes)?;
        let header = Header::read(&signed)?;
        let signer = signed.verify(&header, issuers, verifier)?;
        let found = read_extensions(&header)?;
        let entries = entries::read(&header, &found)?;
        let status = CrlStatus {
            number: found.number,
            base_number: found.base_number,
            this_update: header.this_update,
            next_update: header.next_update,
            entries: entries.values().map(SortedEntries::len).sum(),
        };
        let Header { issuer_text, .. } = header;
        Ok(Self { signer, issuer_text: issuer_text.into(), scope: found.scope, status, entries, for_any_issuer: false })
    }

    /// The same CRL, explicitly accepted for the certificates of every issuer that it names, and for those that its own issuer signed with
    /// another key.
    ///
    /// Without it a CRL speaks for the certificates of its signer (Name and key), and for those whose cRLDistributionPoints name the signer as
    /// cRLIssuer. Whoever calls this says that the signer may revoke certificates of other authorities.
    #[must_use]
    pub fn accepted_for_any_issuer(self) -> Self {
        Self { for_any_issuer: true, ..self }
    }

    /// The digest of the issuer's Name.
    #[must_use]
    pub fn issuer(&self) -> NameDigest {
        self.signer.name
    }

    /// Who signed it.
    #[must_use]
    pub fn signer(&self) -> AuthorityId {
        self.signer
    }

    /// The issuer's Name as RFC 4514 writes it.
    #[must_use]
    pub fn issuer_text(&self) -> &str {
        &self.issuer_text
    }

    /// For which certificates and reasons it is complete.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Number, dates and size.
    #[must_use]
    pub fn status(&self) -> CrlStatus {
        self.status
    }

    /// The ids on it, in order; in a delta also those that are released.
    pub fn ids(&self) -> impl Iterator<Item = CertificateId> + '_ {
        self.entries.iter().flat_map(|(issuer, entries)| entries.iter().map(|entry| CertificateId::new(*issuer, entry.serial())))
    }

    pub(crate) fn is_for_any_issuer(&self) -> bool {
        self.for_any_issuer
    }

    pub(crate) fn shared_issuer_text(&self) -> Arc<str> {
        Arc::clone(&self.issuer_text)
    }

    pub(crate) fn into_parts(self) -> (Scope, Groups) {
        (self.scope, self.entries)
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
    fn verify(
        &self,
        header: &Header<'_>,
        issuers: &[IssuerCertificate],
        verifier: &dyn SignatureVerifier,
    ) -> Result<AuthorityId, CrlError> {
        let issuer = || header.issuer_text.clone();
        let name = NameDigest::of(header.issuer);
        let mut named = issuers.iter().filter(|certificate| certificate.name() == name).peekable();
        if named.peek().is_none() {
            return Err(CrlError::UnknownIssuer { found: issuer(), known: known_names(issuers) });
        }
        let mut failure = CrlError::IssuerMayNotSign { issuer: issuer() };
        for certificate in named.filter(|certificate| certificate.may_sign_crls()) {
            let signed = SignedData {
                to_be_signed: self.to_be_signed.encoded,
                algorithm: self.algorithm,
                signature: self.signature,
                issuer_spki: certificate.leaf().spki(),
            };
            match verifier.verify(signed) {
                Ok(()) => return Ok(certificate.leaf().authority_id()),
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

/// What crlExtensions say.
#[derive(Default)]
struct Found {
    number: Option<CrlNumber>,
    /// BaseCRLNumber: it is a delta CRL (RFC 5280 §5.2.4).
    base_number: Option<CrlNumber>,
    scope: Scope,
}

/// crlExtensions (RFC 5280 §5.2).
fn read_extensions(header: &Header<'_>) -> Result<Found, CrlError> {
    let Some(content) = header.extensions else { return Ok(Found::default()) };
    if header.version < 2 {
        return Err(in_field("crlExtensions")(DerError::Content("a version 1 CRL has none")));
    }
    let (mut number, mut base_number, mut scope) = (None, None, None);
    let mut extensions = Reader::document(content).map_err(in_field("crlExtensions"))?;
    while !extensions.is_empty() {
        let extension = Extension::read(&mut extensions).map_err(in_field("crlExtensions"))?;
        let value = extension.value;
        match extension.oid {
            OID_CRL_NUMBER => once(&mut number, "crlNumber", CrlNumber::read(value))?,
            OID_DELTA_CRL_INDICATOR => once(&mut base_number, "deltaCRLIndicator", CrlNumber::read(value))?,
            OID_ISSUING_DISTRIBUTION_POINT => once(&mut scope, "issuingDistributionPoint", Scope::read(value, header.issuer))?,
            // Which key signed is settled by verifying; where delta CRLs are is the loader's to know.
            OID_AUTHORITY_KEY_IDENTIFIER | OID_ISSUER_ALT_NAME | OID_FRESHEST_CRL => {}
            _ => header.refuse_if_critical(&extension)?,
        }
    }
    let scope: Scope = scope.unwrap_or_default();
    if base_number.is_some() && number.is_none() {
        return Err(in_field("crlNumber")(DerError::Content("a delta CRL has one (RFC 5280 §5.2.3), found none")));
    }
    Ok(Found { number, base_number, scope })
}

/// An extension appears once (RFC 5280 §4.2): of two, each reader could believe another.
fn once<T>(slot: &mut Option<T>, field: &'static str, value: Result<T, DerError>) -> Result<(), CrlError> {
    if slot.replace(value.map_err(in_field(field))?).is_some() {
        return Err(in_field(field)(DerError::Content("the extension is there twice")));
    }
    Ok(())
}

const PEM_BEGIN: &[u8] = b"-----BEGIN ";

const OID_ISSUER_ALT_NAME: &[u8] = &[0x55, 0x1d, 18];
const OID_CRL_NUMBER: &[u8] = &[0x55, 0x1d, 20];
const OID_DELTA_CRL_INDICATOR: &[u8] = &[0x55, 0x1d, 27];
const OID_ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 28];
const OID_AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 35];
const OID_FRESHEST_CRL: &[u8] = &[0x55, 0x1d, 46];

#[cfg(test)]
mod tests;
