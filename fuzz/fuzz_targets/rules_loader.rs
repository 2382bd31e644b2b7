//! Hostile bytes as a file of YARA rules.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::rules::loader(data));
