//! A look at whoever will be asked, before somebody has to be.

use std::future::Future;
use std::sync::Arc;

use crate::backend::Backend;

/// What a look at a source says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceCheck {
    /// It takes what it will be asked.
    Fine,
    /// It could not be asked, and why; it may be up later.
    Unreachable(String),
    /// It can never work: what is wrong, and what to do.
    Wrong(String),
}

impl SourceCheck {
    /// Looks in the background, and says in the log what is not fine. Has to be called within a tokio runtime.
    pub fn report(backend: &Arc<Backend>, check: impl Future<Output = Self> + Send + 'static) {
        let (name, limit) = (Arc::clone(&backend.config().name), backend.config().timeout);
        tokio::spawn(async move {
            let found = tokio::time::timeout(limit, check).await;
            match found.unwrap_or_else(|_| Self::Unreachable(format!("no answer within {limit:?}"))) {
                Self::Fine => {}
                Self::Unreachable(why) => {
                    tracing::warn!(target: "signet::auth", backend = &*name, "cannot be asked at present: {why}");
                }
                Self::Wrong(why) => tracing::error!(target: "signet::auth", backend = &*name, "will not be able to answer: {why}"),
            }
        });
    }
}
