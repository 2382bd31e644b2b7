//! Hostile bytes as a set of patterns: refused, or scanned without a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::matching::hostile_set(data));
