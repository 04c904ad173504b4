//! A directory with a CA in it, driven by the `openssl` command.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use signet_identity::der::{self, Reader};
use signet_identity::{DeviceIdentity, DeviceName, Leaf};
use signet_revocation::{Crl, CrlError, IssuerCertificate, SignatureVerifier, SignedData};

/// Sections `v3_…` are for `-extensions` of `openssl ca`, `crl_…` for its `-crlexts`.
const CONFIGURATION: &str = "
[ca]
default_ca = d
[d]
database = index.txt
new_certs_dir = .
serial = serial
crlnumber = crlnumber
default_md = sha256
default_days = 30
default_crl_days = 7
policy = p
certificate = ca.pem
private_key = ca.key
unique_subject = no
crl_extensions = crl_plain
[p]
commonName = supplied
[v3_plain]
keyUsage = digitalSignature
[v3_ca]
basicConstraints = critical,CA:true
keyUsage = keyCertSign,cRLSign
[v3_responder]
extendedKeyUsage = OCSPSigning
noCheck = ignored
[v3_responder_checked]
extendedKeyUsage = OCSPSigning
[v3_points]
crlDistributionPoints = point_1,point_2
authorityInfoAccess = OCSP;URI:http://ocsp.example/,caIssuers;URI:http://ca.example/ca.der
freshestCRL = URI:http://crl.example/delta
[point_1]
fullname = URI:http://crl.example/1,dirName:point_name
reasons = keyCompromise,CACompromise
CRLissuer = dirName:indirect_name
[point_2]
relativename = relative_name
[point_name]
CN = Point
[relative_name]
CN = CRL1
[indirect_name]
CN = Indirect
[v3_one]
crlDistributionPoints = URI:http://crl.example/1
[v3_two]
crlDistributionPoints = URI:http://crl.example/2
[v3_indirect]
crlDistributionPoints = point_indirect
[point_indirect]
fullname = URI:http://crl.example/indirect
CRLissuer = dirName:indirect_name
[crl_plain]
authorityKeyIdentifier = keyid
[crl_delta]
2.5.29.27 = critical,DER:020112
[crl_users]
issuingDistributionPoint = critical,@idp_users
[idp_users]
onlyuser = TRUE
[crl_cas]
issuingDistributionPoint = critical,@idp_cas
[idp_cas]
onlyCA = TRUE
[crl_one]
issuingDistributionPoint = critical,@idp_one
[idp_one]
fullname = URI:http://crl.example/1
[crl_one_delta]
issuingDistributionPoint = critical,@idp_one
2.5.29.27 = critical,DER:020112
[crl_reasons]
issuingDistributionPoint = critical,@idp_reasons
[idp_reasons]
onlysomereasons = keyCompromise,CACompromise,affiliationChanged,superseded
[crl_other_reasons]
issuingDistributionPoint = critical,@idp_other_reasons
[idp_other_reasons]
onlysomereasons = cessationOfOperation,certificateHold,privilegeWithdrawn,AACompromise
[crl_attributes]
issuingDistributionPoint = critical,@idp_attributes
[idp_attributes]
onlyAA = TRUE
[crl_indirect]
issuingDistributionPoint = critical,@idp_indirect
[idp_indirect]
indirectCRL = TRUE
";

/// Verifies ECDSA P-256 with SHA-256.
pub(crate) struct P256;

impl SignatureVerifier for P256 {
    fn verify(&self, signed: SignedData<'_>) -> Result<(), String> {
        const ECDSA_WITH_SHA256: &[u8] = &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
        if signed.algorithm != ECDSA_WITH_SHA256 {
            return Err("unsupported algorithm".to_owned());
        }
        let mut spki = Reader::document(signed.issuer_spki).unwrap();
        spki.sequence().unwrap();
        let key = spki.expect(der::BIT_STRING).unwrap().content.strip_prefix(&[0]).unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key)
            .verify(signed.to_be_signed, signed.signature)
            .map_err(|_| "no match".to_owned())
    }
}

pub(crate) struct Rig {
    directory: tempfile::TempDir,
}

impl Rig {
    /// A CA of this name, its key `ca.key`, its certificate `ca.pem`.
    pub(crate) fn new(name: &str) -> Self {
        let rig = Self { directory: tempfile::tempdir().unwrap() };
        // The first serial number has its highest bit set, so that DER puts a zero octet before it.
        for (file, content) in [("ca.conf", CONFIGURATION), ("index.txt", ""), ("serial", "F00D01\n"), ("crlnumber", "12\n")] {
            rig.write(file, content);
        }
        rig.openssl(&format!(
            "req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout ca.key -out ca.pem -subj /CN={name} -addext keyUsage=keyCertSign,cRLSign"
        ));
        rig
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(file), content).unwrap();
    }

    pub(crate) fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.path().join(file)).unwrap()
    }

    pub(crate) fn openssl(&self, arguments: &str) {
        let output =
            Command::new("openssl").args(arguments.split(' ')).current_dir(self.path()).output().expect("openssl is needed for this test");
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Issues `NAME.pem` with the key `NAME.key` under the extensions of that section; more arguments follow.
    pub(crate) fn issue(&self, name: &str, extensions: &str, more: &str) -> Leaf {
        self.openssl(&format!(
            "req -new -nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ));
        self.openssl(&format!("ca -config ca.conf -batch -in {name}.csr -out {name}.pem -notext -extensions {extensions}{more}"));
        self.leaf(name)
    }

    pub(crate) fn leaf(&self, name: &str) -> Leaf {
        self.openssl(&format!("x509 -in {name}.pem -outform DER -out {name}.der"));
        Leaf::parse(&self.read(&format!("{name}.der"))).unwrap()
    }

    pub(crate) fn issuer(&self) -> IssuerCertificate {
        IssuerCertificate::parse(self.leaf("ca").der()).unwrap()
    }

    pub(crate) fn revoke(&self, name: &str, reason: &str) {
        self.openssl(&format!("ca -config ca.conf -revoke {name}.pem -crl_reason {reason}"));
    }

    /// A CRL with the extensions of that section, as PEM.
    pub(crate) fn crl_bytes(&self, extensions: &str) -> Vec<u8> {
        self.openssl(&format!("ca -config ca.conf -gencrl -crlexts {extensions} -out crl.pem"));
        self.read("crl.pem")
    }

    pub(crate) fn crl(&self, extensions: &str) -> Crl {
        self.parse(&self.crl_bytes(extensions)).unwrap().remove(0)
    }

    pub(crate) fn parse(&self, bytes: &[u8]) -> Result<Vec<Crl>, CrlError> {
        Crl::parse_pem_or_der(bytes, &[self.issuer()], &P256)
    }

    /// The device of a leaf that the CA signed directly.
    pub(crate) fn device(&self, leaf: &Leaf) -> DeviceIdentity {
        DeviceIdentity::new(DeviceName::new("pump").unwrap(), leaf.clone(), self.issuer().leaf().spki_digest(), [])
    }
}

/// OpenSSL knows no time but this one.
pub(crate) fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}
