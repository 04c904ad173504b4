//! The file that tells others who is revoked catches up after whatever went wrong between a revocation and the file.

use std::path::Path;

use signet_admin::api::{AddDevice, DeviceKey, Revoke};
use signet_admin::{Administration, Caller, Settings};
use signet_ca::{KeyType, Target, revoke_all};
use signet_ledger::{AuthorityFiles, CeremonyPlan, DurableLedger, Overwrite, PrivateKey};
use signet_net::unix_seconds;
use signet_revocation::Reason;

/// An office in `directory`, as a process finds it when it starts.
fn start(directory: &Path) -> Administration {
    let files = AuthorityFiles::new(directory.join("ca"));
    let now = unix_seconds();
    let authority =
        if files.exists() { files.load(now) } else { files.create(&CeremonyPlan::named("Test"), Overwrite::Never, now) }.unwrap();
    let ledger = DurableLedger::open(&directory.join("ledger.redb")).unwrap();
    let settings = Settings { crl_path: directory.join("public/crl.pem"), crl_validity_seconds: 86_400, device_validity_seconds: 86_400 };
    Administration::new(Box::new(ledger), Some(authority), settings)
}

fn add(administration: &Administration, name: &str) {
    let key = PrivateKey::generate(KeyType::P256).unwrap().subject_key().unwrap();
    let request = AddDevice { name: name.to_owned(), key: DeviceKey::PublicKey(hex::encode(key.spki())), days: None };
    administration.add_device(&request, &Caller::user(0)).unwrap();
}

/// How many certificates are on the CRL in the file.
fn entries(directory: &Path) -> usize {
    let text = std::fs::read(directory.join("public/crl.pem")).unwrap();
    let blocks = signet_ca::decode_pem(&text).unwrap();
    let issuer = std::fs::read(directory.join("ca/issuing.pem")).unwrap();
    let issuer = signet_revocation::IssuerCertificate::parse(&signet_ca::decode_pem(&issuer).unwrap()[0].der).unwrap();
    let verifier = signet_tls::CrlSignatureVerifier;
    let crls = signet_revocation::Crl::parse_pem_or_der(&blocks[0].der, &[issuer], &verifier).unwrap();
    crls[0].status().entries
}

#[test]
fn a_file_that_could_not_be_written_is_written_once_it_can_be() {
    let directory = tempfile::tempdir().unwrap();
    let public = directory.path().join("public");
    std::fs::create_dir(&public).unwrap();
    let administration = start(directory.path());
    add(&administration, "pump-7");
    administration.sign_crl().unwrap();

    // The file stays readable where it was, but its directory takes nothing new.
    let aside = directory.path().join("aside");
    std::fs::rename(&public, &aside).unwrap();
    let report =
        administration.revoke(&Revoke { which: "pump-7".to_owned(), reason: "keyCompromise".to_owned() }, &Caller::user(0)).unwrap();
    assert!(report.crl.is_none() && report.crl_problem.is_some(), "{report:?}");
    std::fs::rename(&aside, &public).unwrap();
    assert_eq!(entries(directory.path()), 0);

    assert!(administration.sign_crl_if_due().unwrap().is_some(), "the file lacks a revocation");
    assert_eq!(entries(directory.path()), 1);
    assert!(administration.sign_crl_if_due().unwrap().is_none());
}

#[test]
fn a_process_that_ended_between_revocation_and_crl_is_made_up_for_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("public")).unwrap();
    let administration = start(directory.path());
    add(&administration, "pump-7");
    administration.sign_crl().unwrap();
    drop(administration);
    // The first step of a revocation, and no more.
    let mut ledger = DurableLedger::open(&directory.path().join("ledger.redb")).unwrap();
    let target = Target::Device(signet_identity::DeviceName::new("pump-7").unwrap());
    revoke_all(&mut ledger, &target, Reason::KeyCompromise, "root", unix_seconds()).unwrap();
    drop(ledger);

    let administration = start(directory.path());
    assert!(administration.sign_crl_if_due().unwrap().is_some(), "the newest CRL lacks a revocation");
    assert_eq!(entries(directory.path()), 1);
    drop(administration);
    assert!(start(directory.path()).sign_crl_if_due().unwrap().is_none(), "nothing is wrong any more");
}

#[test]
fn a_process_that_ended_between_crl_and_file_is_made_up_for_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("public/crl.pem");
    std::fs::create_dir(directory.path().join("public")).unwrap();
    let administration = start(directory.path());
    add(&administration, "pump-7");
    administration.sign_crl().unwrap();
    let before = std::fs::read(&file).unwrap();
    administration.revoke(&Revoke { which: "pump-7".to_owned(), reason: "superseded".to_owned() }, &Caller::user(0)).unwrap();
    drop(administration);
    std::fs::write(&file, before).unwrap();

    assert!(start(directory.path()).sign_crl_if_due().unwrap().is_some(), "the file holds an earlier CRL");
    assert_eq!(entries(directory.path()), 1);
}
