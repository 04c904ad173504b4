//! `type = "condition"`: by what is known of a client already.

use std::path::Path;
use std::sync::Arc;

use signet_auth::{Authenticator, Backend, Condition};

use super::super::problem::Problems;
use super::super::section::Section;
use super::super::who;
use super::{AuthenticatorKind, Tools};

/// Its name.
pub(super) const NAME: &str = "condition";

/// Reads its keys.
pub(super) fn read(section: &Section<'_>, _base: &Path, problems: &Problems) -> Option<Arc<dyn AuthenticatorKind>> {
    let described = |key| {
        let written = section.strings(key).map_or_else(Vec::new, |list| list.value);
        let count = written.len();
        let who: Vec<_> = written.iter().filter_map(|at| who::who(at, problems)).collect();
        (who, count)
    };
    let ((allow, allow_count), (deny, deny_count)) = (described("allow"), described("deny"));
    if allow_count + deny_count == 0 {
        let hint = "add allow = [\"listener:lab and username:test-*\"], or deny";
        problems.at(&section.span, "an authenticator of type \"condition\" describes nobody", Some(hint.to_owned()));
    }
    let is_whole = allow.len() == allow_count && deny.len() == deny_count;
    is_whole.then(|| -> Arc<dyn AuthenticatorKind> { Arc::new(Condition { allow, deny }) })
}

impl AuthenticatorKind for Condition {
    fn make(&self, _backend: Arc<Backend>, _tools: &Tools) -> Result<Arc<dyn Authenticator>, String> {
        Ok(Arc::new(self.clone()))
    }
}
