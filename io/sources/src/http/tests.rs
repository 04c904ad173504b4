//! Against a real nginx, and a relay that breaks what nginx says.

use std::path::Path;

use signet_testkit::{Conduct, Nginx, Pki, Relay};
use signet_tls::ConnectorConfig;

use super::*;

const BOUNDS: Bounds = Bounds { timeout: Duration::from_secs(20), maximum_size: 1 << 20 };
const HURRIED: Bounds = Bounds { timeout: Duration::from_millis(100), ..BOUNDS };

fn run(url: &str, ask: Ask<'_>, ca: Option<&Path>, bounds: Bounds) -> Result<Fetched, String> {
    let trust = |file: &Path| ConnectorConfig { ca_files: vec![file.to_owned()], ..ConnectorConfig::default() };
    let https = ca.and_then(|file| signet_http::connector(&trust(file)).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(fetch(&url.parse().unwrap(), ask, https.as_ref(), bounds)).map_err(|failure| failure.text)
}

fn list(url: &str) -> Result<Fetched, String> {
    run(url, Ask::List(None), None, BOUNDS)
}

fn error(url: &str) -> String {
    list(url).unwrap_err()
}

fn body_of(fetched: Fetched) -> (Vec<u8>, Validators) {
    match fetched {
        Fetched::Body { bytes, validators } => (bytes, validators),
        Fetched::Unchanged => panic!("304 without a copy"),
    }
}

#[test]
fn a_file_comes_whole_and_a_second_time_only_when_it_changed() {
    let nginx = Nginx::start(None);
    let content = vec![7; 300_000];
    nginx.publish("ca.crl", &content);
    nginx.age("ca.crl", 60);
    let (bytes, validators) = body_of(list(&nginx.url("ca.crl")).unwrap());
    assert!(bytes == content);
    assert!(validators.etag.is_some() && validators.last_modified.is_some());
    let again = run(&nginx.url("ca.crl"), Ask::List(Some(&validators)), None, BOUNDS).unwrap();
    assert!(matches!(again, Fetched::Unchanged));
    nginx.publish("ca.crl", b"other");
    let (bytes, _) = body_of(run(&nginx.url("ca.crl"), Ask::List(Some(&validators)), None, BOUNDS).unwrap());
    assert_eq!(bytes, b"other");
    assert_eq!(nginx.wait_for_answers(3), ["200 GET /ca.crl", "304 GET /ca.crl", "200 GET /ca.crl"]);
}

#[test]
fn what_changed_in_the_second_it_was_sent_is_asked_for_without_a_condition() {
    let nginx = Nginx::start(None);
    nginx.publish("ca.crl", b"x");
    nginx.age("ca.crl", 60);
    let (_, known) = body_of(list(&nginx.url("ca.crl")).unwrap());
    assert_ne!(known, Validators::default());
    let (mut known, mut attempts) = (known, 0);
    while known != Validators::default() {
        // The second may change between the two.
        nginx.age("ca.crl", 0);
        known = body_of(list(&nginx.url("ca.crl")).unwrap()).1;
        attempts += 1;
        assert!(attempts < 10);
    }
}

#[test]
fn what_a_server_answers_instead_is_said() {
    let nginx = Nginx::start(None);
    nginx.publish("ca.crl", b"x");
    assert_eq!(error(&nginx.url("none.crl")), "the server answers 404 Not Found");
    assert_eq!(error(&nginx.url("500")), "the server answers 500 Internal Server Error");
    let redirected = error(&nginx.url("redirect/ca.crl"));
    assert!(redirected.contains("302") && redirected.contains("/ca.crl`; redirects are not followed"), "{redirected}");
    assert_eq!(nginx.wait_for_answers(3).len(), 3, "nothing was followed");
}

#[test]
fn a_body_over_the_limit_is_not_read() {
    let nginx = Nginx::start(None);
    std::fs::File::create(nginx.root().join("huge.crl")).unwrap().set_len(1 << 33).unwrap();
    assert_eq!(error(&nginx.url("huge.crl")), "the answer has 8589934592 bytes, more than the limit of 1048576");
}

#[test]
fn a_body_without_end_is_read_up_to_the_limit() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/ca.crl", listener.local_addr().unwrap());
    let endless = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let _ = socket.read(&mut [0; 4096]).unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let mut sent = 0_u64;
        while socket.write_all(&[0x30; 65_536]).is_ok() {
            sent += 65_536;
        }
        sent
    });
    assert_eq!(error(&url), "the answer has over 1048576 bytes, more than the limit of 1048576");
    // What sockets hold on the way comes on top.
    assert!(endless.join().unwrap() < 64 << 20);
}

#[test]
fn a_server_that_breaks_off_is_no_success() {
    let nginx = Nginx::start(None);
    nginx.publish("ca.crl", &vec![7; 300_000]);
    let relay = Relay::start(nginx.port(), Conduct::Cut(100_000));
    let cut = error(&format!("http://127.0.0.1:{}/ca.crl", relay.port()));
    assert!(cut.starts_with("the answer broke off after "), "{cut}");
    relay.conduct(Conduct::Cut(40));
    let cut = error(&format!("http://127.0.0.1:{}/ca.crl", relay.port()));
    assert!(cut.contains("closed the connection"), "{cut}");
}

#[test]
fn nobody_there_and_nobody_answering() {
    let mut nginx = Nginx::start(None);
    let relay = Relay::start(nginx.port(), Conduct::Hold);
    let held = run(&format!("http://127.0.0.1:{}/ca.crl", relay.port()), Ask::List(None), None, HURRIED).unwrap_err();
    assert_eq!(held, "the server does not answer within 0.1 s");
    nginx.stop();
    let refused = error(&nginx.url("ca.crl"));
    assert!(refused.contains("cannot connect to 127.0.0.1:") && refused.contains("connection refused"), "{refused}");
}

#[test]
fn a_server_that_trickles_is_given_up() {
    let nginx = Nginx::start(None);
    nginx.publish("ca.crl", &vec![7; 300_000]);
    let slow = run(&nginx.url("slow/ca.crl"), Ask::List(None), None, HURRIED).unwrap_err();
    assert!(slow.contains("stopped after") && slow.contains("or takes too long"), "{slow}");
}

#[test]
fn https_is_verified() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let nginx = Nginx::start(Some(&pki));
    let content = vec![9; 200_000];
    nginx.publish("ca.crl", &content);
    let url = nginx.https_url("ca.crl");
    let (bytes, _) = body_of(run(&url, Ask::List(None), Some(&pki.ca_file()), BOUNDS).unwrap());
    assert!(bytes == content);
    let foreign = run(&url, Ask::List(None), Some(&pki.foreign_ca_file()), BOUNDS).unwrap_err();
    assert!(foreign.contains("not issued by a CA that we trust; name the file of its CA with `https_trust`"), "{foreign}");
    let none = run(&url, Ask::List(None), None, BOUNDS).unwrap_err();
    assert!(none.contains("`https_trust`"), "{none}");
    let name = url.replace("127.0.0.1", "127.0.0.2");
    assert!(run(&name, Ask::List(None), Some(&pki.ca_file()), BOUNDS).is_err(), "another address, whoever listens there");
    let plain = nginx.url("ca.crl").replace("http:", "https:");
    let plain = run(&plain, Ask::List(None), Some(&pki.ca_file()), BOUNDS).unwrap_err();
    assert!(plain.contains("is not TLS"), "{plain}");
}

#[test]
fn https_that_breaks_off_is_no_success() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let nginx = Nginx::start(Some(&pki));
    nginx.publish("ca.crl", &vec![9; 200_000]);
    let port: u16 = nginx.https_url("").trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap();
    for bytes in [100, 3_000, 50_000] {
        let relay = Relay::start(port, Conduct::Cut(bytes));
        let cut = run(&format!("https://127.0.0.1:{}/ca.crl", relay.port()), Ask::List(None), Some(&pki.ca_file()), BOUNDS);
        assert!(cut.is_err(), "{bytes}");
    }
}
