//! Who is let in at a listener, and who has to go for it: many connections from a few addresses must not keep out everybody else.
//!
//! A connection that has not sent its CONNECT proves nothing and costs its sender nothing. When there is no room for one more, the
//! address with the most of these gives up its oldest, provided that the newcomer's address has at least two fewer. So no number of
//! silent connections keeps out an address that has few; what behaves is displaced only while its own address crowds the listener.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use signet_net::{LinkId, PeerAddress};

/// What counts as one address: an IPv4 address, the first half of an IPv6 address (a single customer gets a /64), or none, where there are no
/// addresses.
pub(crate) type Origin = Option<IpAddr>;

/// The origin of a client.
pub(crate) fn origin(address: &PeerAddress) -> Origin {
    match address {
        PeerAddress::Ip(address) => Some(match address.ip().to_canonical() {
            IpAddr::V6(six) => IpAddr::V6((six.to_bits() & !u128::from(u64::MAX)).into()),
            four => four,
        }),
        PeerAddress::Unix(_) => None,
    }
}

/// A connection that has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Displaced {
    pub(crate) link: LinkId,
    /// Where it was dealt to. It has not moved since: that comes with its CONNECT.
    pub(crate) shard: u16,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The listener has as many connections as it may have.
    Listener,
    /// The server has.
    Server,
    /// The address has.
    Address,
}

/// Connections of all listeners.
#[derive(Debug)]
pub(crate) struct Total {
    live: AtomicUsize,
    maximum: AtomicUsize,
}

impl Total {
    pub(crate) fn new(maximum: usize) -> Self {
        Self { live: AtomicUsize::new(0), maximum: AtomicUsize::new(maximum) }
    }

    /// Another number for who comes from now on.
    pub(crate) fn resize(&self, maximum: usize) {
        self.maximum.store(maximum, Ordering::Relaxed);
    }

    /// Connections now, handshakes included.
    pub(crate) fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }
}

/// The places of one listener.
#[derive(Debug)]
pub(crate) struct Gate {
    maximum: AtomicUsize,
    /// `usize::MAX`: no bound.
    per_origin: AtomicUsize,
    total: Arc<Total>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    live: usize,
    /// Connections before CONNECT, of all origins.
    pending: usize,
    origins: HashMap<Origin, Share, RandomState>,
    /// Origins by the number of their pending connections, so that the one with the most is the last. Those without any are left out.
    crowd: BTreeSet<(usize, Origin)>,
}

/// What one origin has.
#[derive(Debug, Default)]
struct Share {
    live: usize,
    /// Connections before CONNECT, and where they were dealt to. Their numbers rise, so the first is the oldest.
    pending: BTreeMap<LinkId, u16>,
}

/// One connection's place at a gate; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Gate>,
    origin: Origin,
    link: LinkId,
}

impl Gate {
    /// With so many places; `per_origin` zero: no bound.
    pub(crate) fn new(maximum: usize, per_origin: usize, total: Arc<Total>) -> Self {
        let gate = Self { maximum: AtomicUsize::new(0), per_origin: AtomicUsize::new(0), total, state: Mutex::default() };
        gate.resize(maximum, per_origin);
        gate
    }

    /// Other numbers for who comes from now on; `per_origin` zero: no bound.
    pub(crate) fn resize(&self, maximum: usize, per_origin: usize) {
        self.maximum.store(maximum, Ordering::Relaxed);
        self.per_origin.store(if per_origin == 0 { usize::MAX } else { per_origin }, Ordering::Relaxed);
    }

    /// How many of its connections have not sent their CONNECT yet.
    pub(crate) fn pending(&self) -> usize {
        self.state().pending
    }

    fn has_all_places(&self, share: &Share) -> bool {
        share.live >= self.per_origin.load(Ordering::Relaxed)
    }

    /// A place for one more connection, dealt to `shard`, and who has to go for it.
    pub(crate) fn admit(self: &Arc<Self>, origin: Origin, link: LinkId, shard: u16) -> Result<(Pass, Option<Displaced>), Full> {
        let mut state = self.state();
        if origin.is_some() && state.origins.get(&origin).is_some_and(|share| self.has_all_places(share)) {
            return Err(Full::Address);
        }
        let full = if state.live >= self.maximum.load(Ordering::Relaxed) {
            Some(Full::Listener)
        } else if self.total.live() >= self.total.maximum.load(Ordering::Relaxed) {
            Some(Full::Server)
        } else {
            None
        };
        let displaced = match full {
            Some(full) => Some(state.displace_for(origin, 0).ok_or(full)?),
            None => None,
        };
        state.live += 1;
        state.origins.entry(origin).or_default().live += 1;
        state.change(origin, |pending| {
            pending.insert(link, shard);
        });
        self.total.live.fetch_add(1, Ordering::Relaxed);
        Ok((Pass { gate: Arc::clone(self), origin, link }, displaced))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Strikes out the oldest pending connection of the origin that has the most, if a newcomer of `origin` is more deserving. `already` is how many
    /// of its pending connections are the newcomer itself.
    fn displace_for(&mut self, origin: Origin, already: usize) -> Option<Displaced> {
        let (most, crowded) = *self.crowd.last()?;
        let mine = self.origins.get(&origin).map_or(0, |share| share.pending.len()).saturating_sub(already);
        if mine + 2 > most {
            return None;
        }
        let mut displaced = None;
        self.change(crowded, |pending| displaced = pending.pop_first());
        displaced.map(|(link, shard)| Displaced { link, shard })
    }

    /// One of an origin's connections, pending no more, is not its own any longer.
    fn leave(&mut self, origin: Origin) {
        if let Some(share) = self.origins.get_mut(&origin) {
            share.live = share.live.saturating_sub(1);
            if share.live == 0 {
                self.origins.remove(&origin);
            }
        }
    }

    /// Changes the pending connections of an origin and its place in the crowd with it.
    fn change(&mut self, origin: Origin, change: impl FnOnce(&mut BTreeMap<LinkId, u16>)) {
        let Some(share) = self.origins.get_mut(&origin) else { return };
        let before = share.pending.len();
        change(&mut share.pending);
        let after = share.pending.len();
        self.pending = self.pending.saturating_add(after).saturating_sub(before);
        if before != after {
            self.crowd.remove(&(before, origin));
            if after > 0 {
                self.crowd.insert((after, origin));
            }
        }
    }
}

impl Pass {
    /// A trusted proxy said whose connection this is.
    pub(crate) fn readdress(&mut self, origin: Origin) -> Result<(), Full> {
        let mut state = self.gate.state();
        if origin.is_some() && state.origins.get(&origin).is_some_and(|share| self.gate.has_all_places(share)) {
            return Err(Full::Address);
        }
        let mut shard = None;
        state.change(self.origin, |pending| shard = pending.remove(&self.link));
        state.leave(self.origin);
        state.origins.entry(origin).or_default().live += 1;
        state.change(origin, |pending| pending.extend(shard.map(|shard| (self.link, shard))));
        self.origin = origin;
        Ok(())
    }

    /// The CONNECT has come: the place cannot be taken away any more.
    pub(crate) fn keep(&self) {
        self.gate.state().change(self.origin, |pending| {
            pending.remove(&self.link);
        });
    }

    /// Lets this connection go before those of an origin that has more under way, if there is one: returns who has to go for it.
    pub(crate) fn outrank(&self) -> Option<Displaced> {
        self.gate.state().displace_for(self.origin, 1)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.keep();
        let mut state = self.gate.state();
        state.live = state.live.saturating_sub(1);
        state.leave(self.origin);
        self.gate.total.live.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rig {
        gate: Arc<Gate>,
        next: u64,
    }

    impl Rig {
        fn new(maximum: usize, per_origin: usize, total: usize) -> Self {
            Self { gate: Arc::new(Gate::new(maximum, per_origin, Arc::new(Total::new(total)))), next: 0 }
        }

        fn come(&mut self, last: u8) -> Result<(Pass, Option<u64>), Full> {
            self.next += 1;
            let from = Some(IpAddr::from([10, 0, 0, last]));
            let admitted = self.gate.admit(from, LinkId::from_number(self.next), 0);
            admitted.map(|(pass, displaced)| (pass, displaced.map(|displaced| displaced.link.number())))
        }
    }

    #[test]
    fn a_crowd_of_one_address_makes_room_for_others() {
        let mut rig = Rig::new(4, 0, 100);
        let crowd: Vec<Pass> = (0..4).map(|_| rig.come(1).unwrap().0).collect();
        assert_eq!(rig.come(1).unwrap_err(), Full::Listener, "its own address crowds the listener");
        let (second, displaced) = rig.come(2).unwrap();
        assert_eq!(displaced, Some(1), "the oldest of the crowd");
        let (third, displaced) = rig.come(3).unwrap();
        assert_eq!(displaced, Some(2));
        let (fourth, displaced) = rig.come(4).unwrap();
        assert_eq!(displaced, Some(3));
        assert_eq!(rig.come(5).unwrap_err(), Full::Listener, "nobody has more than one any more");
        drop((crowd, second, third, fourth));
        assert!(rig.gate.state().origins.is_empty() && rig.gate.state().crowd.is_empty());
        assert_eq!((rig.gate.state().live, rig.gate.pending(), rig.gate.total.live()), (0, 0, 0));
    }

    #[test]
    fn who_has_connected_stays() {
        let mut rig = Rig::new(2, 0, 100);
        let settled: Vec<Pass> = (0..2).map(|_| rig.come(1).unwrap().0).collect();
        assert_eq!(rig.gate.pending(), 2);
        settled.iter().for_each(Pass::keep);
        assert_eq!(rig.gate.pending(), 0);
        assert_eq!(rig.come(2).unwrap_err(), Full::Listener);
        drop(settled);
        assert!(rig.come(2).is_ok());
    }

    #[test]
    fn an_address_and_the_server_have_their_own_bounds() {
        let mut rig = Rig::new(100, 2, 3);
        let _two = (rig.come(1).unwrap(), rig.come(1).unwrap());
        assert_eq!(rig.come(1).unwrap_err(), Full::Address);
        let (third, _) = rig.come(2).unwrap();
        assert_eq!(rig.come(2).unwrap_err(), Full::Server);
        third.keep();
        assert_eq!(rig.come(3).unwrap().1, Some(1), "two of one address are pending");
    }

    #[test]
    fn a_newcomer_outranks_the_crowd_but_not_its_equals() {
        let mut rig = Rig::new(100, 0, 100);
        let (one, _) = rig.come(1).unwrap();
        let (_two, _) = rig.come(2).unwrap();
        assert_eq!(one.outrank(), None);
        let (_three, _) = rig.come(2).unwrap();
        assert_eq!(one.outrank().map(|displaced| displaced.link.number()), Some(2));
        assert_eq!(one.outrank(), None, "one against one");
    }

    #[test]
    fn a_proxied_connection_counts_for_its_client() {
        let mut rig = Rig::new(100, 2, 100);
        let (mut one, _) = rig.come(1).unwrap();
        let (mut two, _) = rig.come(1).unwrap();
        let client = |last| Some(IpAddr::from([10, 0, 1, last]));
        assert_eq!(one.readdress(client(1)), Ok(()));
        assert_eq!(two.readdress(client(1)), Ok(()));
        let (mut three, _) = rig.come(1).unwrap();
        assert_eq!(three.readdress(client(1)), Err(Full::Address));
        assert_eq!(rig.gate.state().crowd.last(), Some(&(2, client(1))));
        drop((one, two, three));
        assert!(rig.gate.state().origins.is_empty() && rig.gate.state().crowd.is_empty());
    }

    #[test]
    fn half_of_an_ipv6_address_is_one_origin() {
        let of = |text: &str| origin(&PeerAddress::Ip(text.parse().unwrap()));
        assert_eq!(of("[2001:db8::1]:1"), of("[2001:db8::ffff:1]:2"));
        assert_ne!(of("[2001:db8::1]:1"), of("[2001:db8:0:1::1]:1"));
        assert_eq!(of("[::ffff:10.0.0.1]:1"), of("10.0.0.1:2"));
        assert_ne!(of("10.0.0.2:1"), of("10.0.0.1:1"));
    }
}
