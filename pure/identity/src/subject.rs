//! Distinguished Names (RFC 5280 §4.1.2.4); their text forms are in `subject/text.rs`.

mod text;

use std::borrow::Cow;

use crate::attribute_type;
use crate::der::{self, DerError, Element, Reader};
use crate::error::IdentityError;
use crate::string;

/// A Distinguished Name: a sequence of RDNs, each a set of one or more attributes, in the order of the certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    rdns: Vec<Vec<Attribute>>,
}

/// One attribute of a Distinguished Name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    oid: Cow<'static, str>,
    short_name: Option<&'static str>,
    value: AttributeValue,
}

/// An attribute's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// Any of the ASN.1 character strings, as text, and its DER encoding.
    Text {
        /// The characters.
        text: String,
        /// The whole encoding.
        der: Vec<u8>,
    },
    /// Something else: its DER encoding.
    Der(Vec<u8>),
}

impl Subject {
    /// Reads a Name from its DER, the SEQUENCE header included. `field` is the name of the field in an error: `subject`, `issuer`.
    ///
    /// # Errors
    /// [`IdentityError::Unreadable`] when it is malformed, or text is not valid in its character set.
    pub fn from_name_der(der: &[u8], field: &'static str) -> Result<Self, IdentityError> {
        Self::read(der).map_err(|error| IdentityError::Unreadable { field, reason: error.to_string() })
    }

    /// Whether [`Self::from_name_der`] could read it, without the memory that it would take.
    pub(crate) fn check_name_der(der: &[u8], field: &'static str) -> Result<(), IdentityError> {
        let check = |_, oid: &[u8], value: Element<'_>| attribute_type::read(oid).and_then(|_| string::text_of(value)).map(drop);
        Self::walk(der, check).map_err(|error| IdentityError::Unreadable { field, reason: error.to_string() })
    }

    /// The same, for a Name inside of a field that says itself what it is.
    pub(crate) fn read(der: &[u8]) -> Result<Self, DerError> {
        let mut rdns: Vec<Vec<Attribute>> = Vec::new();
        Self::walk(der, |is_first, oid, value| {
            let (oid, short_name) = attribute_type::read(oid)?;
            let attribute = Attribute { oid, short_name, value: AttributeValue::read(value)? };
            match rdns.last_mut().filter(|_| !is_first) {
                Some(rdn) => rdn.push(attribute),
                // Nearly every RDN has one attribute.
                None => rdns.push(vec![attribute]),
            }
            Ok(())
        })?;
        Ok(Self { rdns })
    }

    /// Calls `each` with every attribute: whether it is the first of its RDN, its type and its value.
    fn walk<'a>(der: &'a [u8], mut each: impl FnMut(bool, &'a [u8], Element<'a>) -> Result<(), DerError>) -> Result<(), DerError> {
        let mut name = Reader::document(der)?;
        while !name.is_empty() {
            let mut set = Reader::new(name.expect(der::SET)?.content);
            let mut is_first = true;
            while !set.is_empty() {
                let mut attribute = set.sequence()?;
                let oid = attribute.expect(der::OBJECT_IDENTIFIER)?.content;
                let value = attribute.element()?;
                attribute.finish()?;
                each(std::mem::replace(&mut is_first, false), oid, value)?;
            }
            if is_first {
                return Err(DerError::Content("found an empty RDN"));
            }
        }
        Ok(())
    }

    /// The RDNs in the order of the certificate, most general first as a rule.
    #[must_use]
    pub fn rdns(&self) -> &[Vec<Attribute>] {
        &self.rdns
    }

    /// Whether it has no attribute at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rdns.is_empty()
    }

    /// The first common name, if it is text.
    #[must_use]
    pub fn cn(&self) -> Option<&str> {
        self.attribute("CN")
    }

    /// The first attribute of that short name (`CN`, `OU`, `emailAddress`, in any case) or dotted OID, if it is text.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.rdns.iter().flatten().find(|attribute| attribute.is_named(name)).and_then(Attribute::text)
    }

    /// Every attribute of that short name or dotted OID, in the order of the certificate.
    pub fn attributes<'a, 'n>(&'a self, name: &'n str) -> impl DoubleEndedIterator<Item = &'a Attribute> + use<'a, 'n> {
        self.rdns.iter().flatten().filter(move |attribute| attribute.is_named(name))
    }
}

impl Attribute {
    /// The attribute type as a dotted OID.
    #[must_use]
    pub fn oid(&self) -> &str {
        &self.oid
    }

    /// The short name, if the type has a common one.
    #[must_use]
    pub fn short_name(&self) -> Option<&'static str> {
        self.short_name
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &AttributeValue {
        &self.value
    }

    /// The value if it is text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            AttributeValue::Text { text, .. } => Some(text),
            AttributeValue::Der(_) => None,
        }
    }

    fn is_named(&self, name: &str) -> bool {
        self.oid == name || self.short_name.is_some_and(|short| short.eq_ignore_ascii_case(name))
    }
}

impl AttributeValue {
    fn read(element: Element<'_>) -> Result<Self, DerError> {
        let der = element.encoded.to_vec();
        Ok(match string::text_of(element)? {
            Some(text) => Self::Text { text, der },
            None => Self::Der(der),
        })
    }

    /// The whole encoding.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        match self {
            Self::Text { der, .. } | Self::Der(der) => der,
        }
    }
}

#[cfg(test)]
mod tests;
