//! A broker of a few lines between publishers and subscribers: one that loses, repeats, reorders, lowers and refuses.

use std::time::Duration;

use super::*;
use crate::pubsub::{Layout, PubSubLoad, QosMix};

const VERSION: ProtocolVersion = ProtocolVersion::V5;
const WINDOW: usize = 4;

fn plan(layout: Layout, publishers: usize, subscribers: usize, qos: QoS) -> Plan {
    let load = PubSubLoad {
        layout,
        publishers,
        subscribers,
        qos: QosMix::only(qos),
        payload: 16..=16,
        topics: None,
        wildcards: None,
        topic_prefix: "bench".to_owned(),
        window: WINDOW,
        rate: None,
        warm_up: Duration::ZERO,
        duration: Duration::from_secs(1),
        clean_start: true,
    };
    Plan::new(&load, "run", VERSION).unwrap()
}

fn traffic(plan: &Plan) -> Traffic<'_> {
    Traffic::new(plan, VERSION, Clock::start(), WINDOW)
}

/// Packets that all publishers send now, each on its own.
fn packets(traffic: &mut Traffic<'_>) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    while let Some(publisher) = traffic.unlist() {
        traffic.fill(publisher, 7, &mut out);
    }
    let mut packets = Vec::new();
    let mut left = out.as_slice();
    while let Some((_, length)) = next(left, VERSION) {
        packets.push(left[..length].to_vec());
        left = &left[length..];
    }
    assert!(left.is_empty());
    packets
}

/// What comes of packets that arrive on a connection: what it answers.
fn arrive(traffic: &mut Traffic<'_>, id: usize, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut answers = Vec::new();
    let all = packets.concat();
    assert_eq!(traffic.take(id, &mut answers, &all), all.len());
    answers
}

#[test]
fn a_window_is_filled_and_opens_again_with_what_arrives() {
    let plan = plan(Layout::FanIn, 2, 1, QoS::AtMostOnce);
    let mut traffic = traffic(&plan);
    traffic.begin(None);
    traffic.is_measuring = true;
    let sent = packets(&mut traffic);
    assert_eq!((sent.len(), traffic.sent(), traffic.under_way()), (2 * WINDOW, 8, 8));
    assert!(packets(&mut traffic).is_empty());
    assert!(arrive(&mut traffic, 0, &sent).is_empty());
    assert_eq!((traffic.counts.delivered, traffic.counts.reordered, traffic.under_way()), (8, 0, 0));
    assert_eq!(traffic.latencies.count(), 8);
    assert_eq!(packets(&mut traffic).len(), 2 * WINDOW);
}

#[test]
fn what_does_not_come_stays_under_way_and_holds_the_window() {
    let plan = plan(Layout::FanOut, 1, 2, QoS::AtMostOnce);
    let mut traffic = traffic(&plan);
    traffic.begin(None);
    let sent = packets(&mut traffic);
    arrive(&mut traffic, 0, &sent);
    assert_eq!((traffic.counts.delivered, traffic.under_way()), (4, 4));
    // The second subscriber misses the first message.
    arrive(&mut traffic, 1, &sent[1..]);
    assert_eq!((traffic.counts.delivered, traffic.counts.reordered, traffic.under_way()), (7, 0, 4));
    assert!(packets(&mut traffic).is_empty());
}

#[test]
fn what_comes_late_or_twice_is_counted_as_out_of_order() {
    let plan = plan(Layout::Pairs, 1, 1, QoS::AtMostOnce);
    let mut traffic = traffic(&plan);
    traffic.begin(None);
    let sent = packets(&mut traffic);
    arrive(&mut traffic, 0, &[sent[1].clone(), sent[0].clone(), sent[2].clone(), sent[2].clone()]);
    assert_eq!((traffic.counts.delivered, traffic.counts.reordered), (3, 2));
}

#[test]
fn exchanges_of_both_sides_are_carried_through() {
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let plan = plan(Layout::Pairs, 1, 1, qos);
        let mut traffic = traffic(&plan);
        traffic.begin(None);
        let sent = packets(&mut traffic);
        let answers = arrive(&mut traffic, 0, &sent[..1]);
        let step = if qos == QoS::AtLeastOnce { Step::Puback } else { Step::Pubrec };
        let expected = Frame::Acknowledgement { step, packet_id: 1, is_error: false };
        assert_eq!(next(&answers, VERSION), Some((expected, 4)));
        assert_eq!((traffic.counts.delivered, traffic.under_way()), (1, 4));
        let mut last = Vec::new();
        if qos == QoS::ExactlyOnce {
            let (mut pubrec, mut pubrel) = (Vec::new(), Vec::new());
            Step::Pubrec.write(1, &mut pubrec);
            Step::Pubrel.write(1, &mut pubrel);
            assert_eq!(arrive(&mut traffic, 1, &[pubrec]), pubrel);
            Step::Pubcomp.write(1, &mut last);
            assert_eq!(arrive(&mut traffic, 0, &[pubrel]), last);
            assert_eq!(traffic.under_way(), 4);
        } else {
            Step::Puback.write(1, &mut last);
        }
        arrive(&mut traffic, 1, &[last]);
        assert_eq!((traffic.under_way(), packets(&mut traffic).len()), (3, 1));
    }
}

#[test]
fn refusals_lower_levels_and_strangers_are_counted() {
    let plan = plan(Layout::Pairs, 1, 1, QoS::AtLeastOnce);
    let mut traffic = traffic(&plan);
    traffic.begin(None);
    let sent = packets(&mut traffic);
    // PUBACK with 0x87 Not authorized.
    arrive(&mut traffic, 1, &[vec![0x40, 3, 0, 1, 0x87]]);
    assert_eq!(traffic.counts.refused, 1);
    let ending = plan.ending(0, 0);
    let mut lower = Vec::new();
    let zero = self::plan(Layout::Pairs, 1, 1, QoS::AtMostOnce);
    zero.template(0, 0).unwrap().write(&ending, 0, Head { publisher: 0, sequence: 0, at: 0 }, &mut lower);
    arrive(&mut traffic, 0, &[lower]);
    assert_eq!((traffic.counts.low_qos, traffic.counts.delivered), (1, 1));
    let mut stranger = Vec::new();
    zero.template(0, 0).unwrap().write(&ending, 0, Head { publisher: 1, sequence: 0, at: 0 }, &mut stranger);
    arrive(&mut traffic, 0, &[stranger, vec![0x30, 4, 0, 1, b't', 0]]);
    assert_eq!((traffic.counts.foreign, traffic.counts.delivered), (2, 1));
    // Half a packet waits for its other half, and a DISCONNECT says why.
    let mut answers = Vec::new();
    assert_eq!(traffic.take(0, &mut answers, &sent[1][..5]), 0);
    arrive(&mut traffic, 0, &[vec![0xE0, 2, 0x8B, 0]]);
    assert_eq!(traffic.farewell.as_deref(), Some("the broker disconnected: Server shutting down (0x8b)"));
}

#[test]
fn at_a_rate_messages_are_due_one_after_the_other_and_count_from_then() {
    let plan = plan(Layout::Pairs, 2, 2, QoS::AtMostOnce);
    let mut traffic = traffic(&plan);
    traffic.begin(Some(1000));
    assert!(packets(&mut traffic).is_empty());
    let (begun, _) = traffic.rate.unwrap();
    // The first is due at once, the next every millisecond.
    assert_eq!(traffic.release(begun), Some(begun + 1_000_000));
    assert_eq!(packets(&mut traffic).len(), 1);
    assert_eq!(traffic.release(begun + 9_500_000), Some(begun + 10_000_000));
    let sent = packets(&mut traffic);
    // Ten were due: five for each publisher, whose window takes four.
    assert_eq!((sent.len(), traffic.released(), traffic.behind()), (7, 10, 2));
    let due: Vec<u64> = sent
        .iter()
        .map(|packet| match next(packet, VERSION) {
            Some((Frame::Publish { payload, .. }, _)) => Head::read(payload).unwrap().at - begun,
            _ => panic!("no PUBLISH"),
        })
        .collect();
    let mut sorted = due.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [1, 2, 3, 4, 5, 6, 7].map(|number| number * 1_000_000), "{due:?}");
}
