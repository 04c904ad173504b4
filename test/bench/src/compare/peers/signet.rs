//! Signet itself.

use std::io;
use std::path::Path;
use std::process::Command;

use super::super::peer::{Peer, Place, Places, Program};

pub(in crate::compare) struct Signet {
    pub(in crate::compare) shards: u16,
}

impl Peer for Signet {
    fn name(&self) -> &'static str {
        if self.shards == 1 { "signet" } else { "signet-2" }
    }

    fn setup(&self) -> &'static str {
        if self.shards == 1 {
            "one shard, store off; `trust`"
        } else {
            "the same with two shards, on two processors, of which one is also that of the load"
        }
    }

    fn find(&self, places: &Places) -> Result<Program, String> {
        places.first(std::slice::from_ref(&places.signet), "--version")
    }

    fn install(&self, _: &Places) -> Result<(), String> {
        Err("build it: `cargo build --release -p signet`".into())
    }

    fn command(&self, program: &Path, place: &Place<'_>) -> io::Result<Command> {
        let mut text = format!(
            "shards = {}\nsys_interval = \"0s\"\ndata_dir = \"data\"\n[log]\nlevel = \"error\"\n[store]\nenabled = false\n\
             [[listener]]\nname = \"compared\"\nbind = \"127.0.0.1:{}\"\nmaximum_connections = 20000\n",
            self.shards, place.port
        );
        if place.is_tls() {
            let server = &place.certificates.server;
            text.push_str(&format!(
                "transport = \"tls\"\ncertificate = {:?}\nkey = {:?}\ntrust = {:?}\n",
                server.certificate, server.key, place.certificates.authority
            ));
        } else {
            text.push_str("transport = \"tcp\"\nanonymous = true\n");
        }
        text.push_str("[[access]]\nwho = \"everyone\"\npublish = [\"#\"]\nsubscribe = [\"#\"]\n");
        let mut command = Command::new(program);
        command.args(["serve", "-c"]).arg(place.write("signet.toml", &text)?);
        Ok(command)
    }

    fn processors(&self) -> &'static str {
        if self.shards == 1 { "0" } else { "0,1" }
    }
}
