//! Those that are not connected yet: who was accepted, who shakes hands, whose CONNECT is awaited.
//!
//! A step of a handshake takes as long as a hundred messages, so newcomers have a share of the time that is bounded from both sides: however many
//! there are, those who are connected wait for a step or two, and however busy those are, newcomers get on.

use std::time::Duration;

use super::Shard;

/// Time for newcomers in one turn. What was begun within it is finished, so this is about what two steps of a handshake take at most.
const SHARE: Duration = Duration::from_micros(100);

/// The part of a longer turn that is theirs: for every four parts of others, one.
const PART: u32 = 4;

impl Shard {
    /// Goes on with newcomers, with one of them at least, as long as their share lasts. `begun`: when the turn began, by the time that the server's clock
    /// has been running. Returns whether there were any.
    pub(super) fn serve_newcomers(&mut self, begun: Duration) -> bool {
        if !self.has_newcomers() {
            return false;
        }
        let clock = self.shared.clock;
        let start = clock.running();
        let share = share(start.saturating_sub(begun));
        loop {
            // None of the three must wait for ever behind the others.
            if let Some(accepted) = self.queues.arrived.pop_front() {
                self.accepted(accepted);
            }
            if let Some(id) = self.queues.handshakes.pop_front() {
                self.shake_hands(id);
            }
            if !self.is_held_back()
                && let Some(id) = self.queues.connecting.pop_front()
            {
                self.serve(id);
            }
            if !self.has_newcomers() || clock.running().saturating_sub(start) >= share {
                return true;
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
        assert_eq!(share(Duration::ZERO), Duration::from_micros(100), "nobody is busy: one step");
        assert_eq!(share(Duration::from_micros(400)), Duration::from_micros(100));
        assert_eq!(share(Duration::from_millis(40)), Duration::from_millis(10), "everybody is busy: a fifth of the time");
    }
}
