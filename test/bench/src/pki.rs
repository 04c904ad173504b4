//! Authorities that issue as many certificates and list as many serial numbers as a measurement wants, in memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, SigningKey,
};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use signet_identity::der::{self as tags, Reader};
use signet_revocation::{Crl, IssuerCertificate};
use signet_tls::{CredentialFiles, CrlSignatureVerifier};
use time::{Duration, OffsetDateTime};

/// A certification authority and what is above it.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its own certificate and those above, but for the root's.
    chain: Vec<CertificateDer<'static>>,
    /// Its own certificate and those above, in PEM.
    bundle: String,
    root: CertificateDer<'static>,
}

/// A certificate with `count` intermediates in which everybody has the same name, so that by name everybody could have issued everybody: what a
/// stranger shows who wants the search for a path to take long.
pub(crate) fn tangle(count: usize) -> DeviceKey {
    let mut device = Authority::root("Tangle").device("stranger", 1);
    device.chain.extend((0..count).map(|_| Authority::root("Tangle").root));
    device
}

/// A device's certificate with the chain that it shows, and its key.
pub(crate) struct DeviceKey {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        let issuer = CertifiedIssuer::self_signed(authority_params(name), KeyPair::generate().unwrap()).unwrap();
        let (root, bundle) = (issuer.as_ref().der().clone(), issuer.as_ref().pem());
        Self { issuer, chain: Vec::new(), bundle, root }
    }

    pub(crate) fn below(&self, name: &str) -> Self {
        let issuer = CertifiedIssuer::signed_by(authority_params(name), KeyPair::generate().unwrap(), &self.issuer).unwrap();
        let chain = std::iter::once(issuer.as_ref().der().clone()).chain(self.chain.iter().cloned()).collect();
        let bundle = format!("{}{}", issuer.as_ref().pem(), self.bundle);
        Self { issuer, chain, bundle, root: self.root.clone() }
    }

    /// Writes its certificate and those above.
    pub(crate) fn write(&self, path: PathBuf) -> PathBuf {
        fs::write(&path, &self.bundle).unwrap();
        path
    }

    /// Writes a certificate for `localhost` and 127.0.0.1, and its key.
    pub(crate) fn write_server(&self, directory: &Path) -> CredentialFiles {
        let key = KeyPair::generate().unwrap();
        let params = leaf_params("localhost", 1, ExtendedKeyUsagePurpose::ServerAuth);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = CredentialFiles { certificate: directory.join("server.pem"), key: directory.join("server.key") };
        fs::write(&files.certificate, format!("{}{}", certificate.pem(), self.bundle)).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        restrict(&files.key);
        files
    }

    /// Writes a device's certificate, with those above but for the root's, and its key: `NAME.pem` and `NAME.key`.
    pub(crate) fn write_device(&self, directory: &Path, name: &str, serial: u64, key: &KeyPair) {
        let certificate = leaf_params(name, serial, ExtendedKeyUsagePurpose::ClientAuth).signed_by(key, &self.issuer).unwrap();
        let above = if self.chain.is_empty() { "" } else { self.bundle.as_str() };
        fs::write(directory.join(format!("{name}.pem")), format!("{}{above}", certificate.pem())).unwrap();
        let file = directory.join(format!("{name}.key"));
        fs::write(&file, key.serialize_pem()).unwrap();
        restrict(&file);
    }

    pub(crate) fn device(&self, name: &str, serial: u64) -> DeviceKey {
        let key = KeyPair::generate().unwrap();
        let certificate = leaf_params(name, serial, ExtendedKeyUsagePurpose::ClientAuth).signed_by(&key, &self.issuer).unwrap();
        let chain = std::iter::once(certificate.der().clone()).chain(self.chain.iter().cloned()).collect();
        DeviceKey { chain, key: PrivatePkcs8KeyDer::from(key.serialize_der()) }
    }

    /// What a client needs besides its own key: whom it believes, and how to check that.
    pub(crate) fn trust(&self) -> Arc<WebPkiServerVerifier> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap()
    }

    pub(crate) fn certificate(&self) -> IssuerCertificate {
        IssuerCertificate::parse(self.issuer.as_ref().der()).unwrap()
    }

    /// A CRL with these serial numbers, in DER.
    pub(crate) fn crl(&self, number: u64, serials: impl Iterator<Item = u64>) -> Vec<u8> {
        let now = OffsetDateTime::now_utc();
        let entry = |serial| RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: now - Duration::days(1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: now - Duration::minutes(5),
            next_update: now + Duration::days(7),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: serials.map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().der().to_vec()
    }

    /// A delta CRL to the CRL with the number `base`, signed like any other. What writes CRLs here writes no deltaCRLIndicator (RFC 5280 §5.2.4), so
    /// it is put in front of the other extensions, and the whole is signed anew.
    pub(crate) fn delta(&self, number: u64, base: u8, serials: impl Iterator<Item = u64>) -> Vec<u8> {
        let complete = self.crl(number, serials);
        let mut outer = Reader::document(&complete).unwrap();
        let mut signed = outer.sequence().unwrap();
        let algorithm = outer.element().unwrap().encoded;
        let mut fields = Vec::new();
        while signed.peek().is_some_and(|tag| tag != 0xa0) {
            fields.extend(signed.element().unwrap().encoded);
        }
        let extensions = Reader::new(signed.element().unwrap().content).element().unwrap().content;
        let indicator = [0x30, 13, 6, 3, 0x55, 0x1d, 27, 1, 1, 0xff, 4, 3, tags::INTEGER, 1, base];
        fields.extend(element(0xa0, &element(0x30, &[&indicator, extensions].concat())));
        let to_be_signed = element(0x30, &fields);
        let signature = self.issuer.key().sign(&to_be_signed).unwrap();
        element(0x30, &[to_be_signed.as_slice(), algorithm, &element(3, &[&[0], signature.as_slice()].concat())].concat())
    }

    /// Reads and verifies the only CRL of `der`.
    pub(crate) fn read(&self, der: &[u8]) -> Crl {
        let issuer = self.certificate();
        let mut lists = Crl::parse_pem_or_der(der, std::slice::from_ref(&issuer), &CrlSignatureVerifier).expect("the list is good");
        lists.pop().expect("there is one list")
    }
}

impl DeviceKey {
    /// A client with this certificate. It remembers as many sessions as it is told.
    pub(crate) fn client(
        &self,
        trust: &Arc<WebPkiServerVerifier>,
        version: &'static SupportedProtocolVersion,
        sessions: usize,
    ) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_webpki_verifier(Arc::clone(trust))
            .with_client_auth_cert(self.chain.clone(), PrivateKeyDer::Pkcs8(self.key.clone_key()))
            .unwrap();
        config.resumption = if sessions == 0 { Resumption::disabled() } else { Resumption::in_memory_sessions(sessions) };
        Arc::new(config)
    }
}

/// Serial numbers spread over 64 bits, so that a search cannot guess; the lowest bit says whether it is listed.
pub(crate) fn spread(number: u64, listed: bool) -> u64 {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) << 1) | u64::from(listed)
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = OffsetDateTime::now_utc() - Duration::days(365);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(365);
    params
}

fn leaf_params(name: &str, serial: u64, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let names = if usage == ExtendedKeyUsagePurpose::ServerAuth { vec![name.to_owned(), "127.0.0.1".to_owned()] } else { Vec::new() };
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(SerialNumber::from(serial));
    params.not_before = OffsetDateTime::now_utc() - Duration::days(1);
    params.not_after = OffsetDateTime::now_utc() + Duration::days(30);
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// A private key is refused when others may read it.
fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let octets = content.len().to_be_bytes();
    let significant: Vec<u8> = octets.iter().copied().skip_while(|octet| *octet == 0).collect();
    let length = match significant.as_slice() {
        [] => vec![0],
        [short @ 0..0x80] => vec![*short],
        long => [&[0x80 | u8::try_from(long.len()).unwrap_or(0)], long].concat(),
    };
    [&[tag], length.as_slice(), content].concat()
}
