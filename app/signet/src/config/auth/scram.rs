//! `type = "scram"`: the built-in users, by SCRAM as the Authentication Method of MQTT 5.

use std::path::Path;
use std::sync::Arc;

use signet_auth::{Authenticator, Backend, ITERATIONS_MAXIMUM, ITERATIONS_MINIMUM, SCRAM_ITERATIONS, ScramAuthenticator, ScramMechanism};

use super::super::problem::Problems;
use super::super::section::Section;
use super::{AuthenticatorKind, Tools};

/// Its name.
pub(super) const NAME: &str = "scram";

/// Its keys.
#[derive(Debug)]
struct Settings {
    mechanisms: Vec<ScramMechanism>,
    iterations: u32,
}

/// Reads its keys.
pub(super) fn read(section: &Section<'_>, _base: &Path, problems: &Problems) -> Option<Arc<dyn AuthenticatorKind>> {
    let mut mechanisms = Vec::new();
    let mut is_whole = true;
    for written in section.strings("mechanisms").map_or_else(Vec::new, |list| list.value) {
        match ScramMechanism::named(&written.value) {
            Some(mechanism) => mechanisms.push(mechanism),
            None => {
                is_whole = false;
                let hint = "there are \"SCRAM-SHA-256\" and \"SCRAM-SHA-512\"".to_owned();
                problems.at(&written.span, format!("there is no mechanism `{}`", written.value), Some(hint));
            }
        }
    }
    if mechanisms.is_empty() {
        mechanisms = ScramMechanism::ALL.to_vec();
    }
    let iterations = section.number("iterations", ITERATIONS_MINIMUM.into(), ITERATIONS_MAXIMUM.into());
    let iterations = iterations.map_or(SCRAM_ITERATIONS, |at| u32::try_from(at.value).unwrap_or(SCRAM_ITERATIONS));
    is_whole.then(|| -> Arc<dyn AuthenticatorKind> { Arc::new(Settings { mechanisms, iterations }) })
}

impl AuthenticatorKind for Settings {
    fn make(&self, _backend: Arc<Backend>, tools: &Tools) -> Result<Arc<dyn Authenticator>, String> {
        let made = ScramAuthenticator::new(tools.users.clone(), self.mechanisms.clone(), self.iterations);
        Ok(Arc::new(made.map_err(|failure| failure.to_string())?))
    }
}
