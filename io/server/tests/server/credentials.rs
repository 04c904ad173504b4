//! Who was let in by something that is taken back: before, while and after the client connects.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use signet_mqtt::{Connect, ProtocolVersion, QoS, ReasonCode};
use signet_net::{KickCause, Selector};
use signet_policy::{
    AccessAnswer, AccessQuestion, AdmissionRules, Applicant, Chain, Client, Credential, Grant, Member, Next, Otherwise, Outcome, Proof,
    SourceRules, Walk,
};
use signet_server::{Authentication, Done, ListenerConfig, ServerConfig, TransportConfig, Verdict};
use signet_testkit::{Device, Target, connect_packet};

use super::rig::{PATIENCE, Rig, await_that};

const NAME: &str = "users/alice";

/// Lets everybody in by a credential of one name, in the version that there is.
#[derive(Default)]
struct Vouching {
    version: AtomicU64,
    /// An answer that waits until somebody gives it, where one is to wait.
    late: Mutex<Option<(Done, Verdict)>>,
    is_late: Mutex<bool>,
    /// Questions about rules that wait until somebody answers them, where there are sources of rules.
    rules: Mutex<Option<Vec<RulesDone>>>,
}

type RulesDone = Box<dyn FnOnce(Vec<SourceRules>) + Send>;

impl Authentication for Vouching {
    fn begin(&self, chain: Option<Arc<Chain>>, _anonymous: bool, applicant: Applicant, done: Done) {
        let mut walk = Walk::new(chain.unwrap());
        let Next::Ask(_) = walk.next(&applicant) else { panic!() };
        let credentials = vec![Credential { name: NAME.into(), version: self.version.load(Ordering::SeqCst) }];
        walk.answer(Outcome::Allow(Box::new(Grant { credentials, ..Grant::default() }))).unwrap();
        let Next::Done(Ok(passed)) = walk.next(&applicant) else { panic!() };
        let verdict = Verdict::Passed(Box::new(passed));
        if *self.is_late.lock().unwrap() { *self.late.lock().unwrap() = Some((done, verdict)) } else { done(verdict) }
    }

    fn holds(&self, credential: &Credential) -> bool {
        *credential.name == *NAME && credential.version == self.version.load(Ordering::SeqCst)
    }

    fn ask(&self, _: Arc<Client>, _: AccessQuestion, done: Box<dyn FnOnce(AccessAnswer, Duration) + Send>) {
        done(AccessAnswer::Deny, Duration::ZERO);
    }

    fn has_rule_sources(&self) -> bool {
        self.rules.lock().unwrap().is_some()
    }

    fn rules_of(&self, _client: Arc<Client>, done: RulesDone) {
        match &mut *self.rules.lock().unwrap() {
            Some(waiting) => waiting.push(done),
            None => done(Vec::new()),
        }
    }

    fn rules_last(&self) -> Option<u64> {
        None
    }
}

impl Vouching {
    /// As an administration does it: in force first, then whoever is connected.
    fn replace(&self, rig: &Rig) -> usize {
        let version = self.version.fetch_add(1, Ordering::SeqCst) + 1;
        let cause = KickCause::CredentialRevoked("alice".into());
        rig.server.registry().end_credential(NAME, Some(version), &cause, PATIENCE).closed
    }
}

fn rig(vouching: &Arc<Vouching>) -> Rig {
    Rig::with(2, |config: &mut ServerConfig| {
        let (on_deny, on_unknown, on_failure) = (Otherwise::Deny, Otherwise::Continue, Otherwise::Deny);
        let users = Member { name: "users".into(), proof: Proof::Authenticator, when: None, on_deny, on_unknown, on_failure };
        let chain = Some(Arc::new(Chain { alternatives: vec![vec![users]] }));
        let admission = AdmissionRules { chain, ..AdmissionRules::default() };
        config.listeners.push(ListenerConfig::new("users", config.listeners[0].bind.clone(), TransportConfig::Tcp, admission));
        config.authentication = Some(vouching.clone());
    })
}

fn connect(identifier: &str) -> Connect {
    Connect { username: Some("alice".into()), ..connect_packet(ProtocolVersion::V5, identifier) }
}

#[test]
fn a_session_ends_with_what_it_was_let_in_by_and_no_other_does() {
    let vouching = Arc::new(Vouching::default());
    let rig = rig(&vouching);
    let target = Target::tcp(rig.port("users"));
    // On both shards, and one that only calls itself so.
    let mut held: Vec<Device> = (0..4).map(|number| Device::connect_with(&target, connect(&format!("c{number}")))).collect();
    let mut other = Device::connect_with(&rig.tcp(), connect("alice"));
    assert_eq!(rig.server.registry().select(&Selector::Credential(NAME)).len(), 4);
    assert_eq!(vouching.replace(&rig), 4);
    for device in &mut held {
        device.expect_ended(ReasonCode::NotAuthorized);
    }
    other.publish("t", "still here", QoS::AtLeastOnce, false);
    // By what holds now they are let in again.
    let mut again = Device::connect_with(&target, connect("c0"));
    again.publish("t", "back", QoS::AtLeastOnce, false);
    assert_eq!(rig.server.registry().select(&Selector::Credential(NAME)).len(), 1);
}

#[test]
fn what_is_replaced_while_a_client_connects_does_not_let_it_in() {
    let vouching = Arc::new(Vouching::default());
    let rig = rig(&vouching);
    *vouching.is_late.lock().unwrap() = true;
    for identifier in ["c0", "c1", "c2", "c3"] {
        let mut device = Device::open(&Target::tcp(rig.port("users")), ProtocolVersion::V5);
        device.send(&signet_mqtt::Packet::Connect(Box::new(connect(identifier))));
        await_that(|| vouching.late.lock().unwrap().is_some(), "somebody is asked");
        // Nobody is there yet who could be ended, and the verdict has been given.
        assert_eq!(vouching.replace(&rig), 0);
        let (done, verdict) = vouching.late.lock().unwrap().take().unwrap();
        done(verdict);
        assert_eq!(device.expect_connack().reason_code, ReasonCode::NotAuthorized, "{identifier}");
        device.expect_closed();
    }
    await_that(|| rig.server.registry().is_empty(), "all are gone");
}

#[test]
fn rules_that_change_while_they_are_asked_for_are_asked_for_once_more() {
    let vouching = Arc::new(Vouching::default());
    *vouching.rules.lock().unwrap() = Some(Vec::new());
    let rig = rig(&vouching);
    let waiting = || vouching.rules.lock().unwrap().as_ref().map_or(0, Vec::len);
    let answer = || {
        let done = vouching.rules.lock().unwrap().as_mut().and_then(Vec::pop).unwrap();
        done(Vec::new());
    };
    let mut device = Device::connect_with(&Target::tcp(rig.port("users")), connect("c"));
    rig.server.rules_changed();
    await_that(|| waiting() == 1, "somebody is asked");
    rig.server.rules_changed();
    device.publish("t", "the shards have seen it", QoS::AtLeastOnce, false);
    answer();
    await_that(|| waiting() == 1, "that was about rules of before");
    answer();
    // A source that breaks down has answered that there is nothing.
    rig.server.rules_changed();
    await_that(|| waiting() == 1, "somebody is asked");
    drop(vouching.rules.lock().unwrap().as_mut().and_then(Vec::pop));
    rig.server.rules_changed();
    await_that(|| waiting() == 1, "the next question is not held up by it");
    answer();
    device.publish("t", "still here", QoS::AtLeastOnce, false);
}
