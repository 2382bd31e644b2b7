//! Hostile bytes as requests and as talk between pool and zygote.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::messages::others(data));
