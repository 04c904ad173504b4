//! What the broker costs: memory and disk for what it holds, and processor time for what trust and revocation take. Each module is one command of
//! the binary.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that cannot be made ends the program with its reason"
)]

pub mod authentications;
mod broker;
pub mod compare;
mod crowd;
mod figure;
pub mod floor;
pub mod handshakes;
pub mod lists;
pub mod live;
mod memory;
mod meter;
pub mod mosquitto;
mod pki;
pub mod sockets;
pub mod storm;
pub mod subscriptions;

pub use broker::Level;
pub use figure::Figure;
pub use memory::{Cost, measure};
