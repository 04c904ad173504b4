//! What a scraper and a reader of the reference get.

use std::collections::HashSet;

use signet_telemetry::{Bridge, CrlFreshness, RevocationSource, Snapshot, Store, StoreState, exposition, numbers, reference};

fn full() -> Snapshot {
    let mut snapshot = Snapshot { version: "1.2.3".into(), refused: vec![("TLS handshake", 3)], ..Snapshot::default() };
    snapshot.certificates.issued = Some(1);
    snapshot.certificates.revocations = Some(1);
    snapshot.certificates.server_ends = vec![("mqtt \"s\"".into(), 5)];
    snapshot.certificates.crls = vec![CrlFreshness { issuer: "ab".into(), this_update: -1, next_update: Some(2) }];
    snapshot.store = Some(Store { state: StoreState::Full, octets: 1, live_octets: 1, batches: 1, syncs: 1, moved_octets: 1, segments: 1 });
    let source =
        RevocationSource { profile: "plant".into(), kind: "url", state: "stale", next_update: Some(7), ..RevocationSource::default() };
    let responder = RevocationSource { kind: "ocsp", answers: 3, latency_milliseconds: Some(1_050), state: "good", ..source.clone() };
    snapshot.trust.sources = vec![source, responder];
    snapshot.trust.clones = vec![("two_identifiers", 1)];
    snapshot.trust.ended = vec![("suspended", 4)];
    snapshot.bridges = vec![Bridge { name: "cloud".into(), is_connected: true, ..Bridge::default() }];
    snapshot
}

/// One sample line: name, names of labels, value. `None` where it is not written as one.
fn sample(line: &str) -> Option<(&str, Vec<&str>, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, labels)) = series.split_once('{') else { return Some((series, Vec::new(), value)) };
    let labels = labels.strip_suffix("\"}")?.split("\",");
    let names: Option<Vec<&str>> = labels.map(|label| Some(label.split_once("=\"")?.0)).collect();
    Some((name, names?, value))
}

#[test]
fn the_exposition_is_well_formed() {
    let text = exposition(&full());
    assert!(text.ends_with('\n'));
    let (mut helped, mut typed, mut series) = (HashSet::new(), HashSet::new(), HashSet::new());
    let mut family = "";
    let mut is_counter = false;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(helped.insert(name) && !help.is_empty(), "{line}");
            family = name;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, family, "TYPE comes with its HELP");
            assert!(typed.insert(name) && ["counter", "gauge"].contains(&kind), "{line}");
            is_counter = kind == "counter";
            assert_eq!(is_counter, name.ends_with("_total"), "the name of a counter ends in _total: {line}");
        } else {
            let (name, labels, value) = sample(line).expect(line);
            assert_eq!(name, family, "samples of a family stand together");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
            assert!(labels.iter().all(|label| label.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')), "{line}");
            assert!(!is_counter || value >= 0.0, "{line}");
            assert!(series.insert(line.rsplit_once(' ').unwrap().0), "`{line}` stands there twice");
        }
    }
    assert!(series.len() > 60, "{}", series.len());
    assert!(text.contains("signet_store_state{state=\"full\"} 1\n") && text.contains("signet_store_state{state=\"ready\"} 0\n"));
    assert!(text.contains("signet_tls_certificate_end_seconds{listener=\"mqtt \\\"s\\\"\"} 5\n"));
    assert!(text.contains("signet_crl_this_update_seconds{issuer=\"ab\"} -1\n"));
    let source = "profile=\"plant\",kind=\"url\",address=\"\"";
    assert!(text.contains(&format!("signet_revocation_source_state{{{source},state=\"stale\"}} 1\n")));
    assert!(text.contains(&format!("signet_revocation_source_state{{{source},state=\"good\"}} 0\n")));
    assert!(text.contains(&format!("signet_revocation_source_next_update_seconds{{{source}}} 7\n")));
    assert!(!text.contains(&format!("signet_ocsp_answers{{{source}}}")), "a list holds no answers");
    assert!(text.contains("signet_revocation_source_latency_seconds{profile=\"plant\",kind=\"ocsp\",address=\"\"} 1.050\n"));
    assert!(text.contains("signet_sessions_ended_total{cause=\"suspended\"} 4\n"));
}

#[test]
fn the_numbers_are_those_of_the_exposition() {
    let text = exposition(&full());
    let written: Vec<(String, f64)> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.rsplit_once(' ').map(|(series, value)| (series.to_owned(), value.parse().unwrap())).unwrap())
        .collect();
    assert_eq!(numbers(&full()), written);
}

#[test]
fn what_is_not_there_is_left_out() {
    let text = exposition(&Snapshot::default());
    for absent in ["signet_store_", "signet_ca_", "signet_crl_", "signet_bridge_", "signet_revocation_source_", "signet_ocsp_"] {
        assert!(!text.contains(absent), "{absent}");
    }
}

#[test]
fn the_reference_is_up_to_date() {
    let page = include_str!("../../../docs/reference/metrics.md");
    assert!(page == reference(), "write it anew: cargo run -p signet-telemetry --example reference > docs/reference/metrics.md");
}

#[test]
fn sources_have_a_bound() {
    let source = |number: usize| RevocationSource { address: number.to_string(), ..RevocationSource::default() };
    let mut snapshot = Snapshot::default();
    snapshot.trust.sources = (0..RevocationSource::SHOWN_MAXIMUM + 1).map(source).collect();
    assert_eq!(exposition(&snapshot).matches("\nsignet_revocation_source_entries{").count(), RevocationSource::SHOWN_MAXIMUM);
}
