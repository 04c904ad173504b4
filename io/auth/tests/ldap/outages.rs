//! The server is stopped, says nothing, or comes back.

use std::time::Duration;

use signet_auth::{Authenticator as _, BackendConfig, BreakerState, LdapAttributes, LdapServer};
use signet_testkit::LdapServer as Directory;

use crate::people::{failed, patient, says, until_allowed, user};
use crate::rig::{by_name, by_password, by_search, fill, server, users, users_at};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_in_the_middle_costs_nobody_a_login() {
    let mut directory = Directory::start();
    fill(&directory);
    let all = [users(&directory, by_name()), users(&directory, by_search()), users(&directory, by_password())];
    for users in &all {
        assert_eq!(says(users, &user("ann", "secret")).await, "allow");
    }
    directory.stop();
    directory.start_again();
    for users in &all {
        assert_eq!(says(users, &user("ann", "secret")).await, "allow");
        assert_eq!(failed(users.backend().unwrap()), 0);
    }
    directory.stop();
    for users in &all {
        let said = says(users, &user("ann", "secret")).await;
        assert!(said.starts_with("failed: no connection to "), "{said}");
    }
    directory.start_again();
    for users in &all {
        assert_eq!(says(users, &user("ann", "secret")).await, "allow");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_stopped_is_given_up_for_a_while() {
    let mut directory = Directory::start();
    fill(&directory);
    let config = BackendConfig { breaker_failures: 3, breaker_pause: Duration::from_millis(200), ..patient("ldap") };
    let users = users_at(server(&directory), by_search(), LdapAttributes::default(), config);
    assert_eq!(says(&users, &user("ann", "secret")).await, "allow");
    directory.stop();
    for _ in 0..3 {
        assert!(says(&users, &user("ann", "secret")).await.starts_with("failed: no connection to "));
    }
    let backend = users.backend().unwrap();
    assert_eq!(backend.report().breaker, BreakerState::Open);
    directory.start_again();
    until_allowed(&users, &user("ann", "secret")).await;
    assert_eq!(backend.report().breaker, BreakerState::Closed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_clock_stands_still_fails_and_comes_back() {
    let directory = Directory::start();
    fill(&directory);
    // By the time limit of whoever asks, and by that of an operation.
    let by_asker = users_at(
        server(&directory),
        by_search(),
        LdapAttributes::default(),
        BackendConfig { timeout: Duration::from_millis(500), ..patient("ldap") },
    );
    let short = LdapServer { query_timeout: Duration::from_millis(300), ..server(&directory) };
    let by_operation = users_at(short, by_search(), LdapAttributes::default(), patient("ldap"));
    until_allowed(&by_asker, &user("ann", "secret")).await;
    until_allowed(&by_operation, &user("ann", "secret")).await;
    directory.freeze();
    let said = says(&by_asker, &user("ann", "secret")).await;
    assert!(said.starts_with("failed: no answer from"), "{said}");
    let said = says(&by_operation, &user("ann", "secret")).await;
    assert!(said.starts_with("failed: no answer in time"), "{said}");
    directory.thaw();
    until_allowed(&by_asker, &user("ann", "secret")).await;
    until_allowed(&by_operation, &user("ann", "secret")).await;
}
