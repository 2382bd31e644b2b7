//! Hostile disk images.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::unpacking::as_disk(data));
