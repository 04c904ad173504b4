//! `signet bench` against real brokers: what it reports, that it notices what is lost or refused, and that it always comes to an end.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a report that is not there fails the test, and what is not in one is null"
)]

use std::io::Read as _;
use std::net::TcpListener;

use serde_json::Value;
use signet_e2e::{Finished, Running, Site};
use signet_testkit::Mosquitto;

/// A site whose broker also listens without TLS, and lets everybody do everything that `rules` before do not deny.
fn open_site(rules: &str) -> (Site, String) {
    open_site_over("tcp", rules)
}

/// The same over WebSocket, or what else a listener without TLS speaks.
fn open_site_over(transport: &str, rules: &str) -> (Site, String) {
    let site = Site::quickstart();
    let port = site.free_port();
    site.edit("signet.toml", |text| {
        format!(
            "{text}\n[[listener]]\nname = \"plain\"\nbind = \"127.0.0.1:{port}\"\ntransport = \"{transport}\"\nanonymous = true\n\n{rules}\n\
             [[access]]\nwho = \"everyone\"\npublish = [\"#\"]\nsubscribe = [\"#\"]\n"
        )
    });
    (site, port.to_string())
}

/// Runs `signet bench` to its end; the report, and how it ended.
#[track_caller]
fn bench(site: &Site, words: &[&str]) -> (Value, Finished) {
    let finished = site.signet(&[&["bench"], words, &["--json"]].concat());
    (report(&finished), finished)
}

/// The JSON of an output, which stands in lines of its own.
#[track_caller]
fn report(finished: &Finished) -> Value {
    let lines = finished.output.lines().skip_while(|line| *line != "{");
    let json: Vec<&str> = lines.filter(|line| !line.starts_with("signet: ") && !line.starts_with("hint: ")).collect();
    serde_json::from_str(&json.join("\n")).unwrap_or_else(|error| panic!("{error}: {}", finished.output))
}

#[track_caller]
fn valid((report, finished): (Value, Finished)) -> Value {
    assert_eq!((&report["valid"], &report["reasons"]), (&Value::Bool(true), &Value::Array(Vec::new())), "{}", finished.output);
    assert_eq!(finished.code, Some(0), "{}", finished.output);
    for common in
        ["broker", "transport", "tls", "mqtt", "per_second", "latency_us", "broker_cpu", "broker_memory", "load_cpu_cores", "noise_cores"]
    {
        assert!(report.get(common).is_some(), "no `{common}`: {report}");
    }
    assert!(report["per_second"].as_f64().expect("a number") > 0.0, "{report}");
    let latency = ["p50", "p90", "p99", "p999", "max"].map(|part| report["latency_us"][part].as_f64().expect("a number"));
    assert!(latency.is_sorted() && latency[0] > 0.0, "{report}");
    report
}

#[track_caller]
fn invalid((report, finished): &(Value, Finished), reason: &str) {
    assert_eq!(report["valid"], Value::Bool(false), "{}", finished.output);
    assert_eq!(finished.code, Some(1), "{}", finished.output);
    let reasons: Vec<&str> = report["reasons"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(reasons.iter().any(|known| known.contains(reason)), "`{reason}` is not among {reasons:?}");
    assert!(finished.says("signet: error: the measurement is not valid: "), "{}", finished.output);
}

fn number(report: &Value, name: &str) -> u64 {
    report[name].as_u64().unwrap_or_else(|| panic!("no `{name}`: {report}"))
}

/// Short, as the figures do not matter here.
const BRIEF: [&str; 4] = ["--warm-up", "0.1", "--seconds", "0.5"];

/// Every layout, QoS and version, with topics, sizes, wildcards and a rate.
const LOADS: [&[&str]; 9] = [
    &["--layout", "fan-in", "--publishers", "5", "-V", "311"],
    &["--layout", "fan-in", "--publishers", "3", "--subscribers", "2", "--topics", "300", "--wildcards", "false", "-q", "1"],
    &["--layout", "fan-out", "--subscribers", "9"],
    &["--layout", "fan-out", "--publishers", "2", "--subscribers", "3", "--topics", "7", "--wildcards", "-V", "311", "-q", "2"],
    &["--publishers", "4", "-q", "1", "-V", "311"],
    &["--publishers", "4", "-q", "2"],
    &["--publishers", "3", "--topics", "50", "--qos-mix", "60,30,10", "--payload", "16-20000"],
    // So wide a window holds up nothing, however slow the machine.
    &["--publishers", "3", "-q", "1", "--rate", "500", "--window", "5000", "-V", "311"],
    &["--publishers", "3", "-q", "1", "--clean-start", "false", "-V", "311"],
];

/// Over TCP, or over what `door` says.
#[track_caller]
fn every_load_arrives(site: &Site, port: &str, transport: &str, door: &[&str]) {
    for load in LOADS {
        let report = valid(bench(site, &[&["pubsub", "-h", "127.0.0.1", "-p", port], load, &BRIEF, door].concat()));
        assert_eq!((&report["command"], &report["transport"], &report["tls"]), (&"pubsub".into(), &transport.into(), &Value::Null));
        let receivers = if report["layout"] == "pairs" { 1 } else { number(&report, "subscribers") };
        assert!(number(&report, "sent") > 0, "{report}");
        assert_eq!(number(&report, "delivered"), number(&report, "sent") * receivers, "{report}");
        assert_eq!(number(&report, "lost"), 0);
    }
}

#[test]
fn every_load_arrives_at_signet() {
    let (site, port) = open_site("");
    let _broker = site.serve();
    every_load_arrives(&site, &port, "tcp", &[]);
}

#[test]
fn every_load_arrives_at_mosquitto() {
    let mosquitto = Mosquitto::start_with("allow_anonymous true\nmax_queued_messages 0\n", None);
    every_load_arrives(&Site::empty(), &mosquitto.plain_port().to_string(), "tcp", &[]);
}

#[test]
fn every_load_arrives_at_signet_over_websocket() {
    let (site, port) = open_site_over("ws", "");
    let _broker = site.serve();
    every_load_arrives(&site, &port, "ws", &["--ws"]);
    let place = ["-h", "127.0.0.1", "-p", &port];
    let connect = valid(bench(&site, &[&["connect", "--count", "30", "--ws"][..], &place].concat()));
    assert_eq!((&connect["transport"], number(&connect, "failed")), (&"ws".into(), 0));
    let idle = valid(bench(&site, &[&["idle", "--count", "20", "--hold", "0.2", "--ws"][..], &place].concat()));
    assert_eq!((&idle["transport"], number(&idle, "failed")), (&"ws".into(), 0));
    // There is nothing but WebSocket here, and it is served at one path.
    invalid(&bench(&site, &[&["connect", "--count", "1"][..], &place].concat()), "1 of the connections failed: ");
    let elsewhere = bench(&site, &[&["connect", "--count", "1", "--ws", "--ws-path", "/elsewhere"][..], &place].concat());
    invalid(
        &elsewhere,
        "1 of the connections failed: the server refuses the WebSocket: HTTP status 404 (the client asks for the path `/elsewhere`",
    );
    for words in [&["--ws-path", "/mqtt"][..], &["--ws", "--ws-path", "mqtt"], &["--ws", "--ws-path", "/a b"]] {
        let wrong = site.signet(&[&["bench", "connect"], words].concat());
        assert_eq!(wrong.code, Some(2), "{words:?}: {}", wrong.output);
    }
}

#[test]
fn every_load_arrives_at_mosquitto_over_websocket() {
    let site = Site::empty();
    // It does not start with a WebSocket listener alone.
    let port = site.free_port().to_string();
    let listener = format!("listener {port} 127.0.0.1\nprotocol websockets\n");
    let _mosquitto = Mosquitto::with_options("allow_anonymous true\nmax_queued_messages 0\n", &listener, None);
    every_load_arrives(&site, &port, "ws", &["--ws"]);
}

#[test]
fn a_report_says_what_was_asked_for() {
    let (site, port) = open_site("");
    let _broker = site.serve();
    let status = site.signet(&["status", "--json"]).succeeded();
    let process = report(&status)["pid"].to_string();
    let load = [
        "pubsub",
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "--publishers",
        "3",
        "-q",
        "1",
        "--rate",
        "400",
        "--window",
        "5000",
        "-V",
        "311",
        "--pid",
        &process,
    ];
    let report = valid(bench(&site, &[&load[..], &BRIEF].concat()));
    for (name, value) in [
        ("layout", Value::from("pairs")),
        ("broker", format!("127.0.0.1:{port}").into()),
        ("mqtt", "3.1.1".into()),
        ("publishers", 3.into()),
        ("subscribers", 3.into()),
        ("qos", 1.into()),
        ("payload", 256.into()),
        ("topics", 3.into()),
        ("wildcards", false.into()),
        ("window", 5000.into()),
        ("rate", 400.into()),
        ("reordered", 0.into()),
        ("interrupted", false.into()),
    ] {
        assert_eq!(report[name], value, "{name}: {report}");
    }
    assert!(report["broker_cpu"]["us_per_operation"].is_number() && report["broker_cpu"]["cores"].is_number(), "{report}");
    assert!(report["broker_memory"]["rss_before"].as_u64().is_some_and(|octets| octets > 1_000_000), "{report}");
    assert!(report["noise_cores"].is_number(), "{report}");
    let none = site.signet(&["bench", "connect", "-h", "127.0.0.1", "-p", &port, "--pid", "999999999"]);
    assert_eq!(none.code, Some(1));
    assert!(none.says("there is no process 999999999"), "{}", none.output);
}

/// Connections over TLS by several certificates, resumed and not, in both versions.
#[track_caller]
fn connections_come_up(site: &Site, port: &str, door: &[&str]) {
    let place = ["-p", port, "--cafile", "ca/ca.pem", "--clients", "devices", "--concurrency", "4"];
    let over = |words: &[&str]| bench(site, &[words, &place, door].concat());
    for version in ["tlsv1.2", "tlsv1.3"] {
        let full = valid(over(&["connect", "--count", "30", "--tls-version", version]));
        assert_eq!((number(&full, "count"), number(&full, "failed"), number(&full, "resumed")), (30, 0, 0));
        assert_eq!(full["tls"]["version"], if version == "tlsv1.2" { "TLSv1.2" } else { "TLSv1.3" });
        assert!(full["tls"]["cipher"].as_str().is_some_and(|cipher| cipher.starts_with("TLS_")), "{full}");
        assert_eq!(full["transport"], if door.is_empty() { "tls" } else { "wss" });
        let resumed = valid(over(&["connect", "--count", "30", "--resume", "--tls-version", version]));
        assert_eq!(number(&resumed, "resumed"), 30, "{resumed}");
    }
    let idle = valid(over(&["idle", "--count", "20", "--hold", "0.2"]));
    assert_eq!((&idle["command"], number(&idle, "count"), number(&idle, "failed")), (&"idle".into(), 20, 0));
    assert!(idle["up_seconds"].is_number() && idle["idle_cpu_cores"].is_null() && idle["broker_memory"].is_null(), "{idle}");
}

#[test]
fn connections_come_up_at_signet() {
    let site = Site::quickstart();
    site.signet(&["device", "add", "pump-8"]).succeeded();
    let _broker = site.serve();
    connections_come_up(&site, &site.port().to_string(), &[]);
    // Messages of one device over TLS go where it may publish.
    let port = site.port().to_string();
    let device = ["-p", &port, "--cafile", "ca/ca.pem", "--cert", "devices/pump-7.pem", "--key", "devices/pump-7.key"];
    let load = [&["pubsub", "--publishers", "5", "--payload", "16-40000"][..], &device, &BRIEF].concat();
    let report = valid(bench(&site, &[&load[..], &["--topic-prefix", "pump-7/bench"]].concat()));
    assert_eq!((&report["transport"], &report["payload_maximum"]), (&"tls".into(), &40_000.into()));
    invalid(&bench(&site, &load), "the broker refused 5 of 5 subscriptions");
}

#[test]
fn connections_come_up_at_mosquitto() {
    let site = Site::quickstart();
    site.signet(&["device", "add", "pump-8"]).succeeded();
    let file = |name: &str| site.path(name).display().to_string();
    let listener = format!(
        "cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n",
        file("ca/ca.pem"),
        file("server/server.pem"),
        file("server/server.key")
    );
    let mosquitto = Mosquitto::with_options("allow_anonymous true\n", &listener, None);
    connections_come_up(&site, &mosquitto.plain_port().to_string(), &[]);
    groups_are_negotiated(&site, &mosquitto.plain_port().to_string(), &["x25519", "secp256r1", "secp384r1"]);
}

/// Each group alone is what is negotiated and told.
#[track_caller]
fn groups_are_negotiated(site: &Site, port: &str, groups: &[&str]) {
    let place = ["-p", port, "--cafile", "ca/ca.pem", "--clients", "devices", "--count", "2"];
    for group in groups {
        let report = valid(bench(site, &[&["connect", "--groups", group][..], &place].concat()));
        assert_eq!(report["tls"]["group"], *group, "{report}");
        assert_eq!(report["tls"]["version"], "TLSv1.3", "{report}");
    }
}

#[test]
fn the_group_of_the_key_exchange_is_chosen_and_told() {
    let site = Site::quickstart();
    let port = site.port().to_string();
    let _broker = site.serve();
    groups_are_negotiated(&site, &port, &["x25519", "secp256r1", "secp384r1", "X25519MLKEM768"]);
    let place = ["-p", &port, "--cafile", "ca/ca.pem", "--clients", "devices", "--count", "2"];
    let agreed = |words: &[&str]| valid(bench(&site, &[&["connect"], words, &place].concat()))["tls"]["group"].clone();
    assert_eq!(agreed(&[]), "X25519MLKEM768");
    // The first one is not known there; names are taken however they are written.
    assert_eq!(agreed(&["--groups", "MLKEM1024,SecP384R1"]), "secp384r1");
    assert_eq!(agreed(&["--tls-version", "tlsv1.2", "--groups", "secp384r1"]), "secp384r1");
    assert_eq!(agreed(&["--resume", "--groups", "secp256r1"]), "secp256r1");
    invalid(&bench(&site, &[&["connect", "--groups", "MLKEM1024"][..], &place].concat()), "2 of the connections failed: ");
    let shown = site.signet(&[&["bench", "connect", "--groups", "secp384r1"][..], &place].concat()).succeeded().output;
    assert!(shown.lines().any(|line| line.contains(" over TLSv1.3 TLS_") && line.contains(" secp384r1, MQTT 5.0: ")), "{shown}");
    let unknown = site.signet(&["bench", "connect", "--groups", "x25519,p-256"]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.output);
    for known in ["p-256", "x25519", "secp256r1", "secp384r1", "X25519MLKEM768", "SecP256r1MLKEM768", "MLKEM768", "MLKEM1024"] {
        assert!(unknown.says(known), "no `{known}`: {}", unknown.output);
    }
    let none = site.signet(&[&["bench", "connect", "--tls-version", "tlsv1.2", "--groups", "x25519mlkem768"][..], &place].concat());
    assert_eq!(none.code, Some(1), "{}", none.output);
    assert!(none.says("no group of `x25519mlkem768` is for a TLS version that is to be spoken"), "{}", none.output);
}

#[test]
fn connections_come_up_at_signet_over_secure_websocket() {
    let site = Site::quickstart();
    site.signet(&["device", "add", "pump-8"]).succeeded();
    let port = site.free_port();
    site.edit("signet.toml", |text| {
        format!(
            "{text}\n[[listener]]\nname = \"wss\"\nbind = \"127.0.0.1:{port}\"\ntransport = \"wss\"\nwebsocket_path = \"/fleet\"\n\
             certificate = \"server/server.pem\"\nkey = \"server/server.key\"\ntrust = [\"ca/ca.pem\"]\n"
        )
    });
    let _broker = site.serve();
    let port = port.to_string();
    connections_come_up(&site, &port, &["--ws", "--ws-path", "/fleet"]);
    let device = ["-p", &port, "--cafile", "ca/ca.pem", "--cert", "devices/pump-7.pem", "--key", "devices/pump-7.key"];
    let load = ["pubsub", "--publishers", "5", "-q", "1", "--payload", "16-100000", "--topic-prefix", "pump-7/bench"];
    let report = valid(bench(&site, &[&load[..], &device, &BRIEF, &["--ws", "--ws-path", "/fleet", "--groups", "x25519"]].concat()));
    assert_eq!((&report["transport"], &report["tls"]["group"]), (&"wss".into(), &"x25519".into()));
    assert_eq!(number(&report, "delivered"), number(&report, "sent"));
}

#[test]
fn what_is_withheld_is_lost_and_the_load_ends_by_itself() {
    // The subscription stands; what the second publisher sends never comes.
    let (site, port) = open_site("[[access]]\nwho = \"everyone\"\neffect = \"deny\"\nsubscribe = [\"bench/+/000000/00000001\"]\n");
    let _broker = site.serve();
    let load = ["pubsub", "-h", "127.0.0.1", "-p", &port, "--layout", "fan-in", "--publishers", "2", "--window", "7"];
    let outcome = bench(&site, &[&load[..], &BRIEF].concat());
    invalid(&outcome, "7 deliveries were due and did not come");
    assert_eq!(number(&outcome.0, "lost"), 7);
    assert_eq!(number(&outcome.0, "sent") - number(&outcome.0, "delivered"), 7);
}

#[test]
fn a_refused_message_is_noticed() {
    let (site, port) = open_site("[[access]]\nwho = \"everyone\"\neffect = \"deny\"\npublish = [\"bench/#\"]\n");
    let _broker = site.serve();
    invalid(
        &bench(&site, &[&["pubsub", "-h", "127.0.0.1", "-p", &port, "-q", "1"], &BRIEF[..]].concat()),
        "messages were refused by the broker",
    );
}

/// Starts a load that would run for ten minutes, and waits until its first message comes.
fn endless(site: &Site, port: &str) -> Running {
    let address = ["-h", "127.0.0.1", "-p", port];
    let mut subscriber = Running::start(&mut site.command(&[&["sub", "-t", "bench/#", "-C", "1", "-d"], &address[..]].concat()));
    subscriber.close_input();
    subscriber.wait_for("Subscribed (mid: 1)");
    let words = ["bench", "pubsub", "--warm-up", "0", "--seconds", "600", "--json"];
    let mut running = Running::start(&mut site.command(&[&words, &address[..]].concat()));
    running.close_input();
    subscriber.finish().succeeded();
    running
}

#[test]
fn a_broker_that_dies_ends_the_load() {
    let (site, port) = open_site("");
    let broker = site.serve();
    let running = endless(&site, &port);
    broker.signal("KILL");
    let finished = running.finish();
    invalid(&(report(&finished), finished), "of the connections failed: ");
}

#[test]
fn a_signal_ends_the_load_and_what_was_measured_is_shown() {
    let (site, port) = open_site("");
    let _broker = site.serve();
    for signal in ["INT", "TERM"] {
        let running = endless(&site, &port);
        running.signal(signal);
        let finished = running.finish();
        let report = report(&finished);
        assert_eq!(report["interrupted"], Value::Bool(true), "{}", finished.output);
        assert_eq!(number(&report, "lost"), 0);
    }
}

#[test]
fn who_is_not_reached_or_not_let_in_is_said() {
    let site = Site::quickstart();
    let port = site.port().to_string();
    for command in ["connect", "idle", "pubsub"] {
        let finished = site.signet(&["bench", command, "-h", "127.0.0.1", "-p", &port]);
        assert_eq!(finished.code, Some(1));
        assert!(
            finished.says(&format!("signet: error: cannot connect to 127.0.0.1:{port}: connection refused\nhint: ")),
            "{}",
            finished.output
        );
    }
    let _broker = site.serve();
    let nobody = ["connect", "-p", &port, "--cafile", "ca/ca.pem", "--count", "500"];
    let outcome = bench(&site, &nobody);
    invalid(&outcome, "of the connections failed: the broker wants a client certificate");
    invalid(&outcome, "no connection succeeded: the rest was not tried");
    assert!(number(&outcome.0, "failed") < 100, "{}", outcome.0);
    for (words, problem) in [
        (&["pubsub", "--layout", "pairs", "--publishers", "2", "--subscribers", "3"][..], "as many publishers as subscribers"),
        (&["pubsub", "--payload", "3"], "a payload has 16 to 1000000 octets"),
        (&["pubsub", "--topic-prefix", "a/#"], "`a/#` cannot be the beginning of a topic"),
        (&["connect", "--clients", "ca/none"], "cannot read `ca/none`"),
        (&["connect", "--resume"], "without TLS there is no session"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port().to_string();
        let finished = site.signet(&[&["bench"], words, &["-h", "127.0.0.1", "-p", &port]].concat());
        assert_eq!(finished.code, Some(1), "{words:?}: {}", finished.output);
        assert!(finished.says(problem), "{words:?}: {}", finished.output);
    }
    let wrong = site.signet(&["bench", "pubsub", "--qos-mix", "50,20,10"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.output);
}

#[test]
fn somebody_who_speaks_no_mqtt_is_told_from_a_broker() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port().to_string();
    let server = std::thread::spawn(move || {
        // The first connection only looks whether anybody is there.
        for stream in listener.incoming().take(2) {
            let mut stream = stream.expect("a connection");
            let mut request = [0; 10];
            if stream.read_exact(&mut request).is_ok() {
                std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("it reads");
            }
        }
    });
    let outcome = bench(&Site::empty(), &["connect", "-h", "127.0.0.1", "-p", &port, "--count", "1"]);
    invalid(&outcome, "1 of the connections failed: what the broker sends is not MQTT");
    server.join().expect("it does not panic");
}

#[test]
fn people_see_a_table_and_a_histogram() {
    let (site, port) = open_site("");
    let _broker = site.serve();
    let shown = site.signet(&[&["bench", "pubsub", "-h", "127.0.0.1", "-p", &port], &BRIEF[..]].concat()).succeeded().output;
    for part in ["delivered ", " lost, ", "latency ", "p99.9 ", "█", " %"] {
        assert!(shown.contains(part), "no `{part}`:\n{shown}");
    }
    assert!(!shown.contains('\r'), "a line for terminals went elsewhere:\n{shown}");
}
