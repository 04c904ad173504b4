//! Messages that run in circles. No Local stops a bridge from getting back what it sent; it does not stop a ring of three brokers, or two
//! brokers with a bridge to each other.
//!
//! Each broker that carries a message over notes itself in the message: one User Property for each, in the order of the journey. A message
//! that names this broker already has been here; one that names more brokers than allowed is given up, whoever they are.

use bytestring::ByteString;
use signet_mqtt::UserProperties;

/// The name of the User Property.
pub(crate) const HOP: &str = "signet-hop";

/// The check and the note.
#[derive(Debug)]
pub(crate) struct Hops {
    /// This process, under a name that no other has.
    here: ByteString,
    maximum: usize,
}

/// It has been here before, or came through too many brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InCircles;

impl Hops {
    pub(crate) fn new(here: ByteString, maximum: u8) -> Self {
        Self { here, maximum: usize::from(maximum) }
    }

    /// For a message that comes in.
    pub(crate) fn inward(&self, properties: &mut UserProperties) -> Result<(), InCircles> {
        if self.maximum == 0 {
            return Ok(());
        }
        let hops = hops(properties);
        if hops.contains(&&*self.here) || hops.len() >= self.maximum {
            return Err(InCircles);
        }
        self.note(properties);
        Ok(())
    }

    /// For a message that goes out.
    pub(crate) fn outward(&self, properties: &mut UserProperties) -> Result<(), InCircles> {
        if self.maximum == 0 {
            return Ok(());
        }
        let hops = hops(properties);
        let is_last = hops.last() == Some(&&*self.here);
        if is_last {
            // It came in by one of our bridges, which has noted it.
            return Ok(());
        }
        // Somebody else's bridge brought it back.
        if hops.contains(&&*self.here) || hops.len() >= self.maximum {
            return Err(InCircles);
        }
        self.note(properties);
        Ok(())
    }

    fn note(&self, properties: &mut UserProperties) {
        properties.0.push((ByteString::from_static(HOP), self.here.clone()));
    }
}

fn hops(properties: &UserProperties) -> Vec<&str> {
    properties.iter().filter(|(name, _)| *name == HOP).map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(name: &'static str, maximum: u8) -> Hops {
        Hops::new(ByteString::from_static(name), maximum)
    }

    #[test]
    fn a_ring_of_bridges_that_push_ends_where_it_began() {
        let ring = [broker("a", 8), broker("b", 8), broker("c", 8)];
        let mut message = UserProperties::default();
        for broker in &ring {
            broker.outward(&mut message).unwrap();
        }
        assert_eq!(ring[0].outward(&mut message), Err(InCircles), "c brought it back to a");
    }

    #[test]
    fn a_ring_of_bridges_that_pull_ends_where_it_has_been() {
        let (a, b, c) = (broker("a", 8), broker("b", 8), broker("c", 8));
        let mut message = UserProperties::default();
        for broker in [&b, &c, &a] {
            broker.inward(&mut message).unwrap();
        }
        assert_eq!(b.inward(&mut message), Err(InCircles));
    }

    #[test]
    fn what_came_in_goes_out_as_the_same_hop() {
        let here = broker("a", 2);
        let mut message = UserProperties::default();
        here.inward(&mut message).unwrap();
        here.outward(&mut message).unwrap();
        assert_eq!(message.len(), 1);
    }

    #[test]
    fn the_bound_holds_for_brokers_that_nobody_knows_and_zero_is_none() {
        let mut message = UserProperties(vec![("signet-hop".into(), "x".into()), ("other".into(), "y".into())]);
        broker("a", 2).outward(&mut message).unwrap();
        assert_eq!(broker("b", 2).inward(&mut message), Err(InCircles));
        let before = message.clone();
        broker("b", 0).inward(&mut message).unwrap();
        broker("b", 0).outward(&mut message).unwrap();
        assert_eq!(message, before);
    }
}
