//! rmqtt, a library on crates.io, in a program of twenty lines (`peers/rmqtt`): the daemon made of it takes hundreds of crates more.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use super::super::peer::{Peer, Place, Places, Program};

pub(in crate::compare) struct Rmqtt;

const MANIFEST: &str = include_str!("../../../peers/rmqtt/Cargo.toml");
const SOURCE: &str = include_str!("../../../peers/rmqtt/src/main.rs");

impl Peer for Rmqtt {
    fn name(&self) -> &'static str {
        "rmqtt"
    }

    fn setup(&self) -> &'static str {
        "the library without plugins, with jemalloc as its daemon; `tls_cross_certificate`"
    }

    fn find(&self, places: &Places) -> Result<Program, String> {
        places.first(&[places.peers.join("rmqtt/bin/compared-rmqtt")], "--version")
    }

    /// Builds in `target`, so that no lock file and no build appears among the sources.
    fn install(&self, places: &Places) -> Result<(), String> {
        let folder = places.peers.join("rmqtt");
        let written = fs::create_dir_all(folder.join("src"))
            .and_then(|()| fs::write(folder.join("Cargo.toml"), MANIFEST))
            .and_then(|()| fs::write(folder.join("src/main.rs"), SOURCE));
        written.map_err(|error| format!("cannot write to `{}`: {error}", folder.display()))?;
        let (root, build) = (folder.to_string_lossy(), places.peers.join("build"));
        super::run("cargo", &["install", "--path", &root, "--root", &root, "--target-dir", &build.to_string_lossy()])
    }

    fn command(&self, program: &Path, place: &Place<'_>) -> io::Result<Command> {
        let mut command = Command::new(program);
        command.arg(place.port.to_string());
        if place.is_tls() {
            let server = &place.certificates.server;
            command.args([&place.certificates.authority, &server.certificate, &server.key]);
        }
        Ok(command)
    }
}
