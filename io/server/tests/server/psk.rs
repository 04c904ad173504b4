//! Keys that somebody else has to be asked for: the connection waits, the shard does not.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use signet_identity::{DeviceName, Peer, Template};
use signet_net::ConnectionInfo;
use signet_policy::AdmissionRules;
use signet_psk::{PskConnector, PskStream};
use signet_server::{ListenerConfig, Psk, PskAnswer, PskConfig, PskDone, PskLookup, ServerConfig, TransportConfig};
use signet_tls::{Check, MinimumVersion, TlsError};

use super::rig::{Rig, await_that};

const KEY: [u8; 32] = [0x5a; 32];

/// An MQTT 3.1.1 CONNECT of the Client Identifier `x`, and the answer.
const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x";
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// Answers about `quick` at once, about everybody else when the test says so.
#[derive(Default)]
struct Keys(Mutex<Vec<(DeviceName, PskDone)>>);

impl PskLookup for Keys {
    fn find(&self, identity: &DeviceName, done: PskDone) {
        match identity.as_str() {
            "quick" => done.answer(PskAnswer::Key(Psk::new(&KEY).unwrap())),
            _ => self.0.lock().unwrap().push((identity.clone(), done)),
        }
    }
}

impl Keys {
    /// Waits until so many are asked about.
    fn next(&self, count: usize) -> Vec<(DeviceName, PskDone)> {
        await_that(|| self.0.lock().unwrap().len() >= count, "questions");
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// With one shard, so that whoever holds it up holds up everybody.
fn rig(change: impl FnOnce(&mut ListenerConfig)) -> (Rig, Arc<Keys>) {
    let keys = Arc::new(Keys::default());
    let lookup: Arc<dyn PskLookup> = keys.clone();
    let psk = PskConfig { file: None, lookup: Some(lookup), minimum_version: MinimumVersion::Tls12, key_log: None };
    let admission = AdmissionRules { client_identifier: Some(Template::parse("${device}").unwrap()), ..AdmissionRules::default() };
    let mut listener = ListenerConfig::new("keys", vec!["127.0.0.1:0".parse().unwrap()], TransportConfig::Psk(psk), admission);
    change(&mut listener);
    (Rig::with(1, |config: &mut ServerConfig| config.listeners.push(listener)), keys)
}

fn dial(socket: TcpStream, identity: &str, key: &[u8]) -> Result<PskStream, TlsError> {
    let connector = PskConnector::new(DeviceName::new(identity).unwrap(), Psk::new(key).unwrap()).unwrap();
    connector.connect("127.0.0.1", socket)
}

/// A client on a thread of its own, up to its CONNACK.
fn come(rig: &Rig, identity: &str, key: &[u8]) -> JoinHandle<Result<PskStream, String>> {
    let (socket, identity, key) = (rig.raw("keys"), identity.to_owned(), key.to_vec());
    std::thread::spawn(move || {
        let mut stream = dial(socket, &identity, &key).map_err(|error| error.to_string())?;
        stream.write_all(CONNECT).map_err(|error| error.to_string())?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).map_err(|error| error.to_string())?;
        assert_eq!(answer, CONNACK);
        Ok(stream)
    })
}

#[test]
fn a_slow_look_up_holds_nobody_up() {
    let (rig, keys) = rig(|_| {});
    let slow = come(&rig, "slow", &KEY);
    let [(identity, done)] = <[_; 1]>::try_from(keys.next(1)).ok().unwrap();
    assert_eq!(identity.as_str(), "slow");
    // The same shard, another handshake and a session, while the first one waits.
    let mut quick = come(&rig, "quick", &KEY).join().unwrap().unwrap();
    for _ in 0..3 {
        quick.write_all(&[0xc0, 0]).unwrap();
        let mut answer = [0; 2];
        quick.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [0xd0, 0]);
    }
    assert!(!slow.is_finished());
    rig.await_connections(1);
    done.answer(PskAnswer::Key(Psk::new(&KEY).unwrap()));
    let _slow = slow.join().unwrap().unwrap();
    rig.await_connections(2);
    let names = |connection: &ConnectionInfo| {
        let Peer::Keyed(peer) = &connection.entry.peer else { panic!("{:?}", connection.entry.peer) };
        (peer.name().as_str().to_owned(), connection.client_identifier.as_deref().map(str::to_owned))
    };
    let mut found: Vec<_> = rig.connections().iter().map(names).collect();
    found.sort();
    assert_eq!(found, ["quick", "slow"].map(|name| (name.to_owned(), Some(name.to_owned()))), "what the client claims counts for nothing");
}

#[test]
fn who_is_not_known_and_whose_key_is_another_one_hear_the_same() {
    let (rig, keys) = rig(|_| {});
    let refused = |identity: &str, answer: Option<PskAnswer>| {
        let client = come(&rig, identity, &[1; 32]);
        if let Some(answer) = answer {
            keys.next(1).pop().unwrap().1.answer(answer);
        }
        client.join().unwrap().unwrap_err()
    };
    let wrong = refused("quick", None);
    assert!(wrong.contains("refused this pre-shared key"), "{wrong}");
    assert_eq!(refused("nobody", Some(PskAnswer::Unknown)), wrong);
    assert_eq!(refused("nobody", Some(PskAnswer::Failed("the data base is away".to_owned()))), wrong);
    let found = || rig.server.refusals().newest(3, |_| true).into_iter().map(|record| record.refusal).collect::<Vec<_>>();
    await_that(|| found().len() == 3, "three refusals");
    let found = found();
    assert!(found.iter().all(|refusal| refusal.check == Check::PresharedKey), "{found:?}");
    assert!(found[0].found.contains("could not be looked up: the data base is away"), "{found:?}");
    assert!(found[1].found.contains("no pre-shared key is known for the identity `nobody`"), "{found:?}");
    assert!(found[2].found.contains("does not hold the pre-shared key of `quick`"), "{found:?}");
}

#[test]
fn an_answer_that_does_not_come_is_waited_for_no_longer_than_a_handshake() {
    let (rig, keys) = rig(|listener| listener.handshake_timeout = Duration::from_secs(1));
    let client = come(&rig, "slow", &KEY);
    let question = keys.next(1);
    client.join().unwrap().unwrap_err();
    let found = || rig.server.refusals().newest(1, |record| record.refusal.check == Check::PresharedKey);
    await_that(|| !found().is_empty(), "the refusal");
    assert!(found()[0].refusal.found.contains("no complete answer about its pre-shared key within 1 s"), "{:?}", found());
    // Too late: nobody is there any more.
    question.into_iter().for_each(|(_, done)| done.answer(PskAnswer::Key(Psk::new(&KEY).unwrap())));
    come(&rig, "quick", &KEY).join().unwrap().unwrap();
}

#[test]
fn clients_that_leave_while_their_keys_are_looked_up_leave_nothing() {
    let (rig, keys) = rig(|_| {});
    for _ in 0..50 {
        let socket = rig.raw("keys");
        let copy = socket.try_clone().unwrap();
        let client = std::thread::spawn(move || dial(socket, "slow", &KEY).map(drop));
        let question = keys.next(1);
        copy.shutdown(std::net::Shutdown::Both).unwrap();
        client.join().unwrap().unwrap_err();
        question.into_iter().for_each(|(_, done)| done.answer(PskAnswer::Key(Psk::new(&KEY).unwrap())));
    }
    rig.await_connections(0);
    come(&rig, "quick", &KEY).join().unwrap().unwrap();
}

#[test]
fn many_answers_in_another_order_than_the_questions() {
    let (rig, keys) = rig(|_| {});
    let key = |number: u8| [number; 24];
    let clients: Vec<_> = (0..40_u8).map(|number| come(&rig, &format!("pump-{number}"), &key(number))).collect();
    for (identity, done) in keys.next(40).into_iter().rev() {
        let number = identity.as_str().trim_start_matches("pump-").parse().unwrap();
        done.answer(PskAnswer::Key(Psk::new(&key(number)).unwrap()));
    }
    for client in clients {
        client.join().unwrap().unwrap();
    }
}
