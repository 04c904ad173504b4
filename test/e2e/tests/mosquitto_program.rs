//! The broker under the name `mosquitto`: its command line, its signals, whom it runs as, and its log, beside Mosquitto's own.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a test needs and does not get fails it")]

use std::collections::BTreeSet;
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use regex_lite::Regex;
use signet_e2e::{Finished, PATIENCE, Running, Site, Whose, repository};

const BROKER: &str = "mosquitto";

/// A configuration of ours that does what Mosquitto does by `conf`; `log` is what stands in [log], and `more` at the end.
fn configuration(site: &Site, log: &str, more: &str) {
    let text = format!(
        "data_dir = \"data\"\npid_file = \"m.pid\"\n[log]\nformat = \"mosquitto\"\n{log}\n[[listener]]\nname = \"plain\"\n\
         bind = [\"127.0.0.1:{}\"]\ntransport = \"tcp\"\n{more}",
        site.port()
    );
    site.write("m.toml", &text);
}

/// Everybody may do everything.
const OPEN: &str = "anonymous = true\n";

/// Only who knows a password may do something, and only below `a/`.
const WITH_PASSWORDS: &str = "[[authenticator]]\nname = \"file\"\ntype = \"password_file\"\nfile = \"passwords\"\n\
     [authentication]\nchain = [\"file\"]\n[[access]]\nwho = \"users\"\npublish = [\"a/#\"]\nsubscribe = [\"a/#\"]\n";

fn start(site: &Site, arguments: &[&str]) -> Running {
    let running = Whose::Ours.start(BROKER, site.folder(), arguments);
    running.wait_for("mosquitto version 2.1.2 running");
    running
}

fn client(site: &Site, name: &str, arguments: &[&str]) -> Finished {
    let port = site.port().to_string();
    let all: Vec<&str> = ["-h", "127.0.0.1", "-p", &port].into_iter().chain(arguments.iter().copied()).collect();
    Whose::Mosquittos.run(name, site.folder(), &all)
}

fn publish(site: &Site, arguments: &[&str]) -> Finished {
    client(site, "mosquitto_pub", arguments)
}

/// A process that is gone when this is, also where a test fails.
struct Ended(String);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(Command::new("kill").args(["-KILL", &self.0]).stderr(Stdio::null()).status());
    }
}

/// Waits until a file has what is wanted in it.
#[track_caller]
fn wait_for_file(path: &Path, wanted: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.contains(wanted) {
            return text;
        }
        assert!(Instant::now() < deadline, "`{}` does not say `{wanted}`:\n{text}", path.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

// --- the command line

/// What is wrong with a command line, for both.
#[test]
fn mistakes_on_the_command_line_end_it_as_they_end_mosquitto() {
    let site = Site::empty();
    let cases: [(&[&str], &str); 6] = [
        (&["--bogus"], "Error: Unknown option '--bogus'."),
        (&["-p"], "Error: -p argument given, but no port specified."),
        (&["-p", "99999"], "Error: Invalid port specified (99999)."),
        (&["-p", "mqtt"], "Error: Invalid port specified (0)."),
        (&["-c"], "Error: -c argument given, but no config file specified."),
        (
            &["-p", "1", "-p", "2", "-p", "3", "-p", "4", "-p", "5", "-p", "6", "-p", "7", "-p", "8", "-p", "9", "-p", "10", "-p", "11"],
            "Error: Only 10 ports can be specified on the command line.",
        ),
    ];
    for (arguments, message) in cases {
        for whose in Whose::BOTH {
            let ended = whose.run(BROKER, site.folder(), arguments);
            assert!(ended.says(message) && ended.code == Some(3), "{whose:?} {arguments:?}: {ended:?}");
        }
    }
}

#[test]
fn help_and_version_start_nothing() {
    let site = Site::empty();
    for (flag, text) in [("-h", "Usage: mosquitto "), ("--help", "Usage: mosquitto "), ("--version", "mosquitto 2.1.2")] {
        let ended = Whose::Ours.run(BROKER, site.folder(), &[flag]);
        assert!(ended.says(text) && ended.code == Some(13), "{flag}: {ended:?}");
    }
}

#[test]
fn a_configuration_is_tested_and_nothing_is_started() {
    let site = Site::empty();
    configuration(&site, "", OPEN);
    let ended = Whose::Ours.run(BROKER, site.folder(), &["-c", "m.toml", "--test-config"]);
    assert!(ended.says("Configuration file is OK.") && ended.code == Some(0), "{ended:?}");
    assert!(!site.path("data").exists());
    let ended = Whose::Ours.run(BROKER, site.folder(), &["--test-config"]);
    assert!(ended.says("Please provide a configuration file to test.") && ended.code == Some(3), "{ended:?}");
    configuration(&site, "types = [\"loud\"]", OPEN);
    let ended = Whose::Ours.run(BROKER, site.folder(), &["--test-config", "-c", "m.toml"]);
    assert!(ended.says("`loud` is no type of log line") && ended.code == Some(3), "{ended:?}");
    let ended = Whose::Ours.run(BROKER, site.folder(), &["-c", "nowhere.toml"]);
    assert_eq!(ended.code, Some(3), "{}", ended.output);
}

/// A port that is taken: one line in the log, and the code of Mosquitto.
#[test]
fn a_port_that_is_taken_ends_the_start() {
    let site = Site::empty();
    configuration(&site, "", OPEN);
    let _taken = std::net::TcpListener::bind(("127.0.0.1", site.port())).unwrap();
    let ended = Whose::Ours.run(BROKER, site.folder(), &["-c", "m.toml"]);
    assert!(ended.says("Error: ") && ended.says(&site.port().to_string()) && ended.code == Some(1), "{ended:?}");
    assert!(!site.path("m.pid").exists());
}

#[test]
fn quiet_goes_before_verbose_and_both_before_the_configuration() {
    let site = Site::empty();
    configuration(&site, "types = [\"notice\"]", OPEN);
    let verbose = start(&site, &["-c", "m.toml", "-v"]);
    publish(&site, &["-i", "pub", "-t", "a/b", "-m", "hello"]).succeeded();
    verbose.wait_for("Received PUBLISH from pub (d0, q0, r0, m0, 'a/b', ... (5 bytes))");
    verbose.signal("HUP");
    verbose.wait_for("Reloading config.");
    publish(&site, &["-i", "again", "-t", "a/b", "-m", "hello"]).succeeded();
    verbose.wait_for("Received PUBLISH from again ");
    verbose.signal("TERM");
    verbose.finish().succeeded();
    let quiet = Whose::Ours.start(BROKER, site.folder(), &["-c", "m.toml", "-v", "-q"]);
    wait_for_file(&site.path("m.pid"), "");
    let deadline = Instant::now() + PATIENCE;
    while publish(&site, &["-t", "a/b", "-m", "hello"]).code != Some(0) {
        assert!(Instant::now() < deadline);
    }
    quiet.signal("TERM");
    assert_eq!(quiet.finish().succeeded().output, "");
}

// --- the process

#[test]
fn it_goes_to_the_background_says_who_it_is_and_goes_when_told() {
    let site = Site::empty();
    configuration(&site, "to = [\"file:m.log\"]", OPEN);
    let began = Whose::Ours.run(BROKER, site.folder(), &["-c", "m.toml", "-d"]);
    assert_eq!((began.code, began.output.as_str()), (Some(0), ""));
    wait_for_file(&site.path("m.log"), "mosquitto version 2.1.2 running");
    let id = std::fs::read_to_string(site.path("m.pid")).unwrap();
    let _ended = Ended(id.clone());
    assert!(id.parse::<u32>().is_ok(), "{id}");
    assert_eq!(site.path("m.log").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    publish(&site, &["-t", "a", "-m", "b"]).succeeded();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    wait_for_file(&site.path("m.log"), "mosquitto version 2.1.2 terminating");
    let deadline = Instant::now() + PATIENCE;
    while site.path("m.pid").exists() {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Root becomes the user that is named, with that user's groups; others stay who they are.
#[test]
fn root_does_not_serve() {
    let site = Site::empty();
    let am_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    std::fs::set_permissions(site.folder(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let serve = |user: &str| {
        configuration(&site, "", OPEN);
        site.edit("m.toml", |text| format!("user = \"{user}\"\n{text}"));
        // Root may be in groups of its own, which must go too.
        let link = Whose::Ours.command(BROKER, site.folder());
        let mut command = Command::new(if am_root { "setpriv" } else { "env" });
        command.current_dir(site.folder()).args(am_root.then_some(["--groups", "0,4"]).into_iter().flatten());
        let running = Running::start(command.arg(link.get_program()).args(["-c", "m.toml"]));
        running.wait_for("mosquitto version 2.1.2 running");
        running
    };
    let broker = serve("nobody");
    if am_root {
        broker.wait_for("Info: running mosquitto as user: nobody.");
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", broker.id())).unwrap();
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_whitespace().map(|id| id.parse::<u32>().unwrap()).collect::<BTreeSet<_>>()
    };
    let own = std::fs::metadata("/proc/self").unwrap();
    drop(broker);
    let in_numbers = {
        let mut command = Whose::Ours.command(BROKER, site.folder());
        // What belongs to the other user.
        std::fs::remove_dir_all(site.path("data")).unwrap();
        std::fs::remove_file(site.path("m.pid")).unwrap();
        Running::start(command.args(["-c", "m.toml"]).env("PUID", "65533").env("PGID", "65532"))
    };
    in_numbers.wait_for("mosquitto version 2.1.2 running");
    if am_root {
        let status = std::fs::read_to_string(format!("/proc/{}/status", in_numbers.id())).unwrap();
        assert!(
            status.contains("Uid:\t65533\t65533") && status.contains("Gid:\t65532\t65532") && status.contains("Groups:\t65532"),
            "{status}"
        );
    }
    drop(in_numbers);
    if am_root {
        assert!(!of("Uid:").contains(&0) && !of("Gid:").contains(&0) && of("Groups:").is_disjoint(&BTreeSet::from([0, 4])), "{status}");
        assert_eq!(std::fs::metadata(site.path("data/ledger.redb")).unwrap().uid(), 65533);
    } else {
        assert_eq!(of("Uid:"), BTreeSet::from([own.uid()]));
    }
    let ended = {
        configuration(&site, "", OPEN);
        site.edit("m.toml", |text| format!("user = \"nobody-of-this-name\"\n{text}"));
        Whose::Ours.start(BROKER, site.folder(), &["-c", "m.toml"])
    };
    if am_root {
        let ended = ended.finish();
        assert!(ended.says("there is no such user") && ended.code == Some(1), "{ended:?}");
    } else {
        ended.wait_for("mosquitto version 2.1.2 running");
    }
}

#[test]
fn signals() {
    let site = Site::empty();
    configuration(&site, "to = [\"stderr\", \"file:m.log\"]", OPEN);
    let broker = start(&site, &["-c", "m.toml"]);
    broker.signal("USR1");
    broker.wait_for_line("Saving", |line| line.contains(": Saving in-memory database to ") && line.ends_with("data/store."));
    broker.signal("USR2");
    broker.wait_for("SIGUSR2: subscriptions=");
    std::fs::rename(site.path("m.log"), site.path("m.log.1")).unwrap();
    broker.signal("RTMIN");
    wait_for_file(&site.path("m.log"), "");
    publish(&site, &["-i", "later", "-t", "a", "-m", "b"]).succeeded();
    wait_for_file(&site.path("m.log"), " as later ");
    assert!(!std::fs::read_to_string(site.path("m.log.1")).unwrap().contains(" as later "));
    broker.signal("INT");
    broker.finish().succeeded();
}

#[test]
fn a_reload_takes_over_types_times_and_places() {
    let site = Site::empty();
    configuration(&site, "types = [\"all\"]\nto = [\"stderr\", \"file:one.log\"]", OPEN);
    let broker = start(&site, &["-c", "m.toml"]);
    publish(&site, &["-i", "first", "-t", "a", "-m", "b"]).succeeded();
    wait_for_file(&site.path("one.log"), "Client first [");
    configuration(&site, "types = [\"notice\"]\ntimestamps = \"%Y at\"\nto = [\"stderr\", \"file:two.log\"]", OPEN);
    broker.signal("HUP");
    let deadline = Instant::now() + PATIENCE;
    while !std::fs::read_to_string(site.path("two.log")).is_ok_and(|text| text.contains("probe")) {
        assert!(Instant::now() < deadline);
        publish(&site, &["-i", "probe", "-t", "a", "-m", "b"]).succeeded();
    }
    publish(&site, &["-i", "client-2", "-t", "a", "-m", "b"]).succeeded();
    let two = wait_for_file(&site.path("two.log"), "Client client-2 [");
    assert!(two.lines().all(|line| line.get(4..9) == Some(" at: ") && !line.contains("PUBLISH")), "{two}");
    assert!(std::fs::read_to_string(site.path("one.log")).unwrap().contains("Received PUBLISH from first"));
    assert!(!std::fs::read_to_string(site.path("one.log")).unwrap().contains("client-2"));
    configuration(&site, "timestamps = \"none\"\nconnection_messages = false\nto = [\"file:nowhere/three.log\"]", OPEN);
    broker.signal("HUP");
    publish(&site, &["-i", "third", "-t", "a", "-m", "b"]).succeeded();
    // What cannot be opened changes nothing.
    wait_for_file(&site.path("two.log"), "Client third [");
    configuration(&site, "timestamps = \"none\"\nconnection_messages = false\nto = [\"stderr\"]", OPEN);
    broker.signal("HUP");
    broker.wait_for_line("a line without a time", |line| line.starts_with("configuration reloaded"));
    publish(&site, &["-i", "fourth", "-t", "a", "-m", "b"]).succeeded();
    broker.signal("TERM");
    assert!(!broker.finish().succeeded().says("fourth"));
}

// --- places

#[test]
fn lines_go_to_topics_and_to_the_systems_log() {
    let site = Site::empty();
    let syslog = UnixDatagram::bind(site.path("log")).unwrap();
    syslog.set_read_timeout(Some(PATIENCE)).unwrap();
    let log = "to = [\"topic\", \"syslog\", \"stderr\"]\nsyslog_socket = \"log\"\nsyslog_facility = \"local3\"\n\
               types = [\"all\"]\ntimestamps = \"none\"";
    configuration(&site, log, OPEN);
    let broker = start(&site, &["-c", "m.toml"]);
    let port = site.port().to_string();
    let arguments = ["-h", "127.0.0.1", "-p", &port, "-i", "reader", "-v", "-F", "%t %r %p", "-t", "$SYS/broker/log/#"];
    let reader = Whose::Mosquittos.start("mosquitto_sub", site.folder(), &arguments);
    broker.wait_for("Sending SUBACK to reader");
    let wishes = ["-i", "other", "-t", "a/b", "-U", "a/c", "-W", "1"];
    client(&site, "mosquitto_sub", &wishes);
    let expected = [
        "$SYS/broker/log/N 0 New client connected from 127.0.0.1:",
        "$SYS/broker/log/M/subscribe 0 other 0 a/b",
        "$SYS/broker/log/M/unsubscribe 0 other a/c",
    ];
    for line in expected {
        reader.wait_for(line);
    }
    assert!(!reader.output().contains("log/D"), "lines about packets would make more of themselves:\n{}", reader.output());
    // Local3 is 19, and a notice is 5.
    let mut heard = [0; 2000];
    let wanted =
        Regex::new("^<157>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} mosquitto\\[[0-9]+\\]: New client connected from .* as other ").unwrap();
    loop {
        let length = syslog.recv(&mut heard).expect("the line comes");
        if wanted.is_match(&String::from_utf8_lossy(&heard[..length])) {
            break;
        }
    }
}

/// Nobody reads what the broker writes, and it serves.
#[test]
fn a_place_that_is_stuck_holds_up_nobody() {
    let site = Site::empty();
    configuration(&site, "to = [\"stdout\", \"file:m.log\"]\ntypes = [\"all\"]", OPEN);
    let mut command = Whose::Ours.command(BROKER, site.folder());
    let mut broker = command.args(["-c", "m.toml"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let ended = Ended(broker.id().to_string());
    wait_for_file(&site.path("m.log"), "mosquitto version 2.1.2 running");
    // More than may wait, and what a pipe holds.
    for _ in 0..4 {
        let mut sender = Whose::Mosquittos.command("mosquitto_pub", site.folder());
        let port = site.port().to_string();
        let mut sender = Running::start(sender.args(["-h", "127.0.0.1", "-p", &port, "-i", "many", "-q", "1", "-t", "a/b", "-l"]));
        sender.write("hello\n".repeat(3_000).as_bytes());
        sender.close_input();
        sender.finish().succeeded();
    }
    // The end of the last one is in the place that is not stuck.
    let lines = wait_for_file(&site.path("m.log"), "Client many [");
    assert!(lines.matches("Received PUBLISH from many").count() >= 1_000);
    drop(ended);
    broker.wait().unwrap();
}

/// The secrets of connections, and only for their owner.
#[test]
fn the_secrets_of_tls_go_into_a_file() {
    let site = Site::quickstart();
    let broker = Whose::Ours.start(BROKER, site.folder(), &["-c", "signet.toml", "--tls-keylog", "keys"]);
    broker.wait_for("listening");
    let credentials = site.device("pump-7");
    let (certificate, key) = credentials.certificate.unwrap();
    let tls = ["--cafile", path(&credentials.cafile), "--cert", path(&certificate), "--key", path(&key), "-t", "pump-7/x", "-m", "1"];
    let port = site.port().to_string();
    let all: Vec<&str> = ["-h", "localhost", "-p", &port].into_iter().chain(tls).collect();
    Whose::Mosquittos.run("mosquitto_pub", site.folder(), &all).succeeded();
    wait_for_file(&site.path("keys"), "CLIENT_TRAFFIC_SECRET_0 ");
    assert_eq!(site.path("keys").metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path of the test is UTF-8")
}

// --- the words

/// What a client does that Mosquitto 2.0 and 2.1 log alike.
fn play(site: &Site) {
    let user = ["-u", "alice", "-P", "secret"];
    let with_user = |more: &[&'static str]| -> Vec<&'static str> { user.into_iter().chain(more.iter().copied()).collect() };
    publish(site, &with_user(&["-i", "pub", "-q", "2", "-t", "a/b", "-m", "hello"])).succeeded();
    publish(site, &with_user(&["-i", "pub", "-V", "5", "-q", "1", "-r", "-t", "a/r", "-m", "kept"])).succeeded();
    publish(site, &with_user(&["-i", "pub", "-V", "5", "-q", "1", "-t", "x/b", "-m", "no"]));
    let subscriber = ["-i", "sub", "-q", "1", "-t", "a/r", "-C", "1", "--will-topic", "a/w", "--will-payload", "gone", "--will-qos", "1"];
    client(site, "mosquitto_sub", &with_user(&subscriber)).succeeded();
    client(site, "mosquitto_sub", &with_user(&["-i", "sub", "-t", "a/none", "-U", "a/other", "-W", "1"]));
    publish(site, &["-u", "alice", "-P", "wrong", "-i", "guess", "-t", "a/b", "-m", "hello"]);
    publish(site, &["-i", "nobody", "-t", "a/b", "-m", "hello"]);
}

/// Lines without what differs from run to run.
fn shapes(log: &str) -> BTreeSet<String> {
    let rules = [
        (r"^\d+: ", ""),
        (r"127\.0\.0\.1:\d+", "HOST"),
        (r"port \d+", "port N"),
        // Levels of MQTT in 2.1, counted differently in 2.0.
        (r"\(p\d, ", "(pV, "),
    ];
    let rules = rules.map(|(pattern, with)| (Regex::new(pattern).unwrap(), with));
    log.lines().map(|line| rules.iter().fold(line.to_owned(), |line, (rule, with)| rule.replace_all(&line, *with).into_owned())).collect()
}

/// The words in which both say the same, by running both.
#[test]
fn both_say_the_same_of_the_same() {
    let theirs = {
        let site = Site::empty();
        passwords(&site);
        site.write("acl", "user alice\ntopic readwrite a/#\n");
        let text = format!("user root\nlistener {} 127.0.0.1\nallow_anonymous false\npassword_file passwords\nacl_file acl\n", site.port());
        site.write("m.conf", &text);
        let broker = Whose::Mosquittos.start(BROKER, site.folder(), &["-c", "m.conf", "-v"]);
        broker.wait_for(" running");
        play(&site);
        broker.signal("TERM");
        broker.finish().output
    };
    let ours = {
        let site = Site::empty();
        passwords(&site);
        configuration(&site, "", WITH_PASSWORDS);
        let broker = start(&site, &["-c", "m.toml", "-v"]);
        play(&site);
        broker.signal("TERM");
        broker.finish().output
    };
    let (theirs, ours) = (shapes(&theirs), shapes(&ours));
    // What 2.1 words differently from the 2.0 that runs here, and what is about the program.
    let differs = |line: &&String| {
        ["mosquitto version", "Config loaded", "Warning: Mosquitto should not be run as root", " disconnected"]
            .iter()
            .any(|text| line.contains(text))
    };
    let missing: Vec<&String> = theirs.iter().filter(|line| !differs(line)).filter(|line| !ours.contains(*line)).collect();
    assert!(missing.is_empty(), "missing:\n{missing:#?}\nours:\n{ours:#?}");
    assert!(theirs.len() > 25, "{theirs:#?}");
    for line in [
        "Client pub [HOST] disconnected.",
        "Client guess [HOST] disconnected: not authorised.",
        "Client nobody [HOST] disconnected: not authorised.",
    ] {
        assert!(ours.contains(line), "{line}\n{ours:#?}");
    }
}

/// A password file with the user `alice`, made by Mosquitto's own program.
fn passwords(site: &Site) {
    Whose::Mosquittos.run("mosquitto_passwd", site.folder(), &["-c", "-b", "passwords", "alice", "secret"]).succeeded();
    std::fs::set_permissions(site.path("passwords"), std::fs::Permissions::from_mode(0o644)).unwrap();
}

/// Expressions as people have them for Mosquitto, with what they are to find. `<HOST>` is what fail2ban puts an address for.
const EXPRESSIONS: [(&str, &str); 9] = [
    (r"^\s*\d+: New connection from <HOST>:\d+ on port \d+\.$", "who comes"),
    (r"^\s*\d+: New client connected from <HOST>:\d+ as .* \(p\d+, c[01], k\d+(?:, u'.*')?\)\.$", "who is let in"),
    (r"^\s*\d+: Client .* \[<HOST>:\d+\] disconnected: not authorised\.$", "who guesses passwords"),
    (r"^\s*\d+: Client <HOST> \[<HOST>:\d+\] disconnected: [Pp]rotocol error\.$", "who does not speak MQTT"),
    (r"^\s*\d+: Client connection from <HOST> denied: max_connections exceeded\.$", "who comes in crowds"),
    (r"^\s*\d+: Client from <HOST>:\d+ appears to be using TLS to connect to a non-TLS listener\.$", "who takes the wrong port"),
    (r"^\s*\d+: Client <HOST> \[<HOST>:\d+\] disconnected: connection closed by client\.$", "who looks whether there is something"),
    (r"^\s*\d+: Client .* \[<HOST>:\d+\] disconnected\.$", "who leaves"),
    // Two lines, as in fail2ban's issue 3427 but with the words of 2.1.
    (
        r".+ New connection from <HOST>:\d+ on port \d+\.\n+.+ Client guess \[.*\] disconnected: not authorised\.",
        "who guesses, in two lines",
    ),
];

fn finds(expression: &str, log: &str) -> bool {
    let pattern = expression.replace("<HOST>", r"(?:\d+\.\d+\.\d+\.\d+)");
    Regex::new(&format!("(?m){pattern}")).unwrap().is_match(log)
}

#[test]
fn expressions_for_mosquittos_log_find_what_they_look_for() {
    let site = Site::empty();
    passwords(&site);
    configuration(&site, "", &format!("maximum_connections = 3\n{WITH_PASSWORDS}"));
    let broker = start(&site, &["-c", "m.toml"]);
    publish(&site, &["-i", "pub", "-u", "alice", "-P", "secret", "-t", "a/b", "-m", "1"]).succeeded();
    publish(&site, &["-i", "guess", "-u", "alice", "-P", "wrong", "-t", "a/b", "-m", "1"]);
    broker.wait_for("Client guess [");
    let connect = || TcpStream::connect(("127.0.0.1", site.port())).unwrap();
    let say = |bytes: &[u8]| {
        let mut stream = connect();
        std::io::Write::write_all(&mut stream, bytes).unwrap();
        // Until it is told to go.
        let _ = std::io::Read::read(&mut stream, &mut [0; 100]);
    };
    say(b"\x16\x03\x01\x00\x05hello");
    say(b"GET / HTTP/1.1\r\n\r\n");
    connect().shutdown(Shutdown::Both).unwrap();
    broker.wait_for("connection closed by client.");
    let crowd: Vec<TcpStream> = (0..6).map(|_| connect()).collect();
    broker.wait_for("max_connections exceeded");
    drop(crowd);
    broker.signal("TERM");
    let log = broker.finish().succeeded().output;
    for (expression, what) in EXPRESSIONS {
        assert!(finds(expression, &log), "{what}: {expression}\n{log}");
    }
    for expression in guide().iter().filter(|expression| !expression.contains("certificate")) {
        assert!(finds(expression, &log), "the guide: {expression}\n{log}");
    }
}

/// The expressions that the guide shows.
fn guide() -> Vec<String> {
    let guide = std::fs::read_to_string(repository().join("docs/guide/mosquitto-log.md")).unwrap();
    let shown = guide.split("failregex = ").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
    let expressions: Vec<String> = shown.lines().map(|line| line.trim().to_owned()).collect();
    assert!(expressions.len() > 3, "{expressions:?}");
    expressions
}

/// One line more than Mosquitto has, in one form, when a certificate is accepted, refused, and not believed any more.
#[test]
fn the_facts_of_a_certificate_are_in_a_line_of_their_own() {
    let site = Site::quickstart();
    site.edit("signet.toml", |text| text.replace("format = \"text\"", "format = \"mosquitto\""));
    let broker = start(&site, &["-c", "signet.toml"]);
    let device = site.device("pump-7");
    let (certificate, key) = device.certificate.unwrap();
    let port = site.port().to_string();
    let tls = ["-h", "localhost", "-p", &port, "--cafile", path(&device.cafile), "--cert", path(&certificate), "--key", path(&key)];
    let arguments: Vec<&str> = tls.into_iter().chain(["-i", "watcher", "-t", "pump-7/#"]).collect();
    let watcher = Whose::Mosquittos.start("mosquitto_sub", site.folder(), &arguments);
    broker.wait_for_line("TLS", |line| line.contains("Client watcher negotiated TLSv1.3 cipher TLS_"));
    let facts = "subject=\"CN=pump-7\", issuer=\"CN=[^\"]+\", serial=[0-9A-F:]+, sha256=[0-9a-f]{64}\\.$";
    let accepted = Regex::new(&format!("^\\d+: Client watcher \\[[0-9a-f.:]+:\\d+\\] certificate accepted: {facts}")).unwrap();
    broker.wait_for_line("accepted", |line| accepted.is_match(line));
    site.signet(&["device", "revoke", "pump-7", "--reason", "keyCompromise"]).succeeded();
    let refused = |client: &str| {
        let head = format!(
            "^\\d+: Client {client} \\[[0-9a-f.:]+:\\d+\\] certificate refused: check=\"revocation\", reason=\"[^\"]*keyCompromise[^\"]*\""
        );
        Regex::new(&format!("{head}, {facts}")).unwrap()
    };
    let lost = refused("watcher");
    broker.wait_for_line("the session ends", |line| lost.is_match(line));
    broker.wait_for_line("and goes", |line| line.contains("Client watcher [") && line.ends_with("] disconnected: administrative action."));
    drop(watcher);
    let arguments: Vec<&str> = tls.into_iter().chain(["-i", "late", "-t", "pump-7/x", "-m", "1"]).collect();
    Whose::Mosquittos.run("mosquitto_pub", site.folder(), &arguments);
    let late = refused("[0-9a-f.:]+");
    broker.wait_for_line("it does not come back", |line| late.is_match(line));
    broker.wait_for("OpenSSL Error while trying to get the error[0]: error:0A000086:SSL routines::certificate verify failed");
    broker.wait_for_line("the end", |line| line.ends_with("] disconnected: Protocol error."));
    let log = broker.output().replace("[::1]", "[127.0.0.1]").replace("[::1:", "[127.0.0.1:");
    let expression = guide().into_iter().find(|expression| expression.contains("certificate")).unwrap();
    assert!(finds(&expression, &log), "{expression}\n{log}");
}
