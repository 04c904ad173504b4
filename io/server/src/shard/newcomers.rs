//! Those that are not connected yet: who was accepted, who shakes hands, whose CONNECT is awaited. They are in lobbies and nowhere else; shards welcome those
//! who come out, and give way to those who are inside.

use std::thread;
use std::time::Duration;

use super::Shard;
use crate::lobby::{Courtesy, Lobby, Stopwatch};

/// Time for newcomers in one turn of a lobby: whoever is admitted within it leaves together with the others, for one wake-up of the shard that gets them.
const TURN: Duration = Duration::from_millis(1);

/// Time in one turn of a shard for those who come out of lobbies, about; a session takes some 20 µs.
const WELCOME: Duration = Duration::from_micros(100);

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
    pub(super) fn is_lobby(&self) -> bool {
        self.index >= self.shared.shards()
    }

    /// Goes on with newcomers for one turn.
    pub(super) fn serve_newcomers(&mut self) {
        let clock = self.shared.clock;
        if self.has_newcomers() {
            let start = clock.running();
            let mut stopwatch = Stopwatch::start(start);
            while self.has_newcomers() {
                if self.serve_next() {
                    let now = clock.running();
                    if let Some(lobby) = self.lobby() {
                        lobby.step(stopwatch.lap(now));
                    }
                    if now.saturating_sub(start) >= TURN {
                        break;
                    }
                }
            }
            self.finish_turn();
        }
        if let Some(lobby) = self.lobby() {
            lobby.note_inside(self.links.len() + self.queues.arrived.len() + self.queues.waiting.len());
        }
    }

    /// Welcomes some of those who have come out of a lobby: one at least, however busy the shard is, and not all of a crowd before others have their messages.
    /// `arrived`: those who were there before this turn began.
    pub(super) fn welcome_some(&mut self, arrived: usize) {
        if arrived == 0 {
            return;
        }
        let clock = self.shared.clock;
        let start = clock.running();
        for _ in 0..arrived {
            let Some((link, admission)) = self.queues.moved.pop_front() else { break };
            self.moved_in(link, admission);
            if clock.running().saturating_sub(start) >= WELCOME {
                break;
            }
        }
        self.finish_turn();
    }

    /// The last thing that a lobby does.
    pub(super) fn leave_lobby(&self) {
        if let Some(lobby) = self.lobby().filter(|_| self.is_lobby()) {
            lobby.end();
            for mailbox in &self.shared.mailboxes {
                mailbox.wake();
            }
        }
    }

    /// Sleeps when the lobby of this shard needs the time. Returns when this turn ended, by the time that the server's clock has been running.
    pub(super) fn give_way(&self, courtesy: &mut Courtesy) -> Duration {
        let clock = self.shared.clock;
        let now = clock.running();
        let Some(lobby) = self.lobby().filter(|_| !self.is_lobby()) else { return now };
        let mailbox = self.shared.mailboxes.get(usize::from(self.shared.lobby_for(self.index.into())));
        let is_wanted = || !lobby.is_empty() || mailbox.is_some_and(|mailbox| mailbox.has_mail());
        let Some(gift) = courtesy.gives(now, lobby, is_wanted) else { return now };
        thread::sleep(gift);
        let now = clock.running();
        courtesy.gave(now, lobby);
        now
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

    /// What is seen of this lobby, or of the one that this shard gives way to.
    fn lobby(&self) -> Option<&Lobby> {
        self.shared.admissions.lobbies.get(usize::from(self.index % self.shared.shards().max(1)))
    }
}
