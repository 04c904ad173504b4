//! Reading PEM files so that a wrong file is named for what it is.

use std::io::Read as _;
use std::path::Path;

use rustls_pki_types::pem::{Error as PemError, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::TlsError;

/// Larger files are no PEM bundle; a limit keeps a wrong path (a disk image, a device) from filling the memory.
const MAXIMUM_SIZE: u64 = 16 * 1024 * 1024;

/// Reads a file whole. The contents are wiped when dropped, because they may hold a key.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let fail = |source| TlsError::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(fail)?;
    let expected = file.metadata().map_err(fail)?.len().min(MAXIMUM_SIZE);
    // Large enough at once: a buffer that grows would leave copies of a key behind. One octet more than allowed, because a device has no size.
    let mut contents = Zeroizing::new(Vec::with_capacity(usize::try_from(expected).unwrap_or(0).saturating_add(1)));
    file.take(MAXIMUM_SIZE.saturating_add(1)).read_to_end(&mut contents).map_err(fail)?;
    if u64::try_from(contents.len()).unwrap_or(u64::MAX) > MAXIMUM_SIZE {
        return Err(TlsError::file(path, "the file is larger than a PEM file can be", "name a PEM file of at most 16 MiB"));
    }
    Ok(contents)
}

/// Every certificate in the PEM file; at least one.
pub(crate) fn certificates(path: &Path, contents: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(contents).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(PemError::NoItemsFound) => Err(no_certificate(path, contents)),
        Err(error) => Err(damaged(path, &error)),
    }
}

/// The private key in the PEM file.
pub(crate) fn private_key(path: &Path, contents: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    match PrivateKeyDer::from_pem_slice(contents) {
        Ok(key) => Ok(key),
        Err(PemError::NoItemsFound) => Err(no_key(path, contents)),
        Err(error) => Err(damaged(path, &error)),
    }
}

fn damaged(path: &Path, error: &PemError) -> TlsError {
    let found = match error {
        // The library shows the missing line as a list of octets.
        PemError::MissingSectionEnd { .. } => "damaged PEM: a block has no END line".to_owned(),
        other => format!("damaged PEM: {other}"),
    };
    TlsError::file(path, found, "write the file again, it may be cut off")
}

fn no_certificate(path: &Path, contents: &[u8]) -> TlsError {
    if contains(contents, "PRIVATE KEY-----") {
        return TlsError::file(path, "holds a private key but no certificate", "are the certificate and the key swapped?");
    }
    if looks_like_der(contents) {
        let hint = format!("convert it with `openssl x509 -inform der -in {} -out NEW.pem`", path.display());
        return TlsError::file(path, "is DER, PEM was expected", hint);
    }
    TlsError::file(path, "holds no certificate", "a PEM certificate starts with `-----BEGIN CERTIFICATE-----`")
}

fn no_key(path: &Path, contents: &[u8]) -> TlsError {
    if contains(contents, "ENCRYPTED PRIVATE KEY-----") || contains(contents, "Proc-Type: 4,ENCRYPTED") {
        let hint = format!("decrypt it with `openssl pkey -in {} -out NEW.key`", path.display());
        return TlsError::file(path, "the private key is encrypted", hint);
    }
    if contains(contents, "-----BEGIN CERTIFICATE-----") {
        return TlsError::file(path, "holds a certificate but no private key", "are the certificate and the key swapped?");
    }
    if looks_like_der(contents) {
        let hint = format!("convert it with `openssl pkey -inform der -in {} -out NEW.key`", path.display());
        return TlsError::file(path, "is DER, PEM was expected", hint);
    }
    TlsError::file(path, "holds no private key", "a PEM key starts with `-----BEGIN PRIVATE KEY-----`")
}

fn contains(contents: &[u8], needle: &str) -> bool {
    contents.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// DER certificates and keys are a SEQUENCE with a two-octet length.
fn looks_like_der(contents: &[u8]) -> bool {
    contents.starts_with(&[0x30, 0x82])
}
