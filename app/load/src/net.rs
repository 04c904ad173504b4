//! All connections of a load behind one epoll, by number.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime};
use signet_net::websocket::authority;
use signet_tls::TlsSession;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::Target;
use crate::link::{Buffers, Link, Readiness};
use crate::websocket::WebSocket;

/// Events taken from the system at a time.
const EVENTS: usize = 1024;

const TIMER: Token = Token(usize::MAX);

/// Below this a wait is kept by a timer: epoll itself counts whole milliseconds.
const COARSE: Duration = Duration::from_millis(5);

/// One source address has about 28,000 ports to connect from; a load of more connections to this machine uses several of its addresses.
const PER_SOURCE: usize = 20_000;
const SOURCES: u8 = 200;

/// The connections.
#[derive(Debug)]
pub(crate) struct Net {
    poll: Poll,
    events: Events,
    links: Vec<Option<Box<Link>>>,
    buffers: Buffers,
    timer: OwnedFd,
    address: SocketAddr,
    host: String,
    /// Host and port as HTTP writes them, and the path of the WebSocket.
    websocket: Option<(String, String)>,
    has_many: bool,
}

/// A connection for which something can be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) id: usize,
    readiness: Readiness,
}

impl Net {
    /// For `connections` in all to the address of `target`, on which packets of up to `largest_packet` octets come.
    pub(crate) fn new(target: &Target, connections: usize, largest_packet: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS),
            links: Vec::new(),
            buffers: Buffers::new(largest_packet),
            timer,
            address: target.address,
            host: target.host.clone(),
            websocket: target.websocket.clone().map(|path| (authority(&target.host, target.address.port()), path)),
            has_many: connections > PER_SOURCE,
        })
    }

    /// Begins connection `id`, which sends `first` as soon as it can.
    pub(crate) fn open(&mut self, id: usize, session: Option<TlsSession>, first: Vec<u8>) -> io::Result<()> {
        let keys = &mut self.buffers.keys;
        let websocket = self.websocket.as_ref().map(|(authority, path)| WebSocket::ask(authority, path, keys)).transpose()?;
        let mut socket = match self.source(id) {
            None => TcpStream::connect(self.address)?,
            Some(source) => connect_from(source, self.address)?,
        };
        self.poll.registry().register(&mut socket, Token(id), Interest::READABLE | Interest::WRITABLE)?;
        if self.links.len() <= id {
            self.links.resize_with(id + 1, || None);
        }
        if let Some(place) = self.links.get_mut(id) {
            *place = Some(Box::new(Link::new(socket, session, websocket, first)));
        }
        Ok(())
    }

    fn source(&self, id: usize) -> Option<IpAddr> {
        let is_here = matches!(self.address.ip(), IpAddr::V4(address) if address.is_loopback());
        let last = u8::try_from(id % usize::from(SOURCES)).unwrap_or(0);
        (self.has_many && is_here).then(|| IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2 + last)))
    }

    pub(crate) fn link(&mut self, id: usize) -> Option<&mut Link> {
        self.links.get_mut(id)?.as_deref_mut()
    }

    /// Waits for events up to `time`, which is kept to some microseconds, and lists the connections concerned.
    pub(crate) fn wait(&mut self, time: Duration, ready: &mut Vec<Ready>) -> io::Result<()> {
        ready.clear();
        let mut limit = time;
        if !time.is_zero() && time < COARSE {
            let value = Timespec { tv_sec: 0, tv_nsec: i64::from(time.subsec_nanos()) };
            let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
            limit = COARSE;
        }
        match self.poll.poll(&mut self.events, Some(limit)) {
            // A signal: what it means is asked elsewhere.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            outcome => outcome?,
        }
        for event in self.events.iter().filter(|event| event.token() != TIMER) {
            let readiness = Readiness {
                readable: event.is_readable(),
                writable: event.is_writable(),
                ended: event.is_read_closed() || event.is_error(),
            };
            ready.push(Ready { id: event.token().0, readiness });
        }
        Ok(())
    }

    /// Does what can be done for a connection, see [`Link::proceed`]. One that is not there any more is passed over.
    pub(crate) fn proceed(&mut self, ready: Ready, take: impl FnMut(&mut Vec<u8>, &[u8]) -> usize) -> Result<(), String> {
        let Some(link) = self.links.get_mut(ready.id).and_then(Option::as_mut) else { return Ok(()) };
        link.proceed(&self.host, ready.readiness, &mut self.buffers, take)
    }

    /// Sends what was put into the connection's [`Link::out`], as far as the socket takes it.
    pub(crate) fn write(&mut self, id: usize) -> Result<(), String> {
        let Some(link) = self.links.get_mut(id).and_then(Option::as_mut) else { return Ok(()) };
        link.write(&mut self.buffers.keys)
    }

    /// Ends a connection: what is left is sent, as far as the socket takes it at once.
    pub(crate) fn close(&mut self, id: usize) {
        if let Some(mut link) = self.links.get_mut(id).and_then(Option::take) {
            link.close(&mut self.buffers.keys);
            let _ = self.poll.registry().deregister(link.socket());
        }
    }
}

/// Begins to connect from an address of our choice.
fn connect_from(source: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(SocketAddr::new(source, 0)))?;
    match socket.connect(&SockAddr::from(to)) {
        Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}
