//! Session tickets.
