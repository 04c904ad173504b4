//! What a configuration gives to the server.

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
    let limits = Limits { durability: config.store.durability(), ..config.limits.broker.clone() };
    ServerConfig {
        shards: config.shards,
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

/// A thread for each bridge, which connects in the background.
pub(super) fn start_bridges(config: &Config, server: &ServerHandle) -> Result<Bridges, StartError> {
    let mut bridges = Vec::new();
    for bridge in &config.bridges {
        let general = Limits { durability: config.store.durability(), ..config.limits.broker.clone() };
        let entrance = server.bridge_entrance(bridge.name(), Some(Arc::new(bridge.limits(&general))))?;
        let local: LocalBroker = Arc::new(move || entrance.connect());
        let unreadable = |error| StartError::Setting(format!("bridge `{}`: cannot read its password: {error}", bridge.name()));
        bridges.push((bridge.config().map_err(unreadable)?, local));
    }
    Bridges::start(bridges).map_err(StartError::System)
}

/// The rules as they are written, and what the bridges may do that run: a reload does not change those.
pub(super) fn ruleset(config: &Config, bridges: &[config::Bridge]) -> Result<Ruleset, String> {
    let sources = config.authentication.access_sources()?;
    let rules = if config.rules.is_empty() { Ruleset::allow_all() } else { Ruleset::compile(config.rules.clone()) };
    let own = config.profiles.iter().filter(|profile| !profile.rules.is_empty());
    Ok(rules
        .with_profile_rules(own.map(|profile| (profile.name.to_string(), profile.rules.clone())))
        .with_sources(sources)
        .with_grants(!config.authentication.authenticators.is_empty())
        .with_bridges(bridges.iter().filter_map(config::Bridge::rights).collect()))
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
    compare("`shards`", old.shards == new.shards);
    compare("[log]", old.log == new.log);
    compare("[admin] `socket`", old.admin_socket == new.admin_socket);
    compare("[limits]", old.limits == new.limits);
    compare("[metrics] and `sys_interval`", old.telemetry == new.telemetry);
    compare("[store]", old.store == new.store);
    let revocation = |config: &Config| {
        let rules = &config.revocation;
        (rules.publish_will, rules.keep_session, rules.refusals_kept, rules.limits.ocsp_answers)
    };
    compare("[revocation]", revocation(old) == revocation(new));
    let bridges = |config: &Config| config.bridges.iter().map(config::Bridge::fixed_part).collect::<Vec<_>>();
    compare("[[bridge]]", bridges(old) == bridges(new));
    changes
}
