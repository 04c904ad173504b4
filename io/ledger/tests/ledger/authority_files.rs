//! The `ca` directory: created without overwriting, loaded with an error for everything that can be wrong with it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use signet_ca::KeyType;
use signet_ledger::{AuthorityFiles, CeremonyPlan, FileError, Overwrite, PrivateKey, key_exposure};

use crate::support::{create_authority, device_request, now, openssl_ok, put, text};

#[test]
fn what_was_created_is_loaded_and_keys_are_private() {
    let directory = tempfile::tempdir().unwrap();
    let (files, created) = create_authority(directory.path(), KeyType::P256);
    let loaded = files.load(now()).unwrap();
    assert_eq!(loaded.certificate().der(), created.certificate().der());
    assert_eq!(fs::read_to_string(files.bundle()).unwrap(), loaded.bundle_pem());
    for key in [files.root_key(), files.issuing_key()] {
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(key_exposure(&key).unwrap(), None);
    }
    fs::set_permissions(files.issuing_key(), fs::Permissions::from_mode(0o640)).unwrap();
    let warning = key_exposure(&files.issuing_key()).unwrap().unwrap();
    assert!(warning.contains("has mode 0640") && warning.contains("chmod 600"), "{warning}");
}

#[test]
fn an_existing_authority_is_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let (files, _) = create_authority(directory.path(), KeyType::P256);
    assert!(files.exists());
    let before: Vec<_> = [files.root_key(), files.root_certificate(), files.issuing_key(), files.issuing_certificate(), files.bundle()]
        .into_iter()
        .map(|path| (fs::read(&path).unwrap(), path))
        .collect();
    let error = files.create(&CeremonyPlan::named("Other"), Overwrite::Never, now()).unwrap_err();
    assert!(matches!(error, FileError::Exists { .. }), "{error}");
    for (content, path) in &before {
        assert_eq!(&fs::read(path).unwrap(), content);
    }
    for (_, path) in before.iter().skip(1) {
        fs::remove_file(path).unwrap();
    }
    assert!(files.create(&CeremonyPlan::named("Other"), Overwrite::Never, now()).is_err(), "a lone key is kept too");
    files.create(&CeremonyPlan::named("Other"), Overwrite::Forced, now()).unwrap();
    assert!(files.load(now()).unwrap().certificate().subject().contains("Other Issuing"));
}

/// Spoils a good directory, loads it, and returns the error's text.
fn load_spoiled(spoil: impl FnOnce(&AuthorityFiles)) -> String {
    let directory = tempfile::tempdir().unwrap();
    let (files, _) = create_authority(directory.path(), KeyType::P256);
    spoil(&files);
    files.load(now()).unwrap_err().to_string()
}

#[test]
fn every_defect_is_named_with_its_file() {
    let error = load_spoiled(|files| fs::remove_file(files.issuing_certificate()).unwrap());
    assert!(error.contains("ca/issuing.pem` cannot be read: No such file"), "{error}");
    let error = load_spoiled(|files| fs::remove_file(files.issuing_key()).unwrap());
    assert!(error.contains("ca/issuing.key` cannot be read: No such file"), "{error}");
    let error = load_spoiled(|files| fs::write(files.issuing_key(), "").unwrap());
    assert!(error.contains("ca/issuing.key` is not PEM: no `-----BEGIN …-----` line found"), "{error}");
    let error = load_spoiled(|files| _ = fs::copy(files.issuing_certificate(), files.issuing_key()).unwrap());
    assert!(error.contains("ca/issuing.key` holds no private key, only `CERTIFICATE`"), "{error}");
    let error = load_spoiled(|files| _ = fs::copy(files.issuing_key(), files.issuing_certificate()).unwrap());
    assert!(error.contains("ca/issuing.pem` holds no certificate, only `PRIVATE KEY`"), "{error}");
    let error = load_spoiled(|files| _ = fs::copy(files.root_key(), files.issuing_key()).unwrap());
    assert!(error.contains("ca/issuing.key` does not belong to the certificate") && error.contains("CN=Test Issuing"), "{error}");
    let error = load_spoiled(|files| fs::write(files.issuing_key(), signet_ca::encode_pem("PRIVATE KEY", b"nonsense")).unwrap());
    assert!(error.contains("private key in `") && error.contains("cannot be used"), "{error}");
}

#[test]
fn a_leaf_is_no_authority_and_a_strange_root_no_chain() {
    let error = load_spoiled(|files| {
        let authority = files.load(now()).unwrap();
        let entropy = signet_ledger::serial_entropy().unwrap();
        let leaf =
            signet_ca::issue_certificate(&authority, &mut signet_ledger::MemoryLedger::new(), device_request("pump-7"), entropy, now())
                .unwrap();
        fs::write(files.issuing_certificate(), leaf.chain_pem()).unwrap();
    });
    assert!(error.contains("ca/issuing.pem`: `CN=pump-7` is not a certificate authority"), "{error}");
    let error = load_spoiled(|files| {
        let other = tempfile::tempdir().unwrap();
        let (other_files, _) = create_authority(other.path(), KeyType::P256);
        fs::copy(other_files.root_certificate(), files.root_certificate()).unwrap();
    });
    assert!(error.contains("was not issued by `CN=Test Root`"), "{error}");
}

#[test]
fn an_expired_authority_says_since_when() {
    let directory = tempfile::tempdir().unwrap();
    let (files, authority) = create_authority(directory.path(), KeyType::P256);
    let end = authority.certificate().leaf().validity().not_after;
    files.load(end).unwrap();
    let error = files.load(end + 1).unwrap_err().to_string();
    assert!(error.contains("ca/issuing.pem`: the authority `CN=Test Issuing` is not valid at this time"), "{error}");
    assert!(error.contains(" UTC, now "), "{error}");
}

#[test]
fn an_authority_made_by_openssl_is_loaded() {
    let directory = tempfile::tempdir().unwrap();
    let files = AuthorityFiles::new(directory.path());
    openssl_ok(&["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", text(&files.issuing_key())]);
    let certificate = files.issuing_certificate();
    let subject = "/C=DE/O=Plant/CN=Own CA";
    openssl_ok(&[
        "req",
        "-new",
        "-x509",
        "-key",
        text(&files.issuing_key()),
        "-subj",
        subject,
        "-days",
        "30",
        "-out",
        text(&certificate),
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
    ]);
    let authority = files.load(now()).unwrap();
    let entropy = signet_ledger::serial_entropy().unwrap();
    let issued =
        signet_ca::issue_certificate(&authority, &mut signet_ledger::MemoryLedger::new(), device_request("pump-7"), entropy, now())
            .unwrap();
    assert_eq!(issued.chain_pem().matches("BEGIN").count(), 1, "a self-signed issuer is not sent along");
    let chain = put(directory.path().join("leaf.pem"), issued.chain_pem());
    openssl_ok(&["verify", "-CAfile", text(&certificate), "-purpose", "sslclient", text(&chain)]);

    // Two values of one attribute: the certificate writer cannot repeat that, so it must be refused and not silently broken.
    openssl_ok(&["req", "-new", "-x509", "-key", text(&files.issuing_key()), "-subj", "/OU=a/OU=b/CN=Own CA", "-out", text(&certificate)]);
    let error = files.load(now()).unwrap_err().to_string();
    assert!(error.contains("has a form that Signet cannot repeat exactly"), "{error}");

    openssl_ok(&[
        "req",
        "-new",
        "-x509",
        "-key",
        text(&files.issuing_key()),
        "-subj",
        subject,
        "-out",
        text(&certificate),
        "-addext",
        "keyUsage=critical,digitalSignature,keyCertSign",
    ]);
    let error = files.load(now()).unwrap_err().to_string();
    assert!(error.contains("may not sign CRLs: its keyUsage lacks `cRLSign`"), "{error}");
}

#[test]
fn a_key_is_not_shown() {
    let key = PrivateKey::generate(KeyType::P256).unwrap();
    assert_eq!(format!("{key:?}"), "PrivateKey(EcdsaP256Sha256, hidden)");
    for key_type in KeyType::ALL {
        assert_eq!(key_type.name().parse(), Ok(key_type));
    }
    assert!("rsa1024".parse::<KeyType>().unwrap_err().to_string().contains("`p256`"));
}
