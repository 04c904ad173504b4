//! For which certificates and reasons a CRL is complete (issuingDistributionPoint, RFC 5280 §5.2.5), and whether a certificate is among them.

use std::fmt;

use signet_identity::der::{DerError, Element, Reader};
use signet_identity::distribution::{self, DistributionPoint, PointName, ReasonFlags};
use signet_identity::{CertificateId, NameDigest};

/// What a CRL covers. The default is everything that its issuer issued.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Scope {
    points: Vec<PointName>,
    only: Only,
    reasons: ReasonFlags,
    indirect: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Only {
    #[default]
    All,
    EndEntities,
    Authorities,
    Attributes,
}

impl Scope {
    /// Reads issuingDistributionPoint. `issuer` is the whole DER of the CRL issuer's Name, to which a relative name is relative.
    pub(crate) fn read(value: &[u8], issuer: &[u8]) -> Result<Self, DerError> {
        let mut fields = Reader::document(value)?;
        let points = match fields.optional(0xa0)? {
            Some(element) => distribution::read_point_name(element.content, Some(issuer))?,
            None => Vec::new(),
        };
        let end_entities = read_flag(&mut fields, 0x81)?;
        let authorities = read_flag(&mut fields, 0x82)?;
        let reasons = match fields.optional(0x83)? {
            Some(element) => ReasonFlags::from_bit_string(element.content)?,
            None => ReasonFlags::ALL,
        };
        let indirect = read_flag(&mut fields, 0x84)?;
        let attributes = read_flag(&mut fields, 0x85)?;
        fields.finish()?;
        let only = match (end_entities, authorities, attributes) {
            (false, false, false) => Only::All,
            (true, false, false) => Only::EndEntities,
            (false, true, false) => Only::Authorities,
            (false, false, true) => Only::Attributes,
            _ => return Err(DerError::Content("found more than one of the fields onlyContains…, which leave no certificate")),
        };
        Ok(Self { points, only, reasons, indirect })
    }

    /// Whether it holds entries of other issuers.
    #[must_use]
    pub fn is_indirect(&self) -> bool {
        self.indirect
    }

    /// The names of the one distribution point whose certificates it covers; empty when it covers those of all.
    #[must_use]
    pub fn points(&self) -> &[PointName] {
        &self.points
    }

    /// The reasons for which it is complete.
    #[must_use]
    pub fn reasons(&self) -> ReasonFlags {
        self.reasons
    }

    pub(crate) fn attributes_only(&self) -> bool {
        self.only == Only::Attributes
    }

    /// For which reasons the list, signed under the name `signer`, says everything about a certificate (RFC 5280 §6.3.3 (b), (d)).
    pub(crate) fn covers(&self, signer: NameDigest, relation: Relation, subject: &Subject<'_>) -> ReasonFlags {
        let kind = match self.only {
            Only::All => true,
            Only::EndEntities => !subject.is_authority,
            Only::Authorities => subject.is_authority,
            Only::Attributes => false,
        };
        if !kind {
            return ReasonFlags::NONE;
        }
        match (self.points.is_empty(), relation) {
            // A list of the certificate's own issuer, or one that the operator took for it, without a point covers all points.
            (true, Relation::Issuer | Relation::Accepted) => self.reasons,
            (true, Relation::None) => self.covered_points(signer, relation, subject, |_| true),
            (false, _) => {
                let named = |names: &[PointName]| names.iter().any(|name| self.points.contains(name));
                self.covered_points(signer, relation, subject, named).union(self.covers_issuers_own_point(relation, subject))
            }
        }
    }

    /// The reasons of those points of the certificate that the list is for: the signer is the one named, and a name is among the list's.
    fn covered_points(
        &self,
        signer: NameDigest,
        relation: Relation,
        subject: &Subject<'_>,
        named: impl Fn(&[PointName]) -> bool,
    ) -> ReasonFlags {
        let mut covered = ReasonFlags::NONE;
        for point in subject.points {
            let by_name = point.crl_issuers.iter().any(|issuer| NameDigest::of(issuer) == signer);
            let signed = by_name || relation == Relation::Accepted || (relation == Relation::Issuer && point.crl_issuers.is_empty());
            let there = if point.names.is_empty() {
                let names: Vec<PointName> = point.crl_issuers.iter().cloned().map(PointName::Directory).collect();
                named(&names)
            } else {
                named(&point.names)
            };
            if signed && there {
                covered = covered.union(point.reasons.intersection(self.reasons));
            }
        }
        covered
    }

    /// The last resort of RFC 5280 §6.3.3: a point that bears the Name of the certificate's issuer.
    fn covers_issuers_own_point(&self, relation: Relation, subject: &Subject<'_>) -> ReasonFlags {
        let own = |name: &PointName| matches!(name, PointName::Directory(name) if NameDigest::of(name) == subject.id.issuer());
        if relation != Relation::None && self.points.iter().any(own) { self.reasons } else { ReasonFlags::NONE }
    }
}

/// How a list's signer relates to a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    /// It issued it: Name and key are the same.
    Issuer,
    /// Another authority, whose list was explicitly accepted for certificates of others.
    Accepted,
    /// Another authority: only a cRLIssuer in the certificate makes it speak.
    None,
}

/// What a scope asks about a certificate.
pub(crate) struct Subject<'a> {
    pub(crate) id: CertificateId,
    pub(crate) is_authority: bool,
    pub(crate) points: &'a [DistributionPoint],
}

impl Subject<'_> {
    /// Whether the certificate names this authority as the issuer of a CRL about it.
    pub(crate) fn names_crl_issuer(&self, signer: NameDigest) -> bool {
        self.points.iter().flat_map(|point| &point.crl_issuers).any(|issuer| NameDigest::of(issuer) == signer)
    }
}

/// A BOOLEAN with default FALSE under a tag of its own.
fn read_flag(fields: &mut Reader<'_>, tag: u8) -> Result<bool, DerError> {
    match fields.optional(tag)? {
        None | Some(Element { content: [0], .. }) => Ok(false),
        Some(Element { content: [0xff], .. }) => Ok(true),
        Some(_) => Err(DerError::Content("expected a BOOLEAN of 0x00 or 0xff")),
    }
}

/// What is covered, in words: `all certificates`, `end-entity certificates of http://crl.example/1 for keyCompromise`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.only {
            Only::All => "all certificates",
            Only::EndEntities => "end-entity certificates",
            Only::Authorities => "CA certificates",
            Only::Attributes => "attribute certificates",
        })?;
        let mut separator = " of ";
        for point in &self.points {
            write!(f, "{separator}{point}")?;
            separator = ", ";
        }
        if !self.reasons.is_all() {
            write!(f, " for {}", self.reasons)?;
        }
        if self.indirect { f.write_str(", also of other issuers") } else { Ok(()) }
    }
}
