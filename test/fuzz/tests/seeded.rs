//! Every fuzz target with mutations of its corpus, from a fixed seed or, for a given time, from a new one.

#[cfg(test)]
mod seeded {
    use std::env;
    use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

    use signet_fuzz::corpus;

    const FIXED_SEED: u64 = 0x5167_6e65_7400_0002;

    #[test]
    fn packets() {
        fuzz("packet", signet_fuzz::packet, &corpus::packets().unwrap(), 200_000);
    }

    #[test]
    fn topic_filters() {
        fuzz("topic", signet_fuzz::topic, &corpus::topics(), 200_000);
    }

    #[test]
    fn identity_templates() {
        fuzz("template", signet_fuzz::template, &corpus::templates(), 60_000);
    }

    #[test]
    fn leaf_certificates() {
        fuzz("leaf", signet_fuzz::leaf, &corpus::certificates().unwrap(), 200_000);
    }

    #[test]
    fn certificate_revocation_lists() {
        fuzz("crl", signet_fuzz::crl, &corpus::crls().unwrap(), 200_000);
    }

    #[test]
    fn ocsp_responses() {
        fuzz("ocsp", signet_fuzz::ocsp, &signet_fuzz::revocation::responses().unwrap(), 100_000);
    }

    #[test]
    fn distribution_points() {
        fuzz("points", signet_fuzz::points, &signet_fuzz::revocation::point_lists().unwrap(), 40_000);
    }

    #[test]
    fn proxy_headers() {
        fuzz("proxy", signet_fuzz::proxy, &signet_fuzz::transport::proxies(), 200_000);
    }

    #[test]
    fn websockets() {
        fuzz("websocket", signet_fuzz::websocket, &signet_fuzz::transport::websockets(), 100_000);
    }

    #[test]
    fn configurations_of_mosquitto() {
        fuzz("mosquitto", signet_fuzz::mosquitto, &signet_fuzz::mosquitto::configurations(), 3_000);
    }

    #[test]
    fn handshakes_with_pre_shared_keys() {
        fuzz("psk", signet_fuzz::psk, &signet_fuzz::psk::handshakes(), 40_000);
    }

    #[test]
    fn journals() {
        fuzz("journal", signet_fuzz::journal, &signet_fuzz::durable::journals(), 10_000);
    }

    #[test]
    fn records() {
        fuzz("records", signet_fuzz::records, &signet_fuzz::durable::record_lists().unwrap(), 40_000);
    }

    /// What the corpus holds is accepted: otherwise the mutations start from nothing.
    #[test]
    fn the_corpus_is_valid() {
        for certificate in corpus::certificates().unwrap() {
            signet_identity::Leaf::parse(&certificate).unwrap();
        }
        for template in corpus::templates() {
            signet_identity::Template::parse(std::str::from_utf8(&template).unwrap()).unwrap();
        }
        assert_eq!(corpus::issuers().len(), 1);
        for input in corpus::crls().unwrap() {
            assert!(accepted_crl(&input), "{}", hex(&input));
        }
        let accepted = |response: &Vec<u8>| signet_fuzz::revocation::is_answer(response);
        assert_eq!(signet_fuzz::revocation::responses().unwrap().iter().filter(|response| accepted(response)).count(), 3);
        let lists = signet_fuzz::revocation::point_lists().unwrap();
        assert_eq!(lists.iter().map(|list| signet_fuzz::revocation::addresses(list)).collect::<Vec<_>>(), [(2, 0), (0, 2)]);
        let named: Vec<bool> = signet_fuzz::psk::handshakes().iter().map(|octets| signet_fuzz::psk::names_a_key(octets)).collect();
        assert_eq!(named, [true, true, true, true, false]);
        for input in signet_fuzz::durable::record_lists().unwrap() {
            assert!(!signet_store::image_of(&input).unwrap().sessions.is_empty());
        }
        assert_eq!(corpus::certificates().unwrap(), corpus::certificates().unwrap(), "the corpus is the same on every run");
    }

    fn accepted_crl(input: &[u8]) -> bool {
        struct Accepts;
        impl signet_revocation::SignatureVerifier for Accepts {
            fn verify(&self, _: signet_revocation::SignedData<'_>) -> Result<(), String> {
                Ok(())
            }
        }
        signet_revocation::Crl::parse_pem_or_der(input, corpus::issuers(), &Accepts).is_ok_and(|crls| crls.len() == 1)
    }

    /// The corpus as it is, then `iterations` mutations of it, or as many as fit into `SIGNET_FUZZ_SECONDS`.
    fn fuzz(name: &'static str, target: fn(&[u8]), corpus: &[Vec<u8>], iterations: u64) {
        for input in corpus {
            target(input);
        }
        let seconds = env::var("SIGNET_FUZZ_SECONDS").ok().map(|text| text.parse().expect("SIGNET_FUZZ_SECONDS is a number"));
        let seed = match (env::var("SIGNET_FUZZ_SEED"), seconds) {
            (Ok(text), _) => text.parse().expect("SIGNET_FUZZ_SEED is a number"),
            (Err(_), Some(_)) => {
                u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() & u128::from(u64::MAX)).unwrap()
            }
            (Err(_), None) => FIXED_SEED,
        };
        println!("{name}: SIGNET_FUZZ_SEED={seed}");
        let deadline = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        let mut random = Random(seed | 1);
        let mut iteration = 0;
        while deadline.map_or(iteration < iterations, |deadline| Instant::now() < deadline) {
            let mut input = corpus[random.below(corpus.len())].clone();
            let other = &corpus[random.below(corpus.len())];
            for _ in 0..=random.below(4) {
                random.mutate(&mut input, other);
            }
            let told = Told { name, seed, iteration, input: &input };
            target(told.input);
            iteration += 1;
        }
    }

    /// Says what the input was when the target panics.
    struct Told<'a> {
        name: &'static str,
        seed: u64,
        iteration: u64,
        input: &'a [u8],
    }

    impl Drop for Told<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                println!("{} SIGNET_FUZZ_SEED={} iteration {} input {}", self.name, self.seed, self.iteration, hex(self.input));
            }
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

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
            usize::try_from((self.next() >> 11) % u64::try_from(bound.max(1)).unwrap()).unwrap()
        }

        fn byte(&mut self) -> u8 {
            const TELLING: &[u8] = b"\x00\x01\x02\x05\x06\x0C\x30\x31\x7F\x80\x81\x82\xA0\xFF${}./+#\n";
            if self.below(2) == 0 { TELLING[self.below(TELLING.len())] } else { u8::try_from(self.below(256)).unwrap() }
        }

        fn mutate(&mut self, input: &mut Vec<u8>, other: &[u8]) {
            let at = self.below(input.len());
            match self.below(9) {
                0 => input.truncate(at),
                1 => input.insert(at, self.byte()),
                2 => input.extend_from_slice(&other[self.below(other.len())..]),
                3 if !input.is_empty() => drop(input.remove(at)),
                4 => {
                    let from = self.below(other.len());
                    let part = &other[from..(from + 1 + self.below(16)).min(other.len())];
                    input.splice(at..at, part.iter().copied());
                }
                5 if !input.is_empty() => input[at] ^= 1 << self.below(8),
                6 if !input.is_empty() => input[at] = input[at].wrapping_add(1),
                _ if !input.is_empty() => input[at] = self.byte(),
                _ => {}
            }
        }
    }
}
