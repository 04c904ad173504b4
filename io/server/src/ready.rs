//! What is encoded and goes out at the end of the turn. Most of what a client is told waits for nothing but that, so it is encoded at once, while
//! its message is at hand, instead of being kept in an outbox as a reference.

use bytes::BytesMut;

/// Octets that wait for the end of the turn in a shard, for all clients together. What comes then is kept as a reference, which is smaller when one
/// message goes to many.
const READY_MAXIMUM: usize = 8 * 1024 * 1024;

/// Octets for one client; a full TLS record four times.
const ENOUGH: usize = 64 * 1024;

/// Larger messages are not copied before the socket takes them.
const COPIED_MAXIMUM: usize = 8 * 1024;

/// Memory that is kept for the next turn, in octets.
const SPARE_MAXIMUM: usize = 4 * 1024 * 1024;

/// The largest buffer that is kept.
const BUFFER_MAXIMUM: usize = 128 * 1024;

/// Buffers that the connections of a shard take turns with.
#[derive(Default)]
pub(crate) struct Ready {
    spare: Vec<BytesMut>,
    /// Octets that the spare buffers have room for.
    spare_octets: usize,
    /// Octets that wait.
    waiting: usize,
}

impl Ready {
    /// Whether a packet of about this size may be encoded behind the `before` octets that are ready for the same client.
    pub(crate) fn has_room(&self, size: usize, before: usize) -> bool {
        size <= COPIED_MAXIMUM && before.saturating_add(size) <= ENOUGH && self.waiting.saturating_add(size) <= READY_MAXIMUM
    }

    /// Empty memory.
    pub(crate) fn lend(&mut self) -> BytesMut {
        let buffer = self.spare.pop().unwrap_or_default();
        self.spare_octets = self.spare_octets.saturating_sub(buffer.capacity());
        buffer
    }

    /// So many octets more are ready.
    pub(crate) fn add(&mut self, octets: usize) {
        self.waiting = self.waiting.saturating_add(octets);
    }

    /// What was ready for a client goes out now, or is not wanted any more. Memory comes along where nothing was ready.
    pub(crate) fn take(&mut self, buffer: &mut BytesMut) -> BytesMut {
        self.waiting = self.waiting.saturating_sub(buffer.len());
        if buffer.capacity() == 0 { self.lend() } else { std::mem::take(buffer) }
    }

    /// The memory is free again.
    pub(crate) fn take_back(&mut self, mut buffer: BytesMut) {
        buffer.clear();
        if buffer.capacity() <= BUFFER_MAXIMUM && self.spare_octets.saturating_add(buffer.capacity()) <= SPARE_MAXIMUM {
            self.spare_octets += buffer.capacity();
            self.spare.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ready_is_bounded_for_one_client_and_for_all_and_large_messages_are_not_copied() {
        let mut ready = Ready::default();
        assert!(ready.has_room(COPIED_MAXIMUM, 0));
        assert!(!ready.has_room(COPIED_MAXIMUM + 1, 0));
        assert!(!ready.has_room(2, ENOUGH - 1));
        ready.add(READY_MAXIMUM - 1);
        assert!(ready.has_room(1, 0));
        assert!(!ready.has_room(2, 0));
    }

    #[test]
    fn memory_that_comes_back_is_lent_again_and_bounded() {
        let mut ready = Ready::default();
        let mut buffer = ready.lend();
        buffer.extend_from_slice(&[0; 1000]);
        ready.add(buffer.len());
        let place = buffer.as_ptr();
        let taken = ready.take(&mut buffer);
        assert_eq!((ready.waiting, taken.len(), buffer.capacity()), (0, 1000, 0));
        ready.take_back(taken);
        let lent = ready.take(&mut buffer);
        assert_eq!((lent.len(), lent.as_ptr()), (0, place));
        ready.take_back(BytesMut::with_capacity(BUFFER_MAXIMUM + 1));
        assert!(ready.spare.is_empty());
        for _ in 0..SPARE_MAXIMUM / BUFFER_MAXIMUM + 1 {
            ready.take_back(BytesMut::with_capacity(BUFFER_MAXIMUM));
        }
        assert!(ready.spare_octets <= SPARE_MAXIMUM);
    }
}
