//! What a client with a pre-shared key sends before anything is encrypted, as it is read before the TLS library sees it.

use std::sync::{Arc, OnceLock};

use signet_identity::DeviceName;
use signet_psk::{PskConfig, PskConnection, PskDone, PskListener, PskLookup};
use signet_revocation::RevocationIndex;
use signet_tls::{CurrentRevocations, MinimumVersion, TlsError};

/// Is never asked: what it would be asked is what is looked at.
struct Nobody;

impl PskLookup for Nobody {
    fn find(&self, _: &DeviceName, _: PskDone) {}
}

/// A listener that has to ask for every key.
fn listener() -> Option<&'static Arc<PskListener>> {
    static LISTENER: OnceLock<Result<Arc<PskListener>, TlsError>> = OnceLock::new();
    let load = || {
        let config = PskConfig { file: None, lookup: Some(Arc::new(Nobody)), minimum_version: MinimumVersion::Tls12, key_log: None };
        PskListener::load(&config, CurrentRevocations::new(RevocationIndex::new())).map(Arc::new)
    };
    LISTENER.get_or_init(load).as_ref().ok()
}

/// The start of a handshake.
///
/// # Panics
/// When octets that come one by one make something else than the same octets at once, or anybody is let in.
pub fn psk(data: &[u8]) {
    assert_eq!(outcome(data, data.len().max(1)), outcome(data, 1));
}

/// Whether a client that begins like this names a key.
#[must_use]
pub fn names_a_key(data: &[u8]) -> bool {
    outcome(data, data.len().max(1)).0.is_some()
}

/// Whose key was asked for, and whether it was refused. Not why: of two faults in one flight either may be seen first.
fn outcome(data: &[u8], portion: usize) -> (Option<String>, bool) {
    let Some(listener) = listener() else { return (None, true) };
    let mut connection = PskConnection::new(Arc::clone(listener));
    let (mut plaintext, mut wire) = (Vec::new(), Vec::new());
    for part in data.chunks(portion) {
        let result = connection.receive(part, &mut plaintext, &mut wire);
        assert!(plaintext.is_empty() && connection.is_handshaking(), "nobody is let in without a key");
        // What goes on and what is read of it.
        assert!(connection.buffered() <= 2 * data.len(), "a connection holds {} octets", connection.buffered());
        match result {
            Err(failure) => {
                let (found, hint) = (&failure.0.found, &failure.0.hint);
                assert!(found.len() < 1000 && !found.contains(char::is_control) && !hint.is_empty(), "{found:?}");
                return (None, true);
            }
            Ok(received) => {
                assert!(received.peer.is_none(), "nobody is let in without a key");
                if let Some(question) = received.question {
                    assert!(connection.is_waiting());
                    return (Some(format!("{question:?}")), false);
                }
            }
        }
    }
    (None, false)
}

/// A client of each version.
#[must_use]
pub fn handshakes() -> Vec<Vec<u8>> {
    let long = |octets: &[u8]| [u16::try_from(octets.len()).unwrap_or_default().to_be_bytes().as_slice(), octets].concat();
    let extension = |kind: u8, content: &[u8]| [&[0, kind], long(content).as_slice()].concat();
    let message = |kind: u8, body: &[u8]| [&[kind, 0], long(body).as_slice()].concat();
    let record = |content: &[u8]| [&[22, 3, 1], long(content).as_slice()].concat();
    let hello = |extensions: &[u8]| {
        let suites = long(&[0x13, 0x01, 0x00, 0xA8, 0xCC, 0xAC]);
        message(1, &[&[3, 3], [7; 32].as_slice(), &[0], &suites, &[1, 0], &long(extensions)].concat())
    };
    let offered = |names: &[&[u8]]| {
        let identities: Vec<u8> = names.iter().flat_map(|name| [long(name), vec![0; 4]].concat()).collect();
        let keys = [long(&identities), long(&[[32].as_slice(), &[9; 32]].concat())].concat();
        [extension(43, &[4, 3, 4, 3, 3]), extension(45, &[1, 1]), extension(41, &keys)].concat()
    };
    let one = hello(&offered(&[b"pump-7"]));
    let key_exchange = message(16, &long(b"pump-7"));
    let cut: Vec<u8> = one.chunks(40).flat_map(record).collect();
    vec![
        record(&one),
        cut,
        record(&hello(&offered(&[b"\xff\0ticket", b"pump-7"]))),
        [record(&hello(&[])), record(&key_exchange), vec![20, 3, 3, 0, 1, 1]].concat(),
        record(&hello(&[])),
    ]
}
