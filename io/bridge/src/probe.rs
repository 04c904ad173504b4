//! Whether the first address answers again, while the bridge is connected to another one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::config::{RemoteAddress, SocketOptions};
use crate::dial::connect;
use crate::waiter::Stop;

/// A thread that looks every so often, and ends with its first answer or with this.
#[derive(Debug)]
pub(crate) struct Probe {
    answered: Arc<AtomicBool>,
    /// Disconnected when nobody waits for it any more.
    _alive: mpsc::Sender<()>,
}

impl Probe {
    /// Looks for a TCP connection that comes about, each within `timeout`, and wakes the bridge's thread then.
    pub(crate) fn start(
        address: RemoteAddress,
        options: SocketOptions,
        (every, timeout): (Duration, Duration),
        wake: Arc<Stop>,
    ) -> io::Result<Self> {
        let (alive, over) = mpsc::channel::<()>();
        let answered = Arc::new(AtomicBool::new(false));
        let answer = Arc::clone(&answered);
        std::thread::Builder::new().name("bridge-probe".to_owned()).spawn(move || {
            while over.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                if connect(&address, &options, timeout).is_ok() {
                    answer.store(true, Ordering::Release);
                    return wake.wake();
                }
            }
        })?;
        Ok(Self { answered, _alive: alive })
    }

    /// Whether it has answered.
    pub(crate) fn has_answer(&self) -> bool {
        self.answered.load(Ordering::Acquire)
    }
}
