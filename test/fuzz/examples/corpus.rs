//! Writes the corpus into files, one directory a target, for the coverage-guided fuzzer to start from: `corpus DIRECTORY`.

use std::path::Path;

use signet_fuzz::corpus::{self, CorpusError};

fn main() -> Result<(), CorpusError> {
    let directory = std::env::args().nth(1).ok_or("usage: corpus DIRECTORY")?;
    for (target, inputs) in [
        ("packet", corpus::packets()?),
        ("topic", corpus::topics()),
        ("template", corpus::templates()),
        ("leaf", corpus::certificates()?),
        ("crl", corpus::crls()?),
        ("ocsp", signet_fuzz::revocation::responses()?),
        ("points", signet_fuzz::revocation::point_lists()?),
        ("proxy", signet_fuzz::transport::proxies()),
        ("websocket", signet_fuzz::transport::websockets()),
        ("psk", signet_fuzz::psk::handshakes()),
        ("mosquitto", signet_fuzz::mosquitto::configurations()),
        ("journal", signet_fuzz::durable::journals()),
        ("records", signet_fuzz::durable::record_lists()?),
    ] {
        let directory = Path::new(&directory).join(target);
        std::fs::create_dir_all(&directory)?;
        for (number, input) in inputs.iter().enumerate() {
            std::fs::write(directory.join(format!("{number:02}")), input)?;
        }
    }
    Ok(())
}
