//! Listeners behind proxies: whose word counts, and for what.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use signet_broker::WillRule;
use signet_mqtt::{ProtocolVersion, QoS, ReasonCode};
use signet_net::{ListenAddress, ProxyVersions, Source};
use signet_policy::AdmissionRules;
use signet_revocation::Suspended;
use signet_server::{ListenerConfig, ProxyConfig, ProxyDemand, ServerConfig, TransportConfig};
use signet_testkit::{Device, Identity, Pki, connect_packet};
use signet_tls::{Connector, ConnectorConfig, ForwardedIdentityConfig};

use super::rig::{PATIENCE, Rig, await_log, await_that, capture_log};

const CONNECT: &[u8] = b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01a";

/// How a listener `proxied` treats certificates.
#[derive(Clone, Copy)]
enum Rule {
    Nothing,
    Certificate,
    CommonName,
}

/// A listener `proxied` that trusts `source`, beside the usual ones. With [`Rule::Nothing`] clients are anonymous.
fn rig(rule: Rule, source: &str) -> Rig {
    rig_with(rule, source, |_| {})
}

fn rig_with(rule: Rule, source: &str, change: impl FnOnce(&mut ListenerConfig)) -> Rig {
    let trusted: Vec<Source> = vec![source.parse().unwrap()];
    // The rig makes its PKI before the configuration, so that the file names are known here.
    Rig::with(1, move |config: &mut ServerConfig| {
        let identity = match rule {
            Rule::Nothing => ForwardedIdentityConfig::None,
            Rule::Certificate => ForwardedIdentityConfig::Certificate { profiles: vec!["devices".into()] },
            Rule::CommonName => ForwardedIdentityConfig::CommonName,
        };
        let admission = AdmissionRules { anonymous: matches!(rule, Rule::Nothing), ..AdmissionRules::default() };
        let mut listener = ListenerConfig::new("proxied", vec!["127.0.0.1:0".parse().unwrap()], TransportConfig::Tcp, admission);
        listener.proxy_protocol = Some(ProxyConfig { versions: ProxyVersions::Any, trusted, identity, demand: ProxyDemand::Nothing });
        change(&mut listener);
        config.listeners.push(listener);
    })
}

fn v2(command: u8, entries: &[u8]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([0x20 | command, 0x11]);
    header.extend(u16::try_from(12 + entries.len()).unwrap().to_be_bytes());
    header.extend([192, 0, 2, 1, 198, 51, 100, 1, 0x9C, 0x40, 7, 0x5B]);
    header.extend(entries);
    header
}

fn entry(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut entry = vec![kind];
    entry.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
    entry.extend(value);
    entry
}

/// A header that says that a certificate was verified, with what of it is forwarded.
fn vouching(client: u8, verify: u32, entries: &[Vec<u8>]) -> Vec<u8> {
    v2(1, &entry(0x20, &[vec![client], verify.to_be_bytes().to_vec(), entries.concat()].concat()))
}

fn with_certificate(device: &Identity) -> Vec<u8> {
    vouching(7, 0, &[entry(0x22, b"somebody-else"), entry(0x28, &device.der)])
}

/// Sends header and CONNECT in one write, and returns the reason code of the CONNACK.
fn connect(rig: &Rig, header: &[u8]) -> (TcpStream, Option<u8>) {
    let mut socket = rig.raw("proxied");
    socket.write_all(&[header, CONNECT].concat()).unwrap();
    let mut octet = || {
        let mut octet = [0];
        socket.read_exact(&mut octet).ok().map(|()| octet[0])
    };
    let mut code = octet();
    // Behind the type a length, whose last octet is below 0x80, and the flags.
    while code.is_some() && octet().is_some_and(|length| length & 0x80 != 0) {}
    code = code.and_then(|_| octet()).and_then(|_| octet());
    (socket, code)
}

#[test]
fn the_clients_address_is_the_one_that_counts() {
    capture_log();
    let rig = rig(Rule::Nothing, "127.0.0.0/8");
    for (header, address) in [
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 40001 1883\r\n".to_vec(), "192.0.2.7:40001"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 40002 1883\r\n".to_vec(), "[2001:db8::7]:40002"),
        (v2(1, &[]), "192.0.2.1:40000"),
    ] {
        let (socket, code) = connect(&rig, &header);
        assert_eq!(code, Some(0));
        assert_eq!(rig.connections()[0].entry.address.to_string(), address);
        await_log(&["connected", address]);
        drop(socket);
        rig.await_connections(0);
    }
    // Where the header brings no address, the connection's own counts.
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), v2(0, &[])] {
        let (socket, code) = connect(&rig, &header);
        assert_eq!(code, Some(0));
        assert_eq!(rig.connections()[0].entry.address.to_string(), socket.local_addr().unwrap().to_string());
        drop(socket);
        rig.await_connections(0);
    }
}

#[test]
fn a_header_octet_by_octet() {
    let rig = rig(Rule::Nothing, "127.0.0.1");
    let mut socket = rig.raw("proxied");
    socket.set_nodelay(true).unwrap();
    for octet in [v2(1, &entry(0x04, &[0; 40])), CONNECT.to_vec()].concat() {
        socket.write_all(&[octet]).unwrap();
    }
    let mut connack = [0; 4];
    socket.read_exact(&mut connack).unwrap();
    assert_eq!(connack[3], 0);
}

#[test]
fn who_is_not_trusted_is_refused_whatever_it_sends() {
    capture_log();
    let rig = rig(Rule::Certificate, "192.0.2.0/24");
    let pump = rig.pki.device("pump-7");
    for header in [with_certificate(&pump), b"PROXY TCP4 192.0.2.7 198.51.100.1 40001 1883\r\n".to_vec(), Vec::new()] {
        assert_eq!(connect(&rig, &header).1, None);
    }
    await_log(&["signet::refused", "listener=\"proxied\"", "check=\"PROXY header\"", "trusted proxies only", "proxy_trusted"]);
    assert!(rig.connections().is_empty());
}

#[test]
fn a_trusted_source_has_to_send_a_good_header() {
    capture_log();
    let rig = rig(Rule::Nothing, "127.0.0.1");
    assert_eq!(connect(&rig, b"").1, None);
    await_log(&["signet::refused", "does not begin with a PROXY header", "speaks MQTT at once"]);
    let mut socket = rig.raw("proxied");
    socket.write_all(b"PROXY TCP4 nonsense\r\n").unwrap();
    assert_eq!(socket.read_to_end(&mut Vec::new()).unwrap_or(0), 0);
    await_log(&["signet::refused", "check=\"PROXY header\"", "malformed"]);
    let mut damaged = v2(1, &entry(0x03, &[1, 2, 3, 4]));
    damaged.extend(CONNECT);
    assert_eq!(connect(&rig, &damaged).1, None);
    await_log(&["signet::refused", "checksum"]);
}

#[test]
fn a_header_that_does_not_come_is_waited_for_no_longer_than_a_handshake() {
    capture_log();
    let rig = rig_with(Rule::Nothing, "127.0.0.1", |listener| listener.handshake_timeout = Duration::from_millis(200));
    let mut socket = rig.raw("proxied");
    socket.write_all(b"PROXY TCP4 192.0.2.7 ").unwrap();
    assert_eq!(socket.read_to_end(&mut Vec::new()).unwrap_or(0), 0);
    await_log(&["signet::refused", "no complete PROXY header", "handshake_timeout"]);
}

#[test]
fn a_forwarded_certificate_is_an_identity_like_any_other() {
    let rig = rig(Rule::Certificate, "127.0.0.1");
    let pump = rig.pki.device("pump-7");
    let (mut socket, code) = connect(&rig, &with_certificate(&pump));
    assert_eq!(code, Some(0));
    let entry = rig.connections().remove(0).entry;
    let identity = entry.peer.identity().unwrap();
    assert_eq!(identity.name().as_str(), "pump-7", "from the certificate, not from the forwarded name");
    assert_eq!(identity.path().len(), 2, "the certificate, and the issuing authority that `trust` holds below its root");
    // A revocation finds it, and keeps it out.
    let report = rig.revoke(&pump);
    assert_eq!((report.found, report.closed), (1, 1));
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).unwrap();
    assert!(rest.windows(3).any(|bytes| bytes[0] == 0xE0 && bytes[2] == 0x98), "DISCONNECT: {rest:x?}");
    assert_eq!(connect(&rig, &with_certificate(&pump)).1, None);
}

#[test]
fn certificates_that_do_not_count() {
    capture_log();
    let rig = rig(Rule::Certificate, "127.0.0.1");
    let pump = rig.pki.device("pump-8");
    let der = || entry(0x28, &pump.der);
    // Not verified, or none there: nobody, and nobody may not connect here.
    for (client, verify) in [(0, 0), (1, 0), (6, 0), (7, 1), (7, 20), (2, 0)] {
        assert_eq!(connect(&rig, &vouching(client, verify, &[der()])).1, Some(0x87), "client {client} verify {verify}");
    }
    assert_eq!(connect(&rig, &v2(1, &[])).1, Some(0x87));
    assert_eq!(connect(&rig, &v2(0, &entry(0x20, &[vec![7, 0, 0, 0, 0], der()].concat()))).1, Some(0x87), "a proxy for itself");
    assert_eq!(connect(&rig, b"PROXY TCP4 192.0.2.7 198.51.100.1 40001 1883\r\n").1, Some(0x87));
    // Verified by the proxy, and not good enough here.
    assert_eq!(connect(&rig, &vouching(7, 0, &[entry(0x22, b"pump-8")])).1, None, "a name alone is not enough");
    await_log(&["signet::refused", "did not forward it", "proxy_identity"]);
    for (device, check) in [
        (rig.pki.foreign_device("stranger"), "path to a trust anchor"),
        (rig.pki.expired_device("old"), "validity"),
        (rig.pki.wrong_usage_device("server-like"), "key usage"),
    ] {
        assert_eq!(connect(&rig, &with_certificate(&device)).1, None, "{check}");
        await_log(&["signet::refused", "listener=\"proxied\"", &format!("check=\"{check}\""), "192.0.2.1:40000", "serial="]);
    }
    assert_eq!(connect(&rig, &vouching(7, 0, &[entry(0x28, b"\x30\x03\x02\x01\x01")])).1, None);
    await_log(&["signet::refused", "listener=\"proxied\"", "check=\"certificate form\""]);
    rig.await_connections(0);
}

#[test]
fn a_name_alone_counts_where_the_listener_says_so() {
    let rig = rig(Rule::CommonName, "127.0.0.1");
    let (_socket, code) = connect(&rig, &vouching(5, 0, &[entry(0x22, b"pump-9")]));
    assert_eq!(code, Some(0));
    let peer = rig.connections().remove(0).entry.peer;
    assert_eq!(peer.device().unwrap().as_str(), "pump-9");
    assert!(peer.identity().is_none(), "no certificate was seen");
    for entries in [vec![], vec![entry(0x22, b"a/b")], vec![entry(0x22, b"")], vec![entry(0x22, b"a\0b")]] {
        assert_eq!(connect(&rig, &vouching(7, 0, &entries)).1, None);
    }
    assert_eq!(connect(&rig, &vouching(1, 0, &[entry(0x22, b"pump-9")])).1, Some(0x87), "nothing was verified");
}

/// A suspension is about the device, whatever proves its name.
#[test]
fn a_suspended_device_does_not_come_by_its_name_either() {
    capture_log();
    let rig = rig(Rule::CommonName, "127.0.0.1");
    let header = vouching(5, 0, &[entry(0x22, b"pump-10")]);
    let (_before, code) = connect(&rig, &header);
    assert_eq!(code, Some(0));
    let suspended = Suspended { since: 0, why: "lost".into() };
    rig.revocations.update(|index| index.with_suspensions([("pump-10".into(), suspended.clone())].into()));
    let report = rig.server.review(PATIENCE);
    assert_eq!((report.kicks.found, report.kicks.closed, report.ended.get("suspended")), (1, 1, Some(&1)));
    assert_eq!(connect(&rig, &header).1, None);
    await_log(&["signet::refused", "the device `pump-10` is suspended since", "check=\"suspension\""]);
    assert_eq!(connect(&rig, &vouching(5, 0, &[entry(0x22, b"pump-11")])).1, Some(0));
}

/// What a device leaves behind is judged by the rules of the listener that it came by, also where only proxies know its profile.
#[test]
fn a_will_left_through_a_proxy_does_not_outlast_the_trust_either() {
    const WILL: &[u8] = b"\x10\x29\0\x04MQTT\x05\x06\0\0\x05\x11\0\0\0\x3c\0\x01a\x05\x18\0\0\0\x01\0\x08status/a\0\x04gone";
    let rig = Rig::with(1, |config| {
        config.will_on_revoke = WillRule::Drop;
        config.listeners.retain(|listener| *listener.name == *"mqtt");
        let mut listener =
            ListenerConfig::new("proxied", vec!["127.0.0.1:0".parse().unwrap()], TransportConfig::Tcp, AdmissionRules::default());
        let identity = ForwardedIdentityConfig::Certificate { profiles: vec!["devices".into()] };
        listener.proxy_protocol = Some(ProxyConfig {
            versions: ProxyVersions::Any,
            trusted: vec!["127.0.0.1".parse().unwrap()],
            identity,
            demand: ProxyDemand::Nothing,
        });
        config.listeners.push(listener);
    });
    let mut watcher = Device::connect(&rig.tcp(), ProtocolVersion::V5, "watcher");
    watcher.subscribe("status/#", QoS::AtMostOnce);
    let pump = rig.pki.device("pump-12");
    let mut socket = rig.raw("proxied");
    socket.write_all(&[&with_certificate(&pump), WILL].concat()).unwrap();
    socket.read_exact(&mut [0; 5]).unwrap();
    drop(socket);
    rig.await_connections(1);
    let suspended = Suspended { since: 0, why: "lost".into() };
    rig.revocations.update(|index| index.with_suspensions([("pump-12".into(), suspended.clone())].into()));
    rig.server.review_absent();
    // Longer than the delay: by then the Will would have been published.
    let mut clock = connect_packet(ProtocolVersion::V5, "clock");
    clock.keep_alive = 1;
    Device::connect_with(&rig.tcp(), clock).expect_ended(ReasonCode::KeepAliveTimeout);
    watcher.expect_silence();
}

#[test]
fn tls_may_come_through_the_proxy() {
    let rig = Rig::with(1, |config| {
        let TransportConfig::Tls(tls) = config.listeners[1].transport.clone() else { panic!("mqtts has TLS") };
        let mut listener =
            ListenerConfig::new("proxied", vec!["127.0.0.1:0".parse().unwrap()], TransportConfig::Tls(tls), AdmissionRules::default());
        listener.proxy_protocol = Some(ProxyConfig {
            versions: ProxyVersions::V1,
            trusted: vec!["127.0.0.1".parse().unwrap()],
            identity: ForwardedIdentityConfig::None,
            demand: ProxyDemand::Nothing,
        });
        config.listeners.push(listener);
    });
    let pump = rig.pki.device("pump-7");
    let mut socket = rig.raw("proxied");
    socket.write_all(b"PROXY TCP4 192.0.2.7 198.51.100.1 40001 8883\r\n").unwrap();
    let connector = Connector::new(&client_config(&rig.pki, &pump)).unwrap();
    let mut tls = connector.connect("localhost", socket).unwrap();
    tls.write_all(CONNECT).unwrap();
    tls.flush().unwrap();
    let mut connack = [0; 4];
    tls.read_exact(&mut connack).unwrap();
    assert_eq!(connack[3], 0);
    let entry = rig.connections().remove(0).entry;
    assert_eq!(entry.address.to_string(), "192.0.2.7:40001");
    assert_eq!(entry.peer.device().unwrap().as_str(), "pump-7");
}

fn client_config(pki: &Pki, device: &Identity) -> ConnectorConfig {
    ConnectorConfig {
        ca_files: vec![pki.ca_file()],
        certificate: Some(device.certificate.clone()),
        key: Some(device.key.clone()),
        ..ConnectorConfig::default()
    }
}

#[test]
fn a_limit_per_address_counts_clients_and_not_their_proxy() {
    let rig = rig_with(Rule::Nothing, "127.0.0.1", |listener| listener.limits.connections_per_address_maximum = 1);
    let from = |last: u8| connect(&rig, format!("PROXY TCP4 192.0.2.{last} 198.51.100.1 40001 1883\r\n").as_bytes());
    let (first, second) = (from(1), from(2));
    assert_eq!((first.1, second.1), (Some(0), Some(0)));
    assert_eq!(from(1).1, None);
    drop(first);
    await_that(|| from(1).1 == Some(0), "room for the address again");
}

#[test]
fn a_proxy_may_come_over_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proxy.sock");
    let rig = rig_with(Rule::Certificate, "unix", |listener| listener.bind = vec![ListenAddress::Unix(path.clone())]);
    let pump = rig.pki.device("pump-7");
    let mut socket = std::os::unix::net::UnixStream::connect(&path).unwrap();
    socket.write_all(&[with_certificate(&pump), CONNECT.to_vec()].concat()).unwrap();
    let mut connack = [0; 4];
    socket.read_exact(&mut connack).unwrap();
    assert_eq!(connack[0], 0x20);
    let entry = rig.connections().remove(0).entry;
    assert_eq!((entry.address.to_string().as_str(), entry.peer.device().unwrap().as_str()), ("192.0.2.1:40000", "pump-7"));
}

#[test]
fn what_the_proxy_has_to_say_of_its_client_is_demanded_before_connect() {
    capture_log();
    // Of a header: whether the client may pass where nothing, TLS, or a verified certificate is demanded.
    let headers = [
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 40001 1883\r\n".to_vec(), [true, false, false]),
        (v2(1, &[]), [true, false, false]),
        (v2(0, &[]), [true, false, false]),
        (vouching(0, 0, &[]), [true, false, false]),
        (vouching(1, 0, &[]), [true, true, false]),
        (vouching(3, 0, &[]), [true, true, true]),
        (vouching(5, 0, &[]), [true, true, true]),
        (vouching(7, 1, &[]), [true, true, false]),
        (vouching(6, 0, &[]), [true, false, false]),
    ];
    for (position, demand) in [ProxyDemand::Nothing, ProxyDemand::Tls, ProxyDemand::Certificate].into_iter().enumerate() {
        let rig = rig_with(Rule::Nothing, "127.0.0.1", |listener| {
            listener.proxy_protocol.as_mut().unwrap().demand = demand;
        });
        for (header, passes) in &headers {
            let (socket, code) = connect(&rig, header);
            assert_eq!(code == Some(0), passes[position], "{demand:?}: {header:02x?}");
            drop(socket);
            rig.await_connections(0);
        }
        match demand {
            ProxyDemand::Nothing => {}
            ProxyDemand::Tls => drop(await_log(&["refused", "did not connect to the proxy using TLS"])),
            ProxyDemand::Certificate => drop(await_log(&["refused", "did not show the proxy a certificate"])),
        }
    }
}
