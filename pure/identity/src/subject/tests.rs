//! Names by hand-made DER; comparison with OpenSSL is in `tests/openssl.rs`.

use super::*;
use crate::string::*;

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    match u8::try_from(content.len()).unwrap() {
        short @ 0..0x80 => der.push(short),
        long => der.extend([0x81, long]),
    }
    der.extend(content);
    der
}

fn attribute(oid: &[u8], tag: u8, text: &[u8]) -> Vec<u8> {
    element(0x30, &[element(6, oid), element(tag, text)].concat())
}

fn name(rdns: &[Vec<Vec<u8>>]) -> Vec<u8> {
    element(0x30, &rdns.iter().map(|rdn| element(0x31, &rdn.concat())).collect::<Vec<_>>().concat())
}

const CN: &[u8] = &[0x55, 4, 3];
const OU: &[u8] = &[0x55, 4, 11];

fn text_of(tag: u8, text: &[u8]) -> Result<String, String> {
    let subject = Subject::from_name_der(&name(&[vec![attribute(CN, tag, text)]]), "subject").map_err(|error| error.to_string())?;
    Ok(subject.cn().unwrap().to_owned())
}

#[test]
fn every_string_type_becomes_text() {
    assert_eq!(text_of(UTF8_STRING, "Müller".as_bytes()).unwrap(), "Müller");
    assert_eq!(text_of(PRINTABLE_STRING, b"pump*7").unwrap(), "pump*7");
    assert_eq!(text_of(IA5_STRING, b"a@b").unwrap(), "a@b");
    assert_eq!(text_of(NUMERIC_STRING, b"12").unwrap(), "12");
    assert_eq!(text_of(VISIBLE_STRING, b"x").unwrap(), "x");
    assert_eq!(text_of(TELETEX_STRING, b"M\xfcller").unwrap(), "Müller");
    assert_eq!(text_of(BMP_STRING, b"\0M\0\xfc").unwrap(), "Mü");
    assert_eq!(text_of(UNIVERSAL_STRING, b"\0\x01\xf6\x00").unwrap(), "\u{1f600}");
}

#[test]
fn text_that_breaks_its_string_type_is_refused() {
    for (tag, text, expected) in [
        (UTF8_STRING, &b"\xff"[..], "not UTF-8"),
        (UTF8_STRING, b"\xc0\x80", "not UTF-8"),
        (PRINTABLE_STRING, b"M\xfcller", "outside ASCII"),
        (BMP_STRING, b"\0M\0", "ends inside a character"),
        (BMP_STRING, b"\xd8\0", "no character"),
        (UNIVERSAL_STRING, b"\0\x11\0\0", "no character"),
    ] {
        let error = text_of(tag, text).unwrap_err();
        assert!(error.starts_with("the certificate's subject cannot be read: ") && error.contains(expected), "{error}");
    }
}

#[test]
fn malformed_names_are_refused() {
    let broken = [
        vec![],
        element(0x30, &element(0x31, &[])),
        element(0x30, &element(0x30, &[])),
        element(0x30, &element(0x31, &element(0x30, &element(6, CN)))),
    ];
    for der in broken {
        assert!(
            Subject::from_name_der(&der, "issuer").unwrap_err().to_string().starts_with("the certificate's issuer cannot be read"),
            "{der:?}"
        );
    }
}

#[test]
fn an_empty_name_is_empty() {
    let subject = Subject::from_name_der(&element(0x30, &[]), "subject").unwrap();
    assert_eq!((subject.rfc4514().as_str(), subject.cn()), ("", None));
}

#[test]
fn the_first_of_several_attributes_is_taken_and_several_in_one_rdn_are_joined() {
    let der =
        name(&[vec![attribute(OU, UTF8_STRING, b"first")], vec![attribute(CN, UTF8_STRING, b"a"), attribute(OU, UTF8_STRING, b"second")]]);
    let subject = Subject::from_name_der(&der, "subject").unwrap();
    assert_eq!(subject.attribute("OU"), Some("first"));
    assert_eq!(subject.attribute("2.5.4.11"), Some("first"));
    assert_eq!(subject.attribute("O"), None);
    assert_eq!(subject.rfc4514(), "OU=second+CN=a,OU=first");
}

#[test]
fn rfc_4514_escapes() {
    let escaped =
        |text: &str| Subject::from_name_der(&name(&[vec![attribute(CN, UTF8_STRING, text.as_bytes())]]), "subject").unwrap().rfc4514();
    assert_eq!(escaped(r#"a,b+c"d\e<f>g;h=i#j"#), r#"CN=a\,b\+c\"d\\e\<f\>g\;h=i#j"#);
    assert_eq!(escaped("#a"), r"CN=\#a");
    assert_eq!(escaped(" a b "), r"CN=\ a b\ ");
    assert_eq!(escaped(" "), r"CN=\ ");
    assert_eq!(escaped("a\0b\nc\u{7f}"), r"CN=a\00b\0Ac\7F");
    assert_eq!(escaped("a\u{202e}b"), r"CN=a\E2\80\AEb");
    assert_eq!(escaped("Müller 泵"), "CN=Müller 泵");
}

#[test]
fn values_without_text_and_types_without_a_name_are_hex() {
    let der = name(&[vec![attribute(CN, 4, &[1, 0xab])], vec![attribute(&[0x2b, 6, 1, 4, 1, 0x83, 0xb9, 0x0b, 7], UTF8_STRING, b"x")]]);
    let subject = Subject::from_name_der(&der, "subject").unwrap();
    assert_eq!(subject.rfc4514(), "1.3.6.1.4.1.56459.7=#0C0178,CN=#040201AB");
    assert_eq!(subject.cn(), None);
    assert_eq!(subject.attribute("1.3.6.1.4.1.56459.7"), Some("x"));
}
