//! URLs: of a broker with a topic (`-L`), of a broker alone (ours), of a proxy.

use crate::Manner;
use crate::c_text::atoi;
use crate::flag_table::add_topic;
use crate::flags::Wrong;
use crate::options::{Options, PlaceOptions, Proxy};

/// Where MQTT is on an HTTP server, by convention.
pub(crate) const WEBSOCKET_PATH: &str = "/mqtt";

/// The port of a SOCKS proxy (RFC 1928 §3).
const PROXY_PORT: u16 = 1080;

struct Scheme {
    start: &'static [u8],
    port: u16,
    is_secure: bool,
    is_websocket: bool,
}

const SCHEMES: [Scheme; 4] = [
    Scheme { start: b"mqtt://", port: 1883, is_secure: false, is_websocket: false },
    Scheme { start: b"mqtts://", port: 8883, is_secure: true, is_websocket: false },
    Scheme { start: b"ws://", port: 1883, is_secure: false, is_websocket: true },
    Scheme { start: b"wss://", port: 8883, is_secure: true, is_websocket: true },
];

/// `mqtt(s)://[user[:password]@]host[:port]/topic`, and the same with ws and wss. What it says holds as if it were said by flags.
pub(crate) fn with_topic(options: &mut Options, url: &[u8]) -> Result<(), Wrong> {
    let scheme = SCHEMES.iter().find(|scheme| url.get(..scheme.start.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme.start)));
    let scheme = scheme.ok_or_else(|| Wrong::line("Error: Unsupported URL scheme.\n\n"))?;
    let rest = url.get(scheme.start.len()..).unwrap_or_default();
    options.place.port = Some(scheme.port);
    options.tls.use_os_trust |= scheme.is_secure;
    if scheme.is_websocket {
        options.place.websocket.get_or_insert_with(|| WEBSOCKET_PATH.to_owned());
    }
    let missing = || Wrong::line("Error: Invalid URL for -L argument specified - topic missing.\n");
    let (authority, topic) = split(rest, b'/').ok_or_else(missing)?;
    add_topic(options, topic, "-L topic")?;
    let place = match split(authority, b'@') {
        None => authority,
        Some((user, place)) => {
            let name = match split(user, b':') {
                None => user,
                Some((name, password)) => {
                    options.who.password = Some(password.to_vec());
                    name
                }
            };
            options.who.username = Some(name.to_vec());
            place
        }
    };
    let host = match split(place, b':') {
        None => place,
        Some((host, port)) => {
            let number = atoi(port);
            // Mosquitto looks at it only when it connects.
            options.place.port = Some(u16::try_from(number).map_err(|_| Wrong::line(format!("Error: Invalid port given: {number}\n")))?);
            host
        }
    };
    options.place.host = Some(host.to_vec());
    Ok(())
}

/// Ours: `mqtt://`, `mqtts://`, `ws://`, `wss://` and `unix:`. Without a user name, and behind ws the path of the WebSocket; one that has a topic
/// is read as Mosquitto reads it.
pub(crate) fn broker(options: &mut Options, url: &[u8]) -> Result<(), Wrong> {
    debug_assert_eq!(options.manner, Manner::Signet);
    let text = std::str::from_utf8(url).map_err(|_| expected(&String::from_utf8_lossy(url)))?;
    if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
        options.place.port = Some(0);
        options.place.host = Some(path.strip_prefix("//").unwrap_or(path).into());
        return Ok(());
    }
    let (scheme, rest) = text.split_once("://").ok_or_else(|| expected(text))?;
    let (is_secure, is_websocket, port) = match scheme {
        "mqtt" => (false, false, 1883),
        "mqtts" => (true, false, 8883),
        "ws" => (false, true, 80),
        "wss" => (true, true, 443),
        _ => return Err(expected(text)),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') || (!is_websocket && path.len() > 1) {
        return with_topic(options, url);
    }
    let (host, given) = split_port(authority)
        .ok_or_else(|| Wrong::line(format!("Error: `{authority}` in a URL is not a host, or a host and a port.\n\n")))?;
    if is_websocket {
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            let path = path.escape_debug();
            return Err(Wrong::line(format!("Error: the path `{path}` holds characters that a URL may not hold.\n\n")));
        }
        options.place.websocket = Some(if path.is_empty() { WEBSOCKET_PATH } else { path }.to_owned());
    }
    let PlaceOptions { host: place, port: door, .. } = &mut options.place;
    *place = Some(host.into());
    *door = Some(given.unwrap_or(port));
    options.tls.use_os_trust |= is_secure;
    Ok(())
}

fn expected(text: &str) -> Wrong {
    let text = text.escape_debug();
    Wrong::line(format!("Error: `{text}` is not a URL of a broker, expected mqtt://, mqtts://, ws://, wss:// or unix:.\n\n"))
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
    let port = match port {
        None => None,
        Some(port) => Some(port.parse().ok().filter(|port| *port != 0)?),
    };
    (!host.is_empty()).then_some((host, port))
}

/// `socks5h://[user[:password]@]host[:port]`
pub(crate) fn proxy(options: &mut Options, url: &[u8]) -> Result<(), Wrong> {
    let quiet = options.quiet;
    // These lines come from what is left out under --quiet.
    let wrong = |text: String| Wrong::line(if quiet { String::new() } else { text });
    let shown = String::from_utf8_lossy(url).into_owned();
    let rest = url.strip_prefix(b"socks5h://").ok_or_else(|| wrong(format!("Error: Unsupported proxy protocol: {shown}\n")))?;
    let (user, place) = split(rest, b'@').map_or((None, rest), |(user, place)| (Some(user), place));
    let (username, password) = match user.map(|user| (user, split(user, b':'))) {
        None => (None, None),
        Some((user, None)) => (Some(user), None),
        Some((_, Some(([], _)))) => return Err(wrong(String::new())),
        Some((_, Some((_, password)))) if password.contains(&b':') => {
            return Err(wrong("Error: Username cannot contain ':'.\n".to_owned()));
        }
        Some((_, Some((name, password)))) => (Some(name), Some(password)),
    };
    let place = String::from_utf8_lossy(place).into_owned();
    let (host, port) = match place.strip_prefix('[') {
        Some(inner) => inner.split_once(']').map(|(host, behind)| (host, behind.strip_prefix(':').filter(|port| !port.is_empty()))),
        None if place.matches(':').count() > 1 => return Err(wrong(String::new())),
        None => {
            Some(place.split_once(':').map_or((place.as_str(), None), |(host, port)| (host, Some(port).filter(|port| !port.is_empty()))))
        }
    }
    .ok_or_else(|| wrong("Error: Invalid proxy.\n".to_owned()))?;
    if place.is_empty() {
        return Err(wrong("Error: Invalid proxy.\n".to_owned()));
    }
    let number = port.map_or_else(|| i32::from(PROXY_PORT), |port| atoi(port.as_bytes()));
    let port = u16::try_from(number).ok().filter(|port| *port > 0).ok_or_else(|| wrong(format!("Error: Invalid proxy port {number}\n")))?;
    let decoded = |text: Option<&[u8]>| text.map(|text| decode(text).ok_or_else(|| wrong(String::new()))).transpose();
    options.place.proxy = Some(Proxy { host: host.to_owned(), port, username: decoded(username)?, password: decoded(password)? });
    Ok(())
}

/// Of percent-encoding what Mosquitto knows: `%25`, `%3A` and `%40`.
fn decode(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let mut pieces = text.split('%');
    let mut decoded = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (code, rest) = piece.split_at_checked(2)?;
        decoded.push(match code {
            "25" => '%',
            "3A" | "3a" => ':',
            "40" => '@',
            _ => return None,
        });
        decoded.push_str(rest);
    }
    Some(decoded)
}

fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = text.iter().position(|byte| *byte == at)?;
    Some((text.get(..place)?, text.get(place + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn options(read: fn(&mut Options, &[u8]) -> Result<(), Wrong>, url: &str) -> Result<Options, String> {
        let mut options = Options::new(Kind::Publish, Manner::Signet);
        read(&mut options, url.as_bytes()).map_err(|wrong| wrong.text().to_owned())?;
        Ok(options)
    }

    #[test]
    fn a_url_with_a_topic_says_everything() {
        let read = options(with_topic, "MQTTS://me:secret@h:1/a/b").unwrap();
        assert_eq!((read.place.host.as_deref(), read.place.port), (Some(&b"h"[..]), Some(1)));
        assert_eq!((read.who.username.as_deref(), read.who.password.as_deref()), (Some(&b"me"[..]), Some(&b"secret"[..])));
        assert_eq!((read.publish.topic.as_deref(), read.tls.use_os_trust), (Some("a/b"), true));
        let read = options(with_topic, "wss://h/t").unwrap();
        assert_eq!((read.place.port, read.place.websocket.as_deref()), (Some(8883), Some("/mqtt")));
        assert_eq!(options(with_topic, "http://h/t").unwrap_err(), "Error: Unsupported URL scheme.\n\n");
        assert_eq!(options(with_topic, "mqtt://h").unwrap_err(), "Error: Invalid URL for -L argument specified - topic missing.\n");
    }

    #[test]
    fn a_url_of_a_broker_has_the_path_of_its_websocket() {
        let place = |url: &str| {
            let place = options(broker, url).unwrap().place;
            (String::from_utf8(place.host.unwrap()).unwrap(), place.port.unwrap(), place.websocket)
        };
        assert_eq!(place("mqtt://h"), ("h".into(), 1883, None));
        assert_eq!(place("mqtts://h:1/"), ("h".into(), 1, None));
        assert_eq!(place("ws://h"), ("h".into(), 80, Some("/mqtt".into())));
        assert_eq!(place("wss://[::1]:8884/a/b?c"), ("::1".into(), 8884, Some("/a/b?c".into())));
        assert_eq!(place("unix:///run/x.sock"), ("/run/x.sock".into(), 0, None));
        assert_eq!(options(broker, "mqtt://h/topic").unwrap().publish.topic.as_deref(), Some("topic"));
        for text in ["", "h", "http://h", "mqtt://", "mqtt://:1", "mqtt://h:0", "mqtt://h:x", "ws://h/a b", "ws://[::1", "unix:"] {
            assert!(options(broker, text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_proxy_has_a_host_and_perhaps_more() {
        let read = |url: &str| options(proxy, url).map(|options| options.place.proxy.unwrap());
        let known = |host: &str, port, username: Option<&str>, password: Option<&str>| Proxy {
            host: host.into(),
            port,
            username: username.map(Into::into),
            password: password.map(Into::into),
        };
        assert_eq!(read("socks5h://h").unwrap(), known("h", 1080, None, None));
        assert_eq!(read("socks5h://h:99").unwrap(), known("h", 99, None, None));
        assert_eq!(read("socks5h://u@h").unwrap(), known("h", 1080, Some("u"), None));
        assert_eq!(read("socks5h://u%3a:p%40@[::1]:99").unwrap(), known("::1", 99, Some("u:"), Some("p@")));
        assert_eq!(read("socks5://h").unwrap_err(), "Error: Unsupported proxy protocol: socks5://h\n");
        assert_eq!(read("socks5h://h:0").unwrap_err(), "Error: Invalid proxy port 0\n");
        assert_eq!(read("socks5h://").unwrap_err(), "Error: Invalid proxy.\n");
        assert_eq!(read("socks5h://a:b:c@h").unwrap_err(), "Error: Username cannot contain ':'.\n");
        assert_eq!(read("socks5h://a%zz@h").unwrap_err(), "");
    }
}
