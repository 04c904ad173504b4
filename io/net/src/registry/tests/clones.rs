//! Who is taken for a copy, and who for a device that roams.

use super::people::Person;
use super::*;

struct Rig(Registry);

impl Rig {
    fn new() -> Self {
        Self(registry().0)
    }

    /// A connection with the certificate, not yet identified.
    fn enter(&self, certificate: u32, address: &str) -> LinkId {
        let link = self.0.next_link();
        let address = PeerAddress::Ip((address.parse::<std::net::IpAddr>().unwrap(), u16::try_from(link.number()).unwrap()).into());
        let entry = Entry { peer: Person::own(certificate).peer(), address, ..entry(link, 0) };
        self.0.register(entry, |_| Ok::<(), ()>(())).unwrap();
        link
    }

    /// A connection that takes its session over from `older`, if there is one, as the broker does.
    fn connect(&self, address: &str, identifier: &str, older: Option<LinkId>, policy: ClonePolicy, now: i64) -> (LinkId, CloneVerdict) {
        let link = self.enter(1, address);
        let verdict = self.0.identify(link, identifier, None, policy, now);
        if let Some(older) = older {
            self.0.remove(older);
        }
        (link, verdict)
    }
}

fn evidence(verdict: CloneVerdict) -> CloneEvidence {
    match verdict {
        CloneVerdict::Cloned { evidence, .. } => evidence,
        CloneVerdict::Single => panic!("not found"),
    }
}

#[test]
fn two_identifiers_at_once() {
    let rig = Rig::new();
    let (first, verdict) = rig.connect("192.0.2.1", "a", None, ClonePolicy::Alarm, 0);
    assert_eq!(verdict, CloneVerdict::Single);
    // Another device's certificate.
    let stranger = rig.enter(2, "192.0.2.9");
    assert_eq!(rig.0.identify(stranger, "b", None, ClonePolicy::Alarm, 0), CloneVerdict::Single);
    let (_, verdict) = rig.connect("192.0.2.1", "b", None, ClonePolicy::Alarm, 0);
    let CloneEvidence::TwoIdentifiers { other, client_identifier, .. } = evidence(verdict) else { panic!() };
    assert_eq!((other, &*client_identifier), (first, "a"));
    assert_eq!(rig.0.clone_counts(), CloneCounts { two_identifiers: 1, alternations: 0 });
}

#[test]
fn one_identifier_after_the_other_is_nobody_else() {
    let rig = Rig::new();
    let (first, _) = rig.connect("192.0.2.1", "a", None, ClonePolicy::Suspend, 0);
    rig.0.remove(first);
    assert_eq!(rig.connect("192.0.2.2", "b", None, ClonePolicy::Suspend, 0).1, CloneVerdict::Single);
}

#[test]
fn the_newer_one_is_refused_and_leaves_no_trace() {
    let rig = Rig::new();
    rig.connect("192.0.2.1", "a", None, ClonePolicy::RefuseNewer, 0);
    let (second, verdict) = rig.connect("192.0.2.1", "b", None, ClonePolicy::RefuseNewer, 0);
    assert!(matches!(verdict, CloneVerdict::Cloned { policy: ClonePolicy::RefuseNewer, .. }), "{verdict:?}");
    assert_eq!(rig.0.connection(second).unwrap().client_identifier, None);
    assert!(rig.0.select(&Selector::ClientIdentifier("b")).is_empty());
}

#[test]
fn roaming_is_one_way() {
    let rig = Rig::new();
    let mut older = None;
    // The same device at the same place, at another, at a third; then after a long time back at the first.
    for (address, now) in [("192.0.2.1", 0), ("192.0.2.1", 1), ("192.0.2.2", 2), ("192.0.2.3", 3), ("192.0.2.1", 700)] {
        let (link, verdict) = rig.connect(address, "a", older, ClonePolicy::Alarm, now);
        assert_eq!(verdict, CloneVerdict::Single, "{address} at {now}");
        older = Some(link);
    }
}

#[test]
fn back_and_forth_is_a_copy() {
    let rig = Rig::new();
    let (first, _) = rig.connect("192.0.2.1", "a", None, ClonePolicy::Alarm, 0);
    let (second, verdict) = rig.connect("192.0.2.2", "a", Some(first), ClonePolicy::Alarm, 100);
    assert_eq!(verdict, CloneVerdict::Single);
    let (third, verdict) = rig.connect("::ffff:192.0.2.1", "a", Some(second), ClonePolicy::Alarm, 130);
    assert!(matches!(evidence(verdict), CloneEvidence::Alternation { other, seconds: 30, .. } if other == second));
    let (_, verdict) = rig.connect("192.0.2.2", "a", Some(third), ClonePolicy::Alarm, 140);
    assert!(matches!(evidence(verdict), CloneEvidence::Alternation { seconds: 10, .. }));
    assert_eq!(rig.0.clone_counts(), CloneCounts { two_identifiers: 0, alternations: 2 });
}

#[test]
fn one_that_is_refused_keeps_being_refused() {
    let rig = Rig::new();
    let policy = ClonePolicy::RefuseNewer;
    let (first, _) = rig.connect("192.0.2.1", "a", None, policy, 0);
    let (second, _) = rig.connect("192.0.2.2", "a", Some(first), policy, 10);
    for now in [20, 500, 1000] {
        let (refused, verdict) = rig.connect("192.0.2.1", "a", None, policy, now);
        assert!(matches!(evidence(verdict), CloneEvidence::Alternation { other, .. } if other == second));
        rig.0.remove(refused);
    }
    // The one that holds the session is not accused for it.
    assert_eq!(rig.connect("192.0.2.2", "a", Some(second), policy, 1010).1, CloneVerdict::Single);
}

#[test]
fn what_is_remembered_is_bounded() {
    let rig = Rig::new();
    for certificate in 0..20_000 {
        for address in ["192.0.2.1", "192.0.2.2"] {
            let link = rig.enter(certificate, address);
            rig.0.identify(link, "a", None, ClonePolicy::Alarm, 0);
        }
    }
    let remembered = rig.0.state().clones.remembered();
    assert_eq!(remembered, (16_384, 16_384));
}
