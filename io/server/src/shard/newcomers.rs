//! Those that are not connected yet: who was accepted, who shakes hands, whose CONNECT is awaited.
//!
//! A step of a handshake takes as long as a hundred messages, so newcomers have a share of the time that is bounded from both sides: however many
//! there are, those who are connected wait for a step or two, and however busy those are, newcomers get on.

use std::time::Duration;

use super::Shard;

/// Time for newcomers in one turn. What was begun within it is finished, and the longest step of a handshake takes several times as long: so this only
/// lets what is short share a turn.
const SHARE: Duration = Duration::from_micros(50);

/// The part of a longer turn that is theirs: for every four parts of others, one.
const PART: u32 = 4;

/// What there is to do for newcomers, each in its turn: none must wait for ever behind the others.
#[derive(Clone, Copy, Default)]
pub(super) enum Next {
    /// Begin with one who was accepted.
    #[default]
    Accept,
    /// A step of a handshake.
    ShakeHands,
    /// Read and carry out a CONNECT.
    Connect,
}

impl Shard {
    /// Goes on with newcomers, with one of them at least, as long as their share lasts. `begun`: when the turn began, by the time that the server's clock
    /// has been running. Returns whether there were any.
    pub(super) fn serve_newcomers(&mut self, begun: Duration) -> bool {
        let is_needed = self.has_newcomers();
        let clock = self.shared.clock;
        let start = clock.running();
        let share = share(start.saturating_sub(begun));
        while self.has_newcomers() {
            if self.serve_next() && clock.running().saturating_sub(start) >= share {
                break;
            }
        }
        is_needed
    }

    /// Does one thing of the kind whose turn it is, if there is any.
    fn serve_next(&mut self) -> bool {
        let queues = &mut self.queues;
        match queues.next {
            Next::Accept => {
                queues.next = Next::ShakeHands;
                queues.arrived.pop_front().map(|accepted| self.accepted(accepted)).is_some()
            }
            Next::ShakeHands => {
                queues.next = Next::Connect;
                queues.handshakes.pop_front().map(|id| self.shake_hands(id)).is_some()
            }
            Next::Connect => {
                queues.next = Next::Accept;
                if self.is_held_back() {
                    return false;
                }
                self.queues.connecting.pop_front().map(|id| self.serve(id)).is_some()
            }
        }
    }

    pub(super) fn has_newcomers(&self) -> bool {
        let queues = &self.queues;
        // A CONNECT makes something for the disk or for others.
        !queues.arrived.is_empty() || !queues.handshakes.is_empty() || (!queues.connecting.is_empty() && !self.is_held_back())
    }
}

/// The time for newcomers after others have had so much of a turn.
fn share(others: Duration) -> Duration {
    SHARE.max(others / PART)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newcomers_have_a_share_of_every_turn_and_no_more() {
        assert_eq!(share(Duration::ZERO), SHARE, "nobody is busy");
        assert_eq!(share(SHARE * PART), SHARE);
        assert_eq!(share(Duration::from_millis(40)), Duration::from_millis(10), "everybody is busy: a fifth of the time");
    }
}
