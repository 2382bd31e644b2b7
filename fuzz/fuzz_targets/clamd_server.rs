//! Hostile bytes as a client of clamd.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::services::server(data));
