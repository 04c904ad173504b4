//! Against a small name server on loopback.

use std::net::TcpListener;
use std::thread::JoinHandle;

use simple_dns::ResourceRecord;

use super::*;
use crate::Endpoint;
use crate::dial::{SocketOptions, dial};

fn records(list: &[(u16, u16, u16, &str)]) -> Vec<Record> {
    let record = |(priority, weight, port, target): &(u16, u16, u16, &str)| Record {
        priority: *priority,
        weight: *weight,
        port: *port,
        target: (*target).to_owned(),
    };
    list.iter().map(record).collect()
}

/// The answer to `query`.
fn reply(query: &[u8], code: RCODE, found: &[Record], is_truncated: bool) -> Vec<u8> {
    let query = Packet::parse(query).unwrap();
    let mut packet = Packet::new_reply(query.id());
    packet.set_flags(PacketFlag::RESPONSE);
    if is_truncated {
        packet.set_flags(PacketFlag::TRUNCATION);
    }
    *packet.rcode_mut() = code;
    let question = query.questions[0].clone();
    for record in found.iter().filter(|_| !is_truncated) {
        let target = Name::new(&record.target).unwrap();
        let srv = SRV { priority: record.priority, weight: record.weight, port: record.port, target };
        packet.answers.push(ResourceRecord::new(question.qname.clone(), CLASS::IN, 60, RData::SRV(srv)));
    }
    packet.questions.push(question);
    packet.build_bytes_vec().unwrap()
}

/// A name server that answers `count` questions, and hands out the names that were asked for.
fn name_server(count: usize, answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let mut names = Vec::new();
        for _ in 0..count {
            let mut query = [0; 512];
            let (length, from) = socket.recv_from(&mut query).unwrap();
            let query = &query[..length];
            names.push(Packet::parse(query).unwrap().questions[0].qname.to_string());
            for message in answer(query) {
                socket.send_to(&message, from).unwrap();
            }
        }
        names
    });
    (address, thread)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

#[test]
fn the_name_depends_on_tls_and_the_lowest_priority_comes_first() {
    for (is_secure, expected) in [(false, "_mqtt._tcp.example.com"), (true, "_secure-mqtt._tcp.example.com")] {
        let (server, thread) = name_server(1, |query| {
            vec![reply(query, RCODE::NoError, &records(&[(20, 0, 1885, "c.example.com"), (10, 0, 1883, "a.example.com")]), false)]
        });
        let found = look_up("example.com", is_secure, &[server], soon()).unwrap();
        assert_eq!(found, [("a.example.com".to_owned(), 1883), ("c.example.com".to_owned(), 1885)]);
        assert_eq!(thread.join().unwrap(), [expected]);
    }
}

#[test]
fn answers_to_other_questions_are_not_believed() {
    let (server, thread) = name_server(1, |query| {
        let forged = records(&[(1, 0, 6666, "evil.example.net")]);
        let mut other_id = reply(query, RCODE::NoError, &forged, false);
        other_id[0] ^= 0xFF;
        let mut other_name = reply(query, RCODE::NoError, &forged, false);
        // The first letter of the question's name.
        other_name[13] = b'x';
        let question = query.to_vec();
        vec![other_id, other_name, question, vec![0; 3], reply(query, RCODE::NoError, &records(&[(1, 0, 1883, "a.example.com")]), false)]
    });
    assert_eq!(look_up("example.com", false, &[server], soon()).unwrap(), [("a.example.com".to_owned(), 1883)]);
    thread.join().unwrap();
}

#[test]
fn failures_are_told_apart_and_the_next_name_server_is_asked() {
    let (none, asked) = name_server(1, |query| vec![reply(query, RCODE::NameError, &[], false)]);
    let error = look_up("example.com", false, &[none], soon()).unwrap_err();
    assert_eq!(error.to_string(), "cannot find `_mqtt._tcp.example.com`: there is no such record");
    assert_eq!(error.exit_code(), 20);
    asked.join().unwrap();

    let (root, asked) = name_server(1, |query| vec![reply(query, RCODE::NoError, &records(&[(0, 0, 0, "")]), false)]);
    let error = look_up("example.com", false, &[root], soon()).unwrap_err();
    assert_eq!(error.to_string(), "cannot find `_mqtt._tcp.example.com`: the domain says that it has none");
    asked.join().unwrap();

    let (broken, first) = name_server(1, |query| vec![reply(query, RCODE::ServerFailure, &[], false)]);
    let (good, second) = name_server(1, |query| vec![reply(query, RCODE::NoError, &records(&[(0, 0, 1, "b")]), false)]);
    assert_eq!(look_up("example.com", false, &[broken, good], soon()).unwrap(), [("b".to_owned(), 1)]);
    first.join().unwrap();
    second.join().unwrap();

    // Nobody is there.
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(matches!(look_up("example.com", false, &[closed], soon()), Err(ClientError::Service { .. })));
}

#[test]
fn a_long_answer_is_fetched_over_tcp() {
    // A port that is free for both protocols.
    let both = || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = UdpSocket::bind(listener.local_addr().unwrap()).ok()?;
        Some((listener, socket))
    };
    let (listener, socket) = (0..20).find_map(|_| both()).unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let mut query = [0; 512];
        let (length, from) = socket.recv_from(&mut query).unwrap();
        socket.send_to(&reply(&query[..length], RCODE::NoError, &[], true), from).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut query).unwrap();
        let many: Vec<Record> = (0..40).flat_map(|port| records(&[(port, 0, port, "a.very.long.name.of.a.broker.example.com")])).collect();
        let answer = reply(&query, RCODE::NoError, &many, false);
        stream.write_all(&u16::try_from(answer.len()).unwrap().to_be_bytes()).unwrap();
        stream.write_all(&answer).unwrap();
    });
    let found = look_up("example.com", false, &[address], soon()).unwrap();
    assert_eq!(found.len(), MAXIMUM_TARGETS);
    assert_eq!(found[3].1, 3);
    thread.join().unwrap();
}

#[test]
fn weight_is_the_chance_among_equals() {
    let list = records(&[(5, 0, 1, "small"), (5, 998, 2, "large"), (1, 0, 3, "first")]);
    let mut large = 0;
    for _ in 0..200 {
        let ordered = order(list.clone()).unwrap();
        assert_eq!((ordered.len(), ordered[0].1), (3, 3));
        large += usize::from(ordered[1].1 == 2);
    }
    // 999 to 1: that it loses ten times of two hundred does not happen.
    assert!(large > 190, "{large}");
}

#[test]
fn the_first_host_that_answers_is_connected_to() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = listener.local_addr().unwrap().port();
    let (server, thread) = name_server(1, move |query| {
        vec![reply(query, RCODE::NoError, &records(&[(1, 0, closed, "127.0.0.1"), (2, 0, open, "localhost")]), false)]
    });
    let options = SocketOptions { name_servers: vec![server], ..SocketOptions::default() };
    let dialed = dial(&Endpoint::service("example.com"), &options, false, Duration::from_secs(10)).unwrap();
    assert_eq!(dialed.host, "localhost");
    assert_eq!(dialed.authority, format!("localhost:{open}"));
    thread.join().unwrap();
}
