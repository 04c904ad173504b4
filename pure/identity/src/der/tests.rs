//! DER by hand: lengths, identifiers, times.

use super::*;

#[test]
fn lengths_are_minimal_and_definite() {
    for wrong in [&[4, 0x80, 0, 0][..], &[4, 0x81, 1, 0], &[4, 0x82, 0, 0x80], &[4, 0x85, 0, 0, 0, 0, 1, 0], &[4, 0xff]] {
        assert_eq!(Reader::new(wrong).element(), Err(DerError::Length), "{wrong:?}");
    }
    for cut in [&[][..], &[4], &[4, 1], &[4, 0x82, 1], &[4, 0x84, 0xff, 0xff, 0xff, 0xff]] {
        assert_eq!(Reader::new(cut).element(), Err(DerError::Truncated), "{cut:?}");
    }
    assert_eq!(Reader::new(&[0x1f, 0x81, 0]).element(), Err(DerError::LongTag));
    let mut long = vec![4, 0x81, 0x80];
    long.extend([7; 0x80]);
    long.push(1);
    let mut reader = Reader::new(&long);
    assert_eq!(reader.element().unwrap().content, [7; 0x80]);
    assert_eq!(reader.finish(), Err(DerError::Trailing(1)));
}

#[test]
fn oids_are_dotted() {
    assert_eq!(oid_text(&[0x55, 4, 3]).unwrap(), "2.5.4.3");
    assert_eq!(oid_text(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1]).unwrap(), "1.2.840.113549.1.9.1");
    assert_eq!(oid_text(&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1]).unwrap(), "0.9.2342.19200300.100.1.1");
    assert_eq!(oid_text(&[0x88, 0x37, 3]).unwrap(), "2.999.3");
    for wrong in [&[][..], &[0x55, 0x84], &[0x55, 0x80, 1], &[0xff; 12]] {
        assert!(oid_text(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn times_are_seconds_since_1970() {
    let utc = |text: &'static str| time(Element { tag: UTC_TIME, content: text.as_bytes(), encoded: &[] });
    let generalized = |text: &'static str| time(Element { tag: GENERALIZED_TIME, content: text.as_bytes(), encoded: &[] });
    assert_eq!(utc("700101000000Z"), Ok(0));
    assert_eq!(utc("500101000000Z"), Ok(-631_152_000));
    assert_eq!(utc("491231235959Z"), Ok(2_524_607_999));
    assert_eq!(utc("000229120000Z"), Ok(951_825_600));
    assert_eq!(generalized("20261122023000Z"), Ok(1_795_314_600));
    assert_eq!(generalized("99991231235959Z"), Ok(253_402_300_799));
    assert_eq!(generalized("00000101000000Z"), Ok(-62_167_219_200));
    for wrong in [
        "",
        "Z",
        "7001010000Z",
        "700101000000",
        "700101000000+0100",
        "700229000000Z",
        "701301000000Z",
        "700100000000Z",
        "700101240000Z",
        "70010100000xZ",
        "-10101000000Z",
    ] {
        assert!(utc(wrong).is_err(), "{wrong}");
    }
    assert!(generalized("19000229000000Z").is_err());
    assert!(generalized("20000229000000.5Z").is_err());
    assert!(time(Element { tag: INTEGER, content: b"700101000000Z", encoded: &[] }).is_err());
}

#[test]
fn days_of_ten_thousand_years_are_written_as_they_are_read() {
    // Every eleventh day: 400 years have 146 097 of them, which 11 does not divide, so every day of the calendar has its turn.
    for day in (-719_528..2_932_897_i64).step_by(11) {
        let seconds = day * 86_400 + day.rem_euclid(86_400);
        let digits: String = time_text(seconds).chars().filter(char::is_ascii_digit).collect();
        let content = format!("{digits}Z");
        assert_eq!(time(Element { tag: GENERALIZED_TIME, content: content.as_bytes(), encoded: &[] }), Ok(seconds), "{content}");
    }
    assert_eq!(time_text(1_795_314_600), "2026-11-22T02:30:00Z");
}

#[test]
fn booleans_are_strict() {
    for (bytes, expected) in [(&[][..], Ok(false)), (&[1, 1, 0], Ok(false)), (&[1, 1, 0xff], Ok(true))] {
        assert_eq!(Reader::new(bytes).boolean_default_false(), expected);
    }
    assert!(Reader::new(&[1, 1, 1]).boolean_default_false().is_err());
    assert!(Reader::new(&[1, 0]).boolean_default_false().is_err());
}

#[test]
fn dotted_text_and_octets_are_the_same_oid() {
    for text in ["0.0", "0.39", "1.2.840.113549.1.9.1", "2.5.4.3", "2.999.1", "1.3.6.1.4.1.99999.72057594037927935", "2.100.128.16384"] {
        assert_eq!(oid_text(&oid_octets(text).unwrap()).unwrap(), text);
    }
    for text in ["", "1", "3.1", "1.40", "1..2", "01.2", "1.02", "1.2.", "1.+2", "1.2.72057594037927936", "1.2.99999999999999999999", "a.b"]
    {
        assert_eq!(oid_octets(text), None, "{text}");
    }
}
