//! Distribution points put together octet by octet; openssl's are read in `tests/openssl.rs`.

use super::*;

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push(&mut out, tag, content).unwrap();
    out
}

fn name(cn: &str) -> Vec<u8> {
    let attribute = [element(6, &[0x55, 4, 3]), element(0x0c, cn.as_bytes())].concat();
    element(0x30, &element(0x31, &element(0x30, &attribute)))
}

fn uri_name(uri: &str) -> Vec<u8> {
    element(0x86, uri.as_bytes())
}

fn points(list: &[Vec<u8>]) -> Result<Vec<DistributionPoint>, DerError> {
    read_points(&element(0x30, &list.concat()), &name("CA"))
}

fn full(names: &[Vec<u8>]) -> Vec<u8> {
    element(0xa0, &element(0xa0, &names.concat()))
}

#[test]
fn every_field_of_a_point_is_read() {
    let names = full(&[uri_name("http://a/1"), element(0xa4, &name("Directory")), element(0x82, b"dns")]);
    let reasons = element(0x81, &[1, 0b0110_0010]);
    let issuers = element(0xa2, &element(0xa4, &name("Indirect")));
    let read = points(&[element(0x30, &[names, reasons, issuers].concat())]).unwrap().remove(0);
    assert_eq!(read.names[0], PointName::Uri("http://a/1".to_owned()));
    assert_eq!(read.names[1], PointName::Directory(name("Directory")));
    assert_eq!(read.names[1].to_string(), "CN=Directory");
    assert_eq!(read.names[2], PointName::Other(element(0x82, b"dns")));
    assert_eq!(read.names.iter().filter_map(PointName::http_uri).collect::<Vec<_>>(), ["http://a/1"]);
    assert_eq!(read.reasons.to_string(), "keyCompromise, cACompromise, certificateHold");
    assert_eq!(read.crl_issuers, [name("Indirect")]);
}

#[test]
fn a_relative_name_is_completed_by_the_issuer() {
    let attribute = element(0x30, &[element(6, &[0x55, 4, 3]), element(0x0c, b"CRL1")].concat());
    let relative = element(0xa0, &element(0xa1, &attribute));
    let read = points(&[element(0x30, &relative)]).unwrap();
    assert_eq!(read[0].names[0].to_string(), "CN=CRL1,CN=CA");
    let other = element(0xa2, &element(0xa4, &name("Indirect")));
    let read = points(&[element(0x30, &[relative.clone(), other].concat())]).unwrap();
    assert_eq!(read[0].names[0].to_string(), "CN=CRL1,CN=Indirect");
    let two = element(0xa2, &[element(0xa4, &name("A")), element(0xa4, &name("B"))].concat());
    assert!(points(&[element(0x30, &[relative, two].concat())]).is_err(), "relative to whom?");
}

#[test]
fn reasons_of_a_named_bit_string() {
    let read = |content: &[u8]| ReasonFlags::from_bit_string(content);
    assert_eq!(read(&[7, 0xff, 0x80]), Ok(ReasonFlags::ALL), "the bit `unused` says nothing");
    assert_eq!(read(&[7, 0x7f, 0x80]), Ok(ReasonFlags::ALL));
    assert!(!read(&[0, 0x7f]).unwrap().is_all(), "aACompromise is missing");
    assert_eq!(read(&[0]), Ok(ReasonFlags::NONE));
    for wrong in [&[][..], &[8, 0], &[1], &[3, 0x04], &[0; 10]] {
        assert!(read(wrong).is_err(), "{wrong:02x?}");
    }
    assert_eq!(ReasonFlags::default(), ReasonFlags::ALL);
    let (one, other) = (read(&[6, 0x40]).unwrap(), read(&[5, 0x20]).unwrap());
    assert!(one.intersection(other).is_empty());
    assert_eq!(one.union(other).to_string(), "keyCompromise, cACompromise");
}

#[test]
fn what_is_malformed_or_too_much_is_refused() {
    let point = |names: &[Vec<u8>]| element(0x30, &full(names));
    let good = point(&[uri_name("http://a")]);
    assert!(points(&vec![good.clone(); MAXIMUM_POINTS]).is_ok());
    assert!(points(&vec![good; MAXIMUM_POINTS + 1]).is_err());
    assert!(points(&[point(&vec![uri_name("http://a"); MAXIMUM_NAMES])]).is_ok());
    assert!(points(&[point(&vec![uri_name("http://a"); MAXIMUM_NAMES + 1])]).is_err());
    for wrong in [
        element(0x30, &[]),
        element(0x30, &element(0x81, &[1, 0x40])),
        point(&[]),
        point(&[uri_name("http://a b")]),
        point(&[uri_name("http://a\r\nHost: b")]),
        point(&[element(0xa4, &[1, 2, 3])]),
        point(&[element(0x9f, &[0])]),
        element(0x30, &element(0xa0, &element(0xa2, &[]))),
        element(0x30, &element(0xa2, &uri_name("http://a"))),
        element(0x30, &[full(&[uri_name("http://a")]), element(0xa7, &[])].concat()),
    ] {
        assert!(points(std::slice::from_ref(&wrong)).is_err(), "{wrong:02x?}");
    }
    assert!(points(&[]).is_err());
}

#[test]
fn access_descriptions_are_those_of_the_method_over_http() {
    let description = |method: &[u8], location: Vec<u8>| element(0x30, &[element(6, method), location].concat());
    let list = [
        description(OID_AD_OCSP, uri_name("http://ocsp.example")),
        description(OID_AD_CA_ISSUERS, uri_name("http://ca.example/ca.der")),
        description(OID_AD_OCSP, uri_name("ldap://ocsp.example")),
        description(OID_AD_OCSP, uri_name("HTTPS://ocsp.example/2")),
        description(OID_AD_OCSP, element(0xa4, &name("x"))),
    ];
    let value = element(0x30, &list.concat());
    assert_eq!(read_access(&value, OID_AD_OCSP).unwrap(), ["http://ocsp.example", "HTTPS://ocsp.example/2"]);
    assert_eq!(read_access(&value, OID_AD_CA_ISSUERS).unwrap(), ["http://ca.example/ca.der"]);
    assert!(read_access(&element(0x30, &[]), OID_AD_OCSP).is_err());
    assert!(read_access(&element(0x30, &list[0].repeat(MAXIMUM_POINTS + 1)), OID_AD_OCSP).is_err());
}
