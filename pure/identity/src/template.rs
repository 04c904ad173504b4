//! Templates over certificate fields, such as `${cert.cn}-${cert.serial}`: how configuration says which field becomes which name.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::device::DeviceName;
use crate::error::IdentityError;
use crate::leaf::Leaf;
use crate::san::SubjectAltName;
use crate::text::{is_hidden, named, shown};

/// A placeholder of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TemplateField {
    /// `${cert.cn}`: the subject's first common name.
    CommonName,
    /// `${cert.dn}`: the whole subject as RFC 4514 writes it.
    DistinguishedName,
    /// `${cert.o}`: the subject's first organization.
    Organization,
    /// `${cert.ou}`: the subject's first organizational unit.
    OrganizationalUnit,
    /// `${cert.san.uri}`: the first URI of subjectAltName.
    SanUri,
    /// `${cert.san.dns}`: the first DNS name of subjectAltName.
    SanDns,
    /// `${cert.san.email}`: the first e-mail address of subjectAltName.
    SanEmail,
    /// `${cert.san.ip}`: the first IP address of subjectAltName.
    SanIp,
    /// `${cert.serial}`: the serial number, as `4F:01:A0`.
    Serial,
    /// `${cert.fingerprint}`: SHA-256 of the certificate in lower-case hex.
    Fingerprint,
    /// `${cert.issuer.cn}`: the issuer's first common name.
    IssuerCommonName,
    /// `${cert.issuer.dn}`: the whole issuer as RFC 4514 writes it.
    IssuerDistinguishedName,
    /// `${device}`: the device's name by the listener's naming rule.
    Device,
    /// `${username}`: the user name of the connection.
    Username,
    /// `${client_identifier}`: the Client Identifier of the connection.
    ClientIdentifier,
}

impl TemplateField {
    /// Every field, in the order of the reference.
    pub const ALL: [Self; 15] = [
        Self::CommonName,
        Self::DistinguishedName,
        Self::Organization,
        Self::OrganizationalUnit,
        Self::SanUri,
        Self::SanDns,
        Self::SanEmail,
        Self::SanIp,
        Self::Serial,
        Self::Fingerprint,
        Self::IssuerCommonName,
        Self::IssuerDistinguishedName,
        Self::Device,
        Self::Username,
        Self::ClientIdentifier,
    ];

    /// The placeholder as it is written, `${cert.cn}`.
    #[must_use]
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::CommonName => "${cert.cn}",
            Self::DistinguishedName => "${cert.dn}",
            Self::Organization => "${cert.o}",
            Self::OrganizationalUnit => "${cert.ou}",
            Self::SanUri => "${cert.san.uri}",
            Self::SanDns => "${cert.san.dns}",
            Self::SanEmail => "${cert.san.email}",
            Self::SanIp => "${cert.san.ip}",
            Self::Serial => "${cert.serial}",
            Self::Fingerprint => "${cert.fingerprint}",
            Self::IssuerCommonName => "${cert.issuer.cn}",
            Self::IssuerDistinguishedName => "${cert.issuer.dn}",
            Self::Device => "${device}",
            Self::Username => "${username}",
            Self::ClientIdentifier => "${client_identifier}",
        }
    }

    /// The name between the braces, `cert.cn`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.placeholder().trim_start_matches("${").trim_end_matches('}')
    }

    /// Whether the value comes from the certificate itself.
    #[must_use]
    pub fn is_certificate_field(self) -> bool {
        !matches!(self, Self::Device | Self::Username | Self::ClientIdentifier)
    }

    /// The value, or an error that names the field: never a substitute.
    fn value(self, facts: &Facts<'_>) -> Result<String, IdentityError> {
        let missing = |reason: String| IdentityError::MissingField { field: self.placeholder(), reason };
        let claimed = |value: Option<&str>, what: &str| match value {
            None => Err(missing(format!("the connection has no {what} here"))),
            Some("") => Err(missing(format!("the connection's {what} is empty"))),
            Some(value) => Ok(value.to_owned()),
        };
        match self {
            Self::Device => return claimed(facts.device.map(DeviceName::as_str), "device name"),
            Self::Username => return claimed(facts.username, "user name"),
            Self::ClientIdentifier => return claimed(facts.client_identifier, "client identifier"),
            _ => {}
        }
        let leaf = facts.leaf.ok_or_else(|| missing("the connection has no client certificate".to_owned()))?;
        match self.certificate_value(leaf) {
            None => Err(missing(format!(
                "the certificate of `{}` (serial {}) does not hold it",
                shown(&leaf.subject().rfc4514()),
                leaf.id().serial()
            ))),
            Some(value) if value.is_empty() => Err(missing(format!("it is empty in the certificate with serial {}", leaf.id().serial()))),
            Some(value) => Ok(value),
        }
    }

    fn certificate_value(self, leaf: &Leaf) -> Option<String> {
        let san = |pick: fn(&SubjectAltName) -> Option<String>| leaf.san().iter().find_map(pick);
        match self {
            Self::CommonName => leaf.subject().cn().map(str::to_owned),
            Self::DistinguishedName => Some(leaf.subject().rfc4514()),
            Self::Organization => leaf.subject().attribute("O").map(str::to_owned),
            Self::OrganizationalUnit => leaf.subject().attribute("OU").map(str::to_owned),
            Self::SanUri => san(|name| if let SubjectAltName::Uri(uri) = name { Some(uri.clone()) } else { None }),
            Self::SanDns => san(|name| if let SubjectAltName::Dns(dns) = name { Some(dns.clone()) } else { None }),
            Self::SanEmail => san(|name| if let SubjectAltName::Email(email) = name { Some(email.clone()) } else { None }),
            Self::SanIp => san(|name| if let SubjectAltName::Ip(ip) = name { Some(ip.to_string()) } else { None }),
            Self::Serial => Some(leaf.id().serial().to_string()),
            Self::Fingerprint => Some(leaf.fingerprint().to_string()),
            Self::IssuerCommonName => leaf.issuer().cn().map(str::to_owned),
            Self::IssuerDistinguishedName => Some(leaf.issuer().rfc4514()),
            Self::Device | Self::Username | Self::ClientIdentifier => None,
        }
    }
}

/// What a template may look at. Who fills it in decides what may be trusted: `username` and `client_identifier` are whatever the caller
/// puts there.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// The client's certificate.
    pub leaf: Option<&'a Leaf>,
    /// The device's name by the naming rule.
    pub device: Option<&'a DeviceName>,
    /// The connection's user name.
    pub username: Option<&'a str>,
    /// The connection's Client Identifier.
    pub client_identifier: Option<&'a str>,
}

/// Literal text and placeholders, checked when it was parsed.
///
/// `${field}` is a placeholder, `$$` a dollar sign, everything else itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Field(TemplateField),
}

impl Template {
    /// The longest template, in bytes.
    pub const MAXIMUM_BYTES: usize = 1024;
    /// The longest result, in bytes: what an MQTT UTF-8 string can hold (MQTT 5 §1.5.4).
    pub const MAXIMUM_RENDERED: usize = 65_535;

    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError`] with the place of the mistake and, for an unknown field, the nearest known one.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let error = |kind, span: Range<usize>| TemplateError::new(kind, source, span);
        if source.is_empty() {
            return Err(error(TemplateErrorKind::Empty, 0..0));
        }
        if source.len() > Self::MAXIMUM_BYTES {
            return Err(error(TemplateErrorKind::TooLong, 0..source.len()));
        }
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = source;
        while let Some((before, after)) = rest.split_once('$') {
            let start = source.len() - after.len() - 1;
            literal.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                literal.push('$');
                rest = after;
            } else if let Some(after) = after.strip_prefix('{') {
                let Some((name, after)) = after.split_once('}') else {
                    return Err(error(TemplateErrorKind::Unclosed, start..source.len()));
                };
                let span = start..source.len() - after.len();
                let Some(field) = TemplateField::ALL.into_iter().find(|field| field.name() == name) else {
                    return Err(error(TemplateErrorKind::UnknownField, span));
                };
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Field(field));
                rest = after;
            } else {
                return Err(error(TemplateErrorKind::LoneDollar, start..start + 1));
            }
        }
        literal.push_str(rest);
        if let Some((at, character)) = source.char_indices().find(|(_, character)| is_hidden(*character)) {
            return Err(error(TemplateErrorKind::HiddenCharacter, at..at + character.len_utf8()));
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self { source: source.to_owned(), pieces })
    }

    /// `${cert.cn}`.
    pub(crate) fn common_name() -> Self {
        Self { source: TemplateField::CommonName.placeholder().to_owned(), pieces: vec![Piece::Field(TemplateField::CommonName)] }
    }

    /// The template as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The placeholders, in order of appearance.
    pub fn fields(&self) -> impl Iterator<Item = TemplateField> + '_ {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Field(field) => Some(*field),
            Piece::Literal(_) => None,
        })
    }

    /// Whether it can only be rendered for a client with a certificate. `${device}` counts: only a certificate names a device.
    #[must_use]
    pub fn needs_certificate(&self) -> bool {
        self.fields().any(|field| field.is_certificate_field() || field == TemplateField::Device)
    }

    /// Fills the placeholders in.
    ///
    /// # Errors
    /// [`IdentityError::MissingField`] when a field has no value, [`IdentityError::UnsafeValue`] when a value holds a control or invisible
    /// character, [`IdentityError::TooLong`] above [`Self::MAXIMUM_RENDERED`]. Characters that matter only in topics (`+ # /`) pass here;
    /// [`DeviceName`] and topic patterns refuse them.
    pub fn render(&self, facts: &Facts<'_>) -> Result<String, IdentityError> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Field(field) => {
                    let value = field.value(facts)?;
                    if let Some(character) = value.chars().find(|character| is_hidden(*character)) {
                        return Err(IdentityError::UnsafeValue {
                            field: field.placeholder(),
                            value: shown(&value),
                            found: named(character),
                        });
                    }
                    text.push_str(&value);
                }
            }
        }
        if text.len() > Self::MAXIMUM_RENDERED {
            return Err(IdentityError::TooLong { template: self.source.clone(), size: text.len(), limit: Self::MAXIMUM_RENDERED });
        }
        Ok(text)
    }

    /// Refuses a template that a device's name cannot come from; see [`crate::NamingRule::new`].
    pub(crate) fn require_certificate_fields_only(&self) -> Result<(), TemplateError> {
        if let Some(field) = self.fields().find(|field| !field.is_certificate_field()) {
            let start = self.source.find(field.placeholder()).unwrap_or(0);
            return Err(TemplateError::new(TemplateErrorKind::NotFromCertificate, &self.source, start..start + field.placeholder().len()));
        }
        if self.fields().next().is_none() {
            return Err(TemplateError::new(TemplateErrorKind::NotFromCertificate, &self.source, 0..self.source.len()));
        }
        Ok(())
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(source: &str) -> Result<Self, Self::Err> {
        Self::parse(source)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// What is wrong with a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateErrorKind {
    /// Nothing between the quotes.
    Empty,
    /// Longer than [`Template::MAXIMUM_BYTES`].
    TooLong,
    /// `${` without `}`.
    Unclosed,
    /// A `$` that starts neither `${` nor `$$`.
    LoneDollar,
    /// A name between braces that is no field.
    UnknownField,
    /// A control or invisible character.
    HiddenCharacter,
    /// A device's name must come from the certificate alone.
    NotFromCertificate,
}

/// A mistake in a template and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// What is wrong.
    pub kind: TemplateErrorKind,
    /// Where, in bytes from the start of the template.
    pub span: Range<usize>,
    /// The text at that place, escaped and cut.
    pub found: String,
    /// The placeholder that was probably meant.
    pub nearest: Option<&'static str>,
}

impl TemplateError {
    fn new(kind: TemplateErrorKind, source: &str, span: Range<usize>) -> Self {
        let found = source.get(span.clone()).unwrap_or_default();
        let nearest = if kind == TemplateErrorKind::UnknownField { nearest_placeholder(found) } else { None };
        Self { kind, found: shown(found), span, nearest }
    }

    /// Where the mistake begins, in bytes from the start of the template.
    #[must_use]
    pub fn position(&self) -> usize {
        self.span.start
    }
}

impl std::error::Error for TemplateError {}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = &self.found;
        match self.kind {
            TemplateErrorKind::Empty => f.write_str("the template is empty; expected a field such as `${cert.cn}`, text, or both"),
            TemplateErrorKind::TooLong => {
                write!(f, "the template has {} bytes, more than the limit of {}", self.span.end, Template::MAXIMUM_BYTES)
            }
            TemplateErrorKind::Unclosed => write!(f, "`{found}` has no closing `}}`"),
            TemplateErrorKind::LoneDollar => f.write_str("`$` alone; write `$$` for a dollar sign, `${…}` for a field"),
            TemplateErrorKind::HiddenCharacter => write!(f, "`{found}` is a control or invisible character; remove it"),
            TemplateErrorKind::NotFromCertificate => {
                write!(
                    f,
                    "`{found}` does not come from the certificate; a device's name is made of certificate fields, such as `${{cert.cn}}`"
                )
            }
            TemplateErrorKind::UnknownField => match self.nearest {
                Some(nearest) => write!(f, "unknown field `{found}`; did you mean `{nearest}`?"),
                None => {
                    write!(f, "unknown field `{found}`; expected one of")?;
                    let mut separator = " ";
                    for field in TemplateField::ALL {
                        write!(f, "{separator}`{}`", field.placeholder())?;
                        separator = ", ";
                    }
                    Ok(())
                }
            },
        }
    }
}

/// The placeholder a misspelt one probably means: a known alias of other brokers, or the nearest name if it is near enough.
fn nearest_placeholder(found: &str) -> Option<&'static str> {
    let name = found.strip_prefix("${")?.strip_suffix('}')?.to_ascii_lowercase().replace(['-', ' '], "_");
    let alias = match name.as_str() {
        "cn" | "common_name" | "commonname" | "cert_common_name" | "subject.cn" => Some(TemplateField::CommonName),
        "dn" | "subject" | "cert_subject" | "cert.subject" => Some(TemplateField::DistinguishedName),
        "clientid" | "client_id" | "client" | "identifier" => Some(TemplateField::ClientIdentifier),
        "user" | "user_name" => Some(TemplateField::Username),
        "device_name" | "name" => Some(TemplateField::Device),
        "san" | "cert.san" | "cert.subject_alt_name" => Some(TemplateField::SanUri),
        _ => None,
    };
    if let Some(field) = alias {
        return Some(field.placeholder());
    }
    TemplateField::ALL
        .into_iter()
        .map(|field| (strsim::damerau_levenshtein(&name, field.name()), field.placeholder()))
        .min()
        .filter(|(distance, placeholder)| *distance <= 1 + placeholder.len() / 5)
        .map(|(_, placeholder)| placeholder)
}

#[cfg(test)]
mod tests;
