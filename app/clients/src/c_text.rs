//! Numbers as C reads them from text, since that is what decides which command lines are wrong.

/// `atoi`: leading blanks, a sign, digits; whatever follows is ignored, nothing is 0. Too large a number keeps its low 32 bits.
pub(crate) fn atoi(text: &[u8]) -> i32 {
    let bytes = atol(text).to_le_bytes();
    let [a, b, c, d, ..] = bytes;
    i32::from_le_bytes([a, b, c, d])
}

/// `atol`, which stays at the largest or smallest number.
pub(crate) fn atol(text: &[u8]) -> i64 {
    digits(text, 10).map_or(0, |(number, _)| number)
}

/// `strtoll` with base 0 (0x is hexadecimal, 0 octal) of all of the text; None where it is not a number from end to end.
pub(crate) fn strtoll(text: &[u8]) -> Option<i64> {
    let (number, used) = digits(text, 0)?;
    (used == text.len()).then_some(number)
}

/// `atof`: the longest decimal number that the text begins with, or 0.
pub(crate) fn atof(text: &[u8]) -> f64 {
    let text = text.trim_ascii_start();
    let is_number = |length: usize| -> Option<f64> {
        let text = std::str::from_utf8(text.get(..length)?).ok()?;
        // "infinity" and its like are no durations or percentages.
        if text.bytes().any(|byte| byte.is_ascii_alphabetic() && !matches!(byte, b'e' | b'E')) {
            return None;
        }
        text.parse().ok()
    };
    (1..=text.len().min(64)).rev().find_map(is_number).unwrap_or(0.0)
}

/// A number, and how many bytes it took.
fn digits(text: &[u8], base: u32) -> Option<(i64, usize)> {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let rest = text.get(blanks..)?;
    let (negative, sign) = match rest.first() {
        Some(b'-') => (true, 1),
        Some(b'+') => (false, 1),
        _ => (false, 0),
    };
    let rest = rest.get(sign..)?;
    let is_hexadecimal = base == 0 && matches!(rest, [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit());
    let (base, prefix) = match (is_hexadecimal, base, rest.first()) {
        (true, ..) => (16, 2),
        (false, 0, Some(b'0')) => (8, 0),
        (false, 0, _) => (10, 0),
        (false, base, _) => (base, 0),
    };
    let mut number: i64 = 0;
    let mut count = 0;
    for digit in rest.get(prefix..)?.iter().map_while(|byte| char::from(*byte).to_digit(base)) {
        let digit = i64::from(digit);
        let next = number.saturating_mul(i64::from(base));
        number = if negative { next.saturating_sub(digit) } else { next.saturating_add(digit) };
        count += 1;
    }
    (count > 0).then_some((number, blanks + sign + prefix + count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, number) in [("12", 12), (" -7x", -7), ("+3", 3), ("x", 0), ("", 0), ("4294967297", 1), ("010", 10)] {
            assert_eq!(atoi(text.as_bytes()), number, "{text:?}");
        }
        for (text, number) in
            [("0x10", Some(16)), ("010", Some(8)), ("-1", Some(-1)), ("5 ", None), ("", None), ("0x", None), ("0", Some(0))]
        {
            assert_eq!(strtoll(text.as_bytes()), number, "{text:?}");
        }
        assert_eq!(strtoll(b"99999999999999999999"), Some(i64::MAX));
        for (text, number) in [("0.5", 0.5), ("1e2x", 100.0), ("-1", -1.0), ("x", 0.0), (".5", 0.5), ("inf", 0.0), ("2.", 2.0)] {
            assert!((atof(text.as_bytes()) - number).abs() < 1e-9, "{text:?}");
        }
    }
}
