//! signet-fuzz
