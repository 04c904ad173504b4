//! `connection` and what belongs to it, as `[[bridge]]`.

use super::Draft;
use crate::conf::{Address, Bridge, Direction};

/// Writes a table for each bridge, through `draft.writer`; what is different here goes to `draft.notices`, what cannot be had to `draft.mistakes`.
pub(super) fn write(draft: &mut Draft<'_>) {
    for bridge in &draft.settings.bridges {
        one(draft, bridge);
    }
}

fn one(draft: &mut Draft<'_>, bridge: &Bridge) {
    let values = &bridge.values;
    let writer = &mut draft.writer;
    writer.table("[[bridge]]", Some(&bridge.name.place));
    writer.key("name", bridge.name.value.as_str(), Some(&bridge.name.place));
    let addresses: Vec<String> = bridge.addresses().iter().map(Address::to_string).collect();
    writer.key("addresses", addresses, values.place("address"));
    writer.key("round_robin", values.switch("round_robin"), values.place("round_robin"));
    writer.key("keep_alive", format!("{}s", values.number("keepalive_interval")), values.place("keepalive_interval"));
    writer.key("clean_start", values.switch("cleansession"), values.place("cleansession"));
    writer.key("client_identifier", bridge.remote_client_identifier("${hostname}"), values.place("remote_clientid"));
    for (topic, place) in bridge.topics() {
        writer.table("[[bridge.topic]]", Some(place));
        let direction = match topic.direction {
            Direction::Out => "out",
            Direction::In => "in",
            Direction::Both => "both",
        };
        writer.key("filter", topic.filter.as_str(), Some(place));
        writer.key("direction", direction, Some(place));
        writer.key("qos", i64::from(topic.qos), Some(place));
        writer.key("local_prefix", topic.local_prefix.as_str(), Some(place));
        writer.key("remote_prefix", topic.remote_prefix.as_str(), Some(place));
    }
}
