//! signet-identity
