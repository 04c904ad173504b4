//! Reading: socket → plaintext → packets → broker, a share for each connection in each turn.

use std::time::Duration;

use signet_broker::{ConnectionId, Input};
use signet_mqtt::Packet;
use signet_net::{Clock, LinkId};
use signet_tls::{Check, Refusal};

use super::Shard;
use crate::counters::{self, Cause};
use crate::inbound::Turn;
use crate::lines::{self, Arrived};
use crate::link::Phase;
use crate::log;
use crate::pipe::ReadOutcome;

/// Connections that are read in one turn; the others wait for the next.
const LINKS_PER_TURN: usize = 256;

/// How long they are read before mail from other shards goes first: their connections have waited as long as ours, and where one session gets the messages
/// of all shards, its shard has more to do than the others, whose publishers soon have to wait for it.
const TIME_BEFORE_MAIL: Duration = Duration::from_micros(50);

/// The part of the time that mail takes that they have at the least, however much mail there is.
const PART_OF_MAIL: u32 = 3;

/// Packets of one connection in one turn.
const PACKETS_PER_TURN: usize = 256;

/// Octets read from one connection in one turn, about.
const OCTETS_PER_TURN: usize = 64 * 1024;

/// Packets between two looks at the clock, unless they are of a kind that can be much work.
const PACKETS_PER_LOOK: usize = 16;

/// Milliseconds for one connection in one turn: a SUBSCRIBE that matches many retained messages is more work than a thousand PINGREQs.
const TIME_PER_TURN: u64 = 5;

/// Longest wait of a connection that sends too fast before the broker hears of it again, in milliseconds: Keep Alive is in seconds.
const HOLD_STEP: u64 = 1_000;

/// What is left of a connection's share of this turn.
struct Share {
    packets: usize,
    octets: usize,
    /// When it is used up, in milliseconds of the server's clock.
    until: u64,
    /// Packets until the clock is looked at.
    unlooked: usize,
}

impl Share {
    /// A packet was taken, and the broker asked for so many outputs: many are much work.
    fn take(&mut self, outputs: usize) {
        self.packets -= 1;
        self.unlooked = self.unlooked.saturating_sub(1 + outputs / PACKETS_PER_LOOK);
    }

    fn is_used_up(&mut self, clock: &Clock) -> bool {
        if self.packets > 0 && self.unlooked > 0 {
            return false;
        }
        self.unlooked = PACKETS_PER_LOOK;
        self.packets == 0 || clock.milliseconds() > self.until
    }
}

/// How to go on with a connection.
enum Step {
    /// Go on now.
    More,
    /// Its share is used up; there is more.
    Later,
    /// Nothing to do until something happens, or it is gone.
    Done,
}

impl Shard {
    /// Gives every connection that has something to read its share.
    /// Mail has been read since `begun`, by the time that the server's clock has been running.
    pub(super) fn read_ready(&mut self, begun: Duration) {
        if self.is_held_back() {
            return;
        }
        let clock = self.shared.clock;
        let start = clock.running();
        let time = TIME_BEFORE_MAIL.max(start.saturating_sub(begun) / PART_OF_MAIL);
        for _ in 0..self.queues.ready.len().min(LINKS_PER_TURN) {
            let Some(id) = self.queues.ready.pop_front() else { break };
            self.serve(id);
            if self.has_mail() && clock.running().saturating_sub(start) >= time {
                break;
            }
        }
    }

    pub(super) fn serve(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.marks.queued = false;
        let mut share = self.share();
        loop {
            let step = match self.decode(id, &mut share) {
                Step::More => self.read(id, &mut share),
                other => other,
            };
            match step {
                Step::More => {}
                Step::Later => return self.enqueue(id),
                Step::Done => return,
            }
        }
    }

    fn share(&self) -> Share {
        let until = self.shared.clock.milliseconds().saturating_add(TIME_PER_TURN);
        Share { packets: PACKETS_PER_TURN, octets: OCTETS_PER_TURN, until, unlooked: PACKETS_PER_LOOK }
    }

    /// One read, so at most one expensive step of the handshake.
    pub(super) fn shake_hands(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.marks.queued = false;
        let mut share = self.share();
        if !matches!(self.read(id, &mut share), Step::More | Step::Later) {
            return;
        }
        match self.links.get(&id).map(|link| link.phase) {
            // Its CONNECT has often come with the last of the handshake, and is answered together with it.
            Some(phase) if phase != Phase::Handshake && !self.is_held_back() => self.serve(id),
            _ => self.enqueue(id),
        }
    }

    fn read(&mut self, id: LinkId, share: &mut Share) -> Step {
        let Some(link) = self.links.get_mut(&id) else { return Step::Done };
        if link.phase.is_closing() {
            return self.discard(id);
        }
        if share.octets == 0 {
            return Step::Later;
        }
        let buffer = link.inbound.buffer(&mut self.buffers.spare);
        let outcome = link.pipe.read(&mut self.buffers.scratch, buffer);
        match outcome {
            ReadOutcome::Data(count, opening) => {
                share.octets = share.octets.saturating_sub(count);
                if let Err(refusal) = self.advance(id, opening) {
                    self.transport_failed(id, &refusal);
                    return Step::Done;
                }
                // Handshakes write too; what the socket did not take has to go out some time.
                self.mark_dirty(id);
                Step::More
            }
            ReadOutcome::Blocked => {
                link.inbound.settle(&mut self.buffers.spare);
                Step::Done
            }
            ReadOutcome::Ended => {
                self.ended(id);
                Step::Done
            }
            ReadOutcome::Lost(error) => {
                tracing::debug!(target: "signet::connection", connection = id.number(), %error, "connection lost");
                self.ended(id);
                Step::Done
            }
            ReadOutcome::Refused(refusal) => {
                self.transport_failed(id, &refusal);
                Step::Done
            }
        }
    }

    /// Decodes what was read and gives it to the broker.
    fn decode(&mut self, id: LinkId, share: &mut Share) -> Step {
        loop {
            let Some(link) = self.links.get_mut(&id) else { return Step::Done };
            match link.phase {
                Phase::Handshake => return Step::More,
                Phase::Draining | Phase::Lingering => {
                    link.inbound.clear(&mut self.buffers.spare);
                    return Step::More;
                }
                Phase::ExpectConnect | Phase::Connected => {}
            }
            if link.is_waiting() {
                // Nothing behind a CONNECT is looked at before it is answered.
                link.inbound.settle(&mut self.buffers.spare);
                return Step::Done;
            }
            if link.is_full() {
                // It does not read what it is sent, so it is not read either: TCP passes that on.
                link.marks.paused = true;
                link.inbound.settle(&mut self.buffers.spare);
                return Step::Done;
            }
            if share.is_used_up(&self.shared.clock) {
                link.inbound.settle(&mut self.buffers.spare);
                return Step::Later;
            }
            match link.inbound.turn(self.now) {
                Turn::Now => {}
                turn => {
                    link.inbound.settle(&mut self.buffers.spare);
                    if let Turn::After(wait) = turn {
                        self.deadlines.hold(id, self.now.saturating_add(wait.min(HOLD_STEP)));
                    }
                    return Step::Done;
                }
            }
            match link.inbound.next(self.now) {
                Ok(Some((packet, octets))) => {
                    let is_connected = link.phase == Phase::Connected;
                    counters::received(&mut self.counts.received, &packet, octets);
                    let arrived = if is_connected { lines::received(link, &packet) } else { None };
                    let outputs = match packet {
                        Packet::Auth(auth) if is_connected => {
                            if let Err(auth) = self.authenticate_again(id, auth) {
                                self.apply(Input::Packet { connection: ConnectionId(id.number()), packet: Packet::Auth(auth) });
                            }
                            0
                        }
                        packet if is_connected => self.take_packet(id, packet, arrived.as_ref()),
                        packet => {
                            self.connect(id, packet);
                            0
                        }
                    };
                    share.take(outputs);
                }
                Ok(None) => {
                    link.inbound.settle(&mut self.buffers.spare);
                    return Step::More;
                }
                Err(error) if link.phase == Phase::Connected => {
                    self.apply(Input::Malformed { connection: ConnectionId(id.number()), error });
                    return Step::Done;
                }
                Err(error) => {
                    self.not_a_connect(id, &error);
                    return Step::Done;
                }
            }
        }
    }

    /// Gives a packet to the broker, and carries out what it asks for. Returns how much that is.
    fn take_packet(&mut self, id: LinkId, packet: Packet, arrived: Option<&Arrived>) -> usize {
        self.tell_broker(Input::Packet { connection: ConnectionId(id.number()), packet });
        if let (Some(arrived), Some(link)) = (arrived, self.links.get(&id)) {
            lines::answered(link, arrived, &self.outputs);
        }
        let outputs = self.outputs.len();
        self.carry_out();
        outputs
    }

    /// Goes on reading those that sent too fast, when their wait is over.
    pub(super) fn release_held(&mut self) {
        while let Some(id) = self.deadlines.pop_released(self.now) {
            let Some(link) = self.links.get_mut(&id) else { continue };
            link.inbound.release();
            if link.phase == Phase::Connected {
                self.apply(Input::HeldBack { connection: ConnectionId(id.number()) });
            }
            self.enqueue(id);
        }
    }

    /// Reads to nowhere what a connection on its way out still sends.
    fn discard(&mut self, id: LinkId) -> Step {
        for _ in 0..4 {
            let Some(link) = self.links.get_mut(&id) else { return Step::Done };
            match link.pipe.discard(&mut self.buffers.scratch) {
                Ok(None) => return Step::Done,
                Ok(Some(count)) if count > 0 => {}
                // The peer's end, or its reset: what was to be written may still get through in the first case.
                Ok(Some(_)) if link.phase == Phase::Draining => return Step::Done,
                Ok(Some(_)) | Err(_) => {
                    self.remove(id);
                    return Step::Done;
                }
            }
        }
        Step::Later
    }

    /// The peer said that it sends no more, or the socket failed.
    pub(super) fn ended(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.inbound.clear(&mut self.buffers.spare);
        match link.phase {
            Phase::Connected => self.apply(Input::Closed { connection: ConnectionId(id.number()) }),
            phase => {
                tracing::debug!(target: "signet::connection", connection = id.number(), address = %link.address, ?phase, "the client left before CONNECT");
                if !phase.is_closing() {
                    lines::left(link);
                }
            }
        }
        self.remove(id);
    }

    /// A layer below MQTT failed.
    fn transport_failed(&mut self, id: LinkId, refusal: &Refusal) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.phase == Phase::Connected {
            tracing::info!(target: "signet::connection", connection = id.number(), address = %link.address, "the connection broke: {refusal}");
            self.apply(Input::Closed { connection: ConnectionId(id.number()) });
        } else {
            if link.phase == Phase::Handshake && !matches!(refusal.check, Check::Proxy | Check::WebSocket) {
                self.counts.handshakes.failed += 1;
            }
            self.count_refused(Cause::Check(refusal.check));
            if let Some(link) = self.links.get(&id) {
                match &refusal.subject {
                    Some(_) => link.listener().log_refusal(refusal, link.address),
                    // After the handshake the certificate is known here, though it was not what went wrong.
                    None => log::refused(link, refusal.check, refusal.found.clone(), refusal.hint.clone()),
                }
            }
        }
        // The alert, the close frame or the HTTP response is in the pipe.
        self.drain(id, super::closing::FLUSH);
    }
}
