//! One configuration, two brokers: who is let in, who may publish and what each is told, by the real Mosquitto and by `signet serve -c`, through the
//! same `mosquitto_pub`.

#![expect(clippy::expect_used, reason = "a rig that cannot do its job fails the test that uses it")]

use std::path::Path;
use std::process::Command;

use signet_e2e::{Finished, Running, Site, original};
use signet_testkit::free_port;

/// A configuration, and command lines that are tried with it. `{0}` and `{1}` are ports, `{dir}` the directory with the files.
struct Row {
    conf: &'static str,
    tries: &'static [&'static str],
}

const fn row(conf: &'static str, tries: &'static [&'static str]) -> Row {
    Row { conf, tries }
}

const BOUNDS: &[Row] = &[
    row("allow_anonymous true\nclientid_prefixes ab\nlistener {0}", &["-i abc", "-i x", "-i x -V mqttv5"]),
    row("allow_anonymous true\nmax_keepalive 30\nlistener {0}", &["-k 20", "-k 60 -V mqttv5"]),
    row("allow_anonymous true\nmax_packet_size 128\nlistener {0}", &["-t t/{long}", "-t t/{long} -V mqttv5", "-t t/short"]),
    row("allow_anonymous true\nlistener {0}\nmax_qos 0", &["-V mqttv5", "", "-q 0"]),
    row("allow_anonymous true\nretain_available false\nlistener {0}", &["-r", "-r -V mqttv5"]),
    row("allow_anonymous true\nlistener {0}\nmount_point m/", &["", "-V mqttv5"]),
    row("allow_anonymous true\nlistener {0}\nuse_username_as_clientid true", &["", "-V mqttv5", "-u me"]),
];

const USERS: &[Row] = &[
    row("allow_anonymous true\nlistener {0}", &["", "-u any", "-u any -P x", "-V mqttv5 -u any"]),
    row("listener {0}", &["", "-u any -P x", "-V mqttv5", "-V mqttv5 -u any -P x"]),
    row(
        "password_file {dir}/passwd\nlistener {0}",
        &["", "-u test -P test", "-u test -P bad", "-u none -P x", "-u test", "-V mqttv5 -u test -P bad", "-V mqttv5"],
    ),
    row(
        "allow_anonymous true\npassword_file {dir}/passwd\nlistener {0}",
        &["", "-u test -P test", "-u test -P bad", "-u none -P x", "-u test", "-V mqttv5"],
    ),
    row(
        "allow_anonymous true\nacl_file {dir}/acl\nlistener {0}",
        &["-V mqttv5", "-u test -V mqttv5", "-u test", "-V mqttv5 -u dev -t p/dev/x", "-V mqttv5 -u dev -t p/no/x", "-V mqttv5 -t $SYS/x"],
    ),
    row(
        "per_listener_settings true\nlistener {0}\nallow_anonymous true\nlistener {1}\npassword_file {dir}/passwd\nacl_file {dir}/acl",
        &[
            "",
            "-u any",
            "-V mqttv5 -t zz",
            "-p {1}",
            "-p {1} -u test -P test",
            "-p {1} -u test -P no",
            "-p {1} -V mqttv5 -u test -P test -t zz",
            "-p {1} -V mqttv5 -u test -P test",
        ],
    ),
];

const TLS: &str = "listener {0}\ncafile {dir}/ca.pem\ncertfile {dir}/server.pem\nkeyfile {dir}/server.key\n";

/// What follows [`TLS`].
const CERTIFICATES: &[Row] = &[
    row("allow_anonymous true", &["", "{pump-7}"]),
    row("allow_anonymous true\nrequire_certificate true", &["{pump-7}", "{nameless}", "{pump-7} -V mqttv5 -u any"]),
    row(
        "password_file {dir}/passwd\nrequire_certificate true",
        &["{pump-7}", "{pump-7} -V mqttv5", "{pump-7} -u test -P test", "{pump-7} -u test -P no"],
    ),
    row(
        "require_certificate true\nuse_identity_as_username true",
        &["{pump-7}", "{pump-7} -u any -P x", "{nameless}", "{nameless} -V mqttv5"],
    ),
    row("require_certificate true\nuse_identity_as_username true\nuse_username_as_clientid true", &["{pump-7}"]),
    row(
        "require_certificate true\nuse_identity_as_username true\nacl_file {dir}/acl",
        &["{pump-7} -V mqttv5 -t p/pump-7/x", "{pump-7} -V mqttv5 -t p/other/x", "{pump-7} -V mqttv5 -u other -t p/other/x"],
    ),
    row("require_certificate true\nuse_subject_as_username true", &["{pump-7}", "{nameless}"]),
    row("require_certificate true\nuse_identity_as_username true\ncrlfile {dir}/crl.pem", &["{pump-7}"]),
    row("use_identity_as_username true\nallow_anonymous true", &["", "-V mqttv5", "{pump-7}"]),
];

#[test]
fn users_and_rules() {
    compare(USERS, "", "");
}

#[test]
fn bounds() {
    compare(BOUNDS, "", "");
}

#[test]
fn certificates() {
    compare(CERTIFICATES, TLS, "--cafile {dir}/ca.pem --insecure ");
}

/// Tries each row with both brokers.
fn compare(rows: &[Row], before: &str, always: &str) {
    let mut wrong = Vec::new();
    for row in rows {
        let conf = format!("{before}{}\n", row.conf);
        let [theirs, ours] = [Broker::Real, Broker::Ours].map(|which| outcomes(which, &conf, row.tries, always));
        for ((attempt, theirs), ours) in row.tries.iter().zip(theirs).zip(ours) {
            if theirs != ours {
                wrong.push(format!("{conf}{attempt}\n  Mosquitto: {theirs:?}\n  Signet: {ours:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Broker {
    Real,
    Ours,
}

/// Exit code and first line of each attempt.
fn outcomes(which: Broker, conf: &str, tries: &[&str], always: &str) -> Vec<(Option<i32>, String)> {
    let site = Site::empty();
    original::furnish(site.folder());
    let ports = [free_port(), free_port()];
    // As root it would become somebody who may not listen everywhere.
    let user = if which == Broker::Real { "user root\n" } else { "" };
    site.write("broker.conf", &format!("{user}{}", filled(conf, site.folder(), ports)));
    let broker = match which {
        Broker::Real => Running::start(Command::new(original::program()).args(["-c", "broker.conf"]).current_dir(site.folder())),
        Broker::Ours => Running::start(&mut site.command(&["serve", "-c", "broker.conf"])),
    };
    broker.wait_for(" running");
    let publish = |attempt: &&str| {
        let arguments = filled(&format!("-h 127.0.0.1 -p {{0}} -t t/x -m hi -q 1 {always}{attempt}"), site.folder(), ports);
        let Finished { code, output } = Running::run(Command::new("mosquitto_pub").args(arguments.split_whitespace()));
        (code, output.lines().next().unwrap_or_default().to_owned())
    };
    tries.iter().map(publish).collect()
}

fn filled(text: &str, folder: &Path, [first, second]: [u16; 2]) -> String {
    let directory = folder.to_str().expect("a path that is text");
    let mut text = text.replace("{0}", &first.to_string()).replace("{1}", &second.to_string()).replace("{long}", &"x".repeat(300));
    for name in ["pump-7", "nameless"] {
        text = text.replace(&format!("{{{name}}}"), &format!("--cert {directory}/{name}.pem --key {directory}/{name}.key"));
    }
    text.replace("{dir}", directory)
}
