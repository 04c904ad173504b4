//! Judges a client's certificate: path, usage, validity, revocation, device name. In this order, and the first failure is the answer.
//!
//! rustls calls the verifier inside of `process_tls_records` and hands back only an error that becomes an alert. What an operator needs
//! (which certificate, which check, what to do), and the identity that was found, take the side door of [`last`]: a slot of the thread that is
//! emptied before and read right after every call into rustls.

use std::cell::RefCell;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use signet_identity::{CertificateId, DeviceIdentity, KeyDigest, Leaf, NamingRule, PathCertificate};
use signet_revocation::{Revoked, StalePolicy, Verdict};
use webpki::{EndEntityCert, KeyUsage};

use crate::provider::algorithms;
use crate::{Check, CurrentRevocations, Refusal, TrustAnchors, date};

/// What a call of the verifier found.
#[derive(Clone, Debug)]
pub(crate) enum Judgement {
    /// Everything was checked.
    Accepted(Arc<DeviceIdentity>),
    /// One check failed.
    Refused(Box<Refusal>),
}

/// The side door out of rustls; see the module's description.
pub(crate) mod last {
    use super::{Judgement, RefCell};

    thread_local! {
        static SLOT: RefCell<Option<Judgement>> = const { RefCell::new(None) };
    }

    pub(crate) fn set(judgement: Judgement) {
        SLOT.with(|slot| *slot.borrow_mut() = Some(judgement));
    }

    pub(crate) fn take() -> Option<Judgement> {
        SLOT.with(|slot| slot.borrow_mut().take())
    }
}

/// A failed check, for the operator and for the wire.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) refusal: Box<Refusal>,
    pub(crate) alert: CertificateError,
}

/// The rules of one listener about client certificates.
#[derive(Debug)]
pub(crate) struct DeviceVerifier {
    trust: TrustAnchors,
    hints: Vec<DistinguishedName>,
    naming: NamingRule,
    revocations: CurrentRevocations,
    stale: StalePolicy,
    mandatory: bool,
}

impl DeviceVerifier {
    pub(crate) fn new(
        trust: TrustAnchors,
        naming: NamingRule,
        revocations: CurrentRevocations,
        stale: StalePolicy,
        mandatory: bool,
    ) -> Self {
        let hints = trust.hints();
        Self { trust, hints, naming, revocations, stale, mandatory }
    }

    /// Judges a certificate as presented. `now` in unix seconds.
    pub(crate) fn judge(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: i64,
    ) -> Result<DeviceIdentity, Rejected> {
        let leaf = Leaf::parse(end_entity).map_err(|error| {
            let hint = "show it with `openssl x509 -in FILE -noout -text` and issue a new one";
            Rejected {
                refusal: Box::new(Refusal::without_certificate(Check::CertificateForm, error.to_string(), hint)),
                alert: CertificateError::BadEncoding,
            }
        })?;
        check_form(&leaf)?;
        let path = self.path(&leaf, end_entity, intermediates, now)?;
        let name = self.naming.name(&leaf).map_err(|error| {
            let hint = "change the listener's `device` template, or issue a certificate with such a name";
            reject(&leaf, Check::Name, CertificateError::ApplicationVerificationFailure, error.to_string(), hint)
        })?;
        let identity = DeviceIdentity::new(name, leaf, path.issuer_key, path.intermediates);
        self.check_current(&identity, now)?;
        Ok(identity)
    }

    /// The checks whose answer changes with time: validity and revocation. They run at the end of every handshake, full or resumed.
    pub(crate) fn check_current(&self, identity: &DeviceIdentity, now: i64) -> Result<(), Rejected> {
        let leaf = identity.leaf();
        check_validity(leaf, now)?;
        match self.revocations.load().verdict(identity.path(), now, self.stale) {
            Verdict::Good(_) | Verdict::Suspended { .. } | Verdict::Unknown { .. } => Ok(()),
            Verdict::Revoked { id, revoked } => Err(reject_revoked(leaf, id, revoked)),
            Verdict::Stale { next_update, .. } => {
                let found = format!("the revocation list of an issuer in its path was due to be replaced at {}", date::text(next_update));
                let hint = "fetch the issuer's current CRL, or set `crl_stale = \"allow\"` for this listener";
                let refusal = Refusal::of(leaf, Check::RevocationFreshness, found, hint);
                let alert = CertificateError::Other(OtherError(Arc::new(StaleList)));
                Err(Rejected { refusal: Box::new(refusal), alert })
            }
        }
    }

    /// Builds and verifies a path to a trust anchor and returns the ids of its intermediates, leaf end first.
    fn path(
        &self,
        leaf: &Leaf,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: i64,
    ) -> Result<VerifiedPath, Rejected> {
        let reject_webpki = |error: webpki::Error| explain(leaf, &error);
        let certificate = EndEntityCert::try_from(end_entity).map_err(reject_webpki)?;
        let known: Vec<CertificateDer<'_>> = intermediates.iter().chain(self.trust.intermediates.iter()).cloned().collect();
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(now).unwrap_or(0)));
        let path = certificate
            .verify_for_usage(algorithms().all, &self.trust.anchors, &known, time, KeyUsage::client_auth(), None, None)
            .map_err(reject_webpki)?;
        let authorities: Vec<Leaf> =
            path.intermediate_certificates().map(|certificate| authority(leaf, &certificate.der())).collect::<Result<_, _>>()?;
        let anchor_key = self.trust.key_of(path.anchor());
        // Each certificate was signed by the one above it, the last by the anchor.
        let mut issuer_keys = authorities.iter().map(Leaf::spki_digest).chain(std::iter::once(anchor_key));
        let issuer_key = issuer_keys.next().unwrap_or(anchor_key);
        let intermediates =
            authorities.iter().zip(issuer_keys).map(|(authority, issuer_key)| PathCertificate { id: authority.id(), issuer_key });
        Ok(VerifiedPath { issuer_key, intermediates: intermediates.collect() })
    }
}

/// The listener's stale revocation list, as rustls wants to see it.
#[derive(Debug, thiserror::Error)]
#[error("the revocation list is past its next update")]
struct StaleList;

fn reject(leaf: &Leaf, check: Check, alert: CertificateError, found: impl Into<String>, hint: impl Into<String>) -> Rejected {
    Rejected { refusal: Box::new(Refusal::of(leaf, check, found, hint)), alert }
}

fn reject_revoked(leaf: &Leaf, id: CertificateId, revoked: Revoked) -> Rejected {
    let which = if id == leaf.id() { "the certificate".to_owned() } else { format!("the intermediate with serial number {}", id.serial()) };
    let found = format!("{which} was revoked at {} ({})", date::text(revoked.since), revoked.reason.name());
    reject(leaf, Check::Revocation, CertificateError::Revoked, found, "issue a new certificate with `signet device add NAME`")
}

/// RFC 5280 §4.1.2.1: only version 3 has the extensions that say what a certificate may be used for.
fn check_form(leaf: &Leaf) -> Result<(), Rejected> {
    if leaf.version() != 3 {
        let found = format!("the certificate is X.509 version {}, which has no extensions to say that it is a device's", leaf.version());
        let hint = "issue it again as version 3: plain `openssl x509 -req` makes version 1, so give it `-extfile FILE` where FILE holds \
                    `extendedKeyUsage=clientAuth`, or use `signet device add NAME --csr FILE`";
        return Err(reject(leaf, Check::CertificateForm, CertificateError::InvalidPurpose, found, hint));
    }
    if leaf.is_ca() {
        let found = "the certificate is a certification authority's (basicConstraints CA:true)";
        return Err(reject(leaf, Check::Usage, CertificateError::InvalidPurpose, found, "use a certificate issued for this device"));
    }
    // RFC 5280 §4.2.1.3: a TLS client proves itself by a signature.
    if !leaf.allows_digital_signature() {
        let found = "its keyUsage does not hold digitalSignature (RFC 5280 §4.2.1.3)";
        let hint = "issue a certificate with `keyUsage=digitalSignature`, or without keyUsage";
        return Err(reject(leaf, Check::Usage, CertificateError::InvalidPurpose, found, hint));
    }
    Ok(())
}

/// What path building found: the key that signed the leaf, and the intermediates, leaf end first.
struct VerifiedPath {
    issuer_key: KeyDigest,
    intermediates: Vec<PathCertificate>,
}

/// A certification authority in the path of `leaf`, if it may be one: path building looks at basicConstraints, not at keyUsage.
fn authority(leaf: &Leaf, der: &[u8]) -> Result<Leaf, Rejected> {
    let authority = Leaf::parse(der).map_err(|error| {
        let found = format!("an intermediate certificate cannot be read: {error}");
        reject(leaf, Check::Path, CertificateError::BadEncoding, found, "issue the intermediate again")
    })?;
    if authority.allows_certificate_sign() {
        return Ok(authority);
    }
    let subject = authority.subject().rfc4514();
    let found = format!("the keyUsage of `{subject}` in its path does not hold keyCertSign (RFC 5280 §6.1.4)");
    let hint = "issue the device a certificate from an authority that may sign certificates";
    Err(reject(leaf, Check::Path, CertificateError::UnknownIssuer, found, hint))
}

/// RFC 5280 §4.1.2.5: both ends of the interval are valid.
fn check_validity(leaf: &Leaf, now: i64) -> Result<(), Rejected> {
    let validity = leaf.validity();
    if now > validity.not_after {
        let found = format!("the certificate expired at {}", date::text(validity.not_after));
        let hint = "issue a new one; if it should still be valid, check this machine's clock";
        return Err(reject(leaf, Check::Validity, CertificateError::Expired, found, hint));
    }
    if now < validity.not_before {
        let found = format!("the certificate is not valid before {}", date::text(validity.not_before));
        return Err(reject(
            leaf,
            Check::Validity,
            CertificateError::NotValidYet,
            found,
            "check the clocks of this machine and of the issuer",
        ));
    }
    Ok(())
}

/// What webpki found, in our words.
fn explain(leaf: &Leaf, error: &webpki::Error) -> Rejected {
    use webpki::Error as Found;
    let issuer = leaf.issuer().rfc4514();
    match error {
        Found::UnknownIssuer => {
            let found = format!("no path from its issuer `{issuer}` to a trust anchor of this listener");
            let hint = "add the issuing CA to the listener's `trust`, or have the device send its intermediate certificates";
            reject(leaf, Check::Path, CertificateError::UnknownIssuer, found, hint)
        }
        Found::InvalidSignatureForPublicKey => {
            let found = format!("its signature was not made by the `{issuer}` that this listener trusts: another CA of the same name");
            let hint = "issue the device a certificate from the CA in the listener's `trust`";
            reject(leaf, Check::Path, CertificateError::UnknownIssuer, found, hint)
        }
        // The leaf's own dates give the exact words; when it is fine, it is an intermediate that is not valid now.
        Found::CertExpired { time, .. } | Found::CertNotValidYet { time, .. } => {
            let now = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
            check_validity(leaf, now).err().unwrap_or_else(|| {
                let found = format!("a certification authority in its path is not valid now: {error}");
                reject(
                    leaf,
                    Check::Validity,
                    CertificateError::Expired,
                    found,
                    "renew the issuing CA and issue the device a new certificate",
                )
            })
        }
        Found::RequiredEkuNotFoundContext(_) | Found::EmptyEkuExtension => {
            let found = "its extended key usage does not hold clientAuth (RFC 5280 §4.2.1.12)";
            let hint = "issue a certificate with `extendedKeyUsage=clientAuth`; a server's certificate cannot be a device's";
            reject(leaf, Check::Usage, CertificateError::InvalidPurpose, found, hint)
        }
        Found::CaUsedAsEndEntity => {
            let found = "the certificate is a certification authority's (basicConstraints CA:true)";
            reject(leaf, Check::Usage, CertificateError::InvalidPurpose, found, "use a certificate issued for this device")
        }
        Found::UnsupportedSignatureAlgorithmContext(_) | Found::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            let found = format!("a signature algorithm in its path is not supported: {error}");
            let hint = "use ECDSA, Ed25519, or RSA from 2048 bits, with SHA-256 or better";
            reject(leaf, Check::Path, CertificateError::UnknownIssuer, found, hint)
        }
        Found::UnsupportedCriticalExtension => {
            let found = "it holds a critical extension that is not understood (RFC 5280 §4.2)";
            reject(
                leaf,
                Check::CertificateForm,
                CertificateError::UnhandledCriticalExtension,
                found,
                "issue it without that extension, or not critical",
            )
        }
        other => {
            let found = format!("its path cannot be verified: {other}");
            let hint = "check it with `openssl verify -purpose sslclient -CAfile CA.pem DEVICE.pem`";
            reject(leaf, Check::Path, CertificateError::BadEncoding, found, hint)
        }
    }
}

impl ClientCertVerifier for DeviceVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        match self.judge(end_entity, intermediates, now) {
            Ok(identity) => {
                last::set(Judgement::Accepted(Arc::new(identity)));
                Ok(ClientCertVerified::assertion())
            }
            Err(rejected) => {
                last::set(Judgement::Refused(rejected.refusal));
                Err(Error::InvalidCertificate(rejected.alert))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &algorithms()).inspect_err(|_| note_possession(certificate))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &algorithms()).inspect_err(|_| note_possession(certificate))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

fn note_possession(certificate: &CertificateDer<'_>) {
    let found = "the client could not prove that it holds the certificate's private key";
    let hint = "on the device, use the key that belongs to the certificate; if the device did not ask, somebody else shows its certificate";
    let refusal = match Leaf::parse(certificate) {
        Ok(leaf) => Refusal::of(&leaf, Check::Possession, found, hint),
        Err(_) => Refusal::without_certificate(Check::Possession, found, hint),
    };
    last::set(Judgement::Refused(Box::new(refusal)));
}
