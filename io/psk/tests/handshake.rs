//! The server end against OpenSSL's own client, over memory.
#![cfg(feature = "openssl")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test reports by panicking"
)]

use std::io::{self, ErrorKind, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use openssl::ssl::{ErrorCode, Ssl, SslContextBuilder, SslMethod, SslSessionCacheMode, SslStream, SslVersion};
use proptest::prelude::*;
use signet_identity::{DeviceName, Peer};
use signet_psk::{
    Psk, PskAnswer, PskConfig, PskConnection, PskDone, PskEnding, PskFileConfig, PskListener, PskLookup, PskQuestion, PskReceived,
};
use signet_revocation::RevocationIndex;
use signet_tls::{Check, CurrentRevocations, MinimumVersion, Refusal};

const KEY: [u8; 32] = [0x5a; 32];
const VERSIONS: [SslVersion; 2] = [SslVersion::TLS1_2, SslVersion::TLS1_3];

fn revocations() -> CurrentRevocations {
    CurrentRevocations::new(RevocationIndex::default())
}

/// A listener whose file has `pump-7`.
fn listener(change: impl FnOnce(&mut PskConfig)) -> Arc<PskListener> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("psk.txt");
    std::fs::write(&path, format!("pump-7:{}\n", hex::encode(KEY))).unwrap();
    let mut config =
        PskConfig { file: Some(PskFileConfig::new(path)), lookup: None, minimum_version: MinimumVersion::Tls12, key_log: None };
    change(&mut config);
    Arc::new(PskListener::load(&config, revocations()).unwrap())
}

/// Both directions of a client's socket.
#[derive(Default)]
struct Wire {
    to_client: Vec<u8>,
    to_server: Vec<u8>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.to_client.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = self.to_client.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.to_client[..count]);
        self.to_client.drain(..count);
        Ok(count)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to_server.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Offer {
    versions: (SslVersion, SslVersion),
    identity: Vec<u8>,
    key: Vec<u8>,
    suites: Option<&'static str>,
    groups: Option<&'static str>,
}

impl Offer {
    fn new(version: SslVersion, identity: &str, key: &[u8]) -> Self {
        Self { versions: (version, version), identity: identity.into(), key: key.into(), suites: None, groups: None }
    }
}

struct Pair {
    client: SslStream<Wire>,
    server: PskConnection,
    /// In portions of so many octets.
    portion: usize,
    question: Option<PskQuestion>,
    peer: Option<Peer>,
    closed: bool,
    plaintext: Vec<u8>,
    refusal: Option<Box<Refusal>>,
    /// Everything that the server has sent.
    sent: Vec<u8>,
}

impl Pair {
    fn new(listener: &Arc<PskListener>, offer: Offer) -> Self {
        let mut builder = SslContextBuilder::new(SslMethod::tls_client()).unwrap();
        builder.set_min_proto_version(Some(offer.versions.0)).unwrap();
        builder.set_max_proto_version(Some(offer.versions.1)).unwrap();
        builder.set_cipher_list(offer.suites.unwrap_or("PSK")).unwrap();
        if let Some(groups) = offer.groups {
            builder.set_groups_list(groups).unwrap();
        }
        builder.set_session_cache_mode(SslSessionCacheMode::CLIENT);
        builder.set_psk_client_callback(move |_, _, identity, key| {
            identity[..offer.identity.len()].copy_from_slice(&offer.identity);
            identity[offer.identity.len()] = 0;
            key[..offer.key.len()].copy_from_slice(&offer.key);
            Ok(offer.key.len())
        });
        let client = SslStream::new(Ssl::new(&builder.build()).unwrap(), Wire::default()).unwrap();
        Self {
            client,
            server: PskConnection::new(Arc::clone(listener)),
            portion: usize::MAX,
            question: None,
            peer: None,
            closed: false,
            plaintext: Vec::new(),
            refusal: None,
            sent: Vec::new(),
        }
    }

    /// Lets the server have what the client has sent.
    fn serve(&mut self) {
        let input = std::mem::take(&mut self.client.get_mut().to_server);
        if input.is_empty() {
            return self.give(&[]);
        }
        for part in input.chunks(self.portion) {
            self.give(part);
        }
    }

    fn give(&mut self, input: &[u8]) {
        let mut output = Vec::new();
        let result = self.server.receive(input, &mut self.plaintext, &mut output);
        self.sent.extend_from_slice(&output);
        self.client.get_mut().to_client.append(&mut output);
        match result {
            Ok(PskReceived { peer, closed, question }) => {
                self.question = self.question.take().or(question);
                self.peer = self.peer.take().or(peer);
                self.closed |= closed;
            }
            Err(failure) => self.refusal = Some(failure.0),
        }
    }

    /// Shakes hands until nothing moves. Returns how the client sees it.
    fn shake(&mut self) -> Result<(), String> {
        for _ in 0..10 {
            let step = self.client.connect();
            let has_sent = !self.client.get_ref().to_server.is_empty();
            self.serve();
            match step {
                Ok(()) => return Ok(()),
                Err(error) if error.code() == ErrorCode::WANT_READ => {
                    if !has_sent && self.client.get_ref().to_client.is_empty() {
                        return Err("nothing moves".to_owned());
                    }
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        Err("no end".to_owned())
    }

    fn device(&self) -> &str {
        match &self.peer {
            Some(Peer::Keyed(keyed)) => keyed.name().as_str(),
            other => panic!("{other:?} {:?}", self.refusal),
        }
    }

    /// What the client is told, and the operator.
    fn refused(mut self) -> (String, Refusal, Vec<u8>) {
        let error = match self.shake() {
            // In TLS 1.3 the client is done before the server is.
            Ok(()) => self.client.ssl_read(&mut [0; 16]).unwrap_err().to_string(),
            Err(error) => error,
        };
        assert!(self.peer.is_none() && self.plaintext.is_empty());
        let refusal = *self.refusal.expect("refused");
        let again = self.server.receive(&[], &mut Vec::new(), &mut Vec::new()).unwrap_err();
        assert_eq!(*again.0, refusal);
        (error, refusal, self.sent)
    }
}

#[test]
fn who_holds_the_key_is_the_device_of_its_name() {
    let listener = listener(|_| {});
    for version in VERSIONS {
        for portion in [1, 3, 100, usize::MAX] {
            let mut pair = Pair::new(&listener, Offer::new(version, "pump-7", &KEY));
            pair.portion = portion;
            pair.shake().unwrap();
            assert_eq!(pair.device(), "pump-7");
            assert_eq!(pair.client.ssl().version2(), Some(version));
            assert!(!pair.server.is_handshaking() && !pair.server.is_waiting());
            // Both directions, in more than one record.
            let text: Vec<u8> = (0..50_000_u32).map(|number| number.to_le_bytes()[0]).collect();
            assert_eq!(pair.client.ssl_write(&text).unwrap(), text.len());
            pair.serve();
            assert_eq!(pair.plaintext, text);
            let mut output = Vec::new();
            pair.server.send(&text, &mut output).unwrap();
            pair.client.get_mut().to_client.append(&mut output);
            let mut answer = vec![0; text.len()];
            pair.client.read_exact(&mut answer).unwrap();
            assert_eq!(answer, text);
            assert_eq!(pair.server.buffered(), 0);
            // Both ends of the end.
            pair.client.shutdown().unwrap();
            pair.serve();
            assert!(pair.closed);
            pair.server.close(&mut output);
            pair.server.close(&mut output);
            pair.client.get_mut().to_client.append(&mut output);
            assert_eq!(pair.client.ssl_read(&mut [0; 1]).unwrap_err().code(), ErrorCode::ZERO_RETURN);
            assert!(pair.client.get_ref().to_client.is_empty(), "close_notify once");
        }
    }
}

#[test]
fn the_newer_version_and_forward_secrecy_are_preferred() {
    let listener = listener(|_| {});
    let both = |suites| Offer { versions: (VERSIONS[0], VERSIONS[1]), suites, ..Offer::new(VERSIONS[0], "pump-7", &KEY) };
    let mut pair = Pair::new(&listener, both(None));
    pair.shake().unwrap();
    assert_eq!(pair.client.ssl().version2(), Some(SslVersion::TLS1_3));
    let mut pair = Pair::new(&listener, Offer::new(VERSIONS[0], "pump-7", &KEY));
    pair.shake().unwrap();
    assert_eq!(pair.client.ssl().current_cipher().unwrap().name(), "ECDHE-PSK-CHACHA20-POLY1305");
    for suite in
        ["PSK-AES128-GCM-SHA256", "PSK-AES256-GCM-SHA384", "PSK-CHACHA20-POLY1305", "ECDHE-PSK-AES128-CBC-SHA256", "PSK-AES128-CCM"]
    {
        let mut pair = Pair::new(&listener, Offer { suites: Some(suite), ..Offer::new(VERSIONS[0], "pump-7", &KEY) });
        pair.shake().unwrap();
        assert_eq!((pair.device(), pair.client.ssl().current_cipher().unwrap().name()), ("pump-7", suite));
    }
}

#[test]
fn suites_without_the_key_or_with_a_certificate_are_not_spoken() {
    let listener = listener(|_| {});
    for suites in ["aNULL:@SECLEVEL=0", "kRSAPSK", "kDHEPSK", "ECDHE-PSK-NULL-SHA256:@SECLEVEL=0", "ECDHE-RSA-AES128-GCM-SHA256"] {
        let pair = Pair::new(&listener, Offer { suites: Some(suites), ..Offer::new(VERSIONS[0], "pump-7", &KEY) });
        let (error, refusal, _) = pair.refused();
        assert!(error.contains("handshake failure"), "{suites}: {error}");
        assert_eq!(refusal.check, Check::PresharedKey, "{suites}: {refusal}");
    }
}

#[test]
fn an_unusual_group_takes_a_second_hello() {
    let listener = listener(|_| {});
    let offer = Offer { groups: Some("P-521:P-384"), ..Offer::new(VERSIONS[1], "pump-7", &KEY) };
    let mut pair = Pair::new(&listener, offer);
    pair.shake().unwrap();
    assert_eq!(pair.device(), "pump-7");
}

#[test]
fn an_unknown_identity_looks_like_a_wrong_key() {
    let listener = listener(|_| {});
    for version in VERSIONS {
        let (wrong, wrong_refusal, wrong_octets) = Pair::new(&listener, Offer::new(version, "pump-7", &[1; 32])).refused();
        assert_eq!(wrong_refusal.check, Check::PresharedKey);
        assert!(wrong_refusal.found.contains("does not hold the pre-shared key of `pump-7`"), "{wrong_refusal}");
        for (identity, words) in [
            ("pump-8".to_owned(), "no pre-shared key is known for the identity `pump-8`"),
            ("a/b".to_owned(), "the identity `a/b` is no name of a device"),
            ("a\u{7}b".to_owned(), "`a\\u{7}b` is no name"),
            ("x".repeat(127), "no pre-shared key is known"),
            ("y".repeat(128), "no pre-shared key is known"),
            ("z".repeat(129), "zzz…` is no name"),
        ] {
            let (unknown, refusal, octets) = Pair::new(&listener, Offer::new(version, &identity, &KEY)).refused();
            assert_eq!(unknown, wrong, "{identity}");
            assert_eq!((octets.len(), &octets[octets.len() - 7..]), (wrong_octets.len(), &wrong_octets[wrong_octets.len() - 7..]));
            assert_eq!(refusal.check, Check::PresharedKey);
            assert!(refusal.found.contains(words), "{refusal}");
        }
    }
}

/// Some small clients list suites with a key exchange and no groups for it. What they can do all the same is taken.
#[test]
fn a_client_without_groups_gets_a_suite_without_a_key_exchange() {
    let listener = listener(|_| {});
    let mut hello = vec![3, 3];
    hello.extend([7; 32]);
    // ECDHE-PSK-CHACHA20-POLY1305 and PSK-AES128-GCM-SHA256; no extensions.
    hello.extend([0, 0, 4, 0xcc, 0xac, 0x00, 0xa8, 1, 0]);
    let mut record = vec![22, 3, 1, 0, u8::try_from(hello.len() + 4).unwrap(), 1, 0, 0, u8::try_from(hello.len()).unwrap()];
    record.extend(hello);
    let mut output = Vec::new();
    PskConnection::new(listener).receive(&record, &mut Vec::new(), &mut output).unwrap();
    // ServerHello with no session id and that suite.
    assert_eq!((output[0], output[5], &output[43..46]), (22, 2, &[0, 0x00, 0xa8][..]));
}

#[test]
fn an_empty_identity_is_nobody() {
    // OpenSSL's client sends none by itself: by hand.
    let listener = listener(|_| {});
    let (_, refusal, _) = Pair::new(&listener, Offer::new(VERSIONS[0], "", &KEY)).refused();
    assert!(refusal.found.contains("the identity `` is no name of a device"), "{refusal}");
}

#[test]
fn nothing_is_resumed() {
    let listener = listener(|_| {});
    for version in VERSIONS {
        let mut pair = Pair::new(&listener, Offer::new(version, "pump-7", &KEY));
        pair.shake().unwrap();
        // TLS 1.3 would send tickets now, TLS 1.2 would have given the session an id, or a ticket before its Finished.
        assert!(pair.client.get_ref().to_client.is_empty() || version == SslVersion::TLS1_2, "{version:?}");
        assert_eq!(pair.client.ssl_read(&mut [0; 16]).unwrap_err().code(), ErrorCode::WANT_READ);
        assert!(version == SslVersion::TLS1_3 || pair.client.ssl().session().unwrap().id().is_empty());
        let ticket = [22, 3, 3, 0];
        assert!(!pair.sent.windows(6).any(|octets| octets.starts_with(&ticket) && octets[5] == 4), "{version:?}");
    }
}

#[test]
fn old_versions_can_be_left_out() {
    let listener = listener(|config| config.minimum_version = MinimumVersion::Tls13);
    let (error, refusal, _) = Pair::new(&listener, Offer::new(VERSIONS[0], "pump-7", &KEY)).refused();
    assert!(error.contains("protocol version"), "{error}");
    assert_eq!(refusal.check, Check::PresharedKey);
    let mut pair = Pair::new(&listener, Offer::new(VERSIONS[1], "pump-7", &KEY));
    pair.shake().unwrap();
    assert_eq!(pair.device(), "pump-7");
}

/// Keeps questions until it is told to answer.
#[derive(Default)]
struct Slow(Mutex<Vec<(DeviceName, PskDone)>>);

impl Slow {
    fn pending(&self) -> Vec<(DeviceName, PskDone)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl PskLookup for Slow {
    fn find(&self, identity: &DeviceName, done: PskDone) {
        self.0.lock().unwrap().push((identity.clone(), done));
    }
}

#[test]
fn a_slow_answer_is_waited_for_and_nothing_is_lost() {
    let slow = Arc::new(Slow::default());
    let listener = listener(|config| config.lookup = Some(Arc::clone(&slow) as _));
    for version in VERSIONS {
        let wakes = Arc::new(AtomicUsize::new(0));
        let mut pair = Pair::new(&listener, Offer::new(version, "pump-9", &KEY));
        assert_eq!(pair.shake().unwrap_err(), "nothing moves");
        assert!(pair.server.is_waiting() && pair.server.is_handshaking());
        let counted = Arc::clone(&wakes);
        pair.question.take().unwrap().ask(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        assert!(pair.server.is_waiting());
        let before = pair.sent.len();
        pair.serve();
        assert_eq!((pair.sent.len(), wakes.load(Ordering::Relaxed)), (before, 0), "it goes on with the answer and no earlier");
        let [(identity, done)] = <[_; 1]>::try_from(slow.pending()).ok().unwrap();
        assert_eq!(identity.as_str(), "pump-9");
        done.answer(PskAnswer::Key(Psk::new(&KEY).unwrap()));
        assert!(!pair.server.is_waiting() && wakes.load(Ordering::Relaxed) == 1);
        pair.serve();
        pair.shake().unwrap();
        assert_eq!(pair.device(), "pump-9");
        assert!(pair.question.is_none());
    }
    // Who is in the file is not asked about.
    let mut pair = Pair::new(&listener, Offer::new(VERSIONS[0], "pump-7", &KEY));
    pair.shake().unwrap();
    assert!(slow.pending().is_empty());
}

#[test]
fn whoever_gives_no_key_lets_nobody_in() {
    let slow = Arc::new(Slow::default());
    let listener = listener(|config| config.lookup = Some(Arc::clone(&slow) as _));
    type Answer = fn(PskDone);
    let answers: [(&str, Answer); 3] = [
        ("no pre-shared key is known", |done| done.answer(PskAnswer::Unknown)),
        ("could not be looked up: the data base is away", |done| done.answer(PskAnswer::Failed("the data base is away".to_owned()))),
        ("could not be looked up: whoever was asked gave no answer", drop),
    ];
    for version in VERSIONS {
        let (wrong, _, _) = Pair::new(&listener, Offer::new(version, "pump-7", &[1; 32])).refused();
        for (words, answer) in answers {
            let mut pair = Pair::new(&listener, Offer::new(version, "pump-9", &KEY));
            assert_eq!(pair.shake().unwrap_err(), "nothing moves");
            pair.question.take().unwrap().ask(|| {});
            slow.pending().into_iter().for_each(|(_, done)| answer(done));
            pair.serve();
            let (error, refusal, _) = pair.refused();
            assert_eq!(error, wrong);
            assert!(refusal.found.contains(words), "{refusal}");
        }
    }
    // A client that is gone meanwhile.
    let mut pair = Pair::new(&listener, Offer::new(VERSIONS[0], "pump-9", &KEY));
    assert_eq!(pair.shake().unwrap_err(), "nothing moves");
    let question = pair.question.take().unwrap();
    drop(pair);
    question.ask(|| {});
    slow.pending().into_iter().for_each(|(_, done)| done.answer(PskAnswer::Key(Psk::new(&KEY).unwrap())));
}

#[test]
fn a_key_that_is_gone_or_changed_counts_no_more() {
    let slow = Arc::new(Slow::default());
    let one = listener(|config| config.lookup = Some(Arc::clone(&slow) as _));
    let mut pair = Pair::new(&one, Offer::new(VERSIONS[1], "pump-7", &KEY));
    pair.shake().unwrap();
    let Some(Peer::Keyed(filed)) = pair.peer else { panic!("a peer") };
    let mut pair = Pair::new(&one, Offer::new(VERSIONS[1], "pump-9", &KEY));
    pair.shake().unwrap_err();
    pair.question.take().unwrap().ask(|| {});
    slow.pending().into_iter().for_each(|(_, done)| done.answer(PskAnswer::Key(Psk::new(&KEY).unwrap())));
    pair.serve();
    pair.shake().unwrap();
    let Some(Peer::Keyed(asked)) = pair.peer else { panic!("a peer") };
    assert!(one.check_open(&filed).is_ok() && one.check_open(&asked).is_ok());

    let with = |text: &str, lookup: Option<Arc<dyn PskLookup>>| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("psk.txt");
        std::fs::write(&path, text).unwrap();
        let config = PskConfig { file: Some(PskFileConfig::new(path)), lookup, minimum_version: MinimumVersion::Tls12, key_log: None };
        PskListener::load(&config, revocations()).unwrap()
    };
    let key = hex::encode(KEY);
    let changed = |listener: &PskListener, peer| matches!(listener.check_open(peer), Err(PskEnding::KeyChanged(_)));
    assert!(with(&format!("pump-7:{key}"), None).check_open(&filed).is_ok());
    assert!(changed(&with(&format!("pump-7:{}", "ab".repeat(32)), None), &filed));
    assert!(changed(&with("", Some(slow.clone())), &filed), "its key came from the file, and is not there any more");
    assert!(with("", Some(slow.clone())).check_open(&asked).is_ok());
    assert!(changed(&with("", None), &asked));
    assert!(changed(&with(&format!("pump-9:{key}"), Some(slow)), &asked));
}

#[test]
fn a_listener_without_keys_is_none() {
    let config = PskConfig { file: None, lookup: None, minimum_version: MinimumVersion::Tls12, key_log: None };
    assert!(PskListener::load(&config, revocations()).is_err());
}

/// What a client has sent up to its key: the ClientHello, and in TLS 1.2 what comes next.
fn recorded(listener: &Arc<PskListener>, version: SslVersion) -> Vec<u8> {
    let mut pair = Pair::new(listener, Offer::new(version, "pump-7", &KEY));
    let mut recorded = Vec::new();
    for _ in 0..3 {
        let _ = pair.client.connect();
        recorded.extend_from_slice(&pair.client.get_ref().to_server);
        pair.serve();
    }
    recorded
}

/// Never panics, never makes somebody of it, and never keeps more than its bounds.
fn harmless(listener: &Arc<PskListener>, input: &[u8], portion: usize) {
    let mut server = PskConnection::new(Arc::clone(listener));
    let (mut plaintext, mut output) = (Vec::new(), Vec::new());
    for part in input.chunks(portion) {
        match server.receive(part, &mut plaintext, &mut output) {
            Ok(received) => assert!(received.peer.is_none()),
            Err(failure) => {
                assert!(matches!(failure.0.check, Check::Handshake | Check::PresharedKey));
                break;
            }
        }
        assert!(server.buffered() < 128 * 1024);
    }
    assert!(plaintext.is_empty() && server.is_handshaking());
    assert!(server.send(b"x", &mut output).is_err());
    server.close(&mut output);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn arbitrary_octets_are_refused(input in proptest::collection::vec(any::<u8>(), 1..3000), portion in 1_usize..500, as_record in any::<bool>()) {
        let listener = listener(|_| {});
        let mut input = input;
        if as_record {
            let length = u16::try_from(input.len()).unwrap().to_be_bytes();
            input.splice(0..0, [22, 3, 1, length[0], length[1]]);
        }
        harmless(&listener, &input, portion);
    }

    #[test]
    fn a_damaged_handshake_is_refused(at in any::<usize>(), flip in 1_u8.., version in 0_usize..2, portion in 1_usize..500, cut in any::<usize>()) {
        let listener = listener(|_| {});
        let mut input = recorded(&listener, VERSIONS[version]);
        let at = at % input.len();
        input[at] ^= flip;
        // A record of before belongs to a handshake of before: it proves nothing in this one, damaged or not.
        harmless(&listener, &input, portion);
        harmless(&listener, &input[..cut % input.len()], portion);
    }
}

#[test]
fn many_handshakes_at_once_keep_apart() {
    let slow = Arc::new(Slow::default());
    let listener = listener(|config| config.lookup = Some(Arc::clone(&slow) as _));
    let key = |number: u8| [number; 20];
    let mut pairs: Vec<Pair> = (0..200_u8)
        .map(|number| Pair::new(&listener, Offer::new(VERSIONS[usize::from(number) % 2], &format!("pump-{number}x"), &key(number))))
        .collect();
    for pair in &mut pairs {
        assert_eq!(pair.shake().unwrap_err(), "nothing moves");
        pair.question.take().unwrap().ask(|| {});
    }
    // In another order than they came.
    for (identity, done) in slow.pending().into_iter().rev() {
        let number = identity.as_str().trim_matches(|character: char| !character.is_ascii_digit()).parse().unwrap();
        done.answer(PskAnswer::Key(Psk::new(&key(number)).unwrap()));
    }
    for (number, mut pair) in pairs.into_iter().enumerate() {
        pair.serve();
        pair.shake().unwrap();
        assert_eq!(pair.device(), format!("pump-{number}x"));
    }
}
