//! signet-tls
