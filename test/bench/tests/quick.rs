//! The measurements still work, and nothing takes memory out of proportion. Few of each, so the numbers are rough, the bounds of memory are generous,
//! and time has none.

#![expect(clippy::expect_used, clippy::panic, reason = "a rig that cannot do its job fails the test that uses it")]

mod binary;

use std::process::Command;

use binary::binary;

#[test]
fn nothing_costs_out_of_proportion() {
    let costs = signet_bench::measure(&binary(), 2_000, 200);
    let bounds = [4_096, 6_144, 2_048, 2_048, 2_048, 16_384, 16_384, 65_536];
    assert_eq!(costs.len(), bounds.len());
    for (cost, bound) in costs.iter().zip(bounds) {
        assert!(cost.memory_each() <= bound, "{cost:?}: {} bytes each, at most {bound} were expected", cost.memory_each());
        let is_stored = !cost.what.starts_with("idle");
        assert_eq!(cost.disk_each() > 0, is_stored, "{cost:?}");
        assert!(cost.disk_each() <= 2_048, "{cost:?}");
    }
}

/// What a command prints in the least that it measures: its rows, each with a number.
fn quick(command: &str) -> Vec<(String, f64)> {
    let program = env!("CARGO_BIN_EXE_signet-bench");
    let output = Command::new(program).args([command, "--quick"]).env("SIGNET_BIN", binary()).output().expect("the command can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{command}: {text}{}", String::from_utf8_lossy(&output.stderr));
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let (what, value) = (cells.next().expect("a row has cells"), cells.next().expect("a row has two cells"));
        let number = value.split_whitespace().next().and_then(|number| number.parse().ok());
        (what.to_owned(), number.unwrap_or_else(|| panic!("no number in `{line}`")))
    };
    text.lines().skip(2).map(row).collect()
}

/// The number in the row whose words begin and end so.
fn number(rows: &[(String, f64)], begin: &str, end: &str) -> f64 {
    let found = rows.iter().find(|(what, _)| what.starts_with(begin) && what.ends_with(end));
    found.unwrap_or_else(|| panic!("no row `{begin}…{end}` in {rows:#?}")).1
}

#[test]
fn handshakes_are_measured() {
    let rows = quick("handshakes");
    for (begin, end) in [
        ("TLS 1.3, full, 0 revoked", "least"),
        ("TLS 1.3, full, 100 revoked", "least, to the first"),
        ("TLS 1.3, resumed, 100 revoked", "least, to the first"),
        ("TLS 1.2, resumed, 100 revoked", "least, to the first"),
        ("TLS 1.3, full, no intermediate, last of 3 profiles", "least, to the first"),
        ("TLS 1.3, full, no intermediate, last of 2 profiles with one name", "least, to the first"),
        ("TLS 1.3, resumed, no intermediate, last of 1 profiles", "least, to full"),
    ] {
        assert!(number(&rows, begin, end) > 0.0);
    }
}

#[test]
fn lists_are_measured() {
    let rows = quick("lists");
    for what in ["read and verified", "put in force", "bytes of memory", "memory for each", "one device judged"] {
        assert!(number(&rows, "1000 entries: ", what) > 0.0);
    }
    for what in ["read and verified", "put in force", "one device judged"] {
        assert!(number(&rows, "a delta of 10", what) > 0.0);
    }
}

#[test]
fn sessions_are_measured() {
    let rows = quick("sessions");
    for place in ["sockets", "in memory"] {
        for count in [1, 10] {
            assert!(number(&rows, &format!("{place}: {count} revoked at once"), "from order to the last confirmation") >= 0.0);
        }
        assert!(number(&rows, &format!("{place}: all "), "") >= 0.0);
    }
    assert!(number(&rows, "sockets: 10 revoked at once: p99", "from the order to 2 s after") > 0.0);
    assert!(number(&rows, "sockets: 10 revoked at once: messages", "") > 0.0);
}

#[test]
fn subscriptions_are_measured() {
    let rows = quick("subscriptions");
    for what in
        ["without wildcards, 1,000 of each session", "without wildcards, one of each session", "with `+` and `#`, 1,000 of each session"]
    {
        for place in ["", ", with the store"] {
            let begin = format!("2000 subscriptions {what}{place}: ");
            assert!(number(&rows, &begin, "without the text of its filter") < 1_000.0, "{begin}");
            for end in
                ["time to subscribe", "to a topic that is remembered", "to any topic", "to any topic, to the first", "of its subscriptions"]
            {
                assert!(number(&rows, &begin, end) > 0.0, "{begin}{end}");
            }
        }
        assert!(number(&rows, &format!("2000 subscriptions {what}, with the store"), "take it up") > 0.0);
    }
    for place in ["", ", with the store"] {
        let begin = format!("2000 retained messages{place}: ");
        assert!(number(&rows, &begin, "without topic and payload") < 2_000.0, "{begin}");
        for end in ["to retain", "one of them", "one of them by `+`", "one of them by `#`"] {
            assert!(number(&rows, &begin, end) > 0.0, "{begin}{end}");
        }
    }
}

#[test]
fn brokers_are_compared() {
    let rows = quick("mosquitto");
    for entries in [0, 1_000] {
        assert!(number(&rows, &format!("mosquitto, {entries} revoked, to Signet"), "least") > 0.0);
    }
}

#[test]
fn authentications_are_measured() {
    let rows = quick("authentications");
    for way in ["nobody has to vouch: ", "Redis has to vouch: "] {
        for what in ["until all are in, median of the turns", "one, least of the turns", "messages in that time"] {
            assert!(number(&rows, way, what) > 0.0);
        }
    }
    assert!(number(&rows, "connections to Redis", "") <= 8.0);
    assert!(number(&rows, "Redis to nobody: processor time", "") > 0.0);
}

#[test]
fn a_storm_is_measured() {
    let rows = quick("storm");
    assert!(number(&rows, "1 shard: full handshakes in a second of storm", "") > 0.0);
    for level in ["QoS 0", "QoS 1"] {
        assert!(number(&rows, &format!("1 shard, {level}: messages in a second"), "") > 0.0);
        assert!(number(&rows, &format!("1 shard, {level}: p99"), "in the storm to undisturbed") > 0.0);
    }
}
