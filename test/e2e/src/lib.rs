//! signet-e2e
