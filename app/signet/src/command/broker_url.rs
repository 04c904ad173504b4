//! A broker written as a URL: what carries MQTT, and where to.

use signet_client::Endpoint;

/// One such URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BrokerUrl {
    pub(crate) endpoint: Endpoint,
    /// Whether the scheme stands for TLS.
    pub(crate) is_secure: bool,
}

impl BrokerUrl {
    /// Reads `mqtt://`, `mqtts://`, `ws://`, `wss://` and `unix:`. Names and passwords do not belong into a URL, which others can read.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self { endpoint: Endpoint::unix(path.strip_prefix("//").unwrap_or(path)), is_secure: false });
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| expected(text))?;
        let (is_secure, is_websocket, default_port) = match scheme {
            "mqtt" => (false, false, 1883),
            "mqtts" => (true, false, 8883),
            "ws" => (false, true, 80),
            "wss" => (true, true, 443),
            _ => return Err(expected(text)),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("a URL with a user name is not supported, use `-u` and `-P`".to_owned());
        }
        let (host, port) = split_port(authority).ok_or_else(|| format!("`{authority}` is not a host, or a host and a port"))?;
        let endpoint = Endpoint::tcp(host, port.unwrap_or(default_port));
        match (is_websocket, path) {
            (true, "") => Ok(Self { endpoint: endpoint.with_websocket("/mqtt"), is_secure }),
            (true, path) if path.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Ok(Self { endpoint: endpoint.with_websocket(path), is_secure })
            }
            (true, path) => Err(format!("the path `{}` holds characters that a URL may not hold", path.escape_debug())),
            (false, "" | "/") => Ok(Self { endpoint, is_secure }),
            (false, path) => Err(format!("`{scheme}://` takes no path, found `{path}`; the topic is `-t`")),
        }
    }
}

/// Host without brackets, and the port if there is one.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            (host, if behind.is_empty() { None } else { Some(behind.strip_prefix(':')?) })
        }
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map(|port| port.parse().ok().filter(|port| *port != 0)).map_or(Some(None), |port: Option<u16>| port.map(Some))?;
    (!host.is_empty()).then_some((host, port))
}

fn expected(text: &str) -> String {
    format!("`{text}` is not a URL of a broker, expected mqtt://, mqtts://, ws://, wss:// or unix:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_has_its_port_and_path() {
        let url = |text: &str| BrokerUrl::parse(text).unwrap();
        assert_eq!(url("mqtt://h"), BrokerUrl { endpoint: Endpoint::tcp("h", 1883), is_secure: false });
        assert_eq!(url("mqtts://h:1/"), BrokerUrl { endpoint: Endpoint::tcp("h", 1), is_secure: true });
        assert_eq!(url("ws://h"), BrokerUrl { endpoint: Endpoint::tcp("h", 80).with_websocket("/mqtt"), is_secure: false });
        assert_eq!(
            url("wss://[::1]:8884/a/b?c"),
            BrokerUrl { endpoint: Endpoint::tcp("::1", 8884).with_websocket("/a/b?c"), is_secure: true }
        );
        assert_eq!(url("unix:/run/x.sock"), BrokerUrl { endpoint: Endpoint::unix("/run/x.sock"), is_secure: false });
        assert_eq!(url("unix:///run/x.sock"), url("unix:/run/x.sock"));
    }

    #[test]
    fn what_is_no_url_of_a_broker_is_refused() {
        for text in [
            "",
            "h",
            "http://h",
            "mqtt://",
            "mqtt://:1",
            "mqtt://h:0",
            "mqtt://h:x",
            "mqtt://h/topic",
            "mqtt://a:b@h",
            "ws://h/a b",
            "ws://[::1",
            "unix:",
        ] {
            assert!(BrokerUrl::parse(text).is_err(), "{text}");
        }
    }
}
