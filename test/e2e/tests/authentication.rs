//! Who has to vouch for a client: chains, what the operator is told, what the client is told.

use signet_e2e::{Client, Publication, Site, Version};

/// A quickstart whose listener asks for no certificate, with this chain and these tables.
#[track_caller]
fn lan(chain: &str, tables: &str) -> Site {
    let site = Site::quickstart();
    site.edit("signet.toml", |text| {
        let text = text
            .replacen("client_certificate = \"required\"", "client_certificate = \"optional\"", 1)
            .replacen("\nusername = \"${cert.cn}\"", "\n# username", 1)
            .replacen("\n[authentication]\n", &format!("\n[authentication]\nchain = {chain}\n"), 1);
        format!("{text}\n[[access]]\nwho = \"everyone\"\npublish = [\"lobby/#\"]\n{tables}")
    });
    site.signet(&["check"]).succeeded();
    site
}

const ANN: &str = "[[authenticator]]\nname = \"lab\"\ntype = \"condition\"\nallow = [\"username:ann\"]\ndeny = [\"username:mallory\"]\n";

/// How `mosquitto_pub` ends that sends this user name.
fn publishes(site: &Site, version: &str, username: Option<&str>, device: bool) -> signet_e2e::Finished {
    let mut arguments = vec!["pub", "-h", "localhost", "--cafile", "ca/ca.pem", "-t", "lobby/x", "-m", "x", "-q", "1", "-V", version];
    let port = site.port().to_string();
    arguments.extend(["-p", &port]);
    if let Some(username) = username {
        arguments.extend(["-u", username, "-P", "secret"]);
    }
    if device {
        arguments.extend(["--cert", "devices/pump-7.pem", "--key", "devices/pump-7.key"]);
    }
    site.signet(&arguments)
}

#[test]
fn the_chain_decides_and_says_why() {
    let site = lan("[\"certificate\", \"lab\"]", ANN);
    let broker = site.serve();
    for version in ["311", "5"] {
        publishes(&site, version, None, true).succeeded();
        publishes(&site, version, Some("ann"), false).succeeded();
        for username in [Some("bob"), Some("mallory"), None] {
            let refused = publishes(&site, version, username, false);
            assert_ne!(refused.code, Some(0), "{username:?} {version}: {}", refused.output);
            assert!(refused.output.to_lowercase().contains("not authorized"), "{}", refused.output);
            assert!(!refused.output.contains("lab"), "the client is told who said what: {}", refused.output);
        }
    }
    broker.logs_all(&["authentication", "certificate: continue", "lab: continue (it is not described by `allow`)"]);
    broker.logs_all(&["authentication", "authenticator `lab`", "lab: deny (it is described by `deny`, number 1)"]);
    assert!(!broker.log().contains("secret"), "a password is in the log");
    // What becomes of the first is seen by another version of the protocol too.
    Client::Paho.publish(Version::V5, site.port(), &site.device("pump-7"), &Publication::of("pump-7/x", "x", 1)).succeeded();

    let refusals = site.signet(&["refusals", "--last", "1"]).succeeded();
    assert!(refusals.says("authentication"), "{}", refusals.output);

    let explained = site.signet(&["explain", "--username", "mallory", "--publish", "lobby/x"]);
    assert_eq!(explained.code, Some(9), "{}", explained.output);
    for words in ["authenticators", "continue  certificate", "deny      lab", "would be refused"] {
        assert!(explained.says(words), "no `{words}` in {}", explained.output);
    }
    let explained = site.signet(&["explain", "--username", "ann", "--client-identifier", "lobby-1", "--publish", "lobby/x"]).succeeded();
    // Nobody has asked it for anything that only ann has.
    assert!(explained.says("would be let in as a user without a proven name"), "{}", explained.output);
    assert!(explained.says("note: the user name `ann` and the Client Identifier are claimed and not proven"), "{}", explained.output);
}

#[test]
fn all_of_an_alternative_have_to_agree() {
    let site = lan("[\"certificate and lab\"]", ANN);
    let _broker = site.serve();
    publishes(&site, "5", Some("ann"), true).succeeded();
    for (username, device) in [(Some("ann"), false), (Some("bob"), true), (None, true), (Some("mallory"), true)] {
        assert_ne!(publishes(&site, "5", username, device).code, Some(0), "{username:?} {device}");
    }
}

#[test]
fn what_a_client_may_do_can_be_asked_without_its_secrets() {
    let site = lan("[\"certificate\", \"lab\"]", ANN);
    let _broker = site.serve();
    let check = |arguments: &[&str]| site.signet(&[&["acl", "check"], arguments].concat());
    check(&["--identity", "pump-7", "--topic", "pump-7/x"]).succeeded();
    check(&["--cert", "devices/pump-7.pem", "--topic", "pump-7/#", "--subscribe"]).succeeded();
    check(&["--username", "ann", "--topic", "lobby/x", "--publish"]).succeeded();
    let denied = check(&["--username", "ann", "--topic", "pump-7/x"]);
    assert_eq!(denied.code, Some(9), "{}", denied.output);
    assert!(denied.says("denied by"), "{}", denied.output);
    assert_eq!(check(&["--identity", "pump-8", "--topic", "x"]).code, Some(4));
    assert_eq!(check(&["--topic", "x"]).code, Some(2));
}

#[test]
fn a_chain_names_who_is_there() {
    let site = Site::quickstart();
    site.edit("signet.toml", |text| {
        text.replacen("\n[authentication]\n", "\n[authentication]\nchain = [\"certificat\", \"certificate:plant and lab\"]\n", 1)
    });
    let finished = site.signet(&["check"]);
    assert_eq!(finished.code, Some(3), "{}", finished.output);
    for words in [
        "there is no authenticator `certificat`",
        "did you mean `certificate`?",
        "there is no authenticator `lab`",
        "trust profile `plant`",
    ] {
        assert!(finished.says(words), "no `{words}` in {}", finished.output);
    }
}

#[test]
fn a_reload_changes_who_has_to_vouch() {
    let site = lan("[\"certificate\", \"lab\"]", ANN);
    let broker = site.serve();
    publishes(&site, "5", Some("ann"), false).succeeded();
    site.edit("signet.toml", |text| text.replace("allow = [\"username:ann\"]", "allow = [\"username:bob\"]"));
    broker.signal("HUP");
    broker.logs("reloaded");
    publishes(&site, "5", Some("bob"), false).succeeded();
    assert_ne!(publishes(&site, "5", Some("ann"), false).code, Some(0));
    // What cannot be used changes nothing.
    site.edit("signet.toml", |text| text.replace("type = \"condition\"\nallow", "type = \"conditon\"\nallow"));
    broker.signal("HUP");
    broker.logs("there is no type `conditon`");
    publishes(&site, "5", Some("bob"), false).succeeded();
}
