//! signet-ca
