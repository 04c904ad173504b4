//! Devices with pre-shared keys: Mosquitto's clients, `openssl s_client`, and what is no client at all.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;

use signet_e2e::{Broker, Running, Site};
use signet_testkit::{RedisOptions, RedisServer};

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const OTHER: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

/// An installation with a second listener, for keys; its port.
#[track_caller]
fn site(keys: &str, more: &str) -> (Site, u16) {
    let site = Site::quickstart();
    let port = site.free_port();
    site.write("psk.txt", keys);
    let listener = format!(
        "[[listener]]\nname = \"keys\"\nbind = [\"127.0.0.1:{port}\"]\ntransport = \"tls\"\npsk_file = \"psk.txt\"\n{more}\n\n\
         [[access]]\nwho = \"device:watcher\"\nsubscribe = [\"#\"]\n\n"
    );
    site.edit("signet.toml", |text| text.replacen("\n[[access]]\n", &format!("\n{listener}[[access]]\n"), 1));
    site.signet(&["check"]).succeeded();
    (site, port)
}

/// A Mosquitto client with a key.
fn mosquitto(action: &str, port: u16, identity: &str, key: &str) -> Command {
    let mut command = Command::new("stdbuf");
    command.args(["-oL", &format!("mosquitto_{action}"), "-h", "127.0.0.1", "-p", &port.to_string()]);
    command.args(["--psk-identity", identity, "--psk", key, "-q", "1"]);
    command
}

#[track_caller]
fn publish(port: u16, identity: &str, key: &str, topic: &str) -> signet_e2e::Finished {
    Running::run(mosquitto("pub", port, identity, key).args(["-t", topic, "-m", "x"]))
}

/// A subscriber that stays.
#[track_caller]
fn subscriber(port: u16, identity: &str, key: &str, filter: &str) -> Running {
    let running = Running::start(mosquitto("sub", port, identity, key).args(["-V", "mqttv5", "-d", "-F", "message %t %p", "-t", filter]));
    running.wait_for("received SUBACK");
    running
}

/// `openssl s_client` up to the answer to CONNECT, or to the refusal.
#[track_caller]
fn s_client(site: &Site, port: u16, more: &[&str]) -> String {
    let address = format!("127.0.0.1:{port}");
    let mut command = Command::new("openssl");
    command.current_dir(site.folder()).args(["s_client", "-connect", &address, "-ign_eof"]).args(more);
    let mut running = Running::start(&mut command);
    running.write(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x");
    running.write(b"\xe0\x00");
    running.finish().output
}

const ACCEPTED: &str = "\x20\x02\x00\x00";

#[test]
fn the_identity_is_the_device_and_rules_are_about_it() {
    let (site, port) =
        site(&format!("# two devices\npump-7:{KEY}\nwatcher:{OTHER}\n"), "username = \"${device}\"\nclient_identifier = \"${device}\"");
    let broker = site.serve();
    let watcher = subscriber(port, "watcher", OTHER, "#");
    publish(port, "pump-7", KEY, "pump-7/x").succeeded();
    watcher.wait_for("message pump-7/x x");
    publish(port, "pump-7", KEY, "pump-8/x");
    broker.logs_all(&["pump-8/x", "pump-7"]);
    let connections = site.signet(&["connections", "--json"]).succeeded().output;
    for word in ["\"watcher\"", "\"keys\""] {
        assert!(connections.contains(word), "{connections}");
    }
    // Names by the templates of the listener.
    broker.logs_all(&["connected", "client_identifier=\"watcher\"", "listener=\"keys\""]);
}

#[test]
fn both_versions_of_tls_with_the_suites_that_are_meant() {
    let (site, port) = site(&format!("pump-7:{KEY}\n"), "");
    let _broker = site.serve();
    let psk = ["-psk_identity", "pump-7", "-psk", KEY];
    let said = s_client(&site, port, &[&psk[..], &["-tls1_3"]].concat());
    assert!(said.contains(ACCEPTED) && said.contains("TLSv1.3") && !said.contains("New Session Ticket"), "{said}");
    let said = s_client(&site, port, &[&psk[..], &["-tls1_2"]].concat());
    assert!(said.contains(ACCEPTED) && said.contains("ECDHE-PSK-CHACHA20-POLY1305") && !said.contains("TLS session ticket:"), "{said}");
    for suite in ["PSK-AES128-GCM-SHA256", "PSK-AES256-GCM-SHA384", "ECDHE-PSK-AES128-CBC-SHA256"] {
        let said = s_client(&site, port, &[&psk[..], &["-tls1_2", "-cipher", suite]].concat());
        assert!(said.contains(ACCEPTED) && said.contains(suite), "{said}");
    }
    // Neither of both is preferred by hand: the newer one is taken.
    assert!(s_client(&site, port, &psk).contains("TLSv1.3"));
    for suites in ["aNULL:@SECLEVEL=0", "kDHEPSK", "PSK-AES128-CBC-SHA:@SECLEVEL=0"] {
        let said = s_client(&site, port, &[&psk[..], &["-tls1_2", "-cipher", suites]].concat());
        assert!(said.contains("handshake failure") && !said.contains(ACCEPTED), "{suites}: {said}");
    }
    let said = s_client(&site, port, &[&psk[..], &["-tls1_1", "-cipher", "PSK:@SECLEVEL=0"]].concat());
    assert!(!said.contains(ACCEPTED), "{said}");
}

#[test]
fn who_is_refused_learns_nothing_and_the_log_tells_all() {
    let (site, port) = site(&format!("pump-7:{KEY}\n"), "");
    let broker = site.serve();
    let long = "n".repeat(129);
    for (version, alert) in [("-tls1_2", "alert number 20"), ("-tls1_3", "alert number 47")] {
        for (identity, key) in
            [("pump-7", OTHER), ("pump-8", KEY), ("pump-7", "aa"), ("a\u{1b}[2Jb", KEY), ("a/b", KEY), ("", KEY), (&*long, KEY)]
        {
            // OpenSSL's client cannot do that in TLS 1.3.
            if identity.is_empty() && version == "-tls1_3" {
                continue;
            }
            let said = s_client(&site, port, &["-psk_identity", identity, "-psk", key, version]);
            assert!(!said.contains(ACCEPTED) && said.contains(alert), "{identity}: {said}");
        }
    }
    for words in [
        "the client does not hold the pre-shared key of `pump-7`",
        "no pre-shared key is known for the identity `pump-8`",
        "the identity `a\\u{1b}[2Jb` is no name of a device",
        "the identity `a/b` is no name of a device",
        "the identity `` is no name of a device",
        "nnn…` is no name of a device",
    ] {
        broker.logs_all(&["pre-shared key", "keys", words]);
    }
    assert!(!broker.log().contains('\u{1b}') && !broker.log().contains(KEY) && !broker.log().contains(OTHER));
    let refusals = site.signet(&["refusals"]).succeeded().output;
    assert!(refusals.contains("pre-shared key"), "{refusals}");
    // Without a key, with a certificate, and without TLS.
    let said = s_client(&site, port, &["-cert", "devices/pump-7.pem", "-key", "devices/pump-7.key"]);
    assert!(said.contains("alert number 40"), "{said}");
    broker.logs("no cipher suite with a pre-shared key in common");
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.write_all(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x").unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, [21, 3, 3, 0, 2, 2, 10]);
    broker.logs_all(&["TLS handshake", "what the client sent is not TLS"]);
    // Nobody was harmed.
    publish(port, "pump-7", KEY, "pump-7/x").succeeded();
}

/// Arbitrary octets, from a fixed seed: each connection is answered or closed, and the broker lives.
#[test]
fn garbage_is_refused() {
    let (site, port) = site(&format!("pump-7:{KEY}\n"), "handshake_timeout = \"2s\"");
    let broker = site.serve();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..300_u64 {
        let length = usize::try_from(random() % 600).unwrap() + 1;
        let mut octets: Vec<u8> = (0..length).map(|_| random().to_le_bytes()[0]).collect();
        let size = u16::try_from(length).unwrap().to_be_bytes();
        match round % 3 {
            // A record, and a message in it.
            1 => drop(octets.splice(0..0, [22, 3, 1, size[0], size[1]])),
            2 => {
                let whole = u16::try_from(length + 4).unwrap().to_be_bytes();
                drop(octets.splice(0..0, [22, 3, 1, whole[0], whole[1], 1, 0, size[0], size[1]]));
            }
            _ => {}
        }
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        // Refused in the middle of it, perhaps.
        let _ = socket.write_all(&octets);
        let _ = socket.shutdown(Shutdown::Write);
        let _ = socket.read_to_end(&mut Vec::new());
    }
    publish(port, "pump-7", KEY, "pump-7/x").succeeded();
    assert!(!broker.log().contains("panicked"));
}

#[test]
fn who_never_finishes_is_told_the_time() {
    let (site, port) = site(&format!("pump-7:{KEY}\n"), "handshake_timeout = \"1s\"");
    let broker = site.serve();
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.write_all(&[22, 3, 1, 2, 0, 1]).unwrap();
    assert_eq!(socket.read(&mut [0; 16]).unwrap_or(0), 0);
    broker.logs_all(&["TLS handshake", "no complete TLS handshake within 1 s"]);
}

fn reload(site: &Site, broker: &Broker, keys: &str) {
    site.write("psk.txt", keys);
    broker.signal("HUP");
}

#[test]
fn a_key_that_is_taken_away_or_changed_ends_the_session() {
    let (site, port) = site(&format!("gone:{KEY}\nchanged:{KEY}\nsame:{KEY}\n"), "username = \"${device}\"");
    let broker = site.serve();
    let [gone, changed, mut same] = ["gone", "changed", "same"].map(|name| subscriber(port, name, KEY, &format!("{name}/#")));
    reload(&site, &broker, &format!("same:{KEY}\nchanged:{OTHER}\n"));
    broker.logs_all(&["may not go on", "the pre-shared key of `gone` is not kept here any more"]);
    broker.logs_all(&["may not go on", "the pre-shared key of `changed` is another one by now"]);
    for client in [&gone, &changed] {
        client.wait_for("DISCONNECT");
    }
    publish(port, "changed", KEY, "changed/x");
    broker.logs("the client does not hold the pre-shared key of `changed`");
    publish(port, "changed", OTHER, "changed/x").succeeded();
    publish(port, "same", KEY, "same/x").succeeded();
    same.wait_for("message same/x x");
    assert!(same.is_running());
    // A file that cannot be used changes nothing.
    reload(&site, &broker, &format!("same:{KEY}\nchanged:secret\n"));
    broker.logs_all(&["psk.txt", "line 2: the key of `changed` is not written in pairs of hexadecimal digits"]);
    publish(port, "same", KEY, "same/y").succeeded();
    same.wait_for("message same/y x");
    assert!(!broker.log().contains("secret"));
}

#[test]
fn a_suspended_device_stays_out_whatever_proves_its_name() {
    let (site, port) = site(&format!("pump-7:{KEY}\n"), "");
    let broker = site.serve();
    let session = subscriber(port, "pump-7", KEY, "pump-7/#");
    site.signet(&["device", "suspend", "pump-7"]).succeeded();
    session.wait_for("DISCONNECT");
    assert_ne!(publish(port, "pump-7", KEY, "pump-7/x").code, Some(0));
    broker.logs_all(&["suspension", "keys", "pump-7"]);
    site.signet(&["device", "resume", "pump-7"]).succeeded();
    publish(port, "pump-7", KEY, "pump-7/x").succeeded();
}

#[test]
fn keys_as_characters() {
    let secret = "BA0DB2A3-4483-45A3-A13A-91C2ADA44778";
    let (site, port) = site(&format!("emqx_c={secret}\n"), "psk_encoding = \"text\"\npsk_separator = \"=\"");
    let _broker = site.serve();
    let hex: String = secret.bytes().map(|octet| format!("{octet:02x}")).collect();
    publish(port, "emqx_c", &hex, "emqx_c/x").succeeded();
}

#[test]
fn what_is_wrong_in_the_configuration_is_named() {
    let (site, _) = site(&format!("pump-7:{KEY}\n"), "");
    let text = std::fs::read_to_string(site.path("signet.toml")).unwrap();
    let check = |more: &str, expected: &str| {
        site.write("signet.toml", &text.replacen("\npsk_file = \"psk.txt\"", &format!("\n{more}"), 1));
        let finished = site.signet(&["check"]);
        assert_eq!(finished.code, Some(3), "{more}: {}", finished.output);
        assert!(finished.says(expected), "{more}: {}", finished.output);
    };
    let key = "psk_file = \"psk.txt\"\n";
    check("psk_file = \"none.txt\"", "cannot read");
    check(&format!("{key}certificate = \"server/server.pem\""), "`certificate` has no meaning beside `psk_file`");
    check(&format!("{key}client_certificate = \"none\""), "`client_certificate` has no meaning beside `psk_file`");
    check(&format!("{key}anonymous = true"), "`anonymous` has no meaning where every client must have a key");
    check(&format!("{key}device = \"${{cert.cn}}\""), "`device` has no meaning where a pre-shared key names the device");
    check(&format!("{key}username = \"${{cert.serial}}\""), "needs a certificate");
    check(&format!("{key}psk_separator = \"\""), "`psk_separator` cannot stand between");
    check(&format!("{key}psk_minimum = 33"), "psk.txt`: line 1: the key of `pump-7` has 32 octets, at least 33 are needed");
    check(
        "psk_minimum = 8\ncertificate = \"server/server.pem\"\nkey = \"server/server.key\"\ntrust = [\"ca/ca.pem\"]",
        "`psk_minimum` without `psk_file`",
    );
    site.write("psk.txt", &format!("pump-7:{KEY}\npump-8:xyz\n"));
    check(key, "psk.txt`: line 2: the key of `pump-8` is not written in pairs of hexadecimal digits");
    check("psk_lookup = \"keys\"", "there is no [[psk_lookup]] `keys`");
    let table = |command: &str| {
        format!("[[psk_lookup]]\nname = \"keys\"\ntype = \"redis\"\naddresses = [\"127.0.0.1\"]\ncommand = \"{command}\"\n")
    };
    let named = "psk_lookup = \"keys\"\n";
    check(&format!("{named}psk_separator = \"=\"\n{}", table("GET ${device}")), "`psk_separator` without `psk_file`");
    check(&format!("{named}certificate = \"x\"\n{}", table("GET ${device}")), "`certificate` has no meaning beside `psk_lookup`");
    check(&format!("{named}{}", table("HMGET ${device} key")), "which brings more than one value");
    check(&format!("{named}{}", table("GET ${username}")), "nobody knows before the key is proved");
    check("psk_lookup = \"kyes\"\n[[psk_lookup]]\nname = \"keys\"\ntype = \"sql\"\n", "there is no type `sql`");
}

/// A listener that asks Redis, and has the key of one device, `watcher`, in a file.
#[track_caller]
fn site_with(redis: &RedisServer, more: &str) -> (Site, u16) {
    let (site, port) = site(&format!("watcher:{OTHER}\n"), "username = \"${device}\"");
    site.edit("signet.toml", |text| {
        let text = text.replacen("\npsk_file = ", "\npsk_lookup = \"keys\"\npsk_file = ", 1);
        let address = format!("addresses = [\"127.0.0.1:{}\"]", redis.port());
        let command = "command = \"HGET psk:${device} key\"";
        format!("{text}\n[[psk_lookup]]\nname = \"keys\"\ntype = \"redis\"\n{address}\n{command}\ncache = \"0s\"\n{more}\n")
    });
    site.signet(&["check"]).succeeded();
    (site, port)
}

fn redis_with(keys: &[(&str, &str)]) -> RedisServer {
    let redis = RedisServer::start(&RedisOptions::default());
    for (device, key) in keys {
        redis.cli(&["HSET", &format!("psk:{device}"), "key", key]);
    }
    redis
}

#[test]
fn keys_in_redis_let_in_who_holds_them_and_nobody_else() {
    let redis = redis_with(&[("pump-7", KEY), ("watcher", KEY), ("short", "aabb"), ("odd", "secret-secret-secret")]);
    let (site, port) = site_with(&redis, "");
    let broker = site.serve();
    // What is in the file counts, whatever Redis has.
    let watcher = subscriber(port, "watcher", OTHER, "#");
    assert_ne!(publish(port, "watcher", KEY, "watcher/x").code, Some(0));
    for (version, alert) in [("-tls1_2", "alert number 20"), ("-tls1_3", "alert number 47")] {
        let said = s_client(&site, port, &["-psk_identity", "pump-7", "-psk", KEY, version]);
        assert!(said.contains(ACCEPTED), "{said}");
        for (identity, key) in [
            ("pump-7", OTHER),
            ("pump-8", KEY),
            ("short", "aabb"),
            ("odd", KEY),
            ("pump-7 key", KEY),
            ("*", KEY),
            ("\"pump-7\"", KEY),
            ("x; FLUSHALL", KEY),
            ("x${device}", KEY),
            ("pump-7\r\nFLUSHALL", KEY),
        ] {
            let said = s_client(&site, port, &["-psk_identity", identity, "-psk", key, version]);
            assert!(!said.contains(ACCEPTED) && said.contains(alert), "{identity}: {said}");
        }
    }
    for words in [
        "the client does not hold the pre-shared key of `pump-7`",
        "no pre-shared key is known for the identity `pump-8`",
        "no pre-shared key is known for the identity `pump-7 key`",
        "no pre-shared key is known for the identity `x; FLUSHALL`",
        "the pre-shared key of `short` could not be looked up: `keys`: the key has 2 octets, at least 16 are needed",
        "the pre-shared key of `odd` could not be looked up: `keys`: the key is not written in pairs of hexadecimal digits",
    ] {
        broker.logs_all(&["pre-shared key", "keys", words]);
    }
    assert!(!broker.log().contains("secret-secret") && !broker.log().contains(KEY));
    publish(port, "pump-7", KEY, "pump-7/x").succeeded();
    watcher.wait_for("message pump-7/x x");
    let listed = site.signet(&["auth", "list", "--json"]).succeeded().output;
    assert!(listed.contains("\"keys\""), "{listed}");
    // The next connection is looked up anew; the session that is there stays.
    let mut session = subscriber(port, "pump-7", KEY, "pump-7/#");
    redis.cli(&["HSET", "psk:pump-7", "key", OTHER]);
    assert_ne!(publish(port, "pump-7", KEY, "pump-7/y").code, Some(0));
    publish(port, "pump-7", OTHER, "pump-7/z").succeeded();
    session.wait_for("message pump-7/z x");
    assert!(session.is_running());
}

#[test]
fn without_redis_nobody_new_comes_in_and_the_others_on_the_shard_do_not_notice() {
    let mut redis = redis_with(&[("pump-7", KEY)]);
    let (site, port) = site_with(&redis, "timeout = \"2s\"\nbreaker_failures = 3\nbreaker_pause = \"200ms\"");
    site.edit("signet.toml", |text| format!("shards = 1\n{text}"));
    let broker = site.serve();
    let watcher = subscriber(port, "watcher", OTHER, "#");
    let session = subscriber(port, "pump-7", KEY, "pump-7/#");
    redis.stop();
    for version in ["-tls1_2", "-tls1_3", "-tls1_3", "-tls1_3"] {
        let said = s_client(&site, port, &["-psk_identity", "pump-7", "-psk", KEY, version]);
        let alert = if version == "-tls1_2" { "alert number 20" } else { "alert number 47" };
        assert!(!said.contains(ACCEPTED) && said.contains(alert), "{said}");
    }
    broker.logs_all(&["the pre-shared key of `pump-7` could not be looked up: `keys`: ", "cannot connect to 127.0.0.1"]);
    broker.logs("times in a row and is not asked for a while");
    redis.restart();
    let is_in = || publish(port, "pump-7", KEY, "pump-7/back").code == Some(0);
    assert!((0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        is_in()
    }));
    watcher.wait_for("message pump-7/back x");
    session.wait_for("message pump-7/back x");
    // It takes connections and says nothing: while one device waits, another comes in by the file, on the only shard.
    redis.freeze();
    let waiting = Running::start(mosquitto("pub", port, "pump-7", KEY).args(["-t", "pump-7/late", "-m", "x"]));
    publish(port, "watcher", OTHER, "watcher/x").succeeded();
    watcher.wait_for("message watcher/x x");
    assert_ne!(waiting.finish().code, Some(0));
    broker.logs("could not be looked up: `keys`: no answer from `keys` within 2s");
    redis.thaw();
}

#[test]
fn a_reload_may_ask_somebody_else() {
    let (one, other) = (redis_with(&[("pump-7", KEY)]), redis_with(&[("pump-7", OTHER)]));
    let (site, port) = site_with(&one, "");
    let broker = site.serve();
    let mut session = subscriber(port, "pump-7", KEY, "pump-7/#");
    let text = std::fs::read_to_string(site.path("signet.toml")).unwrap();
    site.edit("signet.toml", |text| text.replace(&format!("127.0.0.1:{}\"", one.port()), &format!("127.0.0.1:{}\"", other.port())));
    broker.signal("HUP");
    broker.logs("reloaded");
    assert_ne!(publish(port, "pump-7", KEY, "pump-7/x").code, Some(0));
    publish(port, "pump-7", OTHER, "pump-7/y").succeeded();
    session.wait_for("message pump-7/y x");
    assert!(session.is_running());
    // Nobody is asked any more: whom it let in has to go.
    let (before, _) = text.split_once("\n[[psk_lookup]]").unwrap();
    site.write("signet.toml", &before.replace("\npsk_lookup = \"keys\"", ""));
    broker.signal("HUP");
    session.wait_for("DISCONNECT");
    broker.logs("the pre-shared key of `pump-7` comes from nobody any more");
}

/// Our own client: both ends prove themselves by the key.
#[test]
fn our_own_client_and_whom_it_does_not_believe() {
    let (site, port) = site(&format!("pump-7:{KEY}\nwatcher:{OTHER}\n"), "");
    let broker = site.serve();
    let port = port.to_string();
    let with = |action: &str, port: &str, identity: &str, key: &str, more: &[&str]| {
        let mut arguments = vec![action, "-h", "127.0.0.1", "-p", port, "--psk-identity", identity, "--psk", key];
        arguments.extend(more);
        site.command(&arguments)
    };
    let watcher = Running::start(&mut with("sub", &port, "watcher", OTHER, &["-d", "--json", "-t", "pump-7/#"]));
    watcher.wait_for("received SUBACK");
    Running::run(&mut with("pub", &port, "pump-7", KEY, &["-t", "pump-7/x", "-m", "x", "-q", "1"])).succeeded();
    watcher.wait_for("\"pump-7/x\"");
    let refused = Running::run(&mut with("pub", &port, "pump-7", OTHER, &["-t", "pump-7/x", "-m", "x"]));
    assert!(refused.says("the broker refused this pre-shared key"), "{}", refused.output);
    broker.logs("the client does not hold the pre-shared key of `pump-7`");
    // A server that shows a certificate has not shown that it has the key, and one without TLS shows nothing.
    let elsewhere = site.port().to_string();
    let refused = Running::run(&mut with("pub", &elsewhere, "pump-7", KEY, &["-t", "pump-7/x", "-m", "x"]));
    assert_ne!(refused.code, Some(0), "{}", refused.output);
    let usage = Running::run(&mut with("pub", &port, "pump-7", "xyz", &["-t", "x", "-m", "x"]));
    assert!(usage.code == Some(1) && usage.says("pairs of hexadecimal digits"), "{}", usage.output);
}

/// In WebSocket, and through a proxy that passes TLS on.
#[test]
fn keys_in_other_carriages() {
    let (site, port) = site(&format!("pump-7:{KEY}\n"), "");
    site.edit("signet.toml", |text| {
        text.replacen(
            "transport = \"tls\"\npsk_file",
            "transport = \"wss\"\nproxy_protocol = true\nproxy_trusted = [\"127.0.0.1\"]\npsk_file",
            1,
        )
    });
    let broker = site.serve();
    // A proxy that says who comes, and passes everything on.
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("wss://127.0.0.1:{}/mqtt", proxy.local_addr().unwrap().port());
    let passing = std::thread::spawn(move || {
        let (client, _) = proxy.accept().unwrap();
        let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
        server.write_all(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 8885\r\n").unwrap();
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let up = std::thread::spawn(move || drop((std::io::copy(&mut from, &mut to), to.shutdown(Shutdown::Write))));
        let mut client = client;
        drop((std::io::copy(&mut server, &mut client), client.shutdown(Shutdown::Write)));
        up.join().unwrap();
    });
    let arguments = ["pub", "--url", &url, "--psk-identity", "pump-7", "--psk", KEY, "-t", "pump-7/x", "-m", "x", "-q", "1"];
    site.signet(&arguments).succeeded();
    broker.logs_all(&["connected", "192.0.2.7", "device `pump-7`"]);
    passing.join().unwrap();
}

#[test]
fn many_devices_at_once() {
    let keys: String = (0..40).map(|number| format!("pump-{number}:{number:064x}\n")).collect();
    let (site, port) = site(&format!("{keys}watcher:{KEY}\n"), "");
    let _broker = site.serve();
    let watcher = subscriber(port, "watcher", KEY, "#");
    let clients: Vec<Running> = (0..40)
        .map(|number| {
            let (name, key) = (format!("pump-{number}"), format!("{number:064x}"));
            Running::start(mosquitto("pub", port, &name, &key).args(["-t", &format!("{name}/x"), "-m", &name]))
        })
        .collect();
    for client in clients {
        client.finish().succeeded();
    }
    for number in 0..40 {
        watcher.wait_for(&format!("message pump-{number}/x pump-{number}"));
    }
}
