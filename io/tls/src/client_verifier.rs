//! The client certificate check.
