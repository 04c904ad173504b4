//! What a field's value is, or why there is none. Nothing is allocated where the value is text that the certificate or the connection holds.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::Md5;
use sha1::Sha1;
use sha2::Digest as _;

use super::field::{Connection, Digest, Holder, NameForm, PemForm, San, SerialForm, Source, Spiffe, TemplateField, TimeForm};
use crate::der::{self, Reader};
use crate::device::DeviceName;
use crate::index::Index;
use crate::leaf::Leaf;
use crate::san::SubjectAltName;
use crate::spiffe::SpiffeId;
use crate::string::text_of;
use crate::subject::Subject;
use crate::text::shown;

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
    /// The trust profile under which the certificate was verified.
    pub profile: Option<&'a str>,
    /// The tenant to which the profile belongs.
    pub tenant: Option<&'a str>,
    /// The client's address, as far as it is known.
    pub address: Option<IpAddr>,
    /// The listener's name.
    pub listener: Option<&'a str>,
    /// What the client was given by those who vouched for it.
    pub attributes: Option<&'a BTreeMap<Arc<str>, Arc<str>>>,
    /// Seconds since 1970-01-01 UTC.
    pub now: Option<i64>,
}

/// Why a field has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// The connection has none of what is named.
    NotKnown(&'static str),
    /// The connection's is empty.
    EmptyFact(&'static str),
    NoCertificate,
    /// The certificate does not hold it.
    NotThere,
    /// The certificate holds it, without a character in it.
    Empty,
    /// The certificate holds something that is not text.
    NotText,
    /// The certificate breaks a rule of SPIFFE.
    NoSpiffeId(&'static str),
    /// A transform left nothing.
    Transform(&'static str),
}

impl Missing {
    /// Completes the sentence "`${…}` has no value: …".
    pub(super) fn reason(self, facts: &Facts<'_>) -> String {
        let Some(leaf) = facts.leaf else {
            return match self {
                Self::NotKnown(what) => format!("the connection has no {what} here"),
                Self::EmptyFact(what) => format!("the connection's {what} is empty"),
                Self::Transform(reason) => reason.to_owned(),
                _ => "the connection has no client certificate".to_owned(),
            };
        };
        let certificate = || format!("the certificate of `{}` (serial {})", shown(&leaf.subject().rfc4514()), leaf.id().serial());
        match self {
            Self::NotKnown(what) => format!("the connection has no {what} here"),
            Self::EmptyFact(what) => format!("the connection's {what} is empty"),
            Self::NoCertificate => "the connection has no client certificate".to_owned(),
            Self::NotThere => format!("{} does not hold it", certificate()),
            Self::Empty => format!("it is empty in the certificate with serial {}", leaf.id().serial()),
            Self::NotText => format!("what {} holds there is not text", certificate()),
            Self::NoSpiffeId(rule) => format!("{} has no SPIFFE ID, it {rule}", certificate()),
            Self::Transform(reason) => reason.to_owned(),
        }
    }
}

impl TemplateField {
    /// The value, never empty and never a substitute.
    pub(super) fn find<'a>(&self, facts: &Facts<'a>) -> Result<Cow<'a, str>, Missing> {
        if let Source::Connection(connection) = self.source {
            return connection.find(facts);
        }
        if let Source::Given(name) = &self.source {
            let value =
                facts.attributes.and_then(|attributes| attributes.get(&**name)).ok_or(Missing::NotKnown("attribute of this name"))?;
            return if value.is_empty() { Err(Missing::EmptyFact("attribute")) } else { Ok(Cow::Borrowed(&**value)) };
        }
        let leaf = facts.leaf.ok_or(Missing::NoCertificate)?;
        let value = self.source.of_certificate(leaf, facts.now)?;
        if value.is_empty() { Err(Missing::Empty) } else { Ok(value) }
    }
}

impl Connection {
    fn find<'a>(self, facts: &Facts<'a>) -> Result<Cow<'a, str>, Missing> {
        let (value, what) = match self {
            Self::Device => (facts.device.map(DeviceName::as_str), "device name"),
            Self::Username => (facts.username, "user name"),
            Self::ClientIdentifier => (facts.client_identifier, "client identifier"),
            Self::Profile => (facts.profile, "trust profile"),
            Self::Tenant => (facts.tenant, "tenant"),
            Self::Listener => (facts.listener, "listener"),
            Self::Address => {
                return facts.address.map(|address| Cow::Owned(address.to_string())).ok_or(Missing::NotKnown("address"));
            }
        };
        match value {
            None => Err(Missing::NotKnown(what)),
            Some("") => Err(Missing::EmptyFact(what)),
            Some(value) => Ok(Cow::Borrowed(value)),
        }
    }
}

impl Source {
    fn of_certificate<'a>(&self, leaf: &'a Leaf, now: Option<i64>) -> Result<Cow<'a, str>, Missing> {
        let owned = |text: String| Ok(Cow::Owned(text));
        match self {
            Self::Attribute { holder, oid, index } => {
                let attribute = Index::pick(*index, holder.name(leaf).attributes(oid)).ok_or(Missing::NotThere)?;
                attribute.text().map(Cow::Borrowed).ok_or(Missing::NotText)
            }
            Self::Name(holder, NameForm::Rfc4514) => owned(holder.name(leaf).rfc4514()),
            Self::Name(holder, NameForm::Rfc2253) => owned(holder.name(leaf).rfc2253()),
            Self::Name(holder, NameForm::Legacy) => owned(holder.name(leaf).legacy()),
            Self::San(san, index) => Index::pick(*index, leaf.san().iter().filter_map(|name| san.text(name))).ok_or(Missing::NotThere)?,
            Self::Spiffe(part) => part.of(leaf),
            Self::Serial(form) => owned(form.text(leaf)),
            Self::Fingerprint(Digest::Sha256) => owned(leaf.fingerprint().to_string()),
            Self::Fingerprint(Digest::Sha1) => owned(hex::encode(Sha1::digest(leaf.der()))),
            Self::Fingerprint(Digest::Md5) => owned(hex::encode(Md5::digest(leaf.der()))),
            Self::SpkiSha256 => owned(leaf.spki_digest().to_string()),
            Self::NotBefore(form) => owned(form.text(leaf.validity().not_before)),
            Self::NotAfter(form) => owned(form.text(leaf.validity().not_after)),
            Self::DaysLeft => {
                let now = now.ok_or(Missing::NotKnown("time of day"))?;
                owned(leaf.validity().not_after.saturating_sub(now).div_euclid(86_400).to_string())
            }
            Self::KeyKind => Ok(Cow::Borrowed(leaf.key_kind())),
            Self::KeyType => owned(leaf.key_algorithm().to_string()),
            Self::KeySize => leaf.key_bits().map(|bits| Cow::Owned(bits.to_string())).ok_or(Missing::NotThere),
            Self::Pem(form) => owned(form.text(leaf.der())),
            Self::DerHex => owned(hex::encode(leaf.der())),
            Self::Version => owned(leaf.version().to_string()),
            Self::SubjectKeyIdentifier => leaf.subject_key_identifier().map(|key| Cow::Owned(hex::encode(key))).ok_or(Missing::NotThere),
            Self::AuthorityKeyIdentifier => {
                leaf.authority_key_identifier().map(|key| Cow::Owned(hex::encode(key))).ok_or(Missing::NotThere)
            }
            Self::Purpose(index) => Index::pick(*index, leaf.extended_key_usages().into_iter()).map(Cow::Owned).ok_or(Missing::NotThere),
            Self::Extension(oid) => owned(extension(leaf.extension(oid).ok_or(Missing::NotThere)?.value)),
            Self::Connection(_) | Self::Given(_) => Err(Missing::NotThere),
        }
    }
}

/// One character string as text, everything else in hex.
fn extension(value: &[u8]) -> String {
    let mut reader = Reader::new(value);
    let text = reader.element().ok().filter(|_| reader.is_empty()).and_then(|element| text_of(element).ok().flatten());
    text.unwrap_or_else(|| hex::encode(value))
}

impl Holder {
    fn name(self, leaf: &Leaf) -> &Subject {
        match self {
            Self::Subject => leaf.subject(),
            Self::Issuer => leaf.issuer(),
        }
    }
}

impl San {
    /// The text of a name of this kind; `None` for one of another kind. One of this kind without text counts, and has none.
    fn text<'a>(&self, name: &'a SubjectAltName) -> Option<Result<Cow<'a, str>, Missing>> {
        match (self, name) {
            (Self::Uri, SubjectAltName::Uri(text))
            | (Self::Dns, SubjectAltName::Dns(text))
            | (Self::Email, SubjectAltName::Email(text))
            | (Self::RegisteredId, SubjectAltName::RegisteredId(text)) => Some(Ok(Cow::Borrowed(text))),
            (Self::Ip, SubjectAltName::Ip(address)) => Some(Ok(Cow::Owned(address.to_string()))),
            (Self::DirectoryName, SubjectAltName::DirectoryName(name)) => Some(Ok(Cow::Owned(name.rfc4514()))),
            (Self::Other(wanted), SubjectAltName::OtherName { type_id, text, .. }) if **wanted == **type_id => {
                Some(text.as_deref().map(Cow::Borrowed).ok_or(Missing::NotText))
            }
            _ => None,
        }
    }
}

impl Spiffe {
    fn of(self, leaf: &Leaf) -> Result<Cow<'_, str>, Missing> {
        let id = SpiffeId::of(leaf).map_err(Missing::NoSpiffeId)?;
        Ok(Cow::Borrowed(match self {
            Self::Id => id.uri(),
            Self::TrustDomain => id.trust_domain(),
            Self::Path => id.path(),
            Self::Segment(index) => Index::pick(Some(index), id.segments()).ok_or(Missing::NotThere)?,
        }))
    }
}

impl SerialForm {
    fn text(self, leaf: &Leaf) -> String {
        let serial = leaf.id().serial();
        match self {
            Self::Colons => serial.to_string(),
            Self::Lower => hex::encode(serial.as_octets()),
            Self::Upper => hex::encode_upper(serial.as_octets()),
            Self::Decimal => serial.to_decimal(),
        }
    }
}

impl TimeForm {
    fn text(self, seconds: i64) -> String {
        match self {
            Self::Rfc3339 => der::time_text(seconds),
            Self::OpenSsl => der::openssl_time_text(seconds),
        }
    }
}

impl PemForm {
    fn text(self, der: &[u8]) -> String {
        match self {
            Self::Base64 => BASE64.encode(der),
            Self::Lines => pem(der),
            // NGINX makes a header of it: every line but the first is indented, and there is no line end at the end.
            Self::Tabbed => pem(der).trim_end().replace('\n', "\n\t"),
            Self::Escaped => percent_encoded(&pem(der)),
        }
    }
}

/// RFC 7468 §2: lines of 64 characters.
fn pem(der: &[u8]) -> String {
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for (at, character) in BASE64.encode(der).chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str("\n-----END CERTIFICATE-----\n");
    text
}

/// RFC 3986 §2.1, all but unreserved characters.
fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len() + text.len() / 8);
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{octet:02X}");
        }
    }
    encoded
}
