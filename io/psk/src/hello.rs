//! The two messages in which a client names its key, read from the octets: RFC 8446 §4.1.2 and §4.2.11, RFC 4279 §2, RFC 5489 §2.

/// What of a ClientHello decides how to go on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Hello<'a> {
    /// TLS 1.2 would do.
    pub(crate) takes_tls12: bool,
    /// TLS 1.3 with a key exchange beside the pre-shared key would do (`psk_dhe_ke`).
    pub(crate) takes_tls13: bool,
    /// It names groups for a key exchange: without them there is none in TLS 1.2.
    pub(crate) names_groups: bool,
    /// The identities for TLS 1.3, in the client's order.
    pub(crate) identities: Vec<&'a [u8]>,
}

/// Not as specified.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Identities of one ClientHello that are looked at.
const IDENTITIES: usize = 8;

const SUPPORTED_GROUPS: u16 = 10;
const PRE_SHARED_KEY: u16 = 41;
const SUPPORTED_VERSIONS: u16 = 43;
const PSK_KEY_EXCHANGE_MODES: u16 = 45;
const TLS12: u16 = 0x0303;
const TLS13: u16 = 0x0304;
const PSK_DHE_KE: u8 = 1;

impl<'a> Hello<'a> {
    /// Reads the body of a ClientHello.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut rest = Reader(body);
        let legacy_version = rest.u16()?;
        rest.take(32)?;
        let _session_id = rest.short_vector()?;
        let _cipher_suites = rest.vector()?;
        let _compression = rest.short_vector()?;
        let mut hello = Self { takes_tls12: legacy_version >= TLS12, ..Self::default() };
        if rest.0.is_empty() {
            return Ok(hello);
        }
        let mut extensions = Reader(rest.vector()?);
        rest.end()?;
        let (mut takes_version, mut takes_mode) = (false, false);
        while !extensions.0.is_empty() {
            let kind = extensions.u16()?;
            let content = extensions.vector()?;
            match kind {
                SUPPORTED_VERSIONS => {
                    let versions = whole(content, Reader::short_vector)?;
                    let has = |version: u16| versions.chunks_exact(2).any(|pair| pair == version.to_be_bytes());
                    hello.takes_tls12 = has(TLS12);
                    takes_version = has(TLS13);
                }
                SUPPORTED_GROUPS => hello.names_groups = true,
                PSK_KEY_EXCHANGE_MODES => takes_mode = whole(content, Reader::short_vector)?.contains(&PSK_DHE_KE),
                PRE_SHARED_KEY => hello.identities = identities(content)?,
                _ => {}
            }
        }
        hello.takes_tls13 = takes_version && takes_mode && !hello.identities.is_empty();
        Ok(hello)
    }
}

fn identities(content: &[u8]) -> Result<Vec<&[u8]>, Malformed> {
    let mut content = Reader(content);
    let mut offered = Reader(content.vector()?);
    // The binders, which the library looks at.
    content.vector()?;
    content.end()?;
    let mut identities = Vec::new();
    while !offered.0.is_empty() {
        let identity = offered.vector()?;
        offered.take(4)?;
        if identities.len() < IDENTITIES {
            identities.push(identity);
        }
    }
    Ok(identities)
}

/// Reads the identity of a ClientKeyExchange; what comes after it is the other half of the key exchange.
pub(crate) fn key_exchange(body: &[u8]) -> Result<&[u8], Malformed> {
    Reader(body).vector()
}

fn whole<'a>(content: &'a [u8], read: impl FnOnce(&mut Reader<'a>) -> Result<&'a [u8], Malformed>) -> Result<&'a [u8], Malformed> {
    let mut content = Reader(content);
    let value = read(&mut content)?;
    content.end()?;
    Ok(value)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(head)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        self.take(2)?.try_into().map(u16::from_be_bytes).map_err(|_| Malformed)
    }

    /// Behind a length of one octet.
    fn short_vector(&mut self) -> Result<&'a [u8], Malformed> {
        let length = *self.take(1)?.first().ok_or(Malformed)?;
        self.take(length.into())
    }

    /// Behind a length of two octets.
    fn vector(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u16()?;
        self.take(length.into())
    }

    fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn vector(octets: &[u8]) -> Vec<u8> {
        [&u16::try_from(octets.len()).unwrap().to_be_bytes(), octets].concat()
    }

    fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
        [kind.to_be_bytes().to_vec(), vector(content)].concat()
    }

    /// The body of a ClientHello with these extensions.
    pub(crate) fn hello(extensions: &[Vec<u8>]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.push(0);
        body.extend(vector(&[0x13, 0x01, 0x00, 0xa8]));
        body.extend([1, 0]);
        body.extend(vector(&extensions.concat()));
        body
    }

    /// The extensions of TLS 1.3 with pre-shared keys.
    pub(crate) fn tls13(identities: &[&[u8]]) -> Vec<Vec<u8>> {
        let offered: Vec<u8> = identities.iter().flat_map(|identity| [vector(identity), vec![0; 4]].concat()).collect();
        vec![
            extension(SUPPORTED_VERSIONS, &[4, 3, 4, 3, 3]),
            extension(PSK_KEY_EXCHANGE_MODES, &[1, PSK_DHE_KE]),
            extension(PRE_SHARED_KEY, &[vector(&offered), vector(&[32; 33])].concat()),
        ]
    }

    #[test]
    fn what_decides_is_read() {
        let plain = hello(&[]);
        assert_eq!(Hello::parse(&plain).unwrap(), Hello { takes_tls12: true, ..Hello::default() });
        let offered = hello(&tls13(&[b"pump-7", b"\xff\x00"]));
        let read = Hello::parse(&offered).unwrap();
        assert_eq!((read.takes_tls12, read.takes_tls13), (true, true));
        assert_eq!(read.identities, [&b"pump-7"[..], b"\xff\x00"]);
    }

    #[test]
    fn keys_alone_and_versions_alone_are_no_offer() {
        for left_out in 0..3 {
            let mut extensions = tls13(&[b"pump-7"]);
            extensions.remove(left_out);
            assert!(!Hello::parse(&hello(&extensions)).unwrap().takes_tls13, "{left_out}");
        }
        let only = [extension(SUPPORTED_VERSIONS, &[2, 3, 4])];
        assert!(!Hello::parse(&hello(&only)).unwrap().takes_tls12);
    }

    #[test]
    fn cut_short_it_is_refused() {
        let whole = hello(&tls13(&[b"pump-7"]));
        for length in 0..whole.len() {
            // Without extensions it is whole too.
            let is_whole = length == 2 + 32 + 1 + 6 + 2;
            assert_eq!(Hello::parse(&whole[..length]).is_ok(), is_whole, "{length}");
        }
        assert_eq!(key_exchange(&[0, 3, b'a', b'b', b'c', 9, 9]), Ok(&b"abc"[..]));
        assert_eq!(key_exchange(&[0, 3, b'a']), Err(Malformed));
        assert_eq!(key_exchange(&[0]), Err(Malformed));
    }
}
