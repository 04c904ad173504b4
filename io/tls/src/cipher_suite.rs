//! Cipher suites by name: as IANA writes them, and as OpenSSL does, with the terms of its lists (`ECDHE+AESGCM:!aRSA`, openssl-ciphers(1)).

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{CipherSuite, SupportedCipherSuite, SupportedProtocolVersion};

use crate::provider::{provider, versions};
use crate::{MinimumVersion, TlsError};

/// One suite of the engine.
struct Named {
    suite: CipherSuite,
    iana: &'static str,
    openssl: &'static str,
    /// The words of OpenSSL's lists that mean this one among others.
    words: &'static [&'static str],
}

/// Words that mean every suite of TLS 1.2 here: all have an ephemeral key exchange, authenticated encryption and at least 128 bits.
const EVERY: [&str; 11] = ["ALL", "DEFAULT", "HIGH", "ECDHE", "EECDH", "kECDHE", "kEECDH", "ECDH", "AEAD", "TLSv1.2", "aCERT"];

/// Those of TLS 1.2, in OpenSSL's order.
const TLS12: [Named; 6] = [
    named(
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        &["ECDSA", "aECDSA", "AES", "AES256", "AESGCM"],
    ),
    named(
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        &["aRSA", "AES", "AES256", "AESGCM"],
    ),
    named(
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        &["ECDSA", "aECDSA", "CHACHA20"],
    ),
    named(
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "ECDHE-RSA-CHACHA20-POLY1305",
        &["aRSA", "CHACHA20"],
    ),
    named(
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        &["ECDSA", "aECDSA", "AES", "AES128", "AESGCM"],
    ),
    named(
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        &["aRSA", "AES", "AES128", "AESGCM"],
    ),
];

/// Those of TLS 1.3, which lists mean by their whole name only. The other name is the engine's.
const TLS13: [Named; 3] = [
    named(CipherSuite::TLS13_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384", "TLS13_AES_256_GCM_SHA384", &[]),
    named(CipherSuite::TLS13_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256", "TLS13_AES_128_GCM_SHA256", &[]),
    named(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256", "TLS13_CHACHA20_POLY1305_SHA256", &[]),
];

const fn named(suite: CipherSuite, iana: &'static str, openssl: &'static str, words: &'static [&'static str]) -> Named {
    Named { suite, iana, openssl, words }
}

/// The registered name (IANA) of a suite of the engine, which calls those of TLS 1.3 otherwise.
pub(crate) fn registered_name(suite: CipherSuite) -> Option<&'static str> {
    TLS13.iter().chain(&TLS12).find(|named| named.suite == suite).map(|named| named.iana)
}

/// The provider and the versions for a client or a server that uses the suites of `list` only, in its order; all with an empty one.
///
/// Each entry is a name or a list. A list that names no suite of TLS 1.3 leaves those as they are, as OpenSSL keeps two lists; one that names some of
/// TLS 1.3 and none of TLS 1.2 means TLS 1.3 only.
///
/// # Errors
/// The list leaves nothing to choose from.
pub(crate) fn restricted(
    list: &[String],
    minimum: MinimumVersion,
) -> Result<(Arc<CryptoProvider>, &'static [&'static SupportedProtocolVersion]), TlsError> {
    if list.is_empty() {
        return Ok((provider(), versions(minimum)));
    }
    let terms: Vec<&str> = list.iter().flat_map(|entry| entry.split([':', ',', ';', ' '])).filter(|term| !term.is_empty()).collect();
    let newer = select(&TLS13, &[], &terms);
    let older = if minimum == MinimumVersion::Tls13 { Vec::new() } else { select(&TLS12, &EVERY, &terms) };
    let written = list.join(":");
    if newer.is_empty() && older.is_empty() {
        return Err(TlsError::Setting(format!(
            "no cipher suite of `{written}` can be used; write names such as `TLS_AES_128_GCM_SHA256` or `ECDHE-RSA-AES128-GCM-SHA256`"
        )));
    }
    let newer = if newer.is_empty() { TLS13.iter().map(|named| named.suite).collect() } else { newer };
    let is_newer_only = older.is_empty();
    let full = provider();
    let find = |wanted: CipherSuite| full.cipher_suites.iter().copied().find(|suite| suite.suite() == wanted);
    let cipher_suites: Vec<SupportedCipherSuite> = newer.into_iter().chain(older).filter_map(find).collect();
    let provider = CryptoProvider { cipher_suites, ..CryptoProvider::clone(&full) };
    Ok((Arc::new(provider), versions(if is_newer_only { MinimumVersion::Tls13 } else { minimum })))
}

/// What `terms` choose of `table`, by the rules of OpenSSL's lists: `!` bans, `-` takes away, `+` moves to the end, `@` is a command.
fn select(table: &[Named], every: &[&str], terms: &[&str]) -> Vec<CipherSuite> {
    let mut chosen: Vec<CipherSuite> = Vec::new();
    let mut banned: Vec<CipherSuite> = Vec::new();
    for term in terms {
        let (sign, words) = match term.chars().next() {
            Some(sign @ ('!' | '-' | '+' | '@')) => (Some(sign), term.trim_start_matches(sign)),
            _ => (None, *term),
        };
        if sign == Some('@') {
            continue;
        }
        let meant: Vec<CipherSuite> = table.iter().filter(|named| named.is_meant(words, every)).map(|named| named.suite).collect();
        let (held, rest): (Vec<_>, Vec<_>) = chosen.iter().copied().partition(|suite| meant.contains(suite));
        match sign {
            Some('!') => {
                chosen = rest;
                banned.extend(meant);
            }
            Some('-') => chosen = rest,
            Some(_) => chosen = rest.into_iter().chain(held).collect(),
            None => chosen.extend(meant.into_iter().filter(|suite| !held.contains(suite) && !banned.contains(suite))),
        }
    }
    chosen
}

impl Named {
    /// Whether all of the words that `+` joins mean this suite.
    fn is_meant(&self, words: &str, every: &[&str]) -> bool {
        !words.is_empty() && words.split('+').all(|word| self.has_word(word, every))
    }

    fn has_word(&self, word: &str, every: &[&str]) -> bool {
        [self.iana, self.openssl].iter().any(|name| name.eq_ignore_ascii_case(word)) || self.words.contains(&word) || every.contains(&word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of what a list leaves, of both versions.
    fn names(list: &str, minimum: MinimumVersion) -> Vec<&'static str> {
        let (provider, versions) = restricted(&[list.to_owned()], minimum).unwrap();
        let both = TLS13.iter().chain(&TLS12);
        let names: Vec<_> = provider
            .cipher_suites
            .iter()
            .map(|suite| both.clone().find(|named| named.suite == suite.suite()).unwrap().openssl.trim_start_matches("TLS13_"))
            .collect();
        assert_eq!(versions.len() == 2, names.iter().any(|name| name.starts_with("ECDHE")), "{list}");
        names
    }

    const ALL_13: [&str; 3] = ["AES_256_GCM_SHA384", "AES_128_GCM_SHA256", "CHACHA20_POLY1305_SHA256"];

    #[test]
    fn lists_of_openssl_mean_here_what_they_mean_there() {
        // Each was compared with `openssl ciphers -tls1_2 -s LIST`, without the suites that the engine does not know.
        let cases: [(&str, &[&str]); 9] = [
            ("ECDHE-RSA-AES128-GCM-SHA256", &["ECDHE-RSA-AES128-GCM-SHA256"]),
            ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", &["ECDHE-RSA-AES128-GCM-SHA256"]),
            ("AES128-SHA:ECDHE-ECDSA-CHACHA20-POLY1305", &["ECDHE-ECDSA-CHACHA20-POLY1305"]),
            ("ECDHE+AESGCM:!aRSA", &["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"]),
            (
                "ECDHE+CHACHA20:ECDHE+AES256",
                &[
                    "ECDHE-ECDSA-CHACHA20-POLY1305",
                    "ECDHE-RSA-CHACHA20-POLY1305",
                    "ECDHE-ECDSA-AES256-GCM-SHA384",
                    "ECDHE-RSA-AES256-GCM-SHA384",
                ],
            ),
            ("aRSA:-AES:+CHACHA20", &["ECDHE-RSA-CHACHA20-POLY1305"]),
            ("!AES:ALL:!aECDSA", &["ECDHE-RSA-CHACHA20-POLY1305"]),
            (
                "CHACHA20:AES128:+ECDSA:!SHA256",
                &[
                    "ECDHE-RSA-CHACHA20-POLY1305",
                    "ECDHE-RSA-AES128-GCM-SHA256",
                    "ECDHE-ECDSA-CHACHA20-POLY1305",
                    "ECDHE-ECDSA-AES128-GCM-SHA256",
                ],
            ),
            (
                "DEFAULT:!aNULL:!eNULL:!LOW:!EXPORT:!SSLv2:@STRENGTH:!AESGCM",
                &["ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"],
            ),
        ];
        for (list, expected) in cases {
            let expected: Vec<&str> = ALL_13.iter().chain(expected).copied().collect();
            assert_eq!(names(list, MinimumVersion::Tls12), expected, "{list}");
        }
    }

    #[test]
    fn suites_of_tls_13_have_a_list_of_their_own() {
        assert_eq!(names("TLS_AES_128_GCM_SHA256", MinimumVersion::Tls13), ["AES_128_GCM_SHA256"]);
        assert_eq!(names("TLS_AES_128_GCM_SHA256", MinimumVersion::Tls12), ["AES_128_GCM_SHA256"]);
        let both = names("TLS_CHACHA20_POLY1305_SHA256:aRSA+AES256", MinimumVersion::Tls12);
        assert_eq!(both, ["CHACHA20_POLY1305_SHA256", "ECDHE-RSA-AES256-GCM-SHA384"]);
    }

    #[test]
    fn a_list_that_leaves_nothing_is_an_error() {
        for (list, minimum) in
            [("RC4", MinimumVersion::Tls12), ("ALL:!ALL", MinimumVersion::Tls12), ("ECDHE-RSA-AES128-GCM-SHA256", MinimumVersion::Tls13)]
        {
            let error = restricted(&[list.to_owned()], minimum).unwrap_err().to_string();
            assert!(error.contains(list), "{error}");
        }
        assert_eq!(restricted(&[], MinimumVersion::Tls12).unwrap().0.cipher_suites.len(), 9);
    }
}
