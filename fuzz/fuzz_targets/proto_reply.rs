//! Hostile bytes as the reply of a worker.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dachs_fuzz::messages::reply(data));
