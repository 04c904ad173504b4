//! Certificates and chains that are damaged, too many, too large, or of a kind that nobody should make any more, through a listener that runs.

use rcgen::CustomExtension;
use rustls::AlertDescription as Alert;
use signet_identity::Leaf;
use signet_tls::Check;

use super::forge::{Ca, Met, Shown, VERSIONS, meet};
use super::stage::Stage;

/// Whatever a certificate is cut to or says of its length: nobody is let in, and the server goes on.
#[test]
fn damaged_certificates() {
    let root = Ca::root("Root");
    let middle = root.below("Middle");
    let good = middle.leaf("pump-7").with([&middle]);
    let stage = Stage::new(1, |_| {});
    stage.trust(&[stage.profile("devices", &[&root])]);
    let ca_file = stage.rig.pki.ca_file();
    let mut damaged: Vec<Shown> = Vec::new();
    for at in 0..good.chain.len() {
        let whole = good.chain[at].clone();
        for length in (0..whole.len()).step_by(16).chain([1, whole.len() - 1]) {
            damaged.push(with_certificate(&good, at, whole[..length].to_vec()));
        }
        // The lengths that the encoding begins with, and every sixteenth octet.
        for position in (0..whole.len()).step_by(16).chain([1, 2, 3, 5, 6, 7]) {
            for octet in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut wrong = whole.clone();
                if std::mem::replace(&mut wrong[position], octet) != octet {
                    damaged.push(with_certificate(&good, at, wrong));
                }
            }
        }
        damaged.push(with_certificate(&good, at, [whole.as_slice(), &[0]].concat()));
    }
    for (number, shown) in damaged.iter().enumerate() {
        let (met, _) = meet(stage.port(), &shown.client(&ca_file, VERSIONS[number % 2]));
        assert!(matches!(met, Met::Alert(_)), "number {number}: {met:?}");
        let refusal = stage.refusal().refusal;
        assert!(
            matches!(
                refusal.check,
                Check::CertificateForm
                    | Check::Path
                    | Check::Validity
                    | Check::Usage
                    | Check::Name
                    | Check::Possession
                    | Check::CertificatePresent
            ),
            "number {number}: {refusal:?}"
        );
    }
    stage.rig.await_connections(0);
    assert_eq!(meet(stage.port(), &good.client(&ca_file, VERSIONS[1])).0, Met::In([0x20, 2, 0, 0]));
}

fn with_certificate(shown: &Shown, at: usize, der: Vec<u8>) -> Shown {
    let mut changed = shown.clone();
    changed.chain[at] = der;
    changed
}

#[test]
fn chains_without_end() {
    let root = Ca::root("Root");
    let (stage, leaf) = (Stage::new(1, |_| {}), root.leaf("pump-7"));
    stage.trust(&[stage.profile("devices", &[&root])]);
    let ca_file = stage.rig.pki.ca_file();
    // Every one could be the next, and none leads on.
    let maze: Vec<Ca> = (0..60).map(|_| Ca::root("Maze")).collect();
    let lost = maze[0].leaf("pump-7").with(maze.iter().skip(1));
    let padding = root.below_with("Padding", |params| {
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99, 8], vec![0; 60_000])];
    });
    let large = root.leaf_with("pump-7", |params| {
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99, 8], vec![4; 20_000])];
    });
    for version in VERSIONS {
        let (met, _) = meet(stage.port(), &lost.client(&ca_file, version));
        assert_eq!(met, Met::Alert(Alert::UnknownCA), "the maze");
        assert_eq!(stage.refusal().refusal.check, Check::Path);
        let (met, _) = meet(stage.port(), &maze[0].leaf("pump-7").with(maze.iter().skip(1).take(6)).client(&ca_file, version));
        assert_eq!(met, Met::Alert(Alert::UnknownCA), "a small maze");
        assert_eq!(stage.refusal().refusal.check, Check::Path);
        // Six that have nothing to do with the device's, and one large certificate: no reason to refuse.
        assert!(
            matches!(meet(stage.port(), &leaf.clone().with(maze.iter().take(6)).client(&ca_file, version)).0, Met::In(_)),
            "{:?}",
            stage.refusal()
        );
        assert!(matches!(meet(stage.port(), &large.client(&ca_file, version)).0, Met::In(_)), "{:?}", stage.refusal());
        // More than 64 KiB is more than TLS messages may be here.
        let (met, _) = meet(stage.port(), &leaf.clone().with([&padding, &padding]).client(&ca_file, version));
        assert!(matches!(met, Met::Alert(_) | Met::Closed), "{met:?}");
        assert_eq!(stage.refusal().refusal.check, Check::Handshake);
    }
    stage.rig.await_connections(0);
    assert_eq!(meet(stage.port(), &leaf.client(&ca_file, VERSIONS[0])).0, Met::In([0x20, 2, 0, 0]));
}

/// What rcgen does not make, `openssl` does: version 1, SHA-1, short RSA keys.
#[test]
fn what_openssl_makes_and_nobody_should() {
    let root = Ca::root("Root");
    let stage = Stage::new(1, |_| {});
    stage.trust(&[stage.profile("devices", &[&root])]);
    let directory = stage.files.path();
    root.write(directory, "root");
    let openssl = |line: &str, subject: &str| {
        let arguments = line.split(' ').map(|word| if word == "SUBJECT" { subject } else { word });
        let output = std::process::Command::new("openssl").current_dir(directory).args(arguments).output().unwrap();
        assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    std::fs::write(directory.join("v3.cnf"), "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=clientAuth\n")
        .unwrap();
    let make = |name: &str, key: &str, issuer: &str, more: &str| {
        openssl(&format!("genpkey {key} -out {name}.key"), "");
        openssl(&format!("req -new -key {name}.key -subj SUBJECT -out {name}.csr"), &format!("/CN={name}"));
        let line = format!("x509 -req -days 9 -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -out {name}.pem");
        openssl(&if more.is_empty() { line } else { format!("{line} {more}") }, "");
        let der = openssl(&format!("x509 -in {name}.pem -outform DER"), "");
        Shown { chain: vec![der], key: openssl(&format!("pkcs8 -topk8 -nocrypt -in {name}.key -outform DER"), "") }
    };
    const EC: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
    let old = make("old", EC, "root", "-sha256");
    let below_old = make("below-old", EC, "old", "-extfile v3.cnf");
    let weak = make("weak", EC, "root", "-sha1 -extfile v3.cnf");
    let short = make("short", "-algorithm RSA -pkeyopt rsa_keygen_bits:1024", "root", "-extfile v3.cnf");
    for (shown, check, words) in [
        (old.clone(), Check::CertificateForm, "X.509 version 1"),
        (below_old.with_der(old.der().to_vec()), Check::Path, "its path cannot be verified"),
        (weak, Check::Path, "a signature algorithm in its path is not supported"),
    ] {
        let refusal = stage.refuse(&shown);
        assert!(refusal.check == check && refusal.found.contains(words) && refusal.serial.is_some(), "{words}: {refusal:?}");
    }
    // The client library of our tests does not sign with so short a key.
    for version in ["-tls1_2", "-tls1_3"] {
        let output = std::process::Command::new("openssl")
            .current_dir(directory)
            .args(["s_client", "-connect", &format!("127.0.0.1:{}", stage.port()), "-cert", "short.pem", "-key", "short.key", version])
            .args(["-cipher", "DEFAULT@SECLEVEL=0", "-ign_eof"])
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        assert!(String::from_utf8_lossy(&text).contains("SSL alert number 43"), "{}", String::from_utf8_lossy(&text));
        let refusal = stage.refusal().refusal;
        assert!(refusal.check == Check::CertificateForm && refusal.found.contains("RSA-1024"), "{refusal:?}");
    }
    assert_eq!(Leaf::parse(short.der()).unwrap().key_kind(), "RSA-1024");
    stage.rig.await_connections(0);
}
