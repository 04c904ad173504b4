//! Reads along until the client has named its key: octets go on to the library record by record, up to the one for which a key is needed first.

use crate::hello::{self, Hello, Malformed};

/// The longest handshake message that is read, in octets. A ClientHello with post-quantum key shares and a ticket of another server has a few
/// thousand.
const MESSAGE: usize = 16 * 1024;

/// The longest plaintext record, RFC 8446 §5.1.
const RECORD: usize = 16 * 1024;

/// Octets of the records of one message: whoever cuts it into records of one octet each may do so, but not for ever.
const FLIGHT: usize = 64 * 1024;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const CLIENT_KEY_EXCHANGE: u8 = 16;

/// How to go on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing that decides anything.
    Nothing,
    /// A whole ClientHello.
    Hello(OwnedHello),
    /// A whole ClientKeyExchange with this identity.
    KeyExchange(Vec<u8>),
}

/// [`Hello`] without the octets that it was read from.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnedHello {
    pub(crate) takes_tls12: bool,
    pub(crate) takes_tls13: bool,
    pub(crate) names_groups: bool,
    pub(crate) identities: Vec<Vec<u8>>,
}

/// Why it cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// Not TLS at all.
    NotTls,
    /// A message that cannot be read.
    Malformed,
    /// A message or record beyond all bounds.
    TooLarge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Hello,
    KeyExchange,
    Nothing,
}

/// Reads along with one connection's handshake.
#[derive(Debug)]
pub(crate) struct Peek {
    awaited: Awaited,
    /// Octets that are not looked at yet: less than a record, unless a question is open.
    held: Vec<u8>,
    /// The message that is awaited, as far as it is here.
    message: Vec<u8>,
    /// Octets that went on and belong to it.
    passed: usize,
}

impl Peek {
    pub(crate) fn new() -> Self {
        Self { awaited: Awaited::Hello, held: Vec::new(), message: Vec::new(), passed: 0 }
    }

    /// Octets kept.
    pub(crate) fn buffered(&self) -> usize {
        self.held.len() + self.message.len()
    }

    /// Takes what came.
    pub(crate) fn feed(&mut self, input: &[u8]) {
        self.held.extend_from_slice(input);
    }

    /// There is nothing more to look for.
    pub(crate) fn stop(&mut self) {
        self.awaited = Awaited::Nothing;
        self.message = Vec::new();
    }

    /// Moves what may go on to the end of `onward`, up to the next message that decides something. To be called until it has seen nothing.
    pub(crate) fn next(&mut self, onward: &mut Vec<u8>) -> Result<Seen, Misfit> {
        while self.awaited != Awaited::Nothing {
            let Some(record) = self.record()? else { return Ok(Seen::Nothing) };
            let content = self.held.get(5..record).unwrap_or_default();
            let is_handshake = self.held.first() == Some(&HANDSHAKE);
            if is_handshake {
                self.message.extend_from_slice(content);
            } else {
                // An alert, or what the library will complain about.
                self.stop();
            }
            onward.extend(self.held.drain(..record));
            self.passed += record;
            let seen = self.message()?;
            if seen != Seen::Nothing {
                return Ok(seen);
            }
            if self.passed > FLIGHT {
                return Err(Misfit::TooLarge);
            }
        }
        move_all(&mut self.held, onward);
        Ok(Seen::Nothing)
    }

    /// The length of the next record, if it is here.
    fn record(&self) -> Result<Option<usize>, Misfit> {
        let is_first = self.awaited == Awaited::Hello && self.passed == 0;
        match *self.held.as_slice() {
            [kind, ..] if is_first && kind != HANDSHAKE => Err(Misfit::NotTls),
            [_, major, ..] if major != 3 => Err(if is_first { Misfit::NotTls } else { Misfit::Malformed }),
            [kind, _, _, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([high, low]));
                if length > RECORD {
                    return Err(Misfit::TooLarge);
                }
                if length == 0 && kind == HANDSHAKE {
                    return Err(Misfit::Malformed);
                }
                Ok((self.held.len() >= 5 + length).then_some(5 + length))
            }
            _ => Ok(None),
        }
    }

    fn message(&mut self) -> Result<Seen, Misfit> {
        let [kind, a, b, c, ..] = *self.message.as_slice() else { return Ok(Seen::Nothing) };
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        let expected = match self.awaited {
            Awaited::Hello => CLIENT_HELLO,
            Awaited::KeyExchange => CLIENT_KEY_EXCHANGE,
            Awaited::Nothing => return Ok(Seen::Nothing),
        };
        if kind != expected {
            // The library says what is wrong with it.
            self.stop();
            return if expected == CLIENT_HELLO { Err(Misfit::Malformed) } else { Ok(Seen::Nothing) };
        }
        if length > MESSAGE {
            return Err(Misfit::TooLarge);
        }
        let Some(body) = self.message.get(4..4 + length) else { return Ok(Seen::Nothing) };
        let is_alone = self.message.len() == 4 + length;
        let seen = match self.awaited {
            // Whoever sends more before the answer does not speak TLS.
            Awaited::Hello if !is_alone => return Err(Misfit::Malformed),
            Awaited::Hello => Seen::Hello(owned(&Hello::parse(body)?)),
            _ => Seen::KeyExchange(hello::key_exchange(body)?.to_vec()),
        };
        self.awaited = if self.awaited == Awaited::Hello { Awaited::KeyExchange } else { Awaited::Nothing };
        self.message = Vec::new();
        self.passed = 0;
        Ok(seen)
    }
}

/// Without copying, where it can be.
pub(crate) fn move_all(from: &mut Vec<u8>, to: &mut Vec<u8>) {
    if to.is_empty() {
        *to = std::mem::take(from);
    } else {
        to.append(from);
    }
}

fn owned(hello: &Hello<'_>) -> OwnedHello {
    OwnedHello {
        takes_tls12: hello.takes_tls12,
        takes_tls13: hello.takes_tls13,
        names_groups: hello.names_groups,
        identities: hello.identities.iter().map(|identity| identity.to_vec()).collect(),
    }
}

impl From<Malformed> for Misfit {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hello::tests::{hello, tls13};

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind], &length[1..], body].concat()
    }

    /// The message in records of at most `size` octets.
    fn records(message: &[u8], size: usize) -> Vec<u8> {
        let record = |part: &[u8]| [&[HANDSHAKE, 3, 1], &u16::try_from(part.len()).unwrap().to_be_bytes()[..], part].concat();
        message.chunks(size).flat_map(record).collect()
    }

    fn run(input: &[u8], portion: usize) -> (Vec<Seen>, Vec<u8>, Result<(), Misfit>) {
        let (mut peek, mut seen, mut onward) = (Peek::new(), Vec::new(), Vec::new());
        for part in input.chunks(portion) {
            peek.feed(part);
            loop {
                match peek.next(&mut onward) {
                    Ok(Seen::Nothing) => break,
                    Ok(something) => seen.push(something),
                    Err(misfit) => return (seen, onward, Err(misfit)),
                }
            }
            assert!(peek.buffered() <= 5 + RECORD + 4 + MESSAGE + portion);
        }
        (seen, onward, Ok(()))
    }

    #[test]
    fn both_messages_are_seen_in_any_portions_and_everything_goes_on() {
        let first = message(CLIENT_HELLO, &hello(&tls13(&[b"pump-7"])));
        let second = message(CLIENT_KEY_EXCHANGE, &[0, 6, b'p', b'u', b'm', b'p', b'-', b'7']);
        for size in [1, 7, 16 * 1024] {
            let mut input = records(&first, size);
            input.extend(records(&second, size));
            input.extend([20, 3, 3, 0, 1, 1]);
            input.extend([23, 3, 3, 0x7f, 0xff, 9, 9]);
            for portion in [1, 2, 100, input.len()] {
                let (seen, onward, result) = run(&input, portion);
                assert_eq!(result, Ok(()));
                assert_eq!(seen.len(), 2, "{size} {portion}");
                assert_eq!(seen[1], Seen::KeyExchange(b"pump-7".to_vec()));
                assert_eq!(onward, input);
            }
        }
    }

    #[test]
    fn what_decides_goes_on_no_earlier_than_it_is_seen() {
        let mut peek = Peek::new();
        let input = records(&message(CLIENT_HELLO, &hello(&[])), 100_000);
        let mut onward = Vec::new();
        peek.feed(&input[..input.len() - 1]);
        assert_eq!(peek.next(&mut onward), Ok(Seen::Nothing));
        assert!(onward.is_empty());
        peek.feed(&input[input.len() - 1..]);
        assert!(matches!(peek.next(&mut onward), Ok(Seen::Hello(_))));
    }

    #[test]
    fn what_is_no_tls_is_told_by_its_first_octets() {
        for input in [&b"GET / HTTP/1.1\r\n"[..], b"\x10\x20\x00\x04MQTT", b"\x16\x02", b"\x15\x03\x03\x00\x02\x02\x28", b"\x80\x2e\x01"] {
            assert_eq!(run(input, 1).2, Err(Misfit::NotTls), "{input:?}");
        }
    }

    #[test]
    fn nothing_grows_without_bound() {
        assert_eq!(run(&[HANDSHAKE, 3, 1, 0x40, 1], 1).2, Err(Misfit::TooLarge));
        assert_eq!(run(&[HANDSHAKE, 3, 1, 0, 4, CLIENT_HELLO, 0, 0x40, 1], 1).2, Err(Misfit::TooLarge));
        assert_eq!(run(&[HANDSHAKE, 3, 1, 0, 0], 1).2, Err(Misfit::Malformed));
        // One octet to a record: the message would end some time, the patience does before.
        let long = records(&message(CLIENT_HELLO, &[0; 16 * 1024]), 1);
        assert_eq!(run(&long, 1000).2, Err(Misfit::TooLarge));
    }

    proptest! {
        #[test]
        fn arbitrary_octets_do_no_harm(input in proptest::collection::vec(any::<u8>(), 0..2000), portion in 1_usize..300) {
            let _ = run(&input, portion);
        }

        #[test]
        fn a_damaged_hello_does_no_harm(at in 0_usize..200, octet in any::<u8>(), portion in 1_usize..100) {
            let mut input = records(&message(CLIENT_HELLO, &hello(&tls13(&[b"pump-7", b"pump-8"]))), 50);
            let at = at % input.len();
            input[at] = octet;
            let _ = run(&input, portion);
        }
    }
}
