//! One thread for each bridge: connect, join, and after the end a pause and the next address.

use std::io;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytestring::ByteString;

use crate::backoff::{Backoff, random};
use crate::config::{BridgeConfig, LocalBroker};
use crate::error::Fault;
use crate::hops::Hops;
use crate::opening::{Memory, Opening};
use crate::session::Session;
use crate::status::{Board, BridgeStatus};
use crate::topics::Topics;
use crate::waiter::{Stop, Waiter};

/// The running bridges. Dropping it stops them.
#[derive(Debug, Default)]
pub struct Bridges {
    running: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    board: Arc<Board>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
    /// Disconnected when the thread ends.
    ended: mpsc::Receiver<()>,
}

impl Bridges {
    /// Starts a thread for each bridge. Their first connections come about in the background.
    ///
    /// # Errors
    /// The system has no thread or descriptor left, or a topic list is none.
    pub fn start(bridges: Vec<(BridgeConfig, LocalBroker)>) -> io::Result<Self> {
        // One name for all bridges of this process: what one brings in another may carry on.
        let here = ByteString::from(format!("{:016x}", random()));
        let mut running = Self::default();
        for (config, local) in bridges {
            running.running.push(spawn(config, local, here.clone())?);
        }
        Ok(running)
    }

    /// How they fare, in the order of the configuration.
    #[must_use]
    pub fn status(&self) -> Vec<BridgeStatus> {
        self.running.iter().map(|bridge| bridge.board.status()).collect()
    }

    /// Tells both brokers of each bridge, and waits up to `patience` for the threads. One that hangs in a connection attempt is left behind.
    pub fn stop(&mut self, patience: Duration) {
        for bridge in &self.running {
            bridge.stop.stop();
        }
        let deadline = Instant::now() + patience;
        for bridge in &mut self.running {
            let left = deadline.saturating_duration_since(Instant::now());
            let is_over = bridge.ended.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Disconnected);
            if let Some(thread) = bridge.thread.take().filter(|_| is_over)
                && thread.join().is_err()
            {
                tracing::error!("the thread of a bridge had panicked");
            }
        }
        self.running.clear();
    }
}

impl Drop for Bridges {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

fn spawn(config: BridgeConfig, local: LocalBroker, here: ByteString) -> io::Result<Running> {
    let (waiter, stop) = Waiter::new()?;
    let topics = Topics::new(&config.topics).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let board = Arc::new(Board::new(&config.name, now()));
    let (guard, ended) = mpsc::sync_channel(1);
    let backoff = Backoff::new(config.reconnect.minimum, config.reconnect.maximum);
    let bridge = Bridge {
        waiter,
        topics: Arc::new(topics),
        board: Arc::clone(&board),
        local,
        here,
        backoff,
        memory: Memory::default(),
        next_address: 0,
        config,
    };
    let thread = std::thread::Builder::new().name(format!("bridge-{}", bridge.config.name)).spawn(move || {
        bridge.run();
        drop(guard);
    })?;
    Ok(Running { board, stop, thread: Some(thread), ended })
}

struct Bridge {
    config: BridgeConfig,
    topics: Arc<Topics>,
    board: Arc<Board>,
    local: LocalBroker,
    here: ByteString,
    waiter: Waiter,
    backoff: Backoff,
    memory: Memory,
    next_address: usize,
}

impl Bridge {
    fn run(mut self) {
        self.prepare();
        loop {
            let lasted = self.try_each_address();
            self.board.ended(None, now());
            if self.waiter.is_stopped() {
                return tracing::info!(bridge = self.config.name, "bridge stopped");
            }
            let pause = self.backoff.pause(lasted, random());
            tracing::debug!(bridge = self.config.name, "trying again in {} ms", pause.as_millis());
            if !self.sleep(pause) {
                return;
            }
        }
    }

    fn prepare(&mut self) {
        if self.config.session.clean_start {
            return;
        }
        if let Err(fault) = self.opening().prepare() {
            self.tell(&fault);
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

    /// Waits; `false` when told to stop.
    fn sleep(&mut self, pause: Duration) -> bool {
        let deadline = Instant::now() + pause;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            if let Err(fault) = self.waiter.wait(Some(left), &mut []) {
                self.tell(&fault);
                return false;
            }
        }
    }

    /// Tries the addresses in turn until one connection comes about, and stays with it. Says how long it lasted.
    fn try_each_address(&mut self) -> Duration {
        let count = self.config.remote.addresses.len();
        let first = if self.config.remote.round_robin { self.next_address } else { 0 };
        for turn in 0..count {
            if self.waiter.is_stopped() {
                break;
            }
            let at = (first + turn) % count;
            self.next_address = (at + 1) % count;
            match self.connect(at) {
                Ok(lasted) => return lasted,
                Err(fault) => self.tell(&fault),
            }
        }
        Duration::ZERO
    }

    /// One connection from its beginning to its end, and how long it lasted; an error if it did not come about.
    fn connect(&mut self, at: usize) -> Result<Duration, Fault> {
        let Some(address) = self.config.remote.addresses.get(at).cloned() else { return Ok(Duration::ZERO) };
        let opened = match self.opening().open(&address) {
            Err(fault) if self.may_do_without_mark(&fault) => {
                tracing::info!(bridge = self.config.name, "the other broker does not know the mark of a bridge, connecting without it");
                self.memory.refuses_mark = true;
                return self.connect(at);
            }
            opened => opened?,
        };
        let hops = Hops::new(self.here.clone(), self.config.hops_maximum);
        let start = Instant::now();
        self.board.connected(address.to_string(), now());
        tracing::info!(bridge = self.config.name, remote = %address, "bridge connected");
        let fault = match Session::new(&self.config, Arc::clone(&self.topics), Arc::clone(&self.board), hops, opened) {
            Ok(session) => session.run(&mut self.waiter),
            Err(fault) => fault,
        };
        self.tell(&fault);
        Ok(start.elapsed())
    }

    fn may_do_without_mark(&self, fault: &Fault) -> bool {
        let remote = &self.config.remote;
        remote.version.has_bridge_bit() && remote.try_private && !self.memory.refuses_mark && fault.may_be_the_mark()
    }

    fn tell(&self, fault: &Fault) {
        if matches!(fault, Fault::Stopped) {
            return;
        }
        self.board.ended(Some(fault.to_string()), now());
        tracing::warn!(bridge = self.config.name, hint = fault.hint(), "bridge down: {fault}");
    }
}

/// Unix seconds.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
