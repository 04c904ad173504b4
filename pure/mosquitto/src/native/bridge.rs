//! `connection` and what belongs to it, as `[[bridge]]`.

use std::collections::BTreeSet;

use super::Draft;
use super::writer::Writer;
use crate::conf::{Address, Backoff, Bridge, BridgeTopic, Direction, Settings, Values};
use crate::{Notice, Place};

/// How often Mosquitto looks for the first address while it is connected to another one.
const RETURN: &str = "5s";

/// Longer than any session lives.
const FOR_EVER: &str = "36500d";

/// Longest name of a `[[bridge]]`.
const NAME_MAXIMUM: usize = 64;

/// Writes a table for each bridge, through `draft.writer`; what is different here goes to `draft.notices`, what cannot be had to `draft.mistakes`.
pub(super) fn write(draft: &mut Draft<'_>) {
    let settings = draft.settings;
    let mut names = BTreeSet::new();
    for bridge in &settings.bridges {
        let name = name(&bridge.name.value, &mut names);
        if name != bridge.name.value {
            draft.notices.push(notice(&bridge.name.place, format!("the bridge is called `{name}` in metrics and commands")));
        }
        one(&mut draft.writer, settings, bridge, name);
        differences(bridge, &mut draft.notices);
    }
}

fn notice(place: &Place, message: impl Into<String>) -> Notice {
    Notice { place: place.clone(), message: message.into() }
}

/// A name with the characters that ours have, which no other bridge has.
fn name(written: &str, names: &mut BTreeSet<String>) -> String {
    let is_good = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    let plain: String = written.chars().map(|character| if is_good(character) { character } else { '_' }).take(NAME_MAXIMUM).collect();
    let mut name = plain.clone();
    let mut number = 1_u64;
    while !names.insert(name.clone()) {
        number += 1;
        let end = format!("_{number}");
        name = plain.chars().take(NAME_MAXIMUM - end.len()).chain(end.chars()).collect();
    }
    name
}

fn one(writer: &mut Writer, settings: &Settings, bridge: &Bridge, name: String) {
    let values = &bridge.values;
    writer.table("[[bridge]]", Some(&bridge.name.place));
    writer.key("name", name, Some(&bridge.name.place));
    let addresses: Vec<String> = bridge.addresses().iter().map(Address::to_string).collect();
    let is_round_robin = values.switch("round_robin");
    let has_others = addresses.len() > 1;
    writer.key("addresses", addresses, values.place("address"));
    writer.key("round_robin", is_round_robin, values.place("round_robin"));
    if has_others && !is_round_robin {
        writer.key("return_to_first", RETURN, values.place("round_robin"));
    }
    who(writer, bridge);
    tls(writer, settings, bridge);
    socket(writer, bridge);
    sessions(writer, settings, bridge);
    outgoing(writer, values);
    notifications(writer, values);
    times(writer, bridge);
    writer.key("reload", values.text("bridge_reload_type").unwrap_or("lazy"), values.place("bridge_reload_type"));
    writer.comment("Mosquitto writes nothing into messages.");
    writer.key("hops_maximum", 0, None);
    for (topic, place) in in_order(bridge.topics().collect()) {
        self::topic(writer, topic, place);
    }
}

/// Mosquitto looks at topics without prefixes last, when a message gets its other name. Where that makes no difference they stay where they are.
fn in_order<'a>(topics: Vec<(&'a BridgeTopic, &'a Place)>) -> Vec<(&'a BridgeTopic, &'a Place)> {
    let is_plain = |topic: &BridgeTopic| topic.local_prefix.is_empty() && topic.remote_prefix.is_empty();
    let differs = topics.iter().enumerate().any(|(at, (plain, _))| {
        is_plain(plain) && topics.iter().skip(at + 1).any(|(renamed, _)| !is_plain(renamed) && may_both_cover(plain, renamed))
    });
    if !differs {
        return topics;
    }
    let (plain, renamed): (Vec<_>, Vec<_>) = topics.into_iter().partition(|(topic, _)| is_plain(topic));
    renamed.into_iter().chain(plain).collect()
}

/// Whether there is a topic that both cover, on either side.
fn may_both_cover(one: &BridgeTopic, other: &BridgeTopic) -> bool {
    let overlap = |prefix: fn(&BridgeTopic) -> &str| {
        let [one, other] = [one, other].map(|topic| format!("{}{}", prefix(topic), topic.filter));
        let (mut one, mut other) = (one.split('/'), other.split('/'));
        loop {
            match (one.next(), other.next()) {
                (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
                (Some(left), Some(right)) if left == right || left == "+" || right == "+" => {}
                _ => return false,
            }
        }
    };
    overlap(|topic| &topic.local_prefix) || overlap(|topic| &topic.remote_prefix)
}

/// Names and passwords.
fn who(writer: &mut Writer, bridge: &Bridge) {
    let values = &bridge.values;
    let protocol = match values.text("bridge_protocol_version") {
        Some("mqttv50") => "5.0",
        Some("mqttv31") => "3.1",
        _ => "3.1.1",
    };
    writer.key("protocol", protocol, values.place("bridge_protocol_version"));
    writer.key("try_private", values.switch("try_private"), values.place("try_private"));
    writer.key("client_identifier", bridge.remote_client_identifier("${hostname}"), values.place("remote_clientid"));
    writer.key("local_client_identifier", bridge.local_client_identifier("${hostname}"), values.place("local_clientid"));
    let is_alone = has_password_alone(values);
    for (option, key) in [("remote_username", "username"), ("remote_password", "password"), ("local_username", "local_username")] {
        if let Some(text) = values.text(option).filter(|_| !(is_alone && option == "remote_password")) {
            writer.key(key, text, values.place(option));
        }
    }
}

/// Before MQTT 5.0 there is no password without a user name (§3.1.2.9 of 3.1.1).
fn has_password_alone(values: &Values) -> bool {
    let is_old = values.text("bridge_protocol_version") != Some("mqttv50");
    is_old && values.text("remote_password").is_some() && values.text("remote_username").is_none()
}

fn tls(writer: &mut Writer, settings: &Settings, bridge: &Bridge) {
    let values = &bridge.values;
    if !bridge.has_tls() {
        writer.key("transport", "tcp", None);
        return;
    }
    let first = ["bridge_cafile", "bridge_capath", "bridge_tls_use_os_certs", "bridge_psk"].iter().find_map(|option| values.place(option));
    writer.key("transport", "tls", first);
    let has_key = values.text("bridge_psk").is_some();
    if has_key {
        for (option, key) in [("bridge_identity", "psk_identity"), ("bridge_psk", "psk")] {
            writer.key(key, values.text(option).unwrap_or_default(), values.place(option));
        }
    } else {
        certificates(writer, settings, values);
    }
    let minimum = if values.text("bridge_tls_version") == Some("tlsv1.3") { "1.3" } else { "1.2" };
    writer.key("tls_min", minimum, values.place("bridge_tls_version"));
    let (older, newer) = (values.text("bridge_ciphers"), values.text("bridge_ciphers_tls1.3"));
    let suites: Vec<&str> = match (older, newer, has_key) {
        (None, None, _) => Vec::new(),
        // Two lists of OpenSSL: without the first one everything that it would be.
        (older, newer, false) => [Some(older.unwrap_or("DEFAULT")), newer].into_iter().flatten().collect(),
        (older, _, true) => older.into_iter().collect(),
    };
    if !suites.is_empty() {
        writer.key("cipher_suites", suites, values.place("bridge_ciphers").or_else(|| values.place("bridge_ciphers_tls1.3")));
    }
    if let Some(protocol) = values.text("bridge_alpn") {
        writer.key("alpn", [protocol], values.place("bridge_alpn"));
    }
}

fn certificates(writer: &mut Writer, settings: &Settings, values: &Values) {
    if let Some(file) = values.text("bridge_cafile") {
        writer.key("trust", [settings.path(file)], values.place("bridge_cafile"));
    }
    let others = [("bridge_capath", "trust_directory"), ("bridge_certfile", "certificate"), ("bridge_keyfile", "key")];
    for (option, key) in others {
        if let Some(path) = values.text(option) {
            writer.key(key, settings.path(path), values.place(option));
        }
    }
    writer.key("trust_system", values.switch("bridge_tls_use_os_certs"), values.place("bridge_tls_use_os_certs"));
    let names = if values.switch("bridge_insecure") { "ignore" } else { "check" };
    writer.key("server_name", names, values.place("bridge_insecure"));
    writer.key("old_certificates", true, None);
    writer.key("ocsp_staple_required", values.switch("bridge_require_ocsp"), values.place("bridge_require_ocsp"));
}

fn socket(writer: &mut Writer, bridge: &Bridge) {
    let values = &bridge.values;
    if let Some(address) = values.text("bridge_bind_address") {
        writer.key("bind_address", address, values.place("bridge_bind_address"));
    }
    if let Some((idle, interval, count)) = bridge.tcp_keep_alive() {
        let place = values.place("bridge_tcp_keepalive");
        // More than a day the system does not take, nor more than so many probes.
        let seconds = |seconds: u32| format!("{}s", seconds.clamp(1, 32_767));
        writer.key("tcp_keep_alive_idle", seconds(idle), place);
        writer.key("tcp_keep_alive_interval", seconds(interval), place);
        writer.key("tcp_keep_alive_count", i64::from(count.clamp(1, 127)), place);
    }
    if let Some(milliseconds) = values.number_written("bridge_tcp_user_timeout") {
        writer.key("tcp_user_timeout", format!("{}ms", milliseconds.min(86_400_000)), values.place("bridge_tcp_user_timeout"));
    }
}

fn sessions(writer: &mut Writer, settings: &Settings, bridge: &Bridge) {
    let values = &bridge.values;
    writer.key("clean_start", values.switch("cleansession"), values.place("cleansession"));
    let is_clean = bridge.has_clean_local_session() && !is_lazy(values);
    writer.key("local_clean_start", is_clean, values.place("local_cleansession").or_else(|| values.place("cleansession")));
    writer.key("session_expiry", FOR_EVER, None);
    let expiry = values.number("bridge_session_expiry_interval").clamp(0, 3_153_600_000);
    writer.key("remote_session_expiry", format!("{expiry}s"), values.place("bridge_session_expiry_interval"));
    writer.key("keep_alive", format!("{}s", values.number("keepalive_interval").min(64_800)), values.place("keepalive_interval"));
    // 0: as many as there are.
    let most = match settings.global.number("max_inflight_messages") {
        number @ 1..=65_535 => number,
        _ => 65_535,
    };
    let place = settings.global.place("max_inflight_messages");
    writer.key("inflight_maximum", most, place);
    let receive = values.number_written("bridge_receive_maximum");
    writer.key("receive_maximum", receive.unwrap_or(most), values.place("bridge_receive_maximum").or(place));
    writer.key("topic_alias_maximum", values.number("bridge_max_topic_alias"), values.place("bridge_max_topic_alias"));
    writer.key("retained", "always", None);
}

fn outgoing(writer: &mut Writer, values: &Values) {
    writer.key("outgoing_retain", values.switch("bridge_outgoing_retain"), values.place("bridge_outgoing_retain"));
    // No packet of MQTT is larger.
    let size = values.number("bridge_max_packet_size").min(268_435_456);
    writer.key("outgoing_packet_size_maximum", size, values.place("bridge_max_packet_size"));
    writer.key("unsubscribe_outgoing", values.switch("bridge_attempt_unsubscribe"), values.place("bridge_attempt_unsubscribe"));
}

fn notifications(writer: &mut Writer, values: &Values) {
    let whom = match (values.switch("notifications"), values.switch("notifications_local_only")) {
        (false, _) => "none",
        (true, true) => "local",
        (true, false) => "both",
    };
    writer.key("notifications", whom, values.place("notifications").or_else(|| values.place("notifications_local_only")));
    let topic = values.text("notification_topic").unwrap_or("$SYS/broker/connection/${client_identifier}/state");
    writer.key("notification_topic", topic, values.place("notification_topic"));
}

fn times(writer: &mut Writer, bridge: &Bridge) {
    let values = &bridge.values;
    writer.key("start", values.text("start_type").unwrap_or("automatic"), values.place("start_type"));
    if is_lazy(values) {
        writer.key("idle_timeout", format!("{}s", values.number("idle_timeout").clamp(1, 31_536_000)), values.place("idle_timeout"));
        writer.key("lazy_threshold", values.number("threshold").clamp(1, 65_535), values.place("threshold"));
    }
    let place = values.place("restart_timeout");
    let Backoff { seconds, most_seconds, stable_seconds } = bridge.backoff();
    let Some(most) = most_seconds else {
        writer.key("reconnect", "constant", place);
        return writer.key("reconnect_minimum", format!("{seconds}s"), place);
    };
    writer.key("reconnect", "jitter", place);
    writer.key("reconnect_minimum", format!("{seconds}s"), place);
    writer.key("reconnect_maximum", format!("{most}s"), place);
    writer.key("reconnect_stable", format!("{}s", stable_seconds.min(31_536_000)), place);
}

fn is_lazy(values: &Values) -> bool {
    values.text("start_type") == Some("lazy")
}

fn topic(writer: &mut Writer, topic: &BridgeTopic, place: &Place) {
    let direction = match topic.direction {
        Direction::Out => "out",
        Direction::In => "in",
        Direction::Both => "both",
    };
    writer.table("[[bridge.topic]]", Some(place));
    writer.key("filter", topic.filter.as_str(), Some(place));
    writer.key("direction", direction, Some(place));
    writer.key("qos", i64::from(topic.qos), Some(place));
    writer.key("local_prefix", topic.local_prefix.as_str(), Some(place));
    writer.key("remote_prefix", topic.remote_prefix.as_str(), Some(place));
}

/// What somebody should know who has used this bridge with Mosquitto.
fn differences(bridge: &Bridge, notices: &mut Vec<Notice>) {
    let values = &bridge.values;
    let mut say = |option: &str, message: &str| {
        if let Some(place) = values.place(option) {
            notices.push(notice(place, message));
        }
    };
    say("local_password", "nobody asks a bridge for a password here: what it may do are its topics");
    if has_password_alone(values) {
        say("remote_password", "`remote_password` has no effect without `remote_username` before MQTT 5.0: it is not sent");
    }
    if values.switch("bridge_insecure") {
        say(
            "bridge_insecure",
            "the certificate of the other broker may be for another name: whoever has one of its authority can be in the middle",
        );
    }
    if is_lazy(values) && bridge.has_clean_local_session() {
        say(
            "start_type",
            "a lazy bridge keeps its session here, whatever `cleansession` says: what it waits for would be forgotten when it connects",
        );
    }
    if !bridge.has_tls() {
        for option in ["bridge_certfile", "bridge_keyfile", "bridge_require_ocsp", "bridge_tls_version", "bridge_ciphers", "bridge_alpn"] {
            say(option, "no effect without bridge_cafile, bridge_capath or bridge_tls_use_os_certs: this bridge is not encrypted");
        }
    } else if values.text("bridge_psk").is_some() {
        say("bridge_ciphers_tls1.3", "no effect beside bridge_psk");
    }
    if values.text("bridge_tls_version") == Some("tlsv1.1") {
        say("bridge_tls_version", "TLS 1.1 is not spoken; TLS 1.2 and 1.3 are");
    }
}

#[cfg(test)]
mod tests;
