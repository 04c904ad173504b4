//! Who is let in.

use std::sync::Arc;
use std::time::Duration;

use signet_auth::{
    Authenticator as _, Backend, BackendConfig, HashingPool, PasswordAuthenticator, PasswordHash, SaltPosition, SqlColumns, SqlEngine,
    SqlPool, SqlRecords,
};
use tokio::task::JoinSet;

use crate::people::{INJECTIONS, failed, grants, patient, says, somebody, user};
use crate::rig::{QUERY, Rig, against_both};

against_both!(passwords);
async fn passwords(rig: Rig) {
    let users = rig.users(QUERY);
    assert_eq!(says(&users, &user("ann", "secret")).await, "allow");
    assert_eq!(says(&users, &user("ann", "Secret")).await, "deny: wrong password");
    assert_eq!(says(&users, &user("ann", "")).await, "deny: wrong password");
    assert_eq!(says(&users, &user("root", "root")).await, "superuser");
    assert_eq!(says(&users, &user("nobody", "")).await, "deny: its entry has no password");
    assert_eq!(says(&users, &user("bob", "secret")).await, "unknown: it is not there");
    assert_eq!(says(&users, &somebody(Some("ann"), "c", None, None)).await, "unknown: it sends no password");
    let nameless = says(&users, &somebody(None, "c", Some("secret"), None)).await;
    assert!(nameless.starts_with("unknown: ") && nameless.contains("user name"), "{nameless}");
    assert_eq!(failed(users.backend().unwrap()), 0);
    // In the style of EMQX 4.
    let users = rig.users("select password_hash as password, is_superuser from mqtt_user where username = '%u' limit 1");
    assert_eq!(says(&users, &user("root", "root")).await, "superuser");
    // Without LIMIT the first row counts.
    let users = rig.users("SELECT password_hash FROM mqtt_user WHERE username <> ${username} ORDER BY username");
    assert_eq!(says(&users, &user("x", "secret")).await, "allow");
    assert_eq!(says(&users, &user("x", "secret")).await, "allow");
}

against_both!(what_else_a_client_is_given);
async fn what_else_a_client_is_given(rig: Rig) {
    let columns =
        SqlColumns { attributes: vec!["team".into(), "ends".into()], groups: Some("member_of".into()), expires_at: Some("ends".into()) };
    let statement = rig.statement("SELECT * FROM mqtt_user WHERE username = ${username}");
    let records = SqlRecords::new(SqlPool::new(rig.server()).unwrap(), statement, columns).unwrap();
    let backend = Backend::new(patient("sql"));
    let users = PasswordAuthenticator::new(Arc::new(records), backend, PasswordHash::Plain, HashingPool::new(1));
    let grant = grants(&users, &user("ann", "secret")).await;
    assert_eq!(grant.groups.iter().map(|group| &**group).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(
        grant.attributes.iter().map(|(name, value)| (&**name, &**value)).collect::<Vec<_>>(),
        [("ends", "1900000000"), ("team", "blue")]
    );
    assert_eq!((grant.expires_at, grant.superuser), (Some(1_900_000_000), false));
    let grant = grants(&users, &user("root", "root")).await;
    assert!(grant.superuser && grant.groups.is_empty() && grant.attributes.is_empty() && grant.expires_at.is_none());
}

against_both!(salts_of_all_types);
async fn salts_of_all_types(rig: Rig) {
    let hash = sha256("peppersecret");
    let (bytes, char) = match rig.engine() {
        SqlEngine::PostgreSql => ("BYTEA", "CHAR(64)"),
        SqlEngine::MySql => ("VARBINARY(100)", "CHAR(64)"),
    };
    for (at, (hash_type, salt_type, root)) in [
        ("TEXT", "TEXT", "BOOLEAN"),
        (bytes, bytes, "INT"),
        (char, "VARCHAR(10)", "BIGINT"),
        ("TEXT", "TEXT", "VARCHAR(5)"),
        ("TEXT", "TEXT", "SMALLINT"),
    ]
    .into_iter()
    .enumerate()
    {
        let table = format!("typed_{at}");
        rig.table(&table, &format!("CREATE TABLE {table} (id VARCHAR(20), hash {hash_type}, salt {salt_type}, root {root})"));
        let truth = if root == "BOOLEAN" { "true" } else { "'1'" };
        rig.execute(&format!("INSERT INTO {table} VALUES ('c1', '{hash}', 'pepper', {truth}), ('c2', '{hash}', 'pepper', NULL)"));
        let statement =
            rig.statement(&format!("SELECT hash AS password_hash, salt, root AS is_superuser FROM {table} WHERE id = ${{clientid}}"));
        let records = SqlRecords::new(SqlPool::new(rig.server()).unwrap(), statement, SqlColumns::default()).unwrap();
        assert_eq!(records.check().await, signet_auth::SourceCheck::Fine, "{table}");
        let kind = PasswordHash::Sha256(SaltPosition::Prefix);
        let users = PasswordAuthenticator::new(Arc::new(records), Backend::new(patient("sql")), kind, HashingPool::new(1));
        assert_eq!(says(&users, &somebody(None, "c1", Some("secret"), None)).await, "superuser", "{hash_type} {salt_type} {root}");
        assert_eq!(says(&users, &somebody(None, "c2", Some("secret"), None)).await, "allow", "{hash_type} {salt_type} {root}");
        assert_eq!(says(&users, &somebody(None, "c1", Some("peppersecret"), None)).await, "deny: wrong password");
    }
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(text))
}

against_both!(nothing_a_client_says_becomes_part_of_a_query);
async fn nothing_a_client_says_becomes_part_of_a_query(rig: Rig) {
    // Every field that can reach a query, and each alone decides.
    let everything = [
        rig.users(QUERY),
        rig.users("SELECT password_hash FROM mqtt_user WHERE username = '${clientid}'"),
        rig.users("SELECT password_hash FROM mqtt_user WHERE username = '%C'"),
        rig.users(
            "SELECT password_hash FROM mqtt_user WHERE username = ${cert.cn | client_identifier} AND username <> concat('x', ${username})",
        ),
    ];
    for injected in INJECTIONS {
        let applicants = [
            user(injected, "secret"),
            somebody(Some("x"), injected, Some("secret"), None),
            somebody(Some("x"), "c", Some("secret"), Some(injected)),
            somebody(Some(injected), "c", Some("secret"), Some(injected)),
        ];
        for (users, applicant) in everything.iter().zip(&applicants) {
            let said = says(users, applicant).await;
            assert!(said.starts_with("unknown: "), "{injected:?}: {said}");
        }
    }
    for users in &everything {
        assert_eq!(failed(users.backend().unwrap()), 0);
    }
    assert_eq!(rig.execute("SELECT count(*) FROM mqtt_user"), "3");
    // Whoever is really called like that is found, and nobody else.
    let names = INJECTIONS.iter().filter(|name| !name.contains(['\0', '\n']));
    for (at, name) in names.clone().enumerate() {
        let quoted = match rig.engine() {
            SqlEngine::PostgreSql => name.replace('\'', "''"),
            SqlEngine::MySql => name.replace('\\', "\\\\").replace('\'', "''"),
        };
        rig.execute(&format!("INSERT INTO mqtt_user (username, password_hash, is_superuser) VALUES ('{quoted}', 'pw{at}', false)"));
    }
    for (at, name) in names.enumerate() {
        for (users, applicant) in everything.iter().zip([
            user(name, &format!("pw{at}")),
            somebody(Some("x"), name, Some(&format!("pw{at}")), None),
            somebody(Some("x"), "c", Some(&format!("pw{at}")), Some(name)),
            somebody(Some("x"), name, Some(&format!("pw{at}")), None),
        ]) {
            assert_eq!(says(users, &applicant).await, "allow", "{name:?}");
        }
    }
}

against_both!(a_thousand_at_once);
async fn a_thousand_at_once(rig: Rig) {
    let rows: Vec<String> = (0..1000).map(|number| format!("('u{number}', 'pw{number}', false)")).collect();
    rig.execute(&format!("INSERT INTO mqtt_user (username, password_hash, is_superuser) VALUES {}", rows.join(", ")));
    let users = Arc::new(rig.users(QUERY));
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
    match &rig {
        Rig::Postgres(server) => {
            let open: u32 = server.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'signet'").parse().unwrap();
            assert!((1..=8).contains(&open), "{open} connections");
        }
        Rig::Mariadb(server) => {
            let status = |name: &str| -> u32 {
                let line = server.execute(&format!("SHOW GLOBAL STATUS LIKE '{name}'"));
                line.split_whitespace().last().unwrap().parse().unwrap()
            };
            assert!(status("Max_used_connections") <= 9);
            // Each connection prepares once.
            assert!((1..=8).contains(&status("Com_stmt_prepare")), "{}", status("Com_stmt_prepare"));
            assert_eq!(status("Com_stmt_execute"), 1000);
        }
    }
}

against_both!(answers_are_remembered_until_somebody_says_to_forget);
async fn answers_are_remembered_until_somebody_says_to_forget(rig: Rig) {
    let config = BackendConfig { cache_ttl: Duration::from_secs(3600), ..patient("sql") };
    let users = rig.users_at(rig.server(), QUERY, config);
    assert_eq!(says(&users, &user("ann", "secret")).await, "allow");
    rig.execute("UPDATE mqtt_user SET password_hash = 'changed' WHERE username = 'ann'");
    assert_eq!(says(&users, &user("ann", "secret")).await, "allow");
    assert_eq!(says(&users, &user("ann", "changed")).await, "deny: wrong password");
    assert_eq!(users.backend().unwrap().report().asked, 1);
    users.backend().unwrap().forget();
    assert_eq!(says(&users, &user("ann", "secret")).await, "deny: wrong password");
    assert_eq!(says(&users, &user("ann", "changed")).await, "allow");
    assert_eq!(users.backend().unwrap().report().asked, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_prepares_once_for_each_connection_and_gets_values_apart() {
    let rig = Rig::start(SqlEngine::PostgreSql);
    let Rig::Postgres(server) = &rig else { panic!("not PostgreSQL") };
    server.execute("ALTER USER signet SET log_min_duration_statement = 0");
    let users = rig.users_at(signet_auth::SqlServer { pool_size: 1, ..rig.server() }, QUERY, patient("postgresql"));
    for name in ["ann", "bob", "' OR 1=1 --"] {
        says(&users, &user(name, "secret")).await;
    }
    let log = server.log();
    let count = |what: &str| log.lines().filter(|line| line.contains(what) && line.contains("username = $1")).count();
    assert_eq!((count(" parse "), count(" execute ")), (1, 3), "{log}");
    assert!(!log.lines().any(|line| line.contains("SELECT") && line.contains("OR 1=1")), "{log}");
}
