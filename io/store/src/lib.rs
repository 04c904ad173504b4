//! Where the broker's changes become durable. So far there is one answer: nowhere, in memory (see [`MemoryStore`]).

mod memory;

pub use memory::MemoryStore;
