//! Trust anchors read from PEM files. Only certification authorities may be anchors: a device certificate in a trust file would
//! let whoever holds its key be believed for anything.
//!
//! A bundle may hold a root and its issuing certificates. Those that another certificate of the bundle signed are kept as known
//! intermediates, not as anchors: then their own expiry and revocation count, and devices need not send them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::DistinguishedName;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use signet_identity::{AuthorityId, Leaf, NameConstraints, NameDigest};
use webpki::anchor_from_trusted_cert;
use x509_parser::prelude::{FromDer, X509Certificate, X509Version};

use crate::signature::has_issued;
use crate::{TlsError, pem};

/// Which certificates of a bundle are trust anchors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnchorRule {
    /// Those that no other certificate of the bundle signed. The others are known intermediates, whose own expiry and revocation count.
    #[default]
    Roots,
    /// Every one: an intermediate is believed by itself, whatever becomes of what is above it.
    All,
}

/// The certificates a listener or client believes without further proof, and the issuers it knows.
#[derive(Clone)]
pub struct TrustAnchors {
    pub(crate) anchors: Arc<[TrustAnchor<'static>]>,
    pub(crate) intermediates: Arc<[CertificateDer<'static>]>,
    /// What the anchors say of themselves, in their order.
    anchor_facts: Arc<[Leaf]>,
    /// Subject and issuer of each known intermediate.
    links: Arc<[NameLink]>,
    certificates: Arc<[CertificateDer<'static>]>,
}

impl TrustAnchors {
    /// Reads every certificate of `files`; the roots among them are the anchors.
    ///
    /// # Errors
    /// As [`Self::load_as`].
    pub fn load(files: &[PathBuf]) -> Result<Self, TlsError> {
        Self::load_as(files, AnchorRule::Roots)
    }

    /// Reads every certificate of `files`.
    ///
    /// # Errors
    /// Names the file: unreadable, no certificate in it, a certificate that is no certification authority's. No file at all.
    pub fn load_as(files: &[PathBuf], rule: AnchorRule) -> Result<Self, TlsError> {
        if files.is_empty() {
            return Err(TlsError::Setting("no file with certification authorities is named".to_owned()));
        }
        let mut certificates: Vec<CertificateDer<'static>> = Vec::new();
        for path in files {
            for (index, certificate) in pem::certificates(path, &pem::read(path)?)?.into_iter().enumerate() {
                check_authority(path, index + 1, &certificate)?;
                if !certificates.contains(&certificate) {
                    certificates.push(certificate);
                }
            }
        }
        let is_known_only =
            |certificate: &CertificateDer<'_>| rule == AnchorRule::Roots && is_signed_by_another(certificate, &certificates);
        let (intermediates, roots): (Vec<_>, Vec<_>) = certificates.iter().cloned().partition(is_known_only);
        let anchors: Result<Vec<_>, _> = roots.iter().map(|root| anchor_from_trusted_cert(root).map(|anchor| anchor.to_owned())).collect();
        let mut anchors = anchors.map_err(|error| TlsError::Library(format!("a checked trust anchor was refused: {error}")))?;
        let facts: Result<Vec<_>, _> = roots.iter().map(|root| Leaf::parse(root)).collect();
        let facts = facts.map_err(|error| TlsError::Library(format!("a checked trust anchor cannot be read: {error}")))?;
        for (anchor, facts) in anchors.iter_mut().zip(&facts) {
            // The library refuses everything below an anchor with constraints on directory names. Ours are checked for every form in
            // `profile.rs`, so nothing is lost by not asking it.
            if NameConstraints::of(facts).ok().flatten().is_some() {
                anchor.name_constraints = None;
            }
        }
        let links: Vec<NameLink> = intermediates.iter().filter_map(|der| Leaf::parse(der).ok()).map(|leaf| NameLink::of(&leaf)).collect();
        Ok(Self {
            anchor_facts: facts.into(),
            links: links.into(),
            anchors: anchors.into(),
            intermediates: intermediates.into(),
            certificates: certificates.into(),
        })
    }

    /// What an anchor that path building ended at says of itself.
    pub(crate) fn authority_of(&self, anchor: &TrustAnchor<'_>) -> Option<&Leaf> {
        let is_it = |own: &TrustAnchor<'_>| own.subject == anchor.subject && own.subject_public_key_info == anchor.subject_public_key_info;
        self.anchor_facts.get(self.anchors.iter().position(is_it)?)
    }

    /// Whether there is a way from a certificate to an anchor by names alone, over the intermediates that came with it and those that are known.
    /// Where there is none, no path has to be searched for.
    pub(crate) fn is_reachable(&self, leaf: &Leaf, presented: &[NameLink]) -> bool {
        let mut names = vec![leaf.issuer_name_digest()];
        let mut looked_at = 0;
        while let Some(name) = names.get(looked_at).copied() {
            if self.anchor_facts.iter().any(|anchor| anchor.subject_name_digest() == name) {
                return true;
            }
            for link in presented.iter().chain(self.links.iter()) {
                if link.subject == name && !names.contains(&link.issuer) {
                    names.push(link.issuer);
                }
            }
            looked_at += 1;
        }
        false
    }

    /// Whether an authority is an anchor here.
    pub fn is_anchor(&self, authority: AuthorityId) -> bool {
        self.anchor_facts.iter().any(|anchor| anchor.authority_id() == authority)
    }

    /// The anchors' own certificates.
    pub fn anchors(&self) -> &[Leaf] {
        &self.anchor_facts
    }

    /// The certificates in DER, for checking who signed a revocation list.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(|certificate| certificate.as_ref())
    }

    /// Names for the server's CertificateRequest, so that a client with many certificates picks the right one (RFC 8446 §4.2.4).
    pub(crate) fn hints(&self) -> Vec<DistinguishedName> {
        self.certificates
            .iter()
            .filter_map(|certificate| anchor_from_trusted_cert(certificate).ok())
            .map(|anchor| DistinguishedName::in_sequence(&anchor.subject))
            .collect()
    }
}

/// Who an authority is, and who it says has issued it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameLink {
    subject: NameDigest,
    issuer: NameDigest,
}

impl NameLink {
    pub(crate) fn of(authority: &Leaf) -> Self {
        Self { subject: authority.subject_name_digest(), issuer: authority.issuer_name_digest() }
    }
}

impl std::fmt::Debug for TrustAnchors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrustAnchors").field("anchors", &self.anchors.len()).field("intermediates", &self.intermediates.len()).finish()
    }
}

fn check_authority(path: &Path, position: usize, certificate: &CertificateDer<'_>) -> Result<(), TlsError> {
    let unreadable =
        |error: String| TlsError::file(path, format!("certificate {position} cannot be read: {error}"), "export it again as PEM");
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| unreadable(error.to_string()))?;
    let subject = parsed.subject().to_string();
    if !may_issue(&parsed) {
        let found = format!("certificate {position} (`{subject}`) is not a certification authority's, so it cannot be a trust anchor");
        return Err(TlsError::file(path, found, "name the certificate of the CA that issued it"));
    }
    anchor_from_trusted_cert(certificate).map(drop).map_err(|error| unreadable(error.to_string()))
}

/// Whether a certificate is a certification authority's.
pub(crate) fn is_authority(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| may_issue(&parsed))
}

/// The same of one that was read.
pub(crate) fn may_issue(parsed: &X509Certificate<'_>) -> bool {
    match parsed.version() {
        X509Version::V3 => matches!(parsed.basic_constraints(), Ok(Some(constraints)) if constraints.value.ca),
        // Version 1 has no basicConstraints; only a self-signed one can be meant as a root.
        _ => parsed.subject().as_raw() == parsed.issuer().as_raw(),
    }
}

/// Whether another certificate of the bundle issued this one. A self-issued certificate is a root by itself.
fn is_signed_by_another(certificate: &CertificateDer<'_>, all: &[CertificateDer<'_>]) -> bool {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return false };
    if parsed.subject().as_raw() == parsed.issuer().as_raw() || parsed.version() != X509Version::V3 {
        return false;
    }
    all.iter().any(|other| X509Certificate::from_der(other).is_ok_and(|(_, issuer)| has_issued(&issuer, &parsed)))
}
