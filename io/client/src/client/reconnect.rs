//! A second connection in the place of one that was lost.

use signet_mqtt::{Ack, Packet, PacketId, Publish};

use super::{Client, ConnectOptions, Event, open};
use crate::ClientError;
use crate::in_flight::Awaiting;

impl Client {
    /// Connects anew after the connection was lost, and sends again what was not acknowledged. Subscriptions that were not answered are given up; without
    /// a session at the broker ([`Client::connack`]) all have to be made again. Events that nobody has taken stay, and so do [`crate::Interrupter`]s.
    ///
    /// # Errors
    /// As [`Client::connect`]; another try is possible then. After what [`Client::publish`] can fail with the new connection is lost too.
    pub fn reconnect(&mut self, options: &ConnectOptions) -> Result<(), ClientError> {
        self.wire.close();
        let (mut wire, connack) = open(options, &mut self.trace)?;
        wire.succeed(&self.wire)?;
        self.wire = wire;
        self.aliases.clear();
        let is_kept = connack.session_present;
        if !is_kept {
            self.unreleased.clear();
        }
        self.agree(options, connack);
        self.send_again(is_kept, usize::from(self.window(options).max(1)))
    }

    /// Everything that was not acknowledged, in its order, and at most `window` at a time.
    fn send_again(&mut self, is_session_kept: bool, window: usize) -> Result<(), ClientError> {
        let mut sent: Vec<PacketId> = Vec::new();
        for (id, message) in self.in_flight.begin_anew() {
            let packet = match message {
                Some(message) => Packet::Publish(Publish { dup: is_session_kept, ..message }),
                None if is_session_kept => Packet::Pubrel(Ack::success(id)),
                None => {
                    // The broker had said that the message is its own, and knows nothing of this exchange any more.
                    self.in_flight.end(id, Awaiting::Pubcomp);
                    self.events.push_back(Event::Published(Ack::success(id)));
                    continue;
                }
            };
            while sent.len() >= window {
                let event = self.wait(Some(self.answer_deadline()))?;
                self.keep_or_fail(event, "acknowledgement")?;
                sent.retain(|id| self.in_flight.contains(*id));
            }
            self.send(&packet)?;
            sent.push(id);
        }
        Ok(())
    }
}
