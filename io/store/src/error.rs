//! Why the store cannot be opened, or stopped.

use signet_journal::JournalError;

/// Why the store cannot be opened, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A setting is out of its bounds, the system refused, or another process has the store.
    #[error("store: {0}")]
    Journal(JournalError),
    /// Something is missing that had been promised to clients.
    #[error(
        "store: {0}; it had been written safely, so it is not cut off silently: look with `signet store check`, then put a backup back \
         or give up what is lost with `signet store repair`"
    )]
    Damaged(JournalError),
    /// The writer's thread could not be started.
    #[error("store: could not start the writer's thread: {0}")]
    Thread(std::io::Error),
    /// The store stopped while it was open, as [`crate::StoreState::Failed`] says.
    #[error("store: {0}")]
    Failed(String),
}

impl From<JournalError> for StoreError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Damaged(_) | JournalError::Content { .. } => Self::Damaged(error),
            _ => Self::Journal(error),
        }
    }
}
