//! `-F`: how a message is shown. [`Format::parse`] finds every mistake; [`Format::write`] cannot fail but for what a payload is not.

use crate::json;
use crate::local_time::LocalTime;
use crate::output::Incoming;

/// Characters that can stand between the digits of a payload in hexadecimal.
const SEPARATORS: &[u8] = b"!\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~ ";

const CONVERSIONS: &[u8] = b"%ACDEFIlmPpqRSrtjJUxXfd";

const ESCAPES: [(u8, u8); 8] = [(b'\\', b'\\'), (b'0', 0), (b'a', 7), (b'e', 27), (b'n', b'\n'), (b'r', b'\r'), (b't', b'\t'), (b'v', 11)];

/// A format whose every letter is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Byte(u8),
    Field(u8, Field),
    /// A conversion of `strftime`.
    Time(u8),
    Nanoseconds,
}

/// What stands between the `%` and its letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    left: bool,
    zeros: bool,
    width: usize,
    precision: Option<usize>,
    separator: u8,
}

/// Widths and precisions stay below this, so that no format can ask for all memory.
const WIDEST: usize = 1 << 20;

impl Format {
    /// Reads a format, or says in a whole line what is wrong with it.
    pub(crate) fn parse(format: &[u8]) -> Result<Self, String> {
        let incomplete = || "Error: Incomplete format specifier.\n".to_owned();
        let mut pieces = Vec::new();
        let mut rest = format;
        while let Some((first, behind)) = rest.split_first() {
            rest = match (first, behind.split_first()) {
                (b'%', None) | (b'@', None) => return Err(incomplete()),
                (b'\\', None) => return Err("Error: Incomplete escape specifier.\n".to_owned()),
                (b'%', Some(_)) => {
                    let (piece, behind) = field(behind)?;
                    pieces.push(piece);
                    behind
                }
                (b'@', Some((b'@', behind))) => {
                    pieces.push(Piece::Byte(b'@'));
                    behind
                }
                (b'@', Some((b'N', behind))) => {
                    pieces.push(Piece::Nanoseconds);
                    behind
                }
                (b'@', Some((letter, behind))) => {
                    pieces.push(Piece::Time(*letter));
                    behind
                }
                (b'\\', Some((letter, behind))) => {
                    let escape = ESCAPES.iter().find(|(known, _)| known == letter);
                    let (_, byte) = escape.ok_or_else(|| invalid("escape", *letter))?;
                    pieces.push(Piece::Byte(*byte));
                    behind
                }
                (byte, _) => {
                    pieces.push(Piece::Byte(*byte));
                    behind
                }
            };
        }
        Ok(Self(pieces))
    }

    /// Appends the message to `out`. What cannot be shown is said in `complaints`, and the rest is shown.
    pub(crate) fn write(&self, message: &Incoming, pretty: bool, out: &mut Vec<u8>, complaints: &mut Vec<String>) {
        // One moment for the whole line.
        let now = LocalTime::now();
        for piece in &self.0 {
            match piece {
                Piece::Byte(byte) => out.push(*byte),
                Piece::Time(letter) => out.extend(now.conversion(*letter)),
                Piece::Nanoseconds => out.extend(format!("{:09}", now.nanoseconds()).bytes()),
                Piece::Field(letter, field) => write_field(*letter, *field, message, &now, pretty, out, complaints),
            }
        }
    }
}

fn invalid(what: &str, letter: u8) -> String {
    format!("Error: Invalid {what} specifier '{}'.\n", char::from(letter))
}

/// Reads `[-|0][width][.precision][separator]letter`. Mosquitto checks a format with one flag and uses it with both: `%-05l` is refused.
fn field(text: &[u8]) -> Result<(Piece, &[u8]), String> {
    let mut field = Field { left: false, zeros: false, width: 0, precision: None, separator: b' ' };
    let mut rest = text;
    let incomplete = || "Error: Incomplete format specifier.\n".to_owned();
    if let Some((flag @ (b'0' | b'-'), behind)) = rest.split_first() {
        field.left = *flag == b'-';
        field.zeros = *flag == b'0';
        rest = behind;
    }
    // Digits run on: a zero behind `-` counts as padding too, which changes nothing for text that stands left.
    let (width, behind) = number(rest);
    field.zeros |= field.left && rest.first() == Some(&b'0');
    field.width = width.unwrap_or(0);
    rest = behind;
    if let Some((b'.', behind)) = rest.split_first() {
        let (precision, behind) = number(behind);
        field.precision = Some(precision.unwrap_or(0));
        rest = behind;
    }
    if rest.is_empty() {
        return Err(incomplete());
    }
    if let Some((separator, behind)) = rest.split_first()
        && SEPARATORS.contains(separator)
    {
        field.separator = *separator;
        rest = behind;
    }
    match rest.split_first() {
        Some((letter, behind)) if CONVERSIONS.contains(letter) => Ok((Piece::Field(*letter, field), behind)),
        Some((letter, _)) => Err(invalid("format", *letter)),
        None => Err("Error: Invalid format specifier '\0'.\n".to_owned()),
    }
}

fn number(text: &[u8]) -> (Option<usize>, &[u8]) {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(digits).unwrap_or((text, &[]));
    let number = digits.iter().fold(0_usize, |number, digit| number.saturating_mul(10).saturating_add(usize::from(digit - b'0')));
    ((!digits.is_empty()).then(|| number.min(WIDEST)), rest)
}

fn write_field(
    letter: u8,
    field: Field,
    message: &Incoming,
    now: &LocalTime,
    pretty: bool,
    out: &mut Vec<u8>,
    complaints: &mut Vec<String>,
) {
    let properties = &message.properties;
    let text_or_blank = |text: Option<&str>, out: &mut Vec<u8>| match text {
        Some(text) => field.text(text.as_bytes(), out),
        None => field.blank(out),
    };
    let number_or_blank = |number: Option<u32>, out: &mut Vec<u8>| match number {
        Some(number) => field.number(number, out),
        None => field.blank(out),
    };
    match letter {
        b'%' => out.push(b'%'),
        b'A' => number_or_blank(properties.topic_alias.map(|alias| u32::from(alias.get())), out),
        b'C' => text_or_blank(properties.content_type.as_deref(), out),
        b'D' => out.extend(properties.correlation_data.iter().flatten()),
        b'E' => number_or_blank(properties.message_expiry_interval, out),
        b'F' => number_or_blank(properties.payload_format_indicator.map(u32::from), out),
        b'I' => field.text(now.text("%FT%T%z").as_bytes(), out),
        b'j' | b'J' => match json::message(message, now, letter == b'J', pretty) {
            Some(json) => out.extend(json),
            None => complaints.push(format!("Error: Message payload is not valid JSON on topic {}.\n", message.topic.as_str())),
        },
        b'l' => field.number(u32::try_from(message.payload.len()).unwrap_or(u32::MAX), out),
        b'm' => field.number(u32::from(message.packet_id), out),
        b'P' => {
            let pairs: Vec<String> = properties.user_properties.iter().map(|(name, value)| format!("{name}:{value}")).collect();
            out.extend(pairs.join(" ").bytes());
        }
        b'p' => field.payload(&message.payload, None, out),
        b'q' => out.push(b'0' + u8::from(message.qos)),
        b'R' => {
            if let Some(topic) = &properties.response_topic {
                field.text(topic.as_str().as_bytes(), out);
            }
        }
        b'r' => out.push(if message.retain { b'1' } else { b'0' }),
        b'S' => number_or_blank(properties.subscription_identifiers.first().map(|identifier| identifier.get()), out),
        b't' => field.text(message.topic.as_str().as_bytes(), out),
        b'U' => out.extend(format!("{}.{:09}", now.text("%s"), now.nanoseconds()).bytes()),
        b'x' => field.payload(&message.payload, Some(b"0123456789abcdef"), out),
        b'X' => field.payload(&message.payload, Some(b"0123456789ABCDEF"), out),
        b'f' | b'd' => match float(letter, &message.payload) {
            Some(number) => field.float(number, out),
            None if letter == b'f' => complaints.push("requested float printing, but non-float data received".to_owned()),
            None => complaints.push("requested double printing, but non-double data received".to_owned()),
        },
        _ => {}
    }
}

/// The payload as a number in the byte order of this machine.
fn float(letter: u8, payload: &[u8]) -> Option<f64> {
    match letter {
        b'f' => payload.try_into().ok().map(|bytes| f64::from(f32::from_ne_bytes(bytes))),
        _ => payload.try_into().ok().map(f64::from_ne_bytes),
    }
}

impl Field {
    fn pad(self) -> u8 {
        if self.zeros { b'0' } else { b' ' }
    }

    fn blank(self, out: &mut Vec<u8>) {
        out.extend(std::iter::repeat_n(self.pad(), self.width));
    }

    /// `%d`; numbers above 2^31 come out negative, as in C.
    fn number(self, number: u32, out: &mut Vec<u8>) {
        let number = i32::from_ne_bytes(number.to_ne_bytes());
        let width = self.width;
        let text = match (self.left, self.zeros) {
            (true, _) => format!("{number:<width$}"),
            (false, true) => format!("{number:0width$}"),
            (false, false) => format!("{number:width$}"),
        };
        out.extend(text.bytes());
    }

    /// `%f`
    fn float(self, number: f64, out: &mut Vec<u8>) {
        let (width, precision) = (self.width, self.precision.unwrap_or(6));
        let plain = if number.is_nan() {
            if number.is_sign_negative() { "-nan".to_owned() } else { "nan".to_owned() }
        } else {
            format!("{number:.precision$}")
        };
        let text = match (self.left, self.zeros && number.is_finite()) {
            (true, _) => format!("{plain:<width$}"),
            (false, true) => format!("{number:0width$.precision$}"),
            (false, false) => format!("{plain:>width$}"),
        };
        out.extend(text.bytes());
    }

    /// `%s`, by octets.
    fn text(self, text: &[u8], out: &mut Vec<u8>) {
        let shown = text.get(..self.precision.unwrap_or(usize::MAX).min(text.len())).unwrap_or(text);
        let padding = std::iter::repeat_n(b' ', self.width.saturating_sub(shown.len()));
        if self.left {
            out.extend(shown.iter().copied().chain(padding));
        } else {
            out.extend(padding.chain(shown.iter().copied()));
        }
    }

    /// The payload, or with `digits` the same in hexadecimal with a separator after so many digits. Like Mosquitto's it is cut at `width` octets
    /// (not digits), and left-aligned it is followed by as many blanks as it differs from the width, more or less.
    fn payload(self, payload: &[u8], digits: Option<&[u8; 16]>, out: &mut Vec<u8>) {
        let shown = if self.width > 0 { payload.get(..self.width.min(payload.len())).unwrap_or(payload) } else { payload };
        let length = if digits.is_some() && self.width > 0 { shown.len() * 2 } else { shown.len() };
        let mut place = 0_usize;
        let group = self.precision.unwrap_or(0);
        let mut separate = |out: &mut Vec<u8>| {
            if digits.is_some() && group > 0 && place % group == group - 1 {
                out.push(self.separator);
            }
            place += 1;
        };
        if !self.left {
            for _ in length..self.width {
                out.push(self.pad());
                separate(out);
            }
        }
        match digits {
            None => out.extend(shown),
            Some(digits) => {
                for (index, byte) in shown.iter().enumerate() {
                    out.push(digit(digits, byte >> 4));
                    separate(out);
                    out.push(digit(digits, byte & 0x0F));
                    if index + 1 < shown.len() {
                        separate(out);
                    }
                }
            }
        }
        if self.left {
            out.extend(std::iter::repeat_n(b' ', self.width.abs_diff(length)));
        }
    }
}

fn digit(digits: &[u8; 16], nibble: u8) -> u8 {
    digits.get(usize::from(nibble)).copied().unwrap_or(b'?')
}

#[cfg(test)]
mod tests;
