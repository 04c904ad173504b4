//! The client's part of SOCKS version 5 (RFC 1928) with a user name and a password (RFC 1929), as far as a connection to a broker needs it. The name of
//! the broker goes to the proxy as it is written. Own code, because the libraries there are either bring a runtime along or know no time limit.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::ClientError;

/// The version in every message, and that of the negotiation about user name and password.
const VERSION: u8 = 5;
const CREDENTIALS_VERSION: u8 = 1;

/// Methods (RFC 1928 §3).
const NOTHING: u8 = 0;
const CREDENTIALS: u8 = 2;

const CONNECT: u8 = 1;

/// Types of addresses (RFC 1928 §5).
const IPV4: u8 = 1;
const DOMAIN: u8 = 3;
const IPV6: u8 = 4;

/// A proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Socks5Proxy {
    /// Its host name or address.
    pub host: String,
    /// Its port, usually 1080.
    pub port: u16,
    /// The user name, where it wants one: at most 255 octets.
    pub username: Option<String>,
    /// The password that goes with it, likewise.
    pub password: Option<String>,
}

impl std::fmt::Debug for Socks5Proxy {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Socks5Proxy({self}, username {:?})", self.username)
    }
}

impl std::fmt::Display for Socks5Proxy {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') { write!(out, "[{}]:{}", self.host, self.port) } else { write!(out, "{}:{}", self.host, self.port) }
    }
}

/// Why a proxy does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyFault {
    /// It accepts none of the methods that we offer.
    NoMethod,
    /// It does not accept the user name and the password; with its status.
    Credentials(u8),
    /// It answers the request with this code (RFC 1928 §6), which is not 0.
    Reply(u8),
    /// What it says is not SOCKS 5.
    NotSocks,
    /// It closed the connection.
    Closed,
    /// It did not answer in time.
    TimedOut,
    /// A name is longer than the protocol allows, 255 octets.
    TooLong,
}

/// The codes of replies: in words, and the number of Mosquitto's error for it.
const REPLIES: [(u8, &str, u8); 8] = [
    (1, "it failed", 16),
    (2, "its rules do not allow the connection", 11),
    (3, "the network is unreachable", 4),
    (4, "the host is unreachable", 4),
    (5, "the connection was refused", 4),
    (6, "the time to live expired", 16),
    (7, "it does not know the command", 16),
    (8, "it does not know the type of the address", 16),
];

impl ProxyFault {
    /// The exit code of Mosquitto's clients.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::NoMethod => 11,
            Self::Credentials(code) | Self::Reply(code) => {
                REPLIES.iter().find(|(known, ..)| *known == code).map_or(3, |(_, _, exit)| *exit)
            }
            Self::NotSocks => 16,
            Self::Closed => 7,
            Self::TimedOut => 14,
            Self::TooLong => 3,
        }
    }
}

impl std::fmt::Display for ProxyFault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoMethod => out.write_str("it wants another proof of who we are than a user name and a password, or wants those"),
            Self::Credentials(_) => out.write_str("it does not accept the user name and the password"),
            Self::Reply(code) => match REPLIES.iter().find(|(known, ..)| known == code) {
                Some((_, words, _)) => out.write_str(words),
                None => write!(out, "it answers with the unknown code {code}"),
            },
            Self::NotSocks => out.write_str("what it says is not SOCKS 5"),
            Self::Closed => out.write_str("it closed the connection"),
            Self::TimedOut => out.write_str("it did not answer in time"),
            Self::TooLong => out.write_str("host, user name and password have at most 255 octets each"),
        }
    }
}

/// Has the proxy behind `socket` connect to the broker. What follows on the socket is the broker's.
pub(crate) fn ask(socket: &mut TcpStream, proxy: &Socks5Proxy, (host, port): (&str, u16), deadline: Instant) -> Result<(), ClientError> {
    let mut exchange = Exchange { socket, deadline };
    exchange.authenticate(proxy).and_then(|()| exchange.connect(host, port)).map_err(|failure| match failure {
        Failure::Fault(fault) => ClientError::Proxy { proxy: proxy.to_string(), fault },
        Failure::Io(error) => ClientError::Lost(error),
    })
}

enum Failure {
    Fault(ProxyFault),
    Io(io::Error),
}

impl From<ProxyFault> for Failure {
    fn from(fault: ProxyFault) -> Self {
        Self::Fault(fault)
    }
}

struct Exchange<'a> {
    socket: &'a mut TcpStream,
    deadline: Instant,
}

impl Exchange<'_> {
    fn authenticate(&mut self, proxy: &Socks5Proxy) -> Result<(), Failure> {
        let methods: &[u8] = if proxy.username.is_some() { &[NOTHING, CREDENTIALS] } else { &[NOTHING] };
        let mut greeting = vec![VERSION];
        push_counted(&mut greeting, methods)?;
        self.send(&greeting)?;
        let [version, method] = self.receive()?;
        match (version, method, &proxy.username) {
            (VERSION, NOTHING, _) => Ok(()),
            (VERSION, CREDENTIALS, Some(username)) => self.prove(username, proxy.password.as_deref().unwrap_or_default()),
            (VERSION, ..) => Err(ProxyFault::NoMethod.into()),
            _ => Err(ProxyFault::NotSocks.into()),
        }
    }

    fn prove(&mut self, username: &str, password: &str) -> Result<(), Failure> {
        let mut request = vec![CREDENTIALS_VERSION];
        push_counted(&mut request, username.as_bytes())?;
        push_counted(&mut request, password.as_bytes())?;
        self.send(&request)?;
        match self.receive()? {
            [CREDENTIALS_VERSION, 0] => Ok(()),
            [CREDENTIALS_VERSION, status] => Err(ProxyFault::Credentials(status).into()),
            _ => Err(ProxyFault::NotSocks.into()),
        }
    }

    fn connect(&mut self, host: &str, port: u16) -> Result<(), Failure> {
        let mut request = vec![VERSION, CONNECT, 0];
        match host.parse() {
            Ok(IpAddr::V4(address)) => {
                request.push(IPV4);
                request.extend_from_slice(&address.octets());
            }
            Ok(IpAddr::V6(address)) => {
                request.push(IPV6);
                request.extend_from_slice(&address.octets());
            }
            Err(_) => {
                request.push(DOMAIN);
                push_counted(&mut request, host.as_bytes())?;
            }
        }
        request.extend_from_slice(&port.to_be_bytes());
        self.send(&request)?;
        let [version, reply, _, kind] = self.receive()?;
        if version != VERSION {
            return Err(ProxyFault::NotSocks.into());
        }
        if reply != 0 {
            return Err(ProxyFault::Reply(reply).into());
        }
        // From where it connects is of no interest, but stands before what the broker says.
        let length = match kind {
            IPV4 => 4,
            IPV6 => 16,
            DOMAIN => usize::from(u8::from_be_bytes(self.receive()?)),
            _ => return Err(ProxyFault::NotSocks.into()),
        };
        let mut rest = vec![0; length + 2];
        self.fill(&mut rest)
    }

    fn send(&mut self, message: &[u8]) -> Result<(), Failure> {
        self.socket.set_write_timeout(Some(self.left()?)).map_err(Failure::Io)?;
        self.socket.write_all(message).map_err(failed)
    }

    fn receive<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let mut octets = [0; N];
        self.fill(&mut octets)?;
        Ok(octets)
    }

    /// Reads exactly as much, and not beyond: what comes then is not the proxy's.
    fn fill(&mut self, mut room: &mut [u8]) -> Result<(), Failure> {
        while !room.is_empty() {
            self.socket.set_read_timeout(Some(self.left()?)).map_err(Failure::Io)?;
            match self.socket.read(room) {
                Ok(0) => return Err(ProxyFault::Closed.into()),
                Ok(count) => room = room.get_mut(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    fn left(&self) -> Result<Duration, Failure> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ProxyFault::TimedOut.into()) } else { Ok(left) }
    }
}

fn failed(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ProxyFault::TimedOut.into(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => ProxyFault::Closed.into(),
        _ => Failure::Io(error),
    }
}

/// Octets behind their number.
fn push_counted(message: &mut Vec<u8>, octets: &[u8]) -> Result<(), Failure> {
    message.push(u8::try_from(octets.len()).map_err(|_| ProxyFault::TooLong)?);
    message.extend_from_slice(octets);
    Ok(())
}
