//! Queries as operators write them, and what the data base gets.

use super::*;

use SqlEngine::{MySql, PostgreSql};

fn read(engine: SqlEngine, source: &str) -> (String, Vec<String>) {
    let statement = SqlStatement::parse(engine, source).unwrap_or_else(|error| panic!("{source}: {error}"));
    (statement.text.to_string(), statement.values.iter().map(|value| value.as_str().to_owned()).collect())
}

fn mistake(engine: SqlEngine, source: &str) -> String {
    SqlStatement::parse(engine, source).map(|statement| panic!("{source} became {}", statement.text)).unwrap_err().0
}

#[test]
fn placeholders_become_bind_variables() {
    for (engine, source, text, values) in [
        (PostgreSql, "SELECT a FROM t WHERE u = ${username} LIMIT 1", "SELECT a FROM t WHERE u = $1 LIMIT 1", vec!["${username}"]),
        (MySql, "SELECT a FROM t WHERE u = ${username} LIMIT 1", "SELECT a FROM t WHERE u = ? LIMIT 1", vec!["${username}"]),
        (PostgreSql, "select '${clientid}', ${cert_common_name}::text", "select $1, $2::text", vec!["${client_identifier}", "${cert.cn}"]),
        (
            MySql,
            "select \"${clientid}\", '${cert.ou:lower | username}'",
            "select ?, ?",
            vec!["${client_identifier}", "${cert.ou:lower | username}"],
        ),
        (
            PostgreSql,
            "select a where u = '%u' and c='%c' or d = '%C'",
            "select a where u = $1 and c=$2 or d = $3",
            vec!["${username}", "${client_identifier}", "${cert.cn}"],
        ),
        (
            MySql,
            "select a where u = \"%u\" and x = '%d' and y='%a'",
            "select a where u = ? and x = ? and y=?",
            vec!["${username}", "${cert.dn}", "${address}"],
        ),
        // Braces inside a transform are part of the placeholder.
        (PostgreSql, "select ${cert.cn:regex(^([a-z]{2})$)}", "select $1", vec!["${cert.cn:regex(^([a-z]{2})$)}"]),
    ] {
        assert_eq!(read(engine, source), (text.to_owned(), values.into_iter().map(str::to_owned).collect()), "{source}");
    }
}

#[test]
fn what_is_no_placeholder_stays() {
    for (engine, source) in [
        (PostgreSql, "select 'it''s', 'a\\', E'a\\'b', \"co''l\", $$ ' $$, $a$ $$ ' $a$ -- it's\n, 1"),
        (PostgreSql, "select /* a /* nested ' */ ' */ 1, a ? 'b', x % 2, abc$d"),
        (MySql, "select 'it''s', 'a\\'b', \"say \"\"so\"\" \\\" \", `co'l` # it's\n, 1 -- it's\n, 5 --1, 2 % 3, a$b"),
        (MySql, "select /*! it's */ 1 where u like 'x%' or u = '$all'"),
        (PostgreSql, "select 1 where u in ('$all', '100%')"),
    ] {
        assert_eq!(read(engine, source), (source.to_owned(), vec![]), "{source}");
    }
    // With braces somewhere, a percent sign is itself.
    let (text, values) = read(MySql, "select a where u = ${username} and c not like '%admin%' and d % c = 0");
    assert_eq!((text.as_str(), values.len()), ("select a where u = ? and c not like '%admin%' and d % c = 0", 1));
}

#[test]
fn a_placeholder_where_no_value_can_stand_is_a_mistake() {
    for (engine, source, said) in [
        (PostgreSql, "select 'device-${username}'", "concat("),
        (MySql, "select '%u-x'", "concat("),
        (MySql, "select 'x%c'", "`%c` stands in quotes together"),
        (MySql, "select a from t where u = ${username} and b = '%c'", "is of EMQX 4"),
        (PostgreSql, "select \"${username}\"", "name of a column"),
        (MySql, "select `${username}`", "name of a column"),
        (PostgreSql, "select 1 -- ${username}", "a comment"),
        (MySql, "select 1 /* ${username} */", "a comment"),
        (MySql, "select 1 # ${username}", "a comment"),
        (PostgreSql, "select $$${username}$$", "a quoted text"),
        (MySql, "select a where u = %u", "write `'%u'`"),
        (MySql, "select a where u = ?", "is a bind variable"),
        (PostgreSql, "select a where u = $1", "is a bind variable"),
        (PostgreSql, "select ${usrname}", "username"),
        (PostgreSql, "select ${password}", "password"),
        (PostgreSql, "select ${username", "placeholder with a mistake"),
        (PostgreSql, "select 'a", "nothing closes"),
        (MySql, "select 'a\\'", "nothing closes"),
        (PostgreSql, "select /* a", "nothing closes"),
        (PostgreSql, "  ", "empty"),
    ] {
        let error = mistake(engine, source);
        assert!(error.contains(said), "{source}: {error}");
    }
    assert!(mistake(MySql, &"x".repeat(8193)).contains("8192"));
}

#[test]
fn a_client_without_a_value_has_nothing_to_ask_by() {
    let statement = SqlStatement::parse(PostgreSql, "select ${username}, ${clientid}").unwrap();
    let facts = |username| Facts { username, client_identifier: Some("c"), ..Facts::default() };
    assert_eq!(statement.values(&facts(Some("' OR 1=1 --"))).unwrap(), ["' OR 1=1 --", "c"]);
    for username in [None, Some(""), Some("a\0b"), Some("a\nb")] {
        assert!(statement.values(&facts(username)).is_err(), "{username:?}");
    }
}

#[test]
fn a_query_proves_the_names_that_a_row_has_to_be_equal_to() {
    let (both, name) = (ProvenNames::BOTH, ProvenNames::USERNAME);
    let identifier = ProvenNames::CLIENT_IDENTIFIER;
    let nothing = ProvenNames::default();
    for (source, expected) in [
        ("SELECT h FROM t WHERE u = ${username} LIMIT 1", name),
        ("SELECT h FROM t WHERE u = '%u' AND c = '%c'", both),
        ("SELECT h FROM t WHERE c = ${client_identifier}", identifier),
        ("SELECT h FROM log_in(${username})", name),
        ("SELECT a OR b AS is_superuser, h FROM t WHERE u = ${username}", name),
        // The device is whoever it is; of what it calls itself nobody says anything.
        ("SELECT h FROM t WHERE d = ${cert.cn}", nothing),
        ("SELECT h FROM t WHERE u = ${cert.cn | username}", nothing),
        ("SELECT h FROM t WHERE lower(u) = ${username:lower}", nothing),
        ("SELECT h FROM t WHERE u = ${username} OR c = ${client_identifier}", nothing),
        ("SELECT h FROM t WHERE c = ${client_identifier} AND u <> ${username}", nothing),
        ("SELECT h FROM t WHERE u LIKE ${username}", nothing),
        ("SELECT h FROM t WHERE u in (${username}, ${client_identifier})", nothing),
    ] {
        assert_eq!(SqlStatement::parse(PostgreSql, source).unwrap().proves(), expected, "{source}");
    }
}
