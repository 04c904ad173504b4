//! FlashMQ, which is in no registry: it is compared where somebody has put it into the path.

use std::io;
use std::path::Path;
use std::process::Command;

use super::super::peer::{Peer, Place, Places, Program};

pub(in crate::compare) struct FlashMq;

impl Peer for FlashMq {
    fn name(&self) -> &'static str {
        "flashmq"
    }

    fn setup(&self) -> &'static str {
        "`thread_count 1`, `tcp_nodelay true`; `client_verification_ca_file`"
    }

    fn find(&self, places: &Places) -> Result<Program, String> {
        let found = places.first(&["flashmq".into()], "--version");
        found.map_err(|reason| format!("{reason} in the path, and no registry has it"))
    }

    fn install(&self, _: &Places) -> Result<(), String> {
        Err("no registry has it: build it and put it into the path".into())
    }

    fn command(&self, program: &Path, place: &Place<'_>) -> io::Result<Command> {
        let mut listener =
            format!("port {}\ninet_protocol ip4\ninet4_bind_address 127.0.0.1\ntcp_nodelay true\nprotocol mqtt\n", place.port);
        if place.is_tls() {
            let server = &place.certificates.server;
            listener.push_str(&format!(
                "fullchain {}\nprivkey {}\nclient_verification_ca_file {}\n",
                server.certificate.display(),
                server.key.display(),
                place.certificates.authority.display()
            ));
        }
        let text = format!("allow_anonymous true\nthread_count 1\nlog_file /dev/null\nlisten {{\n{listener}}}\n");
        let mut command = Command::new(program);
        command.arg("--config-file").arg(place.write("flashmq.conf", &text)?);
        Ok(command)
    }
}
