//! signet-revocation
