//! The story of the EMQX post, with the Mosquitto clients and a real Redis: a device comes in by its certificate and by the password that Redis has for its
//! common name, and by nothing less.

use std::process::Command;

use signet_e2e::{Credentials, Finished, Running, Site};
use signet_testkit::{RedisOptions, RedisServer};

const NAME: &str = "346a004d-1dab-4016-bb38-03cca7094415";
const OTHER: &str = "446a004d-1dab-4016-bb38-03cca7094415";

const PASSWORD: &str = "redis-secret";

/// A quickstart with certificates for both, where Redis has to vouch too.
#[track_caller]
fn site(redis: &RedisServer, keys: &str) -> Site {
    let site = Site::quickstart();
    for name in [NAME, OTHER] {
        site.signet(&["device", "add", name]).succeeded();
    }
    site.edit("signet.toml", |text| {
        let text = text.replacen("\n[authentication]\n", "\n[authentication]\nchain = [\"certificate and devices\"]\n", 1);
        format!(
            "{text}\n[[authenticator]]\nname = \"devices\"\ntype = \"redis\"\naddresses = [\"127.0.0.1:{}\"]\ncache = \"0s\"\n{keys}\n",
            redis.port()
        )
    });
    site.write("redis-password", &format!("{PASSWORD}\n"));
    site.signet(&["check"]).succeeded();
    site
}

fn client(program: &str, site: &Site, credentials: &Credentials, password: Option<&str>) -> Command {
    // Into a pipe the C library would keep lines back until a block is full.
    let mut command = Command::new("stdbuf");
    command.args(["-oL", program, "-h", "localhost", "-p", &site.port().to_string(), "-V", "mqttv5", "-q", "1", "-u", "anybody"]);
    command.arg("--cafile").arg(&credentials.cafile);
    if let Some((certificate, key)) = &credentials.certificate {
        command.arg("--cert").arg(certificate).arg("--key").arg(key);
    }
    if let Some(password) = password {
        command.args(["-P", password]);
    }
    command
}

fn publish(site: &Site, credentials: &Credentials, password: Option<&str>, topic: &str) -> Finished {
    Running::run(client("mosquitto_pub", site, credentials, password).args(["-d", "-t", topic, "-m", "21"]))
}

#[track_caller]
fn is_refused(finished: &Finished, code: u8) {
    assert_ne!(finished.code, Some(0), "{}", finished.output);
    assert!(finished.says(&format!("received CONNACK ({code})")), "no CONNACK with {code}: {}", finished.output);
}

const NOT_AUTHORIZED: u8 = 135;
const SERVER_UNAVAILABLE: u8 = 136;

#[test]
fn certificate_and_password_in_redis_let_a_device_in_and_nothing_less_does() {
    let redis = RedisServer::start(&RedisOptions::default());
    redis.cli(&["HMSET", &format!("tls_domain:{NAME}"), "password", "public"]);
    let site = site(&redis, "command = \"HMGET tls_domain:%C password\"\npassword_hash = \"plain\"");
    let broker = site.serve();
    let device = site.device(NAME);

    let mut command = client("mosquitto_sub", &site, &device, Some("public"));
    let subscriber = Running::start(command.args(["-d", "-C", "1", "-t", &format!("{NAME}/#")]));
    subscriber.wait_for("received SUBACK");
    publish(&site, &device, Some("public"), &format!("{NAME}/temp")).succeeded();
    let received = subscriber.finish().succeeded();
    assert!(received.says("21"), "{}", received.output);

    for password in [Some("Public"), Some("public "), Some(""), None] {
        is_refused(&publish(&site, &device, password, &format!("{NAME}/temp")), NOT_AUTHORIZED);
    }
    broker.logs_all(&["authenticator `devices`", "devices: deny (wrong password)"]);
    broker.logs_all(&["devices: continue (it sends no password)"]);
    // Another device of the same authority has no password there, and that of the first does not help it.
    is_refused(&publish(&site, &site.device(OTHER), Some("public"), &format!("{OTHER}/temp")), NOT_AUTHORIZED);
    broker.logs_all(&["devices: continue (it is not there)"]);
    // Without the certificate the password is nothing: it does not come as far as that.
    let nobody = publish(&site, &site.nobody(), Some("public"), &format!("{NAME}/temp"));
    assert_ne!(nobody.code, Some(0), "{}", nobody.output);
    assert!(!nobody.says("received CONNACK"), "{}", nobody.output);
    assert!(!broker.log().contains("Public"), "a password is in the log");
    // What Redis says counts from the next connection on.
    redis.cli(&["HSET", &format!("tls_domain:{NAME}"), "password", "changed"]);
    is_refused(&publish(&site, &device, Some("public"), &format!("{NAME}/temp")), NOT_AUTHORIZED);
    publish(&site, &device, Some("changed"), &format!("{NAME}/temp")).succeeded();
    redis.cli(&["DEL", &format!("tls_domain:{NAME}")]);
    is_refused(&publish(&site, &device, Some("changed"), &format!("{NAME}/temp")), NOT_AUTHORIZED);
}

#[test]
fn a_salted_hash_in_redis_is_one_of_password_and_salt() {
    let redis = RedisServer::start(&RedisOptions { password: Some(PASSWORD), ..RedisOptions::default() });
    let sha256 = |text: &str| {
        let finished = Running::run(Command::new("sh").args(["-c", &format!("printf %s '{text}' | sha256sum")])).succeeded();
        finished.output.split(' ').next().unwrap_or_default().to_owned()
    };
    let key = format!("tls_domain:{NAME}");
    redis.cli(&["HMSET", &key, "password", &sha256("saltpublic"), "salt", "salt"]);
    let keys =
        "command = \"HMGET tls_domain:${cert.cn} password salt\"\npassword_hash = \"salt,sha256\"\npassword_file = \"redis-password\"";
    let site = site(&redis, keys);
    let _broker = site.serve();
    let device = site.device(NAME);
    publish(&site, &device, Some("public"), &format!("{NAME}/temp")).succeeded();
    is_refused(&publish(&site, &device, Some("saltpublic"), &format!("{NAME}/temp")), NOT_AUTHORIZED);
    redis.cli(&["HSET", &key, "salt", "other"]);
    is_refused(&publish(&site, &device, Some("public"), &format!("{NAME}/temp")), NOT_AUTHORIZED);
    redis.cli(&["HSET", &key, "password", &sha256("otherpublic")]);
    publish(&site, &device, Some("public"), &format!("{NAME}/temp")).succeeded();
}

#[test]
fn without_redis_nobody_new_comes_in_and_those_who_are_in_stay() {
    let mut redis = RedisServer::start(&RedisOptions::default());
    redis.cli(&["HMSET", &format!("tls_domain:{NAME}"), "password", "public"]);
    let keys = "command = \"HMGET tls_domain:%C password\"\npassword_hash = \"plain\"\nbreaker_failures = 2\nbreaker_pause = \"200ms\"";
    let site = site(&redis, keys);
    let broker = site.serve();
    let device = site.device(NAME);
    let topic = format!("{NAME}/temp");
    let mut command = client("mosquitto_sub", &site, &device, Some("public"));
    let subscriber = Running::start(command.args(["-d", "-C", "1", "-i", "stays", "-t", &format!("{NAME}/#")]));
    subscriber.wait_for("received SUBACK");
    redis.stop();
    for _ in 0..3 {
        is_refused(&publish(&site, &device, Some("public"), &topic), SERVER_UNAVAILABLE);
    }
    broker.logs_all(&["devices: failed", "cannot connect to 127.0.0.1"]);
    broker.logs_all(&["times in a row and is not asked for a while"]);
    redis.restart();
    let mut last = publish(&site, &device, Some("public"), &topic);
    for _ in 0..100 {
        if last.code == Some(0) {
            break;
        }
        is_refused(&last, SERVER_UNAVAILABLE);
        std::thread::sleep(std::time::Duration::from_millis(50));
        last = publish(&site, &device, Some("public"), &topic);
    }
    last.succeeded();
    assert!(subscriber.finish().succeeded().says("21"));
    broker.logs("answers again");
}

#[test]
fn rules_in_redis_allow_what_the_rules_of_the_file_do_not() {
    let mut redis = RedisServer::start(&RedisOptions::default());
    redis.cli(&["HMSET", &format!("tls_domain:{NAME}"), "password", "public"]);
    redis.cli(&["HSET", &format!("mqtt_acl:{NAME}"), "hall/%u/temp", "publish", "hall/+/temp", "subscribe"]);
    let keys = format!(
        "command = \"HMGET tls_domain:%C password\"\npassword_hash = \"plain\"\n\
         [[access_source]]\nname = \"rights\"\ntype = \"redis\"\naddresses = \"127.0.0.1:{}\"\ncache = \"0s\"\ncommand = \"HGETALL mqtt_acl:%u\"",
        redis.port()
    );
    let site = site(&redis, &keys);
    let broker = site.serve();
    let device = site.device(NAME);
    let (hall, own) = (format!("hall/{NAME}/temp"), format!("{NAME}/temp"));
    let is_denied = |topic: &str| publish(&site, &device, Some("public"), topic).says("Not authorized");
    let mut command = client("mosquitto_sub", &site, &device, Some("public"));
    let subscriber = Running::start(command.args(["-d", "-C", "1", "-i", "all", "-t", "hall/+/temp"]));
    subscriber.wait_for("received SUBACK");
    assert!(is_denied("hall/other/temp"));
    assert!(!is_denied(&own));
    assert!(!is_denied(&hall));
    assert!(subscriber.finish().succeeded().says("21"));
    let everything = Running::run(client("mosquitto_sub", &site, &device, Some("public")).args(["-d", "-C", "1", "-t", "hall/#"]));
    assert!(everything.says("Subscribed (mid: 1): 135"), "{}", everything.output);
    // An action that nobody understands takes the others along.
    redis.cli(&["HSET", &format!("mqtt_acl:{NAME}"), "hall/x", "anything"]);
    assert!(is_denied(&hall));
    broker.logs_all(&["a client's rules in Redis are no use"]);
    redis.cli(&["HDEL", &format!("mqtt_acl:{NAME}"), "hall/x"]);
    assert!(!is_denied(&hall));
    redis.stop();
    is_refused(&publish(&site, &device, Some("public"), &hall), SERVER_UNAVAILABLE);
}
