//! The accept thread: takes connections from the listening sockets and deals them out to the lobbies.
//!
//! A thread of its own, so that a storm of connections costs the lobbies nothing but the handshakes they choose to do.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mio::{Events, Poll, Token, Waker};
use signet_net::{ListenAddress, ListenSocket, PeerAddress};
use signet_tls::Check;

use crate::counters::Cause;
use crate::gate::{Displaced, Full, origin};
use crate::lines;
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

/// How long a crowd gathers before it is let in: while several connections of a listener are on their way to their CONNECT, the next ones have to wait for
/// those anyway. Each would otherwise wake this thread on its own, which takes the processor from the lobby that shakes hands: measured, that cost a
/// tenth of a resumed handshake. Who comes alone is let in at once.
const GATHER: Duration = Duration::from_millis(1);

/// How often a listener that is full is mentioned.
const FULL_LOG_INTERVAL: u64 = 5_000;

/// The thread's state.
pub(crate) struct Acceptor {
    poll: Poll,
    /// By the token of their socket.
    sockets: BTreeMap<usize, Entrance>,
    next_token: usize,
    shared: Arc<Shared>,
    orders: Arc<Mutex<Orders>>,
    /// What each shard and lobby gets, posted together.
    posts: Vec<Vec<Mail>>,
}

/// One listening socket.
struct Entrance {
    socket: Listening,
    address: ListenAddress,
    listener: Arc<Listener>,
    ready: bool,
    /// Not to be asked before, in milliseconds of the server's clock: its listener is at its `connect_rate`, or something is exhausted.
    held_until: u64,
    full_logged: Option<u64>,
}

/// What the accept thread is told to do.
#[derive(Default)]
struct Orders {
    stop: bool,
    open: Vec<(ListenSocket, Arc<Listener>)>,
    /// Where nobody is to be let in any more: listener and address.
    close: Vec<(Arc<str>, ListenAddress)>,
}

/// The accept thread's side for the control plane.
pub(crate) struct AcceptControl {
    orders: Arc<Mutex<Orders>>,
    waker: Waker,
}

impl AcceptControl {
    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.order(|orders| orders.stop = true);
    }

    /// Listens on more sockets, which are bound, and no more on others.
    pub(crate) fn change(&self, open: Vec<(ListenSocket, Arc<Listener>)>, close: Vec<(Arc<str>, ListenAddress)>) {
        self.order(|orders| {
            orders.open.extend(open);
            orders.close.extend(close);
        });
    }

    fn order(&self, give: impl FnOnce(&mut Orders)) {
        give(&mut self.orders.lock().unwrap_or_else(PoisonError::into_inner));
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the accept thread cannot be woken");
        }
    }
}

impl Acceptor {
    /// Prepares to accept from `sockets`, which are bound and non-blocking.
    pub(crate) fn new(sockets: Vec<(ListenSocket, Arc<Listener>)>, shared: Arc<Shared>) -> io::Result<(Self, AcceptControl)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let orders = Arc::new(Mutex::new(Orders::default()));
        let posts = shared.mailboxes.iter().map(|_| Vec::new()).collect();
        let mut acceptor = Self { poll, sockets: BTreeMap::new(), next_token: 0, shared, orders: Arc::clone(&orders), posts };
        for (socket, listener) in sockets {
            acceptor.open(socket, listener)?;
        }
        Ok((acceptor, AcceptControl { orders, waker }))
    }

    fn open(&mut self, socket: ListenSocket, listener: Arc<Listener>) -> io::Result<()> {
        let address = socket.local_address()?;
        let mut socket = Listening::new(socket)?;
        socket.watch(self.poll.registry(), Token(self.next_token))?;
        let entrance = Entrance { socket, address, listener, ready: true, held_until: 0, full_logged: None };
        self.sockets.insert(self.next_token, entrance);
        self.next_token += 1;
        Ok(())
    }

    /// Does what it was told. Says whether to go on.
    fn obey(&mut self) -> bool {
        let Orders { stop, open, close } = std::mem::take(&mut *self.orders.lock().unwrap_or_else(PoisonError::into_inner));
        self.sockets
            .retain(|_, entrance| !close.iter().any(|(name, address)| *name == entrance.listener.name && *address == entrance.address));
        for (socket, listener) in open {
            let name = Arc::clone(&listener.name);
            if let Err(error) = self.open(socket, listener) {
                tracing::error!(listener = &*name, %error, "cannot watch a socket that was just bound: nobody is let in there");
            }
        }
        !stop
    }

    /// Accepts until told to stop; the listening sockets close with the end of it.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(64);
        while self.obey() {
            let now = self.shared.clock.milliseconds();
            let ready = self.sockets.values().filter(|socket| socket.ready);
            let timeout = ready.map(|socket| Duration::from_millis(socket.held_until.saturating_sub(now))).min();
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the accept thread cannot wait for connections and ends");
                return;
            }
            for event in &events {
                if let Some(socket) = self.sockets.get_mut(&event.token().0) {
                    socket.ready = true;
                }
            }
            let is_crowded = self.accept_ready();
            for (mailbox, post) in self.shared.mailboxes.iter().zip(&mut self.posts) {
                mailbox.post(post);
            }
            if is_crowded {
                std::thread::sleep(GATHER);
            }
        }
    }

    /// One batch from each socket that may have connections. Says whether somebody came to a listener where others are on their way in.
    fn accept_ready(&mut self) -> bool {
        let now = self.shared.clock.milliseconds();
        let mut is_crowded = false;
        for token in self.sockets.keys().copied().collect::<Vec<_>>() {
            is_crowded |= (0..BATCH).take_while(|_| self.accept_one(token, now)).count() > 0 && self.is_crowded(token);
        }
        is_crowded
    }

    fn is_crowded(&self, token: usize) -> bool {
        self.sockets.get(&token).is_some_and(|socket| socket.listener.pending() > 1)
    }

    /// Asks a socket for a connection. Says whether to ask again.
    fn accept_one(&mut self, token: usize, now: u64) -> bool {
        let Some(socket) = self.sockets.get_mut(&token).filter(|socket| socket.ready && socket.held_until <= now) else { return false };
        if let Some(wait) = socket.listener.wait_for_turn(now) {
            socket.held_until = now.saturating_add(wait);
            return false;
        }
        match socket.socket.accept() {
            Ok((stream, address)) => {
                socket.listener.take_turn(now);
                self.deal(token, stream, address);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                socket.ready = false;
                false
            }
            // The client is gone again, or a signal came: the next one.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => true,
            Err(error) => {
                tracing::error!(
                    listener = &*socket.listener.name,
                    %error,
                    "cannot accept a connection; is the limit of open files too low? (`ulimit -n`, systemd: `LimitNOFILE=`)"
                );
                socket.held_until = now.saturating_add(PAUSE);
                false
            }
        }
    }

    fn deal(&mut self, token: usize, socket: Socket, address: PeerAddress) {
        let at = self.shared.clock.milliseconds();
        let Some(from) = self.sockets.get_mut(&token) else { return };
        let rules = from.listener.rules();
        if let Some(Err(refusal)) = rules.proxy().map(|proxy| proxy.check_source(&address)) {
            self.shared.counters.refuse(Cause::Check(refusal.check));
            return from.listener.log_refusal(&refusal, address);
        }
        if rules.shakes_hands_with_strangers()
            && let Err(held) = self.shared.admissions.abuse.may_open(&address, at)
        {
            self.shared.counters.refuse(Cause::Check(Check::HeldOff));
            if let Some(refusal) = self.shared.admissions.abuse.news(&held, None, at) {
                from.listener.log_refusal(&refusal, address);
            }
            return;
        }
        // Behind a proxy all have one address, which is nobody's in particular.
        let origin = if rules.proxy().is_some() { None } else { origin(&address) };
        let id = self.shared.registry.next_link();
        let shard = self.shared.lobby_for(id.number());
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
        // Behind a proxy it is not known yet who it is.
        if rules.proxy().is_none() {
            lines::accepted(&address, &from.listener, from.address.port());
        }
        let accepted = Accepted { id, socket, address, place, at };
        if let Some(post) = self.posts.get_mut(usize::from(shard)) {
            post.push(Mail::Accepted(Box::new(accepted)));
        }
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
        lines::full(address, &self.listener);
    }
}
