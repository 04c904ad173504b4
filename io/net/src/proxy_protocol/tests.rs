//! Headers as HAProxy 2.6 wrote them, headers built here, and everything that must not pass.

use super::*;

/// `send-proxy-v2-ssl-cn` with `crc32c` and more, of a client with a certificate.
const WITH_CERTIFICATE: &str = "0d0a0d0a000d0a515549540a211100807f0000017f0000018beabef3030004e64265940100046d71747402000e6d792e646f6d61696e2e6e616d652000520700000000210007544c5376312e332200106d79556e6971756544657669636549642500075253413230343824000a5253412d534841323536230016544c535f4145535f3235365f47434d5f534841333834";
/// The same proxy and a client without TLS.
const WITHOUT_TLS: &str = "0d0a0d0a000d0a515549540a211100147f0000017f0000018f0cbef4200005000000000043";

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn read(input: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyError> {
    read_proxy_header(input, ProxyVersions::Any)
}

fn header(input: &[u8]) -> ProxyHeader {
    let (header, length) = read(input).unwrap().expect("a whole header");
    assert_eq!(length, input.len());
    header
}

fn refused(input: &[u8]) -> String {
    read(input).expect_err("a header that is refused").to_string()
}

/// A header of version 2.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let mut header = v2::SIGNATURE.to_vec();
    header.extend([0x20 | command, family]);
    header.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    header.extend(body);
    header
}

fn entry(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut entry = vec![kind];
    entry.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
    entry.extend(value);
    entry
}

const IPV4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 1, 0x9C, 0x40, 0x07, 0x5B];

/// TCP over IPv4 with these entries.
fn with(entries: &[Vec<u8>]) -> Vec<u8> {
    v2(1, 0x11, &[IPV4.to_vec(), entries.concat()].concat())
}

fn ssl(client: u8, verify: u32, entries: &[Vec<u8>]) -> Vec<u8> {
    entry(0x20, &[vec![client], verify.to_be_bytes().to_vec(), entries.concat()].concat())
}

fn ip(text: &str) -> Option<PeerAddress> {
    Some(PeerAddress::Ip(text.parse().unwrap()))
}

// === Version 1 ===

#[test]
fn lines_of_version_1() {
    let line = header(b"PROXY TCP4 192.0.2.1 198.51.100.1 40000 1883\r\n");
    assert_eq!(line, ProxyHeader { version: 1, is_local: false, source: ip("192.0.2.1:40000"), tls: None });
    assert_eq!(header(b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n").source, ip("[2001:db8::1]:1"));
    assert_eq!(header(b"PROXY UNKNOWN\r\n").source, None);
    assert_eq!(header(b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n").source, None);
    let (_, length) = read(b"PROXY TCP4 192.0.2.1 198.51.100.1 40000 1883\r\n\x10\x0d").unwrap().unwrap();
    assert_eq!(length, 46, "what comes behind is not the header's");
}

#[test]
fn lines_that_are_refused() {
    for line in [
        "PROXY TCP4 192.0.2.1 198.51.100.1 40000\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 40000 1883 \r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.1 40000 1883\r\n",
        "PROXY TCP4 192.0.2.01 198.51.100.1 40000 1883\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::1 40000 1883\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.1 40000 1883\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.256 40000 1883\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 040000 1883\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 +4000 1883\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 40000 65536\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.1 40000 1883\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY \r\n",
        "PROXY TCP4 \u{e9} 198.51.100.1 40000 1883\r\n",
    ] {
        assert!(refused(line.as_bytes()).contains("malformed"), "{line}");
    }
    assert!(refused(&[b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat()).contains("no end of line within 107"));
    assert!(refused(b"PROXY TCP4 \xff 198.51.100.1 40000 1883\r\n").contains("not text"));
}

// === Version 2 ===

#[test]
fn headers_of_haproxy() {
    let header = header(&octets(WITH_CERTIFICATE));
    assert_eq!((header.version, header.is_local, header.source), (2, false, ip("127.0.0.1:35818")));
    let tls = header.tls.unwrap();
    let certificate = tls.verified_certificate().unwrap();
    assert_eq!((certificate.common_name, certificate.der), (Some("myUniqueDeviceId"), None));
    assert!(tls.is_tls());
    let (protocol, cipher_suite) = tls.negotiated().unwrap();
    assert!(protocol.starts_with("TLSv1.") && cipher_suite.len() > 10, "{protocol} {cipher_suite}");

    let input = octets(WITHOUT_TLS);
    let (header, length) = read(&input).unwrap().unwrap();
    assert_eq!(&input[length..], b"C");
    let tls = header.tls.unwrap();
    assert!(!tls.is_tls());
    assert_eq!(tls.verified_certificate(), None);
}

#[test]
fn every_cut_of_a_header_waits_for_the_rest() {
    for whole in [octets(WITH_CERTIFICATE), b"PROXY TCP4 192.0.2.1 198.51.100.1 40000 1883\r\n".to_vec()] {
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length]), Ok(None), "{length}");
        }
    }
}

#[test]
fn every_damaged_octet_is_noticed() {
    let whole = octets(WITH_CERTIFICATE);
    // Octet 28 says that the checksum is one: damaged there, it is an entry that means nothing.
    for at in (0..whole.len()).filter(|at| *at != 28) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        // A longer length waits for more; everything else is refused by form or by checksum.
        assert!(!matches!(read(&damaged), Ok(Some(_))), "octet {at}");
    }
}

#[test]
fn families() {
    let mut ipv6 = [0_u8; 36];
    ipv6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    ipv6[15] = 1;
    ipv6[32..].copy_from_slice(&[0, 80, 0, 81]);
    assert_eq!(header(&v2(1, 0x21, &ipv6)).source, ip("[2001:db8::1]:80"));
    assert_eq!(header(&v2(1, 0x31, &[0; 216])).source, Some(PeerAddress::Unix(None)));
    assert_eq!(header(&v2(1, 0x00, &[])).source, None);
    assert_eq!(header(&v2(1, 0x00, &ssl(1, 0, &[]))).tls.map(|tls| tls.is_tls()), Some(true), "entries stand without addresses too");
    for family in [0x12, 0x22, 0x32, 0x01, 0x10, 0x41, 0xff] {
        assert!(refused(&v2(1, family, &[0; 216])).contains("family"), "{family:#x}");
    }
    for (family, length) in [(0x11, 11), (0x21, 35), (0x31, 215)] {
        assert!(refused(&v2(1, family, &vec![0; length])).contains("shorter"), "{family:#x}");
    }
}

#[test]
fn a_proxy_that_speaks_for_itself_brings_no_client() {
    for header in [
        header(&v2(0, 0x00, &[])),
        header(&v2(0, 0x11, &[&IPV4[..], &ssl(7, 0, &[entry(0x22, b"pump-7")])].concat())),
        header(&v2(0, 0xee, b"xyz")),
    ] {
        assert_eq!(header, ProxyHeader { version: 2, is_local: true, source: None, tls: None });
    }
    assert!(refused(&v2(2, 0x11, &IPV4)).contains("command 2"));
}

#[test]
fn versions_and_lengths_are_bounded() {
    let mut other = v2(1, 0x11, &IPV4);
    other[12] = 0x31;
    assert!(refused(&other).contains("version 3"));
    let long = v2(1, 0x11, &vec![0; MAXIMUM_HEADER]);
    assert_eq!(read(&long[..16]), Err(ProxyError::TooLong(MAXIMUM_HEADER + 16)), "refused before the rest has come");
    let longest = v2(1, 0x11, &[&IPV4[..], &entry(0x04, &vec![0; MAXIMUM_HEADER - 16 - 12 - 3])].concat());
    assert_eq!(header(&longest).source, ip("192.0.2.1:40000"));
}

#[test]
fn a_listener_takes_its_own_version() {
    let (first, second) = (b"PROXY UNKNOWN\r\n".to_vec(), v2(1, 0x11, &IPV4));
    assert!(read_proxy_header(&first, ProxyVersions::V1).unwrap().is_some());
    assert!(read_proxy_header(&second, ProxyVersions::V2).unwrap().is_some());
    assert_eq!(read_proxy_header(&first, ProxyVersions::V2), Err(ProxyError::Version { found: 1, expected: 2 }));
    assert_eq!(read_proxy_header(&second, ProxyVersions::V1), Err(ProxyError::Version { found: 2, expected: 1 }));
}

#[test]
fn what_is_no_header_is_refused_at_the_first_octet_that_shows_it() {
    for (input, words) in [(b"\x10".as_slice(), "MQTT"), (b"\x16\x03", "TLS"), (b"GET /", "does not begin"), (b"PROXZ", "does not begin")] {
        assert!(refused(input).contains(words), "{input:?}");
    }
    assert!(refused(b"\r\n\r\n\0\r\nQUIX").contains("does not begin"));
    assert!(
        is_proxy_header(b"PROXY TCP4")
            && is_proxy_header(v2::SIGNATURE)
            && !is_proxy_header(b"PR")
            && !is_proxy_header(b"\x10\x0d\0\x04MQTT")
    );
}

// === Entries ===

#[test]
fn a_certificate_counts_only_with_all_three_facts() {
    let facts =
        |client, verify| header(&with(&[ssl(client, verify, &[entry(0x22, b"pump-7")])])).tls.unwrap().verified_certificate().is_some();
    for client in 0..=7 {
        let expected = client & 1 != 0 && client & 6 != 0;
        assert_eq!(facts(client, 0), expected, "client {client:#x}");
        for verify in [1, 20, u32::MAX, 0x0100_0000] {
            assert!(!facts(client, verify), "client {client:#x}, verify {verify}");
        }
    }
}

#[test]
fn a_whole_certificate_is_kept_as_it_came() {
    let header = header(&with(&[entry(0x04, b"padding"), ssl(5, 0, &[entry(0x28, b"\x30\x03\x02\x01\x01"), entry(0x21, b"TLSv1.3")])]));
    let tls = header.tls.unwrap();
    assert_eq!(tls.verified_certificate().unwrap().der, Some(b"\x30\x03\x02\x01\x01".as_slice()));
}

#[test]
fn entries_that_are_refused() {
    let name = |value: &[u8]| ssl(7, 0, &[entry(0x22, value)]);
    for (entries, words) in [
        (vec![vec![0x01]], "longer than what is left"),
        (vec![vec![0x01, 0, 5, 1]], "longer than what is left"),
        (vec![entry(0x20, &[7, 0, 0, 0])], "shorter than 5"),
        (vec![entry(0x20, &[7, 0, 0, 0, 0, 0x22, 0, 9, b'a'])], "longer than what is left"),
        (vec![name(b"a"), name(b"b")], "two entries about TLS"),
        (vec![ssl(7, 0, &[entry(0x22, b"a"), entry(0x22, b"b")])], "two common names"),
        (vec![ssl(7, 0, &[entry(0x28, b"a"), entry(0x28, b"b")])], "two certificates"),
        (vec![name(b"\xff")], "not UTF-8"),
        (vec![entry(0x03, &[0; 3])], "checksum is not of 4"),
        (vec![entry(0x03, &[0; 4]), entry(0x03, &[0; 4])], "two checksums"),
        (vec![entry(0x03, &[0; 4])], "damaged"),
    ] {
        let text = refused(&with(&entries));
        assert!(text.contains(words), "{text}");
    }
}
