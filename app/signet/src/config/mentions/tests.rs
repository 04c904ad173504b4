use std::path::Path;

use super::super::{Config, file};
use super::*;

fn problems(text: &str) -> Vec<String> {
    let list = Problems::new(Path::new("signet.toml"), text);
    Config::resolve(file::File::parse(text, &list), Path::new("signet.toml"), &list);
    list.into_sorted().iter().map(ToString::to_string).collect()
}

const SITE: &str = "[[listener]]\nname = \"plant\"\nbind = \"127.0.0.1:8883\"\ntransport = \"tls\"\ncertificate = \"s.pem\"\nkey = \"s.key\"\n\
    profiles = [\"factory\"]\n[[trust]]\nname = \"factory\"\nca = [\"ca.pem\"]\ntenant = \"acme\"\n\
    [[group]]\nname = \"operators\"\nmembers = [\"username:ann\"]\n";

#[test]
fn a_name_that_is_not_there_is_marked_where_it_stands() {
    let rule = |who: &str| format!("{SITE}[[access]]\nwho = \"{who}\"\npublish = [\"a\"]\n");
    for who in ["listener:plant", "listener:pl*", "not listener:plant", "profile:factory and tenant:acme", "group:operators"] {
        assert_eq!(problems(&rule(who)), Vec::<String>::new(), "{who}");
    }
    for (who, what, hint) in [
        ("listener:palnt", "no listener `palnt`", "did you mean `plant`?"),
        ("devices and not listener:x*", "no listener `x*`", "known here: `plant`"),
        ("profile:factroy", "no trust profile `factroy`", "did you mean `factory`?"),
        ("tenant:acem", "no tenant `acem`", "did you mean `acme`?"),
        ("group:operator", "no group `operator`", "did you mean `operators`?"),
    ] {
        let found = problems(&rule(who));
        let [found] = found.as_slice() else { panic!("{who}: {found:?}") };
        assert!(found.contains("signet.toml:15:7") && found.contains(what) && found.contains(hint), "{who}: {found}");
    }
}

#[test]
fn whom_an_authenticator_or_a_source_is_asked_about_is_checked_too() {
    for table in [
        "[authentication]\nchain = [\"a\"]\n[[authenticator]]\nname = \"a\"\ntype = \"condition\"\nallow = [\"everyone\"]\nwhen = \"listener:plnat\"\n",
        "[authentication]\nchain = [\"a\"]\n[[authenticator]]\nname = \"a\"\ntype = \"condition\"\nallow = [\"listener:plnat\"]\n",
        "[[access_source]]\nname = \"a\"\ntype = \"mosquitto_acl_file\"\nfile = \"acl\"\nwhen = \"listener:plnat\"\n",
    ] {
        let found = problems(&format!("{SITE}{table}"));
        assert!(found.iter().any(|found| found.contains("no listener `plnat`")), "{table}: {found:?}");
    }
}

#[test]
fn a_group_may_be_given_by_somebody_who_vouches() {
    let text = format!(
        "{SITE}[authentication]\nchain = [\"users\"]\n[[authenticator]]\ntype = \"users\"\n[[access]]\nwho = \"group:guests\"\npublish = [\"a\"]\n"
    );
    assert_eq!(problems(&text), Vec::<String>::new());
}
