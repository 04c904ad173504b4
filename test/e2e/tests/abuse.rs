//! Who tries too often is held off, with other people's clients: by what is proven of him, so that nobody can be locked out by somebody else, and with an
//! end that an operator can bring forward.

#![expect(clippy::expect_used, reason = "a rig that cannot do its job fails the test that uses it")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use signet_e2e::{Broker, Client, Finished, Publication, Running, Site, Version};

/// A broker with certificates on the TLS port, who may come by certificate or by what stands for a secret here: one of some user names. What
/// happens to whom is in `limits`.
struct Rig {
    site: Site,
    broker: Broker,
    port: u16,
    metrics: u16,
}

/// No test sees the end of these.
const LONG: &str = "attempts_maximum = 3\nattempts_window = \"1h\"\nhold_off = \"1h\"\nhold_off_maximum = \"1h\"\nattempts_exempt = []\n";

fn rig(limits: &str) -> Rig {
    let site = Site::quickstart();
    let (port, metrics) = (site.free_port(), site.free_port());
    site.edit("signet.toml", |text| {
        assert!(text.contains("\n[limits]\n"), "the template has the table");
        let text = text.replacen("\n[limits]\n", &format!("\n[limits]\n{limits}"), 1);
        let text = text.replacen("\n[metrics]\n", &format!("\n[metrics]\nbind = \"127.0.0.1:{metrics}\"\n"), 1);
        format!(
            "{text}\n[[listener]]\nname = \"users\"\nbind = \"127.0.0.1:{port}\"\ntransport = \"tcp\"\nauthentication = [\"secrets\"]\nbelieve = [\"username\"]\n\
             [[authenticator]]\nname = \"secrets\"\ntype = \"condition\"\nallow = [\"username:right\", \"username:right-user\", \"username:right-other\"]\ndeny = [\"username:wrong\"]\n"
        )
    });
    let broker = site.serve();
    Rig { site, broker, port, metrics }
}

impl Rig {
    /// `mosquitto_pub` from an address of this machine, as this client and user.
    fn publish(&self, address: &str, identifier: &str, user: &str, version: &str) -> Finished {
        let mut command = Command::new("mosquitto_pub");
        command.args(["-h", "127.0.0.1", "-A", address, "-V", version, "-d", "-i", identifier, "-u", user, "-P", "secret"]);
        command.args(["-t", "pump-7/temp", "-m", "21", "-p"]).arg(self.port.to_string());
        Running::run(&mut command)
    }

    /// The code of the CONNACK that it shows.
    #[track_caller]
    fn answer(&self, address: &str, identifier: &str, user: &str) -> u8 {
        self.code(&self.publish(address, identifier, user, "mqttv5"))
    }

    #[track_caller]
    fn code(&self, finished: &Finished) -> u8 {
        let shown = finished.output.lines().find_map(|line| line.split_once("received CONNACK (")?.1.strip_suffix(')')?.parse().ok());
        shown.unwrap_or_else(|| unreachable!("no CONNACK:\n{}\n{}", finished.output, self.broker.log()))
    }

    /// A device with a certificate, from 127.0.0.1.
    #[track_caller]
    fn device_publishes(&self) {
        let message = Publication::of("pump-7/temp", "21", 1);
        Client::Mosquitto.publish(Version::V5, self.site.port(), &self.site.device("pump-7"), &message).succeeded();
    }

    fn held(&self) -> String {
        self.site.signet(&["refusals", "held"]).succeeded().output
    }

    #[track_caller]
    fn metric(&self, line: &str) -> u64 {
        let mut socket = TcpStream::connect(("127.0.0.1", self.metrics)).expect("the metrics listener");
        socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("a request");
        let mut page = String::new();
        socket.read_to_string(&mut page).expect("a page");
        let value = page.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok());
        value.unwrap_or_else(|| unreachable!("no {line} in:\n{page}"))
    }
}

const IN: u8 = 0;
const NOT_AUTHORIZED: u8 = 0x87;
const HELD_OFF: u8 = 0x9F;

#[test]
fn an_attacker_is_held_off_and_neither_a_name_nor_a_certificate_with_it() {
    let rig = rig(LONG);
    // From the address of a site, under the names of its device and of a user who exists.
    for attempt in 0..3 {
        assert_eq!(rig.answer("127.0.0.1", "pump-7", &format!("wrong-{attempt}")), NOT_AUTHORIZED);
    }
    assert_eq!(rig.answer("127.0.0.1", "pump-7", "right-user"), HELD_OFF, "whatever it guesses now");
    assert_eq!(rig.code(&rig.publish("127.0.0.1", "pump-7", "right-user", "mqttv311")), 3);
    // The device shows its certificate, at the same address and under the name that was claimed.
    rig.device_publishes();
    // The user comes from elsewhere.
    assert_eq!(rig.answer("127.0.0.2", "pump-7-user", "right-user"), IN);

    let held = rig.held();
    assert!(held.contains("127.0.0.1") && held.contains("address") && !held.contains("pump-7"), "{held}");
    let log = rig.broker.logs_all(&["refused", "held off", "127.0.0.1", "after 3 failed attempts within 3600 s"]);
    assert!(log.contains("listener=\"users\"") || log.contains("listener=users"), "{log}");
    let kept = rig.site.signet(&["refusals", "--json"]).succeeded().output;
    assert_eq!(kept.matches("\"held off\"").count(), 1, "said once:\n{kept}");
    assert_eq!(rig.metric("signet_failed_attempts_total{by=\"address\"}"), 3);
    assert_eq!(rig.metric("signet_held_off{by=\"address\"}"), 1);
    assert_eq!(rig.metric("signet_refused_total{check=\"held off\"}"), 2);

    // Whom nobody holds off cannot be forgiven; whoever is can.
    assert_eq!(rig.site.signet(&["refusals", "forgive", "pump-7"]).code, Some(4));
    assert!(rig.site.signet(&["refusals", "forgive", "127.0.0.1"]).succeeded().says("1 hold ended"));
    assert_eq!(rig.answer("127.0.0.1", "pump-7-user", "right-user"), IN);
    assert_eq!(rig.metric("signet_held_off{by=\"address\"}"), 0);
    assert_eq!(rig.metric("signet_holds_total{by=\"address\"}"), 1);
    assert!(rig.site.signet(&["audit", "--limit", "1"]).succeeded().says("held.forgive"));
}

#[test]
fn a_hold_ends_by_itself() {
    let rig = rig(
        "attempts_maximum = 1\nattempts_window = \"1h\"\nhold_off = \"1s\"\nhold_off_maximum = \"1s\"\nattempts_exempt = [\"127.0.0.3\"]\n",
    );
    for _ in 0..3 {
        assert_eq!(rig.answer("127.0.0.3", "a", "wrong"), NOT_AUTHORIZED, "an exempt address");
    }
    assert_eq!(rig.answer("127.0.0.66", "a", "wrong"), NOT_AUTHORIZED);
    let mut answers = std::iter::repeat_with(|| rig.answer("127.0.0.66", "a", "right"));
    assert!(answers.by_ref().take(1_000).any(|answer| answer == IN), "after a second");
}

#[test]
fn who_flaps_is_held_off_and_recovers() {
    let rig = rig("flapping_maximum = 3\nflapping_window = \"1h\"\nflapping_hold_off = \"2s\"\n");
    // Names that are only claimed do not flap: these are refused, and count for nobody.
    for _ in 0..5 {
        assert_eq!(rig.answer("127.0.0.1", "x", "wrong"), NOT_AUTHORIZED);
    }
    for _ in 0..3 {
        rig.device_publishes();
    }
    let message = Publication::of("pump-7/temp", "21", 1);
    let device = rig.site.device("pump-7");
    let publish = || Client::Mosquitto.publish(Version::V5, rig.site.port(), &device, &message);
    assert_ne!(publish().code, Some(0));
    rig.broker.logs_all(&["refused", "`pump-7` is held off", "CN=pump-7", "3 connections that ended within 3600 s"]);
    let held = rig.held();
    assert!(held.contains("pump-7") && held.contains("flapping"), "{held}");
    assert_eq!(rig.answer("127.0.0.1", "pump-7-user", "right"), IN, "nobody else");
    assert_eq!(rig.metric("signet_held_off{by=\"flapping\"}"), 1);
    assert!(std::iter::repeat_with(publish).take(1_000).any(|attempt| attempt.code == Some(0)), "it comes back");
}

#[test]
fn an_identity_connects_so_often_in_a_minute() {
    let rig = rig("identity_connect_rate = 2\n");
    let mut answers = (0..3).map(|_| rig.answer("127.0.0.1", "x", "right"));
    assert_eq!([answers.next(), answers.next(), answers.next()], [Some(IN), Some(IN), Some(HELD_OFF)]);
    assert_eq!(rig.answer("127.0.0.1", "x", "right-other"), IN);
    assert!(rig.site.signet(&["refusals", "forgive", "--all"]).succeeded().says("1 hold ended"));
    assert_eq!(rig.answer("127.0.0.1", "x", "right"), IN);
}
