//! Who tries too often, on real sockets: who is held off, and who must not be.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use signet_mqtt::{Connect, Packet, Password, ProtocolVersion, ReasonCode, encode};
use signet_policy::{
    AccessAnswer, AccessQuestion, AdmissionRules, Applicant, Chain, Client, Grant, Member, Next, Otherwise, Outcome, Proof, ProvenNames,
    SourceRules, Walk,
};
use signet_server::{AbuseLimits, Authentication, Done, HoldKind, ListenerConfig, ServerConfig, TransportConfig, Verdict};
use signet_testkit::{Device, Identity, Target, connect_packet};
use signet_tls::{ClientCertificate, TlsHostConfig, TlsListenerConfig};

use super::rig::{Rig, await_log, await_that, capture_log};

const HOUR: Duration = Duration::from_secs(3_600);

/// So long that no test sees its end.
fn limits() -> AbuseLimits {
    AbuseLimits {
        attempts_maximum: 3,
        attempts_window: HOUR,
        hold_off: HOUR,
        hold_off_maximum: HOUR,
        attempts_exempt: Vec::new(),
        ..AbuseLimits::default()
    }
}

/// Knows one password, for every name.
#[derive(Default)]
struct Guard {
    /// Answers about clients with the password `late`, until somebody gives them.
    late: Mutex<Vec<(Done, Verdict)>>,
}

impl Authentication for Guard {
    fn begin(&self, chain: Option<Arc<Chain>>, _anonymous: bool, applicant: Applicant, done: Done) {
        let is_late = applicant.password.as_ref().is_some_and(|password| password.expose() == b"late");
        let mut walk = Walk::new(chain.unwrap());
        let decided = loop {
            match walk.next(&applicant) {
                Next::Done(decided) => break decided,
                Next::Ask(_) => {
                    let outcome = match applicant.password.as_ref().map(|password| password.expose()) {
                        Some(b"right" | b"late") => Outcome::Allow(Box::new(Grant::proving(ProvenNames::USERNAME))),
                        Some(b"down") => Outcome::Failed("it is down".to_owned()),
                        _ => Outcome::Deny("the password is wrong".to_owned()),
                    };
                    if let Err(denied) = walk.answer(outcome) {
                        break Err(denied);
                    }
                }
            }
        };
        let verdict = match decided {
            Ok(passed) => Verdict::Passed(Box::new(passed)),
            Err(denied) => Verdict::Refused(Box::new(denied)),
        };
        if is_late { self.late.lock().unwrap().push((done, verdict)) } else { done(verdict) }
    }

    fn holds(&self, _: &signet_policy::Credential) -> bool {
        true
    }

    fn ask(&self, _: Arc<Client>, _: AccessQuestion, done: Box<dyn FnOnce(AccessAnswer, Duration) + Send>) {
        done(AccessAnswer::Deny, Duration::ZERO);
    }

    fn has_rule_sources(&self) -> bool {
        false
    }

    fn rules_of(&self, _client: Arc<Client>, done: Box<dyn FnOnce(Vec<SourceRules>) + Send>) {
        done(Vec::new());
    }

    fn rules_last(&self) -> Option<u64> {
        None
    }
}

fn member(name: &str, proof: Proof) -> Member {
    let (on_deny, on_unknown, on_failure) = (Otherwise::Deny, Otherwise::Continue, Otherwise::Deny);
    Member { name: name.into(), proof, when: None, on_deny, on_unknown, on_failure }
}

/// Besides the usual listeners: `users` (plain), `userss` (TLS without certificates) and `both` (TLS, a certificate and a password).
fn rig(limits: AbuseLimits) -> Rig {
    guarded(limits, Arc::default())
}

fn guarded(limits: AbuseLimits, guard: Arc<Guard>) -> Rig {
    Rig::with(2, move |config: &mut ServerConfig| {
        let users = || member("users", Proof::Authenticator);
        let admission = |members: Vec<Member>| AdmissionRules {
            chain: Some(Arc::new(Chain { alternatives: vec![members] })),
            ..AdmissionRules::default()
        };
        let (bind, TransportConfig::Tls(tls)) = (config.listeners[0].bind.clone(), config.listeners[1].transport.clone()) else { panic!() };
        let strangers = TlsHostConfig::new(tls.host.credentials[0].clone(), ClientCertificate::None, Vec::new());
        let strangers = TransportConfig::Tls(TlsListenerConfig::new(strangers));
        config.listeners.extend([
            ListenerConfig::new("users", bind.clone(), TransportConfig::Tcp, admission(vec![users()])),
            ListenerConfig::new("userss", bind.clone(), strangers, admission(vec![users()])),
            ListenerConfig::new(
                "both",
                bind,
                TransportConfig::Tls(tls),
                admission(vec![member("certificate", Proof::Certificate { profile: None }), users()]),
            ),
        ]);
        config.server_limits.abuse = limits;
        config.authentication = Some(guard);
    })
}

fn claiming(name: &str, password: &'static str) -> Connect {
    let mut connect = connect_packet(ProtocolVersion::V5, name);
    connect.username = Some(name.to_owned().into());
    connect.password = Some(Password::new(password));
    connect
}

/// Sends CONNECT from an address of this machine; the socket and the reason code of the CONNACK, if one came.
fn connect_from(address: [u8; 4], port: u16, connect: Connect) -> (TcpStream, Option<u8>) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from((address, 0)).into()).unwrap();
    socket.connect(&std::net::SocketAddr::from(([127, 0, 0, 1], port)).into()).unwrap();
    let mut socket = TcpStream::from(socket);
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut bytes = BytesMut::new();
    let version = connect.version;
    encode(&Packet::Connect(Box::new(connect)), version, &mut bytes);
    socket.write_all(&bytes).unwrap();
    let code = code_of(&mut socket);
    (socket, code)
}

/// The reason code of the CONNACK that comes, if one does.
fn code_of(socket: &mut TcpStream) -> Option<u8> {
    let mut octet = || {
        let mut octet = [0];
        socket.read_exact(&mut octet).ok().map(|()| octet[0])
    };
    assert_eq!(octet()?, 0x20, "a CONNACK");
    while octet()? >= 0x80 {}
    octet()?;
    octet()
}

fn code_from(address: [u8; 4], rig: &Rig, connect: Connect) -> Option<u8> {
    connect_from(address, rig.port("users"), connect).1
}

const NOT_AUTHORIZED: Option<u8> = Some(0x87);
const HELD_OFF: Option<u8> = Some(0x9F);
const IN: Option<u8> = Some(0);

fn held(rig: &Rig) -> Vec<(HoldKind, String)> {
    rig.server.held_off().into_iter().map(|held| (held.kind, held.who)).collect()
}

fn refused(rig: &Rig) -> u64 {
    rig.server.stats().refused_by.iter().find(|(cause, _)| *cause == "held off").unwrap().1
}

fn tls(rig: &Rig, listener: &str, identity: Option<&Identity>) -> Target {
    Target::tls(rig.port(listener), rig.pki.ca_file(), identity)
}

#[test]
fn who_guesses_is_held_off_by_its_address_and_no_name_with_it() {
    capture_log();
    let rig = rig(limits());
    let attacker = [127, 0, 0, 66];
    for password in ["a", "b", "c"] {
        assert_eq!(code_from(attacker, &rig, claiming("victim", password)), NOT_AUTHORIZED);
    }
    assert_eq!(code_from(attacker, &rig, claiming("victim", "right")), HELD_OFF, "not even with the right password");
    assert_eq!(code_from(attacker, &rig, claiming("somebody-else", "right")), HELD_OFF);
    // MQTT 3.1.1 says `server unavailable`.
    let old = Connect { version: ProtocolVersion::V311, ..claiming("victim", "right") };
    assert_eq!(code_from(attacker, &rig, old), Some(3));
    assert_eq!(code_from([127, 0, 0, 67], &rig, claiming("victim", "right")), IN, "the name was never held off");
    assert_eq!(held(&rig), [(HoldKind::Address, "127.0.0.66".to_owned())]);
    assert_eq!(refused(&rig), 3);
    let line = await_log(&["signet::refused", "check=\"held off\"", "127.0.0.66"]);
    assert!(line.contains("after 3 failed attempts within 3600 s") && line.contains("signet refusals forgive"), "{line}");
    let kept = rig.server.refusals().newest(9, |record| record.refusal.check == signet_tls::Check::HeldOff);
    assert_eq!(kept.len(), 1, "once, however often it tries");
    assert_eq!(rig.server.forgive(Some("127.0.0.66")), 1);
    assert_eq!(code_from(attacker, &rig, claiming("victim", "right")), IN);
}

#[test]
fn a_certificate_answers_for_itself_and_its_address_for_nobody_who_shows_one() {
    let rig = rig(limits());
    let (good, bad) = (rig.pki.device("good"), rig.pki.device("bad"));
    // Everything here comes from 127.0.0.1: one NAT.
    for _ in 0..3 {
        assert_eq!(code_from([127, 0, 0, 1], &rig, claiming("good", "wrong")), NOT_AUTHORIZED);
    }
    assert_eq!(code_from([127, 0, 0, 1], &rig, claiming("good", "right")), HELD_OFF);
    let device = Device::connect(&rig.tls(&good), ProtocolVersion::V5, "good");
    device.leave(ReasonCode::Success);
    for _ in 0..3 {
        Device::introduce(&tls(&rig, "both", Some(&bad)), claiming("good", "wrong")).0.expect_closed();
    }
    let (_, connack) = Device::introduce(&tls(&rig, "both", Some(&bad)), claiming("good", "right"));
    assert_eq!(connack.reason_code, ReasonCode::ConnectionRateExceeded, "whoever has this key has guessed");
    let (_, connack) = Device::introduce(&tls(&rig, "both", Some(&good)), claiming("good", "right"));
    assert_eq!(connack.reason_code, ReasonCode::Success, "and this one has not");
    let certificate = (HoldKind::Certificate, "bad".to_owned());
    assert_eq!(held(&rig), [(HoldKind::Address, "127.0.0.1".to_owned()), certificate]);
}

#[test]
fn where_nobody_shows_a_certificate_the_door_closes_before_the_handshake() {
    let rig = rig(limits());
    for _ in 0..3 {
        let (_, connack) = Device::introduce(&tls(&rig, "userss", None), claiming("a", "wrong"));
        assert_eq!(connack.reason_code, ReasonCode::NotAuthorized);
    }
    let before = rig.server.stats();
    assert!(Device::try_open(&tls(&rig, "userss", None), ProtocolVersion::V5).is_err());
    let after = rig.server.stats();
    let handshakes = |stats: &signet_server::ServerStats| stats.handshakes.full + stats.handshakes.resumed + stats.handshakes.failed;
    assert_eq!((handshakes(&before), before.accepted), (handshakes(&after), after.accepted));
    assert_eq!(refused(&rig), 1);
    // Those who show certificates shake hands, whatever others have done at the address.
    Device::connect(&rig.tls(&rig.pki.device("good")), ProtocolVersion::V5, "good").leave(ReasonCode::Success);
}

/// A handshake proves nothing before it is over: whoever sends somebody's certificate without its key must not lock it out, and neither must one whose own
/// certificate is worth nothing.
#[test]
fn handshakes_that_fail_count_against_nobody() {
    let rig = rig(limits());
    let revoked = rig.pki.device("revoked");
    rig.revoke(&revoked);
    for _ in 0..10 {
        // With TLS 1.3 the client hears of it after its own side is done.
        if let Ok(mut device) = Device::try_open(&rig.tls(&revoked), ProtocolVersion::V5) {
            assert!(device.await_next().is_err());
        }
        let mut socket = rig.raw("mqtts");
        socket.write_all(b"\x16\x03\x01\x00\x05hello").unwrap();
        let _ = socket.read_to_end(&mut Vec::new());
    }
    assert_eq!((held(&rig), rig.server.stats().holds[0].1.noted), (Vec::new(), 0));
    Device::connect(&rig.tls(&rig.pki.device("good")), ProtocolVersion::V5, "good").leave(ReasonCode::Success);
}

#[test]
fn an_outage_is_no_attempt() {
    let rig = rig(limits());
    for _ in 0..10 {
        assert_eq!(code_from([127, 0, 0, 66], &rig, claiming("a", "down")), Some(0x88));
    }
    assert_eq!(code_from([127, 0, 0, 66], &rig, claiming("a", "right")), IN);
}

#[test]
fn a_network_that_is_exempt_guesses_on() {
    let rig = rig(AbuseLimits { attempts_exempt: vec!["127.0.0.64/29".parse().unwrap()], ..limits() });
    for _ in 0..10 {
        assert_eq!(code_from([127, 0, 0, 66], &rig, claiming("a", "wrong")), NOT_AUTHORIZED);
    }
    for _ in 0..3 {
        assert_eq!(code_from([127, 0, 0, 72], &rig, claiming("a", "wrong")), NOT_AUTHORIZED);
    }
    assert_eq!(code_from([127, 0, 0, 72], &rig, claiming("a", "wrong")), HELD_OFF);
}

/// Those who send all their guesses at once gain nothing by it.
#[test]
fn guesses_at_the_same_time_are_no_more_guesses() {
    let rig = rig(limits());
    let port = rig.port("users");
    let guesses: Vec<_> =
        (0..40).map(|_| std::thread::spawn(move || connect_from([127, 0, 0, 66], port, claiming("a", "wrong")).1)).collect();
    let codes: Vec<Option<u8>> = guesses.into_iter().map(|guess| guess.join().unwrap()).collect();
    assert!(codes.iter().all(|code| *code == NOT_AUTHORIZED || *code == HELD_OFF), "{codes:?}");
    assert_eq!(code_from([127, 0, 0, 66], &rig, claiming("a", "right")), HELD_OFF);
}

/// A right guess that was under way when its address was held off was one too many.
#[test]
fn who_is_held_off_while_others_are_asked_about_it_is_not_let_in() {
    let guard = Arc::new(Guard::default());
    let rig = guarded(limits(), Arc::clone(&guard));
    let port = rig.port("users");
    let late = std::thread::spawn(move || connect_from([127, 0, 0, 66], port, claiming("a", "late")).1);
    await_that(|| !guard.late.lock().unwrap().is_empty(), "the question");
    for _ in 0..3 {
        assert_eq!(code_from([127, 0, 0, 66], &rig, claiming("a", "wrong")), NOT_AUTHORIZED);
    }
    for (done, verdict) in guard.late.lock().unwrap().drain(..) {
        done(verdict);
    }
    assert_eq!(late.join().unwrap(), HELD_OFF);
}

#[test]
fn who_flaps_is_held_off_by_what_is_proven_and_comes_back() {
    let short = Duration::from_secs(2);
    let rig = rig(AbuseLimits { flapping_maximum: 4, flapping_window: HOUR, flapping_hold_off: short, ..limits() });
    let pump = rig.pki.device("pump-7");
    for number in 0..4 {
        // Whatever it calls itself.
        Device::connect(&rig.tls(&pump), ProtocolVersion::V5, &format!("name-{number}")).leave(ReasonCode::Success);
        await_that(|| rig.server.stats().holds[3].1.noted == number + 1, "the end of the connection to be counted");
    }
    let (mut device, connack) = Device::introduce(&rig.tls(&pump), connect_packet(ProtocolVersion::V5, "pump-7"));
    assert_eq!(connack.reason_code, ReasonCode::ConnectionRateExceeded);
    device.expect_closed();
    assert_eq!(held(&rig), [(HoldKind::Flapping, "pump-7".to_owned())]);
    // Nobody flaps in somebody else's name: anonymous clients who call themselves the same are nobody, and are not counted.
    for _ in 0..10 {
        Device::connect(&rig.tcp(), ProtocolVersion::V5, "valve-1").leave(ReasonCode::Success);
    }
    let valve = Device::connect(&rig.tls(&rig.pki.device("valve-1")), ProtocolVersion::V5, "valve-1");
    valve.leave(ReasonCode::Success);
    await_that(|| held(&rig).is_empty(), "the end of the hold-off");
    Device::connect(&rig.tls(&pump), ProtocolVersion::V5, "pump-7").leave(ReasonCode::Success);
}

#[test]
fn who_is_ended_by_the_server_does_not_flap() {
    let rig = rig(AbuseLimits { flapping_maximum: 1, flapping_window: HOUR, flapping_hold_off: HOUR, ..limits() });
    let pump = rig.pki.device("pump-7");
    let mut device = Device::connect(&rig.tls(&pump), ProtocolVersion::V5, "pump-7");
    let all = signet_net::Selector::All;
    let report = rig.server.registry().kick_selected(&all, &signet_net::KickCause::Administrative(String::new()), super::rig::PATIENCE);
    assert_eq!(report.closed, 1);
    device.expect_ended(ReasonCode::AdministrativeAction);
    let _again = Device::connect(&rig.tls(&pump), ProtocolVersion::V5, "pump-7");
}

#[test]
fn a_user_connects_so_often_in_a_minute() {
    let rig = rig(AbuseLimits { identity_connect_rate: 2, ..limits() });
    let codes = [(); 3].map(|()| code_from([127, 0, 0, 66], &rig, claiming("a", "right")));
    assert_eq!(codes, [IN, IN, HELD_OFF]);
    assert_eq!(code_from([127, 0, 0, 66], &rig, claiming("b", "right")), IN, "another user");
    // Who only claims the name uses up nothing of its rate.
    for _ in 0..2 {
        assert_eq!(code_from([127, 0, 0, 67], &rig, claiming("c", "wrong")), NOT_AUTHORIZED);
    }
    assert_eq!(code_from([127, 0, 0, 66], &rig, claiming("c", "right")), IN);
}

/// Behind a proxy each client answers for the address that the header gives.
#[test]
fn a_proxied_client_is_held_off_by_its_own_address() {
    let rig = Rig::with(1, |config| {
        let bind = config.listeners[0].bind.clone();
        let mut listener = ListenerConfig::new("proxied", bind, TransportConfig::Tcp, AdmissionRules::default());
        listener.proxy_protocol = Some(signet_server::ProxyConfig {
            versions: signet_net::ProxyVersions::Any,
            trusted: vec!["127.0.0.0/8".parse().unwrap()],
            identity: signet_tls::ForwardedIdentityConfig::None,
            demand: signet_server::ProxyDemand::Nothing,
        });
        config.listeners.push(listener);
        config.server_limits.abuse = limits();
    });
    let through = |client: u8| {
        let mut socket = rig.raw("proxied");
        let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
        header.extend([192, 0, 2, client, 198, 51, 100, 1, 0x9C, 0x40, 7, 0x5B]);
        socket.write_all(&[header.as_slice(), b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01a"].concat()).unwrap();
        code_of(&mut socket)
    };
    assert_eq!([1, 1, 1, 1].map(through), [NOT_AUTHORIZED, NOT_AUTHORIZED, NOT_AUTHORIZED, HELD_OFF]);
    assert_eq!(through(2), NOT_AUTHORIZED, "another client of the same proxy");
    assert_eq!(held(&rig), [(HoldKind::Address, "192.0.2.1".to_owned())]);
}
