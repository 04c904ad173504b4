//! Every bound the decoder honours beyond the specification's own, with its default and the reason for it.

/// Bounds on what the decoder accepts from a peer. What it allocates for one packet is bounded by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Largest packet in bytes, fixed header included; default 1 MiB. A larger one is refused from its fixed header alone, with
    /// 0x95 Packet too large. A PUBLISH is held in memory once whole, so this is also the memory one unfinished packet can pin.
    pub maximum_packet_size: u32,
    /// Largest CONNECT in bytes, fixed header included; default 256 KiB, which leaves room for a Will Payload of 64 KiB and a long
    /// token as password. Smaller than other packets because the sender is not authorized to do anything yet. The lower of this and
    /// `maximum_packet_size` counts.
    pub maximum_connect_size: u32,
    /// User Properties in one property list; default 128. Each is two handles in memory (64 bytes) for as few as 5 bytes on the wire.
    pub maximum_user_properties: usize,
    /// Topic Filters in one SUBSCRIBE or UNSUBSCRIBE; default 1024, so that one packet is a bounded amount of work.
    pub maximum_filters: usize,
    /// Bytes in a Topic Name or Topic Filter; default 65,535, the specification's own bound [MQTT-4.7.3-3].
    pub maximum_topic_length: usize,
    /// Levels in a Topic Name or Topic Filter; default 128. Matching walks one step per level.
    pub maximum_topic_levels: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            maximum_packet_size: 1024 * 1024,
            maximum_connect_size: 256 * 1024,
            maximum_user_properties: 128,
            maximum_filters: 1024,
            maximum_topic_length: 65_535,
            maximum_topic_levels: 128,
        }
    }
}
