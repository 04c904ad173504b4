//! A hundred thousand connections: what they cost and how long it takes to end some. Prints, and asserts no time.

use super::people::Person;
use super::*;

const MANY: u32 = 100_000;

/// Confirms at once, as a shard does that has nothing else to do.
struct Prompt<'a>(&'a Registry);

impl KickTarget for Prompt<'static> {
    fn kick(&self, kick: Kick) {
        self.0.remove(kick.link);
    }

    fn revoked(&self, _certificates: &Arc<[CertificateId]>) {}
}

/// Octets of memory that the process holds.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn a_hundred_thousand() {
    let registry: &'static Registry = Box::leak(Box::new(Registry::new()));
    registry.attach(vec![Arc::new(Prompt(registry)), Arc::new(Prompt(registry))]);
    let peers: Vec<Peer> = (0..MANY).map(|number| Person::own(number).peer()).collect();
    let listener: Arc<str> = "mqtts".into();
    let before = resident();
    let start = Instant::now();
    for (number, peer) in peers.iter().enumerate() {
        let link = registry.next_link();
        let shard = u16::try_from(number % 2).unwrap();
        let address = PeerAddress::Ip(([10, 0, 0, 1], u16::try_from(number % 60_000).unwrap()).into());
        let entry = Entry { peer: peer.clone(), listener: Arc::clone(&listener), address, ..entry(link, shard) };
        registry.register(entry, |_| Ok::<(), ()>(())).unwrap();
        registry.identify(link, &format!("pump-{number}"), None, ClonePolicy::Alarm, 0);
    }
    println!("entered {MANY}: {:?}, {} octets each", start.elapsed(), (resident() - before) / peers.len());

    let id = |peer: &Peer| peer.identity().unwrap().certificate();
    let cause = KickCause::Revoked(signet_revocation::Reason::KeyCompromise);
    let one = registry.kick_certificates(&[id(&peers[70_000])], &cause, Duration::from_secs(60));
    assert_eq!((one.found, one.closed), (1, 1));
    assert!(one.ordered_at <= one.last_closed_at.unwrap());
    println!("one of them: {:?}", one.elapsed);

    let ids: Vec<CertificateId> = peers.iter().step_by(10).map(id).collect();
    let start = Instant::now();
    let many = registry.kick_certificates(&ids, &cause, Duration::from_secs(60));
    // The one above was among them.
    assert_eq!((many.found, many.closed), (9_999, 9_999));
    println!("10,000 certificates: {:?}, of it the search {:?}", many.elapsed, start.elapsed().saturating_sub(many.elapsed));

    let walk = registry.reconcile(|_| None, Duration::from_secs(60));
    assert_eq!((walk.examined, walk.kicks.found), (90_000 + 1 - 1, 0));
    println!("all judged: {:?}", walk.kicks.elapsed);

    let issuer = peers[0].identity().unwrap().path()[0].issuer();
    let start = Instant::now();
    let rest = registry.kick_selected(&Selector::Authority(issuer), &cause, Duration::from_secs(60));
    assert_eq!((rest.found, rest.closed), (90_000, 90_000));
    assert!(registry.is_empty());
    println!("the whole authority: {:?}", start.elapsed());
}
