//! Hostile patterns and expressions of signatures.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::texts::signature(data));
