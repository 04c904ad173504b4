//! signet-policy
