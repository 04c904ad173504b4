//! What a peer can make the server hold or wait for is bounded.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use signet_mqtt::{ProtocolVersion, QoS, ReasonCode};
use signet_testkit::{Device, Target};

use super::rig::{Rig, await_log, await_that, capture_log};

/// Whether the server closes the socket, whatever it says before.
fn is_closed(socket: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match socket.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn who_says_nothing_is_closed() {
    capture_log();
    let rig = Rig::with(1, |config| {
        for listener in &mut config.listeners {
            listener.connect_timeout = Duration::from_millis(100);
            listener.handshake_timeout = Duration::from_millis(100);
        }
    });
    assert!(is_closed(&mut rig.raw("mqtt")));
    await_log(&["signet::refused", "no complete CONNECT", "listener=\"mqtt\""]);
    assert!(is_closed(&mut rig.raw("mqtts")));
    await_log(&["signet::refused", "no complete TLS handshake", "listener=\"mqtts\""]);
    let pump = rig.pki.device("pump-7");
    let mut silent = Device::open(&rig.tls(&pump), ProtocolVersion::V5);
    silent.expect_closed();
    await_log(&["signet::refused", "no complete CONNECT", "CN=pump-7"]);
    assert_eq!(rig.server.stats().refused, 3);
    rig.await_connections(0);
}

#[test]
fn a_connect_that_comes_byte_by_byte_is_in_time_or_not() {
    let rig = Rig::with(1, |config| config.listeners[0].connect_timeout = Duration::from_millis(300));
    let mut socket = rig.raw("mqtt");
    // A CONNECT of 60 bytes whose rest never comes; each byte is no reason to wait longer.
    for byte in b"\x10\x3c\x00\x04MQTT\x04\x02\x00\x3c\x00\x30" {
        socket.write_all(&[*byte]).unwrap();
    }
    assert!(is_closed(&mut socket));
}

#[test]
fn a_huge_connect_is_refused_from_its_first_bytes() {
    capture_log();
    let rig = Rig::new(1);
    let mut socket = rig.raw("mqtt");
    socket.write_all(&[0x10, 0xff, 0xff, 0xff, 0x7f]).unwrap();
    assert!(is_closed(&mut socket));
    await_log(&["signet::refused", "CONNECT"]);
}

#[test]
fn too_many_connections_are_closed_at_once() {
    capture_log();
    let rig = Rig::with(1, |config| config.listeners[0].maximum_connections = 2);
    let first = Device::connect(&rig.tcp(), ProtocolVersion::V5, "a");
    let _second = Device::connect(&rig.tcp(), ProtocolVersion::V5, "b");
    assert!(is_closed(&mut rig.raw("mqtt")));
    await_log(&["maximum_connections", "listener=\"mqtt\""]);
    first.leave(ReasonCode::Success);
    // The place comes back when the socket is closed.
    await_that(
        || {
            Device::try_open(&rig.tcp(), ProtocolVersion::V5).is_ok_and(|mut device| {
                device.send_raw(b"\xc0\x00");
                rig.server.stats().accepted > 2
            })
        },
        "a free place",
    );
}

#[test]
fn a_slow_subscriber_neither_grows_nor_blocks() {
    let rig = Rig::new(2);
    let mut slow = Device::connect(&rig.tcp(), ProtocolVersion::V5, "slow");
    slow.subscribe("flood", QoS::AtMostOnce);
    let mut quick = Device::connect(&rig.tcp(), ProtocolVersion::V5, "quick");
    quick.subscribe("other", QoS::AtMostOnce);
    let mut publisher = Device::connect(&rig.tcp(), ProtocolVersion::V5, "publisher");
    let text = "x".repeat(200_000);
    let before = resident();
    for _ in 0..1000 {
        publisher.publish("flood", &text, QoS::AtMostOnce, false);
    }
    // An answer means that all of the above was read.
    publisher.expect_silence();
    await_that(|| rig.server.stats().broker.dropped_slow > 0, "messages to be dropped");
    let grown = resident().saturating_sub(before);
    assert!(grown < 60_000_000, "200 MB were published to somebody who does not read, and {grown} octets are held");
    publisher.publish("other", "still alive", QoS::AtMostOnce, false);
    quick.expect_message("other", "still alive");
    // What it was sent before the drop is still whole.
    slow.expect_message("flood", &text);
}

/// PINGRESP may not be dropped, so the one who asks for it without reading it has to be stopped from asking.
#[test]
fn a_client_that_asks_and_never_reads_is_not_read_either() {
    let rig = Rig::new(1);
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&std::net::SocketAddr::from(([127, 0, 0, 1], rig.port("mqtt"))).into()).unwrap();
    let mut socket = TcpStream::from(socket);
    socket.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let before = resident();
    socket.write_all(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01g").unwrap();
    let pings = b"\xc0\x00".repeat(32 * 1024);
    let blocked = (0..2000).any(|_| socket.write_all(&pings).is_err());
    assert!(blocked, "128 MB were read from somebody who reads nothing");
    let _others_are_served = Device::connect(&rig.tcp(), ProtocolVersion::V5, "other");
    let grown = resident().saturating_sub(before);
    assert!(grown < 20_000_000, "{grown} octets are held for somebody who does not read");
}

/// Runs [`few_descriptors`] in a process of its own, which may open few files, and connects more often than that.
#[test]
fn running_out_of_descriptors_passes() {
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" --exact limits::few_descriptors --ignored --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let port = lines.find_map(|line| line.strip_prefix("listening on ").map(|port| port.parse::<u16>().unwrap())).unwrap();
    let crowd: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    assert!(lines.any(|line| line.contains("cannot accept a connection") && line.contains("ulimit -n")));
    drop(crowd);
    // Those of the crowd that were let in are gone, so there is room again.
    Device::connect(&Target::tcp(port), ProtocolVersion::V5, "after").leave(ReasonCode::Success);
    drop(child.stdin.take());
    // The rest of its output must not block it.
    let complaints = lines.filter(|line| line.contains("cannot accept")).count();
    assert!(child.wait().unwrap().success());
    assert!(complaints < 100, "{complaints} complaints: it asks again without a pause");
}

#[test]
#[ignore = "started by running_out_of_descriptors_passes"]
fn few_descriptors() {
    tracing_subscriber::fmt().with_ansi(false).init();
    let rig = Rig::new(1);
    println!("\nlistening on {}", rig.port("mqtt"));
    let _ = std::io::stdin().read(&mut [0]);
}

/// Resident memory of this process, in octets.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
