//! `[limits]`.

use super::{Draft, Toml};
use crate::conf::Values;
use crate::conf::options::Table;

/// The smallest packet that a client must be able to send here, in bytes.
const PACKET_LEAST: i64 = 128;
/// Remaining Length cannot say more (§2.1.4 of MQTT 5.0), plus five octets of fixed header.
const PACKET_MOST: i64 = 268_435_460;
/// Mosquitto 2.1 reads no CONNECT that is larger.
const CONNECT_MOST: i64 = 100_000;
/// Seconds after which a session does not end (§3.1.2.11.2).
const NEVER: i64 = 0xffff_ffff;
/// No bound, as far as there can be none.
const QUEUED_BYTES_MOST: i64 = 64 << 30;

/// What Mosquitto has no option for. It has a bound of 200 levels, and none of the others.
const ALWAYS: &[(&str, i64)] = &[
    ("user_properties_maximum", 65_535),
    ("filters_per_packet_maximum", 65_535),
    ("topic_bytes_maximum", 65_535),
    ("topic_levels_maximum", 200),
    ("client_identifier_bytes_maximum", 65_535),
    ("subscriptions_maximum", 1_000_000),
    ("retained_messages_maximum", 10_000_000),
    ("retained_bytes_maximum", 4 << 30),
    ("queued_bytes_total_maximum", 4 << 30),
];

/// Failed attempts of one address in a minute until it is held off.
const ATTEMPTS: i64 = 1000;

pub(super) fn write(draft: &mut Draft<'_>) {
    let settings = draft.settings;
    let global = &settings.global;
    draft.writer.table("[limits]", None);
    packets(draft, global);
    messages(draft, global);
    draft.options(Table::Limits, global);
    let place = global.place("persistent_client_expiration");
    let seconds = global.number_written("persistent_client_expiration").unwrap_or(NEVER).min(NEVER);
    draft.writer.key("session_expiry_maximum", format!("{seconds}s"), place);
    if !settings.is_per_listener {
        let security = &settings.security.values;
        draft.writer.key(
            "empty_client_identifier",
            security.switch("allow_zero_length_clientid"),
            security.place("allow_zero_length_clientid"),
        );
    }
    if let Some(place) = global.place("max_keepalive").filter(|_| global.number("max_keepalive") > 0) {
        draft.writer.key("keep_alive_enforced", true, Some(place));
    }
    draft.writer.comment("Whoever comes under a Client Identifier gets its session; \"refuse\": only the device or user whose it is.");
    draft.writer.key("foreign_session", "resume", None);
    draft.writer.key("answers", "plain", None);
    draft.writer.key("server_topics", "$SYS", None);
    draft.writer.comment("Mosquitto has no bounds for these, but for the levels of a topic.");
    for (key, value) in ALWAYS {
        draft.writer.key(key, Toml::Number(*value), None);
    }
    draft
        .writer
        .comment("Mosquitto holds nobody off. So many failed attempts in a minute are more than devices make whose passwords are wrong.");
    draft.writer.key("attempts_maximum", ATTEMPTS, None);
}

fn packets(draft: &mut Draft<'_>, global: &Values) {
    let written = global.number("max_packet_size");
    let size = written.clamp(PACKET_LEAST, PACKET_MOST);
    let place = global.place("max_packet_size");
    if let Some(place) = place.filter(|_| written < PACKET_LEAST) {
        draft.notice(
            place,
            format!("`max_packet_size {written}` is {PACKET_LEAST} here: smaller packets could not say why somebody is refused"),
        );
    }
    draft.writer.key("maximum_packet_size", size, place);
    draft.writer.key("maximum_connect_size", size.min(CONNECT_MOST), None);
}

fn messages(draft: &mut Draft<'_>, global: &Values) {
    let place = global.place("max_inflight_messages");
    // 65535 means 0, which means as many as there are Packet Identifiers.
    let inflight = match global.number("max_inflight_messages") {
        0 => 65_535,
        number => number,
    };
    draft.writer.key("maximum_inflight", inflight, place);
    draft.writer.key("receive_maximum", inflight, place);
    let bytes = match global.number("max_queued_bytes") {
        0 => QUEUED_BYTES_MOST,
        bytes => bytes.max(1024),
    };
    let place = global.place("max_queued_bytes");
    if let Some(place) = place.filter(|_| (1..1024).contains(&global.number("max_queued_bytes"))) {
        draft.notice(place, "`max_queued_bytes` is 1024 here");
    }
    draft.writer.key("queued_bytes_maximum", bytes, place);
}
