//! One connection of the floor: bytes of a socket, with or without TLS, cut into packets.

use std::io::{self, Read as _, Write as _};

use mio::net::TcpStream;
use rustls::ServerConnection;

pub(super) const CONNECT: u8 = 1;
pub(super) const PUBLISH: u8 = 3;
pub(super) const SUBSCRIBE: u8 = 8;
const PINGREQ: u8 = 12;

/// One whole packet.
pub(super) struct Packet<'a> {
    pub(super) bytes: &'a [u8],
    /// What follows the fixed header.
    body: &'a [u8],
}

impl Packet<'_> {
    pub(super) fn kind(&self) -> u8 {
        self.bytes.first().map_or(0, |octet| octet >> 4)
    }

    /// The Topic Name of a PUBLISH.
    pub(super) fn topic(&self) -> &[u8] {
        text(self.body).map_or(&[], |(topic, _)| topic)
    }
}

/// The first whole packet, and what follows it.
pub(super) fn split_packet(bytes: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let (length, size) = variable_byte_integer(bytes.get(1..)?)?;
    let (packet, rest) = bytes.split_at_checked(1 + size + length)?;
    Some((Packet { bytes: packet, body: packet.get(1 + size..)? }, rest))
}

/// A Variable Byte Integer and how long it is.
fn variable_byte_integer(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (position, octet) in bytes.iter().take(4).enumerate() {
        value |= usize::from(octet & 0x7f) << (7 * position);
        if octet & 0x80 == 0 {
            return Some((value, position + 1));
        }
    }
    None
}

/// A string with its length in front, and what follows it.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

pub(super) struct Connection {
    socket: TcpStream,
    /// In a box: a connection over TCP does without its size.
    tls: Option<Box<ServerConnection>>,
    /// Received, and not yet a whole packet.
    input: Vec<u8>,
    /// To be sent, before TLS.
    output: Vec<u8>,
    is_version_5: bool,
}

impl Connection {
    pub(super) fn new(socket: TcpStream, tls: Option<ServerConnection>) -> Self {
        Self { socket, tls: tls.map(Box::new), input: Vec::new(), output: Vec::new(), is_version_5: false }
    }

    /// Reads until nothing is left; false at the end of the connection.
    pub(super) fn receive(&mut self, room: &mut [u8]) -> bool {
        loop {
            let count = match self.socket.read(room) {
                Ok(0) => return false,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            };
            let Some(got) = room.get(..count) else { return false };
            match &mut self.tls {
                None => self.input.extend_from_slice(got),
                Some(tls) => {
                    if decrypt(tls, got, &mut self.input).is_err() {
                        return false;
                    }
                }
            }
            // Fewer than there was room for: the socket is empty.
            if count < room.len() {
                return true;
            }
        }
    }

    pub(super) fn take_input(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.input)
    }

    /// Keeps what was not yet a whole packet.
    pub(super) fn put_back(&mut self, mut input: Vec<u8>, read: usize) {
        input.drain(..read);
        self.input = input;
    }

    /// Answers what needs no other connection; false when that is the end of this one.
    pub(super) fn answer(&mut self, packet: &Packet<'_>) -> bool {
        match packet.kind() {
            CONNECT => {
                self.is_version_5 = text(packet.body).and_then(|(_, rest)| rest.first()) == Some(&5);
                self.output.extend_from_slice(if self.is_version_5 { &[0x20, 3, 0, 0, 0] } else { &[0x20, 2, 0, 0] });
                true
            }
            PINGREQ => {
                self.output.extend_from_slice(&[0xd0, 0]);
                true
            }
            _ => false,
        }
    }

    /// Grants every Topic Filter of a SUBSCRIBE with QoS 0, and returns them.
    pub(super) fn subscribed(&mut self, packet: &Packet<'_>) -> Vec<Vec<u8>> {
        let Some((identifier, mut rest)) = packet.body.split_first_chunk::<2>() else { return Vec::new() };
        if self.is_version_5 {
            let skipped = variable_byte_integer(rest).and_then(|(length, size)| rest.get(length + size..));
            rest = skipped.unwrap_or_default();
        }
        let mut filters = Vec::new();
        while let Some((filter, after)) = text(rest) {
            filters.push(filter.to_vec());
            rest = after.get(1..).unwrap_or_default();
        }
        let properties: &[u8] = if self.is_version_5 { &[0] } else { &[] };
        let length = 2 + properties.len() + filters.len();
        self.output.push(0x90);
        put_variable_byte_integer(&mut self.output, length);
        self.output.extend_from_slice(identifier);
        self.output.extend_from_slice(properties);
        self.output.resize(self.output.len() + filters.len(), 0);
        filters
    }

    /// Puts bytes into the output; true if they are the first there.
    pub(super) fn send(&mut self, bytes: &[u8]) -> bool {
        let is_first = self.output.is_empty();
        self.output.extend_from_slice(bytes);
        is_first
    }

    /// Sends what the socket takes; false when the connection is broken. What is left goes when the socket is writable again.
    pub(super) fn flush(&mut self) -> bool {
        let sent = match &mut self.tls {
            None => send_plain(&mut self.socket, &mut self.output),
            Some(tls) => send_encrypted(&mut self.socket, tls, &mut self.output),
        };
        match sent {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    /// Says that nothing more will come.
    pub(super) fn end(mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        let _ = self.flush();
    }
}

fn put_variable_byte_integer(output: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = u8::try_from(value % 128).unwrap_or_default();
        value /= 128;
        output.push(if value > 0 { low | 0x80 } else { low });
        if value == 0 {
            return;
        }
    }
}

fn decrypt(tls: &mut ServerConnection, mut got: &[u8], input: &mut Vec<u8>) -> io::Result<()> {
    while !got.is_empty() {
        tls.read_tls(&mut got)?;
        let state = tls.process_new_packets().map_err(io::Error::other)?;
        let (begin, plain) = (input.len(), state.plaintext_bytes_to_read());
        if plain > 0 {
            input.resize(begin + plain, 0);
            tls.reader().read_exact(input.get_mut(begin..).unwrap_or_default())?;
        }
        if state.peer_has_closed() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

fn send_plain(socket: &mut TcpStream, output: &mut Vec<u8>) -> io::Result<()> {
    let mut sent = 0;
    let ended = loop {
        let rest = output.get(sent..).unwrap_or_default();
        if rest.is_empty() {
            break Ok(());
        }
        match socket.write(rest) {
            Ok(count) => sent += count,
            Err(error) => break Err(error),
        }
    };
    output.drain(..sent);
    ended
}

fn send_encrypted(socket: &mut TcpStream, tls: &mut ServerConnection, output: &mut Vec<u8>) -> io::Result<()> {
    if !output.is_empty() {
        tls.writer().write_all(output)?;
        output.clear();
    }
    while tls.wants_write() {
        tls.write_tls(socket)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_cut_out_of_bytes() {
        let publish = [0x30, 5, 0, 1, b't', b'h', b'i', 0xc0];
        let (packet, rest) = split_packet(&publish).unwrap();
        assert_eq!((packet.kind(), packet.topic(), rest), (PUBLISH, b"t".as_slice(), [0xc0].as_slice()));
        assert!(split_packet(rest).is_none());
        assert!(split_packet(&publish[..4]).is_none());
        let long = [&[0x30, 0x81, 1][..], &[0; 129]].concat();
        assert_eq!(split_packet(&long).unwrap().0.body.len(), 129);
    }

    #[test]
    fn lengths_are_written_as_they_are_read() {
        for value in [0, 127, 128, 16_384, 268_435_455] {
            let mut bytes = Vec::new();
            put_variable_byte_integer(&mut bytes, value);
            assert_eq!(variable_byte_integer(&bytes), Some((value, bytes.len())));
        }
    }
}
