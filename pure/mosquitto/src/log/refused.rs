//! Why a connection ended, in Mosquitto's words.

use super::words::written;
use super::{Fields, Line};

/// Why a session ended → what stands behind `disconnected: `; an empty text where nothing does, and no row where nothing is logged.
const REASONS: [(&str, &str); 16] = [
    ("client", ""),
    ("lost", "connection closed by client"),
    ("taken_over", "session taken over"),
    ("keep_alive", "exceeded timeout"),
    ("malformed", "malformed packet"),
    ("protocol", "protocol error"),
    ("oversize", "oversize packet"),
    ("receive_maximum", "receive maximum exceeded"),
    ("topic_alias", "topic alias invalid"),
    ("not_supported", "used disallowed feature (QoS too high, retain not supported, or bad AUTH method)"),
    ("not_authorised", "not authorised"),
    ("identifier", "client identifier not valid"),
    ("quota", "quota exceeded"),
    ("busy", "server busy"),
    ("banned", "client banned"),
    ("administrative", "administrative action"),
];

/// The reasons for which a CONNECT is refused, by their Reason Code.
const REFUSALS: [(&str, &str); 11] = [
    ("129", "malformed packet"),
    ("130", "protocol error"),
    ("132", "used disallowed feature (QoS too high, retain not supported, or bad AUTH method)"),
    ("133", "client identifier not valid"),
    ("134", "not authorised"),
    ("135", "not authorised"),
    ("136", "server unavailable"),
    ("137", "server busy"),
    ("138", "client banned"),
    ("140", "bad authentication method"),
    ("159", "connection rate exceeded"),
];

/// What a failed check is to Mosquitto.
#[derive(Clone, Copy)]
enum Failure {
    /// OpenSSL ends the handshake, with this error.
    Tls(&'static str),
    /// The same, and what was found stands in the error.
    TlsFound,
    /// A PROXY header.
    Proxy,
    /// The connection ends for this reason.
    Reason(&'static str),
    /// The connection ends for the reason of its Reason Code, or else for this one.
    Connect(&'static str),
}

const VERIFY_FAILED: &str = "error:0A000086:SSL routines::certificate verify failed";

/// Name of a check → what it is to Mosquitto. A check that is not here is one of the certificate.
const CHECKS: [(&str, Failure); 8] = [
    ("certificate present", Failure::Tls("error:0A0000C7:SSL routines::peer did not return a certificate")),
    ("pre-shared key", Failure::Tls("error:0A0000DF:SSL routines::psk identity not found")),
    ("TLS handshake", Failure::TlsFound),
    ("PROXY header", Failure::Proxy),
    ("WebSocket", Failure::Reason("protocol error")),
    ("held off", Failure::Reason("client banned")),
    ("authentication", Failure::Connect("not authorised")),
    ("CONNECT", Failure::Connect("protocol error")),
];

/// Fields with some that were worked out.
struct With<'a> {
    fields: &'a dyn Fields,
    more: &'a [(&'a str, &'a str)],
}

impl Fields for With<'_> {
    fn field(&self, name: &str) -> Option<&str> {
        self.more.iter().find(|(known, _)| *known == name).map(|(_, value)| *value).or_else(|| self.fields.field(name))
    }
}

/// The end of a session: `cause` is one of the names above, or `shutdown`, which Mosquitto does not log.
pub(super) fn disconnected(fields: &dyn Fields) -> Vec<Line> {
    let Some(cause) = fields.field("cause") else { return written("disconnected", fields) };
    match REASONS.iter().find(|(known, _)| *known == cause) {
        None => Vec::new(),
        Some((_, "")) => written("disconnected", fields),
        Some((_, reason)) => written("disconnected", &With { fields, more: &[("reason", reason)] }),
    }
}

/// A connection that was refused before its session began. Without a Client Identifier it goes by its address.
pub(super) fn refused(fields: &dyn Fields) -> Vec<Line> {
    let address = fields.field("address").unwrap_or_default();
    let client = fields.field("client").unwrap_or(address);
    let fields = &With { fields, more: &[("client", client)] };
    let check = fields.field("check").unwrap_or_default();
    let found = fields.field("found").unwrap_or_default();
    let failure = CHECKS.iter().find(|(known, _)| *known == check).map_or(Failure::Tls(VERIFY_FAILED), |(_, failure)| *failure);
    let ended = |reason: &str| written("disconnected", &With { fields, more: &[("reason", reason)] });
    let mut lines = match failure {
        Failure::TlsFound | Failure::Connect(_) if found.starts_with("no complete ") => ended("exceeded timeout"),
        Failure::Tls(error) => tls(fields, error),
        Failure::TlsFound => tls(fields, &format!("error:0A000000:SSL routines::{found}")),
        Failure::Proxy => written(proxy(found), fields),
        Failure::Reason(reason) => ended(reason),
        Failure::Connect(usual) => {
            let code = fields.field("code").unwrap_or_default();
            let reason = REFUSALS.iter().find(|(known, _)| *known == code).map_or(usual, |(_, reason)| reason);
            let mut lines = if reason == "protocol error" { written("protocol_error", fields) } else { Vec::new() };
            lines.extend(ended(reason));
            lines
        }
    };
    // What Mosquitto keeps to itself.
    let facts = if fields.field("subject").is_some() || is_about_certificate(failure) { "certificate_refused" } else { "no_certificate" };
    lines.extend(written(facts, fields));
    lines
}

fn is_about_certificate(failure: Failure) -> bool {
    matches!(failure, Failure::Tls(_))
}

/// A handshake that failed, and the end of its connection.
fn tls(fields: &dyn Fields, error: &str) -> Vec<Line> {
    let mut lines = written("openssl", &With { fields, more: &[("error", error)] });
    lines.extend(written("disconnected", &With { fields, more: &[("reason", "Protocol error")] }));
    lines
}

/// What is wrong with a PROXY header, by what was found.
fn proxy(found: &str) -> &'static str {
    match found {
        found if found.contains("certificate") => "proxy_no_certificate",
        found if found.contains("TLS") => "proxy_no_tls",
        _ => "proxy_corrupt",
    }
}
