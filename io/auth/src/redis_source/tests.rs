//! Commands and addresses as they are written.

use signet_identity::Facts;

use super::*;

fn filled(line: &str, facts: &Facts<'_>) -> Result<Vec<String>, String> {
    let words = RedisCommand::parse(line, None).unwrap().fill(facts)?;
    Ok(words.into_iter().map(|word| String::from_utf8(word).unwrap()).collect())
}

#[test]
fn commands_are_taken_apart_before_values_are_put_in() {
    let facts = Facts { username: Some("a b"), client_identifier: Some("c"), address: Some([10, 0, 0, 1].into()), ..Facts::default() };
    for (line, expected) in [
        ("hmget user:%u password salt", vec!["HMGET", "user:a b", "password", "salt"]),
        ("GET ${username}:${clientid}", vec!["GET", "a b:c"]),
        ("GET ${peerhost}", vec!["GET", "10.0.0.1"]),
        ("GET %a-100%", vec!["GET", "10.0.0.1-100%"]),
        (r#"HGET "my users" %u"#, vec!["HGET", "my users", "a b"]),
        ("GET $literal:%u", vec!["GET", "$literal:a b"]),
        ("GET $literal:${username}", vec!["GET", "$literal:a b"]),
        // A script's text is what it is.
        (r#"EVAL_RO "return '%s ${x} %u'" 1 %u"#, vec!["EVAL_RO", "return '%s ${x} %u'", "1", "a b"]),
        ("EVALSHA abc 2 %u %c x", vec!["EVALSHA", "abc", "2", "a b", "c", "x"]),
    ] {
        assert_eq!(filled(line, &facts).unwrap(), expected, "{line}");
    }
    assert!(filled("GET %C", &facts).unwrap_err().contains("cert.cn"));
    assert!(filled("GET %u", &Facts { username: Some(""), ..Facts::default() }).is_err());
    assert!(filled("GET %u", &Facts { username: Some("a\nb"), ..Facts::default() }).is_err());
}

#[test]
fn placeholders_are_those_that_the_operator_says() {
    let facts = Facts { username: Some("ann"), ..Facts::default() };
    let with = |line: &str, placeholders| {
        let words = RedisCommand::parse(line, Some(placeholders)).unwrap().fill(&facts).unwrap();
        String::from_utf8(words[1].clone()).unwrap()
    };
    assert_eq!(with("GET ${username}%u", Placeholders::Emqx4), "${username}ann");
    assert_eq!(with("GET ${username}%u", Placeholders::Emqx5), "ann%u");
    assert_eq!(with("GET $$${username}", Placeholders::Signet), "$ann");
    assert_eq!(with("GET $$${username}", Placeholders::Emqx5), "$$ann");
    let mixed = RedisCommand::parse("GET ${username}%u", None).unwrap_err().to_string();
    assert!(mixed.contains("`placeholders`"), "{mixed}");
    assert_eq!(Placeholders::named("emqx4"), Some(Placeholders::Emqx4));
    assert_eq!(Placeholders::named("EMQX"), None);
}

#[test]
fn values_cannot_run_together() {
    let two = |username, client_identifier| {
        let facts = Facts { username: Some(username), client_identifier: Some(client_identifier), ..Facts::default() };
        filled("GET %u::%c", &facts)
    };
    assert_eq!(two("a", "b").unwrap()[1], "a::b");
    assert_eq!(two("a:b", ":::").unwrap()[1], "a:b:::::");
    assert_eq!(two("a", "b::c").unwrap()[1], "a::b::c");
    for username in ["a::b", "a:", ":", "::"] {
        assert!(two(username, "b").is_err(), "{username}");
    }
}

#[test]
fn what_may_write_or_makes_no_sense_is_refused() {
    for (line, expected) in [
        ("", "is empty"),
        ("SET a:%u b", "begins with `SET`"),
        ("del a:%u", "begins with `DEL`"),
        ("FLUSHALL", "begins with `FLUSHALL`"),
        ("CONFIG GET requirepass", "begins with `CONFIG`"),
        ("GETDEL %u", "begins with `GETDEL`"),
        ("GETEX %u", "begins with `GETEX`"),
        ("GETSET %u x", "begins with `GETSET`"),
        ("KEYS %u*", "begins with `KEYS`"),
        ("%u a", "begins with `%U`"),
        ("EVAL \"return 1\" 1 %u", "`EVAL_RO` runs a script that cannot write"),
        ("FCALL f 1 %u", "`FCALL_RO` calls"),
        ("HMGET %u", "takes 2 or more"),
        ("HGET %u a b", "takes 2"),
        ("GET", "takes 1"),
        ("EVALSHA abc", "number of keys"),
        ("EVALSHA abc %u", "number of keys"),
        ("EVALSHA abc 3 %u a", "number of keys"),
        ("EVALSHA abc -1 %u", "number of keys"),
        ("GET \"%u", "not closed"),
        ("GET %u%c", "side by side"),
        ("GET ${username}${cert.cn}", "side by side"),
        ("GET %P", "cannot use `%P`"),
        ("GET ${password}", "cannot use `${password}`"),
        ("GET ${cert.pem}", "cannot use `${cert.pem}`"),
        ("GET ${username", "cannot use"),
    ] {
        let found = RedisCommand::parse(line, None).unwrap_err().to_string();
        assert!(found.contains(expected), "{line}: {found}");
    }
    let many = format!("MGET{}", " a:%u".repeat(RedisCommand::MAXIMUM_WORDS));
    assert!(RedisCommand::parse(&many, None).unwrap_err().to_string().contains("65 words"));
    let long = format!("GET {}", "a".repeat(RedisCommand::MAXIMUM_BYTES));
    assert!(RedisCommand::parse(&long, None).unwrap_err().to_string().contains("bytes"));
}

#[test]
fn addresses_are_names_or_addresses_with_a_port_or_sockets() {
    for (text, expected) in [
        ("redis.example:6380", "redis.example:6380"),
        ("redis-1_a", "redis-1_a:6379"),
        ("10.0.0.1", "10.0.0.1:6379"),
        ("[::1]", "[::1]:6379"),
        ("[::1]:7000", "[::1]:7000"),
        ("unix:/run/redis.sock", "unix:/run/redis.sock"),
    ] {
        assert_eq!(text.parse::<RedisAddress>().unwrap().to_string(), expected, "{text}");
    }
    assert_eq!(RedisAddress::parse("s", RedisAddress::SENTINEL_PORT).unwrap().to_string(), "s:26379");
    for text in [
        "",
        ":1",
        "a:",
        "a:0",
        "a:70000",
        "a:b:1",
        "::1",
        "[::1",
        "[x]:1",
        "[::1]1",
        "redis://a:1",
        "a b:1",
        "user@a",
        "unix:",
        "unix:redis.sock",
    ] {
        assert!(text.parse::<RedisAddress>().is_err(), "{text}");
    }
}

#[test]
fn a_command_proves_the_names_that_it_is_filled_in_with() {
    use signet_policy::ProvenNames;

    for (line, expected) in [
        ("HMGET mqtt_user:%u password salt", ProvenNames::USERNAME),
        ("HGET users ${username}", ProvenNames::USERNAME),
        ("GET %u:%c", ProvenNames::BOTH),
        ("HMGET device:${clientid} password", ProvenNames::CLIENT_IDENTIFIER),
        ("HMGET tls_domain:%C password", ProvenNames::default()),
        ("GET ${username:lower}", ProvenNames::default()),
        ("GET ${cert.cn | username}", ProvenNames::default()),
    ] {
        assert_eq!(RedisCommand::parse(line, None).unwrap().proves(), expected, "{line}");
    }
}
