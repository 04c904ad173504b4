//! Bridges as people write them, and what they are told about mistakes.

use std::path::Path;

use signet_mqtt::{ProtocolVersion, QoS};

use super::*;
use crate::config::Config;
use crate::config::file::File;

const LISTENER: &str = "[[listener]]\nbind = \"127.0.0.1:1883\"\ntransport = \"tcp\"\nanonymous = true\n";

fn resolve(bridges: &str) -> (Config, Vec<String>) {
    let text = format!("{LISTENER}{bridges}");
    let list = Problems::new(Path::new("signet.toml"), &text);
    let config = Config::resolve(File::parse(&text, &list), Path::new("signet.toml"), &list);
    (config, list.into_sorted().iter().map(ToString::to_string).collect())
}

/// The one bridge of a configuration without mistakes.
fn good(bridge: &str) -> Bridge {
    let (config, problems) = resolve(bridge);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(config.bridges.len(), 1);
    config.bridges.into_iter().next().unwrap()
}

/// A bridge that is right, with `more` keys.
fn plain(more: &str) -> String {
    format!(
        "[[bridge]]\nname = \"hq\"\naddresses = \"hq\"\ntransport = \"tcp\"\n{more}\n[[bridge.topic]]\nfilter = \"#\"\ndirection = \"both\"\n"
    )
}

#[track_caller]
fn one(text: &str) -> String {
    let (_, problems) = resolve(text);
    assert_eq!(problems.len(), 1, "{}", problems.join("\n"));
    problems.into_iter().next().unwrap()
}

#[test]
fn a_short_bridge_gets_the_documented_defaults() {
    let bridge = good(&plain(""));
    let config = bridge.config().unwrap();
    assert_eq!(config.remote.addresses[0].to_string(), "hq:1883");
    assert_eq!(config.remote.client_identifier.as_str(), "signet.hq");
    assert_eq!(config.remote.version, ProtocolVersion::V5);
    assert_eq!((config.session.expiry, config.session.keep_alive, config.hops_maximum), (30 * 86_400, 60, 8));
    assert_eq!(config.topics[0].qos, QoS::AtLeastOnce);
    assert!(config.notification.is_none());
    let general = Limits::default();
    let limits = bridge.limits(&general);
    assert_eq!((limits.maximum_inflight, limits.queued_messages_maximum), (20, general.queued_messages_maximum));
    assert_eq!(limits.session_expiry_maximum, 30 * 86_400, "longer than other sessions");
}

#[test]
fn its_list_is_what_it_may_do() {
    let text = "[[bridge]]\nname = \"hq\"\naddresses = \"hq\"\ntransport = \"tcp\"\nnotifications = \"local\"\nnotification_topic = \"hq/state\"\n\
                [[bridge.topic]]\nfilter = \"a/#\"\ndirection = \"in\"\nlocal_prefix = \"x/\"\n\
                [[bridge.topic]]\nfilter = \"b\"\ndirection = \"out\"\n";
    let rights = good(text).rights().unwrap();
    let texts = |filters: &[signet_mqtt::TopicFilter]| filters.iter().map(|filter| filter.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(texts(&rights.publish), ["x/a/#", "hq/state"]);
    assert_eq!(texts(&rights.subscribe), ["b"]);
}

#[test]
fn placeholders_are_filled_in() {
    let bridge = good(&plain("client_identifier = \"${hostname}.${name}\""));
    let text = bridge.config().unwrap().remote.client_identifier.as_str().to_owned();
    assert!(text.ends_with(".hq") && !text.contains('$'), "{text}");
    assert!(one(&plain("client_identifier = \"${nmae}\"")).contains("unknown placeholder"));
    assert!(one(&plain("client_identifier = \"\"")).contains("could not be found again"));
}

#[test]
fn what_is_missing_is_said_where_the_table_begins() {
    let (_, found) = resolve("[[bridge]]\n");
    let starts: Vec<&str> = found.iter().map(|problem| problem.lines().next().unwrap()).collect();
    assert_eq!(
        starts,
        [
            "signet.toml:5:1: [[bridge]] carries nothing",
            "signet.toml:5:1: [[bridge]] has no `name`",
            "signet.toml:5:1: [[bridge]] has no `addresses`",
            "signet.toml:5:1: [[bridge]] has no `transport`",
        ]
    );
    assert!(found.iter().all(|problem| problem.contains("hint: add ")), "{found:?}");
    let tls = "[[bridge]]\nname = \"hq\"\naddresses = \"hq\"\ntransport = \"tls\"\n[[bridge.topic]]\nfilter = \"#\"\ndirection = \"in\"\n";
    assert!(one(tls).contains("has no `trust`"));
    assert!(one(&plain("[[bridge.topic]]\nfilter = \"a\"\n")).contains("has no `direction`"));
}

#[test]
fn what_makes_no_sense_is_said_at_its_line() {
    for (more, line, words) in [
        ("trust = \"ca.pem\"", 9, "`trust` has no meaning with transport = \"tcp\""),
        ("protocol = \"4\"", 9, "`4` is not a value of `protocol`"),
        ("protocol = \"3.1.1\"\npassword_file = \"p\"", 10, "`password_file` without `username`"),
        ("reconnect_minimum = \"10s\"\nreconnect_maximum = \"1s\"", 10, "`reconnect_maximum` (1s) is less than `reconnect_minimum` (10s)"),
        ("notifications = \"local\"\nnotification_topic = \"$SYS/broker/uptime\"", 10, "what is below `$SYS/` this broker tells by itself"),
        ("notifications = \"remote\"\nnotification_topic = \"a/#\"", 10, "contains the wildcard `#`"),
        ("inflight_maximum = 0", 9, "`0` is out of range"),
        ("adresses = \"x\"", 9, "unknown key `adresses` in [[bridge]]"),
    ] {
        let found = one(&plain(more));
        assert!(found.starts_with(&format!("signet.toml:{line}:")) && found.contains(words), "{found}");
    }
    let topic = |keys: &str| one(&plain(&format!("[[bridge.topic]]\ndirection = \"in\"\n{keys}\n")));
    assert!(topic("filter = \"a#\"").contains("`a#` is no topic filter"));
    assert!(topic("filter = \"$share/g/a\"").contains("shared subscription"));
    assert!(topic("filter = \"a\"\nlocal_prefix = \"+/\"").contains("`+/` contains a wildcard"));
    assert!(topic("").contains("the topic is empty"));
    let (_, both) = resolve(&plain("[[bridge.topic]]\nfilter = \"a#\"\n"));
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(one(&plain("").replace("\"hq\"\naddr", "\"h/q\"\naddr")).contains("`h/q` is not a name for a bridge"));
    assert!(one(&plain("").replace("addresses = \"hq\"", "addresses = \"mqtt://hq\"")).contains("`mqtt://hq` is not a host with a port"));
}

#[test]
fn two_bridges_under_one_name_would_end_each_other() {
    let (_, found) = resolve(&format!("{}{}", plain(""), plain("")));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("two bridges are called `hq`"), "{found:?}");
    assert!(found[1].contains("has the Client Identifier `signet.hq` at `hq:1883` already"), "{found:?}");
}

#[test]
fn addresses_have_a_port_by_custom_and_ipv6_has_brackets() {
    let read = |text| remote::address(text, 8883).map(|address| address.to_string());
    for (text, expected) in
        [("hq", "hq:8883"), ("hq:1", "hq:1"), ("10.0.0.1:1883", "10.0.0.1:1883"), ("[::1]", "[::1]:8883"), ("[::1]:5", "[::1]:5")]
    {
        assert_eq!(read(text).as_deref(), Some(expected));
    }
    for text in ["", ":1883", "hq:", "hq:0", "hq:99999", "::1", "[::1", "[hq]:1", "[::1]1", "mqtt://hq", "a b"] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn files_that_cannot_be_read_are_said_where_they_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("signet.toml");
    let tls = plain("trust = \"no-ca.pem\"\nusername = \"u\"\npassword_file = \"no-password\"").replace("\"tcp\"", "\"tls\"");
    std::fs::write(&path, format!("{LISTENER}{tls}")).unwrap();
    let Err(crate::config::ConfigError::Problems(problems)) = crate::config::load(&crate::config::Origin::of(&path), 0) else {
        panic!("it has problems")
    };
    let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("signet.toml:9:") && found[0].contains("cannot read") && found[0].contains("no-ca.pem"), "{}", found[0]);
    assert!(found[1].contains("signet.toml:11:") && found[1].contains("no-password"), "{}", found[1]);
    std::fs::write(directory.path().join("no-password"), "secret\r\n").unwrap();
    let text = plain("username = \"u\"\npassword_file = \"no-password\"");
    std::fs::write(&path, format!("{LISTENER}{text}")).unwrap();
    let config = crate::config::load(&crate::config::Origin::of(&path), 0).unwrap();
    let bridge = config.bridges[0].config().unwrap();
    assert_eq!(bridge.remote.password.as_ref().unwrap().expose(), b"secret");
    assert!(!format!("{bridge:?}").contains("secret"));
}

#[test]
fn keys_that_need_others_or_exclude_them_say_so() {
    let tls = |keys: &str| plain(keys).replace("transport = \"tcp\"", "transport = \"tls\"");
    for (text, words) in [
        (plain("idle_timeout = \"5s\""), "`idle_timeout` has no meaning without start = \"lazy\""),
        (plain("lazy_threshold = 5\nstart = \"once\""), "`lazy_threshold` has no meaning without start = \"lazy\""),
        (plain("start = \"lazy\"\nclean_start = true"), "waits for messages that `clean_start` forgets"),
        (plain("reconnect_stable = \"5s\""), "`reconnect_stable` has no meaning with this `reconnect`"),
        (plain("reconnect = \"constant\"\nreconnect_maximum = \"5s\""), "`reconnect_maximum` has no meaning with this `reconnect`"),
        (plain("reconnect = \"jitter\"\nreconnect_maximum = \"4s\""), "`reconnect_maximum` (4s) is less than `reconnect_minimum` (5s)"),
        (plain("tcp_keep_alive_idle = \"5s\"\ntcp_keep_alive_count = 2"), "`tcp_keep_alive_interval` is missing"),
        (plain("username = \"u\"\npassword = \"p\"\npassword_file = \"f\""), "`password` and `password_file` are both set"),
        (plain("protocol = \"3.1\"\npassword = \"p\""), "`password` without `username`"),
        (plain("local_client_identifier = \"$bridge/other\""), "`$bridge/` belongs to the bridges"),
        (plain("psk = \"00\""), "`psk` has no meaning with transport = \"tcp\""),
        (plain("server_name = \"ignore\""), "`server_name` has no meaning with transport = \"tcp\""),
        (tls("psk = \"00\""), "`psk` without `psk_identity`"),
        (tls("psk_identity = \"a\""), "`psk_identity` without `psk`"),
        (tls("psk_identity = \"a\"\npsk = \"0g\""), "hexadecimal"),
        (tls("psk_identity = \"a\"\npsk = \"00\"\ntrust = \"ca.pem\""), "`trust` has no meaning with `psk`"),
        (tls(""), "has no `trust`"),
    ] {
        let found = one(&text);
        assert!(found.contains(words), "{found}");
    }
}

#[test]
fn what_mosquitto_can_do_has_a_key() {
    let text = plain(
        "protocol = \"3.1\"\nround_robin = true\nreturn_to_first = \"5s\"\nbind_address = \"127.0.0.1\"\ntcp_keep_alive_idle = \"1s\"\n\
         tcp_keep_alive_interval = \"2s\"\ntcp_keep_alive_count = 3\ntcp_user_timeout = \"40ms\"\nclient_identifier = \"far\"\n\
         local_client_identifier = \"local.${name}\"\nlocal_username = \"u\"\nclean_start = true\nlocal_clean_start = false\n\
         session_expiry = \"36500d\"\nremote_session_expiry = \"0s\"\ninflight_maximum = 5\nreceive_maximum = 6\ntopic_alias_maximum = 7\n\
         outgoing_retain = false\noutgoing_packet_size_maximum = 800\nunsubscribe_outgoing = true\nretained = \"always\"\n\
         notifications = \"both\"\nnotification_topic = \"$SYS/broker/connection/${client_identifier}/state\"\nstart = \"lazy\"\n\
         idle_timeout = \"9s\"\nlazy_threshold = 30\nreconnect = \"jitter\"\nreconnect_minimum = \"5s\"\nreconnect_maximum = \"30s\"\n\
         reconnect_stable = \"4s\"\nreload = \"lazy\"\n",
    );
    let bridge = good(&text);
    assert!(bridge.tells_itself());
    assert_eq!(bridge.limits(&Limits::default()).maximum_inflight, 30, "as many as it waits for");
    let config = bridge.config().unwrap();
    let second = Duration::from_secs(1);
    assert_eq!(config.remote.version, ProtocolVersion::V31);
    assert_eq!((config.remote.round_robin, config.remote.return_to_first), (true, Some(5 * second)));
    let keep_alive = signet_bridge::TcpKeepAlive { idle: second, interval: 2 * second, count: 3 };
    let socket = &config.remote.socket;
    assert_eq!(
        (socket.bind_address.as_deref(), socket.keep_alive, socket.user_timeout),
        (Some("127.0.0.1"), Some(keep_alive), Some(40 * MILLISECOND))
    );
    let local = &config.local;
    assert_eq!((local.client_identifier.as_str(), local.username.as_deref(), local.clean_start), ("local.hq", Some("u"), false));
    let session = &config.session;
    assert_eq!((session.clean_start, session.expiry, local.expiry), (true, 0, 3_153_600_000));
    assert_eq!((session.inflight_maximum.get(), session.receive_maximum.get(), session.topic_alias_maximum), (5, 6, 7));
    let outgoing = Outgoing { retain: false, maximum_packet_size: NonZeroU32::new(800), unsubscribe: true };
    assert_eq!((config.outgoing, config.retained_each_time), (outgoing, true));
    assert_eq!(config.notification.unwrap().topic.as_str(), "$SYS/broker/connection/far/state");
    assert_eq!(config.start, Start::Lazy { threshold: NonZeroU16::new(30).unwrap(), idle: 9 * second });
    assert_eq!(config.reconnect.schedule, Schedule::Jitter { base: 5 * second, cap: 30 * second, stable: 4 * second });
    assert_eq!(config.reload, signet_bridge::ReloadRule::Lazy);
    let key = good(&plain("psk_identity = \"a\"\npsk = \"00ff\"").replace("transport = \"tcp\"", "transport = \"tls\""));
    assert!(matches!(key.config().unwrap().remote.tls, Some(RemoteTls::Key { identity, .. }) if identity.as_str() == "a"));
    let inline = good(&plain("username = \"u\"\npassword = \"secret\"")).config().unwrap();
    assert_eq!(inline.remote.password.as_ref().unwrap().expose(), b"secret");
    assert!(!format!("{inline:?}").contains("secret"));
}

const MILLISECOND: Duration = Duration::from_millis(1);
