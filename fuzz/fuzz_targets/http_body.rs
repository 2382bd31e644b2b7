//! Hostile bytes as requests over HTTP.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::services::body(data));
