//! The floor, which is this very program.

use std::io;
use std::path::Path;
use std::process::Command;

use super::super::load::Load;
use super::super::peer::{Peer, Place, Places, Program};

pub(in crate::compare) struct Floor;

impl Peer for Floor {
    fn name(&self) -> &'static str {
        "floor"
    }

    fn setup(&self) -> &'static str {
        "no broker: rustls and aws-lc in front of a loop that forwards bytes of QoS 0; asks for a client certificate and reads nothing from it"
    }

    fn find(&self, _: &Places) -> Result<Program, String> {
        let path = std::env::current_exe().map_err(|error| format!("this program is not found: {error}"))?;
        Ok(Program { path, version: env!("CARGO_PKG_VERSION").into() })
    }

    fn command(&self, program: &Path, place: &Place<'_>) -> io::Result<Command> {
        let mut command = Command::new(program);
        command.args(["floor", "--port", &place.port.to_string()]);
        if place.is_tls() {
            let server = &place.certificates.server;
            command.arg("--trust").arg(&place.certificates.authority);
            command.arg("--certificate").arg(&server.certificate).arg("--key").arg(&server.key);
        }
        Ok(command)
    }

    fn cannot(&self, load: &Load) -> Option<&'static str> {
        (!load.is_unacknowledged()).then_some("it forwards QoS 0 only")
    }
}
