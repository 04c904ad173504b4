//! `signet-instructions`: counts and compares; `--write` takes what it has counted for what is expected from now on.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command")]

use std::process::ExitCode;

const USAGE: &str = "usage: signet-instructions            count all and compare with what is expected
       signet-instructions --write    count all, and write down what is expected from now on
       signet-instructions profile NAME   where the instructions of one go
       signet-instructions run [NAME…]    only do it, for a tool that looks on";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        [] => signet_instructions::compare(),
        ["--write"] => signet_instructions::write(),
        ["profile", name] => signet_instructions::profile(name),
        ["run", names @ ..] => signet_instructions::run(names),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}
