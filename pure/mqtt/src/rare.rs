//! A group of fields that nearly every packet leaves empty: one pointer as long as they are. A message is moved many times between socket and
//! socket, and most have no properties at all.

use std::ops::{Deref, DerefMut};

/// What can be empty without a place of its own.
pub trait Empty: Default + PartialEq + 'static {
    /// The empty one.
    fn empty() -> &'static Self;
}

/// A `T` that takes no memory while it is empty. It reads as the `T`; writing to it makes the place, so look first where there is nothing to write.
#[derive(Clone, Debug)]
pub struct Rare<T>(Option<Box<T>>);

impl<T> Rare<T> {
    /// The value, if it was ever written to.
    #[must_use]
    pub fn take(&mut self) -> Option<Box<T>> {
        self.0.take()
    }
}

impl<T: Default> Rare<T> {
    /// The value.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0.map_or_else(T::default, |value| *value)
    }
}

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Empty> From<T> for Rare<T> {
    fn from(value: T) -> Self {
        Self((value != T::default()).then(|| Box::new(value)))
    }
}

impl<T: Empty> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or_else(|| T::empty())
    }
}

impl<T: Empty> DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl<T: Empty> PartialEq for Rare<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Empty + Eq> Eq for Rare<T> {}

#[cfg(test)]
mod tests {
    use crate::{MessageProperties, Rare};

    #[test]
    fn what_is_empty_takes_no_memory_and_is_equal_however_it_came_to_be() {
        assert_eq!(size_of::<Rare<MessageProperties>>(), size_of::<usize>());
        let mut written = Rare::<MessageProperties>::default();
        assert_eq!(written.content_type, None);
        written.message_expiry_interval = Some(1);
        assert_ne!(written, Rare::default());
        written.message_expiry_interval = None;
        assert_eq!(written, Rare::default());
        assert!(Rare::from(MessageProperties::default()).take().is_none());
    }
}
