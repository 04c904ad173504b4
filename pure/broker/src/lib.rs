//! signet-broker
