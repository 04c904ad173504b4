//! What a certificate says about who is calling (RFC 5280, RFC 4514).
//!
//! The chain on one page:
//!
//! 1. [`Leaf::parse`] reads the end-entity certificate a peer presented into owned facts, and refuses what it cannot read.
//! 2. `io/tls` verifies path, proof of possession, validity and revocation.
//! 3. A [`NamingRule`] turns the leaf into a [`DeviceName`], never looking at what the client claims.
//! 4. [`VerifiedPeer::assertion`] puts name, [`CertificateId`] and path into the witness that everything after TLS requires.
//! 5. [`ClientIdentifierBinding`] and [`Template`] relate the witness to the MQTT Client Identifier and user name.
//!
//! Deliberately missing: path building, signatures and time (`io/tls`), revocation (`signet-revocation`), MQTT packets.

mod attribute_type;
mod binding;
mod certificate_id;
mod certificate_rules;
pub mod der;
mod device;
pub mod distribution;
mod error;
mod index;
mod leaf;
mod name_constraints;
mod naming;
mod san;
mod spiffe;
mod string;
mod subject;
mod template;
#[cfg(test)]
mod testing;
mod text;
mod verified;

pub use binding::ClientIdentifierBinding;
pub use certificate_id::{AuthorityId, CertificateId, KeyDigest, NameDigest, PathCertificate, SerialNumber};
pub use certificate_rules::{CertificateRules, KeyRule};
pub use device::{DeviceIdentity, DeviceName};
pub use distribution::{DistributionPoint, PointName, ReasonFlags};
pub use error::IdentityError;
pub use leaf::{Fingerprint, KeyAlgorithm, Leaf, SignatureAlgorithm, Validity};
pub use name_constraints::NameConstraints;
pub use naming::NamingRule;
pub use san::SubjectAltName;
pub use spiffe::SpiffeId;
pub use subject::{Attribute, AttributeValue, Subject};
pub use template::{Expression, Facts, PlaceholderStyle, Template, TemplateError, TemplateErrorKind, TemplateField, TemplatePiece};
pub use verified::{KeyMark, KeyedPeer, NamedPeer, NoIdentity, Peer, PendingPeer, VerifiedPeer};
