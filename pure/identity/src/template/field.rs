//! The fields a placeholder can name, read from their paths: `cert.subject.ou[1]`, `cert.san.dns`, `device`.

use std::fmt;

use crate::attribute_type;
use crate::der;
use crate::index::Index;

/// A field of a certificate or a connection, such as `cert.cn`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TemplateField {
    path: Box<str>,
    pub(super) source: Source,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Source {
    Attribute {
        holder: Holder,
        oid: Box<str>,
        index: Option<Index>,
    },
    Name(Holder, NameForm),
    San(San, Option<Index>),
    Spiffe(Spiffe),
    Serial(SerialForm),
    Fingerprint(Digest),
    SpkiSha256,
    NotBefore(TimeForm),
    NotAfter(TimeForm),
    DaysLeft,
    KeyKind,
    KeyType,
    KeySize,
    Pem(PemForm),
    DerHex,
    Version,
    SubjectKeyIdentifier,
    AuthorityKeyIdentifier,
    Purpose(Option<Index>),
    Extension(Box<[u8]>),
    Connection(Connection),
    /// One of the attributes that were given to the client.
    Given(Box<str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    Subject,
    Issuer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum NameForm {
    Rfc4514,
    Rfc2253,
    Legacy,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum San {
    Uri,
    Dns,
    Email,
    Ip,
    DirectoryName,
    RegisteredId,
    Other(Box<str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Spiffe {
    Id,
    TrustDomain,
    Path,
    Segment(Index),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum SerialForm {
    Colons,
    Lower,
    Upper,
    Decimal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Digest {
    Sha256,
    Sha1,
    Md5,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum TimeForm {
    Rfc3339,
    OpenSsl,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum PemForm {
    Lines,
    Tabbed,
    Escaped,
    Base64,
}

/// What the connection knows besides the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Connection {
    Device,
    Username,
    ClientIdentifier,
    Profile,
    Tenant,
    Address,
    Listener,
}

/// One field of each kind as it is written, in the order of the reference: for messages, and to guess what a misspelt one means.
pub(super) const EXAMPLES: [&str; 56] = [
    "${cert.cn}",
    "${cert.dn}",
    "${cert.o}",
    "${cert.ou}",
    "${cert.san.uri}",
    "${cert.san.dns}",
    "${cert.san.email}",
    "${cert.san.ip}",
    "${cert.serial}",
    "${cert.fingerprint}",
    "${cert.issuer.cn}",
    "${cert.issuer.dn}",
    "${cert.subject.OU}",
    "${cert.issuer.O}",
    "${cert.dn.rfc2253}",
    "${cert.dn.legacy}",
    "${cert.issuer.dn.rfc2253}",
    "${cert.issuer.dn.legacy}",
    "${cert.san.dirname}",
    "${cert.san.rid}",
    "${cert.san.other.1.3.6.1.4.1.311.20.2.3}",
    "${cert.spiffe}",
    "${cert.spiffe.trust_domain}",
    "${cert.spiffe.path}",
    "${cert.spiffe.path[0]}",
    "${cert.serial.hex}",
    "${cert.serial.upper}",
    "${cert.serial.decimal}",
    "${cert.fingerprint.sha256}",
    "${cert.fingerprint.sha1}",
    "${cert.fingerprint.md5}",
    "${cert.spki.sha256}",
    "${cert.not_before}",
    "${cert.not_after}",
    "${cert.days_left}",
    "${cert.key}",
    "${cert.key.type}",
    "${cert.key.size}",
    "${cert.pem}",
    "${cert.pem.base64}",
    "${cert.pem.tabbed}",
    "${cert.pem.escaped}",
    "${cert.der.hex}",
    "${cert.version}",
    "${cert.ski}",
    "${cert.aki}",
    "${cert.eku}",
    "${cert.extension.2.5.29.14}",
    "${profile}",
    "${tenant}",
    "${address}",
    "${listener}",
    "${attribute.site}",
    "${device}",
    "${username}",
    "${client_identifier}",
];

impl TemplateField {
    /// Reads a path, `cert.subject.ou[1]`.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let (name, index) = match path.strip_suffix(']') {
            Some(indexed) => {
                let (name, index) = indexed.rsplit_once('[')?;
                (name, Some(Index::parse(index)?))
            }
            None => (path, None),
        };
        let source = match name.strip_prefix("cert.") {
            Some(name) => list(name, index).or_else(|| single(name).filter(|_| index.is_none()))?,
            None => match name.strip_prefix("attribute.") {
                Some(attribute) if index.is_none() && is_attribute_name(attribute) => Source::Given(attribute.into()),
                Some(_) => return None,
                None => Source::Connection(connection(name).filter(|_| index.is_none())?),
            },
        };
        Some(Self { path: path.into(), source })
    }

    /// The path, `cert.cn`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.path
    }

    /// The field as a placeholder alone, `${cert.cn}`.
    #[must_use]
    pub fn placeholder(&self) -> String {
        format!("${{{}}}", self.path)
    }

    /// Whether the value comes from the certificate and nothing else, so that it is the same each time.
    #[must_use]
    pub fn is_certificate_field(&self) -> bool {
        !matches!(self.source, Source::Connection(_) | Source::Given(_) | Source::DaysLeft)
    }

    /// Whether the value is whatever the client says it is.
    #[must_use]
    pub fn is_claim(&self) -> bool {
        matches!(self.source, Source::Connection(Connection::Username | Connection::ClientIdentifier))
    }

    /// Whether there is a value only where the whole certificate is known: not for `${device}`, which a proxy can name without one.
    #[must_use]
    pub fn needs_whole_certificate(&self) -> bool {
        !matches!(self.source, Source::Connection(_) | Source::Given(_))
            || matches!(self.source, Source::Connection(Connection::Profile | Connection::Tenant))
    }

    /// Whether there is a value only for a client with a certificate, or one named by a proxy.
    #[must_use]
    pub fn needs_certificate(&self) -> bool {
        self.needs_whole_certificate() || matches!(self.source, Source::Connection(Connection::Device))
    }

    /// Whether the value has several lines: a certificate in PEM, which is for other programs and never a name.
    #[must_use]
    pub fn holds_lines(&self) -> bool {
        matches!(self.source, Source::Pem(PemForm::Lines | PemForm::Tabbed))
    }

    /// Whether it can be answered as long as there is a session, from what is kept of it: not its address, its listener, the attributes that it
    /// was given, or the time of day.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        !matches!(self.source, Source::DaysLeft | Source::Given(_) | Source::Connection(Connection::Address | Connection::Listener))
    }

    /// Whether it can be answered as long as a client is connected: not the time of day.
    #[must_use]
    pub fn is_kept_while_connected(&self) -> bool {
        !matches!(self.source, Source::DaysLeft)
    }
}

impl fmt::Debug for TemplateField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TemplateField({})", self.path)
    }
}

/// Fields of which there can be several.
fn list(name: &str, index: Option<Index>) -> Option<Source> {
    let attribute = |holder, name: &str| {
        let oid = match attribute_type::by_name(name) {
            Some(known) => known.oid,
            None => der::oid_octets(name).map(|_| name)?,
        };
        Some(Source::Attribute { holder, oid: oid.into(), index })
    };
    let san = match name {
        "cn" | "o" | "ou" => return attribute(Holder::Subject, name),
        "spiffe.path" => return index.map(|index| Source::Spiffe(Spiffe::Segment(index))),
        "eku" => return Some(Source::Purpose(index)),
        "san.uri" => San::Uri,
        "san.dns" => San::Dns,
        "san.email" => San::Email,
        "san.ip" => San::Ip,
        "san.dirname" => San::DirectoryName,
        "san.rid" => San::RegisteredId,
        _ => {
            if let Some(name) = name.strip_prefix("subject.") {
                return attribute(Holder::Subject, name);
            }
            if let Some(name) = name.strip_prefix("issuer.") {
                return attribute(Holder::Issuer, name);
            }
            let type_id = name.strip_prefix("san.other.").filter(|type_id| der::oid_octets(type_id).is_some())?;
            San::Other(type_id.into())
        }
    };
    Some(Source::San(san, index))
}

/// Fields of which there is one.
fn single(name: &str) -> Option<Source> {
    if let Some(oid) = name.strip_prefix("extension.") {
        return der::oid_octets(oid).map(|octets| Source::Extension(octets.into()));
    }
    Some(match name {
        "dn" | "dn.rfc4514" | "subject.dn" | "subject.dn.rfc4514" => Source::Name(Holder::Subject, NameForm::Rfc4514),
        "dn.rfc2253" | "subject.dn.rfc2253" => Source::Name(Holder::Subject, NameForm::Rfc2253),
        "dn.legacy" | "subject.dn.legacy" => Source::Name(Holder::Subject, NameForm::Legacy),
        "issuer.dn" | "issuer.dn.rfc4514" => Source::Name(Holder::Issuer, NameForm::Rfc4514),
        "issuer.dn.rfc2253" => Source::Name(Holder::Issuer, NameForm::Rfc2253),
        "issuer.dn.legacy" => Source::Name(Holder::Issuer, NameForm::Legacy),
        "spiffe" => Source::Spiffe(Spiffe::Id),
        "spiffe.trust_domain" => Source::Spiffe(Spiffe::TrustDomain),
        "spiffe.path" => Source::Spiffe(Spiffe::Path),
        "serial" => Source::Serial(SerialForm::Colons),
        "serial.hex" => Source::Serial(SerialForm::Lower),
        "serial.upper" => Source::Serial(SerialForm::Upper),
        "serial.decimal" => Source::Serial(SerialForm::Decimal),
        "fingerprint" | "fingerprint.sha256" => Source::Fingerprint(Digest::Sha256),
        "fingerprint.sha1" => Source::Fingerprint(Digest::Sha1),
        "fingerprint.md5" => Source::Fingerprint(Digest::Md5),
        "spki.sha256" => Source::SpkiSha256,
        "not_before" => Source::NotBefore(TimeForm::Rfc3339),
        "not_before.openssl" => Source::NotBefore(TimeForm::OpenSsl),
        "not_after" => Source::NotAfter(TimeForm::Rfc3339),
        "not_after.openssl" => Source::NotAfter(TimeForm::OpenSsl),
        "days_left" => Source::DaysLeft,
        "key" => Source::KeyKind,
        "key.type" => Source::KeyType,
        "key.size" => Source::KeySize,
        "pem" => Source::Pem(PemForm::Lines),
        "pem.tabbed" => Source::Pem(PemForm::Tabbed),
        "pem.escaped" => Source::Pem(PemForm::Escaped),
        "pem.base64" => Source::Pem(PemForm::Base64),
        "der.hex" => Source::DerHex,
        "version" => Source::Version,
        "ski" => Source::SubjectKeyIdentifier,
        "aki" => Source::AuthorityKeyIdentifier,
        _ => return None,
    })
}

/// What can stand behind `attribute.`: something that is not taken for a transform, another field or the end.
fn is_attribute_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '@'))
}

fn connection(name: &str) -> Option<Connection> {
    Some(match name {
        "device" => Connection::Device,
        "username" => Connection::Username,
        "client_identifier" => Connection::ClientIdentifier,
        "profile" => Connection::Profile,
        "tenant" => Connection::Tenant,
        "address" => Connection::Address,
        "listener" => Connection::Listener,
        _ => return None,
    })
}
