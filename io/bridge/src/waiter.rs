//! Waiting for sockets, for time, and for the order to stop: the only place where a bridge's thread sleeps.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mio::{Events, Poll, Token, Waker};

use crate::error::{End, Fault};
use crate::side::Side;

const WAKE: Token = Token(2);

/// Ends the thread, or wakes it.
#[derive(Debug)]
pub(crate) struct Stop {
    flag: Arc<AtomicBool>,
    waker: Waker,
}

impl Stop {
    pub(crate) fn stop(&self) {
        self.flag.store(true, Ordering::Release);
        self.wake();
    }

    /// Lets the thread look at what has changed.
    pub(crate) fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the thread of a bridge cannot be woken");
        }
    }
}

#[derive(Debug)]
pub(crate) struct Waiter {
    poll: Poll,
    events: Events,
    stop: Arc<AtomicBool>,
}

impl Waiter {
    pub(crate) fn new() -> io::Result<(Self, Stop)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let flag = Arc::new(AtomicBool::new(false));
        let waiter = Self { poll, events: Events::with_capacity(16), stop: Arc::clone(&flag) };
        Ok((waiter, Stop { flag, waker }))
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Takes the order to stop back, for what is left to do afterwards.
    pub(crate) fn go_on(&self) {
        self.stop.store(false, Ordering::Release);
    }

    /// Begins to watch a side's socket, which ends with the socket.
    pub(crate) fn watch(&self, side: &mut Side) -> Result<(), Fault> {
        let token = token(side.end);
        side.stream().watch(self.poll.registry(), token).map_err(Fault::System)
    }

    /// Waits until one of the sides can be read or written, or the time is over.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>, sides: &mut [&mut Side]) -> Result<(), Fault> {
        if self.is_stopped() {
            return Err(Fault::Stopped);
        }
        self.sleep(timeout, sides)?;
        if self.is_stopped() { Err(Fault::Stopped) } else { Ok(()) }
    }

    /// The same while stopping: somebody else's order does not cut it short.
    pub(crate) fn sleep(&mut self, timeout: Option<Duration>, sides: &mut [&mut Side]) -> Result<(), Fault> {
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(Fault::System(error)),
        }
        for event in &self.events {
            for side in sides.iter_mut().filter(|side| token(side.end) == event.token()) {
                side.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
                side.writable |= event.is_writable() || event.is_error();
            }
        }
        Ok(())
    }
}

fn token(end: End) -> Token {
    match end {
        End::Local => Token(0),
        End::Remote => Token(1),
    }
}
