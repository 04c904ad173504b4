//! What the broker tells about itself: the `$SYS` tree beside a real mosquitto's, and `/metrics`; and that one who does not read slows nobody.

#![expect(clippy::expect_used, clippy::panic, reason = "a rig that cannot do its job fails the test that uses it")]

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Instant;

use signet_e2e::{Broker, Client, PATIENCE, Publication, Running, Site, Subscription, Version};

/// A plain listener for everybody, in memory, with a `$SYS` tree every second.
const PLAIN: &str =
    "sys_interval = \"1s\"\n[store]\nenabled = false\n[[listener]]\nname = \"plain\"\ntransport = \"tcp\"\nanonymous = true\n";

fn plain(more: &str) -> (Site, Broker) {
    let site = Site::empty();
    let port = site.port();
    fs::write(site.path("signet.toml"), format!("{PLAIN}bind = \"127.0.0.1:{port}\"\n{more}")).expect("the file can be written");
    let broker = site.serve();
    (site, broker)
}

/// `mosquitto_sub` that prints in this format, line by line.
#[track_caller]
fn watch(port: u16, filters: &[&str], format: &str, more: &[&str]) -> Running {
    let mut command = Command::new("stdbuf");
    command.args(["-oL", "mosquitto_sub", "-V", "mqttv5", "-p"]).arg(port.to_string()).args(["-F", format]).args(more);
    for filter in filters {
        command.args(["-t", filter]);
    }
    Running::start(&mut command)
}

/// The topics below `$SYS` that a broker publishes until `enough`.
#[track_caller]
fn topics(port: u16, enough: impl Fn(&BTreeSet<String>) -> bool) -> BTreeSet<String> {
    let watcher = watch(port, &["$SYS/#"], "%t", &[]);
    let mut found = BTreeSet::new();
    watcher.wait_until("all of its topics", |lines| {
        found = lines.iter().cloned().collect();
        enough(&found)
    });
    found
}

/// Topics with a fixed name in the reference page.
fn documented() -> BTreeSet<String> {
    let page = fs::read_to_string(signet_e2e::repository().join("docs/reference/metrics.md")).expect("the page");
    let names = page.lines().filter_map(|line| Some(line.strip_prefix("| `$SYS/")?.split_once('`')?.0));
    let mut topics = BTreeSet::new();
    for name in names.map(|name| format!("$SYS/{name}")) {
        match name.split_once('{') {
            Some((stem, windows)) => {
                topics.extend(windows.trim_end_matches('}').split(',').map(|window| format!("{stem}{window}")));
            }
            // A word in capitals stands for many names.
            None if name.contains(|letter: char| letter.is_ascii_uppercase() && !name.starts_with("$SYS/broker/load")) => {
                let level = name.split('/').skip(1).any(|level| level.chars().all(|letter| letter.is_ascii_uppercase()));
                if !level {
                    topics.insert(name);
                }
            }
            None => drop(topics.insert(name)),
        }
    }
    topics
}

#[test]
fn the_sys_tree_has_what_mosquitto_publishes_and_what_is_documented() {
    let (site, _broker) = plain("");
    let other = Site::empty();
    let config = format!("user root\nallow_anonymous true\nsys_interval 1\nlistener {} 127.0.0.1\n", other.port());
    fs::write(other.path("mosquitto.conf"), config).expect("the file can be written");
    let program = if fs::exists("/usr/sbin/mosquitto").is_ok_and(|there| there) { "/usr/sbin/mosquitto" } else { "mosquitto" };
    let mosquitto = Running::start(Command::new(program).arg("-c").arg(other.path("mosquitto.conf")));
    mosquitto.wait_for("running");

    // Its load averages come last.
    let last = "$SYS/broker/load/publish/sent/15min";
    let theirs = topics(other.port(), |found| found.contains(last) && found.len() > 45);
    let sometimes = ["$SYS/broker/tls/certificate/expires", "$SYS/broker/journal/state", "$SYS/broker/journal/bytes"];
    let mut expected = documented();
    assert!(expected.len() > 60, "{expected:?}");
    expected.retain(|topic| !sometimes.contains(&topic.as_str()));
    expected.extend(theirs);
    let ours = topics(site.port(), |found| expected.is_subset(found));
    // And nothing that the reference does not know.
    let families = ["$SYS/broker/identity/refused/"];
    let unknown: Vec<&String> =
        ours.difference(&expected).filter(|topic| !families.iter().any(|family| topic.starts_with(family))).collect();
    assert_eq!(unknown, Vec::<&String>::new());
}

#[test]
fn the_sys_tree_is_retained_with_qos_2_and_in_mosquittos_formats() {
    let (site, broker) = plain("");
    let port = site.port();
    let watcher = watch(port, &["$SYS/broker/#"], "%t %q %r %p", &["-q", "2"]);
    watcher.wait_for_line("its version", |line| {
        line.starts_with("$SYS/broker/version 2 1 signet version ") || line.starts_with("$SYS/broker/version 2 0 signet version ")
    });
    watcher.wait_for_line("one connected client", |line| line.starts_with("$SYS/broker/clients/connected 2 ") && line.ends_with(" 1"));
    watcher.wait_for_line("its uptime", |line| line.starts_with("$SYS/broker/uptime 2 ") && line.ends_with(" seconds"));
    watcher.wait_for_line("a load average", |line| {
        let Some(rest) = line.strip_prefix("$SYS/broker/load/connections/1min 2 ") else { return false };
        rest.split(' ').next_back().and_then(|load| load.split_once('.')).is_some_and(|(_, decimals)| decimals.len() == 2)
    });
    // Somebody who comes later gets them as retained messages, and `#` does not match them [MQTT-4.7.2-1].
    let later = watch(port, &["$SYS/broker/uptime", "#"], "%t %r", &["-C", "1"]);
    assert_eq!(later.finish().succeeded().output, "$SYS/broker/uptime 1");
    // Nobody else may publish there, whatever the rules are.
    let forged = Running::run(
        Command::new("mosquitto_pub").args(["-V", "mqttv5", "-q", "1", "-t", "$SYS/broker/version", "-m", "x", "-p"]).arg(port.to_string()),
    );
    assert!(forged.output.to_lowercase().contains("not authorized"), "{}", forged.output);
    broker.logs("no rule lets anonymous publish to `$SYS/broker/version`");
}

#[test]
fn with_access_rules_the_sys_tree_has_to_be_granted() {
    let (site, _broker) = plain("[[access]]\nwho = \"everyone\"\nsubscribe = [\"a/#\", \"$SYS/broker/uptime\"]\n");
    let allowed = watch(site.port(), &["$SYS/broker/uptime"], "%t", &["-C", "1"]);
    allowed.finish().succeeded();
    let denied = watch(site.port(), &["$SYS/#"], "%t", &["-C", "1"]).finish();
    assert!(denied.output.contains("All subscription requests were denied"), "{}", denied.output);
}

/// The metrics by series.
#[track_caller]
fn metrics(broker: &Broker) -> HashMap<String, f64> {
    let line = broker.logs("metrics at http://");
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address");
    let mut socket = TcpStream::connect(address).expect("somebody listens there");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let samples = body.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a value");
            (series.to_owned(), value.parse().unwrap_or_else(|_| panic!("`{line}` has no number")))
        })
        .collect()
}

/// The metrics once this series has this value: a client is gone a moment before the broker knows.
#[track_caller]
fn metrics_when(broker: &Broker, series: &str, value: f64) -> HashMap<String, f64> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = metrics(broker);
        if found.get(series) == Some(&value) {
            return found;
        }
        assert!(Instant::now() < deadline, "`{series}` does not become {value}: {found:#?}");
    }
}

#[track_caller]
fn assert_metrics(found: &HashMap<String, f64>, expected: &[(&str, f64)]) {
    for (series, value) in expected {
        assert_eq!(found.get(*series), Some(value), "`{series}` in {found:#?}");
    }
}

#[test]
fn metrics_count_what_happens() {
    let site = Site::quickstart();
    site.edit("signet.toml", |text| text.replacen("# bind = \"127.0.0.1:9883\"", "bind = \"127.0.0.1:0\"", 1));
    let broker = site.serve();
    let pump = site.device("pump-7");
    let before = metrics(&broker);
    assert_metrics(
        &before,
        &[("signet_connections", 0.0), ("signet_ca_revocations_total", 0.0), ("signet_refused_total{check=\"revocation\"}", 0.0)],
    );
    assert!(before["process_resident_memory_bytes"] > 1e6 && before["process_open_fds"] > 3.0, "{before:#?}");
    assert!(before["signet_tls_certificate_end_seconds{listener=\"mqtts\"}"] > 1.7e9, "{before:#?}");

    let subscriber = Client::Mosquitto.subscribe(Version::V5, site.port(), &pump, &Subscription::to("pump-7/#", 1, "watcher"));
    Client::Mosquitto.wait_subscribed(&subscriber);
    let message = Publication { retain: true, ..Publication::of("pump-7/t", "12345", 1) };
    Client::Mosquitto.publish(Version::V5, site.port(), &pump, &message).succeeded();
    subscriber.wait_for("message pump-7/t");
    let during = metrics_when(&broker, "signet_connections", 1.0);
    assert_metrics(
        &during,
        &[
            ("signet_connections", 1.0),
            ("signet_connects_total", 2.0),
            ("signet_publishes_total{direction=\"received\",qos=\"1\"}", 1.0),
            ("signet_publishes_total{direction=\"sent\",qos=\"1\"}", 1.0),
            ("signet_payload_bytes_total{direction=\"received\"}", 5.0),
            ("signet_subscriptions", 1.0),
            ("signet_tls_handshakes_total{result=\"full\"}", 2.0),
            ("signet_tls_handshakes_total{result=\"failed\"}", 0.0),
        ],
    );
    // A revocation ends the session, and its certificate opens no new one. The watcher must not come back while we count.
    subscriber.signal("STOP");
    site.signet(&["device", "revoke", "pump-7"]).succeeded();
    Client::Mosquitto.publish(Version::V5, site.port(), &pump, &message);
    broker.logs_all(&["refused", "revocation", "pump-7"]);
    let after = metrics(&broker);
    assert_metrics(
        &after,
        &[
            ("signet_connections", 0.0),
            ("signet_disconnected_total{cause=\"kicked\"}", 1.0),
            ("signet_ca_revocations_total", 1.0),
            ("signet_revoked_certificates", 1.0),
            ("signet_refused_total{check=\"revocation\"}", 1.0),
            ("signet_tls_handshakes_total{result=\"failed\"}", 1.0),
        ],
    );
    for (series, value) in &before {
        assert!(!series.contains("_total") || after[series] >= *value, "{series} fell");
    }
}

/// A subscriber that stops reading costs itself what its queue does not hold, and nobody else anything.
#[test]
fn who_does_not_read_slows_nobody() {
    const MESSAGES: usize = 3_000;
    let other = Site::empty().port();
    // What the reader is sent faster than it prints has to wait somewhere: its listener gives it room.
    let (site, broker) = plain(&format!(
        "[metrics]\nbind = \"127.0.0.1:0\"\n[[listener]]\nname = \"roomy\"\ntransport = \"tcp\"\nanonymous = true\n\
         bind = \"127.0.0.1:{other}\"\n[listener.limits]\nqueued_messages_maximum = 10000\nqueued_bytes_maximum = \"64MiB\"\n"
    ));
    let port = site.port();
    let subscribed = ["-q", "1", "-d", "-c", "-i"];
    let stuck = watch(port, &["flow/#"], "%t", &[&subscribed[..], &["stuck"]].concat());
    let count = MESSAGES.to_string();
    let quick = watch(other, &["flow/#"], "%t", &[&subscribed[..], &["quick", "-C", &count]].concat());
    stuck.wait_for("received SUBACK");
    quick.wait_for("received SUBACK");
    stuck.signal("STOP");

    let mut publisher = Running::start(Command::new("mosquitto_pub").args(["-q", "1", "-t", "flow/x", "-l", "-p"]).arg(port.to_string()));
    let line = format!("{}\n", "x".repeat(10_000));
    for _ in 0..MESSAGES {
        publisher.write(line.as_bytes());
    }
    publisher.close_input();
    publisher.finish().succeeded();
    let received = quick.finish().succeeded().output;
    assert_eq!(received.lines().filter(|line| *line == "flow/x").count(), MESSAGES);

    let found = metrics(&broker);
    assert_metrics(
        &found,
        &[
            ("signet_publishes_total{direction=\"received\",qos=\"1\"}", 3_000.0),
            ("signet_messages_dropped_total{cause=\"slow_receiver\"}", 0.0),
        ],
    );
    // 30 MB were published, and 4 MiB is what a queue holds.
    assert!(found["signet_messages_dropped_total{cause=\"queue_full\"}"] > 1_000.0, "{found:#?}");
    assert!(found["signet_queued_bytes"] < 6e6, "{found:#?}");
    assert!(found["process_resident_memory_bytes"] < 150e6, "{found:#?}");

    // What its queue held it still gets.
    stuck.signal("CONT");
    stuck.wait_for("flow/x");
}
