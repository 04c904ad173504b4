//! A CA kept by OpenSSL: its certificates are revoked and its CRLs read by us.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test fail by panicking, as the test itself does")]
#![expect(clippy::disallowed_methods, reason = "a test of pure code against another program needs files for that program")]

use std::path::Path;
use std::process::Command;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use signet_identity::der::{self, Reader};
use signet_identity::{CertificateId, Leaf, PathCertificate};
use signet_revocation::{
    Assurance, Crl, IssuerCertificate, ListSource, Reason, RevocationIndex, SignatureVerifier, SignedData, StalePolicy, Verdict,
};

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
crl_extensions = crl_ext
[p]
commonName = supplied
[crl_ext]
authorityKeyIdentifier = keyid
";

struct Rsa;

impl SignatureVerifier for Rsa {
    fn verify(&self, signed: SignedData<'_>) -> Result<(), String> {
        let mut spki = Reader::document(signed.issuer_spki).unwrap();
        spki.sequence().unwrap();
        let key = spki.expect(der::BIT_STRING).unwrap().content.strip_prefix(&[0]).unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
            .verify(signed.to_be_signed, signed.signature)
            .map_err(|_| "no match".to_owned())
    }
}

fn openssl(directory: &Path, arguments: &str) {
    let output =
        Command::new("openssl").args(arguments.split(' ')).current_dir(directory).output().expect("openssl is needed for this test");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn certificates_revoked_by_openssl_are_revoked_here() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let read = |name: &str| std::fs::read(path.join(name)).unwrap();
    // The first serial number has its highest bit set, so that DER puts a zero octet before it.
    for (name, content) in [("ca.conf", CONFIGURATION), ("index.txt", ""), ("serial", "F00D01\n"), ("crlnumber", "12\n")] {
        std::fs::write(path.join(name), content).unwrap();
    }
    openssl(path, "req -x509 -nodes -newkey rsa:2048 -keyout ca.key -out ca.pem -subj /CN=OpenSSL-CA -addext keyUsage=keyCertSign,cRLSign");
    openssl(path, "x509 -in ca.pem -outform DER -out ca.der");
    let mut leaves = Vec::new();
    for name in ["a", "b", "c"] {
        openssl(path, &format!("req -new -nodes -newkey rsa:2048 -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        openssl(path, &format!("ca -config ca.conf -batch -in {name}.csr -out {name}.pem -notext"));
        openssl(path, &format!("x509 -in {name}.pem -outform DER -out {name}.der"));
        leaves.push(Leaf::parse(&read(&format!("{name}.der"))).unwrap().id());
    }
    let [a, b, c] = leaves[..] else { panic!("three leaves") };
    assert_eq!(a.serial().to_string(), "F0:0D:01");
    openssl(path, "ca -config ca.conf -revoke a.pem -crl_reason keyCompromise");
    openssl(path, "ca -config ca.conf -revoke b.pem -crl_reason certificateHold");
    openssl(path, "ca -config ca.conf -gencrl -out crl.pem");
    openssl(path, "crl -in crl.pem -outform DER -out crl.der");

    let issuers = [IssuerCertificate::parse(&read("ca.der")).unwrap()];
    let from_pem = Crl::parse_pem_or_der(&read("crl.pem"), &issuers, &Rsa).unwrap().remove(0);
    let from_der = Crl::parse_pem_or_der(&read("crl.der"), &issuers, &Rsa).unwrap().remove(0);
    assert_eq!(from_pem.status(), from_der.status());
    assert_eq!(from_pem.status().number, Some(0x12.into()));
    let next_update = from_pem.status().next_update.unwrap();
    assert_eq!(next_update - from_pem.status().this_update, 7 * 86_400);

    let source = ListSource::new("crl.pem");
    let index = RevocationIndex::new().with_crl(from_pem, source.clone()).unwrap();
    assert_eq!(index.len(), 2);
    assert_eq!(index.lookup(&a).unwrap().reason, Reason::KeyCompromise);
    assert_eq!(index.lookup(&b).unwrap().reason, Reason::CertificateHold);
    assert_eq!(index.verdict(&[on_path(c, issuers[0].leaf())], next_update, StalePolicy::Deny), Verdict::Good(Assurance::NotAsked));
    assert!(matches!(index.verdict(&[on_path(c, issuers[0].leaf())], next_update + 1, StalePolicy::Deny), Verdict::Stale { .. }));

    openssl(path, "ca -config ca.conf -revoke c.pem");
    openssl(path, "ca -config ca.conf -gencrl -out crl2.pem");
    let newer = Crl::parse_pem_or_der(&read("crl2.pem"), &issuers, &Rsa).unwrap().remove(0);
    let index = index.with_crl(newer, source.clone()).unwrap();
    assert!(index.lookup(&c).is_some());
    assert!(index.with_crl(from_der, source).unwrap_err().to_string().contains("number 18, but number 19 is loaded"));
}

fn on_path(id: CertificateId, issuer: &Leaf) -> PathCertificate {
    PathCertificate { id, issuer_key: issuer.spki_digest() }
}
