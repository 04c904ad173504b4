//! Words that become options, and what is said of those that cannot.

use super::*;

fn read(kind: Kind, words: &[&str]) -> Result<Options, String> {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let mut options = Options::new(kind, Manner::Mosquitto);
    take(&mut options, &words).and_then(|()| check(&mut options)).map_err(|wrong| wrong.text().to_owned())?;
    Ok(options)
}

#[test]
fn flags_set_what_they_say() {
    let options =
        read(Kind::Subscribe, &["-t", "a/#", "-t", "b", "-q", "2", "-C", "3", "-W", "5", "-R", "-N", "--pretty", "-x", "-1", "-i", "me"])
            .unwrap();
    assert_eq!(options.subscribe.filters, ["a/#", "b"]);
    assert_eq!((u8::from(options.qos), options.subscribe.count, options.subscribe.timeout), (2, Some(3), Some(5)));
    assert_eq!((options.who.session_expiry, options.who.version), (Some(u32::MAX), ProtocolVersion::V5));
    assert!(options.subscribe.no_retain && !options.output.end_of_line && options.output.pretty);
    let options = read(Kind::Publish, &["-t", "t", "-m", "x", "-D", "publish", "user-property", "a", "b", "-r", "--unix", "/s"]).unwrap();
    assert_eq!((options.who.version, options.publish.retain, options.place.port), (ProtocolVersion::V5, true, Some(0)));
    assert_eq!(Options::new(Kind::Request, Manner::Mosquitto).who.version, ProtocolVersion::V5);
    assert_eq!(Options::new(Kind::Publish, Manner::Signet).who.version, ProtocolVersion::V5);
}

#[test]
fn flags_belong_to_programs() {
    for (kind, flag) in [
        (Kind::Publish, "-C"),
        (Kind::Publish, "-F"),
        (Kind::Publish, "--json"),
        (Kind::Subscribe, "-m"),
        (Kind::Subscribe, "--latency"),
        (Kind::Subscribe, "--no-local"),
        (Kind::Request, "-l"),
        (Kind::Request, "-r"),
        (Kind::Request, "--repeat"),
        (Kind::Request, "-T"),
    ] {
        assert_eq!(read(kind, &[flag]).unwrap_err(), format!("Error: Unknown option '{flag}'.\n"));
    }
}

/// What 2.1.2 has and 2.0.11 has not; everything else is held against the real programs.
#[test]
fn what_only_the_newer_release_says() {
    for (words, error) in [
        (&["-t", ""][..], "Error: Invalid subscription topic '', are all '+' and '#' wildcards correct?\n"),
        (&["-L", "http://h/t"], "Error: Unsupported URL scheme.\n\n"),
        (&["-t", "a", "--retain-handling", "x"], "Error: Unknown value 'x' for --retain-handling.\n\n"),
        (&["-t", "a", "--retain-handling"], "Error: --retain-handling argument given but no option specified.\n\n"),
        (&["-t", "a", "--tls-keylog"], "Error: --tls-keylog argument given but no file specified.\n\n"),
        (&[], "Error: You must specify a topic to subscribe to (-t) or unsubscribe from (-U).\n"),
        (&["-t", "a", "-D", "a", "b", "c"], "Error: Invalid command a given in --property argument.\n\n"),
        (&["-t", "a", "-D", "connect", "b", "c"], "Error: Invalid property name b given in --property argument.\n\n"),
        (&["-t", "a", "-D", "connect", "session-expiry-interval", "x"], "Error: Property value 'x' not a number.\n\n"),
    ] {
        assert_eq!(read(Kind::Subscribe, words).unwrap_err(), error, "{words:?}");
    }
    assert!(read(Kind::Subscribe, &["-U", "a"]).is_ok());
}

#[test]
fn every_flag_that_wants_a_value_says_so() {
    for flag in FLAGS {
        let Takes::Value { called, missing, .. } = flag.takes else { continue };
        let kind = [Kind::Publish, Kind::Subscribe, Kind::Request].into_iter().find(|kind| flag.belongs_to(*kind, Manner::Mosquitto));
        let (Some(kind), Some(name)) = (kind, flag.names.first()) else { continue };
        assert_eq!(read(kind, &[name]).unwrap_err(), format!("Error: {called} argument given but {missing}.\n\n"));
    }
}
