//! What a client may ask for besides a certificate that can be trusted, or do without: the stapled word of the issuer that it is not revoked, and the
//! host's name in it.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use signet_identity::Leaf;
use signet_revocation::{CertIdHash, IssuerCertificate, OcspError, OcspRequest, OcspResponse, OcspRules, OcspStatus};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::connector::ConnectorConfig;
use crate::provider::provider;
use crate::server_roots::ServerRoots;
use crate::server_verifier::{OldServer, is_other_name};
use crate::signature::has_issued;
use crate::{CrlSignatureVerifier, TlsError};

/// Judges as another one does, and then by its own rules.
#[derive(Debug)]
pub(crate) struct Particular {
    pub(crate) inner: Arc<dyn ServerCertVerifier>,
    /// The anchors, one of which may have issued the server's certificate itself.
    pub(crate) trusted: Vec<CertificateDer<'static>>,
    /// The certificate may be for another name.
    pub(crate) any_name: bool,
    /// The server has to bring an OCSP response that says that its certificate is good.
    pub(crate) staple: bool,
}

/// Why a stapled response is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StapleError {
    #[error("it brings no OCSP response")]
    Absent,
    #[error("its OCSP response cannot be used: {0}")]
    Response(#[from] OcspError),
    #[error("its OCSP response does not know the certificate")]
    Unknown,
    #[error("its certificate cannot be read")]
    Certificate,
    #[error("the certificate of its issuer is neither sent nor among the trusted ones, so that its OCSP response cannot be checked")]
    NoIssuer,
}

impl From<StapleError> for Error {
    fn from(error: StapleError) -> Self {
        CertificateError::Other(OtherError(Arc::new(error))).into()
    }
}

impl Particular {
    /// What `config` asks for.
    pub(crate) fn load(config: &ConnectorConfig) -> Result<Self, TlsError> {
        let roots = ServerRoots::load(config)?;
        let trusted = roots.certificates.clone();
        let inner: Arc<dyn ServerCertVerifier> = if config.old_certificates {
            Arc::new(OldServer::new(roots)?)
        } else {
            let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots.store), provider());
            builder.build().map_err(|error| TlsError::Library(error.to_string()))?
        };
        Ok(Self { inner, trusted, any_name: config.any_name, staple: config.staple_required })
    }

    /// Whether the stapled response, signed by the issuer or by whom it says, is of now and says that the certificate is good.
    fn check_staple(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        response: &[u8],
        now: i64,
    ) -> Result<(), Error> {
        if response.is_empty() {
            return Err(StapleError::Absent.into());
        }
        let leaf = Leaf::parse(certificate).map_err(|_| StapleError::Certificate)?;
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| StapleError::Certificate)?;
        // Nobody else has looked at those that the server sends and that are not in the path: with a name alone whoever has stolen a key could speak
        // for its issuer.
        let issuers = others.iter().chain(&self.trusted);
        let issuers = issuers.filter(|der| X509Certificate::from_der(der).is_ok_and(|(_, issuer)| has_issued(&issuer, &parsed)));
        let issuers = issuers.filter_map(|der| IssuerCertificate::parse(der).ok());
        let mut last = StapleError::NoIssuer;
        for issuer in issuers {
            for hash in [CertIdHash::Sha1, CertIdHash::Sha256] {
                let request = OcspRequest::new(&issuer, leaf.id().serial(), hash, None).map_err(StapleError::Response)?;
                match OcspResponse::verify(response, &request, &OcspRules::default(), &CrlSignatureVerifier, now) {
                    Ok(verified) => return judge(verified.answer().status()),
                    Err(error) => last = error.into(),
                }
            }
        }
        Err(last.into())
    }
}

fn judge(status: OcspStatus) -> Result<(), Error> {
    match status {
        OcspStatus::Good => Ok(()),
        OcspStatus::Revoked { .. } => Err(CertificateError::Revoked.into()),
        OcspStatus::Unknown => Err(StapleError::Unknown.into()),
    }
}

impl ServerCertVerifier for Particular {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The path is right by then: the name is looked at last.
            Err(error) if self.any_name && is_other_name(&error) => {}
            Ok(_) => {}
            Err(error) => return Err(error),
        }
        if self.staple {
            let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
            self.check_staple(end_entity, intermediates, ocsp_response, now)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
