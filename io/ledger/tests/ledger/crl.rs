//! Revocation and CRLs, judged by openssl.

use signet_ca::{
    Authority, DEFAULT_CRL_VALIDITY_SECONDS, IssuedCertificate, KeyType, Ledger, RevokeError, Status, Target, crl_is_complete,
    issue_certificate, publish_crl, release, release_all, resolve, revoke, revoke_all,
};
use signet_identity::{DeviceName, SerialNumber};
use signet_ledger::{MemoryLedger, serial_entropy};
use signet_revocation::{Generation, Reason};

use crate::support::{create_authority, device_request, now, openssl, openssl_ok, put, text};

fn issue(authority: &Authority, ledger: &mut dyn Ledger, name: &str, at: i64) -> IssuedCertificate {
    issue_certificate(authority, ledger, device_request(name), serial_entropy().unwrap(), at).unwrap()
}

#[test]
fn openssl_refuses_exactly_the_revoked_certificates() {
    for key_type in [KeyType::P256, KeyType::Ed25519, KeyType::Rsa2048] {
        let directory = tempfile::tempdir().unwrap();
        let (files, authority) = create_authority(directory.path(), key_type);
        let mut ledger = MemoryLedger::new();
        let certificates: Vec<IssuedCertificate> =
            (0..4).map(|number| issue(&authority, &mut ledger, &format!("pump-{number}"), now())).collect();
        let reasons = [Some(Reason::KeyCompromise), Some(Reason::Unspecified), Some(Reason::CertificateHold), None];
        for (certificate, reason) in certificates.iter().zip(reasons) {
            if let Some(reason) = reason {
                revoke(&mut ledger, &certificate.id(), reason, "test", now()).unwrap();
            }
        }
        let crl = publish_crl(&authority, &mut ledger, now(), DEFAULT_CRL_VALIDITY_SECONDS).unwrap();
        assert_eq!((crl.record.number, crl.entries), (1, 3));
        assert_eq!(ledger.latest_crl(authority.name_digest()).unwrap(), Some(crl.record.clone()));
        let crl_path = put(files.crl(), crl.pem());
        let (bundle, crl_text) = (files.bundle(), text(&crl_path));
        let checked = openssl_ok(&["crl", "-in", crl_text, "-CAfile", text(&bundle), "-noout"]);
        assert!(checked.contains("verify OK"), "{checked}");
        for (certificate, reason) in certificates.iter().zip(reasons) {
            let chain = put(directory.path().join("device.pem"), certificate.chain_pem());
            let output = openssl(&["verify", "-CAfile", text(&bundle), "-CRLfile", crl_text, "-crl_check", text(&chain)]);
            assert_eq!(output.status.success(), reason.is_none(), "{key_type}: {output:?}");
        }

        let shown = openssl_ok(&["crl", "-in", crl_text, "-noout", "-text"]);
        assert!(shown.contains("Version 2 (0x1)"), "{shown}");
        assert!(shown.contains("X509v3 CRL Number: \n                1\n"), "{shown}");
        assert!(shown.contains("X509v3 Authority Key Identifier:"), "{shown}");
        assert!(shown.contains("Key Compromise") && shown.contains("Certificate Hold"), "{shown}");
        assert_eq!(shown.matches("X509v3 CRL Reason Code").count(), 2, "unspecified is left out: {shown}");
    }
}

#[test]
fn an_empty_crl_and_rising_numbers() {
    let directory = tempfile::tempdir().unwrap();
    let (files, authority) = create_authority(directory.path(), KeyType::P256);
    let mut ledger = MemoryLedger::new();
    for number in 1..=3 {
        let crl = publish_crl(&authority, &mut ledger, now(), 3600).unwrap();
        assert_eq!((crl.record.number, crl.entries), (number, 0));
        assert_eq!(crl.record.next_update - crl.record.this_update, 3600);
        let path = put(files.crl(), crl.pem());
        openssl_ok(&["crl", "-in", text(&path), "-CAfile", text(&files.bundle()), "-noout"]);
    }
    assert!(publish_crl(&authority, &mut ledger, now(), 59).is_err());
    assert!(publish_crl(&authority, &mut ledger, now(), i64::MAX).is_err());
    assert_eq!(ledger.next_crl_number(authority.name_digest()).unwrap(), 4, "a refused CRL takes no number");
}

#[test]
fn an_entry_stays_for_one_period_after_the_certificate_expired() {
    let directory = tempfile::tempdir().unwrap();
    let (_, authority) = create_authority(directory.path(), KeyType::P256);
    let mut ledger = MemoryLedger::new();
    let start = now();
    let issued = issue(&authority, &mut ledger, "pump-7", start);
    revoke(&mut ledger, &issued.id(), Reason::Superseded, "test", start).unwrap();
    let end = issued.leaf().validity().not_after;
    for (at, entries) in [(start, 1), (end, 1), (end + DEFAULT_CRL_VALIDITY_SECONDS, 1), (end + DEFAULT_CRL_VALIDITY_SECONDS + 1, 0)] {
        let crl = publish_crl(&authority, &mut ledger, at, DEFAULT_CRL_VALIDITY_SECONDS).unwrap();
        assert_eq!(crl.entries, entries, "{} s after the end", at - end);
    }
}

#[test]
fn a_crl_lists_only_its_own_issuers_certificates() {
    let directory = tempfile::tempdir().unwrap();
    let (_, authority) = create_authority(directory.path(), KeyType::P256);
    let plan = signet_ledger::CeremonyPlan::named("Other");
    let other =
        signet_ledger::AuthorityFiles::new(directory.path().join("other")).create(&plan, signet_ledger::Overwrite::Never, now()).unwrap();
    let mut ledger = MemoryLedger::new();
    for (authority, name) in [(&authority, "a"), (&other, "b"), (&other, "c")] {
        let issued = issue(authority, &mut ledger, name, now());
        revoke(&mut ledger, &issued.id(), Reason::Superseded, "test", now()).unwrap();
    }
    assert_eq!(publish_crl(&authority, &mut ledger, now(), 3600).unwrap().entries, 1);
    assert_eq!(publish_crl(&other, &mut ledger, now(), 3600).unwrap().entries, 2);
}

#[test]
fn revoking_again_reports_the_first_time() {
    let directory = tempfile::tempdir().unwrap();
    let (_, authority) = create_authority(directory.path(), KeyType::P256);
    let mut ledger = MemoryLedger::new();
    let issued = issue(&authority, &mut ledger, "pump-7", now());
    let first = revoke(&mut ledger, &issued.id(), Reason::KeyCompromise, "alice", 1_000).unwrap();
    assert!(!first.already);
    let again = revoke(&mut ledger, &issued.id(), Reason::Superseded, "bob", 2_000).unwrap();
    assert!(again.already);
    assert_eq!((again.revoked_at, again.reason, again.revoked_by.as_str()), (1_000, Reason::KeyCompromise, "alice"));
    assert_eq!((again.generation, ledger.generation().unwrap()), (first.generation, Generation::new(1)));
}

#[test]
fn a_hold_becomes_final_but_nothing_becomes_a_hold() {
    let directory = tempfile::tempdir().unwrap();
    let (_, authority) = create_authority(directory.path(), KeyType::P256);
    let mut ledger = MemoryLedger::new();
    let issued = issue(&authority, &mut ledger, "pump-7", now());
    revoke(&mut ledger, &issued.id(), Reason::CertificateHold, "alice", 1_000).unwrap();
    assert!(revoke(&mut ledger, &issued.id(), Reason::CertificateHold, "alice", 1_500).unwrap().already);
    let last = revoke(&mut ledger, &issued.id(), Reason::KeyCompromise, "bob", 2_000).unwrap();
    assert_eq!((last.already, last.revoked_at, last.reason), (false, 1_000, Reason::KeyCompromise));
    assert!(revoke(&mut ledger, &issued.id(), Reason::CertificateHold, "carol", 3_000).unwrap().already);
    assert_eq!(publish_crl(&authority, &mut ledger, now(), 3600).unwrap().entries, 1, "one entry for one certificate");
    let error = revoke(&mut ledger, &issued.id(), Reason::RemoveFromCrl, "carol", 3_000).unwrap_err();
    assert!(matches!(error, RevokeError::NotAReason { .. }), "{error}");
}

#[test]
fn a_device_is_revoked_with_all_certificates_that_are_not_expired() {
    let directory = tempfile::tempdir().unwrap();
    let (_, authority) = create_authority(directory.path(), KeyType::P256);
    let mut ledger = MemoryLedger::new();
    let start = now();
    let short = device_request("pump-7").with_validity(60).unwrap();
    let expired = issue_certificate(&authority, &mut ledger, short, serial_entropy().unwrap(), start).unwrap();
    let live = [issue(&authority, &mut ledger, "pump-7", start), issue(&authority, &mut ledger, "pump-7", start)];
    let other = issue(&authority, &mut ledger, "pump-8", start);

    let target = Target::Device(DeviceName::new("pump-7").unwrap());
    let outcomes = revoke_all(&mut ledger, &target, Reason::CessationOfOperation, "test", start + 100).unwrap();
    let revoked: Vec<_> = outcomes.iter().map(|outcome| outcome.certificate).collect();
    assert_eq!(revoked, [live[0].id(), live[1].id()]);
    for kept in [&expired, &other] {
        assert_eq!(ledger.find(&kept.id()).unwrap().unwrap().revoked, None);
    }
    let target = Target::Serial(other.id().serial().to_string().parse::<SerialNumber>().unwrap());
    assert_eq!(revoke_all(&mut ledger, &target, Reason::Superseded, "test", start).unwrap().len(), 1);
    assert_eq!(resolve(&ledger, &Target::Certificate(expired.id())).unwrap().len(), 1);
    let unknown = Target::Device(DeviceName::new("nobody").unwrap());
    let error = revoke_all(&mut ledger, &unknown, Reason::Superseded, "test", start).unwrap_err();
    assert_eq!(error.to_string(), "no certificate of `nobody` is in the ledger: `signet device list` shows all");
}

#[test]
fn a_hold_is_taken_back_and_the_next_list_does_not_name_it() {
    let directory = tempfile::tempdir().unwrap();
    let (files, authority) = create_authority(directory.path(), KeyType::P256);
    let mut ledger = signet_ledger::DurableLedger::open(&directory.path().join("ledger.redb")).unwrap();
    let held = issue(&authority, &mut ledger, "pump-7", now());
    let ended = issue(&authority, &mut ledger, "pump-7", now());
    revoke(&mut ledger, &held.id(), Reason::CertificateHold, "test", now()).unwrap();
    revoke(&mut ledger, &ended.id(), Reason::KeyCompromise, "test", now()).unwrap();
    publish_crl(&authority, &mut ledger, now(), 3600).unwrap();
    assert!(crl_is_complete(&authority, &ledger, now(), 3600).unwrap());

    let name = Target::Device(DeviceName::new("pump-7").unwrap());
    let released = release_all(&mut ledger, &name, "test", now()).unwrap();
    assert_eq!(released.iter().map(|outcome| outcome.certificate).collect::<Vec<_>>(), [held.id()], "only what is on hold");
    assert_eq!(ledger.find(&held.id()).unwrap().unwrap().status(now()), Status::Valid);
    assert!(!crl_is_complete(&authority, &ledger, now(), 3600).unwrap(), "the list still names it");
    let crl = publish_crl(&authority, &mut ledger, now(), 3600).unwrap();
    assert_eq!(crl.entries, 1);
    assert!(crl_is_complete(&authority, &ledger, now(), 3600).unwrap());
    let crl_path = put(files.crl(), crl.pem());
    for (certificate, good) in [(&held, true), (&ended, false)] {
        let chain = put(directory.path().join("device.pem"), certificate.chain_pem());
        let output = openssl(&["verify", "-CAfile", text(&files.bundle()), "-CRLfile", text(&crl_path), "-crl_check", text(&chain)]);
        assert_eq!(output.status.success(), good, "{output:?}");
    }

    // The index as a broker starts with it, from all that was ever said.
    let index = signet_revocation::RevocationIndex::new().with_revocations(
        ledger.revoked_since(Generation::default()).unwrap().iter().map(|event| {
            let source = signet_revocation::RevocationSource::Authority;
            (event.certificate, signet_revocation::Revoked { since: event.revoked_at, reason: event.reason, source })
        }),
    );
    assert_eq!((index.lookup(&held.id()), index.lookup(&ended.id()).unwrap().reason), (None, Reason::KeyCompromise));

    let error = release_all(&mut ledger, &name, "test", now()).unwrap_err();
    assert!(error.to_string().contains("is not on hold but revoked for good (keyCompromise)"), "{error}");
    let error = release(&mut ledger, &held.id(), "test", now()).unwrap_err();
    assert!(error.to_string().contains("is not revoked, there is nothing to release"), "{error}");
    let error = release(&mut ledger, &ended.id(), "test", now()).unwrap_err();
    assert!(matches!(error, RevokeError::NotOnHold { reason: Some(Reason::KeyCompromise), .. }), "{error}");
    // Held again, it is on the list again.
    revoke(&mut ledger, &held.id(), Reason::CertificateHold, "test", now()).unwrap();
    assert_eq!(publish_crl(&authority, &mut ledger, now(), 3600).unwrap().entries, 2);
}
