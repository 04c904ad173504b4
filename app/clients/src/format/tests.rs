//! Formats, held against what the code of Mosquitto 2.1.2 makes of them.

use signet_mqtt::{PublishProperties, QoS, SubscriptionIdentifier, TopicName, UserProperties};

use super::*;

fn message(payload: &[u8]) -> Incoming {
    Incoming {
        topic: TopicName::new("a/b").unwrap(),
        payload: bytes::Bytes::copy_from_slice(payload),
        qos: QoS::AtLeastOnce,
        retain: true,
        packet_id: 7,
        properties: PublishProperties {
            message_expiry_interval: Some(9),
            content_type: Some("text".into()),
            correlation_data: Some(bytes::Bytes::from_static(b"\x01\x02")),
            response_topic: Some(TopicName::new("re").unwrap()),
            user_properties: UserProperties(vec![("k".into(), "v".into()), ("l".into(), "w".into())]),
            subscription_identifiers: vec![SubscriptionIdentifier::new(5).unwrap()],
            ..PublishProperties::default()
        },
        order: Vec::new(),
    }
}

fn shown(format: &str, payload: &[u8]) -> (String, String) {
    let (mut out, mut complaints) = (Vec::new(), Vec::new());
    Format::parse(format.as_bytes()).unwrap().write(&message(payload), false, &mut out, &mut complaints);
    (String::from_utf8(out).unwrap(), complaints.concat())
}

/// The expected texts are what Mosquitto 2.1.2's code makes of these. What 2.0.11 prints differently is held apart below.
#[test]
fn every_conversion_with_its_flags() {
    for (format, text) in [
        ("%%|%t|%p|%q|%r|%l|%m", "%|a/b|hello|1|1|5|7"),
        ("%A|%C|%D|%E|%F|%R|%S", "|text|\u{1}\u{2}|9||re|5"),
        ("%P", "k:v l:w"),
        ("%5t|%-5t|%.2t|%5.2t|%-5.2t|%05t", "  a/b|a/b  |a/|   a/|a/   |  a/b"),
        ("%4l|%-4l|%04l|%4A|%04A", "   5|5   |0005|    |0000"),
        ("%7p|%-7p|%07p|%3p", "  hello|hello  |00hello|hel"),
        ("%6C|%-6C", "  text|text  "),
        ("\\\\|\\a|\\e|\\n|\\r|\\t|\\v|\\0", "\\|\u{7}|\u{1b}|\n|\r|\t|\u{b}|\0"),
        ("@@", "@"),
        ("x%-p", "xhello     "),
        ("%x|%X", "68656c6c6f|68656C6C6F"),
    ] {
        assert_eq!(shown(format, b"hello"), (text.to_owned(), String::new()), "{format}");
    }
}

/// 2.0.11 has no separators, and counts the width of hexadecimal in other units.
#[test]
fn hexadecimal_of_the_newer_release() {
    for (format, text) in [
        ("%.2:x", "00:ff:7f"),
        ("%.1-x", "0-0-f-f-7-f"),
        ("%.4 X", "00FF 7F"),
        ("%.2x", "00 ff 7f"),
        ("%8x", "  00ff7f"),
        ("%08x", "0000ff7f"),
        ("%-8x|", "00ff7f  |"),
        ("%08.2:x", "00:00:ff:7f"),
        ("%2x", "00ff"),
    ] {
        assert_eq!(shown(format, b"\x00\xff\x7f").0, text, "{format}");
    }
}

#[test]
fn numbers_in_the_payload() {
    assert_eq!(shown("%f|%.2f|%8.1f|%-8.1f|%08.1f", &1.5_f32.to_ne_bytes()).0, "1.500000|1.50|     1.5|1.5     |000001.5");
    assert_eq!(shown("%d", &(-0.1_f64).to_ne_bytes()).0, "-0.100000");
    assert_eq!(shown("%f", b"xyz"), (String::new(), "requested float printing, but non-float data received".into()));
    assert_eq!(shown("%d", b"xyz"), (String::new(), "requested double printing, but non-double data received".into()));
    assert_eq!(shown("%f|%5f", &f32::NAN.to_ne_bytes()).0, "nan|  nan");
    assert_eq!(shown("%f", &f32::NEG_INFINITY.to_ne_bytes()).0, "-inf");
}

#[test]
fn a_payload_that_is_not_json_is_left_out() {
    assert_eq!(shown("<%J>", b"{"), ("<>".to_owned(), "Error: Message payload is not valid JSON on topic a/b.\n".to_owned()));
}

#[test]
fn mistakes_are_found_before_anything_is_printed() {
    for (format, error) in [
        ("a%", "Error: Incomplete format specifier.\n"),
        ("%-", "Error: Incomplete format specifier.\n"),
        ("%05", "Error: Incomplete format specifier.\n"),
        ("%5.", "Error: Incomplete format specifier.\n"),
        ("%.2", "Error: Incomplete format specifier.\n"),
        ("@", "Error: Incomplete format specifier.\n"),
        ("%z", "Error: Invalid format specifier 'z'.\n"),
        ("%5z", "Error: Invalid format specifier 'z'.\n"),
        ("%.2::x", "Error: Invalid format specifier ':'.\n"),
        ("\\q", "Error: Invalid escape specifier 'q'.\n"),
        ("\\", "Error: Incomplete escape specifier.\n"),
    ] {
        assert_eq!(Format::parse(format.as_bytes()).unwrap_err(), error, "{format}");
    }
    assert!(Format::parse(b"%99999999999999999999p").is_ok());
}
