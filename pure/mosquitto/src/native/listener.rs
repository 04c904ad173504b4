//! `[[listener]]`: where clients connect, and how MQTT gets there.

use std::net::IpAddr;

use super::authentication::{self, Naming};
use super::broker::place_if;
use super::tls::{self, Security};
use super::{Draft, Toml};
use crate::Place;
use crate::conf::options::Table;
use crate::conf::{At, Listener, ListenerAddress, Value, Values};

/// A listener as it is written.
#[derive(Debug)]
pub(super) struct Written<'a> {
    pub(super) name: String,
    /// `None`: nothing is configured, and these are the ports of the command line.
    pub(super) listener: Option<&'a Listener>,
    bind: Vec<String>,
    pub(super) protocol: Protocol,
    pub(super) security: Security<'a>,
    pub(super) naming: Naming,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Mqtt,
    WebSockets,
    HttpApi,
}

/// What Mosquitto waits for a CONNECT.
const CONNECT_TIMEOUT: &str = "30s";

/// All listeners, with what belongs to each.
pub(super) fn all<'a>(draft: &mut Draft<'a>) -> Vec<Written<'a>> {
    let settings = draft.settings;
    if settings.is_local_only {
        for listener in &settings.listeners {
            let message =
                "there is no `listener`: 127.0.0.1 and ::1 are listened on, and the options of listeners have no effect, as in Mosquitto";
            draft.notice(&listener.place, message);
        }
        let ports = if draft.outside.ports.is_empty() { &[1883] } else { draft.outside.ports };
        return ports.iter().map(|port| local(*port)).collect();
    }
    let mut written: Vec<Written<'a>> = Vec::new();
    for listener in &settings.listeners {
        let name = name(listener, &written);
        let protocol = match listener.values.text("protocol") {
            Some("websockets") => Protocol::WebSockets,
            Some("http_api") => Protocol::HttpApi,
            _ => Protocol::Mqtt,
        };
        let security = tls::security(draft, listener);
        let naming = authentication::naming(draft, listener, &security);
        let bind = bind(draft, listener);
        written.push(Written { name, listener: Some(listener), bind, protocol, security, naming });
    }
    written
}

fn local(port: u16) -> Written<'static> {
    Written {
        name: format!("listener {port}"),
        listener: None,
        bind: vec![format!("127.0.0.1:{port}"), format!("[::1]:{port}")],
        protocol: Protocol::Mqtt,
        security: Security::Nothing,
        naming: Naming::default(),
    }
}

/// A name that no other listener has.
fn name(listener: &Listener, others: &[Written<'_>]) -> String {
    let plain = match &listener.address {
        ListenerAddress::Tcp { port, .. } => format!("listener {port}"),
        ListenerAddress::Unix(_) => "listener unix".to_owned(),
    };
    let is_free = |name: &str| others.iter().all(|other| other.name != name);
    let numbered = (2_u32..).map(|number| format!("{plain} ({number})")).find(|name| is_free(name));
    if is_free(&plain) { plain } else { numbered.unwrap_or(plain) }
}

fn bind(draft: &mut Draft<'_>, listener: &Listener) -> Vec<String> {
    let values = &listener.values;
    let domain = values.text("socket_domain");
    let (host, port) = match &listener.address {
        ListenerAddress::Unix(path) => return vec![format!("unix:{}", draft.settings.path(path).display())],
        ListenerAddress::Tcp { host, port } => (host.as_deref(), *port),
    };
    let every = [("ipv4", "0.0.0.0"), ("ipv6", "[::]")];
    let Some(host) = host else {
        let wanted = every.iter().filter(|(family, _)| domain.is_none_or(|domain| domain == *family));
        return wanted.map(|(_, address)| format!("{address}:{port}")).collect();
    };
    let family = match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => Some("ipv4"),
        Ok(IpAddr::V6(_)) => Some("ipv6"),
        Err(_) => None,
    };
    if let (Some(place), Some(domain)) = (values.place("socket_domain"), domain) {
        match family {
            Some(family) if family != domain => {
                draft.mistake(
                    place,
                    format!("Error creating listener: {host} is no {domain} address."),
                    "remove socket_domain, or write another address",
                );
            }
            None => draft
                .notice(place, format!("`socket_domain {domain}` has no effect with a host name: all addresses of {host} are listened on")),
            Some(_) => {}
        }
    }
    vec![if family == Some("ipv6") { format!("[{host}]:{port}") } else { format!("{host}:{port}") }]
}

/// Writes the table of a listener.
pub(super) fn write(draft: &mut Draft<'_>, written: &Written<'_>) {
    let place = written.listener.map(|listener| &listener.place);
    let nothing = Values::default();
    let values = written.listener.map_or(&nothing, |listener| &listener.values);
    draft.writer.table("[[listener]]", place);
    draft.writer.key("name", written.name.as_str(), place);
    draft.writer.key("bind", written.bind.clone(), place);
    transport(draft, written, values);
    if written.protocol == Protocol::HttpApi {
        return authentication::of_readers(draft, written);
    }
    if let Some(Value::Text(device)) = values.written("bind_interface").map(|at| &at.value)
        && !written.bind.iter().any(|address| address.starts_with("unix:"))
    {
        draft.writer.key("bind_interface", device.as_str(), values.place("bind_interface"));
    }
    draft.options(Table::Listener, values);
    proxy(draft, written, values);
    draft.writer.key("connect_timeout", CONNECT_TIMEOUT, None);
    if written.security != Security::Nothing || written.protocol == Protocol::WebSockets || values.number("enable_proxy_protocol") > 0 {
        draft.writer.key("handshake_timeout", CONNECT_TIMEOUT, None);
    }
    authentication::of_listener(draft, written, values);
    own_limits(draft, written, values);
}

fn transport(draft: &mut Draft<'_>, written: &Written<'_>, values: &Values) {
    let has_tls = written.security != Security::Nothing;
    let transport = match (written.protocol, has_tls) {
        (Protocol::Mqtt, false) => "tcp",
        (Protocol::Mqtt, true) => "tls",
        (Protocol::WebSockets, false) => "ws",
        (Protocol::WebSockets, true) => "wss",
        (Protocol::HttpApi, _) => "http_api",
    };
    let place = values.place("protocol").or_else(|| values.place("certfile")).or_else(|| values.place("psk_hint"));
    draft.writer.key("transport", transport, place);
    match written.protocol {
        Protocol::Mqtt => {}
        Protocol::WebSockets => {
            draft.writer.key("websocket_path", "*", None);
            let (origins, place) = origins(values);
            draft.writer.key("websocket_origins", origins, place);
        }
        Protocol::HttpApi => {
            if let Some((directory, place)) = draft.path(values, "http_dir") {
                draft.writer.key("http_directory", directory, Some(place));
            }
        }
    }
    if let Some(place) = values.place("http_dir").filter(|_| written.protocol != Protocol::HttpApi) {
        draft.notice(place, "`http_dir` has no effect without `protocol http_api`, as in Mosquitto 2.1");
    }
    if let Some(place) = values.place("websockets_origin").filter(|_| written.protocol != Protocol::WebSockets) {
        draft.notice(place, "`websockets_origin` has no effect without `protocol websockets`");
    }
    tls::write(draft, written, values);
}

fn origins(values: &Values) -> (Vec<&str>, Option<&Place>) {
    let written = values.each("websockets_origin").iter().filter_map(|at| match at {
        At { value: Value::Text(origin), .. } => Some(origin.as_str()),
        _ => None,
    });
    let origins: Vec<&str> = written.collect();
    (if origins.is_empty() { vec!["*"] } else { origins }, values.place("websockets_origin"))
}

/// Mosquitto believes whoever sends a PROXY header.
fn proxy(draft: &mut Draft<'_>, written: &Written<'_>, values: &Values) {
    let version = values.number("enable_proxy_protocol");
    let Some(place) = values.place("enable_proxy_protocol") else {
        if let Some(place) = place_if(values, "proxy_protocol_v2_require_tls") {
            draft.notice(place, "`proxy_protocol_v2_require_tls` has no effect without `enable_proxy_protocol 2`");
        }
        return;
    };
    draft.writer.comment("Whoever may connect here can be whoever it likes. Name the proxies instead: [\"10.0.0.7\"].");
    draft.writer.key("proxy_protocol", format!("v{version}"), Some(place));
    let is_unix = written.bind.iter().any(|address| address.starts_with("unix:"));
    let everybody: Toml = if is_unix { ["unix"].into() } else { ["0.0.0.0/0", "::/0"].into() };
    draft.writer.key("proxy_trusted", everybody, Some(place));
    match version {
        2 => {
            draft.options(Table::ListenerProxy, values);
            if let Some(place) = place_if(values, "require_certificate") {
                draft.writer.key("client_certificate", "required", Some(place));
            }
            if let Some(place) = place_if(values, "use_identity_as_username") {
                draft.writer.key("proxy_identity", "common_name", Some(place));
            }
        }
        _ => {
            if let Some(place) = place_if(values, "proxy_protocol_v2_require_tls") {
                draft.notice(place, "`proxy_protocol_v2_require_tls` has no effect with `enable_proxy_protocol 1`");
            }
        }
    }
}

/// `[listener.limits]`
fn own_limits(draft: &mut Draft<'_>, written: &Written<'_>, values: &Values) {
    draft.writer.table("[listener.limits]", written.listener.map(|listener| &listener.place));
    draft.options(Table::ListenerLimits, values);
    if let Some(At { value: Value::Texts(versions), place }) = values.written("accept_protocol_versions") {
        let names = [("3", "3.1"), ("4", "3.1.1"), ("5", "5.0")];
        let accepted = names.iter().filter(|(number, _)| versions.iter().any(|version| version == number));
        let accepted: Vec<&str> = accepted.map(|(_, name)| *name).collect();
        if accepted.is_empty() {
            draft.mistake(place, "accept_protocol_versions names no version: nobody could connect", "write some of 3, 4 and 5");
        }
        draft.writer.key("protocol_versions", accepted, Some(place));
    }
    let settings = draft.settings;
    let own = written.listener.map(|listener| &listener.security.values).filter(|_| !settings.is_local_only);
    let general = &settings.security.values;
    let prefixes = own.into_iter().chain(Some(general)).find_map(|values| values.written("auto_id_prefix"));
    let (prefix, place) = match prefixes {
        Some(At { value: Value::Text(prefix), place }) => (prefix.as_str(), Some(place)),
        _ => ("auto-", None),
    };
    draft.writer.key("assigned_client_identifier_prefix", prefix, place);
    if let Some(own) = own.filter(|_| settings.is_per_listener) {
        let option = "allow_zero_length_clientid";
        draft.writer.key("empty_client_identifier", own.switch(option), own.place(option));
    }
}
