//! What the keys of transports mean, and what cannot be meant.

use signet_server::ListenerConfig;

use crate::config::problem::Problems;
use crate::config::{Config, file};

use std::path::Path;

use super::*;

fn resolve(text: &str) -> (Config, Vec<String>) {
    let list = Problems::new(Path::new("/etc/signet.toml"), text);
    let config = Config::resolve(file::File::parse(text, &list), Path::new("/etc/signet.toml"), &list);
    (config, list.into_sorted().iter().map(ToString::to_string).collect())
}

/// The one listener of this table, which has no problems.
#[track_caller]
fn listener(table: &str) -> ListenerConfig {
    let (config, problems) = resolve(&format!("[[listener]]\n{table}\n"));
    assert_eq!(problems, Vec::<String>::new());
    config.listeners[0].config(|wanted| panic!("nobody is asked for keys here: {wanted:?}"))
}

/// The one problem of this table.
#[track_caller]
fn problem(table: &str) -> String {
    let (_, problems) = resolve(&format!("[[listener]]\n{table}\n"));
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.into_iter().next().unwrap()
}

const WS: &str = "bind = \"127.0.0.1:1\"\ntransport = \"ws\"\nanonymous = true\n";
const WSS: &str = "bind = \"127.0.0.1:1\"\ntransport = \"wss\"\ncertificate = \"s.pem\"\nkey = \"s.key\"\ntrust = \"ca.pem\"\n";
const TCP: &str = "bind = \"127.0.0.1:1\"\ntransport = \"tcp\"\n";

fn origins_of(table: &str) -> Origins {
    listener(table).websocket.unwrap().origins
}

#[test]
fn pages_may_not_use_certificates_of_browsers_unless_told() {
    let same_host = Origins::SameHost(Vec::new());
    assert_eq!(origins_of(WS), Origins::Any);
    assert_eq!(origins_of(WSS), same_host);
    assert_eq!(origins_of(&format!("{WSS}client_certificate = \"optional\"\nanonymous = true")), same_host);
    let without = WSS.replace("trust = \"ca.pem\"\n", "client_certificate = \"none\"\nanonymous = true\n");
    assert_eq!(origins_of(&without), Origins::Any);
    assert_eq!(origins_of(&format!("{WSS}websocket_origins = \"*\"")), Origins::Any, "said is said");
    let named = origins_of(&format!("{WSS}websocket_origins = [\"https://a.example\", \"same-host\"]"));
    assert_eq!(named, Origins::SameHost(vec!["https://a.example".to_owned()]));
    assert_eq!(origins_of(&format!("{WS}websocket_origins = \"http://a:3000\"")), Origins::Listed(vec!["http://a:3000".to_owned()]));
    let proxied = format!("{WS}proxy_protocol = true\nproxy_trusted = \"unix\"\nproxy_identity = \"common_name\"");
    assert_eq!(origins_of(&proxied), same_host, "a certificate at the proxy is as ambient");
    assert_eq!(listener(WSS).websocket.unwrap().path.as_deref(), Some("/mqtt"));
    assert_eq!(listener(&format!("{WS}websocket_path = \"*\"")).websocket.unwrap().path, None, "every path");
    assert_eq!(listener(&format!("{WS}websocket_path = \"/a/b\"")).websocket.unwrap().path.as_deref(), Some("/a/b"));
    assert!(listener(&format!("{TCP}anonymous = true")).websocket.is_none());
}

#[test]
fn unix_sockets_have_a_mode_and_a_place_beside_the_file() {
    let config = listener("bind = \"unix:mqtt.sock\"\nunix_mode = \"0600\"\ntransport = \"tcp\"\nanonymous = true");
    assert_eq!(config.bind_rules.unix_mode, 0o600);
    assert_eq!(config.bind, [ListenAddress::Unix("/etc/mqtt.sock".into())]);
    assert_eq!(listener("bind = \"unix:/run/x\"\ntransport = \"tcp\"\nanonymous = true").bind_rules.unix_mode, 0o660);
    let long = format!("/run/{}", "x".repeat(103));
    let found = problem(&format!("bind = \"unix:{long}\"\ntransport = \"tcp\"\nanonymous = true"));
    assert!(found.contains("has 108 bytes") && found.contains("107"), "{found}");
    for mode in ["1000", "0888", "rw", "-1", ""] {
        let found = problem(&format!("bind = \"unix:x\"\nunix_mode = \"{mode}\"\ntransport = \"tcp\"\nanonymous = true"));
        assert!(found.contains("is not a file mode"), "{found}");
    }
    let twice =
        "bind = [\"unix:x\"]\ntransport = \"tcp\"\nanonymous = true\n[[listener]]\nbind = \"unix:x\"\ntransport = \"ws\"\nanonymous = true";
    assert!(problem(twice).contains("is bound twice"));
}

#[test]
fn proxies_have_to_be_named() {
    let proxied = format!("{TCP}anonymous = true\nproxy_trusted = [\"10.0.0.0/8\", \"unix\"]\n");
    let versions = |value: &str| listener(&format!("{proxied}proxy_protocol = {value}")).proxy_protocol.unwrap().versions;
    assert_eq!((versions("true"), versions("\"v1\""), versions("\"v2\"")), (ProxyVersions::Any, ProxyVersions::V1, ProxyVersions::V2));
    assert_eq!(listener(&format!("{proxied}proxy_protocol = true")).proxy_protocol.unwrap().trusted.len(), 2);
    assert!(listener(&format!("{TCP}anonymous = true\nproxy_protocol = false")).proxy_protocol.is_none());
    for without in ["", "proxy_trusted = []\n"] {
        let found = problem(&format!("{TCP}anonymous = true\n{without}proxy_protocol = true"));
        assert!(found.contains("`proxy_protocol` without `proxy_trusted`") && found.contains("hint: "), "{found}");
    }
    let found = problem(&format!("{TCP}anonymous = true\nproxy_protocol = true\nproxy_trusted = [\"localhost\"]"));
    assert!(found.contains("`localhost` is not a network"), "{found}");
    assert!(problem(&format!("{proxied}proxy_protocol = \"v3\"")).contains("`v3` is not a value"));
}

#[test]
fn what_a_proxy_says_of_certificates_is_the_listeners_choice() {
    let proxied = format!("{TCP}proxy_protocol = \"v2\"\nproxy_trusted = \"10.0.0.1\"\n");
    let identity = |more: &str| listener(&format!("{proxied}{more}")).proxy_protocol.unwrap().identity;
    assert_eq!(identity("anonymous = true"), ForwardedIdentityConfig::None);
    assert_eq!(identity("proxy_identity = \"common_name\"\nusername = \"${device}\""), ForwardedIdentityConfig::CommonName);
    let with_trust = identity("proxy_identity = \"certificate\"\ntrust = \"ca.pem\"\ncrl_stale = \"allow\"\nusername = \"${cert.cn}\"");
    assert_eq!(with_trust, ForwardedIdentityConfig::Certificate { profiles: vec!["listener 1".into()] });
    let found = problem(&format!("{proxied}proxy_identity = \"certificate\""));
    assert!(found.contains("without `trust`") && found.contains("add trust = "), "{found}");
    // A name is no certificate.
    let found = problem(&format!("{proxied}proxy_identity = \"common_name\"\nusername = \"${{cert.cn}}\""));
    assert!(found.contains("needs a certificate"), "{found}");
    let found = problem(&format!("{proxied}proxy_identity = \"common_name\"\ndevice = \"${{cert.san.dns}}\""));
    assert!(found.contains("`device`") && found.contains("common name"), "{found}");
    assert_eq!(identity("proxy_identity = \"common_name\"\ndevice = \"${cert.cn}\""), ForwardedIdentityConfig::CommonName);
    let found = problem(&format!("{proxied}proxy_identity = \"common_name\"\ntrust = \"ca.pem\""));
    assert!(found.contains("`trust` has no meaning"), "{found}");
    assert!(problem(&proxied).contains("nobody could connect here"));
    let through =
        WSS.replace("\"wss\"", "\"tls\"") + "proxy_protocol = true\nproxy_trusted = \"10.0.0.1\"\nproxy_identity = \"common_name\"";
    assert!(problem(&through).contains("`proxy_identity` has no meaning"));
}

#[test]
fn keys_of_other_transports_are_mistakes() {
    for (table, key) in [
        (format!("{TCP}anonymous = true\nwebsocket_path = \"/x\""), "websocket_path"),
        (format!("{TCP}anonymous = true\nwebsocket_origins = \"*\""), "websocket_origins"),
        (format!("{TCP}anonymous = true\nunix_mode = \"0600\""), "unix_mode"),
        (format!("{TCP}anonymous = true\nproxy_trusted = \"unix\""), "proxy_trusted"),
        (format!("{TCP}anonymous = true\nproxy_identity = \"none\""), "proxy_identity"),
        (format!("{TCP}anonymous = true\nhandshake_timeout = \"5s\""), "handshake_timeout"),
        (format!("{WS}certificate = \"s.pem\""), "certificate"),
    ] {
        let found = problem(&table);
        assert!(found.contains(&format!("`{key}` has no meaning")) && found.contains("hint: "), "{found}");
    }
    for (key, value) in [
        ("websocket_path", "mqtt"),
        ("websocket_path", "/a b"),
        ("websocket_path", "/a?b"),
        ("websocket_origins", "a.example"),
        ("websocket_origins", "https://a/b"),
    ] {
        problem(&format!("{WS}{key} = \"{value}\""));
    }
}

#[test]
fn a_listener_may_be_bound_to_an_interface_and_to_names_of_hosts() {
    let config = listener(&format!("{WS}bind_interface = \"eth0\""));
    assert_eq!(config.bind_rules.interface.as_deref(), Some("eth0"));
    assert!(problem("bind = \"unix:x\"\ntransport = \"tcp\"\nanonymous = true\nbind_interface = \"eth0\"").contains("no interface"));
    let named = listener("bind = \"localhost:1883\"\ntransport = \"tcp\"\nanonymous = true").bind;
    assert!(named.contains(&"127.0.0.1:1883".parse().unwrap()), "{named:?}");
    assert!(problem("bind = \"no-such-host.invalid:1883\"\ntransport = \"tcp\"\nanonymous = true").contains("is not an address and port"));
}

#[test]
fn what_a_proxy_has_to_say_of_its_clients() {
    let proxied = |more: &str| format!("{TCP}anonymous = true\nproxy_protocol = \"v2\"\nproxy_trusted = \"127.0.0.1\"\n{more}");
    let demand = |more: &str| listener(&proxied(more)).proxy_protocol.unwrap().demand;
    assert_eq!(demand(""), ProxyDemand::Nothing);
    assert_eq!(demand("proxy_require_tls = true"), ProxyDemand::Tls);
    assert_eq!(demand("proxy_require_tls = true\nclient_certificate = \"required\""), ProxyDemand::Certificate);
    assert!(problem(&format!("{TCP}anonymous = true\nproxy_require_tls = true")).contains("`proxy_require_tls` has no meaning"));
    assert!(problem(&proxied("proxy_require_tls = true").replace("v2", "v1")).contains("version 1 says nothing about TLS"));
    assert!(problem(&format!("{TCP}anonymous = true\nclient_certificate = \"required\"")).contains("`client_certificate` has no meaning"));
}
