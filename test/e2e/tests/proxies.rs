//! A real proxy in front: HAProxy with every kind of PROXY header it can send.

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs;
use std::process::Command;

use signet_e2e::{Client, Door, Publication, Running, Site, Subscription, Version};

/// A broker with listeners for proxied connections, and HAProxy in front of each.
struct Front {
    site: Site,
    /// Ports of HAProxy: version 1, version 2, TLS passed through, TLS ended there.
    plain_v1: u16,
    plain_v2: u16,
    through: u16,
    ended: u16,
    ended_ws: u16,
}

fn front(proxy_identity: &str) -> (Front, signet_e2e::Broker, Running) {
    let site = Site::quickstart();
    let [v1, v2, tls, ended, front_v1, front_v2, front_tls, front_ended, front_ws] = std::array::from_fn(|_| site.free_port());
    let proxied = "proxy_trusted = [\"127.0.0.1\"]";
    let extra = format!(
        "\n[[listener]]\nname = \"v1\"\nbind = [\"127.0.0.1:{v1}\"]\ntransport = \"ws\"\nanonymous = true\nproxy_protocol = \"v1\"\n{proxied}\n\
         [[listener]]\nname = \"v2\"\nbind = [\"127.0.0.1:{v2}\"]\ntransport = \"ws\"\nanonymous = true\nproxy_protocol = \"v2\"\n{proxied}\n\
         [[listener]]\nname = \"through\"\nbind = [\"127.0.0.1:{tls}\"]\ntransport = \"tls\"\nproxy_protocol = true\n{proxied}\n\
         certificate = \"server/server.pem\"\nkey = \"server/server.key\"\ntrust = [\"ca/ca.pem\"]\n\
         [[listener]]\nname = \"ended\"\nbind = [\"127.0.0.1:{ended}\"]\ntransport = \"tcp\"\nproxy_protocol = \"v2\"\n{proxied}\n{proxy_identity}\n\
         [[access]]\nwho = \"anonymous\"\npublish = [\"lobby/#\"]\nsubscribe = [\"lobby/#\"]\n"
    );
    site.edit("signet.toml", |text| text.replace("level = \"info\"", "level = \"debug\"") + &extra);
    site.signet(&["check"]).succeeded();
    let broker = site.serve();

    // HAProxy wants certificate and key in one file.
    let pem = fs::read_to_string(site.path("server/server.pem")).unwrap() + &fs::read_to_string(site.path("server/server.key")).unwrap();
    site.write("front.pem", &pem);
    let tls_bind = "ssl crt front.pem ca-file ca/ca.pem verify required";
    let config = format!(
        "defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 60s\n  timeout server 60s\n\
         listen v1\n  bind 127.0.0.1:{front_v1}\n  server broker 127.0.0.1:{v1} send-proxy\n\
         listen v2\n  bind 127.0.0.1:{front_v2}\n  server broker 127.0.0.1:{v2} send-proxy-v2 check check-send-proxy inter 200ms\n\
         listen through\n  bind 127.0.0.1:{front_tls}\n  server broker 127.0.0.1:{tls} send-proxy\n\
         listen ended\n  bind 127.0.0.1:{front_ended} {tls_bind}\n  server broker 127.0.0.1:{ended} send-proxy-v2-ssl-cn proxy-v2-options crc32c,authority\n\
         listen ended_ws\n  bind 127.0.0.1:{front_ws} {tls_bind}\n  server broker 127.0.0.1:{v2} send-proxy-v2-ssl-cn\n"
    );
    site.write("haproxy.cfg", &config);
    let mut command = Command::new(signet_e2e::haproxy());
    command.current_dir(site.folder()).args(["-db", "-f", "haproxy.cfg"]);
    let haproxy = Running::start(&mut command);
    broker.logs_all(&["PROXY header", "local=true"]);
    let front = Front { site, plain_v1: front_v1, plain_v2: front_v2, through: front_tls, ended: front_ended, ended_ws: front_ws };
    (front, broker, haproxy)
}

#[test]
fn clients_behind_haproxy_keep_their_addresses() {
    let (front, broker, _haproxy) = front("proxy_identity = \"common_name\"");
    let nobody = front.site.nobody();
    for (listener, port) in [("v1", front.plain_v1), ("v2", front.plain_v2)] {
        let subscription = Subscription { count: 1, ..Subscription::to("lobby/#", 1, "reader") };
        let subscriber = Client::Paho.subscribe(Version::V5, Door::WebSocket(port), &nobody, &subscription);
        Client::Paho.wait_subscribed(&subscriber);
        let line = broker.logs_all(&["connected", "reader", &format!("listener=\"{listener}\"")]);
        let address = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default().to_owned();
        // The client's own end of its connection to HAProxy, which nobody else of this machine has.
        let sockets = Command::new("ss").args(["-tnH", "sport", "=", &format!(":{port}")]).output().expect("ss runs");
        let sockets = String::from_utf8_lossy(&sockets.stdout).into_owned();
        assert!(address.starts_with("127.0.0.1:") && sockets.contains(&address), "{address} is not in\n{sockets}");
        Client::MqttJs.publish(Version::V311, Door::WebSocket(port), &nobody, &Publication::of("lobby/x", "x", 1)).succeeded();
        subscriber.wait_for(&Client::Paho.shows("lobby/x", 1, false, "x"));
        subscriber.finish().succeeded();
    }
}

#[test]
fn tls_passes_through_haproxy() {
    let (front, broker, _haproxy) = front("proxy_identity = \"common_name\"");
    let pump = front.site.device("pump-7");
    for client in Client::ALL {
        client.publish(Version::V5, front.through, &pump, &Publication::of("pump-7/x", "x", 1)).succeeded();
    }
    broker.logs_all(&["connected", "listener=\"through\"", "device `pump-7`"]);
}

#[test]
fn haproxys_word_for_a_name_counts_where_the_listener_says_so() {
    let (front, broker, _haproxy) = front("proxy_identity = \"common_name\"");
    let pump = front.site.device("pump-7");
    for client in Client::ALL {
        client.publish(Version::V5, front.ended, &pump, &Publication::of("pump-7/x", "x", 1)).succeeded();
    }
    broker.logs_all(&["connected", "listener=\"ended\"", "device `pump-7`"]);
    // The same header on a listener that gives it no meaning: nobody in particular.
    let message = Publication::of("lobby/x", "x", 1);
    Client::Paho.publish(Version::V5, Door::SecureWebSocket(front.ended_ws), &pump, &message).succeeded();
    broker.logs_all(&["connected", "listener=\"v2\"", "anonymous"]);
}

#[test]
fn a_name_is_no_certificate() {
    let (front, broker, _haproxy) = front("proxy_identity = \"certificate\"\ntrust = [\"ca/ca.pem\"]");
    let pump = front.site.device("pump-7");
    let refused = Client::Mosquitto.publish(Version::V5, front.ended, &pump, &Publication::of("pump-7/x", "x", 1));
    assert_ne!(refused.code, Some(0), "{}", refused.output);
    broker.logs_all(&["refused", "listener=\"ended\"", "did not forward it"]);
}
