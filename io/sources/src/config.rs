//! What is to be known, from where, and within which bounds.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use signet_http::Url;

/// All sources of a broker.
#[derive(Debug, Clone, Default)]
pub struct SourcesConfig {
    /// One entry for each trust profile; names are unique.
    pub profiles: Vec<ProfileSources>,
    /// Where the last good copy of every fetched list is kept, mode 0700; `None`: nowhere, a restart knows nothing until it has fetched.
    pub directory: Option<PathBuf>,
    /// Bounds.
    pub limits: SourceLimits,
}

/// The sources of one trust profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileSources {
    /// The profile's name, as in [`DeviceIdentity::profile`](signet_identity::DeviceIdentity::profile).
    pub name: Arc<str>,
    /// DER of the trust anchors and known intermediates: who may sign lists and responses. A device under an intermediate that only devices
    /// send cannot be asked about: nobody's key could check the answer.
    pub issuers: Vec<Vec<u8>>,
    /// DER of further certificates whose lists speak for the certificates of every issuer (indirect CRLs).
    pub indirect_issuers: Vec<Vec<u8>>,
    /// CRL files, PEM (also several in one) or DER.
    pub files: Vec<PathBuf>,
    /// Addresses of CRLs, complete ones and deltas.
    pub urls: Vec<Url>,
    /// Whether the addresses in cRLDistributionPoints and freshestCRL of verified certificates are fetched, and those of deltas that a fetched
    /// list names itself.
    pub from_certificates: bool,
    /// Who is asked about single certificates.
    pub ocsp: Ocsp,
    /// Whether an OCSP answer must have been made for the question.
    pub nonce: Nonce,
    /// PEM file with the CAs of https servers; `None`: the system's.
    pub https_trust: Option<PathBuf>,
    /// The longest time between two fetches of a list; earlier when its successor is due. See [`Self::REFRESH`].
    pub refresh: Duration,
    /// For connecting, for the head of an answer, and for each part of its body; a whole fetch takes at most ten times as long.
    pub timeout: Duration,
    /// Hosts that certificates may send us to: a name, or `.name` for all below it. `None`: any.
    pub allow_hosts: Option<Vec<String>>,
    /// Whether lists in files are passed over, with a word in the log, whose signer is none of the issuers. For those who refuse every certificate
    /// of an issuer without a list: nobody else would notice what is missing.
    pub skip_unknown_issuers: bool,
}

impl ProfileSources {
    /// The default of [`Self::refresh`].
    pub const REFRESH: Duration = Duration::from_secs(15 * 60);
    /// The default of [`Self::timeout`].
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// A profile without sources.
    #[must_use]
    pub fn new(name: Arc<str>, issuers: Vec<Vec<u8>>) -> Self {
        Self {
            name,
            issuers,
            indirect_issuers: Vec::new(),
            files: Vec::new(),
            urls: Vec::new(),
            from_certificates: false,
            ocsp: Ocsp::Off,
            nonce: Nonce::Off,
            https_trust: None,
            refresh: Self::REFRESH,
            timeout: Self::TIMEOUT,
            allow_hosts: None,
            skip_unknown_issuers: false,
        }
    }
}

/// Who is asked about single certificates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Ocsp {
    /// Nobody.
    #[default]
    Off,
    /// The responders that the certificate names (authorityInfoAccess).
    FromCertificates,
    /// This one, whatever certificates say.
    Responder(Url),
}

/// The nonce of OCSP (RFC 9654). With one, answers cannot be replayed, and no cache on the way can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Nonce {
    /// None is sent, so that short requests go by GET and caches may answer (RFC 5019).
    #[default]
    Off,
    /// One is sent; an answer without it is taken, one with another is not.
    Send,
    /// One is sent, and an answer without it is not taken.
    Require,
}

/// What sources may cost. Everything here is a bound on what others can make grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceLimits {
    /// The largest list, in bytes.
    pub maximum_size: usize,
    /// Addresses taken from certificates for each profile; of more, the one not used for the longest time goes.
    pub urls_from_certificates: usize,
    /// Fetches of lists at once, and as many of OCSP answers.
    pub concurrent_fetches: usize,
    /// OCSP answers kept; of more, the one not used for the longest time goes.
    pub ocsp_answers: usize,
    /// Certificates being asked about at once; of more, nothing is asked, and whoever waits is told so at once.
    pub asked_at_once: usize,
}

impl Default for SourceLimits {
    fn default() -> Self {
        Self {
            maximum_size: 64 * 1024 * 1024,
            urls_from_certificates: 100,
            concurrent_fetches: 8,
            ocsp_answers: 100_000,
            asked_at_once: 10_000,
        }
    }
}
