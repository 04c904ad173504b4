//! Authorities and certificates of every kind, right and wrong, and a client that shows any octets as its chain: what no client of ours would
//! do.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SignatureAlgorithm,
};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{AlertDescription, ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned, SupportedProtocolVersion};
use signet_identity::{AuthorityId, Leaf};
use signet_tls::CredentialFiles;
use time::OffsetDateTime;

pub(crate) static VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

/// CONNECT of MQTT 3.1.1, clean session, no Keep Alive, identifier `x`.
pub(crate) const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01x";

/// A certification authority.
pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) der: Vec<u8>,
    pem: String,
}

/// What a client shows: any octets as certificates, and a key.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) key: Vec<u8>,
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = OffsetDateTime::now_utc() - time::Duration::days(365);
    params.not_after = OffsetDateTime::now_utc() + time::Duration::days(365);
    params
}

/// A device's certificate with nothing wrong: 31 days, digitalSignature, clientAuth.
fn leaf_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = OffsetDateTime::now_utc() - time::Duration::days(1);
    params.not_after = OffsetDateTime::now_utc() + time::Duration::days(30);
    params
}

impl Ca {
    pub(crate) fn root(name: &str) -> Self {
        Self::root_with(name, |_| {})
    }

    pub(crate) fn root_with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let (mut params, key) = (ca_params(name), KeyPair::generate().unwrap());
        change(&mut params);
        let certificate = params.self_signed(&key).unwrap();
        Self::of(params, key, &certificate)
    }

    pub(crate) fn below(&self, name: &str) -> Self {
        self.below_with(name, |_| {})
    }

    pub(crate) fn below_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let (mut params, key) = (ca_params(name), KeyPair::generate().unwrap());
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Self::of(params, key, &certificate)
    }

    /// So many authorities, each below the one before, the first below this one.
    pub(crate) fn line(&self, count: usize) -> Vec<Self> {
        let mut line: Vec<Self> = Vec::new();
        for number in 1..=count {
            let next = line.last().unwrap_or(self).below(&format!("Line {number}"));
            line.push(next);
        }
        line
    }

    /// Another certificate for the name and key of `other`, by this authority.
    pub(crate) fn cross(&self, other: &Self, name: &str) -> Vec<u8> {
        ca_params(name).signed_by(other.issuer.key(), &self.issuer).unwrap().der().to_vec()
    }

    fn of(params: CertificateParams, key: KeyPair, certificate: &Certificate) -> Self {
        Self { issuer: Issuer::new(params, key), der: certificate.der().to_vec(), pem: certificate.pem() }
    }

    pub(crate) fn leaf(&self, name: &str) -> Shown {
        self.leaf_with(name, |_| {})
    }

    /// The certificate alone.
    pub(crate) fn leaf_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Shown {
        self.leaf_of(name, &rcgen::PKCS_ECDSA_P256_SHA256, change)
    }

    pub(crate) fn leaf_of(&self, name: &str, kind: &'static SignatureAlgorithm, change: impl FnOnce(&mut CertificateParams)) -> Shown {
        let mut params = leaf_params(name);
        change(&mut params);
        let key = KeyPair::generate_for(kind).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Shown { chain: vec![certificate.der().to_vec()], key: key.serialize_der() }
    }

    /// An authority that is none: what it shows as its own certificate is a device's.
    pub(crate) fn impostor(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let (mut params, key) = (leaf_params(name), KeyPair::generate().unwrap());
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Self::of(params, key, &certificate)
    }

    /// A server's certificate for a name, as files.
    pub(crate) fn server(&self, directory: &Path, name: &str, kind: &'static SignatureAlgorithm) -> CredentialFiles {
        let mut params = leaf_params(name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.subject_alt_names = vec![rcgen::SanType::DnsName(name.try_into().unwrap())];
        let key = KeyPair::generate_for(kind).unwrap();
        let text = params.signed_by(&key, &self.issuer).unwrap().pem();
        let stem = directory.join(format!("{name}-{}", hex::encode(&params.signed_by(&key, &self.issuer).unwrap().der()[20..24])));
        let files = CredentialFiles { certificate: stem.with_extension("pem"), key: stem.with_extension("key") };
        std::fs::write(&files.certificate, text).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        std::fs::set_permissions(&files.key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        files
    }

    /// Its name and key.
    pub(crate) fn id(&self) -> AuthorityId {
        Leaf::parse(&self.der).unwrap().authority_id()
    }

    /// Writes key and certificate as PEM, for `openssl`.
    pub(crate) fn write(&self, directory: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = (directory.join(format!("{name}.pem")), directory.join(format!("{name}.key")));
        std::fs::write(&certificate, &self.pem).unwrap();
        std::fs::write(&key, self.issuer.key().serialize_pem()).unwrap();
        (certificate, key)
    }
}

/// Writes a file of trusted certificates.
pub(crate) fn bundle(path: PathBuf, authorities: &[&Ca]) -> PathBuf {
    std::fs::write(&path, authorities.iter().map(|ca| ca.pem.as_str()).collect::<String>()).unwrap();
    path
}

impl Shown {
    /// With these behind it.
    pub(crate) fn with<'a>(mut self, authorities: impl IntoIterator<Item = &'a Ca>) -> Self {
        self.chain.extend(authorities.into_iter().map(|ca| ca.der.clone()));
        self
    }

    pub(crate) fn with_der(mut self, der: Vec<u8>) -> Self {
        self.chain.push(der);
        self
    }

    /// With one bit of the signature of a certificate changed: the last octet is in it.
    pub(crate) fn flipped(mut self, at: usize) -> Self {
        *self.chain[at].last_mut().unwrap() ^= 1;
        self
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.chain[0]
    }

    /// A client with this chain and key and a memory for tickets of its own, which believes the CAs of `ca_file`.
    pub(crate) fn client(&self, ca_file: &Path, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.clone()));
        let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
        let chain = self.chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
        let resolver = Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, signing)));
        let mut roots = RootCertStore::empty();
        CertificateDer::pem_file_iter(ca_file).unwrap().for_each(|certificate| roots.add(certificate.unwrap()).unwrap());
        let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_cert_resolver(resolver);
        config.resumption = Resumption::in_memory_sessions(8);
        Arc::new(config)
    }
}

/// How a meeting ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// With this CONNACK (3.1.1).
    In([u8; 4]),
    /// With an alert.
    Alert(AlertDescription),
    /// With this reason code in the CONNACK (5.0).
    Refused(u8),
    /// Without a word of TLS.
    Closed,
}

/// A client's end of a connection, driven by hand.
pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Connects, to shake hands with the first octet that is written or read.
pub(crate) fn dial(port: u16, config: &Arc<ClientConfig>, name: &'static str) -> Stream {
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.set_nodelay(true).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::clone(config), name.try_into().unwrap()).unwrap(), socket)
}

/// Shakes hands and says CONNECT, whatever comes of it.
pub(crate) fn introduce(stream: &mut Stream) -> Met {
    let mut connack = [0; 4];
    let result = stream.write_all(CONNECT).and_then(|()| stream.flush()).and_then(|()| stream.read_exact(&mut connack));
    match result {
        Ok(()) => Met::In(connack),
        Err(error) => why(stream, &error),
    }
}

fn why(stream: &mut Stream, error: &std::io::Error) -> Met {
    let alert = |error: &std::io::Error| match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
        _ => None,
    };
    assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "the server says nothing");
    // A write may fail before the alert was read.
    let found = alert(error).or_else(|| stream.read(&mut [0]).err().and_then(|error| alert(&error)));
    found.map_or(Met::Closed, Met::Alert)
}

/// Connects and introduces itself; says whether a session of before was taken up.
pub(crate) fn meet(port: u16, config: &Arc<ClientConfig>) -> (Met, bool) {
    let mut stream = dial(port, config, "localhost");
    let met = introduce(&mut stream);
    let resumed = stream.conn.handshake_kind() == Some(HandshakeKind::Resumed);
    stream.conn.send_close_notify();
    let _ = stream.flush();
    (met, resumed)
}

/// CONNECT of MQTT 5.0, Clean Start, no Keep Alive.
pub(crate) fn connect_5(identifier: &str) -> Vec<u8> {
    let length = u8::try_from(13 + identifier.len()).unwrap();
    let end = u8::try_from(identifier.len()).unwrap();
    [&[0x10, length], &b"\x00\x04MQTT\x05\x02\x00\x00\x00\x00"[..], &[end], identifier.as_bytes()].concat()
}

/// A session of MQTT 5.0.
pub(crate) struct Session(pub(crate) Stream);

impl Session {
    pub(crate) fn enter(port: u16, config: &Arc<ClientConfig>, identifier: &str) -> Result<Self, Met> {
        Self::enter_as(port, config, "localhost", identifier)
    }

    pub(crate) fn enter_as(port: u16, config: &Arc<ClientConfig>, name: &'static str, identifier: &str) -> Result<Self, Met> {
        let mut session = Self(dial(port, config, name));
        match session.0.write_all(&connect_5(identifier)).and_then(|()| session.0.flush()) {
            Ok(()) => session.welcomed(),
            Err(error) => Err(why(&mut session.0, &error)),
        }
    }

    /// After CONNECT.
    pub(crate) fn welcomed(mut self) -> Result<Self, Met> {
        match self.packet() {
            Ok((0x20, body)) if body[1] == 0 => Ok(self),
            Ok((0x20, body)) => Err(Met::Refused(body[1])),
            Ok(other) => panic!("expected CONNACK, got {other:?}"),
            Err(error) => Err(why(&mut self.0, &error)),
        }
    }

    fn packet(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let mut octet = [0];
        self.0.read_exact(&mut octet)?;
        let (kind, mut length, mut shift) = (octet[0], 0_usize, 0);
        loop {
            self.0.read_exact(&mut octet)?;
            length |= usize::from(octet[0] & 0x7f) << shift;
            shift += 7;
            if octet[0] & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok((kind, body))
    }

    pub(crate) fn expect_alive(&mut self) {
        self.0.write_all(b"\xc0\x00").and_then(|()| self.0.flush()).unwrap();
        assert_eq!(self.packet().unwrap(), (0xd0, Vec::new()));
    }

    /// The reason code of the DISCONNECT that ends it.
    pub(crate) fn farewell(mut self) -> u8 {
        let (kind, body) = self.packet().unwrap();
        assert_eq!(kind, 0xe0, "{body:?}");
        assert!(is_over(&mut self.0));
        body[0]
    }
}

/// Whether the connection is over; what still comes is thrown away.
pub(crate) fn is_over(stream: &mut Stream) -> bool {
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
    }
}
