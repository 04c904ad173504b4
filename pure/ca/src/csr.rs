//! Certification requests (RFC 2986): the one thing taken from a request is a public key whose private half the sender has.
//!
//! What else a request asks for (extensions, key usages, alternative names, a subject) is never copied into a certificate. Extensions that
//! this program does not know are therefore no reason to refuse a request.

use signet_identity::{DeviceName, IdentityError};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;

use crate::pem::{PemError, decode_pem};
use crate::subject_key::{SubjectKey, SubjectKeyError};
use crate::verify::{VerifyError, verify};

/// The largest request that is read, in bytes: an RSA-8192 request with a generous set of extensions has under 8 KiB.
pub const CSR_BYTES_MAX: usize = 32 * 1024;

/// A request whose proof of possession was checked.
#[derive(Debug, Clone)]
pub struct Csr {
    key: SubjectKey,
    common_name: Option<String>,
}

/// A request that proves nothing or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsrError {
    /// Larger than [`CSR_BYTES_MAX`].
    #[error("the certification request has {found} bytes: at most {CSR_BYTES_MAX} are read")]
    TooLarge {
        /// Its size.
        found: usize,
    },
    /// Neither PEM nor DER.
    #[error("the certification request is neither PEM nor DER: {0}")]
    NotPem(#[from] PemError),
    /// PEM of something else.
    #[error("expected one `CERTIFICATE REQUEST`, found {found}: make one with `openssl req -new -key device.key -out device.csr`")]
    WrongLabel {
        /// The labels found.
        found: String,
    },
    /// DER that is no request.
    #[error("the certification request cannot be read: {0}")]
    Unreadable(String),
    /// A key that is not certified.
    #[error(transparent)]
    Key(#[from] SubjectKeyError),
    /// Signed with an algorithm that is not accepted.
    #[error("the certification request is signed with `{found}`, which is not accepted for its key: sign with SHA-256, SHA-384 or SHA-512")]
    SignatureAlgorithm {
        /// The object identifier.
        found: String,
    },
    /// Not signed with the private half of its public key.
    #[error(
        "the signature of the certification request does not fit its public key: the sender has not shown that it holds the private key; make the request anew on the device"
    )]
    ProofOfPossession,
    /// No name to take.
    #[error("the certification request has no common name: give the device's name")]
    NoCommonName,
    /// A common name that is no device name.
    #[error(transparent)]
    CommonName(#[from] IdentityError),
}

impl Csr {
    /// Reads a request as PEM or DER and checks its proof of possession.
    ///
    /// # Errors
    /// [`CsrError`]. Work and memory are bounded by [`CSR_BYTES_MAX`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CsrError> {
        if bytes.len() > CSR_BYTES_MAX {
            return Err(CsrError::TooLarge { found: bytes.len() });
        }
        // A DER SEQUENCE of a request's size has a length in long form; no text has such a second octet.
        if matches!(bytes, [0x30, 0x80..=0xff, ..]) {
            return Self::from_der(bytes);
        }
        let blocks = decode_pem(bytes)?;
        match blocks.as_slice() {
            [block] if matches!(block.label.as_str(), "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST") => Self::from_der(&block.der),
            _ => {
                let labels: Vec<String> = blocks.iter().map(|block| format!("`{}`", block.label)).collect();
                Err(CsrError::WrongLabel { found: labels.join(", ") })
            }
        }
    }

    /// The public key, proven to belong to the sender.
    #[must_use]
    pub const fn key(&self) -> &SubjectKey {
        &self.key
    }

    /// The common name that the sender wrote: a claim, for messages and as a default.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// The common name as a device's name, for an operator who gave no other.
    ///
    /// # Errors
    /// [`CsrError::NoCommonName`], [`CsrError::CommonName`].
    pub fn device_name(&self) -> Result<DeviceName, CsrError> {
        let name = self.common_name().ok_or(CsrError::NoCommonName)?;
        Ok(DeviceName::new(name)?)
    }

    fn from_der(der: &[u8]) -> Result<Self, CsrError> {
        let (rest, request) = X509CertificationRequest::from_der(der).map_err(|error| CsrError::Unreadable(error.to_string()))?;
        if !rest.is_empty() {
            return Err(CsrError::Unreadable("bytes follow the request".to_owned()));
        }
        let info = &request.certification_request_info;
        let key = SubjectKey::from_parsed(&info.subject_pki)?;
        if request.signature_value.unused_bits != 0 {
            return Err(CsrError::ProofOfPossession);
        }
        verify(&key, &request.signature_algorithm, info.raw, &request.signature_value.data).map_err(|error| match error {
            VerifyError::UnsupportedAlgorithm(found) => CsrError::SignatureAlgorithm { found },
            VerifyError::BadSignature => CsrError::ProofOfPossession,
        })?;
        let common_name = info.subject.iter_common_name().next().and_then(|name| name.as_str().ok()).map(str::to_owned);
        Ok(Self { key, common_name })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pem::encode_pem;

    /// A good request for a new P-256 key.
    fn good() -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        rcgen::CertificateParams::new(vec!["pump-7".to_owned()]).unwrap().serialize_request(&key).unwrap().der().to_vec()
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            prop_assert!(Csr::parse(&bytes).is_err());
            prop_assert!(Csr::parse(encode_pem("CERTIFICATE REQUEST", &bytes).as_bytes()).is_err());
        }

        #[test]
        fn one_changed_signed_octet_is_refused(position in any::<prop::sample::Index>(), change in 1_u8..) {
            let mut der = good();
            prop_assert!(Csr::parse(&der).is_ok());
            let (_, request) = X509CertificationRequest::from_der(&der).unwrap();
            // The outer SEQUENCE has a header of three octets at this size.
            let position = 3 + position.index(request.certification_request_info.raw.len());
            der[position] ^= change;
            prop_assert!(Csr::parse(&der).is_err(), "octet {position}");
        }
    }
}
