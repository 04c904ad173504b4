//! What counts against whom, and that nobody pays for others.

use bytestring::ByteString;
use signet_identity::{DeviceName, KeyedPeer, NamedPeer, NoIdentity};
use signet_mqtt::ReasonCode;
use signet_policy::Verdict;

use super::*;

fn limits() -> AbuseLimits {
    AbuseLimits { attempts_maximum: 3, attempts_exempt: vec!["10.0.0.0/8".parse().unwrap()], ..AbuseLimits::default() }
}

fn at(address: &str) -> PeerAddress {
    PeerAddress::Ip(format!("{address}:1").parse().unwrap())
}

fn stranger() -> Peer {
    Peer::Anonymous(NoIdentity::NotPresented)
}

fn certificate(number: u8) -> Suspect {
    Suspect::Certificate([number; 32], format!("device-{number}"))
}

fn denied(reason: DenialReason, reason_code: ReasonCode) -> Denied {
    Denied { rule: "a rule".to_owned(), reason, reason_code }
}

fn wrong_password() -> Denied {
    verdicts(&["deny"], ReasonCode::NotAuthorized)
}

fn verdicts(said: &[&'static str], reason_code: ReasonCode) -> Denied {
    let verdicts = said.iter().map(|said| Verdict { member: "users".into(), said, why: String::new() }).collect();
    denied(DenialReason::Authentication { verdicts }, reason_code)
}

fn guess(abuse: &Abuse, address: &str, now: u64) {
    abuse.note_refusal(&at(address), Some(&stranger()), &wrong_password(), now);
}

fn may_guess(abuse: &Abuse, address: &str, now: u64) -> bool {
    abuse.may_try(&at(address), &stranger(), now).is_ok()
}

#[test]
fn who_guesses_is_held_off_with_its_network_and_nobody_else() {
    let abuse = Abuse::new(&limits());
    (0..3).for_each(|_| guess(&abuse, "192.0.2.7", 10_000));
    assert!(!may_guess(&abuse, "192.0.2.7", 10_001) && may_guess(&abuse, "192.0.2.8", 10_001));
    assert!(abuse.may_open(&at("192.0.2.7"), 10_001).is_err() && abuse.may_open(&at("192.0.2.8"), 10_001).is_ok());
    assert!(may_guess(&abuse, "192.0.2.7", 40_000), "30 s later");
    for host in 0..3 {
        guess(&abuse, &format!("[2001:db8::{host}]"), 10_000);
    }
    assert!(!may_guess(&abuse, "[2001:db8::9]", 10_001), "all of a /64");
    assert!(may_guess(&abuse, "[2001:db8:0:1::9]", 10_001));
    let held: Vec<String> = abuse.held(10_001).into_iter().map(|held| held.who).collect();
    assert_eq!(held, ["192.0.2.7", "2001:db8::/64"]);
}

#[test]
fn one_bad_device_does_not_lock_out_its_site_and_a_bad_site_no_device() {
    let abuse = Abuse::new(&limits());
    let (bad, good) = (certificate(1), certificate(2));
    (0..10).for_each(|_| abuse.failed(&bad, 10_000));
    assert!(abuse.check(&bad, 10_001).is_err());
    assert!(abuse.check(&good, 10_001).is_ok() && may_guess(&abuse, "192.0.2.7", 10_001));
    (0..10).for_each(|_| guess(&abuse, "192.0.2.7", 10_000));
    assert!(abuse.check(&good, 10_001).is_ok(), "whoever shows a certificate answers for that alone");
}

#[test]
fn who_is_exempt_or_has_no_address_is_not_counted() {
    let abuse = Abuse::new(&limits());
    (0..10).for_each(|_| guess(&abuse, "10.1.2.3", 10_000));
    assert!(may_guess(&abuse, "10.1.2.3", 10_001));
    (0..10).for_each(|_| abuse.note_refusal(&PeerAddress::Unix(None), Some(&stranger()), &wrong_password(), 10_000));
    assert!(abuse.may_try(&PeerAddress::Unix(None), &stranger(), 10_001).is_ok());
    assert_eq!(abuse.counts(10_001).into_iter().map(|(_, counts)| counts.noted).sum::<u64>(), 0);
    let usual = Abuse::new(&AbuseLimits::default());
    (0..50).for_each(|_| guess(&usual, "127.0.0.1", 10_000));
    (0..50).for_each(|_| guess(&usual, "[::1]", 10_000));
    assert!(usual.held(10_001).is_empty(), "a proxy on this machine speaks for many");
}

#[test]
fn only_a_guess_is_an_attempt() {
    let text = || "x".to_owned();
    let no = ReasonCode::NotAuthorized;
    for denied in [
        wrong_password(),
        verdicts(&["continue"], no),
        verdicts(&["deny", "failed"], ReasonCode::ServerUnavailable),
        denied(DenialReason::Anonymous { found: text() }, no),
        denied(DenialReason::Binding { claimed: text(), detail: text() }, ReasonCode::ClientIdentifierNotValid),
    ] {
        assert!(is_attempt(&denied), "{denied}");
    }
    for denied in [
        verdicts(&["failed"], ReasonCode::ServerUnavailable),
        verdicts(&["continue", "failed"], ReasonCode::ServerUnavailable),
        verdicts(&[], ReasonCode::ProtocolError),
        denied(DenialReason::AuthenticationMethod { method: text() }, ReasonCode::BadAuthenticationMethod),
        denied(DenialReason::Mapping { what: "user name", detail: text() }, no),
        denied(DenialReason::ClientIdentifier { claimed: text(), detail: "" }, ReasonCode::ClientIdentifierNotValid),
        denied(DenialReason::Will { detail: text() }, no),
        denied(DenialReason::Publish { principal: text(), topic: text() }, no),
    ] {
        assert!(!is_attempt(&denied), "{denied}");
    }
}

fn user(name: &str) -> Principal {
    Principal::User(ByteString::from(name))
}

#[test]
fn who_comes_and_goes_is_held_off_by_what_is_proven() {
    let abuse = Abuse::new(&AbuseLimits { flapping_maximum: 3, ..limits() });
    for _ in 0..3 {
        abuse.connected(&user("a"), 10_000).unwrap();
        abuse.disconnected(&user("a"), 10_000);
    }
    let held = abuse.connected(&user("a"), 10_001).unwrap_err();
    assert_eq!((held.kind, held.who.as_str(), held.until), (HoldKind::Flapping, "a", 310_000));
    assert!(abuse.connected(&user("b"), 10_001).is_ok());
    assert!(abuse.connected(&user("a"), 310_000).is_ok(), "five minutes later");
    for nobody in [Principal::Anonymous, Principal::Bridge("a".into())] {
        (0..10).for_each(|_| abuse.disconnected(&nobody, 10_000));
        assert!(abuse.connected(&nobody, 10_001).is_ok());
    }
}

#[test]
fn an_identity_connects_so_often_in_a_minute() {
    let abuse = Abuse::new(&AbuseLimits { identity_connect_rate: 2, ..limits() });
    let connect = |name: &str, now| abuse.connected(&user(name), now).is_ok();
    assert_eq!([10_000, 10_001, 10_002, 69_999, 70_000].map(|now| connect("a", now)), [true, true, false, false, true]);
    assert!(connect("b", 10_003));
}

#[test]
fn an_operator_forgives_one_or_all() {
    let abuse = Abuse::new(&limits());
    (0..3).for_each(|_| guess(&abuse, "192.0.2.7", 10_000));
    (0..3).for_each(|_| abuse.failed(&certificate(7), 10_000));
    assert_eq!(abuse.forgive(Some("192.0.2.9"), 10_001), 0);
    assert_eq!(abuse.forgive(Some("192.0.2.7"), 10_001), 1);
    assert!(may_guess(&abuse, "192.0.2.7", 10_001));
    assert_eq!(abuse.forgive(None, 10_001), 1);
    assert!(abuse.held(10_001).is_empty());
}

#[test]
fn what_is_kept_is_short_and_its_words_say_all() {
    let abuse = Abuse::new(&AbuseLimits { flapping_maximum: 1, ..limits() });
    let long = user(&format!("{}\n", "x".repeat(60_000)));
    abuse.disconnected(&long, 10_000);
    let held = abuse.connected(&long, 10_001).unwrap_err();
    assert!(held.who.len() < 200);
    let refusal = abuse.news(&held, None, 10_001).unwrap();
    assert!(refusal.found.ends_with("is held off for another 300 s after 1 connections that ended within 60 s"), "{}", refusal.found);
    let again = abuse.connected(&long, 10_002).unwrap_err();
    assert_eq!(abuse.news(&again, None, 10_002), None, "one line each time");
}

/// Whatever others try, at their addresses and at the victim's, with certificates and without: the victim's certificate is never held off.
#[test]
fn a_victim_is_never_locked_out_by_what_others_try() {
    let abuse = Abuse::new(&limits());
    let victim = certificate(0);
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut now = 10_000;
    for _ in 0..20_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let number = u8::try_from(state >> 56).unwrap();
        now += state % 50;
        match state % 3 {
            0 => guess(&abuse, "192.0.2.1", now),
            1 => guess(&abuse, &format!("198.51.100.{number}"), now),
            _ => abuse.failed(&certificate(number.max(1)), now),
        }
        assert!(abuse.check(&victim, now).is_ok());
        assert!(may_guess(&abuse, "192.0.2.2", now), "nor another address");
    }
    assert!(!abuse.held(now).is_empty());
}

/// A pre-shared key and the word of a trusted proxy prove as much as a certificate, each for itself: the same name in the other way is somebody else.
#[test]
fn whoever_proves_its_name_answers_for_that_alone() {
    let abuse = Abuse::new(&limits());
    let name = || DeviceName::new("pump-7").unwrap();
    let (keyed, named) = (Peer::Keyed(KeyedPeer::assertion(name(), None)), Peer::Named(NamedPeer::assertion(name())));
    let address = at("192.0.2.7");
    (0..3).for_each(|_| guess(&abuse, "192.0.2.7", 10_000));
    assert!(abuse.may_try(&address, &keyed, 10_001).is_ok() && abuse.may_try(&address, &named, 10_001).is_ok());
    (0..3).for_each(|_| abuse.note_refusal(&address, Some(&keyed), &wrong_password(), 10_000));
    assert!(abuse.may_try(&at("192.0.2.8"), &keyed, 10_001).is_err());
    assert!(abuse.may_try(&address, &named, 10_001).is_ok());
}
