//! What reads bytes from strangers, one function each: they must not panic, and what they accept must survive being written again.
//!
//! `cargo nextest run -p signet-fuzz` mutates a small corpus from a fixed seed, the same on every run and every machine.
//! `SIGNET_FUZZ_SECONDS=60 cargo nextest run -p signet-fuzz --no-capture` goes on for that many seconds a target from a new seed, which
//! it prints; `SIGNET_FUZZ_SEED=…` repeats it.
//!
//! Guided by coverage, on the stable toolchain (`packet`, or one of `topic`, `template`, `leaf`, `crl`, `ocsp`, `points`, `proxy`, `websocket`, `psk`, `mosquitto`, `journal`, `records`):
//!
//! ```sh
//! cargo run -p signet-fuzz --example corpus -- corpus
//! RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
//!   -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1" \
//!   cargo run -p signet-fuzz --features libfuzzer --target x86_64-unknown-linux-gnu --target-dir target/fuzz --bin fuzz-packet -- \
//!   -max_total_time=60 corpus/packet
//! ```

pub mod corpus;
pub mod durable;
pub mod mosquitto;
pub mod psk;
pub mod revocation;
pub mod transport;

pub use durable::{journal, records};
pub use mosquitto::mosquitto;
pub use psk::psk;
pub use revocation::{ocsp, points};
pub use transport::{proxy, websocket};

use std::str;

use bytes::BytesMut;
use signet_identity::{ClientIdentifierBinding, Facts, Leaf, NamingRule, Template};
use signet_mqtt::{DecodeLimits, Decoder, ProtocolVersion, Role, TopicFilter, TopicName, encode, encoded_len};
use signet_revocation::{Crl, ListSource, RevocationIndex, SignatureVerifier, SignedData};

/// A stream of packets, read as every kind of peer and version.
///
/// # Panics
/// When an accepted packet is not the same after it was written and read again.
pub fn packet(data: &[u8]) {
    stream(Decoder::new(Role::Client, DecodeLimits::default()), data);
    for role in [Role::Client, Role::Server] {
        for version in ProtocolVersion::ALL {
            let mut decoder = Decoder::new(role, DecodeLimits::default());
            decoder.set_version(version);
            stream(decoder, data);
        }
    }
}

fn stream(mut decoder: Decoder, mut data: &[u8]) {
    loop {
        let needed = decoder.needed(data);
        match decoder.decode(data) {
            Ok(Some((packet, consumed))) => {
                assert_eq!(needed, 0, "a whole packet needs nothing");
                let version = decoder.version().unwrap_or(ProtocolVersion::V5);
                let mut again = BytesMut::new();
                encode(&packet, version, &mut again);
                assert_eq!(again.len(), encoded_len(&packet, version));
                // Short forms may have been written in full, never the other way round.
                assert!(again.len() <= consumed, "written again it is longer: {packet:?}");
                assert_eq!(decoder.decode(&again), Ok(Some((packet, again.len()))));
                data = data.get(consumed..).unwrap_or_default();
            }
            Ok(None) => {
                assert!(needed > 0, "an unfinished packet needs more");
                return;
            }
            Err(error) => {
                let message = error.to_string();
                assert!(error.reason_code().is_error() && message.len() < 400 && !message.contains(char::is_control), "{message:?}");
                let _ = error.refusal(decoder.version());
                return;
            }
        }
    }
}

/// A Topic Filter and a Topic Name with a line feed between them.
///
/// # Panics
/// When what was accepted breaks a rule of §4.7.
pub fn topic(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (filter, name) = text.split_once('\n').unwrap_or((text, text));
    let name = TopicName::new(name).ok();
    if let Some(name) = &name {
        assert!(!name.as_str().contains(['+', '#', '\0']) && !name.as_str().is_empty());
    }
    let Ok(filter) = TopicFilter::new(filter) else { return };
    let inner = filter.shared().map_or(filter.as_str(), |(_, inner)| inner);
    // The filter behind a ShareName is a filter of its own, unless it is a second `$share/`.
    if !inner.starts_with("$share/") {
        let plain = TopicFilter::new(inner);
        assert_eq!(plain.as_ref().map(TopicFilter::as_str), Ok(inner));
        if let (Some(name), Ok(plain)) = (&name, plain) {
            assert_eq!(filter.matches(name), plain.matches(name));
        }
    }
}

/// An identity template, as a naming rule, and as a binding for a claimed identifier.
///
/// # Panics
/// When an accepted template is not the same after it was written and parsed again.
pub fn template(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(template) = Template::parse(text) else { return };
    assert_eq!(Template::parse(template.as_str()).as_ref(), Ok(&template));
    let facts = Facts { username: Some("user"), client_identifier: Some("identifier"), ..Facts::default() };
    let rendered = template.render(&facts);
    if template.needs_certificate() {
        assert!(rendered.is_err(), "there is no certificate to render from");
    }
    let _ = NamingRule::new(template.clone());
    let _ = ClientIdentifierBinding::Prefix(template).check(&facts, text);
}

/// An end-entity certificate in DER.
///
/// # Panics
/// When the facts of an accepted certificate do not hold together.
pub fn leaf(data: &[u8]) {
    let Ok(leaf) = Leaf::parse(data) else { return };
    assert_eq!(leaf.der(), data);
    assert_eq!(Leaf::parse(data).map(|again| again.id()).ok(), Some(leaf.id()));
    let shown = format!("{} {} {:?} {}", leaf.subject().rfc4514(), leaf.issuer().rfc4514(), leaf.subject().cn(), leaf.id());
    assert!(!shown.contains(char::is_control), "{shown:?}");
    if let Ok(name) = NamingRule::default().name(&leaf) {
        assert!(!name.as_str().contains(['+', '#', '/', '\0']));
    }
}

/// A CRL file, PEM or DER, under an issuer that exists and a signature that is taken as valid, so that what stands behind it is reached.
///
/// # Panics
/// When the entries of an accepted CRL cannot be found in the index.
pub fn crl(data: &[u8]) {
    let Ok(crls) = Crl::parse_pem_or_der(data, corpus::issuers(), &AcceptsAll) else { return };
    for crl in crls {
        let listed: Vec<_> = crl.ids().take(100).collect();
        let Ok(index) = RevocationIndex::default().with_crl(crl.accepted_for_any_issuer(), ListSource::new("fuzz")) else { continue };
        for id in listed {
            assert!(index.lookup(&id).is_some(), "{id} is listed and not found");
        }
    }
}

pub(crate) struct AcceptsAll;

impl SignatureVerifier for AcceptsAll {
    fn verify(&self, _: SignedData<'_>) -> Result<(), String> {
        Ok(())
    }
}
