//! Whether a name lies in a subtree, form by form (RFC 5280 §4.2.1.10, §7).

use std::net::IpAddr;

use super::{Name, Subtree};
use crate::subject::{Attribute, Subject};

/// What a comparison says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Name and subtree are of different forms: the subtree says nothing about it.
    OtherForm,
    Inside,
    Outside,
    /// They are of one form, and cannot be compared.
    Unclear(&'static str),
}

fn inside(is_inside: bool) -> Verdict {
    if is_inside { Verdict::Inside } else { Verdict::Outside }
}

impl Name<'_> {
    /// Whether all that the name stands for lies in the subtree.
    pub(super) fn within(self, subtree: &Subtree) -> Verdict {
        match (self, subtree) {
            (Name::Dns(name), Subtree::Dns(base)) => inside(dns_within(name, base)),
            (Name::Email(name), Subtree::Email(base)) => email(name, base),
            (Name::Uri(name), Subtree::Uri(base)) => uri(name, base),
            (Name::Ip(address), Subtree::Ip(network, mask)) => inside(ip_within(address, *network, *mask)),
            (Name::Directory(name), Subtree::DirectoryName(base)) => inside(directory_within(name, base)),
            (Name::Other(tag), Subtree::Other(base)) if tag == *base => Verdict::Unclear("names of this form cannot be compared"),
            (
                Name::Dns(_) | Name::Email(_) | Name::Uri(_) | Name::Ip(_) | Name::Directory(_) | Name::Other(_),
                Subtree::Dns(_) | Subtree::Email(_) | Subtree::Uri(_) | Subtree::Ip(..) | Subtree::DirectoryName(_) | Subtree::Other(_),
            ) => Verdict::OtherForm,
        }
    }

    /// Whether anything that the name stands for lies in the subtree: `*.example` touches `secret.example`.
    pub(super) fn touches(self, subtree: &Subtree) -> Verdict {
        match (self, subtree) {
            (Name::Dns(name), Subtree::Dns(base)) => {
                let wildcard = name.strip_prefix("*.").is_some_and(|parent| dns_within(base.trim_start_matches('.'), parent));
                inside(wildcard || dns_within(name, base))
            }
            _ => self.within(subtree),
        }
    }
}

/// `example.com` covers itself and what is below; `.example.com`, which is not in the RFC but in use, only what is below; an empty base everything.
fn dns_within(name: &str, base: &str) -> bool {
    let (name, base) = (without_root(name), without_root(base));
    if base.is_empty() {
        return true;
    }
    match base.strip_prefix('.') {
        Some(_) => is_below(name, base),
        None => name.eq_ignore_ascii_case(base) || is_below(name, &format!(".{base}")),
    }
}

/// A name ends with `.` where it is written to the root.
fn without_root(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Whether something stands before `suffix`, which begins with `.`.
fn is_below(name: &str, suffix: &str) -> bool {
    let Some(at) = name.len().checked_sub(suffix.len()) else { return false };
    at > 0 && name.get(at..).is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}

/// A host that is named itself, or lies below `.domain`; an empty base is every host.
fn host_within(host: &str, base: &str) -> bool {
    let (host, base) = (without_root(host), without_root(base));
    base.is_empty() || if base.starts_with('.') { is_below(host, base) } else { host.eq_ignore_ascii_case(base) }
}

/// A mailbox, all mailboxes of a host, or all of a domain below its host. The part before `@` counts letter by letter.
fn email(name: &str, base: &str) -> Verdict {
    let Some((local, host)) = name.rsplit_once('@').filter(|(local, host)| !local.is_empty() && !host.is_empty()) else {
        return Verdict::Unclear("it is no e-mail address");
    };
    match base.rsplit_once('@') {
        Some((wanted, at)) => inside(local == wanted && without_root(host).eq_ignore_ascii_case(without_root(at))),
        None => inside(host_within(host, base)),
    }
}

/// By the host of the URI. One without a host, with an address for it, or with a user before it, which others read as the host, cannot be judged and
/// is refused.
fn uri(name: &str, base: &str) -> Verdict {
    const UNCLEAR: Verdict = Verdict::Unclear("it has no host name to judge it by");
    let Some((_, rest)) = name.split_once("://") else { return UNCLEAR };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.split_once(':').map_or(authority, |(host, port)| if port.contains('@') { "" } else { host });
    let is_name = host.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_'));
    if host.is_empty() || !is_name || without_root(host).parse::<IpAddr>().is_ok() {
        return UNCLEAR;
    }
    inside(host_within(host, base))
}

fn ip_within(address: IpAddr, network: IpAddr, mask: IpAddr) -> bool {
    match (address, network, mask) {
        (IpAddr::V4(address), IpAddr::V4(network), IpAddr::V4(mask)) => {
            address.to_bits() & mask.to_bits() == network.to_bits() & mask.to_bits()
        }
        (IpAddr::V6(address), IpAddr::V6(network), IpAddr::V6(mask)) => {
            address.to_bits() & mask.to_bits() == network.to_bits() & mask.to_bits()
        }
        _ => false,
    }
}

/// The base is the beginning of the name.
fn directory_within(name: &Subject, base: &Subject) -> bool {
    let (name, base) = (name.rdns(), base.rdns());
    name.len() >= base.len() && name.iter().zip(base).all(|(name, base)| same_rdn(name, base))
}

/// As sets: each attribute of one has an equal in the other.
fn same_rdn(one: &[Attribute], other: &[Attribute]) -> bool {
    let covers = |one: &[Attribute], other: &[Attribute]| one.iter().all(|attribute| other.iter().any(|found| same(attribute, found)));
    one.len() == other.len() && covers(one, other) && covers(other, one)
}

/// Text in any case, however many spaces stand in a row, whatever string type it has (RFC 5280 §7.1); anything else by its octets.
fn same(one: &Attribute, other: &Attribute) -> bool {
    one.oid() == other.oid()
        && match (one.text(), other.text()) {
            (Some(one), Some(other)) => folded(one).eq(folded(other)),
            _ => one.value().der() == other.value().der(),
        }
}

fn folded(text: &str) -> impl Iterator<Item = char> {
    let words = text.split_whitespace().enumerate();
    words.flat_map(|(at, word)| (at > 0).then_some(' ').into_iter().chain(word.chars())).flat_map(char::to_lowercase)
}

/// Two labels or more of letters, digits, `-` and `_`, the first of which may be `*`.
pub(super) fn looks_like_dns(text: &str) -> bool {
    let text = without_root(text);
    let is_label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
    };
    text.contains('.') && text.strip_prefix("*.").unwrap_or(text).split('.').all(is_label)
}
