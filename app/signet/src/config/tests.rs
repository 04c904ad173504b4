//! Every class of mistake a configuration can have, and the words that come back.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use signet_broker::Durability;
use signet_ca::KeyType;
use signet_mqtt::{ClientIdentifier, QoS};
use signet_policy::{Client, Effect, Grant, Origin, Principal, Rule};

use super::*;
use crate::command::ca::plan;

/// Resolves a text without opening the files it names.
fn problems(text: &str) -> Vec<String> {
    let list = Problems::new(Path::new("signet.toml"), text);
    let file = file::File::parse(text, &list);
    Config::resolve(file, Path::new("signet.toml"), &list);
    list.into_sorted().iter().map(ToString::to_string).collect()
}

/// A listener that is right, with `more` added.
fn listener(more: &str) -> String {
    format!(
        "[[listener]]\nbind = [\"127.0.0.1:8883\"]\ntransport = \"tls\"\ncertificate = \"s.pem\"\nkey = \"s.key\"\ntrust = [\"ca.pem\"]\n{more}\n"
    )
}

fn one(text: &str) -> String {
    let found = problems(text);
    assert_eq!(found.len(), 1, "{}", found.join("\n"));
    found.into_iter().next().unwrap()
}

#[test]
fn the_quickstart_template_is_right_and_names_every_key() {
    let text = include_str!("../template/signet.toml").replace("@PORT@", "8883");
    assert_eq!(problems(&text), Vec::<String>::new());
    // With every commented setting switched on there is no unknown key and no value out of range: the defaults shown are real.
    let is_setting = |line: &str| {
        line.strip_prefix("# ")
            .and_then(|rest| rest.split_once(" = "))
            .is_some_and(|(key, _)| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
    };
    let mut seen = std::collections::HashSet::new();
    let mut all = String::new();
    for line in text.lines() {
        let is_optional_table = line.starts_with("# [[") && line.ends_with("]]");
        let line = if is_setting(line) || is_optional_table { line.trim_start_matches("# ") } else { line };
        let key = line.split(" = ").next().unwrap_or_default();
        // An alternative to a key that is set above, or a key of another mode.
        if line.starts_with('[') {
            seen.clear();
        } else if line.contains(" = ") && !line.starts_with('#') && !seen.insert(key.to_owned()) {
            continue;
        }
        all.push_str(line);
        all.push('\n');
    }
    assert_eq!(problems(&all), Vec::<String>::new());
    let list = Problems::new(Path::new("signet.toml"), &all);
    let commented = Config::resolve(file::File::parse(&all, &list), Path::new("signet.toml"), &list);
    let plain = Config::resolve(file::File::parse(&text, &list), Path::new("signet.toml"), &list);
    assert_eq!(commented.limits, plain.limits, "a default shown in the template is not the default");
    assert_eq!(commented.revocation.limits, plain.revocation.limits, "a default shown in the template is not the default");
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest_name() {
    let text = listener("certifcate = \"x\"");
    assert_eq!(
        one(&text),
        "signet.toml:7:1: unknown key `certifcate` in [[listener]]\n  |\n7 | certifcate = \"x\"\n  | ^^^^^^^^^^\n  = hint: did you mean `certificate`?"
    );
}

#[test]
fn every_problem_is_reported_in_one_run() {
    let found = problems(
        "data_dri = \"x\"\n[log]\nlevel = \"loud\"\n[ca]\ncrl_validity = \"7\"\n[[listener]]\nbind = \"localhost\"\ntransport = \"tls\"\nkey = 5\n[[access]]\nwho = \"devises\"\npublish = [\"a/#/b\"]\n[limits]\nreceive_maximum = 0\n",
    );
    let starts: Vec<&str> = found.iter().map(|problem| problem.lines().next().unwrap()).collect();
    assert_eq!(
        starts,
        [
            "signet.toml:1:1: unknown key `data_dri` in the top level",
            "signet.toml:3:9: `loud` is not a value of `level`, expected one of `error`, `warn`, `info`, `debug` and `trace`",
            "signet.toml:5:16: `7` is not a duration",
            "signet.toml:6:1: [[listener]] with transport = \"tls\" has no `trust`",
            "signet.toml:6:1: [[listener]] with transport = \"tls\" has no `certificate`",
            "signet.toml:7:8: `localhost` is not an address and port",
            "signet.toml:9:7: `key` must be a list of strings, found a value of type integer",
            "signet.toml:11:7: `devises` is nobody a rule can be for",
            "signet.toml:12:12: `#` in topic pattern `a/#/b`: `+` must stand alone in its level, `#` must be the whole last level",
            "signet.toml:14:19: `0` is out of range for `receive_maximum`",
        ]
    );
    assert!(found[7].ends_with("hint: did you mean `devices`?"), "{}", found[7]);
}

#[test]
fn a_syntax_error_hides_nothing_and_brings_no_others() {
    let found = problems("data_dir = \n[[listener]]\n");
    assert_eq!(found.len(), 1, "{}", found.join("\n"));
    assert!(found[0].starts_with("signet.toml:1:"), "{}", found[0]);
    assert!(problems("a = 1\na = 2\n")[0].starts_with("signet.toml:2:1: duplicate key"));
}

#[test]
fn a_file_without_a_listener_is_answered_with_a_way_on() {
    let found = one("data_dir = \"x\"\n");
    assert!(found.starts_with("signet.toml: no [[listener]]: nobody could connect\n  = hint: `signet quickstart"), "{found}");
}

#[test]
fn a_mistake_in_a_template_is_marked_inside_the_text() {
    let found = one(&listener("username = \"x-${cert.cnn}\""));
    assert_eq!(
        found,
        "signet.toml:7:15: unknown field `${cert.cnn}`; did you mean `${cert.cn}`?\n  |\n7 | username = \"x-${cert.cnn}\"\n  |               ^^^^^^^^^^^"
    );
    let found = one(&listener("device = \"${username}\""));
    assert!(found.contains("does not come from the certificate"), "{found}");
    let found = one(&listener("bind_client_identifier = \"${devcie}*\""));
    assert!(found.contains("did you mean `${device}`?"), "{found}");
}

#[test]
fn what_cannot_work_together_is_refused() {
    let found = one("[[listener]]\nbind = [\"127.0.0.1:1883\"]\ntransport = \"tcp\"\nanonymous = true\ncertificate = \"x\"\n");
    assert!(found.starts_with("signet.toml:5:15: `certificate` has no meaning with transport = \"tcp\""), "{found}");
    let found = one("[[listener]]\nbind = [\"127.0.0.1:1883\"]\ntransport = \"tcp\"\n");
    assert!(found.contains("nobody could connect here"), "{found}");
    let found = one(&listener("anonymous = true"));
    assert!(found.contains("`anonymous` has no meaning where every client must show a certificate"), "{found}");
    let found = one("[[listener]]\nbind = [\"127.0.0.1:1883\"]\ntransport = \"tcp\"\nanonymous = true\nusername = \"${cert.cn}\"\n");
    assert!(found.contains("needs a certificate, and this listener asks for none"), "{found}");
    let twice = format!("{}{}", listener("name = \"a\""), listener("name = \"a\""));
    let found = problems(&twice);
    assert_eq!(found.len(), 2, "{}", found.join("\n"));
    assert!(found[0].contains("`127.0.0.1:8883` is bound twice, listener `a` has it already") || found[1].contains("is bound twice"));
    assert!(found.iter().any(|problem| problem.contains("two listeners are called `a`")));
}

#[test]
fn an_address_for_all_collides_with_one_of_its_port() {
    let second = "[[listener]]\nname = \"b\"\nbind = [\"0.0.0.0:8883\", \"[::]:8883\"]\ntransport = \"tcp\"\nanonymous = true\n";
    let found = one(&format!("{}{second}", listener("name = \"a\"")));
    assert!(
        found.contains("`0.0.0.0:8883` cannot be bound beside `127.0.0.1:8883` of listener `a`") && found.contains("hint: "),
        "{found}"
    );
    assert_eq!(problems(&format!("{}{}", listener("name = \"a\""), second.replace("8883", "8884"))), Vec::<String>::new());
}

#[test]
fn a_binding_to_what_the_client_claims_is_refused() {
    for claim in ["${client_identifier}", "${username}*", "${device}-${username}"] {
        let found = one(&listener(&format!("bind_client_identifier = \"{claim}\"")));
        assert!(found.contains("is what the client claims, so it binds the Client Identifier to nothing"), "{found}");
    }
    let found = one(&listener("bind_client_identifier = \"${device}\"\nclient_identifier = \"${cert.serial}\""));
    assert!(found.contains("`bind_client_identifier` has no meaning beside `client_identifier`"), "{found}");
    assert_eq!(problems(&listener("bind_client_identifier = \"gw-${cert.serial}*\"")), Vec::<String>::new());
}

#[test]
fn every_field_of_a_certificate_can_make_a_name() {
    for key in ["device", "username", "client_identifier", "bind_client_identifier"] {
        for template in
            ["${cert.subject.ou[-1]:lower}-${cert.serial.hex}", "${cert.san.uri:regex(urn:dev:(.{1,9})) | cert.cn}", "${cert.dn.legacy}"]
        {
            assert_eq!(problems(&listener(&format!("{key} = '{template}'"))), Vec::<String>::new());
        }
        for template in ["${cert.pem}", "${cert.days_left}", "${listener}", "${cert.cn | address}"] {
            let found = one(&listener(&format!("{key} = '{template}'")));
            assert!(
                ["several lines", "cannot make a name", "does not come from the certificate"].iter().any(|part| found.contains(part)),
                "{found}"
            );
        }
    }
    let found = one(&listener("username = \"${cert.cn:lowr}\""));
    assert!(found.contains("unknown transform `:lowr`"), "{found}");
}

#[test]
fn a_uri_domain_is_a_domain_and_needs_a_certificate() {
    assert_eq!(problems(&listener("bind_client_identifier = \"uri_domain:my.domain.name\"")), Vec::<String>::new());
    for domain in ["", "a/b", "spiffe://a"] {
        let found = one(&listener(&format!("bind_client_identifier = \"uri_domain:{domain}\"")));
        assert!(found.contains("is no domain of a URI"), "{found}");
    }
    let plain =
        "[[listener]]\nbind = \"127.0.0.1:1883\"\ntransport = \"tcp\"\nanonymous = true\nbind_client_identifier = \"uri_domain:a\"\n";
    assert!(one(plain).contains("this listener sees none"));
    // A way out that needs no certificate is enough.
    let plain = "[[listener]]\nbind = \"127.0.0.1:1883\"\ntransport = \"tcp\"\nanonymous = true\n";
    assert_eq!(problems(&format!("{plain}username = \"${{cert.cn | username}}\"\n")), Vec::<String>::new());
    assert!(one(&format!("{plain}username = \"${{cert.cn | device}}\"\n")).contains("needs a certificate"));
}

#[test]
fn a_rule_for_nobody_is_marked() {
    let rule = |who: &str| format!("{}[[access]]\nwho = '{who}'\npublish = [\"sites/${{cert.ou}}/#\"]\n", listener(""));
    for who in ["cert.subject.ou=Hall 3", "device:pump-* and profile:\"listener 1\" and listener:listener*", "cert.cn=\"a and b\""] {
        assert_eq!(problems(&rule(who)), Vec::<String>::new());
    }
    for (who, expected) in [("devices and nobody", "`nobody` is nobody"), ("cert.cnn=x", "unknown field"), ("cert.cn=", "has no value")] {
        let found = one(&rule(who));
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn rules_deny_have_conditions_and_are_for_groups() {
    let text = format!(
        "{}[[group]]\nname = \"ops\"\nmembers = [\"username:ann\", \"device:c-*\"]\n[[group]]\nname = \"all\"\nmembers = [\"group:ops\"]\n\
         [[access]]\nname = \"no wills\"\nwho = \"group:all and not address:10.0.0.0/8\"\neffect = \"deny\"\npublish = [\"#\"]\nqos = [1, 2]\nwill = true\n\
         [[access]]\nwho = \"users\"\npublish = [\"eq a/#\", \"${{attribute.site}}/#\"]\nretain = false\nqos = 0\n",
        listener("")
    );
    let list = Problems::new(Path::new("signet.toml"), &text);
    let config = Config::resolve(file::File::parse(&text, &list), Path::new("signet.toml"), &list);
    assert!(list.is_empty());
    let [first, second] = config.rules.as_slice() else { panic!("{:?}", config.rules) };
    assert_eq!((first.name.as_str(), first.effect), ("access rule `no wills`", Effect::Deny));
    assert_eq!((second.name.as_str(), second.effect), ("access rule 2", Effect::Allow));
    assert_eq!((first.conditions.will, first.conditions.retain, second.conditions.retain), (Some(true), None, Some(false)));
    let qos = |rule: &Rule| {
        let set = rule.conditions.qos.unwrap();
        [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce].map(|qos| set.contains(qos))
    };
    assert_eq!((qos(first), qos(second)), ([false, true, true], [true, false, false]));
    let ann =
        |username: &str| Client::restored(Principal::User("x".into()), Some(username.to_owned().into()), ClientIdentifier::new("c"), None);
    let included = |username: &str, address: &str| {
        let origin = Origin { address: address.parse().ok(), listener: "tcp".into() };
        let client = ann(username).regranted(Arc::new(Grant::default())).coming_from(origin);
        first.who.includes(&client)
    };
    assert!(included("ann", "192.0.2.1") && !included("ann", "10.0.0.1") && !included("bob", "192.0.2.1"));
}

#[test]
fn what_makes_no_sense_in_rules_groups_and_sources_is_marked() {
    let access = "[[access]]\nwho = \"everyone\"\nsubscribe = [\"#\"]\n";
    for (text, expected) in [
        (format!("{access}effect = \"forbid\"\n"), "forbid"),
        (format!("{access}qos = 3\n"), "a whole number from 0 to 2"),
        (format!("{access}qos = []\n"), "a whole number from 0 to 2"),
        (format!("{access}retain = true\n"), "without `publish`"),
        (format!("{access}will = true\n"), "without `publish`"),
        ("[[access]]\nwho = \"everyone\"\neffect = \"deny\"\n".to_owned(), "denies nothing"),
        ("[[group]]\nmembers = [\"users\"]\n".to_owned(), "no `name`"),
        ("[[group]]\nname = \"a\"\n".to_owned(), "no `members`"),
        ("[[group]]\nname = \"a\"\nmembers = [\"usres\"]\n".to_owned(), "`usres` is nobody"),
        ("[[group]]\nname = \"a\"\nmembers = [\"users\"]\n[[group]]\nname = \"a\"\nmembers = [\"users\"]\n".to_owned(), "two groups"),
        ("[[access_source]]\ntype = \"mosquitto_acl_file\"\n".to_owned(), "no `file`"),
        ("[[access_source]]\ntype = \"acl\"\n".to_owned(), "there is no type `acl`"),
        ("[[access_source]]\ntype = \"emqx_acl_file\"\nfile = \"a\"\nplaceholders = \"x\"\n".to_owned(), "`x`"),
    ] {
        let found = one(&format!("{}{text}", listener("")));
        assert!(found.contains(expected), "{text}: {found}");
    }
}

#[test]
fn access_sources_in_files_are_read_and_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("acl"), "user ann\ntopic a\n").unwrap();
    fs::write(dir.path().join("acl.conf"), "{allow, all, publish, [\"b\"]}.").unwrap();
    let text = format!(
        "{}[[access_source]]\ntype = \"emqx_acl_file\"\nfile = \"acl.conf\"\n[[access_source]]\nname = \"old\"\ntype = \"mosquitto_acl_file\"\nfile = \"acl\"\nwhen = \"listener:listener 1\"\n",
        listener("")
    );
    let path = dir.path().join("signet.toml");
    let list = Problems::new(&path, &text);
    let config = Config::resolve(file::File::parse(&text, &list), &path, &list);
    assert!(list.is_empty());
    let sources = config.authentication.access_sources(None).unwrap();
    let names: Vec<&str> = sources.iter().map(|(_, source)| &**source.name()).collect();
    assert_eq!(names, ["emqx_acl_file", "old"]);
    assert_eq!(sources.iter().map(|(when, _)| when.is_some()).collect::<Vec<_>>(), [false, true]);
    assert_eq!(config.authentication.files(), [dir.path().join("acl.conf"), dir.path().join("acl")]);
    fs::write(dir.path().join("acl"), "user ann\ntopics a\n").unwrap();
    let error = config.authentication.access_sources(None).unwrap_err();
    assert!(error.contains("`old`") && error.contains("line 2: found `topics a`"), "{error}");
}

/// A chain that names somebody whose own table is wrong is not wrong for that; one that names nobody is marked where it does.
#[test]
fn who_is_named_in_a_chain_is_missed_once_and_in_its_place() {
    let chain = |chain: &str, table: &str| {
        let text = format!("{}[authentication]\nchain = [\"{chain}\"]\n[[authenticator]]\nname = \"a\"\n{table}\n", listener(""));
        problems(&text)
    };
    for table in ["type = \"user\"", "", "type = \"password_file\""] {
        let found = chain("certificate and a", table);
        assert!(found.len() == 1 && !found[0].contains("there is no authenticator"), "{found:?}");
    }
    for (named, expected) in [("b", "there is no authenticator `b`"), ("a and certificate:x", "there is no trust profile `x`")] {
        let found = chain(named, "type = \"users\"");
        assert!(found.len() == 1 && found[0].contains(expected) && found[0].contains(named), "{found:?}");
    }
}

#[test]
fn paths_are_relative_to_the_file() {
    let text = listener("");
    let list = Problems::new(Path::new("/etc/signet/signet.toml"), &text);
    let config = Config::resolve(file::File::parse(&text, &list), Path::new("/etc/signet/signet.toml"), &list);
    assert!(list.is_empty());
    assert_eq!(config.data_dir, Path::new("/etc/signet/data"));
    assert_eq!(config.admin_socket, Path::new("/etc/signet/data/admin.sock"));
    assert_eq!(config.profiles[0].authorities[0].value, Path::new("/etc/signet/ca.pem"));
}

// === The files it names ===

/// A directory with an authority, a server certificate and a configuration.
struct Set {
    dir: tempfile::TempDir,
}

impl Set {
    fn new() -> Self {
        let set = Self { dir: tempfile::tempdir().unwrap() };
        crate::ca_files::create(&set.path("ca"), &plan("Test", KeyType::P256)).unwrap();
        set.issue_server("server", 365 * 86_400);
        set.configure("");
        set
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn now() -> i64 {
        signet_net::unix_seconds()
    }

    fn issue_server(&self, name: &str, seconds: i64) {
        let authority = signet_ledger::AuthorityFiles::new(self.path("ca")).load(Self::now()).unwrap();
        let key = signet_ledger::PrivateKey::generate(KeyType::P256).unwrap();
        let mut ledger = signet_ledger::MemoryLedger::new();
        let request = signet_ca::IssuanceRequest::server(vec!["localhost".parse().unwrap()], key.subject_key().unwrap(), "test").unwrap();
        let request = request.with_validity(seconds).unwrap();
        let entropy = signet_ledger::serial_entropy().unwrap();
        let issued = signet_ca::issue_certificate(&authority, &mut ledger, request, entropy, Self::now()).unwrap();
        fs::write(self.path(&format!("{name}.pem")), issued.chain_pem()).unwrap();
        key.write(&self.path(&format!("{name}.key")), signet_ledger::Overwrite::Forced).unwrap();
    }

    fn configure(&self, more: &str) {
        let text = format!(
            "[[listener]]\nbind = [\"127.0.0.1:0\"]\ntransport = \"tls\"\ncertificate = \"server.pem\"\nkey = \"server.key\"\ntrust = [\"ca/ca.pem\"]\n{more}\n"
        );
        fs::write(self.path("signet.toml"), text).unwrap();
    }

    /// The problems, with the directory's name taken out.
    fn problems_at(&self, now: i64) -> Vec<String> {
        match load_strictly(&crate::config::Origin::of(&self.path("signet.toml")), now) {
            Ok(_) => Vec::new(),
            Err(ConfigError::Problems(list)) => {
                let directory = format!("{}/", self.dir.path().display());
                list.iter().map(|problem| problem.to_string().replace(&directory, "")).collect()
            }
            Err(ConfigError::Unreadable(failure)) => panic!("{failure}"),
        }
    }

    fn problem(&self) -> String {
        let found = self.problems_at(Self::now());
        assert_eq!(found.len(), 1, "{}", found.join("\n"));
        found.into_iter().next().unwrap()
    }
}

#[test]
fn files_that_fit_are_no_problem() {
    assert_eq!(Set::new().problems_at(Set::now()), Vec::<String>::new());
}

#[test]
fn pem_that_holds_no_key_is_named_at_the_key() {
    let set = Set::new();
    fs::copy(set.path("server.pem"), set.path("server.key")).unwrap();
    let found = set.problem();
    assert!(found.starts_with("signet.toml:5:7: `server.key`: "), "{found}");
    assert!(found.contains("no private key") && found.contains("hint: "), "{found}");
}

#[test]
fn a_key_of_another_certificate_is_named() {
    let set = Set::new();
    set.issue_server("other", 365 * 86_400);
    fs::copy(set.path("other.key"), set.path("server.key")).unwrap();
    let found = set.problem();
    assert!(found.starts_with("signet.toml:5:7: "), "{found}");
    assert!(found.contains("is not the private key of the certificate in `server.pem`") && found.contains("hint: "), "{found}");
}

#[test]
fn an_expired_server_certificate_is_named_with_its_date() {
    let set = Set::new();
    let found = set.problems_at(Set::now() + 366 * 86_400);
    assert_eq!(found.len(), 1, "{}", found.join("\n"));
    assert!(found[0].starts_with("signet.toml:4:15: `server.pem`: ") && found[0].contains("expired"), "{}", found[0]);
    assert!(found[0].contains("hint: "), "{}", found[0]);
}

#[test]
fn a_certificate_that_is_not_for_servers_is_named() {
    let set = Set::new();
    let authority = signet_ledger::AuthorityFiles::new(set.path("ca")).load(Set::now()).unwrap();
    let key = signet_ledger::PrivateKey::generate(KeyType::P256).unwrap();
    let name = signet_identity::DeviceName::new("pump-7").unwrap();
    let request = signet_ca::IssuanceRequest::device(name, key.subject_key().unwrap(), "test");
    let mut ledger = signet_ledger::MemoryLedger::new();
    let entropy = signet_ledger::serial_entropy().unwrap();
    let issued = signet_ca::issue_certificate(&authority, &mut ledger, request, entropy, Set::now()).unwrap();
    fs::write(set.path("server.pem"), issued.chain_pem()).unwrap();
    key.write(&set.path("server.key"), signet_ledger::Overwrite::Forced).unwrap();
    let found = set.problem();
    assert!(found.starts_with("signet.toml:4:15: `server.pem`: "), "{found}");
    assert!(found.contains("`CN=pump-7` is not for servers") && found.contains("hint: "), "{found}");
}

#[test]
fn one_file_for_both_that_holds_neither_is_named_at_the_certificate() {
    let set = Set::new();
    fs::write(set.path("server.pem"), "garbage").unwrap();
    let text = fs::read_to_string(set.path("signet.toml")).unwrap().replace("server.key", "server.pem");
    fs::write(set.path("signet.toml"), text).unwrap();
    assert!(set.problem().starts_with("signet.toml:4:15: `server.pem`: holds no certificate"), "{}", set.problem());
}

#[test]
fn a_leaf_in_a_ca_file_is_refused() {
    let set = Set::new();
    set.configure("");
    let text = fs::read_to_string(set.path("signet.toml")).unwrap().replace("ca/ca.pem", "server.pem");
    fs::write(set.path("signet.toml"), text).unwrap();
    let found = set.problem();
    assert!(found.starts_with("signet.toml:6:10: `server.pem`: "), "{found}");
}

#[test]
fn files_that_are_missing_are_all_named() {
    let set = Set::new();
    set.configure("crl = [\"gone.pem\"]");
    fs::remove_file(set.path("server.pem")).unwrap();
    let found = set.problems_at(Set::now());
    assert_eq!(found.len(), 2, "{}", found.join("\n"));
    assert!(found[0].starts_with("signet.toml:4:15: cannot read `server.pem`: no such file or directory"), "{}", found[0]);
    assert!(found[1].starts_with("signet.toml:7:8: `gone.pem`: cannot be read: no such file or directory"), "{}", found[1]);
}

/// Signs an empty CRL with the authority in `ca`, valid for `seconds` from now.
fn sign_crl(ca: &Path, to: &Path, seconds: i64) {
    let now = Set::now();
    let authority = signet_ledger::AuthorityFiles::new(ca).load(now).unwrap();
    let mut ledger = signet_ledger::MemoryLedger::new();
    let crl = signet_ca::publish_crl(&authority, &mut ledger, now, seconds).unwrap();
    fs::write(to, crl.pem()).unwrap();
}

#[test]
fn a_crl_of_another_issuer_is_refused_with_both_names() {
    let set = Set::new();
    crate::ca_files::create(&set.path("partner"), &plan("Partner", KeyType::P256)).unwrap();
    sign_crl(&set.path("partner"), &set.path("crl.pem"), 3600);
    set.configure("crl = [\"crl.pem\"]");
    let found = set.problem();
    assert!(found.starts_with("signet.toml:7:8: `crl.pem`: "), "{found}");
    assert!(found.contains("CN=Partner Issuing") && found.contains("CN=Test Issuing"), "{found}");
}

#[test]
fn a_crl_past_its_next_update_is_refused_unless_allowed() {
    let set = Set::new();
    sign_crl(&set.path("ca"), &set.path("crl.pem"), 3600);
    set.configure("crl = [\"crl.pem\"]");
    assert_eq!(set.problems_at(Set::now()), Vec::<String>::new());
    let found = set.problems_at(Set::now() + 3700);
    assert_eq!(found.len(), 1, "{}", found.join("\n"));
    assert!(found[0].contains("is past its nextUpdate") && found[0].contains("crl_stale = \"allow\""), "{}", found[0]);
    set.configure("crl = [\"crl.pem\"]\ncrl_stale = \"allow\"");
    assert_eq!(set.problems_at(Set::now() + 3700), Vec::<String>::new());
}

#[test]
fn a_wrong_transport_hides_no_wrong_file() {
    let set = Set::new();
    fs::remove_file(set.path("server.key")).unwrap();
    let text = fs::read_to_string(set.path("signet.toml")).unwrap().replace("\"tls\"", "\"tsl\"");
    fs::write(set.path("signet.toml"), text).unwrap();
    let found = set.problems_at(Set::now());
    assert_eq!(found.len(), 2, "{}", found.join("\n"));
    assert!(found[0].contains("`tsl` is not a value of `transport`") && found[1].contains("cannot read `server.key`"), "{found:?}");
}

#[test]
fn half_a_crl_is_refused() {
    let set = Set::new();
    sign_crl(&set.path("ca"), &set.path("crl.pem"), 3600);
    let whole = fs::read_to_string(set.path("crl.pem")).unwrap();
    fs::write(set.path("crl.pem"), &whole[..whole.len() / 2]).unwrap();
    set.configure("crl = [\"crl.pem\"]");
    assert!(set.problem().starts_with("signet.toml:7:8: `crl.pem`: "), "{}", set.problem());
}

#[test]
fn an_authority_with_a_part_missing_is_named() {
    let set = Set::new();
    fs::remove_file(set.path("ca/issuing.key")).unwrap();
    let text = fs::read_to_string(set.path("signet.toml")).unwrap();
    fs::write(set.path("signet.toml"), format!("{text}\n[ca]\ndir = \"ca\"\n")).unwrap();
    let found = set.problem();
    assert!(found.contains("cannot read `ca/issuing.key`: no such file or directory"), "{found}");
    assert!(found.contains("hint: restore the key from a backup"), "{found}");
}

#[test]
fn the_store_is_on_and_safe_unless_the_file_says_otherwise() {
    let read = |text: &str| {
        let list = Problems::new(Path::new("signet.toml"), text);
        let config = Config::resolve(file::File::parse(text, &list), Path::new("signet.toml"), &list);
        assert!(list.is_empty(), "{:?}", list.into_sorted());
        config
    };
    let plain = read(&listener(""));
    assert!(plain.store.enabled);
    let rules = plain.store.durability();
    assert_eq!(rules.of("a"), Durability::Always);
    assert_eq!(plain.listeners[0].durability, None);

    let text =
        "[store]\ndurability = \"interval\"\ntopics_always = [\"alarm/\", \"a/b/c\"]\ntopics_off = \"a/b\"\nmaximum_size = \"1GiB\"\n";
    let written = read(&format!("{}{text}", listener("durability = \"off\"")));
    let rules = written.store.durability();
    let durabilities = ["alarm", "alarm/x", "a/b", "a/b/d", "a/b/c/d", "else"].map(|topic| rules.of(topic));
    let (always, off) = (Durability::Always, Durability::Off);
    assert_eq!(durabilities, [always, always, off, off, always, Durability::Interval]);
    assert_eq!(written.listeners[0].durability, Some(off));
    let place = written.store.place(Path::new("data"));
    assert_eq!((place.directory.as_path(), place.segment_bytes, place.maximum_bytes), (Path::new("data/store"), 16 << 20, Some(1 << 30)));
}

#[test]
fn a_store_that_cannot_work_is_refused() {
    let found = problems(&format!(
        "{}[store]\ntopics_always = [\"a\", \"b/#\"]\ntopics_off = [\"a/\"]\nmaximum_size = \"64MiB\"\ndurability = \"alwasy\"\n",
        listener("")
    ));
    let starts: Vec<&str> = found.iter().map(|problem| problem.lines().next().unwrap()).collect();
    assert_eq!(
        starts,
        [
            "signet.toml:9:23: `b/#` is not the beginning of topics",
            "signet.toml:10:15: `a` is listed twice",
            "signet.toml:11:16: `maximum_size` is too small for segments of this size",
            "signet.toml:12:14: `alwasy` is not a value of `durability`, expected one of `always`, `interval` and `off`",
        ]
    );
}
