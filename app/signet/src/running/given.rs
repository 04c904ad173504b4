//! What a configuration gives to the server.

use signet_auth::DynamicSecurity;
use signet_policy::OwnTopics;

use super::*;

pub(super) fn server_config(
    config: &Config,
    ruleset: Ruleset,
    vouchers: &Vouchers,
    on_store_failure: Arc<dyn Fn() + Send + Sync>,
) -> ServerConfig {
    let mut seed = [0; 8];
    // Only spreads load and makes assigned identifiers: a process that can get no randomness fails its first handshake anyway.
    let _ = aws_lc_rs::rand::fill(&mut seed);
    let limits = limits(config);
    ServerConfig {
        shards: config.process.shards,
        profiles: profiles(config),
        listeners: listeners(config, vouchers, &limits.durability),
        limits: Arc::new(limits),
        server_limits: config.limits.server.clone(),
        ruleset: Arc::new(ruleset),
        will_on_revoke: if config.revocation.publish_will { WillRule::Publish } else { WillRule::Drop },
        session_on_revoke: if config.revocation.keep_session { SessionRule::Keep } else { SessionRule::End },
        on_clone: Arc::new(|_| {}),
        authentication: Some(Arc::new(vouchers.clone())),
        refusals_kept: config.revocation.refusals_kept,
        store: config.store.enabled.then(|| config.store.place(&config.data_dir)),
        on_store_failure,
        seed: u64::from_le_bytes(seed),
    }
}

/// The bounds of the broker.
pub(super) fn limits(config: &Config) -> Limits {
    Limits { durability: config.store.durability(), ..config.limits.broker.clone() }
}

/// What a reload gives to the server.
pub(super) fn listening_config(config: &Config, vouchers: &Vouchers) -> (Vec<ListenerConfig>, Vec<ProfileConfig>) {
    (listeners(config, vouchers, &config.store.durability()), profiles(config))
}

fn listeners(config: &Config, vouchers: &Vouchers, general: &DurabilityRules) -> Vec<ListenerConfig> {
    let speaking_mqtt = config.listeners.iter().filter(|listener| listener.http().is_none());
    speaking_mqtt.map(|listener| listener_config(listener, vouchers, general)).collect()
}

fn profiles(config: &Config) -> Vec<ProfileConfig> {
    config.profiles.iter().map(config::Profile::config).collect()
}

/// A listener that says how durable messages are takes the place of `[store]`; single topics still go first.
fn listener_config(listener: &config::Listener, vouchers: &Vouchers, general: &DurabilityRules) -> ListenerConfig {
    let lookup = |wanted: &config::WantedKeys| -> Arc<dyn PskLookup> { SharedKeys::new(vouchers.clone(), wanted.clone()) };
    let mut listening = listener.config(lookup);
    let durability = listener.durability.map_or_else(|| general.clone(), |own| general.with_default(own));
    listening.broker_limits = Some(Arc::new(Limits { durability, ..listener.limits().broker.clone() }));
    listening
}

pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The bridges of a configuration, each with its way into the server.
pub(super) fn bridges(config: &Config, server: &ServerHandle) -> Result<Vec<Planned>, StartError> {
    let mut bridges = Vec::new();
    for bridge in &config.bridges {
        let limits = bridge.limits(&limits(config));
        let bounds = format!("{limits:?}");
        let unreadable = |error| StartError::Setting(format!("bridge `{}`: cannot read its password: {error}", bridge.name()));
        let config = bridge.config().map_err(unreadable)?;
        let entrance = server.bridge_entrance(config.client(), Some(Arc::new(limits)))?;
        let local: LocalBroker = Arc::new(move || entrance.connect());
        bridges.push(Planned { config, local, bounds });
    }
    Ok(bridges)
}

/// What the bridges of a configuration may do. `former`: what those may do besides that are still connected as they were configured before.
pub(super) fn bridge_rights(config: &Config, former: &[BridgeRights]) -> Vec<BridgeRights> {
    let mut rights: Vec<BridgeRights> = config.bridges.iter().filter_map(config::Bridge::rights).collect();
    for former in former {
        let Some(own) = rights.iter_mut().find(|own| own.name == former.name) else { continue };
        for (list, more) in [(&mut own.publish, &former.publish), (&mut own.subscribe, &former.subscribe)] {
            let new: Vec<_> = more.iter().filter(|filter| !list.contains(filter)).cloned().collect();
            list.extend(new);
        }
    }
    rights
}

/// The rules as they are written, and what the bridges may do.
pub(super) fn ruleset(config: &Config, bridges: Vec<BridgeRights>, clients: Option<&Arc<DynamicSecurity>>) -> Result<Ruleset, String> {
    let sources = config.authentication.access_sources(clients)?;
    let services = &config.authentication.services;
    let own_topics = OwnTopics { control: clients.is_some() || services.broker_control, birth_certificates: services.sparkplug };
    let rules = if config.rules.is_empty() { Ruleset::allow_all() } else { Ruleset::compile(config.rules.clone()) };
    let own = config.profiles.iter().filter(|profile| !profile.rules.is_empty());
    Ok(rules
        .with_profile_rules(own.map(|profile| (profile.name.to_string(), profile.rules.clone())))
        .with_sources_for(sources)
        .with_reserved(config.limits.reserved)
        .with_own_topics(own_topics)
        .with_grants(!config.authentication.authenticators.is_empty())
        .with_bridges(bridges))
}

/// What is written differently now and cannot change while clients are connected.
pub(super) fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    let mut changes = Vec::new();
    let mut compare = |what: &str, same: bool| {
        if !same {
            changes.push(what.to_owned());
        }
    };
    compare("`data_dir`", old.data_dir == new.data_dir);
    let interfaces = |config: &Config| {
        config.listeners.iter().map(|listener| (listener.name.clone(), listener.interface().map(str::to_owned))).collect::<Vec<_>>()
    };
    let kept = interfaces(new).into_iter().all(|now| interfaces(old).iter().all(|then| then.0 != now.0 || then.1 == now.1));
    compare("`bind_interface`", kept);
    compare("`shards`", old.process.shards == new.process.shards);
    compare("`user`", old.process.user == new.process.user);
    compare("`pid_file`", old.process.pid_file == new.process.pid_file);
    compare("[log] `format`", old.log.format == new.log.format);
    compare("[admin] `socket`", old.admin_socket == new.admin_socket);
    compare("what [limits] says of attempts and flapping", old.limits.server.abuse == new.limits.server.abuse);
    compare("[metrics] and `sys_interval`", old.telemetry == new.telemetry);
    compare("[store]", old.store == new.store);
    let revocation = |config: &Config| {
        let rules = &config.revocation;
        (rules.publish_will, rules.keep_session, rules.refusals_kept, rules.limits.ocsp_answers)
    };
    compare("[revocation]", revocation(old) == revocation(new));
    let files = |config: &Config| {
        let files = config.authentication.services.dynamic_security.as_ref();
        files.map(|files| (files.file.clone(), files.password_init_file.clone()))
    };
    compare("[dynamic_security]", files(old) == files(new));
    changes
}

#[cfg(test)]
mod tests;
