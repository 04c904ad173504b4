//! Certificates made by OpenSSL at test time, read by us and printed by both.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test fail by panicking, as the test itself does")]
#![expect(clippy::disallowed_methods, reason = "a test of pure code against another program needs files for that program")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};
use signet_identity::{Facts, Leaf, Template};

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

/// All that `openssl x509` prints.
fn whole(leaf: &Leaf, what: &[&str]) -> String {
    let arguments = if what.contains(&"-outform") { &["x509", "-inform", "DER"][..] } else { &["x509", "-inform", "DER", "-noout"] };
    let mut child = Command::new("openssl").args(arguments).args(what).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(leaf.der()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

/// The value of one line that `openssl x509 -noout` prints, such as `subject=…`.
fn printed(leaf: &Leaf, what: &[&str]) -> String {
    let line = whole(leaf, what);
    line.split_once('=').expect("one line with `=`").1.trim_end_matches('\n').to_owned()
}

fn assert_same_text(leaf: &Leaf) {
    assert_eq!(leaf.subject().rfc4514(), printed(leaf, &["-subject", "-nameopt", "RFC2253,-esc_msb"]));
    assert_eq!(leaf.subject().rfc2253(), printed(leaf, &["-subject", "-nameopt", "RFC2253"]));
    assert_eq!(leaf.subject().legacy(), printed(leaf, &["-subject", "-nameopt", "compat"]));
    assert_eq!(leaf.issuer().rfc4514(), printed(leaf, &["-issuer", "-nameopt", "RFC2253,-esc_msb"]));
    assert_eq!(leaf.id().serial().to_string().replace(':', ""), printed(leaf, &["-serial"]));
    assert_eq!(leaf.fingerprint().to_string().to_uppercase(), printed(leaf, &["-fingerprint", "-sha256"]).replace(':', ""));
}

fn render(leaf: &Leaf, template: &str) -> String {
    Template::parse(template).unwrap().render_lines(&Facts { leaf: Some(leaf), ..Facts::default() }).unwrap()
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
        "/CN=a\\/b/businessCategory=Private/telephoneNumber=1/mail=m@x.example/role=r/houseIdentifier=h/jurisdictionC=DE/postOfficeBox=9",
        "/CN=x#/O= /OU=\\\\/unstructuredAddress=u",
        "/1.3.6.1.4.1.99999.1=own/CN=plus\\+sign",
    ];
    for subject in subjects {
        let leaf = make(&[&EC[..], &["-utf8", "-subj", subject]].concat());
        assert_same_text(&leaf);
    }
    // RFC 4514 §2.4 wants a `\` before it, OpenSSL writes none: each form as it is.
    let alone = make(&[&EC[..], &["-subj", "/CN=#"]].concat());
    assert_eq!((alone.subject().rfc4514().as_str(), alone.subject().rfc2253().as_str()), (r"CN=\#", "CN=#"));
    assert_eq!(alone.subject().rfc2253(), printed(&alone, &["-subject", "-nameopt", "RFC2253"]));
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
fn what_other_programs_call_a_certificate_is_what_openssl_prints() {
    for (kind, algorithm, signature) in [
        (&["-newkey", "rsa:2048"][..], "RSA", "sha256WithRSAEncryption"),
        (&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-sha384"], "EC", "ecdsa-with-SHA384"),
        (&["-newkey", "ed25519"], "Ed25519", "Ed25519"),
        (&["-newkey", "rsa-pss", "-sha512"], "RSA-PSS", "rsassaPss"),
        (&["-newkey", "rsa:1024", "-sha1"], "RSA", "sha1WithRSAEncryption"),
        (&["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"], "EC", "ecdsa-with-SHA256"),
    ] {
        let leaf =
            make(&[kind, &["-subj", "/CN=pump-7", "-days", "9", "-set_serial", "0x00f5000000000000000000000000000000000001"]].concat());
        for (template, what) in
            [("${cert.fingerprint.sha1}", "-sha1"), ("${cert.fingerprint.md5}", "-md5"), ("${cert.fingerprint.sha256}", "-sha256")]
        {
            assert_eq!(render(&leaf, template).to_uppercase(), printed(&leaf, &["-fingerprint", what]).replace(':', ""));
        }
        assert_eq!(render(&leaf, "${cert.not_before.openssl}"), printed(&leaf, &["-startdate"]));
        assert_eq!(render(&leaf, "${cert.not_after.openssl}"), printed(&leaf, &["-enddate"]));
        assert_eq!(render(&leaf, "${cert.serial.upper}"), printed(&leaf, &["-serial"]));
        assert_eq!(render(&leaf, "${cert.serial.decimal}"), "5463682573640002669676250976798848568965201921");
        assert_eq!(leaf.key_algorithm().to_string(), algorithm);
        assert_eq!(leaf.signature_algorithm().name(), signature);
        assert_eq!(leaf.signature_algorithm().has_broken_digest(), kind.contains(&"-sha1"));
        let text = whole(&leaf, &["-text", "-certopt", "no_sigdump"]);
        if algorithm != "Ed25519" {
            assert!(text.contains(&format!("Public-Key: ({} bit)", leaf.key_bits().unwrap())), "{text}");
        }
        assert!(text.contains(&format!("Signature Algorithm: {signature}").replace("Ed25519", "ED25519")), "{text}");
        assert_eq!(render(&leaf, "${cert.pem}"), whole(&leaf, &["-outform", "PEM"]));
        let ski = whole(&leaf, &["-ext", "subjectKeyIdentifier"]);
        assert!(ski.trim_end().ends_with(&printed_octets(&render(&leaf, "${cert.ski}"))), "{ski}");
    }
    assert_eq!(make(&["-newkey", "rsa-pss", "-sha512", "-subj", "/CN=x"]).signature_algorithm().digest(), Some("SHA-512"));
}

/// `AB:CD` of `abcd`.
fn printed_octets(digits: &str) -> String {
    let digits = digits.to_uppercase();
    digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect::<Vec<_>>().join(":")
}

#[test]
fn names_of_every_form_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let section = "\
        [req]\ndistinguished_name = dn\nx509_extensions = ext\nprompt = no\n[dn]\nCN = x\n\
        [ext]\nsubjectAltName = @san\nextendedKeyUsage = clientAuth, 1.3.6.1.4.1.99999.7\nbasicConstraints = CA:TRUE, pathlen:3\n\
        1.3.6.1.4.1.99999.8 = ASN1:UTF8String:Hall 3\n1.3.6.1.4.1.99999.9 = ASN1:INTEGER:7\n\
        [san]\ndirName.1 = hall\ndirName.2 = gate\notherName.1 = 1.3.6.1.4.1.311.20.2.3;UTF8:pump-7@example.com\n\
        otherName.2 = 1.3.6.1.4.1.311.20.2.3;INTEGER:7\nRID.1 = 1.2.3.4\nDNS.1 = a.example\nDNS.2 = b.example\nURI.1 = spiffe://acme.example/hall/pump-7\n\
        [hall]\nO = Acme, Inc.\nOU = Hall 3\n[gate]\nOU = Gate\n";
    std::fs::write(directory.path().join("c.cnf"), section).unwrap();
    let config = directory.path().join("c.cnf");
    let leaf = make(&[&EC[..], &["-config", config.to_str().unwrap()]].concat());
    for (template, expected) in [
        ("${cert.san.dirname}", r"OU=Hall 3,O=Acme\, Inc."),
        ("${cert.san.dirname[-1]}", "OU=Gate"),
        ("${cert.san.other.1.3.6.1.4.1.311.20.2.3}", "pump-7@example.com"),
        ("${cert.san.rid}", "1.2.3.4"),
        ("${cert.san.dns[1]}", "b.example"),
        ("${cert.spiffe}", "spiffe://acme.example/hall/pump-7"),
        ("${cert.spiffe.trust_domain}", "acme.example"),
        ("${cert.spiffe.path}", "/hall/pump-7"),
        ("${cert.spiffe.path[-1]}", "pump-7"),
        ("${cert.eku[1]}", "1.3.6.1.4.1.99999.7"),
        ("${cert.extension.1.3.6.1.4.1.99999.8}", "Hall 3"),
        ("${cert.extension.1.3.6.1.4.1.99999.9}", "020107"),
    ] {
        assert_eq!(render(&leaf, template), expected, "{template}");
    }
    let second = Template::parse("${cert.san.other.1.3.6.1.4.1.311.20.2.3[1]}").unwrap();
    let error = second.render(&Facts { leaf: Some(&leaf), ..Facts::default() }).unwrap_err().to_string();
    assert!(error.contains("is not text"), "{error}");
    assert_eq!(leaf.path_length(), Some(3));
    assert_eq!(leaf.extended_key_usages(), ["1.3.6.1.5.5.7.3.2", "1.3.6.1.4.1.99999.7"]);
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
        prop_assert_eq!(leaf.subject().rfc2253(), printed(&leaf, &["-subject", "-nameopt", "RFC2253"]));
        prop_assert_eq!(leaf.subject().legacy(), printed(&leaf, &["-subject", "-nameopt", "compat"]));
    }
}
