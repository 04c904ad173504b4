//! Certificates, keys and authorities that a command line names by file.

use std::path::Path;

use signet_ca::decode_pem;
use signet_identity::{AuthorityId, CertificateId, KeyDigest, Leaf};
use signet_ledger::{read_certificates, read_key};

use crate::flags::Named;
use crate::hint::Failure;

/// What is named, as the administration knows it: in octets, and in words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) id: String,
    pub(crate) label: String,
}

/// The largest key file read, in bytes.
const KEY_BYTES_MAX: u64 = 64 * 1024;

/// The one thing that the flags name.
pub(crate) fn subject(named: &Named) -> Result<Subject, Failure> {
    if let Some(path) = &named.cert {
        let leaf = first_certificate(path)?;
        let label = format!("{}, serial {}", leaf.subject().rfc4514(), leaf.id().serial());
        return Ok(Subject { id: format!("certificate:{}", hex::encode(leaf.id().to_bytes())), label: short(&label) });
    }
    if let (Some(path), Some(serial)) = (&named.issuer, named.serial) {
        let issuer = authority_certificate(path)?;
        let id = CertificateId::new(issuer.subject_name_digest(), serial);
        let label = format!("serial {serial} of {}", issuer.subject().rfc4514());
        return Ok(Subject { id: format!("certificate:{}", hex::encode(id.to_bytes())), label: short(&label) });
    }
    if let Some(path) = &named.key {
        let key = key(path)?;
        return Ok(Subject { id: format!("key:{key}"), label: short(&format!("key of {}", path.display())) });
    }
    if let Some(path) = &named.ca {
        let leaf = authority_certificate(path)?;
        return Ok(Subject { id: format!("authority:{}", authority_text(&leaf.authority_id())), label: short(&leaf.subject().rfc4514()) });
    }
    Err(Failure::new("nothing was named").hint("--cert FILE, --issuer FILE with --serial HEX, --key FILE or --ca FILE"))
}

/// Octets of an authority as the admin API takes them.
pub(crate) fn authority(path: &Path) -> Result<String, Failure> {
    Ok(authority_text(&authority_certificate(path)?.authority_id()))
}

/// Octets of a certificate's id as the admin API takes them.
pub(crate) fn certificate(path: &Path) -> Result<String, Failure> {
    Ok(hex::encode(first_certificate(path)?.id().to_bytes()))
}

/// The digest of the key in a file: a public key, a certificate or a private key.
pub(crate) fn key(path: &Path) -> Result<KeyDigest, Failure> {
    let failed = |error: std::io::Error| Failure::file("read", path, &error);
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > KEY_BYTES_MAX {
        return Err(Failure::new(format!("`{}` has {size} bytes, a key file has at most {KEY_BYTES_MAX}", path.display())));
    }
    let text = zeroize::Zeroizing::new(std::fs::read(path).map_err(failed)?);
    let blocks = decode_pem(&text).ok().unwrap_or_default();
    if let Some(block) = blocks.iter().find(|block| block.label == "PUBLIC KEY") {
        let key = signet_ca::SubjectKey::from_spki(&block.der);
        return key.map(|key| KeyDigest::from_bytes(key.digest())).map_err(|error| Failure::new(format!("`{}`: {error}", path.display())));
    }
    if blocks.iter().any(|block| block.label == "CERTIFICATE") {
        return Ok(first_certificate(path)?.spki_digest());
    }
    let key = read_key(path)?.subject_key().map_err(|error| Failure::new(format!("`{}`: {error}", path.display())))?;
    Ok(KeyDigest::from_bytes(key.digest()))
}

fn first_certificate(path: &Path) -> Result<Leaf, Failure> {
    let certificates = read_certificates(path)?;
    let first = certificates.first().ok_or_else(|| Failure::new(format!("`{}` holds no certificate", path.display())))?;
    Leaf::parse(first).map_err(|error| Failure::new(format!("`{}`: {error}", path.display())))
}

fn authority_certificate(path: &Path) -> Result<Leaf, Failure> {
    let leaf = first_certificate(path)?;
    if leaf.is_ca() {
        return Ok(leaf);
    }
    Err(Failure::new(format!("`{}` is not the certificate of an authority (basicConstraints has no CA:TRUE)", path.display()))
        .hint("--cert FILE names a device's certificate"))
}

fn authority_text(authority: &AuthorityId) -> String {
    hex::encode(authority.name.as_bytes()) + &hex::encode(authority.key.as_bytes())
}

/// The administration takes 256 bytes, one line.
fn short(text: &str) -> String {
    let mut short = String::new();
    for character in text.chars().filter(|character| !character.is_control()) {
        if short.len() + character.len_utf8() > 250 {
            return short + "…";
        }
        short.push(character);
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_fit() {
        assert_eq!(short("CN=a\nb"), "CN=ab");
        let long = short(&"ä".repeat(200));
        assert!(long.len() <= 256 && long.ends_with('…'), "{}", long.len());
    }
}
