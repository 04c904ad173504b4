//! Access rules in a data base.

use std::sync::Arc;
use std::time::Duration;

use signet_auth::{Backend, BackendConfig, RuleSource as _, SourceCheck, SqlPool, SqlRules, SqlStatement};
use signet_identity::PlaceholderStyle;
use signet_policy::{Client, Rule, SourceRules};

use crate::people::{INJECTIONS, patient, somebody};
use crate::rig::{Rig, against_both};

const QUERY: &str = "SELECT permission, action, topic, qos, retain FROM mqtt_acl WHERE username = ${username} ORDER BY id";

fn rules(rig: &Rig, query: &str, config: BackendConfig) -> SqlRules {
    let statement = SqlStatement::parse(rig.engine(), query).unwrap();
    let style = statement.style();
    SqlRules::new("acl".into(), SqlPool::new(rig.server()).unwrap(), statement, style, Backend::new(config))
}

fn client(username: Option<&str>, identifier: &str) -> Client {
    somebody(username, identifier, None, None).client
}

async fn found(source: &SqlRules, client: &Client) -> SourceRules {
    source.rules(client).await.unwrap()
}

/// Whether nothing is allowed, and nobody else is asked.
fn is_denial(rules: &SourceRules) -> bool {
    rules.rules.is_empty() && rules.is_complete
}

fn shown(rule: &Rule) -> String {
    let topics = |patterns: &[signet_policy::TopicPattern]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    format!("{:?} pub {} sub {}", rule.effect, topics(&rule.publish), topics(&rule.subscribe))
}

fn table(rig: &Rig) {
    rig.table(
        "mqtt_acl",
        "CREATE TABLE mqtt_acl (id INTEGER PRIMARY KEY, username VARCHAR(100), permission VARCHAR(10), action VARCHAR(10), topic VARCHAR(100), \
         qos SMALLINT, retain BOOLEAN)",
    );
    rig.execute("INSERT INTO mqtt_acl VALUES (1, 'ann', 'deny', 'publish', 'secret/#', NULL, NULL), (2, 'ann', 'allow', 'all', 'a/${username}/#', 1, true)");
}

against_both!(rows_are_rules_in_their_order);
async fn rows_are_rules_in_their_order(rig: Rig) {
    table(&rig);
    let source = rules(&rig, QUERY, patient("sql"));
    assert_eq!(source.check().await, SourceCheck::Fine);
    let ann = found(&source, &client(Some("ann"), "c")).await;
    assert_eq!(
        ann.rules.iter().map(shown).collect::<Vec<_>>(),
        ["Deny pub secret/# sub ", "Allow pub a/${username}/# sub a/${username}/#"]
    );
    assert!(!ann.is_complete);
    assert_eq!(&*ann.source, "acl");
    assert!(ann.rules[1].conditions.qos.is_some() && ann.rules[1].conditions.retain == Some(true));
    for other in [client(Some("bob"), "c"), client(None, "c")] {
        let rules = found(&source, &other).await;
        assert!(rules.rules.is_empty() && !rules.is_complete);
    }
    for injected in INJECTIONS {
        let rules = found(&source, &client(Some(injected), "c")).await;
        assert!(rules.rules.is_empty(), "{injected:?}");
        // What cannot be asked is not passed over: there might be a denial.
        assert_eq!(rules.is_complete, injected.contains(['\0', '\n']), "{injected:?}");
    }
    assert_eq!(source.backend().unwrap().report().failed, 0);
}

against_both!(the_tables_of_emqx_4_can_be_used_as_they_are);
async fn the_tables_of_emqx_4_can_be_used_as_they_are(rig: Rig) {
    rig.table(
        "acl_4",
        "CREATE TABLE acl_4 (id INTEGER, allow INTEGER, ipaddr VARCHAR(60), username VARCHAR(100), clientid VARCHAR(100), access INTEGER, topic VARCHAR(100))",
    );
    rig.execute("INSERT INTO acl_4 VALUES (1, 0, NULL, '$all', NULL, 1, '$SYS/#'), (2, 1, NULL, NULL, 'c7', 2, 'up/%c'), (3, 1, NULL, 'ann', NULL, 3, 'u/%u')");
    let query = "SELECT allow, ipaddr, username, clientid, access, topic FROM acl_4 WHERE ipaddr = '%a' OR username = '%u' OR username = '$all' OR clientid = '%c' ORDER BY id";
    let source = rules(&rig, query, patient("sql"));
    assert_eq!(source.check().await, SourceCheck::Fine);
    let shown_for = async |client: Client| found(&source, &client).await.rules.iter().map(shown).collect::<Vec<_>>();
    // A client without a user name is still found by its identifier.
    let (system, up) = ("Deny pub  sub $SYS/#", "Allow pub up/%c sub ");
    assert_eq!(shown_for(client(None, "c7")).await, [system, up]);
    assert_eq!(shown_for(client(Some("ann"), "x")).await, [system, "Allow pub u/%u sub u/%u"]);
    assert_eq!(shown_for(client(Some("' OR 1=1 --"), "x")).await, [system]);
}

against_both!(what_cannot_be_understood_denies);
async fn what_cannot_be_understood_denies(rig: Rig) {
    table(&rig);
    rig.execute("INSERT INTO mqtt_acl VALUES (3, 'eve', 'allow', 'all', '#', NULL, NULL), (4, 'eve', 'maybe', 'all', '#', NULL, NULL)");
    rig.execute(
        "INSERT INTO mqtt_acl VALUES (5, 'fay', 'deny', 'all', NULL, NULL, NULL), (6, 'gus', 'allow', 'publish', 'a/#/b', NULL, NULL)",
    );
    let source = rules(&rig, QUERY, patient("sql"));
    for name in ["eve", "fay", "gus"] {
        assert!(is_denial(&found(&source, &client(Some(name), "c")).await), "{name}");
    }
    let rows: Vec<String> = (0..1001).map(|id| format!("({}, 'hal', 'allow', 'all', 't{id}', NULL, NULL)", id + 100)).collect();
    rig.execute(&format!("INSERT INTO mqtt_acl VALUES {}", rows.join(", ")));
    assert!(is_denial(&found(&source, &client(Some("hal"), "c")).await));
    rig.execute("DELETE FROM mqtt_acl WHERE id = 100");
    assert_eq!(found(&source, &client(Some("hal"), "c")).await.rules.len(), 1000);
    // None of that is the data base's fault.
    assert_eq!(source.backend().unwrap().report().failed, 0);
    for (query, words) in [
        ("SELECT * FROM mqtt_acl WHERE username = ${username}", "a column `id`"),
        ("SELECT permission, action FROM mqtt_acl WHERE username = ${username}", "no column `topic`"),
        ("SELECT action, topic FROM mqtt_acl WHERE username = ${username}", "no column `permission` or `allow`"),
        ("SELECT permission, action, topic, CURRENT_TIMESTAMP AS qos FROM mqtt_acl WHERE username = ${username}", "`qos` is of the type"),
    ] {
        let source = rules(&rig, query, patient("sql"));
        let SourceCheck::Wrong(why) = source.check().await else { panic!("{query} passes") };
        assert!(why.contains(words), "{query}: {why}");
    }
    assert!(
        rules(&rig, "SELECT * FROM mqtt_acl WHERE username = ${username}", patient("sql")).rules(&client(Some("ann"), "c")).await.is_err()
    );
}

against_both!(rules_are_remembered_and_a_server_that_is_gone_is_a_failure);
async fn rules_are_remembered_and_a_server_that_is_gone_is_a_failure(mut rig: Rig) {
    table(&rig);
    let source = rules(&rig, QUERY, BackendConfig { cache_ttl: Duration::from_secs(3600), ..patient("sql") });
    let ann = client(Some("ann"), "c");
    assert_eq!(found(&source, &ann).await.rules.len(), 2);
    rig.execute("DELETE FROM mqtt_acl WHERE id = 2");
    assert_eq!(found(&source, &ann).await.rules.len(), 2);
    source.backend().unwrap().forget();
    assert_eq!(found(&source, &ann).await.rules.len(), 1);
    rig.stop();
    source.backend().unwrap().forget();
    assert!(source.rules(&ann).await.is_err());
    rig.start_again();
    assert_eq!(found(&source, &ann).await.rules.len(), 1);
    // Rules for everybody need no placeholder.
    let statement = SqlStatement::parse(rig.engine(), "SELECT permission, action, topic FROM mqtt_acl").unwrap();
    assert_eq!(statement.style(), PlaceholderStyle::Emqx5);
    let pool = SqlPool::new(rig.server()).unwrap();
    let source = SqlRules::new("all".into(), pool, statement, PlaceholderStyle::Emqx5, Backend::new(patient("sql")));
    assert_eq!(found(&source, &client(None, "c")).await.rules.len(), 1);
    let _: Arc<Backend> = Arc::clone(source.backend().unwrap());
}
