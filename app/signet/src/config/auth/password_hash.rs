//! The keys that say how stored passwords are hashed, the same for all types.

use signet_auth::{HashOptions, PasswordHash};

use super::super::problem::Problems;
use super::super::section::Section;

/// Reads `password_hash` and `salt_position`; `default` where neither is there. What makes no sense is reported, and then there is none.
pub(super) fn read(section: &Section<'_>, default: PasswordHash, problems: &Problems) -> Option<PasswordHash> {
    let (name, position) = (section.string("password_hash"), section.string("salt_position"));
    let Some(name) = name else {
        if let Some(position) = position {
            let hint = "add for example password_hash = \"sha256\", or leave `salt_position` out".to_owned();
            problems.at(&position.span, "`salt_position` without `password_hash`", Some(hint));
            return None;
        }
        return Some(default);
    };
    let options = HashOptions { salt_position: position.as_ref().map(|at| at.value.as_str()), ..HashOptions::default() };
    match PasswordHash::configured(&name.value, options) {
        Ok(hash) => Some(hash),
        Err(error) => {
            problems.at(&name.span, error.to_string(), None);
            None
        }
    }
}
