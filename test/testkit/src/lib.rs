//! signet-testkit
