//! Random comings and goings against a list that is searched from end to end.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::people::{Person, intermediate, profile, qualified};
use super::*;

#[derive(Clone, Debug)]
enum Step {
    Register(Person, u8, bool),
    Identify(usize, u8),
    Relocate(usize, u16),
    Remove(usize),
    Kick(Which),
    Reconcile(u32),
}

#[derive(Clone, Copy, Debug)]
enum Which {
    Certificate(u32),
    Issuer(u8),
    Key(u32),
    AnyKey(u8),
    Authority(u8),
    Root,
    Profile(u8),
    Device(u32),
    ClientIdentifier(u8),
    Listener(u8),
    All,
}

fn person() -> impl Strategy<Value = Person> {
    (0_u32..6, 0_u32..4, 0_u32..5, 0_u8..3, 0_u8..3).prop_map(|(certificate, key, device, issuer, profile)| Person {
        certificate,
        key,
        device,
        issuer,
        profile,
    })
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        (0_u32..6).prop_map(Which::Certificate),
        (0_u8..3).prop_map(Which::Issuer),
        (0_u32..4).prop_map(Which::Key),
        (0_u8..3).prop_map(Which::Authority),
        (0_u8..3).prop_map(Which::AnyKey),
        Just(Which::Root),
        (0_u8..3).prop_map(Which::Profile),
        (0_u32..5).prop_map(Which::Device),
        (0_u8..3).prop_map(Which::ClientIdentifier),
        (0_u8..2).prop_map(Which::Listener),
        Just(Which::All),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (person(), 0_u8..2, prop::bool::weighted(0.8)).prop_map(|(person, listener, good)| Step::Register(person, listener, good)),
        4 => (any::<usize>(), 0_u8..3).prop_map(|(at, identifier)| Step::Identify(at, identifier)),
        1 => (any::<usize>(), 0_u16..2).prop_map(|(at, shard)| Step::Relocate(at, shard)),
        2 => any::<usize>().prop_map(Step::Remove),
        3 => which().prop_map(Step::Kick),
        1 => (0_u32..5).prop_map(Step::Reconcile),
    ]
}

struct Known {
    person: Person,
    listener: u8,
    shard: u16,
    identifier: Option<u8>,
}

impl Known {
    fn is(&self, which: Which) -> bool {
        match which {
            Which::Certificate(number) => self.person.certificate == number,
            Which::Issuer(number) | Which::Authority(number) | Which::AnyKey(number) => self.person.issuer == number,
            Which::Key(number) => self.person.key == number,
            Which::Root | Which::All => true,
            Which::Profile(number) => self.person.profile == number,
            Which::Device(number) => self.person.device == number,
            Which::ClientIdentifier(number) => self.identifier == Some(number),
            Which::Listener(number) => self.listener == number,
        }
    }
}

/// Calls `act` with the selector that means `which`.
fn selecting<R>(which: Which, act: impl FnOnce(&Selector<'_>) -> R) -> R {
    let of = |number| Person::own(number).peer();
    let leaf = |peer: &Peer| Arc::clone(peer.identity().unwrap());
    let path = |number| leaf(&Person { issuer: number, ..Person::own(0) }.peer()).path().to_vec();
    match which {
        Which::Certificate(number) => act(&Selector::Certificates(&[leaf(&of(number)).certificate()])),
        Which::Issuer(number) => act(&Selector::Certificates(&[intermediate(number)])),
        Which::Key(number) => act(&Selector::Key(leaf(&of(number)).leaf().spki_digest())),
        Which::AnyKey(number) => act(&Selector::AnyKey(path(number)[0].issuer_key)),
        Which::Authority(number) => act(&Selector::Authority(path(number)[0].issuer())),
        Which::Root => act(&Selector::Authority(path(0)[1].issuer())),
        Which::Profile(number) => act(&Selector::Profile(&profile(number))),
        Which::Device(number) => act(&Selector::Device(&qualified(number))),
        Which::ClientIdentifier(number) => act(&Selector::ClientIdentifier(&number.to_string())),
        Which::Listener(number) => act(&Selector::Listener(&number.to_string())),
        Which::All => act(&Selector::All),
    }
}

#[derive(Default)]
struct Model {
    known: BTreeMap<LinkId, Known>,
}

impl Model {
    fn at(&self, number: usize) -> Option<LinkId> {
        self.known.keys().nth(number % self.known.len().max(1)).copied()
    }

    fn take(&mut self, matching: impl Fn(&Known) -> bool) -> Vec<(u16, LinkId)> {
        let gone: Vec<(u16, LinkId)> =
            self.known.iter().filter(|(_, known)| matching(known)).map(|(link, known)| (known.shard, *link)).collect();
        self.known.retain(|_, known| !matching(known));
        gone
    }
}

/// Takes what the shards were told, and closes it.
fn close(registry: &Registry, shards: &[Arc<Shard>]) -> Vec<(u16, LinkId)> {
    let mut told = Vec::new();
    for (index, shard) in (0_u16..).zip(shards) {
        told.extend(shard.0.lock().unwrap().drain(..).map(|kick| (index, kick.link)));
    }
    for (_, link) in &told {
        registry.remove(*link);
    }
    told.sort_unstable_by_key(|(_, link)| *link);
    told
}

fn run(steps: Vec<Step>) {
    let (registry, shards) = registry();
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Register(person, listener, good) => {
                let link = registry.next_link();
                let entry = Entry { peer: person.peer(), listener: listener.to_string().into(), ..entry(link, 0) };
                let judge = |peer: &Peer| {
                    let identity = peer.identity().unwrap();
                    assert!(registry.select(&Selector::Certificates(&[identity.certificate()])).contains(&link), "entered first");
                    if good { Ok(()) } else { Err(()) }
                };
                assert_eq!(registry.register(entry, judge).is_ok(), good);
                if good {
                    model.known.insert(link, Known { person, listener, shard: 0, identifier: None });
                }
            }
            Step::Identify(at, identifier) => {
                let Some(link) = model.at(at) else { continue };
                registry.identify(link, &identifier.to_string(), None, ClonePolicy::Allow, 0);
                model.known.get_mut(&link).unwrap().identifier = Some(identifier);
            }
            Step::Relocate(at, shard) => {
                let Some(link) = model.at(at) else { continue };
                registry.relocate(link, shard);
                model.known.get_mut(&link).unwrap().shard = shard;
            }
            Step::Remove(at) => {
                let Some(link) = model.at(at) else { continue };
                registry.remove(link);
                model.known.remove(&link);
            }
            Step::Kick(which) => {
                let expected = model.take(|known| known.is(which));
                let report = selecting(which, |selector| {
                    let links: Vec<LinkId> = expected.iter().map(|(_, link)| *link).collect();
                    assert_eq!(registry.select(selector), links, "{which:?}");
                    registry.kick_selected(selector, &KickCause::Revoked(signet_revocation::Reason::KeyCompromise), Duration::ZERO)
                });
                assert_eq!((report.found, report.closed), (expected.len(), 0));
                assert_eq!(close(&registry, &shards), expected);
            }
            Step::Reconcile(device) => {
                let examined = model.known.len();
                let expected = model.take(|known| known.person.device == device);
                let judge = |info: &ConnectionInfo| (info.device().as_deref() == Some(&*qualified(device))).then_some(KickCause::Cloned);
                let report = registry.reconcile(judge, Duration::ZERO);
                assert_eq!((report.examined, report.kicks.found), (examined, expected.len()));
                assert_eq!(report.ended.get("cloned").copied().unwrap_or_default(), expected.len());
                assert_eq!(close(&registry, &shards), expected);
            }
        }
        assert_eq!(registry.len(), model.known.len());
        let identifiers: Vec<_> =
            registry.connections().iter().map(|info| (info.entry.link, info.client_identifier.as_deref().map(str::to_owned))).collect();
        let expected: Vec<_> = model.known.iter().map(|(link, known)| (*link, known.identifier.map(|number| number.to_string()))).collect();
        assert_eq!(identifiers, expected);
    }
    registry.kick_selected(&Selector::All, &why(), Duration::ZERO);
    close(&registry, &shards);
    assert_eq!(registry.state().live.keys(), 0, "nothing is left behind");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn finds_what_a_search_of_everything_finds(steps in prop::collection::vec(step(), 0..80)) {
        run(steps);
    }
}
