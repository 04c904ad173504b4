//! Many clients at once, over plain TCP: each has sent its CONNECT before anybody waits for an answer.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use bytes::BytesMut;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signet_mqtt::{Connect, Packet, encode};

/// How long one answer may take. Never the measure of a test: only the bound after which it failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Clients that connect at a time.
const THREADS: usize = 4;

/// The first octet of a CONNACK (§3.2.1).
const CONNACK: u8 = 0x20;

/// Clients that have sent CONNECT. Dropping it closes their connections.
pub struct Rush {
    streams: Vec<TcpStream>,
}

impl Rush {
    /// Connects so many, as fast as the system takes them. `connect` is what the client with this number says.
    ///
    /// # Panics
    /// When one is not taken. Each is an open file: see [`raise_open_files`].
    #[must_use]
    pub fn begin(port: u16, count: usize, connect: impl Fn(usize) -> Connect + Sync) -> Self {
        let open = |number: usize| {
            let packet = connect(number);
            let version = packet.version;
            let mut bytes = BytesMut::new();
            encode(&Packet::Connect(Box::new(packet)), version, &mut bytes);
            let mut stream =
                TcpStream::connect(("127.0.0.1", port)).unwrap_or_else(|error| panic!("client {number} cannot connect: {error}"));
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(&bytes).unwrap_or_else(|error| panic!("client {number} cannot send CONNECT: {error}"));
            stream
        };
        let streams = thread::scope(|scope| {
            let open = &open;
            let threads: Vec<_> =
                (0..THREADS).map(|first| scope.spawn(move || (first..count).step_by(THREADS).map(open).collect::<Vec<_>>())).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("a client failed, its message is above")).collect()
        });
        Self { streams }
    }

    /// Waits until each has a CONNACK, and returns the reason codes.
    ///
    /// # Panics
    /// When one is closed without, or gets something else.
    #[must_use]
    pub fn answers(&mut self) -> Vec<u8> {
        self.streams.iter_mut().map(answer).collect()
    }
}

fn answer(stream: &mut TcpStream) -> u8 {
    let mut begin = [0; 4];
    stream.read_exact(&mut begin).unwrap_or_else(|error| panic!("no CONNACK: {error}"));
    let [kind, length, _, code] = begin;
    assert_eq!(kind, CONNACK, "expected CONNACK, got {begin:02x?}");
    assert!((2..128).contains(&length), "a CONNACK of this length was not expected: {begin:02x?}");
    let mut rest = vec![0; usize::from(length) - 2];
    stream.read_exact(&mut rest).unwrap_or_else(|error| panic!("half a CONNACK: {error}"));
    code
}

/// Raises the limit of open files of this process, to at most 20,000. Returns how many there may be.
#[must_use]
pub fn raise_open_files() -> u64 {
    const MOST: u64 = 20_000;
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(MOST, |maximum| maximum.min(MOST)).max(limit.current.unwrap_or(0));
    if setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }).is_err() {
        return limit.current.unwrap_or(0).min(MOST);
    }
    wanted.min(MOST)
}
