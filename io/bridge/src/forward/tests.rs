//! What becomes of packets, seen from both brokers.
