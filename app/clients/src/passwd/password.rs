//! A password that is asked for, twice.

use std::fs::File;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::os::fd::AsFd as _;

use zeroize::Zeroizing;

use super::{Failure, say};
use crate::hidden_line::hidden_line;

/// Octets of a line that are read.
const LINE_MAXIMUM: u64 = 65_499;

pub(super) enum Asked {
    Password(Zeroizing<Vec<u8>>),
    /// Control-C at the terminal.
    GivenUp,
}

/// Asks on the standard output and reads from the standard input, which need not be a terminal.
pub(super) fn ask() -> Result<Asked, Failure> {
    let Some(first) = answer("Password: ")? else { return Ok(Asked::GivenUp) };
    let Some(second) = answer("Reenter password: ")? else { return Ok(Asked::GivenUp) };
    if *first == *second {
        return Ok(Asked::Password(first));
    }
    Err(Failure { message: b"Error: Passwords do not match.".to_vec(), code: 2 })
}

fn answer(prompt: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    say(prompt.as_bytes());
    let line = read().map_err(|_| Failure::new("Error: Empty password."))?;
    let Some(mut line) = line else {
        say(b"\n");
        return Ok(None);
    };
    while line.last().is_some_and(|octet| matches!(octet, b'\n' | b'\r')) {
        line.pop();
    }
    if line.is_empty() {
        return Err(Failure::new("Error: Empty password."));
    }
    say(b"\n");
    Ok(Some(line))
}

fn read() -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let input = io::stdin();
    if input.is_terminal() {
        return hidden_line(&File::from(input.as_fd().try_clone_to_owned()?), LINE_MAXIMUM);
    }
    let mut line = Zeroizing::new(Vec::new());
    // What comes behind the line stays for the next question.
    input.lock().take(LINE_MAXIMUM).read_until(b'\n', &mut line)?;
    Ok(Some(line))
}
