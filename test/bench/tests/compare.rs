//! Brokers can be compared: the smallest comparison there is, looked at from outside, and one whose runs are worth nothing.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a rig that cannot do its job fails the test that uses it")]

mod binary;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use binary::binary;
use serde_json::Value;

/// Compares, and returns what is printed.
fn compared(out: &Path, more: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signet-bench"));
    command.args(["compare", "--quick", "--signet"]).arg(binary()).arg("--out").arg(out).args(more);
    let output = command.output().expect("the command can be run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn results(out: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(out.join("results.json")).unwrap()).unwrap()
}

/// A value of the only run of a broker in the only row.
fn reading<'a>(results: &'a Value, peer: &str, field: &str) -> &'a Value {
    let runs = results.pointer("/rows/0/runs").and_then(Value::as_array).unwrap();
    let run = runs.iter().find(|run| run.get("peer").is_some_and(|name| name == peer));
    let reading = run.and_then(|run| run.get("reading")).unwrap_or_else(|| panic!("no run of {peer} in {results:#}"));
    reading.get(field).unwrap()
}

#[test]
fn brokers_are_compared_in_one_run() {
    let out = tempfile::tempdir().unwrap();
    let text = compared(out.path(), &["--rows", "fanin0-tls", "--peers", "floor,mosquitto,flashmq,signet"]);
    let results = results(out.path());
    for peer in ["floor", "mosquitto", "signet"] {
        assert_eq!(reading(&results, peer, "valid"), true, "{text}");
        assert!(reading(&results, peer, "per_second").as_f64().unwrap() > 0.0);
        assert_eq!(reading(&results, peer, "tls"), "TLSv1.3 TLS_AES_128_GCM_SHA256 x25519", "{text}");
    }
    assert!(text.contains("TLS that was agreed on: TLSv1.3 TLS_AES_128_GCM_SHA256 x25519."), "{text}");
    // What is printed is what was measured, divided. A quick run is so short that a broker may have used no time that the system tells.
    let cost = |peer| reading(&results, peer, "processor_microseconds").as_f64().unwrap();
    if cost("mosquitto") > 0.0 && cost("signet") > 0.0 {
        let ratio = cost("signet") / cost("mosquitto");
        let judged = text.lines().find(|line| line.contains("≤ 0.13 × mosquitto")).expect("the target is judged");
        let found: f64 = judged.split('|').nth(3).unwrap().split_whitespace().next().unwrap().parse().unwrap();
        assert!((found - ratio).abs() <= ratio * 0.01 + 0.001, "{judged}: expected {ratio}");
        let svg = fs::read_to_string(out.path().join("qos0.svg")).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("<title>mosquitto: ") && svg.ends_with("</svg>\n"), "{svg}");
    }
    // A broker that is not there is named with the reason, here or on a machine that has it.
    let flashmq = results["peers"].as_array().unwrap().iter().find(|peer| peer["name"] == "flashmq").unwrap();
    assert!(flashmq["version"]["Ok"].is_string() || text.contains("not measured: no `flashmq` was found in the path"), "{text}");
    assert_eq!(fs::read_to_string(out.path().join("table.md")).unwrap().lines().next(), Some("# Comparison"));
}

#[test]
fn a_run_that_is_not_valid_is_shown_and_does_not_count() {
    let out = tempfile::tempdir().unwrap();
    let load = out.path().join("load");
    let printed = r#"{"valid":false,"reasons":["lost 3 messages"],"broker_cpu":{"us_per_operation":5.0,"cores":1.0}}"#;
    fs::write(&load, format!("#!/bin/sh\necho '{printed}'\nexit 1\n")).unwrap();
    fs::set_permissions(&load, fs::Permissions::from_mode(0o755)).unwrap();
    let text = compared(out.path(), &["--rows", "pairs1-tcp", "--peers", "mosquitto,signet", "--load", load.to_str().unwrap()]);
    assert!(text.contains("- pairs1-tcp, signet, round 1: lost 3 messages"), "{text}");
    assert!(text.contains("| invalid"), "{text}");
    assert!(!text.contains("5.00 ("), "{text}");
    let drawn = fs::read_to_string(out.path().join("table.md")).unwrap();
    // The same once more, from what was kept.
    let file = out.path().join("results.json");
    let again = Command::new(env!("CARGO_BIN_EXE_signet-bench")).args(["compare", "--redraw"]).arg(&file).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&again.stdout).trim_end(), text.trim_end());
    assert!(drawn.contains("lost 3 messages"));
}
