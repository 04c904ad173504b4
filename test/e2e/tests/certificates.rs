//! What Signet issues is what other tools expect: `openssl` verifies its chains and lists, and every kind of key works.

use signet_e2e::{Client, Publication, Site, Version, openssl};

/// Verifies a device's certificate as a TLS client's, against the root, with the authority's CRL.
#[track_caller]
fn verify(site: &Site, certificate: &str) -> (Option<i32>, String) {
    let arguments = ["verify", "-CAfile", "ca/root.pem", "-untrusted", "ca/issuing.pem", "-CRLfile", "ca/crl.pem"];
    let finished =
        openssl(site.folder(), &[&arguments[..], &["-crl_check", "-x509_strict", "-purpose", "sslclient", certificate]].concat());
    (finished.code, finished.output)
}

#[test]
fn openssl_verifies_chain_and_list() {
    let site = Site::quickstart();
    let (code, output) = verify(&site, "devices/pump-7.pem");
    assert_eq!(code, Some(0), "{output}");
    let server = ["verify", "-CAfile", "ca/root.pem", "-untrusted", "ca/issuing.pem", "-x509_strict", "-purpose", "sslserver"];
    openssl(site.folder(), &[&server[..], &["-verify_hostname", "localhost", "server/server.pem"]].concat()).succeeded();

    site.signet(&["device", "revoke", "pump-7", "--reason", "keyCompromise"]).succeeded();
    let (code, output) = verify(&site, "devices/pump-7.pem");
    assert!(code != Some(0) && output.contains("certificate revoked"), "{output}");
    let list = openssl(site.folder(), &["crl", "-in", "ca/crl.pem", "-noout", "-text"]).succeeded();
    assert!(list.says("Key Compromise") && list.says("X509v3 CRL Number"), "{}", list.output);
}

#[test]
fn every_kind_of_key_connects() {
    let site = Site::quickstart();
    let _broker = site.serve();
    for kind in ["p256", "p384", "ed25519", "rsa2048"] {
        let name = format!("device-{kind}");
        site.signet(&["device", "add", &name, "--key-type", kind]).succeeded();
        for client in Client::ALL {
            let topic = format!("{name}/x");
            client.publish(Version::V5, site.port(), &site.device(&name), &Publication::of(&topic, "x", 1)).succeeded();
        }
    }
}

/// The request asks for a certification authority with another name; what it gets is a device's certificate with the name that was ordered.
#[test]
fn a_request_gives_its_key_and_nothing_else() {
    let site = Site::quickstart();
    let _broker = site.serve();
    let request = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "pump-8.key"];
    let wishes = ["-subj", "/CN=admin/O=Other", "-addext", "basicConstraints=critical,CA:TRUE", "-out", "pump-8.csr"];
    openssl(site.folder(), &[&request[..], &wishes[..]].concat()).succeeded();
    site.signet(&["device", "add", "pump-8", "--csr", "pump-8.csr"]).succeeded();
    let text = openssl(site.folder(), &["x509", "-in", "devices/pump-8.pem", "-noout", "-subject", "-ext", "basicConstraints"]).succeeded();
    assert!(text.says("CN = pump-8") && text.says("CA:FALSE") && !text.says("Other"), "{}", text.output);

    let mut device = site.device("pump-8");
    device.certificate = Some((site.path("devices/pump-8.pem"), site.path("pump-8.key")));
    Client::Mosquitto.publish(Version::V5, site.port(), &device, &Publication::of("pump-8/x", "x", 1)).succeeded();
}

/// A request whose signature was made with another key proves nothing.
#[test]
fn a_request_without_proof_of_possession_is_refused() {
    let site = Site::quickstart();
    let request = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "a.key"];
    openssl(site.folder(), &[&request[..], &["-subj", "/CN=pump-8", "-outform", "DER", "-out", "a.csr"]].concat()).succeeded();
    let mut csr = std::fs::read(site.path("a.csr")).expect("the request");
    // The last octets are of the signature.
    if let Some(last) = csr.last_mut() {
        *last ^= 1;
    }
    std::fs::write(site.path("forged.csr"), csr).expect("the forged request");
    let refused = site.signet(&["device", "add", "pump-8", "--csr", "forged.csr"]);
    assert_ne!(refused.code, Some(0), "{}", refused.output);
    assert!(!site.path("devices/pump-8.pem").exists());
    site.signet(&["device", "add", "pump-8", "--csr", "a.csr"]).succeeded();
}

#[test]
fn the_inventory_lists_what_was_issued_and_revoked() {
    let site = Site::quickstart();
    let broker = site.serve();
    site.signet(&["device", "add", "pump-8"]).succeeded();
    site.signet(&["device", "revoke", "pump-7", "--reason", "superseded"]).succeeded();
    let with_broker = site.signet(&["device", "list", "--json"]).succeeded().output;
    broker.stop().succeeded();
    for name in ["pump-7", "pump-8", "superseded"] {
        assert!(with_broker.contains(name), "{with_broker}");
    }
    // The same from the ledger itself, after a restart of everything.
    let alone = site.signet(&["device", "show", "pump-7"]).succeeded().output;
    assert!(alone.contains("superseded"), "{alone}");
}

#[test]
fn keys_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::quickstart();
    let _broker = site.serve();
    for path in ["ca/root.key", "ca/issuing.key", "server/server.key", "devices/pump-7.key", "data/ledger.redb", "data/admin.sock"] {
        let mode = std::fs::metadata(site.path(path)).expect("the file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{path}");
    }
}
