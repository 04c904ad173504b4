//! Writing: what the broker asks for → outboxes → encoded, encrypted and written once per connection and turn.

use signet_broker::{ConnectionId, Event, Input, Output};
use signet_net::LinkId;
use signet_policy::shown;
use signet_tls::Check;

use super::{Shard, closing};
use crate::control::ControlRequest;
use crate::counters::{self, Cause};
use crate::lines;
use crate::link::Phase;
use crate::log;
use crate::mailbox::Mail;
use crate::outbox::Outgoing;

/// Octets encoded at a time: four full TLS records.
const CHUNK: usize = 64 * 1024;

/// Chunks written to one connection in one turn.
const CHUNKS_PER_TURN: usize = 8;

/// How often the list of connections to write to is gone through in one turn. Telling the broker that a connection has room again makes more to
/// write; what is left after these rounds waits for the next turn.
const ROUNDS: usize = 4;

/// What the operator reads of a CONNECT that was refused by the owner of the session, and what to do.
fn refusal(event: &Event) -> Option<(String, &'static str)> {
    match event {
        Event::IdentifierRefused { client_identifier, owner, claimant, .. } => {
            let identifier = shown(client_identifier.as_str());
            let found = format!("{claimant} connects as `{identifier}`, which is the session of {owner}");
            Some((found, "give every device its own client identifier, or bind it with `bind_client_identifier`"))
        }
        Event::SessionRefused { client_identifier, why, .. } => {
            let found = format!("there is {why}, and `{}` has none", shown(client_identifier.as_str()));
            Some((
                found,
                "raise `sessions_maximum` in [limits] or lower `session_expiry_maximum`; if it is the disk, make room or raise `maximum_size` in [store]",
            ))
        }
        _ => None,
    }
}

impl Shard {
    /// Carries out what the broker asked for, in its order.
    pub(super) fn carry_out(&mut self) {
        while !self.outputs.is_empty() {
            let mut outputs = std::mem::take(&mut self.outputs);
            let mut full = Vec::new();
            let mut unasked = Vec::new();
            for output in outputs.drain(..) {
                match output {
                    Output::Send { connection, packet, after } => self.put(connection, Outgoing::Packet(packet, after), &mut full),
                    Output::Publish { connection, message, header, after } => {
                        self.put(connection, Outgoing::Publish(message, header, after), &mut full);
                    }
                    Output::Close { connection, cause } => {
                        let id = LinkId::from_number(connection.0);
                        if let Some(link) = self.links.get(&id) {
                            log::closing(link, &cause);
                        }
                        self.drain(id, closing::FLUSH);
                    }
                    Output::Handover { shard, delivery } => match self.outgoing.by_shard.get_mut(usize::from(shard.0)) {
                        Some(post) => post.push(Mail::Delivery(delivery)),
                        None => tracing::error!(shard = shard.0, "a message for a shard that does not exist is lost"),
                    },
                    Output::Ask { connection, client, question } => unasked.push((connection, client, question)),
                    Output::Control { connection, client, topic, payload } => {
                        let connection = LinkId::from_number(connection.0);
                        self.control(ControlRequest { connection, client, topic, payload });
                    }
                    Output::Event(event) => self.note_event(&event),
                }
            }
            for (connection, client, question) in unasked {
                self.ask_about_wish(LinkId::from_number(connection.0), client, question);
            }
            // The memory comes back unless telling the broker has made new outputs.
            if self.outputs.is_empty() {
                self.outputs = outputs;
            }
            // Only what the socket does not take now is a reason to hold back and to drop.
            for id in full {
                self.write(id);
            }
        }
    }

    /// Logs an event. A CONNECT that only the owner of the session could refuse gets the same line as any other refused device.
    fn note_event(&mut self, event: &Event) {
        if let Event::Denied { connection: Some(connection), .. } = event
            && let Some(link) = self.links.get_mut(&LinkId::from_number(connection.0))
        {
            match link.denials.admit(self.now) {
                None => return,
                Some(0) => {}
                Some(unlogged) => log::denials_left_out(link, unlogged),
            }
        }
        let link = event.connection().and_then(|connection| self.links.get(&LinkId::from_number(connection.0)));
        if let Some(link) = link
            && let Some((found, hint)) = refusal(event)
        {
            log::refused(link, Check::Connect, found, hint);
            self.count_refused(Cause::Check(Check::Connect));
        }
        self.note_end(event);
        let link = event.connection().and_then(|connection| self.links.get(&LinkId::from_number(connection.0)));
        let link = link.map(|link| &**link);
        log::event(event, link);
        lines::event(event, link);
    }

    fn put(&mut self, connection: ConnectionId, outgoing: Outgoing, full: &mut Vec<LinkId>) {
        let id = LinkId::from_number(connection.0);
        let Some(link) = self.links.get_mut(&id) else { return };
        let was_full = link.is_full();
        counters::sent(&mut self.counts.sent, &outgoing);
        link.send_soon(outgoing, self.store.durable(), &mut self.buffers.ready);
        if !was_full && link.is_full() {
            full.push(id);
        }
        if !std::mem::replace(&mut link.marks.dirty, true) {
            self.queues.dirty.push(id);
        }
    }

    /// Tells the broker when a connection's buffers have crossed a water mark. The outputs that this makes are carried out by the caller of
    /// [`Self::write`].
    fn tell_water_mark(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id).filter(|link| link.phase == Phase::Connected) else { return };
        let unsent = link.pipe.unsent() + link.ready.len();
        let Some(writable) = link.outbox.crossed(unsent) else { return };
        self.tell_broker(Input::Writable { connection: ConnectionId(id.number()), writable });
    }

    /// Writes to every connection that has something to say.
    pub(super) fn write_dirty(&mut self) {
        for _ in 0..ROUNDS {
            if self.queues.dirty.is_empty() && self.queues.broken.is_empty() {
                return;
            }
            for id in std::mem::take(&mut self.queues.dirty) {
                self.write(id);
            }
            for id in std::mem::take(&mut self.queues.broken) {
                self.ended(id);
            }
            self.carry_out();
        }
    }

    fn write(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.marks.dirty = false;
        let durable = self.store.durable();
        for chunk in 0.. {
            match link.pipe.flush() {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => return self.queues.broken.push(id),
            }
            if chunk == CHUNKS_PER_TURN {
                self.mark_dirty(id);
                break;
            }
            let mut plaintext = self.buffers.ready.take(&mut link.ready);
            link.outbox.encode(link.version, durable, CHUNK, &mut plaintext);
            let octets = plaintext.len();
            let sent = if octets > 0 { link.pipe.send(&mut self.buffers.scratch, &plaintext) } else { link.pipe.let_go() };
            self.buffers.ready.take_back(plaintext);
            self.counts.sent.octets += counters::wide(octets);
            match sent {
                Ok(()) if octets == 0 => break,
                Ok(()) => {}
                Err(_) => return self.queues.broken.push(id),
            }
        }
        self.await_disk(id, durable);
        self.after_write(id);
    }

    fn after_write(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if link.phase == Phase::Draining && link.is_written() {
            return self.finish(id);
        }
        if link.marks.paused && !link.is_full() {
            link.marks.paused = false;
            self.enqueue(id);
        }
        self.tell_water_mark(id);
    }
}
