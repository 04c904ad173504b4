//! Queries that do not fit the data base: said at the start, and no harm later.

use signet_auth::{Authenticator as _, SourceCheck, SqlColumns, SqlEngine, SqlPool, SqlRecords, SqlServer, SqlStatement};
use signet_mqtt::Password;

use crate::people::{failed, patient, says, user};
use crate::rig::{QUERY, Rig, against_both};

async fn checked(rig: &Rig, server: SqlServer, query: &str, columns: SqlColumns) -> SourceCheck {
    let records = SqlRecords::new(SqlPool::new(server).unwrap(), rig.statement(query), columns).unwrap();
    records.check().await
}

against_both!(mistakes_are_said_at_the_start);
async fn mistakes_are_said_at_the_start(rig: Rig) {
    rig.table("times", "CREATE TABLE times (u VARCHAR(10), password_hash TIMESTAMP, salt TEXT)");
    let wrong = |query: &'static str, words: &'static str| (query, words);
    for (query, words) in [
        wrong("SELEC password_hash FROM mqtt_user WHERE username = ${username}", "SELEC"),
        wrong("SELECT password_hash FROM mqtt_users WHERE username = ${username}", "mqtt_users"),
        wrong("SELECT password_hsh FROM mqtt_user WHERE username = ${username}", "password_hsh"),
        wrong(
            "SELECT salt, is_superuser FROM mqtt_user WHERE username = ${username}",
            "no column `password_hash` or `password`, only `salt`",
        ),
        wrong("SELECT password_hash FROM times WHERE u = ${username}", "is of the type TIMESTAMP"),
        wrong("SELECT password_hash FROM mqtt_user WHERE username = ${username}; DROP TABLE mqtt_user", ""),
        wrong("DELETE FROM mqtt_user WHERE username = ${username}", ""),
    ] {
        match checked(&rig, rig.server(), query, SqlColumns::default()).await {
            SourceCheck::Wrong(why) => assert!(why.contains(words), "{query}: {why}"),
            // MariaDB looks at what signet may do there, PostgreSQL at the columns that come.
            other => panic!("{query}: {other:?}"),
        }
    }
    assert_eq!(checked(&rig, rig.server(), QUERY, SqlColumns::default()).await, SourceCheck::Fine);
    let columns = SqlColumns { attributes: vec!["colour".into()], ..SqlColumns::default() };
    let SourceCheck::Wrong(why) = checked(&rig, rig.server(), QUERY, columns).await else { panic!("a missing attribute passes") };
    assert!(why.contains("no column `colour`"), "{why}");
    let elsewhere = SqlServer { username: "stranger".to_owned(), ..rig.server() };
    let SourceCheck::Unreachable(why) = checked(&rig, elsewhere, QUERY, SqlColumns::default()).await else { panic!("a stranger passes") };
    assert!(why.contains("stranger") && why.contains("127.0.0.1"), "{why}");
    let statement = SqlStatement::parse(rig.engine(), "SELECT password_hash FROM mqtt_user LIMIT 1").unwrap();
    let error = SqlRecords::new(SqlPool::new(rig.server()).unwrap(), statement, SqlColumns::default()).unwrap_err();
    assert!(error.0.contains("no placeholder"), "{error}");
}

against_both!(what_is_wrong_later_fails_and_lets_nobody_in);
async fn what_is_wrong_later_fails_and_lets_nobody_in(rig: Rig) {
    let server = SqlServer { password: Some(Password::new("open")), ..rig.server() };
    let users = rig.users_at(server, QUERY, patient("sql"));
    let said = says(&users, &user("ann", "secret")).await;
    assert!(said.starts_with("failed: no connection to ") && said.contains("signet") && !said.contains("open\""), "{said}");
    let server = SqlServer { database: "elsewhere".to_owned(), ..rig.server() };
    let said = says(&rig.users_at(server, QUERY, patient("sql")), &user("ann", "secret")).await;
    assert!(said.starts_with("failed: ") && said.contains("elsewhere"), "{said}");
    for query in [
        "SELECT password_hash FROM gone WHERE username = ${username}",
        "SELECT salt FROM mqtt_user WHERE username = ${username}",
        "SELECT CURRENT_TIMESTAMP AS password_hash FROM mqtt_user WHERE username = ${username}",
    ] {
        let users = rig.users(query);
        let said = says(&users, &user("ann", "secret")).await;
        assert!(said.starts_with("failed: "), "{query}: {said}");
        assert_eq!(failed(users.backend().unwrap()), 1);
    }
    // The table changes under a prepared statement.
    let users = rig.users("SELECT * FROM mqtt_user WHERE username = ${username}");
    assert_eq!(says(&users, &user("ann", "secret")).await, "allow");
    rig.execute("ALTER TABLE mqtt_user ADD COLUMN more VARCHAR(10)");
    assert_eq!(says(&users, &user("ann", "secret")).await, "allow");
    assert_eq!(failed(users.backend().unwrap()), 0);
}

against_both!(a_value_that_the_data_base_cannot_take_is_nobody);
async fn a_value_that_the_data_base_cannot_take_is_nobody(rig: Rig) {
    let (query, narrow) = match rig.engine() {
        SqlEngine::PostgreSql => ("SELECT password_hash FROM numbered WHERE id = ${username}::integer", "numbered"),
        SqlEngine::MySql => ("SELECT password_hash FROM numbered WHERE id = ${username}", "numbered"),
    };
    let kind = if rig.engine() == SqlEngine::MySql { "VARCHAR(10) CHARACTER SET latin1" } else { "INTEGER" };
    rig.table(narrow, &format!("CREATE TABLE numbered (id {kind}, password_hash TEXT)"));
    rig.execute("INSERT INTO numbered VALUES ('7', 'seven')");
    let users = rig.users(query);
    assert_eq!(says(&users, &user("7", "seven")).await, "allow");
    for name in ["seven", "99999999999999", "7 OR 1=1", "泵🦀", "7'"] {
        assert_eq!(says(&users, &user(name, "seven")).await, "unknown: it is not there", "{name}");
    }
    assert_eq!(failed(users.backend().unwrap()), 0);
    assert_eq!(says(&users, &user("7", "seven")).await, "allow");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_says_that_values_are_text() {
    let rig = Rig::start(SqlEngine::PostgreSql);
    rig.table("numbered", "CREATE TABLE numbered (id INTEGER, password_hash TEXT)");
    let query = "SELECT password_hash FROM numbered WHERE id = ${username}";
    let SourceCheck::Wrong(why) = checked(&rig, rig.server(), query, SqlColumns::default()).await else { panic!("passes") };
    assert!(why.contains("${username}::integer"), "{why}");
}
