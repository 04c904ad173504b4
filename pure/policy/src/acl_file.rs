//! Access rules in the files of other brokers: what all readers of such files have in common.

use std::sync::Arc;

use crate::ruleset::AccessSource;

mod emqx;
mod erlang;
mod mosquitto;

pub use emqx::emqx_acl_file;
pub use mosquitto::mosquitto_acl_file;

/// What a file says.
#[derive(Debug, Clone, PartialEq)]
pub struct AclFile {
    /// Its rules.
    pub source: AccessSource,
    /// What is taken, but not in every version or not wholly as the other broker takes it.
    pub warnings: Vec<AclWarning>,
}

/// A line that is taken in another way than somebody may expect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct AclWarning {
    /// Counted from one.
    pub line: usize,
    /// What there is to know.
    pub what: String,
}

/// A line that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: found {found}, expected {expected}")]
pub struct AclFileError {
    /// Counted from one.
    pub line: usize,
    /// What stands there, cut and without control characters.
    pub found: String,
    /// What can stand there.
    pub expected: String,
}

impl AclFileError {
    fn new(line: usize, found: &str, expected: impl Into<String>) -> Self {
        Self { line, found: format!("`{}`", crate::denied::shown(found)), expected: expected.into() }
    }
}

/// How a rule of a file is called.
fn rule_name(source: &Arc<str>, line: usize) -> String {
    format!("line {line} of `{source}`")
}
