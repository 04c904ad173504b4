//! Where a certificate says that news about it can be had: CRL distribution points, delta CRLs, OCSP responders, its issuer's certificate
//! (RFC 5280 §4.2.1.13, §4.2.1.15, §4.2.2.1).
//!
//! Read on demand: whoever needs it asks once, and the facts of a connected device do not grow by it.

use std::fmt;

use crate::der::{self, DerError, Element, Reader};
use crate::error::IdentityError;
use crate::leaf::Leaf;
use crate::subject::Subject;

/// One distribution point of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DistributionPoint {
    /// The names of the point; empty when only the CRL's issuer is named.
    pub names: Vec<PointName>,
    /// The reasons for which the CRL there is complete; all of them when the certificate says nothing.
    pub reasons: ReasonFlags,
    /// The Names (whole DER) of those who sign the CRL there; empty when it is the certificate's issuer.
    pub crl_issuers: Vec<Vec<u8>>,
}

/// A GeneralName as it stands in a distribution point. Two are the same when their octets are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PointName {
    /// uniformResourceIdentifier: ASCII without control characters.
    Uri(String),
    /// directoryName: the whole DER of the Name.
    Directory(Vec<u8>),
    /// Any other form: its whole DER.
    Other(Vec<u8>),
}

/// ReasonFlags (RFC 5280 §4.2.1.13): the reasons for which a CRL is complete.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReasonFlags(u16);

impl ReasonFlags {
    /// Every reason that the bits can name: keyCompromise (1) to aACompromise (8).
    pub const ALL: Self = Self(0b1_1111_1110);
    /// No reason.
    pub const NONE: Self = Self(0);

    /// Reads a BIT STRING's content octets. The bit `unused` (0) and bits above 8 say nothing.
    ///
    /// # Errors
    /// [`DerError::Content`] when it is no BIT STRING of named bits.
    pub fn from_bit_string(content: &[u8]) -> Result<Self, DerError> {
        const FORM: DerError = DerError::Content("expected a BIT STRING of reasons");
        let (unused, octets) = content.split_first().ok_or(FORM)?;
        if *unused > 7 || (octets.is_empty() && *unused != 0) || octets.len() > 8 {
            return Err(FORM);
        }
        if octets.last().is_some_and(|last| last.trailing_zeros() < u32::from(*unused)) {
            return Err(FORM);
        }
        // Named bits count from the highest bit of the first octet.
        let bit = |number: usize| octets.get(number / 8).is_some_and(|octet| octet & (0x80 >> (number % 8)) != 0);
        Ok(Self((1..=8).filter(|number| bit(*number)).fold(0, |bits, number| bits | (1 << number))))
    }

    /// The reasons of both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The reasons that both have.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether every reason is there.
    #[must_use]
    pub fn is_all(self) -> bool {
        self == Self::ALL
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// All of them: what a certificate or a CRL without the field means.
impl Default for ReasonFlags {
    fn default() -> Self {
        Self::ALL
    }
}

/// The standard's names, separated by `, `.
impl fmt::Display for ReasonFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (number, name) in (1..).zip(REASON_NAMES) {
            if self.0 & (1 << number) != 0 {
                write!(f, "{separator}{name}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ReasonFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReasonFlags({self})")
    }
}

const REASON_NAMES: [&str; 8] = [
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "certificateHold",
    "privilegeWithdrawn",
    "aACompromise",
];

/// The distribution points, and the access descriptions of one kind, that are read of a certificate. Real ones have one to three.
pub const MAXIMUM_POINTS: usize = 32;
/// The names that are read of one distribution point.
pub const MAXIMUM_NAMES: usize = 32;

impl Leaf {
    /// cRLDistributionPoints, in order; empty without the extension.
    ///
    /// # Errors
    /// [`IdentityError::Unreadable`] when it is malformed, or has more than [`MAXIMUM_POINTS`] points or [`MAXIMUM_NAMES`] names in one.
    pub fn crl_distribution_points(&self) -> Result<Vec<DistributionPoint>, IdentityError> {
        self.points(OID_CRL_DISTRIBUTION_POINTS, "cRLDistributionPoints")
    }

    /// freshestCRL: where delta CRLs are.
    ///
    /// # Errors
    /// As [`Self::crl_distribution_points`].
    pub fn freshest_crl(&self) -> Result<Vec<DistributionPoint>, IdentityError> {
        self.points(OID_FRESHEST_CRL, "freshestCRL")
    }

    /// The http and https addresses of OCSP responders (authorityInfoAccess, id-ad-ocsp), in order.
    ///
    /// # Errors
    /// [`IdentityError::Unreadable`] when the extension is malformed or has more than [`MAXIMUM_POINTS`] descriptions.
    pub fn ocsp_responders(&self) -> Result<Vec<String>, IdentityError> {
        self.access(OID_AD_OCSP)
    }

    /// The http and https addresses of the issuer's certificate (authorityInfoAccess, id-ad-caIssuers), in order.
    ///
    /// # Errors
    /// As [`Self::ocsp_responders`].
    pub fn ca_issuers(&self) -> Result<Vec<String>, IdentityError> {
        self.access(OID_AD_CA_ISSUERS)
    }

    fn points(&self, oid: &[u8], field: &'static str) -> Result<Vec<DistributionPoint>, IdentityError> {
        let Some(extension) = self.extension(oid) else { return Ok(Vec::new()) };
        let issuer = issuer_name(self.der()).map_err(in_field("issuer"))?;
        read_points(extension.value, issuer).map_err(in_field(field))
    }

    fn access(&self, method: &[u8]) -> Result<Vec<String>, IdentityError> {
        let Some(extension) = self.extension(OID_AUTHORITY_INFO_ACCESS) else { return Ok(Vec::new()) };
        read_access(extension.value, method).map_err(in_field("authorityInfoAccess"))
    }
}

fn in_field(field: &'static str) -> impl Fn(DerError) -> IdentityError {
    move |error| IdentityError::Unreadable { field, reason: error.to_string() }
}

/// The issuer's Name of a certificate that was read before.
fn issuer_name(certificate: &[u8]) -> Result<&[u8], DerError> {
    let mut tbs = Reader::document(certificate)?.sequence()?;
    tbs.optional(0xa0)?;
    tbs.expect(der::INTEGER)?;
    tbs.expect(der::SEQUENCE)?;
    Ok(tbs.expect(der::SEQUENCE)?.encoded)
}

/// CRLDistributionPoints (RFC 5280 §4.2.1.13). `issuer` is the whole DER of the certificate issuer's Name.
fn read_points(value: &[u8], issuer: &[u8]) -> Result<Vec<DistributionPoint>, DerError> {
    let mut list = Reader::document(value)?;
    let mut points = Vec::new();
    while !list.is_empty() {
        if points.len() == MAXIMUM_POINTS {
            return Err(DerError::Content("found more than 32 distribution points"));
        }
        let mut fields = list.sequence()?;
        let name = fields.optional(0xa0)?;
        let reasons = match fields.optional(0x81)? {
            Some(element) => ReasonFlags::from_bit_string(element.content)?,
            None => ReasonFlags::ALL,
        };
        let crl_issuers = match fields.optional(0xa2)? {
            Some(element) => directories(read_general_names(element.content)?)?,
            None => Vec::new(),
        };
        fields.finish()?;
        // A name relative to the CRL's issuer is relative to the certificate's issuer where no other is named.
        let relative_to = match crl_issuers.as_slice() {
            [] => Some(issuer),
            [one] => Some(one.as_slice()),
            _ => None,
        };
        let names = name.map_or(Ok(Vec::new()), |name| read_point_name(name.content, relative_to))?;
        if names.is_empty() && crl_issuers.is_empty() {
            return Err(DerError::Content("found a distribution point without a name and without a CRL issuer"));
        }
        points.push(DistributionPoint { names, reasons, crl_issuers });
    }
    if points.is_empty() { Err(DerError::Content("found no distribution point; expected one or more")) } else { Ok(points) }
}

fn directories(names: Vec<PointName>) -> Result<Vec<Vec<u8>>, DerError> {
    let directory = |name| match name {
        PointName::Directory(name) => Ok(name),
        _ => Err(DerError::Content("expected the Name of a CRL issuer (directoryName)")),
    };
    names.into_iter().map(directory).collect()
}

/// The content of a DistributionPointName's tag `[0]`, in a certificate or in a CRL's issuingDistributionPoint: full names, or one RDN
/// that is appended to the Name `relative_to` (whole DER). `None` where no such Name is unique.
///
/// # Errors
/// [`DerError`] when it is malformed or has more than [`MAXIMUM_NAMES`] names.
pub fn read_point_name(content: &[u8], relative_to: Option<&[u8]>) -> Result<Vec<PointName>, DerError> {
    let mut choice = Reader::new(content);
    let Element { tag, content, .. } = choice.element()?;
    choice.finish()?;
    match tag {
        0xa0 => read_general_names(content),
        0xa1 => {
            let name = relative_to.ok_or(DerError::Content("found a name relative to more than one CRL issuer"))?;
            let mut rdns = Reader::new(name).expect(der::SEQUENCE)?.content.to_vec();
            push(&mut rdns, der::SET, content)?;
            let mut name = Vec::new();
            push(&mut name, der::SEQUENCE, &rdns)?;
            check_name(&name)?;
            Ok(vec![PointName::Directory(name)])
        }
        _ => Err(DerError::Content("expected fullName or nameRelativeToCRLIssuer")),
    }
}

/// The content of GeneralNames, one or more (RFC 5280 §4.2.1.6).
///
/// # Errors
/// [`DerError`] when it is malformed or has more than [`MAXIMUM_NAMES`] names.
pub fn read_general_names(content: &[u8]) -> Result<Vec<PointName>, DerError> {
    let mut list = Reader::new(content);
    let mut names = Vec::new();
    while !list.is_empty() {
        if names.len() == MAXIMUM_NAMES {
            return Err(DerError::Content("found more than 32 names"));
        }
        names.push(read_general_name(list.element()?)?);
    }
    if names.is_empty() { Err(DerError::Content("found no name; expected one or more")) } else { Ok(names) }
}

fn read_general_name(element: Element<'_>) -> Result<PointName, DerError> {
    match element.tag {
        0x86 => uri(element.content).map(PointName::Uri),
        // Explicit, because Name is a CHOICE.
        0xa4 => {
            check_name(element.content)?;
            Ok(PointName::Directory(element.content.to_vec()))
        }
        0xa0 | 0x81 | 0x82 | 0xa3 | 0xa5 | 0x87 | 0x88 => Ok(PointName::Other(element.encoded.to_vec())),
        _ => Err(DerError::Content("found a form of name that does not exist")),
    }
}

fn check_name(name: &[u8]) -> Result<(), DerError> {
    Subject::from_name_der(name, "name").map(drop).map_err(|_| DerError::Content("found a malformed Name"))
}

/// An address goes into a request line and into log lines: no blank and no control character may pass.
fn uri(content: &[u8]) -> Result<String, DerError> {
    let text = std::str::from_utf8(content).ok().filter(|text| text.bytes().all(|octet| octet.is_ascii_graphic()));
    text.map(str::to_owned).ok_or(DerError::Content("found a URI with characters that a URI cannot have"))
}

/// Appends an element whose content is shorter than 64 KiB, which everything out of a certificate is.
fn push(out: &mut Vec<u8>, tag: u8, content: &[u8]) -> Result<(), DerError> {
    let length = u16::try_from(content.len()).map_err(|_| DerError::Length)?;
    let [high, low] = length.to_be_bytes();
    out.push(tag);
    match (high, low) {
        (0, 0..0x80) => out.push(low),
        (0, _) => out.extend([0x81, low]),
        _ => out.extend([0x82, high, low]),
    }
    out.extend(content);
    Ok(())
}

/// AuthorityInfoAccessSyntax: the http and https URIs of one access method. Other forms (LDAP, directory names) are passed over.
fn read_access(value: &[u8], wanted: &[u8]) -> Result<Vec<String>, DerError> {
    let mut list = Reader::document(value)?;
    let mut found = Vec::new();
    let mut count = 0;
    while !list.is_empty() {
        count += 1;
        if count > MAXIMUM_POINTS {
            return Err(DerError::Content("found more than 32 access descriptions"));
        }
        let mut description = list.sequence()?;
        let method = description.expect(der::OBJECT_IDENTIFIER)?.content;
        let location = read_general_name(description.element()?)?;
        description.finish()?;
        if let PointName::Uri(uri) = location
            && method == wanted
            && is_http(&uri)
        {
            found.push(uri);
        }
    }
    if count == 0 { Err(DerError::Content("found no access description; expected one or more")) } else { Ok(found) }
}

fn is_http(uri: &str) -> bool {
    let scheme = uri.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https"))
}

impl PointName {
    /// The address, if the name is one that can be fetched: http or https.
    #[must_use]
    pub fn http_uri(&self) -> Option<&str> {
        match self {
            Self::Uri(uri) if is_http(uri) => Some(uri),
            _ => None,
        }
    }
}

/// The URI, or the Name as RFC 4514 writes it.
impl fmt::Display for PointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(uri) => f.write_str(uri),
            Self::Directory(name) => match Subject::from_name_der(name, "name") {
                Ok(name) => f.write_str(&name.rfc4514()),
                Err(_) => f.write_str("a malformed Name"),
            },
            Self::Other(_) => f.write_str("a name of another form"),
        }
    }
}

const OID_CRL_DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1d, 31];
const OID_FRESHEST_CRL: &[u8] = &[0x55, 0x1d, 46];
const OID_AUTHORITY_INFO_ACCESS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];
const OID_AD_OCSP: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1];
const OID_AD_CA_ISSUERS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 2];

#[cfg(test)]
mod tests;
