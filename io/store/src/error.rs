//! Why the store cannot be opened, or stopped.

/// Why the store cannot be opened, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A setting is out of its bounds.
    #[error("store: {0}")]
    Config(String),
}
