//! Scripts of octets: packets as they are sent, and what comes back for each step.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// How long something that must come may take.
const PATIENCE: Duration = Duration::from_secs(20);

const PINGREQ: &[u8] = b"\xc0\0";
const PINGRESP: &[u8] = b"\xd0\0";

/// One thing that a client does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Sends octets, and stays.
    Send(Vec<u8>),
    /// Sends octets that end the connection.
    Ends(Vec<u8>),
    /// Closes, and connects anew.
    Again,
    /// Leaves the connection as it is, and makes another.
    Beside,
    /// Reads what came on the connection before, which ends.
    Before,
}

/// A connection, and whether its CONNECT was accepted.
pub(crate) struct Line {
    socket: TcpStream,
    is_connected: bool,
    /// For whoever has to find out what went wrong.
    what: String,
}

impl Line {
    pub(crate) fn open(port: u16, what: &str) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket, is_connected: false, what: what.to_owned() }
    }

    /// The next packet; nothing at the end of the connection.
    fn packet(&mut self) -> Option<Vec<u8>> {
        let mut packet = Vec::new();
        let mut octet = [0];
        for at in 0..5 {
            match self.socket.read(&mut octet) {
                Ok(0) => return None,
                Ok(_) => packet.push(octet[0]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{}: nothing comes, and the connection stays: {error}", self.what),
            }
            if at > 0 && octet[0] < 0x80 {
                break;
            }
        }
        let length = packet[1..].iter().rev().fold(0, |length, octet| length * 128 + usize::from(octet & 0x7f));
        let head = packet.len();
        packet.resize(head + length, 0);
        self.socket.read_exact(&mut packet[head..]).unwrap();
        Some(packet)
    }

    /// What comes for these octets. Behind them goes a PINGREQ, whose answer is the last; before the CONNECT is accepted one packet comes, or none.
    pub(crate) fn exchange(&mut self, octets: &[u8]) -> String {
        if !self.is_connected {
            self.socket.write_all(octets).unwrap();
            let Some(packet) = self.packet() else { return "end".to_owned() };
            self.is_connected = packet[0] == 0x20 && packet[3] == 0;
            return shown(&packet);
        }
        self.socket.write_all(octets).unwrap();
        let own = usize::from(octets == PINGREQ);
        self.socket.write_all(PINGREQ).unwrap();
        let (mut all, mut pings) = (String::new(), 0);
        while let Some(packet) = self.packet() {
            if packet == PINGRESP {
                pings += 1;
                if pings > own {
                    return all;
                }
            }
            all.push_str(&shown(&packet));
        }
        all + "end"
    }

    /// What comes next, without being asked for.
    pub(crate) fn await_publish(&mut self) -> String {
        self.packet().map_or_else(|| "end".to_owned(), |packet| shown(&packet))
    }

    /// Everything up to the end of the connection.
    fn rest(&mut self) -> String {
        let mut all = String::new();
        while let Some(packet) = self.packet() {
            all.push_str(&shown(&packet));
        }
        all + "end"
    }
}

/// In hexadecimal. Client Identifiers that the Server makes differ by their nature.
fn shown(packet: &[u8]) -> String {
    let mut packet = packet.to_vec();
    if let Some(at) = packet.windows(5).position(|window| window == b"auto-") {
        packet[at + 5..at + 41].fill(b'?');
    }
    packet.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// What comes for each step.
pub(crate) fn play((port, what): (u16, &str), script: &[Step]) -> Vec<String> {
    let mut line = Line::open(port, what);
    let mut before = None;
    let mut all = Vec::new();
    for step in script {
        match step {
            Step::Send(octets) => all.push(line.exchange(octets)),
            Step::Ends(octets) => {
                line.socket.write_all(octets).unwrap();
                all.push(line.rest());
            }
            Step::Again => {
                line.socket.shutdown(Shutdown::Both).unwrap();
                line = Line::open(port, what);
            }
            Step::Beside => before = Some(std::mem::replace(&mut line, Line::open(port, what))),
            Step::Before => all.push(before.as_mut().unwrap().rest()),
        }
    }
    all
}

// --- packets

fn length(mut value: usize) -> Vec<u8> {
    let mut octets = Vec::new();
    loop {
        let low = u8::try_from(value % 128).unwrap();
        value /= 128;
        octets.push(if value > 0 { low | 0x80 } else { low });
        if value == 0 {
            return octets;
        }
    }
}

/// A packet of these parts.
pub(crate) fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&[first], length(body.len()).as_slice(), &body].concat()
}

/// A text with its length.
pub(crate) fn text(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [&u16::try_from(text.len()).unwrap().to_be_bytes(), text].concat()
}

/// A property list, where the version has one.
pub(crate) fn properties(version: u8, list: &[u8]) -> Vec<u8> {
    if version == 5 { [length(list.len()).as_slice(), list].concat() } else { Vec::new() }
}

/// A CONNECT in the making.
pub(crate) struct Connect<'a> {
    pub(crate) version: u8,
    pub(crate) identifier: &'a str,
    pub(crate) flags: u8,
    pub(crate) keep_alive: u16,
    pub(crate) properties: &'a [u8],
    /// What stands behind the Client Identifier.
    pub(crate) rest: &'a [u8],
}

impl Connect<'_> {
    /// A clean session.
    pub(crate) fn new(version: u8) -> Self {
        Self { version, identifier: "c", flags: 2, keep_alive: 60, properties: &[], rest: &[] }
    }

    pub(crate) fn octets(&self) -> Vec<u8> {
        let name = if self.version == 3 { "MQIsdp" } else { "MQTT" };
        let head = [self.version, self.flags];
        let keep_alive = self.keep_alive.to_be_bytes();
        let list = properties(self.version, self.properties);
        packet(0x10, &[&text(name), &head, &keep_alive, &list, &text(self.identifier), self.rest])
    }
}

/// SUBSCRIBE to filters with their options.
pub(crate) fn subscribe(version: u8, packet_id: u16, list: &[u8], filters: &[(&str, u8)]) -> Vec<u8> {
    let filters: Vec<u8> = filters.iter().flat_map(|(filter, options)| [text(filter), vec![*options]].concat()).collect();
    packet(0x82, &[&packet_id.to_be_bytes(), &properties(version, list), &filters])
}

/// UNSUBSCRIBE.
pub(crate) fn unsubscribe(version: u8, packet_id: u16, filters: &[&str]) -> Vec<u8> {
    let filters: Vec<u8> = filters.iter().flat_map(text).collect();
    packet(0xa2, &[&packet_id.to_be_bytes(), &properties(version, &[]), &filters])
}

/// PUBLISH with these flags; with QoS 1 and 2 its Packet Identifier is 5.
pub(crate) fn publish(version: u8, flags: u8, topic: impl AsRef<[u8]>, list: &[u8], payload: &str) -> Vec<u8> {
    publish_as(version, flags, 5, topic, list, payload)
}

/// The same with another Packet Identifier.
pub(crate) fn publish_as(version: u8, flags: u8, packet_id: u16, topic: impl AsRef<[u8]>, list: &[u8], payload: &str) -> Vec<u8> {
    let id = packet_id.to_be_bytes();
    let id: &[u8] = if flags & 0b110 == 0 { &[] } else { &id };
    packet(0x30 | flags, &[&text(topic), id, &properties(version, list), payload.as_bytes()])
}

/// PUBACK, PUBREC, PUBREL, PUBCOMP.
pub(crate) fn ack(first: u8, packet_id: u16) -> Vec<u8> {
    packet(first, &[&packet_id.to_be_bytes()])
}
