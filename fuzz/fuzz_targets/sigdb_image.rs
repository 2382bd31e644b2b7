//! Hostile bytes as an image: refused, or used without a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::images::hostile(data));
