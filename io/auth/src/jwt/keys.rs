//! The keys that tokens are verified with, each for the algorithms that it is for.

use std::fmt;

use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde_json::Value;

use super::token::Token;

/// The most keys of one set.
pub(super) const KEYS_MAXIMUM: usize = 64;
/// Bytes of an RSA modulus (2048 to 8192 bits).
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// Keys to choose from.
#[derive(Debug, Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
}

/// One key.
pub(super) struct Key {
    /// Its name, for tokens that name one.
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// What a key set makes of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verified {
    Yes,
    /// A key of that name is there, and the signature is not its.
    WrongSignature,
    /// There is no such key; another set may have it.
    NoKey,
}

impl KeySet {
    pub(super) fn new(keys: Vec<Key>) -> Self {
        Self { keys }
    }

    /// Looks for a key that may be the token's, and verifies the signature with it.
    pub(super) fn verify(&self, token: &Token<'_>) -> Verified {
        let is_meant = |key: &&Key| match (&key.id, &token.key_id) {
            (Some(id), Some(wanted)) => id == wanted,
            // A key from a file has no name, and a token need not give one.
            (None, _) | (_, None) => true,
        };
        let mut is_named = false;
        for key in self.keys.iter().filter(|key| key.algorithms.contains(&token.algorithm)).filter(is_meant) {
            is_named |= token.key_id.is_some() || key.id.is_none();
            let verified = jsonwebtoken::crypto::verify(token.signature, token.message.as_bytes(), &key.key, token.algorithm);
            if matches!(verified, Ok(true)) {
                return Verified::Yes;
            }
        }
        if is_named { Verified::WrongSignature } else { Verified::NoKey }
    }

    /// Whether there is a key for every one of these.
    pub(super) fn missing(&self, algorithms: &[Algorithm]) -> Option<Algorithm> {
        algorithms.iter().copied().find(|algorithm| !self.keys.iter().any(|key| key.algorithms.contains(algorithm)))
    }

    /// Reads a JWK set (RFC 7517 §5). Keys for something else are passed over, as the standard says.
    ///
    /// # Errors
    /// In words: it is none, or has too many keys, or none that can be used.
    pub(super) fn from_jwks(bytes: &[u8], algorithms: &[Algorithm]) -> Result<Self, String> {
        let set: Value = serde_json::from_slice(bytes).map_err(|error| format!("the key set is no JSON: line {}", error.line()))?;
        let Some(Value::Array(found)) = set.get("keys") else {
            return Err("the key set has no list `keys`".to_owned());
        };
        if found.len() > KEYS_MAXIMUM {
            return Err(format!("the key set has {} keys, more than {KEYS_MAXIMUM}", found.len()));
        }
        let keys: Vec<Key> = found.iter().filter_map(|key| Key::from_jwk(key, algorithms)).collect();
        if keys.is_empty() {
            return Err(format!("none of the {} keys of the set is for one of the algorithms {algorithms:?}", found.len()));
        }
        Ok(Self { keys })
    }
}

impl Key {
    /// A secret of both sides.
    pub(super) fn secret(secret: &[u8], algorithms: &[Algorithm]) -> Result<Self, String> {
        if secret.is_empty() {
            return Err("the secret is empty".to_owned());
        }
        Self::of(DecodingKey::from_secret(secret), algorithms)
    }

    /// A public key in PEM.
    ///
    /// # Errors
    /// In words: it is none, of a kind that is not used here, too short, or for none of the algorithms.
    pub(super) fn from_pem(pem: &[u8], algorithms: &[Algorithm]) -> Result<Self, String> {
        let text = String::from_utf8_lossy(pem);
        let is_public = text.contains("-----BEGIN PUBLIC KEY-----") || text.contains("-----BEGIN RSA PUBLIC KEY-----");
        if !is_public || text.contains("PRIVATE KEY") || text.matches("-----BEGIN ").count() != 1 {
            return Err("expected one public key in PEM (`-----BEGIN PUBLIC KEY-----`)".to_owned());
        }
        let read = [DecodingKey::from_rsa_pem, DecodingKey::from_ec_pem, DecodingKey::from_ed_pem];
        let key = read.iter().find_map(|read| read(pem).ok());
        Self::of(key.ok_or("it is no public key of RSA, of an elliptic curve, or Ed25519")?, algorithms)
    }

    /// A key of a set; `None` for one that is for something else or that cannot be used.
    fn from_jwk(value: &Value, algorithms: &[Algorithm]) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        let common = &jwk.common;
        let is_for_signatures = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
        let may_verify = common.key_operations.as_ref().is_none_or(|may| may.contains(&KeyOperations::Verify));
        let kind = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => AlgorithmFamily::Rsa.algorithms(),
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => &[Algorithm::ES256],
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => &[Algorithm::ES384],
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
            // Others, and a secret: one that whoever asks can have is none.
            _ => return None,
        };
        if !is_for_signatures || !may_verify {
            return None;
        }
        let named = common.key_algorithm.map(|algorithm| algorithm.to_string());
        let is_named = |algorithm: &Algorithm| named.as_ref().is_none_or(|named| *named == format!("{algorithm:?}"));
        let allowed: Vec<Algorithm> =
            algorithms.iter().copied().filter(|algorithm| kind.contains(algorithm) && is_named(algorithm)).collect();
        let key = Self::of(DecodingKey::from_jwk(&jwk).ok()?, &allowed).ok()?;
        Some(Self { id: jwk.common.key_id, ..key })
    }

    /// Keeps of the algorithms those that the key is for.
    fn of(key: DecodingKey, algorithms: &[Algorithm]) -> Result<Self, String> {
        let usable = usable(&key)?;
        let algorithms: Vec<Algorithm> = algorithms.iter().copied().filter(|algorithm| usable.contains(algorithm)).collect();
        if algorithms.is_empty() {
            return Err(format!("it is for {usable:?}, and `algorithms` names none of them"));
        }
        Ok(Self { id: None, algorithms, key })
    }
}

/// The algorithms that a key can be used with.
fn usable(key: &DecodingKey) -> Result<Vec<Algorithm>, String> {
    let parses = |algorithm: &'static dyn VerificationAlgorithm, bytes: &[u8]| ParsedPublicKey::new(algorithm, bytes).is_ok();
    let bytes = key.try_get_as_bytes();
    match (key.family(), bytes) {
        (AlgorithmFamily::Hmac, _) => Ok(AlgorithmFamily::Hmac.algorithms().to_vec()),
        (AlgorithmFamily::Rsa, _) if is_rsa(key) => Ok(AlgorithmFamily::Rsa.algorithms().to_vec()),
        (AlgorithmFamily::Rsa, _) => Err("an RSA key has 2048 to 8192 bits".to_owned()),
        (AlgorithmFamily::Ec, Ok(point)) if point.len() == 65 && parses(&signature::ECDSA_P256_SHA256_FIXED, point) => {
            Ok(vec![Algorithm::ES256])
        }
        (AlgorithmFamily::Ec, Ok(point)) if point.len() == 97 && parses(&signature::ECDSA_P384_SHA384_FIXED, point) => {
            Ok(vec![Algorithm::ES384])
        }
        (AlgorithmFamily::Ec, _) => Err("an elliptic curve is P-256 or P-384".to_owned()),
        (AlgorithmFamily::Ed, Ok(point)) if parses(&signature::ED25519, point) => Ok(vec![Algorithm::EdDSA]),
        (AlgorithmFamily::Ed, _) => Err("an Edwards curve is Ed25519".to_owned()),
    }
}

fn is_rsa(key: &DecodingKey) -> bool {
    let Ok(Jwk { algorithm: AlgorithmParameters::RSA(parts), .. }) = Jwk::from_decoding_key(key, None) else { return false };
    let bytes = |text: String| BASE64URL.decode(text).map_or(0, |number| number.into_iter().skip_while(|octet| *octet == 0).count());
    RSA_BYTES.contains(&bytes(parts.n)) && (1..=8).contains(&bytes(parts.e))
}

/// What a secret holds, as it stands in a file: perhaps in base64, with either alphabet and with padding or without.
///
/// # Errors
/// In words: it is no base64.
pub(super) fn decode_secret(text: &str) -> Result<Vec<u8>, String> {
    let plain: String = text
        .trim()
        .trim_end_matches('=')
        .chars()
        .map(|c| match c {
            '+' => '-',
            '/' => '_',
            other => other,
        })
        .collect();
    BASE64URL.decode(plain).map_err(|_| "the secret is no base64".to_owned())
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Key").field("id", &self.id).field("algorithms", &self.algorithms).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
