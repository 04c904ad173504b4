//! Who can be asked.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use signet_policy::{AccessAnswer, AccessQuestion, Applicant, Client, Credential, Outcome, SourceRules};

use crate::backend::Backend;
use crate::exchange::Exchange;

/// A future behind a pointer.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a question has no answer, in words for the operator; never with a secret in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl Failure {
    /// Takes whatever can be printed.
    pub fn new(words: impl fmt::Display) -> Self {
        Self(words.to_string())
    }
}

/// One who may vouch for clients.
pub trait Authenticator: fmt::Debug + Send + Sync {
    /// Whether it vouches for somebody. What takes long must not block the thread: hashing belongs into the [`crate::HashingPool`].
    ///
    /// # Errors
    /// It could not find out.
    fn authenticate<'a>(&'a self, applicant: &'a Applicant) -> BoxFuture<'a, Result<Outcome, Failure>>;

    /// The exchange that a client begins with its Authentication Method, if this is one who has that method.
    fn exchange(&self, method: &str) -> Option<Box<dyn Exchange>> {
        let _ = method;
        None
    }

    /// Whether something that a client was let in by still holds; `None`: it is not from here. Must not wait for anybody.
    fn holds(&self, credential: &Credential) -> Option<bool> {
        let _ = credential;
        None
    }

    /// The backend behind it, for its state and for forgetting what it remembers.
    fn backend(&self) -> Option<&Arc<Backend>> {
        None
    }
}

/// One who has rules about clients.
pub trait RuleSource: fmt::Debug + Send + Sync {
    /// Its rules about a client, in order.
    ///
    /// # Errors
    /// It could not find out.
    fn rules<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, Result<SourceRules, Failure>>;

    /// The backend behind it.
    fn backend(&self) -> Option<&Arc<Backend>> {
        None
    }
}

/// One who is asked each time a client wants to do something.
pub trait AccessAsker: fmt::Debug + Send + Sync {
    /// Whether a client may.
    ///
    /// # Errors
    /// It could not find out, and the client may not.
    fn ask<'a>(&'a self, client: &'a Client, question: &'a AccessQuestion) -> BoxFuture<'a, Result<AccessAnswer, Failure>>;

    /// The backend behind it.
    fn backend(&self) -> Option<&Arc<Backend>> {
        None
    }
}
