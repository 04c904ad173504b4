//! A certificate with its key, read from PEM files: what a TLS end shows of itself.

use std::path::Path;
use std::sync::Arc;

use rustls::sign::CertifiedKey;
use signet_identity::Leaf;

use crate::provider::provider;
use crate::{TlsError, date, pem};

/// A certificate chain and the private key of its first certificate.
#[derive(Clone)]
pub struct Credentials {
    pub(crate) certified: Arc<CertifiedKey>,
    leaf: Leaf,
}

impl Credentials {
    /// Reads a PEM chain (leaf first) and its PEM key (PKCS#8, SEC1 or PKCS#1, not encrypted), and checks that they belong together and that
    /// the leaf is valid at `now` (unix seconds).
    ///
    /// # Errors
    /// Names the file and the way out: no certificate, no key, an encrypted key, a key of another certificate, an expired certificate.
    pub fn load(certificate: &Path, key: &Path, now: i64) -> Result<Self, TlsError> {
        let credentials = Self::read(certificate, key)?;
        check_validity(certificate, &credentials.leaf, now)?;
        Ok(credentials)
    }

    /// The same without a look at the dates: a client's clock may be wrong, and the server says whether it believes the certificate.
    pub(crate) fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = pem::certificates(certificate, &pem::read(certificate)?)?;
        let private = pem::private_key(key, &pem::read(key)?)?;
        let leaf = match chain.first() {
            Some(first) => Leaf::parse(first).map_err(|error| {
                TlsError::file(certificate, error.to_string(), "the first certificate of the file must be the server's or device's own")
            })?,
            None => return Err(TlsError::file(certificate, "holds no certificate", "put the certificate first, then its intermediates")),
        };
        let signing = provider().key_provider.load_private_key(private).map_err(|error| {
            TlsError::file(
                key,
                format!("the key cannot be used: {error}"),
                "use an ECDSA P-256 or P-384, Ed25519 or RSA key of at least 2048 bits",
            )
        })?;
        // Compared here and not by the library, which does not read certificates of version 1; plain `openssl x509 -req` makes such ones.
        if signing.public_key().is_some_and(|public| public.as_ref() != leaf.spki()) {
            let found =
                format!("is not the private key of the certificate in `{}` (`{}`)", certificate.display(), leaf.subject().rfc4514());
            let hint = "name the key that the certificate was issued for; the leaf comes first in the certificate file";
            return Err(TlsError::file(key, found, hint));
        }
        let certified = CertifiedKey::new(chain, signing);
        Ok(Self { certified: Arc::new(certified), leaf })
    }

    /// The facts of the certificate.
    pub fn leaf(&self) -> &Leaf {
        &self.leaf
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("subject", &self.leaf.subject().rfc4514()).finish_non_exhaustive()
    }
}

fn check_validity(path: &Path, leaf: &Leaf, now: i64) -> Result<(), TlsError> {
    let validity = leaf.validity();
    let subject = leaf.subject().rfc4514();
    if now > validity.not_after {
        let found = format!("the certificate of `{subject}` expired at {}", date::text(validity.not_after));
        return Err(TlsError::file(path, found, "issue a new one"));
    }
    if now < validity.not_before {
        let found = format!("the certificate of `{subject}` is not valid before {}", date::text(validity.not_before));
        return Err(TlsError::file(path, found, "check this machine's clock"));
    }
    Ok(())
}
