//! Hostile programs packed by UPX.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::unpacking::as_packed(data));
