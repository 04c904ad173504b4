//! Notes and sessions, read from anything.

use super::*;

/// A session of TLS 1.3 without SNI, with the given rest after the flag "extended master secret".
fn session(rest: &[u8]) -> Vec<u8> {
    let mut plain = vec![0, 3, 4, 0x13, 1, 2, 0xaa, 0xbb, 1];
    plain.extend_from_slice(rest);
    plain
}

#[test]
fn finds_the_chain() {
    let plain = session(&[1, 0, 0, 9, 0, 0, 2, 7, 8, 0, 0, 1, 9, 0, 99]);
    let chain = chain(&plain).unwrap();
    assert_eq!(chain.iter().map(|certificate| certificate.to_vec()).collect::<Vec<_>>(), [vec![7, 8], vec![9]]);
}

#[test]
fn no_certificate_is_not_the_same_as_an_unreadable_session() {
    assert_eq!(chain(&session(&[0, 0])).unwrap().len(), 0);
    assert!(chain(&session(&[2])).is_none());
    assert!(chain(&session(&[1, 0, 0, 0])).is_none());
    assert!(chain(&session(&[1, 0, 0, 9, 0, 0, 200])).is_none());
    assert!(chain(&[]).is_none());
}

#[test]
fn a_note_comes_off_as_it_went_on() {
    let mut plain = session(&[0, 0]);
    let before = plain.clone();
    append_note(&mut plain, None);
    assert_eq!(split_note(&plain), Some((&before[..], &[][..])));
    let mut noted = before.clone();
    noted.extend_from_slice(&[1, 2, 3, 0, 3]);
    assert_eq!(split_note(&noted), Some((&before[..], &[1, 2, 3][..])));
    assert_eq!(split_note(&[1, 0, 9]), None);
    assert_eq!(split_note(&[0]), None);
}

/// A verifier with one profile, and a device of it.
fn verifier() -> (DeviceVerifier, Leaf) {
    let directory = tempfile::tempdir().unwrap();
    let pki = signet_testkit::Pki::create(directory.path());
    let profiles = crate::TrustProfiles::load([crate::TrustProfileConfig::new("devices", vec![pki.ca_file()])]).unwrap();
    let revocations = crate::CurrentRevocations::new(signet_revocation::RevocationIndex::new());
    let verifier = DeviceVerifier::new(profiles.pick(&["devices".into()]).unwrap(), revocations, true);
    (verifier, Leaf::parse(&pki.device("pump-7").der).unwrap())
}

/// A ticket is authenticated, so nobody can make us read what we did not write; but reading anything must not stop the broker, and a note that
/// names no anchor of ours convinces nobody.
#[test]
fn anything_can_be_read_and_nothing_is_believed() {
    let (verifier, leaf) = verifier();
    let mut runner = proptest::test_runner::TestRunner::new(proptest::test_runner::Config::with_cases(2_000));
    let octets = || proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300);
    let check = |(plain, rest, is_known): (Vec<u8>, Vec<u8>, bool)| {
        if let Some((session, note)) = split_note(&plain) {
            assert_eq!(session.len() + note.len() + 2, plain.len());
            drop(chain(session));
            assert!(!matches!(noted(&verifier, note, &leaf), Some(Ok(_))));
        }
        drop(chain(&plain));
        let note = if is_known { [&[0, 7], &b"devices"[..], &rest].concat() } else { rest };
        assert!(!matches!(noted(&verifier, &note, &leaf), Some(Ok(_))));
        let mut joined = plain.clone();
        joined.extend_from_slice(&note);
        joined.extend_from_slice(&u16::try_from(note.len()).unwrap().to_be_bytes());
        assert_eq!(split_note(&joined), Some((&plain[..], &note[..])));
        Ok(())
    };
    runner.run(&(octets(), octets(), proptest::prelude::any::<bool>()), check).unwrap();
}

/// Whatever a note is cut to, it is not taken for a shorter path.
#[test]
fn a_cut_note_is_no_note() {
    let (verifier, leaf) = verifier();
    let judged = verifier.judge(&CertificateDer::from(leaf.der()), &[], crate::date::now()).unwrap();
    let mut note = Vec::new();
    write_note(&mut note, &judged);
    let leaf = judged.identity.leaf();
    let whole = noted(&verifier, &note, leaf).unwrap().unwrap();
    assert_eq!(whole.identity.path(), judged.identity.path());
    for length in 0..note.len() {
        assert!(!matches!(noted(&verifier, &note[..length], leaf), Some(Ok(_))), "cut to {length}");
    }
}
