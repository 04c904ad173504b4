//! Who can be asked.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use signet_identity::DeviceName;
use signet_policy::{AccessAnswer, AccessQuestion, Applicant, Client, Credential, Outcome, SourceRules};
use zeroize::Zeroizing;

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

/// The key that a device shares with the broker, as somebody has it.
#[derive(Clone)]
pub enum SharedKey {
    /// There is none.
    None,
    /// As it is written there, at most [`Self::MAXIMUM`] octets.
    Written(Arc<Zeroizing<Vec<u8>>>),
    /// There is something that is no key, and why. Whoever has it is well: it is one device's entry.
    Unusable(String),
}

impl SharedKey {
    /// The most octets that are kept: no key is as long, however it is written.
    pub const MAXIMUM: usize = 1024;

    /// What somebody has under the device's name.
    #[must_use]
    pub fn of(octets: Zeroizing<Vec<u8>>) -> Self {
        match octets.len() {
            0 => Self::Unusable("the key is empty".to_owned()),
            length if length > Self::MAXIMUM => Self::Unusable(format!("there are {length} octets, which is no key")),
            _ => Self::Written(Arc::new(octets)),
        }
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("None"),
            Self::Written(_) => formatter.write_str("Written"),
            Self::Unusable(why) => formatter.debug_tuple("Unusable").field(why).finish(),
        }
    }
}

/// One who has keys that devices share with the broker.
pub trait KeySource: fmt::Debug + Send + Sync {
    /// The key of a device, whose name is all that is known: whoever asks for it may be anybody.
    ///
    /// # Errors
    /// It could not find out.
    fn key<'a>(&'a self, device: &'a DeviceName) -> BoxFuture<'a, Result<SharedKey, Failure>>;

    /// The backend behind it.
    fn backend(&self) -> Option<&Arc<Backend>> {
        None
    }
}
