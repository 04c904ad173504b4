//! Writes the little DER that an OCSP request needs; everything else here is read.

/// An element of this tag and content.
pub(crate) fn element(tag: u8, content: &[&[u8]]) -> Vec<u8> {
    let length: usize = content.iter().map(|part| part.len()).sum();
    let octets = length.to_be_bytes();
    let significant = octets.iter().position(|octet| *octet != 0).and_then(|first| octets.get(first..)).unwrap_or_default();
    let mut out = vec![tag];
    match (significant, u8::try_from(significant.len())) {
        ([], _) => out.push(0),
        ([short @ 0..0x80], _) => out.push(*short),
        (long, count) => {
            // At most the eight octets of a usize.
            out.push(0x80 | count.unwrap_or_default());
            out.extend(long);
        }
    }
    for part in content {
        out.extend(*part);
    }
    out
}

/// The content of an INTEGER of 0 or more from its octets: a zero octet before a first one that would make it negative.
pub(crate) fn unsigned(magnitude: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if magnitude.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    [sign, magnitude].concat()
}

#[cfg(test)]
mod tests {
    use signet_identity::der::{self, Reader};

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000] {
            let content = vec![7; length];
            let written = element(der::OCTET_STRING, &[&content]);
            let mut reader = Reader::new(&written);
            assert_eq!(reader.expect(der::OCTET_STRING).unwrap().content, content);
            assert_eq!(reader.finish(), Ok(()));
        }
        assert_eq!(unsigned(&[0x7f]), [0x7f]);
        assert_eq!(unsigned(&[0x80]), [0, 0x80]);
        assert_eq!(unsigned(&[]), [0]);
    }
}
