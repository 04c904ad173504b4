//! Version 1: one line of text, `PROXY TCP4 192.0.2.1 198.51.100.1 40000 1883`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::{self, FromStr};

use super::{ProxyError, ProxyHeader, malformed};
use crate::PeerAddress;

pub(super) const PREFIX: &[u8] = b"PROXY ";

/// The longest line that the addresses can make, its end included.
const MAXIMUM_LINE: usize = 107;

pub(super) fn read(input: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyError> {
    let head = input.get(..MAXIMUM_LINE).unwrap_or(input);
    let Some(end) = head.windows(2).position(|pair| pair == b"\r\n") else {
        if input.len() >= MAXIMUM_LINE {
            return Err(malformed(format!("no end of line within {MAXIMUM_LINE} octets")));
        }
        return Ok(None);
    };
    let line = head.get(PREFIX.len()..end).unwrap_or_default();
    let line = str::from_utf8(line).map_err(|_| malformed("the line is not text"))?;
    let source = source(line)?;
    Ok(Some((ProxyHeader { version: 1, is_local: false, source, tls: None }, end + 2)))
}

fn source(line: &str) -> Result<Option<PeerAddress>, ProxyError> {
    // What follows UNKNOWN means nothing to a receiver.
    if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        return Ok(None);
    }
    let mut words = line.split(' ');
    let mut word = || words.next().ok_or_else(|| malformed("the line ends too soon, expected two addresses and two ports"));
    let family = word()?;
    let addresses = (word()?, word()?);
    let (port, target_port) = (port(word()?)?, port(word()?)?);
    if words.next().is_some() {
        return Err(malformed("the line goes on behind the second port"));
    }
    let ip = match family {
        "TCP4" => IpAddr::V4(address::<Ipv4Addr>(addresses.0)?),
        "TCP6" => IpAddr::V6(address::<Ipv6Addr>(addresses.0)?),
        _ => return Err(malformed("the family is none of TCP4, TCP6 and UNKNOWN")),
    };
    // Where the client believes to be connected to is checked for form only: nothing depends on it.
    let _: u16 = target_port;
    match family {
        "TCP4" => drop(address::<Ipv4Addr>(addresses.1)?),
        _ => drop(address::<Ipv6Addr>(addresses.1)?),
    }
    Ok(Some(SocketAddr::new(ip, port).into()))
}

fn address<A: FromStr>(text: &str) -> Result<A, ProxyError> {
    text.parse().map_err(|_| malformed("an address is not one of its family"))
}

fn port(text: &str) -> Result<u16, ProxyError> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain).ok_or_else(|| malformed("a port is not a number from 0 to 65535"))
}
