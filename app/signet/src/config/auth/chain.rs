//! Chains: `["certificate:factory and devices and token", "users"]`.

use std::sync::Arc;

use signet_policy::{Chain, Member, Otherwise, Proof};

use super::super::problem::{Problems, suggestion};
use super::super::section::At;
use super::{Authentication, WrittenChain};

/// The member that is a verified certificate.
pub(crate) const CERTIFICATE: &str = "certificate";

/// The member that is a pre-shared key, shown in the handshake.
pub(crate) const PRESHARED_KEY: &str = "psk";

/// Every member that is always there, by its name.
pub(super) const BUILT_IN: [(&str, Proof); 6] = [
    (CERTIFICATE, Proof::Certificate { profile: None }),
    (PRESHARED_KEY, Proof::PresharedKey),
    ("anonymous", Proof::Anonymous),
    ("everyone", Proof::Everyone),
    ("no_username", Proof::NoUsername),
    ("nobody", Proof::Nobody),
];

/// The trust profiles that a chain names, each with the place of its alternative.
pub(crate) fn profiles_named(written: &WrittenChain) -> Vec<At<String>> {
    let named = |alternative: &At<String>| {
        let members = alternative.value.split(" and ").filter_map(|member| member.trim().strip_prefix("certificate:"));
        let named: Vec<_> =
            members.filter(|name| !name.is_empty()).map(|name| At { value: name.to_owned(), span: alternative.span.clone() }).collect();
        named
    };
    written.value.iter().flat_map(named).collect()
}

impl Authentication {
    /// Reads a chain. Whom it names has to be there.
    pub(crate) fn chain_of(&self, written: &WrittenChain, problems: &Problems) -> Option<Arc<Chain>> {
        if written.value.is_empty() {
            let hint = "name those who have to vouch, such as \"certificate\", or leave the key out";
            problems.at(&written.span, "an empty chain lets nobody in", Some(hint.to_owned()));
            return None;
        }
        let mut alternatives = Vec::new();
        for alternative in &written.value {
            let mut members = Vec::new();
            for name in alternative.value.split(" and ").map(str::trim) {
                match self.member(name) {
                    Some(member) => members.push(member),
                    None if self.unreadable.iter().any(|unreadable| **unreadable == *name) => {}
                    None => {
                        let known: Vec<&str> = BUILT_IN
                            .iter()
                            .map(|(name, _)| *name)
                            .chain(["certificate:PROFILE"])
                            .chain(self.authenticators.iter().map(|known| &*known.name))
                            .collect();
                        problems.at(&alternative.span, format!("there is no authenticator `{name}`"), Some(suggestion(name, &known)));
                    }
                }
            }
            alternatives.push(members);
        }
        Some(Arc::new(Chain { alternatives }))
    }

    fn member(&self, name: &str) -> Option<Member> {
        let built_in = |proof| Member {
            name: name.into(),
            proof,
            when: None,
            on_deny: Otherwise::Deny,
            on_unknown: Otherwise::Continue,
            on_failure: Otherwise::Deny,
        };
        if let Some((_, proof)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            return Some(built_in(proof.clone()));
        }
        if let Some(profile) = name.strip_prefix("certificate:").filter(|profile| !profile.is_empty()) {
            return Some(built_in(Proof::Certificate { profile: Some(profile.into()) }));
        }
        let config = self.authenticators.iter().find(|config| *config.name == *name)?;
        Some(Member {
            name: Arc::clone(&config.name),
            proof: Proof::Authenticator,
            when: config.when.clone(),
            on_deny: config.on_deny,
            on_unknown: config.on_unknown,
            on_failure: config.on_failure,
        })
    }
}
