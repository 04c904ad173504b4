//! Which names an authority may vouch for: nameConstraints (RFC 5280 §4.2.1.10).
//!
//! Path building (`rustls-webpki` 0.103) enforces DNS names and IP addresses; of the other forms it refuses every certificate that has a name of a
//! form that is constrained, and a subject counts as a directory name. Here all five forms that RFC 5280 defines are compared. Device names come from the
//! common name, so this check is stricter than the RFC in one point: a common name that looks like a DNS name is judged as one.

mod matching;

use std::net::IpAddr;

use crate::der::{DerError, Reader};
use crate::error::IdentityError;
use crate::leaf::Leaf;
use crate::san::{self, SubjectAltName};
use crate::string::ascii;
use crate::subject::Subject;
use crate::text::shown;
use matching::Verdict;

/// The constraints of one authority's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameConstraints {
    /// The authority, for messages.
    authority: String,
    permitted: Vec<Subtree>,
    excluded: Vec<Subtree>,
}

/// The base of a GeneralSubtree.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Subtree {
    Dns(String),
    Email(String),
    Uri(String),
    /// Address and mask, both of 4 or both of 16 octets.
    Ip(IpAddr, IpAddr),
    DirectoryName(Subject),
    /// A form that RFC 5280 does not say how to compare, by its tag.
    Other(u8),
}

/// A name of the certificate under judgement.
#[derive(Clone, Copy)]
enum Name<'a> {
    Dns(&'a str),
    Email(&'a str),
    Uri(&'a str),
    Ip(IpAddr),
    Directory(&'a Subject),
    Other(u8),
}

impl NameConstraints {
    /// The most comparisons of one check: what an authority sets and what a certificate holds multiply.
    pub const MAXIMUM_COMPARISONS: usize = 250_000;

    /// The constraints of an authority's certificate; `None` if it sets none.
    ///
    /// # Errors
    /// [`IdentityError::Unreadable`] for an extension that cannot be read, or has a minimum other than 0 or a maximum, which have no meaning.
    pub fn of(authority: &Leaf) -> Result<Option<Self>, IdentityError> {
        let Some(extension) = authority.extension(OID_NAME_CONSTRAINTS) else { return Ok(None) };
        let (permitted, excluded) =
            read(extension.value).map_err(|error| IdentityError::Unreadable { field: "nameConstraints", reason: error.to_string() })?;
        Ok(Some(Self { authority: shown(&authority.subject().rfc4514()), permitted, excluded }))
    }

    /// Judges every name of a certificate below the authority: subject, common names that look like DNS names, e-mail addresses in the subject, and all of
    /// subjectAltName.
    ///
    /// To be asked for every certificate below, except an intermediate that was issued to the authority's own name (RFC 5280 §6.1.3 (b)).
    ///
    /// # Errors
    /// [`IdentityError::NameConstraint`] with the first name that is not permitted, or is excluded, or cannot be judged.
    pub fn check(&self, leaf: &Leaf) -> Result<(), IdentityError> {
        let mut left = Self::MAXIMUM_COMPARISONS;
        let subtrees = self.permitted.len() + self.excluded.len();
        for name in names(leaf) {
            left = left.checked_sub(subtrees).ok_or_else(|| IdentityError::NameConstraint {
                name: "too many names".to_owned(),
                authority: self.authority.clone(),
                reason: format!("more than {} comparisons", Self::MAXIMUM_COMPARISONS),
            })?;
            self.judge(name).map_err(|reason| IdentityError::NameConstraint {
                name: name.text(),
                authority: self.authority.clone(),
                reason: reason.to_owned(),
            })?;
        }
        Ok(())
    }

    fn judge(&self, name: Name<'_>) -> Result<(), &'static str> {
        let mut is_constrained = false;
        let mut is_permitted = false;
        for subtree in &self.permitted {
            match name.within(subtree) {
                Verdict::OtherForm => {}
                Verdict::Unclear(reason) => return Err(reason),
                Verdict::Inside => (is_constrained, is_permitted) = (true, true),
                Verdict::Outside => is_constrained = true,
            }
        }
        if is_constrained && !is_permitted {
            return Err("it lies in none of the permitted subtrees");
        }
        for subtree in &self.excluded {
            match name.touches(subtree) {
                Verdict::OtherForm | Verdict::Outside => {}
                Verdict::Unclear(reason) => return Err(reason),
                Verdict::Inside => return Err("it lies in an excluded subtree"),
            }
        }
        Ok(())
    }
}

/// Every name that a certificate claims.
fn names(leaf: &Leaf) -> impl Iterator<Item = Name<'_>> {
    let subject = leaf.subject();
    // An empty subject is no directory name (RFC 5280 §4.2.1.10).
    let directory = (!subject.is_empty()).then_some(Name::Directory(subject));
    let common_names = subject.attributes("CN").filter_map(|attribute| attribute.text()).filter(|text| matching::looks_like_dns(text));
    // Only without an address in subjectAltName by the RFC; a name is made of whichever the operator chooses.
    let emails = subject.attributes("emailAddress").filter_map(|attribute| attribute.text());
    let san = leaf.san().iter().map(|name| match name {
        SubjectAltName::Dns(text) => Name::Dns(text),
        SubjectAltName::Uri(text) => Name::Uri(text),
        SubjectAltName::Email(text) => Name::Email(text),
        SubjectAltName::Ip(address) => Name::Ip(*address),
        SubjectAltName::DirectoryName(name) => Name::Directory(name),
        SubjectAltName::OtherName { .. } => Name::Other(san::OTHER_NAME),
        SubjectAltName::RegisteredId(_) => Name::Other(san::REGISTERED_ID),
        SubjectAltName::Other => Name::Other(san::X400_ADDRESS),
    });
    directory.into_iter().chain(common_names.map(Name::Dns)).chain(emails.map(Name::Email)).chain(san)
}

impl Name<'_> {
    /// For a message.
    fn text(self) -> String {
        match self {
            Self::Dns(text) => format!("the DNS name `{}`", shown(text)),
            Self::Email(text) => format!("the e-mail address `{}`", shown(text)),
            Self::Uri(text) => format!("the URI `{}`", shown(text)),
            Self::Ip(address) => format!("the IP address `{address}`"),
            Self::Directory(name) => format!("the directory name `{}`", shown(&name.rfc4514())),
            Self::Other(_) => "a name of a form that cannot be compared".to_owned(),
        }
    }
}

/// permittedSubtrees `[0]`, excludedSubtrees `[1]`.
fn read(value: &[u8]) -> Result<(Vec<Subtree>, Vec<Subtree>), DerError> {
    let mut constraints = Reader::document(value)?;
    let mut subtrees = |tag| match constraints.optional(tag)? {
        Some(element) => read_subtrees(element.content),
        None => Ok(Vec::new()),
    };
    let (permitted, excluded) = (subtrees(0xa0)?, subtrees(0xa1)?);
    constraints.finish()?;
    if permitted.is_empty() && excluded.is_empty() {
        return Err(DerError::Content("found no subtree; expected one or more"));
    }
    Ok((permitted, excluded))
}

fn read_subtrees(content: &[u8]) -> Result<Vec<Subtree>, DerError> {
    let mut list = Reader::new(content);
    let mut subtrees = Vec::new();
    while !list.is_empty() {
        let mut subtree = list.sequence()?;
        let base = subtree.element()?;
        // minimum is 0, which old software writes, and maximum absent (RFC 5280 §4.2.1.10).
        if subtree.optional(0x80)?.is_some_and(|minimum| minimum.content != [0]) {
            return Err(DerError::Content("found a subtree with a minimum other than 0"));
        }
        subtree.finish()?;
        let text = || ascii(base.content).map(str::to_owned);
        subtrees.push(match base.tag {
            san::DNS => Subtree::Dns(text()?),
            san::EMAIL => Subtree::Email(text()?),
            san::URI => Subtree::Uri(text()?),
            san::IP => network(base.content)?,
            san::DIRECTORY_NAME => Subtree::DirectoryName(Subject::read(base.content)?),
            san::OTHER_NAME | san::REGISTERED_ID => Subtree::Other(base.tag),
            // Both are unread here, so neither can be told from the other.
            san::X400_ADDRESS | san::EDI_PARTY_NAME => Subtree::Other(san::X400_ADDRESS),
            _ => return Err(DerError::Content("found a form of name that does not exist")),
        });
    }
    if subtrees.is_empty() {
        return Err(DerError::Content("found an empty list of subtrees"));
    }
    Ok(subtrees)
}

/// Address and mask, in the style of RFC 4632: the ones of a mask come first.
fn network(content: &[u8]) -> Result<Subtree, DerError> {
    let network = if let Ok(octets) = <[u8; 8]>::try_from(content) {
        let [a, b, c, d, mask @ ..] = octets;
        (IpAddr::from([a, b, c, d]), IpAddr::from(mask), contiguous(&mask))
    } else if let Some((address, mask)) = content.split_at_checked(16)
        && let (Ok(address), Ok(mask)) = (<[u8; 16]>::try_from(address), <[u8; 16]>::try_from(mask))
    {
        (IpAddr::from(address), IpAddr::from(mask), contiguous(&mask))
    } else {
        return Err(DerError::Content("found an IP network of neither 8 nor 32 octets"));
    };
    match network {
        (address, mask, true) => Ok(Subtree::Ip(address, mask)),
        _ => Err(DerError::Content("found an IP mask with a one after a zero")),
    }
}

fn contiguous(mask: &[u8]) -> bool {
    let ones: u32 = mask.iter().take_while(|octet| **octet == 0xff).map(|_| 8).sum();
    let all: u32 = mask.iter().map(|octet| octet.count_ones()).sum();
    let next = mask.iter().find(|octet| **octet != 0xff).map_or(0, |octet| octet.leading_ones());
    all == ones + next
}

const OID_NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x1e];

#[cfg(test)]
mod tests;
