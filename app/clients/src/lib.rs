//! Programs that have the flags, the output and the exit codes of Mosquitto's: pub, sub, rr and passwd.

mod hidden_line;
mod passwd;

pub use hidden_line::hidden_line;
pub use passwd::run as passwd;
