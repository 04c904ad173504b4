//! Frames of RFC 6455 §5, either way: payload out of what came, wherever a frame ends [MQTT-6.0.0-2], headers before what goes.

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes masked frames, sends unmasked ones.
    Server,
    /// The other way round.
    Client,
}

/// Why a connection is closed (RFC 6455 §7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCode {
    /// All is said.
    Normal,
    /// The server goes away.
    GoingAway,
    /// The other end broke the protocol.
    Protocol,
    /// A text frame.
    UnsupportedData,
    /// Text that is not UTF-8.
    InvalidText,
}

impl CloseCode {
    fn number(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::Protocol => 1002,
            Self::UnsupportedData => 1003,
            Self::InvalidText => 1007,
        }
    }
}

/// A frame that may not come. The close frame that says so is in the output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a WebSocket frame breaks the protocol: {0}")]
pub struct FrameError(&'static str);

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;

/// RFC 6455 §5.5.
const MAXIMUM_CONTROL: u64 = 125;

/// Two octets, a length of eight, a key of four.
const MAXIMUM_HEADER: usize = 14;

/// The state of one direction of frames, and how to write the other. Holds no payload but that of an incomplete control frame.
#[derive(Debug)]
pub struct Frames {
    role: Role,
    /// The start of a header whose rest has not come.
    header: [u8; MAXIMUM_HEADER],
    header_length: u8,
    /// The frame whose payload is being read, once its header is complete.
    frame: Option<Frame>,
    /// A message has begun and has not ended.
    in_message: bool,
    /// Payload of an incomplete control frame.
    control: Vec<u8>,
    close_sent: bool,
    close_received: bool,
    failure: Option<FrameError>,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: u8,
    /// Payload that has not come.
    left: u64,
    key: Option<[u8; 4]>,
}

impl Frames {
    /// After the upgrade.
    pub fn new(role: Role) -> Self {
        Self {
            role,
            header: [0; MAXIMUM_HEADER],
            header_length: 0,
            frame: None,
            in_message: false,
            control: Vec::new(),
            close_sent: false,
            close_received: false,
            failure: None,
        }
    }

    /// Takes octets as they came. Payload of binary messages is appended to `plaintext`; pongs and close frames that answer go to `wire`. Returns
    /// whether the other end has closed: what comes behind is ignored.
    ///
    /// A client cannot answer by itself, because its frames take a key each: use [`Self::receive_as_client`].
    ///
    /// # Errors
    /// Something that may not come. The close frame is in `wire`.
    pub fn receive(&mut self, input: &[u8], plaintext: &mut Vec<u8>, wire: &mut Vec<u8>) -> Result<bool, FrameError> {
        self.receive_as_client(input, plaintext, wire, &mut || None)
    }

    /// The same; `key` gives a fresh random key for each frame that answers.
    ///
    /// # Errors
    /// As [`Self::receive`].
    pub fn receive_as_client(
        &mut self,
        input: &[u8],
        plaintext: &mut Vec<u8>,
        wire: &mut Vec<u8>,
        key: &mut dyn FnMut() -> Option<[u8; 4]>,
    ) -> Result<bool, FrameError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let mut rest = input;
        let failed = loop {
            if self.close_received {
                return Ok(true);
            }
            match self.step(&mut rest, plaintext, wire, key) {
                Ok(true) => {}
                Ok(false) => return Ok(self.close_received),
                Err(failed) => break failed,
            }
        };
        let (code, error) = failed;
        self.close(code, key(), wire);
        self.control = Vec::new();
        self.failure = Some(error.clone());
        Err(error)
    }

    /// One header, or as much payload as there is. `false`: nothing more to do with what came.
    fn step(
        &mut self,
        rest: &mut &[u8],
        plaintext: &mut Vec<u8>,
        wire: &mut Vec<u8>,
        key: &mut dyn FnMut() -> Option<[u8; 4]>,
    ) -> Result<bool, (CloseCode, FrameError)> {
        let Some(mut frame) = self.frame else { return self.read_header(rest) };
        let take = usize::try_from(frame.left).unwrap_or(usize::MAX).min(rest.len());
        let (payload, behind) = rest.split_at_checked(take).unwrap_or((rest, &[]));
        *rest = behind;
        let into = if frame.opcode & 0x8 == 0 { plaintext } else { &mut self.control };
        let start = into.len();
        into.extend_from_slice(payload);
        if let Some(key) = &mut frame.key {
            unmask(into.get_mut(start..).unwrap_or_default(), *key);
            // The next portion goes on in the middle of the key.
            key.rotate_left(take % 4);
        }
        frame.left = frame.left.saturating_sub(u64::try_from(take).unwrap_or(u64::MAX));
        if frame.left > 0 {
            self.frame = Some(frame);
            return Ok(false);
        }
        self.frame = None;
        if frame.opcode & 0x8 != 0 {
            let payload = std::mem::take(&mut self.control);
            self.control_frame(frame.opcode, &payload, wire, key)?;
        }
        Ok(true)
    }

    /// Reads a header, of which parts may have come before.
    fn read_header(&mut self, rest: &mut &[u8]) -> Result<bool, (CloseCode, FrameError)> {
        loop {
            let have = usize::from(self.header_length);
            let header = self.header;
            let header = header.get(..have).unwrap_or_default();
            let needed = header_length(header);
            if have == needed {
                let frame = self.check_header(header)?;
                self.header_length = 0;
                self.frame = Some(frame);
                return Ok(true);
            }
            let Some((first, behind)) = rest.split_first() else { return Ok(false) };
            if let Some(place) = self.header.get_mut(have) {
                *place = *first;
            }
            self.header_length += 1;
            *rest = behind;
        }
    }

    /// What a header says, if it may (RFC 6455 §5.2).
    fn check_header(&mut self, header: &[u8]) -> Result<Frame, (CloseCode, FrameError)> {
        let wrong = |why| Err((CloseCode::Protocol, FrameError(why)));
        let [first, second, extended @ ..] = header else { return wrong("it has no header") };
        let (is_final, opcode, is_masked) = (first & FINAL != 0, first & 0x0F, second & MASKED != 0);
        if first & 0x70 != 0 {
            return wrong("a reserved bit is set, though no extension was agreed on");
        }
        if is_masked != (self.role == Role::Server) {
            return wrong(if is_masked { "a server's frame is masked" } else { "a client's frame is not masked" });
        }
        let (left, key) = match (second & 0x7F, extended) {
            (126, [a, b, key @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), key),
            (127, [a, b, c, d, e, f, g, h, key @ ..]) => (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), key),
            (length, key) => (u64::from(length), key),
        };
        match second & 0x7F {
            126 if left < 126 => return wrong("a length is not written in as few octets as it fits"),
            127 if left <= u64::from(u16::MAX) => return wrong("a length is not written in as few octets as it fits"),
            127 if left > i64::MAX.unsigned_abs() => return wrong("a length is larger than there are"),
            _ => {}
        }
        match opcode {
            CLOSE | PING | PONG if !is_final => return wrong("a control frame is fragmented"),
            CLOSE | PING | PONG if left > MAXIMUM_CONTROL => return wrong("a control frame has more than 125 octets"),
            CLOSE | PING | PONG => {}
            CONTINUATION if !self.in_message => return wrong("a continuation without a message to continue"),
            BINARY if self.in_message => return wrong("a new message within another"),
            CONTINUATION | BINARY => self.in_message = !is_final,
            // [MQTT-6.0.0-1]
            TEXT => return Err((CloseCode::UnsupportedData, FrameError("a text frame, MQTT is binary"))),
            _ => return wrong("an opcode that nobody knows"),
        }
        Ok(Frame { opcode, left, key: <[u8; 4]>::try_from(key).ok() })
    }

    fn control_frame(
        &mut self,
        opcode: u8,
        payload: &[u8],
        wire: &mut Vec<u8>,
        key: &mut dyn FnMut() -> Option<[u8; 4]>,
    ) -> Result<(), (CloseCode, FrameError)> {
        match opcode {
            PING => write(PONG, payload, key(), wire),
            CLOSE => {
                check_close(payload)?;
                self.close_received = true;
                // The answer repeats the code (RFC 6455 §5.5.1).
                if !std::mem::replace(&mut self.close_sent, true) {
                    write(CLOSE, payload.get(..2).unwrap_or_default(), key(), wire);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Appends `plaintext` to `wire` as one binary message of one frame; nothing after a close frame. A client gives a fresh random `key`.
    pub fn send(&self, plaintext: &[u8], key: Option<[u8; 4]>, wire: &mut Vec<u8>) {
        if !self.close_sent {
            write(BINARY, plaintext, key, wire);
        }
    }

    /// Appends a close frame, unless one was sent.
    pub fn close(&mut self, code: CloseCode, key: Option<[u8; 4]>, wire: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.close_sent, true) {
            write(CLOSE, &code.number().to_be_bytes(), key, wire);
        }
    }

    /// Octets of the heap that are held now.
    pub(super) fn held(&self) -> usize {
        self.control.capacity()
    }
}

/// How long a header is, as far as its beginning tells.
fn header_length(start: &[u8]) -> usize {
    let Some(second) = start.get(1) else { return 2 };
    let extended = match second & 0x7F {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    2 + extended + if second & MASKED == 0 { 0 } else { 4 }
}

/// RFC 6455 §7.4.
fn check_close(payload: &[u8]) -> Result<(), (CloseCode, FrameError)> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(()) } else { Err((CloseCode::Protocol, FrameError("half a close code"))) };
    };
    match u16::from_be_bytes(*code) {
        1000..=1003 | 1007..=1014 | 3000..=4999 => {}
        _ => return Err((CloseCode::Protocol, FrameError("a close code that may not be sent"))),
    }
    match str::from_utf8(reason) {
        Ok(_) => Ok(()),
        Err(_) => Err((CloseCode::InvalidText, FrameError("the reason of a close is not UTF-8"))),
    }
}

fn write(opcode: u8, payload: &[u8], key: Option<[u8; 4]>, wire: &mut Vec<u8>) {
    let masked = if key.is_some() { MASKED } else { 0 };
    wire.push(FINAL | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..126), _) => wire.push(masked | short),
        (_, Ok(medium)) => {
            wire.push(masked | 126);
            wire.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            wire.push(masked | 127);
            wire.extend_from_slice(&u64::try_from(payload.len()).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
    let start = wire.len() + key.map_or(0, |key| key.len());
    wire.extend_from_slice(key.as_ref().map_or(&[], |key| key.as_slice()));
    wire.extend_from_slice(payload);
    if let Some(key) = key {
        unmask(wire.get_mut(start..).unwrap_or_default(), key);
    }
}

/// RFC 6455 §5.3; masks as well.
fn unmask(payload: &mut [u8], key: [u8; 4]) {
    // Sixteen at a time is what a compiler makes fast.
    let wide: [u8; 16] = std::array::from_fn(|at| key.get(at % 4).copied().unwrap_or_default());
    for chunk in payload.chunks_mut(wide.len()) {
        for (octet, key) in chunk.iter_mut().zip(wide) {
            *octet ^= key;
        }
    }
}
