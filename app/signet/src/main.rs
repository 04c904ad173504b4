//! Signet: an MQTT broker and the certificate authority of its devices. Parse, run, end with a documented exit code; nothing else.

mod answers;
mod authentication;
mod broker_control;
mod ca_files;
mod client_program;
mod command;
mod config;
mod data_lock;
mod dynamic_security;
mod exit;
mod flags;
mod follow_up;
mod hint;
mod inventory;
mod log;
mod office;
mod open_files;
mod output;
mod pid_file;
mod privileges;
mod process_facts;
mod program;
mod running;
mod service_manager;
mod shared_keys;
mod sources;
mod staples;
mod state_directory;
mod telemetry;
mod watched;

use std::process::ExitCode;

use clap::Parser as _;

use flags::{Command, Flags};

/// Messages are made on the publisher's core and given back on the receiver's.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    if let Some(program) = program::by_name(std::env::args_os()) {
        return program;
    }
    if let Some(client) = client_program::by_word(std::env::args_os()) {
        return client;
    }
    let result = match Flags::parse().command {
        Command::Quickstart(flags) => command::quickstart::run(&flags),
        Command::Serve(flags) => command::serve::run(&flags.into()),
        Command::Status(flags) => command::status::run(&flags),
        Command::Check(flags) => command::check::run(&flags),
        Command::Import(flags) => command::import::run(&flags),
        Command::Ca(flags) => command::ca::run(&flags),
        Command::Device(flags) => command::device::run(&flags),
        Command::Revocation(flags) => command::revocation::run(&flags),
        Command::Connections(flags) => command::connections::run(&flags),
        Command::Audit(flags) => command::audit::run(&flags),
        Command::Explain(flags) => command::explain::run(&flags),
        Command::Acl(flags) => command::access::acl(&flags),
        Command::Auth(flags) => command::access::auth(&flags),
        Command::Refusals(flags) => command::refusals::run(&flags),
        Command::Trust(flags) => command::trust::run(&flags),
        Command::User(flags) => command::user::run(&flags),
        Command::Store(flags) => command::store::run(&flags),
        Command::Bench(flags) => command::bench::run(&flags),
        Command::Pub(words) => return client_program::run("pub".as_ref(), words.arguments),
        Command::Sub(words) => return client_program::run("sub".as_ref(), words.arguments),
        Command::Rr(words) => return client_program::run("rr".as_ref(), words.arguments),
        Command::Passwd(words) => return client_program::run("passwd".as_ref(), words.arguments),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::note(&failure.to_string());
            failure.exit.into()
        }
    }
}
