//! Our programs under the names of Mosquitto's, and those themselves, with the same words against the same broker: stdout, stderr and exit code, octet by
//! octet. The judge is release 2.0.11; where 2.1.2 says something else, a table says what.

#![expect(clippy::expect_used, clippy::panic, reason = "a rig that cannot do its job fails the test that uses it")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use signet_e2e::{Broker, Running, Site, Whose};
use signet_testkit::Mosquitto;

/// How a program ended and what it said.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    code: Option<i32>,
    out: String,
    err: String,
}

/// What a case waits for at most; nothing takes as long.
const PATIENCE: Duration = Duration::from_secs(30);

fn run(whose: Whose, folder: &Path, words: &[String], input: &[u8]) -> Told {
    let (name, arguments) = words.split_first().expect("a case names a program");
    let mut child = whose
        .command(name, folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A program that does not read its input closes it: that is for the comparison to find.
    let _ = stdin.write_all(input);
    drop(stdin);
    let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let code = wait(&mut child, words);
    Told { code, out: settled(&out.join().expect("read")), err: settled(&err.join().expect("read")) }
}

fn reader(stream: Option<impl std::io::Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.expect("a pipe").read_to_end(&mut bytes);
        bytes
    })
}

fn wait(child: &mut Child, words: &[String]) -> Option<i32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            return status.code();
        }
        if Instant::now() >= deadline {
            let _ = child.kill();
            panic!("{words:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Octets as text, without what differs from run to run: identifiers made up by a broker or by the library, and the time of day.
fn settled(bytes: &[u8]) -> String {
    let text: String = bytes.iter().copied().map(char::from).collect();
    let lines = text.split('\n').map(|line| match line.strip_prefix("Client ").and_then(|rest| rest.split_once(' ')) {
        Some((name, rest)) if name.len() >= 20 => format!("Client ID {rest}"),
        _ => without_time(line),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `…T12:34:56.789012` becomes `…T`.
fn without_time(line: &str) -> String {
    match line.split_once('T').filter(|(before, _)| before.ends_with(|letter: char| letter.is_ascii_digit())) {
        Some((before, after)) => {
            format!("{before}T{}", after.trim_start_matches(|letter: char| letter.is_ascii_digit() || ":.".contains(letter)))
        }
        None => line.to_owned(),
    }
}

/// What release 2.0.11 says, as 2.1.2 says it: errors of the library without a full stop.
fn as_newer(mut told: Told) -> Told {
    for words in [
        "A network protocol error occurred when communicating with the broker",
        "The client is not currently connected",
        "The connection was refused",
        "The connection was lost",
        "A TLS error occurred",
        "This feature is not supported",
        "Lookup error",
        "Packet larger than supported by the server",
        "Connection Refused: not authorised",
        "Connection Refused: bad user name or password",
    ] {
        told.err = told.err.replace(&format!("{words}."), words);
    }
    // OpenSSL's own lines are its own affair.
    told.out = told.out.split_inclusive('\n').filter(|line| !line.starts_with("OpenSSL Error")).collect();
    told
}

/// A line of words, with `{port}` and the like filled in. Quotation marks keep blanks together.
fn words(line: &str, port: u16) -> Vec<String> {
    let line = line.replace("{port}", &port.to_string());
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Runs both, and compares.
fn compare(folder: &Path, port: u16, line: &str, input: &[u8], before: &str) {
    let words = words(line, port);
    let [mosquittos, ours] = [Whose::Mosquittos, Whose::Ours].map(|whose| {
        for line in before.split(';').filter(|line| !line.trim().is_empty()) {
            let told = run(Whose::Mosquittos, folder, &self::words(line, port), b"");
            assert_eq!(told.code, Some(0), "{line}: {told:?}");
        }
        run(whose, folder, &words, input)
    });
    let (mut mosquittos, mut ours) = (as_newer(mosquittos), ours);
    if words.iter().any(|word| word == "-l") {
        // Two threads there, one here: an acknowledgement is told before or after the next message.
        (mosquittos.out, ours.out) = (sorted(&mosquittos.out), sorted(&ours.out));
    }
    assert_eq!(ours, mosquittos, "{line}");
}

fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// A broker of ours for everybody, on a plain port.
fn signet() -> (Site, Broker) {
    let site = Site::empty();
    let port = site.port();
    let text = "[store]\nenabled = false\n[[listener]]\nname = \"plain\"\ntransport = \"tcp\"\nanonymous = true\n";
    std::fs::write(site.path("signet.toml"), format!("{text}bind = \"127.0.0.1:{port}\"\n")).expect("the file can be written");
    let broker = site.serve();
    (site, broker)
}

/// Words, input, and what is published before each of the two runs.
type Case = (&'static str, &'static [u8], &'static str);

const KEPT: &str = "mosquitto_pub -p {port} -t k -m hello -r -q 2";

/// Every flag that changes what happens between a client and a broker.
const CASES: &[Case] = &[
    // --- pub: sources, quality of service, versions
    ("mosquitto_pub -p {port} -t a -m x -d -V 31", b"", ""),
    ("mosquitto_pub -p {port} -t a -m x -d -q 1 -V mqttv31", b"", ""),
    ("mosquitto_pub -p {port} -t a -m x -d -q 2 -r", b"", ""),
    ("mosquitto_pub -p {port} -t a -m x -d -q 1 -V 5", b"", ""),
    ("mosquitto_pub -p {port} -t a -m x -d -q 2 -V mqttv5 -i me", b"", ""),
    ("mosquitto_pub -p {port} -t a -m '' -d", b"", ""),
    ("mosquitto_pub -p {port} -t a -n -d", b"", ""),
    ("mosquitto_pub -p {port} -t a -f payload -d", b"", ""),
    ("mosquitto_pub -p {port} -t a -s -d", b"all\nof it", ""),
    ("mosquitto_pub -p {port} -t a -s", b"", ""),
    ("mosquitto_pub -p {port} -t a -l -d", b"one\ntwo\nno end", ""),
    ("mosquitto_pub -p {port} -t a -l -d -q 1", b"one\n\nthree\n", ""),
    ("mosquitto_pub -p {port} -t a -l -d -q 2 -V 5", b"one\n", ""),
    ("mosquitto_pub -p {port} -t a -l -d", b"", ""),
    ("mosquitto_pub -p {port} -t a -m x -d --repeat 3 -q 1", b"", ""),
    ("mosquitto_pub -p {port} -t a -m x -d --repeat 2 --repeat-delay 0.2", b"", ""),
    ("mosquitto_pub -p {port} -t a -l -d -q 1 -M 1", b"one\ntwo\nthree\n", ""),
    ("mosquitto_pub -p {port} -t a -m x --quiet -d", b"", ""),
    ("mosquitto_pub -L mqtt://user:secret@localhost:{port}/a/b -m x -d", b"", ""),
    ("mosquitto_pub -h 127.0.0.1 -p {port} -A 127.0.0.1 --nodelay -k 10 -u me -P secret -t a -m x -d", b"", ""),
    ("mosquitto_pub -p {port} -I prefix -t a -m x", b"", ""),
    ("mosquitto_pub -p {port} -t a -m x -c -i keeps -d", b"", ""),
    ("mosquitto_pub -p {port} -t a -m x -x 5 -d -V 5 -i keeps", b"", ""),
    ("mosquitto_pub -p {port} -t a -m x --will-topic w --will-payload gone --will-qos 1 --will-retain -d", b"", ""),
    // --- properties
    ("mosquitto_pub -p {port} -t a -m x -D publish topic-alias 1 --repeat 2 -d -i x", b"", ""),
    ("mosquitto_pub -p {port} -t a -m x -D publish content-type text -D connect receive-maximum 3 -d -q 1", b"", ""),
    ("mosquitto_pub -p {port} -t a -m x -D disconnect session-expiry-interval 5 -D connect session-expiry-interval 9 -d -i x", b"", ""),
    ("mosquitto_pub -p {port} -t a -m x -D publish content-type a -V 311 -d", b"", ""),
    ("mosquitto_pub -p {port} -t a -m x -D connect receive-maximum 3 -V 311 -d", b"", ""),
    ("mosquitto_pub -p {port} -t a -m x -D will content-type a --will-topic w -V 311", b"", ""),
    ("mosquitto_pub -p {port} -t a -m x -P secret", b"", ""),
    // --- sub: which messages, how many, how long
    ("mosquitto_sub -p {port} -t k -C 1 -d -V 31", b"", KEPT),
    ("mosquitto_sub -p {port} -t k -C 1 -d -q 1", b"", KEPT),
    ("mosquitto_sub -p {port} -t k -C 1 -d -q 2 -V 5", b"", KEPT),
    ("mosquitto_sub -p {port} -t k -t nothing -C 1 -d -q 2 -v", b"", KEPT),
    ("mosquitto_sub -p {port} -t # -T +/b -T l -C 1 -v", b"", KEPT),
    ("mosquitto_sub -p {port} -t k -C 1 -N", b"", KEPT),
    ("mosquitto_sub -p {port} -t k -C 1 -d --quiet", b"", KEPT),
    ("mosquitto_sub -p {port} -t k -R -W 1 -d", b"", KEPT),
    ("mosquitto_sub -p {port} -t none -W 1", b"", ""),
    ("mosquitto_sub -p {port} -t none -W 1 -V 5 -d -i x", b"", ""),
    ("mosquitto_sub -p {port} -t none -W 1 --quiet", b"", ""),
    ("mosquitto_sub -p {port} -t none -E -d", b"", ""),
    ("mosquitto_sub -p {port} -t none -U a -U b/# -E -d -q 1 -V 5 --retain-as-published", b"", ""),
    ("mosquitto_sub -p {port} -t k --retain-as-published -C 1 -d -V 5", b"", KEPT),
    ("mosquitto_sub -p {port} -t k --remove-retained -W 1 -v -d", b"", KEPT),
    ("mosquitto_sub -p {port} -t k -C 1 -D subscribe subscription-identifier 7 -F '%p %S' -d", b"", KEPT),
    ("mosquitto_sub -p {port} -t none -c -i kept -E -d -q 1", b"", ""),
    ("mosquitto_sub -p {port} -t none -x 60 -c -i kept5 -E -d", b"", ""),
    (
        "mosquitto_sub -p {port} -t q -c -i mine -C 1 -q 1 -d",
        b"",
        "mosquitto_sub -p {port} -t q -i mine -E; mosquitto_sub -p {port} -t q -c -i mine -q 1 -E; mosquitto_pub -p {port} -t q -m waited -q 1",
    ),
    ("mosquitto_sub -L mqtt://localhost:{port}/k -C 1 -v", b"", KEPT),
    // --- rr
    ("mosquitto_rr -p {port} -t a -e k -m x -d", b"", KEPT),
    ("mosquitto_rr -p {port} -t a -e k -m x -d -V 311 -q 1 -v", b"", KEPT),
    ("mosquitto_rr -p {port} -t back -e back -m x -R -q 2", b"", ""),
    ("mosquitto_rr -p {port} -t a -e none -n -W 1 -d -i x", b"", ""),
    ("mosquitto_rr -p {port} -t back -e back -m x -F '%t %p %R'", b"", ""),
    ("mosquitto_rr -p {port} -t a -e k -m x -N", b"", KEPT),
];

fn compare_all(port: u16, cases: &[Case]) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("payload"), b"from a\0file").expect("a file");
    for (line, input, before) in cases {
        compare(folder.path(), port, line, input, before);
    }
}

#[test]
fn every_flag_does_the_same_with_mosquittos_broker() {
    let broker = Mosquitto::start(None);
    compare_all(broker.plain_port(), CASES);
}

#[test]
fn every_flag_does_the_same_with_our_broker() {
    let (site, _broker) = signet();
    compare_all(site.port(), CASES);
}

/// Formats of release 2.0.11. In those that are left out here 2.1.2 differs: the width of hexadecimal, its separators, %f and %d.
const FORMATS: &[&str] = &[
    "%t|%p|%q|%r|%l|%m",
    "%A|%C|%D|%E|%F|%R|%S|%P",
    "%10t|%-10t|%.3t|%10.3t|%-10.3t|%010t",
    "%9l|%-9l|%09l|%9q|%9m|%-9m|%09m",
    "%20p|%-20p|%020p|%3p|%-3p|%-p",
    "%x|%X",
    "%%|@@|\\\\|\\a\\e\\n\\r\\t\\v\\0",
    "%10C|%-10C|%.2C|%10R|%9E|%09F|%9A|%09A|%9S",
    "@Y-@m-@dT@H|@j|@a|@A|@b|@B|@C|@D|@e|@F|@g|@G|@h|@I|@k|@l|@n|@p|@P|@t|@u|@U|@V|@w|@W|@y|@z|@Z|@%",
    "@E|@f|@i|@J|@K|@L|@O|@o|@q|@Q|@v|@+|@-|@_|@0|@^|@#|@1|@!",
    "%I",
];

/// With %j and %J release 2.1.2 writes the retain flag as a truth value, user properties as a list, and no `Z` in front of the time zone.
fn as_newer_json(text: &str) -> String {
    text.replace("TZ+", "T+")
        .replace("\"retain\":1", "\"retain\":true")
        .replace("\"retain\":\t1", "\"retain\":\ttrue")
        .replace("{\"k\":\"v\",\"l\":\"w\"}", "[{\"k\":\"v\"},{\"l\":\"w\"}]")
}

#[test]
fn every_format_shows_the_same() {
    let broker = Mosquitto::start(None);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("octets"), b"a\xff\x01\x7f\"\\/\tb\n\x00z").expect("a file");
    std::fs::write(
        folder.path().join("json"),
        r#"{"a":[1,2.5,1e20,"x\u00e9/",{"q":[]}],"b":{},"n":null,"t":true,"z":-0.1,"big":123456789012345678}"#,
    )
    .expect("a file");
    for line in [
        "mosquitto_pub -p {port} -t f/text -m hello -r -q 1 -D publish content-type text/x -D publish user-property k v -D publish \
         message-expiry-interval 1000 -D publish response-topic re -D publish correlation-data cor -D publish user-property l w -D publish \
         payload-format-indicator 1",
        "mosquitto_pub -p {port} -t f/json -f json -r -q 2",
        "mosquitto_pub -p {port} -t f/octets -f octets -r",
    ] {
        assert_eq!(run(Whose::Mosquittos, folder.path(), &words(line, broker.plain_port()), b"").code, Some(0), "{line}");
    }
    // An expiry interval counts down: both runs have to be in the same second.
    let agree = |words: Vec<String>, newer: fn(&str) -> String| {
        let mut last = None;
        for _ in 0..5 {
            let [theirs, ours] = [Whose::Mosquittos, Whose::Ours].map(|whose| run(whose, folder.path(), &words, b""));
            let theirs = Told { out: newer(&theirs.out), ..theirs };
            if ours == theirs {
                return;
            }
            last = Some((ours, theirs));
        }
        panic!("{words:?}: {last:#?}");
    };
    for (topic, version) in ["f/text", "f/json", "f/octets"].into_iter().flat_map(|topic| [(topic, "5"), (topic, "311")]) {
        let line = format!("mosquitto_sub -p {{port}} -V {version} -t {topic} -C 1 -W 9 -q 2");
        let with = |more: &[&str]| [words(&line, broker.plain_port()), more.iter().map(ToString::to_string).collect()].concat();
        for format in FORMATS {
            agree(with(&["-F", format]), str::to_owned);
        }
        for more in [&["-F", "%j"][..], &["-F", "%J"], &["-F", "<%J>", "-N"], &["-F", "%J", "--pretty"]] {
            // The list of user properties has more lines, too.
            if more.contains(&"--pretty") && (topic, version) == ("f/text", "5") {
                continue;
            }
            agree(with(more), as_newer_json);
        }
    }
}

/// Wrong command lines: nothing is reached.
const WRONG: &[&str] = &[
    "mosquitto_pub -t a",
    "mosquitto_pub --bogus",
    "mosquitto_sub bogus",
    "mosquitto_rr -l",
    "mosquitto_rr -t x",
    "mosquitto_rr -t a -e b+",
    "mosquitto_rr -t a -e b",
    "mosquitto_sub -t a -k 3",
    "mosquitto_sub -t a -k x",
    "mosquitto_sub -t a -x 4294967296",
    "mosquitto_sub -t a -x foo",
    "mosquitto_sub -t a -c",
    "mosquitto_sub -t a -c -V 5",
    "mosquitto_sub -t a -c -x 5 -V 5",
    "mosquitto_sub -t a#",
    "mosquitto_sub -t a -T +a",
    "mosquitto_sub -t a -U a+",
    "mosquitto_sub -t a -C 0",
    "mosquitto_sub -t a -R --retained-only",
    "mosquitto_sub -t a -W 0",
    "mosquitto_sub -t a -F a%",
    "mosquitto_sub -t a -F %z",
    "mosquitto_sub -t a -F @",
    "mosquitto_sub -t a -F \\q",
    "mosquitto_sub -t a -F \\",
    "mosquitto_sub -t a -L mqtt://localhost",
    "mosquitto_sub -t a -m x",
    "mosquitto_sub -t a --random-filter 0",
    "mosquitto_sub -t a --random-filter 1001",
    "mosquitto_sub -t a -i x -I y",
    "mosquitto_sub -t a -I x -i",
    "mosquitto_sub -t a -i ''",
    "mosquitto_sub -t a --proxy foo",
    "mosquitto_sub -t a --quiet --proxy foo",
    "mosquitto_pub --proxy socks5h://:b@h",
    "mosquitto_pub --proxy socks5h://h:0",
    "mosquitto_pub --proxy socks5h://h:99999",
    "mosquitto_pub --proxy socks5h://a%zz@h",
    "mosquitto_pub --proxy socks5h://",
    "mosquitto_pub -t a -m x -n",
    "mosquitto_pub -t a -n -m",
    "mosquitto_pub -t a/# -m x",
    "mosquitto_pub -t a\u{1} -m x",
    "mosquitto_pub -p 99999 -t a -m x",
    "mosquitto_pub -p -1 -t a -m x",
    "mosquitto_pub -D publish maximum-qos 1",
    "mosquitto_pub -D puback reason-string 1",
    "mosquitto_pub -D connack reason-string 1",
    "mosquitto_pub -D publish user-property 1",
    "mosquitto_pub -D publish",
    "mosquitto_pub -D connect receive-maximum 70000",
    "mosquitto_pub -D connect receive-maximum -1",
    "mosquitto_pub -D subscribe subscription-identifier 300000000",
    "mosquitto_pub -D publish subscription-identifier 5 -t a -m x",
    "mosquitto_pub -D auth authentication-method 5 -t a -m x",
    "mosquitto_pub -D connect receive-maximum 0 -t a -m x",
    "mosquitto_pub -D connect receive-maximum 1 -D connect receive-maximum 2 -t a -m x",
    "mosquitto_pub -D publish content-type a -D publish content-type b -t a -m x",
    "mosquitto_pub -D will content-type a -D will content-type b -t a -m x --will-topic t",
    "mosquitto_pub -t a -m x --will-payload y",
    "mosquitto_pub -t a -m x --will-retain",
    "mosquitto_pub -t a -m x --will-topic y+",
    "mosquitto_pub -t a -m x --will-qos 3",
    "mosquitto_pub -t a -m x --cert y",
    "mosquitto_pub -t a -m x --keyform y",
    "mosquitto_pub -t a -m x --psk 12",
    "mosquitto_pub -t a -m x --psk zz --psk-identity q",
    "mosquitto_pub -t a -m x --psk 12 --psk-identity q --cafile x",
    "mosquitto_pub -t a -m x --cafile missing",
    "mosquitto_pub -t a -m x --tls-engine foo",
    "mosquitto_pub -t a -m x --keyform foo --key a --cert b",
    "mosquitto_pub -t a -m x --tls-engine-kpass-sha1 foo",
    "mosquitto_pub -t a -m x --cafile payload --tls-version foo",
    "mosquitto_pub -t a -m x --cafile payload",
    "mosquitto_pub -t a -m x --repeat 0",
    "mosquitto_pub -t a -m x --repeat-delay -1",
    "mosquitto_pub -t a -m x -V 6",
    "mosquitto_pub -t a -m x -M 0",
    "mosquitto_pub -t a -m x -q 3",
    "mosquitto_pub -t a -m x -P secret",
    "mosquitto_pub -t a -m x -p 1",
    "mosquitto_sub -t a -p 1",
    "mosquitto_rr -t a -e b -m x -p 1",
    "mosquitto_pub -t a -m x -p 1 --quiet",
    "mosquitto_pub -t a -m x -h no-such-host.invalid",
    "mosquitto_pub -t a -m x --unix missing.sock",
    "mosquitto_pub -t a -m x -p 1 -A no-such-host.invalid",
    "mosquitto_pub -t a -m x --proxy socks5h://localhost:1",
];

#[test]
fn every_mistake_is_told_in_the_same_words() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("payload"), b"no certificates").expect("a file");
    for line in WRONG {
        let words = words(line, 0);
        let [mut mosquittos, mut ours] = [Whose::Mosquittos, Whose::Ours].map(|whose| run(whose, folder.path(), &words, b""));
        // The help text that one of these shows is in everybody's own words.
        if mosquittos.err.contains("Both topic and message must be supplied") {
            assert!(ours.out.contains("--repeat-delay"), "{}", ours.out);
            (mosquittos.out, ours.out) = (String::new(), String::new());
        }
        assert_eq!(ours, as_newer(mosquittos), "{line}");
    }
}

/// Every flag of the programs here that wants a value, without one.
#[test]
fn every_missing_value_is_told_in_the_same_words() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["mosquitto_pub", "mosquitto_sub", "mosquitto_rr"] {
        let help = run(Whose::Mosquittos, folder.path(), &words(&format!("{name} --help"), 0), b"").out;
        let mut flags: Vec<&str> = help
            .split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'))
            .filter(|word| word.starts_with('-') && word.len() > 1 && *word != "--help")
            .collect();
        flags.sort_unstable();
        flags.dedup();
        let mut compared = 0;
        for flag in flags {
            let words = words(&format!("{name} {flag}"), 0);
            let mosquittos = run(Whose::Mosquittos, folder.path(), &words, b"");
            if mosquittos.err.contains("argument given but") {
                assert_eq!(run(Whose::Ours, folder.path(), &words, b""), mosquittos, "{name} {flag}");
                compared += 1;
            }
        }
        assert!(compared > 25, "{name}: {compared}");
    }
}

/// Refusals and bounds of a broker.
#[test]
fn what_a_broker_refuses_is_told_and_ends_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let acl = folder.path().join("acl");
    std::fs::write(&acl, "topic read ok/#\n").expect("a file");
    let (closed, limited) = (Mosquitto::start_with("allow_anonymous false\n", None), Mosquitto::with_acl(&acl));
    let small = Mosquitto::start_with("allow_anonymous true\nmax_packet_size 100\nretain_available false\n", None);
    let low = Mosquitto::start_with("allow_anonymous true\nmax_qos 1\n", None);
    let large = "y".repeat(200);
    for (broker, line) in [
        (&closed, "mosquitto_pub -p {port} -t a -m x -d"),
        (&closed, "mosquitto_pub -p {port} -t a -m x -V 5"),
        (&closed, "mosquitto_pub -p {port} -t a -l -V 5 -d"),
        (&closed, "mosquitto_sub -p {port} -t a -d"),
        (&closed, "mosquitto_sub -p {port} -t a -V 5 -d"),
        (&closed, "mosquitto_sub -p {port} -t a --quiet"),
        (&closed, "mosquitto_rr -p {port} -t a -e b -m x"),
        (&closed, "mosquitto_rr -p {port} -t a -e b -m x -V 311 -d"),
        (&limited, "mosquitto_pub -p {port} -t a -m x -V 5 -q 1"),
        (&limited, "mosquitto_pub -p {port} -t a -m x -V 5 -q 2 -d"),
        (&limited, "mosquitto_pub -p {port} -t a -m x -V 5 -q 1 --quiet"),
        (&small, "mosquitto_pub -p {port} -t a -m {large} -V 5 -d"),
        (&small, "mosquitto_pub -p {port} -t a -m {large} -V 5 -q 1"),
        (&small, "mosquitto_pub -p {port} -t a -m {large} -q 1"),
        (&small, "mosquitto_pub -p {port} -t a -m x -V 5 -r -d"),
        (&low, "mosquitto_pub -p {port} -t a -m x -V 5 -q 2 -d"),
        (&low, "mosquitto_pub -p {port} -t a -m x -D publish topic-alias 100 -q 1 -d -i x"),
    ] {
        compare(folder.path(), broker.plain_port(), &line.replace("{large}", &large), b"x\n", "");
    }
    compare(folder.path(), small.plain_port(), "mosquitto_pub -p {port} -t a -l -V 5 -q 1 -d", large.as_bytes(), "");
}

#[test]
fn an_option_file_is_read_from_the_usual_places() {
    let broker = Mosquitto::start(None);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(".config/mosquitto_pub");
    std::fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
    std::fs::write(&file, "# comment\n-t  a topic \r\n-m text with blanks\n\n  -q 1\n").expect("a file");
    for line in ["mosquitto_pub -p {port} -d", "mosquitto_pub -p {port} -d -q 2 -t b", "mosquitto_pub -p {port} -m x"] {
        compare(folder.path(), broker.plain_port(), line, b"", "");
    }
    std::fs::write(&file, "-D publish content-type x\n").expect("a file");
    compare(folder.path(), broker.plain_port(), "mosquitto_pub -p {port} -t a -m x", b"", "");
    // Since 2.1 a file can be named. Then the usual one is not read.
    std::fs::write(folder.path().join("mine"), "-t mine\n-m x\n-d\n").expect("a file");
    let told = run(Whose::Ours, folder.path(), &words("mosquitto_pub -p {port} -o mine", broker.plain_port()), b"");
    assert_eq!((told.code, told.err.as_str()), (Some(0), ""));
    assert!(told.out.contains("sending PUBLISH (d0, q0, r0, m1, 'mine', ... (1 bytes))"), "{}", told.out);
}

/// A program whose lines are read as they come.
fn started(whose: Whose, folder: &Path, line: &str, port: u16) -> Running {
    let words = words(line, port);
    let (name, arguments) = words.split_first().expect("a case names a program");
    let inner = whose.command(name, folder);
    // Into a pipe the C library would keep lines back until a block is full.
    let mut command = Command::new("stdbuf");
    command.arg("-oL").arg(inner.get_program()).args(arguments).env("HOME", folder);
    Running::start(&mut command)
}

#[test]
fn signals_end_a_subscription_with_its_will() {
    let broker = Mosquitto::start(None);
    let folder = tempfile::tempdir().expect("a folder");
    let port = broker.plain_port();
    for (signal, version, will) in [("INT", "5", true), ("TERM", "5", true), ("INT", "311", false)] {
        let ended = Whose::BOTH.map(|whose| {
            let watcher = started(Whose::Mosquittos, folder.path(), "mosquitto_sub -p {port} -t w -t sync -v -d", port);
            watcher.wait_for("Subscribed");
            let line = format!("mosquitto_sub -p {{port}} -t z -d -i x -V {version} --will-topic w --will-payload gone");
            let running = started(whose, folder.path(), &line, port);
            running.wait_for("Subscribed");
            running.signal(signal);
            let finished = running.finish();
            run(Whose::Mosquittos, folder.path(), &words("mosquitto_pub -p {port} -t sync -m x", port), b"");
            watcher.wait_for("sync x");
            watcher.signal("INT");
            assert_eq!(watcher.finish().says("w gone"), will, "{whose:?} {signal} {version}");
            // A signal in the middle of a line makes Mosquitto's program print it twice.
            let mut lines: Vec<&str> = finished.output.lines().collect();
            lines.dedup();
            (finished.code, lines.join("\n"))
        });
        assert_eq!(ended[0], ended[1], "{signal} {version}");
    }
}

/// Mosquitto's subscriber connects again for ever, and subscribes again.
#[test]
fn a_lost_connection_is_made_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let outputs = Whose::BOTH.map(|whose| {
        let (site, broker) = signet();
        let subscriber = started(whose, folder.path(), "mosquitto_sub -p {port} -t a -d -i me -C 1", site.port());
        subscriber.wait_for("Subscribed (mid: 1)");
        drop(broker);
        let _broker = site.serve();
        subscriber.wait_for("Subscribed (mid: 2)");
        run(Whose::Mosquittos, folder.path(), &words("mosquitto_pub -p {port} -t a -m again", site.port()), b"");
        let finished = subscriber.finish();
        (finished.code, finished.output)
    });
    assert_eq!(outputs[0], outputs[1]);
    assert!(outputs[0].1.contains("again"), "{}", outputs[0].1);
}

/// Certificates, the wrong authority, none, a plain port, and a device that was revoked.
#[test]
fn tls_succeeds_and_fails_alike() {
    let site = Site::quickstart();
    let _broker = site.serve();
    site.signet(&["device", "add", "pump-8"]).succeeded();
    site.signet(&["device", "revoke", "pump-8"]).succeeded();
    let (port, other) = (site.port(), Mosquitto::start(None));
    let pump = "--cafile ca/ca.pem --cert devices/pump-7.pem --key devices/pump-7.key";
    let revoked = "--cafile ca/ca.pem --cert devices/pump-8.pem --key devices/pump-8.key";
    for (line, port) in [
        (format!("mosquitto_pub -p {{port}} -t pump-7/x -m x -q 1 -d {pump}"), port),
        (format!("mosquitto_pub -p {{port}} -t pump-7/x -m x -q 2 -d -V 5 -i x --tls-version tlsv1.3 {pump}"), port),
        (
            format!("mosquitto_pub -p {{port}} -t pump-7/x -m x -d --tls-version tlsv1.2 --ciphers ECDHE-ECDSA-AES256-GCM-SHA384 {pump}"),
            port,
        ),
        (format!("mosquitto_pub -h 127.0.0.1 -p {{port}} -t pump-7/x -m x --tls-alpn mqtt {pump}"), port),
        (format!("mosquitto_pub -p {{port}} -t other/x -m x -q 1 -V 5 {pump}"), port),
        (format!("mosquitto_sub -p {{port}} -t other/# -d -V 5 -i x {pump}"), port),
        (format!("mosquitto_sub -p {{port}} -t other/# -t pump-7/# -d -E {pump}"), port),
        (format!("mosquitto_pub -p {{port}} -t pump-8/x -m x -V 5 -q 1 {revoked}"), port),
        (format!("mosquitto_rr -p {{port}} -t pump-8/x -e pump-8/y -m x {revoked}"), port),
        (format!("mosquitto_sub -p {{port}} -t pump-8/x {revoked}"), port),
        ("mosquitto_pub -p {port} -t x -m x --cafile ca/ca.pem".to_owned(), port),
        ("mosquitto_pub -p {port} -t x -m x --capath /etc/ssl/certs".to_owned(), port),
        ("mosquitto_pub -p {port} -t x -m x --tls-use-os-certs".to_owned(), port),
        ("mosquitto_pub -p {port} -t x -m x --cafile ca/ca.pem -d".to_owned(), other.plain_port()),
        (format!("mosquitto_pub -p {{port}} -t x -m x --ciphers nonsense {pump}"), port),
    ] {
        // Mosquitto's library finds a bad certificate in one of two places, as the broker is fast or slow, and ends with 1 or with 8.
        let words = words(&line, port);
        let ours = run(Whose::Ours, site.folder(), &words, b"");
        let is_same = (0..20).any(|_| as_newer(run(Whose::Mosquittos, site.folder(), &words, b"")) == ours);
        assert!(is_same, "{line}: {ours:?}, and {:?}", run(Whose::Mosquittos, site.folder(), &words, b""));
    }
}

/// A unix socket, which 2.0.11 knows, and WebSocket, which it does not.
#[test]
fn other_doors_lead_to_the_same_broker() {
    let site = Site::empty();
    let port = site.port();
    let listener = |name: &str, transport: &str, bind: &str| {
        format!("[[listener]]\nname = \"{name}\"\ntransport = \"{transport}\"\nanonymous = true\nbind = \"{bind}\"\n")
    };
    let text = [
        "[store]\nenabled = false\n".to_owned(),
        listener("ws", "ws", &format!("127.0.0.1:{port}")),
        listener("local", "tcp", "unix:mqtt.sock"),
    ];
    std::fs::write(site.path("signet.toml"), text.concat()).expect("the file can be written");
    let _broker = site.serve();
    compare(site.folder(), port, "mosquitto_pub --unix mqtt.sock -t k -m hello -r -q 1 -d", b"", "");
    compare(site.folder(), port, "mosquitto_sub --unix mqtt.sock -t k -C 1 -d -V 5", b"", "");
    for line in [
        "mosquitto_sub --ws -p {port} -t k -C 1",
        "mosquitto_sub -L ws://localhost:{port}/k -C 1",
        "mosquitto_sub --ws -h 127.0.0.1 -p {port} -t k -C 1",
    ] {
        let told = run(Whose::Ours, site.folder(), &words(line, port), b"");
        assert_eq!(told, Told { code: Some(0), out: "hello\n".to_owned(), err: String::new() }, "{line}");
    }
}

/// What 2.1 added, seen from outside.
#[test]
fn what_the_newer_release_adds() {
    let broker = Mosquitto::start(None);
    let folder = tempfile::tempdir().expect("a folder");
    let (port, folder) = (broker.plain_port(), folder.path());
    let told = |line: &str| run(Whose::Ours, folder, &words(line, port), b"");
    let kept = words(KEPT, port);
    assert_eq!(run(Whose::Mosquittos, folder, &kept, b"").code, Some(0));
    assert_eq!(told("mosquitto_sub -p {port} -t k -C 1 -F %.2:x").out, "68:65:6c:6c:6f\n");
    let handled = told("mosquitto_sub -p {port} -t k -W 1 -V 5 -d -i x --retain-handling never");
    assert!(handled.out.contains("Options: 0x20") && !handled.out.contains("hello"), "{}", handled.out);
    let watched = told("mosquitto_sub -p {port} -t k -C 1 -w");
    assert_eq!(watched.out, "\x1b[2J\x1b[1;1HBroker: localhost\n\x1b[2;1Hhello\n\x1b[2;1H\n");
    let rate = told("mosquitto_sub -p {port} -t k -W 2 --message-rate");
    assert!(rate.out.starts_with("1 msgs/s\n") && rate.code == Some(27), "{rate:?}");
    let latency = told("mosquitto_rr -p {port} -t back -e back -m x --latency");
    assert!(latency.out.starts_with("x\nLatency: ") && latency.out.ends_with("s\n"), "{}", latency.out);
    assert_eq!(told("mosquitto_sub -p {port} -U k -E -d -i x -W 1").code, Some(27));
    assert_eq!(told("mosquitto_pub -p {port} -t k -m x --no-tls --cafile missing").code, Some(0));
    assert_eq!(told("mosquitto_pub --version").out, "mosquitto_pub version 2.1.2 running on libmosquitto 2.1.2.\n");
}
