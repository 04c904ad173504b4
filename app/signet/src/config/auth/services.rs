//! What the broker does for clients that ask it by messages: `[dynamic_security]`, `[control]`, `[sparkplug]`; and `type = "dynamic_security"` of authenticators
//! and access sources.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use signet_auth::{Authenticator, Backend, DynamicSecurity, DynamicSecurityAuthenticator, RuleSource};
use signet_policy::{AccessJudge, AccessSource};

use super::super::problem::Problems;
use super::super::section::Section;
use super::{AuthenticatorKind, SourceKind, Tools};
use crate::dynamic_security;

/// The type's name.
pub(super) const NAME: &str = "dynamic_security";

/// What is served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Services {
    pub(crate) dynamic_security: Option<DynamicSecurityFiles>,
    /// Whether requests about the broker itself are answered, below `$CONTROL/broker`.
    pub(crate) broker_control: bool,
    /// Whether birth certificates of Sparkplug are kept.
    pub(crate) sparkplug: bool,
}

/// `[dynamic_security]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DynamicSecurityFiles {
    pub(crate) file: PathBuf,
    /// Where the administrator's password is, if the file is not there and is to be made.
    pub(crate) password_init_file: Option<PathBuf>,
    pub(crate) place: Range<usize>,
}

impl Services {
    /// Reads the three tables.
    pub(super) fn read(top: &Section<'_>, base: &Path) -> Self {
        let mut services = Self::default();
        if let Some(section) = top.section("dynamic_security") {
            let (file, password) = (section.string("file"), section.string("password_init_file"));
            services.dynamic_security = file.map(|at| DynamicSecurityFiles {
                file: base.join(at.value),
                password_init_file: password.map(|at| base.join(at.value)),
                place: at.span,
            });
            section.finish();
        }
        if let Some(section) = top.section("control") {
            services.broker_control = section.boolean("broker").is_some_and(|at| at.value);
            section.finish();
        }
        if let Some(section) = top.section("sparkplug") {
            services.sparkplug = section.boolean("aware").is_some_and(|at| at.value);
            section.finish();
        }
        services
    }

    /// Reports a file that is there and cannot be used.
    pub(super) fn check(&self, problems: &Problems) {
        if let Some(files) = &self.dynamic_security
            && let Err(why) = dynamic_security::check(&files.file)
        {
            problems.at(&files.place, why, None);
        }
    }
}

/// An authenticator, or an access source: neither has keys of its own.
#[derive(Debug)]
struct Settings;

/// Reads no keys.
pub(super) fn read(_section: &Section<'_>, _base: &Path, _problems: &Problems) -> Option<Arc<dyn AuthenticatorKind>> {
    Some(Arc::new(Settings))
}

/// The same for an access source.
pub(super) fn read_source(_section: &Section<'_>, _base: &Path, _problems: &Problems) -> Option<Arc<dyn SourceKind>> {
    Some(Arc::new(Settings))
}

const NOT_OPEN: &str = "dynamic security was not there when the broker started: restart it";

impl AuthenticatorKind for Settings {
    fn make(&self, _backend: Arc<Backend>, tools: &Tools) -> Result<Arc<dyn Authenticator>, String> {
        let clients = tools.dynamic_security.as_ref().ok_or(NOT_OPEN)?;
        Ok(Arc::new(DynamicSecurityAuthenticator::new(Arc::clone(clients), tools.hashing.clone())))
    }

    fn needs_dynamic_security(&self) -> bool {
        true
    }
}

impl SourceKind for Settings {
    fn make(&self, _backend: Arc<Backend>, _tools: &Tools) -> Result<Arc<dyn RuleSource>, String> {
        Err("it judges by itself, and nobody is asked".to_owned())
    }

    fn access_source(&self, name: &Arc<str>, dynamic_security: Option<&Arc<DynamicSecurity>>) -> Result<AccessSource, String> {
        let judge: Arc<DynamicSecurity> = dynamic_security.cloned().ok_or(NOT_OPEN)?;
        Ok(AccessSource::Judged(Arc::clone(name), AccessJudge(judge)))
    }

    fn is_fetched(&self) -> bool {
        false
    }

    fn needs_dynamic_security(&self) -> bool {
        true
    }
}
