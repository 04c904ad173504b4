//! Who vouches is a service over HTTP, or whoever signs tokens: from `mosquitto_pub` and paho to the answer of a real service.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use signet_e2e::{Broker, Client, Finished, Running, Site, Subscription, Version};
use signet_testkit::{HttpService, ServiceTls};

/// A quickstart whose listener asks for a certificate without insisting, with this chain and these tables. Everybody may publish in `lobby`.
#[track_caller]
fn site(chain: &str, tables: &str) -> Site {
    let site = Site::quickstart();
    site.edit("signet.toml", |text| {
        let text = text
            .replacen("client_certificate = \"required\"", "client_certificate = \"optional\"", 1)
            .replacen("\nusername = \"${cert.cn}\"", "\n# username", 1)
            .replacen("\n[authentication]\n", &format!("\n[authentication]\nchain = [{chain}]\n"), 1);
        format!("{text}\n[[access]]\nwho = \"everyone\"\npublish = [\"lobby/#\"]\n{tables}")
    });
    site
}

/// `mosquitto_pub` to a topic with this device's certificate, user name and password.
fn publish(site: &Site, topic: &str, device: Option<&str>, login: Option<(&str, &str)>) -> Finished {
    let mut command = Command::new("mosquitto_pub");
    command.current_dir(site.folder()).args([
        "-h",
        "127.0.0.1",
        "--cafile",
        "ca/ca.pem",
        "-t",
        topic,
        "-m",
        "x",
        "-q",
        "1",
        "-V",
        "mqttv5",
    ]);
    command.args(["-p", &site.port().to_string()]);
    if let Some(device) = device {
        let file = |extension| format!("devices/{device}.{extension}");
        command.args(["--cert", &file("pem"), "--key", &file("key")]);
    }
    if let Some((username, password)) = login {
        command.args(["-u", username, "-P", password]);
    }
    Running::run(&mut command)
}

#[track_caller]
fn allowed(finished: &Finished) {
    assert!(finished.code == Some(0) && finished.output.is_empty(), "{:?}: {}", finished.code, finished.output);
}

#[track_caller]
fn refused(finished: &Finished, why: &str) {
    // Of a message that is refused alone `mosquitto_pub` says so, and ends well.
    assert!(finished.says(why), "{:?}: {}", finished.code, finished.output);
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

const ASKED: &str = "body = { username = \"${username}\", password = \"${password}\", cn = \"${cert.cn}\" }\ncache = \"0s\"\n";

#[test]
fn a_service_and_a_certificate_have_to_agree() {
    let answers = r#"[{"holds": "\"cn\":\"pump-7\",\"password\":\"public\",\"username\":\"ann\"", "status": 204}, {"status": 401}]"#;
    let mut service = HttpService::start(ServiceTls::None, answers);
    let url = service.url("/mqtt");
    let site = site("\"certificate and web\"", &format!("[[authenticator]]\nname = \"web\"\ntype = \"http\"\nurl = \"{url}\"\n{ASKED}"));
    site.signet(&["check"]).succeeded();
    site.signet(&["device", "add", "pump-8"]).succeeded();
    let broker = site.serve();
    let right = Some(("ann", "public"));
    allowed(&publish(&site, "lobby/x", Some("pump-7"), right));
    for (device, login) in [
        (Some("pump-7"), Some(("ann", "wrong"))),
        (Some("pump-7"), Some(("bob", "public"))),
        (Some("pump-7"), Some(("ann\",\"password\":\"public", "x"))),
        (Some("pump-7"), None),
        (Some("pump-8"), right),
        (None, right),
    ] {
        refused(&publish(&site, "lobby/x", device, login), "Not authorized");
    }
    // Nobody without a certificate, and nobody without a password, was asked about.
    assert_eq!(service.requests().len(), 5);
    broker.logs_all(&["web: deny (the service answers 401)"]);
    assert!(!broker.log().contains("public"), "a password is in the log");

    service.stop();
    refused(&publish(&site, "lobby/x", Some("pump-7"), right), "Server unavailable");
    service.restart();
    allowed(&publish(&site, "lobby/x", Some("pump-7"), right));
    service.answer(r#"[{"type": "text/html", "body": "allow"}]"#);
    refused(&publish(&site, "lobby/x", Some("pump-7"), right), "Server unavailable");
}

#[test]
fn a_service_says_what_a_client_may_do_and_until_when() {
    let rules = r#"[{\"permission\": \"allow\", \"action\": \"publish\", \"topic\": \"given/${cert_common_name}/#\"}]"#;
    let allow = |more: &str| format!(r#"[{{"type": "application/json", "body": "{{\"result\": \"allow\"{more}}}"}}]"#);
    let service = HttpService::start(ServiceTls::None, &allow(&format!(r#", \"acl\": {rules}"#)));
    let table = format!("[[authenticator]]\ntype = \"http\"\nurl = \"{}\"\ncache = \"0s\"\n", service.url("/who?cn=${cert.cn}"));
    let site = site("\"http\"", &table.replacen("cache", "method = \"get\"\ncache", 1));
    let pump = site.device("pump-7");
    let broker = site.serve();
    allowed(&publish(&site, "given/pump-7/x", Some("pump-7"), None));
    allowed(&publish(&site, "lobby/x", Some("pump-7"), None));
    refused(&publish(&site, "given/pump-8/x", Some("pump-7"), None), "Not authorized");
    service.answer(&allow(r#", \"is_superuser\": true"#));
    allowed(&publish(&site, "given/pump-8/x", Some("pump-7"), None));

    service.answer(&allow(&format!(r#", \"expire_at\": {}"#, now() + 2)));
    let subscriber = Client::Paho.subscribe(Version::V5, site.port(), &pump, &Subscription::to("pump-7/#", 1, "watcher"));
    subscriber.wait_for_line("the end", |line| line.starts_with("disconnected 135 "));
    service.answer(&allow(&format!(r#", \"expire_at\": {}"#, now() - 1)));
    refused(&publish(&site, "lobby/x", Some("pump-7"), None), "Not authorized");
    broker.logs("`expire_at` lies in the past");
}

/// A quickstart behind whose rules this access source stands.
fn with_source(keys: &str) -> Site {
    let site = Site::quickstart();
    site.edit("signet.toml", |text| format!("{text}\n[[access_source]]\nname = \"rights\"\ntype = \"http\"\ncache = \"0s\"\n{keys}"));
    site.signet(&["check"]).succeeded();
    site
}

#[test]
fn a_service_is_asked_about_each_wish_that_no_rule_decides_on() {
    let answers = r#"[
        {"holds": "\"action\":\"publish\",\"qos\":\"1\",\"topic\":\"shared/x\"", "status": 204},
        {"holds": "\"action\":\"subscribe\",\"qos\":\"1\",\"topic\":\"shared/#\"", "status": 204},
        {"holds": "closed", "status": 403},
        {"type": "application/json", "body": "{\"result\": \"ignore\"}"}]"#;
    let mut service = HttpService::start(ServiceTls::None, answers);
    let body = "body = { action = \"${action}\", topic = \"${topic}\", qos = \"${qos}\" }";
    let site = with_source(&format!("mode = \"ask\"\nurl = \"{}\"\n{body}\n", service.url("/acl")));
    let pump = site.device("pump-7");
    let _broker = site.serve();
    let publishes = |topic: &str| publish(&site, topic, Some("pump-7"), None);
    allowed(&publishes("pump-7/x"));
    assert_eq!(service.requests().len(), 0, "a rule has decided");
    allowed(&publishes("shared/x"));
    for topic in ["shared/y", "closed/x", "shared/x\",\"topic\":\"shared/x"] {
        refused(&publishes(topic), "Not authorized");
    }
    let subscribed = |filter: &str, code: &str| {
        let subscriber = Client::Paho.subscribe(Version::V5, site.port(), &pump, &Subscription::to(filter, 1, "watcher"));
        subscriber.wait_for(&format!("subscribed {code}"));
        subscriber
    };
    subscribed("closed/#", "135").kill();
    let watcher = subscribed("shared/#", "1");
    allowed(&publishes("shared/x"));
    watcher.wait_for("message shared/x 1 0 x");
    service.stop();
    refused(&publishes("shared/x"), "Not authorized");
    service.restart();
    allowed(&publishes("shared/x"));
}

#[test]
fn a_service_gives_the_rules_of_a_client_when_it_connects() {
    let acl = r#"{"acl": [{"permission": "allow", "action": "publish", "topic": "hall/${cert_common_name}/+", "qos": 1}]}"#;
    let mut service = HttpService::start(ServiceTls::None, &format!(r#"[{{"body": {}}}]"#, json_text(acl)));
    let url = service.url("/acl?cn=${cert.cn}");
    let site = with_source(&format!("mode = \"rules\"\nmethod = \"get\"\nurl = \"{url}\"\n"));
    let broker = site.serve();
    let publishes = |topic: &str| publish(&site, topic, Some("pump-7"), None);
    allowed(&publishes("hall/pump-7/x"));
    allowed(&publishes("pump-7/x"));
    refused(&publishes("hall/pump-8/x"), "Not authorized");
    service.answer(r#"[{"status": 403}]"#);
    refused(&publishes("hall/pump-7/x"), "Not authorized");
    service.stop();
    refused(&publishes("hall/pump-7/x"), "Not authorized");
    broker.logs_all(&["rights", "could not be asked"]);
}

/// Makes keys with openssl, and tokens with Python and openssl.
const TOKENS: &str = r#"
import base64, hashlib, hmac, json, subprocess, sys

def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")

def ed25519(*words):
    return subprocess.run(["openssl", "pkey", *words], check=True, capture_output=True).stdout

action, key = sys.argv[1:3]
if action == "key":
    subprocess.run(["openssl", "genpkey", "-algorithm", "ED25519", "-out", key], check=True)
    x = ed25519("-in", key, "-pubout", "-outform", "DER")[-32:]
    print(json.dumps({"kty": "OKP", "crv": "Ed25519", "kid": sys.argv[3], "x": part(x).decode()}))
else:
    header = {"alg": action}
    if len(sys.argv) > 4:
        header["kid"] = sys.argv[4]
    message = part(json.dumps(header).encode()) + b"." + part(sys.argv[3].encode())
    if action == "HS256":
        signature = hmac.new(open(key, "rb").read().strip(), message, hashlib.sha256).digest()
    else:
        open(key + ".message", "wb").write(message)
        signature = subprocess.run(
            ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", key + ".message"], check=True, capture_output=True
        ).stdout
    print((message + b"." + part(signature)).decode())
"#;

fn tokens(folder: &Path, arguments: &[&str]) -> String {
    let finished = Running::run(Command::new("python3").current_dir(folder).args(["-c", TOKENS]).args(arguments)).succeeded();
    finished.output.trim().to_owned()
}

#[test]
fn a_token_is_worth_nothing_without_its_device() {
    let table = "[[authenticator]]\nname = \"token\"\ntype = \"jwt\"\nalgorithms = \"HS256\"\nsecret_file = \"secret\"\n\
                 audience = \"broker\"\nverify_claims = { sub = \"${cert.cn}\" }\n";
    let site = site("\"certificate and token\"", table);
    site.write("secret", "a secret of more than thirty-two bytes\n");
    site.signet(&["device", "add", "pump-8"]).succeeded();
    site.signet(&["check"]).succeeded();
    let broker = site.serve();
    let token = |claims: &str| tokens(site.folder(), &["HS256", "secret", claims]);
    let (soon, past) = (now() + 3600, now() - 60);
    let right = token(&format!(r#"{{"sub": "pump-7", "aud": "broker", "exp": {soon}}}"#));
    allowed(&publish(&site, "lobby/x", Some("pump-7"), Some(("any", &right))));
    let over = token(&format!(r#"{{"sub": "pump-7", "aud": "broker", "exp": {past}}}"#));
    let other = token(&format!(r#"{{"sub": "pump-7", "aud": "other", "exp": {soon}}}"#));
    let (message, _) = right.rsplit_once('.').unwrap_or_default();
    let unsigned = format!("{message}.");
    for (device, shown, why) in [
        (Some("pump-8"), &*right, "token: deny (its token's `sub` is not `pump-8`)"),
        (Some("pump-7"), &*over, "token: deny (its token is over (`exp`))"),
        (Some("pump-7"), &*other, "token: deny (its token is for somebody else (`aud`))"),
        (Some("pump-7"), &*unsigned, "token: deny (its token's signature is wrong)"),
        (Some("pump-7"), "secret", "token: continue (what it sends does not look like a token)"),
        (None, &*right, "certificate: continue"),
    ] {
        refused(&publish(&site, "lobby/x", device, Some(("any", shown))), "Not authorized");
        broker.logs(why);
    }
    assert!(!broker.log().contains(message), "a token is in the log");
}

#[test]
fn keys_of_a_set_change_while_clients_come() {
    let site = Site::quickstart();
    let key = |name: &str| tokens(site.folder(), &["key", name, name]);
    let set = |keys: &str| format!(r#"[{{"path": "/keys", "body": {}}}]"#, json_text(&format!(r#"{{"keys": [{keys}]}}"#)));
    let (old, new) = (key("old"), key("new"));
    let mut service = HttpService::start(ServiceTls::None, &set(&old));
    let url = service.url("/keys");
    site.edit("signet.toml", |text| {
        let text = text.replacen("\n[authentication]\n", "\n[authentication]\nchain = [\"certificate and jwt\"]\n", 1);
        format!(
            "{text}\n[[authenticator]]\ntype = \"jwt\"\nalgorithms = [\"EdDSA\"]\njwks_url = \"{url}\"\njwks_refresh_minimum = \"100ms\"\nbreaker_failures = 0\n"
        )
    });
    let broker: Broker = site.serve();
    let token = |name: &str| tokens(site.folder(), &["EdDSA", name, &format!(r#"{{"exp": {}}}"#, now() + 3600), name]);
    let (by_old, by_new) = (token("old"), token("new"));
    let publishes = |token: &str| publish(&site, "pump-7/x", Some("pump-7"), Some(("any", token)));
    allowed(&publishes(&by_old));
    refused(&publishes(&by_new), "Not authorized");
    service.stop();
    allowed(&publishes(&by_old));
    // Not in less than the minimum after the last attempt.
    std::thread::sleep(Duration::from_millis(150));
    refused(&publishes(&by_new), "Server unavailable");
    service.answer(&set(&new));
    service.restart();
    std::thread::sleep(Duration::from_millis(150));
    allowed(&publishes(&by_new));
    refused(&publishes(&by_old), "Not authorized");
    broker.logs("is signed with a key that nobody knows");
}

/// A text as a string of JSON.
fn json_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[test]
fn a_name_that_a_token_does_not_hold_is_nobodys_right() {
    let table = "[[authenticator]]\nname = \"token\"\ntype = \"jwt\"\nalgorithms = \"HS256\"\nsecret_file = \"secret\"\n\
                 [[access]]\nwho = \"username:admin\"\npublish = [\"all/#\"]\n\
                 [[access]]\nwho = \"users\"\npublish = [\"of/${username}/#\", \"by/${client_identifier}/#\"]\n";
    let site = site("\"token\"", table);
    site.write("secret", "a secret of more than thirty-two bytes\n");
    let broker = site.serve();
    let of = |subject: &str| tokens(site.folder(), &["HS256", "secret", &format!(r#"{{"sub": "{subject}", "exp": {}}}"#, now() + 3600)]);
    let (mallory, admin) = (of("mallory"), of("admin"));
    allowed(&publish(&site, "lobby/x", None, Some(("admin", &mallory))));
    for topic in ["all/x", "of/admin/x"] {
        for token in [&mallory, &admin] {
            refused(&publish(&site, topic, None, Some(("admin", token))), "Not authorized");
        }
    }
    broker.logs("user name `admin`, which nobody has proven");

    // Once the token has to hold the name, the name is the client's.
    site.edit("signet.toml", |text| text.replacen("secret_file", "verify_claims = { sub = \"${username}\" }\nsecret_file", 1));
    broker.signal("HUP");
    broker.logs("reloaded");
    for topic in ["all/x", "of/admin/x"] {
        refused(&publish(&site, topic, None, Some(("admin", &mallory))), "Not authorized");
        allowed(&publish(&site, topic, None, Some(("admin", &admin))));
    }
    refused(&publish(&site, "of/admin/x", None, Some(("mallory", &mallory))), "Not authorized");
}

#[test]
fn names_are_believed_where_the_operator_says_so() {
    let table = "[[authenticator]]\nname = \"token\"\ntype = \"jwt\"\nalgorithms = \"HS256\"\nsecret_file = \"secret\"\n\
                 [[access]]\nwho = \"username:admin\"\npublish = [\"all/#\"]\n";
    let site = site("\"token\"", table);
    site.write("secret", "a secret of more than thirty-two bytes\n");
    site.edit("signet.toml", |text| text.replacen("\nchain = [", "\nbelieve = [\"username\"]\nchain = [", 1));
    let _broker = site.serve();
    let token = tokens(site.folder(), &["HS256", "secret", &format!(r#"{{"sub": "ann", "exp": {}}}"#, now() + 3600)]);
    allowed(&publish(&site, "all/x", None, Some(("admin", &token))));
    refused(&publish(&site, "all/x", None, Some(("ann", &token))), "Not authorized");
}
