//! QoS 1 and 2 messages of ours: waiting for room, on their way, or to be sent again after a connection was lost (MQTT 5.0 §4.3, §4.4).

use std::collections::VecDeque;

use signet_mqtt::{Ack, Packet, PacketId, Publish, QoS};

#[derive(Debug)]
pub(crate) struct Outgoing {
    messages: VecDeque<(State, Publish)>,
    maximum: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There is no room for it yet.
    Waiting,
    /// PUBLISH was sent.
    Sent,
    /// PUBREL was sent.
    Released,
    /// PUBLISH has to be sent again.
    SendAgain,
    /// PUBREL has to be sent again.
    ReleaseAgain,
}

impl Outgoing {
    /// `maximum`: messages on their way at a time.
    pub(crate) fn new(maximum: u16) -> Self {
        Self { messages: VecDeque::new(), maximum: usize::from(maximum) }
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn push(&mut self, publish: Publish) {
        self.messages.push_back((State::Waiting, publish));
    }

    /// The next one that there is room for.
    pub(crate) fn next(&mut self) -> Option<Publish> {
        let on_their_way = self.messages.iter().filter(|(state, _)| *state != State::Waiting).count();
        if on_their_way >= self.maximum {
            return None;
        }
        let (state, publish) = self.messages.iter_mut().find(|(state, _)| *state == State::Waiting)?;
        *state = State::Sent;
        Some(publish.clone())
    }

    /// The next packet that a lost connection may have taken with it.
    pub(crate) fn again(&mut self) -> Option<Packet> {
        let (state, publish) = self.messages.iter_mut().find(|(state, _)| matches!(state, State::SendAgain | State::ReleaseAgain))?;
        if *state == State::ReleaseAgain {
            *state = State::Released;
            return publish.packet_id.map(|id| Packet::Pubrel(Ack::success(id)));
        }
        *state = State::Sent;
        publish.dup = true;
        Some(Packet::Publish(publish.clone()))
    }

    /// PUBREC came.
    pub(crate) fn received(&mut self, id: PacketId) {
        if let Some((state, _)) = self.messages.iter_mut().find(|(_, publish)| publish.packet_id == Some(id)) {
            *state = State::Released;
        }
    }

    /// The exchange is over. False: there was none of this QoS.
    pub(crate) fn end(&mut self, id: PacketId, qos: QoS) -> bool {
        let place = self.messages.iter().position(|(_, publish)| publish.packet_id == Some(id) && publish.qos == qos);
        place.and_then(|place| self.messages.remove(place)).is_some()
    }

    /// The broker takes so many at a time.
    pub(crate) fn connected(&mut self, maximum: u16) {
        self.maximum = usize::from(maximum);
        for (index, (state, _)) in self.messages.iter_mut().enumerate() {
            if index >= self.maximum && *state == State::SendAgain {
                *state = State::Waiting;
            }
        }
    }

    /// What was on its way may be lost.
    pub(crate) fn disconnected(&mut self) {
        for (state, _) in &mut self.messages {
            *state = match *state {
                State::Sent | State::SendAgain => State::SendAgain,
                State::Released | State::ReleaseAgain => State::ReleaseAgain,
                State::Waiting => State::Waiting,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use signet_mqtt::TopicName;

    use super::*;

    fn publish(id: u16, qos: QoS) -> Publish {
        Publish {
            dup: false,
            qos,
            retain: false,
            topic: Some(TopicName::new("t").unwrap()),
            packet_id: PacketId::new(id),
            properties: Default::default(),
            payload: bytes::Bytes::new(),
        }
    }

    #[test]
    fn messages_wait_for_room_and_are_sent_again_after_a_loss() {
        let id = |id| PacketId::new(id).unwrap();
        let mut outgoing = Outgoing::new(2);
        for number in 1..=3 {
            outgoing.push(publish(number, if number == 2 { QoS::ExactlyOnce } else { QoS::AtLeastOnce }));
        }
        assert_eq!(outgoing.next().unwrap().packet_id, PacketId::new(1));
        assert_eq!(outgoing.next().unwrap().packet_id, PacketId::new(2));
        assert!(outgoing.next().is_none());
        outgoing.received(id(2));
        outgoing.disconnected();
        outgoing.connected(2);
        assert!(matches!(outgoing.again(), Some(Packet::Publish(publish)) if publish.dup && publish.packet_id == PacketId::new(1)));
        assert!(matches!(outgoing.again(), Some(Packet::Pubrel(ack)) if ack.packet_id == id(2)));
        assert!(outgoing.again().is_none());
        assert!(!outgoing.end(id(1), QoS::ExactlyOnce));
        assert!(outgoing.end(id(1), QoS::AtLeastOnce) && outgoing.end(id(2), QoS::ExactlyOnce));
        assert_eq!(outgoing.next().unwrap().packet_id, PacketId::new(3));
        assert_eq!(outgoing.len(), 1);
    }
}
