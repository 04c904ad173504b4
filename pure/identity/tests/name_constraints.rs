//! The same certificates under the same constraints, judged by OpenSSL and by us.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test fail by panicking, as the test itself does")]
#![expect(clippy::disallowed_methods, reason = "a test of pure code against another program needs files for that program")]

use std::path::Path;
use std::process::Command;

use signet_identity::{Leaf, NameConstraints};

fn openssl(directory: &Path, arguments: &[&str]) -> bool {
    Command::new("openssl").args(arguments).current_dir(directory).output().expect("openssl is needed for this test").status.success()
}

/// Whether both take a leaf with this subject and subjectAltName under a CA with these constraints.
fn verdicts(directory: &Path, constraints: &str, subject: &str, san: &str) -> (bool, bool) {
    let root = format!(
        "[req]\ndistinguished_name=dn\nprompt=no\nx509_extensions=ext\n[dn]\nCN=root\n[ext]\nbasicConstraints=critical,CA:TRUE\n\
         nameConstraints=critical,{constraints}\n[acme]\nC=DE\nO=Acme\n"
    );
    std::fs::write(directory.join("root.cnf"), root).unwrap();
    let san_line = if san.is_empty() { String::new() } else { format!("subjectAltName={san}\n") };
    let leaf = format!("[ext]\nbasicConstraints=CA:FALSE\n{san_line}[hall]\nC=DE\nO=Acme\nOU=Hall\n[other]\nC=DE\nO=Other\n");
    std::fs::write(directory.join("leaf.cnf"), leaf).unwrap();
    let steps: [&[&str]; 4] = [
        &["req", "-x509", "-key", "key.pem", "-config", "root.cnf", "-out", "root.pem"],
        &["req", "-new", "-key", "key.pem", "-subj", subject, "-out", "leaf.csr"],
        &[
            "x509",
            "-req",
            "-in",
            "leaf.csr",
            "-CA",
            "root.pem",
            "-CAkey",
            "key.pem",
            "-CAcreateserial",
            "-extfile",
            "leaf.cnf",
            "-extensions",
            "ext",
            "-out",
            "leaf.pem",
        ],
        &["x509", "-in", "leaf.pem", "-outform", "DER", "-out", "leaf.der"],
    ];
    for step in steps {
        assert!(openssl(directory, step), "{step:?}: {constraints} {subject} {san}");
    }
    assert!(openssl(directory, &["x509", "-in", "root.pem", "-outform", "DER", "-out", "root.der"]));
    let theirs = openssl(directory, &["verify", "-CAfile", "root.pem", "leaf.pem"]);
    let read = |name: &str| Leaf::parse(&std::fs::read(directory.join(name)).unwrap()).unwrap();
    let ours = NameConstraints::of(&read("root.der")).unwrap().expect("the extension is there").check(&read("leaf.der"));
    (theirs, ours.is_ok())
}

#[test]
fn openssl_judges_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    assert!(openssl(directory, &["genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key.pem"]));
    for (constraints, subject, san, expected) in [
        ("permitted;DNS:acme.example", "/CN=x", "DNS:pump.acme.example", true),
        ("permitted;DNS:acme.example", "/CN=x", "DNS:ACME.example", true),
        ("permitted;DNS:acme.example", "/CN=x", "DNS:evilacme.example", false),
        ("permitted;DNS:acme.example", "/CN=x", "DNS:pump.acme.example,DNS:b.example", false),
        ("permitted;DNS:acme.example,permitted;DNS:b.example", "/CN=x", "DNS:pump.acme.example,DNS:b.example", true),
        ("permitted;DNS:acme.example", "/CN=x", "email:a@b.example", true),
        ("permitted;DNS:acme.example", "/CN=pump.b.example", "", false),
        ("excluded;DNS:acme.example", "/CN=x", "DNS:pump.acme.example", false),
        ("excluded;DNS:acme.example", "/CN=x", "DNS:acme.example.org", true),
        ("permitted;email:acme.example", "/CN=x", "email:a@ACME.example", true),
        ("permitted;email:acme.example", "/CN=x", "email:a@sub.acme.example", false),
        ("permitted;email:.acme.example", "/CN=x", "email:a@sub.acme.example", true),
        ("permitted;email:.acme.example", "/CN=x", "email:a@acme.example", false),
        ("permitted;email:a@acme.example", "/CN=x", "email:a@acme.example", true),
        ("permitted;email:a@acme.example", "/CN=x", "email:A@acme.example", false),
        ("permitted;email:acme.example", "/CN=x/emailAddress=a@b.example", "", false),
        ("excluded;email:acme.example", "/CN=x/emailAddress=a@acme.example", "", false),
        ("permitted;URI:acme.example", "/CN=x", "URI:spiffe://acme.example/pump", true),
        ("permitted;URI:acme.example", "/CN=x", "URI:spiffe://acme.example:99/pump", true),
        ("permitted;URI:acme.example", "/CN=x", "URI:spiffe://user@acme.example/pump", false),
        ("permitted;URI:acme.example", "/CN=x", "URI:spiffe://sub.acme.example/pump", false),
        ("permitted;URI:.acme.example", "/CN=x", "URI:spiffe://sub.acme.example/pump", true),
        ("permitted;URI:acme.example", "/CN=x", "URI:urn:signet:pump", false),
        ("excluded;URI:acme.example", "/CN=x", "URI:spiffe://acme.example/pump", false),
        ("excluded;URI:acme.example", "/CN=x", "URI:spiffe://b.example/acme.example", true),
        ("permitted;IP:10.0.0.0/255.0.0.0", "/CN=x", "IP:10.9.9.9", true),
        ("permitted;IP:10.0.0.0/255.0.0.0", "/CN=x", "IP:11.0.0.1", false),
        ("permitted;IP:10.0.0.0/255.0.0.0", "/CN=x", "IP:2001:db8::1", false),
        ("excluded;IP:2001:db8::/ffff:ffff::", "/CN=x", "IP:2001:db8::1", false),
        ("excluded;IP:2001:db8::/ffff:ffff::", "/CN=x", "IP:2001:db9::1", true),
        ("permitted;dirName:acme", "/C=DE/O=Acme/CN=pump", "", true),
        ("permitted;dirName:acme", "/C=DE/O=ACME/CN=pump", "", true),
        ("permitted;dirName:acme", "/C=DE/O= Acme /CN=pump", "", true),
        ("permitted;dirName:acme", "/C=DE/O=Acme 2/CN=pump", "", false),
        ("permitted;dirName:acme", "/O=Acme/C=DE/CN=pump", "", false),
        ("permitted;dirName:acme", "/C=DE/CN=pump", "", false),
        ("excluded;dirName:acme", "/C=DE/O=acme/CN=pump", "", false),
        ("excluded;dirName:acme", "/C=DE/O=Other/CN=pump", "", true),
        ("permitted;dirName:acme", "/C=DE/O=Acme/CN=pump", "dirName:hall", true),
        ("permitted;dirName:acme", "/C=DE/O=Acme/CN=pump", "dirName:other", false),
    ] {
        assert_eq!(
            verdicts(directory, constraints, subject, san),
            (expected, expected),
            "(openssl, ours): {constraints} on {subject} {san}"
        );
    }
}

#[test]
fn where_we_are_stricter_than_openssl() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    assert!(openssl(directory, &["genpkey", "-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key.pem"]));
    for (constraints, subject, san) in [
        // OpenSSL looks at a common name only where there is no DNS name beside it.
        ("permitted;DNS:acme.example", "/CN=pump.b.example", "DNS:pump.acme.example"),
        // What OpenSSL takes for the host is the user.
        ("permitted;URI:acme.example", "/CN=x", "URI:spiffe://acme.example:x@b.example/pump"),
        // A wildcard stands for what is excluded too.
        ("excluded;DNS:secret.acme.example", "/CN=x", "DNS:*.acme.example"),
    ] {
        assert_eq!(verdicts(directory, constraints, subject, san), (true, false), "(openssl, ours): {constraints} on {subject} {san}");
    }
}
