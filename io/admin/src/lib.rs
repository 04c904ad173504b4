//! signet-admin
