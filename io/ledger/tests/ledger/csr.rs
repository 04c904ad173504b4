//! Certification requests made by openssl: every key type, hostile wishes, and requests that prove nothing.

use std::path::{Path, PathBuf};

use signet_ca::{Csr, CsrError, IssuanceRequest, KeyType, SubjectKeyError, decode_pem, encode_pem, issue_certificate};
use signet_identity::DeviceName;
use signet_ledger::{MemoryLedger, read_key, serial_entropy};

use crate::support::{create_authority, leaf_of_key, now, openssl_ok, put, text};

/// A key made with `openssl genpkey`, and a request for it.
fn request(directory: &Path, key_arguments: &[&str], request_arguments: &[&str]) -> (PathBuf, Vec<u8>) {
    let (key, csr) = (directory.join("device.key"), directory.join("device.csr"));
    openssl_ok(&[&["genpkey", "-quiet", "-out", text(&key)], key_arguments].concat());
    openssl_ok(&[&["req", "-new", "-key", text(&key), "-out", text(&csr), "-subj", "/O=Evil/CN=pump-7"], request_arguments].concat());
    (key, std::fs::read(csr).unwrap())
}

const P256: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

#[test]
fn requests_of_every_key_type_become_certificates() {
    let directory = tempfile::tempdir().unwrap();
    let (files, authority) = create_authority(directory.path(), KeyType::P256);
    for (arguments, digest, kind) in [
        (P256, "-sha256", "P-256"),
        (P256, "-sha512", "P-256"),
        (&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "-sha256", "P-384"),
        (&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "-sha384", "P-384"),
        (&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"], "-sha512", "P-521"),
        (&["-algorithm", "ED25519"], "-sha256", "Ed25519"),
        (&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "-sha256", "RSA-2048"),
        (&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"], "-sha384", "RSA-3072"),
    ] {
        let (key, pem) = request(directory.path(), arguments, &[digest]);
        let csr = Csr::parse(&pem).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(csr.key().kind().to_string(), kind);
        assert_eq!(csr.device_name().unwrap().as_str(), "pump-7");
        assert_eq!(read_key(&key).unwrap().subject_key().unwrap(), *csr.key(), "{kind}");
        let request = IssuanceRequest::device(csr.device_name().unwrap(), csr.key().clone(), "test");
        let issued = issue_certificate(&authority, &mut MemoryLedger::new(), request, serial_entropy().unwrap(), now()).unwrap();
        let chain = put(directory.path().join("device.pem"), issued.chain_pem());
        let verified = openssl_ok(&["verify", "-CAfile", text(&files.bundle()), "-purpose", "sslclient", text(&chain)]);
        assert!(verified.ends_with("device.pem: OK\n"), "{verified}");
        assert_eq!(leaf_of_key(&chain, &key).key_kind(), kind);
        let der = decode_pem(&pem).unwrap().remove(0).der;
        assert_eq!(Csr::parse(&der).unwrap().key(), csr.key(), "the same request as DER");
        assert_eq!(Csr::parse(encode_pem("NEW CERTIFICATE REQUEST", &der).as_bytes()).unwrap().key(), csr.key());
    }
}

#[test]
fn older_forms_of_key_files_are_read() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, label) in [(P256, "EC PRIVATE KEY"), (&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "RSA PRIVATE KEY")] {
        let (key, pem) = request(directory.path(), arguments, &[]);
        let old = directory.path().join("old.key");
        openssl_ok(&["pkey", "-in", text(&key), "-traditional", "-out", text(&old)]);
        assert!(std::fs::read_to_string(&old).unwrap().contains(label));
        assert_eq!(read_key(&old).unwrap().subject_key().unwrap(), *Csr::parse(&pem).unwrap().key());
    }
}

#[test]
fn nothing_but_the_key_is_copied() {
    let directory = tempfile::tempdir().unwrap();
    let wishes = [
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
        "-addext",
        "extendedKeyUsage=serverAuth,1.2.3.4.5",
        "-addext",
        "subjectAltName=DNS:broker.example.com,URI:urn:signet:device:other",
        "-addext",
        "1.2.3.4=ASN1:UTF8String:unknown",
    ];
    let (_, pem) = request(directory.path(), P256, &wishes);
    let csr = Csr::parse(&pem).unwrap();
    let (_, authority) = create_authority(directory.path(), KeyType::P256);
    let request = IssuanceRequest::device(DeviceName::new("pump-8").unwrap(), csr.key().clone(), "test");
    let issued = issue_certificate(&authority, &mut MemoryLedger::new(), request, serial_entropy().unwrap(), now()).unwrap();
    let chain = put(directory.path().join("device.pem"), issued.chain_pem());
    let shown = openssl_ok(&["x509", "-in", text(&chain), "-noout", "-text"]);
    for never in ["Evil", "pump-7", "CA:TRUE", "Certificate Sign", "Server Authentication", "broker.example.com", "device:other", "1.2.3.4"]
    {
        assert!(!shown.contains(never), "{never} was copied: {shown}");
    }
    assert!(shown.contains("CN = pump-8"), "{shown}");
}

#[test]
fn a_request_without_proof_of_possession_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [P256, &["-algorithm", "ED25519"], &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]] {
        let (_, pem) = request(directory.path(), arguments, &[]);
        let mut der = decode_pem(&pem).unwrap().remove(0).der;
        *der.last_mut().unwrap() ^= 1;
        assert_eq!(Csr::parse(encode_pem("CERTIFICATE REQUEST", &der).as_bytes()).unwrap_err(), CsrError::ProofOfPossession);
    }
    // The content changed, the signature as it was.
    let (_, pem) = request(directory.path(), P256, &[]);
    let mut der = decode_pem(&pem).unwrap().remove(0).der;
    let name = der.windows(6).position(|window| window == b"pump-7").unwrap();
    der[name + 5] = b'8';
    assert_eq!(Csr::parse(&der).unwrap_err(), CsrError::ProofOfPossession);
}

#[test]
fn weak_keys_and_signatures_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (_, pem) = request(directory.path(), &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"], &[]);
    assert_eq!(Csr::parse(&pem).unwrap_err(), CsrError::Key(SubjectKeyError::RsaSize { bits: 1024 }));
    let (_, pem) = request(directory.path(), &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"], &[]);
    assert!(matches!(Csr::parse(&pem).unwrap_err(), CsrError::Key(SubjectKeyError::Unsupported { .. })));
    let (_, pem) = request(directory.path(), &["-algorithm", "ED448"], &[]);
    assert!(matches!(Csr::parse(&pem).unwrap_err(), CsrError::Key(SubjectKeyError::Unsupported { .. })));
    for arguments in [P256, &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]] {
        let (_, pem) = request(directory.path(), arguments, &["-sha1"]);
        assert!(matches!(Csr::parse(&pem).unwrap_err(), CsrError::SignatureAlgorithm { .. }));
    }
}

#[test]
fn what_is_no_request_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let (key, pem) = request(directory.path(), P256, &[]);
    let error = Csr::parse(&std::fs::read(key).unwrap()).unwrap_err().to_string();
    assert!(error.contains("found `PRIVATE KEY`"), "{error}");
    assert!(matches!(Csr::parse(b"hello"), Err(CsrError::NotPem(_))));
    assert!(matches!(Csr::parse(b""), Err(CsrError::NotPem(_))));
    assert!(matches!(Csr::parse(&[0x30; 40_000]), Err(CsrError::TooLarge { found: 40_000 })));
    let der = decode_pem(&pem).unwrap().remove(0).der;
    assert!(matches!(Csr::parse(&[der.as_slice(), &[0]].concat()), Err(CsrError::Unreadable(_))));
    for length in 0..der.len() {
        assert!(Csr::parse(&der[..length]).is_err(), "cut after {length} bytes");
    }
}
