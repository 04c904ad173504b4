//! The client's messages (RFC 5802 §7).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest message, in bytes.
const MESSAGE_MAXIMUM: usize = 4096;
/// The longest nonce of a client, in bytes.
const NONCE_MAXIMUM: usize = 512;

/// `gs2-header n=name,r=nonce`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFirst {
    /// As it was sent, with both commas: it has to come again in the last message.
    pub(super) gs2_header: String,
    /// What is signed of the message.
    pub(super) bare: String,
    /// Not prepared yet.
    pub(super) username: String,
    pub(super) nonce: String,
}

impl ClientFirst {
    pub(super) fn parse(data: &[u8]) -> Result<Self, &'static str> {
        let text = text(data)?;
        let (flag, rest) = text.split_once(',').ok_or("its first message is no SCRAM: `n,,n=…,r=…` is expected")?;
        match flag {
            "n" | "y" => {}
            _ if flag.starts_with("p=") => {
                return Err("it asks for channel binding, which is not supported here (channel-bindings-not-supported)");
            }
            _ => return Err("its first message is no SCRAM: `n,,n=…,r=…` is expected"),
        }
        let (authorization, bare) = rest.split_once(',').ok_or("its first message is no SCRAM: `n,,n=…,r=…` is expected")?;
        if !authorization.is_empty() {
            return Err("it wants to act for another user (authzid), which nobody may here");
        }
        let gs2_header = format!("{flag},,");
        let mut fields = bare.split(',');
        let name = fields.next().unwrap_or_default();
        if name.starts_with("m=") {
            return Err("it demands an extension of SCRAM that is not known here (extensions-not-supported)");
        }
        let name = name.strip_prefix("n=").ok_or("its first message has no user name where it has to be")?;
        let nonce = fields.next().and_then(|field| field.strip_prefix("r=")).ok_or("its first message has no nonce where it has to be")?;
        if !is_nonce(nonce) {
            return Err("the nonce of its first message is empty, too long or not printable");
        }
        Ok(Self { gs2_header, bare: bare.to_owned(), username: username(name)?, nonce: nonce.to_owned() })
    }
}

/// `c=channel binding,r=nonce,p=proof`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFinal<'a> {
    /// What has to be the first message's gs2-header.
    pub(super) channel_binding: Vec<u8>,
    pub(super) nonce: &'a str,
    /// What is signed of the message.
    pub(super) without_proof: &'a str,
    pub(super) proof: Vec<u8>,
}

impl<'a> ClientFinal<'a> {
    pub(super) fn parse(data: &'a [u8]) -> Result<Self, &'static str> {
        const EXPECTED: &str = "its last message is no SCRAM: `c=…,r=…,p=…` is expected";
        let text = text(data)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(EXPECTED)?;
        let mut fields = without_proof.split(',');
        let channel_binding = fields.next().and_then(|field| field.strip_prefix("c=")).ok_or(EXPECTED)?;
        let nonce = fields.next().and_then(|field| field.strip_prefix("r=")).ok_or(EXPECTED)?;
        Ok(Self {
            channel_binding: STANDARD.decode(channel_binding).map_err(|_| EXPECTED)?,
            nonce,
            without_proof,
            proof: STANDARD.decode(proof).map_err(|_| EXPECTED)?,
        })
    }
}

fn text(data: &[u8]) -> Result<&str, &'static str> {
    if data.len() > MESSAGE_MAXIMUM {
        return Err("its message is longer than any of SCRAM has to be");
    }
    std::str::from_utf8(data).map_err(|_| "its message is not UTF-8 text")
}

/// `saslname`: `,` is written `=2C`, and `=` is written `=3D`.
fn username(escaped: &str) -> Result<String, &'static str> {
    let mut name = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((before, after)) = rest.split_once('=') {
        name.push_str(before);
        let (character, behind) = match (after.strip_prefix("2C"), after.strip_prefix("3D")) {
            (Some(behind), _) => (',', behind),
            (_, Some(behind)) => ('=', behind),
            _ => return Err("its user name has a `=` that is neither `=2C` nor `=3D` (invalid-username-encoding)"),
        };
        name.push(character);
        rest = behind;
    }
    name.push_str(rest);
    if name.contains('\0') {
        return Err("its user name has a U+0000");
    }
    Ok(name)
}

/// `printable`: %x21-2B / %x2D-7E
fn is_nonce(nonce: &str) -> bool {
    (1..=NONCE_MAXIMUM).contains(&nonce.len()) && nonce.bytes().all(|byte| (0x21..=0x7E).contains(&byte) && byte != b',')
}
