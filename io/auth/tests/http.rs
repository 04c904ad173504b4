//! Who may connect, and what it may do, by the word of a real HTTP service in a process of its own.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use serde_json::{Value, json};
use signet_auth::{
    AccessAsker, Authenticator, Backend, BackendConfig, BreakerState, Compatibility, EndpointConfig, EndpointTls, HttpAsker,
    HttpAuthenticator, HttpBody, HttpMethod, HttpPlaceholders, HttpRules, QuestionConfig, RuleSource,
};
use signet_identity::{DeviceIdentity, DeviceName, KeyDigest, Leaf};
use signet_mqtt::{ClientIdentifier, Password, QoS};
use signet_policy::{AccessAnswer, AccessQuestion, Action, Applicant, Client, Outcome, Principal};
use signet_testkit::{HttpService, Pki, ServiceTls};

/// A Monday in 2026.
const NOW: i64 = 1_780_000_000;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

fn identity(common_name: &str) -> Arc<DeviceIdentity> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let leaf = Leaf::parse(params.self_signed(&KeyPair::generate().unwrap()).unwrap().der()).unwrap();
    Arc::new(DeviceIdentity::new(DeviceName::new("device").unwrap(), leaf, KeyDigest::of(b"key"), []))
}

fn client(username: Option<&str>, client_identifier: &str, common_name: Option<&str>) -> Client {
    let identity = common_name.map(identity);
    let principal = match &identity {
        Some(identity) => Principal::Device(identity.name().clone().into()),
        None => Principal::Anonymous,
    };
    Client::restored(principal, username.map(Into::into), ClientIdentifier::new(client_identifier), identity)
}

fn applicant(username: &str, password: Option<&[u8]>) -> Applicant {
    Applicant {
        client: client(Some(username), "c1", Some("pump-7")),
        is_assigned: false,
        names: signet_policy::NameOrigins::default(),
        claimed_username: Some(username.into()),
        password: password.map(|password| Password::new(password.to_vec())),
        method: None,
        method_data: None,
        without_identity: None,
        now: NOW,
    }
}

fn backend() -> BackendConfig {
    BackendConfig { timeout: Duration::from_secs(20), cache_ttl: Duration::ZERO, breaker_failures: 0, ..BackendConfig::new("web", "http") }
}

fn post(service: &HttpService) -> QuestionConfig {
    let body = json!({"username": "${username}", "password": "${password}", "clientid": "${client_identifier}", "cn": "${cert.cn}"});
    QuestionConfig { url: service.url("/auth"), body: HttpBody::Json(body), ..QuestionConfig::default() }
}

fn authenticator(question: &QuestionConfig) -> HttpAuthenticator {
    with(question, Compatibility::Emqx5, backend())
}

fn with(question: &QuestionConfig, compatibility: Compatibility, backend: BackendConfig) -> HttpAuthenticator {
    HttpAuthenticator::new(question, compatibility, &EndpointConfig::default(), Backend::new(backend)).unwrap()
}

/// `allow`, `deny: why`, `unknown: why` or `failed: why`.
async fn verdict(authenticator: &HttpAuthenticator, applicant: &Applicant) -> String {
    let backend = authenticator.backend().unwrap();
    if backend.config().cache_ttl.is_zero() {
        // Even so an answer is shared by those who ask in the same millisecond.
        backend.forget();
    }
    match authenticator.authenticate(applicant).await {
        Ok(Outcome::Allow(_)) => "allow".to_owned(),
        Ok(Outcome::Deny(why)) => format!("deny: {why}"),
        Ok(Outcome::Unknown(why)) => format!("unknown: {why}"),
        Ok(Outcome::Failed(why)) => format!("failed: {why}"),
        Err(failure) => format!("failed: {failure}"),
    }
}

fn requests(service: &HttpService) -> Vec<Value> {
    service.requests().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn last(service: &HttpService) -> Value {
    requests(service).pop().unwrap()
}

#[test]
fn each_answer_means_what_it_means_to_emqx_5() {
    let service = HttpService::start(ServiceTls::None, "[]");
    let json = "application/json";
    let table = [
        (204, "", "", "allow"),
        (200, json, r#"{"result": "allow"}"#, "allow"),
        (200, "application/json; charset=utf-8", r#"{"result": "allow", "is_superuser": false}"#, "allow"),
        (200, "", r#"{"result": "allow"}"#, "allow"),
        (200, json, r#"{"result": "deny"}"#, "deny: the service says `deny`"),
        (200, json, r#"{"result": "deny", "is_superuser": []}"#, "deny: the service says `deny`"),
        (200, json, r#"{"result": "ignore"}"#, "unknown: the service does not know it"),
        (200, json, "{}", "unknown: the service does not know it"),
        (200, "application/x-www-form-urlencoded", "result=allow&is_superuser=true", "allow"),
        (200, "application/x-www-form-urlencoded", "result=deny", "deny: the service says `deny`"),
        (200, "application/x-www-form-urlencoded", "result=ignore", "unknown: the service does not know it"),
        (
            200,
            "application/x-www-form-urlencoded",
            "result=deny&result=allow",
            "failed: the service answers a form that names something twice",
        ),
        (200, "application/x-www-form-urlencoded", "result=%zz", "failed: the service answers a form that cannot be read"),
        (200, json, r#"{"result": "yes"}"#, "failed: the service answers with another `result`"),
        (200, json, r#"{"result": true}"#, "failed: the service answers with a `result` that is no text"),
        (200, json, "", "failed: the service answers what is no JSON"),
        (200, json, r#"{"result": "allow""#, "failed: the service answers what is no JSON"),
        (200, json, r#"["allow"]"#, "failed: the service answers JSON that is no object"),
        (200, "text/html", r#"{"result": "allow"}"#, "failed: the service answers with the media type `text/html`"),
        (200, json, r#"{"result": "allow", "is_superuser": [1]}"#, "failed: the service's `is_superuser`"),
        (200, json, r#"{"result": "allow", "client_attrs": {"a": {}}}"#, "failed: the service's `client_attrs`: `a` is no text"),
        (200, json, r#"{"result": "allow", "expire_at": 1.5}"#, "failed: the service's `expire_at`: expected whole Unix seconds"),
        (200, json, r#"{"result": "allow", "expire_at": 1779999999}"#, "deny: what the service allows is over"),
        (200, json, r#"{"result": "allow", "expire_at": 1780000001}"#, "allow"),
        (
            200,
            json,
            r#"{"result": "allow", "acl": [{"permission": "allow", "action": "x", "topic": "a"}]}"#,
            "failed: the service's `acl`: `action`",
        ),
        (400, json, r#"{"result": "allow"}"#, "deny: the service answers 400"),
        (401, json, r#"{"result": "allow"}"#, "deny: the service answers 401"),
        (403, "", "", "deny: the service answers 403"),
        (404, "", "", "deny: the service answers 404"),
        (408, "", "", "failed: the service answers 408"),
        (429, "", "", "failed: the service answers 429"),
        (201, json, r#"{"result": "allow"}"#, "failed: the service answers 201"),
        (302, json, r#"{"result": "allow"}"#, "failed: the service answers 302; redirects are not followed"),
        (500, json, r#"{"result": "allow"}"#, "failed: the service answers 500"),
        (503, "", "", "failed: the service answers 503"),
    ];
    let authenticator = authenticator(&post(&service));
    run(async {
        for (status, content_type, body, expected) in table {
            let mut rule = json!({"status": status, "body": body});
            if !content_type.is_empty() {
                rule["type"] = content_type.into();
            }
            service.answer(&json!([rule]).to_string());
            let said = verdict(&authenticator, &applicant("ann", Some(b"secret"))).await;
            assert!(said.starts_with(expected), "{status} {content_type} {body}: {said}");
        }
    });
    let sent = last(&service);
    assert_eq!(sent["method"], "POST");
    let body: Value = serde_json::from_str(sent["body"].as_str().unwrap()).unwrap();
    assert_eq!(body, json!({"username": "ann", "password": "secret", "clientid": "c1", "cn": "pump-7"}));
}

#[test]
fn each_answer_means_what_it_means_to_emqx_4() {
    let service = HttpService::start(ServiceTls::None, "[]");
    let question = QuestionConfig {
        url: service.url("/mqtt/auth"),
        body: HttpBody::Form(vec![("clientid".into(), "%c".into()), ("username".into(), "%u".into()), ("password".into(), "%P".into())]),
        placeholders: HttpPlaceholders::Emqx4,
        ..QuestionConfig::default()
    };
    let authenticator = with(&question, Compatibility::Emqx4, backend());
    run(async {
        for (status, body, expected) in [
            (200, "", "allow"),
            (200, "whatever", "allow"),
            (200, r#"{"result": "deny"}"#, "allow"),
            (200, "ignore", "unknown: the service does not know it"),
            (200, "ignore\n", "unknown: the service does not know it"),
            (200, "ignored", "allow"),
            (400, "", "deny: the service answers 400"),
            (401, "ignore", "deny: the service answers 401"),
            (204, "", "failed: the service answers 204"),
            (302, "", "failed: the service answers 302"),
            (500, "ignore", "failed: the service answers 500"),
        ] {
            service.answer(&json!([{"status": status, "body": body}]).to_string());
            let said = verdict(&authenticator, &applicant("ann", Some(b"a b&c=d"))).await;
            assert!(said.starts_with(expected), "{status} {body}: {said}");
        }
    });
    assert_eq!(last(&service)["form"], json!([["clientid", "c1"], ["username", "ann"], ["password", "a b&c=d"]]));
}

#[test]
fn what_the_service_says_besides_goes_to_the_client() {
    let body = json!({
        "result": "allow", "is_superuser": true, "expire_at": NOW + 60, "client_attrs": {"hall": "3"},
        "acl": [{"permission": "allow", "action": "publish", "topic": "data/${username}/#"}],
    });
    let service = HttpService::start(ServiceTls::None, &json!([{"type": "application/json", "body": body.to_string()}]).to_string());
    let outcome = run(authenticator(&post(&service)).authenticate(&applicant("ann", Some(b"x")))).unwrap();
    let Outcome::Allow(grant) = outcome else { panic!("{outcome:?}") };
    assert!(grant.superuser);
    assert_eq!(grant.expires_at, Some(NOW + 60));
    assert_eq!(grant.attributes.get("hall").map(|value| &**value), Some("3"));
    assert_eq!((grant.rules.len(), &*grant.rules[0].source, grant.rules[0].rules.len()), (1, "web", 1));
    assert!(!grant.rules[0].is_complete);
}

#[test]
fn an_old_list_of_rules_denies_what_it_does_not_name() {
    let body = json!({"result": "allow", "acl": {"pub": ["a"], "sub": ["b"], "all": []}});
    let service = HttpService::start(ServiceTls::None, &json!([{"type": "application/json", "body": body.to_string()}]).to_string());
    let outcome = run(authenticator(&post(&service)).authenticate(&applicant("ann", Some(b"x")))).unwrap();
    let Outcome::Allow(grant) = outcome else { panic!("{outcome:?}") };
    assert!(grant.rules[0].is_complete && grant.rules[0].rules.len() == 2);
}

#[test]
fn who_shows_nothing_to_ask_by_is_not_asked_about() {
    let service = HttpService::start(ServiceTls::None, r#"[{"status": 204}]"#);
    let authenticator = authenticator(&post(&service));
    run(async {
        let mut none = applicant("ann", None);
        assert_eq!(verdict(&authenticator, &none).await, "unknown: it sends no password");
        none = applicant("ann", Some(b"x"));
        none.client = client(Some("ann"), "c1", None);
        let said = verdict(&authenticator, &none).await;
        assert!(said.starts_with("unknown: `${cert.cn}` has no value"), "{said}");
        none.client = client(None, "c1", Some("pump-7"));
        let said = verdict(&authenticator, &none).await;
        assert!(said.starts_with("unknown: `${username}` has no value"), "{said}");
        none.client = client(Some(""), "c1", Some("pump-7"));
        let said = verdict(&authenticator, &none).await;
        assert!(said.starts_with("unknown: `${username}` has no value"), "{said}");
    });
    assert_eq!(service.requests().len(), 0);
}

/// Texts that mean something in an address, a header field, a form, JSON, a template, a shell or SQL.
const HOSTILE: [&str; 22] = [
    "ann&admin=true",
    "ann?x=1#y",
    "ann/../../admin",
    "../admin",
    "%2e%2e%2fadmin",
    "%00",
    "%u%P%c",
    "${password}",
    "${cert.cn}",
    "$$",
    r#"","is_superuser":true,"x":""#,
    r#"\","a":"\"#,
    "a\\u0022b",
    "ann, x",
    "ann; x=y",
    "ann=b",
    "a+b c",
    "a:b@evil.example.com",
    "';DROP TABLE users;--",
    "`id` $(id) | id",
    "é漢字🔒",
    "http://evil.example.com/",
];

#[test]
fn no_value_is_anything_but_a_value() {
    let service = HttpService::start(ServiceTls::None, r#"[{"status": 204}]"#);
    let url = service.url("/users/${username}/${cert.cn}/x?id=${client_identifier}&p=${password}&fixed=a%20b");
    let headers: Vec<(String, String)> = [("X-User", "u ${username}"), ("X-Cn", "${cert.cn}"), ("X-Password", "${password}")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    let fields =
        json!({"${username}": "${username}", "list": ["${password}", 7, null], "in": {"cn": "<${cert.cn}>"}, "id": "${client_identifier}"});
    let get = QuestionConfig { method: HttpMethod::Get, url: url.clone(), headers, ..QuestionConfig::default() };
    let json_post = QuestionConfig { url: url.clone(), body: HttpBody::Json(fields), ..QuestionConfig::default() };
    let form = vec![("u&v".to_owned(), "u=${username}".to_owned()), ("p".to_owned(), "${password}".to_owned())];
    let form_post = QuestionConfig { url, body: HttpBody::Form(form), ..QuestionConfig::default() };
    let authenticators = [authenticator(&get), authenticator(&json_post), authenticator(&form_post)];
    run(async {
        for text in HOSTILE {
            let mut who = applicant(text, Some(text.as_bytes()));
            who.client = client(Some(text), text, Some(text));
            for (place, authenticator) in authenticators.iter().enumerate() {
                assert_eq!(verdict(authenticator, &who).await, "allow", "{text}");
                let sent = last(&service);
                assert_eq!(sent["segments"], json!(["users", text, text, "x"]), "{text}");
                assert_eq!(sent["query"], json!([["id", text], ["p", text], ["fixed", "a b"]]), "{text}");
                match place {
                    0 => {
                        let headers: Vec<(String, String)> = serde_json::from_value(sent["headers"].clone()).unwrap();
                        // Python reads header fields as Latin-1.
                        let as_latin: String = text.bytes().map(char::from).collect();
                        let sent = |wanted: &str| {
                            let found: Vec<&str> =
                                headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| &**value).collect();
                            found.join("|")
                        };
                        assert_eq!(sent("X-User"), format!("u {as_latin}"));
                        assert_eq!((sent("X-Cn"), sent("X-Password")), (as_latin.clone(), as_latin));
                        let mut names: Vec<String> = headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
                        names.sort();
                        assert_eq!(names, ["accept", "host", "user-agent", "x-cn", "x-password", "x-user"]);
                    }
                    1 => {
                        let body: Value = serde_json::from_str(sent["body"].as_str().unwrap()).unwrap();
                        let expected = json!({
                            "${username}": text, "list": [text, 7, null], "in": {"cn": format!("<{text}>")}, "id": text,
                        });
                        assert_eq!(body, expected, "{text}");
                    }
                    _ => assert_eq!(sent["form"], json!([["u&v", format!("u={text}")], ["p", text]]), "{text}"),
                }
            }
        }
    });
}

#[test]
fn what_cannot_stand_in_its_place_is_denied_and_never_sent() {
    let service = HttpService::start(ServiceTls::None, r#"[{"status": 204}]"#);
    let get = |url: &str, headers: &[(&str, &str)]| QuestionConfig {
        method: HttpMethod::Get,
        url: service.url(url),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..QuestionConfig::default()
    };
    let path = authenticator(&get("/users/${username}", &[]));
    let header = authenticator(&get("/", &[("X", "${username}")]));
    let password = authenticator(&get("/", &[("X", "${password}")]));
    let json = authenticator(&post(&service));
    run(async {
        for (authenticator, username, secret) in [
            (&path, "..", &b"x"[..]),
            (&path, ".", b"x"),
            (&path, "a\r\nX-Admin: 1", b"x"),
            (&header, "a\r\nX-Admin: 1", b"x"),
            (&header, "a\u{0}", b"x"),
            (&header, "a\u{2028}b", b"x"),
            (&header, " admin", b"x"),
            (&header, "admin ", b"x"),
            (&json, "a\nb", b"x"),
            (&password, "ann", b"a\r\nX-Admin: 1"),
            (&password, "ann", b"a\0"),
            (&password, "ann", b"admin\t"),
            (&json, "ann", b"\xff\xfe"),
        ] {
            let said = verdict(authenticator, &applicant(username, Some(secret))).await;
            assert!(said.starts_with("deny: "), "{username:?}: {said}");
            assert!(!said.contains("X-Admin: 1\n"), "{said}");
        }
        // A path takes every other name of dots, and a query all of them.
        assert_eq!(verdict(&path, &applicant("...", Some(b"x"))).await, "allow");
        assert_eq!(verdict(&authenticator(&get("/?u=${username}", &[])), &applicant("..", Some(b"x"))).await, "allow");
        // Any bytes can be escaped.
        assert_eq!(verdict(&authenticator(&get("/?p=${password}", &[])), &applicant("ann", Some(b"\xff\0"))).await, "allow");
    });
    assert_eq!(service.requests().len(), 3);
    assert_eq!(last(&service)["target"], "/?p=%FF%00");
}

#[test]
fn a_certificate_goes_whole_into_the_body() {
    let service = HttpService::start(ServiceTls::None, r#"[{"status": 204}]"#);
    let body = json!({"pem": "${cert.pem}", "old": "${cert_pem}", "subject": "${cert_subject}", "id": "${clientid}"});
    let question = QuestionConfig {
        url: service.url("/"),
        body: HttpBody::Json(body),
        placeholders: HttpPlaceholders::Emqx5,
        ..QuestionConfig::default()
    };
    let who = applicant("ann", None);
    assert_eq!(run(verdict(&authenticator(&question), &who)), "allow");
    let sent: Value = serde_json::from_str(last(&service)["body"].as_str().unwrap()).unwrap();
    assert!(sent["pem"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----\n"));
    assert_eq!((&sent["subject"], &sent["id"]), (&json!("CN=pump-7"), &json!("c1")));
    let der = who.client.identity().unwrap().leaf().der().to_vec();
    let lines: String = sent["pem"].as_str().unwrap().lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(sent["old"], json!(lines));
    assert!(!der.is_empty());
}

#[test]
fn a_question_that_cannot_be_asked_is_refused_when_it_is_configured() {
    let parse = |question: QuestionConfig| {
        HttpAuthenticator::new(&question, Compatibility::Emqx5, &EndpointConfig::default(), Backend::new(backend())).map(|_| ())
    };
    let url = |url: &str| QuestionConfig { method: HttpMethod::Get, url: url.to_owned(), ..QuestionConfig::default() };
    let header = |name: &str, value: &str| QuestionConfig { headers: vec![(name.to_owned(), value.to_owned())], ..url("http://h/") };
    for (question, expected) in [
        (url("http://${username}.example.com/"), "the host is fixed"),
        (url("http://${username}/"), "the host is fixed"),
        (url("http://example.com:${username}/"), "the host is fixed"),
        (url("${username}://example.com/"), "the host is fixed"),
        (url("http://ann:secret@example.com/"), "user name"),
        (url("ftp://example.com/"), "scheme `ftp`"),
        (url("example.com/auth"), "url: "),
        (url("http://example.com/a b"), "url: "),
        (url("http://example.com/a#b"), "fragment"),
        (url("http://example.com/a/../b"), "segment"),
        (url("http://example.com/${nobody}"), "url: "),
        (url("http://example.com/${topic}"), "url: "),
        (header("Host", "x"), "headers.Host: this field is not"),
        (header("content-length", "0"), "headers.content-length: this field is not"),
        (header("a b", "x"), "headers.a b: this is no name"),
        (header("X", "${cert.pem}"), "headers.X: a header field has one line"),
        (QuestionConfig { body: HttpBody::Json(json!({})), ..url("http://h/") }, "body: a GET has none"),
        (QuestionConfig { method: HttpMethod::Post, body: HttpBody::Json(json!({"a": "${x}"})), ..url("http://h/") }, "body: "),
    ] {
        let error = parse(question).unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
    let tls = EndpointConfig { tls: EndpointTls { server_name: Some("a".into()), ..EndpointTls::default() }, ..EndpointConfig::default() };
    let error = HttpAuthenticator::new(&url("http://h/"), Compatibility::Emqx5, &tls, Backend::new(backend())).unwrap_err();
    assert!(error.contains("is not https"), "{error}");
    assert!(parse(url("http://example.com")).is_ok() && parse(url("http://example.com?u=${username}")).is_ok());
}

#[test]
fn a_service_that_is_gone_slow_or_wrong_fails_and_one_that_is_back_is_asked_again() {
    let mut service = HttpService::start(ServiceTls::None, r#"[{"status": 204}]"#);
    let patient = authenticator(&post(&service));
    let hurried = with(&post(&service), Compatibility::Emqx5, BackendConfig { timeout: Duration::from_millis(300), ..backend() });
    let ann = applicant("ann", Some(b"x"));
    run(async {
        assert_eq!(verdict(&patient, &ann).await, "allow");
        service.stop();
        let said = verdict(&patient, &ann).await;
        assert!(said.starts_with("failed: `http://127.0.0.1:") && said.ends_with("connection refused"), "{said}");
        service.restart();
        assert_eq!(verdict(&patient, &ann).await, "allow");
        for (answers, expected) in [
            (r#"[{"raw": "SSH-2.0-OpenSSH_9.2\r\n"}]"#, "failed: "),
            (r#"[{"size": 65537, "type": "application/json"}]"#, "more than the limit of 65536"),
            (r#"[{"endless": true, "type": "application/json"}]"#, "more than the limit of 65536"),
            (r#"[{"drop": "always"}]"#, "closed the connection"),
            (r#"[{"raw": "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"}]"#, "broke off"),
        ] {
            service.answer(answers);
            let said = verdict(&patient, &ann).await;
            assert!(said.starts_with("failed: ") && said.contains(expected), "{answers}: {said}");
        }
        service.answer(r#"[{"status": 204, "delay": 30}]"#);
        let said = verdict(&hurried, &ann).await;
        assert!(said.contains("within"), "{said}");
        service.answer(r#"[{"status": 204}]"#);
        assert_eq!(verdict(&patient, &ann).await, "allow");
    });
}

#[test]
fn failures_in_a_row_spare_the_service_until_it_is_back() {
    let mut service = HttpService::start(ServiceTls::None, r#"[{"status": 500}]"#);
    let config = BackendConfig { breaker_failures: 3, breaker_pause: Duration::from_millis(200), ..backend() };
    let authenticator = with(&post(&service), Compatibility::Emqx5, config);
    let backend = Arc::clone(authenticator.backend().unwrap());
    let ann = applicant("ann", Some(b"x"));
    run(async {
        for _ in 0..10 {
            assert!(verdict(&authenticator, &ann).await.starts_with("failed: "));
            if backend.report().breaker == BreakerState::Open {
                break;
            }
        }
        assert_eq!((backend.report().breaker, service.requests().len()), (BreakerState::Open, 3));
        service.stop();
        service.restart();
        service.answer(r#"[{"status": 204}]"#);
        while verdict(&authenticator, &ann).await != "allow" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(backend.report().breaker, BreakerState::Closed);
    });
}

#[test]
fn answers_are_remembered_by_everything_that_was_asked() {
    let service =
        HttpService::start(ServiceTls::None, r#"[{"holds": "right", "status": 204}, {"holds": "broken", "status": 500}, {"status": 401}]"#);
    let config = BackendConfig { cache_ttl: Duration::from_secs(600), ..backend() };
    let authenticator = with(&post(&service), Compatibility::Emqx5, config);
    run(async {
        for _ in 0..3 {
            assert_eq!(verdict(&authenticator, &applicant("ann", Some(b"right"))).await, "allow");
            assert_eq!(verdict(&authenticator, &applicant("ann", Some(b"wrong"))).await, "deny: the service answers 401");
        }
        assert_eq!(service.requests().len(), 2);
        // Another client with the same words is another question.
        let mut other = applicant("ann", Some(b"right"));
        other.client = client(Some("ann"), "c2", Some("pump-7"));
        assert_eq!(verdict(&authenticator, &other).await, "allow");
        assert_eq!(service.requests().len(), 3);
        // Failures are not kept.
        assert!(verdict(&authenticator, &applicant("ann", Some(b"broken"))).await.starts_with("failed"));
        assert!(verdict(&authenticator, &applicant("ann", Some(b"broken"))).await.starts_with("failed"));
        assert_eq!(service.requests().len(), 5);
        authenticator.backend().unwrap().forget();
        assert_eq!(verdict(&authenticator, &applicant("ann", Some(b"right"))).await, "allow");
        assert_eq!(service.requests().len(), 6);
    });
}

#[test]
fn a_remembered_answer_ends_when_it_says() {
    let body = json!({"result": "allow", "expire_at": NOW + 5}).to_string();
    let service = HttpService::start(ServiceTls::None, &json!([{"type": "application/json", "body": body}]).to_string());
    let config = BackendConfig { cache_ttl: Duration::from_secs(600), ..backend() };
    let authenticator = with(&post(&service), Compatibility::Emqx5, config);
    run(async {
        let mut ann = applicant("ann", Some(b"x"));
        assert_eq!(verdict(&authenticator, &ann).await, "allow");
        ann.now = NOW + 5;
        assert!(verdict(&authenticator, &ann).await.starts_with("deny: what the service allows is over"));
    });
    assert_eq!(service.requests().len(), 1);
}

#[test]
fn a_thousand_at_once_share_few_connections() {
    let service = HttpService::start(ServiceTls::None, r#"[{"holds": "odd", "status": 401}, {"status": 204}]"#);
    let authenticator = Arc::new(authenticator(&post(&service)));
    run(async {
        let mut asking = tokio::task::JoinSet::new();
        for number in 0..1000 {
            let authenticator = Arc::clone(&authenticator);
            asking.spawn(async move {
                let is_odd = number % 2 == 1;
                let who = applicant(&format!("u{number}{}", if is_odd { "odd" } else { "even" }), Some(b"x"));
                (is_odd, verdict(&authenticator, &who).await)
            });
        }
        for (is_odd, said) in asking.join_all().await {
            assert_eq!(said, if is_odd { "deny: the service answers 401" } else { "allow" });
        }
    });
    let connections = requests(&service).iter().map(|request| request["connection"].as_u64().unwrap()).max().unwrap();
    assert_eq!(service.requests().len(), 1000);
    assert!(connections <= 8, "{connections} connections for 8 questions at a time");
}

#[test]
fn tls_shows_our_certificate_and_checks_theirs() {
    let directory = tempfile::tempdir().unwrap();
    let pki = Pki::create(directory.path());
    let ours = pki.device("broker");
    let service = HttpService::start(ServiceTls::Mutual(&pki), r#"[{"status": 204}]"#);
    let ask = |tls: EndpointTls| {
        let endpoint = EndpointConfig { tls, ..EndpointConfig::default() };
        let made = HttpAuthenticator::new(&post(&service), Compatibility::Emqx5, &endpoint, Backend::new(backend()));
        made.map(|authenticator| run(verdict(&authenticator, &applicant("ann", Some(b"x")))))
    };
    let right = EndpointTls { ca_files: vec![pki.ca_file()], certificate: Some(ours.certificate), key: Some(ours.key), server_name: None };
    assert_eq!(ask(right.clone()).unwrap(), "allow");
    let said = ask(EndpointTls { ca_files: vec![pki.foreign_ca_file()], ..right.clone() }).unwrap();
    assert!(said.starts_with("failed: ") && said.contains("name the file of its CA with `trust`"), "{said}");
    let said = ask(EndpointTls { server_name: Some("auth.example.com".into()), ..right.clone() }).unwrap();
    assert!(said.starts_with("failed: ") && said.contains("not for `auth.example.com`"), "{said}");
    let said = ask(EndpointTls { certificate: None, key: None, ..right.clone() }).unwrap();
    assert!(said.starts_with("failed: ") && said.contains("client certificate"), "{said}");
    assert!(ask(EndpointTls { key: None, ..right.clone() }).unwrap_err().contains("needs its key"));
    assert!(ask(EndpointTls { ca_files: vec!["/nowhere".into()], ..right }).is_err());
    assert_eq!(service.requests().len(), 1);
}

#[test]
fn nothing_prints_a_password_or_a_secret_header() {
    let service = HttpService::start(ServiceTls::None, r#"[{"status": 500}]"#);
    let headers = vec![("Authorization".to_owned(), "Bearer s3cret".to_owned())];
    let question = QuestionConfig { headers, ..post(&service) };
    let authenticator = authenticator(&question);
    let said = run(verdict(&authenticator, &applicant("ann", Some(b"p4ssword"))));
    let printed = format!("{authenticator:?} {said} {:?}", authenticator.backend().unwrap().report());
    assert!(!printed.contains("s3cret") && !printed.contains("p4ssword"), "{printed}");
    assert!(service.requests()[0].contains("Bearer s3cret"));
}

fn rules_source(service: &HttpService) -> HttpRules {
    let question = QuestionConfig { method: HttpMethod::Get, url: service.url("/acl?user=${username}"), ..QuestionConfig::default() };
    HttpRules::new(&question, &EndpointConfig::default(), Backend::new(backend())).unwrap()
}

#[test]
fn rules_come_in_one_answer() {
    let service = HttpService::start(ServiceTls::None, "[]");
    let source = rules_source(&service);
    let ann = client(Some("ann"), "c1", None);
    let row = json!({"permission": "allow", "action": "publish", "topic": "a/#"});
    run(async {
        for (rule, expected) in [
            (json!({"type": "application/json", "body": json!({"acl": [row, row]}).to_string()}), Ok((2, false))),
            (json!({"type": "application/json", "body": json!({"acl": {"pub": ["a"]}}).to_string()}), Ok((1, true))),
            (json!({"type": "application/json", "body": "{}"}), Ok((0, false))),
            (json!({"status": 204}), Ok((0, false))),
            (json!({"status": 403}), Ok((0, true))),
            (json!({"status": 429}), Err("answers 429")),
            (json!({"status": 500}), Err("answers 500")),
            (
                json!({"type": "application/json", "body": json!({"acl": [{"topic": "a"}]}).to_string()}),
                Err("the service's `acl`: `permission`"),
            ),
            (json!({"type": "text/plain", "body": "{}"}), Err("media type")),
        ] {
            service.answer(&json!([rule]).to_string());
            source.backend().unwrap().forget();
            let found = source.rules(&ann).await;
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!((found.rules.len(), found.is_complete), expected, "{rule}"),
                (Err(failure), Err(expected)) => assert!(failure.0.contains(expected), "{rule}: {failure}"),
                (found, expected) => panic!("{rule}: {found:?} instead of {expected:?}"),
            }
        }
        // Whoever cannot be asked about may be somebody whom a rule denies something.
        assert!(source.rules(&client(None, "c1", None)).await.unwrap_err().0.contains("`${username}` has no value"));
    });
}

#[test]
fn each_wish_can_be_asked_about() {
    let allow = json!({"type": "application/json", "body": json!({"result": "allow"}).to_string()});
    let mut rules = vec![allow];
    rules[0]["holds"] = "\"topic\":\"mine\"".into();
    rules.push(json!({"holds": "\"topic\":\"none\"", "status": 403}));
    rules.push(json!({"holds": "\"topic\":\"fault\"", "status": 500}));
    rules.push(json!({"type": "application/json", "body": json!({"result": "ignore"}).to_string()}));
    let service = HttpService::start(ServiceTls::None, &json!(rules).to_string());
    let body = json!({"action": "${action}", "topic": "${topic}", "qos": "${qos}", "retain": "${retain}", "user": "${username}"});
    let question = QuestionConfig { url: service.url("/ask"), body: HttpBody::Json(body), ..QuestionConfig::default() };
    let asker = HttpAsker::new(&question, Compatibility::Emqx5, &EndpointConfig::default(), Backend::new(backend())).unwrap();
    let ann = client(Some("ann"), "c1", None);
    run(async {
        let question = |action, topic: &'static str| AccessQuestion { source: "web".into(), topic: topic.into(), action };
        let publish = |topic| question(Action::Publish { qos: QoS::AtLeastOnce, retain: true, will: false }, topic);
        let subscribe = |topic| question(Action::Subscribe { qos: QoS::ExactlyOnce }, topic);
        assert_eq!(asker.ask(&ann, &publish("mine")).await, Ok(AccessAnswer::Allow));
        let sent: Value = serde_json::from_str(last(&service)["body"].as_str().unwrap()).unwrap();
        assert_eq!(sent, json!({"action": "publish", "topic": "mine", "qos": "1", "retain": "true", "user": "ann"}));
        assert_eq!(asker.ask(&ann, &subscribe("mine")).await, Ok(AccessAnswer::Allow));
        let sent: Value = serde_json::from_str(last(&service)["body"].as_str().unwrap()).unwrap();
        assert_eq!(sent, json!({"action": "subscribe", "topic": "mine", "qos": "2", "retain": "false", "user": "ann"}));
        assert_eq!(asker.ask(&ann, &publish("none")).await, Ok(AccessAnswer::Deny));
        assert_eq!(asker.ask(&ann, &publish("other")).await, Ok(AccessAnswer::Continue));
        assert_eq!(asker.ask(&ann, &publish("x\",\"topic\":\"mine")).await, Ok(AccessAnswer::Continue));
        assert!(asker.ask(&ann, &publish("fault")).await.is_err());
        assert!(asker.ask(&client(None, "c1", None), &publish("mine")).await.is_err());
    });
    let wrong = QuestionConfig { url: service.url("/${password}"), method: HttpMethod::Get, ..QuestionConfig::default() };
    assert!(HttpAsker::new(&wrong, Compatibility::Emqx5, &EndpointConfig::default(), Backend::new(backend())).is_err());
}
