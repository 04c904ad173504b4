//! signet-conformance
