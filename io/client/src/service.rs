//! Where a domain has its brokers: service records (RFC 2782) `_mqtt._tcp` and `_secure-mqtt._tcp`.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use resolv_conf::{Config, ScopedIp};
use simple_dns::rdata::{RData, SRV};
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, TYPE};

use crate::ClientError;

const RESOLV_CONF: &str = "/etc/resolv.conf";
const PORT: u16 = 53;

/// Hosts that are tried at most.
const MAXIMUM_TARGETS: usize = 16;

/// Names that are asked for at most: the one that was given, and behind it the search list.
const MAXIMUM_NAMES: usize = 7;

/// Rounds over all name servers, and how long one of them may take.
const ROUNDS: usize = 2;
const TURN: Duration = Duration::from_secs(5);

/// An answer over UDP without extensions (RFC 1035 §4.2.1) has 512 octets; whoever sends more is read all the same.
const DATAGRAM: usize = 4096;

/// The hosts and ports of the brokers of a domain, in the order in which they are to be tried.
///
/// # Errors
/// [`ClientError::Service`]: nobody answers, or the domain has none.
pub(crate) fn look_up(
    domain: &str,
    is_secure: bool,
    name_servers: &[SocketAddr],
    deadline: Instant,
) -> Result<Vec<(String, u16)>, ClientError> {
    let service = if is_secure { "_secure-mqtt._tcp" } else { "_mqtt._tcp" };
    let name = format!("{service}.{}", domain.trim_end_matches('.'));
    let failed = |found: String| ClientError::Service { name: name.clone(), found };
    let config = if name_servers.is_empty() { system().map_err(|error| failed(in_words(&error)))? } else { Config::new() };
    let servers = if name_servers.is_empty() { addresses(&config) } else { name_servers.to_vec() };
    let mut names = vec![name.clone()];
    if !domain.ends_with('.') {
        names.extend(config.get_last_search_or_domain().map(|suffix| format!("{name}.{}", suffix.trim_end_matches('.'))));
    }
    let mut found = "it has no name servers to ask: see /etc/resolv.conf".to_owned();
    for name in names.iter().take(MAXIMUM_NAMES) {
        match ask_all(name, &servers, deadline) {
            Ok(records) if !records.is_empty() => return order(records).map_err(failed),
            Ok(_) => "there is no such record".clone_into(&mut found),
            Err(error) => found = error,
        }
    }
    Err(failed(found))
}

fn system() -> io::Result<Config> {
    Ok(Config::parse_with_errors(&std::fs::read(RESOLV_CONF)?).0)
}

fn addresses(config: &Config) -> Vec<SocketAddr> {
    let address = |server: &ScopedIp| -> IpAddr {
        match server {
            ScopedIp::V4(address) => (*address).into(),
            ScopedIp::V6(address, _) => (*address).into(),
        }
    };
    config.nameservers.iter().map(|server| SocketAddr::new(address(server), PORT)).collect()
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    priority: u16,
    weight: u16,
    port: u16,
    target: String,
}

/// The first answer of a name server that says something about the name.
fn ask_all(name: &str, servers: &[SocketAddr], deadline: Instant) -> Result<Vec<Record>, String> {
    let mut last = "no name server answered".to_owned();
    for _ in 0..ROUNDS {
        for server in servers {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(last);
            }
            match ask(name, *server, left.min(TURN)) {
                Ok(Answer::Records(records)) => return Ok(records),
                Ok(Answer::NoSuchName) => return Ok(Vec::new()),
                Ok(Answer::Failure(code)) => last = format!("the name server {server} answered {code:?}"),
                Err(error) => last = format!("the name server {server}: {}", in_words(&error)),
            }
        }
    }
    Err(last)
}

enum Answer {
    Records(Vec<Record>),
    NoSuchName,
    Failure(RCODE),
}

fn ask(name: &str, server: SocketAddr, timeout: Duration) -> io::Result<Answer> {
    let deadline = Instant::now() + timeout;
    let id = u16::from_be_bytes(crate::transport::random().map_err(|error| io::Error::other(error.to_string()))?);
    let query = query(name, id)?;
    let socket = UdpSocket::bind(if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
    // Only this name server's datagrams arrive then.
    socket.connect(server)?;
    socket.send(&query)?;
    let mut datagram = [0; DATAGRAM];
    loop {
        socket.set_read_timeout(Some(left(deadline)?))?;
        let length = socket.recv(&mut datagram)?;
        let message = datagram.get(..length).unwrap_or_default();
        let Ok(packet) = Packet::parse(message) else { continue };
        // An answer to something else is somebody's who guesses.
        if packet.id() != id || !packet.has_flags(PacketFlag::RESPONSE) || !is_about(&packet, name) {
            continue;
        }
        if packet.has_flags(PacketFlag::TRUNCATION) {
            return ask_over_tcp(&query, id, name, server, deadline);
        }
        return Ok(answer(&packet));
    }
}

/// The same for an answer that does not fit into a datagram: each message behind its length (RFC 1035 §4.2.2).
fn ask_over_tcp(query: &[u8], id: u16, name: &str, server: SocketAddr, deadline: Instant) -> io::Result<Answer> {
    let mut socket = TcpStream::connect_timeout(&server, left(deadline)?)?;
    socket.set_write_timeout(Some(left(deadline)?))?;
    let length = u16::try_from(query.len()).map_err(io::Error::other)?;
    socket.write_all(&[&length.to_be_bytes(), query].concat())?;
    let mut length = [0; 2];
    socket.set_read_timeout(Some(left(deadline)?))?;
    socket.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    let mut room = message.as_mut_slice();
    while !room.is_empty() {
        socket.set_read_timeout(Some(left(deadline)?))?;
        match socket.read(room)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => room = room.get_mut(count..).unwrap_or_default(),
        }
    }
    let packet = Packet::parse(&message).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
    if packet.id() != id || !is_about(&packet, name) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "an answer to another question"));
    }
    Ok(answer(&packet))
}

fn query(name: &str, id: u16) -> io::Result<Vec<u8>> {
    let invalid = |error: simple_dns::SimpleDnsError| io::Error::new(io::ErrorKind::InvalidInput, error.to_string());
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(Question::new(Name::new(name).map_err(invalid)?, TYPE::SRV.into(), CLASS::IN.into(), false));
    packet.build_bytes_vec().map_err(invalid)
}

fn is_about(packet: &Packet<'_>, name: &str) -> bool {
    packet.questions.first().is_some_and(|question| question.qname.to_string().eq_ignore_ascii_case(name))
}

fn answer(packet: &Packet<'_>) -> Answer {
    let record = |srv: &SRV<'_>| Record { priority: srv.priority, weight: srv.weight, port: srv.port, target: srv.target.to_string() };
    let records = packet.answers.iter().filter_map(|answer| match &answer.rdata {
        RData::SRV(srv) => Some(record(srv)),
        _ => None,
    });
    match packet.rcode() {
        RCODE::NoError => Answer::Records(records.collect()),
        RCODE::NameError => Answer::NoSuchName,
        other => Answer::Failure(other),
    }
}

/// By priority, and among equals by chance, where the weight is the chance (RFC 2782).
fn order(mut records: Vec<Record>) -> Result<Vec<(String, u16)>, String> {
    // One record with the root as its target says that there is decidedly none.
    records.retain(|record| !record.target.trim_matches('.').is_empty());
    if records.is_empty() {
        return Err("the domain says that it has none".to_owned());
    }
    records.sort_by_key(|record| record.priority);
    let mut ordered = Vec::new();
    while ordered.len() < MAXIMUM_TARGETS {
        let Some(best) = records.first().map(|record| record.priority) else { break };
        let equals = records.iter().take_while(|record| record.priority == best);
        // One more each, so that a record without weight has a small chance too.
        let total: u64 = equals.clone().map(|record| u64::from(record.weight) + 1).sum();
        let chance = crate::transport::random().map_err(|error| error.to_string())?;
        let mut left = u64::from_be_bytes(chance) % total.max(1);
        let chosen = equals.map(|record| u64::from(record.weight) + 1).position(|share| {
            let is_it = left < share;
            left = left.saturating_sub(share);
            is_it
        });
        let record = records.remove(chosen.unwrap_or(0));
        ordered.push((record.target, record.port));
    }
    Ok(ordered)
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        _ => crate::error::io_words(error),
    }
}

#[cfg(test)]
mod tests;
