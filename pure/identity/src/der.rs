//! A strict reader of DER (X.690 §10): walks what it is given without allocating, recursing or guessing.
//!
//! Certificates and CRLs are read with this one reader, so that a serial number or a name means the same in both. Everything that BER
//! allows and DER forbids in lengths and tags is refused: two readers that disagree about a certificate are a way around both.

use std::fmt;

/// BOOLEAN.
pub const BOOLEAN: u8 = 0x01;
/// INTEGER.
pub const INTEGER: u8 = 0x02;
/// BIT STRING.
pub const BIT_STRING: u8 = 0x03;
/// OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;
/// OBJECT IDENTIFIER.
pub const OBJECT_IDENTIFIER: u8 = 0x06;
/// ENUMERATED.
pub const ENUMERATED: u8 = 0x0a;
/// UTCTime.
pub const UTC_TIME: u8 = 0x17;
/// GeneralizedTime.
pub const GENERALIZED_TIME: u8 = 0x18;
/// SEQUENCE and SEQUENCE OF.
pub const SEQUENCE: u8 = 0x30;
/// SET and SET OF.
pub const SET: u8 = 0x31;

/// Why bytes are not the DER that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DerError {
    /// The bytes end inside an element.
    Truncated,
    /// A tag number above 30, which no certificate or CRL uses.
    LongTag,
    /// A length that is indefinite, longer than needed, or above 32 bits.
    Length,
    /// Another element than expected.
    Tag {
        /// The tag octet that was expected.
        expected: u8,
        /// The tag octet found; `None` at the end.
        found: Option<u8>,
    },
    /// Bytes after the last expected element.
    Trailing(usize),
    /// The element's content breaks its type's rules.
    Content(&'static str),
}

/// Completes the sentence "the … cannot be read: …".
impl fmt::Display for DerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the bytes end inside an element"),
            Self::LongTag => f.write_str("found a tag number above 30"),
            Self::Length => f.write_str("found a length that DER does not allow"),
            Self::Tag { expected, found: Some(found) } => write!(f, "expected tag 0x{expected:02x}, found 0x{found:02x}"),
            Self::Tag { expected, found: None } => write!(f, "expected tag 0x{expected:02x}, found the end"),
            Self::Trailing(count) => write!(f, "{count} bytes follow after its end"),
            Self::Content(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for DerError {}

/// One element: tag, content, and the whole encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// The tag octet: class, constructed bit and number.
    pub tag: u8,
    /// The content octets.
    pub content: &'a [u8],
    /// Header and content.
    pub encoded: &'a [u8],
}

/// Reads elements one after another.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the content of a constructed element, or from a whole document.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Opens a document that is exactly one SEQUENCE.
    ///
    /// # Errors
    /// [`DerError`] when it is something else, or when bytes follow.
    pub fn document(bytes: &'a [u8]) -> Result<Self, DerError> {
        let mut outer = Self::new(bytes);
        let inner = outer.sequence()?;
        outer.finish()?;
        Ok(inner)
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The tag octet of the next element.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element, whatever it is.
    ///
    /// # Errors
    /// [`DerError::Truncated`], [`DerError::LongTag`] or [`DerError::Length`].
    pub fn element(&mut self) -> Result<Element<'a>, DerError> {
        let (tag, after_tag) = self.rest.split_first().ok_or(DerError::Truncated)?;
        if tag & 0x1f == 0x1f {
            return Err(DerError::LongTag);
        }
        let (length, after_length) = length(after_tag)?;
        let (content, rest) = after_length.split_at_checked(length).ok_or(DerError::Truncated)?;
        let encoded = self.rest.get(..self.rest.len() - rest.len()).ok_or(DerError::Truncated)?;
        self.rest = rest;
        Ok(Element { tag: *tag, content, encoded })
    }

    /// The next element, which must have this tag.
    ///
    /// # Errors
    /// [`DerError::Tag`] for another one, or what [`Self::element`] fails at.
    pub fn expect(&mut self, tag: u8) -> Result<Element<'a>, DerError> {
        if self.peek() != Some(tag) {
            return Err(DerError::Tag { expected: tag, found: self.peek() });
        }
        self.element()
    }

    /// The next element if it has this tag.
    ///
    /// # Errors
    /// What [`Self::element`] fails at.
    pub fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, DerError> {
        if self.peek() == Some(tag) { self.element().map(Some) } else { Ok(None) }
    }

    /// A reader of the content of the next element, which must be a SEQUENCE.
    ///
    /// # Errors
    /// As [`Self::expect`].
    pub fn sequence(&mut self) -> Result<Self, DerError> {
        Ok(Self::new(self.expect(SEQUENCE)?.content))
    }

    /// A BOOLEAN with default FALSE. DER leaves a default value out, but old software writes it, so FALSE is accepted.
    ///
    /// # Errors
    /// [`DerError::Content`] for a value that is neither 0x00 nor 0xff.
    pub fn boolean_default_false(&mut self) -> Result<bool, DerError> {
        match self.optional(BOOLEAN)?.map(|element| element.content) {
            None | Some([0]) => Ok(false),
            Some([0xff]) => Ok(true),
            Some(_) => Err(DerError::Content("expected a BOOLEAN of 0x00 or 0xff")),
        }
    }

    /// Asserts that nothing is left.
    ///
    /// # Errors
    /// [`DerError::Trailing`].
    pub fn finish(self) -> Result<(), DerError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DerError::Trailing(self.rest.len())) }
    }
}

/// Length octets: definite, in the fewest octets (X.690 §10.1), at most 32 bits.
fn length(bytes: &[u8]) -> Result<(usize, &[u8]), DerError> {
    let (first, rest) = bytes.split_first().ok_or(DerError::Truncated)?;
    if *first < 0x80 {
        return Ok((usize::from(*first), rest));
    }
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return Err(DerError::Length);
    }
    let (octets, rest) = rest.split_at_checked(count).ok_or(DerError::Truncated)?;
    let value = octets.iter().fold(0_u32, |value, octet| (value << 8) | u32::from(*octet));
    let shortest = value >= 0x80 && octets.first() != Some(&0);
    let value = usize::try_from(value).map_err(|_| DerError::Length)?;
    if shortest { Ok((value, rest)) } else { Err(DerError::Length) }
}

/// An extension of a certificate, a CRL or a CRL entry (RFC 5280 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// The content octets of extnID.
    pub oid: &'a [u8],
    /// Whether a reader that does not know it must refuse.
    pub critical: bool,
    /// The content of extnValue: itself DER.
    pub value: &'a [u8],
}

impl<'a> Extension<'a> {
    /// Reads the next Extension of an Extensions sequence.
    ///
    /// # Errors
    /// [`DerError`] when it is malformed.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, DerError> {
        let mut inner = reader.sequence()?;
        let oid = inner.expect(OBJECT_IDENTIFIER)?.content;
        let critical = inner.boolean_default_false()?;
        let value = inner.expect(OCTET_STRING)?.content;
        inner.finish()?;
        Ok(Self { oid, critical, value })
    }
}

/// The dotted text of an OBJECT IDENTIFIER's content octets.
///
/// # Errors
/// [`DerError::Content`] when an arc is cut off, padded, or above 63 bits.
pub fn oid_text(content: &[u8]) -> Result<String, DerError> {
    use std::fmt::Write as _;
    const BROKEN: DerError = DerError::Content("found a malformed OBJECT IDENTIFIER");
    let mut text = String::new();
    let mut arc: u64 = 0;
    let mut inside = false;
    for octet in content {
        if (!inside && *octet == 0x80) || arc >> 56 != 0 {
            return Err(BROKEN);
        }
        arc = (arc << 7) | u64::from(octet & 0x7f);
        inside = octet & 0x80 != 0;
        if inside {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = if text.is_empty() {
            let first = (arc / 40).min(2);
            write!(text, "{first}.{}", arc - first * 40)
        } else {
            write!(text, ".{arc}")
        };
        arc = 0;
    }
    if inside || text.is_empty() { Err(BROKEN) } else { Ok(text) }
}

/// The content octets of an OBJECT IDENTIFIER from its dotted text: the inverse of [`oid_text`]. `None` for what is no OID, is not written in
/// the one way there is, or has an arc above 56 bits.
#[must_use]
pub fn oid_octets(text: &str) -> Option<Vec<u8>> {
    let mut arcs = text.split('.').map(|arc| {
        let is_number = !arc.is_empty() && arc.bytes().all(|octet| octet.is_ascii_digit()) && (arc == "0" || !arc.starts_with('0'));
        is_number.then(|| arc.parse::<u64>().ok()).flatten().filter(|arc| arc >> 56 == 0)
    });
    let (first, second) = (arcs.next()??, arcs.next()??);
    if first > 2 || (first < 2 && second >= 40) {
        return None;
    }
    let mut octets = Vec::new();
    for arc in std::iter::once(Some(first * 40 + second)).chain(arcs) {
        let arc = arc?;
        let groups = (1..10).rev().filter(|group| arc >> (7 * group) != 0);
        octets.extend(groups.map(|group| 0x80 | low_octet(arc >> (7 * group)) & 0x7f));
        octets.push(low_octet(arc) & 0x7f);
    }
    Some(octets)
}

fn low_octet(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

/// Seconds since 1970-01-01 UTC of a UTCTime or GeneralizedTime in the only forms that RFC 5280 §4.1.2.5 allows: `YYMMDDHHMMSSZ`,
/// `YYYYMMDDHHMMSSZ`.
///
/// # Errors
/// [`DerError`] for another tag, form, or a date that does not exist.
pub fn time(element: Element<'_>) -> Result<i64, DerError> {
    const FORM: DerError = DerError::Content("expected a time as `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`");
    let digits = element.content.strip_suffix(b"Z").ok_or(FORM)?;
    let (century, digits) = match (element.tag, digits.len()) {
        (UTC_TIME, 12) => (None, digits),
        (GENERALIZED_TIME, 14) => digits.split_at_checked(2).map(|(century, digits)| (Some(century), digits)).ok_or(FORM)?,
        (UTC_TIME | GENERALIZED_TIME, _) => return Err(FORM),
        (found, _) => return Err(DerError::Tag { expected: UTC_TIME, found: Some(found) }),
    };
    let mut pairs = digits.chunks_exact(2).map(two_digits);
    let mut pair = || pairs.next().flatten().ok_or(FORM);
    let year = pair()?;
    let year = match century {
        Some(century) => two_digits(century).ok_or(FORM)? * 100 + year,
        None if year >= 50 => 1900 + year,
        None => 2000 + year,
    };
    let (month, day, hour, minute, second) = (pair()?, pair()?, pair()?, pair()?, pair()?);
    let exists = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day) && hour < 24 && minute < 60 && second < 60;
    if !exists {
        return Err(DerError::Content("found a date or time that does not exist"));
    }
    Ok(((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// A time as people read it, `2026-11-22T02:30:00Z`, from seconds since 1970-01-01 UTC.
#[must_use]
pub fn time_text(seconds: i64) -> String {
    let (year, month, day, second) = calendar(seconds);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// A time as OpenSSL prints it, `Jun  6 10:00:00 2027 GMT`.
pub(crate) fn openssl_time_text(seconds: i64) -> String {
    let (year, month, day, second) = calendar(seconds);
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let name = usize::try_from(month - 1).ok().and_then(|month| names.get(month)).copied().unwrap_or_default();
    format!("{name} {day:2} {:02}:{:02}:{:02} {year} GMT", second / 3600, second / 60 % 60, second % 60)
}

/// Year, month, day, and the second of the day.
fn calendar(seconds: i64) -> (i64, i64, i64, i64) {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // The inverse of `days_since_1970`: eras of 400 years begin on 1 March.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = (era * 400 + year_of_era, month + 3);
    let (year, month) = if month > 12 { (year + 1, month - 12) } else { (year, month) };
    (year, month, day, second)
}

fn two_digits(pair: &[u8]) -> Option<i64> {
    match pair {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some(i64::from(tens - b'0') * 10 + i64::from(ones - b'0')),
        _ => None,
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the Gregorian calendar between 1970-01-01 and the date. Years are counted from March, so that the leap day is a year's last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests;
