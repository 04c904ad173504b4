//! A line that is not shown while it is typed.

use std::fs::File;
use std::io::{self, Read};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Reads what is typed until the line ends, at most `maximum` octets, without showing it. `None`: given up by Control-C or Control-D.
///
/// # Errors
/// `terminal` is none, or cannot be read.
pub fn hidden_line(terminal: &File, maximum: u64) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let _hiding = Hiding::begin(terminal)?;
    typed(terminal, maximum)
}

fn typed(from: impl Read, maximum: u64) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut line = Zeroizing::new(Vec::new());
    let mut from = from.take(maximum);
    // One at a time: what comes behind the line belongs to the next question.
    let mut byte = Zeroizing::new([0]);
    while from.read(&mut *byte)? > 0 {
        let [byte] = *byte;
        match byte {
            b'\n' | b'\r' => break,
            // Control-C and Control-D: keys of the terminal are plain bytes while nothing is shown.
            0x03 | 0x04 => return Ok(None),
            0x08 | 0x7f => {
                // One character back.
                while line.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {}
            }
            // Control-U
            0x15 => line.clear(),
            other => line.push(other),
        }
    }
    Ok(Some(line))
}

/// A terminal that shows nothing and obeys no keys until this is dropped, so that nobody can leave it so.
struct Hiding {
    terminal: File,
    before: Termios,
}

impl Hiding {
    fn begin(terminal: &File) -> io::Result<Self> {
        let terminal = terminal.try_clone()?;
        let before = tcgetattr(&terminal)?;
        let mut hiding = before.clone();
        hiding.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(&terminal, OptionalActions::Flush, &hiding)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hiding {
    fn drop(&mut self) {
        // There is nobody to tell.
        let _ = tcsetattr(&self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_while_nothing_is_shown() {
        let typed = |text: &[u8]| typed(text, 4096).unwrap().map(|line| String::from_utf8(line.to_vec()).unwrap());
        assert_eq!(typed("sechö\x7f\x7fret\r".as_bytes()).as_deref(), Some("secret"));
        assert_eq!(typed(b"wrong\x15right\n").as_deref(), Some("right"));
        assert_eq!(typed(b"\x7f\x7fx\n").as_deref(), Some("x"));
        assert_eq!((typed(b"sec\x03ret\n"), typed(b"\x04")), (None, None));
    }
}
