//! rumqttd, from crates.io.

use std::io;
use std::path::Path;
use std::process::Command;

use super::super::load::Mqtt;
use super::super::peer::{Peer, Place, Places, Program};

pub(in crate::compare) struct Rumqttd;

/// The one these settings are for.
const VERSION: &str = "0.20.0";

impl Peer for Rumqttd {
    fn name(&self) -> &'static str {
        "rumqttd"
    }

    fn setup(&self) -> &'static str {
        "feature `verify-client-cert`, `next_connection_delay_ms = 0`; `capath`"
    }

    fn find(&self, places: &Places) -> Result<Program, String> {
        places.first(&[places.peers.join("rumqttd/bin/rumqttd"), "rumqttd".into()], "--version")
    }

    /// Not `--locked`: a dependency it locks no longer compiles.
    fn install(&self, places: &Places) -> Result<(), String> {
        let (root, build) = (places.peers.join("rumqttd"), places.peers.join("build"));
        let arguments = ["install", "rumqttd", "--version", VERSION, "--features", "verify-client-cert", "--root", &root.to_string_lossy()];
        super::run("cargo", &[&arguments[..], &["--target-dir", &build.to_string_lossy()]].concat())
    }

    fn command(&self, program: &Path, place: &Place<'_>) -> io::Result<Command> {
        let table = if place.mqtt == Mqtt::V5 { "v5" } else { "v4" };
        let mut text = format!(
            "id = 0\n[router]\nid = 0\nmax_connections = 20000\nmax_outgoing_packet_count = 200\nmax_segment_size = 104857600\nmax_segment_count = 10\n\
             [{table}.1]\nname = \"compared\"\nlisten = \"127.0.0.1:{}\"\nnext_connection_delay_ms = 0\n\
             [{table}.1.connections]\nconnection_timeout_ms = 60000\nmax_payload_size = 1048576\nmax_inflight_count = 100\ndynamic_filters = true\n",
            place.port
        );
        if place.is_tls() {
            let server = &place.certificates.server;
            text.push_str(&format!(
                "[{table}.1.tls]\ncapath = {:?}\ncertpath = {:?}\nkeypath = {:?}\n",
                place.certificates.authority, server.certificate, server.key
            ));
        }
        let mut command = Command::new(program);
        command.arg("--config").arg(place.write("rumqttd.toml", &text)?);
        Ok(command)
    }
}
