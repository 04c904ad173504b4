//! The brokers that are compared, one file each.

mod flashmq;
mod floor;
mod mosquitto;
mod nats;
mod rmqtt;
mod rumqttd;
mod signet;

use std::process::{Command, Stdio};

use super::peer::Peer;

/// All that are known, in the order of the table.
pub(super) fn all() -> Vec<Box<dyn Peer>> {
    vec![
        Box::new(floor::Floor),
        Box::new(mosquitto::Mosquitto),
        Box::new(nats::Nats),
        Box::new(rumqttd::Rumqttd),
        Box::new(rmqtt::Rmqtt),
        Box::new(flashmq::FlashMq),
        Box::new(signet::Signet { shards: 1 }),
        Box::new(signet::Signet { shards: 2 }),
    ]
}

/// Those with these names, all of them without a name.
pub(super) fn chosen(names: &[String]) -> Result<Vec<Box<dyn Peer>>, String> {
    let all = all();
    if let Some(name) = names.iter().find(|name| !all.iter().any(|peer| peer.name() == name.as_str())) {
        let known: Vec<&str> = all.iter().map(|peer| peer.name()).collect();
        return Err(format!("no broker is called `{name}`, expected one of {}", known.join(", ")));
    }
    Ok(all.into_iter().filter(|peer| names.is_empty() || names.iter().any(|name| name == peer.name())).collect())
}

/// Runs a program that installs something, and lets it say what it does.
fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let status = Command::new(program).args(arguments).stdin(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{program} {}` failed: {status}", arguments.join(" "))),
        Err(error) => Err(format!("cannot run `{program}`: {error}")),
    }
}
