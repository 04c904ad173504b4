//! The keys of LDAP as they are written.

use super::super::testing::{mistake, read};

const WHERE: &str = "address = \"ldap.example.com\"\n";

const SEARCH: &str = "base_dn = \"dc=example\"\nfilter = \"(uid=${username})\"\n";

fn authenticator(keys: &str) -> String {
    format!("[[authenticator]]\ntype = \"ldap\"\n{keys}\n")
}

fn source(keys: &str) -> String {
    format!("[[access_source]]\ntype = \"ldap\"\n{keys}\n")
}

#[test]
fn keys_become_what_they_say() {
    let (config, problems) = read(&format!(
        "{}{}{}",
        authenticator(&format!(
            "{WHERE}{SEARCH}name = \"one\"\nmethod = \"search\"\nusername = \"cn=admin\"\npassword_file = \"p\"\ntransport = \"tls\"\ntrust = \"ca.pem\"\n\
             scope = \"one\"\npassword_attribute = \"secret\"\nsuperuser_attribute = \"root\"\ngroups_attribute = \"memberOf\"\nattributes = [\"a\"]\nrules = true"
        )),
        authenticator(&format!("{WHERE}name = \"two\"\ndn = \"uid=%u,dc=example\"\ntransport = \"starttls\"\ntrust = \"ca.pem\"")),
        source(&format!("{WHERE}{SEARCH}rule_attribute = \"acl\"\nplaceholders = \"emqx4\""))
    ));
    assert_eq!(problems, Vec::<String>::new());
    let files: Vec<String> = config.authentication.files().iter().map(|file| file.display().to_string()).collect();
    assert_eq!(files, ["/etc/signet/p", "/etc/signet/ca.pem", "/etc/signet/ca.pem"]);
    let said = format!("{:?}", config.authentication.authenticators[0].kind);
    for expected in ["port: 636", "transport: Tls", "scope: One", "attribute: \"secret\"", "superuser: Some(\"root\")", "mqttAclRule"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let said = format!("{:?}", config.authentication.authenticators[1].kind);
    for expected in ["port: 389", "transport: StartTls", "Bind(Dn(", "rules: None"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let said = format!("{:?}", config.authentication.sources[0].kind);
    assert!(said.contains("rule: \"acl\"") && said.contains("style: Emqx4"), "{said}");
}

#[test]
fn what_makes_no_sense_is_reported_where_it_stands() {
    for (keys, expected) in [
        (SEARCH.to_owned(), "has no `address`"),
        (format!("{WHERE}filter = \"(uid=%u)\""), "has no `base_dn`"),
        (format!("{WHERE}base_dn = \"dc=example\""), "has no `filter`"),
        (format!("{WHERE}base_dn = \"dc=example\"\nfilter = \"(uid=%u\""), "is no LDAP filter"),
        (format!("{WHERE}dn = \"%u,dc=example\""), "does not stand behind `=`"),
        (format!("{WHERE}dn = \"uid=%u\"\nfilter = \"(uid=%u)\""), "`filter` has no meaning"),
        (format!("{WHERE}{SEARCH}dn = \"uid=%u\"\nmethod = \"search\""), "`dn` has no meaning"),
        (format!("{WHERE}{SEARCH}password_attribute = \"x\""), "`password_attribute` has no meaning"),
        (format!("{WHERE}{SEARCH}username = \"cn=admin\""), "without `password_file`"),
        (format!("{WHERE}{SEARCH}password_file = \"p\""), "`password_file` has no meaning"),
        (format!("{WHERE}{SEARCH}transport = \"tls\""), "has no `trust`"),
        (format!("{WHERE}{SEARCH}transport = \"ssl\""), "transport"),
        (format!("address = \"unix:/run/ldapi\"\n{SEARCH}"), "reached by TCP"),
    ] {
        mistake(&authenticator(&keys), expected);
    }
    mistake(&source(WHERE).replace("\n\n", "\nbase_dn = \"dc=example\"\n"), "has no `filter`");
}
