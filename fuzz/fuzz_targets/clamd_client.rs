//! Hostile bytes as the replies of a clamd.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::services::client(data));
