//! Where the password of a user comes from: a file, the standard input, the terminal, or chance.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use signet_admin::api::SecretText;
use zeroize::Zeroizing;

use crate::flags::Secret;
use crate::hint::Failure;

/// The longest line that is read for a password, in bytes.
const LINE_BYTES_MAX: u64 = 4096;
/// Octets of chance in a password that is made here.
const CHANCE: usize = 18;

/// A password.
pub(super) struct Made {
    pub(super) password: SecretText,
    /// It was made here, and nobody knows it yet.
    pub(super) is_new: bool,
}

/// Reads the password for a user, or makes it.
pub(super) fn read(flags: &Secret, name: &str) -> Result<Made, Failure> {
    if flags.generate {
        let mut chance = Zeroizing::new([0; CHANCE]);
        aws_lc_rs::rand::fill(&mut *chance).map_err(|_| Failure::new("the system has no randomness for a password"))?;
        return Ok(Made { password: SecretText::new(URL_SAFE_NO_PAD.encode(*chance)), is_new: true });
    }
    let password = match &flags.password_file {
        Some(path) => first_line(File::open(path).map_err(|error| Failure::file("read", path, &error))?)?,
        None if flags.password_stdin => first_line(io::stdin().lock())?,
        None => ask(name)?,
    };
    if password.is_empty() {
        return Err(Failure::new("the password is empty"));
    }
    Ok(Made { password: SecretText::new(password), is_new: false })
}

/// The first line, without its end.
fn first_line(from: impl Read) -> Result<String, Failure> {
    let mut line = Zeroizing::new(Vec::new());
    let read = BufReader::new(from.take(LINE_BYTES_MAX + 1)).read_until(b'\n', &mut line);
    read.map_err(|error| Failure::new(format!("cannot read the password: {error}")))?;
    if u64::try_from(line.len()).unwrap_or(u64::MAX) > LINE_BYTES_MAX {
        return Err(Failure::new(format!("the line of the password is longer than {LINE_BYTES_MAX} bytes")));
    }
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8(line.to_vec()).map_err(|_| Failure::new("the password is not UTF-8 text"))
}

/// Asks at the terminal, twice.
fn ask(name: &str) -> Result<String, Failure> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").ok().filter(|_| io::stdin().is_terminal());
    let Some(mut terminal) = terminal else {
        return Err(
            Failure::new("there is no terminal to ask for the password").hint("--password-stdin, --password-file FILE or --generate")
        );
    };
    let first = Zeroizing::new(hidden(&mut terminal, &format!("password for {name}: "))?);
    let again = Zeroizing::new(hidden(&mut terminal, "the same again: ")?);
    if *first != *again {
        return Err(Failure::new("the two passwords differ; nothing was changed"));
    }
    Ok(first.to_string())
}

/// A line that is not shown while it is typed.
fn hidden(terminal: &mut File, prompt: &str) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::new(format!("cannot read from the terminal: {error}"));
    terminal.write_all(prompt.as_bytes()).map_err(failed)?;
    let line = signet_clients::hidden_line(terminal, LINE_BYTES_MAX);
    terminal.write_all(b"\n").map_err(failed)?;
    let line = line.map_err(failed)?.ok_or_else(|| Failure::new("given up; nothing was changed"))?;
    String::from_utf8(line.to_vec()).map_err(|_| Failure::new("the password is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_password() {
        for (text, expected) in [("secret", "secret"), ("secret\n", "secret"), ("sec ret \r\nmore", "sec ret "), ("\n", ""), ("", "")] {
            assert_eq!(first_line(text.as_bytes()).unwrap(), expected);
        }
        first_line(b"\xff".as_slice()).unwrap_err();
        first_line("x".repeat(5000).as_bytes()).unwrap_err();
    }
}
