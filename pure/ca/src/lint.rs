//! Reads a to-be-signed certificate back, with another parser than the one that wrote it, and compares it with what was meant.
//!
//! It runs on a twin with an empty signature, so that a mistake is found before a key is used (the habit is that of public authorities).

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Version;

use crate::authority::CaCertificate;
use crate::ceremony::COMMON_NAME_CHARACTERS_MAX;
use crate::profile::{ProfileKind, common_name, device_uri};
use crate::request::Names;
use crate::server_name::{ServerName, is_host_name};
use crate::subject_key::SubjectKey;

/// A rule that the contents of a certificate break.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct LintError {
    /// The standard's name of the field.
    pub field: &'static str,
    /// What was found and what was expected.
    pub problem: String,
}

impl LintError {
    pub(crate) fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }
}

/// What the twin must say.
pub(crate) struct Meant<'a> {
    pub(crate) issuer: &'a CaCertificate,
    pub(crate) kind: ProfileKind,
    pub(crate) names: &'a Names,
    pub(crate) key: &'a SubjectKey,
    pub(crate) serial: &'a [u8],
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

/// Checks the twin; returns its to-be-signed part, which the real certificate must repeat octet by octet.
pub(crate) fn check(twin: &[u8], meant: &Meant<'_>) -> Result<Vec<u8>, LintError> {
    let (rest, certificate) =
        X509Certificate::from_der(twin).map_err(|error| LintError::new("certificate", format!("cannot be read back: {error}")))?;
    expect(rest.is_empty(), "certificate", "bytes follow it")?;
    expect(certificate.version() == X509Version::V3, "version", "is not 3")?;
    check_serial(&certificate, meant)?;
    expect(certificate.issuer().as_raw() == meant.issuer.subject_der(), "issuer", "is not the authority's subject")?;
    check_validity(&certificate, meant)?;
    check_subject(&certificate, meant)?;
    let key =
        SubjectKey::from_parsed(certificate.public_key()).map_err(|error| LintError::new("subjectPublicKeyInfo", error.to_string()))?;
    expect(key == *meant.key, "subjectPublicKeyInfo", "is not the requested key")?;
    expect(key != *meant.issuer.key(), "subjectPublicKeyInfo", "is the authority's own key")?;
    check_extensions(&certificate, meant)?;
    Ok(certificate.tbs_certificate.as_ref().to_vec())
}

/// The subjectKeyIdentifier of a certificate.
pub(crate) fn subject_key_identifier<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a [u8]> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0),
        _ => None,
    })
}

fn expect(holds: bool, field: &'static str, problem: &str) -> Result<(), LintError> {
    if holds { Ok(()) } else { Err(LintError::new(field, problem)) }
}

/// RFC 5280 §4.1.2.2: positive, at most 20 octets; at least 64 unpredictable bits by the CA/Browser Forum's rule.
fn check_serial(certificate: &X509Certificate<'_>, meant: &Meant<'_>) -> Result<(), LintError> {
    let octets = certificate.raw_serial();
    expect(octets == meant.serial, "serialNumber", "is not the drawn one")?;
    expect(octets.len() <= 20, "serialNumber", "is longer than 20 octets")?;
    expect(octets.first().is_some_and(|first| first & 0x80 == 0), "serialNumber", "is negative")?;
    expect(octets.len() >= 9, "serialNumber", "has fewer than 64 bits of entropy")?;
    // A source that gives one octet over and over is broken.
    let distinct: std::collections::BTreeSet<u8> = octets.iter().skip(1).copied().collect();
    expect(distinct.len() > 2, "serialNumber", "does not look random: the source of randomness is broken")
}

fn check_validity(certificate: &X509Certificate<'_>, meant: &Meant<'_>) -> Result<(), LintError> {
    let (not_before, not_after) = (certificate.validity().not_before.timestamp(), certificate.validity().not_after.timestamp());
    expect((not_before, not_after) == (meant.not_before, meant.not_after), "validity", "is not the recorded one")?;
    expect(not_before < not_after, "validity", "ends before it begins")?;
    let issuer = meant.issuer.leaf().validity();
    expect(not_before >= issuer.not_before, "validity", "begins before the authority's")?;
    expect(not_after <= issuer.not_after, "validity", "ends after the authority's")
}

fn check_subject(certificate: &X509Certificate<'_>, meant: &Meant<'_>) -> Result<(), LintError> {
    let name = common_name(meant.names);
    let characters = name.chars().count();
    if characters > COMMON_NAME_CHARACTERS_MAX {
        let problem =
            format!("the common name `{name}` has {characters} characters: at most {COMMON_NAME_CHARACTERS_MAX} fit; use a shorter name");
        return Err(LintError::new("subject", problem));
    }
    let mut attributes = certificate.subject().iter_attributes();
    let first = attributes.next().and_then(|attribute| attribute.as_str().ok());
    expect(first == Some(name.as_str()), "subject", "does not begin with the requested common name")?;
    expect(attributes.next().is_none(), "subject", "has more than the common name")
}

/// Exactly the six extensions of the profiles, each once, each as meant.
fn check_extensions(certificate: &X509Certificate<'_>, meant: &Meant<'_>) -> Result<(), LintError> {
    let identifier = subject_key_identifier(certificate);
    expect(identifier.is_some_and(|octets| octets == meant.key.key_identifier()), "subjectKeyIdentifier", "is missing or not the key's")?;
    let mut seen = 0_usize;
    for extension in certificate.extensions() {
        seen = seen.saturating_add(1);
        match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(constraints) => {
                expect(extension.critical && !constraints.ca, "basicConstraints", "is not critical CA:FALSE")?;
            }
            ParsedExtension::KeyUsage(usage) => {
                expect(extension.critical && usage.flags == 1, "keyUsage", "is not critical digitalSignature")?;
            }
            ParsedExtension::ExtendedKeyUsage(usage) => {
                let (client, server) = (usage.client_auth, usage.server_auth);
                let others = usage.any
                    || usage.code_signing
                    || usage.email_protection
                    || usage.time_stamping
                    || usage.ocsp_signing
                    || !usage.other.is_empty();
                let wanted = match meant.kind {
                    ProfileKind::Device => client && !server,
                    ProfileKind::Server => server && !client,
                };
                expect(wanted && !others, "extKeyUsage", "is not the profile's one usage")?;
            }
            ParsedExtension::SubjectAlternativeName(names) => check_alternative_names(&names.general_names, meant)?,
            ParsedExtension::AuthorityKeyIdentifier(identifier) => {
                let found = identifier.key_identifier.as_ref().map(|found| found.0);
                let wanted = meant.issuer.key_identifier();
                expect(wanted.is_none() || found == wanted, "authorityKeyIdentifier", "is not the authority's")?;
            }
            ParsedExtension::SubjectKeyIdentifier(_) => {}
            _ => return Err(LintError::new("extensions", format!("`{}` belongs to no profile", extension.oid.to_id_string()))),
        }
    }
    let distinct: std::collections::BTreeSet<String> =
        certificate.extensions().iter().map(|extension| extension.oid.to_id_string()).collect();
    expect(seen == 6 && distinct.len() == 6, "extensions", "are not the six of the profile, each once")
}

fn check_alternative_names(found: &[GeneralName<'_>], meant: &Meant<'_>) -> Result<(), LintError> {
    let wanted: Vec<String> = match meant.names {
        Names::Device(name) => {
            let mut list = vec![format!("uri:{}", device_uri(name.as_str()))];
            if is_host_name(name.as_str()) {
                list.push(format!("dns:{name}"));
            }
            list
        }
        Names::Server(names) => names
            .iter()
            .map(|name| match name {
                ServerName::Dns(name) => format!("dns:{name}"),
                ServerName::Ip(std::net::IpAddr::V4(address)) => format!("ip:{:?}", address.octets()),
                ServerName::Ip(std::net::IpAddr::V6(address)) => format!("ip:{:?}", address.octets()),
            })
            .collect(),
    };
    let found: Vec<String> = found
        .iter()
        .map(|name| match name {
            GeneralName::URI(uri) => format!("uri:{uri}"),
            GeneralName::DNSName(name) => format!("dns:{name}"),
            GeneralName::IPAddress(octets) => format!("ip:{octets:?}"),
            other => format!("other:{other:?}"),
        })
        .collect();
    expect(found == wanted, "subjectAltName", "is not the list of requested names")
}

#[cfg(test)]
mod tests;
