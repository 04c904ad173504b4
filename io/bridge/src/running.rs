//! The bridges that run: started, changed, stopped.

use std::io;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytestring::ByteString;

use crate::config::{BridgeConfig, LocalBroker, ReloadRule};
use crate::schedule::random;
use crate::status::{Board, BridgeStatus};
use crate::thread::{Bridge, Orders};
use crate::topics::Topics;
use crate::waiter::{Stop, Waiter};

/// A bridge that is to run.
#[derive(Clone)]
pub struct Planned {
    /// What it does.
    pub config: BridgeConfig,
    /// The way to the local broker.
    pub local: LocalBroker,
    /// What else makes it another one when it changes, such as the bounds of its session here.
    pub bounds: String,
}

impl Planned {
    /// With nothing else to compare.
    #[must_use]
    pub fn new(config: BridgeConfig, local: LocalBroker) -> Self {
        Self { config, local, bounds: String::new() }
    }
}

/// What became of one bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not there before.
    Started,
    /// Its connection ended, and it runs as it is configured now.
    Restarted,
    /// Its next connection will be as it is configured now.
    Postponed,
}

/// The running bridges. Dropping it stops them.
#[derive(Debug)]
pub struct Bridges {
    /// One name for all bridges of this process: what one brings in another may carry on.
    here: ByteString,
    running: Vec<Running>,
    /// Stopped to be started again.
    restarting: Vec<String>,
}

#[derive(Debug)]
struct Running {
    config: BridgeConfig,
    bounds: String,
    board: Arc<Board>,
    stop: Arc<Stop>,
    orders: Arc<Orders>,
    thread: Option<JoinHandle<()>>,
    /// Disconnected when the thread ends.
    ended: mpsc::Receiver<()>,
}

impl Default for Bridges {
    fn default() -> Self {
        Self { here: ByteString::from(format!("{:016x}", random())), running: Vec::new(), restarting: Vec::new() }
    }
}

impl Bridges {
    /// Starts a thread for each bridge. Their first connections come about in the background.
    ///
    /// # Errors
    /// The system has no thread or descriptor left, or a topic list is none.
    pub fn start(bridges: Vec<Planned>) -> io::Result<Self> {
        let mut running = Self::default();
        running.adopt(bridges)?;
        Ok(running)
    }

    /// How they fare, in the order of the configuration.
    #[must_use]
    pub fn status(&self) -> Vec<BridgeStatus> {
        self.running.iter().map(|bridge| bridge.board.status()).collect()
    }

    /// The names of those that may still be connected as they were configured before: what was theirs to do is theirs until then. With `planned`, of
    /// those that would be then.
    pub fn postponed<'a>(&'a self, planned: &'a [Planned]) -> impl Iterator<Item = &'a str> {
        let is_changed = |bridge: &Running| {
            let next = planned.iter().find(|next| next.config.name == bridge.config.name);
            next.is_some_and(|next| next.config.reload == ReloadRule::Lazy && !bridge.is(next))
        };
        self.running.iter().filter(move |bridge| bridge.orders.has_next() || is_changed(bridge)).map(|bridge| bridge.config.name.as_str())
    }

    /// Stops the bridges that are no longer planned, which forget their sessions here, and those that are planned otherwise and do not wait for their
    /// next connection; each tells both brokers. Says the names of the former. To be called while everything that they may do is still theirs to do,
    /// and [`Self::adopt`] after it.
    pub fn retire(&mut self, planned: &[Planned], patience: Duration) -> Vec<String> {
        self.restarting.clear();
        let mut leaving = Vec::new();
        let mut removed = Vec::new();
        for bridge in std::mem::take(&mut self.running) {
            let next = planned.iter().find(|planned| planned.config.name == bridge.config.name);
            match next {
                None => {
                    bridge.orders.forget();
                    removed.push(bridge.config.name.clone());
                    leaving.push(bridge);
                }
                Some(next) if next.config.reload == ReloadRule::Immediate && !bridge.is(next) => {
                    if next.config.local.client_identifier != bridge.config.local.client_identifier {
                        bridge.orders.forget();
                    }
                    self.restarting.push(bridge.config.name.clone());
                    leaving.push(bridge);
                }
                Some(_) => self.running.push(bridge),
            }
        }
        end(leaving, patience);
        removed
    }

    /// Starts those that do not run and hands the others what is planned for their next connection. Says what became of whom that is not as before.
    ///
    /// # Errors
    /// The system has no thread or descriptor left, or a topic list is none; the others run.
    pub fn adopt(&mut self, planned: Vec<Planned>) -> io::Result<Vec<(String, Change)>> {
        let mut changes = Vec::new();
        let mut before = std::mem::take(&mut self.running);
        let mut failure = None;
        for next in planned {
            let name = next.config.name.clone();
            let Some(at) = before.iter().position(|bridge| bridge.config.name == name) else {
                match spawn(next, self.here.clone()) {
                    Ok(bridge) => self.running.push(bridge),
                    Err(error) => failure = Some(error),
                }
                let is_back = self.restarting.contains(&name);
                changes.push((name, if is_back { Change::Restarted } else { Change::Started }));
                continue;
            };
            let mut bridge = before.remove(at);
            if !bridge.is(&next) {
                bridge.replace(next);
                changes.push((name, Change::Postponed));
            }
            self.running.push(bridge);
        }
        end(before, Duration::ZERO);
        failure.map_or(Ok(changes), Err)
    }

    /// Tells both brokers of each bridge, and waits up to `patience` for the threads. One that hangs in a connection attempt is left behind.
    pub fn stop(&mut self, patience: Duration) {
        end(std::mem::take(&mut self.running), patience);
    }
}

impl Drop for Bridges {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

impl Running {
    fn is(&self, planned: &Planned) -> bool {
        self.config == planned.config && self.bounds == planned.bounds
    }

    fn replace(&mut self, next: Planned) {
        (self.config, self.bounds) = (next.config.clone(), next.bounds.clone());
        self.orders.replace(next);
        self.stop.wake();
    }
}

fn end(mut bridges: Vec<Running>, patience: Duration) {
    for bridge in &bridges {
        bridge.stop.stop();
    }
    let deadline = Instant::now() + patience;
    for bridge in &mut bridges {
        let left = deadline.saturating_duration_since(Instant::now());
        let is_over = bridge.ended.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Disconnected);
        if let Some(thread) = bridge.thread.take().filter(|_| is_over)
            && thread.join().is_err()
        {
            tracing::error!("the thread of a bridge had panicked");
        }
    }
}

fn spawn(planned: Planned, here: ByteString) -> io::Result<Running> {
    let (waiter, stop) = Waiter::new()?;
    let Planned { config, local, bounds } = planned;
    let topics = Topics::new(&config.topics).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let (board, stop, orders) = (Arc::new(Board::new(&config.name, now())), Arc::new(stop), Arc::new(Orders::default()));
    let (guard, ended) = mpsc::sync_channel(1);
    let bridge = Bridge::new((config.clone(), topics, local), here, waiter, (Arc::clone(&board), Arc::clone(&stop), Arc::clone(&orders)));
    let thread = std::thread::Builder::new().name(format!("bridge-{}", config.name)).spawn(move || {
        bridge.run();
        drop(guard);
    })?;
    Ok(Running { config, bounds, board, stop, orders, thread: Some(thread), ended })
}

/// Unix seconds.
pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
