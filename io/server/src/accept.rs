//! The accept thread: takes connections from the listening sockets and deals them out to the shards.
//!
//! A thread of its own, so that a storm of connections costs the shards nothing but the handshakes they choose to do.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mio::{Events, Poll, Token, Waker};
use signet_net::{ListenSocket, PeerAddress};

use crate::counters::Cause;
use crate::gate::{Displaced, Full, origin};
use crate::link::Accepted;
use crate::listener::Listener;
use crate::mailbox::Mail;
use crate::shared::Shared;
use crate::socket::{Listening, Socket};

const WAKE: Token = Token(usize::MAX);

/// Connections taken from one socket before the others get their turn.
const BATCH: usize = 64;

/// How long to leave a socket alone when the process or the system is out of descriptors or memory, in milliseconds.
/// Asking again at once would spin.
const PAUSE: u64 = 100;

/// How often a listener that is full is mentioned.
const FULL_LOG_INTERVAL: u64 = 5_000;

/// The thread's state.
pub(crate) struct Acceptor {
    poll: Poll,
    sockets: Vec<Entrance>,
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    next_shard: usize,
    /// Connections for each shard, posted together.
    posts: Vec<Vec<Mail>>,
}

/// One listening socket.
struct Entrance {
    socket: Listening,
    listener: Arc<Listener>,
    ready: bool,
    /// Not to be asked before, in milliseconds of the server's clock: its listener is at its `connect_rate`, or something is exhausted.
    held_until: u64,
    full_logged: Option<u64>,
}

/// Ends the accept thread.
pub(crate) struct Stop {
    flag: Arc<AtomicBool>,
    waker: Waker,
}

impl Stop {
    pub(crate) fn stop(&self) {
        self.flag.store(true, Ordering::Release);
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the accept thread cannot be woken");
        }
    }
}

impl Acceptor {
    /// Prepares to accept from `sockets`, which are bound and non-blocking.
    pub(crate) fn new(sockets: Vec<(ListenSocket, Arc<Listener>)>, shared: Arc<Shared>) -> io::Result<(Self, Stop)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let mut registered = Vec::with_capacity(sockets.len());
        for (index, (socket, listener)) in sockets.into_iter().enumerate() {
            let mut socket = Listening::new(socket)?;
            socket.watch(poll.registry(), Token(index))?;
            registered.push(Entrance { socket, listener, ready: true, held_until: 0, full_logged: None });
        }
        let flag = Arc::new(AtomicBool::new(false));
        let posts = shared.mailboxes.iter().map(|_| Vec::new()).collect();
        let acceptor = Self { poll, sockets: registered, shared, stop: Arc::clone(&flag), next_shard: 0, posts };
        Ok((acceptor, Stop { flag, waker }))
    }

    /// Accepts until told to stop; the listening sockets close with the end of it.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(64);
        while !self.stop.load(Ordering::Acquire) {
            let now = self.shared.clock.milliseconds();
            let ready = self.sockets.iter().filter(|socket| socket.ready);
            let timeout = ready.map(|socket| Duration::from_millis(socket.held_until.saturating_sub(now))).min();
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the accept thread cannot wait for connections and ends");
                return;
            }
            for event in &events {
                if let Some(socket) = self.sockets.get_mut(event.token().0) {
                    socket.ready = true;
                }
            }
            self.accept_ready();
            for (mailbox, post) in self.shared.mailboxes.iter().zip(&mut self.posts) {
                mailbox.post(post);
            }
        }
    }

    /// One batch from each socket that may have connections.
    fn accept_ready(&mut self) {
        let now = self.shared.clock.milliseconds();
        for index in 0..self.sockets.len() {
            for _ in 0..BATCH {
                let Some(socket) = self.sockets.get_mut(index).filter(|socket| socket.ready && socket.held_until <= now) else { break };
                if let Some(wait) = socket.listener.wait_for_turn(now) {
                    socket.held_until = now.saturating_add(wait);
                    break;
                }
                match socket.socket.accept() {
                    Ok((stream, address)) => {
                        socket.listener.take_turn(now);
                        self.deal(index, stream, address);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.ready = false,
                    // The client is gone again, or a signal came: the next one.
                    Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {}
                    Err(error) => {
                        tracing::error!(
                            listener = &*socket.listener.name,
                            %error,
                            "cannot accept a connection; is the limit of open files too low? (`ulimit -n`, systemd: `LimitNOFILE=`)"
                        );
                        socket.held_until = now.saturating_add(PAUSE);
                        break;
                    }
                }
            }
        }
    }

    fn deal(&mut self, index: usize, socket: Socket, address: PeerAddress) {
        let at = self.shared.clock.milliseconds();
        let Some(from) = self.sockets.get_mut(index) else { return };
        if let Some(Err(refusal)) = from.listener.proxy().map(|proxy| proxy.check_source(&address)) {
            self.shared.counters.refuse(Cause::Check(refusal.check));
            return from.listener.log_refusal(&refusal, address);
        }
        // Behind a proxy all have one address, which is nobody's in particular.
        let origin = if from.listener.proxy().is_some() { None } else { origin(&address) };
        let id = self.shared.registry.next_link();
        let shard = u16::try_from(self.next_shard).unwrap_or(u16::MAX);
        let (place, displaced) = match from.listener.admit(origin, id, shard) {
            Ok(admitted) => admitted,
            Err(full) => {
                self.shared.counters.refuse(Cause::Full(full));
                from.log_full(full, &address, at);
                return;
            }
        };
        if let Some(Displaced { link, shard }) = displaced
            && let Some(post) = self.posts.get_mut(usize::from(shard))
        {
            post.push(Mail::Displace(link));
        }
        self.shared.counters.accepted.fetch_add(1, Ordering::Relaxed);
        // An MQTT packet is small and somebody waits for it.
        if let Err(error) = socket.without_delay() {
            tracing::debug!(%address, %error, "TCP_NODELAY refused: the peer is gone already");
            return;
        }
        let accepted = Accepted { id, socket, address, place, at };
        if let Some(post) = self.posts.get_mut(self.next_shard) {
            post.push(Mail::Accepted(Box::new(accepted)));
        }
        self.next_shard = (self.next_shard + 1) % self.posts.len().max(1);
    }
}

impl Entrance {
    /// Says that somebody was refused for want of room, once in a while.
    fn log_full(&mut self, full: Full, address: &PeerAddress, at: u64) {
        if self.full_logged.is_some_and(|logged| at.saturating_sub(logged) < FULL_LOG_INTERVAL) {
            return;
        }
        self.full_logged = Some(at);
        let reason = match full {
            Full::Listener => "the listener has reached its `maximum_connections`",
            Full::Server => "the server has reached its `connections_maximum`",
            Full::Address => "the address has reached the listener's `connections_per_address_maximum`",
        };
        tracing::warn!(target: "signet::refused", %address, listener = &*self.listener.name, "refused: {reason}");
    }
}
