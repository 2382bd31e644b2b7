//! Expressions of signatures, and what looks before them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::images::expression(data));
