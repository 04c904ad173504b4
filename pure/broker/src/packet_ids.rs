//! Allocation of Packet Identifiers (§2.2.1).

use signet_mqtt::PacketId;

/// Hands out Packet Identifiers in turn, so that one that was just freed is not used again at once.
#[derive(Debug, Default)]
pub(crate) struct PacketIds {
    last: u16,
}

impl PacketIds {
    /// Goes on after this one.
    pub(crate) fn after(last: Option<PacketId>) -> Self {
        Self { last: last.map_or(0, PacketId::get) }
    }

    /// The next identifier that is not in use [MQTT-2.2.1-3]. Nothing if all 65,535 are, which a Receive Maximum of at most that rules out.
    pub(crate) fn allocate(&mut self, is_used: impl Fn(PacketId) -> bool) -> Option<PacketId> {
        for _ in 0..=u16::MAX {
            self.last = self.last.wrapping_add(1);
            if let Some(packet_id) = PacketId::new(self.last)
                && !is_used(packet_id)
            {
                return Some(packet_id);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mqtt_2_2_1_3_an_identifier_in_use_is_never_given_again() {
        let mut ids = PacketIds { last: u16::MAX - 1 };
        let used = |packet_id: PacketId| packet_id.get() == 1;
        let given: Vec<u16> = (0..3).map(|_| ids.allocate(used).unwrap().get()).collect();
        assert_eq!(given, [u16::MAX, 2, 3], "zero and what is in use are stepped over");
        assert_eq!(ids.allocate(|_| true), None);
    }
}
