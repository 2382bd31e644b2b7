//! Hostile bytes as a form.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::services::multipart(data));
