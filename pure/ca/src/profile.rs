//! What a certificate contains, decided by what it is for. The only source of certificate contents: a request adds names and a key, no more.

use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, SanType};

use crate::error::IssuanceError;
use crate::lint::LintError;
use crate::request::Names;
use crate::server_name::{ServerName, is_host_name};

/// Validity of a device certificate unless asked otherwise: 365 days, in seconds.
pub const DEVICE_VALIDITY_SECONDS: i64 = 365 * DAY;

/// Validity of a server certificate unless asked otherwise: 825 days, in seconds. The longest that common platforms accept from a private
/// authority, since an expired server certificate stops every device at once.
pub const SERVER_VALIDITY_SECONDS: i64 = 825 * DAY;

/// How far the start of validity lies in the past, in seconds: a device whose clock is a little late can still use a new certificate.
pub const BACKDATE_SECONDS: i64 = 5 * 60;

/// The shortest validity that can be asked for, in seconds.
pub(crate) const VALIDITY_SECONDS_MIN: i64 = 60;

const DAY: i64 = 24 * 60 * 60;

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProfileKind {
    /// A device that proves its name to the broker: `clientAuth`.
    Device,
    /// A broker that proves its name to devices: `serverAuth`.
    Server,
}

impl ProfileKind {
    /// The name in listings and in the ledger.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Server => "server",
        }
    }

    /// The kind with this [name](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Device, Self::Server].into_iter().find(|kind| kind.name() == name)
    }
}

/// A kind of certificate and how long it is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    pub(crate) kind: ProfileKind,
    pub(crate) validity_seconds: i64,
    pub(crate) backdate_seconds: i64,
}

impl Profile {
    /// Device certificates with the default validity.
    #[must_use]
    pub const fn device() -> Self {
        Self { kind: ProfileKind::Device, validity_seconds: DEVICE_VALIDITY_SECONDS, backdate_seconds: BACKDATE_SECONDS }
    }

    /// Server certificates with the default validity.
    #[must_use]
    pub const fn server() -> Self {
        Self { kind: ProfileKind::Server, validity_seconds: SERVER_VALIDITY_SECONDS, backdate_seconds: BACKDATE_SECONDS }
    }

    /// What its certificates are for.
    #[must_use]
    pub const fn kind(&self) -> ProfileKind {
        self.kind
    }

    /// Validity from the moment of issuance, in seconds.
    #[must_use]
    pub const fn validity_seconds(&self) -> i64 {
        self.validity_seconds
    }
}

impl Profile {
    /// The validity of a certificate issued at `now` by an authority that is valid from `issuer.0` to `issuer.1`; `true` when the issuer's end
    /// made it shorter than asked.
    pub(crate) fn validity(&self, now: i64, issuer: (i64, i64)) -> (i64, i64, bool) {
        let not_before = now.saturating_sub(self.backdate_seconds).max(issuer.0);
        let wanted = now.saturating_add(self.validity_seconds);
        (not_before, wanted.min(issuer.1), wanted > issuer.1)
    }

    /// The to-be-signed contents, but for serial number, validity and public key.
    pub(crate) fn contents(&self, names: &Names) -> Result<CertificateParams, IssuanceError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name(names));
        params.subject_alt_names = alternative_names(names)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match self.kind {
            ProfileKind::Device => ExtendedKeyUsagePurpose::ClientAuth,
            ProfileKind::Server => ExtendedKeyUsagePurpose::ServerAuth,
        }];
        params.use_authority_key_identifier_extension = true;
        Ok(params)
    }
}

/// The subject's one attribute. A server's first name that is too long for it leaves room for the next one that fits.
pub(crate) fn common_name(names: &Names) -> String {
    match names {
        Names::Device(name) => name.as_str().to_owned(),
        Names::Server(names) => {
            let texts = || names.iter().map(ToString::to_string);
            texts()
                .find(|name| name.chars().count() <= crate::ceremony::COMMON_NAME_CHARACTERS_MAX)
                .or_else(|| texts().next())
                .unwrap_or_default()
        }
    }
}

/// The URI that names a device in its subjectAltName: the name with every octet that is not unreserved percent-encoded (RFC 3986 §2.3).
pub(crate) fn device_uri(name: &str) -> String {
    let mut uri = String::from("urn:signet:device:");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

fn alternative_names(names: &Names) -> Result<Vec<SanType>, IssuanceError> {
    let text = |value: &str| {
        Ia5String::try_from(value)
            .map_err(|_| IssuanceError::Lint(LintError::new("subjectAltName", format!("`{}` is not ASCII", value.escape_default()))))
    };
    match names {
        Names::Device(name) => {
            let mut list = vec![SanType::URI(text(&device_uri(name.as_str()))?)];
            if is_host_name(name.as_str()) {
                list.push(SanType::DnsName(text(name.as_str())?));
            }
            Ok(list)
        }
        Names::Server(names) => names
            .iter()
            .map(|name| {
                Ok(match name {
                    ServerName::Dns(name) => SanType::DnsName(text(name)?),
                    ServerName::Ip(address) => SanType::IpAddress(*address),
                })
            })
            .collect(),
    }
}
