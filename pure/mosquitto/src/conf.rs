//! `mosquitto.conf` as Mosquitto 2.1.2 reads it: lines, options, what each of them belongs to, and what is wrong with them.
//!
//! [`options`] is the one table of everything that may be written; the reader, the defaults, the reference page and the tests go by it.

mod checks;
mod lines;
mod model;
pub mod options;
mod reader;
mod structure;
mod values;

pub use model::{Address, At, Backoff, Bridge, BridgeTopic, Direction, Listener, ListenerAddress, Plugin, Security, Settings, Values};
pub use reader::read;
pub use values::Value;
