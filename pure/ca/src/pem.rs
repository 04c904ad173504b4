//! The text form of certificates, requests and CRLs (RFC 7468), strict enough to say what is wrong with a file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// One block between a BEGIN and an END line.
#[derive(Clone, PartialEq, Eq)]
pub struct PemBlock {
    /// What the BEGIN line says, such as `CERTIFICATE`.
    pub label: String,
    /// The decoded content. May be a private key: it is not shown by `Debug`.
    pub der: Vec<u8>,
}

impl core::fmt::Debug for PemBlock {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("PemBlock").field("label", &self.label).finish_non_exhaustive()
    }
}

/// Text that is not PEM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// Not one BEGIN line.
    #[error("no `-----BEGIN …-----` line found")]
    NoBlock,
    /// A block does not end.
    #[error("the `{label}` block that begins in line {line} has no END line")]
    NoEnd {
        /// What its BEGIN line says.
        label: String,
        /// Line number from 1.
        line: usize,
    },
    /// A block holds something else than base64.
    #[error("the `{label}` block that begins in line {line} is not base64")]
    NotBase64 {
        /// What its BEGIN line says.
        label: String,
        /// Line number from 1.
        line: usize,
    },
}

/// Writes one block, 64 characters a line. Leaves no second copy in memory, since the block may be a private key.
#[must_use]
pub fn encode_pem(label: &str, der: &[u8]) -> String {
    let body = Zeroizing::new(STANDARD.encode(der));
    // BEGIN and END line are 30 characters and two labels; every 64 characters get a line end. More would be harmless, less a stray copy.
    let capacity = body.len().saturating_add(body.len() / 64).saturating_add(label.len().saturating_mul(2)).saturating_add(40);
    let mut text = String::with_capacity(capacity);
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at_checked(64).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = tail;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

/// Reads every block of a text; what stands between blocks is explanatory text (RFC 7468 §2) and skipped.
///
/// # Errors
/// [`PemError`]; never an empty list.
pub fn decode_pem(text: &[u8]) -> Result<Vec<PemBlock>, PemError> {
    let text = String::from_utf8_lossy(text);
    let mut blocks = Vec::new();
    let mut open: Option<(&str, usize, Vec<&str>)> = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        match open.take() {
            None => open = marker(line, "-----BEGIN ").map(|label| (label, index.saturating_add(1), Vec::new())),
            Some((label, start, body)) if marker(line, "-----END ") == Some(label) => {
                let body = Zeroizing::new(body.concat());
                let not_base64 = || PemError::NotBase64 { label: label.to_owned(), line: start };
                let der = STANDARD.decode(body.as_bytes()).map_err(|_| not_base64())?;
                blocks.push(PemBlock { label: label.to_owned(), der });
            }
            Some((label, start, _)) if line.starts_with("-----") => {
                return Err(PemError::NoEnd { label: label.to_owned(), line: start });
            }
            Some((label, start, mut body)) => {
                body.push(line);
                open = Some((label, start, body));
            }
        }
    }
    if let Some((label, line, _)) = open {
        return Err(PemError::NoEnd { label: label.to_owned(), line });
    }
    if blocks.is_empty() {
        return Err(PemError::NoBlock);
    }
    Ok(blocks)
}

fn marker<'a>(line: &'a str, prefix: &str) -> Option<&'a str> {
    line.strip_prefix(prefix)?.strip_suffix("-----")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for length in [0_u8, 1, 47, 48, 49, 200] {
            let der: Vec<u8> = (0..length).collect();
            let text = format!("subject=x\n{}{}", encode_pem("CERTIFICATE", &der), encode_pem("X509 CRL", &der));
            let blocks = decode_pem(text.as_bytes()).unwrap();
            assert_eq!(blocks.len(), 2);
            assert_eq!(blocks[0].der, der);
            assert_eq!(blocks[1].label, "X509 CRL");
            assert!(text.lines().all(|line| line.len() <= 64));
            let one = encode_pem("PRIVATE KEY", &der);
            assert!(one.capacity() <= one.len() + 16, "the text had to grow: {} {}", one.capacity(), one.len());
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        assert_eq!(decode_pem(b"hello"), Err(PemError::NoBlock));
        assert_eq!(decode_pem(b"\n-----BEGIN A-----\nAAAA\n"), Err(PemError::NoEnd { label: "A".into(), line: 2 }));
        assert_eq!(decode_pem(b"-----BEGIN A-----\n-----BEGIN B-----\n"), Err(PemError::NoEnd { label: "A".into(), line: 1 }));
        assert_eq!(decode_pem(b"-----BEGIN A-----\n!!\n-----END A-----\n"), Err(PemError::NotBase64 { label: "A".into(), line: 1 }));
    }

    #[test]
    fn a_private_key_is_not_shown() {
        let block = PemBlock { label: "PRIVATE KEY".into(), der: vec![77; 4] };
        assert!(!format!("{block:?}").contains("77"));
    }
}
