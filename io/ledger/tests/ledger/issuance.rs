//! Certificates of every profile and key type, judged by openssl.

use std::path::Path;

use signet_ca::{
    Authority, IssuanceError, IssuanceRequest, IssuedCertificate, KeyType, Ledger as _, LedgerError, SerialEntropy, ServerName,
    SignatureAlgorithm, Signer, SignerError, Status, issue_certificate, prepare,
};
use signet_identity::DeviceName;
use signet_ledger::{AuthorityFiles, MemoryLedger, Overwrite, PrivateKey, read_key, serial_entropy};

use crate::support::{create_authority, device_request, leaf_of_key, now, openssl, openssl_ok, put, text};

fn issue(authority: &Authority, request: IssuanceRequest) -> IssuedCertificate {
    issue_certificate(authority, &mut MemoryLedger::new(), request, serial_entropy().unwrap(), now()).unwrap()
}

/// Verifies a chain file against the root only, as a peer would that gets the intermediate in the handshake.
fn verify(files: &AuthorityFiles, chain: &Path, purpose: &str) -> (bool, String) {
    let root = files.root_certificate();
    let output = openssl(&["verify", "-x509_strict", "-CAfile", text(&root), "-untrusted", text(chain), "-purpose", purpose, text(chain)]);
    (output.status.success(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn openssl_accepts_what_every_kind_of_authority_issues_to_every_kind_of_key() {
    for ca_type in [KeyType::P256, KeyType::P384, KeyType::Ed25519, KeyType::Rsa2048] {
        let directory = tempfile::tempdir().unwrap();
        let (files, authority) = create_authority(directory.path(), ca_type);
        for key_type in KeyType::ALL {
            let key = PrivateKey::generate(key_type).unwrap();
            let key_path = directory.path().join(format!("{key_type}.key"));
            key.write(&key_path, Overwrite::Never).unwrap();
            let request = IssuanceRequest::device(DeviceName::new("pump-7").unwrap(), key.subject_key().unwrap(), "test");
            let issued = issue(&authority, request);
            let chain = put(directory.path().join(format!("{key_type}.pem")), issued.chain_pem());
            let (accepted, output) = verify(&files, &chain, "sslclient");
            assert!(accepted, "{ca_type} {key_type}: {output}");
            let (accepted, output) = verify(&files, &chain, "sslserver");
            assert!(!accepted, "a device certificate passes as a server: {output}");
            assert_eq!(leaf_of_key(&chain, &key_path).id(), issued.id());
            openssl_ok(&["pkey", "-in", text(&key_path), "-noout", "-check"]);
            assert_eq!(read_key(&key_path).unwrap().subject_key().unwrap(), key.subject_key().unwrap());
        }
    }
}

#[test]
fn a_device_certificate_says_what_the_profile_says() {
    let directory = tempfile::tempdir().unwrap();
    let (files, authority) = create_authority(directory.path(), KeyType::P256);
    let issued = issue(&authority, device_request("pump-7"));
    let chain = put(directory.path().join("pump-7.pem"), issued.chain_pem());
    let shown = openssl_ok(&["x509", "-in", text(&chain), "-noout", "-text", "-nameopt", "RFC2253"]);
    for expected in [
        "Version: 3",
        "Subject: CN=pump-7\n",
        "Issuer: CN=Test Issuing\n",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n",
        "X509v3 Basic Constraints: critical\n                CA:FALSE\n",
        "URI:urn:signet:device:pump-7, DNS:pump-7\n",
        "X509v3 Subject Key Identifier:",
        "X509v3 Authority Key Identifier:",
    ] {
        assert!(shown.contains(expected), "{expected:?} is missing in {shown}");
    }
    assert_eq!(issued.chain_pem().matches("BEGIN CERTIFICATE").count(), 2, "leaf and issuing, without the root");
    let validity = issued.leaf().validity();
    assert_eq!(validity.not_after - validity.not_before, 365 * 24 * 60 * 60 + 5 * 60);
    assert_eq!(issued.id().serial().as_octets().len(), 20);

    for (path, expected) in [(files.root_certificate(), "CA:TRUE, pathlen:1"), (files.issuing_certificate(), "CA:TRUE, pathlen:0")] {
        let shown = openssl_ok(&["x509", "-in", text(&path), "-noout", "-text"]);
        assert!(shown.contains(&format!("X509v3 Basic Constraints: critical\n                {expected}\n")), "{shown}");
        assert!(shown.contains("X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n"), "{shown}");
    }
}

#[test]
fn names_that_are_no_host_names_are_escaped_and_have_no_dns_name() {
    let directory = tempfile::tempdir().unwrap();
    let (files, authority) = create_authority(directory.path(), KeyType::P256);
    for (name, uri, dns) in [
        ("Müller pump", "M%C3%BCller%20pump", false),
        ("a_b", "a_b", false),
        ("10.0.0.1", "10.0.0.1", false),
        ("plant.pump", "plant.pump", true),
    ] {
        let issued = issue(&authority, device_request(name));
        let chain = put(directory.path().join("device.pem"), issued.chain_pem());
        let (accepted, output) = verify(&files, &chain, "sslclient");
        assert!(accepted, "{name}: {output}");
        let shown = openssl_ok(&["x509", "-in", text(&chain), "-noout", "-ext", "subjectAltName"]);
        assert!(shown.contains(&format!("URI:urn:signet:device:{uri}")), "{shown}");
        assert_eq!(shown.contains("DNS:"), dns, "{shown}");
        assert_eq!(issued.leaf().subject().cn(), Some(name));
    }
}

#[test]
fn a_server_certificate_covers_its_names_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let (files, authority) = create_authority(directory.path(), KeyType::P256);
    let names: Vec<ServerName> = ["broker.example.com", "localhost", "127.0.0.1", "::1"].map(|name| name.parse().unwrap()).to_vec();
    let key = PrivateKey::generate(KeyType::P256).unwrap().subject_key().unwrap();
    let issued = issue(&authority, IssuanceRequest::server(names, key, "test").unwrap());
    let chain = put(directory.path().join("server.pem"), issued.chain_pem());
    let (accepted, output) = verify(&files, &chain, "sslserver");
    assert!(accepted, "{output}");
    assert!(!verify(&files, &chain, "sslclient").0, "a server certificate passes as a device");
    let root = files.root_certificate();
    for (flag, name, matches) in [
        ("-verify_hostname", "broker.example.com", true),
        ("-verify_hostname", "localhost", true),
        ("-verify_hostname", "example.com", false),
        ("-verify_ip", "127.0.0.1", true),
        ("-verify_ip", "::1", true),
        ("-verify_ip", "127.0.0.2", false),
    ] {
        let output = openssl(&["verify", "-CAfile", text(&root), "-untrusted", text(&chain), flag, name, text(&chain)]);
        assert_eq!(output.status.success(), matches, "{flag} {name}");
    }
}

#[test]
fn validity_ends_with_the_authority_and_begins_a_little_early() {
    let directory = tempfile::tempdir().unwrap();
    let (_, authority) = create_authority(directory.path(), KeyType::P256);
    let issued = issue(&authority, device_request("short").with_validity(3600).unwrap());
    assert!(!issued.is_shortened());
    assert_eq!(issued.leaf().validity().not_after - issued.leaf().validity().not_before, 3600 + 300);
    let issued = issue(&authority, device_request("long").with_validity(100 * 365 * 86_400).unwrap());
    assert!(issued.is_shortened());
    assert_eq!(issued.leaf().validity().not_after, authority.certificate().leaf().validity().not_after);
    assert!(device_request("x").with_validity(59).is_err());
}

#[test]
fn an_authority_that_is_not_in_force_issues_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (_, authority) = create_authority(directory.path(), KeyType::P256);
    let validity = authority.certificate().leaf().validity();
    for at in [validity.not_before - 1, validity.not_after + 1] {
        let mut ledger = MemoryLedger::new();
        let error = issue_certificate(&authority, &mut ledger, device_request("a"), serial_entropy().unwrap(), at).unwrap_err();
        assert!(error.to_string().contains("is not valid at this time"), "{error}");
        assert_eq!(ledger.list(0, 1).unwrap(), []);
    }
}

#[test]
fn a_serial_number_that_comes_twice_signs_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (_, authority) = create_authority(directory.path(), KeyType::P256);
    let mut ledger = MemoryLedger::new();
    let drawn = *b"\xc3 random enough here";
    issue_certificate(&authority, &mut ledger, device_request("a"), SerialEntropy::new(drawn), now()).unwrap();
    let error = issue_certificate(&authority, &mut ledger, device_request("b"), SerialEntropy::new(drawn), now()).unwrap_err();
    assert!(matches!(error, IssuanceError::Ledger(LedgerError::AlreadyKnown { .. })), "{error}");
    let error = issue_certificate(&authority, &mut ledger, device_request("c"), SerialEntropy::new([0; 20]), now()).unwrap_err();
    assert!(matches!(error, IssuanceError::Lint(_)), "{error}");
    assert_eq!(ledger.list(0, 9).unwrap().len(), 1);
}

#[test]
fn a_name_too_long_for_a_common_name_is_refused_before_anything_is_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let (_, authority) = create_authority(directory.path(), KeyType::P256);
    let mut ledger = MemoryLedger::new();
    let error = issue_certificate(&authority, &mut ledger, device_request(&"x".repeat(65)), serial_entropy().unwrap(), now()).unwrap_err();
    assert!(error.to_string().contains("has 65 characters: at most 64 fit"), "{error}");
    assert_eq!(ledger.list(0, 1).unwrap(), []);
    issue(&authority, device_request(&"x".repeat(64)));
}

#[test]
fn a_token_is_redeemed_by_the_authority_that_prepared_it() {
    let directory = tempfile::tempdir().unwrap();
    let (_, authority) = create_authority(&directory.path().join("1"), KeyType::P256);
    let (_, other) = create_authority(&directory.path().join("2"), KeyType::P256);
    let mut ledger = MemoryLedger::new();
    let token = prepare(&authority, &mut ledger, device_request("a"), serial_entropy().unwrap(), now()).unwrap();
    let error = token.issue(&other, &mut ledger, now()).unwrap_err();
    assert!(matches!(error, IssuanceError::WrongAuthority { .. }), "{error}");
    assert_eq!(ledger.list(0, 1).unwrap()[0].status(now()), Status::Intended);
}

/// A signer that fails in one way once the authority was made.
struct Faulty {
    key: PrivateKey,
    fault: Result<Vec<u8>, SignerError>,
}

impl Signer for Faulty {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }

    fn public_key(&self) -> &[u8] {
        self.key.public_key()
    }

    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, SignerError> {
        self.fault.clone()
    }
}

#[test]
fn a_signer_that_fails_or_lies_leaves_an_intent_and_hands_out_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (files, good) = create_authority(directory.path(), KeyType::P256);
    let of_other_key = PrivateKey::generate(KeyType::P256).unwrap().sign(b"message").unwrap();
    for (fault, text) in [
        (Err(SignerError("module unplugged".to_owned())), "stays intended and was not issued: signing failed: module unplugged"),
        (Ok(Vec::new()), "differs from the one that was checked"),
        (Ok(of_other_key), "differs from the one that was checked"),
    ] {
        let signer = Box::new(Faulty { key: read_key(&files.issuing_key()).unwrap(), fault });
        let authority = Authority::new(good.certificate().clone(), good.chain().to_vec(), signer).unwrap();
        let mut ledger = MemoryLedger::new();
        let error = issue_certificate(&authority, &mut ledger, device_request("a"), serial_entropy().unwrap(), now()).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        let records = ledger.list(0, 9).unwrap();
        assert_eq!((records.len(), records[0].status(now())), (1, Status::Intended));
        signet_ca::publish_crl(&authority, &mut ledger, now(), 3600).unwrap_err();
        assert_eq!(ledger.latest_crl(authority.name_digest()).unwrap(), None);
        let faulty = Faulty { key: read_key(&files.root_key()).unwrap(), fault: Ok(Vec::new()) };
        signet_ca::create_root("Root", &faulty, serial_entropy().unwrap(), now(), 86_400).unwrap_err();
    }
}
