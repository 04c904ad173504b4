//! The character strings of ASN.1 as text: one reader for names, other names and extensions, so that no two disagree about a character.

use crate::der::{DerError, Element};

/// The text of any of the character strings that names use (RFC 5280 §4.1.2.4 and what came before it); `None` for another type.
pub(crate) fn text_of(element: Element<'_>) -> Result<Option<String>, DerError> {
    let content = element.content;
    Ok(Some(match element.tag {
        UTF8_STRING => {
            std::str::from_utf8(content).map(str::to_owned).map_err(|_| DerError::Content("found a UTF8String that is not UTF-8"))?
        }
        NUMERIC_STRING | PRINTABLE_STRING | IA5_STRING | VISIBLE_STRING => ascii(content)?.to_owned(),
        // T.61 in certificates has always meant Latin-1 in practice.
        TELETEX_STRING => content.iter().map(|octet| char::from(*octet)).collect(),
        BMP_STRING => wide(content, 2)?,
        UNIVERSAL_STRING => wide(content, 4)?,
        _ => return Ok(None),
    }))
}

/// The text of content octets that may hold ASCII only.
pub(crate) fn ascii(content: &[u8]) -> Result<&str, DerError> {
    std::str::from_utf8(content)
        .ok()
        .filter(|text| text.is_ascii())
        .ok_or(DerError::Content("found characters outside ASCII in a string type that has none"))
}

/// UCS-2 and UCS-4: one big-endian number for each character.
fn wide(content: &[u8], width: usize) -> Result<String, DerError> {
    let number = |unit: &[u8]| unit.iter().fold(0_u32, |number, octet| (number << 8) | u32::from(*octet));
    let units = content.chunks_exact(width);
    if !units.remainder().is_empty() {
        return Err(DerError::Content("found a string that ends inside a character"));
    }
    units
        .map(|unit| char::from_u32(number(unit)))
        .collect::<Option<_>>()
        .ok_or(DerError::Content("found a string with a code that is no character"))
}

pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const NUMERIC_STRING: u8 = 0x12;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const TELETEX_STRING: u8 = 0x14;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const VISIBLE_STRING: u8 = 0x1a;
pub(crate) const UNIVERSAL_STRING: u8 = 0x1c;
pub(crate) const BMP_STRING: u8 = 0x1e;
