//! What a connection begins with after its CONNECT: questions that are answered under their Packet Identifiers, as many at a time as brokers
//! bear.

use std::num::NonZeroU16;

use signet_mqtt::{
    Packet, PacketId, Publish, QoS, ReasonCode, RetainHandling, Subscribe, SubscribeFilter, SubscriptionOptions, TopicFilter, Unsubscribe,
    UserProperties,
};

/// Questions without their answers at a time: brokers have bounds.
const OPEN: usize = 64;

/// Topic Filters in one SUBSCRIBE to this broker.
const FILTERS: usize = 64;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// With QoS 1.
    Publish(Box<Publish>),
    Subscribe(Vec<SubscribeFilter>),
    Unsubscribe(Vec<TopicFilter>),
}

/// One subscription for each Topic Filter, in SUBSCRIBE packets of one (some brokers bear no more than a few in one packet) or of many.
pub(crate) fn subscriptions(wanted: &[(TopicFilter, QoS)], retain_handling: RetainHandling, is_local: bool) -> Vec<Request> {
    let subscription = |(filter, qos): &(TopicFilter, QoS)| SubscribeFilter {
        filter: filter.clone(),
        options: SubscriptionOptions { maximum_qos: *qos, no_local: true, retain_as_published: true, retain_handling },
    };
    let parts = wanted.chunks(if is_local { FILTERS } else { 1 });
    parts.map(|part| Request::Subscribe(part.iter().map(subscription).collect())).collect()
}

/// The end of a subscription.
pub(crate) fn unsubscription(filter: TopicFilter) -> Request {
    Request::Unsubscribe(vec![filter])
}

impl Request {
    fn packet(&self, packet_id: PacketId) -> Packet {
        let user_properties = UserProperties::default();
        match self {
            Self::Publish(publish) => Packet::Publish(Publish { packet_id: Some(packet_id), ..(**publish).clone() }),
            Self::Subscribe(subscriptions) => Packet::Subscribe(Subscribe {
                packet_id,
                subscription_identifier: None,
                user_properties,
                subscriptions: subscriptions.clone(),
            }),
            Self::Unsubscribe(filters) => Packet::Unsubscribe(Unsubscribe { packet_id, user_properties, filters: filters.clone() }),
        }
    }

    /// What was asked for in the same order as the codes of its answer, in words.
    fn subjects(&self) -> Vec<String> {
        match self {
            Self::Publish(publish) => publish.topic.iter().map(|topic| format!("the message to `{}`", topic.as_str())).collect(),
            Self::Subscribe(list) => list.iter().map(|one| format!("the subscription to `{}`", one.filter.as_str())).collect(),
            Self::Unsubscribe(list) => list.iter().map(|filter| format!("the end of the subscription to `{}`", filter.as_str())).collect(),
        }
    }
}

/// Questions to one broker.
#[derive(Debug)]
pub(crate) struct Requests {
    waiting: std::vec::IntoIter<Request>,
    asked: u16,
    is_new: bool,
    open: Vec<(PacketId, Request)>,
}

/// A question that was refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) what: String,
    pub(crate) code: ReasonCode,
}

impl Requests {
    /// `is_new`: the broker knows no exchange of an earlier connection, so that every Packet Identifier is free.
    pub(crate) fn new(requests: Vec<Request>, is_new: bool) -> Self {
        Self { waiting: requests.into_iter(), asked: 0, is_new, open: Vec::new() }
    }

    /// What can be sent now.
    pub(crate) fn next(&mut self) -> Option<Packet> {
        if self.open.len() >= OPEN {
            return None;
        }
        let request = self.waiting.next()?;
        let packet_id = self.identifier();
        let packet = request.packet(packet_id);
        self.open.push((packet_id, request));
        Some(packet)
    }

    /// Nothing else is under way towards that broker. What an earlier connection left behind has low identifiers, so that the last ones are the
    /// least likely among them.
    fn identifier(&mut self) -> PacketId {
        self.asked = self.asked.checked_add(1).unwrap_or(1);
        let number = if self.is_new { self.asked } else { u16::MAX - (self.asked - 1) % 1024 };
        PacketId::from(NonZeroU16::new(number).unwrap_or(NonZeroU16::MAX))
    }

    /// Whether every question has its answer.
    pub(crate) fn is_done(&self) -> bool {
        self.open.is_empty() && self.waiting.len() == 0
    }

    /// Takes the answer to one of them, and says what it refuses. Anything else comes back.
    pub(crate) fn answered(&mut self, packet: Packet) -> Result<Vec<Refusal>, Box<Packet>> {
        let (packet_id, codes) = match &packet {
            Packet::Suback(suback) => (suback.packet_id, suback.reason_codes.clone()),
            Packet::Unsuback(unsuback) => (unsuback.packet_id, unsuback.reason_codes.clone()),
            Packet::Puback(ack) => (ack.packet_id, vec![ack.reason_code]),
            _ => return Err(Box::new(packet)),
        };
        let is_answer = |request: &Request| match request {
            Request::Publish(_) => matches!(packet, Packet::Puback(_)),
            Request::Subscribe(_) => matches!(packet, Packet::Suback(_)),
            Request::Unsubscribe(_) => matches!(packet, Packet::Unsuback(_)),
        };
        let Some(at) = self.open.iter().position(|(open, request)| *open == packet_id && is_answer(request)) else {
            return Err(Box::new(packet));
        };
        let (_, request) = self.open.remove(at);
        let refused = request.subjects().into_iter().zip(codes).filter(|(_, code)| code.is_error());
        Ok(refused.map(|(what, code)| Refusal { what, code }).collect())
    }
}

#[cfg(test)]
mod tests {
    use signet_mqtt::{Ack, Suback, Unsuback};

    use super::*;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::new(text.to_owned()).unwrap()
    }

    fn identifiers(requests: &mut Requests) -> Vec<u16> {
        let id = |packet| match packet {
            Packet::Subscribe(subscribe) => subscribe.packet_id.get(),
            Packet::Unsubscribe(unsubscribe) => unsubscribe.packet_id.get(),
            other => panic!("{other:?}"),
        };
        std::iter::from_fn(|| requests.next()).map(id).collect()
    }

    #[test]
    fn questions_to_a_new_session_count_from_one_and_others_from_the_end() {
        let wanted = [(filter("a"), QoS::AtMostOnce), (filter("b"), QoS::AtLeastOnce)];
        let list = || {
            let mut list = subscriptions(&wanted, RetainHandling::SendAtSubscribe, false);
            list.push(unsubscription(filter("c")));
            list
        };
        assert_eq!(identifiers(&mut Requests::new(list(), true)), [1, 2, 3]);
        assert_eq!(identifiers(&mut Requests::new(list(), false)), [65_535, 65_534, 65_533]);
        let local = subscriptions(&wanted, RetainHandling::SendAtSubscribe, true);
        assert!(matches!(&*local, [Request::Subscribe(both)] if both.len() == 2), "{local:?}");
    }

    #[test]
    fn only_so_many_are_open_and_each_answer_makes_room() {
        let wanted: Vec<_> = (0..70).map(|number| (filter(&format!("t/{number}")), QoS::AtMostOnce)).collect();
        let mut requests = Requests::new(subscriptions(&wanted, RetainHandling::SendAtSubscribe, false), true);
        assert_eq!(identifiers(&mut requests).len(), 64);
        let suback = |id, code| {
            let packet_id = PacketId::new(id).unwrap();
            Packet::Suback(Suback { packet_id, reason_string: None, user_properties: UserProperties::default(), reason_codes: vec![code] })
        };
        let refused = requests.answered(suback(7, ReasonCode::NotAuthorized)).unwrap();
        assert_eq!(refused, [Refusal { what: "the subscription to `t/6`".to_owned(), code: ReasonCode::NotAuthorized }]);
        assert_eq!(identifiers(&mut requests), [65]);
        // Neither twice, nor of another kind.
        assert!(requests.answered(suback(7, ReasonCode::Success)).is_err());
        assert!(requests.answered(Packet::Puback(Ack::success(PacketId::new(8).unwrap()))).is_err());
        let unsuback = Unsuback {
            packet_id: PacketId::new(8).unwrap(),
            reason_string: None,
            user_properties: UserProperties::default(),
            reason_codes: vec![],
        };
        assert!(requests.answered(Packet::Unsuback(unsuback)).is_err());
        for id in (1..=65).filter(|id| *id != 7) {
            assert_eq!(requests.answered(suback(id, ReasonCode::Success)).unwrap(), []);
        }
        assert_eq!(identifiers(&mut requests), [66, 67, 68, 69, 70]);
        assert!(!requests.is_done());
        for id in 66..=70 {
            requests.answered(suback(id, ReasonCode::Success)).unwrap();
        }
        assert!(requests.is_done());
    }
}
