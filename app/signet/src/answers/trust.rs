//! Trust profiles in words.

use signet_admin::api::{TrustProfile, TrustedAuthority};
use signet_admin::date;
use signet_identity::Leaf;
use signet_net::ClonePolicy;
use signet_revocation::{RevocationDepth, RevocationMode, RevocationRules, StalePolicy};
use signet_server::{ProfileInUse, ServerHandle};
use signet_sources::{SourceReport, Sources};

/// Every trust profile of the server.
pub(crate) fn profiles(server: &ServerHandle, sources: &Sources) -> Vec<TrustProfile> {
    let sources = sources.report();
    server.profiles().iter().map(|in_use| profile(in_use, &sources)).collect()
}

fn profile(in_use: &ProfileInUse, sources: &[SourceReport]) -> TrustProfile {
    let ProfileInUse { profile, settings, listeners } = in_use;
    let config = profile.config();
    let trust = profile.trust();
    let authority = |leaf: Leaf| TrustedAuthority {
        subject: leaf.subject().rfc4514(),
        anchor: trust.is_anchor(leaf.authority_id()),
        key_type: leaf.key_kind().to_owned(),
        key: leaf.spki_digest().to_string(),
        fingerprint: leaf.fingerprint().to_string(),
        not_after: date(leaf.validity().not_after),
    };
    let own = sources.iter().filter(|source| *source.profile == **profile.name());
    let mut revocation = revocation(&config.revocation);
    if !config.status_wait.is_zero() {
        let seconds = config.status_wait.as_secs_f64();
        revocation.push(format!("a client whose status nobody knows yet waits {seconds} s at most (status_wait)"));
    }
    TrustProfile {
        name: profile.name().to_string(),
        enabled: config.enabled,
        enabled_in_configuration: config.enabled,
        disabled: None,
        tenant: config.tenant.as_ref().map(ToString::to_string),
        authorities: trust.certificates().filter_map(|der| Leaf::parse(der).ok()).map(authority).collect(),
        rules: rules(in_use, settings.clones.policy),
        revocation,
        sources: own.map(|source| format!("{} {}", source.kind.name(), source.address)).collect(),
        listeners: listeners.clone(),
        sessions: 0,
    }
}

fn rules(in_use: &ProfileInUse, clones: ClonePolicy) -> Vec<String> {
    let config = in_use.profile.config();
    let rules = &config.rules;
    let mut lines = vec![format!("the device is named by {}", config.naming.template())];
    lines.extend(rules.intermediates_maximum.map(|count| format!("{count} intermediate certificates at most (path_length)")));
    if !rules.extended_key_usages.is_empty() {
        lines.push(format!("extended key usage holds {}", rules.extended_key_usages.join(", ")));
    }
    if !rules.keys.is_empty() {
        let keys: Vec<String> = rules.keys.iter().map(ToString::to_string).collect();
        lines.push(format!("keys: {}", keys.join(", ")));
    }
    if !rules.signatures.is_empty() {
        lines.push(format!("signatures: {}", rules.signatures.join(", ")));
    }
    lines.extend(rules.validity_maximum.map(|seconds| format!("valid for {} days at most (validity_maximum)", seconds / 86_400)));
    if config.expiry_grace > 0 {
        lines.push(format!("open sessions may outlive the certificate by {} s (expiry_grace)", config.expiry_grace));
    }
    lines.push(match clones {
        ClonePolicy::Allow => "a certificate may be in use twice (clones = \"allow\")".to_owned(),
        ClonePolicy::Alarm => "a certificate that is in use twice is logged (clones = \"alarm\")".to_owned(),
        ClonePolicy::RefuseNewer => "of two with one certificate the newer is refused (clones = \"refuse\")".to_owned(),
        ClonePolicy::Suspend => "a device whose certificate is in use twice is suspended (clones = \"suspend\")".to_owned(),
    });
    lines
}

fn revocation(rules: &RevocationRules) -> Vec<String> {
    let mode = match rules.mode {
        RevocationMode::Require => "an answer is required for each certificate (revocation = \"require\")",
        RevocationMode::Prefer => "what is known counts, nothing has to be known (revocation = \"prefer\")",
        RevocationMode::Off => "lists and responders are not looked at (revocation = \"off\")",
    };
    let mut lines = vec![mode.to_owned()];
    if rules.mode == RevocationMode::Off {
        return lines;
    }
    lines.push(match rules.depth {
        RevocationDepth::Chain => "the whole path is asked about (revocation_depth = \"chain\")".to_owned(),
        RevocationDepth::Leaf => "only the device's own certificate is asked about (revocation_depth = \"leaf\")".to_owned(),
    });
    lines.push(match rules.stale {
        StalePolicy::Deny => {
            format!("an overdue list counts for {} s more, then its devices are refused (crl_stale = \"deny\")", rules.grace)
        }
        StalePolicy::Allow => "an overdue list goes on to count (crl_stale = \"allow\")".to_owned(),
    });
    lines
}
