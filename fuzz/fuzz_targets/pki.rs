//! Hostile certificates and signed data.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::signatures::read(data));
