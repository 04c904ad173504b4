//! The normative statements of MQTT as tests against the running broker, packet by packet.
//!
//! There is nothing in the library: the tests are in `tests/mqtt/`, one file per chapter of MQTT 5.0, and `statements.toml` lists which
//! statement is proven by which test. A test is named by its statement, `mqtt_3_1_2_4_…` for `[MQTT-3.1.2-4]` of MQTT 5.0 and
//! `mqtt311_3_1_3_8_…` where only MQTT 3.1.1 says it; most run for both versions.
