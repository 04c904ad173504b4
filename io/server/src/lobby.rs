//! Lobbies: where connections come in. A lobby is a shard that owns no sessions; whoever is admitted leaves it for the shard that owns its session.
//!
//! A step of a handshake takes as long as a hundred messages, and nothing can interrupt it but the system. So lobbies have threads of their own, which
//! let everybody else go first: messages do not wait for handshakes. And they must not wait for messages for ever: a shard that has not rested for long
//! gives way to a lobby that does not get on.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How nice the thread of a lobby is (nice(2)), as nice as can be: with 5 a message still had to wait for 3 ms at times, while the system made sure that the
/// lobby got its quarter.
const NICENESS: i32 = 19;

/// How often a shard asks itself whether to give way, when there is reason to, and when there was none for long.
const WINDOW: Duration = Duration::from_millis(4);
const WINDOW_MAXIMUM: Duration = Duration::from_millis(64);

/// Of five parts of the time, a shard leaves one to its lobby.
const PARTS: u32 = 5;

/// Longest time that is given at once.
const GIFT_MAXIMUM: Duration = Duration::from_millis(1);

/// Lets the threads of shards go before the calling one.
pub(crate) fn stand_back() {
    if let Err(error) = rustix::process::nice(NICENESS) {
        let error = io::Error::from(error);
        tracing::warn!(%error, "the system does not let a lobby stand back: messages may have to wait for handshakes");
    }
}

/// What shards see of a lobby. Alone in its cache lines.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Lobby {
    /// Steps that it has done, for anybody.
    steps: AtomicU64,
    /// How long it would have gone on if it had had a processor, in microseconds.
    delayed: AtomicU64,
    /// Connections that are in it.
    inside: AtomicUsize,
    /// Its thread has ended, and nobody comes out of it any more.
    has_ended: AtomicBool,
}

impl Lobby {
    /// It has done something for somebody, and had no processor for so long meanwhile.
    pub(crate) fn step(&self, delayed: Duration) {
        self.delayed.fetch_add(u64::try_from(delayed.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// So many are in it now.
    pub(crate) fn note_inside(&self, count: usize) {
        self.inside.store(count, Ordering::Relaxed);
    }

    /// Whether nobody was in it after its last turn.
    pub(crate) fn is_empty(&self) -> bool {
        self.inside.load(Ordering::Relaxed) == 0
    }

    /// It posts nothing any more.
    pub(crate) fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    fn progress(&self) -> Progress {
        Progress { steps: self.steps.load(Ordering::Relaxed), delayed: Duration::from_micros(self.delayed.load(Ordering::Relaxed)) }
    }
}

/// How far a lobby is.
#[derive(Clone, Copy, Default, PartialEq)]
struct Progress {
    steps: u64,
    delayed: Duration,
}

/// Tells how long the calling thread had no processor.
pub(crate) struct Stopwatch {
    wall: Duration,
    processor: Duration,
}

impl Stopwatch {
    pub(crate) fn start(wall: Duration) -> Self {
        Self { wall, processor: processor_time() }
    }

    /// Since the last call. `wall`: the time that passes for everybody.
    pub(crate) fn lap(&mut self, wall: Duration) -> Duration {
        let before = std::mem::replace(self, Self::start(wall));
        wall.saturating_sub(before.wall).saturating_sub(self.processor.saturating_sub(before.processor))
    }
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// How a shard decides whether to give way. Times are those that the server has been running.
pub(crate) struct Courtesy {
    /// When it asked itself last.
    since: Duration,
    /// How long it has rested since.
    rested: Duration,
    /// When to ask again.
    window: Duration,
    /// How far the lobby was then.
    progress: Progress,
}

impl Courtesy {
    pub(crate) fn new(now: Duration) -> Self {
        Self { since: now, rested: Duration::ZERO, window: WINDOW, progress: Progress::default() }
    }

    /// The shard has waited for events for so long.
    pub(crate) fn rest(&mut self, time: Duration) {
        self.rested += time;
    }

    /// How long to sleep for the lobby's sake, if at all; afterwards [`Self::gave`] is to be called. `is_wanted`: whether the lobby may have something
    /// to do.
    pub(crate) fn gives(&mut self, now: Duration, lobby: &Lobby, is_wanted: impl FnOnce() -> bool) -> Option<Duration> {
        let passed = now.saturating_sub(self.since);
        if passed < self.window {
            return None;
        }
        let owed = (passed / PARTS).min(GIFT_MAXIMUM).saturating_sub(self.rested);
        let before = std::mem::replace(&mut self.progress, lobby.progress());
        // What it was about to do is done at last, now and then, although it waits most of the time.
        let gets_on = self.progress.steps != before.steps && self.progress.delayed.saturating_sub(before.delayed) < passed / 2;
        (self.since, self.rested) = (now, Duration::ZERO);
        (!owed.is_zero() && !gets_on && is_wanted()).then_some(owed)
    }

    /// The shard has slept until now. Where nobody made use of it, it is not so quick to sleep again.
    pub(crate) fn gave(&mut self, now: Duration, lobby: &Lobby) {
        let was_used = std::mem::replace(&mut self.progress, lobby.progress()).steps != self.progress.steps;
        self.window = if was_used { WINDOW } else { (self.window * 2).min(WINDOW_MAXIMUM) };
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_shard_that_does_not_rest_gives_way_to_a_lobby_that_does_not_get_on() {
        let (lobby, mut courtesy) = (Lobby::default(), Courtesy::new(Duration::ZERO));
        assert_eq!(courtesy.gives(MS * 3, &lobby, || true), None, "not yet");
        assert_eq!(courtesy.gives(MS * 4, &lobby, || true), Some(MS * 4 / 5), "a fifth of the time");
        lobby.step(Duration::ZERO);
        courtesy.gave(MS * 5, &lobby);
        assert_eq!(courtesy.gives(MS * 9, &lobby, || true), Some(MS * 4 / 5), "what it did meanwhile was given");
        lobby.step(Duration::ZERO);
        courtesy.gave(MS * 10, &lobby);
        lobby.step(Duration::ZERO);
        assert_eq!(courtesy.gives(MS * 14, &lobby, || true), None, "it has a core of its own");
        lobby.step(MS * 3);
        assert_eq!(courtesy.gives(MS * 18, &lobby, || true), Some(MS * 4 / 5), "it has hardly any of one");
        courtesy.gave(MS * 18, &lobby);
        assert_eq!(courtesy.gives(MS * 30, &lobby, || false), None, "nobody is there");
    }

    #[test]
    fn what_a_shard_has_rested_was_given_already() {
        let (lobby, mut courtesy) = (Lobby::default(), Courtesy::new(Duration::ZERO));
        courtesy.rest(MS / 2);
        assert_eq!(courtesy.gives(MS * 4, &lobby, || true), Some(MS * 3 / 10));
        courtesy.gave(MS * 4, &lobby);
        courtesy.rest(MS * 3);
        assert_eq!(courtesy.gives(MS * 12, &lobby, || true), None);
    }

    #[test]
    fn a_gift_that_nobody_wants_is_made_less_often() {
        let (lobby, mut courtesy) = (Lobby::default(), Courtesy::new(Duration::ZERO));
        let (mut now, mut gifts) = (Duration::ZERO, 0);
        while now < MS * 1_000 {
            now += MS;
            if courtesy.gives(now, &lobby, || true).is_some() {
                gifts += 1;
                courtesy.gave(now, &lobby);
            }
        }
        assert!((15..25).contains(&gifts), "{gifts} in a second");
        lobby.step(Duration::ZERO);
        courtesy.gave(now, &lobby);
        assert!(courtesy.gives(now + WINDOW, &lobby, || true).is_some(), "at once when one was of use");
    }
}
