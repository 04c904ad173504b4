//! Packets with bytes changed, cut, doubled and exchanged: the decoder never panics, and what it keeps is bounded by what it was given.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use signet_mqtt::{DecodeLimits, Decoder, Packet, ProtocolVersion, Role, UserProperties};

use crate::arbitrary;
use crate::wire::{decoder, encoded};

const SEED: u64 = 0x5167_6e65_7400_0001;
const CORPUS: usize = 400;
const MUTATIONS: usize = 300_000;

/// xorshift64*: enough to pick bytes, the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        const TELLING: [u8; 10] = [0x00, 0x01, 0x02, 0x7F, 0x80, 0xFF, 0x23, 0x26, 0xC0, 0xED];
        if self.next().is_multiple_of(2) { TELLING[self.below(TELLING.len())] } else { self.next().to_le_bytes()[0] }
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            match self.below(6) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at.min(bytes.len()), self.byte()),
                2 if !other.is_empty() => bytes.extend_from_slice(&other[self.below(other.len())..]),
                3 if bytes.len() > 2 => bytes[1] = self.byte(),
                _ if !bytes.is_empty() => bytes[at] = self.byte(),
                _ => {}
            }
        }
    }
}

/// Bytes that a packet keeps in its lists, beyond the texts and payloads, which are copies of input.
fn list_bytes(packet: &Packet) -> usize {
    fn user(list: &UserProperties) -> usize {
        list.0.capacity() * size_of::<(bytestring::ByteString, bytestring::ByteString)>()
    }
    match packet {
        Packet::Connect(it) => {
            user(&it.properties.user_properties) + it.will.as_ref().map_or(0, |will| user(&will.properties.user_properties))
        }
        Packet::Connack(it) => user(&it.properties.user_properties),
        Packet::Publish(it) => user(&it.properties.user_properties) + it.properties.subscription_identifiers.capacity() * 4,
        Packet::Puback(it) | Packet::Pubrec(it) | Packet::Pubrel(it) | Packet::Pubcomp(it) => user(&it.user_properties),
        Packet::Subscribe(it) => user(&it.user_properties) + it.subscriptions.capacity() * size_of::<signet_mqtt::SubscribeFilter>(),
        Packet::Suback(it) => user(&it.user_properties) + it.reason_codes.capacity(),
        Packet::Unsubscribe(it) => user(&it.user_properties) + it.filters.capacity() * size_of::<signet_mqtt::TopicFilter>(),
        Packet::Unsuback(it) => user(&it.user_properties) + it.reason_codes.capacity(),
        Packet::Pingreq | Packet::Pingresp => 0,
        Packet::Disconnect(it) => user(&it.user_properties),
        Packet::Auth(it) => user(&it.user_properties),
    }
}

fn corpus() -> Vec<(Role, ProtocolVersion, Vec<u8>)> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let packets = arbitrary::packet();
    std::iter::repeat_with(|| packets.new_tree(&mut runner).unwrap().current())
        .take(CORPUS)
        .map(|(sender, version, packet)| (sender, version, encoded(&packet, version)))
        .filter(|(.., bytes)| bytes.len() < 2_000)
        .collect()
}

#[test]
fn mutated_packets_never_panic_and_stay_within_their_bounds() {
    let corpus = corpus();
    let mut random = Random(SEED);
    let (mut accepted, mut refused) = (0_u32, 0_u32);
    for _ in 0..MUTATIONS {
        let (sender, version, original) = &corpus[random.below(corpus.len())];
        let (.., other) = &corpus[random.below(corpus.len())];
        let mut bytes = original.clone();
        random.mutate(&mut bytes, other);
        let mut decoder = match original[0] >> 4 {
            1 => Decoder::new(*sender, DecodeLimits::default()),
            _ => decoder(*sender, *version),
        };
        match decoder.decode(&bytes) {
            Ok(Some((packet, consumed))) => {
                accepted += 1;
                assert!(consumed <= bytes.len());
                // At least 5 bytes of input for every 64 bytes in a list; a Vec grows to at most the double, or to 4 elements.
                assert!(list_bytes(&packet) <= 32 * consumed + 1024, "{packet:?}");
                // What was accepted is a packet that can exist: written again, it is read as the same.
                let version = decoder.version().unwrap();
                let again = encoded(&packet, version);
                assert_eq!(decoder.decode(&again), Ok(Some((packet, again.len()))));
            }
            Ok(None) => {}
            Err(error) => {
                refused += 1;
                assert!(error.reason_code().is_error());
                assert!(!error.statement().is_empty() && error.to_string().len() < 400);
            }
        }
    }
    // A run in which nothing gets through, or everything, tests nothing.
    assert!(accepted > 10_000 && refused > 10_000, "{accepted} accepted, {refused} refused");
}
