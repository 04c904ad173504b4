//! How a client judges the certificate of a server where the engine's own way is not the one: not at all, or as OpenSSL does.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::EndEntityCert;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};
use x509_parser::time::ASN1Time;

use crate::provider::{algorithms, provider};
use crate::server_roots::ServerRoots;
use crate::signature::has_issued;
use crate::trust::may_issue;
use crate::{TlsError, version_1};

/// Accepts every certificate; only the handshake's own signature is checked.
#[derive(Debug)]
pub(crate) struct AnyServer;

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        version_1::verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        version_1::verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

/// Judges as OpenSSL does what no standard of today allows and people have: see `ConnectorConfig::old_certificates`.
#[derive(Debug)]
pub(crate) struct OldServer {
    /// For everything else; absent where no anchor is an authority's.
    strict: Option<Arc<WebPkiServerVerifier>>,
    trusted: Vec<CertificateDer<'static>>,
}

impl OldServer {
    pub(crate) fn new(roots: ServerRoots) -> Result<Self, TlsError> {
        let strict = if roots.store.is_empty() {
            None
        } else {
            let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots.store), provider());
            Some(builder.build().map_err(|error| TlsError::Library(error.to_string()))?)
        };
        Ok(Self { strict, trusted: roots.certificates })
    }

    /// The two kinds that the library refuses whatever they say. `None`: it is of neither.
    fn vouch(&self, der: &CertificateDer<'_>, leaf: &X509Certificate<'_>, now: UnixTime) -> Option<Result<(), Error>> {
        if leaf.subject().as_raw() == leaf.issuer().as_raw() {
            let is_trusted = self.trusted.iter().any(|trusted| trusted.as_ref() == der.as_ref());
            return Some(if is_trusted { check_dates(leaf, now) } else { Err(CertificateError::UnknownIssuer.into()) });
        }
        (leaf.version() == X509Version::V1).then(|| {
            check_dates(leaf, now)?;
            self.find_issuer(leaf, now)
        })
    }

    /// One of the authorities has issued it, without anybody between.
    fn find_issuer(&self, leaf: &X509Certificate<'_>, now: UnixTime) -> Result<(), Error> {
        let is_issuer = |trusted: &CertificateDer<'_>| {
            X509Certificate::from_der(trusted)
                .is_ok_and(|(_, issuer)| may_issue(&issuer) && check_dates(&issuer, now).is_ok() && has_issued(&issuer, leaf))
        };
        if self.trusted.iter().any(is_issuer) { Ok(()) } else { Err(CertificateError::UnknownIssuer.into()) }
    }
}

impl ServerCertVerifier for OldServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let leaf = read(end_entity)?;
        match (self.vouch(end_entity, &leaf, now), &self.strict) {
            (Some(vouched), _) => vouched.and_then(|()| check_name(end_entity, &leaf, server_name)),
            (None, None) => Err(CertificateError::UnknownIssuer.into()),
            (None, Some(strict)) => match strict.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
                // The path is right by then: the name is looked at last.
                Err(error) if is_other_name(&error) && has_common_name(&leaf, server_name) => Ok(()),
                other => other.map(drop),
            },
        }
        .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        version_1::verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        version_1::verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

/// Whether nothing else was found wrong than the name.
pub(crate) fn is_other_name(error: &Error) -> bool {
    matches!(error, Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }))
}

fn read<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    Ok(parsed)
}

fn check_dates(certificate: &X509Certificate<'_>, now: UnixTime) -> Result<(), Error> {
    let validity = certificate.validity();
    // Far beyond what a certificate can hold.
    let now = ASN1Time::from_timestamp(i64::try_from(now.as_secs()).unwrap_or(i64::MAX)).map_err(|_| Error::FailedToGetCurrentTime)?;
    if now < validity.not_before {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after { Err(CertificateError::Expired.into()) } else { Ok(()) }
}

/// The name of a certificate that the library does not judge as a whole.
fn check_name(der: &CertificateDer<'_>, leaf: &X509Certificate<'_>, name: &ServerName<'_>) -> Result<(), Error> {
    // One of version 1 the library does not even read, and it has no subjectAltName.
    let is_alternative = EndEntityCert::try_from(der).is_ok_and(|entity| entity.verify_is_valid_for_subject_name(name).is_ok());
    if is_alternative || has_common_name(leaf, name) { Ok(()) } else { Err(CertificateError::NotValidForName.into()) }
}

/// Whether a common name is the host's, in a certificate whose subjectAltName has no host names (RFC 6125 §6.4.4). An address has to stand in
/// subjectAltName.
fn has_common_name(leaf: &X509Certificate<'_>, name: &ServerName<'_>) -> bool {
    let ServerName::DnsName(host) = name else { return false };
    let has_dns_name = match leaf.subject_alternative_name() {
        Ok(Some(names)) => names.value.general_names.iter().any(|name| matches!(name, GeneralName::DNSName(_))),
        Ok(None) => false,
        // What cannot be read may hold one.
        Err(_) => true,
    };
    !has_dns_name && leaf.subject().iter_common_name().filter_map(|name| name.as_str().ok()).any(|name| is_meant(name, host.as_ref()))
}

/// Whether `pattern` is the host, or `*.` and everything behind its first label, which are at least two labels.
fn is_meant(pattern: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.');
    match pattern.strip_prefix("*.") {
        None => pattern.eq_ignore_ascii_case(host),
        Some(rest) => {
            rest.contains('.') && host.split_once('.').is_some_and(|(label, parent)| !label.is_empty() && parent.eq_ignore_ascii_case(rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_name_is_the_host_or_its_parent_behind_a_star() {
        let cases = [
            ("broker.example.com", "broker.example.com", true),
            ("Broker.Example.com", "broker.example.com.", true),
            ("*.example.com", "broker.example.com", true),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.com", "example.com", false),
            ("b*.example.com", "broker.example.com", false),
            ("example.com", "broker.example.com", false),
            ("*", "localhost", false),
            ("localhost", "localhost", true),
        ];
        for (pattern, host, expected) in cases {
            assert_eq!(is_meant(pattern, host), expected, "{pattern} {host}");
        }
    }
}
