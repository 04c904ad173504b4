//! Asking over HTTP: who a client is, and what it may do.
//!
//! What the operator writes are templates. The host of the address is fixed; values go into path, query, header fields and body, each escaped as its
//! place needs it, so that no value can be anything but a value. A value that is not there ends the question before it is asked.

mod access;
mod answer;
mod authenticator;
mod endpoint;
mod question;
mod template;

pub use access::{HttpAsker, HttpRules};
pub use answer::Compatibility;
pub use authenticator::HttpAuthenticator;
pub use endpoint::{EndpointConfig, EndpointTls};
pub use question::{HttpBody, HttpMethod, QuestionConfig};
pub use template::{HttpPlaceholders, Purpose};

pub(crate) use endpoint::Endpoint;
pub(crate) use question::fixed_headers;
