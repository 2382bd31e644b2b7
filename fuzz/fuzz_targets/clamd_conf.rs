//! Any text as a clamd.conf.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::services::conf(data));
