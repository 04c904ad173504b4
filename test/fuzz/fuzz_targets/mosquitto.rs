//! Coverage-guided fuzzing of [`signet_fuzz::mosquitto`]; how to start it is told in the crate's documentation.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| signet_fuzz::mosquitto(data));
