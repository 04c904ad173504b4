//! One thread for each bridge: connect, join, and after the end a pause and the next address.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytestring::ByteString;
use signet_mqtt::TopicFilter;

use crate::config::{BridgeConfig, LocalBroker, RemoteAddress, Start};
use crate::error::Fault;
use crate::hops::Hops;
use crate::opening::{Held, Memory, Opening};
use crate::probe::Probe;
use crate::running::{Planned, now};
use crate::schedule::{Pauses, random};
use crate::session::Session;
use crate::status::Board;
use crate::topics::Topics;
use crate::waiter::{Stop, Waiter};

/// What the thread is told while it runs.
#[derive(Default)]
pub(crate) struct Orders {
    next: Mutex<Option<Planned>>,
    forget: AtomicBool,
}

impl std::fmt::Debug for Orders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Orders").field("forget", &self.forget).finish_non_exhaustive()
    }
}

impl Orders {
    /// The next connection is to be this one.
    pub(crate) fn replace(&self, next: Planned) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
    }

    /// The session at this broker is to end with the thread.
    pub(crate) fn forget(&self) {
        self.forget.store(true, Ordering::Release);
    }

    pub(crate) fn has_next(&self) -> bool {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn take_next(&self) -> Option<Planned> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What comes after a connection or an attempt.
enum Then {
    /// A pause, after a connection that lasted so long.
    Pause(Duration),
    /// For a lazy bridge: nothing until there is something to do.
    Rest,
    /// The next attempt.
    AtOnce,
}

pub(crate) struct Bridge {
    config: BridgeConfig,
    topics: Arc<Topics>,
    board: Arc<Board>,
    local: LocalBroker,
    here: ByteString,
    waiter: Waiter,
    stop: Arc<Stop>,
    orders: Arc<Orders>,
    pauses: Pauses,
    memory: Memory,
    /// Messages with QoS 0 that a lazy bridge has seen.
    held: Held,
    next_address: usize,
}

impl Bridge {
    pub(crate) fn new(
        (config, topics, local): (BridgeConfig, Topics, LocalBroker),
        here: ByteString,
        waiter: Waiter,
        (board, stop, orders): (Arc<Board>, Arc<Stop>, Arc<Orders>),
    ) -> Self {
        Self {
            topics: Arc::new(topics),
            board,
            local,
            here,
            waiter,
            stop,
            orders,
            pauses: Pauses::new(config.reconnect.schedule),
            memory: Memory::default(),
            held: Held::default(),
            next_address: 0,
            config,
        }
    }

    pub(crate) fn run(mut self) {
        self.prepare(&[]);
        let mut then = match self.config.start {
            Start::Lazy { .. } => Then::Rest,
            Start::Automatic | Start::Once => self.try_each_address(),
        };
        while self.is_to_go_on(then) {
            if let Some(next) = self.orders.take_next() {
                self.become_other(next);
            }
            then = self.try_each_address();
        }
        if self.orders.forget.load(Ordering::Acquire) {
            self.forget();
        }
        tracing::info!(bridge = self.config.name, "bridge stopped");
    }

    /// Waits for the next attempt; `false` when told to stop.
    fn is_to_go_on(&mut self, then: Then) -> bool {
        let outcome = match (self.config.start, then) {
            _ if self.waiter.is_stopped() => Err(Fault::Stopped),
            (Start::Once, _) => self.sleep(None),
            (_, Then::AtOnce) => Ok(()),
            (Start::Automatic, Then::Pause(lasted)) => self.pause(lasted),
            (Start::Automatic, Then::Rest) => Ok(()),
            (Start::Lazy { threshold, .. }, then) => {
                let paused = if let Then::Pause(lasted) = then { self.pause(lasted) } else { Ok(()) };
                paused.and_then(|()| self.rest(threshold))
            }
        };
        outcome.inspect_err(|fault| self.tell(fault)).is_ok()
    }

    fn pause(&mut self, lasted: Duration) -> Result<(), Fault> {
        let pause = self.pauses.pause(lasted, random());
        tracing::debug!(bridge = self.config.name, "trying again in {} ms", pause.as_millis());
        self.sleep(Some(pause))
    }

    /// Waits, for ever without a time, until it is over, or there is another configuration, or the bridge is told to stop.
    fn sleep(&mut self, pause: Option<Duration>) -> Result<(), Fault> {
        let deadline = pause.map(|pause| Instant::now() + pause);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if self.orders.has_next() || left.is_some_and(|left| left.is_zero()) {
                return Ok(());
            }
            self.waiter.wait(left, &mut [])?;
        }
    }

    /// Waits until enough messages wait for the other broker.
    fn rest(&mut self, threshold: std::num::NonZeroU16) -> Result<(), Fault> {
        let orders = Arc::clone(&self.orders);
        loop {
            let mut held = std::mem::take(&mut self.held);
            let outcome = self.opening().await_messages(threshold, &mut held, || orders.has_next());
            self.held = held;
            match outcome {
                Ok(()) => return Ok(()),
                Err(Fault::Stopped) => return Err(Fault::Stopped),
                Err(fault) => self.tell(&fault),
            }
            self.pause(Duration::ZERO)?;
        }
    }

    /// Goes on as somebody else.
    fn become_other(&mut self, next: Planned) {
        let topics = match Topics::new(&next.config.topics) {
            Ok(topics) => topics,
            Err(error) => return tracing::error!(bridge = self.config.name, "the bridge stays as it is: {error}"),
        };
        tracing::info!(bridge = self.config.name, "the bridge goes on as it is configured now");
        let mut former: Vec<TopicFilter> = self.topics.local_of_outward().cloned().collect();
        if next.config.local.client_identifier != self.config.local.client_identifier {
            self.forget();
            former.clear();
        }
        if next.config.remote != self.config.remote {
            self.memory = Memory::default();
        }
        self.pauses = Pauses::new(next.config.reconnect.schedule);
        self.next_address = 0;
        (self.topics, self.local, self.config) = (Arc::new(topics), next.local, next.config);
        self.prepare(&former);
    }

    fn prepare(&mut self, former: &[TopicFilter]) {
        if self.config.local.clean_start {
            return;
        }
        if let Err(fault) = self.opening().prepare(former) {
            self.tell(&fault);
        }
    }

    fn forget(&mut self) {
        // Told to stop, the waiter waits for nothing: a stop that came before is over.
        self.waiter.go_on();
        if let Err(fault) = self.opening().forget() {
            tracing::warn!(bridge = self.config.name, "the session of the bridge stays until the next start: {fault}");
        }
    }

    fn opening(&mut self) -> Opening<'_> {
        Opening {
            config: &self.config,
            topics: &self.topics,
            connect_local: &self.local,
            waiter: &mut self.waiter,
            memory: &mut self.memory,
        }
    }

    /// Tries the addresses in turn until one connection comes about, and stays with it.
    fn try_each_address(&mut self) -> Then {
        let then = self.try_in_turn();
        self.board.ended(None, now());
        then
    }

    fn try_in_turn(&mut self) -> Then {
        let count = self.config.remote.addresses.len();
        let first = if self.config.remote.round_robin { self.next_address } else { 0 };
        for turn in 0..count {
            if self.waiter.is_stopped() {
                break;
            }
            let at = (first + turn) % count;
            self.next_address = (at + 1) % count;
            match self.connect(at) {
                Ok(then) => return then,
                Err(fault) => self.tell(&fault),
            }
        }
        Then::Pause(Duration::ZERO)
    }

    /// One connection from its beginning to its end; an error if it did not come about.
    fn connect(&mut self, at: usize) -> Result<Then, Fault> {
        let Some(address) = self.config.remote.addresses.get(at).cloned() else { return Ok(Then::Pause(Duration::ZERO)) };
        tracing::info!(target: "signet::line::bridge", line = "bridge_connecting", bridge = self.config.name, remote = %address);
        let mut held = std::mem::take(&mut self.held);
        let opened = self.opening().open(&address, &mut held);
        self.held = held;
        let opened = match opened {
            Err(fault) if self.may_do_without_mark(&fault) => {
                tracing::info!(bridge = self.config.name, "the other broker does not know the mark of a bridge, connecting without it");
                self.memory.refuses_mark = true;
                return self.connect(at);
            }
            Err(fault) if self.memory.learn(&fault) => {
                tracing::info!(
                    bridge = self.config.name,
                    "the other broker refuses our Will as it is, connecting with a lesser one: {fault}"
                );
                return self.connect(at);
            }
            opened => opened?,
        };
        let hops = Hops::new(self.here.clone(), self.config.hops_maximum);
        let start = Instant::now();
        self.board.connected(address.to_string(), now());
        tracing::info!(bridge = self.config.name, remote = %address, "bridge connected");
        let probe = self.probe(at);
        let fault = match Session::new(&self.config, Arc::clone(&self.topics), Arc::clone(&self.board), hops, opened, probe) {
            Ok(session) => session.run(&mut self.waiter),
            Err(fault) => fault,
        };
        self.tell(&fault);
        Ok(match fault {
            Fault::Idle => Then::Rest,
            Fault::FirstIsBack => Then::AtOnce,
            _ => Then::Pause(start.elapsed()),
        })
    }

    /// Looks for the first address while connected to another one.
    fn probe(&self, at: usize) -> Option<Probe> {
        let remote = &self.config.remote;
        let every = remote.return_to_first.filter(|_| at != 0)?;
        let first: RemoteAddress = remote.addresses.first()?.clone();
        let times = (every, self.config.reconnect.timeout);
        Probe::start(first, remote.socket.clone(), times, Arc::clone(&self.stop))
            .inspect_err(|error| tracing::warn!(bridge = self.config.name, "nobody looks for the first address: {error}"))
            .ok()
    }

    fn may_do_without_mark(&self, fault: &Fault) -> bool {
        let remote = &self.config.remote;
        remote.version.has_bridge_bit() && remote.try_private && !self.memory.refuses_mark && fault.may_be_the_mark()
    }

    fn tell(&self, fault: &Fault) {
        match fault {
            Fault::Stopped => {}
            Fault::Idle | Fault::FirstIsBack => {
                self.board.ended(None, now());
                tracing::info!(bridge = self.config.name, "bridge disconnects: {fault}");
            }
            fault => {
                self.board.ended(Some(fault.to_string()), now());
                tracing::warn!(bridge = self.config.name, hint = fault.hint(), "bridge down: {fault}");
            }
        }
    }
}
