//! Bringing connections up: so many at a time, each with its CONNACK within a time limit.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use signet_mqtt::{Connack, DecodeLimits, Decoder, Packet, ReasonCode, Role};

use crate::clock::nanoseconds;
use crate::failures::Failures;
use crate::net::Ready;
use crate::number::wide;
use crate::session::Bench;
use crate::{Control, LoadError};

/// From the beginning of a connection to its CONNACK.
const PATIENCE: Duration = Duration::from_secs(20);

/// So many failures without a single success, and as many as are opened at a time, are enough.
const ENOUGH_FAILURES: u64 = 20;

/// How often the time limit and the wish to stop are looked at.
const TICK: Duration = Duration::from_millis(100);

/// How it went.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    /// Connections that got a CONNACK with Success.
    pub(crate) up: u64,
    /// Those that did not, or that ended while others were opened.
    pub(crate) failures: Failures,
    /// No more were begun because none ever succeeded.
    pub(crate) gave_up: bool,
}

/// The CONNACK a connection waits for, or what came of it.
enum Answer {
    None,
    Connack(Box<Connack>),
    Wrong(String),
}

struct Opening {
    /// When each connection was begun that is still waiting, by its place in the range; 0 otherwise.
    begun: Vec<u64>,
    first: usize,
    /// Those in the order of their beginning, some of which are no longer waiting.
    order: VecDeque<(usize, u64)>,
    pending: usize,
    opened: Opened,
}

impl<'b> Bench<'b> {
    /// Opens connections with these numbers. `on_up` gets each as soon as it is up, with the nanoseconds that took.
    pub(crate) fn open_all(
        &mut self,
        numbers: Range<usize>,
        phase: &'static str,
        control: &mut Control<'_>,
        mut on_up: impl FnMut(&mut Self, usize, &Connack, u64),
    ) -> Result<Opened, LoadError> {
        let total = numbers.len();
        let mut next = numbers.start;
        let mut opening =
            Opening { begun: vec![0; total], first: numbers.start, order: VecDeque::new(), pending: 0, opened: Opened::default() };
        let mut ready = Vec::new();
        while next < numbers.end || opening.pending > 0 {
            opening.opened.gave_up |= self.is_hopeless(&opening.opened);
            if control.is_asked_to_stop() || opening.opened.gave_up {
                next = numbers.end;
                if opening.pending == 0 || control.is_asked_to_stop() {
                    break;
                }
            }
            while next < numbers.end && opening.pending < self.target.concurrency {
                opening.begin(self, next);
                next += 1;
            }
            self.net.wait(TICK, &mut ready)?;
            let now = self.clock.now();
            for ready in &ready {
                opening.look_at(self, *ready, now, &mut on_up);
            }
            opening.expire(self, now);
            control.say(phase, opening.opened.up, Some(wide(total)));
        }
        Ok(opening.opened)
    }

    fn is_hopeless(&self, opened: &Opened) -> bool {
        opened.up == 0 && opened.failures.count() >= ENOUGH_FAILURES.max(wide(self.target.concurrency))
    }
}

impl Opening {
    fn begin(&mut self, bench: &mut Bench<'_>, id: usize) {
        let now = bench.clock.now().max(1);
        match bench.open(id) {
            Ok(()) => {
                self.set(id, now);
                self.order.push_back((id, now));
                self.pending += 1;
            }
            Err(reason) => self.opened.failures.add(reason),
        }
    }

    fn set(&mut self, id: usize, begun: u64) {
        if let Some(place) = id.checked_sub(self.first).and_then(|at| self.begun.get_mut(at)) {
            *place = begun;
        }
    }

    /// When a connection was begun that still waits for its CONNACK.
    fn waiting(&self, id: usize) -> Option<u64> {
        let at = id.checked_sub(self.first)?;
        self.begun.get(at).copied().filter(|begun| *begun > 0)
    }

    fn look_at<'b>(&mut self, bench: &mut Bench<'b>, ready: Ready, now: u64, on_up: &mut impl FnMut(&mut Bench<'b>, usize, &Connack, u64)) {
        let id = ready.id;
        if bench.net.link(id).is_none() {
            return;
        }
        let version = bench.target.version;
        let begun = self.waiting(id);
        let mut answer = Answer::None;
        let outcome = bench.net.proceed(ready, |_, octets| {
            if begun.is_none() || !matches!(answer, Answer::None) {
                return octets.len();
            }
            let mut decoder = Decoder::new(Role::Server, DecodeLimits::default());
            decoder.set_version(version);
            match decoder.decode(octets) {
                Ok(None) => return 0,
                Ok(Some((Packet::Connack(connack), _))) => answer = Answer::Connack(connack),
                Ok(Some((other, _))) => answer = Answer::Wrong(format!("the broker answered with {} instead of CONNACK", other.name())),
                Err(error) => answer = Answer::Wrong(format!("what the broker sends is not MQTT: {error}")),
            }
            octets.len()
        });
        let Some(begun) = begun else {
            if let Err(reason) = outcome {
                self.fail(bench, id, reason);
            }
            return;
        };
        match (answer, outcome) {
            (Answer::Connack(connack), Ok(())) if connack.reason_code == ReasonCode::Success => {
                self.set(id, 0);
                self.pending -= 1;
                self.opened.up += 1;
                bench.note_tls(id);
                on_up(bench, id, &connack, now.saturating_sub(begun));
            }
            (Answer::Connack(connack), _) if connack.reason_code != ReasonCode::Success => {
                self.fail(bench, id, format!("the broker refused it: {}", connack.reason_code))
            }
            (Answer::Wrong(reason), _) | (_, Err(reason)) => self.fail(bench, id, reason),
            (_, Ok(())) => {}
        }
    }

    fn fail(&mut self, bench: &mut Bench<'_>, id: usize, reason: String) {
        if self.waiting(id).is_some() {
            self.set(id, 0);
            self.pending -= 1;
        } else {
            self.opened.up -= 1;
        }
        self.opened.failures.add(reason);
        bench.net.close(id);
    }

    /// Gives up those that have waited too long.
    fn expire(&mut self, bench: &mut Bench<'_>, now: u64) {
        let limit = nanoseconds(PATIENCE);
        while let Some((id, begun)) = self.order.front().copied() {
            if self.waiting(id) == Some(begun) {
                if now.saturating_sub(begun) < limit {
                    return;
                }
                self.fail(bench, id, format!("no CONNACK within {} seconds", PATIENCE.as_secs()));
            }
            self.order.pop_front();
        }
    }
}
