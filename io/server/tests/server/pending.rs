//! Certificates of which nobody knows yet whether they are revoked: their CONNECT waits, nobody else does.

use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use signet_identity::DeviceIdentity;
use signet_mqtt::{ProtocolVersion, QoS};
use signet_net::StatusInquiry;
use signet_revocation::{RevocationDepth, RevocationMode, RevocationRules};
use signet_testkit::Device;
use signet_tls::{Check, TrustProfileConfig};

use super::forge::{CONNECT, Ca, Met, Session, Shown, Stream, connect_5, dial, meet};
use super::rig::await_that;
use super::stage::Stage;

type Done = Box<dyn FnOnce() + Send>;

/// Is asked, and answers when the test says so.
#[derive(Default)]
struct Asked(Mutex<Vec<(Arc<DeviceIdentity>, Done)>>);

impl StatusInquiry for Asked {
    fn ask(&self, identity: &Arc<DeviceIdentity>, done: Done) {
        self.0.lock().unwrap().push((Arc::clone(identity), done));
    }
}

impl Asked {
    /// Waits for a question. The answer is to all that were asked until it is given: a CONNECT that has to wait asks once more.
    fn next(&self) -> impl FnOnce() + '_ {
        await_that(|| !self.0.lock().unwrap().is_empty(), "a question");
        || {
            let all = std::mem::take(&mut *self.0.lock().unwrap());
            all.into_iter().for_each(|(_, done)| done());
        }
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

struct Waiting {
    stage: Stage,
    asked: Arc<Asked>,
    root: Ca,
}

impl Waiting {
    /// A profile that requires an answer, and waits so long for it.
    fn new(shards: u16, wait: Duration) -> Self {
        let stage = Stage::new(shards, |_| {});
        let (asked, root) = (Arc::new(Asked::default()), Ca::root("Root"));
        stage.rig.server.ask_about_status(asked.clone());
        stage.trust(&[requiring(stage.profile("devices", &[&root]), wait)]);
        Self { stage, asked, root }
    }

    /// Somebody knows now: what this authority issued is good.
    fn vouch(&self) {
        self.stage.rig.revocations.update(|index| index.with_own_authorities([self.root.id()]));
    }

    /// A client that has said CONNECT and more, and what came of it is not read yet.
    fn come(&self, shown: &Shown, octets: &[u8]) -> Stream {
        let mut stream = dial(self.stage.port(), &self.stage.client(shown), "localhost");
        stream.write_all(octets).and_then(|()| stream.flush()).unwrap();
        stream
    }
}

fn requiring(mut profile: TrustProfileConfig, wait: Duration) -> TrustProfileConfig {
    profile.revocation = RevocationRules { mode: RevocationMode::Require, depth: RevocationDepth::Leaf, ..RevocationRules::default() };
    profile.status_wait = wait;
    profile
}

const LONG: Duration = Duration::from_secs(3_600);

/// Nothing has come for the client although the server has had its turns.
fn expect_unanswered(waiting: &Waiting, stream: &mut Stream) {
    waiting.stage.rig.server.stats();
    waiting.stage.rig.server.stats();
    stream.sock.set_nonblocking(true).unwrap();
    let read = stream.read(&mut [0; 16]);
    stream.sock.set_nonblocking(false).unwrap();
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_connect_waits_while_others_go_on() {
    let waiting = Waiting::new(1, LONG);
    let open = Ca::root("Open");
    let stage = &waiting.stage;
    let both = [requiring(stage.profile("devices", &[&waiting.root]), LONG), stage.profile("open", &[&open])];
    stage.trust(&both);
    let mut held = waiting.come(&waiting.root.leaf("pump-7"), CONNECT);
    let done = waiting.asked.next();
    // On the same shard, after it: everything from the handshake to a message.
    let mut other = stage.enter(&open.leaf("pump-8"), "other");
    other.expect_alive();
    expect_unanswered(&waiting, &mut held);
    waiting.vouch();
    done();
    let mut connack = [0; 4];
    held.read_exact(&mut connack).unwrap();
    assert_eq!(connack, [0x20, 2, 0, 0]);
    // Known now: no question more.
    assert!(matches!(meet(stage.port(), &stage.client(&waiting.root.leaf("pump-9"))).0, Met::In(_)));
    assert_eq!(waiting.asked.count(), 0);
}

#[test]
fn an_answer_that_comes_first_is_not_waited_for() {
    let waiting = Waiting::new(2, LONG);
    for good in [false, true] {
        waiting.asked.0.lock().unwrap().clear();
        let mut stream = waiting.come(&waiting.root.leaf("pump-7"), b"");
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        let done = waiting.asked.next();
        let shown = waiting.stage.rig.connections().len();
        assert_eq!(shown, 1, "it can be found and revoked while it waits");
        if good {
            waiting.vouch();
        }
        done();
        waiting.stage.rig.server.stats();
        if good {
            stream.write_all(&connect_5("x")).and_then(|()| stream.flush()).unwrap();
            Session(stream).welcomed().unwrap_or_else(|met| panic!("{met:?}")).expect_alive();
        } else {
            // Whoever was asked knew nothing; somebody else may until the time is over.
            stream.write_all(CONNECT).and_then(|()| stream.flush()).unwrap();
            expect_unanswered(&waiting, &mut stream);
            drop(stream);
            let all = signet_net::Selector::All;
            waiting.stage.rig.server.registry().kick_selected(&all, &signet_net::KickCause::ListenerRemoved, super::rig::PATIENCE);
        }
        waiting.stage.rig.await_connections(0);
    }
}

#[test]
fn revoked_while_it_waits() {
    for by_answer in [true, false] {
        let waiting = Waiting::new(1, LONG);
        for (connect, words) in [(connect_5("x"), "5.0"), (CONNECT.to_vec(), "3.1.1")] {
            let shown = waiting.root.leaf("pump-7");
            waiting.asked.0.lock().unwrap().clear();
            let mut stream = waiting.come(&shown, &connect);
            let done = waiting.asked.next();
            // The question is put before CONNECT is read.
            expect_unanswered(&waiting, &mut stream);
            waiting.stage.note_revoked(shown.der());
            if !by_answer {
                assert_eq!(waiting.stage.review(), 1);
            }
            done();
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).unwrap();
            match words {
                "5.0" => assert_eq!((heard[0], heard[3]), (0x20, 0x87), "{heard:02x?}"),
                _ => assert_eq!(heard, [0x20, 2, 0, 5]),
            }
            let refusal = waiting.stage.refusal().refusal;
            assert_eq!((refusal.check, refusal.subject.as_deref()), (Check::Revocation, Some("CN=pump-7")), "{words}: {refusal}");
            waiting.stage.rig.await_connections(0);
        }
    }
}

#[test]
fn nobody_answers() {
    let waiting = Waiting::new(1, Duration::from_millis(200));
    for asked in [true, false] {
        waiting.asked.0.lock().unwrap().clear();
        let mut stream = waiting.come(&waiting.root.leaf("pump-7"), &connect_5("x"));
        let done = waiting.asked.next();
        if !asked {
            // Whoever was asked says that there is nothing to be found out.
            done();
        }
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).unwrap();
        assert_eq!((heard[0], heard[3]), (0x20, 0x87), "{heard:02x?}");
        assert!(String::from_utf8_lossy(&heard).contains("revocation status"), "{heard:02x?}");
        let refusal = waiting.stage.refusal().refusal;
        assert_eq!(refusal.check, Check::RevocationStatus);
        assert!(refusal.found.contains("no source can say") && refusal.hint.contains("signet revocation sources"), "{refusal:?}");
        waiting.stage.rig.await_connections(0);
    }
    waiting.asked.0.lock().unwrap().clear();
    // A profile that does not wait refuses in the handshake.
    waiting.stage.trust(&[requiring(waiting.stage.profile("devices", &[&waiting.root]), Duration::ZERO)]);
    assert_eq!(waiting.stage.refuse(&waiting.root.leaf("pump-7")).check, Check::RevocationStatus);
    assert_eq!(waiting.asked.count(), 0);
}

/// PUBLISH right behind CONNECT: it counts when the answer is good, and never when it is not.
#[test]
fn what_comes_behind_a_waiting_connect_waits_too() {
    let stage = Stage::new(1, |_| {});
    let mut plain = super::rig::config(&stage.rig.pki, 1).listeners.remove(0);
    plain.name = "mqtt".to_owned();
    let (asked, root) = (Arc::new(Asked::default()), Ca::root("Root"));
    stage.rig.server.ask_about_status(asked.clone());
    let profile = requiring(stage.profile("devices", &[&root]), LONG);
    stage.rig.server.reload(&[stage.listener(), plain], &[profile.into()]).unwrap();
    let waiting = Waiting { stage, asked, root };
    let mut watcher = Device::connect(&waiting.stage.rig.tcp(), ProtocolVersion::V5, "watcher");
    watcher.subscribe("up", QoS::AtMostOnce);
    let publish = b"\x30\x05\x00\x02upx";
    for good in [false, true] {
        let shown = waiting.root.leaf("pump-7");
        let mut stream = waiting.come(&shown, &[CONNECT, publish].concat());
        let done = waiting.asked.next();
        // More than any buffer takes comes behind it; nobody reads it.
        stream.sock.set_nonblocking(true).unwrap();
        for _ in 0..200 {
            if stream.write_all(&publish.repeat(2_000)).is_err() {
                break;
            }
        }
        stream.sock.set_nonblocking(false).unwrap();
        watcher.expect_silence();
        if good {
            waiting.vouch();
        } else {
            waiting.stage.note_revoked(shown.der());
        }
        done();
        let mut connack = [0; 4];
        stream.read_exact(&mut connack).unwrap();
        assert_eq!(connack, [0x20, 2, 0, if good { 0 } else { 5 }]);
        if good {
            watcher.expect_message("up", "x");
        } else {
            watcher.expect_silence();
        }
    }
    watcher.vanish();
}

/// Who waits and goes away, with or without an answer, leaves nothing behind.
#[test]
fn a_crowd_that_waits_and_goes_leaves_nothing() {
    const CROWD: usize = 1_000;
    let waiting = Waiting::new(2, Duration::from_secs(1));
    let client = waiting.stage.client(&waiting.root.leaf("pump-7"));
    let crowd: Vec<Stream> = (0..CROWD)
        .map(|_| {
            let mut stream = dial(waiting.stage.port(), &client, "localhost");
            stream.write_all(b"").and_then(|()| stream.flush()).unwrap();
            while stream.conn.is_handshaking() {
                stream.conn.complete_io(&mut stream.sock).unwrap();
            }
            stream
        })
        .collect();
    await_that(|| waiting.asked.count() >= CROWD, "all to be asked about");
    waiting.stage.rig.await_connections(CROWD);
    let half = CROWD / 2;
    for (number, mut stream) in crowd.into_iter().enumerate() {
        if number >= half {
            stream.write_all(CONNECT).and_then(|()| stream.flush()).unwrap();
        }
        drop(stream);
    }
    // Those without a CONNECT are missed at once, those with one when their time is over.
    waiting.stage.rig.await_connections(0);
    await_that(|| waiting.stage.rig.server.stats().sockets == 0, "every socket to be closed");
    // Answers that come too late find nobody.
    waiting.vouch();
    waiting.asked.next()();
    assert!(matches!(meet(waiting.stage.port(), &client).0, Met::In(_)));
}
