//! A PKI for one test: root, issuing CA, server, and devices that are right or wrong in exactly one way. Made at run time, so that no key
//! and no expiry date ever lies in the repository.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams, SerialNumber,
};
use time::{Duration, OffsetDateTime};

/// A certificate with its key, as files a client or server can be pointed at.
#[derive(Clone, Debug)]
pub struct Identity {
    /// PEM: the certificate, then the issuing CA.
    pub certificate: PathBuf,
    /// PEM, PKCS#8, mode 0600.
    pub key: PathBuf,
    /// Serial number, the content octets of the INTEGER.
    pub serial: Vec<u8>,
    /// The certificate alone.
    pub der: Vec<u8>,
}

/// The authorities and the server's certificate. The files live in the directory given to [`Pki::create`].
pub struct Pki {
    directory: PathBuf,
    issuing: Authority,
    foreign: Authority,
    server: Identity,
    next_serial: Cell<u64>,
}

/// When a CRL was made and until when it is good, relative to now.
#[derive(Clone, Copy, Debug)]
pub struct CrlWindow {
    /// thisUpdate.
    pub this_update: Duration,
    /// nextUpdate.
    pub next_update: Duration,
}

impl Default for CrlWindow {
    fn default() -> Self {
        Self { this_update: Duration::minutes(-5), next_update: Duration::days(7) }
    }
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// What differs between the certificates of a test PKI.
struct Wish<'a> {
    usage: ExtendedKeyUsagePurpose,
    not_before: Duration,
    not_after: Duration,
    authority: &'a Authority,
}

impl Pki {
    /// Makes a root, an issuing CA below it, a CA nobody trusts, and a server certificate for `localhost`, `127.0.0.1` and `::1`.
    /// Writes `root.pem`, `root.key`, `issuing.pem`, `issuing.key`, `ca.pem` (issuing and root), `server.pem`, `server.key`.
    #[must_use]
    pub fn create(directory: &Path) -> Self {
        fs::create_dir_all(directory).unwrap();
        let root = Authority::root("Test Root");
        let issuing = root.below("Test Issuing");
        let foreign = Authority::root("Foreign Root");
        write(&directory.join("root.pem"), &root.pem);
        write(&directory.join("root.key"), &root.issuer.key().serialize_pem());
        write(&directory.join("issuing.pem"), &issuing.pem);
        write(&directory.join("issuing.key"), &issuing.issuer.key().serialize_pem());
        write(&directory.join("ca.pem"), &format!("{}{}", issuing.pem, root.pem));
        write(&directory.join("foreign.pem"), &foreign.pem);
        write(&directory.join("foreign.key"), &foreign.issuer.key().serialize_pem());
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let wish = Wish {
            usage: ExtendedKeyUsagePurpose::ServerAuth,
            not_before: Duration::days(-1),
            not_after: Duration::days(30),
            authority: &issuing,
        };
        let server = issue(directory, "server", &names, 1, &wish);
        Self { directory: directory.to_owned(), server, issuing, foreign, next_serial: Cell::new(0x1000) }
    }

    /// The bundle of issuing CA and root: what both sides trust.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// The root of a CA that has nothing to do with ours.
    #[must_use]
    pub fn foreign_ca_file(&self) -> PathBuf {
        self.directory.join("foreign.pem")
    }

    /// The server's certificate and key.
    #[must_use]
    pub fn server(&self) -> &Identity {
        &self.server
    }

    /// A device certificate with nothing wrong.
    #[must_use]
    pub fn device(&self, name: &str) -> Identity {
        self.issue(name, &self.client())
    }

    /// Expired yesterday.
    #[must_use]
    pub fn expired_device(&self, name: &str) -> Identity {
        self.issue(name, &Wish { not_before: Duration::days(-10), not_after: Duration::days(-1), ..self.client() })
    }

    /// Valid from tomorrow on.
    #[must_use]
    pub fn not_yet_valid_device(&self, name: &str) -> Identity {
        self.issue(name, &Wish { not_before: Duration::days(1), ..self.client() })
    }

    /// Valid until `seconds` from now.
    #[must_use]
    pub fn short_lived_device(&self, name: &str, seconds: i64) -> Identity {
        self.issue(name, &Wish { not_after: Duration::seconds(seconds), ..self.client() })
    }

    /// Issued for servers: extended key usage serverAuth only.
    #[must_use]
    pub fn wrong_usage_device(&self, name: &str) -> Identity {
        self.issue(name, &Wish { usage: ExtendedKeyUsagePurpose::ServerAuth, ..self.client() })
    }

    /// Issued by the CA nobody trusts.
    #[must_use]
    pub fn foreign_device(&self, name: &str) -> Identity {
        self.issue(name, &Wish { authority: &self.foreign, ..self.client() })
    }

    /// X.509 version 1, as `openssl x509 -req` makes them without an extensions file.
    #[must_use]
    pub fn v1_device(&self, name: &str) -> Identity {
        self.v1_device_of("issuing", name)
    }

    /// The same, issued by the CA nobody trusts.
    #[must_use]
    pub fn foreign_v1_device(&self, name: &str) -> Identity {
        self.v1_device_of("foreign", name)
    }

    fn v1_device_of(&self, authority: &str, name: &str) -> Identity {
        let base = self.directory.join(name);
        let (request, certificate, key) = (base.with_extension("csr"), base.with_extension("pem"), base.with_extension("key"));
        let serial = self.serial();
        openssl(
            &["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", &format!("/CN={name}")]
                .map(Path::new),
            &[("-keyout", &key), ("-out", &request)],
        );
        let hexadecimal = format!("0x{serial:x}");
        openssl(
            &["x509", "-req", "-days", "30", "-sha256", "-set_serial", &hexadecimal].map(Path::new),
            &[
                ("-in", &request),
                ("-CA", &self.directory.join(format!("{authority}.pem"))),
                ("-CAkey", &self.directory.join(format!("{authority}.key"))),
                ("-out", &certificate),
            ],
        );
        let leaf = fs::read_to_string(&certificate).unwrap();
        let binary = base.with_extension("der");
        openssl(&["x509", "-outform", "DER"].map(Path::new), &[("-in", &certificate), ("-out", &binary)]);
        let der = fs::read(binary).unwrap();
        write(&certificate, &format!("{leaf}{}", self.issuing.pem));
        Identity { certificate, key, serial: serial_bytes(serial), der }
    }

    /// Writes a CRL of the issuing CA as `{file}` with these certificates revoked for keyCompromise.
    #[must_use]
    pub fn crl(&self, file: &str, number: u64, revoked: &[&Identity], window: CrlWindow) -> PathBuf {
        self.signed_crl(&self.issuing, file, number, revoked, window)
    }

    /// The same, signed by the CA nobody trusts.
    #[must_use]
    pub fn foreign_crl(&self, file: &str, number: u64, revoked: &[&Identity], window: CrlWindow) -> PathBuf {
        self.signed_crl(&self.foreign, file, number, revoked, window)
    }

    fn signed_crl(&self, authority: &Authority, file: &str, number: u64, revoked: &[&Identity], window: CrlWindow) -> PathBuf {
        let now = OffsetDateTime::now_utc();
        let entry = |identity: &&Identity| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&identity.serial),
            revocation_time: now + window.this_update,
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: now + window.this_update,
            next_update: now + window.next_update,
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let path = self.directory.join(file);
        write(&path, &params.signed_by(&authority.issuer).unwrap().pem().unwrap());
        path
    }

    fn client(&self) -> Wish<'_> {
        Wish {
            usage: ExtendedKeyUsagePurpose::ClientAuth,
            not_before: Duration::days(-1),
            not_after: Duration::days(30),
            authority: &self.issuing,
        }
    }

    fn issue(&self, name: &str, wish: &Wish<'_>) -> Identity {
        issue(&self.directory, name, &[], self.serial(), wish)
    }

    fn serial(&self) -> u64 {
        let serial = self.next_serial.get();
        self.next_serial.set(serial + 1);
        serial
    }
}

impl Authority {
    fn root(name: &str) -> Self {
        let (params, key) = Self::params(name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn below(&self, name: &str) -> Self {
        let (params, key) = Self::params(name);
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn params(name: &str) -> (CertificateParams, KeyPair) {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = OffsetDateTime::now_utc() - Duration::days(365);
        params.not_after = OffsetDateTime::now_utc() + Duration::days(365);
        (params, KeyPair::generate().unwrap())
    }
}

fn issue(directory: &Path, name: &str, names: &[String], serial: u64, wish: &Wish<'_>) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![wish.usage.clone()];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(SerialNumber::from_slice(&serial_bytes(serial)));
    params.not_before = OffsetDateTime::now_utc() + wish.not_before;
    params.not_after = OffsetDateTime::now_utc() + wish.not_after;
    let certificate = params.signed_by(&key, &wish.authority.issuer).unwrap();
    let files = (directory.join(format!("{name}.pem")), directory.join(format!("{name}.key")));
    write(&files.0, &format!("{}{}", certificate.pem(), wish.authority.pem));
    write(&files.1, &key.serialize_pem());
    Identity { certificate: files.0, key: files.1, serial: serial_bytes(serial), der: certificate.der().to_vec() }
}

/// Big endian without leading zeros; the serials here never have their top bit set.
fn serial_bytes(serial: u64) -> Vec<u8> {
    serial.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
}

/// 0600 for keys and certificates alike: a test has nobody to share with.
fn write(path: &Path, text: &str) {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}

fn openssl(words: &[&Path], files: &[(&str, &Path)]) {
    let mut command = Command::new("openssl");
    command.args(words);
    for (flag, path) in files {
        command.arg(flag).arg(path);
    }
    let output = command.output().expect("the openssl command is needed (apt-get install openssl)");
    assert!(output.status.success(), "openssl failed: {}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn openssl_text(identity: &Identity) -> String {
        let output = Command::new("openssl").args(["x509", "-noout", "-text", "-in"]).arg(&identity.certificate).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn every_certificate_is_wrong_in_one_way_only() {
        let directory = tempfile::tempdir().unwrap();
        let pki = Pki::create(directory.path());
        let verify = |identity: &Identity| {
            let output = Command::new("openssl")
                .args(["verify", "-purpose", "sslclient", "-CAfile"])
                .arg(pki.ca_file())
                .arg(&identity.certificate)
                .output()
                .unwrap();
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        };
        assert!(verify(&pki.device("good")).contains(": OK"));
        assert!(verify(&pki.expired_device("expired")).contains("certificate has expired"));
        assert!(verify(&pki.not_yet_valid_device("early")).contains("not yet valid"));
        assert!(verify(&pki.wrong_usage_device("server-like")).contains("purpose"));
        assert!(verify(&pki.foreign_device("stranger")).contains("unable to get"), "{}", verify(&pki.foreign_device("stranger")));
        assert!(openssl_text(&pki.v1_device("old")).contains("Version: 1 (0x0)"));
        assert!(openssl_text(&pki.device("new")).contains("Version: 3 (0x2)"));
    }

    #[test]
    fn a_crl_names_the_revoked_serial() {
        let directory = tempfile::tempdir().unwrap();
        let pki = Pki::create(directory.path());
        let device = pki.device("d");
        let path = pki.crl("crl.pem", 7, &[&device], CrlWindow::default());
        let output = Command::new("openssl").args(["crl", "-noout", "-text", "-in"]).arg(path).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("Serial Number: 1000") && text.contains("Key Compromise"), "{text}");
    }
}
