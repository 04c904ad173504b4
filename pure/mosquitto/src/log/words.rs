//! The lines, as a table: what happened → kind and text.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::refused;
use super::{Fields, Kind};

/// The most octets of a line, with its time: as many as Mosquitto's have.
pub const LINE_LENGTH: usize = 999;

/// One line, without its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub kind: Kind,
    /// Whether it is left out with `connection_messages false`.
    pub is_connection_message: bool,
    /// The text.
    pub text: String,
}

/// What happened, what kind of line it is, whether it is one of the `connection_messages`, and its text: `{name}` stands for a field, and what is between `<`
/// and `>` is left out where a field in it is missing.
type Row = (&'static str, Kind, bool, &'static str);

const YES: bool = true;
const NO: bool = false;

const CONNECTIONS: [Row; 18] = [
    ("protocol_error", Kind::Information, NO, "Protocol error from {address}:{port}: {found}."),
    ("accepted", Kind::Notice, YES, "New connection from {address}:{port} on port {listener_port}."),
    ("full", Kind::Notice, YES, "Client connection from {address} denied: max_connections exceeded."),
    (
        "connected",
        Kind::Notice,
        YES,
        "New {role} connected from {address}:{port} as {client} (p{version}, c{clean_start}, k{keep_alive}<, u'{username}'>).",
    ),
    ("will", Kind::Debug, YES, "Will message specified ({bytes} bytes) (r{retain}, q{qos})."),
    ("will", Kind::Debug, YES, "\t{topic}"),
    ("no_will", Kind::Debug, YES, "No will message specified."),
    ("negotiated", Kind::Notice, NO, "Client {client} negotiated {protocol} cipher {cipher}"),
    ("proxy_negotiated", Kind::Notice, NO, "Connection from {address}:{port} negotiated {protocol} cipher {cipher}"),
    ("tls_without_listener", Kind::Notice, NO, "Client from {address}:{port} appears to be using TLS to connect to a non-TLS listener."),
    ("disconnected", Kind::Notice, YES, "Client {client} [{address}:{port}] disconnected<: {reason}>."),
    ("openssl", Kind::Error, NO, "OpenSSL Error while trying to get the error[0]: {error}"),
    ("proxy_corrupt", Kind::Notice, NO, "Connection from {address}:{port} rejected, corrupt PROXY header."),
    ("proxy_no_tls", Kind::Notice, NO, "Connection from {address}:{port} rejected, client did not connect using TLS."),
    ("proxy_no_certificate", Kind::Notice, NO, "Connection from {address}:{port} rejected, client did not provide a certificate."),
    (
        "certificate",
        Kind::Notice,
        NO,
        "Client {client} [{address}:{port}] certificate accepted: subject=\"{subject}\", issuer=\"{issuer}\", serial={serial}, sha256={sha256}.",
    ),
    (
        "certificate_refused",
        Kind::Notice,
        NO,
        "Client {client} [{address}:{port}] certificate refused: check=\"{check}\", reason=\"{found}\"<, subject=\"{subject}\">\
         <, issuer=\"{issuer}\"><, serial={serial}><, sha256={sha256}>.",
    ),
    ("no_certificate", Kind::Notice, NO, "Client {client} [{address}:{port}] refused: check=\"{check}\", reason=\"{found}\"."),
];

const PACKETS: [Row; 27] = [
    (
        "received_publish",
        Kind::Debug,
        NO,
        "Received PUBLISH from {client} (d{dup}, q{qos}, r{retain}, m{id}, '{topic}', ... ({bytes} bytes))",
    ),
    ("denied_publish", Kind::Debug, NO, "Denied PUBLISH from {client} (d{dup}, q{qos}, r{retain}, m{id}, '{topic}', ... ({bytes} bytes))"),
    ("received_puback", Kind::Debug, NO, "Received PUBACK from {client} (Mid: {id}, RC:{code})"),
    ("received_pubrec", Kind::Debug, NO, "Received PUBREC from {client} (Mid: {id})"),
    ("received_pubrel", Kind::Debug, NO, "Received PUBREL from {client} (Mid: {id})"),
    ("received_pubcomp", Kind::Debug, NO, "Received PUBCOMP from {client} (Mid: {id}, RC:{code})"),
    ("received_subscribe", Kind::Debug, NO, "Received SUBSCRIBE from {client}"),
    ("received_subscription", Kind::Debug, NO, "\t{filter} (QoS {qos})"),
    ("received_unsubscribe", Kind::Debug, NO, "Received UNSUBSCRIBE from {client}"),
    ("received_unsubscription", Kind::Debug, NO, "\t{filter}"),
    ("received_pingreq", Kind::Debug, NO, "Received PINGREQ from {client}"),
    ("received_disconnect", Kind::Debug, NO, "Received DISCONNECT from {client}"),
    ("received_auth", Kind::Debug, NO, "Received AUTH from {client} (rc{code})"),
    ("sending_connack", Kind::Debug, NO, "Sending CONNACK to {client} ({session_present}, {code})"),
    ("sending_publish", Kind::Debug, NO, "Sending PUBLISH to {client} (d{dup}, q{qos}, r{retain}, m{id}, '{topic}', ... ({bytes} bytes))"),
    ("sending_puback", Kind::Debug, NO, "Sending PUBACK to {client} (m{id}, rc{code})"),
    ("sending_pubrec", Kind::Debug, NO, "Sending PUBREC to {client} (m{id}, rc{code})"),
    ("sending_pubrel", Kind::Debug, NO, "Sending PUBREL to {client} (m{id})"),
    ("sending_pubcomp", Kind::Debug, NO, "Sending PUBCOMP to {client} (m{id})"),
    ("sending_suback", Kind::Debug, NO, "Sending SUBACK to {client}"),
    ("sending_unsuback", Kind::Debug, NO, "Sending UNSUBACK to {client}"),
    ("sending_pingresp", Kind::Debug, NO, "Sending PINGRESP to {client}"),
    ("sending_disconnect", Kind::Debug, NO, "Sending DISCONNECT to {client} (rc{code})"),
    ("sending_auth", Kind::Debug, NO, "Sending AUTH to {client} (rc{code})"),
    ("subscribed", Kind::Subscribe, NO, "{client} {qos} {filter}"),
    ("unsubscribed", Kind::Unsubscribe, NO, "{client} {filter}"),
    (
        "dropped_publish",
        Kind::Debug,
        NO,
        "Dropped too large PUBLISH from {client} (d{dup}, q{qos}, r{retain}, m{id}, '{topic}', ... ({bytes} bytes))",
    ),
];

const PROGRAM: [Row; 19] = [
    ("bridge_connecting", Kind::Notice, NO, "Connecting bridge {bridge} ({remote})"),
    ("starting", Kind::Information, NO, "mosquitto version {version} starting"),
    ("signet", Kind::Information, NO, "Info: this is Signet {signet}, which behaves as Mosquitto {version}."),
    ("config_loaded", Kind::Information, NO, "Config loaded from {file}."),
    ("default_config", Kind::Information, NO, "Using default config."),
    ("features", Kind::Information, NO, "Bridge support available."),
    ("features", Kind::Information, NO, "Persistence support available."),
    ("features", Kind::Information, NO, "TLS support available."),
    ("features", Kind::Information, NO, "TLS-PSK support{psk} available."),
    ("features", Kind::Information, NO, "Websockets support available."),
    ("listening", Kind::Information, NO, "Opening {family} listen socket on port {port}."),
    ("listening_unix", Kind::Information, NO, "Opening unix listen socket on path {path}."),
    ("running", Kind::Information, NO, "mosquitto version {version} running"),
    ("terminating", Kind::Information, NO, "mosquitto version {version} terminating"),
    ("reloading", Kind::Information, NO, "Reloading config."),
    ("saving", Kind::Information, NO, "Saving in-memory database to {path}."),
    ("user", Kind::Information, NO, "Info: running mosquitto as user: {user}."),
    ("failed", Kind::Error, NO, "Error: {failure}<; {hint}>."),
    ("root", Kind::Warning, NO, "Warning: Mosquitto should not be run as root/administrator."),
];

/// The lines of something that happened, in their order; none for a name that has none.
pub fn lines(name: &str, fields: &dyn Fields) -> Vec<Line> {
    match name {
        "refused" => refused::refused(fields),
        "disconnected" => refused::disconnected(fields),
        name => written(name, fields),
    }
}

/// The lines of the tables under this name.
pub(super) fn written(name: &str, fields: &dyn Fields) -> Vec<Line> {
    let rows = CONNECTIONS.iter().chain(&PACKETS).chain(&PROGRAM).filter(|(known, ..)| *known == name);
    let lines = rows.map(|(_, kind, is_connection_message, text)| Line {
        kind: *kind,
        is_connection_message: *is_connection_message,
        text: filled(text, fields),
    });
    lines.collect()
}

/// A line that Mosquitto has no words for, as it would begin one: `Error: …`, `Warning: …`.
pub fn plain<'a>(kind: Kind, message: &str, fields: impl Iterator<Item = (&'a str, &'a str)>) -> Line {
    let mut text = match kind {
        Kind::Error => "Error: ".to_owned(),
        Kind::Warning => "Warning: ".to_owned(),
        _ => String::new(),
    };
    text.push_str(&visible(message));
    for (name, value) in fields {
        let quote = if value.contains([' ', '"', ',']) || value.is_empty() { "\"" } else { "" };
        let _ = write!(text, " {name}={quote}{}{quote}", inside_quotes(value));
    }
    Line { kind, is_connection_message: false, text }
}

/// A text with its fields.
pub(super) fn filled(text: &str, fields: &dyn Fields) -> String {
    let mut filled = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some((before, optional)) = rest.split_once('<') {
        filled.push_str(&replaced(before, fields).0);
        let (optional, after) = optional.split_once('>').unwrap_or((optional, ""));
        let (part, is_whole) = replaced(optional, fields);
        if is_whole {
            filled.push_str(&part);
        }
        rest = after;
    }
    filled.push_str(&replaced(rest, fields).0);
    filled
}

/// The text with its fields in place of their names, and whether all of them are known.
fn replaced(text: &str, fields: &dyn Fields) -> (String, bool) {
    let (mut made, mut is_whole) = (String::new(), true);
    let mut rest = text;
    while let Some((before, named)) = rest.split_once('{') {
        made.push_str(before);
        let (name, after) = named.split_once('}').unwrap_or((named, ""));
        match fields.field(name) {
            // What a certificate says stands between quotation marks.
            Some(value) if before.ends_with('"') => made.push_str(&inside_quotes(value)),
            Some(value) => made.push_str(&visible(value)),
            None => is_whole = false,
        }
        rest = after;
    }
    made.push_str(rest);
    (made, is_whole)
}

/// Whether a character would begin another line, or turn around what a terminal or a viewer shows.
fn is_hidden(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Without characters that would begin another line or that a terminal obeys. Mosquitto refuses packets that have them.
fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            let _ = write!(visible, "\\u{:04x}", u32::from(character));
        } else {
            visible.push(character);
        }
    }
    Cow::Owned(visible)
}

/// The same without a quotation mark that would end what it stands in.
fn inside_quotes(text: &str) -> Cow<'_, str> {
    match visible(text) {
        plain if !plain.contains(['"', '\\']) => plain,
        marked => Cow::Owned(marked.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// Octets at the end of a line that stay.
const END_LENGTH: usize = 200;

/// Stands where something was cut out.
const CUT: &str = "…";

/// A line that is not longer than [`LINE_LENGTH`]. It is cut before its end, which is ours: if it was cut there, whoever chooses a long Client Identifier
/// could have it end with the words of another line, for whoever bans addresses by what stands at the end.
#[must_use]
pub fn shortened(line: String) -> String {
    if line.len() <= LINE_LENGTH {
        return line;
    }
    let start = line.get(..line.floor_char_boundary(LINE_LENGTH - END_LENGTH - CUT.len())).unwrap_or_default();
    let end = line.get(line.ceil_char_boundary(line.len() - END_LENGTH)..).unwrap_or_default();
    format!("{start}{CUT}{end}")
}
