//! Hostile bytes as signature texts of every kind.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::texts::lines(data));
