//! The direction of knowledge: app → io → pure, `test` may see everything, nothing sees `test`. The table is the one of
//! ARCHITECTURE.md; what a crate may not know it cannot misuse. Dependencies of tests are free.

use super::Finding;
use crate::tree::Tree;

/// Crate folder → the crates of ours it depends on, exactly.
const GRAPH: [(&str, &[&str]); 25] = [
    ("pure/mqtt", &[]),
    ("pure/identity", &[]),
    ("pure/revocation", &["identity"]),
    ("pure/policy", &["identity", "mqtt"]),
    ("pure/ca", &["identity", "revocation"]),
    ("pure/broker", &["mqtt", "identity", "policy"]),
    ("pure/telemetry", &[]),
    ("pure/mosquitto", &[]),
    ("pure/dynsec", &[]),
    ("io/tls", &["identity", "revocation"]),
    ("io/psk", &["identity", "tls"]),
    ("io/net", &["identity", "revocation"]),
    ("io/http", &["tls"]),
    ("io/journal", &[]),
    ("io/store", &["broker", "journal", "mqtt", "policy", "identity"]),
    ("io/ledger", &["ca", "revocation", "identity"]),
    ("io/server", &["mqtt", "broker", "identity", "revocation", "policy", "telemetry", "net", "store", "tls", "psk"]),
    ("io/admin", &["auth", "ca", "revocation", "identity", "ledger", "net", "tls"]),
    ("io/client", &["mqtt", "tls", "net", "psk"]),
    ("io/bridge", &["mqtt", "policy", "psk", "tls"]),
    ("io/sources", &["http", "identity", "revocation", "tls"]),
    ("io/auth", &["dynsec", "http", "identity", "mqtt", "policy", "tls"]),
    ("app/clients", &["auth", "client", "mqtt"]),
    ("app/load", &["mqtt", "net", "tls"]),
    (
        "app/signet",
        &[
            "mosquitto",
            "dynsec",
            "clients",
            "load",
            "mqtt",
            "identity",
            "revocation",
            "policy",
            "ca",
            "broker",
            "telemetry",
            "tls",
            "net",
            "http",
            "ledger",
            "journal",
            "server",
            "sources",
            "dynsec",
            "auth",
            "admin",
            "bridge",
        ],
    ),
];

/// Crate of somebody else → the folders that may name it, and why nobody else may.
const NAMED_ONLY_IN: [(&str, &[&str], &str); 14] = [
    ("rustls", &["io/tls"], "only the wrapper may notice a change of the TLS engine"),
    ("rustls-webpki", &["io/tls"], "certification paths are verified in one place"),
    ("openssl", &["io/psk"], "a second TLS engine is for pre-shared keys only, which the first one does not know"),
    ("axum", &["io/admin"], "serving HTTP has one home"),
    (
        "hyper",
        &["io/admin", "io/http", "io/sources", "io/auth"],
        "HTTP is for the operator's API, for fetching what is revoked and for asking who a client is",
    ),
    (
        "hyper-util",
        &["io/admin", "io/http", "io/sources", "io/auth"],
        "HTTP is for the operator's API, for fetching what is revoked and for asking who a client is",
    ),
    (
        "http-body-util",
        &["io/admin", "io/http", "io/sources", "io/auth"],
        "HTTP is for the operator's API, for fetching what is revoked and for asking who a client is",
    ),
    ("redb", &["io/ledger"], "the storage engine has one home"),
    ("redis", &["io/auth"], "those who are asked about clients have one home"),
    ("sqlx", &["io/auth"], "those who are asked about clients have one home"),
    ("ldap3", &["io/auth"], "those who are asked about clients have one home"),
    ("jsonwebtoken", &["io/auth"], "those who are asked about clients have one home"),
    (
        "tokio",
        &["io/admin", "io/http", "io/sources", "io/auth", "app/clients", "app/signet"],
        "the data plane runs on its own shards, tokio is the control plane",
    ),
    (
        "mio",
        &["io/net", "io/server", "io/bridge", "app/load"],
        "sockets of the data plane are polled by the shards, the bridges and the load generator",
    ),
];

/// Crates that bring clocks, sockets or randomness: never under `pure/`.
const NEVER_PURE: [&str; 8] = ["socket2", "rustix", "nix", "jiff", "tracing", "libc", "rand", "getrandom"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.ending("toml") {
        let Some(folder) = path.strip_suffix("/Cargo.toml") else {
            continue;
        };
        let Ok(manifest) = text.parse::<toml::Table>() else {
            findings.push(Finding::new(path, 0, "is no TOML"));
            continue;
        };
        let dependencies = dependencies(&manifest);
        check_ours(path, folder, &dependencies, &mut findings);
        check_others(path, folder, &dependencies, &mut findings);
        let inherits = |table: &toml::Table| table.get("workspace").and_then(toml::Value::as_bool);
        if manifest.get("lints").and_then(toml::Value::as_table).and_then(inherits) != Some(true) {
            findings.push(Finding::new(path, 0, "does not take the workspace lints: add `[lints] workspace = true`"));
        }
    }
    findings
}

/// Names under `[dependencies]` and `[build-dependencies]`, also per target.
fn dependencies(manifest: &toml::Table) -> Vec<String> {
    let mut names = Vec::new();
    for section in ["dependencies", "build-dependencies"] {
        if let Some(table) = manifest.get(section).and_then(toml::Value::as_table) {
            names.extend(table.keys().cloned());
        }
    }
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        names.extend(targets.values().filter_map(toml::Value::as_table).flat_map(dependencies));
    }
    names
}

fn check_ours(path: &str, folder: &str, dependencies: &[String], findings: &mut Vec<Finding>) {
    if folder.starts_with("test/") || folder == "xtask" {
        return;
    }
    let Some((_, allowed)) = GRAPH.iter().find(|(known, _)| *known == folder) else {
        findings.push(Finding::new(path, 0, "the crate is not in the table of xtask/src/tidy/graph.rs: say what it may know"));
        return;
    };
    let ours: Vec<&str> = dependencies.iter().filter_map(|name| name.strip_prefix("signet-")).collect();
    for name in ours.iter().filter(|name| !allowed.contains(name)) {
        let message = format!("must not know `signet-{name}` (ARCHITECTURE.md, direction of knowledge)");
        findings.push(Finding::new(path, 0, message));
    }
    for name in allowed.iter().filter(|name| !ours.contains(name)) {
        let message = format!("does not use `signet-{name}` any more: strike it from xtask/src/tidy/graph.rs");
        findings.push(Finding::new(path, 0, message));
    }
}

fn check_others(path: &str, folder: &str, dependencies: &[String], findings: &mut Vec<Finding>) {
    if folder.starts_with("test/") {
        return;
    }
    for (name, homes, reason) in NAMED_ONLY_IN {
        if dependencies.iter().any(|dependency| dependency == name) && !homes.contains(&folder) {
            let message = format!("names `{name}`, which only {} may: {reason}", homes.join(" and "));
            findings.push(Finding::new(path, 0, message));
        }
    }
    for name in NEVER_PURE {
        if folder.starts_with("pure/") && dependencies.iter().any(|dependency| dependency == name) {
            let message = format!("names `{name}`: pure code takes the world as arguments");
            findings.push(Finding::new(path, 0, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, dependencies: &str) -> Vec<String> {
        let manifest = format!("[lints]\nworkspace = true\n{dependencies}");
        check(&Tree::of(&[(path, &manifest)])).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn knowledge_in_the_wrong_direction_is_found() {
        let found = messages("pure/mqtt/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nsignet-identity.workspace = true\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("must not know `signet-identity`"), "{found:?}");
        assert!(messages("pure/mqtt/Cargo.toml", "[dev-dependencies]\nsignet-testkit.workspace = true\n").is_empty());
    }

    #[test]
    fn an_edge_of_the_table_that_is_gone_is_found() {
        let found = messages("pure/revocation/Cargo.toml", "");
        assert!(found[0].contains("strike it"), "{found:?}");
    }

    #[test]
    fn an_unlisted_crate_is_found() {
        assert!(messages("io/cloud/Cargo.toml", "")[0].contains("not in the table"));
    }

    #[test]
    fn a_crate_outside_its_home_is_found() {
        for (name, path) in [("rustls", "io/client"), ("redb", "io/store"), ("axum", "io/server")] {
            let found = messages(&format!("{path}/Cargo.toml"), &format!("[dependencies]\n{name} = \"1\"\n"));
            assert!(found.iter().any(|message| message.contains(&format!("names `{name}`"))), "{found:?}");
        }
        let found = messages("pure/mqtt/Cargo.toml", "[dependencies]\nrand = \"1\"\n");
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn missing_lints_are_found() {
        assert_eq!(check(&Tree::of(&[("pure/mqtt/Cargo.toml", "[dependencies]\n")])).len(), 1);
    }
}
