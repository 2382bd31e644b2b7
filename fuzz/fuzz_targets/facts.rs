//! Hostile executables, asked for all facts.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::facts::ask(data));
