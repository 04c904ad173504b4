//! Requests about the broker itself, `$CONTROL/broker/v1`, answered as Mosquitto does.

use signet_dynsec::{Bounds, Json, control_responses};
use signet_net::ListenAddress;

use crate::config::{Config, Listener};

/// Where requests are published.
pub(crate) const REQUEST_TOPIC: &str = "$CONTROL/broker/v1";
/// Where responses are.
pub(crate) const RESPONSE_TOPIC: &str = "$CONTROL/broker/v1/response";

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BrokerFacts {
    plugins: Json,
    listeners: Json,
}

impl BrokerFacts {
    /// Of a configuration, and of where its listeners listen; nothing where such requests are not answered.
    pub(crate) fn of(config: &Config, addresses: &[(String, ListenAddress)]) -> Option<Self> {
        let services = &config.authentication.services;
        services.broker_control.then(|| {
            let mut plugins = Vec::new();
            if services.dynamic_security.is_some() {
                plugins.push(plugin("dynamic-security", None, &[signet_dynsec::REQUEST_TOPIC]));
            }
            if services.sparkplug {
                plugins.push(plugin("sparkplug-aware", Some("1.0"), &[]));
            }
            let listener = |(name, address): &(String, ListenAddress)| {
                let transport = config.listeners.iter().find(|listener| listener.name == *name).map_or("", Listener::transport);
                shown_listener(transport, address)
            };
            Self { plugins: Json::List(plugins), listeners: Json::List(addresses.iter().map(listener).collect()) }
        })
    }

    /// The response to a request.
    pub(crate) fn answer(&self, request: &[u8]) -> String {
        control_responses(request, &Bounds::default(), &mut |command, _| match command {
            _ if command.eq_ignore_ascii_case("listPlugins") => {
                Ok(Some(("listPlugins", Json::object([("plugins", self.plugins.clone())]))))
            }
            _ if command.eq_ignore_ascii_case("listListeners") => {
                Ok(Some(("listListeners", Json::object([("listeners", self.listeners.clone())]))))
            }
            _ => Err("Unknown command"),
        })
    }
}

/// What is a plugin in Mosquitto.
fn plugin(name: &str, version: Option<&str>, topics: &[&str]) -> Json {
    let mut plugin = Json::object([("name", Json::text(name))]);
    plugin.put_text("version", version);
    plugin.put("control-endpoints", Json::List(topics.iter().map(|topic| Json::text(topic)).collect()));
    plugin
}

fn shown_listener(transport: &str, address: &ListenAddress) -> Json {
    let mut listener = Json::object([("port", Json::Int(address.port().unwrap_or(0).into()))]);
    let protocol = match transport {
        "ws" | "wss" => Some("mqtt+websockets"),
        "tcp" | "tls" => Some("mqtt"),
        _ => None,
    };
    listener.put_text("protocol", protocol);
    match address {
        ListenAddress::Ip(address) if address.ip().is_unspecified() => {}
        ListenAddress::Ip(address) => listener.put("bind-address", Json::text(&address.ip().to_string())),
        ListenAddress::Unix(path) => listener.put("socket-path", Json::text(&path.to_string_lossy())),
    }
    listener.put("tls", Json::Bool(matches!(transport, "tls" | "wss")));
    listener
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_and_plugins_look_as_mosquitto_shows_them() {
        for (transport, address, expected) in [
            ("tcp", "127.0.0.1:1883", r#"{"port":1883,"protocol":"mqtt","bind-address":"127.0.0.1","tls":false}"#),
            ("tls", "[::]:8883", r#"{"port":8883,"protocol":"mqtt","tls":true}"#),
            ("wss", "0.0.0.0:443", r#"{"port":443,"protocol":"mqtt+websockets","tls":true}"#),
            ("tcp", "unix:/run/x", r#"{"port":0,"protocol":"mqtt","socket-path":"/run/x","tls":false}"#),
            ("http_api", "127.0.0.1:9883", r#"{"port":9883,"bind-address":"127.0.0.1","tls":false}"#),
        ] {
            assert_eq!(shown_listener(transport, &address.parse().unwrap()).to_line(), expected);
        }
        let facts = BrokerFacts {
            plugins: Json::List(vec![plugin("a", None, &["t"]), plugin("b", Some("1.0"), &[])]),
            listeners: Json::List(vec![]),
        };
        for (command, expected) in [
            (
                "LISTplugins",
                r#"{"command":"listPlugins","data":{"plugins":[{"name":"a","control-endpoints":["t"]},{"name":"b","version":"1.0","control-endpoints":[]}]},"correlationData":"1"}"#,
            ),
            ("listListeners", r#"{"command":"listListeners","data":{"listeners":[]},"correlationData":"1"}"#),
            ("x", r#"{"command":"x","error":"Unknown command","correlationData":"1"}"#),
        ] {
            let request = format!(r#"{{"commands":[{{"command":"{command}","correlationData":"1"}}]}}"#);
            assert_eq!(facts.answer(request.as_bytes()), format!(r#"{{"responses":[{expected}]}}"#));
        }
    }
}
