//! Against a real service in a process of its own.

use std::path::PathBuf;

use signet_testkit::{HttpService, Pki, ServiceTls};
use signet_tls::ConnectorConfig;

use super::*;

const HELLO: &str = r#"[{"path": "/hello", "type": "Text/Plain; charset=utf-8", "body": "hello"}]"#;

fn config(url: &str) -> HttpClientConfig {
    HttpClientConfig {
        server: url.parse().unwrap(),
        https: Https { connector: None, server_name: None, trust_key: "tls.ca" },
        connect_timeout: Duration::from_secs(20),
        timeout: Duration::from_secs(20),
        body_maximum: 64 * 1024,
        idle_maximum: 4,
        idle_timeout: Duration::from_secs(60),
    }
}

fn client(service: &HttpService) -> HttpClient {
    HttpClient::new(config(&service.url("/"))).unwrap()
}

fn get(target: &str) -> Question {
    Question { method: Method::GET, target: target.to_owned(), headers: HeaderMap::new(), body: Bytes::new() }
}

/// How often each connection was used, in the order in which they were opened.
fn connections(service: &HttpService) -> Vec<usize> {
    let mut counts = Vec::new();
    for line in service.requests() {
        let number = line.split("\"connection\": ").nth(1).unwrap().split(',').next().unwrap().parse::<usize>().unwrap();
        counts.resize(counts.len().max(number), 0);
        counts[number - 1] += 1;
    }
    counts
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

#[test]
fn a_connection_is_used_again() {
    let service = HttpService::start(ServiceTls::None, HELLO);
    let client = client(&service);
    run(async {
        for _ in 0..3 {
            let answer = client.ask(&get("/hello")).await.unwrap();
            assert_eq!((answer.status, answer.content_type.as_deref(), &*answer.body), (200, Some("text/plain"), &b"hello"[..]));
        }
        assert_eq!(client.ask(&get("/other")).await.unwrap().status, 404);
    });
    assert_eq!(connections(&service), [4]);
}

#[test]
fn a_connection_that_is_too_old_is_not_used_again_and_not_more_are_kept_than_may_be() {
    let service = HttpService::start(ServiceTls::None, HELLO);
    let none = HttpClient::new(HttpClientConfig { idle_timeout: Duration::ZERO, ..config(&service.url("/")) }).unwrap();
    let two = HttpClient::new(HttpClientConfig { idle_maximum: 2, ..config(&service.url("/")) }).unwrap();
    run(async {
        none.ask(&get("/hello")).await.unwrap();
        none.ask(&get("/hello")).await.unwrap();
        let (hello, two) = (get("/hello"), &two);
        let (one, other, third) = tokio::join!(two.ask(&hello), two.ask(&hello), two.ask(&hello));
        assert!(one.is_ok() && other.is_ok() && third.is_ok());
        assert!(two.idle.lock().unwrap().len() <= 2);
    });
    assert_eq!(connections(&service)[..2], [1, 1]);
}

#[test]
fn a_kept_connection_that_ends_without_an_answer_is_replaced_once_and_a_new_one_is_not() {
    let service = HttpService::start(ServiceTls::None, r#"[{"path": "/hello", "drop": "kept"}, {"path": "/never", "drop": "always"}]"#);
    let client = client(&service);
    run(async {
        client.ask(&get("/hello")).await.unwrap();
        client.ask(&get("/hello")).await.unwrap();
        assert_eq!(connections(&service), [2, 1], "the question was asked again on another connection");
        let error = client.ask(&get("/never")).await.unwrap_err();
        assert_eq!(error, "the server closed the connection");
        assert_eq!(connections(&service), [2, 2, 1], "and only once");
        client.ask(&get("/never")).await.unwrap_err();
        assert_eq!(connections(&service), [2, 2, 1, 1], "never on a connection that was new");
    });
}

#[test]
fn a_server_that_was_restarted_is_asked_on_a_new_connection_and_one_that_is_gone_is_said() {
    let mut service = HttpService::start(ServiceTls::None, HELLO);
    let client = client(&service);
    run(async {
        client.ask(&get("/hello")).await.unwrap();
        service.restart();
        client.ask(&get("/hello")).await.unwrap();
        service.stop();
        let error = client.ask(&get("/hello")).await.unwrap_err();
        assert!(error.starts_with("cannot connect to 127.0.0.1:") && error.ends_with("connection refused"), "{error}");
    });
}

#[test]
fn answers_that_are_none_are_said_and_nothing_is_followed() {
    let many = format!("[{}]", vec![r#"["X-A", "b"]"#; 100].join(","));
    let long = format!(r#"[["X-A", "{}"]]"#, "x".repeat(100_000));
    let answers = format!(
        r#"[{{"path": "/garbage", "raw": "220 smtp.example.com ESMTP\r\n"}}, {{"path": "/endless", "endless": true}},
            {{"path": "/large", "size": 70000}}, {{"path": "/fits", "size": 65536}}, {{"path": "/short", "raw": "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"}},
            {{"path": "/many", "headers": {many}}}, {{"path": "/long", "headers": {long}}},
            {{"path": "/moved", "status": 302, "headers": [["Location", "/fits"]]}}]"#
    );
    let service = HttpService::start(ServiceTls::None, &answers);
    let client = client(&service);
    run(async {
        for (target, expected) in [
            ("/garbage", "invalid HTTP version"),
            ("/endless", "the answer has over 65536 bytes, more than the limit of 65536"),
            ("/large", "the answer has 70000 bytes, more than the limit of 65536"),
            ("/short", "the answer broke off after 5 bytes"),
            ("/many", "message head is too large"),
            ("/long", "message head is too large"),
        ] {
            let error = client.ask(&get(target)).await.unwrap_err();
            assert!(error.contains(expected), "{target}: {error}");
        }
        assert_eq!(client.ask(&get("/fits")).await.unwrap().body.len(), 65536);
        assert_eq!(client.ask(&get("/moved")).await.unwrap().status, 302);
    });
    assert_eq!(service.requests().len(), 8, "a broken answer is no reason to ask again");
}

#[test]
fn who_does_not_answer_in_time_is_given_up() {
    let service = HttpService::start(ServiceTls::None, r#"[{"path": "/slow", "delay": 30}, {"path": "/hello"}]"#);
    let client = HttpClient::new(HttpClientConfig { timeout: Duration::from_millis(300), ..config(&service.url("/")) }).unwrap();
    let error = run(client.ask(&get("/slow"))).unwrap_err();
    assert_eq!(error, "no answer within 0.3 s");
}

#[test]
fn tls_is_verified_both_ways() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let ours = pki.device("broker");
    let foreign = pki.foreign_device("stranger");
    let service = HttpService::start(ServiceTls::Mutual(&pki), HELLO);
    let ask = |ca: PathBuf, shown: Option<&signet_testkit::Identity>, name: Option<&str>| {
        let connector = crate::connector(&ConnectorConfig {
            ca_files: vec![ca],
            certificate: shown.map(|shown| shown.certificate.clone()),
            key: shown.map(|shown| shown.key.clone()),
            ..ConnectorConfig::default()
        });
        let https = Https { connector: connector.unwrap(), server_name: name.map(str::to_owned), trust_key: "tls.ca" };
        let client = HttpClient::new(HttpClientConfig { https, ..config(&service.url("/")) }).unwrap();
        run(async {
            let first = client.ask(&get("/hello")).await?;
            client.ask(&get("/hello")).await.map(|second| (first.status, second.status))
        })
    };
    assert_eq!(ask(pki.ca_file(), Some(&ours), None), Ok((200, 200)));
    assert_eq!(connections(&service), [2]);
    assert_eq!(ask(pki.ca_file(), Some(&ours), Some("localhost")), Ok((200, 200)));
    let error = ask(pki.ca_file(), Some(&ours), Some("other.example.com")).unwrap_err();
    assert!(error.contains("not for `other.example.com` but for `localhost`"), "{error}");
    let error = ask(pki.foreign_ca_file(), Some(&ours), None).unwrap_err();
    assert!(error.contains("not issued by a CA that we trust; name the file of its CA with `tls.ca`"), "{error}");
    let error = ask(pki.ca_file(), None, None).unwrap_err();
    assert!(error.contains("the server wants a client certificate"), "{error}");
    let error = ask(pki.ca_file(), Some(&foreign), None).unwrap_err();
    assert!(error.contains("does not know the CA"), "{error}");
    assert_eq!(service.requests().len(), 4);
    let none = HttpClient::new(config(&service.url("/"))).unwrap_err();
    assert!(none.contains("name a file with `tls.ca`"), "{none}");
}
