//! Tokens: JSON Web Tokens (RFC 7519), signed and nothing else.
//!
//! The algorithms are the operator's to name; a token only says which of them it uses. What does not look like a token is unknown, and whoever is next
//! may know it. What does is let in or denied: a token with a wrong signature, or one that is over, is somebody's attempt, not somebody else's token.

mod authenticator;
mod checks;
mod jwks;
mod keys;
mod token;

pub use authenticator::{JwtAuthenticator, JwtConfig, JwtKeys, TokenPlace};
pub use checks::{Audience, ClaimRules};
pub use jsonwebtoken::Algorithm as JwtAlgorithm;
pub use jwks::{JwksAddress, JwksConfig, JwksPlace};
