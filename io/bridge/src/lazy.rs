//! A lazy bridge while it is not connected: it looks on until enough messages wait for the other broker.
//!
//! It is connected to this broker meanwhile and acknowledges nothing, so that what has QoS 1 and 2 stays in the session and comes again. What
//! has QoS 0 is kept here, as no session has to.

use std::num::NonZeroU16;
use std::time::Instant;

use signet_mqtt::{Packet, RetainHandling};

use crate::error::{End, Fault};
use crate::opening::{Held, Opening, leave};
use crate::requests::{Requests, subscriptions};

/// Messages that wait.
struct Waiting<'a> {
    /// With QoS 1 and 2, in the session.
    kept: usize,
    /// With QoS 0.
    held: &'a mut Held,
    threshold: usize,
}

impl Waiting<'_> {
    fn are_enough(&self) -> bool {
        self.kept + self.held.packets.len() >= self.threshold
    }

    fn take(&mut self, packet: Packet) -> Result<(), Fault> {
        match packet {
            Packet::Publish(publish) if publish.packet_id.is_some() => self.kept += 1,
            Packet::Publish(publish) => self.held.push(End::Local, Packet::Publish(publish))?,
            Packet::Disconnect(disconnect) => return Err(Fault::disconnected(End::Local, &disconnect)),
            _ => {}
        }
        Ok(())
    }
}

impl Opening<'_> {
    /// Waits until so many messages wait for the other broker; those with QoS 0 go to `held`. Ends early when it is woken and `is_over`.
    pub(crate) fn await_messages(mut self, threshold: NonZeroU16, held: &mut Held, is_over: impl Fn() -> bool) -> Result<(), Fault> {
        let (mut local, _) = self.connect_local(None, threshold, None)?;
        let requests = subscriptions(&self.topics.local_subscriptions(), RetainHandling::DoNotSend, true);
        let mut early = Held::default();
        self.ask(&mut local, None, Requests::new(requests, false), &mut early)?;
        let mut waiting = Waiting { kept: 0, held, threshold: usize::from(threshold.get()) };
        early.packets.into_iter().try_for_each(|(_, packet)| waiting.take(packet))?;
        while !waiting.are_enough() && !is_over() {
            local.watch_over(Instant::now(), true)?;
            local.flush()?;
            if let Some(packet) = local.packet()? {
                waiting.take(packet)?;
            } else if local.readable {
                local.read()?;
            } else {
                let patience = local.patience(Instant::now());
                self.waiter.wait(patience, &mut [&mut local])?;
            }
        }
        leave(local)
    }
}
