//! The keys of Redis as they are written.

use super::super::testing::read;
use super::*;

fn authenticator(keys: &str) -> String {
    format!("[[authenticator]]\ntype = \"redis\"\n{keys}\n")
}

fn source(keys: &str) -> String {
    format!("[[access_source]]\ntype = \"redis\"\n{keys}\n")
}

fn keys(keys: &str) -> String {
    format!("[[psk_lookup]]\ntype = \"redis\"\n{keys}\n")
}

const WHOLE: &str = "addresses = \"127.0.0.1\"\ncommand = \"HMGET tls_domain:%C password salt\"";

#[test]
fn keys_become_what_they_say() {
    let (config, problems) = read(&format!(
        "{}{}",
        authenticator(&format!(
            "{WHOLE}\nname = \"devices\"\ndeployment = \"sentinel\"\nmaster = \"m\"\nusername = \"u\"\npassword_file = \"p\"\n\
             sentinel_password_file = \"s\"\ntransport = \"tls\"\ntrust = [\"ca.pem\"]\ncertificate = \"c.pem\"\nkey = \"/k.pem\"\npassword_hash = \"salt,sha256\""
        )),
        source("addresses = [\"unix:/run/redis.sock\"]\ncommand = \"HGETALL mqtt_acl:%u\"\ncomplete = true")
            + &keys("addresses = \"a\"\npassword_file = \"k\"\ncommand = \"HGET psk:${device} key\"\ntimeout = \"1s\"")
    ));
    assert_eq!(problems, Vec::<String>::new());
    let files: Vec<String> = config.authentication.files().iter().map(|file| file.display().to_string()).collect();
    assert_eq!(files, ["/etc/signet/p", "/etc/signet/s", "/etc/signet/ca.pem", "/etc/signet/c.pem", "/k.pem", "/etc/signet/k"]);
    let looked_up = &config.authentication.key_sources[0];
    assert_eq!((&*looked_up.name, looked_up.backend.timeout), ("redis", Duration::from_secs(1)));
    let (authenticator, source) = (&config.authentication.authenticators[0], &config.authentication.sources[0]);
    assert_eq!((&*authenticator.name, &*source.name), ("devices", "redis"));
    let said = format!("{:?}", authenticator.kind);
    for expected in ["127.0.0.1\", port: 26379", "master: \"m\"", "Sha256(Prefix)", "server_name: None"] {
        assert!(said.replace("host: ", "").contains(expected), "{expected}: {said}");
    }
    assert!(format!("{:?}", source.kind).contains("is_complete: true"));
}

#[test]
fn what_makes_no_sense_is_reported_where_it_stands() {
    for (text, expected) in [
        (authenticator("command = \"GET %u\""), "has no `addresses`"),
        (authenticator("addresses = \"a\""), "a table of type \"redis\" has no `command`"),
        (source("addresses = \"a\""), "a table of type \"redis\" has no `command`"),
        (authenticator("addresses = \"redis://a\"\ncommand = \"GET %u\""), "`redis://a` is no address of a server"),
        (authenticator("addresses = [\"a\", \"b\"]\ncommand = \"GET %u\""), "`addresses` has 2 addresses"),
        (authenticator("addresses = []\ncommand = \"GET %u\""), "`addresses` has 0 addresses"),
        (authenticator(&format!("{WHOLE}\nmaster = \"m\"")), "`master` has no meaning in [[authenticator]]"),
        (authenticator(&format!("{WHOLE}\ndeployment = \"sentinel\"")), "without `master`"),
        (authenticator(&format!("{WHOLE}\ndeployment = \"cluster\"\ndatabase = 1")), "a cluster has database 0 only"),
        (authenticator(&format!("{WHOLE}\nusername = \"u\"")), "`username` without `password_file`"),
        (authenticator(&format!("{WHOLE}\ntrust = \"ca.pem\"")), "`trust` has no meaning in [[authenticator]]"),
        (authenticator(&format!("{WHOLE}\ntransport = \"tls\"\ncertificate = \"c.pem\"")), "a client certificate takes both files"),
        (
            authenticator(&format!("{WHOLE}\ntransport = \"tls\"\ndeployment = \"cluster\"\nserver_name = \"r\"")),
            "`server_name` has no meaning in [[authenticator]]",
        ),
        (
            authenticator("addresses = \"unix:/r\"\ntransport = \"tls\"\ncommand = \"GET %u\""),
            "a socket of this machine has no TLS and is in no cluster",
        ),
        (authenticator("addresses = \"a\"\ncommand = \"DEL %u\""), "`command` begins with `DEL`, which is not known to only read"),
        (authenticator("addresses = \"a\"\ncommand = \"GET user\""), "the command asks the same for every client"),
        (authenticator("addresses = \"a\"\ncommand = \"GET %q\""), "`command` cannot use `%q`"),
        (authenticator(&format!("{WHOLE}\nsuperuser_command = \"SET %u 1\"")), "`superuser_command` begins with `SET`"),
        (authenticator(&format!("{WHOLE}\nattributes = \"site\"")), "no `site`, which is asked for"),
        (authenticator(&format!("{WHOLE}\npassword_hash = \"sha3\"")), "there is no password hash `sha3`"),
        (authenticator(&format!("{WHOLE}\nplaceholders = \"emqx\"")), "`emqx` is not a value of `placeholders`"),
        (authenticator(&format!("{WHOLE}\ncomplete = true")), "unknown key `complete`"),
        (source("addresses = \"a\"\ncommand = \"GET %u\""), "which brings no pairs of topic filter and action"),
        (source("addresses = \"a\"\ncommand = \"HGETALL %u\"\npassword_hash = \"plain\""), "unknown key `password_hash`"),
        (keys("addresses = \"a\""), "a table of type \"redis\" has no `command`"),
        (keys("addresses = \"a\"\ncommand = \"HGETALL ${device}\""), "the command begins with `HGETALL`, which brings more than one value"),
        (keys("addresses = \"a\"\ncommand = \"GET psk:%u\""), "the command asks the same for every device"),
        (keys("addresses = \"a\"\ncommand = \"GET ${username}\""), "holds `${username}`, which nobody knows"),
        (keys("addresses = \"a\"\ncommand = \"GET ${device}\"\nplaceholders = \"emqx4\""), "unknown key `placeholders`"),
        (keys("addresses = \"a\"\ncommand = \"GET ${device}\"").repeat(2), "two tables [[psk_lookup]] are called `redis`"),
    ] {
        let (_, problems) = read(&text);
        assert!(problems.len() == 1 && problems[0].contains(expected), "{text}\nexpected {expected}, found {problems:#?}");
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let make = |keys: &str| {
        let text = authenticator(&format!("{WHOLE}\n{}", keys.replace("DIR", &directory.path().display().to_string())));
        let (config, problems) = read(&text);
        assert_eq!(problems, Vec::<String>::new());
        config.authentication.authenticators[0].kind.check()
    };
    std::fs::write(directory.path().join("empty"), "\n").unwrap();
    std::fs::write(directory.path().join("password"), "secret\n").unwrap();
    std::fs::write(directory.path().join("text"), "no certificate").unwrap();
    for (keys, expected) in [
        ("password_file = \"DIR/missing\"", "cannot read `"),
        ("password_file = \"DIR/empty\"", "is empty: expected a password"),
        ("transport = \"tls\"\ntrust = \"DIR/missing\"", "cannot read `"),
        ("transport = \"tls\"\ntrust = \"DIR/text\"", "has no certificate among its authorities"),
        ("transport = \"tls\"\ncertificate = \"DIR/text\"\nkey = \"DIR/text\"", "has no certificate of its own"),
    ] {
        let found = make(keys).unwrap_err();
        assert!(found.contains(expected), "{keys}: {found}");
    }
    assert_eq!(make("username = \"u\"\npassword_file = \"DIR/password\""), Ok(()));
    assert_eq!(make("transport = \"tls\"\ndeployment = \"cluster\""), Ok(()));
}
