//! Cipher suites as OpenSSL writes them (`openssl-ciphers(1)`), as far as they exist here.

use std::fmt;

/// A cipher suite that exists here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Suite {
    /// As IANA has registered it.
    name: &'static str,
    /// As OpenSSL calls it.
    openssl: &'static str,
    /// Words that mean it among others.
    words: &'static [&'static str],
    bits: u16,
}

const TLS12: &[Suite] = &[
    Suite {
        name: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        openssl: "ECDHE-ECDSA-AES256-GCM-SHA384",
        words: &["AES256", "AESGCM", "AES", "ECDSA", "aECDSA", "SHA384"],
        bits: 256,
    },
    Suite {
        name: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        openssl: "ECDHE-RSA-AES256-GCM-SHA384",
        words: &["AES256", "AESGCM", "AES", "RSA", "aRSA", "SHA384"],
        bits: 256,
    },
    Suite {
        name: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        openssl: "ECDHE-ECDSA-CHACHA20-POLY1305",
        words: &["CHACHA20", "ECDSA", "aECDSA"],
        bits: 256,
    },
    Suite {
        name: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        openssl: "ECDHE-RSA-CHACHA20-POLY1305",
        words: &["CHACHA20", "RSA", "aRSA"],
        bits: 256,
    },
    Suite {
        name: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        openssl: "ECDHE-ECDSA-AES128-GCM-SHA256",
        words: &["AES128", "AESGCM", "AES", "ECDSA", "aECDSA", "SHA256"],
        bits: 128,
    },
    Suite {
        name: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        openssl: "ECDHE-RSA-AES128-GCM-SHA256",
        words: &["AES128", "AESGCM", "AES", "RSA", "aRSA", "SHA256"],
        bits: 128,
    },
];

/// Words that mean every suite of TLS 1.2 that exists here.
const EVERY: &[&str] = &[
    "ALL",
    "COMPLEMENTOFDEFAULT",
    "DEFAULT",
    "HIGH",
    "ECDHE",
    "EECDH",
    "kECDHE",
    "kEECDH",
    "ECDH",
    "TLSv1.2",
    "FIPS",
    "SUITEB128",
    "SUITEB192",
];

const TLS13: &[&str] = &["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"];

/// What became of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Chosen {
    /// Names of IANA, those that are preferred first.
    pub(super) suites: Vec<&'static str>,
    /// Suites that were named and do not exist here.
    pub(super) missing: Vec<String>,
}

impl fmt::Display for Chosen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.missing.join(", "))
    }
}

/// All suites of TLS 1.3.
pub(super) fn every_tls13() -> Vec<&'static str> {
    TLS13.to_vec()
}

/// All suites of TLS 1.2.
pub(super) fn every_tls12() -> Vec<&'static str> {
    TLS12.iter().map(|suite| suite.name).collect()
}

/// Suites of TLS 1.3, by their names.
pub(super) fn tls13(list: &str) -> Chosen {
    let mut chosen = Chosen::default();
    for name in separated(list) {
        match TLS13.iter().find(|known| **known == name) {
            Some(known) if chosen.suites.contains(known) => {}
            Some(known) => chosen.suites.push(known),
            None => chosen.missing.push(name.to_owned()),
        }
    }
    chosen
}

/// Suites of TLS 1.2: a list of names and words, each perhaps with `!`, `-` or `+` before it.
pub(super) fn tls12(list: &str) -> Chosen {
    let mut suites: Vec<Suite> = Vec::new();
    let mut killed: Vec<Suite> = Vec::new();
    let mut missing = Vec::new();
    for word in separated(list) {
        if word == "@STRENGTH" {
            suites.sort_by_key(|suite| std::cmp::Reverse(suite.bits));
        } else if word.starts_with('@') {
            // Levels of security: every suite here has the highest.
        } else if let Some(word) = word.strip_prefix('!') {
            let meant = meant(word);
            suites.retain(|suite| !meant.contains(suite));
            killed.extend(meant);
        } else if let Some(word) = word.strip_prefix('-') {
            let meant = meant(word);
            suites.retain(|suite| !meant.contains(suite));
        } else if let Some(word) = word.strip_prefix('+') {
            let meant = meant(word);
            suites.sort_by_key(|suite| meant.contains(suite));
        } else {
            let meant = meant(word);
            if meant.is_empty() {
                missing.push(word.to_owned());
            }
            let new: Vec<Suite> = meant.into_iter().filter(|suite| !suites.contains(suite) && !killed.contains(suite)).collect();
            suites.extend(new);
        }
    }
    Chosen { suites: suites.into_iter().map(|suite| suite.name).collect(), missing }
}

fn separated(list: &str) -> impl Iterator<Item = &str> {
    list.split([':', ',', ' ', ';']).filter(|word| !word.is_empty())
}

/// The suites that a word means, or several words with `+` between them mean together.
fn meant(word: &str) -> Vec<Suite> {
    let fits =
        |suite: &Suite, word: &str| suite.openssl == word || suite.name == word || suite.words.contains(&word) || EVERY.contains(&word);
    TLS12.iter().copied().filter(|suite| word.split('+').all(|word| fits(suite, word))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_openssl_mean_what_exists_here() {
        let every = every_tls12();
        let ecdsa_256 = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
        let rsa_256 = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
        let rsa_128 = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
        let cases: [(&str, Vec<&str>, &[&str]); 9] = [
            ("ECDHE-RSA-AES256-GCM-SHA384", vec![rsa_256], &[]),
            ("ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384", vec![rsa_128, rsa_256], &["AES128-SHA"]),
            ("HIGH", every.clone(), &[]),
            ("DEFAULT:!aNULL:!eNULL:!LOW:!EXPORT:!SSLv2:@STRENGTH", every, &[]),
            ("ECDHE+AESGCM:!ECDSA", vec![rsa_256, rsa_128], &[]),
            ("AES256+AESGCM", vec![ecdsa_256, rsa_256], &[]),
            ("AESGCM+aRSA:+AES256", vec![rsa_128, rsa_256], &[]),
            ("RSA:-RSA:!AES128:RSA,@SECLEVEL=1", vec![rsa_256, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"], &[]),
            ("RC4-SHA", vec![], &["RC4-SHA"]),
        ];
        for (list, suites, missing) in cases {
            let chosen = tls12(list);
            assert_eq!((chosen.suites, chosen.missing), (suites, missing.iter().map(|name| (*name).to_owned()).collect()), "`{list}`");
        }
    }

    #[test]
    fn suites_of_tls13_are_named() {
        let chosen = tls13("TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256:TLS_AES_256_GCM_SHA384");
        assert_eq!(chosen.suites, ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"]);
        assert_eq!(chosen.missing, ["TLS_AES_128_CCM_SHA256"]);
    }
}
