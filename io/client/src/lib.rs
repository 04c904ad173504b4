//! signet-client
