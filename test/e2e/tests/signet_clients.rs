//! `signet pub`, `signet sub` and `signet rr` as people use them: flags, output, and where they differ from Mosquitto's programs.

use signet_e2e::{Finished, Running, Site};

/// Flags that reach the site's broker as pump-7, in front of `rest`.
fn flags(site: &Site, command: &str, rest: &[&str]) -> Vec<String> {
    let port = site.port().to_string();
    let mut words = [command, "-p", &port, "--cafile", "ca/ca.pem", "--cert", "devices/pump-7.pem", "--key", "devices/pump-7.key"]
        .map(str::to_owned)
        .to_vec();
    words.extend(rest.iter().map(ToString::to_string));
    words
}

fn start(site: &Site, command: &str, rest: &[&str]) -> Running {
    let words = flags(site, command, rest);
    Running::start(&mut site.command(&words.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// A subscriber whose subscription stands: `-d` says so.
fn subscriber(site: &Site, rest: &[&str]) -> Running {
    let running = start(site, "sub", &[&["-d"], rest].concat());
    running.wait_for("Subscribed (mid: 1)");
    running
}

fn publish(site: &Site, rest: &[&str], input: &[u8]) -> Finished {
    let mut running = start(site, "pub", rest);
    running.write(input);
    running.close_input();
    running.finish()
}

/// Lines that are not those of `-d`. The last one may be empty and still be a message.
fn data(output: &str) -> Vec<&str> {
    output.split('\n').filter(|line| !line.starts_with("Client ") && !line.starts_with("Subscribed ")).collect()
}

#[test]
fn every_source_of_a_payload_and_every_way_to_print_it() {
    let site = Site::quickstart();
    let _broker = site.serve();
    std::fs::write(site.path("payload"), "from a file").unwrap();

    let plain = subscriber(&site, &["-t", "pump-7/#", "-q", "2", "-C", "7"]);
    let verbose = subscriber(&site, &["-t", "pump-7/#", "-v", "-C", "1", "-V", "311"]);
    let json = subscriber(&site, &["-t", "pump-7/#", "--json", "-q", "1", "-C", "1"]);
    publish(&site, &["-t", "pump-7/m", "-m", "-5", "-q", "1", "-D", "publish", "user-property", "unit", "C"], b"").succeeded();
    publish(&site, &["-t", "pump-7/f", "-f", "payload", "-q", "2"], b"").succeeded();
    publish(&site, &["-t", "pump-7/s", "-s", "-V", "311"], b"all of stdin").succeeded();
    publish(&site, &["-t", "pump-7/l", "-l", "-q", "1"], b"one\ntwo\nno line end").succeeded();
    publish(&site, &["-t", "pump-7/n", "-n"], b"").succeeded();
    let plain = plain.finish().succeeded();
    assert_eq!(data(&plain.output), ["-5", "from a file", "all of stdin", "one", "two", "no line end"], "{}", plain.output);
    assert_eq!(data(&verbose.finish().succeeded().output), ["pump-7/m -5"]);
    let expected = r#"{"payload":"-5","properties":{"user_properties":[["unit","C"]]},"qos":1,"retain":false,"topic":"pump-7/m"}"#;
    assert_eq!(data(&json.finish().succeeded().output), [expected]);
}

#[test]
fn a_retained_message_is_printed_or_left_out_and_time_and_signals_end_a_subscription() {
    let site = Site::quickstart();
    let _broker = site.serve();
    publish(&site, &["-t", "pump-7/kept", "-m", "x", "-r", "-q", "1"], b"").succeeded();
    assert_eq!(data(&start(&site, "sub", &["-t", "pump-7/kept", "-C", "1"]).finish().succeeded().output), ["x"]);
    let timed_out = start(&site, "sub", &["-t", "pump-7/kept", "-R", "-W", "1"]).finish();
    assert_eq!((timed_out.code, timed_out.output.trim_end()), (Some(27), "Timed out"));
    start(&site, "sub", &["-t", "pump-7/none", "-E"]).finish().succeeded();
    for signal in ["INT", "TERM"] {
        let running = subscriber(&site, &["-t", "pump-7/none"]);
        running.signal(signal);
        assert!(running.finish().succeeded().says("sending DISCONNECT"));
    }
}

#[test]
fn what_the_broker_refuses_is_said_in_words_and_by_the_exit_code() {
    let site = Site::quickstart();
    let _broker = site.serve();
    let refused = publish(&site, &["-t", "other/t", "-m", "x", "-q", "1"], b"");
    assert_eq!(refused.code, Some(0x87), "{}", refused.output);
    assert!(refused.says("the broker refused message 1 to `other/t`: not authorized (0x87)"), "{}", refused.output);
    let refused = start(&site, "sub", &["-t", "other/#"]).finish();
    assert_eq!(refused.code, Some(0x87), "{}", refused.output);
    assert!(refused.says("the broker refused the subscription to `other/#`: not authorized (0x87)"), "{}", refused.output);
}

#[test]
fn a_revoked_certificate_is_told_to_the_session_and_to_the_next_attempt() {
    let site = Site::quickstart();
    let _broker = site.serve();
    let told = subscriber(&site, &["-t", "pump-7/#"]);
    let cut = subscriber(&site, &["-t", "pump-7/#", "-V", "311"]);
    site.signet(&["device", "revoke", "pump-7", "-r", "keyCompromise"]).succeeded();
    let told = told.finish();
    assert_eq!(told.code, Some(0x98), "{}", told.output);
    let words = "signet: error: disconnected by the broker: administrative action (0x98): certificate revoked: keyCompromise";
    assert!(told.output.lines().any(|line| line == words), "{}", told.output);
    assert_eq!(cut.finish().code, Some(7));
    let next = publish(&site, &["-t", "pump-7/t", "-m", "x"], b"");
    assert_eq!(next.code, Some(8));
    assert!(next.says("signet: error: the broker refused this certificate: it is revoked\nhint: "), "{}", next.output);
}

#[test]
fn what_cannot_work_is_told_before_or_instead_of_connecting() {
    let site = Site::quickstart();
    let tls = ["-p", "1", "--cafile", "ca/ca.pem"];
    for (arguments, code, words) in [
        (&["pub", "-t", "t"][..], 1, "Error: Both topic and message must be supplied."),
        (&["pub", "-t", "a/#", "-m", "x"], 1, "Error: Invalid publish topic 'a/#', does it contain '+' or '#'?"),
        (&["pub", "-t", "t", "-m", "x", "-q", "3"], 1, "Use 'signet pub --help' to see usage."),
        (&["pub", "-t", "t", "-m", "x", "--cert", "devices/pump-7.pem"], 1, "Error: Both certfile and keyfile must be provided"),
        (&["pub", "-t", "t", "-m", "x", "--cert", "devices/pump-7.pem", "--key", "devices/pump-7.key"], 1, "need `--cafile`"),
        (&["sub", "-t", "t", "-c"], 1, "Error: You must provide a client id"),
        (&["rr", "-t", "t", "-m", "x"], 1, "Error: All of topic, message, and response topic must be supplied."),
        (&["pub", "-t", "t", "-f", "missing"], 1, "cannot read `missing`: no such file or directory"),
        (&["pub", "-t", "t", "-m", "x", "-h", "no-such-host.invalid"], 15, "cannot resolve the host name `no-such-host.invalid`"),
        (&["pub", "-t", "t", "-m", "x", "-p", "1"], 14, "cannot connect to localhost:1: connection refused"),
        (&["rr", "-t", "t", "-m", "x", "-e", "r", "-p", "1"], 14, "cannot connect to localhost:1: connection refused"),
        (&["pub", "-t", "t", "-m", "x", "--cafile", "missing.pem"], 8, "cannot read `missing.pem`"),
        (&["pub", "-t", "t", "-m", "x", "--url", "http://h"], 1, "`http://h` is not a URL of a broker"),
        (&["pub", "-t", "t", "-m", "x", "--url", "ws://localhost:1/mqtt"], 14, "cannot connect to localhost:1 (WebSocket `/mqtt`)"),
        (&["pub", "-t", "t", "-m", "x", "--url", "mqtt://localhost:1"], 14, "cannot connect to localhost:1: connection refused"),
        (&["pub", "-m", "x", "--url", "mqtt://localhost:1/t"], 14, "cannot connect to localhost:1: connection refused"),
        (&["pub", "-m", "x", "-L", "mqtt://localhost:1/t"], 14, "cannot connect to localhost:1: connection refused"),
        (&["pub", "-t", "t", "-m", "x", "--unix", "missing.sock"], 14, "cannot connect to unix:missing.sock"),
    ] {
        let finished = site.signet(arguments);
        assert_eq!(finished.code, Some(code), "{arguments:?}: {}", finished.output);
        assert!(finished.says(words), "{arguments:?} says nothing of `{words}`: {}", finished.output);
    }
    let mismatch =
        site.signet(&[&["pub", "-t", "t", "-m", "x", "--cert", "devices/pump-7.pem", "--key", "server/server.key"], &tls[..]].concat());
    assert_eq!(mismatch.code, Some(8), "{}", mismatch.output);
    assert!(mismatch.says("is not the private key of the certificate"), "{}", mismatch.output);
    let quiet = site.signet(&["pub", "-t", "t", "-m", "x", "-p", "1", "--quiet"]);
    assert_eq!((quiet.code, quiet.output.as_str()), (Some(14), ""));
}
