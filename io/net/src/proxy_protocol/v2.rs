//! Version 2: a binary header, with what the proxy knows besides addresses in type-length-value entries.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{ForwardedTls, MAXIMUM_HEADER, ProxyError, ProxyHeader, malformed};
use crate::PeerAddress;

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family and protocol, length.
const FIXED: usize = 16;

const CRC32C: u8 = 0x03;
const SSL: u8 = 0x20;
const SSL_COMMON_NAME: u8 = 0x22;
const SSL_VERSION: u8 = 0x21;
const SSL_CIPHER: u8 = 0x23;
const SSL_CLIENT_CERTIFICATE: u8 = 0x28;

pub(super) fn read(input: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyError> {
    let Some([version_command, family, high, low]) = input.get(SIGNATURE.len()..FIXED).and_then(|fixed| <[u8; 4]>::try_from(fixed).ok())
    else {
        return Ok(None);
    };
    if version_command >> 4 != 2 {
        return Err(malformed(format!("version {} behind the signature of version 2", version_command >> 4)));
    }
    let total = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if total > MAXIMUM_HEADER {
        return Err(ProxyError::TooLong(total));
    }
    let Some(header) = input.get(..total) else { return Ok(None) };
    let is_local = match version_command & 0x0F {
        0 => true,
        1 => false,
        other => return Err(malformed(format!("unknown command {other}"))),
    };
    let body = header.get(FIXED..).unwrap_or_default();
    if is_local {
        // Family and addresses mean nothing here and need not make sense; the checksum does.
        if let Some(entries) = address_length(family).and_then(|length| body.get(length..)) {
            Entries::read(entries, total - entries.len(), header)?;
        }
        return Ok(Some((ProxyHeader { version: 2, is_local, source: None, tls: None }, total)));
    }
    let (source, length) = source(family, body)?;
    let rest = body.get(length..).unwrap_or_default();
    let entries = Entries::read(rest, FIXED + length, header)?;
    Ok(Some((ProxyHeader { version: 2, is_local, source, tls: entries.tls }, total)))
}

fn address_length(family: u8) -> Option<usize> {
    match family {
        0x00 => Some(0),
        0x11 => Some(12),
        0x21 => Some(36),
        0x31 => Some(216),
        _ => None,
    }
}

/// The client's address and the length of the address block.
fn source(family: u8, body: &[u8]) -> Result<(Option<PeerAddress>, usize), ProxyError> {
    let Some(length) = address_length(family) else {
        return Err(malformed(format!("family and protocol {family:#04x}, expected TCP over IPv4 or IPv6, a unix stream, or unspecified")));
    };
    let block = body.get(..length).ok_or_else(|| malformed("it is shorter than the addresses of its family"))?;
    let source = match block {
        [a, b, c, d, _, _, _, _, high, low, _, _] => {
            Some(SocketAddr::from((Ipv4Addr::new(*a, *b, *c, *d), u16::from_be_bytes([*high, *low]))).into())
        }
        _ if family == 0x21 => {
            let address = block.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets));
            let port = block.get(32..34).and_then(|port| <[u8; 2]>::try_from(port).ok()).map(u16::from_be_bytes);
            address.zip(port).map(|(address, port)| SocketAddr::from((address, port)).into())
        }
        // The path of the client's end says nothing of who it is.
        _ if family == 0x31 => Some(PeerAddress::Unix(None)),
        _ => None,
    };
    Ok((source, length))
}

#[derive(Default)]
struct Entries {
    tls: Option<ForwardedTls>,
}

impl Entries {
    /// Reads the entries, which begin at `start` of `header`, and checks the checksum if one of them is it.
    fn read(entries: &[u8], start: usize, header: &[u8]) -> Result<Self, ProxyError> {
        let mut found = Self::default();
        let mut checksum = None;
        for entry in Tlv::of(entries) {
            let entry = entry?;
            match entry.kind {
                CRC32C => {
                    let value = <[u8; 4]>::try_from(entry.value).map_err(|_| malformed("the checksum is not of 4 octets"))?;
                    once(&mut checksum, (u32::from_be_bytes(value), start + entry.at), "checksums")?;
                }
                SSL => once(&mut found.tls, forwarded_tls(entry.value)?, "entries about TLS")?,
                _ => {}
            }
        }
        match checksum {
            Some((expected, at)) if checksum_without(header, at) != expected => Err(ProxyError::Checksum),
            _ => Ok(found),
        }
    }
}

/// The CRC32c of the header, taken with four zeros in the place of the checksum itself.
fn checksum_without(header: &[u8], at: usize) -> u32 {
    let (before, rest) = header.split_at_checked(at).unwrap_or((header, &[]));
    let crc = crc32c::crc32c_append(crc32c::crc32c(before), &[0; 4]);
    crc32c::crc32c_append(crc, rest.get(4..).unwrap_or_default())
}

fn forwarded_tls(value: &[u8]) -> Result<ForwardedTls, ProxyError> {
    let Some((&[client, a, b, c, d], entries)) = value.split_first_chunk::<5>() else {
        return Err(malformed("the entry about TLS is shorter than 5 octets"));
    };
    let verify = u32::from_be_bytes([a, b, c, d]);
    let mut tls = ForwardedTls { client, verify, common_name: None, certificate: None, protocol: None, cipher_suite: None };
    for entry in Tlv::of(entries) {
        let entry = entry?;
        match entry.kind {
            SSL_COMMON_NAME => {
                let name = str::from_utf8(entry.value).map_err(|_| malformed("the common name is not UTF-8"))?;
                once(&mut tls.common_name, name.to_owned(), "common names")?;
            }
            // Nothing is decided by these two: what makes no sense is left out.
            SSL_VERSION => tls.protocol = str::from_utf8(entry.value).ok().map(str::to_owned),
            SSL_CIPHER => tls.cipher_suite = str::from_utf8(entry.value).ok().map(str::to_owned),
            SSL_CLIENT_CERTIFICATE => once(&mut tls.certificate, entry.value.to_vec(), "certificates")?,
            _ => {}
        }
    }
    Ok(tls)
}

/// Two of a kind would leave open which of them counts.
fn once<T>(place: &mut Option<T>, value: T, what: &str) -> Result<(), ProxyError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(malformed(format!("it holds two {what}"))),
    }
}

/// One entry.
struct Tlv<'a> {
    kind: u8,
    value: &'a [u8],
    /// Where the value begins.
    at: usize,
}

impl<'a> Tlv<'a> {
    /// The entries of `octets`, which they have to fill.
    fn of(octets: &'a [u8]) -> impl Iterator<Item = Result<Self, ProxyError>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = octets.get(at..).filter(|rest| !rest.is_empty())?;
            let entry = rest.split_first_chunk::<3>().and_then(|(&[kind, high, low], behind)| {
                let value = behind.get(..usize::from(u16::from_be_bytes([high, low])))?;
                Some(Self { kind, value, at: at + 3 })
            });
            // After a cut entry there is nothing to go on with.
            at = entry.as_ref().map_or(octets.len(), |entry| entry.at + entry.value.len());
            Some(entry.ok_or_else(|| malformed("an entry is longer than what is left of it")))
        })
    }
}
