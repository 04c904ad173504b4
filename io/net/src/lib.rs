//! signet-net
