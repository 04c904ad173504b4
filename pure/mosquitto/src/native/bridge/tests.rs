//! Bridges of a `mosquitto.conf` as ours, key by key.

use std::path::Path;

use crate::{Files, Mistake, Translation, translate};

struct OneFile(String);

impl Files for OneFile {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        if path.ends_with("mosquitto.conf") { Ok(self.0.clone().into_bytes()) } else { Err("there is no such file".to_owned()) }
    }

    fn list(&self, _: &Path) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
}

fn translated(text: &str) -> Result<Translation, Vec<Mistake>> {
    translate(Path::new("/etc/mosquitto/mosquitto.conf"), Path::new("/etc/mosquitto"), &OneFile(text.to_owned()))
}

fn tables(text: &str) -> (Vec<toml::Table>, Vec<String>) {
    let translation = translated(text).unwrap();
    let whole: toml::Table = translation.toml.parse().unwrap();
    let bridges = whole["bridge"].as_array().unwrap().iter().map(|bridge| bridge.as_table().unwrap().clone());
    (bridges.collect(), translation.notices.into_iter().map(|notice| notice.message).collect())
}

const PLAIN: &str = "connection hq\naddress hq.example.com\ntopic # both\n";

/// The bridge with more options.
fn bridge(more: &str) -> toml::Table {
    tables(&format!("{PLAIN}{more}\n")).0.remove(0)
}

fn value(text: &str) -> toml::Value {
    let table: toml::Table = format!("value = {text}").parse().unwrap();
    table["value"].clone()
}

#[test]
fn the_defaults_are_mosquittos() {
    let found = bridge("");
    let expected: toml::Table = r##"
        name = "hq"
        addresses = ["hq.example.com:1883"]
        round_robin = false
        protocol = "3.1.1"
        try_private = true
        client_identifier = "${hostname}.hq"
        local_client_identifier = "local.${hostname}.hq"
        transport = "tcp"
        clean_start = false
        local_clean_start = false
        session_expiry = "36500d"
        remote_session_expiry = "0s"
        keep_alive = "60s"
        inflight_maximum = 20
        receive_maximum = 20
        topic_alias_maximum = 10
        retained = "always"
        outgoing_retain = true
        outgoing_packet_size_maximum = 0
        unsubscribe_outgoing = true
        notifications = "both"
        notification_topic = "$SYS/broker/connection/${client_identifier}/state"
        start = "automatic"
        reconnect = "jitter"
        reconnect_minimum = "5s"
        reconnect_maximum = "30s"
        reconnect_stable = "0s"
        reload = "lazy"
        hops_maximum = 0
        [[topic]]
        filter = "#"
        direction = "both"
        qos = 0
        local_prefix = ""
        remote_prefix = ""
    "##
    .parse()
    .unwrap();
    assert_eq!(found, expected);
}

/// Options, and the keys that come of them.
type Case = (&'static str, &'static [(&'static str, &'static str)]);

const OPTIONS: &[Case] = &[
    ("round_robin true", &[("round_robin", "true")]),
    ("remote_clientid far", &[("client_identifier", "\"far\""), ("local_client_identifier", "\"local.far\"")]),
    ("clientid far\nlocal_clientid near", &[("client_identifier", "\"far\""), ("local_client_identifier", "\"near\"")]),
    ("remote_username u\nremote_password p w", &[("username", "\"u\""), ("password", "\"p w\"")]),
    ("username u\npassword \"p\\", &[("username", "\"u\""), ("password", "'\"p\\'")]),
    ("local_username u", &[("local_username", "\"u\"")]),
    ("cleansession true", &[("clean_start", "true"), ("local_clean_start", "true")]),
    ("cleansession true\nlocal_cleansession false", &[("clean_start", "true"), ("local_clean_start", "false")]),
    ("local_cleansession true", &[("clean_start", "false"), ("local_clean_start", "true")]),
    ("keepalive_interval 5", &[("keep_alive", "\"5s\"")]),
    ("keepalive_interval 3", &[("keep_alive", "\"5s\"")]),
    ("keepalive_interval 65535", &[("keep_alive", "\"64800s\"")]),
    ("start_type once", &[("start", "\"once\"")]),
    ("start_type lazy", &[("start", "\"lazy\""), ("idle_timeout", "\"60s\""), ("lazy_threshold", "10")]),
    ("start_type lazy\nidle_timeout 7\nthreshold 3", &[("idle_timeout", "\"7s\""), ("lazy_threshold", "3")]),
    ("start_type lazy\nthreshold 70000\nidle_timeout 0", &[("idle_timeout", "\"1s\""), ("lazy_threshold", "65535")]),
    ("start_type lazy\ncleansession true", &[("clean_start", "true"), ("local_clean_start", "false")]),
    ("restart_timeout 7", &[("reconnect", "\"constant\""), ("reconnect_minimum", "\"7s\"")]),
    (
        "restart_timeout 2 9 4",
        &[("reconnect", "\"jitter\""), ("reconnect_minimum", "\"2s\""), ("reconnect_maximum", "\"9s\""), ("reconnect_stable", "\"4s\"")],
    ),
    ("notifications false", &[("notifications", "\"none\"")]),
    ("notifications_local_only true", &[("notifications", "\"local\"")]),
    ("notification_topic my/state", &[("notifications", "\"both\""), ("notification_topic", "\"my/state\"")]),
    ("try_private false", &[("try_private", "false")]),
    ("bridge_protocol_version mqttv31", &[("protocol", "\"3.1\"")]),
    ("bridge_protocol_version mqttv50", &[("protocol", "\"5.0\"")]),
    ("bridge_attempt_unsubscribe false", &[("unsubscribe_outgoing", "false")]),
    ("bridge_outgoing_retain false", &[("outgoing_retain", "false")]),
    ("bridge_max_packet_size 1000", &[("outgoing_packet_size_maximum", "1000")]),
    ("bridge_bind_address 127.0.0.1", &[("bind_address", "\"127.0.0.1\"")]),
    ("bridge_max_topic_alias 0", &[("topic_alias_maximum", "0")]),
    ("bridge_receive_maximum 7", &[("receive_maximum", "7"), ("inflight_maximum", "20")]),
    ("max_inflight_messages 9", &[("receive_maximum", "9"), ("inflight_maximum", "9")]),
    ("max_inflight_messages 0", &[("receive_maximum", "65535"), ("inflight_maximum", "65535")]),
    ("bridge_session_expiry_interval 60", &[("remote_session_expiry", "\"60s\""), ("session_expiry", "\"36500d\"")]),
    ("bridge_reload_type immediate", &[("reload", "\"immediate\"")]),
    (
        "bridge_tcp_keepalive 1 2 3",
        &[("tcp_keep_alive_idle", "\"1s\""), ("tcp_keep_alive_interval", "\"2s\""), ("tcp_keep_alive_count", "3")],
    ),
    ("bridge_tcp_user_timeout 1500", &[("tcp_user_timeout", "\"1500ms\"")]),
    (
        "bridge_cafile ca.pem",
        &[
            ("transport", "\"tls\""),
            ("trust", "[\"/etc/mosquitto/ca.pem\"]"),
            ("trust_system", "false"),
            ("server_name", "\"check\""),
            ("old_certificates", "true"),
            ("ocsp_staple_required", "false"),
            ("tls_min", "\"1.2\""),
        ],
    ),
    ("bridge_capath /ca", &[("transport", "\"tls\""), ("trust_directory", "\"/ca\"")]),
    ("bridge_tls_use_os_certs true", &[("transport", "\"tls\""), ("trust_system", "true")]),
    ("bridge_cafile c\nbridge_certfile /a\nbridge_keyfile /b", &[("certificate", "\"/a\""), ("key", "\"/b\"")]),
    ("bridge_cafile c\nbridge_insecure true", &[("server_name", "\"ignore\"")]),
    ("bridge_cafile c\nbridge_tls_version tlsv1.3", &[("tls_min", "\"1.3\"")]),
    ("bridge_cafile c\nbridge_alpn mqtt", &[("alpn", "[\"mqtt\"]")]),
    ("bridge_cafile c\nbridge_require_ocsp true", &[("ocsp_staple_required", "true")]),
    ("bridge_cafile c\nbridge_ciphers HIGH:!aNULL", &[("cipher_suites", "[\"HIGH:!aNULL\"]")]),
    ("bridge_cafile c\nbridge_ciphers_tls1.3 TLS_AES_128_GCM_SHA256", &[("cipher_suites", "[\"DEFAULT\", \"TLS_AES_128_GCM_SHA256\"]")]),
    (
        "bridge_identity me\nbridge_psk 00ff\nbridge_ciphers PSK",
        &[("transport", "\"tls\""), ("psk_identity", "\"me\""), ("psk", "\"00ff\""), ("cipher_suites", "[\"PSK\"]")],
    ),
    ("bridge_certfile /a\nbridge_keyfile /b", &[("transport", "\"tcp\"")]),
];

const ABSENT: &[(&str, &[&str])] = &[
    ("start_type once", &["idle_timeout", "lazy_threshold"]),
    ("idle_timeout 9\nthreshold 5", &["idle_timeout", "lazy_threshold"]),
    ("restart_timeout 7", &["reconnect_maximum", "reconnect_stable"]),
    ("bridge_identity me\nbridge_psk 00ff", &["trust", "certificate", "server_name", "old_certificates", "cipher_suites"]),
    ("bridge_certfile /a\nbridge_keyfile /b", &["certificate", "key", "tls_min"]),
];

#[test]
fn every_option_has_its_key() {
    for (options, expected) in OPTIONS {
        let found = bridge(options);
        for (key, expected) in *expected {
            assert_eq!(found.get(*key), Some(&value(expected)), "{options}: {key}");
        }
    }
    for (options, absent) in ABSENT {
        let found = bridge(options);
        assert!(absent.iter().all(|key| !found.contains_key(*key)), "{options}: {found:?}");
    }
}

#[test]
fn addresses_and_topics_are_taken_over_as_mosquitto_reads_them() {
    let text = "connection b\naddresses one two:1884 ::1:1885 # three\n\
                topic # out\ntopic a/# in 2 near/ far/\ntopic \"with space/#\" BOTH 1 \"\" far/\ntopic \"\" in 0 clock time\n";
    let found = tables(text).0.remove(0);
    assert_eq!(found["addresses"], value("[\"one:1883\", \"two:1884\", \"[::1]:1885\"]"));
    assert_eq!(found["return_to_first"], value("\"5s\""));
    let topics = found["topic"].as_array().unwrap().iter().map(|topic| {
        let text = |key: &str| topic[key].as_str().unwrap().to_owned();
        (text("filter"), text("direction"), topic["qos"].as_integer().unwrap(), text("local_prefix"), text("remote_prefix"))
    });
    let topic = |filter: &str, direction: &str, qos, local: &str, remote: &str| {
        (filter.to_owned(), direction.to_owned(), qos, local.to_owned(), remote.to_owned())
    };
    let expected = [
        topic("a/#", "in", 2, "near/", "far/"),
        topic("with space/#", "both", 1, "", "far/"),
        topic("", "in", 0, "clock", "time"),
        topic("#", "out", 0, "", ""),
    ];
    assert_eq!(
        topics.collect::<Vec<_>>(),
        expected,
        "those with a prefix first: Mosquitto renames by them, whatever covers the topic before"
    );
    for (topics, expected) in [
        ("topic a out\ntopic b out 0 x/ y/\n", ["a", "b"]),
        ("topic x/+ out\ntopic b out 0 x/ y/\n", ["b", "x/+"]),
        ("topic y/b in\ntopic b in 0 x/ y/\n", ["b", "y/b"]),
        ("topic y/b/c in\ntopic b in 0 x/ y/\n", ["y/b/c", "b"]),
        ("topic y in\ntopic # in 0 x/ y/\n", ["#", "y"]),
    ] {
        let found = tables(&format!("connection b\naddress one\n{topics}")).0.remove(0);
        let filters: Vec<&str> = found["topic"].as_array().unwrap().iter().map(|topic| topic["filter"].as_str().unwrap()).collect();
        assert_eq!(filters, expected, "{topics}");
    }
}

#[test]
fn names_that_ours_cannot_have_are_changed_and_stay_different() {
    let (bridges, notices) = tables(&["a/b", "a+b", "a_b"].map(|name| PLAIN.replace("hq\n", &format!("{name}\n"))).concat());
    let names: Vec<&str> = bridges.iter().map(|bridge| bridge["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a_b", "a_b_2", "a_b_3"]);
    assert_eq!(bridges[0]["client_identifier"].as_str(), Some("${hostname}.a/b"), "over there it keeps its name");
    assert_eq!(notices.iter().filter(|notice| notice.contains("is called")).count(), 3, "{notices:?}");
}

#[test]
fn what_is_different_is_said() {
    for (options, words) in [
        ("local_password secret", "nobody asks a bridge"),
        ("bridge_cafile c\nbridge_insecure true", "another name"),
        ("start_type lazy\ncleansession true", "keeps its session"),
        ("bridge_certfile /a\nbridge_keyfile /b", "not encrypted"),
        ("bridge_cafile c\nbridge_tls_version tlsv1.1", "TLS 1.1 is not spoken"),
    ] {
        let (_, notices) = tables(&format!("{PLAIN}{options}\n"));
        assert!(notices.iter().any(|notice| notice.contains(words)), "{options}: {notices:?}");
        assert!(!notices.iter().any(|notice| notice.contains("secret")));
    }
    assert_eq!(tables(PLAIN).1, Vec::<String>::new());
    let places = translated(&format!("{PLAIN}keepalive_interval 7\n")).unwrap();
    let at = places.toml.find("keep_alive = ").unwrap();
    assert_eq!(places.origin(&(at..at + 1)).map(|place| place.line), Some(4));
}
