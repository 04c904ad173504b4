//! Two joined sessions until one of them ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use signet_mqtt::{Disconnect, Packet, QoS, ReasonCode};

use crate::config::{BridgeConfig, Start};
use crate::error::{End, Fault};
use crate::forward::{Circumstances, Forwarder};
use crate::hops::Hops;
use crate::leg::{HELD_MAXIMUM, Leg};
use crate::opening::{Opened, state_message};
use crate::probe::Probe;
use crate::side::Side;
use crate::status::{Board, Dropped};
use crate::topics::Topics;
use crate::waiter::Waiter;

/// Octets that may wait for one side before the other one is no longer read.
const HIGH_WATER: usize = 1024 * 1024;

/// Time for the last words when the bridge is told to stop.
const FAREWELL: Duration = Duration::from_secs(1);

/// How often to look whether a lazy bridge that should be idle has become it.
const IDLE_PATIENCE: Duration = Duration::from_millis(100);

/// How often messages that were not carried over are mentioned.
const DROP_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// One connection at work.
pub(crate) struct Session<'a> {
    config: &'a BridgeConfig,
    local: Side,
    remote: Side,
    forwarder: Forwarder,
    takes_retained: bool,
    drops: DropLog,
    /// When a message last came from either side.
    carried: Instant,
    /// Looks for the first address while we are connected to another one.
    probe: Option<Probe>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        config: &'a BridgeConfig,
        topics: Arc<Topics>,
        board: Arc<Board>,
        hops: Hops,
        opened: Opened,
        probe: Option<Probe>,
    ) -> Result<Self, Fault> {
        let Opened { local, remote, local_connack, remote_connack, held, echoes } = opened;
        let other = Leg::new(remote.version(), &remote_connack).within(&config.outgoing);
        let legs = (Leg::new(local.version(), &local_connack), other);
        let aliases = config.session.topic_alias_maximum;
        let outbound = remote_connack.properties.topic_alias_maximum.unwrap_or(0).min(aliases);
        let takes_retained = legs.1.takes_retained;
        let drops = DropLog { logged: Instant::now(), seen: board.counters.dropped() };
        let forwarder = Forwarder::new(topics, board, hops, echoes, legs.0, legs.1).with_aliases(aliases, outbound);
        let mut session = Self { config, local, remote, forwarder, takes_retained, drops, carried: Instant::now(), probe };
        // A broker that takes QoS 1 has been told already.
        let is_told = remote_connack.properties.features.maximum_qos != Some(QoS::AtMostOnce);
        session.tell_state(true, !is_told);
        for (from, packet) in held {
            session.forward(from, packet, false)?;
        }
        Ok(session)
    }

    /// Carries messages over until something ends it. Told to stop, it says good-bye first.
    pub(crate) fn run(mut self, waiter: &mut Waiter) -> Fault {
        let fault = loop {
            if let Err(fault) = self.turn(waiter) {
                break fault;
            }
        };
        self.drops.log(&self.config.name, &self.forwarder.board, Duration::ZERO);
        if fault.is_our_will() {
            self.say_goodbye(waiter);
        }
        // Otherwise nobody is told: the sockets close, and both brokers publish the Will, which says that the bridge is down.
        fault
    }

    fn turn(&mut self, waiter: &mut Waiter) -> Result<(), Fault> {
        let are_both_full = self.local.unsent() >= HIGH_WATER && self.remote.unsent() >= HIGH_WATER;
        let reads = [End::Local, End::Remote].map(|end| self.is_read(end, are_both_full));
        for (end, is_read) in [End::Local, End::Remote].into_iter().zip(reads) {
            if is_read && self.side(end).readable {
                self.take(end, are_both_full)?;
            }
        }
        let now = Instant::now();
        for (end, is_read) in [End::Local, End::Remote].into_iter().zip(reads) {
            let side = self.side(end);
            side.watch_over(now, is_read)?;
            side.flush()?;
        }
        self.drops.log(&self.config.name, &self.forwarder.board, DROP_LOG_INTERVAL);
        if self.probe.as_ref().is_some_and(Probe::has_answer) {
            return Err(Fault::FirstIsBack);
        }
        if self.is_idle(now) {
            return Err(Fault::Idle);
        }
        let are_both_full = self.local.unsent() >= HIGH_WATER && self.remote.unsent() >= HIGH_WATER;
        let more = [End::Local, End::Remote].into_iter().any(|end| self.is_read(end, are_both_full) && self.side(end).readable);
        let timeout = if more { Some(Duration::ZERO) } else { self.patience(now) };
        waiter.wait(timeout, &mut [&mut self.local, &mut self.remote])
    }

    /// Whether what this side sends can be taken. One side at most is left unread: if both were, and both brokers did the same to us, all
    /// four would wait for each other for ever.
    fn is_read(&mut self, end: End, are_both_full: bool) -> bool {
        are_both_full || self.side(end.other()).unsent() < HIGH_WATER
    }

    /// Reads once from one side.
    fn take(&mut self, end: End, is_flooded: bool) -> Result<(), Fault> {
        let outcome = self.side(end).read();
        // What came before the end counts.
        while let Some(packet) = self.side(end).packet()? {
            self.forward(end, packet, is_flooded)?;
        }
        outcome
    }

    fn forward(&mut self, from: End, packet: Packet, is_flooded: bool) -> Result<(), Fault> {
        if matches!(packet, Packet::Publish(_)) {
            self.carried = Instant::now();
        }
        let outcome = self.forwarder.packet(from, packet, Circumstances { now: Instant::now(), is_flooded });
        let mut sends = std::mem::take(&mut self.forwarder.sends);
        for (to, packet) in sends.drain(..) {
            self.side(to).queue(&packet);
        }
        self.forwarder.sends = sends;
        // High water holds back the other side. What is answered here goes back to the sender itself, who may never read it.
        if self.side(from).unsent() > HELD_MAXIMUM {
            return Err(Fault::Overflow { end: from });
        }
        outcome
    }

    fn patience(&self, now: Instant) -> Option<Duration> {
        let idle = self.idle_at().map(|at| at.saturating_duration_since(now).max(IDLE_PATIENCE));
        [self.local.patience(now), self.remote.patience(now), idle].into_iter().flatten().min()
    }

    /// When a lazy bridge has had nothing to do for long enough.
    fn idle_at(&self) -> Option<Instant> {
        match self.config.start {
            Start::Lazy { idle, .. } => Some(self.carried + idle),
            Start::Automatic | Start::Once => None,
        }
    }

    fn is_idle(&self, now: Instant) -> bool {
        let is_written = self.local.unsent() == 0 && self.remote.unsent() == 0;
        self.idle_at().is_some_and(|at| at <= now) && is_written && self.forwarder.is_quiet()
    }

    fn tell_state(&mut self, is_connected: bool, is_remote: bool) {
        let Some(notification) = &self.config.notification else { return };
        if notification.is_local {
            self.local.queue(&Packet::Publish(state_message(notification, is_connected, true)));
        }
        if notification.is_remote && is_remote {
            self.remote.queue(&Packet::Publish(state_message(notification, is_connected, self.takes_retained)));
        }
    }

    fn say_goodbye(&mut self, waiter: &mut Waiter) {
        self.tell_state(false, true);
        let disconnect = Packet::Disconnect(Box::new(Disconnect::new(ReasonCode::Success)));
        self.local.queue(&disconnect);
        self.remote.queue(&disconnect);
        let deadline = Instant::now() + FAREWELL;
        loop {
            let is_written = |side: &mut Side| side.flush().unwrap_or(true);
            let (local, remote) = (is_written(&mut self.local), is_written(&mut self.remote));
            let left = deadline.saturating_duration_since(Instant::now());
            if (local && remote) || left.is_zero() || waiter.sleep(Some(left), &mut [&mut self.local, &mut self.remote]).is_err() {
                break;
            }
        }
        self.local.stream().close();
        self.remote.stream().close();
    }

    fn side(&mut self, end: End) -> &mut Side {
        match end {
            End::Local => &mut self.local,
            End::Remote => &mut self.remote,
        }
    }
}

/// What was said about messages that were not carried over.
struct DropLog {
    logged: Instant,
    seen: Dropped,
}

impl DropLog {
    fn log(&mut self, name: &str, board: &Board, interval: Duration) {
        let dropped = board.counters.dropped();
        if dropped == self.seen || self.logged.elapsed() < interval {
            return;
        }
        tracing::warn!(
            bridge = name,
            unmapped = dropped.unmapped - self.seen.unmapped,
            loops = dropped.loops - self.seen.loops,
            too_large = dropped.too_large - self.seen.too_large,
            refused = dropped.refused - self.seen.refused,
            slow = dropped.slow - self.seen.slow,
            "messages were not carried over"
        );
        *self = Self { logged: Instant::now(), seen: dropped };
    }
}
