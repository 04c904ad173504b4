//! What Mosquitto's files and words mean: `mosquitto.conf` read as Mosquitto 2.1.2 reads it, and written as `signet.toml`; its log lines.
//!
//! Nothing here opens a file or a socket. What a file names is asked for through [`Files`], so that the same code serves `signet serve`,
//! `signet import mosquitto` and the tests.

pub mod conf;
pub mod log;
mod native;
pub mod program;
mod translation;

pub use native::{Outside, nothing_configured, translate, translate_with};
pub use translation::{Files, Mistake, Notice, Place, Translation};
