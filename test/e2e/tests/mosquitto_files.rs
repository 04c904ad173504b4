//! Password files, access files and files of keys: where Mosquitto starts with one the broker does too, and what stops Mosquitto stops it as well.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs;
use std::time::{Duration, Instant};

use signet_e2e::{PATIENCE, Whose};
use signet_testkit::free_port;

const HASH: &str = "$6$njERlZMi/7DzNB9E$iiavfuXvUm8iyDZArTy7smTxh07GXXOrOsqxfW6gkOYVXHGk+W+i/8d3xDxrMwEPygEBhoA8A/gjQC0N2M4Lkw==";
const KEY: &str = "00112233445566778899aabbccddeeff";

/// Whether it starts with this file, and what it said.
fn starts(whose: Whose, option: &str, file: &[u8]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, file).unwrap();
    let keys = if option == "psk_file" { "psk_hint hint\nuse_identity_as_username true\n" } else { "" };
    let text = format!(
        "user root\nallow_anonymous true\n{option} {}\nlistener {} 127.0.0.1\n{keys}persistence false\n",
        path.display(),
        free_port()
    );
    fs::write(folder.path().join("m.conf"), text).unwrap();
    let mut broker = whose.start("mosquitto", folder.path(), &["-c", "m.conf"]);
    let deadline = Instant::now() + PATIENCE;
    while broker.is_running() && !broker.output().contains(" running") {
        assert!(Instant::now() < deadline, "{}", broker.output());
        std::thread::sleep(Duration::from_millis(5));
    }
    let is_up = broker.is_running();
    (is_up, broker.output())
}

/// What Mosquitto 2.0, which is here, does with a file, and what 2.1 does where that is something else.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mosquitto {
    Starts,
    Refuses,
    /// 2.0 leaves a user out and goes on; 2.1 does not start.
    RefusesSince21,
}

#[track_caller]
fn compare(option: &str, cases: &[(&[u8], Mosquitto)]) {
    for (file, expected) in cases {
        let shown = String::from_utf8_lossy(file.get(..file.len().min(200)).unwrap_or_default()).into_owned();
        let (theirs, said) = starts(Whose::Mosquittos, option, file);
        assert_eq!(theirs, *expected != Mosquitto::Refuses, "{option} {shown:?}: mosquitto: {said}");
        let (ours, said) = starts(Whose::Ours, option, file);
        assert_eq!(ours, *expected == Mosquitto::Starts, "{option} {shown:?}: {said}");
        assert!(!said.contains(KEY) && !said.contains(HASH), "{said}");
    }
}

#[test]
fn password_files() {
    let line = |text: &str| text.replace("HASH", HASH).into_bytes();
    let long = [&b"u".repeat(65_536)[..], b":", HASH.as_bytes()].concat();
    let latin = [b"# Z\xFCrich: nobody\n".as_slice(), b"a:", HASH.as_bytes()].concat();
    compare(
        "password_file",
        &[
            (b"", Mosquitto::Starts),
            (&line("# nobody\n\n   \nno one\n"), Mosquitto::Starts),
            (&line("a:HASH\nb:HASH"), Mosquitto::Starts),
            (&line("  a b : HASH  \r\n:\n::\n:c::HASH:more\n"), Mosquitto::Starts),
            (&latin, Mosquitto::Starts),
            (&line("a:HASH\na:HASH\n"), Mosquitto::RefusesSince21),
            (&line("a:HASH\nb:\n"), Mosquitto::RefusesSince21),
            (&line(" :HASH\n"), Mosquitto::RefusesSince21),
            (&line("a:plain\n"), Mosquitto::RefusesSince21),
            (&line("a:$5$x$y\n"), Mosquitto::RefusesSince21),
            (&line("a:$7$0$njERlZMi/7DzNB9E$AAAA\n"), Mosquitto::RefusesSince21),
            (&line("a:$6$njERlZMi/7DzNB9E$AAAA\n"), Mosquitto::RefusesSince21),
            (&line("a:$6$$\n"), Mosquitto::RefusesSince21),
            (&long, Mosquitto::RefusesSince21),
        ],
    );
}

#[test]
fn access_files() {
    compare(
        "acl_file",
        &[
            (b"", Mosquitto::Starts),
            (b"# x\n\n \t \n", Mosquitto::Starts),
            (b"topic a\ntopic read a/+\ntopic deny a/#\nuser u v\ntopic write b\npattern readwrite %c/%u\n", Mosquitto::Starts),
            (b"  user  u \r\n   topic   read   a b \r\n", Mosquitto::Starts),
            (b"topic read\ntopic write\ntopic deny\n", Mosquitto::Starts),
            (b"pattern no/placeholder\n", Mosquitto::Starts),
            (b"topic $SYS/#\ntopic $share/g/t\n", Mosquitto::Starts),
            (b"# Z\xFCrich\ntopic a\n", Mosquitto::Starts),
            (b"topic\n", Mosquitto::Refuses),
            (b"pattern \n", Mosquitto::Refuses),
            (b"user\n", Mosquitto::Refuses),
            (b"user  \n", Mosquitto::Refuses),
            (b"users u\n", Mosquitto::Refuses),
            (b"Topic a\n", Mosquitto::Refuses),
            (b"\ttopic a\n", Mosquitto::Refuses),
            (b"topic\tread a\n", Mosquitto::Refuses),
            (b" # x\n", Mosquitto::Refuses),
            (b"topic a b\n", Mosquitto::Refuses),
            (b"topic READ a\n", Mosquitto::Refuses),
            (b"topic read a/#/b\n", Mosquitto::Refuses),
            (b"topic read a+\n", Mosquitto::Refuses),
            (b"pattern read #a\n", Mosquitto::Refuses),
            (b"topic a\nnonsense\n", Mosquitto::Refuses),
        ],
    );
}

#[test]
fn files_of_keys() {
    let line = |text: &str| text.replace("KEY", KEY).into_bytes();
    compare(
        "psk_file",
        &[
            (b"", Mosquitto::Starts),
            (&line("# x\n\na:KEY\nb : KEY \r\n"), Mosquitto::Starts),
            (&line("nothing\na:KEY\na:00\nb::0a:0b\n:\n : 00\nc:\nd/e:00\nf:abc\n"), Mosquitto::Starts),
            (&line("a:KEYxyz\n"), Mosquitto::Refuses),
            (&line("a:secret\n"), Mosquitto::Refuses),
        ],
    );
}
