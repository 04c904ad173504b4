//! The disk runs full: QoS 1 and 2 for those who want it kept are refused, or not acknowledged where there is no way to refuse; everything else
//! goes on, and so does all of it once there is room again. What was acknowledged is there in the end.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use signet_mqtt::{Packet, ProtocolVersion, Publish, QoS, ReasonCode};
use signet_testkit::{connect_packet, publish_packet, subscribe_packet};

use crate::line::{Line, PATIENCE};
use crate::outcome::Outcome;
use crate::probe::Probe;
use crate::publisher::Publisher;
use crate::scene::{Scene, everything};
use crate::server::{Server, Setup};
use crate::subscriber::Subscriber;
use crate::volume::Volume;

const V5: ProtocolVersion = ProtocolVersion::V5;
const V311: ProtocolVersion = ProtocolVersion::V311;

/// Memory for the file system, in MiB: a few dozen segments.
const ROOM: u32 = 48;

/// How often the disk runs full under load.
const CYCLES: u32 = 4;

pub(crate) fn run(seed: u64) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let volume = Volume::memory(ROOM);
    let mut setup = Setup::new(directory.path(), 1);
    setup.data = volume.path.join("data");
    setup.store = "[store]\nsegment_size = 1048576".to_owned();
    let (accepted, mut wrong) = exactly(&setup, &volume.path);
    let server = Server::start(&setup);
    let found = Probe::take_all(setup.port, "sink", accepted.len());
    let lost: Vec<u32> = accepted.iter().filter(|number| !found.contains(number)).copied().collect();
    if !lost.is_empty() {
        wrong.push(format!("acknowledged and lost: {lost:?}"));
    }
    server.stop();
    std::fs::remove_dir_all(&setup.data).unwrap();
    let under_load = under_load(&setup, &volume.path, seed);
    let text = format!("{} acknowledged one by one, {} lost; {}", accepted.len(), lost.len(), under_load.text);
    let wrong_text: String = wrong.iter().map(|line| format!("\n  wrong: {line}")).collect();
    Outcome { is_good: wrong.is_empty() && under_load.is_good, text: text + &wrong_text }
}

/// One thing after the other. Returns what was acknowledged, and what was not as it should be.
fn exactly(setup: &Setup, disk: &Path) -> (Vec<u32>, Vec<String>) {
    let mut wrong = Vec::new();
    let mut accepted = Vec::new();
    let server = Server::start(setup);
    Probe::subscribe_and_leave(setup.port, "sink");
    let (mut five, _) = Probe::connect(setup.port, V5, "five").unwrap();
    let (mut three, _) = Probe::connect(setup.port, V311, "three").unwrap();
    let (mut live, _) = Line::introduce(setup.port, connect_packet(V5, "live")).unwrap();
    live.send(&Packet::Subscribe(subscribe_packet(1, &[("live/#", QoS::AtLeastOnce)])));
    live.expect();
    let filler = fill(disk);
    let mut number = 0;
    let refusal = loop {
        number += 1;
        match five.publish(number, QoS::AtLeastOnce, 64 * 1024) {
            Some(code) if code.is_error() => break code,
            Some(_) => accepted.push(number),
            None => panic!("the broker ends the connection when its disk is full; its log:\n{}", server.log()),
        }
        assert!(number < 2000, "the disk does not run full");
    };
    let mut expect = |what: &str, is_so: bool| {
        if !is_so {
            wrong.push(format!("with a full disk: {what}"));
        }
    };
    expect("PUBACK says 0x97", refusal == ReasonCode::QuotaExceeded);
    let pubrec = five.publish(number + 1, QoS::ExactlyOnce, 64 * 1024);
    expect("PUBREC says 0x97", pubrec == Some(ReasonCode::QuotaExceeded));
    let in_vain = number + 2;
    three.send(in_vain, QoS::AtLeastOnce, 64 * 1024);
    let answers = three.await_ping();
    expect("MQTT 3.1.1 gets no acknowledgement", answers.is_empty());
    // Nobody wants this kept, so it needs no room: QoS 1 to a session that ends with its connection.
    live.send(&Packet::Publish(Publish {
        packet_id: Some(signet_testkit::packet_id(2)),
        ..publish_packet("live/x", "m", QoS::AtLeastOnce, false)
    }));
    let (first, second) = (live.expect(), live.expect());
    let is_delivered = [&first, &second].iter().any(|packet| matches!(packet, Packet::Publish(_)));
    let is_acknowledged = [&first, &second].iter().any(|packet| matches!(packet, Packet::Puback(ack) if !ack.reason_code.is_error()));
    expect("what nobody wants kept is delivered and acknowledged", is_delivered && is_acknowledged);
    let newcomer = Probe::connect(setup.port, V5, "newcomer").map(|(_, connack)| connack.reason_code);
    expect("a new session that is to last is refused with 0x97", newcomer == Some(ReasonCode::QuotaExceeded));
    drop(filler);
    std::fs::remove_file(disk.join("filler")).unwrap();
    expect("MQTT 3.1.1 is disconnected once there is room, to send again", three.await_loss());
    let (mut three, connack) = Probe::connect(setup.port, V311, "three").unwrap();
    expect("its session is there", connack.session_present);
    if three.publish(in_vain, QoS::AtLeastOnce, 64 * 1024) == Some(ReasonCode::Success) {
        accepted.push(in_vain);
    }
    let end = Instant::now() + PATIENCE;
    while five.publish(in_vain + 1, QoS::ExactlyOnce, 1024).is_some_and(|code| code.is_error()) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(50));
    }
    expect("it takes messages again by itself", Instant::now() < end);
    accepted.push(in_vain + 1);
    server.kill();
    (accepted, wrong)
}

/// The disk runs full and has room again while everybody publishes and reads.
fn under_load(setup: &Setup, disk: &Path, seed: u64) -> Outcome {
    let server = Server::start(setup);
    let publisher = |(number, version)| Publisher { number, version, qualities: vec![QoS::AtLeastOnce, QoS::ExactlyOnce], size: 8 * 1024 };
    let publishers = [V5, V311].into_iter().enumerate().map(publisher).collect();
    let subscriber = |name: &str, is_often_away| Subscriber {
        client_identifier: name.to_owned(),
        version: V5,
        filters: everything(),
        group: None,
        is_often_away,
    };
    let scene = Scene::with(setup.port, seed, publishers, &[subscriber("often-away", true), subscriber("always-there", false)]);
    for _ in 0..CYCLES {
        let filler = fill(disk);
        // Long enough for the spare segments to be used up.
        std::thread::sleep(Duration::from_millis(2500));
        drop(filler);
        std::fs::remove_file(disk.join("filler")).unwrap();
        let before = scene.ledger.total();
        if !scene.ledger.await_total(before + 100, PATIENCE) {
            scene.ledger.fault(format!("nothing is acknowledged though there is room again; the log:\n{}", server.log()));
        }
    }
    let refused = scene.ledger.refusals();
    let verdict = scene.finish();
    server.stop();
    Outcome::of(&verdict, &format!("full {CYCLES} times under load, {refused} refused with 0x97"))
}

/// Takes all the room there is.
fn fill(disk: &Path) -> File {
    let mut file = File::create(disk.join("filler")).unwrap();
    for size in [64 * 1024, 4096] {
        let block = vec![1; size];
        while file.write_all(&block).is_ok() {}
    }
    file
}
