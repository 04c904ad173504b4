//! The curves: how the cost of the same work moves with one thing at a time, so that nothing is fast in the shape of one benchmark only.

use super::load::{Key, Layout, Load, Messages, Mqtt, Tls, Transport, Work};
use super::rows::Row;

/// One curve: what it is called, what its axis says, and what is drawn.
pub(super) struct Curve {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) axis: &'static str,
}

/// All that there are.
pub(super) const CURVES: [Curve; 7] = [
    Curve { name: "payload", title: "QoS 0 pairs over TLS, by payload", axis: "bytes of payload" },
    Curve { name: "topics", title: "QoS 0 fan-in 50→1 over TLS, by topics", axis: "topics that are published to" },
    Curve { name: "filters", title: "QoS 0 fan-in 50→1 over TLS, by how topics are subscribed to", axis: "Topic Filters" },
    Curve { name: "qos", title: "Pairs 50→50 over TLS, by QoS", axis: "QoS" },
    Curve { name: "connections", title: "QoS 0 pairs over TLS, by pairs", axis: "pairs of publisher and subscriber" },
    Curve { name: "mqtt", title: "QoS 1 pairs 50→50 over TLS, by version of MQTT", axis: "version of MQTT" },
    Curve { name: "handshake", title: "Connect, by TLS version and the client's key", axis: "handshake" },
];

const TLS: Transport = Transport::Tls { version: Tls::V13, key: Key::Ecdsa };

/// The points of all curves, as rows.
pub(super) fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    for (point, payload) in [("16", 16), ("64", 64), ("256", 256), ("1k", 1 << 10), ("4k", 4 << 10), ("16k", 16 << 10), ("64k", 64 << 10)] {
        // As much as is under way with 256 bytes, and at least four messages.
        let window = (64 * 256 / payload).clamp(4, 64);
        rows.push(messages("payload", point, Messages { payload, window, ..Messages::in_layout(Layout::Pairs) }));
    }
    for (point, topics) in [("1", 1), ("100", 100), ("1k", 1_000), ("10k", 10_000), ("100k", 100_000), ("1M", 1_000_000)] {
        rows.push(messages("topics", point, Messages { topics, ..Messages::in_layout(Layout::FanIn) }));
    }
    for (point, wildcards) in [("literal", false), ("wildcard", true)] {
        rows.push(messages("filters", point, Messages { wildcards, ..Messages::in_layout(Layout::FanIn) }));
    }
    for qos in 0..3 {
        rows.push(messages("qos", &qos.to_string(), Messages { qos, ..Messages::in_layout(Layout::Pairs) }));
    }
    rows.push(messages(
        "qos",
        "70 % 0, 20 % 1, 10 % 2",
        Messages { qos: 2, mix: Some([70, 20, 10]), ..Messages::in_layout(Layout::Pairs) },
    ));
    for (point, pairs) in [("1", 1), ("10", 10), ("100", 100), ("1k", 1_000), ("4k", 4_000)] {
        // The same number of messages is under way, as far as each has one.
        let window = (3_200 / pairs).clamp(1, 64);
        let messages_ = Messages { publishers: pairs, subscribers: pairs, topics: pairs, window, ..Messages::in_layout(Layout::Pairs) };
        rows.push(messages("connections", point, messages_));
    }
    for (point, mqtt) in [("3.1.1", Mqtt::V311), ("5.0", Mqtt::V5)] {
        let work = Work::Messages(Messages { qos: 1, ..Messages::in_layout(Layout::Pairs) });
        rows.push(Row::on("mqtt", point, Load { work, transport: TLS, mqtt }));
    }
    for (version, name) in [(Tls::V13, "1.3"), (Tls::V12, "1.2")] {
        for (key, word, resumed) in [(Key::Ecdsa, "ECDSA", false), (Key::Rsa, "RSA", false), (Key::Ecdsa, "resumed", true)] {
            let work = Work::Connect { count: 1_000, resumed };
            let load = Load { work, transport: Transport::Tls { version, key }, mqtt: Mqtt::V311 };
            rows.push(Row::on("handshake", &format!("{name} {word}"), load));
        }
    }
    rows
}

fn messages(curve: &str, point: &str, messages: Messages) -> Row {
    Row::on(curve, point, Load { work: Work::Messages(messages), transport: TLS, mqtt: Mqtt::V311 })
}
