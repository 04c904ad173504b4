//! What follows from options before anything is connected.

use super::*;
use crate::flags::take;

fn planned(kind: Kind, manner: Manner, words: &[&str]) -> Result<Plan, NoPlan> {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    let mut options = Options::new(kind, manner);
    take(&mut options, &words).map_err(|wrong| NoPlan(Some(wrong.text().to_owned())))?;
    plan(&options)
}

#[test]
fn the_port_follows_from_tls_and_tls_from_the_port() {
    let place = |words: &[&str]| {
        let plan = planned(Kind::Publish, Manner::Mosquitto, words).unwrap();
        (plan.endpoint.to_string(), plan.tls.is_some())
    };
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert_eq!(place(&[]), ("localhost:1883".into(), false));
    assert_eq!(place(&["--cafile", file]), ("localhost:8883".into(), true));
    assert_eq!(place(&["--cafile", file, "--no-tls"]), ("localhost:8883".into(), false));
    assert_eq!(place(&["-p", "8883"]), ("localhost:8883".into(), true));
    assert_eq!(place(&["--tls-use-os-certs"]), ("localhost:1883".into(), true));
    assert_eq!(place(&["--insecure"]), ("localhost:1883".into(), false));
    assert_eq!(place(&["-L", "wss://h/t"]), ("h:8883 (WebSocket `/mqtt`)".into(), true));
    assert_eq!(place(&["--unix", "/x"]), ("unix:/x".into(), false));
    let ours = planned(Kind::Publish, Manner::Signet, &["--insecure"]).unwrap();
    assert_eq!((ours.endpoint.to_string(), ours.tls.is_some()), ("localhost:8883".into(), true));
}

#[test]
fn the_client_identifier_is_mosquittos_or_ours() {
    let id = |manner, words: &[&str]| planned(Kind::Subscribe, manner, words).unwrap().connect.client_identifier.as_str().to_owned();
    assert_eq!(id(Manner::Mosquitto, &[]), "");
    assert_eq!(id(Manner::Mosquitto, &["-I", "p-"]), format!("p-{}", std::process::id()));
    let old = id(Manner::Mosquitto, &["-V", "31"]);
    assert!(old.starts_with("mosq-") && old.len() == 23 && old.bytes().skip(5).all(|byte| byte.is_ascii_alphanumeric()), "{old}");
    assert!(id(Manner::Signet, &[]).starts_with("signet-sub-"));
}

#[test]
fn what_is_found_only_now_is_said_as_mosquitto_says_it() {
    for (words, line) in [
        (&["-i", ""][..], Some("Error: Invalid id.\n")),
        (&["-i", "a\u{1}"], None),
        (&["-P", "x"], Some("Error: Problem setting username and/or password.\n")),
        (&["--tls-version", "tlsv1.1"], Some("Error: Problem setting TLS options, check the options are valid.\n")),
        (&["--psk", "xy", "--psk-identity", "me"], Some("Error: Problem setting TLS-PSK options.\n")),
        (&["--tls-engine", "e"], Some("Error: Problem setting TLS engine, is e a valid engine?\n")),
        (&["--cafile", "/nowhere"], Some("Error: Problem setting TLS options: File not found.\n")),
        (&["--will-topic", "t", "-D", "will", "content-type", "x", "-V", "311"], Some("Error: Problem setting will.\n")),
        (&["-D", "connect", "receive-maximum", "5", "-V", "311"], Some("Unable to connect (This feature is not supported).\n")),
    ] {
        let NoPlan(said) = planned(Kind::Publish, Manner::Mosquitto, words).unwrap_err();
        assert_eq!(said.as_deref(), line, "{words:?}");
    }
}

#[test]
fn the_broker_may_send_as_many_as_are_waited_for() {
    let maximum =
        |words: &[&str]| planned(Kind::Subscribe, Manner::Mosquitto, words).unwrap().connect.properties.receive_maximum.map(u16::from);
    assert_eq!(maximum(&["-V", "5"]), Some(20));
    assert_eq!(maximum(&["-V", "5", "-C", "3"]), Some(3));
    assert_eq!(maximum(&["-V", "5", "-C", "100"]), Some(20));
    assert_eq!(maximum(&["-D", "connect", "receive-maximum", "7", "-C", "3"]), Some(7));
    assert_eq!(maximum(&[]), None);
}
