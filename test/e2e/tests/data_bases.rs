//! Data bases and directories that vouch for clients and say what they may do: real servers, the real broker, `mosquitto_pub`.

use std::path::Path;
use std::process::Command;

use signet_e2e::{Broker, Finished, Running, Site};
use signet_testkit::{LdapServer, MariadbServer, PostgresServer};

/// The common name of the seed's story.
const DEVICE: &str = "346a004d-1dab-4016-bb38-03cca7094415";

/// A quickstart with a certificate for [`DEVICE`], where a certificate and `accounts` have to agree, and only `rights` says what may be done.
fn site(tables: &str, password: &str) -> (Site, Broker) {
    let site = Site::quickstart();
    site.signet(&["device", "add", DEVICE]).succeeded();
    site.write("secret", &format!("{password}\n"));
    site.edit("signet.toml", |text| {
        let text = text.replacen("\n[authentication]\n", "\n[authentication]\nchain = [\"certificate and accounts\"]\n", 1);
        let text = text.replacen("\nusername = \"${cert.cn}\"", "\n# username", 1);
        format!("{text}\n{tables}")
    });
    site.signet(&["check"]).succeeded();
    let broker = site.serve();
    (site, broker)
}

/// How `mosquitto_pub` ends that shows a device's certificate and sends this user name and password.
fn publishes(site: &Site, device: &str, username: &str, password: &str, topic: &str) -> Finished {
    let mut command = Command::new("mosquitto_pub");
    command.current_dir(site.folder());
    command.args([
        "-h",
        "localhost",
        "-p",
        &site.port().to_string(),
        "--cafile",
        "ca/ca.pem",
        "-V",
        "5",
        "-q",
        "1",
        "-m",
        "on",
        "-t",
        topic,
    ]);
    command.args(["-u", username, "-P", password, "-d"]);
    for (flag, ending) in [("--cert", "pem"), ("--key", "key")] {
        command.arg(flag).arg(Path::new("devices").join(format!("{device}.{ending}")));
    }
    Running::run(&mut command)
}

/// One story for all: the right ones get in and may do what their rules say, and nobody else.
fn tells_the_story(site: &Site, broker: &Broker) {
    publishes(site, DEVICE, "ann", "public", "up/ann").succeeded();
    let no_right = publishes(site, DEVICE, "ann", "public", "up/bob");
    assert!(no_right.says("RC:135") || no_right.says("ot authori"), "{}", no_right.output);
    // Another certificate, another password, another name, and names that would be more than a name elsewhere.
    publishes_not(site, "pump-7", "ann", "public");
    publishes_not(site, DEVICE, "ann", "Public");
    publishes_not(site, DEVICE, "bob", "public");
    for injected in ["' OR '1'='1", "ann' --", "*", "*)(uid=*", "ann\\", "ann,ou=devices"] {
        publishes_not(site, DEVICE, injected, "public");
        publishes_not(site, DEVICE, "ann", injected);
    }
    broker.logs_all(&["authentication", "certificate: allow", "accounts: deny (wrong password)"]);
    let explained = site.signet(&["auth", "list"]).succeeded();
    assert!(explained.says("accounts") && explained.says("closed"), "{}", explained.output);
}

fn publishes_not(site: &Site, device: &str, username: &str, password: &str) {
    let finished = publishes(site, device, username, password, "up/ann");
    assert_ne!(finished.code, Some(0), "{device} {username:?} {password:?}: {}", finished.output);
    assert!(finished.output.to_lowercase().contains("not authorized"), "{device} {username:?}: {}", finished.output);
}

/// While it is away nobody is let in, and afterwards all is as before.
fn survives(site: &Site, stop: impl FnOnce(), start: impl FnOnce()) {
    stop();
    site.signet(&["auth", "forget"]).succeeded();
    let away = publishes(site, DEVICE, "ann", "public", "up/ann");
    assert_ne!(away.code, Some(0), "{}", away.output);
    assert!(away.output.to_lowercase().contains("server unavailable") || away.says("136"), "{}", away.output);
    start();
    publishes(site, DEVICE, "ann", "public", "up/ann").succeeded();
}

const USERS: &str = "CREATE TABLE mqtt_user (device VARCHAR(60), username VARCHAR(100), password_hash VARCHAR(100), salt VARCHAR(40), is_superuser BOOLEAN);
INSERT INTO mqtt_user VALUES ('346a004d-1dab-4016-bb38-03cca7094415', 'ann', 'public', NULL, false);
CREATE TABLE mqtt_acl (username VARCHAR(100), permission VARCHAR(10), action VARCHAR(10), topic VARCHAR(100));
INSERT INTO mqtt_acl VALUES ('ann', 'allow', 'publish', 'up/${username}');";

fn tables(kind: &str, port: u16, database: &str) -> String {
    let place = format!(
        "type = \"{kind}\"\naddress = \"127.0.0.1:{port}\"\ndatabase = \"{database}\"\nusername = \"signet\"\npassword_file = \"secret\"\n"
    );
    format!(
        "[[authenticator]]\nname = \"accounts\"\n{place}password_hash = \"plain\"\n\
         query = \"SELECT password_hash, salt, is_superuser FROM mqtt_user WHERE device = '%C' AND username = '%u'\"\n\
         [[access_source]]\nname = \"rights\"\n{place}query = \"SELECT permission, action, topic FROM mqtt_acl WHERE username = ${{username}}\"\n"
    )
}

#[test]
fn postgresql_vouches() {
    let mut server = PostgresServer::start();
    server.execute(&format!("CREATE USER signet PASSWORD 'sesame'; {USERS} GRANT SELECT ON mqtt_user, mqtt_acl TO signet"));
    let (site, broker) = site(&tables("postgresql", server.port(), "postgres"), "sesame");
    tells_the_story(&site, &broker);
    let cell = std::cell::RefCell::new(&mut server);
    survives(&site, || cell.borrow_mut().stop(), || cell.borrow_mut().start_again());
    // A query that cannot work is in the log at the start.
    site.edit("signet.toml", |text| text.replace("FROM mqtt_user", "FROM mqtt_usr"));
    broker.signal("HUP");
    broker.logs_all(&["accounts", "will not be able to answer", "mqtt_usr"]);
}

#[test]
fn mariadb_vouches() {
    let mut server = MariadbServer::start();
    server.execute(&format!("CREATE USER signet@'%' IDENTIFIED BY 'sesame'; GRANT SELECT ON mqtt.* TO signet@'%'; {USERS}"));
    let (site, broker) = site(&tables("mysql", server.port(), "mqtt"), "sesame");
    tells_the_story(&site, &broker);
    let cell = std::cell::RefCell::new(&mut server);
    survives(&site, || cell.borrow_mut().stop(), || cell.borrow_mut().start_again());
}

#[test]
fn ldap_vouches() {
    let mut server = LdapServer::start();
    server.add(&format!(
        "dn: uid=ann,ou=devices,{base}\nobjectClass: account\nobjectClass: simpleSecurityObject\nobjectClass: mqttUser\nuid: ann\n\
         description: {DEVICE}\nuserPassword: public\nmqttPublishTopic: up/${{username}}\n",
        base = LdapServer::BASE
    ));
    let search = format!(
        "type = \"ldap\"\naddress = \"127.0.0.1:{}\"\nusername = \"{}\"\npassword_file = \"secret\"\nbase_dn = \"ou=devices,{}\"\n\
         filter = \"(&(uid=${{username}})(description=${{cert.cn}}))\"\n",
        server.port(),
        LdapServer::ADMIN,
        LdapServer::BASE
    );
    let tables =
        format!("[[authenticator]]\nname = \"accounts\"\nmethod = \"bind\"\n{search}[[access_source]]\nname = \"rights\"\n{search}");
    let (site, broker) = site(&tables, LdapServer::PASSWORD);
    tells_the_story(&site, &broker);
    // A bind without a password would succeed, as nobody.
    publishes_not(&site, DEVICE, "ann", "");
    let cell = std::cell::RefCell::new(&mut server);
    survives(&site, || cell.borrow_mut().stop(), || cell.borrow_mut().start_again());
}
