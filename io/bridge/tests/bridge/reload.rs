//! Bridges that are changed while they run.

use signet_bridge::{Bridges, Change, Direction, ReloadRule};
use signet_mqtt::{ClientIdentifier, ProtocolVersion, QoS};
use signet_testkit::Device;

use crate::rig::{Here, Link, Mosquitto, PATIENCE, await_that, bridge, rule, server};

const V5: ProtocolVersion = ProtocolVersion::V5;

fn outward(port: u16, filter: &str) -> signet_bridge::BridgeConfig {
    bridge(port, V5, vec![rule(filter, Direction::Out, QoS::AtLeastOnce, "", "")])
}

/// A server that allows a bridge all of these.
fn here(configs: &[&signet_bridge::BridgeConfig]) -> Here {
    let mut all = configs[0].clone();
    all.topics = configs.iter().flat_map(|config| config.topics.clone()).collect();
    Here { server: server(vec![&all]), bridges: Bridges::default() }
}

#[test]
fn one_that_is_the_same_goes_on() {
    let there = Mosquitto::start();
    let config = outward(there.port, "a");
    let mut here = here(&[&config]);
    here.bridge(config.clone());
    here.await_connected();
    let planned = vec![here.planned(config)];
    assert_eq!(here.bridges.retire(&planned, PATIENCE), Vec::<String>::new());
    assert_eq!(here.bridges.adopt(planned).unwrap(), []);
    assert_eq!((here.status().connected, here.status().connections), (true, 1));
}

#[test]
fn one_that_changes_at_once_connects_anew_with_what_waited() {
    let there = Mosquitto::start();
    let link = Link::to(there.port);
    let (before, after) = (outward(link.port, "a"), outward(there.port, "+"));
    let mut here = here(&[&before, &after]);
    here.bridge(before);
    here.await_connected();
    link.cut();
    here.await_down();
    here.client("p").publish("a", "waited", QoS::AtLeastOnce, false);
    let remote = there.inbox("#");
    let planned = vec![here.planned(after)];
    assert!(here.bridges.retire(&planned, PATIENCE).is_empty());
    assert_eq!(here.bridges.adopt(planned).unwrap(), [("b".to_owned(), Change::Restarted)]);
    remote.expect("a", "waited");
    here.client("p").publish("b", "x", QoS::AtLeastOnce, false);
    remote.expect("b", "x");
}

#[test]
fn one_that_changes_lazily_waits_for_the_end_of_its_connection() {
    let there = Mosquitto::start();
    let link = Link::to(there.port);
    let (before, mut after) = (outward(link.port, "a"), outward(link.port, "b"));
    after.reload = ReloadRule::Lazy;
    let mut here = here(&[&before, &after]);
    here.bridge(before);
    here.await_connected();
    let planned = vec![here.planned(after)];
    assert!(here.bridges.retire(&planned, PATIENCE).is_empty());
    assert_eq!(here.bridges.adopt(planned).unwrap(), [("b".to_owned(), Change::Postponed)]);
    assert_eq!(here.bridges.postponed(&[]).collect::<Vec<_>>(), ["b"]);
    let remote = there.inbox("#");
    here.client("p").publish("a", "as before", QoS::AtLeastOnce, false);
    remote.expect("a", "as before");
    assert_eq!(here.status().connections, 1);
    link.cut();
    link.restore();
    await_that("the next connection", || here.status().connections == 2);
    assert_eq!(here.bridges.postponed(&[]).count(), 0);
    for name in ["a", "b"] {
        here.client("p").publish(name, "x", QoS::AtLeastOnce, false);
    }
    remote.expect("b", "x");
}

#[test]
fn one_that_is_removed_leaves_no_session_behind_and_another_may_come() {
    let there = Mosquitto::start();
    let mut gone = outward(there.port, "a");
    gone.local.client_identifier = ClientIdentifier::new("local.b");
    let mut here = here(&[&gone]);
    here.bridge(gone);
    here.await_connected();
    // While it is there nobody else has its session.
    let claim = |here: &Here| Device::introduce(&here.target(), signet_testkit::connect_packet(V5, "local.b")).1.reason_code;
    assert!(claim(&here).is_error());
    assert_eq!(here.status().connections, 1);
    assert_eq!(here.bridges.retire(&[], PATIENCE), ["b"]);
    assert!(here.bridges.status().is_empty());
    assert!(!claim(&here).is_error(), "the session is gone");
    let planned = vec![here.planned(outward(there.port, "a"))];
    assert_eq!(here.bridges.adopt(planned).unwrap(), [("b".to_owned(), Change::Started)]);
    here.await_connected();
}
