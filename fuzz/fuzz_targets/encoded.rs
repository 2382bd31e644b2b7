//! Hostile texts with encoded stretches.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::unpacking::as_text(data));
