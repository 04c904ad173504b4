//! The form of a token (RFC 7515 §7.1): header, claims and signature in base64url without padding, with dots in between.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};
use signet_policy::shown;

/// A token whose signature nobody has looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) algorithm: Algorithm,
    /// The name of the key, if it gives one.
    pub(super) key_id: Option<String>,
    /// What is signed.
    pub(super) message: &'a str,
    pub(super) signature: &'a str,
    claims: &'a str,
}

/// Why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoToken {
    /// It does not look like one.
    Other(&'static str),
    /// It does, and is one that nobody can let in.
    Unfit(String),
}

impl<'a> Token<'a> {
    /// Takes a text apart. Nothing of it is to be believed yet.
    pub(super) fn read(text: &'a [u8], size_maximum: usize) -> Result<Self, NoToken> {
        let other = || NoToken::Other("what it sends does not look like a token");
        let is_part_of_one = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
        let text = std::str::from_utf8(text).ok().filter(|text| text.as_bytes().iter().all(is_part_of_one)).ok_or_else(other)?;
        let mut parts = text.split('.');
        let (Some(header), Some(claims), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(other());
        };
        if text.len() > size_maximum {
            return Err(NoToken::Unfit(format!("its token has {} bytes, more than the limit of {size_maximum}", text.len())));
        }
        let header = object(header).ok_or_else(other)?;
        let message = text.rsplit_once('.').map_or("", |(message, _)| message);
        let (algorithm, key_id) = read_header(&header).map_err(NoToken::Unfit)?;
        Ok(Self { algorithm, key_id, message, signature, claims })
    }

    /// What it says. To be believed only after its signature was verified.
    pub(super) fn claims(&self) -> Option<Map<String, Value>> {
        object(self.claims)
    }
}

fn read_header(header: &Map<String, Value>) -> Result<(Algorithm, Option<String>), String> {
    let Some(Value::String(name)) = header.get("alg") else { return Err("its token names no algorithm".to_owned()) };
    let algorithm =
        name.parse::<Algorithm>().map_err(|_| format!("its token is signed by `{}`, which is no algorithm here", shown(name)))?;
    // RFC 7515 §4.1.11: who does not understand what is critical has to refuse it, and nothing of that kind is understood here.
    if header.contains_key("crit") {
        return Err("its token says that something has to be understood that is not (`crit`)".to_owned());
    }
    let key_id = match header.get("kid") {
        None => None,
        Some(Value::String(id)) => Some(id.clone()),
        Some(_) => return Err("its token names its key (`kid`) with something that is no text".to_owned()),
    };
    Ok((algorithm, key_id))
}

fn object(part: &str) -> Option<Map<String, Value>> {
    match serde_json::from_slice(&BASE64URL.decode(part).ok()?).ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(header: &str, claims: &str, signature: &str) -> String {
        format!("{}.{}.{signature}", BASE64URL.encode(header), BASE64URL.encode(claims))
    }

    #[test]
    fn what_does_not_look_like_a_token_is_none() {
        for other in [
            "",
            "secret",
            "a.b",
            "a.b.c",
            "a.b.c.d",
            "...",
            "..",
            "p@ssw.ord.x",
            "10.0.0.1",
            "e30=.e30.x",
            "W10.e30.x",
            "bnVsbA.e30.x",
            "e30 .e30.x",
            "é.é.é",
        ] {
            assert!(matches!(Token::read(other.as_bytes(), 1000), Err(NoToken::Other(_))), "{other}");
        }
        assert!(matches!(Token::read(b"\xff.\xff.\xff", 1000), Err(NoToken::Other(_))));
        // A long secret of dots and letters is none either, however long.
        assert!(matches!(Token::read(&[b'a'; 5000], 1000), Err(NoToken::Other(_))));
    }

    #[test]
    fn what_looks_like_one_and_cannot_be_used_is_unfit() {
        for (header, expected) in [
            ("{}", "names no algorithm"),
            (r#"{"alg": 1}"#, "names no algorithm"),
            (r#"{"alg": "none"}"#, "`none`"),
            (r#"{"alg": "None"}"#, "`None`"),
            (r#"{"alg": ""}"#, "``"),
            (r#"{"alg": "hs256"}"#, "`hs256`"),
            (r#"{"alg": "ES512"}"#, "`ES512`"),
            (r#"{"alg": "HS256", "crit": ["b64"], "b64": false}"#, "`crit`"),
            (r#"{"alg": "HS256", "crit": []}"#, "`crit`"),
            (r#"{"alg": "HS256", "kid": 7}"#, "`kid`"),
        ] {
            let text = text(header, "{}", "c2ln");
            let Err(NoToken::Unfit(why)) = Token::read(text.as_bytes(), 1000) else { panic!("{header}") };
            assert!(why.contains(expected), "{header}: {why}");
        }
        let long = text(r#"{"alg": "HS256"}"#, &"x".repeat(1000), "c2ln");
        assert!(matches!(Token::read(long.as_bytes(), 1000), Err(NoToken::Unfit(why)) if why.contains("more than the limit of 1000")));
    }

    #[test]
    fn a_token_comes_apart_where_its_dots_are() {
        let text = text(r#"{"alg": "ES256", "kid": "k", "typ": "JWT"}"#, r#"{"a": 1}"#, "c2ln");
        let token = Token::read(text.as_bytes(), 1000).unwrap();
        assert_eq!((token.algorithm, token.key_id.as_deref(), token.signature), (Algorithm::ES256, Some("k"), "c2ln"));
        assert_eq!(format!("{}.c2ln", token.message), text);
        assert_eq!(token.claims().unwrap().get("a"), Some(&Value::from(1)));
    }
}
