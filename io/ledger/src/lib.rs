//! signet-ledger
