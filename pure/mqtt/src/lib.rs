//! signet-mqtt
