//! Dynamic security: clients, groups and roles that are administered by messages to `$CONTROL/dynamic-security/v1`, as Mosquitto's plugin of that
//! name has them. Decides; whoever calls it keeps the file and ends the sessions that it names.
//!
//! [`State`] is everything that is administered. It is read from Mosquitto's file and written as that ([`State::read`], [`State::write`]), answers what a
//! client may do ([`State::judge`]), and changes by requests: [`execute`] carries one out on a copy and says what has to follow. The caller makes the copy
//! durable, puts it in force, ends the sessions that [`Executed::kicks`] names, and sends the response.
//!
//! Words of responses, their order, and what counts as an error are Mosquitto 2.1's. What is missing on purpose: files, password hashes ([`Passwords`]),
//! and who is connected ([`Connections`]).

mod access;
mod bounds;
mod command;
mod document;
mod initial;
mod json;
mod pattern;
mod state;
mod text;

pub use access::{Names, Wish};
pub use bounds::Bounds;
pub use command::{Administrator, CommandAnswer, Connections, Executed, Kick, Passwords, Surroundings, control_responses, execute};
pub use document::DocumentError;
pub use initial::{DEMO_CLIENT, initial_document};
pub use json::Json;
pub use state::{Client, State};

/// Where requests are published.
pub const REQUEST_TOPIC: &str = "$CONTROL/dynamic-security/v1";
/// Where responses are.
pub const RESPONSE_TOPIC: &str = "$CONTROL/dynamic-security/v1/response";
