//! Nothing that was acknowledged is lost when the link or the other broker goes away, and nothing of QoS 2 comes twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use signet_bridge::Direction;
use signet_mqtt::{ProtocolVersion, QoS};
use signet_testkit::{Device, Target};

use crate::rig::{Here, Inbox, Link, Mosquitto, await_that, bridge, rule};

/// What arrived, and how often.
struct Ledger {
    arrived: Arc<Mutex<BTreeMap<String, usize>>>,
    _thread: JoinHandle<()>,
}

impl Ledger {
    fn of(inbox: Inbox) -> Self {
        let arrived: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
        let notes = Arc::clone(&arrived);
        let thread = std::thread::spawn(move || {
            for publish in inbox.messages {
                *notes.lock().unwrap().entry(publish.topic.unwrap().as_str().to_owned()).or_default() += 1;
            }
        });
        Self { arrived, _thread: thread }
    }

    fn count(&self) -> usize {
        self.arrived.lock().unwrap().len()
    }

    /// Everything of QoS 1 and 2 is there, and nothing of QoS 2 twice.
    #[track_caller]
    fn is_complete(&self, topic: &str, count: usize) {
        await_that("everything has arrived", || self.count() == count);
        let arrived = self.arrived.lock().unwrap();
        for number in 0..count {
            let name = format!("{topic}/{}/{number}", number % 2 + 1);
            let times = arrived.get(&name).copied().unwrap_or(0);
            assert!(times == 1 || (times > 1 && number % 2 == 0), "`{name}` arrived {times} times");
        }
    }
}

/// Publishes numbered messages of QoS 1 and 2 in turn, each acknowledged before the next.
fn publish(target: Target, topic: &'static str, published: Arc<AtomicUsize>, stop: Arc<AtomicBool>) -> JoinHandle<usize> {
    std::thread::spawn(move || {
        let mut client = Device::connect(&target, ProtocolVersion::V5, &format!("publisher-{topic}"));
        let mut number = 0;
        while !stop.load(Ordering::SeqCst) {
            let qos = if number % 2 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
            client.publish(&format!("{topic}/{}/{number}", number % 2 + 1), "x", qos, false);
            number += 1;
            published.store(number, Ordering::SeqCst);
            // No more than the queue of a session holds while the link is down.
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        number
    })
}

#[test]
fn a_link_that_is_cut_again_and_again_loses_nothing_and_doubles_nothing() {
    for version in [ProtocolVersion::V311, ProtocolVersion::V5] {
        let there = Mosquitto::start();
        let link = Link::to(there.port);
        let topics = vec![rule("out/#", Direction::Out, QoS::ExactlyOnce, "", ""), rule("in/#", Direction::In, QoS::ExactlyOnce, "", "")];
        let here = Here::connected(bridge(link.port, version, topics));
        let (out, inward) = (Ledger::of(there.inbox("out/#")), Ledger::of(here.inbox("in/#")));
        let stop = Arc::new(AtomicBool::new(false));
        let (sent_out, sent_in) = (Arc::default(), Arc::default());
        let publishers = [
            publish(here.target(), "out", Arc::clone(&sent_out), Arc::clone(&stop)),
            publish(there.target(), "in", Arc::clone(&sent_in), Arc::clone(&stop)),
        ];
        for _ in 0..6 {
            let (before_out, before_in) = (out.count(), inward.count());
            await_that("messages cross", || out.count() >= before_out + 15 && inward.count() >= before_in + 15);
            link.cut();
            here.await_down();
            let waiting = sent_out.load(Ordering::SeqCst) + 15;
            await_that("messages wait", || sent_out.load(Ordering::SeqCst) >= waiting);
            link.restore();
            here.await_connected();
        }
        stop.store(true, Ordering::SeqCst);
        let [count_out, count_in] = publishers.map(|publisher| publisher.join().unwrap());
        out.is_complete("out", count_out);
        inward.is_complete("in", count_in);
        assert!(here.status().connections >= 7);
        assert_eq!(here.status().dropped.total(), 0, "{:?}", here.status());
    }
}

#[test]
fn what_waits_on_either_side_survives_a_restart_of_the_other_broker() {
    let mut there = Mosquitto::start();
    let topics = vec![rule("out/#", Direction::Out, QoS::ExactlyOnce, "", ""), rule("in/#", Direction::In, QoS::ExactlyOnce, "", "")];
    let link = Link::to(there.port);
    let here = Here::connected(bridge(link.port, ProtocolVersion::V5, topics));
    let local = here.inbox("in/#");
    link.cut();
    here.await_down();
    for number in 0..10 {
        here.client("p").publish(&format!("out/{number}"), "x", QoS::ExactlyOnce, false);
        there.client("p").publish(&format!("in/{number}"), "x", QoS::ExactlyOnce, false);
    }
    there.stop();
    there.restart();
    let remote = Ledger::of(there.inbox("out/#"));
    link.restore();
    local.expect_all((0..10).map(|number| format!("in/{number}")));
    await_that("what waited here", || remote.count() == 10);
    assert!(remote.arrived.lock().unwrap().values().all(|times| *times == 1));
}

#[test]
fn messages_wait_for_a_broker_that_was_never_there_before() {
    let there = Mosquitto::start();
    let link = Link::to(there.port);
    link.cut();
    let here = Here::starting(bridge(link.port, ProtocolVersion::V5, vec![rule("out/#", Direction::Out, QoS::ExactlyOnce, "", "")]));
    await_that("the other broker is out of reach", || here.status().last_error.is_some());
    for number in 0..10 {
        here.client("p").publish(&format!("out/{number}"), "x", QoS::ExactlyOnce, false);
    }
    let remote = there.inbox("out/#");
    link.restore();
    for number in 0..10 {
        remote.expect(&format!("out/{number}"), "x");
    }
    // Nothing is known to have been lost, so nothing had to be released.
    assert_eq!(here.status().forwarded_out, 10);
}

#[test]
fn a_session_that_was_lost_here_is_released_there() {
    for version in [ProtocolVersion::V311, ProtocolVersion::V5] {
        let there = Mosquitto::start();
        let remote = there.inbox("out/#");
        let topics = || vec![rule("out/#", Direction::Out, QoS::ExactlyOnce, "", "")];
        // Without a store: the second one knows nothing of the session that mosquitto still has.
        for round in 0..2 {
            let here = Here::connected(bridge(there.port, version, topics()));
            for number in 0..3 {
                here.client("p").publish(&format!("out/{round}/{number}"), "x", QoS::ExactlyOnce, false);
                remote.expect(&format!("out/{round}/{number}"), "x");
            }
            assert_eq!(here.status().connections, 1);
        }
        assert!(there.log().matches("Received PUBREL from signet.b (Mid: 65535)").count() == 1, "every identifier, once");
    }
}
