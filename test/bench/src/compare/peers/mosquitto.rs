//! Eclipse Mosquitto, from apt.

use std::io;
use std::path::Path;
use std::process::Command;

use super::super::peer::{Peer, Place, Places, Program};

pub(in crate::compare) struct Mosquitto;

impl Peer for Mosquitto {
    fn name(&self) -> &'static str {
        "mosquitto"
    }

    fn setup(&self) -> &'static str {
        "persistence and log off, no limit of queues, TCP_NODELAY; `require_certificate`, `use_identity_as_username`"
    }

    fn find(&self, places: &Places) -> Result<Program, String> {
        // Debian puts the daemon where ordinary users have no path to it.
        places.first(&["/usr/sbin/mosquitto".into(), "mosquitto".into()], "-h")
    }

    fn install(&self, _: &Places) -> Result<(), String> {
        super::run("apt-get", &["install", "-y", "-qq", "--no-install-recommends", "mosquitto"])
    }

    fn command(&self, program: &Path, place: &Place<'_>) -> io::Result<Command> {
        let mut text = format!(
            "user root\nper_listener_settings true\npersistence false\nset_tcp_nodelay true\nlog_dest none\nmax_queued_messages 0\nlistener {} 127.0.0.1\n",
            place.port
        );
        if place.is_tls() {
            let server = &place.certificates.server;
            text.push_str(&format!(
                "cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\nuse_identity_as_username true\n",
                place.certificates.authority.display(),
                server.certificate.display(),
                server.key.display()
            ));
        } else {
            text.push_str("allow_anonymous true\n");
        }
        let mut command = Command::new(program);
        command.arg("-c").arg(place.write("mosquitto.conf", &text)?);
        Ok(command)
    }
}
