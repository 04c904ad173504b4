//! Certificates made by OpenSSL at test time, read by us and printed by both.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test fail by panicking, as the test itself does")]
#![expect(clippy::disallowed_methods, reason = "a test of pure code against another program needs files for that program")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};
use signet_identity::Leaf;

fn openssl(directory: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).current_dir(directory).output().expect("openssl is needed for this test");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn make(arguments: &[&str]) -> Leaf {
    let directory = tempfile::tempdir().unwrap();
    let mut all = vec!["req", "-x509", "-nodes", "-keyout", "key.pem", "-outform", "DER", "-out", "cert.der"];
    all.extend(arguments);
    openssl(directory.path(), &all);
    Leaf::parse(&std::fs::read(directory.path().join("cert.der")).unwrap()).unwrap()
}

/// The value of one line that `openssl x509 -noout` prints, such as `subject=…`.
fn printed(leaf: &Leaf, what: &[&str]) -> String {
    let mut child = Command::new("openssl")
        .args(["x509", "-inform", "DER", "-noout"])
        .args(what)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(leaf.der()).unwrap();
    let output = child.wait_with_output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    line.split_once('=').expect("one line with `=`").1.trim_end_matches('\n').to_owned()
}

fn assert_same_text(leaf: &Leaf) {
    assert_eq!(leaf.subject().rfc4514(), printed(leaf, &["-subject", "-nameopt", "RFC2253,-esc_msb"]));
    assert_eq!(leaf.issuer().rfc4514(), printed(leaf, &["-issuer", "-nameopt", "RFC2253,-esc_msb"]));
    assert_eq!(leaf.id().serial().to_string().replace(':', ""), printed(leaf, &["-serial"]));
    assert_eq!(leaf.fingerprint().to_string().to_uppercase(), printed(leaf, &["-fingerprint", "-sha256"]).replace(':', ""));
}

const EC: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

#[test]
fn names_read_as_openssl_prints_them() {
    let subjects = [
        "/C=DE/ST=Bayern/L=München/O=Acme, Inc./OU=Hall 3+CN=pump-7+serialNumber=00-17",
        "/DC=com/DC=example/UID=u7/CN=a\\+b, \"c\" <d>; e\\\\f",
        "/CN=#1/street=Main 1/postalCode=80331/emailAddress=a@b.example",
        "/CN= leading and trailing /title=Dr/GN=Ada/SN=L/initials=AL",
        "/dnQualifier=q/pseudonym=p/name=n/description=d/CN=x",
    ];
    for subject in subjects {
        let leaf = make(&[&EC[..], &["-utf8", "-subj", subject]].concat());
        assert_same_text(&leaf);
    }
}

#[test]
fn extensions_and_keys_made_by_openssl() {
    let san = "subjectAltName=DNS:pump-7.example,URI:urn:signet:device:pump-7,email:p@example.com,IP:10.0.0.7,IP:2001:db8::7,RID:1.2.3";
    let leaf = make(
        &[
            &EC[..],
            &[
                "-subj",
                "/CN=pump-7",
                "-addext",
                san,
                "-addext",
                "extendedKeyUsage=clientAuth",
                "-addext",
                "keyUsage=critical,digitalSignature",
                "-set_serial",
                "0x9f01",
            ],
        ]
        .concat(),
    );
    assert_same_text(&leaf);
    assert_eq!(leaf.san().len(), 6);
    assert!(leaf.allows_client_auth() && !leaf.allows_server_auth() && leaf.allows_digital_signature() && !leaf.allows_crl_sign());
    assert_eq!((leaf.key_kind(), leaf.version(), leaf.is_ca()), ("P-256", 3, true));
    assert_eq!(leaf.id().serial().to_string(), "9F:01");

    let rsa = make(&["-newkey", "rsa:2048", "-subj", "/CN=rsa"]);
    assert_eq!(rsa.key_kind(), "RSA-2048");
    assert_same_text(&rsa);
    assert_eq!(make(&["-newkey", "ed25519", "-subj", "/CN=ed"]).key_kind(), "Ed25519");
}

#[test]
fn a_version_1_certificate_is_read_as_such() {
    let directory = tempfile::tempdir().unwrap();
    let mut request = vec!["req", "-new", "-nodes", "-keyout", "key.pem", "-out", "csr.pem", "-subj", "/CN=old"];
    request.extend(EC);
    openssl(directory.path(), &request);
    // Newer releases add extensions, and so version 3, unless told not to; older ones do not know the option.
    let sign = ["x509", "-req", "-in", "csr.pem", "-signkey", "key.pem", "-outform", "DER", "-out", "cert.der"];
    openssl(directory.path(), &sign);
    let leaf = Leaf::parse(&std::fs::read(directory.path().join("cert.der")).unwrap()).unwrap();
    let version = printed(&leaf, &["-ext", "subjectKeyIdentifier", "-subject"]);
    if leaf.version() == 1 {
        assert!(leaf.allows_client_auth() && leaf.san().is_empty() && !leaf.is_ca(), "{version}");
    }
    assert_same_text(&leaf);
}

fn attribute_value() -> impl Strategy<Value = String> {
    // Characters that OpenSSL prints raw and we escape (invisible ones outside ASCII) are left out.
    proptest::collection::vec(prop_oneof![4 => prop::char::range(' ', '~'), 1 => prop::char::range('\0', '\u{1f}'), 1 => prop::sample::select(vec!['\u{7f}', 'é', '泵', '\u{1f600}', ' ', '#', '+', '\\'])], 1..24)
        .prop_map(|characters| characters.into_iter().collect())
    // OpenSSL leaves a value of `#` alone unescaped, against RFC 4514 §2.4.
    .prop_filter("a lone #", |value: &String| value != "#")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_name_reads_as_openssl_prints_it(cn in attribute_value(), ou in attribute_value(), bmp in "[a-z é泵+,][a-z é泵#+,]{0,11}", own in "[a-z ]{1,9}") {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, cn.as_str());
        params.distinguished_name.push(DnType::OrganizationalUnitName, ou.as_str());
        params.distinguished_name.push(DnType::LocalityName, DnValue::BmpString(bmp.as_str().try_into().unwrap()));
        params.distinguished_name.push(DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 99999, 1]), own.as_str());
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
        let leaf = Leaf::parse(&der).unwrap();
        prop_assert_eq!(leaf.subject().cn(), Some(cn.as_str()));
        prop_assert_eq!(leaf.subject().rfc4514(), printed(&leaf, &["-subject", "-nameopt", "RFC2253,-esc_msb"]));
    }
}
