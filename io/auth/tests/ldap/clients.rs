//! Who is let in.

use std::sync::Arc;
use std::time::Duration;

use signet_auth::{
    Authenticator as _, Backend, BackendConfig, HashingPool, LdapAttributes, LdapAuthenticator, LdapDirectory, LdapDn, LdapProof,
    LdapScope, LdapSearch, LdapSecurity, LdapServer, LdapWho, PasswordHash, SourceCheck,
};
use signet_mqtt::Password;
use signet_testkit::{LdapServer as Directory, OpensslCa};
use tokio::task::JoinSet;

use crate::people::{INJECTIONS, failed, grants, patient, says, somebody, user};
use crate::rig::{FILTER, add, by_name, by_password, by_search, fill, search, server, ssha, users, users_at};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords() {
    let directory = Directory::start();
    fill(&directory);
    for (way, proof) in [("name", by_name()), ("search", by_search()), ("password", by_password())] {
        let users = users(&directory, proof);
        assert_eq!(says(&users, &user("ann", "secret")).await, "allow", "{way}");
        assert_eq!(says(&users, &user("ann", "Secret")).await, "deny: wrong password", "{way}");
        assert_eq!(says(&users, &user("root", "root")).await, "superuser", "{way}");
        // A bind without a password succeeds, as nobody.
        assert_eq!(says(&users, &user("ann", "")).await, "deny: its password is empty", "{way}");
        assert_eq!(says(&users, &user("bob", "")).await, "deny: its password is empty", "{way}");
        assert!(says(&users, &user("nobody", "secret")).await.starts_with("deny: "), "{way}");
        assert_eq!(says(&users, &somebody(Some("ann"), "c", None, None)).await, "unknown: it sends no password", "{way}");
        assert!(says(&users, &somebody(None, "c", Some("secret"), None)).await.starts_with("unknown: "), "{way}");
        // OpenLDAP does not tell who is there, where it is asked by a bind.
        let bob = if way == "name" { "deny: wrong password" } else { "unknown: it is not there" };
        assert_eq!(says(&users, &user("bob", "secret")).await, bob, "{way}");
        assert_eq!(failed(users.backend().unwrap()), 0, "{way}");
    }
    let mut bytes = user("ann", "");
    bytes.password = Some(Password::new(vec![0xff, 0xfe]));
    assert_eq!(says(&users(&directory, by_name()), &bytes).await, "deny: its password is no UTF-8");
    assert_eq!(says(&users(&directory, by_password()), &bytes).await, "deny: wrong password");
    // The base with the name, as EMQX has it.
    let base = LdapDn::parse(&format!("uid=%u,ou=devices,{}", Directory::BASE)).unwrap();
    let search = LdapSearch { base, scope: LdapScope::Base, filter: search("(objectClass=mqttUser)").filter };
    let users = users(&directory, LdapProof::Bind(LdapWho::Search(search)));
    assert_eq!(says(&users, &user("ann", "secret")).await, "allow");
    assert_eq!(says(&users, &user("bob", "secret")).await, "unknown: it is not there");
    assert_eq!(failed(users.backend().unwrap()), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemes_of_passwords() {
    let directory = Directory::start();
    add(&directory, "sha", "userPassword: {SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=");
    add(&directory, "md5", "userPassword: {MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==");
    add(&directory, "crypt", "userPassword: {CRYPT}$2b$05$UJ6ED7VxsCsZHpTFj/jPgOHDEXXjexDyPuMRig42W2J.4ZhLtC1Eq");
    add(&directory, "clear", "userPassword: {cleartext}secret");
    add(&directory, "plain", "userPassword: secret");
    add(&directory, "both", &format!("userPassword: {{UNKNOWN}}x\nuserPassword: {}\nuserPassword: {}", ssha("secret"), ssha("other")));
    let users_by = users(&directory, by_password());
    for (name, password, said) in [
        ("clear", "secret", "allow"),
        ("clear", "{cleartext}secret", "deny: wrong password"),
        ("both", "secret", "allow"),
        ("both", "other", "allow"),
        ("md5", "{MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", "deny: wrong password"),
    ] {
        assert_eq!(says(&users_by, &user(name, password)).await, said, "{name} {password}");
    }
    assert!(says(&users_by, &user("both", "neither")).await.starts_with("deny: "));
    // Those that the server understands too are understood alike.
    let bound = users(&directory, by_search());
    for name in ["sha", "md5", "both"] {
        for password in ["secret", "hello", "password"] {
            assert_eq!(
                says(&bound, &user(name, password)).await == "allow",
                says(&users_by, &user(name, password)).await == "allow",
                "{name} {password}"
            );
        }
    }
    assert!(says(&users_by, &user("crypt", "wrong")).await.starts_with("deny: wrong password"));
    // Nothing is taken for a password that does not say so, unless the operator does.
    assert!(says(&users_by, &user("plain", "secret")).await.starts_with("deny: its stored password cannot be used"));
    let proof = LdapProof::Password { search: search(FILTER), attribute: "userPassword".into(), hash: PasswordHash::Plain };
    assert_eq!(says(&users(&directory, proof), &user("plain", "secret")).await, "allow");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_else_a_client_is_given() {
    let directory = Directory::start();
    fill(&directory);
    let attributes = LdapAttributes {
        superuser: Some("isSuperuser".into()),
        groups: Some("host".into()),
        attributes: vec!["description".into()],
        rules: Some(signet_auth::LdapRuleAttributes::default()),
    };
    directory.modify(&format!(
        "dn: uid=ann,ou=devices,{}\nchangetype: modify\nadd: mqttPublishTopic\nmqttPublishTopic: up/ann/#\n",
        Directory::BASE
    ));
    for proof in [by_name(), by_search(), by_password()] {
        let users = users_at(server(&directory), proof, attributes.clone(), patient("ldap"));
        let grant = grants(&users, &user("ann", "secret")).await;
        assert_eq!(grant.groups.iter().map(|group| &**group).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(grant.attributes.iter().map(|(name, value)| (&**name, &**value)).collect::<Vec<_>>(), [("description", "blue")]);
        assert_eq!((grant.rules.len(), grant.rules[0].rules.len(), grant.superuser), (1, 1, false));
        assert!(grants(&users, &user("root", "root")).await.superuser);
    }
    // Two values where one has to be are no attribute.
    let several = LdapAttributes { attributes: vec!["host".into()], ..LdapAttributes::default() };
    let users = users_at(server(&directory), by_search(), several, patient("ldap"));
    assert!(says(&users, &user("ann", "secret")).await.contains("`host` has 2 values"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_a_client_says_becomes_part_of_a_name_or_filter() {
    let directory = Directory::start();
    fill(&directory);
    let by = |filter: &str| {
        users(&directory, LdapProof::Password { search: search(filter), attribute: "userPassword".into(), hash: PasswordHash::Auto })
    };
    let everything = [
        by(FILTER),
        by("(uid=${clientid})"),
        by("(|(uid=%C)(description=x%C))"),
        users(&directory, by_search()),
        users(&directory, by_name()),
    ];
    let applicants = |name: &str, password: &str| {
        [
            user(name, password),
            somebody(Some("x"), name, Some(password), None),
            somebody(Some("x"), "c", Some(password), Some(name)),
            user(name, password),
            user(name, password),
        ]
    };
    for injected in INJECTIONS {
        for (at, (users, applicant)) in everything.iter().zip(&applicants(injected, "secret")).enumerate() {
            // Directories compare names by form: this one is `ann`, and is her.
            if injected == "ａｎｎ" {
                continue;
            }
            let said = says(users, applicant).await;
            let expected = if at == 4 && !injected.contains(['\0', '\n']) { "deny: wrong password" } else { "unknown: " };
            assert!(said.starts_with(expected), "{at} {injected:?}: {said}");
        }
    }
    for users in &everything {
        assert_eq!(failed(users.backend().unwrap()), 0);
    }
    // Whoever is really called like that is found, and nobody else.
    let names = || INJECTIONS.iter().filter(|name| !name.contains(['\0', '\n']) && **name != "ａｎｎ").enumerate();
    for (at, name) in names() {
        add(&directory, name, &format!("userPassword: {}", ssha(&format!("pw{at}"))));
    }
    for (at, name) in names() {
        for (users, applicant) in everything.iter().zip(&applicants(name, &format!("pw{at}"))) {
            assert_eq!(says(users, applicant).await, "allow", "{name:?}");
        }
        for (users, applicant) in everything.iter().zip(&applicants(name, "secret")) {
            assert_eq!(says(users, applicant).await, "deny: wrong password", "{name:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_entries_are_nobody() {
    let directory = Directory::start();
    fill(&directory);
    let same = format!("userPassword: {}\ndescription: same", ssha("one"));
    add(&directory, "twin", &same);
    add(&directory, "double", &same);
    add(&directory, "triple", &same);
    for proof in [
        LdapProof::Bind(LdapWho::Search(search("(description=${username})"))),
        LdapProof::Password { search: search("(description=${username})"), attribute: "userPassword".into(), hash: PasswordHash::Auto },
    ] {
        let users = users(&directory, proof);
        assert_eq!(says(&users, &user("same", "one")).await, "deny: the search finds several entries");
        assert_eq!(says(&users, &user("blue", "secret")).await, "allow");
        assert_eq!(failed(users.backend().unwrap()), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_at_once() {
    let directory = Directory::start();
    let entries: Vec<String> = (0..1000)
        .map(|number| {
            format!(
                "dn: uid=u{number},ou=devices,{}\nobjectClass: account\nobjectClass: simpleSecurityObject\nobjectClass: mqttUser\nuid: u{number}\n\
                 userPassword: {}\n",
                Directory::BASE,
                ssha(&format!("pw{number}"))
            )
        })
        .collect();
    directory.add(&entries.join("\n"));
    for proof in [by_search(), by_password()] {
        let users = Arc::new(users(&directory, proof));
        let mut all = JoinSet::new();
        for number in 0..1000 {
            let users = Arc::clone(&users);
            // Each third one is mistaken.
            let password = if number % 3 == 0 { "wrong".to_owned() } else { format!("pw{number}") };
            all.spawn(async move { (number, says(&*users, &user(&format!("u{number}"), &password)).await) });
        }
        while let Some(done) = all.join_next().await {
            let (number, said) = done.unwrap();
            assert_eq!(said, if number % 3 == 0 { "deny: wrong password" } else { "allow" }, "u{number}");
        }
        let report = users.backend().unwrap().report();
        assert_eq!((report.asked, report.failed, report.spared), (1000, 0, 0));
    }
    // Eight for searches and eight for binds, then eight for searches, and two for the test itself and its beginning.
    let accepted = directory.log().lines().filter(|line| line.contains(" ACCEPT ")).count();
    assert!(accepted <= 8 + 8 + 8 + 5, "{accepted} connections");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_remembered_until_somebody_says_to_forget() {
    let directory = Directory::start();
    fill(&directory);
    let config = || BackendConfig { cache_ttl: Duration::from_secs(3600), ..patient("ldap") };
    let bound = users_at(server(&directory), by_search(), LdapAttributes::default(), config());
    let compared = users_at(server(&directory), by_password(), LdapAttributes::default(), config());
    for users in [&bound, &compared] {
        assert_eq!(says(users, &user("ann", "secret")).await, "allow");
        assert_eq!(says(users, &user("ann", "changed")).await, "deny: wrong password");
    }
    let change = format!("changetype: modify\nreplace: userPassword\nuserPassword: {}\n", ssha("changed"));
    directory.modify(&format!("dn: uid=ann,ou=devices,{}\n{change}", Directory::BASE));
    for users in [&bound, &compared] {
        // What is remembered of one password says nothing about another one.
        assert_eq!(says(users, &user("ann", "secret")).await, "allow");
        assert_eq!(says(users, &user("ann", "changed")).await, "deny: wrong password");
        assert_eq!(says(users, &user("ann", "x")).await, "deny: wrong password");
        users.backend().unwrap().forget();
        assert_eq!(says(users, &user("ann", "secret")).await, "deny: wrong password");
        assert_eq!(says(users, &user("ann", "changed")).await, "allow");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_and_starttls() {
    let files = tempfile::tempdir().unwrap();
    let ca = OpensslCa::create(&files.path().join("ca"), "Directory");
    let stranger = OpensslCa::create(&files.path().join("stranger"), "Stranger");
    let issued = ca.issue("localhost", "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost\n");
    let directory = Directory::start_tls(&ca, &issued);
    fill(&directory);
    let at = |security, host: &str, ca: &OpensslCa| LdapServer {
        security,
        host: host.to_owned(),
        port: if security == LdapSecurity::Tls { directory.tls_port() } else { directory.port() },
        ca_files: vec![ca.certificate()],
        ..server(&directory)
    };
    for security in [LdapSecurity::Tls, LdapSecurity::StartTls] {
        let said =
            async |server| says(&users_at(server, by_search(), LdapAttributes::default(), patient("ldap")), &user("ann", "secret")).await;
        assert_eq!(said(at(security, "localhost", &ca)).await, "allow", "{security:?}");
        for server in [at(security, "127.0.0.1", &ca), at(security, "localhost", &stranger)] {
            let said = said(server).await;
            assert!(said.starts_with("failed: no connection to "), "{security:?}: {said}");
        }
        let error = LdapDirectory::new(LdapServer { ca_files: Vec::new(), ..at(security, "localhost", &ca) }).unwrap_err();
        assert!(error.0.contains("no CA to check"), "{error}");
    }
    // Nothing was said before it was protected.
    let log = directory.log();
    assert!(log.contains("STARTTLS") && log.contains("TLS established"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_prove_nothing_are_refused() {
    let directory = Directory::start();
    fill(&directory);
    let refused = |server: LdapServer| LdapDirectory::new(server).unwrap_err().0;
    let account =
        |dn: &str, password: &str| LdapServer { account: Some((dn.to_owned(), Password::new(password.to_owned()))), ..server(&directory) };
    assert!(refused(account(Directory::ADMIN, "")).contains("empty password"));
    assert!(refused(account("", "x")).contains("no name"));
    assert!(refused(LdapServer { host: "a/b".to_owned(), ..server(&directory) }).contains("neither a host name"));
    let made = LdapDirectory::new(server(&directory)).unwrap();
    let proof = LdapProof::Bind(LdapWho::Search(search("(uid=ann)")));
    let error =
        LdapAuthenticator::new("d".into(), made, proof, LdapAttributes::default(), Backend::new(patient("ldap")), HashingPool::new(1));
    assert!(error.unwrap_err().0.contains("no placeholder"));
    // An account that is wrong fails, and lets nobody in; so does a base that is not there.
    let users = users_at(account(Directory::ADMIN, "wrong"), by_search(), LdapAttributes::default(), patient("ldap"));
    let said = says(&users, &user("ann", "secret")).await;
    assert!(said.starts_with("failed: no connection to ldap://127.0.0.1:") && said.contains("cannot bind"), "{said}");
    assert!(!said.contains("wrong\""), "{said}");
    let elsewhere = LdapSearch { base: LdapDn::parse("dc=nowhere").unwrap(), ..search(FILTER) };
    let users = users_at(server(&directory), LdapProof::Bind(LdapWho::Search(elsewhere)), LdapAttributes::default(), patient("ldap"));
    let said = says(&users, &user("ann", "secret")).await;
    assert!(said.starts_with("failed: ") && said.contains("noSuchObject"), "{said}");
    // Without an account the password cannot be read: nobody is let in by what is not there.
    let users = users_at(LdapServer { account: None, ..server(&directory) }, by_password(), LdapAttributes::default(), patient("ldap"));
    let said = says(&users, &user("ann", "secret")).await;
    assert!(said.starts_with("deny: its entry has no `userPassword`"), "{said}");
    assert!(LdapDirectory::new(server(&directory)).unwrap().check().await == SourceCheck::Fine);
    assert!(matches!(LdapDirectory::new(account(Directory::ADMIN, "wrong")).unwrap().check().await, SourceCheck::Unreachable(_)));
}
