//! Distinguished Names and subjectAltName (RFC 5280 §4.1.2.4, §4.2.1.6; text form RFC 4514).

use std::net::IpAddr;

/// A Distinguished Name: a sequence of RDNs, each a set of one or more attributes, in the order of the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    pub(crate) rdns: Vec<Vec<Attribute>>,
}

/// One attribute of a Distinguished Name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub(crate) oid: String,
    pub(crate) value: AttributeValue,
}

/// An attribute's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// Any of the ASN.1 character strings, as text.
    Text(String),
    /// Something else: its whole DER encoding.
    Der(Vec<u8>),
}

/// A name in subjectAltName.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectAltName {
    /// dNSName.
    Dns(String),
    /// uniformResourceIdentifier.
    Uri(String),
    /// rfc822Name.
    Email(String),
    /// iPAddress, version 4 or 6.
    Ip(IpAddr),
    /// A form without a use here: otherName, directoryName, registeredID and the like.
    Other,
}

impl Subject {
    /// The first common name, if it is text.
    #[must_use]
    pub fn cn(&self) -> Option<&str> {
        self.attribute("CN")
    }

    /// The first attribute of that short name (`CN`, `OU`, `emailAddress`, in any case) or dotted OID, if it is text.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let _ = name;
        todo!()
    }

    /// The text form of RFC 4514.
    #[must_use]
    pub fn rfc4514(&self) -> String {
        todo!()
    }
}
