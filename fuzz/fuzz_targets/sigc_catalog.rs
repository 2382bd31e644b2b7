//! Hostile catalogs of what somebody signed.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::texts::catalog(data));
