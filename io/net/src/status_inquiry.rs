//! Asking whether a certificate is revoked, where nobody here knows yet.

use std::sync::Arc;

use signet_identity::DeviceIdentity;

/// Whoever can find out. Called from a shard, so it must not block.
pub trait StatusInquiry: Send + Sync {
    /// Finds out about the path of an identity, and calls `done`, from any thread, when the index knows, or when nothing more can be found out.
    /// Whether the answer is good is not told here: it is in the index, where everybody looks.
    fn ask(&self, identity: &Arc<DeviceIdentity>, done: Box<dyn FnOnce() + Send>);

    /// Notes that a device is here about which somebody has said something, so that it is kept current.
    fn seen(&self, identity: &Arc<DeviceIdentity>) {
        let _ = identity;
    }
}
