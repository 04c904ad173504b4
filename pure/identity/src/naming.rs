//! Which field of the certificate is the device's name. Nothing that the client claims takes part.

use crate::device::DeviceName;
use crate::error::IdentityError;
use crate::leaf::Leaf;
use crate::template::{Facts, Template, TemplateError};

/// How a listener names devices: a template over certificate fields, `${cert.cn}` by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamingRule {
    template: Template,
}

impl NamingRule {
    /// A rule from a template.
    ///
    /// # Errors
    /// [`TemplateError`] when the template uses what a client claims (`${username}`, `${client_identifier}`) or the name that it is to
    /// make (`${device}`), or uses no certificate field, so that all devices would share one name.
    pub fn new(template: Template) -> Result<Self, TemplateError> {
        template.require_certificate_fields_only()?;
        Ok(Self { template })
    }

    /// The template.
    #[must_use]
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The device's name by this rule.
    ///
    /// # Errors
    /// A missing field, a value with unsafe characters, or one that is no [`DeviceName`]: there is no fallback.
    pub fn name(&self, leaf: &Leaf) -> Result<DeviceName, IdentityError> {
        let facts = Facts { leaf: Some(leaf), ..Facts::default() };
        DeviceName::new(&self.template.render(&facts)?)
    }
}

/// `${cert.cn}`.
impl Default for NamingRule {
    fn default() -> Self {
        Self { template: Template::common_name() }
    }
}
