//! The server is stopped, slow, or comes back.

use std::time::Duration;

use signet_auth::{
    Authenticator as _, BackendConfig, BreakerState, SourceCheck, SqlAddress, SqlColumns, SqlEngine, SqlPool, SqlRecords, SqlServer,
};
use signet_testkit::{Conduct, Relay};

use crate::people::{failed, patient, says, until_allowed, user};
use crate::rig::{QUERY, Rig, against_both};

against_both!(a_restart_in_the_middle_costs_nobody_a_login);
async fn a_restart_in_the_middle_costs_nobody_a_login(mut rig: Rig) {
    let users = rig.users(QUERY);
    // Several connections are open.
    let (ann, root, bob) = (user("ann", "secret"), user("root", "root"), user("bob", "x"));
    let all = tokio::join!(says(&users, &ann), says(&users, &root), says(&users, &bob));
    assert_eq!((all.0.as_str(), all.1.as_str()), ("allow", "superuser"));
    rig.stop();
    let said = says(&users, &user("ann", "secret")).await;
    assert!(said.starts_with("failed: "), "{said}");
    rig.start_again();
    assert_eq!(says(&users, &user("ann", "secret")).await, "allow");
    // And once more, without anybody who asks in between: the open connections are dead, and nobody notices.
    let before = failed(users.backend().unwrap());
    let all = tokio::join!(says(&users, &ann), says(&users, &root), says(&users, &bob));
    assert_eq!(all.0, "allow");
    rig.stop();
    rig.start_again();
    let all = tokio::join!(says(&users, &ann), says(&users, &root), says(&users, &bob));
    assert_eq!((all.0.as_str(), all.1.as_str(), all.2.as_str()), ("allow", "superuser", "unknown: it is not there"));
    assert_eq!(failed(users.backend().unwrap()), before);
}

against_both!(a_server_that_is_stopped_is_given_up_for_a_while);
async fn a_server_that_is_stopped_is_given_up_for_a_while(mut rig: Rig) {
    let config = BackendConfig { breaker_failures: 3, breaker_pause: Duration::from_millis(200), ..patient("sql") };
    let users = rig.users_at(rig.server(), QUERY, config);
    assert_eq!(says(&users, &user("ann", "secret")).await, "allow");
    rig.stop();
    for _ in 0..3 {
        let said = says(&users, &user("ann", "secret")).await;
        assert!(said.starts_with("failed: no connection to "), "{said}");
    }
    let backend = users.backend().unwrap();
    assert_eq!(backend.report().breaker, BreakerState::Open);
    let records = SqlRecords::new(SqlPool::new(rig.server()).unwrap(), rig.statement(QUERY), SqlColumns::default()).unwrap();
    assert!(matches!(records.check().await, SourceCheck::Unreachable(_)));
    rig.start_again();
    until_allowed(&users, &user("ann", "secret")).await;
    assert_eq!(backend.report().breaker, BreakerState::Closed);
}

against_both!(a_slow_query_does_not_hold_others_up_for_ever);
async fn a_slow_query_does_not_hold_others_up_for_ever(rig: Rig) {
    let sleep = if rig.engine() == SqlEngine::MySql { "SLEEP" } else { "pg_sleep" };
    // The second column only sleeps for one of them.
    let zero = if rig.engine() == SqlEngine::MySql { "0" } else { "NULL" };
    let query = format!(
        "SELECT password_hash, CASE WHEN username = 'root' THEN CAST({sleep}(3600) AS CHAR(1)) ELSE {zero} END AS slow FROM mqtt_user WHERE username = ${{username}}"
    );
    // By the time limit of whoever asks: the connection is closed, and the place is free.
    let config = BackendConfig { timeout: Duration::from_millis(300), ..patient("sql") };
    let server = SqlServer { pool_size: 1, ..rig.server() };
    let slow = rig.users_at(server.clone(), &query, config);
    let said = says(&slow, &user("root", "root")).await;
    assert!(said.starts_with("failed: no answer from"), "{said}");
    let patient_users = rig.users_at(server.clone(), &query, patient("sql"));
    assert_eq!(says(&patient_users, &user("ann", "secret")).await, "allow");
    // By the time limit of the server.
    let users = rig.users_at(SqlServer { query_timeout: Duration::from_millis(300), ..server }, &query, patient("sql"));
    let said = says(&users, &user("root", "root")).await;
    assert!(said.starts_with("failed: ") && !said.contains("no answer from"), "{said}");
    assert_eq!(says(&users, &user("ann", "secret")).await, "allow");
    assert_eq!(failed(users.backend().unwrap()), 1);
}

against_both!(a_server_that_says_nothing_fails_in_time);
async fn a_server_that_says_nothing_fails_in_time(rig: Rig) {
    let relay = Relay::start(rig.port(), Conduct::Hold);
    let address = SqlAddress::Tcp { host: "127.0.0.1".to_owned(), port: relay.port() };
    let server = SqlServer { address, connect_timeout: Duration::from_millis(200), ..rig.server() };
    let users = rig.users_at(server, QUERY, patient("sql"));
    let said = says(&users, &user("ann", "secret")).await;
    assert!(said.starts_with("failed: no connection within"), "{said}");
    relay.conduct(Conduct::Cut(20));
    let said = says(&users, &user("ann", "secret")).await;
    assert!(said.starts_with("failed: no connection to "), "{said}");
    relay.conduct(Conduct::Pass);
    let said = says(&users, &user("ann", "secret")).await;
    // On a slow machine the time may be too short for a connection.
    assert!(said == "allow" || said.starts_with("failed: no connection within"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_clock_stands_still_fails_and_comes_back() {
    let rig = Rig::start(SqlEngine::MySql);
    let Rig::Mariadb(server) = &rig else { panic!("not MariaDB") };
    let users = rig.users_at(rig.server(), QUERY, BackendConfig { timeout: Duration::from_millis(500), ..patient("mysql") });
    until_allowed(&users, &user("ann", "secret")).await;
    server.freeze();
    let said = says(&users, &user("ann", "secret")).await;
    assert!(said.starts_with("failed: no answer from"), "{said}");
    server.thaw();
    until_allowed(&users, &user("ann", "secret")).await;
}
