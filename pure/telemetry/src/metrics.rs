//! Every metric of `/metrics`: name, kind, words, and where its numbers come from.

use crate::snapshot::{Backend, Bridge, RevocationSource, Snapshot, Store, StoreState, Traffic};

/// What kind of number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only ever rises.
    Counter,
    /// How many there are now.
    Gauge,
}

/// One metric.
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) help: &'static str,
    pub(crate) samples: fn(&Snapshot) -> Vec<Sample>,
}

/// One line: labels and value.
pub(crate) struct Sample {
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) value: Value,
}

/// A value in the unit of the metric's name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value {
    Count(u64),
    /// Unix seconds.
    Time(i64),
    /// Written as seconds.
    Milliseconds(u64),
}

fn one(count: u64) -> Vec<Sample> {
    vec![Sample { labels: Vec::new(), value: Value::Count(count) }]
}

fn each<L: Into<String>>(label: &'static str, counts: impl IntoIterator<Item = (L, u64)>) -> Vec<Sample> {
    counts.into_iter().map(|(text, count)| Sample { labels: vec![(label, text.into())], value: Value::Count(count) }).collect()
}

fn directions(snapshot: &Snapshot, count: fn(&Traffic) -> u64) -> Vec<Sample> {
    each("direction", [("received", count(&snapshot.received)), ("sent", count(&snapshot.sent))])
}

fn publishes(snapshot: &Snapshot) -> Vec<Sample> {
    let of = |direction: &'static str, traffic: &Traffic| {
        let labelled = traffic.publishes.into_iter().zip(["0", "1", "2"]);
        labelled
            .map(|(count, qos)| Sample {
                labels: vec![("direction", direction.to_owned()), ("qos", qos.to_owned())],
                value: Value::Count(count),
            })
            .collect::<Vec<_>>()
    };
    let mut samples = of("received", &snapshot.received);
    samples.extend(of("sent", &snapshot.sent));
    samples
}

fn store(snapshot: &Snapshot, value: impl Fn(&Store) -> Vec<Sample>) -> Vec<Sample> {
    snapshot.store.as_ref().map_or_else(Vec::new, value)
}

fn states(store: &Store) -> Vec<Sample> {
    let states = [("ready", StoreState::Ready), ("full", StoreState::Full), ("failed", StoreState::Failed)];
    each("state", states.map(|(name, state)| (name, u64::from(store.state == state))))
}

fn source_labels(source: &RevocationSource) -> Vec<(&'static str, String)> {
    vec![("profile", source.profile.clone()), ("kind", source.kind.to_owned()), ("address", source.address.clone())]
}

/// A sample for each source that has the value.
fn sources(snapshot: &Snapshot, value: impl Fn(&RevocationSource) -> Option<Value>) -> Vec<Sample> {
    let shown = snapshot.trust.sources.iter().take(RevocationSource::SHOWN_MAXIMUM);
    shown.filter_map(|source| Some(Sample { labels: source_labels(source), value: value(source)? })).collect()
}

fn source_states(snapshot: &Snapshot) -> Vec<Sample> {
    let shown = snapshot.trust.sources.iter().take(RevocationSource::SHOWN_MAXIMUM);
    let states = |source: &RevocationSource| {
        RevocationSource::STATES.map(|state| {
            let mut labels = source_labels(source);
            labels.push(("state", state.to_owned()));
            Sample { labels, value: Value::Count(u64::from(source.state == state)) }
        })
    };
    shown.flat_map(states).collect()
}

fn backends(snapshot: &Snapshot, value: fn(&Backend) -> Value) -> Vec<Sample> {
    snapshot.backends.iter().map(|backend| Sample { labels: backend_labels(backend), value: value(backend) }).collect()
}

fn backend_labels(backend: &Backend) -> Vec<(&'static str, String)> {
    vec![("name", backend.name.clone()), ("type", backend.kind.to_owned())]
}

fn breaker_states(snapshot: &Snapshot) -> Vec<Sample> {
    let states = |backend: &Backend| {
        Backend::STATES.map(|state| {
            let mut labels = backend_labels(backend);
            labels.push(("state", state.to_owned()));
            Sample { labels, value: Value::Count(u64::from(backend.breaker == state)) }
        })
    };
    snapshot.backends.iter().flat_map(states).collect()
}

fn crl_times(snapshot: &Snapshot, time: impl Fn(&crate::CrlFreshness) -> Option<i64>) -> Vec<Sample> {
    let lists = snapshot.certificates.crls.iter();
    lists.filter_map(|crl| Some(Sample { labels: vec![("issuer", crl.issuer.clone())], value: Value::Time(time(crl)?) })).collect()
}

macro_rules! table {
    ($($kind:ident $name:literal $help:literal $samples:expr;)*) => {
        /// In the order in which they are written.
        pub(crate) const FAMILIES: &[Definition] =
            &[$(Definition { name: $name, kind: Kind::$kind, help: $help, samples: $samples }),*];
    };
}

table! {
    Gauge "signet_build_info" "Always 1; the version is a label" |s| {
        vec![Sample { labels: vec![("version", s.version.clone())], value: Value::Count(1) }]
    };
    Counter "signet_uptime_seconds_total" "Since the start of the process" |s| one(s.uptime_seconds);
    Gauge "signet_connections" "Connections whose CONNECT was accepted" |s| one(s.clients.connected);
    Gauge "signet_sockets" "Sockets of clients, those that have not sent CONNECT included" |s| one(s.clients.sockets);
    Counter "signet_sockets_accepted_total" "Sockets accepted" |s| one(s.clients.sockets_total);
    Counter "signet_connects_total" "CONNECT packets received" |s| one(s.clients.connects_total);
    Counter "signet_refused_total" "Connections refused before their session began, by the check that failed" |s| {
        each("check", s.refused.iter().copied())
    };
    Counter "signet_failed_attempts_total" "Refused attempts that count against an address or a certificate" |s| {
        let attempts = s.trust.holds.iter().filter(|(kind, _)| matches!(*kind, "address" | "certificate"));
        each("by", attempts.map(|(kind, holds)| (*kind, holds.noted)))
    };
    Counter "signet_holds_total" "Times that somebody was held off, by what was too much: attempts of an address or a certificate, connections of an identity, flapping" |s| {
        each("by", s.trust.holds.iter().map(|(kind, holds)| (*kind, holds.total)))
    };
    Gauge "signet_held_off" "Who is held off now, by the same" |s| each("by", s.trust.holds.iter().map(|(kind, holds)| (*kind, holds.held)));
    Counter "signet_disconnected_total" "Connections ended by the broker, by cause: kicked is revocation, expiry, an operator or the end of the server" |s| {
        each("cause", [
            ("kicked", s.clients.kicked_total),
            ("keep_alive", s.clients.keep_alive_timeouts_total),
            ("taken_over", s.clients.taken_over_total),
        ])
    };
    Gauge "signet_sessions" "Sessions, connected or not" |s| one(s.clients.sessions);
    Counter "signet_sessions_expired_total" "Sessions that ended because their Session Expiry Interval was over" |s| one(s.clients.expired_total);
    Counter "signet_packets_total" "MQTT Control Packets" |s| directions(s, |traffic| traffic.packets);
    Counter "signet_packet_bytes_total" "Octets of MQTT Control Packets" |s| directions(s, |traffic| traffic.octets);
    Counter "signet_publishes_total" "PUBLISH packets, repetitions included" publishes;
    Counter "signet_payload_bytes_total" "Payload octets of PUBLISH packets" |s| directions(s, |traffic| traffic.payload_octets);
    Counter "signet_messages_dropped_total" "Messages that one receiver did not get, by cause" |s| {
        let dropped = s.messages.dropped;
        each("cause", [
            ("slow_receiver", dropped.slow),
            ("queue_full", dropped.queue_full),
            ("too_large", dropped.too_large),
            ("expired", dropped.expired),
        ])
    };
    Counter "signet_messages_unmatched_total" "Messages that matched no subscription" |s| one(s.messages.unmatched);
    Counter "signet_denied_total" "What the access rules refused: publishes and subscriptions, and, when rules changed, subscriptions ended and messages withheld; and publishes for the size of their payload" |s| {
        let messages = s.messages;
        each("what", [
            ("publish", messages.denied_publishes),
            ("subscribe", messages.denied_subscriptions),
            ("subscription_ended", messages.ended_subscriptions),
            ("message_withheld", messages.withheld),
            ("payload_too_large", messages.oversized),
        ])
    };
    Counter "signet_refused_full_total" "Requests refused with 0x97, by what was full" |s| {
        let full = s.messages.full;
        each("what", [("store", full.store), ("queues", full.queues), ("retained", full.retained), ("sessions", full.sessions)])
    };
    Counter "signet_wills_published_total" "Will Messages published" |s| one(s.messages.wills);
    Gauge "signet_subscriptions" "Subscriptions of all sessions, shared ones included" |s| one(s.held.subscriptions);
    Gauge "signet_shared_subscriptions" "Shared Subscriptions of all sessions" |s| one(s.held.shared_subscriptions);
    Gauge "signet_retained_messages" "Retained messages" |s| one(s.held.retained);
    Gauge "signet_retained_bytes" "Topic, payload and properties of retained messages" |s| one(s.held.retained_octets);
    Gauge "signet_queued_messages" "Messages that wait in sessions, once for each session" |s| one(s.held.queued);
    Gauge "signet_queued_bytes" "Topic, payload and properties of these" |s| one(s.held.queued_octets);
    Gauge "signet_outgoing_packets" "Packets that wait for sockets" |s| one(s.held.outgoing);
    Gauge "signet_outgoing_bytes" "Octets that wait for sockets, about" |s| one(s.held.outgoing_octets);
    Counter "signet_tls_handshakes_total" "TLS handshakes, by how they ended" |s| {
        each("result", [("full", s.handshakes.full), ("resumed", s.handshakes.resumed), ("failed", s.handshakes.failed)])
    };
    Gauge "signet_tls_handshakes" "TLS handshakes going on" |s| one(s.handshakes.under_way);
    Gauge "signet_tls_certificate_end_seconds" "When the server certificate of a listener ends, Unix time" |s| {
        let ends = s.certificates.server_ends.iter();
        ends.map(|(name, end)| Sample { labels: vec![("listener", name.clone())], value: Value::Time(*end) }).collect()
    };
    Gauge "signet_crl_this_update_seconds" "When the revocation list in force of an issuer was made, Unix time" |s| {
        crl_times(s, |crl| Some(crl.this_update))
    };
    Gauge "signet_crl_next_update_seconds" "When the next revocation list of an issuer was promised, Unix time" |s| crl_times(s, |crl| crl.next_update);
    Gauge "signet_revocation_source_state" "1 for the state that a source of revocation knowledge is in; stale: a list of it is past its next update" source_states;
    Gauge "signet_revocation_source_this_update_seconds" "When the oldest list in force from a source was made, Unix time" |s| {
        sources(s, |source| source.this_update.map(Value::Time))
    };
    Gauge "signet_revocation_source_next_update_seconds" "When the first successor of these lists is due, Unix time" |s| {
        sources(s, |source| source.next_update.map(Value::Time))
    };
    Gauge "signet_revocation_source_entries" "Certificates on the lists in force from a source" |s| {
        sources(s, |source| Some(Value::Count(source.entries)))
    };
    Gauge "signet_revocation_source_last_success_seconds" "When a source was read, or answered, last, Unix time" |s| {
        sources(s, |source| source.last_success.map(Value::Time))
    };
    Gauge "signet_revocation_source_latency_seconds" "How long the last attempt took that got an answer" |s| {
        sources(s, |source| source.latency_milliseconds.map(Value::Milliseconds))
    };
    Counter "signet_revocation_source_requests_total" "Attempts to read or ask a source" |s| {
        sources(s, |source| Some(Value::Count(source.requests)))
    };
    Counter "signet_revocation_source_failures_total" "Of these, failed" |s| sources(s, |source| Some(Value::Count(source.failures)));
    Gauge "signet_ocsp_answers" "OCSP answers held, by responder" |s| {
        sources(s, |source| matches!(source.kind, "ocsp" | "staple").then_some(Value::Count(source.answers)))
    };
    Gauge "signet_auth_breaker_state" "1 for the state of the breaker of one who is asked about clients; open: it has failed too often and is not asked for a while" breaker_states;
    Counter "signet_auth_requests_total" "Questions to one who is asked about clients, since it was made: a reload makes it anew" |s| {
        backends(s, |backend| Value::Count(backend.asked))
    };
    Counter "signet_auth_failures_total" "Of these, failed" |s| backends(s, |backend| Value::Count(backend.failed));
    Counter "signet_auth_seconds_total" "How long all of these took together" |s| {
        backends(s, |backend| Value::Milliseconds(backend.microseconds / 1_000))
    };
    Counter "signet_auth_remembered_total" "Questions answered from memory, or by the same question of somebody else" |s| {
        backends(s, |backend| Value::Count(backend.remembered))
    };
    Counter "signet_auth_spared_total" "Questions that failed by no fault of the backend: too many waited, or the breaker was open" |s| {
        backends(s, |backend| Value::Count(backend.spared))
    };
    Gauge "signet_suspended_devices" "Devices that an operator, or a cloned certificate, keeps out" |s| one(s.trust.suspended);
    Gauge "signet_operator_revocations" "Entries of the operator's own revocation list" |s| one(s.trust.operator_entries);
    Gauge "signet_disabled_profiles" "Trust profiles that an operator has disabled" |s| one(s.trust.disabled_profiles);
    Counter "signet_clones_total" "Times that one certificate was in use twice, by what showed it" |s| each("evidence", s.trust.clones.iter().copied());
    Counter "signet_sessions_ended_total" "Connections told to close by a change of trust, time or an operator, by cause" |s| {
        each("cause", s.trust.ended.iter().copied())
    };
    Gauge "signet_revoked_certificates" "Revoked certificates that handshakes are compared with" |s| one(s.certificates.revoked_known);
    Counter "signet_ca_certificates_total" "Certificates that the broker's own authority has issued, since there is an inventory" |s| {
        s.certificates.issued.map_or_else(Vec::new, one)
    };
    Counter "signet_ca_revocations_total" "Revocations in the inventory" |s| s.certificates.revocations.map_or_else(Vec::new, one);
    Gauge "signet_store_state" "1 for the state that the durable store is in" |s| store(s, states);
    Gauge "signet_store_bytes" "Octets of the durable store on disk" |s| store(s, |store| one(store.octets));
    Gauge "signet_store_live_bytes" "Of these, still needed" |s| store(s, |store| one(store.live_octets));
    Gauge "signet_store_segments" "Files of the durable store" |s| store(s, |store| one(store.segments));
    Counter "signet_store_compacted_bytes_total" "Octets that compaction wrote again" |s| store(s, |store| one(store.moved_octets));
    Counter "signet_store_batches_total" "Batches written" |s| store(s, |store| one(store.batches));
    Counter "signet_store_syncs_total" "Times that data was forced to disk" |s| store(s, |store| one(store.syncs));
    Gauge "signet_bridge_connected" "1 while the bridge is connected" |s| {
        each("bridge", s.bridges.iter().map(|bridge| (bridge.name.as_str(), u64::from(bridge.is_connected))))
    };
    Counter "signet_bridge_connections_total" "Connections that the bridge has made" |s| {
        each("bridge", s.bridges.iter().map(|bridge| (bridge.name.as_str(), bridge.connections)))
    };
    Counter "signet_bridge_messages_total" "Messages of the bridge: received by this broker, sent to the other, dropped on the way" |s| {
        let of = |bridge: &Bridge| {
            let counts = [("received", bridge.received), ("sent", bridge.sent), ("dropped", bridge.dropped)];
            counts.map(|(fate, count)| Sample {
                labels: vec![("bridge", bridge.name.clone()), ("fate", fate.to_owned())],
                value: Value::Count(count),
            })
        };
        s.bridges.iter().flat_map(of).collect()
    };
    Gauge "process_resident_memory_bytes" "Resident memory" |s| one(s.process.resident_octets);
    Gauge "process_open_fds" "Open files" |s| one(s.process.open_files);
    Gauge "process_max_fds" "Files that may be open" |s| one(s.process.open_files_maximum);
    Counter "process_cpu_seconds_total" "Processor time used" |s| {
        vec![Sample { labels: Vec::new(), value: Value::Milliseconds(s.process.cpu_milliseconds) }]
    };
    Gauge "process_start_time_seconds" "When the process started, Unix time" |s| {
        vec![Sample { labels: Vec::new(), value: Value::Time(s.process.started_at) }]
    };
}
